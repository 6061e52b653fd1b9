// What a cold start pays for, told at each packaging: size and contents of a function's bundle, and the processor time that Node needs to load it.
// A bundle that was measured is not measured again.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** `289 KB (ioredis 135, …), 62 ms of CPU to load`. */
export async function bundleReport(
  serviceFolder: string,
  code: Uint8Array,
  contents: ReadonlyMap<string, number>,
): Promise<string> {
  const parts = partsOf(contents)
    .slice(0, 5)
    .map(([name, bytes]) => `${name} ${kilobytes(bytes)}`)
  const cpuMs = await loadCpuMs(join(serviceFolder, '.sluice', 'load'), code)
  return `${kilobytes(code.length)} KB (${parts.join(', ')}), ${cpuMs.toFixed(0)} ms of CPU to load on this machine`
}

/** By package, largest first; what is ours apart: the scenario, and the run time. */
export function partsOf(contents: ReadonlyMap<string, number>): readonly (readonly [string, number])[] {
  const parts = new Map<string, number>()
  for (const [input, bytes] of contents) {
    // A package of a scope counts with its scope.
    const name = /.*node_modules\/(@[^/]+|[^/]+)/.exec(input)?.[1] ?? (input.endsWith('.yml') ? 'the scenario' : 'sluice')
    parts.set(name, (parts.get(name) ?? 0) + bytes)
  }
  return [...parts].sort((a, b) => b[1] - a[1])
}

function kilobytes(bytes: number): string {
  return (bytes / 1000).toFixed(0)
}

const run = promisify(execFile)

// The function connects when it is invoked, not when it is loaded: addresses that nobody answers do.
const script = `
const before = process.cpuUsage()
await import(process.argv[1])
const { user, system } = process.cpuUsage(before)
process.stdout.write(String((user + system) / 1000), () => process.exit())
`

async function loadCpuMs(folder: string, code: Uint8Array): Promise<number> {
  const name = createHash('sha256').update(code).digest('hex').slice(0, 16)
  const known = join(folder, `${name}.txt`)
  if (existsSync(known)) return Number(readFileSync(known, 'utf8'))
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `${name}.mjs`)
  writeFileSync(file, code)
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script, file], {
    env: { SLUICE_KAFKA: '127.0.0.1:9', SLUICE_REDIS: 'redis://127.0.0.1:9' },
    timeout: 30_000,
  })
  writeFileSync(known, stdout)
  return Number(stdout)
}
