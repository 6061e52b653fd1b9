// The Lambda function of one scenario: the data flow of a batch, top to bottom. Stages do not know each other; only this file sees all.
import middy from '@middy/core'
import { tellFirst } from '../plan/columns.ts'
import { Failure } from '../plan/failure.ts'
import type { Columns, Plan, SourceRecord } from '../plan/plan.ts'
import { withBreaker } from './breaker.ts'
import { createLookupMemory, defaultMemoryBytes } from './cache.ts'
import { Commit, commitBudgetMs } from './commit.ts'
import { Cut } from './cut.ts'
import { createDeadLetterLog, type DeadLetterLog } from './dead-letter-log.ts'
import { decode, type PartitionBatch, readEvent } from './decode.ts'
import { type Emission, emit } from './emit.ts'
import { enrich } from './enrich.ts'
import { runtimeError } from './errors.ts'
import type { KafkaBatchResponse, KafkaEvent } from './event.ts'
import { keepBatchesYoung } from './heap.ts'
import { fencedRounds, Ownership, type Share } from './ownership.ts'
import {
  type Deadline,
  Fenced,
  type LookupMemory,
  type LookupPort,
  type LookupStores,
  type MetricsPort,
  RecordTooLarge,
  type StateOutcome,
  type StatePort,
  type TopicPartition,
  type TransactionPort,
} from './ports.ts'
import { countCommitted, countRows, tellFailure } from './report.ts'
import { answeringOnce } from './state/answers.ts'
import { type Corrections, StateAttempt, type StatePartition } from './state/attempt.ts'
import { StateClaims } from './state/claims.ts'
import { entryOf, type StateKeys, stateKeys } from './state/keys.ts'
import { Rehearsal } from './state/rehearsal.ts'

/** What the function is connected to. */
export interface World {
  readonly kafka: TransactionPort
  /** Those that the scenario's look-ups name. */
  readonly stores: LookupStores
  readonly log: Log
  readonly deadLetterTopic: string
  /** Headers of a source record that its outputs keep, such as a trace's. */
  readonly carriedHeaders?: readonly string[]
  /** Where records leave something for later ones; `stores.state` reads it. */
  readonly state?: StatePort
  /** Sees each decided batch before it is committed: `sluice invoke --why`, examples. */
  readonly observe?: (decided: Decided) => void
  /** Only what is committed is counted as dropped, emitted or a dead letter. */
  readonly metrics?: MetricsPort
  /** At-least-once: the mapping has ReportBatchItemFailures. Without it Lambda would take returned failures for success. */
  readonly partialResponse?: boolean
}

export interface Decided {
  readonly columns: Columns
  readonly emissions: readonly Emission[]
}

export interface Log {
  info(message: string, fields: Readonly<Record<string, unknown>>): void
  warn(message: string, fields: Readonly<Record<string, unknown>>): void
  error(message: string, fields: Readonly<Record<string, unknown>>): void
}

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

/** A partition's records that are not committed yet. */
interface Work {
  readonly batch: PartitionBatch
  readonly tooLarge: Map<SourceRecord, 'outputs' | 'dead letter'>
  readonly rounds: number
  /** What comes before it in the batch is committed. */
  readonly isRest: boolean
}

interface FailedWork extends Pick<Work, 'batch' | 'isRest'> {
  readonly error: unknown
}

interface Invocation {
  readonly plan: Plan
  readonly world: World
  readonly commit: Commit
  readonly state?: StateClaims
  readonly ownership: Ownership
  readonly lookups: ContainerLookups
  readonly cut: Cut | undefined
  readonly deadline: Deadline
  readonly deadLetters: DeadLetterLog
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

interface ClaimedWork extends Work, Share {}

interface DecidedBatch {
  readonly columns: Columns
  readonly emissions: readonly Emission[]
  /** Where the scenario has state. */
  readonly attempt?: StateAttempt
}

/** Attempts at one batch with state. The last ones only where others take places of its caps meanwhile. */
const mostAttempts = 8

/** Once; with state again where a record turns out late to be a dead letter, since those after it have seen what it left. */
async function decide(claims: readonly ClaimedWork[], invocation: Invocation): Promise<DecidedBatch> {
  const { plan, state, lookups } = invocation
  if (state === undefined) return (await decideOnce(claims, attempting(invocation, lookups.stores))) as DecidedBatch
  const tooLarge = claims.flatMap(claim => [...claim.tooLarge.keys()])
  const failure = new Failure('too-large', '', 'an output is larger than its topic takes')
  const known = () => new Map<SourceRecord, Failure | 'leaves'>(tooLarge.map(record => [record, failure]))
  const judging = attempting(invocation, eachStore(lookups.stores, answeringOnce))
  let corrections: Corrections = known()
  for (let attempts = 1; ; attempts++) {
    const decided = await decideOnce(claims, { ...judging, corrections })
    if (!('isUnsound' in decided)) return decided
    if (attempts === mostAttempts) throw runtimeError('state-unsettled', { scenario: plan.scenario, attempts })
    assertTime(claims[0]!, invocation)
    // Few that have nothing to do with each other are found by the attempts themselves; the others one by one, in one go.
    if (attempts > 1 || !decided.attempt.hasLearnedAll)
      corrections = await rehearse(claims, decided.attempt, { ...judging, corrections: known() })
  }
}

/** Decides one by one, and writes nothing: which records leave something after all, or nothing. */
async function rehearse(claims: readonly ClaimedWork[], attempt: StateAttempt, judging: Attempting): Promise<Corrections> {
  const { state, deadline } = judging
  const rehearsal = await Rehearsal.open(state!, claims.map(statePartition), attempt.caps(), deadline)
  const stores = eachStore(judging.stores, store => rehearsal.over(store))
  const { metrics: _, observe: __, ...world } = judging.world
  const positions = new Map<string, Promise<bigint | undefined>>()
  const commit = {
    readPosition: (partition: TopicPartition) => {
      const id = `${partition.topic}/${partition.partition}`
      if (!positions.has(id)) positions.set(id, judging.commit.readPosition(partition, deadline))
      return positions.get(id)!
    },
  }
  const one = { ...judging, stores, fresh: stores, state: rehearsal.claims, commit, world }
  await rehearsal.run(async (p, { position, nextOffset, todo }) => {
    const claimed = claims[p]!
    assertTime(claimed, judging)
    const { batch, claim } = claimed
    const alone = { ...claimed, claim: { ...claim, position }, batch: { ...batch, records: todo }, nextOffset, todo }
    // It may seem to leave something, then nothing, or the other way round; alone it comes to rest.
    for (let attempts = 0; attempts < 4; attempts++) if (!('isUnsound' in (await decideOnce([alone], one)))) return
    throw new Error('what one record leaves does not come to rest')
  })
  return judging.corrections
}

function assertTime({ partition }: ClaimedWork, { plan, deadline }: Pick<Invocation, 'plan' | 'deadline'>): void {
  const remainingMs = Math.round(deadline.remainingMs())
  if (remainingMs < commitBudgetMs)
    throw runtimeError('out-of-time', {
      scenario: plan.scenario,
      remainingMs,
      partition: `${partition.topic}-${partition.partition}`,
    })
}

/** What an attempt at a batch reads, and what is known of its records. */
interface Attempting extends Pick<Invocation, 'plan' | 'world' | 'lookups' | 'deadline' | 'state'> {
  readonly commit: Pick<Commit, 'readPosition'>
  readonly stores: LookupStores
  /** For what has to be read again: they do not keep answers. */
  readonly fresh: LookupStores
  readonly corrections: Corrections
}

function attempting({ plan, world, state, commit, lookups, deadline }: Invocation, stores: LookupStores): Attempting {
  const what = { plan, world, commit, lookups, deadline, stores, fresh: lookups.stores, corrections: new Map() }
  return state === undefined ? what : { ...what, state }
}

/** It was taken to be known what a record leaves, and it was not. */
interface Unsound {
  readonly isUnsound: true
  readonly attempt: StateAttempt
}

/** decode → [filter ⇄ enrich]ⁿ → decide → write state → emit, over the records of all partitions at once. */
async function decideOnce(
  claims: readonly ClaimedWork[],
  { plan, world, state, commit, lookups, deadline, stores, fresh, corrections }: Attempting,
): Promise<DecidedBatch | Unsound> {
  const columns = decode(
    claims.flatMap(claim => claim.todo),
    plan,
  )
  const attempt = state && new StateAttempt(state, columns, claims.map(statePartition), corrections)
  let stagesLeft = plan.steps.filter(step => step.kind === 'fetch').length
  for (const step of plan.steps) {
    switch (step.kind) {
      case 'filter':
      case 'decide':
        step.run(columns)
        break
      case 'fetch': {
        const share = shareOf(deadline, stagesLeft--)
        await enrich(columns, plan.lookups, step.lookups, stores, share, lookups.memory, world.metrics)
        await attempt?.opened(step.lookups, {
          position: partition => (plan.delivery === 'exactly-once' ? commit : state!).readPosition(partition, deadline),
          readAgain: again => enrich(columns, plan.lookups, again, fresh, share, undefined, world.metrics),
        })
        break
      }
      case 'settle':
        attempt!.settle(step)
        break
      case 'write':
        if (!(await attempt!.write(deadline))) return { isUnsound: true, attempt: attempt! }
    }
  }
  if (attempt !== undefined) tellFirst(columns, plan.conditions)
  const tooLarge = new Map(claims.flatMap(claim => [...claim.tooLarge]))
  const { deadLetterTopic, carriedHeaders } = world
  const emissions = emit(columns, plan, { deadLetterTopic, tooLarge, ...(carriedHeaders && { carriedHeaders }) })
  if (attempt?.isSound() === false) return { isUnsound: true, attempt }
  world.observe?.({ columns, emissions })
  return { columns, emissions, ...(attempt && { attempt }) }
}

function statePartition({ partition, claim, batch, nextOffset, todo }: ClaimedWork): StatePartition {
  return { partition, position: claim.position, firstOffset: BigInt(batch.records[0]!.offset), nextOffset, todo }
}

function stateOf(plan: Plan, { state }: World): StateClaims | undefined {
  if (plan.state === undefined) return undefined
  if (state === undefined) throw new Error('the world has no store for state')
  return new StateClaims({ ...plan, state: plan.state }, state)
}

/** What the container keeps of its look-ups over invocations. */
interface ContainerLookups {
  readonly stores: LookupStores
  readonly memory?: LookupMemory
}

function lookupsOf({ plan, storeOf }: StateKeys, { stores }: World): ContainerLookups {
  const nowMs = () => performance.now()
  const remembers = plan.lookups.some(({ cacheMs }) => cacheMs > 0)
  return {
    stores: eachStore(stores, (port, store) => withBreaker(storeOf(port), { scenario: plan.scenario, store, nowMs })),
    ...(remembers && { memory: createLookupMemory({ maxBytes: defaultMemoryBytes, nowMs }) }),
  }
}

/** What answers under several names stays one, so that it is asked once per stage. */
function eachStore(stores: LookupStores, wrap: (port: LookupPort, name: string) => LookupPort): LookupStores {
  const wrapped = new Map<LookupPort, LookupPort>()
  for (const [name, port] of Object.entries(stores)) if (!wrapped.has(port)) wrapped.set(port, wrap(port, name))
  return Object.fromEntries(Object.entries(stores).map(([name, port]) => [name, wrapped.get(port)!]))
}

/** For the commit, which must not start with no time left. */
const commitReserveMs = 2000

/** A round trip's part of the invocation's rest: as much as each stage after it, once the commit has its own. */
function shareOf(deadline: Deadline, stagesLeft: number): Deadline {
  const restMs = deadline.remainingMs()
  const shareMs = (restMs - Math.min(commitReserveMs, restMs / 4)) / stagesLeft
  const endMs = performance.now() + shareMs
  return { remainingMs: () => Math.min(deadline.remainingMs(), endMs - performance.now()) }
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

/** What became of a partition; work is to be decided once more: a newer owner took it, or an output did not fit. */
type Written = Work | 'nothing to do' | 'emitted' | 'done'

/** Commits one partition. At least once with state its outputs are there then, and count when they are acknowledged. */
async function write(claimed: ClaimedWork, decided: DecidedBatch, invocation: Invocation): Promise<Written> {
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
async function acknowledge(
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
