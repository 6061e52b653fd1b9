// State in the simulated world: what records of a key leave for later ones, and places that all partitions fight for, over look-ups that answer
// differently each time they are asked. So nobody knows what comes out; but outputs must agree with each other, and with what the store holds.
import { interpretedPlan } from '../../lib/compiler/interpreted.ts'
import { plan } from '../../lib/compiler/planning.ts'
import { memoryState } from '../../lib/connectors/state-memory.ts'
import type { LookupPort, OutputRecord, StatePort } from '../../lib/runtime/ports.ts'
import { checkScenario } from '../../lib/scenario/check.ts'
import { base64 } from '../runtime/plan-fixture.ts'
import { duplicated, idOf, reordered, type Seen, uncommittedVisible } from './checkers.ts'
import type { Scene, StoreCall } from './simulate.ts'
import type { Workload } from './workload.ts'

const limit = 3
const peopleCount = 3
const groupCount = 3
/** Between the numbers of two partitions' records. */
const farApart = 1000

const scenarioText = `scenario: letters
description: At most ${limit} letters for each group, not for a visit that follows the one before at once.
source:
  topic: app.visits
  event: { id: string, group: string, n: int }
enrich:
  customer:
    redis: hash customer:{event.id}
    fields: { age: int }
    onMissing: drop
state:
  visit:
    key: event.id
    fields: { last?: int, count?: int }
    set: { last: event.n, count: visit.?count.orValue(0) + 1 }
  place:
    key: event.group
    limit: ${limit}
filter:
  adult: customer.age >= 18
  pause: (!has(visit.last)) || event.n - visit.last != 1
sinks:
  letter:
    topic: letters
    key: event.id
    value: { n: event.n, last: visit.?last, count: visit.?count, number: place.number }
  refused:
    on: dropped
    when: adult && pause
    topic: letters
    key: event.id
    value: { n: event.n, last: visit.?last, count: visit.?count }
  skipped:
    on: dropped
    when: (!adult) || (!pause)
    topic: letters
    key: event.id
    value: { n: event.n, last: visit.?last, count: visit.?count }
`

const letters = interpretedPlan(plan(scenario()))

/** Keys of one partition each, as they should be. */
export const drawStateScene = (random: () => number): Scene => drawScene(random, { keysMove: false })

/** Each key in all partitions: each record takes over what another one of them has left. */
export const drawMovesScene = (random: () => number): Scene => drawScene(random, { keysMove: true })

function drawScene(random: () => number, { keysMove }: { readonly keysMove: boolean }): Scene {
  const below = (limit: number) => Math.floor(random() * limit)
  const expected = new Set<string>()
  const partitions: Workload['partitions'] = Array.from(
    { length: (keysMove ? 2 : 1) + below(keysMove ? 2 : 3) },
    (_, partition) => {
      let offset = below(100)
      return Array.from({ length: 5 + below(20) }, () => {
        offset += random() < 0.8 ? 1 : 1 + below(5)
        const record = {
          topic: 'app.visits',
          partition,
          offset,
          timestamp: 1_763_900_000_000 + offset,
          timestampType: 'CREATE_TIME' as const,
        }
        // Groups are shared by all partitions.
        const id = `${keysMove ? 'all' : partition}-${below(peopleCount)}`
        if (random() < 0.05) return { ...record, key: base64(id) }
        expected.add(`app.visits/${partition}/${offset}`)
        const value = JSON.stringify({ id, group: `g-${below(groupCount)}`, n: partition * farApart + offset })
        return { ...record, key: base64(id), value: base64(value) }
      })
    },
  )
  const groups = new Map(
    partitions.flatMap((records, partition) =>
      records.flatMap(({ offset, value }) =>
        value === undefined || value === null
          ? []
          : [[`app.visits/${partition}/${offset}`, JSON.parse(Buffer.from(value, 'base64').toString()).group as string] as const],
      ),
    ),
  )
  const store = memoryState(() => 1_800_000_000_000)
  return {
    plan: letters,
    partitions,
    storesOf: (call, below) => ({
      stores: { redis: moody(call, below), state: reading(call, store.lookups) },
      state: writing(call, store),
    }),
    judge: seen => ({
      lost: [...expected].filter(id => !seen.some(({ record }) => sourceOf(record) === id)),
      duplicated: [...duplicated(seen), ...twice(seen)],
      reordered: reordered(seen),
      uncommittedVisible: uncommittedVisible(seen),
      wrong: seen.filter(({ record }) => !expected.has(sourceOf(record))).map(({ record }) => idOf(record)),
      wrongState: [...wrongMemories(seen, keysMove), ...wrongPlaces(seen, groups), ...leakedPlaces(seen, store.caps)],
    }),
  }
}

function scenario() {
  const { scenario, diagnostics } = checkScenario('letters.yml', scenarioText)
  if (scenario === undefined) throw new Error(diagnostics.map(({ message }) => message).join('\n'))
  return scenario
}

/** Of age or not, each time anew. */
function moody(call: StoreCall, below: (limit: number) => number): LookupPort {
  return {
    lookupMany: requests => call('look-ups', () => requests.map(({ keys }) => keys.map(() => [below(10) < 7 ? '30' : '9']))),
    close: async () => undefined,
  }
}

function reading(call: StoreCall, lookups: LookupPort): LookupPort {
  return {
    lookupMany: async (requests, deadline) => call('read state', () => lookups.lookupMany(requests, deadline)),
    close: async () => undefined,
  }
}

/** Each call is one step of the store, which may come late, or whose answer may. */
function writing(call: StoreCall, store: StatePort): StatePort {
  return {
    claim: async (lock, deadline) => call(`claim ${lock.partition.partition}`, () => store.claim(lock, deadline)),
    holds: async (lock, token, deadline) => call('holds', () => store.holds(lock, token, deadline)),
    write: async (writes, deadline) =>
      call(`write state ${writes.map(({ lock, last }) => `${lock.partition.partition}@${last}`)}`, () =>
        store.write(writes, deadline),
      ),
    acknowledge: async (acknowledgements, deadline) => call('acknowledge', () => store.acknowledge(acknowledgements, deadline)),
    rehearseCaps: (locks, keepsPlaces) => {
      const { read, judge } = store.rehearseCaps(locks, keepsPlaces)
      return { judge, read: async (caps, deadline) => call('read caps', () => read(caps, deadline)) }
    },
    position: async (lock, deadline) => call('position', () => store.position(lock, deadline)),
    close: async () => undefined,
  }
}

interface Shown {
  readonly n: number
  readonly last?: number
  readonly count?: number
  readonly number?: number
}

const shownBy = ({ value }: OutputRecord): Shown => JSON.parse(Buffer.from(value!).toString()) as Shown
const keyOf = ({ key }: OutputRecord): string => Buffer.from(key!).toString()
const sinkOf = (record: OutputRecord): string => idOf(record).split('/')[4]!
const sourceOf = (record: OutputRecord): string => idOf(record).split('/').slice(1, 4).join('/')
const offsetOf = (record: OutputRecord): number => Number(idOf(record).split('/')[3])

/** Another sink at another attempt has another idempotency key. */
function twice(seen: readonly Seen[]): readonly string[] {
  const once = new Set<string>()
  return seen.map(({ record }) => sourceOf(record)).filter(id => once.has(id) || !once.add(id))
}

/**
 * Each record that counts follows one that counted before it, and no other follows the same: a chain of all. What others show is a link of it, no
 * earlier one than their partition has seen, and the last one where no other partition uses the key.
 */
function wrongMemories(seen: readonly Seen[], keysMove: boolean): readonly string[] {
  const records = seen.map(({ record }) => ({
    record,
    ...shownBy(record),
    id: keyOf(record),
    counts: sinkOf(record) !== 'skipped',
  }))
  const links = new Map<string, number>()
  const linkOf = (id: string, n: number | undefined) => (n === undefined ? 0 : links.get(`${id} ${n}`))
  for (const id of new Set(records.map(one => one.id))) {
    const followers = new Map(records.flatMap(one => (one.id === id && one.counts ? [[one.last, one] as const] : [])))
    for (let one = followers.get(undefined), link = 1; one !== undefined; one = followers.get(one.n), link++) {
      if (linkOf(id, one.n) !== undefined) break
      links.set(`${id} ${one.n}`, link)
    }
  }
  const reached = new Map<string, number>()
  return records
    .sort((a, b) => offsetOf(a.record) - offsetOf(b.record))
    .flatMap(({ record, id, n, last, count, counts }) => {
      const sequence = `${sourceOf(record).split('/')[1]} ${id}`
      const before = reached.get(sequence) ?? 0
      const shown = linkOf(id, last)
      const own = counts ? linkOf(id, n) : shown
      if (own !== undefined) reached.set(sequence, own)
      const isRight =
        shown !== undefined &&
        own !== undefined &&
        (keysMove ? shown >= before : shown === before) &&
        (count ?? 0) === shown &&
        (!counts || last === undefined || n - last !== 1)
      return isRight ? [] : [`${idOf(record)} shows ${last}, ${count} times; its partition has seen ${before}`]
    })
}

/** Never more than the limit, and no number twice. */
function wrongPlaces(seen: readonly Seen[], groups: ReadonlyMap<string, string>): readonly string[] {
  const taken = new Set<string>()
  return seen.flatMap(({ record }) => {
    if (sinkOf(record) !== 'letter') return []
    const { number } = shownBy(record)
    const place = `${groups.get(sourceOf(record))}, place ${number}`
    const isRight = number !== undefined && number >= 1 && number <= limit && !taken.has(place)
    taken.add(place)
    return isRight ? [] : [`${idOf(record)}: ${place}`]
  })
}

/** At the end the store holds the places of letters, and no others. */
function leakedPlaces(seen: readonly Seen[], caps: ReturnType<typeof memoryState>['caps']): readonly string[] {
  const letters = new Set(seen.filter(({ record }) => sinkOf(record) === 'letter').map(({ record }) => sourceOf(record)))
  const held = new Set([...caps.values()].flatMap(places => [...places.keys()].map(id => id.replace(/-(\d+)@(\d+)$/, '/$1/$2'))))
  return [
    ...[...held].filter(id => !letters.has(id)).map(id => `${id} holds a place without a letter`),
    ...[...letters].filter(id => !held.has(id)).map(id => `${id} has a letter without a place`),
  ]
}
