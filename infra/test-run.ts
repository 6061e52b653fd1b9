// `npm test`: everything, one step after the other, and one closing line that CI systems of every kind can read. A step that fails does
// not keep the others from running. Ctrl-C ends the running step, which stops what it has started. Parts that must be compiled or are too
// large for a dependency are made beside the first steps, once; where they cannot be made, the tests that want them say so.
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

interface Step {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
}

const steps: readonly Step[] = [
  { name: 'lint', command: 'npm', args: ['run', '--silent', 'lint'] },
  { name: 'check', command: 'node', args: ['lib/cli/main.ts', 'check'] },
  { name: 'examples', command: 'node', args: ['lib/cli/main.ts', 'test'] },
  { name: 'unit', command: 'vitest', args: ['run', '--project', 'unit'] },
  { name: 'integration', command: 'vitest', args: ['run', '--project', 'integration'] },
  { name: 'conformance', command: 'node', args: ['test/conformance/run.ts'] },
]

interface Preparation extends Step {
  /** Where it takes longer, the tests go on without. Measured on two cores: 45 s and 25 s alone. */
  readonly limitMs: number
}

const preparations: readonly Preparation[] = [
  { name: "Lambda's runtime client", command: 'node', args: ['infra/runtime-client.ts'], limitMs: 400_000 },
  { name: 'cfn-lint', command: 'node', args: ['infra/local/cfn-lint.ts'], limitMs: 240_000 },
]
/** The first step that looks for what is prepared. */
const preparedFor = 'unit'

/** Steps whose result is one yes or no, whatever they print. */
const single = new Set(['lint', 'check'])

/** What a step's output says of counts: closing lines, and the lines of conformance groups. */
export function countsOf(line: string): Counts | undefined {
  const closing = /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/.exec(line)
  if (closing) return { passed: Number(closing[1]), failed: Number(closing[2]), skipped: Number(closing[3] ?? 0) }
  const group = /^\S+ (\d+) of (\d+), (\d+) skipped$/.exec(line)
  if (group) return { passed: Number(group[1]), failed: Number(group[2]) - Number(group[1]), skipped: Number(group[3]) }
  return undefined
}

export function sum(counts: readonly Counts[]): Counts {
  return counts.reduce(
    (a, b) => ({ passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped }),
    none,
  )
}

/** A step that ends badly counts as failed, also where its lines tell of no failure. */
export function countsOfStep(name: string, lines: readonly Counts[], succeeded: boolean): Counts {
  const total = single.has(name) ? none : sum(lines)
  if (succeeded) return total.passed + total.failed + total.skipped > 0 ? total : { ...none, passed: 1 }
  return total.failed > 0 ? total : { ...total, failed: 1 }
}

const none: Counts = { passed: 0, failed: 0, skipped: 0 }

const root = fileURLToPath(new URL('..', import.meta.url))
let interruptedBy: NodeJS.Signals | undefined

async function run(step: Step): Promise<Counts> {
  const started = performance.now()
  process.stdout.write(`\n== ${step.name}: ${step.command} ${step.args.join(' ')}\n`)
  const { child, forget } = start(step)
  const found: Counts[] = []
  const lines = createInterface({ input: child.stdout })
  lines.on('line', line => {
    const counts = countsOf(line)
    if (counts !== undefined) found.push(counts)
    // Only the run as a whole has a closing line: a reader may take the first that it sees.
    if (counts === undefined || !line.includes('passed')) process.stdout.write(`${line}\n`)
  })
  const drained = new Promise<void>(resolve => lines.on('close', resolve))
  const succeeded = await new Promise<boolean>(resolve => {
    child.on('error', error => {
      process.stderr.write(`${step.command}: ${error.message}\n`)
      resolve(false)
    })
    child.on('exit', code => resolve(code === 0))
  })
  await drained
  forget()
  const counts = countsOfStep(step.name, found, succeeded)
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  const verdict = succeeded ? 'ok' : 'FAILED'
  process.stdout.write(
    `== ${step.name}: ${verdict} after ${seconds} s (${counts.passed} ok, ${counts.failed} not, ${counts.skipped} left out)\n`,
  )
  return counts
}

/** What comes of it is told in its own words; no run fails for it. */
async function prepare(preparation: Preparation): Promise<void> {
  const { child, forget } = start(preparation)
  let isLate = false
  const limit = setTimeout(() => {
    isLate = true
    killGroup(child.pid, 'SIGKILL')
  }, preparation.limitMs)
  let text = ''
  child.stdout.setEncoding('utf8').on('data', part => (text += part))
  await new Promise<void>(resolve => {
    child.on('error', () => resolve())
    child.on('close', () => resolve())
  })
  clearTimeout(limit)
  forget()
  const late = `took longer than ${preparation.limitMs / 1000} s`
  process.stdout.write(`== beside it, ${preparation.name}: ${isLate ? late : text.trim() || 'failed, see above'}\n`)
}

function start({ command, args }: Step) {
  // An own process group, so that a signal reaches grandchildren as well (npm, shells, Kafka's launcher).
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'], detached: true })
  const forward = (signal: NodeJS.Signals) => {
    interruptedBy = signal
    killGroup(child.pid, signal)
    setTimeout(() => killGroup(child.pid, 'SIGKILL'), graceMs).unref()
  }
  for (const signal of signals) process.on(signal, forward)
  return {
    child,
    forget: () => {
      for (const signal of signals) process.off(signal, forward)
    },
  }
}

/** What does not end by itself after a signal is ended: nothing of a run outlives it. */
const graceMs = 10_000

function killGroup(leader: number | undefined, signal: NodeJS.Signals): void {
  if (leader === undefined) return
  try {
    process.kill(-leader, signal)
  } catch {
    // The group has ended by itself.
  }
}

const signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

async function main(): Promise<void> {
  const counts: Counts[] = []
  const prepared = Promise.all(preparations.map(prepare))
  for (const step of steps) {
    if (step.name === preparedFor) await prepared
    if (interruptedBy === undefined) counts.push(await run(step))
    if (interruptedBy === undefined) continue
    await prepared
    process.exit(128 + constants.signals[interruptedBy])
  }
  const total = sum(counts)
  process.stdout.write(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`)
  process.exitCode = total.failed === 0 ? 0 : 1
}

if (import.meta.main) await main()
