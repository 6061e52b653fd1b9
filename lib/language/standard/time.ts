// Timestamps and durations, exact to the nanosecond, in the ranges of CEL (the years 1 to 9999).
import { canonicalInt } from './integer.ts'
import { Duration, ExpressionFailure, type Int, Timestamp } from './values.ts'
import { zoneOffset } from './zone.ts'

const minSeconds = -62_135_596_800
const maxSeconds = 253_402_300_799

// Ten thousand years in protobuf, 292 in cel-go. The conformance suite wants the whole span from year 1 to 9999 to be out of range; a day
// that means "for ever" (9999-12-31) minus now has to work.
const maxDurationSeconds = maxSeconds - minSeconds - 1

const daySeconds = 86_400
const billion = 1_000_000_000

/** RFC 3339 with a zone. Undefined where it is not, or where calendar or clock have no such time (leap seconds neither). */
export function parseTimestamp(text: string): Timestamp | undefined {
  const length = text.length
  if (length < 20) return undefined
  const year = digitsAt(text, 0, 4)
  const month = digitsAt(text, 5, 2)
  const day = digitsAt(text, 8, 2)
  const hour = digitsAt(text, 11, 2)
  const minute = digitsAt(text, 14, 2)
  const second = digitsAt(text, 17, 2)
  // Also false where one is NaN.
  if (!(year >= 0 && month >= 1 && month <= 12 && day >= 1 && hour <= 23 && minute <= 59 && second <= 59)) return undefined
  if (text.charCodeAt(4) !== 45 || text.charCodeAt(7) !== 45 || text.charCodeAt(13) !== 58 || text.charCodeAt(16) !== 58)
    return undefined
  // RFC 3339, 5.6: "T" and "Z" may be lower case.
  if ((text.charCodeAt(10) | 32) !== 116 || day > daysInMonth(year, month)) return undefined
  let at = 19
  let nanos = 0
  if (text.charCodeAt(at) === 46) {
    const start = ++at
    for (let scale = 100_000_000; at < length && isDigit(text.charCodeAt(at)); at++) {
      nanos += (text.charCodeAt(at) - 48) * scale
      // What is finer than a nanosecond is cut off.
      scale = scale > 1 ? scale / 10 : 0
    }
    if (at === start) return undefined
  }
  let offset = 0
  const zone = text.charCodeAt(at)
  if ((zone | 32) === 122) {
    if (at + 1 !== length) return undefined
  } else {
    const hours = digitsAt(text, at + 1, 2)
    const minutes = digitsAt(text, at + 4, 2)
    if ((zone !== 43 && zone !== 45) || at + 6 !== length || text.charCodeAt(at + 3) !== 58) return undefined
    if (!(hours <= 23 && minutes <= 59)) return undefined
    offset = (hours * 60 + minutes) * (zone === 45 ? -60 : 60)
  }
  const seconds = daysOfDate(year, month, day) * daySeconds + hour * 3600 + minute * 60 + second - offset
  return inRange(seconds) ? new Timestamp(seconds, nanos) : undefined
}

/** In UTC; a fraction only if it is not 0, without zeros at its end. */
export function timestampText(value: Timestamp): string {
  const days = Math.floor(value.seconds / daySeconds)
  const ofDay = value.seconds - days * daySeconds
  const { year, month, day } = dateOfDays(days)
  const time = `${pad2(Math.floor(ofDay / 3600))}:${pad2(Math.floor(ofDay / 60) % 60)}:${pad2(ofDay % 60)}`
  return `${pad(year, 4)}-${pad2(month)}-${pad2(day)}T${time}${fractionText(value.nanos)}Z`
}

/** `unitsPerSecond`: 1000 for milliseconds. Undefined beyond the range. */
export function timestampOfUnits(units: Int, unitsPerSecond: number): Timestamp | undefined {
  if (typeof units === 'bigint') {
    const perSecond = BigInt(unitsPerSecond)
    const rest = ((units % perSecond) + perSecond) % perSecond
    const seconds = Number((units - rest) / perSecond)
    return inRange(seconds) ? new Timestamp(seconds, Number(rest) * (billion / unitsPerSecond)) : undefined
  }
  const seconds = Math.floor(units / unitsPerSecond)
  if (!inRange(seconds)) return undefined
  return new Timestamp(seconds, (units - seconds * unitsPerSecond) * (billion / unitsPerSecond))
}

/** What is finer than the unit is cut off (towards the past). */
export function timestampUnits(value: Timestamp, unitsPerSecond: number): Int {
  const rest = Math.floor(value.nanos / (billion / unitsPerSecond))
  const units = value.seconds * unitsPerSecond + rest
  return Number.isSafeInteger(units) ? units : canonicalInt(BigInt(value.seconds) * BigInt(unitsPerSecond) + BigInt(rest))
}

/** Milliseconds since 1970, as Kafka has them. */
export function timestampOfMillis(ms: number): Timestamp {
  const seconds = Math.floor(ms / 1000)
  return new Timestamp(seconds, (ms - seconds * 1000) * 1_000_000)
}

/** `timestamp(seconds)` */
export function timestampOfSeconds(seconds: Int): Timestamp {
  return checkedTimestamp(Number(seconds), 0)
}

/** `timestamp("…")` */
export function timestampOfString(text: string): Timestamp {
  const value = parseTimestamp(text)
  if (value === undefined) throw new ExpressionFailure('the text is not a timestamp (RFC 3339 with a zone)')
  return value
}

/** `duration("1h30m5.5s")`: Go's form, as in CEL. */
export function parseDuration(text: string): Duration | undefined {
  const signed = /^[+-]/.test(text)
  const negative = text.startsWith('-')
  const body = signed ? text.slice(1) : text
  if (body === '0') return new Duration(0, 0)
  // No duration in range is longer.
  if (body.length > 200 || !/^(?:(?:\d+\.?\d*|\.\d+)(?:h|ms|us|µs|μs|ns|m|s))+$/.test(body)) return undefined
  let nanos = 0n
  for (const [, whole, fraction = '', unit] of body.matchAll(/(\d*)\.?(\d*)([a-zµμ]+)/g)) {
    const unitNanos = nanosOfUnit[unit as keyof typeof nanosOfUnit]
    nanos += BigInt(whole || '0') * unitNanos + (BigInt(fraction || '0') * unitNanos) / 10n ** BigInt(fraction.length)
  }
  if (negative) nanos = -nanos
  const seconds = Number(nanos / 1_000_000_000n)
  return Math.abs(seconds) > maxDurationSeconds ? undefined : new Duration(seconds + 0, Number(nanos % 1_000_000_000n) + 0)
}

const nanosOfUnit = {
  h: 3_600_000_000_000n,
  m: 60_000_000_000n,
  s: 1_000_000_000n,
  ms: 1_000_000n,
  us: 1000n,
  µs: 1000n,
  μs: 1000n,
  ns: 1n,
} as const

export function durationOfString(text: string): Duration {
  const value = parseDuration(text)
  if (value === undefined) throw new ExpressionFailure('the text is not a duration such as "90s" or "1h30m"')
  return value
}

/** Seconds with a fraction: `5400s`, `-0.5s`. */
export function durationText(value: Duration): string {
  const negative = value.seconds < 0 || value.nanos < 0
  return `${negative ? '-' : ''}${Math.abs(value.seconds)}${fractionText(Math.abs(value.nanos))}s`
}

/** Carries nanoseconds into seconds; fails out of range. */
export function durationOf(seconds: number, nanos: number): Duration {
  const carry = Math.trunc(nanos / billion)
  seconds += carry
  nanos -= carry * billion
  if (seconds > 0 && nanos < 0) {
    seconds--
    nanos += billion
  } else if (seconds < 0 && nanos > 0) {
    seconds++
    nanos -= billion
  }
  if (!(Math.abs(seconds) <= maxDurationSeconds)) throw new ExpressionFailure('the duration is out of range')
  return new Duration(seconds + 0, nanos + 0)
}

export function addDuration(time: Timestamp, duration: Duration): Timestamp {
  return checkedTimestamp(time.seconds + duration.seconds, time.nanos + duration.nanos)
}

export function subDuration(time: Timestamp, duration: Duration): Timestamp {
  return checkedTimestamp(time.seconds - duration.seconds, time.nanos - duration.nanos)
}

/** The span from `b` to `a`. */
export function subTimestamps(a: Timestamp, b: Timestamp): Duration {
  return durationOf(a.seconds - b.seconds, a.nanos - b.nanos)
}

export function addDurations(a: Duration, b: Duration): Duration {
  return durationOf(a.seconds + b.seconds, a.nanos + b.nanos)
}

export function subDurations(a: Duration, b: Duration): Duration {
  return durationOf(a.seconds - b.seconds, a.nanos - b.nanos)
}

export function negDuration(value: Duration): Duration {
  return new Duration(0 - value.seconds, 0 - value.nanos)
}

export function compareTimestamps(a: Timestamp, b: Timestamp): number {
  return a.seconds - b.seconds || a.nanos - b.nanos
}

export function compareDurations(a: Duration, b: Duration): number {
  return a.seconds - b.seconds || a.nanos - b.nanos
}

export function getFullYear(time: Timestamp, zone?: string): number {
  return dateAt(time, zone).year
}

/** 0 is January. */
export function getMonth(time: Timestamp, zone?: string): number {
  return dateAt(time, zone).month - 1
}

/** 1 … 31 */
export function getDate(time: Timestamp, zone?: string): number {
  return dateAt(time, zone).day
}

/** 0 … 30 */
export function getDayOfMonth(time: Timestamp, zone?: string): number {
  return dateAt(time, zone).day - 1
}

/** 0 … 365 */
export function getDayOfYear(time: Timestamp, zone?: string): number {
  const days = daysAt(time, zone)
  return days - daysOfDate(dateOfDays(days).year, 1, 1)
}

/** 0 is Sunday. */
export function getDayOfWeek(time: Timestamp, zone?: string): number {
  return dayOfWeek(daysAt(time, zone))
}

export function getHours(time: Timestamp, zone?: string): number {
  return Math.floor(secondOfDay(time, zone) / 3600)
}

export function getMinutes(time: Timestamp, zone?: string): number {
  return Math.floor(secondOfDay(time, zone) / 60) % 60
}

export function getSeconds(time: Timestamp, zone?: string): number {
  return secondOfDay(time, zone) % 60
}

export function getMilliseconds(time: Timestamp, zone?: string): number {
  if (zone !== undefined) zoneOffset(time.seconds, zone)
  return Math.floor(time.nanos / 1_000_000)
}

// Of a duration the getters give all of it in that unit; only the milliseconds are those within the second (as the conformance suite has it).

export function durationHours(value: Duration): number {
  return Math.trunc(value.seconds / 3600) + 0
}

export function durationMinutes(value: Duration): number {
  return Math.trunc(value.seconds / 60) + 0
}

export function durationSeconds(value: Duration): number {
  return value.seconds
}

export function durationMilliseconds(value: Duration): number {
  return Math.trunc(value.nanos / 1_000_000) + 0
}

export interface LocalTime {
  readonly year: number
  readonly month: number
  readonly day: number
  readonly hours: number
  readonly minutes: number
  readonly seconds: number
  readonly nanos: number
  readonly dayOfWeek: number
}

export function localTime(time: Timestamp, zone: string): LocalTime {
  const local = time.seconds + zoneOffset(time.seconds, zone)
  const days = Math.floor(local / daySeconds)
  const ofDay = local - days * daySeconds
  return {
    ...dateOfDays(days),
    hours: Math.floor(ofDay / 3600),
    minutes: Math.floor(ofDay / 60) % 60,
    seconds: ofDay % 60,
    nanos: time.nanos,
    dayOfWeek: dayOfWeek(days),
  }
}

export function pad(value: number, length: number): string {
  return String(value).padStart(length, '0')
}

function pad2(value: number): string {
  return value < 10 ? `0${value}` : String(value)
}

function fractionText(nanos: number): string {
  return nanos === 0 ? '' : `.${pad(nanos, 9).replace(/0+$/, '')}`
}

function checkedTimestamp(seconds: number, nanos: number): Timestamp {
  if (nanos < 0) {
    seconds--
    nanos += billion
  } else if (nanos >= billion) {
    seconds++
    nanos -= billion
  }
  if (!inRange(seconds)) throw new ExpressionFailure('the timestamp is out of range (years 1 to 9999)')
  return new Timestamp(seconds, nanos)
}

function inRange(seconds: number): boolean {
  return seconds >= minSeconds && seconds <= maxSeconds
}

function daysAt(time: Timestamp, zone: string | undefined): number {
  return Math.floor((zone === undefined ? time.seconds : time.seconds + zoneOffset(time.seconds, zone)) / daySeconds)
}

function secondOfDay(time: Timestamp, zone: string | undefined): number {
  const local = zone === undefined ? time.seconds : time.seconds + zoneOffset(time.seconds, zone)
  return local - Math.floor(local / daySeconds) * daySeconds
}

function dateAt(time: Timestamp, zone: string | undefined): CalendarDate {
  return dateOfDays(daysAt(time, zone))
}

function dayOfWeek(days: number): number {
  // 1970-01-01 was a Thursday.
  return (((days + 4) % 7) + 7) % 7
}

interface CalendarDate {
  readonly year: number
  readonly month: number
  readonly day: number
}

// Howard Hinnant, chrono-Compatible Low-Level Date Algorithms: the year begins in March, so that the leap day is its last.
// howardhinnant.github.io/date_algorithms.html
function daysOfDate(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year
  const era = Math.floor(y / 400)
  const yearOfEra = y - era * 400
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468
}

function dateOfDays(days: number): CalendarDate {
  const shifted = days + 719_468
  const era = Math.floor(shifted / 146_097)
  const dayOfEra = shifted - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const fromMarch = Math.floor((5 * dayOfYear + 2) / 153)
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * fromMarch + 2) / 5) + 1,
  }
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

function isDigit(unit: number): boolean {
  return unit >= 48 && unit <= 57
}

/** NaN where one is no digit. */
function digitsAt(text: string, at: number, count: number): number {
  let value = 0
  for (let i = at; i < at + count; i++) {
    const unit = text.charCodeAt(i)
    if (!isDigit(unit)) return NaN
    value = value * 10 + unit - 48
  }
  return value
}
