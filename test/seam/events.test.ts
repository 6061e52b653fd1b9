// Sample events and the stage that reads them: each odd thing that the event source mapping sends, as far as decoding goes.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { Plan } from '../../lib/plan/plan.ts'
import { readEvent } from '../../lib/runtime/decode.ts'
import type { KafkaEvent } from '../../lib/runtime/event.ts'

const events = fileURLToPath(new URL('../../events', import.meta.url))

function load(file: string): KafkaEvent {
  return JSON.parse(readFileSync(`${events}/${file}.json`, 'utf8'))
}

function plan(topic = 'cdrs'): Plan {
  return { scenario: 'sample', source: { topic } } as Plan
}

function records(file: string, topic?: string) {
  return readEvent(load(file), plan(topic)).flatMap(batch => batch.records)
}

test('each odd event has its line in the README', () => {
  const readme = readFileSync(`${events}/README.md`, 'utf8')
  const files = readdirSync(`${events}/odd`).map(file => file.replace('.json', ''))
  expect(files.filter(file => !readme.includes(`\`${file}\``))).toEqual([])
  expect(files.length).toBeGreaterThan(15)
})

const samples = readdirSync(events)
  .filter(file => file.endsWith('.json') && !file.endsWith('.lookups.json'))
  .map(file => file.replace('.json', ''))

describe.each(samples)('the sample event of %s', scenario => {
  const event = load(scenario)

  test('is what the mapping sends: two partitions, offsets that ascend, keys that name them', () => {
    const partitions = Object.entries(event.records)
    expect(partitions).toHaveLength(2)
    for (const [mapKey, list] of partitions) {
      expect(list.every(record => `${record.topic}-${record.partition}` === mapKey)).toBe(true)
      expect(list.every((record, i) => i === 0 || record.offset > list[i - 1]!.offset)).toBe(true)
    }
  })

  test('is of the topic that its scenario reads', () => {
    const yaml = readFileSync(`${events}/../functions/${scenario}.yml`, 'utf8')
    const topic = /^ {2}topic: (.*)$/m.exec(yaml)![1]!
    expect(readEvent(event, plan(topic))).toHaveLength(2)
  })
})

test.each([
  ['tombstone', [null, 'bytes']],
  ['null-fields', ['bytes', null]],
  ['empty-value', ['empty']],
  ['null-text', ['bytes']],
])('values of %s', (file, values) => {
  const found = records(`odd/${file}`).map(({ value }) => (value === null ? null : value.length === 0 ? 'empty' : 'bytes'))
  expect(found).toEqual(values)
})

test.each(['no-key', 'empty-key'])('%s is no key', file => {
  expect(records(`odd/${file}`).map(({ key }) => key)).toEqual([null])
})

test('header bytes are signed, and keep their order, names and bytes', () => {
  const hex = (file: string) =>
    records(`odd/${file}`)[0]!.headers.map(({ name, value }) => `${name}=${value && Buffer.from(value).toString('hex')}`)
  expect(hex('signed-headers')).toEqual(['trace=61c3a9', 'raw=80ff007f'])
  expect(hex('repeated-headers')).toEqual(['trace=6669727374', 'other=', 'trace=6c617374'])
  expect(hex('null-headers')).toEqual([])
  expect(hex('no-headers')).toEqual([])
})

test('topic and partition come from the record, since topics may contain dashes', () => {
  const batches = readEvent(load('odd/topic-with-dashes'), plan('cdrs-eu-1'))
  expect(batches.map(({ topic, partition, mapKey }) => [topic, partition, mapKey])).toEqual([
    ['cdrs-eu-1', 0, 'cdrs-eu-1-0'],
    ['cdrs-eu-1', 10, 'cdrs-eu-1-10'],
  ])
})

test('a gap in the offsets is no loss, and large ones are exact', () => {
  expect(records('odd/offset-gaps').map(({ offset }) => offset)).toEqual([10, 11, 400])
  expect(records('odd/large-offset').map(({ offset }) => BigInt(offset))).toEqual([9007199254740990n])
})

test.each(['self-managed', 'self-managed-with-prefix', 'schema-registry', 'log-append-time', 'two-partitions'])(
  '%s is read',
  file => {
    expect(records(`odd/${file}`).length).toBeGreaterThan(0)
  },
)

test.each(['unknown-source', 'no-records', 'other-topic'])(
  '%s fails the invocation: nothing is skipped that somebody else decides',
  file => {
    expect(() => readEvent(load(`odd/${file}`), plan())).toThrow()
  },
)
