// `t.format("yyyy-MM-dd HH:mm:ss.SSS EEE", zone)`: local time as text.
import { bounded } from './cache.ts'
import { type LocalTime, localTime, pad } from './time.ts'
import { ExpressionFailure, type Timestamp } from './values.ts'

const fields: Readonly<Record<string, (time: LocalTime) => string>> = {
  yyyy: time => pad(time.year, 4),
  MM: time => pad(time.month, 2),
  dd: time => pad(time.day, 2),
  HH: time => pad(time.hours, 2),
  mm: time => pad(time.minutes, 2),
  ss: time => pad(time.seconds, 2),
  SSS: time => pad(Math.floor(time.nanos / 1_000_000), 3),
  EEE: time => ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'][time.dayOfWeek]!,
}

type TimePattern = readonly (string | ((time: LocalTime) => string))[]

const patterns = /* @__PURE__ */ bounded<string, TimePattern>(200)

/** The first run of letters that is no field (`YYYY`), or an apostrophe; undefined: the pattern is fine. */
export function patternMistake(pattern: string): string | undefined {
  return (pattern.match(/([A-Za-z])\1*|'/g) ?? []).find(part => !Object.hasOwn(fields, part))
}

/** Local time in that zone. */
export function formatTimestamp(time: Timestamp, pattern: string, zone: string): string {
  let parts = patterns.get(pattern)
  if (parts === undefined) {
    parts = parse(pattern)
    patterns.set(pattern, parts)
  }
  const local = localTime(time, zone)
  let text = ''
  for (const part of parts) text += typeof part === 'string' ? part : part(local)
  return text
}

function parse(pattern: string): TimePattern {
  if (patternMistake(pattern) !== undefined) {
    throw new ExpressionFailure('the pattern may only have the letters yyyy, MM, dd, HH, mm, ss, SSS and EEE')
  }
  return (pattern.match(/([A-Za-z])\1*|[^A-Za-z]+/g) ?? []).map(part => fields[part] ?? part)
}
