// A proxy between one client and its broker that keeps single requests back for as long as a test wants, while others overtake them; where told,
// the client loses its connection meanwhile, and the request arrives when nobody waits for it any more.
import type { Socket } from 'node:net'
import { commitCalls } from '../../../lib/emulator/fault-points.ts'
import { apiKeyOf, correlationOf, correlationOfAnswer, startFrameProxy } from '../../connectors/kafka/frame-proxy.ts'

export interface Gate {
  /** The first request of this kind is kept back. */
  readonly api: string
  readonly cutsClient?: boolean
}

export interface GateProxy {
  readonly openSocket: () => Socket
  /** Resolves when such a request is here. */
  keep(gate: Gate): { readonly reached: Promise<void>; readonly release: () => void; readonly answered: Promise<void> }
  close(): Promise<void>
}

interface Keeper extends Gate {
  readonly reach: () => void
  readonly released: Promise<void>
  readonly answer: () => void
}

export async function startGateProxy(broker: string): Promise<GateProxy> {
  const keepers = new Set<Keeper>()
  const { openSocket, close } = await startFrameProxy(
    () => broker,
    passage => {
      const waiting = new Map<number, () => void>()
      return {
        request(frame) {
          const api = commitCalls[apiKeyOf(frame)]
          const keeper = [...keepers].find(one => one.api === api)
          if (keeper === undefined) return passage.toBroker(frame)
          keepers.delete(keeper)
          waiting.set(correlationOf(frame), keeper.answer)
          if (keeper.cutsClient === true) passage.cut()
          keeper.reach()
          void keeper.released.then(() => passage.toBroker(frame))
        },
        answer(frame) {
          passage.toClient(frame)
          waiting.get(correlationOfAnswer(frame))?.()
        },
      }
    },
  )
  return {
    openSocket,
    keep(gate) {
      const reached = Promise.withResolvers<void>()
      const released = Promise.withResolvers<void>()
      const answered = Promise.withResolvers<void>()
      keepers.add({ ...gate, reach: reached.resolve, released: released.promise, answer: answered.resolve })
      return { reached: reached.promise, release: released.resolve, answered: answered.promise }
    },
    close,
  }
}
