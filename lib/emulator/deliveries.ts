// Ways to deliver a batch, from AWS's everyday to its worst: once; twice though it succeeded; to a process that is killed at every point of
// its commit in turn; to two processes at once. Each gives the mapping one result, as if nothing else had happened.
import { setTimeout as delay } from 'node:timers/promises'
import type { KafkaEvent, KafkaEventRecord } from '../runtime/event.ts'
import type { Container, InvocationResult } from './container.ts'
import { type Fault, type FaultPhase, faultPhases } from './fault-points.ts'
import type { Delivery } from './mapping.ts'
import type { ContainerPool } from './pool.ts'

export type Deliver = (event: KafkaEvent, delivery: Delivery) => Promise<InvocationResult>

export function plainDelivery(pool: ContainerPool): Deliver {
  return event => pool.invoke(event)
}

/**
 * Every batch twice though it succeeded: alone, and once more at the head of the partition's next one, as if the mapping had lost a commit
 * and cut differently from there.
 */
export function doubledDelivery(pool: ContainerPool): Deliver {
  const recut = recutter()
  return async event => {
    const first = await pool.invoke(recut(event))
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
  const recut = recutter()
  return async (event, { batchIndex }) => {
    const again = recut(event)
    const phases = batchIndex % 2 === 0 ? faultPhases : (['answered'] as const)
    for (let point = 0; ; point++) {
      const call = Math.floor(point / phases.length) + 1
      const fault: Fault = { call, phase: phases[point % phases.length]!, action: 'kill' }
      const lease = pool.acquire()
      let struckAt: string | undefined
      lease.container.onStrike(struck => {
        struckAt = struck
      })
      const { result } = await lease.run(point % 2 === 0 ? event : again, { fault })
      // It survived, or died of something else: that is for the mapping, and for people, to see.
      if (struckAt === undefined) return result
      count(strikes, struckAt)
    }
  }
}

/** Later starts of the second process, from the same instant to after the first has ended. */
const zombieDelaysMs = [0, 1, 2, 4, 8, 16, 32, 64]

/**
 * A cold commit of one partition makes five calls in the newer transaction protocol, a warm one three; the older protocol makes two more, state
 * a claim, a read and a write.
 */
const deepestZombie = 10

/**
 * Other processes get the same batch at the same time; their results are nobody's. Even batches: a second process starts a little later, by
 * ever other delays. Odd batches: a crowd of them started earlier, each stands still at another call of its commit, and when the mapping's
 * own invocation is over they all go on at once where they were: zombies that must find themselves fenced.
 */
export function zombieDelivery(pool: ContainerPool, strikes: StrikeCounts): Deliver {
  const recut = recutter()
  return (event, { batchIndex }) => {
    const events = { event, again: recut(event) }
    const round = Math.floor(batchIndex / 2)
    return batchIndex % 2 === 0
      ? deliverTwiceAtOnce(pool, events, zombieDelaysMs[round % zombieDelaysMs.length]!)
      : deliverAmongZombies(pool, strikes, events, faultPhases[round % faultPhases.length]!)
  }
}

interface Events {
  readonly event: KafkaEvent
  readonly again: KafkaEvent
}

async function deliverTwiceAtOnce(pool: ContainerPool, { event, again }: Events, delayMs: number): Promise<InvocationResult> {
  const other = delay(delayMs).then(() => pool.invoke(again))
  const result = await pool.invoke(event)
  await other
  return result
}

async function deliverAmongZombies(
  pool: ContainerPool,
  strikes: StrikeCounts,
  { event, again }: Events,
  phase: FaultPhase,
): Promise<InvocationResult> {
  const zombies: { readonly container: Container; readonly ended: Promise<unknown> }[] = []
  for (let call = 1; call <= deepestZombie; call++) {
    const { container, run } = pool.acquire()
    const stopped = new Promise<'stopped'>(resolve => {
      container.onStrike(struck => {
        count(strikes, struck)
        resolve('stopped')
      })
    })
    const ended = run(call % 2 === 0 ? event : again, { fault: { call, phase, action: 'stop' } }).then(() => 'ended' as const)
    // One after another: each fences the one before it, as new owners do.
    const state = await Promise.race([stopped, ended])
    // One that had no such call has done the work: nobody after it would get farther.
    if (state === 'ended') break
    zombies.push({ container, ended })
  }
  const result = await pool.invoke(event)
  for (const { container } of zombies) container.thaw()
  await Promise.all(zombies.map(({ ended }) => ended))
  return result
}

/**
 * A batch as it may come again after its partition has moved to another poller: from an earlier commit on, so that it begins with what the
 * partition's batch before it held.
 */
function recutter(): (event: KafkaEvent) => KafkaEvent {
  const before = new Map<string, readonly KafkaEventRecord[]>()
  return event => {
    const records: Record<string, readonly KafkaEventRecord[]> = {}
    for (const [mapKey, own] of Object.entries(event.records)) {
      records[mapKey] = [...(before.get(mapKey) ?? []).filter(record => record.offset < own[0]!.offset), ...own]
      before.set(mapKey, own)
    }
    return { ...event, records }
  }
}

function count(strikes: StrikeCounts, point: string): void {
  strikes.set(point, (strikes.get(point) ?? 0) + 1)
}
