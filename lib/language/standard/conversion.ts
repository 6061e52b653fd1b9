// What comes in: values of parsed JSON and texts of stores, keys and literals, checked against the declared type. Undefined
// means "not of this type"; who asked knows the place and says so.
import { exactDecimal } from './decimal.ts'
import { canonicalInt, maxInt, minInt } from './integer.ts'
import { parseTimestamp, timestampOfUnits } from './time.ts'
import { type Int, inexact, JsonNumber, type Timestamp } from './values.ts'
import { isTimeZone } from './zone.ts'

export { parseJsonExact, parseJsonTexts } from './json.ts'

type Inexact = typeof inexact

export function boolFromJson(json: unknown): boolean | undefined {
  return typeof json === 'boolean' ? json : undefined
}

/** A number without fraction in its value: 60, 60.0 and 6e1 are one int. */
export function intFromJson(json: unknown): Int | undefined | Inexact {
  if (typeof json === 'number') {
    if (Number.isSafeInteger(json)) return json + 0
    // 2^63 itself may be the rounded largest int; the next double is beyond for sure.
    return Number.isInteger(json) && json <= 2 ** 63 && json >= -(2 ** 63) ? inexact : undefined
  }
  if (typeof json === 'bigint') return json
  return json instanceof JsonNumber ? exactDecimal(json.text, 0) : undefined
}

export function doubleFromJson(json: unknown): number | undefined {
  const value =
    typeof json === 'number'
      ? json
      : typeof json === 'bigint'
        ? Number(json)
        : json instanceof JsonNumber
          ? Number(json.text)
          : NaN
  return Number.isFinite(value) ? value : undefined
}

/** A number with no more than `digits` fraction digits in its value. */
export function decimalFromJson(json: unknown, digits: number): Int | undefined | Inexact {
  if (typeof json === 'number') {
    const scale = 10 ** digits
    const scaled = Math.round(json * scale)
    // A quotient of exact numbers is the double nearest to the decimal; below 1e15 no other decimal has that double.
    if (scaled < 1e15 && scaled > -1e15 && digits <= 22) return scaled / scale === json ? scaled + 0 : undefined
    return Math.abs(scaled) < 1e19 ? inexact : undefined
  }
  if (typeof json === 'bigint') return exactDecimal(String(json), digits)
  return json instanceof JsonNumber ? exactDecimal(json.text, digits) : undefined
}

export function stringFromJson(json: unknown): string | undefined {
  return typeof json === 'string' ? json : undefined
}

export function timestampFromJson(json: unknown): Timestamp | undefined {
  return typeof json === 'string' ? parseTimestamp(json) : undefined
}

export function timestampFromJsonMillis(json: unknown): Timestamp | undefined | Inexact {
  const units = intFromJson(json)
  return typeof units === 'symbol' || units === undefined ? units : timestampOfUnits(units, 1000)
}

export function timestampFromJsonMicros(json: unknown): Timestamp | undefined | Inexact {
  const units = intFromJson(json)
  return typeof units === 'symbol' || units === undefined ? units : timestampOfUnits(units, 1_000_000)
}

export function timezoneFromJson(json: unknown): string | undefined {
  return typeof json === 'string' ? timezoneFromText(json) : undefined
}

export function enumFromJson(json: unknown, values: readonly string[]): string | undefined {
  return typeof json === 'string' ? enumFromText(json, values) : undefined
}

export function boolFromText(text: string): boolean | undefined {
  switch (text) {
    case 'true':
    case '1':
      return true
    case 'false':
    case '0':
      return false
    default:
      return undefined
  }
}

export function intFromText(text: string): Int | undefined {
  if (!isInt(text)) return undefined
  const value = Number(text)
  if (Number.isSafeInteger(value)) return value + 0
  // BigInt of a long text costs the square of its length.
  if (!Number.isFinite(value) || Math.abs(value) > 2 ** 63) return undefined
  const whole = BigInt(text)
  return whole > maxInt || whole < minInt ? undefined : canonicalInt(whole)
}

export function doubleFromText(text: string): number | undefined {
  if (!isNumber(text)) return undefined
  const value = Number(text)
  return Number.isFinite(value) ? value : undefined
}

export function decimalFromText(text: string, digits: number): Int | undefined {
  return isNumber(text) ? exactDecimal(text, digits) : undefined
}

export function timestampFromText(text: string): Timestamp | undefined {
  return parseTimestamp(text)
}

export function timestampFromTextMillis(text: string): Timestamp | undefined {
  const units = intFromText(text)
  return units === undefined ? undefined : timestampOfUnits(units, 1000)
}

export function timestampFromTextMicros(text: string): Timestamp | undefined {
  const units = intFromText(text)
  return units === undefined ? undefined : timestampOfUnits(units, 1_000_000)
}

export function timezoneFromText(text: string): string | undefined {
  // An offset is a zone to expressions (as in CEL), but no name.
  return !/^[+-]|^\d/.test(text) && isTimeZone(text) ? text : undefined
}

export function enumFromText(text: string, values: readonly string[]): string | undefined {
  return values.includes(text) ? text : undefined
}

function isInt(text: string): boolean {
  return /^-?\d+$/.test(text)
}

function isNumber(text: string): boolean {
  return /^-?\d+(?:\.\d+)?$/.test(text)
}
