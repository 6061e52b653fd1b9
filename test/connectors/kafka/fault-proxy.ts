// A proxy between producer and broker that sees each request and may hold it, lose it, or lose its answer: what networks and freezes do.
import type { Socket } from 'node:net'
import { apiKeyOf, startFrameProxy } from './frame-proxy.ts'

export interface Frame {
  readonly apiKey: number
  readonly api: string
  /** From 1, over all connections. */
  readonly number: number
}

/** Held until the promise resolves; `lose`: the connection is cut before the request goes on; `lose answer`: after. */
export type Fate = 'pass' | 'lose' | 'lose answer' | Promise<void>

export interface FaultProxy {
  readonly openSocket: () => Socket
  close(): Promise<void>
}

const names: Readonly<Record<number, string>> = {
  0: 'Produce',
  2: 'ListOffsets',
  3: 'Metadata',
  9: 'OffsetFetch',
  10: 'FindCoordinator',
  17: 'SaslHandshake',
  18: 'ApiVersions',
  22: 'InitProducerId',
  24: 'AddPartitionsToTxn',
  25: 'AddOffsetsToTxn',
  26: 'EndTxn',
  28: 'TxnOffsetCommit',
  36: 'SaslAuthenticate',
}

export function startFaultProxy(broker: string, decide: (frame: Frame) => Fate): Promise<FaultProxy> {
  let number = 0
  return startFrameProxy(
    () => broker,
    passage => {
      let losesNext = false
      let turn = Promise.resolve()
      return {
        request(frame) {
          const apiKey = apiKeyOf(frame)
          turn = turn.then(async () => {
            const fate = decide({ apiKey, api: names[apiKey] ?? String(apiKey), number: ++number })
            if (fate instanceof Promise) await fate
            if (fate === 'lose') passage.cut(0)
            if (fate === 'lose answer') losesNext = true
            if (!passage.isCut()) passage.toBroker(frame)
          })
        },
        answer(frame) {
          if (losesNext) passage.cut(0)
          else passage.toClient(frame)
        },
      }
    },
  )
}
