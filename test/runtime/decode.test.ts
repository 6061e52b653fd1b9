import { describe, expect, test } from 'vitest'
import { intFromJson } from '../../lib/language/standard/conversion.ts'
import { decode, readEvent } from '../../lib/runtime/decode.ts'
import type { KafkaEvent } from '../../lib/runtime/event.ts'
import { base64, visits, visitsEvent } from './plan-fixture.ts'

const recordsOf = (event: KafkaEvent) => readEvent(event, visits).flatMap(batch => batch.records)
const one = (fields: object) => recordsOf(visitsEvent({ 3: [{ offset: 7, ...fields }] }))[0]!

describe('traps of the event (event-source-mapping, section 1)', () => {
  test('header bytes are signed', () => {
    const { headers } = one({ headers: [{ trace: [97, -61, -87] }] })
    expect(Buffer.from(headers[0]!.value!).toString()).toBe('aé')
  })

  test('a header may repeat, and the order is kept', () => {
    const { headers } = one({ headers: [{ a: [49] }, { b: [50] }, { a: [51] }] })
    expect(headers.map(({ name, value }) => [name, Buffer.from(value!).toString()])).toEqual([
      ['a', '1'],
      ['b', '2'],
      ['a', '3'],
    ])
  })

  test.each([
    ['absent', {}],
    ['null', { headers: null }],
    ['empty', { headers: [] }],
  ])('headers may be %s', (_, fields) => {
    expect(one(fields).headers).toEqual([])
  })

  test.each([
    ['absent', {}],
    ['null', { key: null }],
    ['empty', { key: '' }],
  ])('a key that is %s is none', (_, fields) => {
    expect(one(fields).key).toBe(null)
  })

  test('a tombstone has no value, absent or null; an empty value is none', () => {
    expect(one({}).value).toBe(null)
    expect(one({ value: null }).value).toBe(null)
    expect(one({ value: '' }).value).toHaveLength(0)
  })

  test('topics may contain "-": topic and partition are read from the record', () => {
    const plan = { ...visits, source: { ...visits.source, topic: 'app-visits-2' } }
    const event: KafkaEvent = {
      eventSource: 'SelfManagedKafka',
      records: {
        'app-visits-2-11': [{ topic: 'app-visits-2', partition: 11, offset: 1, timestamp: 0, timestampType: 'LOG_APPEND_TIME' }],
      },
    }
    const [batch] = readEvent(event, plan)
    expect(batch).toMatchObject({ topic: 'app-visits-2', partition: 11, mapKey: 'app-visits-2-11' })
  })

  test.each(['aws:kafka', 'SelfManagedKafka', 'aws:SelfManagedKafka'])('the event source %s is Kafka', eventSource => {
    expect(readEvent({ ...visitsEvent({ 0: [{ offset: 1 }] }), eventSource }, visits)).toHaveLength(1)
  })

  test.each([['aws:sqs'], [undefined]])('the event source %s is refused with words', eventSource => {
    const event = { ...visitsEvent({ 0: [{ offset: 1 }] }), eventSource } as KafkaEvent
    expect(() => readEvent(event, visits)).toThrow(/^\[unknown-event-source\] letters: .*Point a Kafka event source mapping/)
  })

  test('records of another topic are refused, since somebody else decides them', () => {
    const plan = { ...visits, source: { ...visits.source, topic: 'orders' } }
    expect(() => readEvent(visitsEvent({ 0: [{ offset: 1 }] }), plan)).toThrow(
      '[unexpected-topic] letters: the event has records of "app.visits", and the scenario reads "orders".',
    )
  })

  test('an event without records is refused', () => {
    expect(() => readEvent({ eventSource: 'aws:kafka', records: {} }, visits)).toThrow('[no-records]')
    expect(() => readEvent({ eventSource: 'aws:kafka', records: { 'app.visits-0': [] } }, visits)).toThrow('[no-records]')
  })

  test('offsets that do not ascend are put in order, and one offset counts once', () => {
    const records = recordsOf(visitsEvent({ 0: [{ offset: 5 }, { offset: 3 }, { offset: 5 }, { offset: 4 }] }))
    expect(records.map(({ offset }) => offset)).toEqual([3, 4, 5])
  })
})

describe('values', () => {
  const decoded = (value: string | Uint8Array) => {
    const columns = decode([{ ...one({}), value: Buffer.from(value as string) }], visits)
    return { status: columns.status[0], event: columns.event[0], reason: columns.failure[0]?.reason }
  }

  test('a JSON object becomes the event', () => {
    expect(decoded('{"id":"c-1","n":2}')).toEqual({ status: 0, event: { id: 'c-1', n: 2 }, reason: undefined })
  })

  test('what was rounded is read again exactly', () => {
    const n = JSON.parse('9007199254740993') // 9007199254740992
    expect(Number.isSafeInteger(n)).toBe(false)
    const plan = {
      ...visits,
      source: {
        topic: 'app.visits',
        decodeEvent: (json: unknown) =>
          typeof (json as { n: unknown }).n === 'number'
            ? visits.source.decodeEvent(json)
            : { ...(json as object), n: intFromJson((json as { n: unknown }).n) },
      },
    }
    const columns = decode([{ ...one({}), value: Buffer.from('{"id":"c-1","n":9007199254740993}') }], plan)
    expect(columns.event[0]).toEqual({ id: 'c-1', n: 9007199254740993n })
  })

  test.each([
    ['no JSON', 'id=1'],
    ['empty', ''],
    ['cut off', '{"id":"c'],
    ['NaN', '{"id":NaN}'],
    ['a trailing comma', '{"id":"1",}'],
    ['no UTF-8', Uint8Array.from([0x7b, 0xff, 0x7d])],
    ['a byte order mark', '\ufeff{"id":"1"}'],
  ])('%s is invalid-json, and a dead letter whatever the rules say', (_, value) => {
    expect(decoded(value)).toMatchObject({ status: 3, reason: 'invalid-json' })
  })

  test('what is not as declared is a Failure in its column, and the others go on', () => {
    const bytes = ['{"n":1}', '{"id":"c-2"}'].map(text => ({ ...one({}), value: Buffer.from(text) }))
    const columns = decode(bytes, visits)
    expect([...columns.status]).toEqual([3, 0])
    expect(columns.failure[0]).toMatchObject({ reason: 'missing-field', at: 'id' })
  })

  test('100,000 open brackets are no JSON, not a crash', () => {
    expect(decoded('['.repeat(100_000))).toMatchObject({ reason: 'invalid-json' })
  })
})

test('base64 of the event is decoded once', () => {
  expect(Buffer.from(one({ key: base64('k'), value: base64('v') }).value!).toString()).toBe('v')
})
