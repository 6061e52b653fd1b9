// One record in so many, told in the log with what became of it: coordinates, names and keys, never values. Which ones is a matter of their
// offsets, so that a replay tells the same ones, and the same event is found in the logs of the scenarios before and behind.
import type { SourceRecord } from '../plan/plan.ts'
import type { OutputRecord } from '../runtime/ports.ts'

/** W3C's trace context: www.w3.org/TR/trace-context, carried by Kafka headers as OpenTelemetry does. */
export const traceHeaders = ['traceparent', 'tracestate'] as const

export interface SampleOptions {
  readonly scenario: string
  /** Offsets that this divides. */
  readonly every: number
  readonly log: { info(message: string, fields: Readonly<Record<string, unknown>>): void }
}

/** Of what was decided, as much as is told. */
interface Decided {
  readonly emissions: readonly {
    readonly record: SourceRecord
    readonly outputs: readonly OutputRecord[]
    readonly failure: { readonly reason: string; readonly at: string } | undefined
    readonly droppedBy: string | undefined
  }[]
}

/** For `World.observe`: what is told is decided, and commits a moment later or comes again. */
export function createSamples({ scenario, every, log }: SampleOptions): (decided: Decided) => void {
  return ({ emissions }) => {
    for (const { record, outputs, failure, droppedBy } of emissions) {
      if (record.offset % every !== 0) continue
      const { topic, partition, offset } = record
      const trace = record.headers.find(({ name }) => name === traceHeaders[0])?.value
      log.info('a sample', {
        scenario,
        topic,
        partition,
        offset,
        ...(trace && { traceparent: Buffer.from(trace).toString() }),
        ...(droppedBy !== undefined && { droppedBy }),
        ...(failure !== undefined && { deadLetter: failure.reason, at: failure.at }),
        outputs: outputs.map(output => ({ topic: output.topic, idempotencyKey: output.partitionSeed })),
      })
    }
  }
}
