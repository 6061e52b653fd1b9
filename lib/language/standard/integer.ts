// 64-bit ints. A value is a number while that is exact and a bigint beyond (see values.ts), so that the usual case costs one
// addition and one comparison; whatever leaves 64 bits fails, as CEL demands.
import { ExpressionFailure, type Int } from './values.ts'

export const minInt = -0x8000_0000_0000_0000n
export const maxInt = 0x7fff_ffff_ffff_ffffn

const maxSafe = Number.MAX_SAFE_INTEGER

// Two safe ints have a sum below 2^54; doubles round it at most to an even neighbour, never from beyond 2^53 − 1 to within.
export function addInt(a: Int, b: Int): Int {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b
    if (sum <= maxSafe && sum >= -maxSafe) return sum
  }
  return intOf(BigInt(a) + BigInt(b))
}

export function subInt(a: Int, b: Int): Int {
  if (typeof a === 'number' && typeof b === 'number') {
    const difference = a - b
    if (difference <= maxSafe && difference >= -maxSafe) return difference
  }
  return intOf(BigInt(a) - BigInt(b))
}

export function mulInt(a: Int, b: Int): Int {
  if (typeof a === 'number' && typeof b === 'number') {
    const product = a * b
    // + 0 makes 0 of -0.
    if (product <= maxSafe && product >= -maxSafe) return product + 0
  }
  return intOf(BigInt(a) * BigInt(b))
}

/** Towards 0. */
export function divInt(a: Int, b: Int): Int {
  // biome-ignore lint/suspicious/noDoubleEquals: 0n, too
  if (b == 0) throw new ExpressionFailure('division by zero')
  if (typeof a === 'number' && typeof b === 'number') return (a - (a % b)) / b + 0
  return intOf(BigInt(a) / BigInt(b))
}

/** Has the sign of `a`. */
export function modInt(a: Int, b: Int): Int {
  // biome-ignore lint/suspicious/noDoubleEquals: 0n, too
  if (b == 0) throw new ExpressionFailure('modulus by zero')
  if (typeof a === 'number' && typeof b === 'number') return (a % b) + 0
  // The smallest int modulo -1 is an overflow in CEL's reference implementation only by accident of Go; its value is 0.
  return intOf(BigInt(a) % BigInt(b))
}

export function negInt(a: Int): Int {
  return typeof a === 'number' ? 0 - a : intOf(-a)
}

export function absInt(a: Int): Int {
  return typeof a === 'number' ? Math.abs(a) : intOf(a < 0n ? -a : a)
}

/** The canonical form; fails beyond 64 bits. */
export function intOf(value: bigint): Int {
  if (value > maxInt || value < minInt) throw new ExpressionFailure('the number does not fit into 64 bits')
  return canonicalInt(value)
}

/** The canonical form of what is known to fit. */
export function canonicalInt(value: bigint): Int {
  const rounded = Number(value)
  return rounded <= maxSafe && rounded >= -maxSafe ? rounded : value
}

/** `int(x)`: towards 0; fails where the result does not fit. */
export function intOfDouble(value: number): Int {
  const whole = Math.trunc(value) + 0
  if (whole <= maxSafe && whole >= -maxSafe) return whole
  // The bounds are open, as in CEL's reference: a double at 2^63 may stand for anything near it. False for NaN, too.
  if (whole < 2 ** 63 && whole > -(2 ** 63)) return BigInt(whole)
  throw new ExpressionFailure('the number does not fit into an int of 64 bits')
}

/** `double(x)` */
export function doubleOfInt(value: Int): number {
  return Number(value)
}
