import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as std from '../../../lib/language/standard/index.ts'
import { cpuMsOf } from '../../cpu-time.ts'

const { inexact, Timestamp, JsonNumber } = std

describe('JSON in', () => {
  test.each<[string, unknown]>([
    ['60', 60],
    ['60.0', 60],
    ['6e1', 60],
    ['-0', 0],
    ['60.5', undefined],
    ['"60"', undefined],
    ['true', undefined],
    ['null', undefined],
    ['9007199254740991', 9007199254740991],
    ['9007199254740992', 9007199254740992n],
    ['9007199254740993', 9007199254740993n],
    ['-9007199254740993', -9007199254740993n],
    ['9223372036854775807', 9223372036854775807n],
    ['-9223372036854775808', -9223372036854775808n],
    ['9223372036854775808', undefined],
    ['-9223372036854775809', undefined],
    ['1e400', undefined],
    ['1e18', 1000000000000000000n],
    ['9007199254740993.5', undefined],
    ['1e-400', 0],
  ])('the int of %s', (text, expected) => {
    const fast = std.intFromJson(JSON.parse(text))
    expect(fast === inexact ? std.intFromJson(std.parseJsonTexts(text)) : fast).toStrictEqual(expected)
  })

  test.each<[string, number, unknown]>([
    ['60', 2, 6000],
    ['14.5', 2, 1450],
    ['14.50', 2, 1450],
    ['20.1', 2, 2010],
    ['10.1', 2, 1010],
    ['1.005', 2, undefined],
    ['1.005', 3, 1005],
    ['-0.01', 2, -1],
    ['-0', 2, 0],
    ['1e2', 2, 10000],
    ['0.1', 0, undefined],
    ['7', 0, 7],
    ['"7"', 0, undefined],
    ['92233720368547758.07', 2, 9223372036854775807n],
    ['92233720368547758.08', 2, undefined],
    ['-92233720368547758.08', 2, -9223372036854775808n],
    ['90071992547409.93', 2, 9007199254740993n],
    ['90071992547409.935', 2, undefined],
    ['1e300', 2, undefined],
    ['1e999999999', 2, undefined],
    ['0.000000000000000001', 18, 1],
    // Few digits, and more units than a double counts.
    ['10000000000000', 2, 1_000_000_000_000_000],
    ['1', 15, 1_000_000_000_000_000],
    ['0.001', 18, 1_000_000_000_000_000],
  ])('%s as decimal(%i)', (text, digits, expected) => {
    const fast = std.decimalFromJson(JSON.parse(text), digits)
    expect(fast === inexact ? std.decimalFromJson(std.parseJsonTexts(text), digits) : fast).toStrictEqual(expected)
  })

  test.each<[string, unknown]>([
    ['60', 60],
    ['14.5', 14.5],
    ['1e400', undefined],
    ['-1e400', undefined],
    ['"1"', undefined],
    ['9007199254740993', 9007199254740992],
    ['0.1000000000000000055511151231257827', 0.1],
  ])('the double of %s', (text, expected) => {
    expect(std.doubleFromJson(JSON.parse(text))).toStrictEqual(expected)
    expect(std.doubleFromJson(std.parseJsonTexts(text))).toStrictEqual(expected)
  })

  test.each<[unknown, number | undefined, number | undefined]>([
    [0, 0, 0],
    [1500, 1, 500_000_000],
    [-1, -1, 999_000_000],
    [253402300799999, 253402300799, 999_000_000],
    [253402300800000, undefined, undefined],
    [-62135596800000, -62135596800, 0],
    [-62135596800001, undefined, undefined],
    [1.5, undefined, undefined],
    ['1', undefined, undefined],
  ])('%s milliseconds since 1970', (json, seconds, nanos) => {
    const value = std.timestampFromJsonMillis(json)
    expect(value).toStrictEqual(seconds === undefined ? undefined : new Timestamp(seconds, nanos!))
  })

  test('microseconds are exact beyond 2^53', () => {
    const json = std.parseJsonExact('253402300799999999')
    expect(std.timestampFromJsonMicros(JSON.parse('253402300799999999'))).toBe(inexact)
    const value = std.timestampFromJsonMicros(json) as std.Timestamp
    expect(value).toStrictEqual(new Timestamp(253402300799, 999_999_000))
    expect(std.jsonOfTimestampMicros(value)).toBe('253402300799999999')
    expect(std.timestampFromJsonMicros(-1n)).toStrictEqual(new Timestamp(-1, 999_999_000))
  })

  test.each<[unknown, string | undefined]>([
    ['Europe/Warsaw', 'Europe/Warsaw'],
    ['UTC', 'UTC'],
    ['Europe/Warszawa', undefined],
    ['+01:00', undefined],
    ['', undefined],
    [1, undefined],
  ])('the time zone %s', (json, expected) => expect(std.timezoneFromJson(json)).toBe(expected))

  test('an enum is one of its texts, neither trimmed nor in other case', () => {
    expect(['gold', ' gold', 'Gold', '', 1, null].map(json => std.enumFromJson(json, ['basic', 'gold']))).toStrictEqual([
      'gold',
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
    ])
  })
})

describe('exact JSON', () => {
  test('keeps what JSON.parse would round', () => {
    expect(
      std.parseJsonExact('{"a":[9007199254740993,1.5,18446744073709551616,0.12345678901234567],"b":{"c":"9007199254740993"}}'),
    ).toStrictEqual({
      a: [9007199254740993n, 1.5, new JsonNumber('18446744073709551616'), new JsonNumber('0.12345678901234567')],
      b: { c: '9007199254740993' },
    })
  })

  test('has own members with hostile names, and the last of duplicates', () => {
    const value = std.parseJsonExact('{"__proto__":{"x":1},"constructor":2,"a":1,"a":{"b":2}}') as Record<string, unknown>
    expect(Object.keys(value)).toStrictEqual(['__proto__', 'constructor', 'a'])
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(value['a']).toStrictEqual({ b: 2 })
  })

  test.each(['', '{', '[1,]', 'NaN', '01', '{"a":1}}', "'a'"])('refuses %s', text =>
    expect(() => std.parseJsonExact(text)).toThrow(SyntaxError),
  )

  test('survives 200,000 open brackets', () => {
    let depth = 0
    for (let value = std.parseJsonExact('['.repeat(200_000) + ']'.repeat(200_000)); Array.isArray(value); value = value[0])
      depth++
    expect(depth).toBe(200_000)
  })

  test('a number of a million digits is out of range, at once', () => {
    const costMs = cpuMsOf(() => {
      expect(std.intFromJson(std.parseJsonExact('9'.repeat(1_000_000)))).toBe(undefined)
      expect(std.decimalFromJson(std.parseJsonExact(`0.${'0'.repeat(1_000_000)}1`), 2)).toBe(undefined)
      expect(std.intFromText('9'.repeat(1_000_000))).toBe(undefined)
      expect(std.decimalFromText('9'.repeat(1_000_000), 2)).toBe(undefined)
    })
    expect(costMs).toBeLessThan(1000)
  })

  test('agrees with JSON.parse', () => {
    fc.assert(
      fc.property(fc.json(), text => {
        const exact = JSON.stringify(std.parseJsonExact(text), (_, value) =>
          value instanceof JsonNumber ? Number(value.text) : typeof value === 'bigint' ? Number(value) : value,
        )
        expect(exact).toBe(JSON.stringify(JSON.parse(text)))
      }),
    )
  })
})

describe('text in', () => {
  test.each<[string, unknown, unknown, unknown]>([
    // text, int, double, decimal(2)
    ['60', 60, 60, 6000],
    ['-60', -60, -60, -6000],
    ['29.5', undefined, 29.5, 2950],
    ['14.40', undefined, 14.4, 1440],
    ['14.400', undefined, 14.4, 1440],
    ['14.405', undefined, 14.405, undefined],
    ['', undefined, undefined, undefined],
    [' 1', undefined, undefined, undefined],
    ['1\n', undefined, undefined, undefined],
    ['+1', undefined, undefined, undefined],
    ['1e3', undefined, undefined, undefined],
    ['.5', undefined, undefined, undefined],
    ['5.', undefined, undefined, undefined],
    ['0x10', undefined, undefined, undefined],
    ['n/a', undefined, undefined, undefined],
    ['Infinity', undefined, undefined, undefined],
    ['9223372036854775807', 9223372036854775807n, 2 ** 63, undefined],
    ['9223372036854775808', undefined, 2 ** 63, undefined],
    ['-9223372036854775808', -9223372036854775808n, -(2 ** 63), undefined],
    ['90071992547409.93', undefined, 90071992547409.94, 9007199254740993n],
  ])('"%s"', (text, int, double, decimal) => {
    expect([std.intFromText(text), std.doubleFromText(text), std.decimalFromText(text, 2)]).toStrictEqual([int, double, decimal])
  })

  test('bools are true, false, 1 and 0', () => {
    expect(['true', 'false', '1', '0', 'TRUE', '', 'yes'].map(std.boolFromText)).toStrictEqual([
      true,
      false,
      true,
      false,
      undefined,
      undefined,
      undefined,
    ])
  })

  test('millis and micros are digits', () => {
    expect(std.timestampFromTextMillis('1500')).toStrictEqual(new Timestamp(1, 500_000_000))
    expect(std.timestampFromTextMicros('-1')).toStrictEqual(new Timestamp(-1, 999_999_000))
    expect(std.timestampFromTextMillis('2026-01-01T00:00:00Z')).toBe(undefined)
  })
})

describe('out', () => {
  test.each<[std.Int, number, string, string]>([
    [6000, 2, '60', '60.00'],
    [1440, 2, '14.4', '14.40'],
    [1, 2, '0.01', '0.01'],
    [-1, 2, '-0.01', '-0.01'],
    [-150, 2, '-1.5', '-1.50'],
    [0, 2, '0', '0.00'],
    [7, 0, '7', '7'],
    [9223372036854775807n, 2, '92233720368547758.07', '92233720368547758.07'],
    [-9223372036854775808n, 3, '-9223372036854775.808', '-9223372036854775.808'],
  ])('%s as decimal(%i) is %s in JSON and %s in text', (scaled, digits, json, text) => {
    expect([std.jsonOfDecimal(scaled, digits), std.textOfDecimal(scaled, digits)]).toStrictEqual([json, text])
  })

  test.each<[number, string]>([
    [60, '60'],
    [14.5, '14.5'],
    [0.1, '0.1'],
    [1e21, '1e+21'],
    [1e-7, '1e-7'],
  ])('the double %d is %s', (value, text) =>
    expect([std.jsonOfDouble(value), std.textOfDouble(value)]).toStrictEqual([text, text]),
  )

  test('a double that is not finite fails', () => {
    for (const value of [NaN, Infinity, -Infinity]) {
      expect(() => std.jsonOfDouble(value)).toThrow(std.ExpressionFailure)
      expect(() => std.textOfDouble(value)).toThrow(std.ExpressionFailure)
    }
  })

  test('ints beyond 2^53 are plain digits', () => {
    expect(std.jsonOfInt(9223372036854775807n)).toBe('9223372036854775807')
    expect(std.textOfInt(-9007199254740993n)).toBe('-9007199254740993')
  })

  test('strings are as JSON.stringify writes them', () => {
    const texts = ['', 'a', 'é', '"', '\\', '\n', '\u007f', '\u2028', '😀', '\ud800', 'x'.repeat(100), `${'x'.repeat(100)}"`]
    expect(texts.map(std.jsonOfString)).toStrictEqual(texts.map(text => JSON.stringify(text)))
    fc.assert(fc.property(fc.string({ unit: 'binary' }), text => std.jsonOfString(text) === JSON.stringify(text)))
  })
})

describe('round trips', () => {
  const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })

  test('ints', () => {
    fc.assert(
      fc.property(int64, value => {
        expect(BigInt(std.intFromText(String(value))!)).toBe(value)
        expect(BigInt(std.intFromJson(std.parseJsonExact(String(value))) as std.Int)).toBe(value)
      }),
    )
  })

  test('decimals', () => {
    fc.assert(
      fc.property(int64, fc.integer({ min: 0, max: 18 }), (scaled, digits) => {
        const int = std.canonicalInt(scaled)
        const text = std.textOfDecimal(int, digits)
        expect(std.decimalFromText(text, digits)).toBe(int)
        const fast = std.decimalFromJson(JSON.parse(text), digits)
        expect(fast === inexact ? std.decimalFromJson(std.parseJsonTexts(text), digits) : fast).toBe(int)
        expect(JSON.parse(std.jsonOfDecimal(int, digits))).toBe(JSON.parse(text))
      }),
      { numRuns: 2000 },
    )
  })
})
