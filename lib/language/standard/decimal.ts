// decimal(n): ints that count the n-th fraction digit, so that money adds up exactly. What leaves 64 bits fails.
import { absInt, addInt, canonicalInt, divInt, intOf, maxInt, minInt, mulInt, negInt, subInt } from './integer.ts'
import { ExpressionFailure, type Int } from './values.ts'

export { absInt as absDecimal, addInt as addDecimal, mulInt as mulDecimal, negInt as negDecimal, subInt as subDecimal }

/** By an int; half away from 0. */
export function divDecimal(scaled: Int, divisor: Int): Int {
  // biome-ignore lint/suspicious/noDoubleEquals: 0n, too
  if (divisor == 0) throw new ExpressionFailure('division by zero')
  return intOf(divideRounded(BigInt(scaled), BigInt(divisor)))
}

/** To the places of decimal(digits), half away from 0 on the shortest text of the double: 2.675 gives 2.68. */
export function roundDouble(value: number, digits: number): Int {
  const magnitude = Math.abs(value) * (powers[digits] ?? Infinity)
  // The product is off by less than 1e-6 here, so that away from ties the nearest int is the one that the text gives, too.
  if (magnitude < 1e9) {
    const fraction = magnitude - Math.floor(magnitude)
    if (fraction < 0.499999 || fraction > 0.500001) return (value < 0 ? -Math.round(magnitude) : Math.round(magnitude)) + 0
  }
  if (!Number.isFinite(value)) throw new ExpressionFailure('the number is not finite and cannot be rounded')
  return intOf(scaledOfText(String(value), digits)?.scaled ?? maxInt + 1n)
}

/** An int as decimal(digits). */
export function roundInt(value: Int, digits: number): Int {
  return mulInt(value, power(digits))
}

/** A decimal(from) as decimal(to), half away from 0. */
export function roundDecimal(scaled: Int, from: number, to: number): Int {
  if (to >= from) return mulInt(scaled, power(to - from))
  return intOf(divideRounded(BigInt(scaled), 10n ** BigInt(from - to)))
}

export function doubleOfDecimal(scaled: Int, digits: number): number {
  return Math.abs(Number(scaled)) <= 1e15 && digits <= 22 ? Number(scaled) / 10 ** digits : Number(`${scaled}e-${digits}`)
}

/** Towards 0, as `int(double)`. */
export function intOfDecimal(scaled: Int, digits: number): Int {
  return divInt(scaled, power(digits))
}

/** The digits of a decimal: all of them (`14.40`), or only as many as its value needs (`14.4`). */
export function decimalText(scaled: Int, digits: number, all: boolean): string {
  if (digits === 0) return String(scaled)
  const negative = scaled < 0
  const text = String(negative ? -scaled : scaled).padStart(digits + 1, '0')
  const whole = text.slice(0, -digits)
  let fraction = text.slice(-digits)
  if (!all) {
    let end = fraction.length
    while (end > 0 && fraction.charCodeAt(end - 1) === 48) end--
    fraction = fraction.slice(0, end)
  }
  return (negative ? '-' : '') + whole + (fraction === '' ? '' : `.${fraction}`)
}

/**
 * Reads the text of a JSON or JavaScript number. `exact`: it has no more than `digits` fraction digits in its value; otherwise
 * it is rounded half away from 0. Undefined where its magnitude is far beyond 64 bits.
 */
export function scaledOfText(text: string, digits: number): { readonly scaled: bigint; readonly exact: boolean } | undefined {
  const parts = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text)
  if (parts === null) return undefined
  const [, sign, whole, fraction = '', exponent = '0'] = parts
  const all = whole + fraction
  let start = 0
  while (start < all.length && all.charCodeAt(start) === 48) start++
  if (start === all.length) return { scaled: 0n, exact: true }
  let end = all.length
  while (all.charCodeAt(end - 1) === 48) end--
  const significant = all.slice(start, end)
  // The value is significant × 10^shift, in units of the last digit.
  const shift = Number(exponent) - fraction.length + (all.length - end) + digits
  // Beyond these lengths the result is out of range, or 0: no power of ten that an attacker chooses is ever computed.
  if (significant.length + shift > 30) return undefined
  if (significant.length + shift < 0) return { scaled: 0n, exact: false }
  const magnitude =
    shift >= 0
      ? BigInt(significant) * 10n ** BigInt(shift)
      : BigInt(significant.slice(0, shift) || '0') + (significant.charCodeAt(significant.length + shift) >= 53 ? 1n : 0n)
  return { scaled: sign === '-' ? -magnitude : magnitude, exact: shift >= 0 }
}

/** The decimal(digits) that the text is, if it is one. */
export function exactDecimal(text: string, digits: number): Int | undefined {
  const read = scaledOfText(text, digits)
  if (read === undefined || !read.exact || read.scaled > maxInt || read.scaled < minInt) return undefined
  return canonicalInt(read.scaled)
}

const powers: readonly number[] = /* @__PURE__ */ Array.from({ length: 23 }, (_, n) => Number(`1e${n}`))

function power(digits: number): Int {
  return canonicalInt(10n ** BigInt(digits))
}

function divideRounded(dividend: bigint, divisor: bigint): bigint {
  const quotient = dividend / divisor
  const remainder = dividend % divisor
  const twice = (remainder < 0n ? -remainder : remainder) * 2n
  if (twice < (divisor < 0n ? -divisor : divisor)) return quotient
  return dividend < 0n === divisor < 0n ? quotient + 1n : quotient - 1n
}
