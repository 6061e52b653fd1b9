import { expect, test } from 'vitest'
import { TransactionFilter } from '../../lib/emulator/committed.ts'

const transactional = 0x10
const control = 0x30
const commitMarker = Buffer.from([0, 0, 0, 1])
const abortMarker = Buffer.from([0, 0, 0, 0])

test('records of aborted transactions and markers are left out, others stay', () => {
  const filter = new TransactionFilter()
  filter.abort([{ producerId: 7n, firstOffset: 2n }])
  const passed = [
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
  ].flatMap(one => filter.pass(one))
  expect(passed.map(record => record.key.toString())).toEqual([
    'committed before',
    'of another producer',
    'without transaction',
    'committed after',
  ])
})

test('a transaction that began in an earlier fetch is still aborted in the next', () => {
  const filter = new TransactionFilter()
  filter.abort([{ producerId: 7n, firstOffset: 0n }])
  expect(filter.pass(batch(0, 7, transactional, 'first'))).toEqual([])
  filter.abort([{ producerId: 7n, firstOffset: 0n }])
  expect(filter.pass(batch(1, 7, transactional, 'second'))).toEqual([])
})

function batch(offset: number, producerId: number, attributes: number, key: string | Buffer) {
  return {
    firstOffset: BigInt(offset),
    lastOffsetDelta: 0,
    attributes,
    producerId: BigInt(producerId),
    records: [{ key: Buffer.from(key as string) }],
  }
}
