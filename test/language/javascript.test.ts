import { describe, expect, test } from 'vitest'
import { check } from '../../lib/language/check.ts'
import { toJavaScript } from '../../lib/language/javascript.ts'
import { bothOf, scope } from './world.ts'

function translated(source: string): { readonly code: string; readonly canFail: boolean } {
  const { code, canFail } = toJavaScript(check(source, scope, { allowMissing: true }), {
    reference: name => name,
    mayFail: () => false,
  })
  return { code, canFail }
}

describe('static types make straight JavaScript', () => {
  test.each([
    ['event.n > 25 && event.n < 35', '((event.n > 25) && (event.n < 35))', false],
    ['event.d * 2 >= 0.5', '((event.d * 2) >= 0.5)', false],
    ['event.n + 1', 'std.addInt(event.n, 1)', true],
    ['event.plan == "gold"', '(event.plan === "gold")', false],
    ['event.`temp-c` > 80', '(event["temp-c"] > 80)', false],
    ['event.?before.?name', 'event.before?.name', false],
    ['event.?country.orValue("PL")', '(event.country ?? "PL")', false],
    // Only the left side can fail: swapped.
    ['10 / event.n > 1 && event.ok', '(event.ok && (std.divInt(10, event.n) > 1))', true],
    // Both can: guarded.
    [
      '10 / event.n > 1 || 10 % event.n > 1',
      'std.or(() => (std.divInt(10, event.n) > 1), () => (std.modInt(10, event.n) > 1))',
      true,
    ],
    // A divisor that is known is safe.
    ['event.n / 2', 'std.divInt(event.n, 2)', false],
    ['{"a": 1, "b": 2}', 'std.mapOf([["a", 1], ["b", 2]])', false],
    ['{"a": 1, "a": 2}', 'std.mapOf([["a", 1], ["a", 2]])', true],
  ])('%s', (source, code, canFail) => {
    expect(translated(source)).toEqual({ code, canFail })
  })
})

describe('names in backticks never become code', () => {
  test.each([
    ['[1].all(`a => 0); globalThis.hacked = (`, true)', true],
    ['[1].map(`a-b`, `a-b` + 1)[0] == 2', true],
    ['event.?m.optMap(`}]`, `}]` + 1)', 8],
  ])('%s', (source, value) => {
    expect(bothOf(source, { event: { m: 7 } })).toEqual({ compiled: value, interpreted: value })
    expect(globalThis).not.toHaveProperty('hacked')
  })
})
