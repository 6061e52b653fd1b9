// The Lambda function of one scenario: the data flow of a batch, top to bottom. Stages do not know each other; only this file sees all.
import middy from '@middy/core'
import type { Failure } from '../plan/failure.ts'
import type { Columns, Plan, SourceRecord } from '../plan/plan.ts'
import { withBreaker } from './breaker.ts'
import { createLookupMemory, defaultMemoryBytes } from './cache.ts'
import { type Claim, Commit, fencedForGood } from './commit.ts'
import { createDeadLetterLog, type DeadLetterLog } from './dead-letter-log.ts'
import { decode, type PartitionBatch, readEvent } from './decode.ts'
import { type Emission, emit } from './emit.ts'
import { enrich } from './enrich.ts'
import { runtimeError } from './errors.ts'
import type { KafkaBatchResponse, KafkaEvent } from './event.ts'
import {
  type Deadline,
  Fenced,
  type LookupMemory,
  type LookupStores,
  type MetricsPort,
  RecordTooLarge,
  RetryableError,
  type TopicPartition,
  type TransactionPort,
} from './ports.ts'

/** What the function is connected to. */
export interface World {
  readonly kafka: TransactionPort
  /** Those that the scenario's look-ups name. */
  readonly stores: LookupStores
  readonly log: Log
  readonly deadLetterTopic: string
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

/** A partition may be taken from us in the middle of a batch; three times in a row means that two mappings fight for it. */
const fencedRounds = 3

export function createHandler(plan: Plan, world: World) {
  const commit = new Commit(world.kafka, plan)
  const lookups = lookupsOf(plan, world)
  return middy<KafkaEvent, KafkaBatchResponse>()
    .use(logFailures(plan, world))
    .handler(async (event, context) => {
      const deadline: Deadline = { remainingMs: () => context.getRemainingTimeInMillis() }
      const batches = readEvent(event, plan)
      for (const { records } of batches) world.metrics?.count('records', records.length)
      const deadLetters = createDeadLetterLog(plan, world.log)
      const invocation: Invocation = { plan, world, commit, lookups, deadline, deadLetters }
      let open: readonly Work[] = batches.map(batch => ({ batch, tooLarge: new Map(), rounds: 0 }))
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
}

interface FailedWork {
  readonly batch: PartitionBatch
  readonly error: unknown
}

interface Invocation {
  readonly plan: Plan
  readonly world: World
  readonly commit: Commit
  readonly lookups: ContainerLookups
  readonly deadline: Deadline
  readonly deadLetters: DeadLetterLog
}

/**
 * Exactly once, failures are thrown, never returned: the batch comes again, and what is committed skips itself. At least once nothing skips
 * itself, so that partitions that failed are told apart where the mapping hears it (event-source-mapping.md, section 3).
 */
async function nextRound(open: readonly Work[], failed: FailedWork[], invocation: Invocation): Promise<readonly Work[]> {
  const { plan, world } = invocation
  const tellsApart = plan.delivery === 'at-least-once' && world.partialResponse === true
  const { again, failures } = await decideAndCommit(open, invocation).catch(error => {
    if (!tellsApart) throw error
    return { again: [], failures: open.map(({ batch }) => ({ batch, error: error as unknown })) }
  })
  if (failures.length > 0 && !tellsApart) throw failures[0]!.error
  failed.push(...failures)
  return again
}

/** An empty list is success in every mode of the mapping. A partition that failed is named from its first record on: nothing of it was done. */
function responseTo(failed: readonly FailedWork[], partitionCount: number, { plan, world }: Invocation): KafkaBatchResponse {
  // All of them: as good as thrown, and an alarm sees it.
  if (failed.length > 0 && failed.length === partitionCount) throw failed[0]!.error
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
  const claims = await Promise.all(open.map(work => claimTodo(work, invocation)))
  const emissions = await decide(claims, invocation)
  stopAboveShare(emissions, invocation.plan)
  // All settle before an error is thrown: a partition that could commit has committed, and no transaction stays open.
  const outcomes = await Promise.allSettled(claims.map(claim => write(claim, emissions, invocation)))
  return {
    again: outcomes.flatMap(outcome => (outcome.status === 'fulfilled' && outcome.value !== undefined ? [outcome.value] : [])),
    failures: outcomes.flatMap((outcome, c) =>
      outcome.status === 'rejected' ? [{ batch: claims[c]!.batch, error: outcome.reason as unknown }] : [],
    ),
  }
}

interface ClaimedWork extends Work {
  readonly partition: TopicPartition
  readonly claim: Claim
  /** Records at or above our position; tombstones count as progress, and nothing else. */
  readonly todo: readonly SourceRecord[]
  readonly nextOffset: bigint
}

async function claimTodo(work: Work, { commit, deadline, plan, world }: Invocation): Promise<ClaimedWork> {
  const { batch } = work
  const partition = { topic: batch.topic, partition: batch.partition }
  const claim = await commit.claim(partition, deadline)
  const { position } = claim
  const nextOffset = BigInt(batch.records.at(-1)!.offset) + 1n
  // Offsets ascend, so that usually a look at the first one is enough.
  const isNew = (record: SourceRecord) => position === undefined || BigInt(record.offset) >= position
  const records = isNew(batch.records[0]!) ? batch.records : batch.records.filter(isNew)
  const skippedCount = batch.records.length - records.length
  if (skippedCount > 0) {
    await commit.assertPosition(partition, position!, deadline)
    world.metrics?.count('skipped', skippedCount)
    world.log.info('skipped records that are committed', {
      scenario: plan.scenario,
      ...partition,
      skippedCount,
      position: String(position),
    })
  }
  const todo = records.filter(record => record.value !== null)
  return { ...work, partition, claim, todo, nextOffset: records.length === 0 ? position! : nextOffset }
}

/** decode → [filter ⇄ enrich]ⁿ → decide → emit, over the records of all partitions at once. No broker call in here. */
async function decide(
  claims: readonly ClaimedWork[],
  { plan, world, lookups, deadline }: Invocation,
): Promise<readonly Emission[]> {
  const columns = decode(
    claims.flatMap(claim => claim.todo),
    plan,
  )
  let stagesLeft = plan.steps.filter(step => step.kind === 'fetch').length
  for (const step of plan.steps) {
    if (step.kind === 'filter' || step.kind === 'decide') step.run(columns)
    if (step.kind !== 'fetch') continue
    const share = shareOf(deadline, stagesLeft--)
    await enrich(columns, plan.lookups, step.lookups, lookups.stores, share, lookups.memory)
  }
  const tooLarge = new Map(claims.flatMap(claim => [...claim.tooLarge]))
  const emissions = emit(columns, plan, { deadLetterTopic: world.deadLetterTopic, tooLarge })
  world.observe?.({ columns, emissions })
  return emissions
}

/** What the container keeps of its look-ups over invocations. */
interface ContainerLookups {
  readonly stores: LookupStores
  readonly memory?: LookupMemory
}

function lookupsOf(plan: Plan, { stores }: World): ContainerLookups {
  const nowMs = () => performance.now()
  const guarded = Object.entries(stores).map(([store, port]) => [
    store,
    withBreaker(port, { scenario: plan.scenario, store, nowMs }),
  ])
  const remembers = plan.lookups.some(({ cacheMs }) => cacheMs > 0)
  return {
    stores: Object.fromEntries(guarded) as LookupStores,
    ...(remembers && { memory: createLookupMemory({ maxBytes: defaultMemoryBytes, nowMs }) }),
  }
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

/** Commits one partition. Gives it back if a newer owner took it, or an output did not fit: then it is decided once more. */
async function write(claimed: ClaimedWork, emissions: readonly Emission[], invocation: Invocation): Promise<Work | undefined> {
  const { batch, partition, claim, nextOffset, tooLarge, rounds } = claimed
  if (nextOffset === claim.position) return undefined
  const own = emissions.filter(({ record }) => record.partition === partition.partition && record.topic === partition.topic)
  const outputs = own.flatMap(emission => emission.outputs)
  try {
    await invocation.commit.write(partition, claim, outputs, nextOffset, invocation.deadline)
  } catch (error) {
    if (error instanceof Fenced) {
      invocation.world.metrics?.count('fenced', 1)
      if (rounds + 1 >= fencedRounds) throw fencedForGood(invocation.plan, partition, error)
      return { batch, tooLarge, rounds: rounds + 1 }
    }
    if (error instanceof RecordTooLarge) {
      const culprit = own.find(emission => emission.outputs.includes(outputs[error.recordIndex]!))!
      const before = tooLarge.get(culprit.record)
      if (before === 'dead letter') throw error
      // A failed dead letter goes on without the bytes, which stay at its coordinates; everything else becomes a dead letter first.
      tooLarge.set(culprit.record, culprit.failure === undefined ? 'outputs' : 'dead letter')
      return { batch, tooLarge, rounds }
    }
    throw error
  }
  report(own, invocation)
  return undefined
}

function report(emissions: readonly Emission[], { world, deadLetters }: Invocation): void {
  if (world.metrics !== undefined) countCommitted(emissions, world.metrics)
  for (const { record, failure } of emissions) if (failure !== undefined) deadLetters.tell(record, failure)
}

function countCommitted(emissions: readonly Emission[], metrics: MetricsPort): void {
  for (const { outputs, failure, droppedBy } of emissions) {
    if (failure !== undefined) {
      metrics.count('deadLetters', 1)
      metrics.count(`deadLetters.${failure.reason}`, 1)
      continue
    }
    if (droppedBy !== undefined) {
      metrics.count('dropped', 1)
      metrics.count(`dropped.${droppedBy}`, 1)
    }
    metrics.count('emitted', outputs.length)
    // The idempotency key names the sink: …/OFFSET/SINK/INDEX.
    for (const { partitionSeed } of outputs) metrics.count(`emitted.${partitionSeed.split('/').at(-2)}`, 1)
  }
}

/** Guards against skipping what was never decided: each needs a human (event-source-mapping.md 4.5, 4.6). */
const positionGuards: ReadonlySet<string> = new Set(['position-beyond-end', 'kafka-unstable-progress'])

function logFailures(plan: Plan, world: World) {
  return {
    after: () => world.metrics?.flush(),
    onError: (request: { error: unknown }) => {
      tellFailure(request.error, plan, world)
      world.metrics?.flush()
    },
  }
}

function tellFailure(error: unknown, plan: Plan, { log, metrics }: World): void {
  const id = error instanceof RetryableError ? error.id : 'unexpected'
  metrics?.count('failed', 1)
  metrics?.count(`failed.${id}`, 1)
  if (positionGuards.has(id)) metrics?.count('positionGuard', 1)
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : undefined
  log.error(error instanceof Error ? error.message : String(error), { id, scenario: plan.scenario, retry: 'batch', cause })
}

function coordinatesOf({ topic, partition, offset }: SourceRecord): string {
  return `${topic}-${partition}@${offset}`
}

function mostFrequent(reasons: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  return [...counts].sort((a, b) => b[1] - a[1])[0]![0]
}
