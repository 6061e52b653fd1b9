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
    ['event.n + "a" == "b"', ['type-mismatch: Cannot add int and string']],
    ['now - event.n > now', ['type-mismatch: Cannot subtract int from timestamp']],
    ['event.price * event.price > 1', ['type-mismatch: Cannot multiply decimal(2) by decimal(2)']],
    ['event.n / event.price > 1', ['type-mismatch: Cannot divide int by decimal(2)']],
    ['event.d % 2.0 == 0.0', ['type-mismatch: "%" needs two ints, found double and double']],
    ['-event.s == ""', ['type-mismatch: "-" needs a number or a duration, found string']],
    ['event.ints < event.ints', ['type-mismatch: "<" needs values that have an order, found list<int>']],
    ['event.n in ["a"]', ['type-mismatch: list<string> can never have int in it']],
    ['"a".q == 1', ['unknown-field: What stands before the dot has no fields, it is string']],
    ['5u == 5', ['type-mismatch: Scenarios have no unsigned ints']],
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
    ['event.n == 5u', '5'],
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

describe('the cure stands below, as a line to copy', () => {
  test.each([
    ['event.m + 1', 'Ask first: has(event.m) && …', 'Or give a value for the missing one: event.?m.orValue(0)'],
    [
      'event.?before.?name.size() > 1',
      'Ask first: has(event.before) && has(event.before.name) && …',
      'Or give a value for the missing one: event.?before.?name.orValue("")',
    ],
    ['event.before.id > 1', 'Ask first: has(event.before) && …'],
    ['event.`a.b` > 1', 'Ask first: has(event.`a.b`) && …', 'Or give a value for the missing one: event.?`a.b`.orValue(0)'],
    ['place > 1', 'Ask first: has(place) && …', 'Or give a value for the missing one: place.orValue(0)'],
    ['event.items[?0].sku == ""', 'Give a value for the missing one: event.items[?0].?sku.orValue("")'],
    ['event.n + "a"', 'Convert it: string(event.n), or write a text in quotes with {event.n} in it'],
    ['event.d + event.n', 'Convert it: double(event.n)'],
    ['event.n == event.d', 'Convert it: double(event.n)'],
    ['math.ceil(event.n)', 'Convert it: double(event.n)'],
    ['event.s > 5', 'Convert it: int(event.s)'],
    ['event.at > "2026-01-01T00:00:00Z"', 'Convert it: timestamp("2026-01-01T00:00:00Z")'],
    ['now - 1', 'A span of time is a duration, as in duration("24h")'],
    ['event.price > event.d', 'Round it: round(event.d, 2)'],
    ['event.price + round(event.d, 3)', 'Give both as many digits: round(event.price, 3)'],
    ['event.n / event.price', 'Calculate in doubles, and round: round(double(event.n) / double(event.price), 2)'],
    ['event.n == null', '"event.n" always has a value'],
    ['event.ok + event.ok'],
  ])('%s', (source, ...notes) => {
    const { problems } = check(source, scope)
    expect(problems.map(problem => problem.notes?.map(({ message }) => message))).toEqual([notes])
  })

  test.each([
    'has(event.before) && has(event.before.name) && event.?before.?name.size() > 1',
    'event.?before.?name.orValue("").size() > 1',
    'has(event.`a.b`) && event.`a.b` > 1',
    'event.?`a.b`.orValue(0) > 1',
    'has(place) && place > 1',
    'event.items[?0].?sku.orValue("") == ""',
    'double(event.n) == event.d',
    'event.price > round(event.d, 2)',
    'round(event.price, 3) + round(event.d, 3) > 0',
    'round(double(event.n) / double(event.price), 2) > 0',
  ])('what is proposed is accepted: %s', source => {
    expect(problemsOf(source)).toEqual([])
  })
})
