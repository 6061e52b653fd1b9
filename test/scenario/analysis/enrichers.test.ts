import { describe, expect, test } from 'vitest'
import { describeType } from '../../../lib/language/types.ts'
import { analysed, hints, problems, sound } from './analysed.ts'

const using = (expression: string): string => `out: { topic: results, key: event.id, value: { x: ${expression} } }`

describe('look-up lines', () => {
  test('hash, json, string and set, with keys of texts and holes', () => {
    const { enrichers } = sound({
      enrich: `
a: { redis: "hash a:{event.id}", fields: { x: int } }
b: { redis: "json b:{event.n}:{event.kind}", fields: { list: [{ y: int }] } }
c: { redis: "string {scenario}:c", value: timestamp-millis = 0 }
d: { redis: "set vip has {event.id}" }
e: { redis: "set vip:{event.kind} has p:{event.id}" }`,
      sinks: 'out: { topic: results, key: event.id, value: { x: a.?x, y: b.?list, c: c.value, d: d, e: e } }',
    })
    const texts = (template: { parts: readonly (string | { source: string })[] }) =>
      template.parts.map(part => (typeof part === 'string' ? part : [part.source]))
    expect(
      enrichers.map(({ lookup }) => [lookup.kind, texts(lookup.key), lookup.kind === 'member' ? texts(lookup.member) : null]),
    ).toEqual([
      ['hash', ['a:', ['event.id']], null],
      ['json', ['b:', ['event.n'], ':', ['event.kind']], null],
      ['string', [['scenario'], ':c'], null],
      ['member', ['vip'], [['event.id']]],
      ['member', ['vip:', ['event.kind']], ['p:', ['event.id']]],
    ])
    expect(enrichers.map(({ lookup }) => lookup.key.source)).toEqual([
      'a:{event.id}',
      'b:{event.n}:{event.kind}',
      '{scenario}:c',
      'vip',
      'vip:{event.kind}',
    ])
  })

  test.each([
    ['list a:{event.id}', 'list a:{event.id}'],
    ['hash', 'hash'],
    ['set vip', 'set vip'],
    ['set vip has', 'set vip has'],
  ])('%s is told the forms', (line, found) => {
    const { lines } = analysed({ enrich: `a: { redis: "${line}", fields: { x: int } }` })
    expect(lines.filter(told => told.startsWith('lookup-line'))).toEqual([
      expect.stringContaining(`found "${found}" | "${line}"`),
    ])
  })

  test('a hole that may be missing makes no look-up, and needs no default', () => {
    expect(problems({ enrich: 'a: { redis: "hash a:{event.?country}", fields: { x: int } }', sinks: using('a.?x') })).toEqual([])
  })

  test('an error in a hole is marked there', () => {
    expect(problems({ enrich: 'a: { redis: "hash a:{event.idd}", fields: { x: int } }', sinks: using('a.?x') })).toEqual([
      'unknown-field: "event" has no field "idd" | idd | id',
    ])
  })

  test('lists and objects have no text to print in a key', () => {
    expect(
      problems({
        event: '{ id: string, list: list<int> }',
        enrich: 'a: { redis: "hash a:{event.list}", fields: { x: int } }',
        sinks: using('a.?x'),
      }),
    ).toEqual(['type-mismatch: A hole of the key of "a" needs what prints as a text, found list<int> | event.list'])
  })
})

describe('what an enricher is in expressions', () => {
  test.each([
    ['redis: "hash a", fields: { x: int }', 'x', true],
    ['redis: "hash a", fields: { x: int = 0 }', 'x', false],
    ['redis: "hash a", fields: { x: int }, onMissing: drop', 'x', false],
    ['redis: "hash a", fields: { x?: int }, onMissing: drop', 'x', true],
    ['redis: "json a", fields: { x: int }, onMissing: deadLetter', 'x', false],
    ['redis: "string a", value: int', 'value', true],
    ['redis: "string a", value: int = 0', 'value', false],
  ])('{ %s }: may "%s" be missing? %s', (enricher, field, optional) => {
    const { enrichers } = sound({ enrich: `a: { ${enricher} }`, sinks: using(optional ? `a.?${field}` : `a.${field}`) })
    const { type } = enrichers[0]!
    expect(type.kind === 'object' ? type.fields.get(field)?.optional : undefined).toBe(optional)
  })

  test('a set look-up is a bool', () => {
    const { enrichers } = sound({ enrich: 'vip: { redis: "set vip has {event.id}" }', filter: 'important: vip || event.n > 5' })
    expect(describeType(enrichers[0]!.type)).toBe('bool')
  })

  test('with forEach it is a list of what is found beside the element', () => {
    const { enrichers } = sound({
      event: '{ id: string, items: [{ sku: string }] }',
      enrich: 'p: { forEach: item in event.items, redis: "hash product:{item.sku}", fields: { title: string } }',
      sinks:
        'out:\n    topic: results\n    key: event.id\n    value:\n      skus: p.map(q, q.item.sku)\n      titles: p.filter(q, has(q.title)).size()',
    })
    expect(describeType(enrichers[0]!.type)).toBe('list<{ title?: string, item: { sku: string } }>')
  })

  test('a field that may be missing is not used bare', () => {
    const { diagnostics } = analysed({ enrich: 'a: { redis: "hash a", fields: { x: int } }', filter: 'big: a.x > 5' })
    expect(diagnostics.map(({ id }) => id)).toContain('may-be-missing')
  })
})

describe('fields', () => {
  test.each([
    [
      'redis: "hash a", fields: { x: list<int> }',
      'type-mismatch: Field "x" of the hash "a" needs a type that a text can hold, found list<int> | x',
    ],
    ['redis: "hash a"', 'missing-key: Enricher "a" needs "fields" | a'],
    ['redis: "string a"', 'missing-key: Enricher "a" needs "value" | a'],
    ['redis: "set a has b", fields: { x: int }', 'unknown-key: The set look-up "a" has no "fields" | fields'],
    ['redis: "string a", fields: { x: int }', 'unknown-key: The string look-up "a" has no "fields" | fields'],
  ])('{ %s }', (enricher, line) => {
    expect(problems({ enrich: `a: { ${enricher} }` })).toContain(line)
  })
})

describe('forEach', () => {
  test.each([
    ['item of event.items', '"forEach" of "p" needs the form "x in list", found "item of event.items"'],
    ['item in event.id', '"forEach" of "p" needs a list, found string'],
  ])('%s', (loop, message) => {
    const { diagnostics } = analysed({
      event: '{ id: string, items: [{ sku: string }] }',
      enrich: `p: { forEach: ${loop}, redis: "hash product:{item.sku}", fields: { title: string } }`,
    })
    expect(diagnostics.map(found => found.message)).toContain(message)
  })

  test('loops do not nest', () => {
    const { diagnostics } = analysed({
      event: '{ id: string, items: [{ sku: string }] }',
      enrich: `
p: { forEach: item in event.items, redis: "hash p:{item.sku}", fields: { title: string } }
q: { forEach: found in p, redis: "hash q:{found.item.sku}", fields: { title: string } }`,
    })
    expect(diagnostics.map(found => found.id)).toContain('for-each-nested')
  })
})

describe('usage', () => {
  test('an enricher that nobody reads is unused', () => {
    expect(problems({ enrich: 'a: { redis: "hash a", fields: { x: int } }' })).toEqual(['unused: Enricher "a" is never used | a'])
  })

  test('one that drops records is used by that', () => {
    expect(problems({ enrich: 'a: { redis: "hash a", fields: { x: int } , onMissing: drop }' })).toEqual([])
  })

  test('what only unused names use is unused', () => {
    expect(problems({ enrich: 'a: { redis: "hash a", fields: { x: int = 0 } }', let: 'b: a.x + 1' })).toEqual([
      'unused: Enricher "a" is never used | a',
      'unused: Variable "b" is never used | b',
    ])
  })

  test('a field that nobody reads', () => {
    expect(problems({ enrich: 'a: { redis: "hash a", fields: { x: int, y: int } }', sinks: using('a.?x') })).toEqual([
      'unread-field: Field "y" of enricher "a" is never read | y',
    ])
  })

  test('all fields are read by whoever takes the whole', () => {
    expect(problems({ enrich: 'a: { redis: "hash a", fields: { x: int, y: int } }', sinks: using('a') })).toEqual([])
  })

  test('two holes side by side', () => {
    expect(
      hints({ enrich: 'a: { redis: "hash a:{event.id}{event.n}", fields: { x: int } }', sinks: using('a.?x') }, 'key-collision'),
    ).toEqual([
      'key-collision: Two keys of "a" can be the same for different values: nothing stands between {event.id} and {event.n} | a:{event.id}{event.n}',
    ])
  })

  test('a drop for one of two sinks', () => {
    expect(
      hints(
        {
          enrich: 'a: { redis: "hash a:{event.id}", fields: { x: int }, onMissing: drop }',
          sinks: `${using('a.x')}\nother: { topic: others, key: event.id, value: event }`,
        },
        'drop-for-one-sink',
      ),
    ).toEqual(['drop-for-one-sink: Enricher "a" drops a record for all sinks, and only sink "out" reads it | a'])
  })
})
