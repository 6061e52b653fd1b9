// How often and how long a request is repeated. Everything is bounded: by the invocation's rest, by the transaction's timeout, and, where
// nobody answers or a topic is missing, by a shorter patience, since the batch comes again anyway.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Deadline } from '../../runtime/ports.ts'
import { BrokerError } from './cluster.ts'
import { meaningOf } from './codes.ts'
import { TimeUp } from './errors.ts'
import { TransportError } from './socket.ts'

/** Back to back, most transactions of the old protocol meet CONCURRENT_TRANSACTIONS for a few ms. */
const firstPauseMs = 1.5
const longestPauseMs = 100

/** The time of one call of the port: no attempt begins after its end. */
export class Scope {
  readonly #deadline: Deadline
  readonly #endMs: number
  readonly #reserveMs: number
  readonly startMs = Date.now()
  /** Some request since the begin got no answer: the broker may still see its late copy. */
  transportFailed = false
  #stopped = false

  constructor(deadline: Deadline, limits: { readonly atMostMs: number; readonly reserveMs: number }) {
    this.#deadline = deadline
    this.#endMs = this.startMs + limits.atMostMs
    this.#reserveMs = limits.reserveMs
  }

  remainingMs(): number {
    if (this.#stopped) return 0
    return Math.min(this.#endMs - Date.now(), this.#deadline.remainingMs() - this.#reserveMs)
  }

  /** What is in flight settles, nothing more is begun. */
  stop(): void {
    this.#stopped = true
  }
}

export class Patience {
  readonly #scope: Scope
  readonly #what: string
  readonly #unansweredMs: number
  #pauseMs = firstPauseMs
  #failingSinceMs: number | undefined
  #last: unknown

  constructor(scope: Scope, what: string, unansweredMs: number) {
    this.#scope = scope
    this.#what = what
    this.#unansweredMs = unansweredMs
  }

  /** The time that one attempt may take. */
  attemptMs(longestMs: number): number {
    const remainingMs = this.#scope.remainingMs()
    if (remainingMs <= 0) throw new TimeUp(this.#what, Date.now() - this.#scope.startMs, this.#last)
    return Math.min(remainingMs, longestMs)
  }

  succeeded(): void {
    this.#failingSinceMs = undefined
    this.#pauseMs = firstPauseMs
  }

  /** Throws the error where another attempt would give the same; otherwise notes it, and `pause` may follow. */
  failed(error: unknown): void {
    if (error instanceof TransportError) this.#scope.transportFailed = true
    this.#failingSinceMs ??= Date.now()
    const failingForMs = Date.now() - this.#failingSinceMs
    const repeat =
      error instanceof TransportError
        ? failingForMs < this.#unansweredMs
        : error instanceof BrokerError && this.#worthAnother(error, failingForMs)
    if (!repeat) throw error
    this.#last = error
  }

  async pause(): Promise<void> {
    await sleep(Math.max(0, Math.min(this.#pauseMs, this.#scope.remainingMs())))
    this.#pauseMs = Math.min(this.#pauseMs * 2, longestPauseMs)
  }

  #worthAnother(error: BrokerError, failingForMs: number): boolean {
    switch (meaningOf(error.code)) {
      case 'retry':
        return true
      case 'moved':
      case 'unknown-topic':
        return failingForMs < this.#unansweredMs
      default:
        return false
    }
  }
}
