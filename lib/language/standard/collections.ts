// Functions of lists, maps and optionals.
import { compare, equals, mapKey } from './comparison.ts'
import { addInt } from './integer.ts'
import { addDurations } from './time.ts'
import { Duration, ExpressionFailure, type Int, Optional } from './values.ts'

/** Fails out of range. */
export function elementAt<Element>(list: readonly Element[], index: Int): Element {
  if (index < 0 || index >= list.length) throw new ExpressionFailure('index out of range: the list is shorter')
  return list[Number(index)]!
}

/** `in` a list. */
export function listHas(list: readonly unknown[], value: unknown): boolean {
  for (let i = 0; i < list.length; i++) if (equals(list[i], value)) return true
  return false
}

/** Undefined where the map has no such key. */
export function mapGet<Value>(map: ReadonlyMap<unknown, Value>, key: unknown): Value | undefined {
  const value = map.get(key)
  if (value !== undefined || typeof key === 'string') return value
  const other = mapKey(map, key)
  return other === undefined ? undefined : map.get(other)
}

/** Fails where the map has no such key. */
export function valueAt<Value>(map: ReadonlyMap<unknown, Value>, key: unknown): Value {
  const value = mapGet(map, key)
  if (value === undefined) throw new ExpressionFailure('no such key')
  return value
}

/** `in` a map. */
export function mapHas(map: ReadonlyMap<unknown, unknown>, key: unknown): boolean {
  return mapGet(map, key) !== undefined
}

/** Fails for keys that are equal, and for those that can be no key. */
export function mapOf(entries: readonly (readonly [key: unknown, value: unknown])[]): Map<unknown, unknown> {
  const map = new Map<unknown, unknown>()
  for (const [key, value] of entries) {
    if (mapKey(map, key) !== undefined) throw new ExpressionFailure('a map has a repeated key')
    map.set(key, value)
  }
  return map
}

export function concat<Element>(a: readonly Element[], b: readonly Element[]): readonly Element[] {
  return a.concat(b)
}

export function sumOfInts(list: readonly Int[]): Int {
  let sum: Int = 0
  for (const value of list) sum = addInt(sum, value)
  return sum
}

export { sumOfInts as sumOfDecimals }

export function sumOfDoubles(list: readonly number[]): number {
  let sum = 0
  for (const value of list) sum += value
  return sum
}

export function sumOfDurations(list: readonly Duration[]): Duration {
  let sum = new Duration(0, 0)
  for (const value of list) sum = addDurations(sum, value)
  return sum
}

export function first<Element>(list: readonly Element[]): Element {
  if (list.length === 0) throw emptyList('first')
  return list[0]!
}

export function last<Element>(list: readonly Element[]): Element {
  if (list.length === 0) throw emptyList('last')
  return list[list.length - 1]!
}

/** The first of those with the least value. */
export function minBy<Element>(list: readonly Element[], measure: (element: Element) => unknown): Element {
  return best(list, measure, -1, 'least')
}

/** The first of those with the greatest value. */
export function maxBy<Element>(list: readonly Element[], measure: (element: Element) => unknown): Element {
  return best(list, measure, 1, 'greatest')
}

function best<Element>(list: readonly Element[], measure: (element: Element) => unknown, sign: number, name: string): Element {
  if (list.length === 0) throw emptyList(name)
  let found = list[0]!
  let value = measure(found)
  for (let i = 1; i < list.length; i++) {
    const other = measure(list[i]!)
    if (compare(other, value) * sign > 0) {
      found = list[i]!
      value = other
    }
  }
  return found
}

function emptyList(name: string): ExpressionFailure {
  return new ExpressionFailure(`an empty list has no ${name} element`)
}

export function optionalOf(value: unknown): Optional {
  return new Optional(value)
}

/** Of a value that may be missing. */
export function optionalOfMissing(value: unknown): Optional {
  return value === undefined ? Optional.none : new Optional(value)
}

export function hasValue(optional: Optional): boolean {
  return optional !== Optional.none
}

/** Fails without a value. */
export function valueOfOptional(optional: Optional): unknown {
  if (optional === Optional.none) throw new ExpressionFailure('optional.none() dereference: there is no value')
  return optional.value
}

export function elementOrNone(list: readonly unknown[], index: Int): Optional {
  return index < 0 || index >= list.length ? Optional.none : new Optional(list[Number(index)])
}
