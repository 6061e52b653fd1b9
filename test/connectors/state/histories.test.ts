// Random histories of claims and writes: each store gives the answers of the one in memory, and holds the same items at the end.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type MemoryState, memoryState } from '../../../lib/connectors/state-memory.ts'
import type { StatePort, StateWrite } from '../../../lib/runtime/ports.ts'
import { seededRandom } from '../../cases/random.ts'
import { type RunningState, stores } from './stores.ts'
import { deadline, hour } from './writes.ts'

const stepCount = 1000
const nowMs = 1_800_000_000_000

describe.each(stores.filter(({ name }) => name !== 'memory'))('$name', ({ start, isOneStep, isInOrder }) => {
  let running: RunningState
  beforeAll(async () => {
    running = await start()
  })
  afterAll(async () => {
    await running.stop()
  })

  test.each([1, 2])(`${stepCount} steps of two scenarios and four partitions, seed %i`, { timeout: 180_000 }, async seed => {
    const scopes = [`a-${seed}.1`, `b-${seed}.1`] as const
    const memory = memoryState(() => nowMs)
    const random = seededRandom(seed)
    const below = (n: number) => Math.floor(random() * n)
    const pick = <T>(all: readonly T[]): T => all[below(all.length)]!
    const lanes = scopes.flatMap(scope =>
      [0, 1].map(partition => ({
        lock: { scope, partition: { topic: 'visits', partition } },
        position: 0,
        tokens: new Map<StatePort, string>(),
        caps: new Map<string, bigint>(),
      })),
    )
    const counts = { written: 0, stale: 0, moved: 0, granted: 0, refused: 0 }

    const write = (lane: (typeof lanes)[number], store: StatePort, content: Omit<StateWrite, 'token' | 'lock'>): StateWrite => ({
      ...content,
      lock: lane.lock,
      token: lane.tokens.get(store)!,
    })

    for (let step = 0; step < stepCount; step++) {
      if (random() < 0.15 || lanes.some(({ tokens }) => tokens.size === 0)) {
        const lane = lanes.find(({ tokens }) => tokens.size === 0) ?? pick(lanes)
        const [ours, theirs] = [await memory.claim(lane.lock, deadline), await running.state.claim(lane.lock, deadline)]
        // The claim of another invocation: this one goes on with its token.
        const overtakes = random() < 0.15 && lane.tokens.size > 0
        if (!overtakes) {
          lane.tokens.set(memory, ours.token)
          lane.tokens.set(running.state, theirs.token)
        }
        expect({ ...theirs, token: '', leftovers: undefined, caps: undefined }).toEqual({
          ...ours,
          token: '',
          leftovers: undefined,
          caps: undefined,
        })
        for (const [key, item] of ours.leftovers) expect(theirs.leftovers.get(key)).toEqual(item)
        for (const [key, until] of ours.caps) expect(theirs.caps.get(key)).toBeGreaterThanOrEqual(until)
        if (isOneStep) expect([theirs.leftovers, theirs.caps]).toEqual([ours.leftovers, ours.caps])
        lane.caps = new Map(ours.caps)
        continue
      }
      const chosen = isInOrder && random() < 0.3 ? [lanes[0]!, lanes[3]!] : [pick(lanes)]
      const contents = chosen.map(lane => contentOf(lane, { below, pick, random, memory }))
      const expected = await memory.write(
        chosen.map((lane, c) => write(lane, memory, contents[c]!)),
        deadline,
      )
      const found = await running.state.write(
        chosen.map((lane, c) => write(lane, running.state, contents[c]!)),
        deadline,
      )
      expect(found).toEqual(expected)
      for (const [c, outcome] of expected.entries()) {
        const lane = chosen[c]!
        counts[outcome.kind]++
        if (outcome.kind === 'stale') lane.tokens.clear()
        if (outcome.kind !== 'written') continue
        for (const { kind } of outcome.answers) if (kind !== 'full') counts[kind]++
        const lock = memory.locks.get(`sluice:${lane.lock.scope}@visits/${lane.lock.partition.partition}`)!
        lane.caps = new Map(lock.caps)
        if (random() < 0.6) lane.position = Number(contents[c]!.last) + 1
      }
    }
    const keys = [...memory.items.keys()]
    const fields = ['base', 'head', 'at', 'tp'] as const
    const [stored] = await running.lookups.lookupMany([{ command: { kind: 'hash', fields }, keys }], deadline)
    const items = keys.map(key => memory.items.get(key)!)
    expect(stored).toEqual(items.map(({ base, head, at, tp }) => [base, head, String(at), tp]))
    // Each kind of outcome was reached.
    for (const [kind, count] of Object.entries(counts))
      expect(count, kind).toBeGreaterThan(kind === 'moved' && !isOneStep ? -1 : 5)
  })

  function contentOf(
    lane: { readonly lock: StateWrite['lock']; readonly position: number; readonly caps: ReadonlyMap<string, bigint> },
    {
      below,
      pick,
      random,
      memory,
    }: { below(n: number): number; pick<T>(all: readonly T[]): T; random(): number; memory: MemoryState },
  ): Omit<StateWrite, 'token' | 'lock'> {
    const { scope, partition } = lane.lock
    const tp = `visits/${partition.partition}`
    const length = 1 + below(6)
    const offsets = Array.from({ length }, (_, i) => lane.position + i)
    const last = BigInt(lane.position + length - 1)
    const value = () => pick([null, '', 'ż', '{"n":1}', '=', `${below(1000)}`])
    const chosenKeys = new Set(
      Array.from(
        { length: below(4) },
        () => `sluice:${scope}:visit/${below(isOneStep ? 5 : 50)}-${isOneStep ? '' : partition.partition}`,
      ),
    )
    const items = [...chosenKeys].map(key => {
      const found = memory.items.get(key)
      const isForeign = found !== undefined && found.tp !== tp
      const known = () => ({ at: random() < 0.8 ? found!.at : 999n, tp: found!.tp, head: random() < 0.9 ? found!.head : value() })
      const expected = isForeign && random() < 0.8 ? { expected: known() } : {}
      return { key, base: value(), head: value(), at: random() < 0.2 ? -1n : last, ...expected }
    })
    const shared = (name: string) => `sluice:shared/${lane.lock.scope.slice(2)}:${name}`
    const all = [
      { key: `sluice:${scope}:{c}few/1`, withinMs: undefined, expiresMs: undefined, isShared: false },
      { key: `sluice:${scope}:{c}window/1`, withinMs: 5 * hour, expiresMs: 12 * hour, isShared: false },
      { key: `sluice:${scope}:{c}once/1`, withinMs: undefined, expiresMs: undefined, isShared: false },
      { key: shared('{c}budget'), withinMs: 20 * hour, expiresMs: 100 * hour, isShared: true },
    ]
    const asks = offsets.flatMap(offset => {
      if (random() < 0.3) return []
      const caps = all.flatMap((_, cap) => {
        if (random() < 0.5) return []
        const member = cap === 2 || (cap === 1 && random() < 0.2) ? pick(['a', 'b', '', 'ł x', 'c', 'd', 'e']) : undefined
        const [limit, units] =
          cap === 3
            ? [pick([10n ** 18n, 3n * 10n ** 17n]), BigInt(below(1000)) * 10n ** 14n + BigInt(below(99))]
            : [BigInt(3 + below(20)), 1n]
        return [{ cap, limit, units, member }]
      })
      // Time goes on by half an hour a record, now and then it jumps.
      const timeMs = nowMs - 3000 * hour + offset * (hour / 2) + (below(5) - 2) * hour
      return caps.length === 0 ? [] : [{ offset: BigInt(offset), timeMs, caps }]
    })
    const isAsked = (cap: number) => asks.some(({ caps }) => caps.some(one => one.cap === cap))
    const wanted = all.flatMap((cap, c) => {
      const until = lane.caps.get(cap.key)
      return isAsked(c) || (until !== undefined && until >= BigInt(lane.position)) ? [{ cap: { ...cap, until }, c }] : []
    })
    const indexes = new Map(wanted.map(({ c }, index) => [c, index]))
    return {
      signature: pick(['s', 't']),
      position: BigInt(lane.position),
      last,
      lastBefore: undefined,
      items,
      changed: items.filter(({ at }) => at !== -1n).map(({ key }) => key),
      // One scenario publishes before it commits.
      keepsPlaces: scope.startsWith('b-'),
      caps: wanted.map(({ cap }) => cap),
      asks: asks.map(ask => ({ ...ask, caps: ask.caps.map(one => ({ ...one, cap: indexes.get(one.cap)! })) })),
    }
  }
})
