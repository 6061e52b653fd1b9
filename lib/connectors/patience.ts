// What all stores share: how long a round trip may take, and the sentence when none came. A message names the store's address and never
// what stands behind it (passwords, tokens, keys): those are secrets or customers' data.
import { type Deadline, type LookupRequest, RetryableError, usualTimeoutMs } from '../runtime/ports.ts'

export class TimeUp extends Error {
  override readonly name = 'TimeUp'
}

export interface Unanswered {
  /** Begins the id: `redis-timeout`, `redis-unreachable`. */
  readonly store: 'redis' | 'upstash' | 'ignite' | 'dynamodb' | 'http'
  readonly scenario: string
  readonly keyCount: number
  /** What waits. Default: look-ups. */
  readonly things?: string
  readonly address: string
  readonly timeoutMs: number
  /** Why, in words that hold no secret; left out where the code of the error says it. */
  readonly reason?: string
  readonly advice: string
}

/**
 * How long a round trip may take: what these look-ups ask together as long as the most patient of them waits. Whole, since what remains is
 * measured in fractions, and AbortSignal.timeout throws at one.
 */
export function timeoutOf(deadline: Deadline, requests?: readonly Pick<LookupRequest, 'timeoutMs'>[]): number {
  const patience = requests?.map(({ timeoutMs }) => timeoutMs ?? Number.POSITIVE_INFINITY) ?? [usualTimeoutMs]
  const longestMs = patience.length === 0 ? 0 : Math.max(...patience)
  return Math.max(1, Math.floor(Math.min(longestMs, deadline.remainingMs())))
}

/** A store may be well, and slow for so many. */
const tooLarge =
  ' If it is large batches alone that fail: raise `timeout`, of the look-up or of `function`, or lower `batchSize` of the source.'

export function unanswered(error: unknown, what: Unanswered): RetryableError {
  if (error instanceof RetryableError) return error
  const { store, scenario, keyCount, things = 'look-ups', address, timeoutMs, advice } = what
  const late = error instanceof TimeUp
  const id = late ? `${store}-timeout` : `${store}-unreachable`
  const code = what.reason ?? codeOf(error)
  const tooMany = late && keyCount > 1 ? tooLarge : ''
  const why = late ? ` within ${Math.round(timeoutMs)} ms` : code === undefined ? '' : ` (${code})`
  return new RetryableError(
    id,
    `[${id}] ${scenario}: ${keyCount} ${things} got no answer from ${address}${why}. Nothing was emitted, the batch comes again. ${advice}${tooMany}`,
  )
}

/** ECONNREFUSED and the like, where the error or what it was caused by has one. */
function codeOf(error: unknown): string | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as { code?: unknown }
    if (typeof code === 'string' && /^[A-Z][A-Z0-9_]+$/.test(code)) return code
  }
  return undefined
}

export async function within<T>(timeoutMs: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  // The abandoned promise may still fail; nobody listens any more.
  promise.catch(() => undefined)
  const timeUp = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TimeUp(`no answer within ${timeoutMs} ms`)), timeoutMs)
  })
  try {
    return await Promise.race([promise, timeUp])
  } finally {
    clearTimeout(timer)
  }
}

/** Runs the tasks, at most `limit` at a time; the first error ends the rest. */
export async function inTurn<T>(tasks: readonly (() => Promise<T>)[], limit: number): Promise<readonly T[]> {
  const results: T[] = new Array(tasks.length)
  let next = 0
  let failed = false
  const worker = async () => {
    while (!failed && next < tasks.length) {
      const task = next++
      try {
        results[task] = await tasks[task]!()
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, tasks.length) }, worker))
  return results
}

/** Between attempts: a random part of a doubling time, so that many functions do not come back at once. */
export function backoffMs(attempt: number, firstMs: number, random: () => number = Math.random): number {
  return firstMs * 2 ** attempt * (0.5 + random() / 2)
}
