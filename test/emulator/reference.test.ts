import { expect, test } from 'vitest'
import { parseCoordinates, recordOf } from '../cases/reference.ts'

const head = '"topic":"orders","partition":1,"offset":7,"timestamp":1794902403090'

test.each([
  ['an object, compact', `{${head},"key":"k","value":{"a": 1, "b":[ true ]}}`, '{"a":1,"b":[true]}'],
  [
    'numbers with all digits',
    `{${head},"key":"k","value":{"a":9007199254740993,"b":60.0,"c":6e1}}`,
    '{"a":9007199254740993,"b":60.0,"c":6e1}',
  ],
  ['text', `{${head},"key":"k","valueText":"null"}`, 'null'],
  ['bytes', `{${head},"key":"k","valueBase64":"4pyT"}`, '✓'],
])('the value is %s', (_, line, bytes) => {
  expect(Buffer.from(recordOf(line).value!).toString()).toBe(bytes)
})

test('null is a tombstone, and a null key is none', () => {
  expect(recordOf(`{${head},"key":null,"value":null,"note":"tombstone"}`)).toEqual({
    topic: 'orders',
    partition: 1,
    offset: 7,
    timestampMs: 1794902403090,
    timestampType: 'CREATE_TIME',
    key: null,
    value: null,
    headers: [],
  })
})

test('coordinates of topics with dashes', () => {
  expect(parseCoordinates('customer-events-12@803317')).toEqual({ topic: 'customer-events', partition: 12, offset: 803317 })
})
