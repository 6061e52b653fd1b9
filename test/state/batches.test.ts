// However batches are cut, records leave the same behind and see the same: batches of one, in which nothing has to be judged in order, are the
// reference. The scenario has all that makes it hard: entries that read each other, a look-up by what is remembered, dead letters that are
// known late (a sink fails, before and after it has a place), a `when` that fails, caps that go together, filters that judge before one that waits.
import { mkdirSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { type CompiledModule, loadCompiled, loadInterpreted } from '../../lib/cli/compiled.ts'
import { openScenario } from '../../lib/cli/scenario-file.ts'
import { memoryLog } from '../../lib/connectors/memory.ts'
import { memoryState } from '../../lib/connectors/state-memory.ts'
import { buildEvent, type ConsumedRecord } from '../../lib/emulator/event.ts'
import { seededRandom } from '../cases/random.ts'

const scenario = `
scenario: order-of-records
description: What records leave for later ones, in every way that there is.
source:
  topic: things
  event: { k: string, n: int, kind: string }
enrich:
  info:
    redis: hash info:{event.k}
    fields: { weight: int = 1, mode?: string }
  more:
    redis: hash more:{info.weight}
    fields: { isFine: bool = true }
  note:
    redis: string note:{seen.tag}
    value: string = "none"
state:
  seen:
    key: "{record.partition}/{event.k}"
    fields: { count: int = 0, tag: string = "", lastN?: int }
    when: event.kind != "skip" && 12 / info.weight > 1
    set: { count: seen.count + 1, tag: event.kind, lastN: event.n }
  total:
    key: "{record.partition}"
    fields: { sum: int = 0, latest: string = "" }
    set:
      sum: total.sum + event.n
      latest: "{event.k}{seen.count}"
  few:
    key: "{record.partition}/{event.k}"
    limit: 3
  pair:
    key: "{record.partition}/{event.kind}"
    when: event.n % 2 == 0
    limit: 12
    take: event.n
    member: event.k
let:
  doubled: seen.count * 2
filter:
  notFourth: event.n % 5 != 4
  notMany: doubled < 14
  notMuch: total.sum < 60 && total.sum % 3 != 1 && 9 / (total.sum - 6) < 10
  known: event.n / info.weight >= 0
  fine: more.isFine && event.n != 3
sinks:
  first:
    topic: first
    key: event.k
    value:
      n: event.n
      before: seen.count
      tag: seen.tag
      note: note.value
      sum: total.sum
      latest: total.latest
      share: 100 / (event.n - seen.?lastN.orValue(-1))
  second:
    topic: second
    key: event.k
    value:
      place: few.number
      rest: 10 / (few.number - 2)
  dropped:
    on: dropped
    topic: dropped
    when: (!notMuch) && event.kind == "a"
    key: event.k
    value: { n: event.n }
`

const lookups = {
  'info:a': { type: 'hash', value: { weight: '1' } },
  'info:b': { type: 'hash', value: { weight: '2', mode: 'x' } },
  'info:c': { type: 'hash', value: { weight: '0' } },
  'info:d': { type: 'hash', value: { weight: 'heavy' } },
  'more:1': { type: 'hash', value: { isFine: 'true' } },
  'more:2': { type: 'hash', value: { isFine: 'perhaps' } },
  'note:a': { type: 'string', value: 'an a' },
  'note:b': { type: 'set', value: [] },
} as const

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }

const folder = resolve(import.meta.dirname, '../../.sluice/state')

let compiled: CompiledModule
let interpreted: ReturnType<typeof loadInterpreted>

beforeAll(async () => {
  mkdirSync(folder, { recursive: true })
  const file = resolve(folder, 'order-of-records.yml')
  writeFileSync(file, scenario)
  const loaded = await loadCompiled(openScenario(file))
  compiled = loaded
  interpreted = loadInterpreted(loaded.scenario)
})

function randomRecords(seed: number, count: number): readonly ConsumedRecord[] {
  const random = seededRandom(seed)
  const one = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!
  const next = [0, 0]
  return Array.from({ length: count }, () => {
    const partition = one([0, 1])
    const event = { k: one(['a', 'b', 'c', 'd', 'e']), n: one([-1, 0, 1, 2, 3, 4, 5]), kind: one(['a', 'b', 'skip']) }
    const value = random() < 0.05 ? '{"k":1}' : JSON.stringify(event)
    return recordOf(event, next[partition]!++, { partition, value })
  })
}

function recordOf(
  event: { readonly k: string; readonly n: number },
  offset: number,
  { partition = 0, value = JSON.stringify(event) } = {},
): ConsumedRecord {
  const time = { timestampMs: 1_700_000_000_000, timestampType: 'CREATE_TIME' } as const
  return { topic: 'things', partition, offset, ...time, key: Buffer.from(event.k), value: Buffer.from(value), headers: [] }
}

async function outcome(subject: Pick<CompiledModule, 'plan' | 'embed'>, records: readonly ConsumedRecord[], batchSize: number) {
  const kafka = memoryLog()
  const state = memoryState()
  const counts: Record<string, number> = {}
  const metrics = {
    count: (name: string, by: number) => {
      if (/^(dropped|emitted|deadLetters)/.test(name)) counts[name] = (counts[name] ?? 0) + by
    },
    flush: () => undefined,
  }
  const { handler, store } = subject.embed(subject.plan, { lookups, log: silent, kafka, state, metrics })
  let mostRoundTrips = 0
  for (let at = 0; at < records.length; at += batchSize) {
    const before = store.calls.length
    const event = buildEvent(records.slice(at, at + batchSize), { kind: 'self-managed', bootstrapServers: 'localhost:9092' })
    await (handler as (event: unknown, context: unknown) => Promise<unknown>)(event, { getRemainingTimeInMillis: () => 60_000 })
    mostRoundTrips = Math.max(mostRoundTrips, store.calls.length - before)
  }
  const outputs = kafka.committed.map(record => ({
    topic: record.topic,
    value: Buffer.from(record.value!).toString(),
    headers: record.headers.filter(({ name }) => name !== 'sluice-at').map(({ name, value }) => `${name}=${Buffer.from(value!)}`),
  }))
  const inOrder = [0, 1].map(partition =>
    outputs.filter(({ headers }) => headers.some(text => text.includes(`/things/${partition}/`))),
  )
  // What an attempt wrote that was made once more is taken back as null: nothing is remembered.
  const heads = [...state.items].flatMap(([key, { head }]) => (head === null ? [] : [`${key} ${head}`])).sort()
  const places = [...state.caps]
    .map(
      ([key, held]) =>
        `${key} ${JSON.stringify([...held.entries()], (_, value) => (typeof value === 'bigint' ? `${value}` : value))}`,
    )
    .sort()
  const ats = kafka.committed.flatMap(({ headers }) => {
    const header = (wanted: string) => Buffer.from(headers.find(({ name }) => name === wanted)?.value ?? '').toString()
    const at = header('sluice-at')
    return at === '' ? [] : [`${header('sluice-coordinates')} ${at}`]
  })
  return { inOrder, heads, places, counts, ats: ats.sort(), mostRoundTrips }
}

test('every cut gives the outputs, values, places and counts of batches of one, compiled and interpreted', async () => {
  let deadLetters = 0
  for (let seed = 1; seed <= 15; seed++) {
    const records = randomRecords(seed, 80)
    const { mostRoundTrips: _, ats, ...wanted } = await outcome(compiled, records, 1)
    deadLetters += wanted.counts['deadLetters'] ?? 0
    for (const batchSize of [2, 7, 80]) {
      for (const subject of [compiled, interpreted]) {
        const { mostRoundTrips: _, ats: foundAts, ...found } = await outcome(subject, records, batchSize)
        expect(found, `seed ${seed}, batches of ${batchSize}`).toEqual(wanted)
        // Interpreted, a place in a sink is told less exactly.
        if (subject === compiled) expect(foundAts).toEqual(ats)
      }
    }
  }
  // Otherwise the hard part would not have been asked.
  expect(deadLetters).toBeGreaterThan(200)
}, 120_000)

const waiting = `
scenario: filters-that-wait
source: { topic: things, event: { k: string, n: int } }
enrich:
  near:
    redis: hash near:{event.k}
    fields: { next: string = "x" }
  far:
    redis: hash far:{near.next}
    fields: { isFine: bool = true }
state:
  total:
    key: "all"
    fields: { sum: int = 0 }
    set: { sum: total.sum + event.n }
filter:
  share: 12 / (total.sum - 3) < 12
  fine: far.isFine && event.n != 2
sinks:
  out: { topic: out, key: event.k, value: { n: event.n } }
`

describe('the first filter in the order of explain is told, also where it had to wait for the records before', () => {
  const near = { type: 'hash', value: { next: 'x' } } as const
  const stored = {
    'near:a': near,
    'near:b': { type: 'hash', value: { next: 'y' } },
    'far:y': { type: 'hash', value: { isFine: 'perhaps' } },
  } as const

  let subjects: readonly Pick<CompiledModule, 'plan' | 'embed'>[]

  beforeAll(async () => {
    const file = resolve(folder, 'filters-that-wait.yml')
    writeFileSync(file, waiting)
    const module = await loadCompiled(openScenario(file))
    subjects = [module, loadInterpreted(module.scenario)]
  })

  test.each([
    // The sum before it, its key and number, who tells.
    [0, 'a', 2, 'dropped.fine'],
    [4, 'a', 1, 'dropped.share'],
    [4, 'a', 2, 'dropped.share'],
    [4, 'b', 1, 'dropped.share'],
    [3, 'a', 1, 'deadLetters.expression-failed'],
    [3, 'b', 1, 'deadLetters.expression-failed'],
    [5, 'b', 1, 'deadLetters.lookup-invalid'],
    // Dropping beats breaking.
    [3, 'a', 2, 'dropped.fine'],
    [4, 'a', 0, 'dropped.share'],
  ])('sum %i, then %s with %i: %s', async (sum, k, n, expected) => {
    const records = [recordOf({ k: 'a', n: sum }, 0), recordOf({ k, n }, 1)]
    const event = buildEvent(records, { kind: 'self-managed', bootstrapServers: 'localhost:9092' })
    for (const subject of subjects) {
      const counted: string[] = []
      const metrics = { count: (name: string) => void counted.push(name), flush: () => undefined }
      const { handler } = subject.embed(subject.plan, { lookups: stored, log: silent, metrics })
      await (handler as (event: unknown, context: unknown) => Promise<unknown>)(event, { getRemainingTimeInMillis: () => 60_000 })
      expect(counted.filter(name => /^(dropped|deadLetters)\./.test(name))).toEqual([expected])
    }
  })
})

test('a record that seemed to fail for what an earlier dead letter had left is decided again', async () => {
  const file = resolve(folder, 'seemed-to-fail.yml')
  writeFileSync(
    file,
    `scenario: seemed-to-fail
source: { topic: things, event: { k: string, n: int } }
enrich:
  near: { redis: "hash near:{event.k}", fields: { next: string = "x" } }
  far: { redis: "hash far:{near.next}", fields: { isFine: bool = true } }
state:
  seen: { key: event.k, fields: { count: int = 0 }, when: event.n >= 0, set: { count: seen.count + 1 } }
  total: { key: '"all"', fields: { sum: int = 0 }, set: { sum: total.sum + event.n } }
filter:
  share: 12 / (total.sum - 7) < 100
  fine: far.isFine
sinks:
  out: { topic: out, key: event.k, value: { n: event.n, rest: 100 / (event.n - 5) } }
`,
  )
  const module = await loadCompiled(openScenario(file))
  // The second one fails in its sink, and leaves nothing; had it, the sum before the third would be 7.
  const records = [recordOf({ k: 'a', n: 2 }, 0), recordOf({ k: 'b', n: 5 }, 1), recordOf({ k: 'c', n: 1 }, 2)]
  for (const subject of [module, loadInterpreted(module.scenario)]) {
    const { handler, kafka } = subject.embed(subject.plan, { lookups: {}, log: silent })
    const event = buildEvent(records, { kind: 'self-managed', bootstrapServers: 'localhost:9092' })
    await (handler as (event: unknown, context: unknown) => Promise<unknown>)(event, { getRemainingTimeInMillis: () => 60_000 })
    expect(kafka.committed.map(({ topic, value }) => `${topic} ${Buffer.from(value!)}`)).toEqual([
      'out {"n":2,"rest":-33}',
      'sluice.seemed-to-fail.dead-letters {"k":"b","n":5}',
      'out {"n":1,"rest":-25}',
    ])
  }
})

test('a look-up that only sinks need goes with the state that no filter reads, and finds what it found a round trip later', async () => {
  const textOf = (name: string, filter: string) => `scenario: ${name}
source: { topic: things, event: { k: string, n: int, kind: string } }
enrich:
  info: { redis: "hash info:{event.k}", fields: { weight: int = 1 } }
state:
  seen:
    key: "{record.partition}/{event.k}"
    fields: { count: int = 0, share: int = 0 }
    set: { count: seen.count + 1, share: 6 / (event.n - 3) }
  few: { key: "{record.partition}/{event.k}", limit: 9 }
filter:
  notFourth: event.n != 4
  ${filter}
sinks:
  out:
    topic: out
    key: event.k
    when: event.kind != "b"
    value: { n: event.n, weight: info.weight, before: seen.count, share: 12 / (seen.share + 3), place: few.number }
`
  const open = async (name: string, filter: string) => {
    const file = resolve(folder, `${name}.yml`)
    writeFileSync(file, textOf(name, filter))
    const module = await loadCompiled(openScenario(file))
    return [module, loadInterpreted(module.scenario)] as const
  }
  const early = await open('early-look-ups', 'notEmpty: event.k != ""')
  const late = await open('late-look-ups', 'counted: seen.count >= 0 && event.k != ""')
  const named = (found: unknown) => JSON.parse(JSON.stringify(found).replaceAll('late-look-ups', 'early-look-ups')) as unknown
  for (let seed = 1; seed <= 5; seed++) {
    const records = randomRecords(seed, 80)
    for (const batchSize of [1, 7, 80]) {
      for (const way of [0, 1] as const) {
        const { mostRoundTrips, ...found } = await outcome(early[way], records, batchSize)
        const { mostRoundTrips: lateRoundTrips, ...wanted } = await outcome(late[way], records, batchSize)
        expect(found.inOrder, `seed ${seed}, batches of ${batchSize}`).toEqual((named(wanted) as typeof wanted).inOrder)
        expect([found.heads, found.places]).toEqual([
          (named(wanted) as typeof wanted).heads,
          (named(wanted) as typeof wanted).places,
        ])
        expect(mostRoundTrips).toBeLessThanOrEqual(lateRoundTrips)
      }
    }
  }
})
