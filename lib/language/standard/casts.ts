// CEL's type conversions. Texts are read as Go reads them, since that is what CEL's reference does.

import { decimalText, doubleOfDecimal, intOfDecimal } from './decimal.ts'
import { intOf, intOfDouble, maxInt } from './integer.ts'
import { durationOfString, durationText, timestampOfSeconds, timestampOfString, timestampText } from './time.ts'
import { Decimal, Double, Duration, ExpressionFailure, type Int, Timestamp, Uint } from './values.ts'

const maxUint = 0xffff_ffff_ffff_ffffn

/** `string(double)`: NaN and infinities have texts here. */
export function stringOfDouble(value: number): string {
  return String(value)
}

export function stringOfBytes(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new ExpressionFailure('invalid UTF-8: the bytes are no text')
  }
}

export function bytesOfString(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** `int("…")` */
export function intOfString(text: string): Int {
  if (!/^[+-]?\d+$/.test(text) || text.length > 100) throw notReadable('int')
  return intOf(BigInt(text.startsWith('+') ? text.slice(1) : text))
}

export function uintOfString(text: string): Uint {
  if (!/^\d+$/.test(text) || text.length > 100) throw notReadable('uint')
  return uintOf(BigInt(text))
}

/** `double("…")` */
export function doubleOfString(text: string): number {
  const special = /^([+-]?)(?:(inf|infinity)|nan)$/i.exec(text)
  if (special !== null) return special[2] === undefined ? NaN : special[1] === '-' ? -Infinity : Infinity
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text)) throw notReadable('double')
  const value = Number(text)
  if (!Number.isFinite(value)) throw notReadable('double')
  return value
}

/** `bool("…")` */
export function boolOfString(text: string): boolean {
  switch (text) {
    case '1':
    case 't':
    case 'T':
    case 'true':
    case 'TRUE':
    case 'True':
      return true
    case '0':
    case 'f':
    case 'F':
    case 'false':
    case 'FALSE':
    case 'False':
      return false
    default:
      throw new ExpressionFailure('Type conversion error: the text is not a bool')
  }
}

/** Seconds since 1970. */
export function intOfTimestamp(value: Timestamp): Int {
  return value.seconds
}

export function uintOf(value: bigint): Uint {
  if (value < 0n || value > maxUint) throw new ExpressionFailure('range error: the number does not fit into a uint of 64 bits')
  return new Uint(value)
}

export function intOfUint(value: Uint): Int {
  if (value.value > maxInt) throw new ExpressionFailure('range error: the number does not fit into an int of 64 bits')
  return intOf(value.value)
}

export function uintOfDouble(value: number): Uint {
  const whole = Math.trunc(value)
  if (!(whole >= 0 && whole < 2 ** 64)) throw new ExpressionFailure('range error: the number does not fit into a uint of 64 bits')
  return new Uint(BigInt(whole))
}

// For dyn: what arrives decides.

export function toStringOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value)
  if (value instanceof Double) return stringOfDouble(value.value)
  if (value instanceof Uint) return String(value.value)
  if (value instanceof Decimal) return decimalText(value.scaled, value.digits, true)
  if (value instanceof Timestamp) return timestampText(value)
  if (value instanceof Duration) return durationText(value)
  if (value instanceof Uint8Array) return stringOfBytes(value)
  throw noConversion('string')
}

export function toInt(value: unknown): Int {
  if (typeof value === 'number' || typeof value === 'bigint') return value
  if (typeof value === 'string') return intOfString(value)
  if (value instanceof Double) return intOfDouble(value.value)
  if (value instanceof Uint) return intOfUint(value)
  if (value instanceof Decimal) return intOfDecimal(value.scaled, value.digits)
  if (value instanceof Timestamp) return value.seconds
  throw noConversion('int')
}

export function toUint(value: unknown): Uint {
  if (value instanceof Uint) return value
  if (typeof value === 'number' || typeof value === 'bigint') return uintOf(BigInt(value))
  if (typeof value === 'string') return uintOfString(value)
  if (value instanceof Double) return uintOfDouble(value.value)
  throw noConversion('uint')
}

/** Unwrapped: the caller knows that it is a double. */
export function toDouble(value: unknown): number {
  if (value instanceof Double) return value.value
  if (typeof value === 'number' || typeof value === 'bigint') return Number(value)
  if (value instanceof Uint) return Number(value.value)
  if (value instanceof Decimal) return doubleOfDecimal(value.scaled, value.digits)
  if (typeof value === 'string') return doubleOfString(value)
  throw noConversion('double')
}

export function toBool(value: unknown): boolean {
  if (typeof value === 'boolean') return value
  if (typeof value === 'string') return boolOfString(value)
  throw noConversion('bool')
}

export function toBytes(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value
  if (typeof value === 'string') return bytesOfString(value)
  throw noConversion('bytes')
}

export function toTimestamp(value: unknown): Timestamp {
  if (value instanceof Timestamp) return value
  if (typeof value === 'string') return timestampOfString(value)
  if (typeof value === 'number' || typeof value === 'bigint') return timestampOfSeconds(value)
  throw noConversion('timestamp')
}

export function toDuration(value: unknown): Duration {
  if (value instanceof Duration) return value
  if (typeof value === 'string') return durationOfString(value)
  throw noConversion('duration')
}

function notReadable(type: string): ExpressionFailure {
  return new ExpressionFailure(`the text is not ${type === 'int' ? 'an' : 'a'} ${type}`)
}

function noConversion(type: string): ExpressionFailure {
  return new ExpressionFailure(`no such overload: the value cannot become ${type === 'int' ? 'an' : 'a'} ${type}`)
}
