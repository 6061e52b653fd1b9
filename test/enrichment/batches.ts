// Batches of ids through the production handler, and what became of each record.
import type { KafkaEvent } from '../../lib/runtime/event.ts'
import type { Decided, Log } from '../../lib/runtime/handler.ts'

export interface Decision {
  readonly droppedBy: string | undefined
  readonly reason: string | undefined
  readonly outputs: readonly string[]
}

export const silent: Log = { info: () => undefined, warn: () => undefined, error: () => undefined }
const context = { getRemainingTimeInMillis: () => 60_000 }

/** Decides a batch in the container that `start` makes. */
export async function decideBatch(
  start: (observe: (decided: Decided) => void) => unknown,
  ids: readonly string[],
): Promise<readonly Decision[]> {
  const seen: Decided[] = []
  const handler = start(decided => seen.push(decided))
  const records = ids.map((id, offset) => ({
    topic: 'events',
    partition: 0,
    offset,
    timestamp: 1_767_225_600_000,
    timestampType: 'CREATE_TIME',
    value: Buffer.from(JSON.stringify({ id })).toString('base64'),
    headers: [],
  }))
  const event = { eventSource: 'aws:kafka', records: { 'events-0': records } } as unknown as KafkaEvent
  await (handler as (event: KafkaEvent, context: unknown) => Promise<unknown>)(event, context)
  return seen[0]!.emissions.map(({ droppedBy, failure, outputs }) => ({
    droppedBy,
    reason: failure?.reason,
    outputs: failure === undefined ? outputs.map(({ topic, value }) => `${topic} ${Buffer.from(value!).toString()}`) : [],
  }))
}
