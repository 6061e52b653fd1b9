// Random well-typed expressions, guarded and unguarded, over random events: compiled and interpreted agree, and what is said not to fail does
// not. Expressions that the checker refuses are left out, and counted, so that the test cannot become empty unnoticed.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { check } from '../../lib/language/check.ts'
import * as std from '../../lib/language/standard/index.ts'
import { bothOf, scope } from './world.ts'

const { int, bool, string, double, duration } = fc.letrec<Record<'int' | 'bool' | 'string' | 'double' | 'duration', string>>(
  tie => {
    const format = (parts: readonly (string | fc.Arbitrary<string>)[]): fc.Arbitrary<string> =>
      fc.tuple(...parts.map(part => (typeof part === 'string' ? fc.constant(part) : part))).map(texts => texts.join(''))
    const operator = (...texts: readonly string[]) => fc.constantFrom(...texts)
    return {
      int: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        fc.constantFrom(
          'event.n',
          'event.m',
          'event.?m.orValue(3)',
          '0',
          '1',
          '-7',
          '9007199254740993',
          'event.ints[0]',
          'place',
        ),
        format(['(', tie('int'), operator(' + ', ' - ', ' * ', ' / ', ' % '), tie('int'), ')']),
        format(['(', tie('bool'), ' ? ', tie('int'), ' : ', tie('int'), ')']),
        format(['size(', tie('string'), ')']),
        format(['event.items.map(i, i.quantity + ', tie('int'), ').sum()']),
        format(['event.items.maxBy(i, i.quantity).quantity']),
        format(['event.ints.filter(v, v > ', tie('int'), ').size()']),
        format(['math.abs(', tie('int'), ')']),
        format([
          'math.',
          operator('bitAnd', 'bitOr', 'bitXor', 'bitShiftLeft', 'bitShiftRight'),
          '(',
          tie('int'),
          ', ',
          tie('int'),
          ')',
        ]),
        format(['math.', operator('bitNot', 'sign'), '(', tie('int'), ')']),
        format(['event.at.getHours("Europe/Warsaw")']),
      ),
      bool: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        fc.constantFrom(
          'event.ok',
          'true',
          'has(event.country)',
          'has(event.m)',
          'has(event.before)',
          'has(place)',
          '(!has(event.flag) || event.flag)',
        ),
        format(['(', tie('bool'), operator(' && ', ' || '), tie('bool'), ')']),
        format(['(has(event.country) && ', tie('bool'), ' && event.country < ', tie('string'), ')']),
        format(['(!has(event.m) || ', tie('bool'), ' || event.m > ', tie('int'), ')']),
        format(['(has(event.before) && ', tie('bool'), ' ? event.before.id > ', tie('int'), ' : ', tie('bool'), ')']),
        format(['!(', tie('bool'), ')']),
        format(['(', tie('int'), operator(' == ', ' != ', ' < ', ' >= '), tie('int'), ')']),
        format(['(', tie('double'), operator(' == ', ' < ', ' >= '), tie('double'), ')']),
        format(['(', tie('string'), operator(' == ', ' != ', ' < ', ' >= '), tie('string'), ')']),
        format(['(', tie('duration'), operator(' == ', ' < '), tie('duration'), ')']),
        format(['event.items.', operator('all', 'exists', 'exists_one'), '(i, has(i.price) && i.price > ', tie('int'), ')']),
        format(['event.items.exists(i, i.quantity / (i.quantity - 1) > ', tie('int'), ' || ', tie('bool'), ')']),
        format(['(', tie('string'), ' in [', tie('string'), ', "PL"])']),
        fc.constant('(event.plan == "gold")'),
        format([tie('string'), '.matches(', tie('string'), ')']),
        format(['(event.price * ', operator('2', '3', '-1'), ' > ', operator('10', '9.5'), ')']),
      ),
      string: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        fc.constantFrom(
          'event.s',
          'event.country',
          '"PL"',
          '""',
          '"😀～"',
          'event.?country.orValue("DE")',
          'event.?before.?name.orValue("?")',
        ),
        format(['(', tie('string'), ' + ', tie('string'), ')']),
        format(['string(', tie('int'), ')']),
        format([tie('string'), '.substring(', tie('int'), ')']),
        format([tie('string'), operator('.lowerAscii()', '.reverse()')]),
        format(['strings.quote(', tie('string'), ')']),
        format([tie('string'), '.replace("P", ', tie('string'), ')']),
        format(['event.items.map(i, i.sku).join(', tie('string'), ')']),
      ),
      double: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        fc.constantFrom('event.d', 'event.`temp-c`', '0.5', 'event.?e.orValue(1)'),
        format(['(', tie('double'), operator(' + ', ' * ', ' / '), tie('double'), ')']),
        format(['double(', tie('int'), ')']),
        format(['math.least(', tie('double'), ', 2)']),
        format(['math.', operator('sign', 'sqrt', 'trunc', 'ceil', 'floor', 'round', 'abs'), '(', tie('double'), ')']),
      ),
      duration: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        fc.constantFrom('duration("5m")', 'now - event.at'),
        format(['(', tie('duration'), ' + ', tie('duration'), ')']),
      ),
    }
  },
)

const text = fc.constantFrom('', 'PL', 'pl', 'Zażółć', '😀', '～')
const number = fc.constantFrom<number | bigint>(-7, 0, 1, 2, 5, 9007199254740991, 9007199254740993n, 9223372036854775807n)
const maybe = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined })
const time = fc.constantFrom(0, 1_794_999_600, -1).map(seconds => new std.Timestamp(seconds, 5))
const values = fc.record({
  event: fc.record({
    n: number,
    m: maybe(number),
    d: fc.constantFrom(0, -0, 1.5, Number.NaN, 1e300),
    e: maybe(fc.constantFrom(0, 2.5)),
    s: text,
    country: maybe(text),
    ok: fc.boolean(),
    flag: maybe(fc.boolean()),
    at: time,
    price: fc.constantFrom(0, 950, 1000, -1),
    plan: fc.constantFrom('basic', 'gold'),
    before: maybe(fc.record({ id: number, name: maybe(text) })),
    items: fc.array(fc.record({ sku: text, quantity: fc.constantFrom(0, 1, 2), price: maybe(fc.constantFrom(1, 5)) }), {
      maxLength: 3,
    }),
    ints: fc.array(number, { maxLength: 3 }),
    'temp-c': fc.constantFrom(70.5, 80),
    'a.b': maybe(number),
    a: fc.record({ b: maybe(number) }),
  }),
  now: time,
  place: maybe(number),
  x_0: fc.record({ price: maybe(number) }),
})

test('compiled and interpreted agree, and what cannot fail does not', () => {
  let accepted = 0
  let evaluated = 0
  fc.assert(
    fc.property(
      fc.oneof(bool, int, string, double, duration),
      fc.array(values, { minLength: 1, maxLength: 5 }),
      (source, inputs) => {
        const checked = check(source, scope, { allowMissing: true })
        const others = checked.problems.filter(({ id }) => id !== 'may-be-missing' && id !== 'never-true')
        expect(others, source).toEqual([])
        if (checked.problems.length > 0) return
        accepted++
        for (const input of inputs) {
          const { compiled, interpreted } = bothOf(source, input)
          if (compiled !== 'failure') evaluated++
          expect(String(compiled), source).not.toMatch(/^crash/)
          expect(compiled, source).toEqual(interpreted)
        }
      },
    ),
    { numRuns: 4000, seed: 20261125 },
  )
  expect(accepted).toBeGreaterThan(1000)
  expect(evaluated).toBeGreaterThan(2000)
})
