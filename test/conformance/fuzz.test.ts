import { expect, test } from 'vitest'
import { fuzz } from './differential.ts'

// More of them: node test/conformance/fuzz.ts --evaluations 1000000
test.each([
  ['as scenarios are checked', false],
  ['as the official suite is', true],
])('random expressions, %s, give what @bufbuild/cel gives, compiled and interpreted', { timeout: 120_000 }, (_, dynamic) => {
  const report = fuzz({ seed: 20261130, expressionCount: 4000, bindingsPerExpression: 5, depth: 5, dynamic })
  expect(report.differences).toStrictEqual([])
  expect(report.refusedCount).toBeLessThan(100)
  expect(report.evaluationCount).toBeGreaterThan(19_000)
  // Expressions that fail everywhere would agree, too.
  expect(report.valueCount).toBeGreaterThan(13_000)
})
