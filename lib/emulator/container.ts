// A Lambda execution environment on this machine: a child process with the function's code, environment, memory and timeout. One
// invocation at a time; between invocations the process is frozen (SIGSTOP), as Lambda does, so that timers and sockets go stale here too.
import { type ChildProcess, fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { KafkaEvent } from '../runtime/event.ts'
import type { Fault } from './fault-points.ts'

export interface FunctionSettings {
  /** The bundle: a .js or .mjs file that exports `handler`. */
  readonly handlerFile: string
  readonly name: string
  /** All that the function sees beside Lambda's own variables; nothing of ours is inherited. */
  readonly environment: Readonly<Record<string, string>>
  readonly memoryMb: number
  readonly timeoutMs: number
  /** What the function writes to stdout and stderr. */
  readonly log?: (text: string) => void
  /** Default true. */
  readonly frozenBetweenInvocations?: boolean
}

export interface FunctionError {
  readonly errorType: string
  readonly errorMessage: string
  readonly trace: readonly string[]
}

export type InvocationResult =
  | { readonly status: 'success'; readonly response: unknown }
  | { readonly status: 'failed'; readonly error: FunctionError }
  | { readonly status: 'timeout'; readonly timeoutMs: number }
  | { readonly status: 'crashed'; readonly signal: NodeJS.Signals | null; readonly exitCode: number | null }

export interface InvokeOptions {
  /** Where the process kills or stops itself; see faults.ts. */
  readonly fault?: Fault
}

export type ToHost =
  | {
      readonly kind: 'invoke'
      readonly event: string
      readonly requestId: string
      readonly deadlineMs: number
      readonly memoryMb: number
    }
  | { readonly kind: 'arm'; readonly fault: Fault | null }

export type FromHost =
  | { readonly kind: 'ready' }
  | { readonly kind: 'result'; readonly response: string }
  | { readonly kind: 'error'; readonly error: FunctionError }

/** Stands beside stdin, stdout, stderr and IPC: faults.ts writes to it where it strikes, synchronously. */
const faultReportFd = 4

// A frozen child would outlive us: it does not see its parent go.
const alive = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL')
})

export class Container {
  readonly #settings: FunctionSettings
  readonly #child: ChildProcess
  readonly #exited: Promise<{ readonly signal: NodeJS.Signals | null; readonly exitCode: number | null }>
  readonly #ready: Promise<void>
  #answered: ((message: FromHost) => void) | undefined
  #struck: ((point: string) => void) | undefined
  #busy = false
  #gone = false

  constructor(settings: FunctionSettings) {
    this.#settings = settings
    const folder = import.meta.dirname
    this.#child = fork(join(folder, 'host.ts'), [settings.handlerFile], {
      execArgv: [
        `--max-old-space-size=${settings.memoryMb}`,
        '--disable-warning=ExperimentalWarning',
        '--import',
        join(folder, 'faults.ts'),
      ],
      env: {
        ...settings.environment,
        AWS_LAMBDA_FUNCTION_NAME: settings.name,
        AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(settings.memoryMb),
        AWS_REGION: 'eu-central-1',
        TZ: ':UTC',
      },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc', 'pipe'],
    })
    const child = this.#child
    alive.add(child)
    child.stdout!.setEncoding('utf8').on('data', text => settings.log?.(text))
    child.stderr!.setEncoding('utf8').on('data', text => settings.log?.(text))
    const report = child.stdio[faultReportFd] as NodeJS.ReadableStream
    report.setEncoding('utf8').on('data', text => {
      for (const line of String(text).trim().split('\n')) this.#struck?.(line)
    })
    this.#exited = new Promise(resolve => {
      const ended = (exitCode: number | null, signal: NodeJS.Signals | null): void => {
        this.#gone = true
        alive.delete(child)
        resolve({ signal, exitCode })
      }
      // Not `exit`: what the process wrote last, faults.ts's report above all, is read by then.
      child.once('close', ended)
      // A process that could not be started at all.
      child.once('error', () => ended(null, null))
    })
    this.#ready = new Promise(resolve => {
      child.on('message', (message: FromHost) => {
        if (message.kind === 'ready') resolve()
        else this.#answered?.(message)
      })
    })
  }

  /** Neither in an invocation nor dead. */
  get idle(): boolean {
    return !this.#busy && !this.#gone
  }

  get alive(): boolean {
    return !this.#gone
  }

  /** Calls `struck` with the point (`Produce written`) when an armed fault strikes. */
  onStrike(struck: (point: string) => void): void {
    this.#struck = struck
  }

  async invoke(event: KafkaEvent, options: InvokeOptions = {}): Promise<InvocationResult> {
    if (this.#busy) throw new Error('A container takes one invocation at a time')
    this.#busy = true
    this.thaw()
    const { timeoutMs, memoryMb } = this.#settings
    let timer: NodeJS.Timeout | undefined
    try {
      // Loading has its own time (Lambda: 10 s for the init phase), so the invocation's clock starts after it.
      await Promise.race([this.#ready, this.#exited])
      const answer = new Promise<InvocationResult>(resolve => {
        this.#answered = message => {
          if (message.kind === 'result') resolve({ status: 'success', response: JSON.parse(message.response) })
          else if (message.kind === 'error') resolve({ status: 'failed', error: message.error })
        }
      })
      const crashed = this.#exited.then((end): InvocationResult => ({ status: 'crashed', ...end }))
      const timeout = new Promise<InvocationResult>(resolve => {
        timer = setTimeout(() => resolve({ status: 'timeout', timeoutMs }), timeoutMs)
      })
      this.#tell({ kind: 'arm', fault: options.fault ?? null })
      this.#tell({
        kind: 'invoke',
        event: JSON.stringify(event),
        requestId: randomUUID(),
        deadlineMs: Date.now() + timeoutMs,
        memoryMb,
      })
      const result = await Promise.race([answer, crashed, timeout])
      if (result.status === 'timeout') await this.kill()
      return result
    } finally {
      clearTimeout(timer)
      this.#answered = undefined
      this.#busy = false
      if (this.#settings.frozenBetweenInvocations !== false) this.freeze()
    }
  }

  /** SIGSTOP: the whole process stands still, in the middle of whatever it does. */
  freeze(): void {
    if (!this.#gone) this.#child.kill('SIGSTOP')
  }

  thaw(): void {
    if (!this.#gone) this.#child.kill('SIGCONT')
  }

  /** SIGKILL; resolves when the process is gone. */
  async kill(): Promise<void> {
    if (!this.#gone) this.#child.kill('SIGKILL')
    await this.#exited
  }

  #tell(message: ToHost): void {
    // A process that has just died: `exited` tells.
    if (this.#child.connected) this.#child.send(message, () => {})
  }
}
