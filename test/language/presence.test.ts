import { describe, expect, test } from 'vitest'
import { check } from '../../lib/language/check.ts'
import { bothOf, problemsOf, scope } from './world.ts'

describe('a value that may be missing is not used bare', () => {
  test.each([
    ['event.country == "PL"', 'event.country'],
    ['has(event.country) || event.country == "PL"', 'event.country'],
    ['!has(event.country) && event.country == "PL"', 'event.country'],
    ['has(event.m) && event.country == "PL"', 'event.country'],
    ['(has(event.country) || event.ok) && event.country == "PL"', 'event.country'],
    ['event.before.id == 1', 'event.before'],
    ['has(event.before) && event.before.name == "x"', 'event.before.name'],
    ['place == 1', 'place'],
    ['event.items.all(i, i.price > 1)', 'i.price'],
    // The variable x has the name x_0 in generated code, the scenario has a name x_0 of its own.
    ['has(x_0.price) && event.items.all(x, x.price > 1)', 'x.price'],
    // The field "a.b" is not the field "b" of "a".
    ['has(event.`a.b`) && event.a.b > 1', 'event.a.b'],
  ])('%s', (source, missing) => {
    expect(problemsOf(source)).toEqual([`may-be-missing: "${missing}" may be missing, and this place needs a value`])
  })
})

describe('what has been asked for is there', () => {
  test.each([
    'has(event.country) && event.country == "PL"',
    '!has(event.country) || event.country == "PL"',
    '!(has(event.country) && has(event.m)) || event.country.size() > event.m',
    'has(event.country) ? event.country == "PL" : false',
    'event.ok && has(event.country) && event.n > 1 && event.country == "PL"',
    '(has(event.m) && event.ok || has(event.m)) && event.m > 1',
    'has(event.before) && has(event.before.name) && event.before.name == "x"',
    'event.?country.orValue("PL") == "PL"',
    'event.?before.?name.orValue("none") == "none"',
    'event.items.all(i, has(i.price) && i.price > 1)',
    'event.items.exists(i, !has(i.price) || i.price > 1)',
    'has(place) && place > 1',
    'has(event.`a.b`) && event.`a.b` > 1',
  ])('%s', source => {
    expect(problemsOf(source)).toEqual([])
  })

  test('by a fact of the scope', () => {
    const facts = [check('event.ok && has(event.country)', scope)]
    expect(problemsOf('event.country == "PL"', {}, { ...scope, facts })).toEqual([])
  })
})

test('a place that takes missing values takes them', () => {
  expect(problemsOf('event.?country', { allowMissing: true })).toEqual([])
  expect(check('event.?country', scope, { allowMissing: true })).toMatchObject({ mayBeMissing: true, type: { kind: 'string' } })
  expect(check('event.n', scope, { allowMissing: true })).toMatchObject({ mayBeMissing: false })
})

// The left side can fail and the right one cannot, but only once the left one has said that the value is there.
test.each([
  ['(has(event.country) && 10 / event.n > 1) && event.country.startsWith("P")', false],
  ['(!has(event.country) || 10 / event.n > 1) || event.country.startsWith("P")', true],
])('a side that knows from the other what is there comes second: %s', (source, value) => {
  expect(bothOf(source, { event: { n: 5, country: undefined } })).toEqual({ compiled: value, interpreted: value })
})
