// From the Lambda event to columns. Knows every trap of the event (event-source-mapping.md, section 1); what a scenario's records must look
// like it asks the plan. A record that is not as declared becomes a Failure in its column, never an exception.
import { isUtf8 } from 'node:buffer'
import { parseJsonTexts } from '../language/standard/conversion.ts'
import { createColumns } from '../plan/columns.ts'
import { Failure } from '../plan/failure.ts'
import { type Columns, type Header, needsExact, type Plan, type SourceRecord, Status } from '../plan/plan.ts'
import { runtimeError } from './errors.ts'
import type { KafkaEvent, KafkaEventRecord } from './event.ts'

/** The records of one partition, in order of offset. */
export interface PartitionBatch {
  readonly topic: string
  readonly partition: number
  /** As in the event: `${topic}-${partition}`. Only responses use it, since topics may contain '-'. */
  readonly mapKey: string
  readonly records: readonly SourceRecord[]
}

// AWS documents the first two; a forum sample shows the third.
const eventSources = new Set(['aws:kafka', 'SelfManagedKafka', 'aws:SelfManagedKafka'])

/**
 * The partitions of an event. Throws where the event cannot be meant for this function (unknown source, other topic, no records):
 * nothing may be skipped that somebody else decides.
 */
export function readEvent(event: KafkaEvent, plan: Plan): readonly PartitionBatch[] {
  if (!eventSources.has(event?.eventSource)) {
    throw runtimeError('unknown-event-source', { scenario: plan.scenario, found: describe(event?.eventSource) })
  }
  const batches: PartitionBatch[] = []
  for (const [mapKey, records] of Object.entries(event.records ?? {})) {
    const first = records[0]
    if (first === undefined) continue
    if (first.topic !== plan.source.topic) {
      throw runtimeError('unexpected-topic', { scenario: plan.scenario, declared: plan.source.topic, found: first.topic })
    }
    batches.push({ topic: first.topic, partition: first.partition, mapKey, records: inOrder(records).map(sourceRecord) })
  }
  if (batches.length === 0) throw runtimeError('no-records', { scenario: plan.scenario })
  return batches
}

/** Columns of these records, with events, keys and headers decoded. Tombstones must have been left out. */
export function decode(records: readonly SourceRecord[], plan: Plan): Columns {
  const columns = createColumns(plan, records)
  const { decodeEvent, decodeKey, decodeHeaders } = plan.source
  for (let i = 0; i < columns.recordCount; i++) {
    const record = records[i]!
    settle(columns, i, columns.event, decodeValue(record.value!, decodeEvent))
    if (decodeKey !== undefined) settle(columns, i, columns.key, decodeKey(record.key))
    if (decodeHeaders !== undefined) settle(columns, i, columns.headers, decodeHeaders(record.headers))
  }
  return columns
}

/** Signed header bytes, absent and null fields, the empty key: all as AWS sends them. */
function sourceRecord(record: KafkaEventRecord): SourceRecord {
  return {
    topic: record.topic,
    partition: record.partition,
    offset: record.offset,
    timestampMs: record.timestamp,
    // Powertools reads an empty key as none, and so do we: Lambda gives no way to tell them apart for sure.
    key: record.key ? Buffer.from(record.key, 'base64') : null,
    value: record.value === undefined || record.value === null ? null : Buffer.from(record.value, 'base64'),
    headers: record.headers ? readHeaders(record.headers) : noHeaders,
  }
}

const noHeaders: readonly Header[] = []

function readHeaders(headers: NonNullable<KafkaEventRecord['headers']>): readonly Header[] {
  return headers.flatMap(header =>
    // Bytes are signed (−128 … 127): Uint8Array wraps them modulo 256. A null value may stand for a header without bytes.
    Object.entries(header).map(([name, value]) => ({
      name,
      value: value === null ? null : Uint8Array.from(value as readonly number[]),
    })),
  )
}

// Within one array offsets ascend, says AWS nowhere; a watermark per partition must not pass a record, so we make sure.
function inOrder(records: readonly KafkaEventRecord[]): readonly KafkaEventRecord[] {
  for (let i = 1; i < records.length; i++) {
    if (records[i]!.offset <= records[i - 1]!.offset) {
      const sorted = [...records].sort((a, b) => a.offset - b.offset)
      return sorted.filter((record, k) => k === 0 || record.offset !== sorted[k - 1]!.offset)
    }
  }
  return records
}

function settle(columns: Columns, i: number, column: unknown[], decoded: unknown): void {
  column[i] = decoded
  if (decoded instanceof Failure && columns.status[i] === Status.open) {
    columns.status[i] = Status.undecodable
    columns.failure[i] = decoded
  }
}

function decodeValue(bytes: Uint8Array, decodeEvent: Plan['source']['decodeEvent']): object | Failure {
  const text = (bytes as Buffer).toString()
  // Where the bytes are not UTF-8 the text has U+FFFD: looking for it costs nothing in the usual text, isUtf8 a pass over the bytes.
  if (text.includes('\uFFFD') && !isUtf8(bytes)) return new Failure('invalid-json', '', 'the value is not UTF-8')
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return new Failure('invalid-json', '', bytes.length === 0 ? 'the value is empty' : 'the value is not JSON')
  }
  const event = decodeEvent(json)
  if (event !== needsExact) return event
  const exact = decodeEvent(parseJsonTexts(text))
  return exact === needsExact ? new Failure('wrong-type', '', 'a number is too large') : exact
}

function describe(found: unknown): string {
  return typeof found === 'string' ? `"${found}"` : 'none'
}
