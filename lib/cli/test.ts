// `npx sluice test`: the examples of scenario files, compiled and interpreted.

import { positionOf } from '../scenario/diagnostics.ts'
import type { Scenario } from '../scenario/scenario.ts'
import { type Command, type Terminal, UsageError } from './command.ts'
import { checkedScenario, loadCompiled, loadInterpreted } from './compiled.ts'
import { type ExampleResult, type ExampleSubject, rowName, runExample } from './examples.ts'
import { allScenarios, openScenario, type ScenarioFile } from './scenario-file.ts'

export const command: Command = {
  summary: 'Runs the examples of scenarios, compiled and interpreted, and shows what they cover',
  usage: 'test [SCENARIO…]',
  examples: [
    ['npx sluice test', 'all of functions/*.yml'],
    ['npx sluice test next-best-action', 'the examples of one scenario'],
  ],
  flags: {},
  arguments: { minimum: 0, maximum: Number.POSITIVE_INFINITY },
  run: async (input, terminal) => {
    const files = input.arguments.length > 0 ? input.arguments.map(name => openScenario(name)) : allScenarios()
    if (files.length === 0)
      throw new UsageError('There is no scenario: functions/ holds no .yml file. Name one: npx sluice test FILE')
    let passed = 0
    let failed = 0
    for (const file of files) {
      const result = await testScenario(file, terminal)
      passed += result.passed
      failed += result.failed
    }
    terminal.out(`${passed} passed, ${failed} failed\n`)
    return failed > 0 ? 1 : 0
  },
}

async function testScenario(file: ScenarioFile, terminal: Terminal): Promise<{ passed: number; failed: number }> {
  if (checkedScenario(file, terminal) === undefined) {
    terminal.out(`${file.file}: has errors, its examples cannot run\n`)
    return { passed: 0, failed: 1 }
  }
  const { scenario, plan, embed } = await loadCompiled(file)
  const subjects: readonly ExampleSubject[] = [
    { form: 'compiled', plan, embed },
    { form: 'interpreted', ...loadInterpreted(scenario) },
  ]
  terminal.out(`${scenario.name}\n`)
  let failed = 0
  const results: ExampleResult[] = []
  for (const example of scenario.examples) {
    const both = await Promise.all(subjects.map(subject => runExample(scenario, example, subject)))
    results.push(...both)
    const wrong = both.filter(result => result.differences.length > 0)
    terminal.out(`  ${wrong.length === 0 ? '✔' : '✘'} ${example.name}\n`)
    if (wrong.length === 0) continue
    failed++
    const { line } = positionOf(file.text, example.range.start)
    for (const { form, differences } of wrong) {
      // Both forms share a cause nearly always; they are told apart only where they disagree.
      const label = wrong.length === subjects.length ? '' : ` (${form} only: a defect of sluice, please report it)`
      terminal.out(`    ${file.file}:${line}${label}\n`)
      for (const difference of differences) terminal.out(`    ${difference.replaceAll('\n', '\n  ')}\n`)
      if (wrong.length === subjects.length) break
    }
  }
  terminal.out(`  ${coverage(scenario, results)}\n`)
  return { passed: scenario.examples.length - failed, failed }
}

/** What no example reaches: filters and caps that never drop, rows that never decide, sinks that never get anything. */
function coverage(scenario: Scenario, results: readonly ExampleResult[]): string {
  const steps = results.flatMap(result => result.covered)
  const filters = [
    ...scenario.filters,
    ...[...scenario.enrichers, ...scenario.decisions].filter(({ onMissing }) => onMissing === 'drop'),
  ].map(({ name }) => name)
  const caps = scenario.state.filter(({ kind }) => kind === 'cap').map(({ name }) => name)
  const sinks = scenario.sinks.map(({ name }) => name)
  const dropping = new Set(steps.map(step => step.droppedBy))
  const emitting = new Set(steps.flatMap(step => step.sinks))
  const rows = scenario.decisions.flatMap(decision => decision.rows.map((_, row) => rowName(decision, row)))
  const deciding = new Set(steps.flatMap(step => step.rows))
  const uncovered = [
    ...[...filters, ...caps].filter(name => !dropping.has(name)),
    ...rows.filter(name => !deciding.has(name)),
    ...sinks.filter(name => !emitting.has(name)),
  ]
  const covered = (names: readonly string[], seen: ReadonlySet<string | undefined>) =>
    `${names.filter(name => seen.has(name)).length} of ${names.length}`
  const counts = [
    `filters ${covered(filters, dropping)}`,
    ...(caps.length > 0 ? [`caps ${covered(caps, dropping)}`] : []),
    `rows ${covered(rows, deciding)}`,
    `sinks ${covered(sinks, emitting)}`,
  ]
  return `covered: ${counts.join(', ')}${uncovered.length === 0 ? '' : `; not yet: ${uncovered.join(', ')}`}`
}
