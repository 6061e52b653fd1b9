// Random tables: the compiled form, with its indexes, decides as the plain loop does; what the analysis says of all records holds for each.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fits } from '../../lib/compiler/decision-interpreter.ts'
import { Timestamp } from '../../lib/language/standard/values.ts'
import type { Type } from '../../lib/language/types.ts'
import { findOverlaps, type Grid, judgeCoverage } from '../../lib/scenario/decision/coverage.ts'
import { domainOf } from '../../lib/scenario/decision/domain.ts'
import type { Cell, Decision } from '../../lib/scenario/scenario.ts'
import { compiled, decisionOf, expression, interpreted } from './decisions.ts'

interface Kind {
  readonly type: Type
  readonly mayBeMissing: boolean
  /** Values of cells, in order. */
  readonly points: readonly unknown[]
  /** Values of records: the points, what lies between and outside, and oddities. */
  readonly values: readonly unknown[]
  readonly hasRanges: boolean
}

const kinds: readonly Kind[] = [
  { type: { kind: 'bool' }, mayBeMissing: false, points: [false, true], values: [false, true], hasRanges: false },
  {
    type: { kind: 'enum', values: ['basic', 'gold', 'silver'] },
    mayBeMissing: true,
    points: ['basic', 'gold', 'silver'],
    values: ['basic', 'gold', 'silver', undefined],
    hasRanges: false,
  },
  {
    type: { kind: 'string' },
    mayBeMissing: true,
    points: ['', 'a', 'b', '\uffff', '😀'],
    values: ['', 'A', 'a', 'ab', 'b', '\uffff', '😀', 'zz', undefined],
    hasRanges: true,
  },
  {
    type: { kind: 'int' },
    mayBeMissing: false,
    points: [0, 1, 2, 5, 9007199254740993n],
    values: [-1, 0, 1, 2, 3, 5, 6, 9007199254740991, 9007199254740993n, 9007199254740994n],
    hasRanges: true,
  },
  {
    type: { kind: 'double' },
    mayBeMissing: true,
    points: [-0.5, 0, 0.5, 1],
    values: [-1, -0.5, -0.25, -0, 0, 0.25, 0.5, 0.75, 1, 2, Number.NaN, undefined],
    hasRanges: true,
  },
  {
    type: { kind: 'timestamp', unit: 'rfc3339' },
    mayBeMissing: true,
    points: [new Timestamp(0, 0), new Timestamp(0, 1), new Timestamp(5, 0)],
    values: [
      new Timestamp(-1, 999_999_999),
      new Timestamp(0, 0),
      new Timestamp(0, 1),
      new Timestamp(0, 2),
      new Timestamp(5, 0),
      new Timestamp(6, 0),
      undefined,
    ],
    hasRanges: true,
  },
]

function cellArbitrary({ points, mayBeMissing, hasRanges }: Kind): fc.Arbitrary<Cell> {
  const index = fc.nat(points.length - 1)
  const some = fc.uniqueArray(index, { minLength: 1, maxLength: 3 }).map(indexes => indexes.map(i => points[i]))
  const cells: fc.Arbitrary<Cell>[] = [
    fc.constant({ kind: 'any' }),
    some.map(values => ({ kind: 'oneOf', values })),
    some.map(values => ({ kind: 'noneOf', values })),
  ]
  if (mayBeMissing) cells.push(fc.constant({ kind: 'missing' }))
  if (hasRanges) {
    cells.push(
      fc.record({ at: index, inclusive: fc.boolean(), isLow: fc.boolean() }).map(({ at, inclusive, isLow }): Cell => {
        const bound = { value: points[at], inclusive }
        return isLow ? { kind: 'range', low: bound } : { kind: 'range', high: bound }
      }),
      fc
        .record({ a: index, b: index, lowInclusive: fc.boolean(), highInclusive: fc.boolean() })
        .map(({ a, b, lowInclusive, highInclusive }): Cell => {
          const [low, high] = [Math.min(a, b), Math.max(a, b)]
          const isPoint = low === high
          return {
            kind: 'range',
            low: { value: points[low], inclusive: isPoint || lowInclusive },
            high: { value: points[high], inclusive: isPoint || highInclusive },
          }
        }),
    )
  }
  return fc.oneof(...cells)
}

interface Table {
  readonly columns: readonly Kind[]
  readonly rows: readonly (readonly Cell[])[]
}

const tables = (maxRows: number): fc.Arbitrary<Table> =>
  fc.array(fc.constantFrom(...kinds), { minLength: 1, maxLength: 3 }).chain(columns =>
    fc.record({
      columns: fc.constant(columns),
      rows: fc.array(fc.tuple(...columns.map(cellArbitrary)), { minLength: 1, maxLength: maxRows }),
    }),
  )

function decision({ columns, rows }: Table, parts: Partial<Decision>): Decision {
  return decisionOf({
    ...parts,
    inputs: columns.map(({ type, mayBeMissing }, column) => expression(`x${column}`, type, mayBeMissing)),
    outputs: [
      { name: 'row', type: { kind: 'int' } },
      { name: 'weight', type: { kind: 'double' } },
    ],
    rows: rows.map((cells, row) => ({
      cells,
      outputs: [
        { literal: row },
        row % 3 === 0 ? { expression: expression(`w * ${row % 4}`, { kind: 'double' }) } : { literal: (row * 7) % 5 },
      ],
    })),
  })
}

/** All records over the columns' values. */
function records(columns: readonly Kind[]): readonly (readonly unknown[])[] {
  return columns.reduce<readonly (readonly unknown[])[]>(
    (partial, { values }) => partial.flatMap(record => values.map(value => [...record, value])),
    [[]],
  )
}

const policies: readonly Partial<Decision>[] = [
  { hitPolicy: 'first' },
  { hitPolicy: 'first', rank: { output: 'weight', order: 'descending' } },
  { hitPolicy: 'first', rank: { output: 'row', order: 'descending' } },
  { hitPolicy: 'collect' },
  { hitPolicy: 'collect', limit: 2 },
  { hitPolicy: 'collect', rank: { output: 'weight', order: 'ascending' }, limit: 3 },
]

test.each(policies)('compiled and interpreted agree: %o', parts => {
  let indexed = 0
  fc.assert(
    fc.property(tables(60), fc.array(fc.nat(), { minLength: 12, maxLength: 12 }), (table, picks) => {
      const made = decision(table, parts)
      const { decide, code } = compiled(made)
      if (/new Map|while \(low|switch \(q/.test(code)) indexed++
      const all = records(table.columns)
      for (const pick of picks) {
        const record = all[pick % all.length]!
        const values = { w: 1.5, ...Object.fromEntries(record.map((value, column) => [`x${column}`, value])) }
        expect(decide(values)).toEqual(interpreted(made, values))
      }
    }),
    { seed: 20261125, numRuns: 120 },
  )
  // The indexes have been used, not only the chain of tests.
  expect(indexed).toBeGreaterThan(20)
})

// ---- What the analysis says, against all records

function gridOf({ columns, rows }: Table): Grid {
  const domains = columns.map((kind, column) =>
    domainOf(
      kind,
      rows.map(cells => cells[column]!),
    ),
  )
  return { domains, boxes: rows.map(cells => cells.map((cell, column) => domains[column]!.atomsOf(cell))) }
}

/** Without what is no number: the analysis speaks of values that a record can bring. */
const realRecords = (columns: readonly Kind[]): readonly (readonly unknown[])[] =>
  records(columns).filter(record => !record.some(value => Number.isNaN(value)))

const holding = ({ columns, rows }: Table, record: readonly unknown[]): readonly number[] =>
  [...rows.keys()].filter(row => rows[row]!.every((cell, column) => fits(record[column], cell, columns[column]!.type)))

test('every value lies in one atom, and a cell accepts all of an atom or nothing', () => {
  fc.assert(
    fc.property(tables(6), table => {
      const { domains, boxes } = gridOf(table)
      for (const [column, domain] of domains.entries()) {
        for (let atom = 0; atom < domain.atomCount; atom++) {
          const value = domain.valueOf(atom)
          for (const [row, cells] of table.rows.entries()) {
            const intervals = boxes[row]![column]!
            const accepted = intervals.some((_, i) => i % 2 === 0 && intervals[i]! <= atom && intervals[i + 1]! >= atom)
            expect(accepted).toBe(fits(value, cells[column]!, table.columns[column]!.type))
          }
        }
      }
    }),
    { seed: 20261125, numRuns: 300 },
  )
})

test('a case without a row is found if and only if there is one, and shown', () => {
  let covered = 0
  fc.assert(
    fc.property(tables(12), table => {
      const grid = gridOf(table)
      const { uncovered, judged } = judgeCoverage(grid, { firstHit: false })
      expect(judged).toBe(true)
      const isCovered = realRecords(table.columns).every(record => holding(table, record).length > 0)
      if (isCovered) covered++
      if (!isCovered) expect(uncovered).toBeDefined()
      if (uncovered)
        expect(
          holding(
            table,
            uncovered.map(([atom], column) => grid.domains[column]!.valueOf(atom)),
          ),
        ).toEqual([])
    }),
    { seed: 20261125, numRuns: 400 },
  )
  expect(covered).toBeGreaterThan(20)
})

test('a row is unreachable if and only if no record has it as the first', () => {
  let unreachable = 0
  fc.assert(
    fc.property(tables(12), table => {
      const grid = gridOf(table)
      const atomRecords = grid.domains.reduce<readonly (readonly unknown[])[]>(
        (partial, domain) =>
          partial.flatMap(record => Array.from({ length: domain.atomCount }, (_, atom) => [...record, domain.valueOf(atom)])),
        [[]],
      )
      const firsts = new Set(atomRecords.map(record => holding(table, record)[0]))
      const expected = [...table.rows.keys()].filter(row => !firsts.has(row))
      unreachable += expected.length
      expect(judgeCoverage(grid, { firstHit: true }).unreachable).toEqual(expected)
    }),
    { seed: 20261125, numRuns: 300 },
  )
  expect(unreachable).toBeGreaterThan(50)
})

test('rows that can hold together are found, each with the first such row above, and shown', () => {
  fc.assert(
    fc.property(tables(40), table => {
      const grid = gridOf(table)
      const overlaps = findOverlaps(grid, { limit: 1000 })
      const pairs = new Map<number, number>()
      for (let second = 1; second < table.rows.length; second++) {
        const meets = (first: number): boolean =>
          grid.domains.every((domain, column) =>
            Array.from({ length: domain.atomCount }, (_, atom) => domain.valueOf(atom)).some(value => {
              const { type } = table.columns[column]!
              return fits(value, table.rows[first]![column]!, type) && fits(value, table.rows[second]![column]!, type)
            }),
          )
        const first = [...Array(second).keys()].find(meets)
        if (first !== undefined) pairs.set(second, first)
      }
      expect(new Map(overlaps.map(({ first, second }) => [second, first]))).toEqual(pairs)
      for (const { first, second, atoms } of overlaps) {
        const record = atoms.map((atom, column) => grid.domains[column]!.valueOf(atom))
        expect(holding(table, record)).toEqual(expect.arrayContaining([first, second]))
      }
    }),
    { seed: 20261125, numRuns: 60 },
  )
})
