// A scenario file → its sections, with the place of everything.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { readScenario } from '../../../lib/scenario/reader.ts'
import type { ScenarioSyntax } from '../../../lib/scenario/syntax.ts'
import { goodScenarios } from '../../golden/golden.ts'

const head = 'scenario: s\nsource: { topic: t, event: { id: string } }\n'
const tail = 'sinks: { out: { topic: o, value: event } }\n'

function read(text: string): ScenarioSyntax {
  const { syntax, diagnostics } = readScenario('s.yml', text)
  expect(diagnostics).toEqual([])
  return syntax!
}

const idsOf = (text: string): string[] => readScenario('s.yml', text).diagnostics.map(({ id }) => id)

test.each(goodScenarios())('%s is read without a word', path => {
  expect(readScenario(path, readFileSync(path, 'utf8')).diagnostics).toEqual([])
})

describe('sections', () => {
  test('settings have their types, under their names', () => {
    const { source, generation, delivery, stopAbove } = read(`\
scenario: s
generation: 3
delivery: at-least-once
deadLetters: { stopAbove: 0.25 }
source:
  topic: t
  batchSize: 500
  maximumBatchingWindow: 0
  startingPosition: AT_TIMESTAMP
  startingPositionTimestamp: 1794999600.5
  enabled: false
  provisionedPollerConfig: { minimumPollers: 1, maximumPollers: 8, pollerGroupName: "7" }
  filterPatterns: [{ value: { amount: [{ numeric: [">", 100] }], code: ["7"] } }]
  event: { id: string }
${tail}`)
    expect([generation?.value, delivery?.value, stopAbove?.value]).toEqual([3, 'at-least-once', 0.25])
    expect(Object.fromEntries([...source.settings].map(([name, { value }]) => [name, value]))).toEqual({
      batchSize: 500,
      maximumBatchingWindow: 0,
      startingPosition: 'AT_TIMESTAMP',
      startingPositionTimestamp: 1794999600.5,
      enabled: false,
      provisionedPollerConfig: { minimumPollers: 1, maximumPollers: 8, pollerGroupName: '7' },
      filterPatterns: [{ value: { amount: [{ numeric: ['>', 100] }], code: ['7'] } }],
    })
  })

  test('an enricher has its store, its look-up line and its durations', () => {
    const text = `${head}enrich:\n  profile:\n    redis: hash customer:{event.id}\n    fields: { age: int }\n    onMissing: drop\n    onError: missing\n    timeout: 800ms\n    cache: 5m\n${tail}`
    const [profile] = read(text).enrich
    expect([profile?.name.value, profile?.store.value, profile?.line.text]).toEqual([
      'profile',
      'redis',
      'hash customer:{event.id}',
    ])
    expect([profile?.onMissing?.value, profile?.onError?.value, profile?.timeoutMs?.value, profile?.cacheMs?.value]).toEqual([
      'drop',
      'missing',
      800,
      300_000,
    ])
    expect(text.slice(profile!.name.range.start, profile!.name.range.end)).toBe('profile')
  })

  test('a decision has its rank, taken apart', () => {
    const text = `${head}decide:\n  offer:\n    hitPolicy: collect\n    rank: score  descending\n    limit: 3\n    rules:\n      - when: event.id != ""\n        then: { score: 1, code: "a" }\n      - then: { score: 0, code: "b" }\n${tail}`
    const [offer] = read(text).decisions
    expect([offer?.hitPolicy?.value, offer?.rank?.output.value, offer?.rank?.order.value, offer?.limit?.value]).toEqual([
      'collect',
      'score',
      'descending',
      3,
    ])
    expect(text.slice(offer!.rank!.order.range.start, offer!.rank!.order.range.end)).toBe('descending')
    expect(
      offer?.rules?.map(rule => [rule.when?.text, rule.then.map(({ name, value }) => [name.value, value.text, value.quoted])]),
    ).toEqual([
      [
        'event.id != ""',
        [
          ['score', '1', false],
          ['code', 'a', true],
        ],
      ],
      [
        undefined,
        [
          ['score', '0', false],
          ['code', 'b', true],
        ],
      ],
    ])
  })

  test('a sink may write null, and be for dropped records', () => {
    const [sink] = read(
      `${head}sinks:\n  out:\n    on: dropped\n    topic: "o-{event.id}"\n    among: [o-1, o-2]\n    value: null\n`,
    ).sinks
    expect([
      sink?.onDropped !== undefined,
      sink?.topic.quoted,
      sink?.value?.kind,
      sink?.among?.map(({ value }) => value),
    ]).toEqual([true, true, 'null', ['o-1', 'o-2']])
  })

  test('examples have steps', () => {
    const [example] = read(
      `${head}${tail}examples:\n  - name: two\n    given: { event: { id: a } }\n    steps: [{ expect: nothing }, { given: { event: { id: b } }, expect: retry }]\n`,
    ).examples
    expect(example?.steps?.map(({ given, expect }) => [given?.kind, expect?.kind])).toEqual([
      [undefined, 'scalar'],
      ['map', 'scalar'],
    ])
  })

  test('function settings may hold Serverless variables', () => {
    const text = `${head}function: { memorySize: "\${param:memory}", timeout: 30, environment: { A: "\${env:A}" } }\n${tail}`
    expect(read(text).functionSettings?.kind).toBe('map')
  })
})

describe('what is sure is told, and the rest goes on', () => {
  test('a misspelt key counts as the one that was meant', () => {
    const { syntax, diagnostics } = readScenario(
      's.yml',
      `${head}enrich: { p: { redis: "hash c:{event.id}", feilds: { age: int } } }\n${tail}`,
    )
    expect(diagnostics.map(({ id, suggestion }) => [id, suggestion])).toEqual([['unknown-key', 'fields']])
    expect(syntax?.enrich[0]?.fields?.kind).toBe('map')
  })

  test('a key that is there is not suggested', () => {
    const { diagnostics } = readScenario('s.yml', `${head}filter: { a: event.id != "" }\nfilters: { b: event.id != "" }\n${tail}`)
    expect(diagnostics.map(({ id, suggestion }) => [id, suggestion])).toEqual([['unknown-key', undefined]])
  })

  test.each([
    ['a trap of YAML in a section', `${head}filter: { a }b\n${tail}`, ['yaml-syntax']],
    ['a key that is there twice', `${head}let: { a: "1", a: "2" }\n${tail}`, ['yaml-duplicate']],
    ['a key that is not built', `${head}state: { a: { key: event.id, of: b } }\n${tail}`, ['not-built-yet']],
    ['a section of another shape', `${head}filter: yes\n${tail}`, ['wrong-shape']],
    ['a missing key', head, ['missing-key']],
    ['a list in place of the file', '- a\n', ['wrong-shape']],
    ['a text in place of the file', 'a\n', ['wrong-shape']],
  ])('no syntax for %s', (_, text, ids) => {
    expect(idsOf(text)).toEqual(ids)
    expect(readScenario('s.yml', text).syntax).toBeUndefined()
  })

  test('a trap of YAML in an expression leaves a placeholder there', () => {
    const { syntax, diagnostics, refused } = readScenario('s.yml', `${head}filter:\n  a: !b\n  c: event.id != ""\n${tail}`)
    expect(diagnostics.map(({ id }) => id)).toEqual(['yaml-tag'])
    expect(syntax?.filters.map(({ name, value }) => [name.value, value.text])).toEqual([
      ['a', '__'],
      ['c', 'event.id != ""'],
    ])
    expect(refused).toEqual([syntax?.filters[0]?.value.range])
  })

  test('braces without quotes are a text with holes', () => {
    const { syntax, diagnostics } = readScenario('s.yml', `${head}sinks: { out: { topic: o, key: {event.id}, value: event } }\n`)
    expect(diagnostics.map(({ id, suggestion }) => [id, suggestion])).toEqual([['yaml-no-value', '"{event.id}"']])
    expect(syntax?.sinks[0]?.key?.text).toBe('__________')
  })

  test('several traps, one message each, in the order of the file', () => {
    expect(idsOf(`${head}let:\n  a: x ? "1" : "2"\n  b: "c" == d\nfilter:\n  e: !f\n  g:\n${tail}`)).toEqual([
      'yaml-colon',
      'yaml-syntax',
      'yaml-tag',
      'yaml-no-value',
    ])
  })
})

test('in functions/ a scenario has the name of its file', () => {
  const messagesOf = (file: string): string[] => readScenario(file, head + tail).diagnostics.map(({ message }) => message)
  expect(messagesOf('functions/s.yml')).toEqual([])
  expect(messagesOf('drafts/t.yml')).toEqual([])
  expect(messagesOf('functions/t.yml')).toEqual(['"scenario" needs the name of its file, "t", found "s"'])
})

describe("what looks like a trap and isn't", () => {
  test.each([
    ['an apostrophe before a comment', `description: don't # that's all\n`],
    ['a comma in a quoted text', `filter: { a: 'event.id != "a, b"' }\n`],
    ['parentheses in a literal between braces', `let: { a: event.id, b: (event.id) }\n`],
    ['a byte order mark', ''],
    [
      'CEL that begins with a minus, holds brackets or an optional',
      `let:\n  a: -x + 1\n  b: event.id in ["a", "b"]\n  c: e.?x.orValue(1)\n`,
    ],
    ['a comment after an expression with quotes', `let:\n  a: event.id == "x" # the "known" one\n`],
    ['a time', `let:\n  a: 22:30\n`],
  ])('%s', (name, section) => {
    const bom = name === 'a byte order mark' ? '\uFEFF' : ''
    expect(idsOf(`${bom}${head}${section}${tail}`)).toEqual([])
  })
})
