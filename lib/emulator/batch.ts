// Cuts batches as the mapping does: whichever comes first of BatchSize, window and 6 MB of encoded event. Pure: what is buffered and what
// time it is come in, what to do comes out. docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
import { buildEvent, type ConsumedRecord, type EventOrigin, encodedBytes, eventRecord, mapKeyOf } from './event.ts'
import type { EsmSettings } from './settings.ts'

/** Lambda's limit for the payload of a synchronous invocation, fixed. */
export const maxPayloadBytes = 6_291_456

/** What Kafka mappings do without a setting; it cannot be set, since the setting counts whole seconds. */
export const defaultWindowMs = 500

export interface BatchLimits {
  readonly batchSize: number
  /** 0: what is buffered goes at once. */
  readonly windowMs: number
  readonly maxPayloadBytes: number
}

export interface Buffered {
  /** In order within each partition; partitions may be mixed. */
  readonly records: readonly ConsumedRecord[]
  /** When the first of them arrived: it opened the window. */
  readonly openedAtMs: number
  readonly nowMs: number
}

export type Cut =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'wait'; readonly untilMs: number }
  /** The first record can never be delivered: alone it exceeds the payload. */
  | { readonly kind: 'oversize'; readonly record: ConsumedRecord; readonly payloadBytes: number }
  /** The first `recordCount` records are a batch. */
  | { readonly kind: 'batch'; readonly recordCount: number; readonly closedBy: 'size' | 'payload' | 'window' }

export function batchLimitsOf(settings: EsmSettings): BatchLimits {
  const seconds = settings.maximumBatchingWindowInSeconds
  return { batchSize: settings.batchSize, windowMs: seconds === undefined ? defaultWindowMs : seconds * 1000, maxPayloadBytes }
}

export function cutBatch(buffered: Buffered, limits: BatchLimits, origin: EventOrigin): Cut {
  const { records, openedAtMs, nowMs } = buffered
  if (records.length === 0) return { kind: 'nothing' }
  let payloadBytes = encodedBytes(buildEvent([], origin))
  const mapKeys = new Set<string>()
  for (let i = 0; i < records.length; i++) {
    if (i === limits.batchSize) return { kind: 'batch', recordCount: i, closedBy: 'size' }
    const record = records[i]!
    const mapKey = mapKeyOf(record)
    // A record of a new partition brings `"KEY":[]`, and each but the first a comma, be it before the record or the partition.
    payloadBytes +=
      encodedBytes(eventRecord(record)) + (mapKeys.has(mapKey) ? 0 : JSON.stringify(mapKey).length + 3) + (i === 0 ? 0 : 1)
    mapKeys.add(mapKey)
    if (payloadBytes > limits.maxPayloadBytes) {
      return i === 0 ? { kind: 'oversize', record, payloadBytes } : { kind: 'batch', recordCount: i, closedBy: 'payload' }
    }
  }
  if (records.length === limits.batchSize) return { kind: 'batch', recordCount: records.length, closedBy: 'size' }
  const untilMs = openedAtMs + limits.windowMs
  return nowMs >= untilMs ? { kind: 'batch', recordCount: records.length, closedBy: 'window' } : { kind: 'wait', untilMs }
}
