import { expect, test } from 'vitest'
import { fuzz } from './differential.ts'

// More of them: npm run conformance -- --fuzz 1000000 --seed 7
test.each([
  ['as scenarios are checked', false],
  ['as the official suite is', true],
])('random expressions, %s, give what @bufbuild/cel gives, compiled and interpreted', { timeout: 300_000 }, (_, dynamic) => {
  const report = fuzz({ seed: 20261130, evaluationCount: 125_000, depth: 5, dynamic })
  expect(report.differences).toStrictEqual([])
  expect(report.refusedCount).toBeLessThan(150)
  expect(report.evaluationCount).toBeGreaterThanOrEqual(125_000)
  // Expressions that fail everywhere would agree, too.
  expect(report.valueCount).toBeGreaterThan(85_000)
})
