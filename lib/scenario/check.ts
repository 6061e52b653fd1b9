// All that `check` does with one file: read it, then analyse it. Whoever needs a scenario (compiler, deployment, tests) comes through here.
import type { Range } from '../language/problem.ts'
import { analyse } from './analyse.ts'
import { type Diagnostic, sortDiagnostics } from './diagnostics.ts'
import { readScenario } from './reader.ts'
import type { Scenario } from './scenario.ts'
import { overlaps } from './yaml.ts'

export interface CheckScenarioOptions {
  /** Names the places where sluice takes more than standard CEL does. */
  readonly strict?: boolean
  /** Reads a file that the scenario names (a CSV table); paths are relative to the scenario file. */
  readonly readFile?: (path: string) => string
}

export interface CheckedScenario {
  /** Absent if there is an error. */
  readonly scenario?: Scenario
  /** By place in the file. */
  readonly diagnostics: readonly Diagnostic[]
}

/** `file` is the name for messages, relative to the working directory. */
export function checkScenario(file: string, text: string, options: CheckScenarioOptions = {}): CheckedScenario {
  const read = readScenario(file, text)
  if (!read.syntax) return { diagnostics: read.diagnostics }
  const analysed = analyse(read.syntax, options)
  const diagnostics = sortDiagnostics([...read.diagnostics, ...analysed.diagnostics.filter(found => isSure(found, read.refused))])
  const hasError = diagnostics.some(({ severity }) => severity === 'error')
  return !hasError && analysed.scenario ? { scenario: analysed.scenario, diagnostics } : { diagnostics }
}

/** Where a part of the file could not be read, what its placeholder gives is no news, and what nothing uses may be used there. */
function isSure({ severity, range }: Diagnostic, refused: readonly Range[]): boolean {
  return refused.length === 0 || (severity === 'error' && !overlaps(refused, range))
}
