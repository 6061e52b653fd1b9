import { describe, expect, test } from 'vitest'
import { check } from '../../lib/language/check.ts'
import { describeType, type Type } from '../../lib/language/types.ts'
import { problemsOf, scope } from './world.ts'

describe('types', () => {
  test.each([
    ['event.n + 1', 'int'],
    ['event.d * 2', 'double'],
    ['event.n == 1 ? 1 : 2.5', 'double'],
    ['event.price * 3', 'decimal(2)'],
    ['event.price / event.n', 'decimal(2)'],
    ['event.price + 1', 'decimal(2)'],
    ['event.price + 9.50', 'decimal(2)'],
    ['round(event.d, 3)', 'decimal(3)'],
    ['round(event.price, 2) * (100 - event.n) / 100', 'decimal(2)'],
    ['event.plan', 'basic | gold'],
    ['event.s.split("_")', 'list<string>'],
    ['event.items.map(i, i.quantity).sum()', 'int'],
    ['event.items.map(i, i.?price.orValue(0) * i.quantity)', 'list<int>'],
    ['event.items.minBy(i, i.quantity).sku', 'string'],
    ['now - event.at', 'duration'],
    ['event.at.format("yyyy-MM-dd", "Europe/Warsaw")', 'string'],
    ['event.at.getHours("Europe/Warsaw")', 'int'],
    ['geo.distanceKm(event.d, 21, 50.1, 20)', 'double'],
    ['math.least(50, event.d)', 'double'],
    ['bucket(event.s, "2026q4", 100) >= 5', 'bool'],
    ['{"a": event.n}', 'map<int>'],
    ['timestamp(event.n * 3600)', 'timestamp'],
    ['event.`temp-c`', 'double'],
    ['math.bitAnd(event.n, 255)', 'int'],
    ['math.bitNot(event.n)', 'int'],
    ['math.bitShiftLeft(1, event.n)', 'int'],
    ['math.sign(event.price)', 'int'],
    ['math.sign(event.d)', 'double'],
    ['math.sqrt(event.n)', 'double'],
    ['math.trunc(event.d)', 'double'],
    ['math.isInf(event.d)', 'bool'],
    ['math.greatest(event.n, 3, 4)', 'int'],
    ['math.least(event.ints)', 'int'],
    ['strings.quote(event.s)', 'string'],
    ['event.s.reverse()', 'string'],
  ])('%s: %s', (source, type) => {
    const checked = check(source, scope)
    expect(checked.problems).toEqual([])
    expect(describeType(checked.type)).toBe(type)
  })
})

const untyped =
  'type-mismatch: This needs the type of an element, and what is written here has none: an empty list, an empty map or optional.none()'

describe('one message per cause', () => {
  test.each([
    [
      'event.pln == "basic" && event.pln == "x"',
      ['unknown-field: "event" has no field "pln"', 'unknown-field: "event" has no field "pln"'],
    ],
    [
      'evnt.n + 1 > 2 && evnt.x.y.size() == 3',
      ['unknown-name: Nothing is called "evnt" here', 'unknown-name: Nothing is called "evnt" here'],
    ],
    ['[event.q, "a"].map(x, x + 1).sum() > 1', ['unknown-field: "event" has no field "q"']],
    ['event.items.map(i, i.q).sum() > "a"', ['unknown-field: "i" has no field "q"']],
    ['event.n >= "80"', ['type-mismatch: Cannot compare int with string']],
    ['event.n == event.d', ['type-mismatch: Cannot compare int with double']],
    ['event.price > 1.005', ['type-mismatch: Cannot compare decimal(2) with double']],
    ['event.plan == "golden"', ['never-true: This can never be true: "golden" is not among "basic", "gold"']],
    ['event.plan != "golden"', ['never-true: This is true whatever comes: "golden" is not among "basic", "gold"']],
    ['event.plan in ["gold", "silver"]', ['never-true: This can never be true: "silver" is not among "basic", "gold"']],
    ['event.at.getDayOfWeek() == 7', ['never-true: This can never be true: "getDayOfWeek" gives 0 to 6, 0 is Sunday']],
    ['event.at.getMonth() in [11, 12]', ['never-true: This can never be true: "getMonth" gives 0 to 11, 0 is January']],
    [
      'event.at.format("EEE", "Europe/Warsaw") == "Friday"',
      ['never-true: This can never be true: the pattern "EEE" gives Mon, Tue, Wed, Thu, Fri, Sat or Sun'],
    ],
    ['event.at.getHours("Europe/Warsw") > 1', ['unknown-zone: There is no time zone "Europe/Warsw"']],
    [
      'event.at.format("yyyy-mm-DD", "UTC")',
      ['format-pattern: A pattern has no "DD"; its letters are yyyy, MM, dd, HH, mm, ss, SSS and EEE'],
    ],
    [
      'int(now - event.at)',
      [
        'refused-function: "int" of a duration is left out, since implementations differ; use getSeconds(), getMinutes() or getHours()',
      ],
    ],
    [
      'now - event.at > duration("7d")',
      ['literal-type: "7d" is no duration; the units are h, m, s, ms, us and ns, as in "168h" for seven days'],
    ],
    ['sise(event.items)', ['unknown-function: There is no function "sise"']],
    ['event.s.matches("[a")', ['literal-type: "[a" is no regular expression: a "[" has no "]"']],
    ['event.s.matches("a)")', ['literal-type: "a)" is no regular expression: a ")" has no "("']],
    ['event.s.matches("*a")', ['literal-type: "*a" is no regular expression: "*" has nothing before it to repeat']],
    ['event.s.matches("(?=a)b")', ['literal-type: "(?=a)b" is no regular expression: RE2 has no "(?="']],
    ['event.s.matches("[z-a]")', ['literal-type: "[z-a]" is no regular expression: there is no range or class "z-a"']],
    ['size(event.n) > 1', ['type-mismatch: "size" needs a text, a list or a map, found int']],
    ['int(event.ok) > 1', ['type-mismatch: "int" needs a number, a text or a timestamp, found bool']],
    [
      'event.items.some(i, i.quantity > 1)',
      ['unknown-function: list<{ sku: string, quantity: int, price?: int }> has no function "some"'],
    ],
    ['[].map(x, x + 1) == [2]', [untyped]],
    ['[].exists(x, x == 2)', [untyped]],
    ['optional.none().optMap(x, x + 1).hasValue()', [untyped]],
    ['{1.5: "a"}[1.5] == "a"', ['type-mismatch: The keys of a map need to be string, int or bool, found double']],
    ['math.bitAnd(event.d, 1) == 1', ['type-mismatch: "math.bitAnd" needs int, found double']],
    ['event.n && event.ok', ['not-a-condition: Each side of "&&" needs to be true or false, found int']],
  ])('%s', (source, problems) => {
    expect(problemsOf(source)).toEqual(problems)
  })
})

describe('a suggestion only when sure', () => {
  test.each([
    ['event.pln == "basic"', 'plan'],
    ['evnt.n > 1', 'event'],
    ['event.plan == "golden"', '"gold"'],
    ['event.n >= "80"', 'event.n >= 80'],
    ['sise(event.items) > 1', 'size'],
    ['event.s.length() > 1', 'size'],
    ['event.items.some(i, i.quantity > 1)', 'exists'],
    // "n", "d", "s" and "a" are all one letter away.
    ['event.q == 1', undefined],
    ['event.n >= "eighty"', undefined],
  ])('%s', (source, suggestion) => {
    expect(check(source, scope).problems[0]?.suggestion).toBe(suggestion)
  })
})

test('a place says what it needs', () => {
  const bool: Type = { kind: 'bool' }
  expect(problemsOf('event.n', { expected: bool, place: 'filter "adult"' })).toEqual([
    'not-a-condition: Filter "adult" needs to be true or false, found int',
  ])
  expect(problemsOf('2', { expected: { kind: 'double' } })).toEqual([])
  expect(check('2', scope, { expected: { kind: 'decimal', digits: 2 } }).constant).toEqual({ value: 200 })
})

test('with --strict, promoted literals are named', () => {
  expect(problemsOf('event.d * 2 > 0.5', {}, { ...scope, strict: true })).toEqual([
    'not-standard: Standard CEL has no int literal where double is needed',
  ])
})

test('references are the paths read, whether evaluated or not', () => {
  const { references } = check('event.n > 1 ? event.a.?b.orValue(1) : event.items.map(i, i.quantity)[0]', scope)
  expect([...references].map(([name, paths]) => [name, [...paths].sort()])).toEqual([['event', ['a.b', 'items', 'n']]])
})

test('what is the same for every record is known', () => {
  expect(check('2 * 3 + 1', scope).constant).toEqual({ value: 7 })
  expect(check('"a" in ["a", "b"]', scope).constant).toEqual({ value: true })
  expect(check('1 / 0', scope).constant).toBeUndefined()
  expect(check('event.n', scope).constant).toBeUndefined()
})
