// How much of a batch is decided at once: all of it, unless that takes longer than there is time. Such a batch would fail at each delivery, for ever.
// So a container that ran out of time decides in parts from then on, and commits each part before it begins the next: every delivery gets further,
// and the last one to the end (event-source-mapping.md, section 3). For the rest of the function a part is a shorter batch, as the mapping might have
// cut it itself: a prefix of each partition, of which `stopAbove` judges what it would of such a batch. The container remembers it; a new one begins with whole batches.
import type { SourceRecord } from '../plan/plan.ts'
import { RetryableError } from './ports.ts'

/** What is to be decided of a partition. */
interface Share {
  readonly todo: readonly SourceRecord[]
  readonly nextOffset: bigint
}

/** How long it took to decide and commit so many records, or to fail. */
interface Attempt {
  readonly recordCount: number
  readonly tookMs: number
}

/** For what a prediction does not know: the commit, a slower answer. */
const spareMs = 1000

export class Cut {
  /** Records of a part; undefined: the whole batch. */
  #size: number | undefined
  /** Since when it is cut: the most records that were too many, and how long the last that failed took. */
  #tooMany: Attempt = { recordCount: 0, tookMs: 0 }
  /** Of this invocation: the last part that was committed, if none has failed since. */
  #last: Attempt | undefined

  /** A new invocation has its whole time. */
  begin(): void {
    this.#last = undefined
  }

  /** What is decided now: these shares as they are, or the first records of them. A share of which nothing is decided yet is left out. */
  shorten<S extends Share>(shares: readonly S[], remainingMs: number): readonly S[] {
    const size = this.#grown(remainingMs)
    const total = shares.reduce((sum, { todo }) => sum + todo.length, 0)
    if (size === undefined || total <= size) return shares
    let left = size
    return shares.flatMap(share => {
      const { todo } = share
      // Each partition in proportion; what has nothing to decide (tombstones alone) costs nothing.
      const count = Math.min(left, Math.ceil((todo.length * size) / total))
      if (todo.length > 0 && count === 0) return []
      left -= count
      if (count === todo.length) return [share]
      // The last record's offset + 1, as always: it is compared with what the store of state knows.
      return [{ ...share, todo: todo.slice(0, count), nextOffset: BigInt(todo[count - 1]!.offset) + 1n }]
    })
  }

  /** Whether another part should be begun. Until one is committed there is: else nothing would ever be. */
  hasTime(remainingMs: number): boolean {
    return this.#size === undefined || this.#last === undefined || fits(this.#last.tookMs, remainingMs)
  }

  /** All of it is committed. */
  ended(part: Attempt): void {
    this.#last = part
  }

  /** Where this failure says that it were too many records: how many are decided at once from now on, and whether there is time for them yet. */
  failed(error: unknown, attempt: Attempt, remainingMs: number): { readonly size: number; readonly isTime: boolean } | undefined {
    if (!isLate(error) || attempt.recordCount < 2) return undefined
    const recordCount = Math.max(attempt.recordCount, this.#size === undefined ? 0 : this.#tooMany.recordCount)
    this.#tooMany = { recordCount, tookMs: attempt.tookMs }
    this.#size = Math.ceil(attempt.recordCount / 2)
    // Else the quick part before this one would make the next as large as the one that failed.
    this.#last = undefined
    // A round trip's time may be up long before the invocation's is.
    return { size: this.#size, isTime: fits(attempt.tookMs, remainingMs) }
  }

  /** Parts become larger again once they are so quick that twice as many would be far from what was too long. */
  #grown(remainingMs: number): number | undefined {
    const [size, last, tooMany] = [this.#size, this.#last, this.#tooMany]
    if (size === undefined || last === undefined || last.recordCount < size) return size
    const twiceMs = 2 * last.tookMs
    if (twiceMs > tooMany.tookMs / 2 || !fits(twiceMs, remainingMs)) return size
    this.#size = 2 * size < tooMany.recordCount ? 2 * size : undefined
    // Whole batches from the next one on: nobody knows yet how many records this one has left.
    return 2 * size
  }
}

function fits(tookMs: number, remainingMs: number): boolean {
  return remainingMs >= 1.5 * tookMs + spareMs
}

/** It ran out of the invocation's time, or of a round trip's: fewer records may be in time. A store that is away fails as well, and costs nothing but parts. */
function isLate(error: unknown): boolean {
  return error instanceof RetryableError && (error.id === 'out-of-time' || error.id.endsWith('-timeout'))
}
