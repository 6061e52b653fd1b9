// What can be said about all records at once: which rows can hold together, which can never be the first to hold, and which case no row
// covers. Rows are boxes in a grid of atoms (domain.ts). Large tables are the point: 10,000 rows are analysed in seconds, so that the
// pairs are met 32 at a time, and coverage is decided by halving the grid with only the rows that matter in each half.
import type { Domain, Intervals } from './domain.ts'

export interface Grid {
  readonly domains: readonly Domain[]
  /** By row, by column. An empty cell (of no atom) makes a row that never holds. */
  readonly boxes: readonly (readonly Intervals[])[]
}

export interface Work {
  /** Counts steps, so that tests can bound them without a clock. */
  steps: number
}

// ---- Rows that can hold together

export interface Overlap {
  readonly first: number
  readonly second: number
  /** An atom per column where both hold. */
  readonly atoms: readonly number[]
}

export interface OverlapOptions {
  /** Rows of one group may hold together (`any`: equal outputs). */
  readonly groupOf?: (row: number) => string
  readonly limit: number
}

const blockRows = 1024

/** For each row the first earlier row that can hold with it; at most `limit` of them. */
export function findOverlaps(
  { domains, boxes }: Grid,
  { groupOf, limit }: OverlapOptions,
  work: Work = { steps: 0 },
): readonly Overlap[] {
  const overlaps = new Map<number, Overlap>()
  const groups = groupOf && boxes.map((_, row) => groupOf(row))
  for (let start = 0; start < boxes.length && overlaps.size < limit; start += blockRows) {
    const end = Math.min(start + blockRows, boxes.length)
    const words = Math.ceil((end - start) / 32)
    const columns = domains.map(
      (domain, column) =>
        new ColumnBlock(
          domain.atomCount,
          words,
          boxes.slice(start, end).map(box => box[column]!),
        ),
    )
    const groupBits = groups && bitsByGroup(groups.slice(start, end), words)
    for (let row = start + 1; row < boxes.length && overlaps.size < limit; row++) {
      if (overlaps.has(row)) continue
      const bits = new Uint32Array(words).fill(0xffffffff)
      for (const [column, block] of columns.entries()) {
        const meeting = block.rowsMeeting(boxes[row]![column]!)
        for (let word = 0; word < words; word++) bits[word]! &= meeting[word]!
      }
      work.steps += words * columns.length
      const sameGroup = groupBits?.get(groups![row]!)
      if (sameGroup) for (let word = 0; word < words; word++) bits[word]! &= ~sameGroup[word]!
      const first = start + lowestBit(bits)
      if (first >= Math.min(row, end) || boxes[row]!.some(cell => cell.length === 0)) continue
      overlaps.set(row, {
        first,
        second: row,
        atoms: boxes[row]!.map((cell, column) => commonAtom(cell, boxes[first]![column]!)!),
      })
    }
  }
  return [...overlaps.values()].sort((a, b) => a.second - b.second)
}

function bitsByGroup(groups: readonly string[], words: number): ReadonlyMap<string, Uint32Array> {
  const bits = new Map<string, Uint32Array>()
  for (const [row, group] of groups.entries()) {
    const rows = bits.get(group) ?? new Uint32Array(words)
    bits.set(group, rows)
    rows[row >>> 5]! |= 1 << (row & 31)
  }
  return bits
}

function lowestBit(bits: Uint32Array): number {
  for (const [word, value] of bits.entries()) if (value !== 0) return word * 32 + 31 - Math.clz32(value & -value)
  return Number.POSITIVE_INFINITY
}

function commonAtom(a: Intervals, b: Intervals): number | undefined {
  for (let i = 0; i < a.length; i += 2) {
    for (let j = 0; j < b.length; j += 2) {
      const first = Math.max(a[i]!, b[j]!)
      if (first <= Math.min(a[i + 1]!, b[j + 1]!)) return first
    }
  }
  return undefined
}

// One column of a block of rows as a segment tree over atoms: a row marks the O(log n) nodes that its intervals are made of (`covers`)
// and all nodes above them (`touches`). An interval meets the rows that touch one of its own nodes or cover a node above one.
class ColumnBlock {
  readonly #size: number
  readonly #words: number
  readonly #covers: Uint32Array
  readonly #touches: Uint32Array
  readonly #known = new Map<string, Uint32Array>()

  constructor(atomCount: number, words: number, cells: readonly Intervals[]) {
    let size = 1
    while (size < atomCount) size *= 2
    this.#size = size
    this.#words = words
    this.#covers = new Uint32Array(2 * size * words)
    this.#touches = new Uint32Array(2 * size * words)
    for (const [row, cell] of cells.entries()) {
      const [word, bit] = [row >>> 5, 1 << (row & 31)]
      for (let i = 0; i < cell.length; i += 2) {
        this.#visit(cell[i]!, cell[i + 1]!, node => {
          this.#covers[node * words + word]! |= bit
          for (let above = node; above >= 1; above >>>= 1) this.#touches[above * words + word]! |= bit
        })
      }
    }
  }

  rowsMeeting(cell: Intervals): Uint32Array {
    const key = cell.join()
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const bits = new Uint32Array(this.#words)
    const add = (from: Uint32Array, node: number): void => {
      for (let word = 0; word < this.#words; word++) bits[word]! |= from[node * this.#words + word]!
    }
    for (let i = 0; i < cell.length; i += 2) {
      this.#visit(cell[i]!, cell[i + 1]!, node => {
        add(this.#touches, node)
        for (let above = node >>> 1; above >= 1; above >>>= 1) add(this.#covers, above)
      })
    }
    this.#known.set(key, bits)
    return bits
  }

  /** The nodes that [first, last] is made of; node 1 is the root, the children of n are 2n and 2n + 1. */
  #visit(first: number, last: number, visit: (node: number) => void): void {
    let low = first + this.#size
    let high = last + this.#size + 1
    while (low < high) {
      if (low & 1) visit(low++)
      if (high & 1) visit(--high)
      low >>>= 1
      high >>>= 1
    }
  }
}

// ---- Cases without a row, rows without a case

export interface Coverage {
  /** An atom range per column that no row accepts; undefined: every case is covered. */
  readonly uncovered?: readonly (readonly [first: number, last: number])[]
  /** Rows that are never the first to hold; empty unless `firstHit`. */
  readonly unreachable: readonly number[]
  /** False: the table is too tangled to be judged within the limit of steps; then nothing is claimed of what is left. */
  readonly judged: boolean
}

export interface CoverageOptions {
  /** Whether rows are to be told that are never the first to hold. */
  readonly firstHit: boolean
  readonly stepLimit?: number
}

/** Rows in file order. */
export function judgeCoverage(
  { domains, boxes }: Grid,
  { firstHit, stepLimit = 30_000_000 }: CoverageOptions,
  work: Work = { steps: 0 },
): Coverage {
  const reached = new Uint8Array(boxes.length)
  let uncovered: (readonly [number, number])[] | undefined
  let exhausted = false
  const low = domains.map(() => 0)
  const high = domains.map(({ atomCount }) => atomCount - 1)

  // `rows` meet the box low…high. One that accepts all of it leaves nothing for those behind it.
  const visit = (candidates: readonly number[]): void => {
    if (exhausted) return
    const rows: number[] = []
    let isCovered = false
    for (const row of candidates) {
      work.steps++
      const fit = fitOf(boxes[row]!, low, high)
      if (fit === 'none') continue
      rows.push(row)
      if (fit === 'all') {
        isCovered = true
        break
      }
    }
    if (work.steps > stepLimit) {
      exhausted = true
      return
    }
    if (rows.length === 0) {
      uncovered ??= low.map((first, column) => [first, high[column]!] as const)
      return
    }
    if (isCovered && rows.length === 1) {
      reached[rows[0]!] = 1
      return
    }
    const nothingToLearn = (isCovered || uncovered !== undefined) && (!firstHit || rows.every(row => reached[row] === 1))
    if (nothingToLearn) return
    const { column, at } = cutOf(boxes, rows, low, high)
    work.steps += rows.length
    const [first, last] = [low[column]!, high[column]!]
    high[column] = at - 1
    visit(rows)
    high[column] = last
    low[column] = at
    visit(rows)
    low[column] = first
  }
  if (domains.every(({ atomCount }) => atomCount > 0)) visit([...boxes.keys()])
  const unreachable = firstHit && !exhausted ? [...boxes.keys()].filter(row => reached[row] === 0) : []
  return { ...(uncovered === undefined ? {} : { uncovered }), unreachable, judged: !exhausted }
}

type Fit = 'none' | 'some' | 'all'

function fitOf(box: readonly Intervals[], low: readonly number[], high: readonly number[]): Fit {
  let fit: Fit = 'all'
  for (let column = 0; column < box.length; column++) {
    const cell = fitOfCell(box[column]!, low[column]!, high[column]!)
    if (cell === 'none') return 'none'
    if (cell === 'some') fit = 'some'
  }
  return fit
}

function fitOfCell(cell: Intervals, low: number, high: number): Fit {
  for (let i = 0; i < cell.length; i += 2) {
    if (cell[i]! > high) return 'none'
    if (cell[i + 1]! < low) continue
    return cell[i]! <= low && cell[i + 1]! >= high ? 'all' : 'some'
  }
  return 'none'
}

/** The column that most rows cut, at the middle of their cuts. */
function cutOf(
  boxes: Grid['boxes'],
  rows: readonly number[],
  low: readonly number[],
  high: readonly number[],
): { readonly column: number; readonly at: number } {
  let best: { readonly column: number; readonly cuts: readonly number[] } | undefined
  for (const column of low.keys()) {
    if (low[column] === high[column]) continue
    const cuts: number[] = []
    for (const row of rows) {
      const cell = boxes[row]![column]!
      for (let i = 0; i < cell.length; i += 2) {
        if (cell[i]! > low[column]! && cell[i]! <= high[column]!) cuts.push(cell[i]!)
        if (cell[i + 1]! >= low[column]! && cell[i + 1]! < high[column]!) cuts.push(cell[i + 1]! + 1)
      }
    }
    if (cuts.length > (best?.cuts.length ?? 0)) best = { column, cuts }
  }
  // A row that accepts only part of the box cuts it somewhere.
  const { column, cuts } = best!
  return { column, at: cuts.toSorted((a, b) => a - b)[cuts.length >>> 1]! }
}
