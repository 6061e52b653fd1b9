import { expect, test } from 'vitest'
import { buildEvent, type ConsumedRecord } from '../../lib/emulator/event.ts'

const record: ConsumedRecord = {
  topic: 'orders',
  partition: 0,
  offset: 4711,
  timestampMs: 1763900000000,
  timestampType: 'CREATE_TIME',
  key: Buffer.from('c-17'),
  value: Buffer.from('{"a":1}'),
  headers: [{ name: 'trace', value: Buffer.from('aé') }],
}

test('an event of an MSK cluster is what AWS documents, with signed header bytes', () => {
  const event = buildEvent([record], { kind: 'msk', clusterArn: 'arn:aws:kafka:x', bootstrapServers: 'b-1:9098,b-2:9098' })
  expect(JSON.stringify(event)).toBe(
    '{"eventSource":"aws:kafka","eventSourceArn":"arn:aws:kafka:x","bootstrapServers":"b-1:9098,b-2:9098","records":{"orders-0":[' +
      '{"topic":"orders","partition":0,"offset":4711,"timestamp":1763900000000,"timestampType":"CREATE_TIME",' +
      '"key":"Yy0xNw==","value":"eyJhIjoxfQ==","headers":[{"trace":[97,-61,-87]}]}]}}',
  )
})

test('a self-managed cluster has no ARN', () => {
  const event = buildEvent([], { kind: 'self-managed', bootstrapServers: 'localhost:9092' })
  expect(event).toEqual({ eventSource: 'SelfManagedKafka', bootstrapServers: 'localhost:9092', records: {} })
})

test('null keys and tombstones are absent fields, empty values stay', () => {
  const event = buildEvent(
    [
      { ...record, key: null, headers: [] },
      { ...record, offset: 4712, value: null, headers: [] },
      { ...record, offset: 4713, key: Buffer.alloc(0), value: Buffer.alloc(0), headers: [] },
    ],
    { kind: 'self-managed', bootstrapServers: 'x' },
  )
  const common = { topic: 'orders', partition: 0, timestamp: 1763900000000, timestampType: 'CREATE_TIME', headers: [] }
  expect(event.records['orders-0']).toStrictEqual([
    { ...common, offset: 4711, value: 'eyJhIjoxfQ==' },
    { ...common, offset: 4712, key: 'Yy0xNw==' },
    { ...common, offset: 4713, key: '', value: '' },
  ])
})

test('repeated header names keep their order', () => {
  const headers = [
    { name: 'a', value: Buffer.from([255, 0, 127, 128]) },
    { name: 'b', value: Buffer.from('x') },
    { name: 'a', value: null },
  ]
  const event = buildEvent([{ ...record, headers }], { kind: 'self-managed', bootstrapServers: 'x' })
  expect(event.records['orders-0']![0]!.headers).toEqual([{ a: [-1, 0, 127, -128] }, { b: [120] }, { a: [] }])
})

test('partitions of one topic have each their list, in order', () => {
  const records = [record, { ...record, partition: 3, offset: 7 }, { ...record, offset: 4713 }]
  const event = buildEvent(records, { kind: 'self-managed', bootstrapServers: 'x' })
  expect(Object.entries(event.records).map(([key, list]) => [key, list.map(one => one.offset)])).toEqual([
    ['orders-0', [4711, 4713]],
    ['orders-3', [7]],
  ])
})
