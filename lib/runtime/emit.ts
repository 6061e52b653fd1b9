// From decided columns to output records. The same input gives the same bytes on every replay: no clock, no randomness, no map order.
import { Failure } from '../plan/failure.ts'
import { identityOf } from '../plan/identity.ts'
import type { Columns, Header, Plan, SinkOutput, SourceRecord } from '../plan/plan.ts'
import { redact, shownAt } from '../plan/redaction.ts'
import type { OutputRecord } from './ports.ts'

/** What one source record leaves behind. */
export interface Emission {
  readonly record: SourceRecord
  readonly outputs: readonly OutputRecord[]
  /** Set where the outputs are one dead letter. */
  readonly failure: Failure | undefined
  readonly droppedBy: string | undefined
}

export interface EmitOptions {
  readonly deadLetterTopic: string
  /** Offsets, by partition, of records whose outputs the broker found too large; with `bare` not even their dead letter fits. */
  readonly tooLarge?: ReadonlyMap<SourceRecord, 'outputs' | 'dead letter'>
  /** Headers of the source record that its outputs keep; dead letters keep all. */
  readonly carriedHeaders?: readonly string[]
}

/** The outputs of each record, in order of the columns. A record is atomic: a sink that fails makes it a dead letter alone. */
export function emit(columns: Columns, plan: Plan, options: EmitOptions): readonly Emission[] {
  const emissions: Emission[] = new Array(columns.recordCount)
  const made: SinkOutput[] = []
  for (let i = 0; i < columns.recordCount; i++) emissions[i] = emitRecord(columns, i, plan, options, made)
  return emissions
}

/** `made` is empty, before and after: one array for the whole batch, since V8 gives each array that grows room for 17 elements. */
function emitRecord(columns: Columns, i: number, plan: Plan, options: EmitOptions, made: SinkOutput[]): Emission {
  const record = columns.record[i]!
  if (options.tooLarge?.has(record)) {
    const failure = new Failure('too-large', '', 'an output is larger than its topic takes')
    return { record, outputs: [deadLetter(record, failure, plan, options)], failure, droppedBy: undefined }
  }
  if (columns.failure[i] === undefined) {
    let outputs = noOutputs
    let failure: Failure | undefined
    for (const sink of plan.sinks) {
      failure = sink.emit(columns, i, made)
      if (failure !== undefined) break
      if (made.length === 0) continue
      const own = made.map((output, index) =>
        outputRecord(record, output, idempotencyKeyOf(plan, record, sink.name, index), options.carriedHeaders),
      )
      outputs = outputs.length === 0 ? own : [...outputs, ...own]
      empty(made)
    }
    if (failure === undefined) return { record, outputs, failure, droppedBy: columns.droppedBy[i] }
    empty(made)
    columns.failure[i] = failure
  }
  const failure = columns.failure[i]!
  return { record, outputs: [deadLetter(record, failure, plan, options)], failure, droppedBy: undefined }
}

const noOutputs: readonly OutputRecord[] = []

/** Setting the length to 0 would give its room back. */
function empty(array: unknown[]): void {
  while (array.length > 0) array.pop()
}

function outputRecord(
  record: SourceRecord,
  { topic, key, headers, value }: SinkOutput,
  idempotencyKey: string,
  carried: readonly string[] | undefined,
): OutputRecord {
  const written: Header[] = new Array(headers.length + 1)
  for (let h = 0; h < headers.length; h++) written[h] = { name: headers[h]![0], value: Buffer.from(headers[h]![1]) }
  written[headers.length] = { name: 'sluice-idempotency-key', value: Buffer.from(idempotencyKey) }
  if (carried !== undefined) {
    for (const header of record.headers) {
      // What the sink says itself goes before.
      if (carried.includes(header.name) && !headers.some(([name]) => name === header.name)) written.push(header)
    }
  }
  return {
    topic,
    key: key === undefined ? record.key : toBytes(key),
    value: value === null ? null : toBytes(value),
    headers: written,
    timestampMs: record.timestampMs,
    partitionSeed: idempotencyKey,
  }
}

// Key, value and headers byte for byte but for what is redacted, so that a replay sees what the first attempt saw; the reason beside them (commands.md, Names on the wire).
function deadLetter(record: SourceRecord, failure: Failure, plan: Plan, options: EmitOptions): OutputRecord {
  const idempotencyKey = idempotencyKeyOf(plan, record, 'dead-letter', 0)
  const withoutBytes = options.tooLarge?.get(record) === 'dead letter'
  const shown = redact(record, plan.redact ?? [])
  const message = withoutBytes
    ? `${failure.message}; its value of ${record.value?.length ?? 0} bytes does not fit the dead letter topic either, read it at its coordinates`
    : failure.message
  const added = {
    'sluice-reason': failure.reason,
    'sluice-at': shownAt(failure, plan.redact ?? []),
    'sluice-coordinates': `${record.topic}-${record.partition}@${record.offset}`,
    'sluice-scenario': identityOf(plan),
    'sluice-message': message,
    ...(shown.paths.length > 0 && { 'sluice-redacted': shown.paths.join(',') }),
    'sluice-idempotency-key': idempotencyKey,
  }
  return {
    topic: options.deadLetterTopic,
    key: shown.key,
    value: withoutBytes ? null : shown.value,
    headers: [...shown.headers, ...Object.entries(added).map(([name, value]) => ({ name, value: Buffer.from(value) }))],
    timestampMs: record.timestampMs,
    partitionSeed: idempotencyKey,
  }
}

function idempotencyKeyOf(plan: Plan, { topic, partition, offset }: SourceRecord, sink: string, index: number): string {
  return `${identityOf(plan)}/${topic}/${partition}/${offset}/${sink}/${index}`
}

function toBytes(value: string | Uint8Array): Uint8Array {
  return typeof value === 'string' ? Buffer.from(value) : value
}
