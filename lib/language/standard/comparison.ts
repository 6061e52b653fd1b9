// Equality and order of all values, where static types do not say that JavaScript's own will do.
import { compareDurations, compareTimestamps } from './time.ts'
import { Decimal, Double, Duration, ExpressionFailure, type Int, Optional, Timestamp, TypeName, Uint } from './values.ts'

/** CEL's `==`: deep; numbers are equal if their values are, whatever their types; other values of two types never are. */
export function equals(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) {
    // Of primitives only an unwrapped and a wrapped number can still be equal.
    return isNumber(a) && isNumber(b) && compareNumbers(a, b) === 0
  }
  if (Array.isArray(a)) return Array.isArray(b) && equalLists(a, b)
  if (a instanceof Map) return b instanceof Map && equalMaps(a, b)
  if (a instanceof Timestamp) return b instanceof Timestamp && a.seconds === b.seconds && a.nanos === b.nanos
  if (a instanceof Duration) return b instanceof Duration && a.seconds === b.seconds && a.nanos === b.nanos
  if (isNumber(a)) return isNumber(b) && compareNumbers(a, b) === 0
  if (a instanceof Uint8Array) return b instanceof Uint8Array && compareBytes(a, b) === 0
  if (a instanceof Optional) {
    if (!(b instanceof Optional) || a === Optional.none || b === Optional.none) return false
    return equals(a.value, b.value)
  }
  if (a instanceof TypeName) return b instanceof TypeName && a.name === b.name
  return isObject(b) && equalObjects(a, b)
}

/**
 * Less than 0, 0, or more; NaN where there is no order (with NaN), so that `compare(a, b) < 0` and its like are right for all.
 * Fails for values of two types, and for those that CEL gives no order.
 */
export function compare(a: unknown, b: unknown): number {
  if (isNumber(a) && isNumber(b)) return compareNumbers(a, b)
  if (typeof a === 'string' && typeof b === 'string') return compareStrings(a, b)
  if (typeof a === 'boolean' && typeof b === 'boolean') return Number(a) - Number(b)
  if (a instanceof Timestamp && b instanceof Timestamp) return compareTimestamps(a, b)
  if (a instanceof Duration && b instanceof Duration) return compareDurations(a, b)
  if (a instanceof Uint8Array && b instanceof Uint8Array) return compareBytes(a, b)
  throw new ExpressionFailure('no such overload: these two values have no order')
}

/** By code points. JavaScript compares UTF-16 units, in which 😀 (a pair of surrogates, 0xD8…) stands before U+FF5E. */
export function compareStrings(a: string, b: string): number {
  if (a === b) return 0
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x !== y) return x >= 0xd800 && y >= 0xd800 ? rank(a, i, x) - rank(b, i, y) : x - y
  }
  return a.length - b.length
}

// Pairs come after all other units; a surrogate that has lost its partner is a code point like any other.
function rank(text: string, i: number, unit: number): number {
  return unit < 0xe000 && text.isWellFormed() ? unit + 0x10000 : exactRank(text, i, unit)
}

function exactRank(text: string, i: number, unit: number): number {
  if (unit >= 0xe000) return unit
  const high = unit < 0xdc00
  const partner = text.charCodeAt(high ? i + 1 : i - 1)
  const paired = high ? partner >= 0xdc00 && partner < 0xe000 : partner >= 0xd800 && partner < 0xdc00
  return paired ? unit + 0x10000 : unit
}

export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return a.length - b.length
}

export type NumberValue = Int | Uint | Double | Decimal

export function isNumber(value: unknown): value is NumberValue {
  switch (typeof value) {
    case 'number':
    case 'bigint':
      return true
    case 'object':
      return value instanceof Double || value instanceof Uint || value instanceof Decimal
    default:
      return false
  }
}

/** By value, whatever their types; NaN with NaN. */
export function compareNumbers(a: NumberValue, b: NumberValue): number {
  if (a instanceof Decimal || b instanceof Decimal) return compareDecimals(a, b)
  // As the suite has it, an int is rounded to a double before it is compared with one.
  const isDouble = a instanceof Double || b instanceof Double
  const x = isDouble ? Number(plain(a)) : plain(a)
  const y = isDouble ? Number(plain(b)) : plain(b)
  // JavaScript compares number with bigint exactly.
  // biome-ignore lint/suspicious/noDoubleEquals: across number and bigint
  return x < y ? -1 : x > y ? 1 : x == y ? 0 : NaN
}

function plain(value: Exclude<NumberValue, Decimal>): Int {
  return typeof value === 'object' ? value.value : value
}

function compareDecimals(a: NumberValue, b: NumberValue): number {
  // Against a double there is no exact common form; it is read as its shortest text elsewhere, and as a double here.
  if (a instanceof Double || b instanceof Double) return compareNumbers(new Double(asDouble(a)), new Double(asDouble(b)))
  const digits = Math.max(digitsOf(a), digitsOf(b))
  const x = scaled(a, digits)
  const y = scaled(b, digits)
  return x < y ? -1 : x > y ? 1 : 0
}

function digitsOf(value: NumberValue): number {
  return value instanceof Decimal ? value.digits : 0
}

function scaled(value: NumberValue, digits: number): bigint {
  return value instanceof Decimal
    ? BigInt(value.scaled) * 10n ** BigInt(digits - value.digits)
    : BigInt(plain(value)) * 10n ** BigInt(digits)
}

function asDouble(value: NumberValue): number {
  return value instanceof Decimal ? Number(`${value.scaled}e-${value.digits}`) : Number(plain(value))
}

function equalLists(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (!equals(a[i], b[i])) return false
  return true
}

function equalMaps(a: ReadonlyMap<unknown, unknown>, b: ReadonlyMap<unknown, unknown>): boolean {
  if (a.size !== b.size) return false
  for (const [key, value] of a) {
    const other = mapKey(b, key)
    if (other === undefined || !equals(value, b.get(other))) return false
  }
  return true
}

/** The key of the map that equals this one: 1, 1u and 1.0 are one key. Undefined: there is none. */
export function mapKey(map: ReadonlyMap<unknown, unknown>, key: unknown): unknown {
  if (map.has(key)) return key
  if (typeof key === 'string' || typeof key === 'boolean' || !isNumber(key)) return undefined
  const value = key instanceof Decimal ? undefined : plain(key)
  if (value === undefined) return undefined
  if (key instanceof Double || key instanceof Uint) {
    const canonical = typeof value === 'bigint' && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value
    if (map.has(canonical)) return canonical
    if (typeof canonical === 'number' && Number.isInteger(canonical) && map.has(BigInt(canonical))) return BigInt(canonical)
  }
  // A key of type uint is an object; only the conformance suite has them.
  for (const other of map.keys()) if (other instanceof Uint && compareNumbers(other, key) === 0) return other
  return undefined
}

function isObject(value: object): boolean {
  return (
    !(
      Array.isArray(value) ||
      value instanceof Map ||
      ArrayBuffer.isView(value) ||
      Object.getPrototypeOf(value)?.constructor !== Object
    ) || Object.getPrototypeOf(value) === null
  )
}

// A field that is missing is an own property with undefined, or none.
function equalObjects(a: object, b: object): boolean {
  for (const name of Object.keys(a)) {
    if (!equals(own(a, name), own(b, name))) return false
  }
  for (const name of Object.keys(b)) {
    if (own(b, name) !== undefined && own(a, name) === undefined) return false
  }
  return true
}

function own(object: object, name: string): unknown {
  return Object.hasOwn(object, name) ? (object as Record<string, unknown>)[name] : undefined
}
