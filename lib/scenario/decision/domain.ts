// A column's values, cut where its cells tell them apart: `< 5`, `[5..10)`, `>= 10` cut the numbers into below 5, 5, between, 10, above.
// Within such a part (an atom) all cells agree, so that questions about all values become questions about few atoms. Atoms are
// numbered in order; a cell is the intervals of atoms that it accepts.
import { Duration, type Int, Timestamp } from '../../language/standard/values.ts'
import type { Type } from '../../language/types.ts'
import type { Bound, Cell } from '../scenario.ts'
import type { ColumnType } from './cells.ts'

export interface Domain {
  readonly atomCount: number
  /** `[first, last, first, last, …]`, ascending and not touching. */
  readonly atomsOf: (cell: Cell) => Intervals
  /** A value of the atom; undefined is a missing one. */
  readonly valueOf: (atom: number) => unknown
}

export type Intervals = readonly number[]

export function domainOf({ type, mayBeMissing }: ColumnType, cells: readonly Cell[]): Domain {
  const hasRanges = cells.some(cell => cell.kind === 'range')
  const points = sortedPoints(cells, type)
  // Every value of the domain in order, then "missing".
  const atoms = hasRanges ? orderedAtoms(points, type) : discreteAtoms(points, type)
  const atomOfPoint = new Map(atoms.flatMap((atom, index) => (atom.isPoint ? [[keyOf(atom.value), index] as const] : [])))
  const presentCount = atoms.length
  const missing = presentCount
  const atomCount = presentCount + (mayBeMissing ? 1 : 0)
  const indexOf = (value: unknown): number => atomOfPoint.get(keyOf(value))!

  const rangeOf = (low: Bound | undefined, high: Bound | undefined): Intervals => {
    const first = low === undefined ? 0 : indexOf(low.value) + (low.inclusive ? 0 : 1)
    const last = high === undefined ? presentCount - 1 : indexOf(high.value) - (high.inclusive ? 0 : 1)
    return first <= last ? [first, last] : []
  }
  return {
    atomCount,
    atomsOf: cell => {
      switch (cell.kind) {
        case 'any':
          return atomCount === 0 ? [] : [0, atomCount - 1]
        case 'missing':
          return mayBeMissing ? [missing, missing] : []
        case 'oneOf':
          return joined(cell.values.map(indexOf).sort((a, b) => a - b))
        case 'noneOf':
          return without(
            cell.values.map(indexOf).sort((a, b) => a - b),
            presentCount,
          )
        case 'range':
          return rangeOf(cell.low, cell.high)
      }
    },
    valueOf: atom => atoms[atom]?.value,
  }
}

function joined(atoms: readonly number[]): Intervals {
  const intervals: number[] = []
  for (const atom of atoms) {
    if (intervals.at(-1) === atom - 1) intervals[intervals.length - 1] = atom
    else intervals.push(atom, atom)
  }
  return intervals
}

function without(atoms: readonly number[], count: number): Intervals {
  const intervals: number[] = []
  let start = 0
  for (const atom of [...atoms, count]) {
    if (start < atom) intervals.push(start, atom - 1)
    start = atom + 1
  }
  return intervals
}

interface Atom {
  readonly value: unknown
  /** The value is all that the atom holds, and a cell names it. */
  readonly isPoint: boolean
}

const point = (value: unknown): Atom => ({ value, isPoint: true })
const others = (value: unknown): Atom => ({ value, isPoint: false })

function discreteAtoms(points: readonly unknown[], type: Type): readonly Atom[] {
  if (type.kind === 'bool') return [point(false), point(true)]
  if (type.kind === 'enum') {
    const rest = type.values.find(value => !points.includes(value))
    return rest === undefined ? points.map(point) : [...points.map(point), others(rest)]
  }
  return [...points.map(point), others(otherValue(points, type))]
}

/** One that no cell names. */
function otherValue(points: readonly unknown[], type: Type): unknown {
  const last = points.at(-1)
  switch (type.kind) {
    case 'int':
    case 'decimal': {
      let value = 0n
      const taken = new Set(points.map(value => BigInt(value as Int)))
      while (taken.has(value)) value++
      return canonical(value)
    }
    case 'double': {
      let value = 0
      while (points.includes(value)) value++
      return value
    }
    case 'timestamp':
      return last === undefined ? new Timestamp(0, 0) : new Timestamp((last as Timestamp).seconds + 1, 0)
    case 'duration':
      return last === undefined ? new Duration(0, 0) : new Duration((last as Duration).seconds + 1, 0)
    default: {
      let value = type.kind === 'timezone' ? 'UTC' : 'other'
      while (points.includes(value)) value += '!'
      return value
    }
  }
}

// Gaps that hold no value are left out: nothing is between the ints 4 and 5.
function orderedAtoms(points: readonly unknown[], type: Type): readonly Atom[] {
  const atoms: Atom[] = []
  for (let i = 0; i <= points.length; i++) {
    const between = valueBetween(points[i - 1], points[i], type)
    if (between !== undefined) atoms.push(others(between))
    if (i < points.length) atoms.push(point(points[i]))
  }
  return atoms
}

const lowestInt = -(2n ** 63n)
const highestInt = 2n ** 63n - 1n

/** A value strictly between two; an end that is undefined is the type's own. */
function valueBetween(low: unknown, high: unknown, type: Type): unknown {
  switch (type.kind) {
    case 'int':
    case 'decimal':
      return integerBetween(low as Int | undefined, high as Int | undefined)
    case 'double':
      return doubleBetween(low as number | undefined, high as number | undefined)
    case 'timestamp': {
      const nanos = nanosBetween(low as Timestamp | undefined, high as Timestamp | undefined)
      return nanos && new Timestamp(Number(floorDivide(nanos.value, billion)), Number(floorModulo(nanos.value, billion)))
    }
    case 'duration': {
      const nanos = nanosBetween(low as Duration | undefined, high as Duration | undefined)
      return nanos && new Duration(Number(nanos.value / billion), Number(nanos.value % billion))
    }
    default:
      return stringBetween(low as string | undefined, high as string | undefined)
  }
}

function integerBetween(low: Int | undefined, high: Int | undefined): Int | undefined {
  const first = low === undefined ? lowestInt : BigInt(low) + 1n
  const last = high === undefined ? highestInt : BigInt(high) - 1n
  if (first > last) return undefined
  return canonical(low === undefined ? last : first)
}

const canonical = (value: bigint): Int =>
  value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value

function doubleBetween(low: number | undefined, high: number | undefined): number | undefined {
  const candidates =
    low === undefined
      ? [(high ?? 0) - 1, (high ?? 0) * 2, -Number.MAX_VALUE]
      : high === undefined
        ? [low + 1, low * 2, Number.MAX_VALUE]
        : [Math.floor(low) + 1, low / 2 + high / 2, (low + high) / 2]
  return candidates.find(value => (low === undefined || value > low) && (high === undefined || value < high))
}

const billion = 1_000_000_000n
const floorModulo = (value: bigint, by: bigint): bigint => ((value % by) + by) % by
const floorDivide = (value: bigint, by: bigint): bigint => (value - floorModulo(value, by)) / by

// In an object, since the bigint 0 is false.
function nanosBetween(
  low: Timestamp | Duration | undefined,
  high: Timestamp | Duration | undefined,
): { readonly value: bigint } | undefined {
  const nanosOf = ({ seconds, nanos }: Timestamp | Duration): bigint => BigInt(seconds) * billion + BigInt(nanos)
  if (low === undefined) return { value: high === undefined ? 0n : nanosOf(high) - billion }
  const first = nanosOf(low)
  if (high === undefined) return { value: first + billion }
  const span = nanosOf(high) - first
  return span <= 1n ? undefined : { value: first + (span > billion ? billion : 1n) }
}

function stringBetween(low: string | undefined, high: string | undefined): string | undefined {
  const isBetween = (value: string): boolean =>
    (low === undefined || compareStrings(low, value) < 0) && (high === undefined || compareStrings(value, high) < 0)
  if (low === undefined) return ['a', 'A', '0', ' ', ''].find(isBetween)
  return [`${low}a`, `${low}0`, `${low} `, `${low}\u0000`].find(isBetween)
}

function sortedPoints(cells: readonly Cell[], type: Type): readonly unknown[] {
  const points = new Map<string, unknown>()
  const add = (value: unknown): void => void points.set(keyOf(value), value)
  for (const cell of cells) {
    if (cell.kind === 'oneOf' || cell.kind === 'noneOf') cell.values.forEach(add)
    if (cell.kind === 'range' && cell.low) add(cell.low.value)
    if (cell.kind === 'range' && cell.high) add(cell.high.value)
  }
  return [...points.values()].sort((a, b) => compareValues(a, b, type))
}

/** Equal values of one type have equal keys. */
export function keyOf(value: unknown): string {
  if (value instanceof Timestamp || value instanceof Duration) return `${value.seconds}.${value.nanos}`
  return String(value)
}

export function compareValues(a: unknown, b: unknown, type: Type): number {
  switch (type.kind) {
    case 'timestamp':
    case 'duration': {
      const [left, right] = [a as Timestamp, b as Timestamp]
      return left.seconds - right.seconds || left.nanos - right.nanos
    }
    case 'string':
    case 'enum':
    case 'timezone':
      return compareStrings(a as string, b as string)
    default:
      return (a as Int) < (b as Int) ? -1 : (a as Int) > (b as Int) ? 1 : 0
  }
}

/** By code points; UTF-16 puts surrogates below U+E000. */
function compareStrings(a: string, b: string): number {
  if (a === b) return 0
  const shorter = Math.min(a.length, b.length)
  for (let i = 0; i < shorter; i++) {
    const [left, right] = [a.charCodeAt(i), b.charCodeAt(i)]
    if (left === right) continue
    const isSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdfff
    if (isSurrogate(left) !== isSurrogate(right) && left >= 0xd800 && right >= 0xd800) return isSurrogate(left) ? 1 : -1
    return left - right
  }
  return a.length - b.length
}
