// Names in a store of state, and when an item may be overwritten. What is an entry's (`sluice:SCENARIO.GENERATION:ENTRY/KEY`) is named by whoever
// writes it; the lock's name has an "@" where those have a ":", so that no topic and no entry can meet in one key.
import type { LookupPort, StateItem, StateLock, StatePort, StateWrite } from '../runtime/ports.ts'
import { untilAfter } from './state-places.ts'

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
  found: Pick<StateItem, 'at' | 'tp' | 'head'> | undefined,
  { expected }: StateWrite['items'][number],
  tp: string,
): boolean {
  // Under our token only we can have made it ours: the same write once more.
  if (found?.tp === tp) return false
  if (expected === undefined || found === undefined) return found !== expected
  return found.at !== expected.at || found.tp !== expected.tp || found.head !== expected.head
}

/** After so long no write that was sent before arrives any more. */
export const lateMs = 3_600_000

/** Whether a lock whose token still holds has lost a write of the token's owner: a fail-over to a copy that lags, a restore. */
export function isBehind(last: bigint | undefined, known: bigint | undefined): boolean {
  return known !== undefined && (last === undefined || last < known)
}

/** What makes tokens comparable where an item keeps the one that wrote it. */
export function counterOf(token: string): string {
  return token.slice(0, token.indexOf('.'))
}

/**
 * Where the lock is written first, what it announces follows later, perhaps never: what is left over, and what was asked, stays noted until
 * another attempt has taken its place.
 */
export function lockNotes(write: StateWrite): {
  readonly keys: readonly string[]
  readonly caps: readonly (readonly [string, string])[]
} {
  const { items, changed, caps } = write
  return {
    keys: [...new Set([...changed, ...items.map(({ key }) => key)])],
    caps: caps.flatMap(({ key, until }, c) => {
      const asked = untilAfter(write, c)
      const highest = asked === undefined || (until !== undefined && until > asked) ? until : asked
      return highest === undefined ? [] : [[key, `${highest}`] as const]
    }),
  }
}

/** Indexes of caps that hang together, and of the asks that ask them. */
export interface CapGroup {
  readonly caps: readonly number[]
  readonly asks: readonly number[]
}

export function capGroups({ caps, asks }: StateWrite): readonly CapGroup[] {
  const leaders = caps.map((_, c) => c)
  const leaderOf = (c: number): number => {
    let leader = c
    while (leaders[leader] !== leader) leader = leaders[leader]!
    leaders[c] = leader
    return leader
  }
  for (const { caps: ones } of asks)
    for (const { cap } of ones.slice(1)) {
      const [first, other] = [leaderOf(ones[0]!.cap), leaderOf(cap)]
      leaders[other] = first
    }
  const groups = new Map<number, { readonly caps: number[]; readonly asks: number[] }>()
  for (const c of caps.keys()) {
    const leader = leaderOf(c)
    const group = groups.get(leader)
    if (group === undefined) groups.set(leader, { caps: [c], asks: [] })
    else group.caps.push(c)
  }
  for (const [a, { caps: ones }] of asks.entries()) groups.get(leaderOf(ones[0]!.cap))!.asks.push(a)
  return [...groups.values()]
}
