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

export function withBreaker(port: LookupPort, { scenario, store, nowMs }: BreakerOptions): LookupPort {
  let failures = 0
  let closedUntilMs = 0
  return {
    lookupMany: async (requests, deadline, tell) => {
      const waitMs = closedUntilMs - nowMs()
      if (failures >= failuresToOpen && waitMs > 0)
        throw runtimeError('store-paused', { scenario, store, failures, waitMs: Math.ceil(waitMs) })
      try {
        const answers = await port.lookupMany(requests, deadline, tell)
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
    close: () => port.close(),
  }
}
