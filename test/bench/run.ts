// `npm run bench [-- NAME…]`: every figure with its baseline in the same run, results checked first. `--format json`: one object a line.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { readCommandLine } from '../command-line.ts'
import { commit } from './commit.ts'
import { check, compile } from './compile.ts'
import { cpu } from './cpu.ts'
import { decoding } from './decode.ts'
import { enrichment } from './enrich.ts'
import type { Figure } from './measure.ts'
import { memory } from './memory.ts'
import { rules } from './rules.ts'
import { sources } from './sources.ts'
import { state } from './state.ts'
import { tables } from './tables.ts'

const benchmarks: Readonly<Record<string, () => Promise<readonly Figure[]>>> = {
  cpu,
  rules,
  decode: decoding,
  tables,
  enrich: enrichment,
  sources,
  memory,
  state,
  commit,
  compile,
  check,
}

const usage = `npm run bench -- [NAME…] [--format json]   ${Object.keys(benchmarks).join(', ')} (default: all)

Example: npm run bench -- rules decode --format json`
const { values, positionals } = readCommandLine(
  { allowPositionals: true, options: { format: { type: 'string', default: 'text' } } },
  usage,
)
const unknown = positionals.filter(name => !Object.hasOwn(benchmarks, name))
if (unknown.length > 0) {
  console.error(`There is no benchmark "${unknown[0]}". There are: ${Object.keys(benchmarks).join(', ')}`)
  process.exit(2)
}

const names = positionals.length > 0 ? positionals : Object.keys(benchmarks)
if (names.length === 1) await run(names[0]!)
else {
  // Each in a process of its own: what V8 has learned from one benchmark made the next one's baseline a third slower.
  const own = [fileURLToPath(import.meta.url), '--format', values.format]
  const failed = names.filter(name => spawnSync(process.execPath, [...own, name], { stdio: 'inherit' }).status !== 0)
  if (failed.length > 0) process.exit(1)
}

async function run(name: string): Promise<void> {
  for (const figure of await measured(name)) {
    if (values.format === 'json') console.log(JSON.stringify(figure))
    else
      console.log(
        `${figure.name.padEnd(72)} ${String(figure.value).padStart(8)} ${figure.unit}  ${String(figure.ratio).padStart(5)} × ${figure.name === figure.baseline ? 'itself' : 'its baseline'}, median of ${figure.runs}`,
      )
  }
}

/** Where results differ nothing is measured. */
async function measured(name: string): Promise<readonly Figure[]> {
  try {
    return await benchmarks[name]!()
  } catch (error) {
    console.error(`${name}: ${error instanceof Error ? error.message : String(error)}`)
    process.exit(1)
  }
}
