// Operators on values whose type is known at run time only (dyn): what arrives decides. Scenarios are typed, and never need them.

import { uintOf } from './casts.ts'
import { elementAt, elementOrNone, mapGet, valueAt } from './collections.ts'
import { compareNumbers, equals, isNumber } from './comparison.ts'
import { addInt, divInt, modInt, mulInt, negInt, subInt } from './integer.ts'
import { sizeOfString } from './strings.ts'
import { addDuration, addDurations, negDuration, subDuration, subDurations, subTimestamps } from './time.ts'
import { Decimal, Double, Duration, ExpressionFailure, type Int, Optional, Timestamp, TypeName, Uint } from './values.ts'

export function add(a: unknown, b: unknown): unknown {
  if (isInt(a) && isInt(b)) return addInt(a, b)
  if (typeof a === 'string' && typeof b === 'string') return a + b
  if (a instanceof Double && b instanceof Double) return new Double(a.value + b.value)
  if (a instanceof Uint && b instanceof Uint) return uintOf(a.value + b.value)
  if (Array.isArray(a) && Array.isArray(b)) return a.concat(b)
  if (a instanceof Uint8Array && b instanceof Uint8Array) return addBytes(a, b)
  if (a instanceof Timestamp && b instanceof Duration) return addDuration(a, b)
  if (a instanceof Duration && b instanceof Timestamp) return addDuration(b, a)
  if (a instanceof Duration && b instanceof Duration) return addDurations(a, b)
  if (a instanceof Decimal && b instanceof Decimal && a.digits === b.digits)
    return new Decimal(addInt(a.scaled, b.scaled), a.digits)
  throw noOverload('+')
}

export function sub(a: unknown, b: unknown): unknown {
  if (isInt(a) && isInt(b)) return subInt(a, b)
  if (a instanceof Double && b instanceof Double) return new Double(a.value - b.value)
  if (a instanceof Uint && b instanceof Uint) return uintOf(a.value - b.value)
  if (a instanceof Timestamp && b instanceof Duration) return subDuration(a, b)
  if (a instanceof Timestamp && b instanceof Timestamp) return subTimestamps(a, b)
  if (a instanceof Duration && b instanceof Duration) return subDurations(a, b)
  if (a instanceof Decimal && b instanceof Decimal && a.digits === b.digits)
    return new Decimal(subInt(a.scaled, b.scaled), a.digits)
  throw noOverload('-')
}

export function mul(a: unknown, b: unknown): unknown {
  if (isInt(a) && isInt(b)) return mulInt(a, b)
  if (a instanceof Double && b instanceof Double) return new Double(a.value * b.value)
  if (a instanceof Uint && b instanceof Uint) return uintOf(a.value * b.value)
  throw noOverload('*')
}

export function div(a: unknown, b: unknown): unknown {
  if (isInt(a) && isInt(b)) return divInt(a, b)
  if (a instanceof Double && b instanceof Double) return new Double(a.value / b.value)
  if (a instanceof Uint && b instanceof Uint) {
    if (b.value === 0n) throw new ExpressionFailure('division by zero')
    return new Uint(a.value / b.value)
  }
  throw noOverload('/')
}

export function mod(a: unknown, b: unknown): unknown {
  if (isInt(a) && isInt(b)) return modInt(a, b)
  if (a instanceof Uint && b instanceof Uint) {
    if (b.value === 0n) throw new ExpressionFailure('modulus by zero')
    return new Uint(a.value % b.value)
  }
  throw noOverload('%')
}

export function neg(a: unknown): unknown {
  if (isInt(a)) return negInt(a)
  if (a instanceof Double) return new Double(-a.value)
  if (a instanceof Duration) return negDuration(a)
  if (a instanceof Decimal) return new Decimal(negInt(a.scaled), a.digits)
  throw noOverload('-')
}

export function addBytes(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}

export function size(value: unknown): number {
  if (typeof value === 'string') return sizeOfString(value)
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length
  if (value instanceof Map) return value.size
  throw noOverload('size')
}

/** `container[key]` */
export function index(container: unknown, key: unknown): unknown {
  if (Array.isArray(container)) return elementAt(container, listIndex(key))
  if (container instanceof Map) return valueAt(container, checkedKey(key))
  if (isObject(container)) return field(container, key as string)
  throw noOverload('[]')
}

/** `container[?key]`, `container.?key` */
export function indexOrNone(container: unknown, key: unknown): Optional {
  if (container instanceof Optional) return container === Optional.none ? container : indexOrNone(container.value, key)
  if (Array.isArray(container)) return elementOrNone(container, listIndex(key))
  const value =
    container instanceof Map ? mapGet(container, checkedKey(key)) : isObject(container) ? own(container, key) : noField()
  return value === undefined ? Optional.none : new Optional(value)
}

/** `container.name` */
export function field(container: unknown, name: string): unknown {
  if (container instanceof Map) return valueAt(container, name)
  if (!isObject(container)) throw noOverload('.')
  const value = own(container, name)
  if (value === undefined) throw new ExpressionFailure('no such key')
  return value
}

/** `has(container.name)` */
export function hasField(container: unknown, name: string): boolean {
  if (container instanceof Map) return container.get(name) !== undefined
  if (isObject(container)) return own(container, name) !== undefined
  throw noOverload('has')
}

/** `value in container` */
export function isIn(value: unknown, container: unknown): boolean {
  if (Array.isArray(container)) return container.some(element => equals(element, value))
  if (container instanceof Map) return mapGet(container, value) !== undefined
  if (isObject(container)) return own(container, value) !== undefined
  throw noOverload('in')
}

export function typeOf(value: unknown): TypeName {
  return new TypeName(nameOfType(value))
}

function nameOfType(value: unknown): string {
  switch (typeof value) {
    case 'boolean':
      return 'bool'
    case 'number':
    case 'bigint':
      return 'int'
    case 'string':
      return 'string'
    default:
      if (value === null) return 'null_type'
      if (value instanceof Double) return 'double'
      if (value instanceof Uint) return 'uint'
      if (value instanceof Decimal) return 'decimal'
      if (value instanceof Uint8Array) return 'bytes'
      if (value instanceof Timestamp) return 'google.protobuf.Timestamp'
      if (value instanceof Duration) return 'google.protobuf.Duration'
      if (Array.isArray(value)) return 'list'
      if (value instanceof Optional) return 'optional_type'
      if (value instanceof TypeName) return 'type'
      return 'map'
  }
}

/** The value that `optional.ofNonZeroValue` takes for none. */
export function isZeroValue(value: unknown): boolean {
  if (value === null || value === undefined || value === false || value === 0 || value === '') return true
  if (value instanceof Double) return value.value === 0
  if (value instanceof Uint) return value.value === 0n
  if (value instanceof Decimal) return value.scaled === 0
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length === 0
  if (value instanceof Map) return value.size === 0
  if (value instanceof Timestamp || value instanceof Duration) return value.seconds === 0 && value.nanos === 0
  return value instanceof Optional && value === Optional.none
}

/** The condition of `? :`, `&&` and macros where it is dyn. */
export function condition(value: unknown): boolean {
  if (typeof value !== 'boolean') throw new ExpressionFailure('no such overload: a condition is not a bool')
  return value
}

/** The list, or the keys of the map, that a macro runs over. */
export function rangeOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  if (value instanceof Map) return [...value.keys()]
  throw noOverload('of a macro')
}

function isInt(value: unknown): value is Int {
  return typeof value === 'number' || typeof value === 'bigint'
}

// 1u and 1.0 are indexes, too, as the suite has it.
function listIndex(key: unknown): Int {
  if (isInt(key)) return key
  if (key instanceof Double || key instanceof Uint) {
    const whole = Number(key.value)
    if (Number.isInteger(whole) && compareNumbers(whole, key) === 0) return whole
  }
  throw new ExpressionFailure('invalid_argument: the index of a list is no int')
}

function checkedKey(key: unknown): unknown {
  if (typeof key === 'string' || typeof key === 'boolean' || isNumber(key)) return key
  throw new ExpressionFailure('no such overload: the value cannot be the key of a map')
}

function isObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

function own(container: object, name: unknown): unknown {
  return typeof name === 'string' && Object.hasOwn(container, name) ? (container as Record<string, unknown>)[name] : undefined
}

function noField(): never {
  throw noOverload('.')
}

function noOverload(operator: string): ExpressionFailure {
  return new ExpressionFailure(`no such overload: "${operator}" does not take these types`)
}
