import { expect, test } from 'vitest'
import { Timestamp } from '../../lib/language/standard/values.ts'
import { any, below, compiled, decisionOf, expression, from, interpreted, is, missing, not, type Values } from './decisions.ts'

const string = { kind: 'string' } as const
const int = { kind: 'int' } as const
const double = { kind: 'double' } as const
const bool = { kind: 'bool' } as const
const instant = { kind: 'timestamp', unit: 'rfc3339' } as const

const offers = decisionOf({
  hitPolicy: 'first',
  rank: { output: 'score', order: 'descending' },
  inputs: [
    expression('plan', { kind: 'enum', values: ['basic', 'gold'] }),
    expression('abroad', bool),
    expression('upgrade', double),
  ],
  outputs: [
    { name: 'action', type: string },
    { name: 'score', type: double },
  ],
  rows: [
    {
      cells: [is('basic'), any, from(0.2)],
      outputs: [{ literal: 'OFFER_UPGRADE' }, { expression: expression('upgrade * 18', double) }],
    },
    {
      cells: [any, is(true), any],
      outputs: [{ literal: 'ROAMING_PACK' }, { expression: expression('roaming * 9.5 + 1', double) }],
    },
  ],
})

test.each<[string, Values, unknown]>([
  ['the better of two', { plan: 'basic', abroad: true, upgrade: 0.3, roaming: 0.6 }, { action: 'ROAMING_PACK', score: 6.7 }],
  ['the only one', { plan: 'basic', abroad: false, upgrade: 0.5, roaming: 0 }, { action: 'OFFER_UPGRADE', score: 9 }],
  ['the first of equals', { plan: 'basic', abroad: true, upgrade: 0.5, roaming: 8 / 9.5 }, { action: 'OFFER_UPGRADE', score: 9 }],
  ['none', { plan: 'gold', abroad: false, upgrade: 0.5, roaming: 0 }, undefined],
  [
    'a number before what is none',
    { plan: 'basic', abroad: true, upgrade: Number.NaN, roaming: 1 },
    { action: 'ROAMING_PACK', score: 10.5 },
  ],
])('first with a computed rank chooses %s', (_, values, expected) => {
  expect(compiled(offers).decide(values)).toEqual(expected)
  expect(interpreted(offers, values)).toEqual(expected)
})

const cells = (type: Parameters<typeof expression>[1], cell: ReturnType<typeof is>, mayBeMissing = false) =>
  decisionOf({
    inputs: [expression('x', type, mayBeMissing)],
    outputs: [{ name: 'y', type: int }],
    rows: [{ cells: [cell], outputs: [{ literal: 1 }] }],
  })

const noon = new Timestamp(43_200, 0)
const nearlyNoon = new Timestamp(43_199, 999_999_999)

test.each([
  ['a text', cells(string, is('a', 'b')), 'b', true],
  ['another text', cells(string, is('a', 'b')), 'c', false],
  ['a text that is excluded', cells(string, not('PL')), 'PL', false],
  ['a text that is not excluded', cells(string, not('PL')), 'DE', true],
  ['a missing value where one is excluded', cells(string, not('PL'), true), undefined, false],
  ['a missing value', cells(string, missing, true), undefined, true],
  ['a missing value before noon', cells(instant, below(noon), true), undefined, false],
  ['an instant before noon', cells(instant, below(noon)), nearlyNoon, true],
  ['noon from noon on', cells(instant, from(noon)), noon, true],
  ['an int beyond 2^53', cells(int, is(9007199254740993n)), 9007199254740993n, true],
  ['an int above one beyond 2^53', cells(int, from(9007199254740993n)), 9007199254740994n, true],
  ['a small int below one beyond 2^53', cells(int, below(9007199254740993n)), 5, true],
  ['what is no number, below 5', cells(double, below(5)), Number.NaN, false],
  ['what is no number, not 5', cells(double, not(5)), Number.NaN, true],
  ['an emoji above U+FFFF', cells(string, from('\uffff')), '😀', true],
])('a cell judges %s', (_, decision, x, holds) => {
  expect(compiled(decision).decide({ x })).toEqual(holds ? { y: 1 } : undefined)
  expect(interpreted(decision, { x })).toEqual(holds ? { y: 1 } : undefined)
})

const tags = decisionOf({
  hitPolicy: 'collect',
  inputs: [expression('n', int)],
  outputs: [
    { name: 'tag', type: string },
    { name: 'weight', type: int },
  ],
  rows: [
    { cells: [from(1)], outputs: [{ literal: 'one' }, { literal: 3 }] },
    { cells: [from(2)], outputs: [{ literal: 'two' }, { literal: 9 }] },
    { cells: [any], outputs: [{ literal: 'always' }, { literal: 3 }] },
  ],
})

test.each([
  ['all that hold, in their order', tags, 1, ['one', 'always']],
  ['the first two', { ...tags, limit: 2 }, 2, ['one', 'two']],
  [
    'the best first, ties by row',
    { ...tags, rank: { output: 'weight', order: 'descending' as const } },
    2,
    ['two', 'one', 'always'],
  ],
  ['the two least', { ...tags, rank: { output: 'weight', order: 'ascending' as const }, limit: 2 }, 2, ['one', 'always']],
])('collect gives %s', (_, decision, n, expected) => {
  const tagsOf = (found: unknown): unknown => (found as { tag: string }[]).map(({ tag }) => tag)
  expect(tagsOf(compiled(decision).decide({ n }))).toEqual(expected)
  expect(tagsOf(interpreted(decision, { n }))).toEqual(expected)
})

const perElement = decisionOf({
  hitPolicy: 'first',
  forEach: { element: 'p', list: expression('list', { kind: 'list', element: { kind: 'object', fields: new Map() } }) },
  inputs: [expression('p.value', int)],
  outputs: [{ name: 'code', type: string }],
  rows: [
    { cells: [is(1)], outputs: [{ literal: 'A' }] },
    { cells: [from(2)], outputs: [{ expression: expression('p.code', string) }] },
  ],
})

const elements = [
  { value: 0, code: 'x' },
  { value: 3, code: 'y' },
  { value: 1, code: 'z' },
]

test.each([
  ['first', perElement, { p: elements[1], code: 'y' }],
  ['first with rank', { ...perElement, rank: { output: 'code', order: 'ascending' as const } }, { p: elements[2], code: 'A' }],
  [
    'collect',
    { ...perElement, hitPolicy: 'collect' as const },
    [
      { p: elements[1], code: 'y' },
      { p: elements[2], code: 'A' },
    ],
  ],
])('forEach with %s carries the element under its name', (_, decision, expected) => {
  expect(compiled(decision).decide({ list: elements })).toEqual(expected)
  expect(interpreted(decision, { list: elements })).toEqual(expected)
})

test('an output may be called __proto__', () => {
  const decision = decisionOf({
    inputs: [],
    outputs: [{ name: '__proto__', type: int }],
    rows: [{ cells: [], outputs: [{ literal: 5 }] }],
  })
  expect(Object.entries(compiled(decision).decide({}) as object)).toEqual([['__proto__', 5]])
})

test('rules are judged in their order, and by the hundred', () => {
  const rows = Array.from({ length: 150 }, (_, row) => ({
    cells: [],
    when: expression(`n === ${row}`, bool),
    outputs: [{ expression: expression(`n + ${row}`, int) }],
  }))
  const decision = decisionOf({ form: 'rules', inputs: [], outputs: [{ name: 'sum', type: int }], rows })
  const { decide } = compiled(decision)
  expect([0, 59, 60, 149, 150].map(n => decide({ n }))).toEqual([{ sum: 0 }, { sum: 118 }, { sum: 120 }, { sum: 298 }, undefined])
  const all = compiled({ ...decision, hitPolicy: 'collect' })
  expect(all.decide({ n: 149 })).toEqual([{ sum: 298 }])
})
