import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { mismatch } from './evaluation.ts'
import { celResults, dmnResult, withTable } from './results.ts'
import { groups, readSuite } from './suite.ts'

const { cases, skipped } = readSuite()

describe.each(Object.keys(groups))('the official suite of CEL, %s', group => {
  const own = cases.filter(one => one.group === group)

  test.each(['compiled', 'interpreted'] as const)('%s', mode => {
    expect(own.length).toBeGreaterThan(50)
    const wrong = own.flatMap(one => {
      const found = mismatch(one, mode)
      return found === undefined ? [] : [`${one.name}: ${one.source}: ${found}`]
    })
    expect(wrong).toStrictEqual([])
  })
})

test('whatever is skipped has a reason', () => {
  expect(new Set(skipped.map(one => one.reason))).toStrictEqual(new Set(['protobuf messages: scenarios have JSON']))
})

// If this fails: npm run conformance -- --readme
test('README tells the numbers of this run', { timeout: 60_000 }, async () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  expect(readme).toBe(withTable(readme, [...celResults({ cases, skipped }), await dmnResult()]))
})
