import { expect, test } from 'vitest'
import { fuzz } from './differential.ts'

// More of them: node test/conformance/fuzz.ts --evaluations 1000000
test('random expressions give what @bufbuild/cel gives, compiled and interpreted', { timeout: 120_000 }, () => {
  const report = fuzz({ seed: 20261130, expressionCount: 6000, bindingsPerExpression: 5, depth: 5 })
  expect(report.differences).toStrictEqual([])
  expect(report.evaluationCount).toBe(30_000)
  // Expressions that fail everywhere would agree, too.
  expect(report.valueCount).toBeGreaterThan(20_000)
})
