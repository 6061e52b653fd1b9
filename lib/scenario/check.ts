// All that `check` does with one file: read it, then analyse it. Whoever needs a scenario (compiler, deployment, tests) comes through here.
import type { Range } from '../language/problem.ts'
import { analyse } from './analyse.ts'
import { type Diagnostic, sortDiagnostics } from './diagnostics.ts'
import type { Folder } from './folder.ts'
import { readScenario } from './reader.ts'
import type { Scenario } from './scenario.ts'
import { aloneScenario, type WithShared, withCureOfShared, withShared } from './shared.ts'
import { isShared, placedInFile } from './texts.ts'
import { overlaps } from './yaml.ts'

export interface CheckScenarioOptions {
  /** Names the places where sluice takes more than standard CEL does. */
  readonly strict?: boolean
  /** State is kept in a Redis Cluster. */
  readonly redisCluster?: boolean
  /** Reads a file that the scenario names (a CSV table, a shared file): see folder.ts. */
  readonly readFile?: Folder['readFile']
  /** For suggestions alone. */
  readonly fileNames?: Folder['fileNames']
}

export interface CheckedScenario {
  /** Absent if there is an error. */
  readonly scenario?: Scenario
  /** By place, those of shared files first. */
  readonly diagnostics: readonly Diagnostic[]
  /** The shared files that were read, relative to the working directory. */
  readonly shared: readonly string[]
  /** It may use other shared files, too: one that it names cannot be found, or it cannot be read itself. */
  readonly usesUnknown: boolean
}

/** `file` is the name for messages, relative to the working directory. */
export function checkScenario(file: string, text: string, options: CheckScenarioOptions = {}): CheckedScenario {
  const read = readScenario(file, text)
  if (!read.syntax) return { diagnostics: read.diagnostics, shared: [], usesUnknown: true }
  const whole = withShared(read.syntax, options)
  const { scenario, diagnostics } = analysed(whole, {
    ...options,
    found: [...read.diagnostics, ...whole.diagnostics],
    refused: read.refused,
  })
  return {
    ...(scenario && { scenario }),
    diagnostics: diagnostics.map(found => placedInFile(found, { file, text }, whole.texts)),
    shared: whole.texts.map(each => each.file),
    usesUnknown: whole.usesUnknown,
  }
}

/** A shared file alone, whichever scenarios use it. */
export function checkSharedFile(file: string, text: string, options: CheckScenarioOptions = {}): readonly Diagnostic[] {
  const whole = aloneScenario(file, text)
  const { diagnostics } = analysed(whole, { ...options, found: whole.diagnostics, refused: [] })
  // Of the scenario around it there is nothing to tell.
  return diagnostics.filter(isShared).map(found => ({ ...placedInFile(found, { file, text }, whole.texts), file, text }))
}

interface Found extends CheckScenarioOptions {
  readonly found: readonly Diagnostic[]
  readonly refused: readonly Range[]
}

function analysed(whole: WithShared, { found, refused, ...options }: Found): Pick<CheckedScenario, 'scenario' | 'diagnostics'> {
  if (whole.syntax === undefined) return { diagnostics: sortDiagnostics(found) }
  const covered = [...refused, ...whole.refused]
  const analysis = analyse(whole.syntax, options)
  const sure = analysis.diagnostics
    .filter(each => isSure(each, covered) && !mayBeOfUnknownFile(each, whole))
    .map(withCureOfShared)
  const diagnostics = sortDiagnostics([...found, ...sure])
  const hasError = diagnostics.some(({ severity }) => severity === 'error')
  return !hasError && analysis.scenario ? { scenario: analysis.scenario, diagnostics } : { diagnostics }
}

/** Where a part of the file could not be read, what its placeholder gives is no news, and what nothing uses may be used there. */
function isSure({ severity, range }: Diagnostic, refused: readonly Range[]): boolean {
  return refused.length === 0 || (severity === 'error' && !overlaps(refused, range))
}

/** What the scenario calls by a name that nothing has may stand in a file that could not be read. A shared file sees itself alone. */
function mayBeOfUnknownFile(found: Diagnostic, { usesUnknown }: WithShared): boolean {
  return usesUnknown && !isShared(found) && (found.id === 'unknown-name' || found.id === 'example-name')
}
