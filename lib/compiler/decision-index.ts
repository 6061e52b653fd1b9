// How a row is found without asking all of them: a tree that looks one column up at a time, by equality or by order, and leaves few rows
// to be tested. One long chain of tests stops being optimised by V8 (5,000 rows: 57 µs), and costs as much as the table is long.
import type { Type } from '../language/types.ts'
import { compareValues, keyOf } from '../scenario/decision/domain.ts'
import type { Cell } from '../scenario/scenario.ts'

export interface IndexTable {
  readonly columns: readonly IndexColumn[]
  /** By row, by column. */
  readonly cells: readonly (readonly Cell[])[]
}

export interface IndexColumn {
  readonly type: Type
  readonly mayBeMissing: boolean
}

export type Index =
  | { readonly kind: 'rows'; readonly rows: readonly RowTests[] }
  | { readonly kind: 'hash'; readonly column: number; readonly groups: readonly HashGroup[]; readonly otherwise: Index }
  /** Segment 2k+1 is point k, segment 2k lies before it. `otherwise`: missing, or not a number. */
  | {
      readonly kind: 'search'
      readonly column: number
      readonly points: readonly unknown[]
      readonly segments: readonly Index[]
      readonly otherwise: Index
    }
  /** Below the point (or at it), or above. */
  | {
      readonly kind: 'cut'
      readonly column: number
      readonly point: unknown
      readonly belowIncludesPoint: boolean
      readonly below: Index
      readonly above: Index
    }
  /** Leaves aside what is missing, or no number. */
  | { readonly kind: 'there'; readonly column: number; readonly index: Index; readonly otherwise: Index }
  /** Rows of either may hold. */
  | { readonly kind: 'both'; readonly left: Index; readonly right: Index }

export interface HashGroup {
  /** undefined: missing. */
  readonly value: unknown
  readonly index: Index
}

export interface RowTests {
  readonly row: number
  /** Columns whose cells are still to be tested. */
  readonly tests: readonly number[]
}

export interface IndexOptions {
  /** Only the first row that holds counts, so that nothing behind a row that surely holds matters. */
  readonly firstHit: boolean
  /** Row numbers in the order in which they are judged; default: as they stand. */
  readonly order?: readonly number[]
}

/** An index may be some times larger than its table, not more. */
const mostGrowth = 4

/** Fewer rows are tested as quickly as they are looked up. */
const fewRows = 8

export function buildIndex(table: IndexTable, { firstHit, order }: IndexOptions): Index {
  const finite = {
    ...table,
    cells: table.cells.map(cells => cells.map((cell, column) => withoutExclusion(cell, table.columns[column]!.type))),
  }
  const rank = new Map((order ?? [...table.cells.keys()]).map((row, place) => [row, place]))
  const rows = [...rank.keys()].map(
    (row): RowTests => ({ row, tests: finite.cells[row]!.flatMap((cell, column) => (cell.kind === 'any' ? [] : [column])) }),
  )
  return new Builder(finite, firstHit, rank).build(rows)
}

/** `!= true` is `false`: closed types have no other values. */
function withoutExclusion(cell: Cell, type: Type): Cell {
  if (cell.kind !== 'noneOf') return cell
  if (type.kind === 'bool') return { kind: 'oneOf', values: [false, true].filter(value => !cell.values.includes(value)) }
  if (type.kind === 'enum') return { kind: 'oneOf', values: type.values.filter(value => !cell.values.includes(value)) }
  return cell
}

interface Split {
  /** Rows that the column tells apart, and those that it does not. */
  readonly apart: readonly RowTests[]
  readonly others: readonly RowTests[]
  readonly column: number
}

/** A column in order; segment 2k+1 is point k, segment 2k lies before it. */
interface Line {
  readonly column: number
  readonly points: readonly unknown[]
  readonly type: Type
}

class Builder {
  readonly #table: IndexTable
  readonly #firstHit: boolean
  readonly #rank: ReadonlyMap<number, number>

  constructor(table: IndexTable, firstHit: boolean, rank: ReadonlyMap<number, number>) {
    this.#table = table
    this.#firstHit = firstHit
    this.#rank = rank
  }

  /** `growth`: how many times longer than `all` the lists below may be together, since a row may stand in several groups. */
  build(all: readonly RowTests[], growth = mostGrowth): Index {
    const rows = this.#untilSure(all)
    if (rows.length <= fewRows) return { kind: 'rows', rows }
    let best: { readonly split: Split; readonly longest: number } | undefined
    for (const column of this.#table.columns.keys()) {
      const split = this.#splitBy(column, rows)
      if (split.apart.length === 0) continue
      const longest = this.#longestGroup(split) + split.others.length
      if (longest < (best?.longest ?? rows.length)) best = { split, longest }
    }
    if (best === undefined) return { kind: 'rows', rows }
    return this.#usesHash(best.split) ? this.#hash(best.split, growth) : this.#search(best.split, growth)
  }

  #cell({ row }: RowTests, column: number): Cell {
    return this.#table.cells[row]![column]!
  }

  #untilSure(rows: readonly RowTests[]): readonly RowTests[] {
    if (!this.#firstHit) return rows
    const sure = rows.findIndex(({ tests }) => tests.length === 0)
    return sure === -1 ? rows : rows.slice(0, sure + 1)
  }

  #inOrder(rows: readonly RowTests[]): readonly RowTests[] {
    return rows.toSorted((a, b) => this.#rank.get(a.row)! - this.#rank.get(b.row)!)
  }

  #splitBy(column: number, rows: readonly RowTests[]): Split {
    const tells = (row: RowTests): boolean => row.tests.includes(column) && this.#cell(row, column).kind !== 'noneOf'
    return { column, apart: rows.filter(tells), others: rows.filter(row => !tells(row)) }
  }

  #usesHash({ column, apart }: Split): boolean {
    const { kind } = this.#table.columns[column]!.type
    // Instants are objects, and no keys of a Map.
    return kind !== 'timestamp' && kind !== 'duration' && apart.every(row => this.#cell(row, column).kind !== 'range')
  }

  /** An estimate: ranges are counted where they begin and where they end. */
  #longestGroup({ column, apart }: Split): number {
    const counts = new Map<string, number>()
    let openRanges = 0
    const count = (value: unknown): void => void counts.set(keyOf(value), (counts.get(keyOf(value)) ?? 0) + 1)
    for (const row of apart) {
      const cell = this.#cell(row, column)
      if (cell.kind === 'oneOf') cell.values.forEach(count)
      else if (cell.kind === 'missing') count(undefined)
      else if (cell.kind === 'range') {
        if (cell.low === undefined || cell.high === undefined) openRanges += 0.5
        count((cell.low ?? cell.high)!.value)
      }
    }
    let longest = 0
    for (const count of counts.values()) longest = Math.max(longest, count)
    return longest + openRanges
  }

  // ---- By equality

  #hash({ column, apart, others }: Split, growth: number): Index {
    const groups = new Map<string, { readonly value: unknown; readonly rows: RowTests[] }>()
    for (const row of apart) {
      const cell = this.#cell(row, column)
      for (const value of cell.kind === 'oneOf' ? cell.values : [undefined]) {
        const key = value === undefined ? 'missing' : `=${keyOf(value)}`
        const group = groups.get(key)
        if (group) group.rows.push(without(row, column))
        else groups.set(key, { value, rows: [without(row, column)] })
      }
    }
    // Rows that do not care stand in every group, unless that would make a large table larger.
    const rowCount = apart.length + others.length
    const grown = (apart.length + others.length * groups.size) / rowCount
    const apartFromOthers = others.length > fewRows && grown > growth
    const left = apartFromOthers ? growth : growth / Math.max(1, grown)
    const rowsOf = (rows: readonly RowTests[], value: unknown): readonly RowTests[] =>
      apartFromOthers ? rows : this.#inOrder([...rows, ...others.flatMap(row => this.#knowing(row, column, value))])
    const indexed: Index = {
      kind: 'hash',
      column,
      groups: [...groups.values()].map(({ value, rows }) => ({ value, index: this.build(rowsOf(rows, value), left) })),
      otherwise: this.build(apartFromOthers ? [] : others, left),
    }
    return apartFromOthers ? { kind: 'both', left: indexed, right: this.build(others, growth) } : indexed
  }

  /** A row that does not tell values apart, where the value is known. */
  #knowing(row: RowTests, column: number, value: unknown): readonly RowTests[] {
    const cell = this.#cell(row, column)
    if (cell.kind !== 'noneOf' || !row.tests.includes(column)) return [row]
    return value === undefined || cell.values.some(excluded => keyOf(excluded) === keyOf(value)) ? [] : [without(row, column)]
  }

  // ---- By order

  #search({ column, apart, others }: Split, growth: number): Index {
    const { type } = this.#table.columns[column]!
    const points = this.#points(apart, column)
    const rowCount = apart.length + others.length
    const limit = growth * rowCount + 2 * fewRows
    const apartFromOthers = others.length > fewRows && others.length * (2 * points.length + 1) > limit
    const missing = apart.filter(row => this.#cell(row, column).kind === 'missing')
    const inSegments = apartFromOthers ? apart : this.#inOrder([...apart, ...others])
    const otherwise = this.build(apartFromOthers ? missing : this.#inOrder([...missing, ...others]), growth)
    const line: Line = { column, points, type }
    const lists = this.#segments(inSegments, line, limit)
    let indexed: Index
    if (lists === undefined) {
      // Many rows span many segments: they stand once where they span all of a part.
      indexed = { kind: 'there', column, index: this.#halved(inSegments, line, { from: 0, to: 2 * points.length }), otherwise }
    } else {
      const total = lists.reduce((sum, list) => sum + list.length, 0)
      const left = growth / Math.max(1, total / inSegments.length)
      const indexes = new Map<string, Index>()
      const segments = lists.map(rows => {
        const key = rows.map(({ row, tests }) => `${row}:${tests.length}`).join()
        const index = indexes.get(key) ?? this.build(rows, left)
        indexes.set(key, index)
        return index
      })
      indexed = { kind: 'search', column, points, segments, otherwise }
    }
    return apartFromOthers ? { kind: 'both', left: indexed, right: this.build(others, growth) } : indexed
  }

  /** Rows that accept all segments from…to need no more of this column; the others are told apart by its halves. */
  #halved(rows: readonly RowTests[], line: Line, { from, to }: { readonly from: number; readonly to: number }): Index {
    const { column, points, type } = line
    const spanning: RowTests[] = []
    const others: RowTests[] = []
    for (const row of rows) {
      const parts = this.#parts(row, column, points, type).filter(([first, last]) => first <= to && last >= from)
      if (parts.some(([first, last]) => first <= from && last >= to)) {
        spanning.push(this.#cell(row, column).kind === 'noneOf' ? row : without(row, column))
      } else if (parts.length > 0) others.push(row)
    }
    // One copy is enough: the rows of a part are no more than its share of the table.
    const whole = this.build(spanning, 1)
    if (others.length === 0) return whole
    const middle = (from + to) >>> 1
    const half = (range: { readonly from: number; readonly to: number }): Index => this.#halved(others, line, range)
    const cut: Index =
      others.length <= fewRows
        ? { kind: 'rows', rows: others }
        : {
            kind: 'cut',
            column,
            point: points[middle >>> 1],
            // Segment 2k+1 is point k itself.
            belowIncludesPoint: middle % 2 === 1,
            below: half({ from, to: middle }),
            above: half({ from: middle + 1, to }),
          }
    return spanning.length === 0 ? cut : { kind: 'both', left: whole, right: cut }
  }

  #points(rows: readonly RowTests[], column: number): readonly unknown[] {
    const points = new Map<string, unknown>()
    for (const row of rows) {
      const cell = this.#cell(row, column)
      if (cell.kind === 'oneOf') for (const value of cell.values) points.set(keyOf(value), value)
      if (cell.kind === 'range') for (const bound of [cell.low, cell.high]) if (bound) points.set(keyOf(bound.value), bound.value)
    }
    const { type } = this.#table.columns[column]!
    return [...points.values()].sort((a, b) => compareValues(a, b, type))
  }

  /** First and last segment of each part of the cell. */
  #parts(row: RowTests, column: number, points: readonly unknown[], type: Type): readonly (readonly [number, number])[] {
    const cell = this.#cell(row, column)
    const last = 2 * points.length
    const segmentOf = (value: unknown): number => 2 * lowerBound(points, value, type) + 1
    switch (row.tests.includes(column) ? cell.kind : 'any') {
      case 'missing':
        return []
      case 'oneOf':
        return (cell as Cell & { kind: 'oneOf' }).values.map(value => [segmentOf(value), segmentOf(value)] as const)
      case 'range': {
        const { low, high } = cell as Cell & { kind: 'range' }
        const from = low === undefined ? 0 : segmentOf(low.value) + (low.inclusive ? 0 : 1)
        const to = high === undefined ? last : segmentOf(high.value) - (high.inclusive ? 0 : 1)
        return from <= to ? [[from, to]] : []
      }
      default:
        return [[0, last]]
    }
  }

  /** The rows of each segment, or undefined if they are more than `limit` altogether. Halves the segments, and leaves behind what a sure row hides. */
  #segments(
    rows: readonly RowTests[],
    { column, points, type }: Line,
    limit: number,
  ): readonly (readonly RowTests[])[] | undefined {
    const parts = new Map(rows.map(row => [row, this.#parts(row, column, points, type)]))
    const lists: (readonly RowTests[])[] = []
    let total = 0
    const fill = (from: number, to: number, candidates: readonly RowTests[]): void => {
      if (total > limit) return
      const meeting: RowTests[] = []
      for (const row of candidates) {
        const part = parts.get(row)!.find(([first, last]) => first <= to && last >= from)
        if (part === undefined) continue
        meeting.push(row)
        const isSure =
          part[0] <= from &&
          part[1] >= to &&
          row.tests.every(test => test === column && this.#cell(row, column).kind !== 'noneOf')
        if (isSure && this.#firstHit) break
      }
      if (from < to) {
        const middle = (from + to) >>> 1
        fill(from, middle, meeting)
        fill(middle + 1, to, meeting)
        return
      }
      total += meeting.length
      const point = from % 2 === 1 ? points[from >>> 1] : undefined
      lists[from] = meeting.flatMap(row => {
        if (this.#cell(row, column).kind !== 'noneOf') return [without(row, column)]
        return point === undefined ? [row] : this.#knowing(row, column, point)
      })
    }
    fill(0, 2 * points.length, rows)
    return total > limit ? undefined : lists
  }
}

const without = ({ row, tests }: RowTests, column: number): RowTests => ({ row, tests: tests.filter(test => test !== column) })

/** The number of points below the value. */
export function lowerBound(points: readonly unknown[], value: unknown, type: Type): number {
  let low = 0
  let high = points.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareValues(points[middle], value, type) < 0) low = middle + 1
    else high = middle
  }
  return low
}
