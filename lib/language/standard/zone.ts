// Time zones: what has to be added to UTC at an instant. Intl knows, but takes microseconds to say it, so the answer is kept per hour.
import { bounded } from './cache.ts'
import { ExpressionFailure } from './values.ts'

/** An IANA name or a fixed offset: `Europe/Warsaw`, `UTC`, `+02:00`. */
export function isTimeZone(name: string): boolean {
  return zoneOf(name) !== undefined
}

/** Seconds east of UTC at that instant. Fails for unknown zones. */
export function zoneOffset(seconds: number, name: string): number {
  const zone = zoneOf(name)
  if (zone === undefined) throw new ExpressionFailure('the time zone is unknown')
  return typeof zone === 'number' ? zone : zone.offsetAt(seconds)
}

// Null: no zone has that name. Names may come from records, hence the bound.
const zones = /* @__PURE__ */ bounded<string, NamedZone | number | null>(500)

function zoneOf(name: string): NamedZone | number | undefined {
  let zone = zones.get(name)
  if (zone === undefined) {
    zone = fixedOffset(name) ?? namedZone(name) ?? null
    zones.set(name, zone)
  }
  return zone ?? undefined
}

// CEL allows the offset without a sign, too.
function fixedOffset(name: string): number | undefined {
  if (name === 'UTC' || name === 'Z') return 0
  const parts = /^([+-]?)(\d\d):([0-5]\d)$/.exec(name)
  if (parts === null || Number(parts[2]) > 23) return undefined
  const offset = Number(parts[2]) * 3600 + Number(parts[3]) * 60
  return parts[1] === '-' ? 0 - offset : offset
}

function namedZone(name: string): NamedZone | undefined {
  // Intl knows offsets without colons and of hours alone; CEL doesn't.
  if (name === '' || /^[+\-\d]/.test(name) || name.length > 100) return undefined
  try {
    return new NamedZone(name)
  } catch {
    return undefined
  }
}

const hourSeconds = 3600

class NamedZone {
  readonly #fields: Intl.DateTimeFormat
  // NaN: the clocks change within this hour (at the half hour on Lord Howe Island, anywhere in the nineteenth century).
  readonly #offsets = /* @__PURE__ */ bounded<number, number>(2000)
  #lastHour = NaN
  #lastOffset = 0

  constructor(name: string) {
    this.#fields = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      era: 'short',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
  }

  offsetAt(seconds: number): number {
    const hour = Math.floor(seconds / hourSeconds)
    if (hour === this.#lastHour) return this.#lastOffset
    let offset = this.#offsets.get(hour)
    if (offset === undefined) {
      const start = this.#compute(hour * hourSeconds)
      offset = start === this.#compute((hour + 1) * hourSeconds - 1) ? start : NaN
      this.#offsets.set(hour, offset)
    }
    if (Number.isNaN(offset)) return this.#compute(seconds)
    this.#lastHour = hour
    this.#lastOffset = offset
    return offset
  }

  #compute(seconds: number): number {
    let year = 0
    let month = 0
    let day = 0
    let ofDay = 0
    for (const { type, value } of this.#fields.formatToParts(seconds * 1000)) {
      if (type === 'year') year += Number(value)
      // 1 BC is the year 0.
      else if (type === 'era') year = value.startsWith('B') ? 1 - year : year
      else if (type === 'month') month = Number(value)
      else if (type === 'day') day = Number(value)
      else if (type === 'hour') ofDay += Number(value) * 3600
      else if (type === 'minute') ofDay += Number(value) * 60
      else if (type === 'second') ofDay += Number(value)
    }
    const date = new Date(0)
    date.setUTCFullYear(year, month - 1, day)
    return date.getTime() / 1000 + ofDay - seconds
  }
}
