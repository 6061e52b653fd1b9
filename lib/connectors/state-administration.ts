// What `sluice state` needs of a store beyond the function's own port: an item as it is stored, the places of a cap, a lock without a claim, and a
// key erased. Not for the Lambda: a function never erases anything.
import type { Deadline, StateItem, StateLock } from '../runtime/ports.ts'

export interface StateAdministration {
  /** Undefined: nothing is stored, or it was erased. */
  item(key: string, deadline: Deadline): Promise<StateItem | undefined>
  /** Places of a cap, by their coordinates. */
  places(key: string, deadline: Deadline): Promise<ReadonlyMap<string, StoredPlace>>
  /** Undefined: no attempt has written it. */
  lock(lock: StateLock, deadline: Deadline): Promise<LockNote | undefined>
  /**
   * Takes a value, or all places of a cap, out of the store, and their key out of the locks' notes. Only under the tokens of all `claims`: those who
   * were at work under older ones cannot write any more, and so cannot bring back what they have read. `owner`: the item is still that
   * partition's.
   */
  erase(
    key: string,
    claims: readonly StateToken[],
    kind: { readonly kind: 'remember'; readonly owner: string } | { readonly kind: 'cap'; readonly isShared: boolean },
    deadline: Deadline,
  ): Promise<'erased' | 'stale' | 'moved'>
  close(): Promise<void>
}

export interface StoredPlace {
  readonly number: bigint
  readonly timeMs: number
  readonly units: bigint
  readonly member: string | undefined
}

export interface LockNote {
  readonly last: bigint | undefined
  /** At-least-once. */
  readonly position: bigint | undefined
}

export interface StateToken {
  readonly lock: StateLock
  readonly token: string
}

/**
 * Where items have slots of their own, an emptied one stays so long, to refuse a write that an older token sent before and that arrives late. No
 * invocation of Lambda lives longer than a quarter of an hour.
 */
export const emptiedMs = 3_600_000
