import { expect, test } from 'vitest'
import { countsOf, countsOfStep, sum } from '../../infra/test-run.ts'

test.each([
  ['12 passed, 0 failed, 3 skipped', { passed: 12, failed: 0, skipped: 3 }],
  ['4 passed, 1 failed', { passed: 4, failed: 1, skipped: 0 }],
  ['cel/core 1080 of 1082, 5 skipped', { passed: 1080, failed: 2, skipped: 5 }],
  [' Tests  12 passed (12)', undefined],
  ['telecom-campaign: 4 passed, 0 failed', undefined],
])('the line "%s" tells %o', (line, counts) => {
  expect(countsOf(line)).toEqual(counts)
})

test.each([
  ['a linter that is content', 'lint', [], true, { passed: 1, failed: 0, skipped: 0 }],
  ['a linter with findings', 'lint', [{ passed: 7, failed: 0, skipped: 0 }], false, { passed: 0, failed: 1, skipped: 0 }],
  ['tests', 'unit', [{ passed: 7, failed: 0, skipped: 1 }], true, { passed: 7, failed: 0, skipped: 1 }],
  [
    'tests that crashed after the last one',
    'unit',
    [{ passed: 7, failed: 0, skipped: 0 }],
    false,
    { passed: 7, failed: 1, skipped: 0 },
  ],
  ['tests that could not start', 'unit', [], false, { passed: 0, failed: 1, skipped: 0 }],
])('%s', (_, name, lines, succeeded, counts) => {
  expect(countsOfStep(name, lines, succeeded)).toEqual(counts)
})

test('the closing line sums all steps', () => {
  expect(
    sum([
      { passed: 1, failed: 0, skipped: 2 },
      { passed: 10, failed: 3, skipped: 0 },
    ]),
  ).toEqual({ passed: 11, failed: 3, skipped: 2 })
})
