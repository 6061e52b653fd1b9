// From decided columns to output records. The same input gives the same bytes on every replay: no clock, no randomness, no map order.
import { Failure } from '../plan/failure.ts'
import { type Columns, type Plan, type SinkOutput, type SourceRecord, Status } from '../plan/plan.ts'
import type { OutputRecord } from './ports.ts'

/** What one source record leaves behind. */
export interface Emission {
  readonly record: SourceRecord
  readonly outputs: readonly OutputRecord[]
  /** Set where the outputs are one dead letter. */
  readonly failure?: Failure
  readonly droppedBy?: string
}

export interface EmitOptions {
  readonly deadLetterTopic: string
  /** Offsets, by partition, of records whose outputs the broker found too large; with `bare` not even their dead letter fits. */
  readonly tooLarge?: ReadonlyMap<SourceRecord, 'outputs' | 'dead letter'>
}

/** The outputs of each record, in order of the columns. A record is atomic: a sink that fails makes it a dead letter alone. */
export function emit(columns: Columns, plan: Plan, options: EmitOptions): readonly Emission[] {
  const emissions: Emission[] = new Array(columns.recordCount)
  for (let i = 0; i < columns.recordCount; i++) emissions[i] = emitRecord(columns, i, plan, options)
  return emissions
}

function emitRecord(columns: Columns, i: number, plan: Plan, options: EmitOptions): Emission {
  const record = columns.record[i]!
  if (options.tooLarge?.has(record)) {
    const failure = new Failure('too-large', '', 'an output is larger than its topic takes')
    return { record, failure, outputs: [deadLetter(record, failure, plan, options)] }
  }
  if (columns.failure[i] === undefined) {
    const outputs: OutputRecord[] = []
    const failure = emitSinks(columns, i, plan, outputs)
    if (failure === undefined)
      return { record, outputs, ...(columns.status[i] === Status.dropped && { droppedBy: columns.droppedBy[i]! }) }
    columns.failure[i] = failure
  }
  const failure = columns.failure[i]!
  return { record, failure, outputs: [deadLetter(record, failure, plan, options)] }
}

function emitSinks(columns: Columns, i: number, plan: Plan, outputs: OutputRecord[]): Failure | undefined {
  for (const sink of plan.sinks) {
    const made: SinkOutput[] = []
    const failure = sink.emit(columns, i, made)
    if (failure !== undefined) return failure
    for (let index = 0; index < made.length; index++)
      outputs.push(outputRecord(columns.record[i]!, made[index]!, sink.name, index, plan))
  }
  return undefined
}

function outputRecord(record: SourceRecord, output: SinkOutput, sink: string, index: number, plan: Plan): OutputRecord {
  const idempotencyKey = idempotencyKeyOf(plan, record, sink, index)
  const headers = output.headers.map(([name, value]) => ({ name, value: Buffer.from(value) as Uint8Array }))
  headers.push({ name: 'sluice-idempotency-key', value: Buffer.from(idempotencyKey) })
  return {
    topic: output.topic,
    key: output.key === undefined ? record.key : toBytes(output.key),
    value: output.value === null ? null : toBytes(output.value),
    headers,
    timestampMs: record.timestampMs,
    partitionSeed: idempotencyKey,
  }
}

// Key, value and headers byte for byte, so that a replay sees what the first attempt saw; the reason beside them (commands.md, Names on the wire).
function deadLetter(record: SourceRecord, failure: Failure, plan: Plan, options: EmitOptions): OutputRecord {
  const idempotencyKey = idempotencyKeyOf(plan, record, 'dead-letter', 0)
  const withoutBytes = options.tooLarge?.get(record) === 'dead letter'
  const message = withoutBytes
    ? `${failure.message}; its value of ${record.value?.length ?? 0} bytes does not fit the dead letter topic either, read it at its coordinates`
    : failure.message
  const added = {
    'sluice-reason': failure.reason,
    'sluice-at': failure.at,
    'sluice-coordinates': `${record.topic}-${record.partition}@${record.offset}`,
    'sluice-scenario': `${plan.scenario}.${plan.generation}`,
    'sluice-message': message,
    'sluice-idempotency-key': idempotencyKey,
  }
  return {
    topic: options.deadLetterTopic,
    key: record.key,
    value: withoutBytes ? null : record.value,
    headers: [...record.headers, ...Object.entries(added).map(([name, value]) => ({ name, value: Buffer.from(value) }))],
    timestampMs: record.timestampMs,
    partitionSeed: idempotencyKey,
  }
}

function idempotencyKeyOf(plan: Plan, { topic, partition, offset }: SourceRecord, sink: string, index: number): string {
  return `${plan.scenario}.${plan.generation}/${topic}/${partition}/${offset}/${sink}/${index}`
}

function toBytes(value: string | Uint8Array): Uint8Array {
  return typeof value === 'string' ? Buffer.from(value) : value
}
