import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as std from '../../../lib/language/standard/index.ts'

const { Timestamp, Duration, ExpressionFailure } = std
const at = std.timestampOfString

describe('RFC 3339', () => {
  test.each<[string, string | undefined]>([
    ['2026-11-30T06:00:00Z', '2026-11-30T06:00:00Z'],
    ['2026-11-30T07:00:00+01:00', '2026-11-30T06:00:00Z'],
    ['2026-11-30T06:00:00-00:00', '2026-11-30T06:00:00Z'],
    ['2026-11-30T06:00:00.500Z', '2026-11-30T06:00:00.5Z'],
    ['2026-11-30T06:00:00.000Z', '2026-11-30T06:00:00Z'],
    ['2026-11-30T06:00:00.123456789Z', '2026-11-30T06:00:00.123456789Z'],
    ['2026-11-30T06:00:00.1234567899Z', '2026-11-30T06:00:00.123456789Z'],
    ['2026-11-30t06:00:00z', '2026-11-30T06:00:00Z'],
    ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00Z'],
    ['2000-02-29T00:00:00Z', '2000-02-29T00:00:00Z'],
    ['1969-12-31T23:59:59.999Z', '1969-12-31T23:59:59.999Z'],
    ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00Z'],
    ['0000-12-31T23:30:00-01:00', '0001-01-01T00:30:00Z'],
    ['9999-12-31T23:59:59.999999999Z', '9999-12-31T23:59:59.999999999Z'],
    ['2026-12-31T23:59:59-23:59', '2027-01-01T23:58:59Z'],
    ['2026-02-29T00:00:00Z', undefined],
    ['1900-02-29T00:00:00Z', undefined],
    ['2026-04-31T00:00:00Z', undefined],
    ['2026-00-10T00:00:00Z', undefined],
    ['2026-13-10T00:00:00Z', undefined],
    ['2026-11-00T00:00:00Z', undefined],
    ['2026-11-30T24:00:00Z', undefined],
    ['2026-11-30T06:60:00Z', undefined],
    ['2016-12-31T23:59:60Z', undefined],
    ['2026-11-30T06:00:00', undefined],
    ['2026-11-30 06:00:00Z', undefined],
    ['2026-11-30T06:00Z', undefined],
    ['2026-11-30', undefined],
    ['2026-11-30T06:00:00.Z', undefined],
    ['2026-11-30T06:00:00,5Z', undefined],
    ['2026-11-30T06:00:00+1:00', undefined],
    ['2026-11-30T06:00:00+0100', undefined],
    ['2026-11-30T06:00:00+24:00', undefined],
    ['2026-11-30T06:00:00+01:60', undefined],
    ['2026-11-30T06:00:00Z ', undefined],
    [' 2026-11-30T06:00:00Z', undefined],
    ['2026-11-30T06:00:00ZZ', undefined],
    ['+2026-11-30T06:00:00Z', undefined],
    ['20260-11-30T06:00:00Z', undefined],
    ['２０２６-11-30T06:00:00Z', undefined],
    ['0000-01-01T00:00:00Z', undefined],
    ['9999-12-31T23:59:59-00:01', undefined],
    ['', undefined],
  ])('%s', (text, expected) => {
    const value = std.timestampFromJson(text)
    expect(value && std.textOfTimestamp(value)).toBe(expected)
    expect(value && std.jsonOfTimestamp(value)).toBe(expected && `"${expected}"`)
  })

  test('every second of the calendar reads back, and agrees with Date', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -62135596800, max: 253402300799 }),
        fc.integer({ min: 0, max: 999_999_999 }),
        (seconds, nanos) => {
          const value = new Timestamp(seconds, nanos)
          const text = std.textOfTimestamp(value)
          expect(std.parseTimestamp(text)).toStrictEqual(value)
          const date = new Date(seconds * 1000)
          expect(text.slice(0, 19)).toBe(date.toISOString().slice(0, 19))
          expect([std.getDayOfWeek(value), std.getFullYear(value), std.getMonth(value), std.getDate(value)]).toStrictEqual([
            date.getUTCDay(),
            date.getUTCFullYear(),
            date.getUTCMonth(),
            date.getUTCDate(),
          ])
        },
      ),
      { numRuns: 2000 },
    )
  })
})

describe('local time', () => {
  test.each<[string, string, string]>([
    // The clocks of Warsaw go forward at 01:00 UTC on 29 March 2026, and back at 01:00 UTC on 25 October.
    ['2026-03-29T00:59:59.999Z', 'Europe/Warsaw', '2026-03-29 01:59:59.999 Sun'],
    ['2026-03-29T01:00:00Z', 'Europe/Warsaw', '2026-03-29 03:00:00.000 Sun'],
    ['2026-10-25T00:59:59Z', 'Europe/Warsaw', '2026-10-25 02:59:59.000 Sun'],
    ['2026-10-25T01:00:00Z', 'Europe/Warsaw', '2026-10-25 02:00:00.000 Sun'],
    ['2026-10-25T01:59:59Z', 'Europe/Warsaw', '2026-10-25 02:59:59.000 Sun'],
    ['2026-12-31T23:30:00Z', 'Europe/Warsaw', '2027-01-01 00:30:00.000 Fri'],
    // Lord Howe Island's clocks move by half an hour, at half past an hour of UTC.
    ['2026-04-04T14:59:59Z', 'Australia/Lord_Howe', '2026-04-05 01:59:59.000 Sun'],
    ['2026-04-04T15:00:00Z', 'Australia/Lord_Howe', '2026-04-05 01:30:00.000 Sun'],
    ['2026-10-03T15:29:59Z', 'Australia/Lord_Howe', '2026-10-04 01:59:59.000 Sun'],
    ['2026-10-03T15:30:00Z', 'Australia/Lord_Howe', '2026-10-04 02:30:00.000 Sun'],
    ['2026-06-01T00:00:00Z', 'Asia/Kathmandu', '2026-06-01 05:45:00.000 Mon'],
    // Samoa had no 30 December 2011.
    ['2011-12-30T09:59:59Z', 'Pacific/Apia', '2011-12-29 23:59:59.000 Thu'],
    ['2011-12-30T10:00:00Z', 'Pacific/Apia', '2011-12-31 00:00:00.000 Sat'],
    // Before 5 August 1915 Warsaw had its own mean time, 1 h 24 min east.
    ['1915-08-04T22:35:59Z', 'Europe/Warsaw', '1915-08-04 23:59:59.000 Wed'],
    ['2026-06-01T00:00:00Z', 'UTC', '2026-06-01 00:00:00.000 Mon'],
    ['2026-06-01T00:00:00Z', '+02:00', '2026-06-01 02:00:00.000 Mon'],
    ['2026-06-01T00:00:00Z', '-09:30', '2026-05-31 14:30:00.000 Sun'],
    ['2026-06-01T00:00:00Z', '02:00', '2026-06-01 02:00:00.000 Mon'],
    ['0001-01-01T00:00:00Z', '-02:00', '0000-12-31 22:00:00.000 Sun'],
  ])('%s in %s is %s', (text, zone, expected) => {
    expect(std.formatTimestamp(at(text), 'yyyy-MM-dd HH:mm:ss.SSS EEE', zone)).toBe(expected)
  })

  test('the getters, with and without a zone', () => {
    const time = at('2026-12-31T23:30:15.123456789Z')
    const getters = [
      std.getFullYear,
      std.getMonth,
      std.getDate,
      std.getDayOfMonth,
      std.getDayOfYear,
      std.getDayOfWeek,
      std.getHours,
      std.getMinutes,
      std.getSeconds,
      std.getMilliseconds,
    ]
    expect(getters.map(get => get(time))).toStrictEqual([2026, 11, 31, 30, 364, 4, 23, 30, 15, 123])
    expect(getters.map(get => get(time, 'Europe/Warsaw'))).toStrictEqual([2027, 0, 1, 0, 0, 5, 0, 30, 15, 123])
    for (const get of getters) expect(() => get(time, 'Europe/Warszawa')).toThrow(ExpressionFailure)
  })

  test.each(['+1:00', '+24:00', '+01:60', '', 'GMT+1', '+01', '+01:00:00', 'toString', 'x'.repeat(1000)])(
    '"%s" is no time zone',
    zone => {
      expect(std.isTimeZone(zone)).toBe(false)
      expect(() => std.getHours(at('2026-01-01T00:00:00Z'), zone)).toThrow(ExpressionFailure)
    },
  )

  test('offsets agree with Intl at every quarter of an hour of 2026', () => {
    for (const zone of ['Europe/Warsaw', 'America/St_Johns', 'Australia/Lord_Howe', 'Africa/Casablanca']) {
      const format = new Intl.DateTimeFormat('en-GB', { timeZone: zone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
      for (let seconds = Date.UTC(2026, 0, 1) / 1000; seconds < Date.UTC(2027, 0, 1) / 1000; seconds += 900 * 7) {
        expect(std.formatTimestamp(new Timestamp(seconds, 0), 'HH:mm', zone)).toBe(format.format(seconds * 1000))
      }
    }
  })

  test.each<[string, string | undefined]>([
    ['yyyy-MM-dd HH:mm:ss.SSS EEE', undefined],
    ['yyyyMMdd', undefined],
    ['dd.MM.yyyy, ążć!', undefined],
    ['', undefined],
    ['YYYY-MM-dd', 'YYYY'],
    ['yyyy-M-dd', 'M'],
    ['yyyy-MM-ddTHH:mm', 'T'],
    ["yyyy-MM-dd'x'", "'"],
    ['hh:mm', 'hh'],
    ['SSSS', 'SSSS'],
    ['toString', 't'],
  ])('in the pattern "%s" the mistake is %s', (pattern, mistake) => {
    expect(std.patternMistake(pattern)).toBe(mistake)
    const format = () => std.formatTimestamp(at('2026-01-01T00:00:00Z'), pattern, 'UTC')
    if (mistake === undefined) expect(format()).toHaveLength(pattern.length)
    else expect(format).toThrow(ExpressionFailure)
  })
})

describe('durations', () => {
  test.each<[string, string | undefined]>([
    ['168h', '604800s'],
    ['1h30m5.5s', '5405.5s'],
    ['-1.5h', '-5400s'],
    ['+1m', '60s'],
    ['.5s', '0.5s'],
    ['1.s', '1s'],
    ['1ms', '0.001s'],
    ['1us', '0.000001s'],
    ['1µs', '0.000001s'],
    ['1ns', '0.000000001s'],
    ['-1ns', '-0.000000001s'],
    ['0', '0s'],
    ['315537897598s', '315537897598s'],
    ['315537897599s', undefined],
    ['1d', undefined],
    ['1', undefined],
    ['', undefined],
    ['-', undefined],
    ['s', undefined],
    ['.s', undefined],
    ['1h 30m', undefined],
    ['1e3s', undefined],
    [`${'9'.repeat(150)}s`, undefined],
  ])('"%s"', (text, expected) => {
    const value = std.parseDuration(text)
    expect(value && std.durationText(value)).toBe(expected)
  })

  test('arithmetic is exact to the nanosecond, over the change of the sign', () => {
    const second = (text: string) => std.durationOfString(text)
    expect(std.addDuration(at('1970-01-01T00:00:00Z'), second('-1ns'))).toStrictEqual(new Timestamp(-1, 999_999_999))
    expect(std.subDuration(at('1969-12-31T23:59:59.999999999Z'), second('-1ns'))).toStrictEqual(new Timestamp(0, 0))
    expect(std.subTimestamps(at('2026-01-01T00:00:00Z'), at('2026-01-01T00:00:00.25Z'))).toStrictEqual(
      new Duration(0, -250_000_000),
    )
    expect(std.addDurations(second('1.5s'), second('-2s'))).toStrictEqual(new Duration(0, -500_000_000))
    expect(std.subDurations(second('1s'), second('1ns'))).toStrictEqual(new Duration(0, 999_999_999))
    expect(std.negDuration(second('0'))).toStrictEqual(new Duration(0, 0))
  })

  test('a day that means "for ever" minus now is a duration', () => {
    expect(std.durationHours(std.subTimestamps(at('9999-12-31T23:59:59Z'), at('2026-01-01T00:00:00Z')))).toBe(69898631)
  })

  test('beyond the calendar, arithmetic fails', () => {
    const day = std.durationOfString('24h')
    expect(() => std.addDuration(at('9999-12-31T23:00:00Z'), day)).toThrow(ExpressionFailure)
    expect(() => std.subDuration(at('0001-01-01T00:00:00Z'), day)).toThrow(ExpressionFailure)
    expect(() => std.subTimestamps(at('9999-12-31T23:59:59Z'), at('0001-01-01T00:00:00Z'))).toThrow(ExpressionFailure)
    expect(() => std.addDurations(std.durationOfString('315537897598s'), day)).toThrow(ExpressionFailure)
    expect(() => std.timestampOfSeconds(2n ** 62n)).toThrow(ExpressionFailure)
  })

  test('sums agree with nanoseconds in BigInt', () => {
    const part = fc.tuple(fc.integer({ min: -1e9, max: 1e9 }), fc.integer({ min: -2e9, max: 2e9 }))
    const nanosOf = (value: std.Duration) => BigInt(value.seconds) * 1_000_000_000n + BigInt(value.nanos)
    fc.assert(
      fc.property(part, part, (a, b) => {
        const [x, y] = [std.durationOf(...a), std.durationOf(...b)]
        expect(nanosOf(x)).toBe(BigInt(a[0]) * 1_000_000_000n + BigInt(a[1]))
        const sum = std.addDurations(x, y)
        expect(nanosOf(sum)).toBe(nanosOf(x) + nanosOf(y))
        expect(nanosOf(std.subDurations(x, y))).toBe(nanosOf(x) - nanosOf(y))
        expect(sum.seconds * sum.nanos).toBeGreaterThanOrEqual(0)
        expect(Math.abs(sum.nanos)).toBeLessThan(1_000_000_000)
      }),
    )
  })

  test('getters', () => {
    const value = std.durationOfString('-2h3m4.5s')
    expect([
      std.durationHours(value),
      std.durationMinutes(value),
      std.durationSeconds(value),
      std.durationMilliseconds(value),
    ]).toStrictEqual([-2, -123, -7384, -500])
  })
})
