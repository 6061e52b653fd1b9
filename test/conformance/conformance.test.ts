import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { exceptions, typeMismatch } from './deduction.ts'
import { mismatch, staticResult } from './evaluation.ts'
import { celResults, dmnResult, withTable } from './results.ts'
import { groups, readSuite } from './suite.ts'

const { cases, skipped } = readSuite()

describe.each(Object.keys(groups))('the official suite of CEL, %s', group => {
  const own = cases.filter(one => one.group === group)

  test.each(['compiled', 'interpreted'] as const)('%s', mode => {
    expect(own.length).toBeGreaterThanOrEqual(20)
    const wrong = own.flatMap(one => {
      const found = mismatch(one, mode)
      return found === undefined ? [] : [`${one.name}: ${one.source}: ${found}`]
    })
    expect(wrong).toStrictEqual([])
  })
})

test.each([
  ['core', 1019],
  ['strings', 165],
  ['math', 199],
  ['optionals', 26],
  ['types', 20],
] as const)('%s: static types are those that the suite names or cel-go deduces, %i cases', (group, count) => {
  const typed = cases.filter(one => one.group === group && one.deducedType !== undefined && !exceptions.has(one.name))
  expect(typed.flatMap(one => typeMismatch(one) ?? [])).toStrictEqual([])
  expect(typed).toHaveLength(count)
})

test('each exception from the deduced types is a case of the suite', () => {
  expect([...exceptions.keys()].filter(name => !cases.some(one => one.name === name))).toStrictEqual([])
})

// Refused are dyn, unsigned ints, bytes, `format` of a text, and what the suite itself expects to fail.
test.each([
  ['core', 675],
  ['strings', 90],
  ['math', 116],
  ['optionals', 15],
] as const)('%s: all that the checker of scenarios accepts runs as the suite has it, %i cases', (group, count) => {
  const results = cases.filter(one => one.group === group).map(staticResult)
  expect(results.flatMap(result => (result.kind === 'wrong' ? result.text : []))).toStrictEqual([])
  expect(results.filter(result => result.kind === 'right')).toHaveLength(count)
})

test('no case of the strings and math extensions is refused but for dyn, unsigned ints, format and what must fail', () => {
  const refused = cases.flatMap(one => {
    const result = one.group === 'strings' || one.group === 'math' ? staticResult(one) : undefined
    return result?.kind === 'refused' && one.expected.kind === 'value' ? [`${one.source}: ${result.reason}`] : []
  })
  const reasons = /"dyn"|no unsigned ints|"format" of a text/
  expect(refused.filter(text => !reasons.test(text))).toStrictEqual([])
})

test('whatever is skipped has a reason', () => {
  expect(new Set(skipped.map(one => one.reason))).toStrictEqual(
    new Set([
      'protobuf messages: scenarios have JSON',
      'functions that the test declares',
      'abstract types that the test declares',
      'null for an optional: a legacy of protobuf messages',
    ]),
  )
})

// If this fails: npm run conformance -- --readme
test('README tells the numbers of this run', { timeout: 60_000 }, async () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  expect(readme).toBe(withTable(readme, [...celResults({ cases, skipped }), await dmnResult()]))
})
