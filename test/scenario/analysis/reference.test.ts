// The sample scenarios of the repository are sound; what stands in them is known by hand.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { describeType } from '../../../lib/language/types.ts'
import { analyse } from '../../../lib/scenario/analyse.ts'
import { readScenario } from '../../../lib/scenario/reader.ts'

function analysedFile(path: string) {
  const { syntax, diagnostics } = readScenario(path, readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8'))
  expect(diagnostics).toEqual([])
  const found = analyse(syntax!)
  expect(found.diagnostics.filter(({ severity }) => severity !== 'hint')).toEqual([])
  return found.scenario!
}

describe('reference scenarios', () => {
  test('telecom-campaign', () => {
    const { enrichers, filters, sinks, examples } = analysedFile('functions/telecom-campaign.yml')
    expect(enrichers.map(({ name, onMissing, lookup }) => [name, onMissing, lookup.kind])).toEqual([['customer', 'drop', 'hash']])
    expect(filters.map(({ name, condition }) => [name, [...condition.references.keys()]])).toEqual([['inAgeGroup', ['customer']]])
    expect(sinks.map(({ name, key }) => [name, key?.kind])).toEqual([['messages', 'expression']])
    expect(examples.map(({ name, steps }) => [name, steps[0]!.expect.kind])).toEqual([
      ['a customer of 26 gets the offer', 'outputs'],
      ['25 is outside', 'outputs'],
      ['a customer without an age', 'outputs'],
      ['half a second is no duration', 'deadLetter'],
    ])
    expect(examples[0]!.steps[0]!.given.valueText).toBe(
      '{"duration":60,"caller_number":"48600100200","called_number":"48221234567","connect_time":1795165111}',
    )
  })

  test('large-transactions', () => {
    const { sinks, examples } = analysedFile('functions/large-transactions.yml')
    expect(sinks.map(({ name, when }) => [name, when?.source])).toEqual([
      ['alert', 'customer.category == "STANDARD"'],
      ['audit', 'customer.category != "STANDARD"'],
    ])
    expect(examples.map(({ steps }) => steps[0]!.given.lookups.get('customer'))).toEqual([
      { kind: 'text', text: '{"category":"GOLD"}' },
      { kind: 'text', text: '{"category":"STANDARD"}' },
      { kind: 'broken' },
      { kind: 'failing' },
    ])
  })

  test('next-best-action', () => {
    const { variables, decisions, sinks } = analysedFile('functions/next-best-action.yml')
    expect(variables.map(({ name, type }) => [name, describeType(type)])).toEqual([['abroad', 'bool']])
    expect(decisions[0]!.outputs.map(({ name, type }) => [name, describeType(type)])).toEqual([
      ['action', 'string'],
      ['channel', 'string'],
      ['score', 'decimal(2)'],
    ])
    expect(sinks[0]!.headers.map(({ name, value }) => [name, value.kind])).toEqual([
      ['channel', 'expression'],
      ['campaign', 'template'],
    ])
  })
})
