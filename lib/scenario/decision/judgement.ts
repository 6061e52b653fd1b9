// Whether the rows agree with the hit policy, for all records at once; told with a case that shows it.

import type { Checked } from '../../language/checked.ts'
import { textOfDecimal, textOfDouble, textOfInt, textOfTimestamp } from '../../language/standard/output.ts'
import { durationText } from '../../language/standard/time.ts'
import type { Duration, Int, Timestamp } from '../../language/standard/values.ts'
import type { Type } from '../../language/types.ts'
import type { Report } from '../report.ts'
import type { DecisionSyntax } from '../syntax.ts'
import { findOverlaps, type Grid, judgeCoverage } from './coverage.ts'
import { type Domain, domainOf, type Intervals, keyOf } from './domain.ts'
import { type NumberedRow, originNote, type TableRows } from './table-rows.ts'

/** Of one kind per table: whoever has made a mistake 10,000 times needs to see it a few times. */
const mostReports = 20

/** Reports what is wrong; gives whether a row holds for every record. */
export function judgeRows(syntax: DecisionSyntax, table: TableRows, report: Report): boolean {
  const hitPolicy = syntax.hitPolicy?.value ?? 'unique'
  if (hitPolicy === 'collect') return true
  return table.form === 'rules' ? judgeRules(syntax, table, report) : judgeTable(syntax, table, report)
}

function judgeTable(syntax: DecisionSyntax, table: TableRows, report: Report): boolean {
  const hitPolicy = syntax.hitPolicy?.value ?? 'unique'
  const name = syntax.name.value
  const columns = columnsOf(table)
  const grid = gridOf(columns, table)
  const firstHit = hitPolicy === 'first' && syntax.rank === undefined
  reportEmptyRows(grid, table, name, report)
  if (hitPolicy === 'unique' || hitPolicy === 'any') reportOverlaps({ hitPolicy, name, columns, grid }, table, report)
  const coverage = judgeCoverage(grid, { firstHit })
  for (const row of coverage.unreachable.slice(0, mostReports)) {
    if (grid.boxes[row]!.some(cell => cell.length === 0)) continue
    const {
      number,
      row: { range },
    } = table.rows[row]!
    const acceptor = acceptorOf(row, grid)
    report.add('unreachable-row', { row: number, table: name }, range, {
      notes: [
        unreachableNote(number, acceptor === undefined ? undefined : table.rows[acceptor], grid, acceptor),
        ...originNote(table.rows[row]!),
      ],
    })
  }
  if (syntax.forEach) return reportEmptyList(syntax, report)
  const isCovered = coverage.judged && coverage.uncovered === undefined
  if (!isCovered && syntax.onMissing === undefined) {
    const example = coverage.uncovered ? describeCase(columns, coverage.uncovered) : 'every case, as far as can be seen'
    report.add('missing-rows', { table: name, example }, placeOf(syntax), { notes: [cure] })
  }
  return isCovered && !mayBeNaN(table)
}

const cure = 'Add rows, a last row of "-" cells with the hit policy "first", or "onMissing: drop" or "deadLetter".'

const placeOf = ({ name, table }: DecisionSyntax) => (table && !table.text.includes('\n') ? table.range : name.range)

/** A list without elements has no row that holds. */
function reportEmptyList(syntax: DecisionSyntax, report: Report): false {
  if (syntax.onMissing === undefined) {
    report.add('missing-rows', { table: syntax.name.value, example: 'an empty list' }, syntax.name.range, {
      notes: ['Add "onMissing: drop" or "deadLetter".'],
    })
  }
  return false
}

// 0.0 / 0.0 is neither below 5 nor from 5 on; a record that brings it has no row, though every number has one.
function mayBeNaN({ inputs, rows }: TableRows): boolean {
  const isComputed = ({ type, source }: Checked): boolean => type.kind === 'double' && !/^[\w.?`\s-]+$/.test(source)
  const computed = inputs.flatMap((input, column) => (isComputed(input) ? [column] : []))
  return (
    computed.length > 0 &&
    !rows.some(({ row }) =>
      row.cells.every(({ kind }, column) => kind === 'any' || (kind === 'noneOf' && computed.includes(column))),
    )
  )
}

// ---- Rules

// Conditions are opaque: only a rule without one is known to hold.
function judgeRules(syntax: DecisionSyntax, { rows }: TableRows, report: Report): boolean {
  const hitPolicy = syntax.hitPolicy?.value ?? 'unique'
  const name = syntax.name.value
  const always = rows.findIndex(({ row }) => row.when === undefined)
  if ((hitPolicy === 'unique' || hitPolicy === 'any') && rows.length > 1) {
    const [first, second] = always === -1 ? [0, 1] : always === 0 ? [0, 1] : [0, always]
    const key = hitPolicy === 'any' ? 'overlapping-rows/any' : 'overlapping-rows'
    if (hitPolicy === 'unique' || outputsKey(rows[first]!) !== outputsKey(rows[second]!)) {
      report.add(key, { first: first + 1, second: second + 1, table: name }, rows[second]!.row.range, {
        notes: ['Only cells of a table can be seen to exclude each other. Use a table, or the hit policy "first" or "collect".'],
      })
    }
  }
  if (hitPolicy === 'first' && syntax.rank === undefined && always !== -1) {
    for (const { number, row } of rows.slice(always + 1, always + 1 + mostReports)) {
      report.add('unreachable-row', { row: number, table: name }, row.range, {
        notes: [
          `With the hit policy "first", row ${always + 1} already accepts every record. Move row ${number} above row ${always + 1}, or remove it.`,
        ],
      })
    }
  }
  if (syntax.forEach) return reportEmptyList(syntax, report)
  if (always === -1 && syntax.onMissing === undefined) {
    report.add('missing-rows/rules', { table: name }, syntax.name.range, {
      notes: ['Add a last rule without "when", or "onMissing: drop" or "deadLetter".'],
    })
  }
  return always !== -1
}

// ---- Grid

interface Column {
  readonly input: Checked
  readonly domain: Domain
  /** Columns of the table with this heading: `amount` may stand twice, for its lower and its upper bound. */
  readonly indexes: readonly number[]
}

function columnsOf({ inputs, rows }: TableRows): readonly Column[] {
  const bySource = new Map<string, number[]>()
  for (const [index, { source }] of inputs.entries()) {
    const indexes = bySource.get(source.trim())
    if (indexes) indexes.push(index)
    else bySource.set(source.trim(), [index])
  }
  return [...bySource.values()].map(indexes => {
    const input = inputs[indexes[0]!]!
    const cells = rows.flatMap(({ row }) => indexes.map(index => row.cells[index]!))
    return { input, indexes, domain: domainOf(input, cells) }
  })
}

function gridOf(columns: readonly Column[], { rows }: TableRows): Grid {
  const boxes = rows.map(({ row }) =>
    columns.map(({ domain, indexes }) => indexes.map(index => domain.atomsOf(row.cells[index]!)).reduce(intersection)),
  )
  return { domains: columns.map(({ domain }) => domain), boxes }
}

function intersection(a: Intervals, b: Intervals): Intervals {
  const both: number[] = []
  for (let i = 0; i < a.length; i += 2) {
    for (let j = 0; j < b.length; j += 2) {
      const first = Math.max(a[i]!, b[j]!)
      const last = Math.min(a[i + 1]!, b[j + 1]!)
      if (first <= last) both.push(first, last)
    }
  }
  return both
}

// ---- Reports

function reportEmptyRows({ boxes }: Grid, { rows }: TableRows, table: string, report: Report): void {
  for (const [index, box] of boxes.entries()) {
    if (box.every(cell => cell.length > 0)) continue
    const {
      number,
      row: { range },
    } = rows[index]!
    report.add('unreachable-row', { row: number, table }, range, {
      notes: ['Its cells accept no value.', ...originNote(rows[index]!)],
    })
  }
}

interface Judged {
  readonly hitPolicy: 'unique' | 'any'
  readonly name: string
  readonly columns: readonly Column[]
  readonly grid: Grid
}

function reportOverlaps({ hitPolicy, name, columns, grid }: Judged, { rows }: TableRows, report: Report): void {
  const groupOf = hitPolicy === 'any' ? (row: number): string => outputsKey(rows[row]!) : undefined
  for (const { first, second, atoms } of findOverlaps(grid, { ...(groupOf && { groupOf }), limit: mostReports })) {
    const values = { first: rows[first]!.number, second: rows[second]!.number, table: name }
    const key = hitPolicy === 'any' ? 'overlapping-rows/any' : 'overlapping-rows'
    const example = describeCase(
      columns,
      atoms.map(atom => [atom, atom] as const),
    )
    const notes = [
      `Both hold for ${example}.`,
      { message: `Row ${values.first}:`, range: rows[first]!.row.range },
      'With the hit policy "first" the upper one would be chosen.',
      ...originNote(rows[second]!),
    ]
    report.add(key, values, rows[second]!.row.range, {
      notes: rows[first]!.origin === undefined ? notes : notes.filter(note => typeof note === 'string'),
    })
  }
}

/** Equal for rows that are seen to have equal outputs. */
function outputsKey({ row }: NumberedRow): string {
  return JSON.stringify(
    row.outputs.map(output =>
      'literal' in output ? ['literal', typeof output.literal, keyOf(output.literal)] : ['expression', output.expression.source],
    ),
  )
}

/** One earlier row that alone accepts whatever `row` accepts. */
function acceptorOf(row: number, { boxes }: Grid): number | undefined {
  for (let earlier = 0; earlier < row; earlier++) {
    if (boxes[row]!.every((cell, column) => isWithin(cell, boxes[earlier]![column]!))) return earlier
  }
  return undefined
}

function isWithin(inner: Intervals, outer: Intervals): boolean {
  for (let i = 0; i < inner.length; i += 2) {
    let found = false
    for (let j = 0; j < outer.length && !found; j += 2) found = outer[j]! <= inner[i]! && outer[j + 1]! >= inner[i + 1]!
    if (!found) return false
  }
  return true
}

function unreachableNote(
  number: number,
  acceptor: NumberedRow | undefined,
  { domains, boxes }: Grid,
  index: number | undefined,
): string {
  if (acceptor === undefined || index === undefined) {
    return `With the hit policy "first", the rows above already accept all that row ${number} accepts. Move row ${number} up, or remove it.`
  }
  const above = acceptor.number
  const acceptsAll = boxes[index]!.every((cell, column) => cell[0] === 0 && cell[1] === domains[column]!.atomCount - 1)
  const what = acceptsAll ? 'every record' : `all that row ${number} accepts`
  return `With the hit policy "first", row ${above} already accepts ${what}. Move row ${number} above row ${above}, or remove it.`
}

/** `profile.plan gold, abroad false`; columns that do not matter are left out. */
function describeCase(columns: readonly Column[], ranges: readonly (readonly [first: number, last: number])[]): string {
  const words = columns.flatMap(({ input, domain }, column) => {
    const [first, last] = ranges[column]!
    if (first === 0 && last === domain.atomCount - 1) return []
    return [`${input.source.trim()} ${describeValue(domain.valueOf(first), input.type)}`]
  })
  return words.length === 0 ? 'any record' : words.join(', ')
}

function describeValue(value: unknown, type: Type): string {
  if (value === undefined) return 'missing'
  switch (type.kind) {
    case 'int':
      return textOfInt(value as Int)
    case 'double':
      return textOfDouble(value as number)
    case 'decimal':
      return textOfDecimal(value as Int, type.digits)
    case 'timestamp':
      return textOfTimestamp(value as Timestamp)
    case 'duration':
      return durationText(value as Duration)
    case 'string':
      return JSON.stringify(value)
    default:
      return String(value)
  }
}
