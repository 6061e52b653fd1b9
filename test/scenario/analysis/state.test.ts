// State: remember entries and caps, what may be read where, and what would need a round trip for each record.
import { expect, test } from 'vitest'
import { analysed, problems, type Sections } from './analysed.ts'

const visit = '  visit: { key: event.id, fields: { lastAt?: timestamp }, when: true, set: { lastAt: now } }'
const reader = '  out: { topic: results, key: event.id, value: { id: event.id, lastAt: visit.?lastAt } }'

test('a remember entry is an object of its fields, a cap a number and the units used', () => {
  const { scenario, lines } = analysed({
    event: '{ id: string, amount: decimal(2) }',
    state: `${visit}\n  budget: { key: '{event.id}/all', limit: 100, take: event.amount, within: 30d, member: event.id }\n`,
    filter: '  away: has(visit.lastAt) && now - visit.lastAt > duration("168h")',
    sinks: '  out: { topic: results, key: event.id, value: { number: budget.number, used: budget.used, lastAt: visit.lastAt } }',
    examples:
      '  - given: { event: { id: a, amount: 2 }, record: { timestamp: 2026-01-09T00:00:00Z }, visit: { lastAt: 2026-01-01T00:00:00.500Z } }\n' +
      '    expect: { droppedBy: budget }\n' +
      '  - given: { event: { id: a, amount: 2 }, record: { timestamp: 2026-01-09T00:00:00Z } }\n' +
      '    expect: { droppedBy: away }\n' +
      '  - given: { event: { id: a, amount: 2 }, record: { timestamp: 2026-01-09T00:00:00Z } }\n' +
      '    expect: { out: [{ value: { number: 1, used: 2.5 } }] }',
  })
  expect(lines).toEqual([])
  const [remember, cap] = scenario!.state
  expect(remember).toMatchObject({ kind: 'remember', name: 'visit', when: { constant: { value: true } } })
  expect(cap).toMatchObject({
    kind: 'cap',
    name: 'budget',
    withinMs: 2_592_000_000,
    limit: { type: { kind: 'decimal', digits: 2 } },
  })
  expect(scenario!.examples[0]!.steps[0]!.given.state).toEqual(new Map([['visit', '{"lastAt":"2026-01-01T00:00:00.500Z"}']]))
})

test.each<[string, Sections, readonly string[]]>([
  [
    'neither kind',
    { state: '  a: { key: event.id }' },
    ['state-kind: State "a" needs either "fields" and "set" (remember) or "limit" (cap) | a'],
  ],
  [
    'both kinds',
    { state: '  a: { key: event.id, fields: { n?: int }, set: { n: event.n }, limit: 2 }' },
    ['state-kind: State "a" needs either "fields" and "set" (remember) or "limit" (cap) | a'],
  ],
  [
    'nothing is set',
    { state: '  a: { key: event.id, fields: { n?: int } }' },
    ['state-kind: State "a", which remembers, needs "set" | a'],
  ],
  [
    'no fields, and their uses are no news',
    { state: '  a: { key: event.id, set: { n: event.n } }', filter: '  f: a.n > 1' },
    ['state-kind: State "a", which remembers, needs "fields" | a'],
  ],
  [
    'a key of a cap',
    { state: '  a: { key: event.id, fields: { n?: int }, set: { n: event.n }, within: 1d }', filter: '  f: has(a.n)' },
    ['state-kind: State "a" remembers, and "within" belongs to a cap | 1d'],
  ],
  [
    'a field that is not there at first',
    { state: '  a: { key: event.id, fields: { n: int }, set: { n: event.n } }', filter: '  f: a.n > 1' },
    ['state-kind: Field "n" of state "a" needs a default or a "?", since at first nothing is remembered | n | n?'],
  ],
  [
    'a shared cap in the scenario itself',
    { state: '  a: { key: event.id, limit: 2, shared: true }' },
    ['state-kind: Cap "a" cannot be shared, since it stands in the scenario itself | true'],
  ],
  ['no key', { state: '  a: { limit: 2 }' }, ['missing-key: State "a" needs "key" | a']],
  [
    'a name that is there already',
    { state: '  a: { key: event.id, limit: 2 }', let: '  a: event.n' },
    ['duplicate-name: "a" is the name of two things: a variable and a cap | a'],
  ],
  [
    'a limit of nothing',
    { state: '  a: { key: event.id, limit: 0 }' },
    ['setting-range: "limit" needs more than 0, found "0" | 0'],
  ],
  [
    'a limit in quotes',
    { state: '  a: { key: event.id, limit: "2" }' },
    ['type-mismatch: "limit" of state "a" needs int, found the text "2" | "2"'],
  ],
  [
    'a limit in other units than those taken',
    {
      event: '{ id: string, price: decimal(2), most: int }',
      state: '  a: { key: event.id, limit: event.most, take: event.price }',
    },
    ['type-mismatch: "limit" of state "a" needs decimal(2), found int | event.most'],
  ],
  [
    'units that are not exact',
    { event: '{ id: string, price: double }', state: '  a: { key: event.id, limit: 2, take: event.price }' },
    ['type-mismatch: "take" of state "a" needs an int or a decimal, found double | event.price'],
  ],
  [
    'a time without unit',
    { state: '  a: { key: event.id, limit: 2, within: 30 }' },
    ['setting-range: "within" needs a duration from 1ms to 3650d ("800ms", "5m", "12h", "7d"), found "30" | 30'],
  ],
  [
    'a key that does not print',
    { event: '{ id: string, tags: list<string> }', state: '  a: { key: event.tags, limit: 2 }' },
    ['type-mismatch: A hole of the key of state "a" needs what prints as a text, found list<string> | event.tags'],
  ],
  [
    'a field that is not declared is set',
    { state: '  a: { key: event.id, fields: { count?: int }, set: { cuont: event.n } }', filter: '  f: has(a.count)' },
    ['unknown-field: "a" has no field "cuont" | cuont | count'],
  ],
  [
    'a field is set to another type',
    { state: '  a: { key: event.id, fields: { count?: int }, set: { count: event.id } }', filter: '  f: has(a.count)' },
    ['type-mismatch: "set" of "a.count" needs int, found string | event.id'],
  ],
  [
    'a field that is always there is set to what may be missing',
    {
      state: '  a: { key: event.id, fields: { from: string = "" }, set: { from: event.?country } }',
      filter: '  f: a.from != ""',
    },
    ['may-be-missing: "event.country" may be missing, and this place needs a value | event.?country'],
  ],
  [
    'a text outside of the list',
    { state: '  a: { key: event.id, fields: { kind?: basic | gold }, set: { kind: "silver" } }', filter: '  f: has(a.kind)' },
    ['type-mismatch: "set" of "a.kind" needs basic | gold, found the text "silver" | "silver"'],
  ],
  [
    'null',
    { state: '  a: { key: event.id, fields: { kind?: string }, set: { kind: null } }', filter: '  f: has(a.kind)' },
    ['type-mismatch: "set" of "a.kind" needs string, found null | null'],
  ],
  [
    'a condition that is none',
    { state: '  a: { key: event.id, limit: 2, when: event.n }' },
    ['not-a-condition: "when" of state "a" needs to be true or false, found int | event.n'],
  ],
  [
    'nobody reads what is remembered, but it itself',
    { state: '  a: { key: event.id, fields: { count: int = 0 }, set: { count: a.count + 1 } }' },
    ['unused: State "a" is never used | a'],
  ],
  [
    'nobody reads a field',
    {
      state: `  visit: { key: event.id, fields: { lastAt?: timestamp, n?: int }, set: { lastAt: now, n: event.n } }`,
      sinks: reader,
    },
    ['unread-field: Field "n" of state "visit" is never read | n?'],
  ],
])('%s', (_, sections, expected) => {
  expect(problems(sections)).toEqual(expected)
})

test.each<[string, Sections]>([
  ['when: true, a field set from itself', { state: visit, sinks: reader }],
  ['an optional field set to nothing', { state: visit.replace('lastAt: now', 'lastAt: optional.none()'), sinks: reader }],
  [
    'an optional field set to what may be missing',
    { state: visit.replace('lastAt: now', 'lastAt: visit.?lastAt'), sinks: reader },
  ],
  [
    'filters hold where they must',
    {
      state:
        '  visit: { key: event.id, fields: { from?: string }, set: { from: event.country } }\n  most: { key: event.country, limit: 2 }',
      filter: '  known: has(event.country) && event.country != visit.?from.orValue("")',
    },
  ],
  [
    'a filter that "when" names holds in "set"',
    {
      state: '  visit: { key: event.id, fields: { from?: string }, when: known && event.n > 1, set: { from: event.country } }',
      filter: '  known: has(event.country)\n  changed: visit.?from.orValue("") != event.?country.orValue("")',
    },
  ],
  [
    'a key with a hole that may be missing, a cap that not all records ask',
    {
      state:
        "  visit: { key: '{event.?country}', fields: { n: int = 0 }, set: { n: event.n } }\n  most: { key: event.id, limit: 2, when: event.n > 1 }",
      sinks: '  out: { topic: results, key: event.id, value: { n: visit.n, number: most.?number } }',
    },
  ],
  [
    'a sink asks whether a record has a place',
    {
      state: '  most: { key: event.id, limit: 2, when: event.n > 1 }',
      sinks: '  out: { topic: results, when: has(most.number), key: event.id, value: { n: event.n } }',
    },
  ],
  [
    'a text, a literal of a list, and a default that is promoted',
    {
      state:
        '  a: { key: event.id, fields: { kind?: basic | gold, text: string = \'\', share: double = 1 }, set: { kind: event.kind, text: "{event.n}", share: 2 } }',
      filter: '  f: has(a.kind) && a.text != "" && a.share > 1',
    },
  ],
  [
    'a sink reads a cap by way of a variable and a decision',
    {
      state: '  most: { key: event.id, limit: 2 }',
      let: '  isLast: most.number == 2',
      decide:
        '  gift:\n    hitPolicy: first\n    rules:\n      - when: isLast\n        then: { name: "last" }\n      - then: { name: "other" }',
      sinks: '  out: { topic: results, key: event.id, value: { gift: gift.name } }',
    },
  ],
])('nothing is told of %s', (_, sections) => {
  expect(problems(sections)).toEqual([])
})

test('a cap that not all records ask may be missing', () => {
  const sinks = '  out: { topic: results, key: event.id, value: { number: most.number } }'
  expect(problems({ state: '  most: { key: event.id, limit: 2, when: event.n > 1 }', sinks })).toEqual([
    'may-be-missing: "most" may be missing, and this place needs a value | most',
  ])
})

const most = '  most: { key: event.id, limit: 2 }'
const by = (place: string): string => `reads-cap: ${place} cannot read the cap "most", since caps are asked after all else`

test.each<[string, Sections, readonly string[]]>([
  ['a filter', { state: most, filter: '  f: most.number < 2' }, [`${by('Filter "f"')} | most.number`]],
  [
    'a filter by way of a variable',
    { state: most, let: '  n: most.number', filter: '  f: n < 2\n  g: f || event.n > 1' },
    [`${by('Filter "f"')} | n`],
  ],
  [
    'a look-up',
    {
      state: most,
      enrich: '  a: { redis: "hash a:{most.number}", fields: { b?: int } }',
      sinks: '  out: { topic: t, value: { b: a.?b } }',
    },
    [`${by('The key of "a"')} | most.number`],
  ],
  [
    'a decision that drops',
    {
      state: most,
      decide:
        '  d:\n    hitPolicy: first\n    onMissing: drop\n    rules:\n      - when: most.number == 1\n        then: { x: 1 }',
      sinks: '  out: { topic: t, value: { x: d.x } }',
    },
    [`${by('Decision "d"')} | d`],
  ],
  [
    '"when" and "set" of what is remembered',
    {
      state: `${most}\n  visit: { key: event.id, fields: { n: int = 0 }, when: most.number == 1, set: { n: most.number } }`,
      filter: '  f: visit.n < 5',
    },
    [`${by('"when" of state "visit"')} | most.number`, `${by('"set" of "visit.n"')} | most.number`],
  ],
  [
    'another cap',
    { state: `${most}\n  other: { key: event.id, limit: most.number }` },
    [`${by('"limit" of state "other"')} | most.number`],
  ],
  ['itself', { state: '  most: { key: event.id, limit: most.used + 1 }' }, [`${by('"limit" of state "most"')} | most.used`]],
  [
    'a variable that needs the cap, in its own key',
    { state: "  most: { key: '{n}', limit: 2 }", let: '  n: most.number' },
    [`${by('The key of state "most"')} | n`],
  ],
  [
    'a sink for dropped records',
    { state: most, filter: '  f: event.n > 1', sinks: '  out: { topic: t, on: dropped, value: { n: most.number } }' },
    [`${by('The value of sink "out"')} | most.number`],
  ],
])('a cap is not read by %s', (_, sections, expected) => {
  expect(problems(sections)).toEqual(expected)
})

const limits = '  limits: { redis: "hash limits:{visit.kind}", fields: { most: int = 1 } }'
const kinds = (rest: string): string => `  visit: { key: event.id, fields: { kind: string = "" }, ${rest} }`

test.each<[string, Sections, readonly string[]]>([
  [
    '"when" needs a look-up whose key needs what is remembered',
    {
      enrich: limits,
      state: kinds('when: event.n < limits.most, set: { kind: event.id }'),
      filter: '  f: event.n < limits.most',
    },
    [
      'enricher-cycle: Enricher "limits" and state "visit" need each other from record to record, which would take a round trip for each | visit.kind',
    ],
  ],
  [
    '"set" does so by way of a variable',
    {
      enrich: limits,
      let: '  next: string(limits.most)',
      state: kinds('when: true, set: { kind: next }'),
      filter: '  f: event.n < limits.most',
    },
    [
      'enricher-cycle: Enricher "limits" and state "visit" need each other from record to record, which would take a round trip for each | visit.kind',
    ],
  ],
  [
    'without "when" a filter does so',
    { enrich: limits, state: kinds('set: { kind: event.id }'), filter: '  f: event.n < limits.most' },
    [
      'enricher-cycle: Enricher "limits" and state "visit" need each other from record to record, which would take a round trip for each | visit.kind',
    ],
  ],
  [
    'without "when" the look-up that drops does so',
    {
      enrich: limits.replace(' }', ' }, onMissing: drop').replace('int = 1 }, onMissing: drop }', 'int }, onMissing: drop }'),
      state: kinds('set: { kind: event.id }'),
      sinks: '  out: { topic: t, value: { most: limits.most } }',
    },
    [
      'enricher-cycle: Enricher "limits" and state "visit" need each other from record to record, which would take a round trip for each | visit.kind',
    ],
  ],
  [
    'a key of another entry',
    {
      state:
        '  a: { key: event.id, fields: { x: string = "" }, when: b.y > 1, set: { x: event.id } }\n' +
        "  b: { key: '{a.x}', fields: { y: int = 0 }, when: true, set: { y: event.n } }",
      filter: '  f: b.y > 1',
    },
    [
      'enricher-cycle: State "b" and state "a" need each other from record to record, which would take a round trip for each | a.x',
    ],
  ],
  [
    'an entry whose key needs itself',
    { state: "  a: { key: '{a.x}', fields: { x: string = '' }, set: { x: event.id } }" },
    ['expression-cycle: State "a" needs its own value | a.x'],
  ],
])('a round trip for each record: %s', (_, sections, expected) => {
  expect(problems(sections)).toEqual(expected)
})

test.each<[string, Sections]>([
  [
    'a "when" that does without the look-up',
    { enrich: limits, state: kinds('when: event.n > 1, set: { kind: event.id }'), filter: '  f: event.n < limits.most' },
  ],
  [
    'a look-up of a sink alone',
    { enrich: limits, state: kinds('set: { kind: event.id }'), sinks: '  out: { topic: t, value: { most: limits.most } }' },
  ],
  [
    'what is remembered, read by its own "when" and by filters',
    {
      state: '  visit: { key: event.id, fields: { n: int = 0 }, set: { n: event.n } }',
      let: '  before: visit.n',
      filter: '  f: before < event.n',
    },
  ],
])('no round trip for each record: %s', (_, sections) => {
  expect(problems(sections)).toEqual([])
})

test.each<[string, string, string, readonly string[]]>([
  ['no hash tags', 'event.id', "'{event.id}/{event.n}'", ["'{event.id}/{event.n}'"]],
  ['other hash tags', "'{{{event.id}}}/day'", "'{{{event.country}}}/all'", ["'{{{event.country}}}/all'"]],
  ['one hash tag', "'{{{event.id}}}/day'", "'all/{{{ event.id }}}'", []],
  ['one hash tag for all records', "'{{all}}/{event.id}'", "'{{all}}'", []],
])('caps in a Redis Cluster: %s', (_, first, second, marked) => {
  const state = `  daily: { key: ${first}, limit: 2 }\n  other: { key: ${second}, limit: 9 }`
  const event = '{ id: string, n: int, country: string }'
  const text = 'Caps "daily" and "other" lie in different slots of the Redis Cluster, so that they cannot be asked together'
  expect(problems({ event, state }, { redisCluster: true })).toEqual(marked.map(key => `caps-in-two-slots: ${text} | ${key}`))
  expect(problems({ event, state })).toEqual([])
})
