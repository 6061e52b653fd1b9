// Every error of the run time, in one table: what happens next and the sentence. The values that a sentence needs are typed from its
// text, so that no error can lose its coordinates. Values of records stay out: they are customers' data.
import { RetryableError } from './ports.ts'

interface ErrorSpec {
  /** `batch`: nothing was emitted, the event source mapping delivers the batch again. `never`: the configuration must change. */
  readonly retry: 'batch' | 'never'
  readonly text: string
}

export const runtimeErrors = {
  'unknown-event-source': {
    retry: 'never',
    text: '{scenario}: the invocation has the event source {found}, and this function only takes Kafka events ("aws:kafka", "SelfManagedKafka"). Nothing was decided. Point a Kafka event source mapping at this function.',
  },
  'no-records': {
    retry: 'never',
    text: '{scenario}: the event has no records. Nothing was decided. Lambda never sends such an event; look at what invokes the function.',
  },
  'unexpected-topic': {
    retry: 'never',
    text: '{scenario}: the event has records of "{found}", and the scenario reads "{declared}". Nothing was decided, the batch comes again. Correct the topic of the event source mapping or of the scenario.',
  },
  'too-many-dead-letters': {
    retry: 'batch',
    text: '{scenario}: {failed} of {total} records ({coordinates}) would become dead letters, most often for "{reason}", more than the share {limit} of deadLetters.stopAbove. Nothing was emitted, the batch comes again. Usually the producer has changed its format: correct the scenario, or raise stopAbove to let them go.',
  },
  fenced: {
    retry: 'batch',
    text: '{scenario}: a newer invocation commits {partition} (our epoch {ours}). Nothing of this batch was written for it; the newer invocation continues. Expected after a rebalance or a time-out of the function; alarm only if it repeats for one partition.',
  },
  'position-beyond-end': {
    retry: 'never',
    text: '{scenario}: our progress of {partition} is {position}, and the partition ends at {end}: the topic was recreated or has lost records. Nothing was skipped or emitted. Raise `generation` in the scenario to decide the topic anew, or, of a scenario without state, reset the progress (npx sluice progress {scenario} --reset none).',
  },
  'generation-midway': {
    retry: 'never',
    text: '{scenario}: generation {generation} begins {partition} at {first}, and the partition begins at {start}. The batch was decided, and what lies before it will be skipped. Where it should have begun earlier, an old event source mapping delivers still: disable it, let it drain, then reset the progress (npx sluice progress {scenario} --reset none), or with state raise `generation` once more. Expected where the mapping filters, the topic is compacted, or startingPosition says so.',
  },
  'two-deployments': {
    retry: 'never',
    text: '{scenario}: the position of {partition} was last committed by the function "{theirs}", and this is "{ours}". If both run, each skips what the other has done, and nobody else hears of it: give one of them a namespace of its own (`namespace` under `sluice:` in serverless.yml). Expected once per partition after the function was renamed.',
  },
  'out-of-time': {
    retry: 'batch',
    text: '{scenario}: {remainingMs} ms remain of the invocation, too few for {partition}. Nothing of it was written, the batch comes again. Raise `function: timeout`, or lower `batchSize`.',
  },
  'out-of-time-midway': {
    retry: 'batch',
    text: '{scenario}: {remainingMs} ms remain of the invocation, too few for more of the batch. What is decided of it is committed, the rest ({coordinates}) comes again. Batches take longer than their time, and each delivery does a part: raise `function: timeout`, or lower `batchSize`.',
  },
  'state-lost': {
    retry: 'never',
    text: '{scenario}: the store knows what {partition} left up to offset {last}, and our progress is {position}: it has lost acknowledged writes (fail-over, eviction, restore). Nothing was emitted, since the rules would decide on wrong state. Raise `generation` to start from empty state, or accept the loss with `npx sluice state {scenario} --init`.',
  },
  'state-missing': {
    retry: 'never',
    text: '{scenario}: the store holds no state for {partition}, and our progress is {position}. Nothing was emitted. If `state` was added to a running scenario, start it empty with `npx sluice state {scenario} --init`; otherwise the store has lost it: see state-lost.',
  },
  'state-moved': {
    retry: 'batch',
    text: '{scenario}: a key of state "{entry}" was last written by another partition, which has not committed it yet, and is now needed by {partition}. Nothing of {partition} was emitted, its batch comes again. Expected after partitions were added; if it repeats, let the producer keep a key in one partition.',
  },
  'state-unsettled': {
    retry: 'batch',
    text: '{scenario}: after {attempts} attempts it is not known which records of the batch are dead letters, since others take and give back places of the same caps meanwhile. Nothing was emitted, the batch comes again. If it repeats, correct the sinks that fail because of a place, or give partitions caps of their own.',
  },
  'generation-needed': {
    retry: 'never',
    text: '{scenario}: the store holds {what} as {stored}, and the scenario declares {declared}. Nothing was decided. Declare it as it was, give it another name, under which it alone starts empty{cure}.',
  },
  'store-paused': {
    retry: 'batch',
    text: '{scenario}: {store} gave no answer {failures} times in a row and is not asked for another {waitMs} ms. Look-ups with onError: retry let the batch come again, nothing of it was emitted. The errors before this one name the cause.',
  },
  'state-evicts': {
    retry: 'never',
    text: '{scenario}: the store of state at {address} has the maxmemory-policy {policy}: with a full memory it would throw state away, and counts would start anew. Nothing was decided, the batch comes again. Set maxmemory-policy noeviction, or give state a store of its own.',
  },
  'caps-in-two-slots': {
    retry: 'never',
    text: '{scenario}: a record asks several caps whose keys lie in different slots of the Redis Cluster, where "all or none" is not one step. Nothing was emitted, the batch comes again. Give their keys one hash tag: an equal part in braces.',
  },
  'not-configured': {
    retry: 'never',
    text: '{scenario}: the environment variable {variable} is not set. Nothing was decided. It holds {meaning}; serverless.yml sets it.',
  },
} as const satisfies Record<string, ErrorSpec>

type Holes<Text> = Text extends `${string}{${infer Hole}}${infer Rest}` ? Hole | Holes<Rest> : never
type RuntimeErrorId = keyof typeof runtimeErrors
type Values<Id extends RuntimeErrorId> = Record<Holes<(typeof runtimeErrors)[Id]['text']>, string | number | bigint>

/** The error with its sentence; thrown by a stage, it makes the mapping deliver the batch again. */
export function runtimeError<Id extends RuntimeErrorId>(id: Id, values: Values<Id>): RetryableError {
  const text = runtimeErrors[id].text.replace(/\{(\w+)\}/g, (_, hole: string) =>
    String((values as Record<string, unknown>)[hole]),
  )
  return new RetryableError(id, `[${id}] ${text}`)
}
