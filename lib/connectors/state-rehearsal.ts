// What the caps of a store would answer, judged apart from it: their places are read once, and nothing is written (lib/runtime/state/rehearsal.ts).
import type { CapRehearsal, Deadline, StateAnswer, StateLock, StateWrite } from '../runtime/ports.ts'
import { coordinatePrefix, judgeAsks, type Place, type Places } from './state-places.ts'

type Asked = Pick<StateWrite['caps'][number], 'key' | 'isShared'>

/** `locks`: places of theirs at or after their position are of attempts that did not commit; with `keepsPlaces` their records are told them again. */
export function rehearsalOf(
  locks: readonly { readonly lock: StateLock; readonly position: bigint }[],
  keepsPlaces: boolean,
  {
    places,
    nowMs,
    mostBytes,
  }: {
    readonly places: (keys: readonly string[], deadline: Deadline) => Promise<readonly Places[]>
    readonly nowMs: () => number
    readonly mostBytes?: number
  },
): CapRehearsal {
  const known = new Map<string, Places>()
  return { read, judge }

  async function read(caps: readonly Asked[], deadline: Deadline): Promise<void> {
    const unknown = [...new Map(caps.map(cap => [cap.key, cap])).values()].filter(({ key }) => !known.has(key))
    if (unknown.length === 0) return
    const found = await places(
      unknown.map(({ key }) => key),
      deadline,
    )
    for (const [k, { key, isShared }] of unknown.entries()) known.set(key, committed(found[k]!, isShared))
  }

  function committed(all: Places, isShared: boolean): Places {
    if (keepsPlaces) return all
    const prefixes = locks.map(({ lock, position }) => ({ prefix: coordinatePrefix(lock, isShared), position }))
    return new Map(
      [...all].filter(
        ([coordinates]) =>
          !prefixes.some(
            ({ prefix, position }) => coordinates.startsWith(prefix) && BigInt(coordinates.slice(prefix.length)) >= position,
          ),
      ),
    )
  }

  async function judge(write: StateWrite, deadline: Deadline): Promise<readonly StateAnswer[]> {
    if (write.caps.length === 0) return []
    await read(write.caps, deadline)
    const judged = judgeAsks(
      write,
      write.caps.map(({ key }) => known.get(key)!),
      nowMs(),
      mostBytes,
    )
    for (const [c, { key }] of write.caps.entries()) known.set(key, judged.places[c]!)
    return judged.answers
  }
}

/** "NUMBER TIME UNITS USED[ MEMBER]", as state-redis-scripts.ts writes it. */
export function placeOf(text: string): Place {
  const [, number, timeMs, units, used, member] = /^(\S+) (\S+) (\S+) (\S+)(?: (.*))?$/s.exec(text)!
  return { number: BigInt(number!), timeMs: Number(timeMs), units: BigInt(units!), used: BigInt(used!), member }
}
