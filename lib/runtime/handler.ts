// The Lambda function of one scenario: what is ours of each partition is decided (stages.ts) and committed (settlement.ts), whole or in parts, and
// what comes again is decided once more. Stages do not know each other; the flow, which is this file and those two, sees all.
import middy from '@middy/core'
import type { Failure } from '../plan/failure.ts'
import type { Plan, SourceRecord } from '../plan/plan.ts'
import { withBreaker } from './breaker.ts'
import { createLookupMemory, defaultMemoryBytes } from './cache.ts'
import { Commit } from './commit.ts'
import { Cut } from './cut.ts'
import { createDeadLetterLog } from './dead-letter-log.ts'
import { readEvent } from './decode.ts'
import type { Emission } from './emit.ts'
import { runtimeError } from './errors.ts'
import type { KafkaBatchResponse, KafkaEvent } from './event.ts'
import { keepBatchesYoung } from './heap.ts'
import type { ClaimedWork, ContainerLookups, DecidedBatch, Invocation, Work, World } from './invocation.ts'
import { Ownership } from './ownership.ts'
import type { Deadline } from './ports.ts'
import { tellFailure } from './report.ts'
import { acknowledge, type Written, write } from './settlement.ts'
import { decide, eachStore } from './stages.ts'
import { StateClaims } from './state/claims.ts'
import { type StateKeys, stateKeys } from './state/keys.ts'

export type { Decided, Log, World } from './invocation.ts'

export function createHandler(scenarioPlan: Plan, world: World) {
  keepBatchesYoung()
  const keys = stateKeys(scenarioPlan)
  const { plan } = keys
  const commit = new Commit(world.kafka, plan)
  const state = stateOf(plan, world)
  const ownership = new Ownership(plan, world, commit, state)
  const lookups = lookupsOf(keys, world)
  const cut = keepsParts(plan, world) ? new Cut() : undefined
  return middy<KafkaEvent, KafkaBatchResponse>()
    .use(logFailures(plan, world))
    .handler(async (event, context) => {
      const deadline: Deadline = { remainingMs: () => context.getRemainingTimeInMillis() }
      const batches = readEvent(event, plan)
      for (const { records } of batches) world.metrics?.count('records', records.length)
      const deadLetters = createDeadLetterLog(plan, world.log)
      const invocation: Invocation = {
        plan,
        world,
        commit,
        ...(state && { state }),
        ownership,
        lookups,
        cut,
        deadline,
        deadLetters,
      }
      cut?.begin()
      let open: readonly Work[] = batches.map(batch => ({ batch, tooLarge: new Map(), rounds: 0, isRest: false }))
      const failed: FailedWork[] = []
      try {
        while (open.length > 0) open = await nextRound(open, failed, invocation)
      } finally {
        deadLetters.end()
      }
      return responseTo(failed, batches.length, invocation)
    })
}

interface FailedWork extends Pick<Work, 'batch' | 'isRest'> {
  readonly error: unknown
}

/**
 * Exactly once, failures are thrown, never returned: the batch comes again, and what is committed skips itself. At least once nothing skips
 * itself, so that partitions that failed are told apart where the mapping hears it (event-source-mapping.md, section 3).
 */
async function nextRound(open: readonly Work[], failed: FailedWork[], invocation: Invocation): Promise<readonly Work[]> {
  const tellsApart = tellsPartitionsApart(invocation)
  const { again, failures } = await decideAndCommit(open, invocation).catch(error => {
    if (!tellsApart) throw error
    return { again: [], failures: open.map(({ batch, isRest }) => ({ batch, isRest, error: error as unknown })) }
  })
  if (failures.length > 0 && !tellsApart) throw failures[0]!.error
  failed.push(...failures)
  return again
}

const tellsPartitionsApart = ({ plan, world }: Pick<Invocation, 'plan' | 'world'>): boolean =>
  plan.delivery === 'at-least-once' && world.partialResponse === true

/** Whether a committed part of a batch stays done when the batch fails: it skips itself, or is not named among the failures. Else it would come out at each delivery. */
function keepsParts(plan: Plan, world: World): boolean {
  return plan.delivery === 'exactly-once' || plan.state !== undefined || tellsPartitionsApart({ plan, world })
}

/** An empty list is success in every mode of the mapping. A partition that failed is named from the first record on that is not done. */
function responseTo(failed: readonly FailedWork[], partitionCount: number, { plan, world }: Invocation): KafkaBatchResponse {
  // All of all: as good as thrown, and an alarm sees it.
  if (failed.length > 0 && failed.length === partitionCount && failed.every(({ isRest }) => !isRest)) throw failed[0]!.error
  for (const { error } of failed) tellFailure(error, plan, world)
  return {
    batchItemFailures: failed.flatMap(({ batch }) =>
      batch.records.map(({ offset }) => ({ itemIdentifier: { partition: batch.mapKey, offset } })),
    ),
  }
}

interface Round {
  /** To be decided once more. */
  readonly again: readonly Work[]
  readonly failures: readonly FailedWork[]
}

/** One round over partitions. Throws if all of them have to come again. */
async function decideAndCommit(open: readonly Work[], invocation: Invocation): Promise<Round> {
  const { ownership, deadline, cut } = invocation
  const beganMs = deadline.remainingMs()
  if (cut?.hasTime(beganMs) === false) throw outOfTimeMidway(open, invocation)
  let taken: readonly ClaimedWork[]
  let claims: readonly ClaimedWork[] = []
  let decided: DecidedBatch
  try {
    taken = await Promise.all(open.map(async work => ({ ...work, ...(await ownership.take(work.batch, deadline)) })))
    claims = cut?.shorten(taken, deadline.remainingMs()) ?? taken
    decided = await decide(claims, invocation)
    stopAboveShare(decided.emissions, invocation.plan)
  } catch (error) {
    for (const { batch } of open) ownership.forget(batch)
    if (goesOnInParts(error, attempt(), invocation)) return { again: open, failures: [] }
    throw error
  }
  // All settle before an error is thrown: a partition that could commit has committed, and no transaction stays open.
  const emitted = await Promise.allSettled(claims.map(claim => write(claim, decided, invocation)))
  const outcomes = await acknowledge(claims, decided, emitted, invocation)
  const failures = outcomes.flatMap((outcome, c): readonly FailedWork[] => {
    if (outcome.status === 'fulfilled') return []
    const { batch, isRest } = claims[c]!
    return [{ batch, isRest, error: outcome.reason }]
  })
  if (failures.length > 0) goesOnInParts(failures[0]!.error, attempt(), invocation)
  else if (outcomes.every(outcome => outcome.status === 'fulfilled' && typeof outcome.value !== 'object')) cut?.ended(attempt())
  return { again: [...openAfter(claims, outcomes), ...notBegun(taken, claims)], failures }

  function attempt() {
    return { recordCount: claims.reduce((sum, { todo }) => sum + todo.length, 0), tookMs: beganMs - deadline.remainingMs() }
  }
}

/** What is decided once more, and what comes after a part that was committed. */
function openAfter(claims: readonly ClaimedWork[], outcomes: readonly PromiseSettledResult<Written>[]): readonly Work[] {
  return outcomes.flatMap((outcome, c) => {
    if (outcome.status === 'rejected') return []
    if (typeof outcome.value === 'object') return [outcome.value]
    return restOf(claims[c]!, claims[c]!.nextOffset)
  })
}

/** Partitions of which this part had nothing. */
function notBegun(taken: readonly ClaimedWork[], claims: readonly ClaimedWork[]): readonly Work[] {
  if (claims === taken) return []
  const begun = new Set(claims.map(({ batch }) => batch))
  return taken.filter(({ batch }) => !begun.has(batch)).flatMap(claim => restOf(claim, claim.claim.position))
}

/** Without what is committed, so that it is not skipped once more, and told as if it had come again. */
function restOf({ batch, tooLarge, rounds, isRest }: ClaimedWork, position: bigint | undefined): readonly Work[] {
  const records = position === undefined ? batch.records : batch.records.filter(({ offset }) => BigInt(offset) >= position)
  if (records.length === batch.records.length) return [{ batch, tooLarge, rounds, isRest }]
  return records.length === 0 ? [] : [{ batch: { ...batch, records }, tooLarge, rounds: 0, isRest: true }]
}

function outOfTimeMidway(open: readonly Work[], { plan, deadline }: Invocation): Error {
  const coordinates = open.map(({ batch: { topic, partition, records } }) => {
    return `${coordinatesOf({ topic, partition, offset: records[0]!.offset })}…${records.at(-1)!.offset}`
  })
  return runtimeError('out-of-time-midway', {
    scenario: plan.scenario,
    remainingMs: Math.round(deadline.remainingMs()),
    coordinates: coordinates.join(', '),
  })
}

/** Where it ran out of time, the next attempt is at fewer records; at once if this invocation has time for them, else at the next delivery. */
function goesOnInParts(error: unknown, attempt: Parameters<Cut['failed']>[1], invocation: Invocation): boolean {
  const { cut, plan, world, deadline } = invocation
  const failed = cut?.failed(error, attempt, deadline.remainingMs())
  if (failed === undefined) return false
  const { size, isTime } = failed
  const { recordCount, tookMs } = attempt
  world.log.warn(
    `${plan.scenario}: ${recordCount} records were not done in time (${Math.round(tookMs)} ms). From now on they are decided in parts of ${size} at most, each committed before the next, for as long as there is time. If it goes on: raise \`function: timeout\`, the look-up's \`timeout\`, or lower \`batchSize\`.`,
    { id: 'batch-cut', scenario: plan.scenario, recordCount, tookMs: Math.round(tookMs), size, cause: (error as Error).message },
  )
  return isTime
}

function stateOf(plan: Plan, { state }: World): StateClaims | undefined {
  if (plan.state === undefined) return undefined
  if (state === undefined) throw new Error('the world has no store for state')
  return new StateClaims({ ...plan, state: plan.state }, state)
}

function lookupsOf({ plan, storeOf }: StateKeys, { stores }: World): ContainerLookups {
  const nowMs = () => performance.now()
  const remembers = plan.lookups.some(({ cacheMs }) => cacheMs > 0)
  return {
    stores: eachStore(stores, (port, store) => withBreaker(storeOf(port), { scenario: plan.scenario, store, nowMs })),
    ...(remembers && { memory: createLookupMemory({ maxBytes: defaultMemoryBytes, nowMs }) }),
  }
}

function stopAboveShare(emissions: readonly Emission[], plan: Plan): void {
  if (emissions.length < 100) return
  const failures = emissions.filter(emission => emission.failure !== undefined)
  if (failures.length <= plan.stopAbove * emissions.length) return
  throw runtimeError('too-many-dead-letters', {
    scenario: plan.scenario,
    failed: failures.length,
    total: emissions.length,
    coordinates: coordinatesOf(failures[0]!.record) + ', …',
    reason: mostFrequent(failures.map(emission => (emission.failure as Failure).reason)),
    limit: plan.stopAbove,
  })
}

function logFailures(plan: Plan, world: World) {
  return {
    after: () => world.metrics?.flush(),
    onError: (request: { error: unknown }) => {
      tellFailure(request.error, plan, world)
      world.metrics?.flush()
    },
  }
}

function coordinatesOf({ topic, partition, offset }: Pick<SourceRecord, 'topic' | 'partition' | 'offset'>): string {
  return `${topic}-${partition}@${offset}`
}

function mostFrequent(reasons: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  return [...counts].sort((a, b) => b[1] - a[1])[0]![0]
}
