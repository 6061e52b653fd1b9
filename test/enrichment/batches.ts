// Batches of records through the production handler, and what became of each record.
import type { KafkaEvent } from '../../lib/runtime/event.ts'
import type { Decided, Log } from '../../lib/runtime/handler.ts'

export interface Decision {
  readonly droppedBy: string | undefined
  readonly reason: string | undefined
  readonly outputs: readonly string[]
}

export const silent: Log = { info: () => undefined, warn: () => undefined, error: () => undefined }
const context = { getRemainingTimeInMillis: () => 60_000 }

/** A container: `start` makes its handler once, batches follow each other, and each is decided as its records' JSON values say. */
export function startContainer(start: (observe: (decided: Decided) => void) => unknown) {
  let seen: Decided | undefined
  let nextOffset = 0
  const handler = start(decided => {
    seen = decided
  }) as (event: KafkaEvent, context: unknown) => Promise<unknown>
  return async (values: readonly object[]): Promise<readonly Decision[]> => {
    const records = values.map((value, n) => ({
      topic: 'events',
      partition: 0,
      offset: nextOffset + n,
      timestamp: 1_767_225_600_000,
      timestampType: 'CREATE_TIME',
      value: Buffer.from(JSON.stringify(value)).toString('base64'),
      headers: [],
    }))
    const event = { eventSource: 'aws:kafka', records: { 'events-0': records } } as unknown as KafkaEvent
    await handler(event, context)
    nextOffset += records.length
    return seen!.emissions.map(({ droppedBy, failure, outputs }) => ({
      droppedBy,
      reason: failure?.reason,
      outputs: failure === undefined ? outputs.map(({ topic, value }) => `${topic} ${Buffer.from(value!).toString()}`) : [],
    }))
  }
}
