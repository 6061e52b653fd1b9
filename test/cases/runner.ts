// Runs one reference case: builds its scenario for real, lets it decide the records in the way that the options say, compares.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadCompiled } from '../../lib/cli/compiled.ts'
import { openScenario } from '../../lib/cli/scenario-file.ts'
import { bundleScenario } from '../../lib/compiler/bundle.ts'
import type { StrikeCounts } from '../../lib/emulator/deliveries.ts'
import { type Comparison, compare } from './compare.ts'
import { type Addresses, runDeployed, runHistoryDeployed } from './deployed.ts'
import { actualLine, runEmbedded } from './embedded.ts'
import { runHistory } from './history.ts'
import type { CaseOptions } from './options.ts'
import type { ReferenceCase } from './reference.ts'

export interface Outcome {
  readonly comparison: Comparison
  /** Where processes were killed or stopped, and how often. */
  readonly strikes: StrikeCounts
}

/** What a run needs on disk, and what the function said. */
export interface RunFolder {
  bundle(stores: 'real' | 'embedded'): Promise<string>
  /** What the function needs beside the addresses. */
  readonly environment?: Readonly<Record<string, string>>
  readonly outputFile: string
  readonly log: (text: string) => void
  readonly lastWords: () => string
}

export async function runCase(
  reference: ReferenceCase,
  options: CaseOptions,
  { root, addresses }: { readonly root: string; readonly addresses: Addresses | undefined },
): Promise<Outcome> {
  const temporary = join(root, '.sluice/cases')
  mkdirSync(temporary, { recursive: true })
  const folder = mkdtempSync(join(temporary, `${reference.name}-`))
  let words = ''
  const run: RunFolder = {
    outputFile: join(folder, 'output.jsonl'),
    async bundle(stores) {
      const file = join(folder, 'index.mjs')
      const { code } = await bundleScenario(join(root, 'functions', `${reference.name}.yml`), { stores })
      writeFileSync(file, code)
      return file
    },
    log: text => {
      words = (words + text).slice(-20_000)
    },
    lastWords: () => words.split('\n').slice(-30).join('\n'),
  }
  try {
    if (options.replay) return { comparison: await replay(reference, options, root, addresses), strikes: new Map() }
    if (options.broker === 'none') {
      const lines = await runEmbedded(reference, options, run)
      return { comparison: compare(reference.expected, lines), strikes: new Map() }
    }
    const { lines, strikes } = await runDeployed(reference, options, addresses!, run)
    return { comparison: compare(reference.expected, lines), strikes }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function replay(
  reference: ReferenceCase,
  { broker, seed }: CaseOptions,
  root: string,
  addresses: Addresses | undefined,
): Promise<Comparison> {
  if (reference.history === undefined) throw new Error('the case has no replay.jsonl')
  const compiled = await loadCompiled(openScenario(join(root, 'functions', `${reference.name}.yml`)))
  if (broker === 'kafka') return compare(reference.expected, await runHistoryDeployed(reference, compiled, seed, addresses!))
  const { outputs } = await runHistory(compiled.plan, compiled.embed, reference, reference.history, seed)
  return compare(
    reference.expected,
    outputs.map(record => actualLine(compiled.outputLine(record))),
  )
}
