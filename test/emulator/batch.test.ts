import { expect, test } from 'vitest'
import { type Buffered, batchLimitsOf, cutBatch } from '../../lib/emulator/batch.ts'
import { buildEvent, type ConsumedRecord, type EventOrigin, encodedBytes } from '../../lib/emulator/event.ts'

const origin: EventOrigin = { kind: 'msk', clusterArn: 'arn:aws:kafka:x', bootstrapServers: 'b-1:9098' }
const limits = { batchSize: 3, windowMs: 500, maxPayloadBytes: 6_291_456 }

test.each([
  { what: 'nothing is buffered', recordCount: 0, nowMs: 1000, cut: { kind: 'nothing' } },
  { what: 'the window is open', recordCount: 2, nowMs: 1499, cut: { kind: 'wait', untilMs: 1500 } },
  { what: 'the window closes', recordCount: 2, nowMs: 1500, cut: { kind: 'batch', recordCount: 2, closedBy: 'window' } },
  { what: 'the batch is full', recordCount: 3, nowMs: 1000, cut: { kind: 'batch', recordCount: 3, closedBy: 'size' } },
  { what: 'more than a batch waits', recordCount: 5, nowMs: 1000, cut: { kind: 'batch', recordCount: 3, closedBy: 'size' } },
])('$what', ({ recordCount, nowMs, cut }) => {
  expect(cutBatch(buffered(recordCount, nowMs), limits, origin)).toEqual(cut)
})

test('a window of 0 sends what is buffered', () => {
  const cut = cutBatch(buffered(1, 1000), { ...limits, windowMs: 0 }, origin)
  expect(cut).toEqual({ kind: 'batch', recordCount: 1, closedBy: 'window' })
})

// Two partitions, so that commas and map keys of both kinds count. The event of all four is measured as JSON text.
test.each([
  { what: 'exactly full', spareBytes: 0, cut: { kind: 'wait', untilMs: 1500 } },
  { what: 'one byte too many', spareBytes: -1, cut: { kind: 'batch', recordCount: 3, closedBy: 'payload' } },
])('payload $what', ({ spareBytes, cut }) => {
  const records = [record(0, 10), record(1, 5), record(0, 11), record(1, 6)]
  const maxPayloadBytes = encodedBytes(buildEvent(records, origin)) + spareBytes
  expect(
    cutBatch({ records, openedAtMs: 1000, nowMs: 1000 }, { batchSize: 100, windowMs: 500, maxPayloadBytes }, origin),
  ).toEqual(cut)
})

// 118 bytes around, 1,487 per record and a comma between: (6,291,456 - 118 + 1) / 1,488 = 4,228.05.
test('6 MB hold 4,228 records of 1,000 bytes', () => {
  const records = Array.from({ length: 5000 }, (_, i) => ({ ...record(0, 1000 + i), value: Buffer.alloc(1000), headers: [] }))
  const cut = cutBatch({ records, openedAtMs: 0, nowMs: 0 }, { ...limits, batchSize: 10_000 }, origin)
  expect(cut).toEqual({ kind: 'batch', recordCount: 4228, closedBy: 'payload' })
})

test('a record above the payload can never be delivered', () => {
  const huge = { ...record(0, 4), value: Buffer.alloc(4_800_000) }
  const cut = cutBatch({ records: [huge, record(0, 5)], openedAtMs: 0, nowMs: 0 }, limits, origin)
  expect(cut).toMatchObject({ kind: 'oversize', record: { offset: 4 } })
})

test.each([
  [undefined, 500],
  [0, 0],
  [3, 3000],
])('a window of %s seconds lasts %i ms', (maximumBatchingWindowInSeconds, windowMs) => {
  const settings = {
    topic: 't',
    consumerGroupId: 'g',
    batchSize: 100,
    maximumBatchingWindowInSeconds,
    startingPosition: 'TRIM_HORIZON',
    functionResponseTypes: [],
    maximumRetryAttempts: -1,
    functionTimeoutSeconds: 30,
    functionMemoryMb: 512,
  } as const
  expect(batchLimitsOf(settings)).toEqual({ batchSize: 100, windowMs, maxPayloadBytes: 6_291_456 })
})

function buffered(recordCount: number, nowMs: number): Buffered {
  return { records: Array.from({ length: recordCount }, (_, i) => record(0, i)), openedAtMs: 1000, nowMs }
}

function record(partition: number, offset: number): ConsumedRecord {
  return {
    topic: 'orders',
    partition,
    offset,
    timestampMs: 1763900000000,
    timestampType: 'CREATE_TIME',
    key: Buffer.from('schlüssel'),
    value: Buffer.from('{"a":"ä"}'),
    headers: [{ name: 'größe', value: Buffer.from('é') }],
  }
}
