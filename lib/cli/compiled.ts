// Scenarios as commands run them: through the real build into a bundle on disk, imported; or interpreted, for a second opinion.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { bundleScenario, ScenarioErrors } from '../compiler/bundle.ts'
import { interpretedPlan } from '../compiler/interpreted.ts'
import { plan } from '../compiler/planning.ts'
import { embed, type outputLine } from '../connectors/embedded.ts'
import type { Plan } from '../plan/plan.ts'
import { checkScenario } from '../scenario/check.ts'
import { renderDiagnostic } from '../scenario/diagnostics.ts'
import type { Scenario } from '../scenario/scenario.ts'
import type { ExitCode, Terminal } from './command.ts'
import type { ScenarioFile } from './scenario-file.ts'

/** What an embedded bundle exports. */
export interface CompiledModule {
  readonly plan: Plan
  readonly embed: typeof embed
  readonly outputLine: typeof outputLine
  readonly handler: (event: unknown, context: unknown) => Promise<unknown>
}

let builds = 0
/** Files to remove at the end. */
const built: string[] = []

/** Builds the scenario's bundle with embedded stores under .sluice/build and imports it. Throws ScenarioErrors. */
export async function loadCompiled({ file }: ScenarioFile): Promise<CompiledModule & { readonly scenario: Scenario }> {
  const { code, scenario } = await bundleScenario(file, { stores: 'embedded' })
  const folder = resolve('.sluice/build')
  mkdirSync(folder, { recursive: true })
  // A name of its own for each build: Node keeps modules by their path, and two commands may run at once.
  const path = join(folder, `${scenario.name}.${process.pid}.${builds++}.mjs`)
  writeFileSync(path, code)
  if (built.length === 0) process.once('exit', () => built.forEach(file => rmSync(file, { force: true })))
  built.push(path)
  return { ...((await import(pathToFileURL(path).href)) as CompiledModule), scenario }
}

/** The same plan, interpreted. */
export function loadInterpreted(scenario: Scenario): { readonly plan: Plan; readonly embed: typeof embed } {
  return { plan: interpretedPlan(plan(scenario)), embed }
}

/** A scenario without errors, or its errors printed. */
export function checkedScenario({ file, text, folder }: ScenarioFile, terminal: Terminal): Scenario | undefined {
  const { scenario, diagnostics } = checkScenario(file, text, folder)
  if (scenario === undefined) {
    for (const found of diagnostics.filter(({ severity }) => severity === 'error')) {
      terminal.error(`${renderDiagnostic(found, text, { colors: terminal.colors })}\n`)
    }
  }
  return scenario
}

/** For commands that build: the errors of a scenario are printed as `check` prints them. */
export async function orDiagnostics(terminal: Terminal, run: () => Promise<ExitCode>): Promise<ExitCode> {
  try {
    return await run()
  } catch (error) {
    if (!(error instanceof ScenarioErrors)) throw error
    for (const found of error.diagnostics.filter(({ severity }) => severity === 'error')) {
      terminal.error(`${renderDiagnostic(found, error.text, { colors: terminal.colors })}\n`)
    }
    return 1
  }
}
