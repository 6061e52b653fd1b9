import { expect, test } from 'vitest'
import { check } from '../../lib/language/check.ts'
import type { Scope } from '../../lib/language/checked.ts'
import { types } from '../../lib/language/types.ts'

const scope: Scope = {
  names: new Map([
    ['n', { type: types.int }],
    ['price', { type: { kind: 'decimal', digits: 2 } }],
    ['plan', { type: types.string }],
    ['at', { type: types.timestamp }],
  ]),
}
const told = (source: string): readonly string[] => check(source, scope).problems.map(({ id, message }) => `${id}: ${message}`)

test.each([
  ['at.getHours() >= 22 && at.getHours() < 6', 'at.getHours() >= 22'],
  ['n > 5 && plan == "a" && n<3', 'n > 5'],
  ['price < 9.50 && price >= 9.50', 'price < 9.50'],
  ['plan == "a" && plan == "b"', 'plan == "a"'],
  ['n != 3 && n == 3', 'n != 3'],
  ['5 < n && 5 == n', '5 < n'],
])('%s can never be true', (source, first) => {
  expect(told(source)).toEqual([`never-true: This can never be true together with "${first}"`])
})

test('"or" between two differences is always true', () => {
  expect(told('plan != "a" || plan != "b"')).toEqual(['always-true: This or "plan != "a"" is always true: no value equals both'])
})

test('the reach of a part of a time decides an order, too', () => {
  expect(told('at.getMonth() > 11')).toEqual(['never-true: This can never be true: "getMonth" gives 0 to 11, 0 is January'])
  expect(told('24 > at.getHours()')).toEqual(['always-true: This is always true: "getHours" gives 0 to 23'])
})

test.each([
  'at.getHours() >= 22 || at.getHours() < 6',
  'n >= 3 && n <= 3',
  'price > 9.49 && price < 9.50',
  'plan != "a" && plan != "b"',
  'plan == "a" || plan == "b"',
  'n > 3 && n != 5',
])('%s is fine', source => {
  expect(told(source)).toEqual([])
})
