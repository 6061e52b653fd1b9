import { describe, expect, test } from 'vitest'
import { analysed, problems, sound } from './analysed.ts'

describe('names', () => {
  test('sections refer to each other in any order', () => {
    const { variables } = sound({
      let: 'total: half * 2 + found.extra\nhalf: event.n / 2',
      enrich: 'found: { redis: "hash f:{half}", fields: { extra: int = 0 } }',
      filter: 'big: total > 10',
      sinks: 'out: { topic: results, key: event.id, value: { total: total, big: big } }',
    })
    expect(variables.map(({ name, type }) => [name, type.kind])).toEqual([
      ['total', 'int'],
      ['half', 'int'],
    ])
  })

  test.each([
    ['event', '"event" cannot be a name: sluice provides a value of that name'],
    ['now', '"now" cannot be a name: sluice provides a value of that name'],
    ['in', '"in" cannot be a name: it is a word of the expression language'],
    ['math', '"math" cannot be a name: it is a word of the expression language'],
    ['my-name', '"my-name" cannot be a name: expressions need letters, digits and "_", and no digit first'],
  ])('%s is reserved', (name, message) => {
    expect(problems({ let: `${name}: event.n + 1` })).toEqual([`reserved-name: ${message} | ${name}`])
  })

  test('there is one namespace', () => {
    const { lines, diagnostics } = analysed({ let: 'rich: event.n > 5', filter: 'rich: event.n > 6' })
    expect(lines).toEqual(['duplicate-name: "rich" is the name of two things: a variable and a filter | rich'])
    expect(diagnostics[0]!.notes).toEqual([{ message: 'The other "rich":', range: expect.anything() }])
  })

  test('an unknown name is told once, though others build upon it', () => {
    expect(problems({ let: 'a: evnt.n + 1\nb: a + 1', filter: 'c: b > 1' })).toEqual([
      'unknown-name: Nothing is called "evnt" here | evnt | event',
    ])
  })

  test.each([
    ['let', 'a: b + 1\nb: a + 1', 'expression-cycle: Variables "a" and "b" need each other\'s value | b'],
    ['let', 'a: a + 1', 'expression-cycle: Variable "a" needs its own value | a'],
    ['filter', 'a: (!b)\nb: (!a)', 'expression-cycle: Filter "a" and filter "b" need each other\'s value | b'],
    [
      'enrich',
      'b: { redis: "hash b:{c.?x}", fields: { x?: string } }\nc: { redis: "hash c:{b.?x}", fields: { x?: string } }',
      'enricher-cycle: Enrichers "b" and "c" need each other\'s result | c.?x',
    ],
    [
      'enrich',
      'b: { redis: "hash b:{b.?x}", fields: { x?: string } }',
      'enricher-cycle: Enricher "b" needs its own result | b.?x',
    ],
  ] as const)('a cycle in %s: %s', (section, text, line) => {
    expect(problems({ [section]: text })).toEqual([line])
  })

  test('a cycle names its other places and the remedy', () => {
    const text = 'a: b + 1\nb: c + 1\nc: a + 1'
    const { diagnostics } = analysed({ let: text })
    expect(diagnostics.map(({ message, notes }) => [message, notes.map(note => note.message)])).toEqual([
      [
        'Variables "a", "b" and "c" need each other\'s value',
        [
          'Variable "b" needs "c":',
          'Variable "c" needs "a":',
          'Remove one of the references, so that one of them can be found first.',
        ],
      ],
    ])
  })
})
