// The event that Lambda's Kafka mapping hands to a function, byte for byte as AWS builds it: everything that surprises decoders (signed
// header bytes, absent keys and values, offsets as numbers) is in here on purpose. docs.aws.amazon.com/lambda/latest/dg/with-msk.html
import type { KafkaEvent, KafkaEventRecord } from '../runtime/event.ts'

/** A record as a consumer reads it from its partition. */
export interface ConsumedRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestampMs: number
  readonly timestampType: 'CREATE_TIME' | 'LOG_APPEND_TIME'
  readonly key: Uint8Array | null
  /** Null: a tombstone. */
  readonly value: Uint8Array | null
  readonly headers: readonly { readonly name: string; readonly value: Uint8Array | null }[]
}

/** Where the records come from: an MSK cluster has an ARN in the event, a self-managed one has none. */
export type EventOrigin =
  | { readonly kind: 'msk'; readonly clusterArn: string; readonly bootstrapServers: string }
  | { readonly kind: 'self-managed'; readonly bootstrapServers: string }

/** Key of `event.records`, and name of a partition in a partial response. */
export function mapKeyOf(record: { readonly topic: string; readonly partition: number }): string {
  return `${record.topic}-${record.partition}`
}

/** One event with these records, in their order within each partition. */
export function buildEvent(records: readonly ConsumedRecord[], origin: EventOrigin): KafkaEvent {
  const byPartition: Record<string, KafkaEventRecord[]> = {}
  for (const record of records) {
    const mapKey = mapKeyOf(record)
    byPartition[mapKey] ??= []
    byPartition[mapKey].push(eventRecord(record))
  }
  return origin.kind === 'msk'
    ? {
        eventSource: 'aws:kafka',
        eventSourceArn: origin.clusterArn,
        bootstrapServers: origin.bootstrapServers,
        records: byPartition,
      }
    : { eventSource: 'SelfManagedKafka', bootstrapServers: origin.bootstrapServers, records: byPartition }
}

export function eventRecord(record: ConsumedRecord): KafkaEventRecord {
  return {
    topic: record.topic,
    partition: record.partition,
    offset: record.offset,
    timestamp: record.timestampMs,
    timestampType: record.timestampType,
    // Null means that the field is missing, not that it is null.
    ...(record.key === null ? {} : { key: base64(record.key) }),
    ...(record.value === null ? {} : { value: base64(record.value) }),
    // Java's bytes: -128 … 127. How AWS writes a header without value is documented nowhere; no bytes is the only form its type has.
    headers: record.headers.map(({ name, value }) => ({ [name]: value === null ? [] : [...asSigned(value)] })),
  }
}

/** Bytes of the event as JSON, which is what Lambda's limit of 6 MB counts. */
export function encodedBytes(event: KafkaEvent | KafkaEventRecord): number {
  return Buffer.byteLength(JSON.stringify(event))
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

function asSigned(bytes: Uint8Array): Int8Array {
  return new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
