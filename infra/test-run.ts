// `npm test`: everything, one step after the other, and one closing line that CI systems of every kind can read. A step that fails does
// not keep the others from running. Ctrl-C ends the running step, which stops what it has started.
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
  // An own process group, so that a signal reaches grandchildren as well (npm, shells, Kafka's launcher).
  const child = spawn(step.command, step.args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'], detached: true })
  const forward = (signal: NodeJS.Signals) => {
    interruptedBy = signal
    killGroup(child.pid, signal)
    setTimeout(() => killGroup(child.pid, 'SIGKILL'), graceMs).unref()
  }
  for (const signal of signals) process.on(signal, forward)
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
  for (const signal of signals) process.off(signal, forward)
  const counts = countsOfStep(step.name, found, succeeded)
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  const verdict = succeeded ? 'ok' : 'FAILED'
  process.stdout.write(
    `== ${step.name}: ${verdict} after ${seconds} s (${counts.passed} ok, ${counts.failed} not, ${counts.skipped} left out)\n`,
  )
  return counts
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
  for (const step of steps) {
    counts.push(await run(step))
    if (interruptedBy !== undefined) process.exit(128 + constants.signals[interruptedBy])
  }
  const total = sum(counts)
  process.stdout.write(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`)
  process.exitCode = total.failed === 0 ? 0 : 1
}

if (import.meta.main) await main()
