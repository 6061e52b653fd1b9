// What the producer tells its caller: one table of sentences, each with what happened, what happens next and what to do. Inside, errors
// are the broker's codes (BrokerError) and silence (TransportError); only this file turns them into what the runtime knows.
import { Fenced, RecordTooLarge, RetryableError } from '../../runtime/ports.ts'
import { BrokerError } from './cluster.ts'
import { meaningOf, nameOf, unstableOffsets } from './codes.ts'
import { UnsupportedError } from './connection.ts'
import { LoginFailed } from './sasl.ts'
import { TransportError } from './socket.ts'

const nothingWritten = 'Nothing was written, the batch comes again.'

export const kafkaErrors = {
  'kafka-unreachable': `{detail}. ${nothingWritten}`,
  'kafka-login': `Kafka did not let us in: {detail}. ${nothingWritten} Check the login (SLUICE_KAFKA_SECURITY), its secrets, and that this user or role exists on the cluster.`,
  'kafka-secrets': `The secrets of the login at Kafka cannot be had: {detail}. ${nothingWritten}`,
  'kafka-unavailable': `Kafka cannot do {api} of {subject} at present: {code}. ${nothingWritten} If it persists, a broker is down, a partition has no leader, or too few of its replicas are in sync.`,
  'kafka-unknown-topic': `Kafka has no topic "{topic}". ${nothingWritten} Create the topic, or correct its name in the scenario; topics are never created by writing to them. Where it exists, the function may lack the right to see it (kafka-cluster:DescribeTopic).`,
  'kafka-unknown-partition': `Topic "{topic}" has {count} partitions, and an output is meant for partition {partition}. ${nothingWritten} Correct the partition in the scenario, or add partitions to the topic.`,
  'kafka-no-progress-topic': `Kafka has no topic "{topic}", which keeps the progress on clusters with the old group coordinator (before Kafka 4.0). ${nothingWritten} Make it once per cluster: npx sluice progress --init`,
  'kafka-unauthorized': `Kafka does not allow {api} of {subject} ({code}). ${nothingWritten} Give the function's role WriteData on its outputs and dead letters, ReadData on its source, DescribeGroup and AlterGroup on its group, DescribeTransactionalId and AlterTransactionalId on its transactional ids.`,
  'kafka-unsupported': `{detail}. ${nothingWritten} Upgrade the cluster.`,
  'kafka-timeout': `Kafka did not finish {what} in {elapsedMs} ms; the last answer: {detail}. ${nothingWritten} If it is large batches alone that fail: raise \`function: timeout\`, or lower \`batchSize\`.`,
  'kafka-unstable-progress': `The committed progress of {subject} is still unstable after {elapsedMs} ms, longer than an open transaction may last. ${nothingWritten} If it persists: Kafka 4.3.0 and 4.4.0 skip transaction markers while a partition has no leader (KAFKA-20734); ask the cluster's operators, and never abort the transaction by hand, since it may have been acknowledged.`,
  'kafka-commit-unknown': `Whether the transaction of {transactionalId} was committed is unknown: {detail}. The batch comes again, and skips itself if it was.`,
  'kafka-refused': `Kafka refused {api} of {subject}: {code}. {hint}The transaction was aborted, the batch comes again.`,
  'kafka-session-spent': `The session of {transactionalId} (epoch {epoch}) has ended and must not be used again: fence anew. ${nothingWritten}`,
} as const

type Holes<Text> = Text extends `${string}{${infer Hole}}${infer Rest}` ? Hole | Holes<Rest> : never
export type KafkaErrorId = keyof typeof kafkaErrors

export function kafkaError<Id extends KafkaErrorId>(
  id: Id,
  values: Record<Holes<(typeof kafkaErrors)[Id]>, string | number>,
  cause?: unknown,
): RetryableError {
  const text = kafkaErrors[id].replace(/\{(\w+)\}/g, (_, hole: string) => String((values as Record<string, unknown>)[hole]))
  return new RetryableError(id, `[${id}] ${text}`, { cause })
}

/** Time ran out while a request was repeated; carries what the last attempt was answered. */
export class TimeUp extends Error {
  override readonly name = 'TimeUp'
  readonly what: string
  readonly elapsedMs: number
  constructor(what: string, elapsedMs: number, last: unknown) {
    super(`${what}: time is up`, { cause: last })
    this.what = what
    this.elapsedMs = elapsedMs
  }
}

/** The owner is named in Fenced, and missing where no session exists yet. */
export function toPortError(error: unknown, owner: { readonly transactionalId: string; readonly epoch: number }): Error {
  if (error instanceof Fenced || error instanceof RetryableError || error instanceof RecordTooLarge) return error
  if (error instanceof TransportError) return kafkaError('kafka-unreachable', { detail: error.message }, error)
  if (error instanceof LoginFailed) return kafkaError('kafka-login', { detail: error.message }, error)
  if (error instanceof UnsupportedError) return kafkaError('kafka-unsupported', { detail: error.message }, error)
  if (error instanceof TimeUp) return timeUpError(error)
  if (error instanceof BrokerError) return brokerError(error, owner)
  return error instanceof Error ? error : new Error(String(error))
}

function brokerError(error: BrokerError, owner: { readonly transactionalId: string; readonly epoch: number }): Error {
  const { code, api, subject } = error
  switch (meaningOf(code)) {
    case 'fenced':
      return new Fenced(
        owner.transactionalId,
        owner.epoch,
        `${api} of ${owner.transactionalId} (epoch ${owner.epoch}) was answered ${nameOf(code)}`,
      )
    case 'unknown-topic':
      return kafkaError('kafka-unknown-topic', { topic: subject }, error)
    case 'unauthorized':
      return kafkaError('kafka-unauthorized', { api, subject, code: nameOf(code) }, error)
    case 'retry':
    case 'moved':
      return kafkaError('kafka-unavailable', { api, subject, code: nameOf(code) }, error)
    case 'too-large':
    case 'refused':
      return kafkaError('kafka-refused', { api, subject, code: nameOf(code), hint: hintOf(code) }, error)
  }
}

function timeUpError(error: TimeUp): Error {
  const { what, elapsedMs, cause: last } = error
  if (last instanceof TransportError) return kafkaError('kafka-unreachable', { detail: last.message }, last)
  if (last instanceof BrokerError && last.code === unstableOffsets) {
    return kafkaError('kafka-unstable-progress', { subject: last.subject, elapsedMs }, last)
  }
  if (last instanceof BrokerError && meaningOf(last.code) === 'unknown-topic')
    return kafkaError('kafka-unknown-topic', { topic: last.subject }, last)
  const detail = last instanceof BrokerError ? `${nameOf(last.code)} to ${last.api} of ${last.subject}` : 'none'
  return kafkaError('kafka-timeout', { what, elapsedMs, detail }, error)
}

const groupHasMembers =
  'Something has joined the group of our progress, which must stay without members: the mapping needs a consumer group of its own. '

const hints: Readonly<Record<number, string>> = {
  17: 'A topic has letters, digits, ".", "_" and "-", at most 249. ',
  22: groupHasMembers,
  25: groupHasMembers,
  27: groupHasMembers,
  32: 'The topic takes no record of that time: outputs carry the time of their source record; raise message.timestamp.before.max.ms and message.timestamp.after.max.ms of the topic. ',
  50: 'Raise transaction.max.timeout.ms of the cluster, or lower the transaction timeout of the function. ',
  87: 'A compacted topic takes no record without a key. ',
}

function hintOf(code: number): string {
  return hints[code] ?? ''
}
