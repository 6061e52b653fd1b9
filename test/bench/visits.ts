// A function as it is bundled, on batches of 1,000 visits: what a batch costs from the text of the Lambda event on.
import { buildEvent } from '../../lib/emulator/event.ts'

export const batchSize = 1000

/** With `state: …` or without; `count` stands in the outputs. */
export const visitsScenario = (state: string, count: string): string => `scenario: bench-visits
source:
  topic: visits
  event: { customerId: string, page: string }
${state}filter:
  known: event.page != ""
sinks:
  out:
    topic: out
    key: event.customerId
    value: { customerId: event.customerId, page: event.page, count: ${count} }
`

export const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }

/** Each event has the next 1,000 offsets of a partition, and so many customers. */
export function visitEvents(customerCount: number): () => string {
  let offset = 0
  return () => {
    const records = Array.from({ length: batchSize }, (_, n) => ({
      topic: 'visits',
      partition: 0,
      offset: offset++,
      timestampMs: Date.now(),
      timestampType: 'CREATE_TIME' as const,
      key: null,
      value: Buffer.from(JSON.stringify({ customerId: `c-${n % customerCount}`, page: 'home' })),
      headers: [],
    }))
    return JSON.stringify(buildEvent(records, { kind: 'self-managed', bootstrapServers: 'localhost:9092' }))
  }
}

/** As Lambda's runtime client does: parses the event, and waits for the answer. */
export function invoke(handler: unknown, event: string): Promise<unknown> {
  const call = handler as (event: unknown, context: unknown) => Promise<unknown>
  return call(JSON.parse(event), { getRemainingTimeInMillis: () => 60_000 })
}
