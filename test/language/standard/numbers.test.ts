import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as std from '../../../lib/language/standard/index.ts'

const { ExpressionFailure } = std
const int64 = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom(-(2n ** 63n), 2n ** 63n - 1n, 2n ** 53n, -(2n ** 53n), 2n ** 53n - 1n, 0n, 1n, -1n),
  fc.bigInt({ min: -(2n ** 32n), max: 2n ** 32n }),
)
const max = 9223372036854775807n
const min = -9223372036854775808n

function outcome<Value>(compute: () => Value): Value | 'fails' {
  try {
    return compute()
  } catch (error) {
    if (error instanceof ExpressionFailure) return 'fails'
    throw error
  }
}

describe('ints', () => {
  test.each<[string, () => unknown, unknown]>([
    ['2^53 − 1 + 1', () => std.addInt(9007199254740991, 1), 9007199254740992n],
    ['2^53 − 1', () => std.subInt(9007199254740992n, 1), 9007199254740991],
    ['largest + 1', () => std.addInt(max, 1), 'fails'],
    ['smallest − 1', () => std.subInt(min, 1), 'fails'],
    ['−smallest', () => std.negInt(min), 'fails'],
    ['|smallest|', () => std.absInt(min), 'fails'],
    ['smallest / −1', () => std.divInt(min, -1), 'fails'],
    ['3037000500²', () => std.mulInt(3037000500, 3037000500), 'fails'],
    ['3037000499²', () => std.mulInt(3037000499, 3037000499), 9223372030926249001n],
    ['0 · −5 has no minus', () => std.mulInt(0, -5), 0],
    ['−0', () => std.negInt(0), 0],
    ['−7 / 2', () => std.divInt(-7, 2), -3],
    ['−1 / 2', () => std.divInt(-1, 2), 0],
    ['−7 % 2', () => std.modInt(-7, 2), -1],
    ['−4 % 2', () => std.modInt(-4, 2), 0],
    ['7 % −2', () => std.modInt(7, -2), 1],
    ['1 / 0', () => std.divInt(1, 0), 'fails'],
    ['1 % 0', () => std.modInt(1, 0), 'fails'],
    ['int(1.9)', () => std.intOfDouble(1.9), 1],
    ['int(−0.5)', () => std.intOfDouble(-0.5), 0],
    ['int(2^62)', () => std.intOfDouble(2 ** 62), 4611686018427387904n],
    ['int(2^63)', () => std.intOfDouble(2 ** 63), 'fails'],
    ['int(NaN)', () => std.intOfDouble(NaN), 'fails'],
    ['int(∞)', () => std.intOfDouble(Infinity), 'fails'],
  ])('%s', (_, compute, expected) => expect(outcome(compute)).toStrictEqual(expected))

  test('agree with BigInt', () => {
    const fits = (value: bigint) => (value > max || value < min ? 'fails' : value)
    const widened = (value: std.Int | 'fails') => (value === 'fails' ? value : BigInt(value))
    fc.assert(
      fc.property(int64, int64, (a, b) => {
        const [x, y] = [std.canonicalInt(a), std.canonicalInt(b)]
        expect(widened(outcome(() => std.addInt(x, y)))).toBe(fits(a + b))
        expect(widened(outcome(() => std.subInt(x, y)))).toBe(fits(a - b))
        expect(widened(outcome(() => std.mulInt(x, y)))).toBe(fits(a * b))
        expect(widened(outcome(() => std.divInt(x, y)))).toBe(b === 0n ? 'fails' : fits(a / b))
        expect(widened(outcome(() => std.modInt(x, y)))).toBe(b === 0n ? 'fails' : a % b)
        expect(widened(outcome(() => std.negInt(x)))).toBe(fits(-a))
        // One canonical form per value.
        const sum = outcome(() => std.addInt(x, y))
        if (sum !== 'fails') expect(typeof sum).toBe(Number.isSafeInteger(Number(sum)) ? 'number' : 'bigint')
        expect(std.compare(x, y)).toBe(a < b ? -1 : a > b ? 1 : 0)
      }),
      { numRuns: 5000 },
    )
  })
})

describe('decimals', () => {
  test.each<[string, () => unknown, unknown]>([
    ['1.00 / 3 is 0.33', () => std.divDecimal(100, 3), 33],
    ['0.05 / 2 is 0.03', () => std.divDecimal(5, 2), 3],
    ['−0.05 / 2 is −0.03', () => std.divDecimal(-5, 2), -3],
    ['0.05 / −2 is −0.03', () => std.divDecimal(5, -2), -3],
    ['−0.05 / −2 is 0.03', () => std.divDecimal(-5, -2), 3],
    ['0.01 / −3 is 0, without a minus', () => std.divDecimal(1, -3), 0],
    ['1 / 0', () => std.divDecimal(100, 0), 'fails'],
    ['20.10 − 10.10 is 10.00', () => std.subDecimal(2010, 1010), 1000],
    ['the largest + 0.01', () => std.addDecimal(max, 1), 'fails'],
    ['the smallest / −1', () => std.divDecimal(min, -1), 'fails'],
    ['round(2.675, 2)', () => std.roundDouble(2.675, 2), 268],
    ['round(-2.675, 2)', () => std.roundDouble(-2.675, 2), -268],
    ['round(1.005, 2)', () => std.roundDouble(1.005, 2), 101],
    ['round(0.5, 0)', () => std.roundDouble(0.5, 0), 1],
    ['round(0.49999999999999994, 0)', () => std.roundDouble(0.49999999999999994, 0), 0],
    ['round(-0.4, 0)', () => std.roundDouble(-0.4, 0), 0],
    ['round(0.3 * 18.0, 2)', () => std.roundDouble(0.3 * 18.0, 2), 540],
    ['round(0.6 * 9.5 + 1.0, 2)', () => std.roundDouble(0.6 * 9.5 + 1.0, 2), 670],
    ['round(1e-7, 2)', () => std.roundDouble(1e-7, 2), 0],
    ['round(5e-324, 18)', () => std.roundDouble(5e-324, 18), 0],
    ['round(123456789012.345, 2)', () => std.roundDouble(123456789012.345, 2), 12345678901235],
    ['round(1e16, 2)', () => std.roundDouble(1e16, 2), 1000000000000000000n],
    ['round(1e17, 2)', () => std.roundDouble(1e17, 2), 'fails'],
    ['round(1e300, 2)', () => std.roundDouble(1e300, 2), 'fails'],
    ['round(NaN, 2)', () => std.roundDouble(NaN, 2), 'fails'],
    ['round(∞, 2)', () => std.roundDouble(Infinity, 2), 'fails'],
    ['round(7, 2)', () => std.roundInt(7, 2), 700],
    ['round(largest int, 1)', () => std.roundInt(max, 1), 'fails'],
    ['2.675 of three digits to two', () => std.roundDecimal(2675, 3, 2), 268],
    ['−2.675 of three digits to two', () => std.roundDecimal(-2675, 3, 2), -268],
    ['2.67 of two digits to three', () => std.roundDecimal(267, 2, 3), 2670],
    ['double(14.40)', () => std.doubleOfDecimal(1440, 2), 14.4],
    ['double(90071992547409.93)', () => std.doubleOfDecimal(9007199254740993n, 2), 90071992547409.94],
    ['int(−14.99)', () => std.intOfDecimal(-1499, 2), -14],
  ])('%s', (_, compute, expected) => expect(outcome(compute)).toStrictEqual(expected))

  test('division agrees with fractions in BigInt: the result is nearest, ties go away from 0', () => {
    const abs = (value: bigint) => (value < 0n ? -value : value)
    fc.assert(
      fc.property(int64, int64, (a, b) => {
        const result = outcome(() => std.divDecimal(std.canonicalInt(a), std.canonicalInt(b)))
        if (result === 'fails') {
          expect(b === 0n || (a === min && b === -1n)).toBe(true)
          return
        }
        const error = 2n * abs(a - BigInt(result) * b)
        expect(error <= abs(b)).toBe(true)
        if (error === abs(b)) expect(abs(BigInt(result) * b) > abs(a)).toBe(true)
      }),
      { numRuns: 5000 },
    )
  })

  test('rounding agrees with the digits of the shortest text', () => {
    fc.assert(
      fc.property(fc.integer({ min: -999_999, max: 999_999 }), fc.integer({ min: 0, max: 999 }), (whole, thousandths) => {
        const value = Number(`${whole}.${String(thousandths).padStart(3, '0')}`)
        const magnitude = Math.abs(whole) * 100 + Math.floor(thousandths / 10) + (thousandths % 10 >= 5 ? 1 : 0)
        expect(Math.abs(Number(std.roundDouble(value, 2)))).toBe(magnitude)
      }),
      { numRuns: 5000 },
    )
  })
})

describe('math', () => {
  test.each<[number, number]>([
    [1.5, 2],
    [-1.5, -2],
    [2.5, 3],
    [0.49999999999999994, 0],
    [-1.4, -1],
    [4503599627370497, 4503599627370497],
    [Infinity, Infinity],
    [NaN, NaN],
  ])('round(%d) is %d', (value, expected) => expect(std.roundHalf(value)).toBe(expected))

  test('bits are those of 64-bit words', () => {
    expect(std.bitShiftRight(-1024, 3)).toBe(2305843009213693824n)
    expect(std.bitShiftLeft(1, 63)).toBe(-9223372036854775808n)
    expect([std.bitShiftLeft(-1, 200), std.bitShiftRight(1024, 64), std.bitNot(0), std.bitXor(4, -2)]).toStrictEqual([
      0, 0, -1, -6,
    ])
    expect(std.bitNot(new std.Uint(0n))).toStrictEqual(new std.Uint(18446744073709551615n))
    expect(() => std.bitShiftLeft(1, -1)).toThrow(ExpressionFailure)
  })

  test('greatest and least compare exactly, and keep the first of equals', () => {
    expect(std.greatest([1, 9007199254740993n, 9007199254740992n])).toBe(9007199254740993n)
    expect(std.least([2.5, -1, 3])).toBe(-1)
    expect(std.greatest([1, new std.Double(1)])).toBe(1)
    expect(() => std.greatest([])).toThrow(ExpressionFailure)
    expect(() => std.least(['a' as unknown])).toThrow(ExpressionFailure)
  })
})

test('buckets are those of SHA-256', () => {
  // printf 'exp-1/c-42' | sha256sum | cut -c1-16, read as a number, modulo 100; the same for the others.
  expect([std.bucket('c-42', 'exp-1', 100), std.bucket('', '', 100), std.bucket('ą', 's', 7)]).toStrictEqual([52, 15, 4])
  expect(() => std.bucket('a', 'b', 0)).toThrow(ExpressionFailure)
})

test('distances', () => {
  expect(std.distanceKm(52.2297, 21.0122, 50.0647, 19.945)).toBeCloseTo(252, 0)
  expect(std.distanceKm(0, 0, 0, 0)).toBe(0)
  expect(std.distanceKm(0, 0, 0, 180)).toBeCloseTo(20015.0868, 4)
  expect(std.distanceKm(90, 0, -90, 0)).toBeCloseTo(20015.0868, 4)
})
