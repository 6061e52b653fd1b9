// The math extension. Functions that know the type are named by it; the others take any number of dyn, too.
import { compareNumbers, isNumber, type NumberValue } from './comparison.ts'
import { absInt, canonicalInt } from './integer.ts'
import { Decimal, Double, ExpressionFailure, type Int, Uint } from './values.ts'

/** `math.greatest`: of numbers of one static type, or of dyn; the first of equals. */
export function greatest<Value>(values: readonly Value[]): Value {
  return extreme(values, 1)
}

/** `math.least` */
export function least<Value>(values: readonly Value[]): Value {
  return extreme(values, -1)
}

function extreme<Value>(values: readonly Value[], sign: number): Value {
  if (values.length === 0) throw new ExpressionFailure('an empty list has no least or greatest element')
  let best = values[0]!
  for (const value of values) {
    if (!isNumber(value) || !isNumber(best)) throw noNumber()
    if (compareNumbers(value, best) * sign > 0) best = value
  }
  return best
}

/** Ties go away from 0. */
export function roundHalf(value: number): number {
  const whole = Math.trunc(value)
  return Math.abs(value - whole) >= 0.5 ? whole + Math.sign(value) : whole
}

export const ceil = Math.ceil
export const floor = Math.floor
export const trunc = Math.trunc
export const absDouble = Math.abs
export const signDouble = Math.sign
export const isNan = Number.isNaN
export const isFiniteDouble = Number.isFinite

export function isInfinite(value: number): boolean {
  return value === Infinity || value === -Infinity
}

export function signInt(value: Int): number {
  return value > 0 ? 1 : value < 0 ? -1 : 0
}

/** Of any number; the result is a double. */
export function sqrt(value: NumberValue): number {
  return Math.sqrt(
    value instanceof Decimal
      ? Number(`${value.scaled}e-${value.digits}`)
      : Number(typeof value === 'object' ? value.value : value),
  )
}

export function abs(value: unknown): NumberValue {
  if (value instanceof Double) return new Double(Math.abs(value.value))
  if (value instanceof Uint) return value
  if (value instanceof Decimal) return new Decimal(absInt(value.scaled), value.digits)
  if (typeof value === 'number' || typeof value === 'bigint') return absInt(value)
  throw noNumber()
}

export function sign(value: unknown): NumberValue {
  if (value instanceof Double) return new Double(Math.sign(value.value))
  if (value instanceof Uint) return new Uint(value.value === 0n ? 0n : 1n)
  if (value instanceof Decimal) return signInt(value.scaled)
  if (typeof value === 'number' || typeof value === 'bigint') return signInt(value)
  throw noNumber()
}

type Bits = Int | Uint

export function bitAnd<Value extends Bits>(a: Value, b: Value): Value {
  return bitwise(a, b, (x, y) => x & y)
}

export function bitOr<Value extends Bits>(a: Value, b: Value): Value {
  return bitwise(a, b, (x, y) => x | y)
}

export function bitXor<Value extends Bits>(a: Value, b: Value): Value {
  return bitwise(a, b, (x, y) => x ^ y)
}

export function bitNot<Value extends Bits>(value: Value): Value {
  if (value instanceof Uint) return new Uint(BigInt.asUintN(64, ~value.value)) as Value
  return canonicalInt(~BigInt(intValue(value))) as Value
}

/** Bits that leave the 64 are lost. */
export function bitShiftLeft<Value extends Bits>(value: Value, by: Int): Value {
  const offset = shift(by)
  if (value instanceof Uint) return new Uint(BigInt.asUintN(64, value.value << offset)) as Value
  return canonicalInt(BigInt.asIntN(64, BigInt(intValue(value)) << offset)) as Value
}

/** Fills with zeros, also for negative ints. */
export function bitShiftRight<Value extends Bits>(value: Value, by: Int): Value {
  const offset = shift(by)
  if (value instanceof Uint) return new Uint(value.value >> offset) as Value
  return canonicalInt(BigInt.asIntN(64, BigInt.asUintN(64, BigInt(intValue(value))) >> offset)) as Value
}

function bitwise<Value extends Bits>(a: Value, b: Value, operate: (x: bigint, y: bigint) => bigint): Value {
  if (a instanceof Uint && b instanceof Uint) return new Uint(operate(a.value, b.value)) as Value
  return canonicalInt(operate(BigInt(intValue(a)), BigInt(intValue(b)))) as Value
}

function shift(by: Int): bigint {
  if (by < 0) throw new ExpressionFailure('a negative offset: bits cannot be shifted by it')
  return by > 64 ? 64n : BigInt(by)
}

function intValue(value: unknown): Int {
  if (typeof value === 'number' || typeof value === 'bigint') return value
  throw noNumber()
}

function noNumber(): ExpressionFailure {
  return new ExpressionFailure('no such overload: the value is not a number of the right type')
}
