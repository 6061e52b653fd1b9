// Scenarios as benchmarks run them: the compiled plan and the stages of the runtime in one bundle, as in a Lambda, so that both share the
// same classes and V8 sees what it sees there.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { scenarioPlugin } from '../../lib/compiler/bundle.ts'
import type { createColumns } from '../../lib/plan/columns.ts'
import type { Plan } from '../../lib/plan/plan.ts'
import type { decode, readEvent } from '../../lib/runtime/decode.ts'
import type { enrich } from '../../lib/runtime/enrich.ts'

export interface CompiledStages {
  readonly plan: Plan
  readonly createColumns: typeof createColumns
  readonly readEvent: typeof readEvent
  readonly decode: typeof decode
  readonly enrich: typeof enrich
}

const folder = join(resolve('.sluice/bench'), String(process.pid))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
let builds = 0

/** A scenario file on disk. */
export async function loadStages(file: string): Promise<CompiledStages> {
  const { outputFiles } = await build({
    stdin: {
      contents: `export { default as plan } from ${JSON.stringify(resolve(file))}
export { createColumns } from './plan/columns.ts'
export { decode, readEvent } from './runtime/decode.ts'
export { enrich } from './runtime/enrich.ts'
import { keepBatchesYoung } from './runtime/heap.ts'
keepBatchesYoung()`,
      resolveDir: resolve('lib'),
    },
    bundle: true,
    platform: 'node',
    target: 'node22',
    format: 'esm',
    write: false,
    logLevel: 'silent',
    plugins: [scenarioPlugin()],
  })
  const path = writeTemporary(`bench.${builds++}.mjs`, outputFiles[0]!.text)
  return (await import(pathToFileURL(path).href)) as CompiledStages
}

/** A file that lives as long as this process; gives its path. */
export function writeTemporary(name: string, text: string): string {
  mkdirSync(folder, { recursive: true })
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}
