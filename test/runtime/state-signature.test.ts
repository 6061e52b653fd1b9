// Which changes of what a scenario keeps the stored values survive (state.md 6.6), and which are refused: before anything is decided.
import { describe, expect, test } from 'vitest'
import { signatureOf } from '../../lib/compiler/planning.ts'
import { compareSignatures } from '../../lib/plan/signature.ts'
import { checkScenario } from '../../lib/scenario/check.ts'

const remember = (fields: string) => `visit: { key: event.id, fields: { ${fields} }, set: {} }`
const cap = (rest: string) => `visit: { key: event.id, limit: 3${rest} }`

function signature(state: string): string {
  const { scenario, diagnostics } = checkScenario(
    'functions/test.yml',
    `scenario: test
description: Keeps.
source: { topic: things, event: { id: string, n: int, d: decimal(2), e: decimal(3) } }
state:
  ${state}
sinks: { out: { topic: out, value: event } }
`,
  )
  if (scenario === undefined) throw new Error(diagnostics.map(({ message }) => message).join('\n'))
  return signatureOf(scenario)
}

test.each([
  ['an enumeration with more texts', remember('p?: basic | gold'), remember('p?: basic | gold | platinum')],
  ['in another order', remember('p?: basic | gold'), remember('p?: gold | basic')],
  ['a string in its place', remember('p?: basic | gold'), remember('p?: string')],
  ['a string in place of a time zone', remember('p?: timezone'), remember('p?: string')],
  ['a new field with a default', remember('n?: int'), remember('n?: int, more: int = 7')],
  ['a new field that may be missing', remember('n?: int'), remember('n?: int, more?: string')],
  ['a default in place of ?', remember('n?: int'), remember('n: int = 3')],
  ['a field less', remember('n?: int, more?: int'), remember('n?: int')],
  ['another name', remember('n?: int'), remember('m?: string')],
  ['an object with a field more', remember('o?: { a: int }'), remember('o?: { a: int, b?: string }')],
  ['an object with a field less', remember('o?: { a: int, b: string }'), remember('o?: { a: int }')],
  ['a list of more texts', remember('l?: list<a | b>'), remember('l?: list<a | b | c>')],
  ['another limit and window', cap(''), cap(', within: 3d')],
  ['a cap under another name', cap(', take: event.n'), cap(', take: event.d').replace('visit', 'budget')],
])('compatible: %s', (_, before, after) => {
  expect(compareSignatures(signature(before), signature(after)).kind).toBe('compatible')
})

test.each([
  ['another type', remember('n?: int'), remember('n?: string'), { field: 'n', stored: 'int', declared: 'string' }],
  ['a number of another kind', remember('n?: int'), remember('n?: double'), { field: 'n', stored: 'int', declared: 'double' }],
  [
    'another scale',
    remember('n?: decimal(2)'),
    remember('n?: decimal(3)'),
    { field: 'n', stored: 'decimal(2)', declared: 'decimal(3)' },
  ],
  [
    'an enumeration without one of its texts',
    remember('p?: basic | gold'),
    remember('p?: gold | platinum'),
    { field: 'p', stored: 'basic | gold', declared: 'gold | platinum' },
  ],
  [
    'an object that needs what was not stored',
    remember('o?: { a: int }'),
    remember('o?: { a: int, b: int }'),
    { field: 'o', stored: '{ a: int }', declared: '{ a: int, b: int }' },
  ],
  [
    'an object that needs what may be missing',
    remember('o?: { a?: int }'),
    remember('o?: { a: int }'),
    { field: 'o', stored: '{ a?: int }', declared: '{ a: int }' },
  ],
  [
    'a list of other things',
    remember('l?: list<int>'),
    remember('l?: list<string>'),
    { field: 'l', stored: '{ <list>: int }', declared: '{ <list>: string }' },
  ],
  [
    'an object in place of a list',
    remember('l?: list<int>'),
    remember('l?: { a?: int }'),
    { field: 'l', stored: '{ <list>: int }', declared: '{ a?: int }' },
  ],
  [
    'units in place of records',
    cap(''),
    cap(', take: event.n'),
    { field: undefined, stored: 'a cap of records', declared: 'a cap of int' },
  ],
  [
    'other units',
    cap(', take: event.n'),
    cap(', take: event.d'),
    { field: undefined, stored: 'a cap of int', declared: 'a cap of decimal(2)' },
  ],
  [
    'units of another scale',
    cap(', take: event.d'),
    cap(', take: event.e'),
    { field: undefined, stored: 'a cap of decimal(2)', declared: 'a cap of decimal(3)' },
  ],
  [
    'a cap in place of fields',
    remember('n?: int'),
    cap(''),
    { field: undefined, stored: 'remembered fields', declared: 'a cap of records' },
  ],
])('a new generation or name: %s', (_, before, after, difference) => {
  expect(compareSignatures(signature(before), signature(after))).toEqual({ kind: 'different', entry: 'visit', ...difference })
})

describe('what was dropped is still stored', () => {
  test.each([
    ['a field', remember('n?: int, p?: int'), remember('p?: int'), remember('n?: timestamp'), 'n'],
    [
      'a field of an object',
      remember('o?: { a: int, b?: int }'),
      remember('o?: { a: int }'),
      remember('o?: { a: int, b?: string }'),
      'o',
    ],
    ['an entry', remember('n?: int'), cap('').replace('visit', 'other'), remember('n?: string'), 'n'],
  ])('%s that comes back with another type is refused, with its own it is there', (_, first, without, other, field) => {
    const kept = compareSignatures(signature(first), signature(without))
    if (kept.kind === 'different') throw new Error('the second is compatible with the first')
    expect(compareSignatures(kept.signature, signature(first)).kind).toBe('compatible')
    expect(compareSignatures(kept.signature, signature(other))).toMatchObject({ kind: 'different', field })
  })
})
