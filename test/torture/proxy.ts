// Proxies that brokers name as their own addresses, so that every connection of the functions goes through them. Where told, they cut a
// connection before a request, between request and answer, or after the answer; or it cuts and delivers the request later, when nobody
// expects it any more, as networks may.
import { commitCalls } from '../../lib/emulator/fault-points.ts'
import {
  apiKeyOf,
  correlationOf,
  correlationOfAnswer,
  type Hands,
  type Passage,
  startFrameProxy,
} from '../connectors/kafka/frame-proxy.ts'

export type Cut = 'cut before' | 'cut between' | 'cut after' | 'late delivery'

export interface ArmedCut {
  /** Without one it only tells that the request is here. */
  readonly cut?: Cut
  /** 1: the next request of a commit, on whatever connection. */
  readonly call: number
  readonly delayMs: number
  readonly struck: (api: string) => void
}

export interface CuttingProxies {
  /** One for each broker. */
  readonly addresses: readonly string[]
  /** Where connections go; before that they are refused. */
  lead(upstreams: readonly string[]): void
  arm(cut: ArmedCut): void
  /** True: it was still armed. */
  disarm(cut: ArmedCut): boolean
  close(): Promise<void>
}

/** How long the broker's side of a cut connection is kept, so that what was sent arrives. */
const lingerMs = 500

export async function startCuttingProxies(count: number): Promise<CuttingProxies> {
  const armed = new Map<ArmedCut, number>()
  let upstreams: readonly string[] = []
  const proxies = await Promise.all(
    Array.from({ length: count }, (_, broker) => startFrameProxy(() => upstreams[broker], cutting)),
  )

  function cutting(passage: Passage): Hands {
    let cutAfterAnswer: number | undefined
    return {
      request(frame) {
        if (passage.isCut()) return
        const strike = strikeAt(frame)
        if (strike === undefined) return passage.toBroker(frame)
        strike.struck(commitCalls[apiKeyOf(frame)]!)
        switch (strike.cut) {
          case undefined:
            return passage.toBroker(frame)
          case 'cut before':
            return passage.cut(0)
          case 'cut between':
            passage.toBroker(frame)
            return passage.cut(lingerMs)
          case 'cut after':
            cutAfterAnswer = correlationOf(frame)
            return passage.toBroker(frame)
          case 'late delivery':
            passage.cut(strike.delayMs + lingerMs)
            return void setTimeout(() => passage.toBroker(frame), strike.delayMs).unref()
        }
      },
      answer(frame) {
        if (passage.isCut()) return
        if (correlationOfAnswer(frame) === cutAfterAnswer) passage.cutAfter(frame)
        else passage.toClient(frame)
      },
    }
  }

  function strikeAt(frame: Buffer): ArmedCut | undefined {
    if (commitCalls[apiKeyOf(frame)] === undefined) return undefined
    let strike: ArmedCut | undefined
    for (const [one, left] of armed) {
      if (left > 1 || strike !== undefined) armed.set(one, Math.max(1, left - 1))
      else {
        armed.delete(one)
        strike = one
      }
    }
    return strike
  }

  return {
    addresses: proxies.map(({ address }) => address),
    lead(addresses) {
      upstreams = addresses
    },
    arm: cut => void armed.set(cut, cut.call),
    disarm: cut => armed.delete(cut),
    async close() {
      await Promise.all(proxies.map(proxy => proxy.close()))
    },
  }
}
