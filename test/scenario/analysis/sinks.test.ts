import { describe, expect, test } from 'vitest'
import type { Value } from '../../../lib/scenario/scenario.ts'
import { analysed, problems, sound } from './analysed.ts'

const sink = (keys: string): string => `out: { topic: results, key: event.id, ${keys} }`

/** A value tree, with expressions as `<source>`. */
function shown(value: Value | { kind: 'bytes' }): unknown {
  switch (value.kind) {
    case 'bytes':
      return 'bytes'
    case 'null':
      return null
    case 'expression':
      return `<${value.checked.source}>`
    case 'template':
      return value.template.parts.map(part => (typeof part === 'string' ? part : `<${part.source}>`)).join('')
    case 'list':
      return value.items.map(shown)
    case 'map': {
      const entries = Object.fromEntries(value.entries.map(({ name, value }) => [name, shown(value)]))
      return value.spread === undefined ? entries : { '...': `<${value.spread.source}>`, ...entries }
    }
  }
}

describe('values', () => {
  test.each([
    ['value: event', '<event>'],
    ['value: record.value', 'bytes'],
    ['value: null', null],
    ['value: { a: event.n, b: "text", c: "n is {event.n}" }', { a: '<event.n>', b: 'text', c: 'n is <event.n>' }],
    ['value: { a: { b: [event.n, 1, "x"] }, c: null }', { a: { b: ['<event.n>', '<1>', 'x'] }, c: null }],
    ['value: { a: event.?country }', { a: '<event.?country>' }],
    ['value: { "...": event, a: 1 }', { '...': '<event>', a: '<1>' }],
    ['value: { a: "{{braces}}" }', { a: '{braces}' }],
  ])('%s', (value, tree) => {
    expect(shown(sound({ sinks: sink(value) }).sinks[0]!.value)).toEqual(tree)
  })

  test.each([
    [
      'value: { a: event.at - event.at }',
      'type-mismatch: The value of sink "out" needs what JSON can hold, found duration | event.at - event.at',
    ],
    ['value: { a: record.value }', 'type-mismatch: The value of sink "out" needs what JSON can hold, found bytes | record.value'],
    ['value: { a: 1, "...": event }', 'wrong-shape: "..." needs to be the first entry, found it as number 2 | "..."'],
    [
      'value: { "...": event.n }',
      'type-mismatch: "..." of the value of sink "out" needs an object whose fields are copied, found int | event.n',
    ],
    [
      'value: { a: "event.n > 5" }',
      'text-is-expression: "event.n > 5" is a text, since it stands in quotes, though it reads as an expression | "event.n > 5" | event.n > 5',
    ],
    [
      'value: { a: "event.n" }',
      'text-is-expression: "event.n" is a text, since it stands in quotes, though it reads as an expression | "event.n" | event.n',
    ],
  ])('%s', (value, line) => {
    expect(problems({ sinks: sink(value) })).toEqual([line])
  })

  test.each(['event', 'n/a', 'a - b', 'Hello!', '', '22:30', 'now'])('the text "%s" is a text', text => {
    expect(problems({ sinks: sink(`value: { a: "${text}" }`) })).toEqual([])
  })

  test('a value that may be missing has no place in a list', () => {
    expect(analysed({ sinks: sink('value: { a: [event.?country] }') }).diagnostics.map(({ id }) => id)).toEqual([
      'may-be-missing',
    ])
  })
})

describe('conditions', () => {
  test("filters hold in sinks, and so does the sink's own when", () => {
    expect(
      problems({
        event: '{ id: string, country?: string, city?: string }',
        filter: 'known: has(event.country)',
        sinks:
          'out: { topic: results, when: has(event.city), key: event.country, value: { place: "{event.city}, {event.country}" } }',
      }),
    ).toEqual([])
  })

  test('filters do not hold for dropped records', () => {
    expect(
      analysed({
        filter: 'known: has(event.country)',
        sinks: 'out: { on: dropped, topic: results, key: event.country, value: event }',
      }).diagnostics.map(({ id, message }) => [id, message.includes('event.country')]),
    ).toContainEqual(['may-be-missing', true])
  })

  test.each([
    ['when: event.n', 'not-a-condition'],
    ['when: "event.n > 5"', 'text-is-expression'],
    ['when: "yes"', 'not-a-condition'],
    ['when: true', 'always-true'],
    ['when: false', 'never-true'],
  ])('%s: %s', (when, id) => {
    const { diagnostics } = analysed({ sinks: sink(`${when}, value: event`) })
    expect(diagnostics.filter(({ severity }) => severity !== 'hint').map(found => found.id)).toEqual([id])
  })
})

describe('keys, headers and topics', () => {
  test.each([
    [
      'key: event.at',
      'type-mismatch: The key of sink "out" needs a string, an int or a bool, found timestamp | event.at | "{event.at}"',
    ],
    [
      'key: event',
      'type-mismatch: The key of sink "out" needs a string, an int or a bool, found { id: string, n: int, country?: string, … } | event',
    ],
    [
      'headers: { at: event.at }',
      'type-mismatch: Header "at" of sink "out" needs a string, an int or a bool, found timestamp | event.at | "{event.at}"',
    ],
    [
      'headers: { sluice-x: event.id }',
      'reserved-header: Header "sluice-x" cannot be set: names that begin with "sluice-" are sluice\'s own | sluice-x',
    ],
  ])('%s', (keys, line) => {
    expect(problems({ sinks: `out: { topic: results, ${keys}, value: event }` })).toEqual([line])
  })

  test('headers may be missing', () => {
    expect(problems({ sinks: sink('headers: { country: event.?country, kind: event.kind }, value: event') })).toEqual([])
  })

  test.each([
    ['topic: orders', 'sink-is-source: Sink "out" writes to "orders", the topic that the scenario reads | orders'],
    [
      'topic: "results.{event.kind}"',
      'topic-without-among: The topic of sink "out" has holes, so its possible names need to be listed in "among" | "results.{event.kind}"',
    ],
    [
      'topic: "results.{event.kind}", among: [results.basic, orders]',
      'sink-is-source: Sink "out" writes to "orders", the topic that the scenario reads | orders',
    ],
  ])('%s', (topic, line) => {
    expect(problems({ sinks: `out: { ${topic}, key: event.id, value: event }` })).toEqual([line])
  })

  test('an output per element', () => {
    const { sinks } = sound({
      event: '{ id: string, items: [{ sku: string, n?: int }] }',
      sinks:
        'out: { forEach: item in event.items, topic: results, when: has(item.n), key: "{event.id}/{item.sku}", value: { n: item.n } }',
    })
    expect([sinks[0]!.forEach?.element, sinks[0]!.forEach?.list.source]).toEqual(['item', 'event.items'])
  })
})
