import { expect, test } from 'vitest'
import { TransactionFilter } from '../../lib/emulator/transaction-filter.ts'

const transactional = 0x10
const control = 0x30
const commitMarker = Buffer.from([0, 0, 0, 1])
const abortMarker = Buffer.from([0, 0, 0, 0])

test('records of aborted transactions and markers are left out, others stay', () => {
  expect(
    committedOf([
      batch(0, 7, transactional, 'committed before'),
      batch(1, 7, control, commitMarker),
      batch(2, 7, transactional, 'aborted'),
      batch(3, 8, transactional, 'of another producer'),
      batch(4, -1, 0, 'without transaction'),
      batch(5, 7, transactional, 'aborted, too'),
      batch(6, 7, control, abortMarker),
      batch(7, 7, transactional, 'committed after'),
      batch(8, 8, control, commitMarker),
      batch(9, 7, control, commitMarker),
    ]),
  ).toEqual(['committed before', 'of another producer', 'without transaction', 'committed after'])
})

test('what one producer commits between two aborted transactions stays', () => {
  expect(
    committedOf([
      batch(0, 7, transactional, 'aborted'),
      batch(1, 7, control, abortMarker),
      batch(2, 7, transactional, 'committed'),
      batch(3, 7, control, commitMarker),
      batch(4, 7, transactional, 'aborted again'),
      batch(5, 7, control, abortMarker),
      batch(6, 7, transactional, 'committed again'),
      batch(7, 7, control, commitMarker),
      // A newer owner aborts though nothing was written.
      batch(8, 7, control, abortMarker),
    ]),
  ).toEqual(['committed', 'committed again'])
})

test('records stand in the order of the log, not of commits', () => {
  expect(
    committedOf([
      batch(0, 7, transactional, 'first'),
      batch(1, 8, transactional, 'second'),
      batch(2, 8, control, commitMarker),
      batch(3, 7, control, commitMarker),
    ]),
  ).toEqual(['first', 'second'])
})

test('what is still open is not committed', () => {
  expect(committedOf([batch(0, 7, transactional, 'open')])).toEqual([])
})

function committedOf(batches: readonly ReturnType<typeof batch>[]): readonly string[] {
  const filter = new TransactionFilter<{ offset: number; text: string }>()
  for (const one of batches) filter.add(one, record => ({ offset: Number(one.firstOffset), text: record.key.toString() }))
  return filter.committed().map(record => record.text)
}

function batch(offset: number, producerId: number, attributes: number, key: string | Buffer) {
  return {
    firstOffset: BigInt(offset),
    lastOffsetDelta: 0,
    attributes,
    producerId: BigInt(producerId),
    records: [{ key: Buffer.from(key as string) }],
  }
}
