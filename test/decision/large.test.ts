// Large tables: what is counted is work, not time.
import { expect, test } from 'vitest'
import { findOverlaps, type Grid, judgeCoverage } from '../../lib/scenario/decision/coverage.ts'
import { domainOf } from '../../lib/scenario/decision/domain.ts'
import type { Cell, Decision } from '../../lib/scenario/scenario.ts'
import { any, compiled, decisionOf, expression, from, interpreted, is, not } from './decisions.ts'

const string = { kind: 'string' } as const
const int = { kind: 'int' } as const
const bool = { kind: 'bool' } as const
const between = (low: number, high: number): Cell => ({
  kind: 'range',
  low: { value: low, inclusive: true },
  high: { value: high, inclusive: false },
})

const table = (inputs: Decision['inputs'], rows: readonly (readonly Cell[])[]): Decision =>
  decisionOf({
    hitPolicy: 'first',
    inputs,
    outputs: [{ name: 'row', type: int }],
    rows: rows.map((cells, row) => ({ cells, outputs: [{ literal: row }] })),
  })

/** Equality, ranges, rows that do not care, and one for the rest. */
const mixed = (rowCount: number): Decision =>
  table(
    [expression('shop', string), expression('kind', string), expression('amount', int), expression('abroad', bool)],
    Array.from({ length: rowCount }, (_, row) =>
      row === rowCount - 1
        ? [any, any, any, any]
        : [
            is(`s${row % 100}`),
            row % 3 === 0 ? any : is(`p${row % 7}`),
            between(Math.floor(row / 100) * 10, Math.floor(row / 100) * 10 + 10),
            row % 5 === 0 ? is(true) : any,
          ],
    ),
  )

/** Open ranges in two columns, of which none hides another. */
const stairs = (rowCount: number): Decision =>
  table(
    [expression('amount', int), expression('count', int), expression('kind', string)],
    Array.from({ length: rowCount }, (_, row) => [from(rowCount - row), from(row), row % 2 === 0 ? any : not(`p${row % 7}`)]),
  )

const gridOf = ({ inputs, rows }: Decision): Grid => {
  const domains = inputs.map((input, column) =>
    domainOf(
      input,
      rows.map(({ cells }) => cells[column]!),
    ),
  )
  return { domains, boxes: rows.map(({ cells }) => cells.map((cell, column) => domains[column]!.atomsOf(cell))) }
}

test.each<[string, Decision]>([
  ['10,000 rows of the usual kind', mixed(10_000)],
  ['2,000 rows of open ranges', stairs(2_000)],
])('a large table is analysed and compiled in bounded steps: %s', (_, decision) => {
  const grid = gridOf(decision)
  const coverage = { steps: 0 }
  expect(judgeCoverage(grid, { firstHit: true }, coverage).judged).toBe(true)
  const overlaps = { steps: 0 }
  findOverlaps(grid, { limit: 20 }, overlaps)
  // All pairs would be 50,000,000 times the columns.
  expect(coverage.steps).toBeLessThan(2_000_000)
  expect(overlaps.steps).toBeLessThan(10_000_000)
  expect(compiled(decision).code.length).toBeLessThan(10_000_000)
})

test.each<[string, Decision]>([
  ['mixed', mixed(1_000)],
  ['stairs', stairs(300)],
])('a large table decides as the plain loop does: %s', (_, decision) => {
  const { decide, code } = compiled(decision)
  const functions = code.match(/^function /gm) ?? []
  expect(functions.length).toBeGreaterThan(5)
  for (let n = 0; n < 150; n++) {
    const values = {
      shop: `s${(n * 37) % 110}`,
      kind: `p${n % 8}`,
      amount: (n * 53) % 320,
      count: (n * 29) % 310,
      abroad: n % 2 === 0,
    }
    expect(decide(values)).toEqual(interpreted(decision, values))
  }
})

test('no function of the generated code tests more than 60 rows', () => {
  for (const decision of [mixed(10_000), stairs(1_000)]) {
    const functions = compiled(decision)
      .code.split(/^function /m)
      .slice(1)
    const longest = functions.reduce((most, text) => Math.max(most, (text.match(/return \d+/g) ?? []).length), 0)
    // Each case of a switch also ends with what is returned where none of its rows holds.
    expect(longest).toBeLessThanOrEqual(120)
  }
})
