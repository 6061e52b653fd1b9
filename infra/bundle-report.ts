// What a cold start pays for, told at each packaging: size and contents of a function's bundle, and the processor time that Node needs to load it.
// A bundle that was measured is not measured again.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startRuntimeClient, whyMissing } from './runtime-client.ts'

/** `129 KB (sluice 90, …), 40 ms of CPU to load`. `environment`: the function's, as far as it is known before the deploy. */
export async function bundleReport(
  serviceFolder: string,
  { code, contents }: { readonly code: Uint8Array; readonly contents: ReadonlyMap<string, number> },
  environment: Readonly<Record<string, string>>,
): Promise<string> {
  const parts = partsOf(contents)
    .slice(0, 5)
    .map(([name, bytes]) => `${name} ${kilobytes(bytes)}`)
  const folder = join(serviceFolder, '.sluice', 'load')
  const isRuntimeClient = whyMissing() === undefined
  const cpuMs = await (isRuntimeClient ? runtimeClientCpuMs : loadCpuMs)(folder, code, environment)
  const place = isRuntimeClient ? "in Lambda's runtime client, on this machine" : 'on this machine'
  const told = cpuMs === undefined ? 'not measured' : `${cpuMs.toFixed(0)} ms of CPU to load ${place}`
  return `${kilobytes(code.length)} KB (${parts.join(', ')}), ${told}`
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

// The function connects when it is invoked, not when it is loaded.
const script = `
const before = process.cpuUsage()
await import(process.argv[1])
const { user, system } = process.cpuUsage(before)
process.stdout.write(String((user + system) / 1000), () => process.exit())
`

/** Undefined where it cannot be loaded here: what it needs may be known in the cloud alone, and a figure is no reason to stop a deploy. */
async function loadCpuMs(
  folder: string,
  code: Uint8Array,
  environment: Readonly<Record<string, string>>,
): Promise<number | undefined> {
  const name = createHash('sha256').update(code).digest('hex').slice(0, 16)
  const known = join(folder, `${name}.txt`)
  if (existsSync(known)) return Number(readFileSync(known, 'utf8'))
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `${name}.mjs`)
  writeFileSync(file, code)
  try {
    const options = { env: { ...environment }, timeout: 30_000 }
    const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script, file], options)
    writeFileSync(known, stdout)
    return Number(stdout)
  } catch {
    return undefined
  }
}

const emptyFunction = Buffer.from('export const handler = () => undefined\n')

/** Beyond what an empty function takes there. Undefined where it cannot be loaded here. */
async function runtimeClientCpuMs(
  folder: string,
  code: Uint8Array,
  environment: Readonly<Record<string, string>>,
): Promise<number | undefined> {
  const [whole, empty] = [await startedCpuMs(folder, code, environment), await startedCpuMs(folder, emptyFunction, {})]
  return whole === undefined || empty === undefined ? undefined : Math.max(0, whole - empty)
}

/** More than a cold start should take (an empty function takes 20): perhaps others use this machine, so it is asked again. */
const doubtfulMs = 140
const attempts = 3

/** Of the process, until it asks for its first event. */
async function startedCpuMs(
  folder: string,
  code: Uint8Array,
  environment: Readonly<Record<string, string>>,
): Promise<number | undefined> {
  const name = createHash('sha256').update(code).digest('hex').slice(0, 16)
  const known = join(folder, `${name}.lambda.txt`)
  if (existsSync(known)) return Number(readFileSync(known, 'utf8'))
  const task = join(folder, name)
  mkdirSync(task, { recursive: true })
  writeFileSync(join(task, 'index.js'), code)
  writeFileSync(join(task, 'package.json'), '{"type":"module"}\n')
  try {
    let least = Number.POSITIVE_INFINITY
    for (let i = 0; i < attempts && least > doubtfulMs; i++) {
      const client = await startRuntimeClient(task, environment)
      least = Math.min(least, client.loadedAfterCpuMs)
      await client.stop()
    }
    writeFileSync(known, String(least))
    return least
  } catch {
    return undefined
  }
}
