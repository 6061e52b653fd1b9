// Ways to deliver a batch, from AWS's everyday to its worst: once; twice though it succeeded; to a process that is killed at every point of
// its commit in turn; to two processes at once. Each gives the mapping one result, as if nothing else had happened.
import type { KafkaEvent } from '../runtime/event.ts'
import type { InvocationResult } from './container.ts'
import { type Fault, faultPhases } from './faults.ts'
import type { Delivery } from './mapping.ts'
import type { ContainerPool } from './pool.ts'

export type Deliver = (event: KafkaEvent, delivery: Delivery) => Promise<InvocationResult>

export function plainDelivery(pool: ContainerPool): Deliver {
  return event => pool.invoke(event)
}

/** Every batch twice, one after the other: the mapping did not learn that the first time succeeded. */
export function doubledDelivery(pool: ContainerPool): Deliver {
  return async event => {
    const first = await pool.invoke(event)
    return first.status === 'success' ? pool.invoke(event) : first
  }
}

/** Where and how often faults struck, by point: `EndTxn written` → 5. */
export type StrikeCounts = Map<string, number>

/**
 * Attempt 1 of a batch dies at point 1, attempt 2 at point 2, and so on, until one survives because it has no such point. A commit that
 * went through before its process died ends the climb early, and hides the points after it; so every other batch only dies where answers
 * have arrived, which leads past the commit.
 */
export function killedDelivery(pool: ContainerPool, strikes: StrikeCounts): Deliver {
  return async (event, { batchIndex }) => {
    const phases = batchIndex % 2 === 0 ? faultPhases : (['answered'] as const)
    for (let point = 0; ; point++) {
      const call = Math.floor(point / phases.length) + 1
      const fault: Fault = { call, phase: phases[point % phases.length]!, action: 'kill' }
      const lease = pool.acquire()
      let struckAt: string | undefined
      lease.container.onStrike(struck => {
        struckAt = struck
      })
      const { result } = await lease.run(event, { fault })
      if (result.status !== 'crashed') return result
      // Died of something else: that is for the mapping, and for people, to see.
      if (result.signal !== 'SIGKILL') return result
      count(strikes, struckAt ?? `point ${point}`)
    }
  }
}

/** Later starts of the second process, from the same instant to after the first has ended. */
const zombieDelaysMs = [0, 1, 2, 4, 8, 16, 32, 64]

/**
 * A second process gets the same batch at the same time. Even batches: it starts a little later, by ever other delays. Odd batches: it
 * started earlier and stands still at a point of its commit, another in every batch, until the mapping's own invocation is over; then it
 * goes on where it was, a zombie that must find itself fenced. Its result is nobody's.
 */
export function zombieDelivery(pool: ContainerPool, strikes: StrikeCounts): Deliver {
  return async (event, { batchIndex }) => {
    const round = Math.floor(batchIndex / 2)
    if (batchIndex % 2 === 0) {
      const later = new Promise(resolve => setTimeout(resolve, zombieDelaysMs[round % zombieDelaysMs.length])).then(() =>
        pool.invoke(event),
      )
      const [result] = await Promise.all([pool.invoke(event), later])
      return result
    }
    const phase = faultPhases[round % faultPhases.length]!
    const call = (Math.floor(round / faultPhases.length) % 5) + 1
    const lease = pool.acquire()
    let ended = false
    const stopped = new Promise<void>(resolve => {
      lease.container.onStrike(struck => {
        count(strikes, struck)
        resolve()
      })
    })
    const zombie = lease.run(event, { fault: { call, phase, action: 'stop' } }).finally(() => {
      ended = true
    })
    await Promise.race([stopped, zombie])
    const result = await pool.invoke(event)
    if (!ended) lease.container.thaw()
    await zombie
    return result
  }
}

function count(strikes: StrikeCounts, point: string): void {
  strikes.set(point, (strikes.get(point) ?? 0) + 1)
}
