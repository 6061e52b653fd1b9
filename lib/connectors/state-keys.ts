// Names in a store of state, and when an item may be overwritten. What is an entry's (`sluice:SCENARIO.GENERATION:ENTRY/KEY`) is named by whoever
// writes it; the lock's name has an "@" where those have a ":", so that no topic and no entry can meet in one key.
import type { LookupPort, StateItem, StateLock, StatePort, StateWrite } from '../runtime/ports.ts'

export interface StateStore {
  readonly state: StatePort
  /** Reads the same items. */
  readonly lookups: LookupPort
}

export function lockName({ scope, partition: { topic, partition } }: StateLock): string {
  return `sluice:${scope}@${topic}/${partition}`
}

/** As items name a partition. */
export function tpOf({ partition: { topic, partition } }: StateLock): string {
  return `${topic}/${partition}`
}

/**
 * Whether the item is no more what the writer has read. Its own partition's items only change under the lock. Another's must be what was
 * expected; one that was absent, and that another partition has made since, was not expected either.
 */
export function itemProblem(
  found: Pick<StateItem, 'at' | 'tp'> | undefined,
  { expected }: StateWrite['items'][number],
  tp: string,
): boolean {
  // Under our token only we can have made it ours: the same write once more.
  if (found?.tp === tp) return false
  if (expected !== undefined) return found === undefined || found.at !== expected.at || found.tp !== expected.tp
  return found !== undefined
}
