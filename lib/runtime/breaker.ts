// A store that gave no answer several times in a row is left alone for a while: with `onError: missing` a batch would else wait the whole time-out
// for each of its stages, and with `retry` each delivery would burn the function's time. After the pause one call goes through and decides.
import { runtimeError } from './errors.ts'
import { type LookupPort, RetryableError } from './ports.ts'

export interface BreakerOptions {
  readonly scenario: string
  /** As messages name it: `redis`. */
  readonly store: string
  readonly nowMs: () => number
}

const failuresToOpen = 3
const firstPauseMs = 1000
const longestPauseMs = 30_000

export interface Breaker {
  /** Asks, or throws `store-paused` without asking. */
  call<Answers>(ask: () => Promise<Answers>): Promise<Answers>
}

export function withBreaker(port: LookupPort, options: BreakerOptions): LookupPort {
  const breaker = createBreaker(options)
  return {
    lookupMany: (...asked) => breaker.call(() => port.lookupMany(...asked)),
    close: () => port.close(),
  }
}

/** For a store that is many, one for each. */
export function createBreaker({ scenario, store, nowMs }: BreakerOptions): Breaker {
  let failures = 0
  let closedUntilMs = 0
  return {
    call: async ask => {
      const waitMs = closedUntilMs - nowMs()
      if (failures >= failuresToOpen && waitMs > 0)
        throw runtimeError('store-paused', { scenario, store, failures, waitMs: Math.ceil(waitMs) })
      try {
        const answers = await ask()
        failures = 0
        return answers
      } catch (error) {
        // Bugs are no sign of a dead store.
        if (error instanceof RetryableError) {
          failures++
          closedUntilMs = nowMs() + Math.min(longestPauseMs, firstPauseMs * 2 ** Math.max(0, failures - failuresToOpen))
        }
        throw error
      }
    },
  }
}
