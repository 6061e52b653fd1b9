// State in memory, behind the same ports as the real stores: for the first command, `sluice test` and unit tests. Each call is one step.
import { type LookupAnswer, WrongKind } from '../plan/plan.ts'
import type { LookupPort, LookupRequest, StateItem, StateOutcome, StatePort, StateWrite } from '../runtime/ports.ts'
import { isBehind, itemProblem, lockName, tpOf } from './state-keys.ts'
import { judgeAsks, type Places, untilAfter } from './state-places.ts'
import { rehearsalOf } from './state-rehearsal.ts'

export interface MemoryState extends StatePort {
  /** Reads the same items, as look-ups of store `state` do. */
  readonly lookups: LookupPort
  /** What is there, for those who look from outside. */
  readonly locks: ReadonlyMap<string, MemoryLock>
  readonly items: ReadonlyMap<string, StateItem>
  readonly caps: ReadonlyMap<string, Places>
}

export interface MemoryLock {
  readonly token: string
  readonly last: bigint | undefined
  readonly position: bigint | undefined
  readonly signature: string | undefined
  readonly keys: readonly string[]
  readonly caps: ReadonlyMap<string, bigint>
}

export function memoryState(nowMs: () => number = Date.now): MemoryState {
  const locks = new Map<string, MemoryLock>()
  const items = new Map<string, StateItem>()
  const caps = new Map<string, Places>()
  const unusedAfterMs = new Map<string, number>()
  let claims = 0
  return {
    locks,
    items,
    caps,
    lookups: { lookupMany: async requests => requests.map(answersOf), close: async () => undefined },
    async claim(lock) {
      const name = lockName(lock)
      const before = locks.get(name)
      const token = `${++claims}`
      const held = {
        last: before?.last,
        position: before?.position,
        signature: before?.signature,
        keys: before?.keys ?? [],
        caps: before?.caps ?? new Map<string, bigint>(),
      }
      locks.set(name, { token, ...held })
      const leftovers = held.keys.flatMap(key => {
        const item = items.get(key)
        return item === undefined || item.tp !== tpOf(lock) ? [] : [[key, item] as const]
      })
      const { last, position, signature } = held
      return { token, last, position, signature, leftovers: new Map(leftovers), caps: new Map(held.caps) }
    },
    holds: async (lock, token) => locks.get(lockName(lock))?.token === token,
    write: async writes => writes.map(writeOne),
    acknowledge: async acknowledgements =>
      acknowledgements.map(({ lock, token, position }) => {
        const held = locks.get(lockName(lock))
        if (held?.token !== token) return false
        locks.set(lockName(lock), { ...held, position })
        return true
      }),
    rehearseCaps: (ours, keepsPlaces) => rehearsalOf(ours, keepsPlaces, { places: async keys => keys.map(placesOf), nowMs }),
    position: async lock => locks.get(lockName(lock))?.position,
    close: async () => undefined,
  }

  function answersOf({ command, keys }: LookupRequest): readonly LookupAnswer[] {
    if (command.kind !== 'hash') throw new Error(`state has no look-ups of the kind "${command.kind}"`)
    return keys.map(key => {
      if (caps.has(key)) return new WrongKind('places of a cap')
      const item = items.get(key)
      if (item === undefined) return command.fields.map(() => null)
      const texts = new Map<string, string | null>([
        ['base', item.base],
        ['head', item.head],
        ['at', `${item.at}`],
        ['tp', item.tp],
      ])
      return command.fields.map(field => texts.get(field) ?? null)
    })
  }

  function placesOf(key: string): Places {
    return (unusedAfterMs.get(key) ?? Number.POSITIVE_INFINITY) > nowMs() ? (caps.get(key) ?? noPlaces) : noPlaces
  }

  function writeOne(write: StateWrite): StateOutcome {
    const { lock, token, signature, last, lastBefore, changed } = write
    const held = locks.get(lockName(lock))
    if (held?.token !== token) return { kind: 'stale' }
    if (isBehind(held.last, lastBefore)) return { kind: 'stale' }
    const tp = tpOf(lock)
    for (const item of write.items) if (itemProblem(items.get(item.key), item, tp)) return { kind: 'moved', key: item.key }
    for (const { key, base, head, at } of write.items) items.set(key, { base, head, at, tp })
    const now = nowMs()
    const { answers, places } = judgeAsks(
      write,
      write.caps.map(({ key }) => placesOf(key)),
      now,
    )
    for (const [c, { key, expiresMs }] of write.caps.entries()) {
      if (places[c]!.size === 0) caps.delete(key)
      else caps.set(key, places[c]!)
      if (expiresMs === undefined) unusedAfterMs.delete(key)
      else unusedAfterMs.set(key, now + expiresMs)
    }
    locks.set(lockName(lock), { ...held, last, signature, keys: changed, caps: untils(write) })
    return { kind: 'written', answers }
  }
}

const noPlaces: Places = new Map()

function untils(write: StateWrite): ReadonlyMap<string, bigint> {
  return new Map(
    write.caps.flatMap(({ key }, c) => {
      const until = untilAfter(write, c)
      return until === undefined ? [] : [[key, until] as const]
    }),
  )
}
