// What becomes of a decided batch: each partition is committed, and only then its records count as emitted, dropped or set aside.
import type { Emission } from './emit.ts'
import { runtimeError } from './errors.ts'
import type { ClaimedWork, DecidedBatch, Invocation, Work } from './invocation.ts'
import { fencedRounds } from './ownership.ts'
import { Fenced, RecordTooLarge, type StateOutcome, type TopicPartition } from './ports.ts'
import { countCommitted, countRows } from './report.ts'
import type { StateAttempt } from './state/attempt.ts'
import { entryOf } from './state/keys.ts'

/** What became of a partition; work is to be decided once more: a newer owner took it, or an output did not fit. */
export type Written = Work | 'nothing to do' | 'emitted' | 'done'

/** Commits one partition. At least once with state its outputs are there then, and count when they are acknowledged. */
export async function write(claimed: ClaimedWork, decided: DecidedBatch, invocation: Invocation): Promise<Written> {
  const { batch, partition, claim, nextOffset, tooLarge, rounds, isRest } = claimed
  if (nextOffset === claim.position) return 'nothing to do'
  const { attempt } = decided
  const own = emissionsOf(claimed, decided)
  const outputs = own.flatMap(emission => emission.outputs)
  try {
    assertRemembered(attempt?.outcomeOf(partition), partition, invocation)
    await invocation.commit.write(partition, claim, outputs, nextOffset, invocation.deadline)
  } catch (error) {
    invocation.ownership.forget(partition)
    if (error instanceof Fenced) return fencedOnceMore(claimed, error, invocation)
    if (error instanceof RecordTooLarge) {
      const culprit = own.find(emission => emission.outputs.includes(outputs[error.recordIndex]!))!
      const before = tooLarge.get(culprit.record)
      if (before === 'dead letter') throw error
      // A failed dead letter goes on without the bytes, which stay at its coordinates; everything else becomes a dead letter first.
      tooLarge.set(culprit.record, culprit.failure === undefined ? 'outputs' : 'dead letter')
      return { batch, tooLarge, rounds, isRest }
    }
    throw error
  }
  if (attempt !== undefined && invocation.plan.delivery === 'at-least-once') return 'emitted'
  finish(claimed, decided, invocation)
  return 'done'
}

/**
 * At least once with state: our position is written to the locks, for all partitions at once. Delivered again before that, outputs are emitted
 * as copies, from the values that counted the first time; after that, not at all. One round trip, and nothing to do in other scenarios.
 */
export async function acknowledge(
  claims: readonly ClaimedWork[],
  decided: DecidedBatch,
  emitted: readonly PromiseSettledResult<Written>[],
  invocation: Invocation,
): Promise<readonly PromiseSettledResult<Written>[]> {
  const waiting = claims.filter((_, c) => {
    const outcome = emitted[c]!
    return outcome.status === 'fulfilled' && outcome.value === 'emitted'
  })
  if (waiting.length === 0) return emitted
  const [answer] = await Promise.allSettled([invocation.state!.acknowledge(waiting, invocation.deadline)])
  const settled = waiting.map(async (claimed, w) => {
    try {
      if (answer.status === 'rejected') throw answer.reason
      if (!answer.value[w]) throw new Fenced('', 0, 'the lock of its state was claimed')
    } catch (error) {
      invocation.ownership.forget(claimed.partition)
      if (error instanceof Fenced) return fencedOnceMore(claimed, error, invocation)
      throw error
    }
    finish(claimed, decided, invocation)
    return 'done'
  })
  const acknowledged = await Promise.allSettled<Written>(settled)
  return claims.map((claimed, c) => acknowledged[waiting.indexOf(claimed)] ?? emitted[c]!)
}

function fencedOnceMore(
  { batch, partition, tooLarge, rounds, isRest }: ClaimedWork,
  error: Fenced,
  { world, ownership }: Invocation,
): Work {
  world.metrics?.count('fenced', 1)
  if (rounds + 1 >= fencedRounds) throw ownership.lost(partition, error)
  return { batch, tooLarge, rounds: rounds + 1, isRest }
}

/** After the commit: nothing of it comes again. */
function finish(claimed: ClaimedWork, decided: DecidedBatch, invocation: Invocation): void {
  const { partition, nextOffset } = claimed
  decided.attempt?.committed(partition, nextOffset)
  tellTakenOver(decided.attempt, partition, invocation)
  const { metrics } = invocation.world
  if (metrics !== undefined) for (const [name, by] of decided.attempt?.kept(partition) ?? []) metrics.count(name, by)
  const own = emissionsOf(claimed, decided)
  if (metrics !== undefined && invocation.plan.rows !== undefined) {
    const committed = new Set(own.flatMap(({ record, failure }) => (failure === undefined ? [record] : [])))
    countRows(decided.columns, i => committed.has(decided.columns.record[i]!), invocation.plan, metrics)
  }
  report(own, invocation)
}

function emissionsOf({ partition }: ClaimedWork, { emissions }: DecidedBatch): readonly Emission[] {
  return emissions.filter(({ record }) => record.partition === partition.partition && record.topic === partition.topic)
}

/** Throws Fenced where another invocation has claimed the state's lock. */
function assertRemembered(outcome: StateOutcome | undefined, partition: TopicPartition, { plan, world }: Invocation): void {
  if (outcome === undefined || outcome.kind === 'written') return
  if (outcome.kind === 'stale') throw new Fenced('', 0, 'the lock of its state was claimed')
  world.metrics?.count('state.moved', 1)
  throw runtimeError('state-moved', {
    scenario: plan.scenario,
    entry: entryOf(outcome.key),
    partition: `${partition.topic}-${partition.partition}`,
  })
}

/** Right, and slow: expected once per key after partitions were added. */
function tellTakenOver(attempt: StateAttempt | undefined, partition: TopicPartition, { plan, world }: Invocation): void {
  for (const [entry, keyCount] of attempt?.takenOver(partition) ?? []) {
    world.metrics?.count('state.moved', keyCount)
    world.log.warn(
      `${plan.scenario}: ${keyCount} keys of state "${entry}" came from other partitions to ${partition.topic}-${partition.partition}. Expected once per key after partitions were added; if it goes on, let the producer keep a key in one partition.`,
      { scenario: plan.scenario, ...partition, entry, keyCount },
    )
  }
}

function report(emissions: readonly Emission[], { world, deadLetters }: Invocation): void {
  if (world.metrics !== undefined) countCommitted(emissions, world.metrics)
  for (const { record, failure } of emissions) if (failure !== undefined) deadLetters.tell(record, failure)
}
