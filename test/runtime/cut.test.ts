import { afterEach, expect, test, vi } from 'vitest'
import { memoryLog, memoryStore } from '../../lib/connectors/memory.ts'
import type { SourceRecord } from '../../lib/plan/plan.ts'
import { Cut } from '../../lib/runtime/cut.ts'
import { createHandler, type World } from '../../lib/runtime/handler.ts'
import { type Deadline, type LookupRequest, RetryableError } from '../../lib/runtime/ports.ts'
import { base64, visits, visitsEvent } from './plan-fixture.ts'

const functionMs = 60_000

afterEach(() => void vi.restoreAllMocks())

/** A function whose store takes so long for each key, with a clock that only this store moves; everybody is 30. */
function slowWorld(msPerKey: number, plan = visits, more: Partial<World> = {}) {
  const kafka = memoryLog()
  const store = { msPerKey, longestMs: Number.POSITIVE_INFINITY }
  const asked: number[] = []
  const warnings: string[] = []
  let nowMs = 0
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs)
  const adults = memoryStore(
    Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`customer:c-${n}`, { type: 'hash', value: { age: '30' } }])),
  )
  const redis = {
    async lookupMany(requests: readonly LookupRequest[], deadline: Deadline) {
      const keyCount = requests[0]!.keys.length
      asked.push(keyCount)
      const [neededMs, givenMs] = [keyCount * store.msPerKey, Math.min(deadline.remainingMs(), store.longestMs)]
      nowMs += Math.min(neededMs, givenMs)
      if (neededMs > givenMs) throw new RetryableError('redis-timeout', '[redis-timeout] no answer')
      return adults.lookupMany(requests, deadline)
    },
    close: async () => undefined,
  }
  const makeHandler = () =>
    createHandler(plan, {
      ...{ kafka, stores: { redis }, deadLetterTopic: 'dead' },
      log: { info: () => undefined, warn: message => void warnings.push(message), error: () => undefined },
      ...more,
    })
  let handler = makeHandler()
  return {
    ...{ kafka, store, asked, warnings },
    coldStart: () => {
      handler = makeHandler()
    },
    /** What it said, and what each partition's position is after it. */
    async deliver(event: ReturnType<typeof visitsEvent>): Promise<string> {
      // Lambda waits a while before it delivers again, and the store is no longer left alone.
      nowMs += 40_000
      const endMs = nowMs + functionMs
      const said = await handler(event, { getRemainingTimeInMillis: () => endMs - nowMs } as never).then(
        ({ batchItemFailures }) =>
          batchItemFailures.length === 0
            ? 'done'
            : `returned ${batchItemFailures.length} from ${batchItemFailures[0]!.itemIdentifier.offset} on`,
        (error: Error) => /^\[(.*?)\]/.exec(error.message)?.[1] ?? error.message,
      )
      const positions = await Promise.all(
        Object.values(event.records).map(records =>
          kafka.readProgress('sluice.letters.1', records[0]!, { remainingMs: () => 1 }),
        ),
      )
      return `${said}: ${positions.map(position => position ?? 'none').join(', ')}`
    },
  }
}

const visitsOf = (count: number, firstCustomer = 0) =>
  Array.from({ length: count }, (_, offset) => ({ offset, value: base64(`{"id":"c-${firstCustomer + offset}"}`) }))

test('a batch that takes longer than its time gets further at each delivery, and comes to its end', async () => {
  const world = slowWorld(100)
  const event = visitsEvent({ 0: visitsOf(1000) })
  const said: string[] = []
  for (let delivery = 0; said.at(-1)?.startsWith('done') !== true && delivery < 10; delivery++)
    said.push(await world.deliver(event))
  // 100 s are needed, and 60 are there: half of it takes 50, so that the second half waits for the next delivery.
  expect(said).toEqual(['redis-timeout: none', 'out-of-time-midway: 500', 'done: 1000'])
  expect(world.asked).toEqual([1000, 500, 500])
  expect(world.kafka.committed).toHaveLength(1000)
  expect(world.warnings).toEqual([
    "letters: 1000 records were not done in time (58000 ms). From now on they are decided in parts of 500 at most, each committed before the next, for as long as there is time. If it goes on: raise `function: timeout`, the look-up's `timeout`, or lower `batchSize`.",
  ])
})

test('as few at once as are in time, however few that is', async () => {
  const world = slowWorld(20_000)
  const event = visitsEvent({ 0: visitsOf(8) })
  const said: string[] = []
  for (let delivery = 0; delivery < 6; delivery++) said.push(await world.deliver(event))
  expect(said).toEqual([
    'redis-timeout: none',
    'redis-timeout: none',
    'out-of-time-midway: 2',
    'out-of-time-midway: 4',
    'out-of-time-midway: 6',
    'done: 8',
  ])
})

test('a round trip that is too long, and an invocation that is not: all in one delivery', async () => {
  const world = slowWorld(5)
  world.store.longestMs = 2000
  expect(await world.deliver(visitsEvent({ 0: visitsOf(1000) }))).toBe('done: 1000')
  expect(world.asked).toEqual([1000, 500, 250, 250, 250, 250])
})

test('a store that is away is not asked for ever smaller parts: after three failures it is left alone', async () => {
  const world = slowWorld(1_000_000)
  world.store.longestMs = 2000
  const event = visitsEvent({ 0: visitsOf(1000) })
  expect(await world.deliver(event)).toBe('store-paused: none')
  expect(world.asked).toEqual([1000, 500, 250])
  world.store.msPerKey = 0.1
  expect(await world.deliver(event)).toBe('done: 1000')
  expect(world.asked).toEqual([1000, 500, 250, 125, 250, 500, 125])
})

test('each partition has its part of a part', async () => {
  const world = slowWorld(100)
  const event = visitsEvent({ 0: visitsOf(600), 1: visitsOf(300, 600), 2: visitsOf(100, 900) })
  expect(await world.deliver(event)).toBe('redis-timeout: none, none, none')
  expect(await world.deliver(event)).toBe('out-of-time-midway: 300, 150, 50')
  expect(await world.deliver(event)).toBe('done: 600, 300, 100')
  expect(world.kafka.committed).toHaveLength(1000)
})

test('a store that is quick again: parts become larger, and whole batches', async () => {
  const world = slowWorld(100)
  expect(await world.deliver(visitsEvent({ 0: visitsOf(1000) }))).toBe('redis-timeout: none')
  world.store.msPerKey = 0.1
  expect(await world.deliver(visitsEvent({ 0: visitsOf(1000) }))).toBe('done: 1000')
  expect(await world.deliver(visitsEvent({ 1: visitsOf(1000) }))).toBe('done: 1000')
  expect(world.asked).toEqual([1000, 500, 500, 1000])
})

test('after a part that was quick and a larger one that failed the next is half of that', () => {
  const cut = new Cut()
  const late = new RetryableError('redis-timeout', 'late')
  const share = {
    todo: Array.from({ length: 1000 }, (_, offset) => ({ offset })) as unknown as readonly SourceRecord[],
    nextOffset: 1000n,
  }
  const next = () => cut.shorten([share], 600_000)[0]!.todo.length
  cut.begin()
  cut.failed(late, { recordCount: 800, tookMs: 2000 }, 600_000)
  expect(next()).toBe(400)
  cut.failed(late, { recordCount: 400, tookMs: 2000 }, 600_000)
  expect(next()).toBe(200)
  cut.ended({ recordCount: 200, tookMs: 50 })
  expect(next()).toBe(400)
  cut.failed(late, { recordCount: 400, tookMs: 2000 }, 600_000)
  expect(next()).toBe(200)
  cut.ended({ recordCount: 200, tookMs: 50 })
  expect(next()).toBe(400)
})

test('a new container begins with whole batches', async () => {
  const world = slowWorld(100)
  const event = visitsEvent({ 0: visitsOf(1000) })
  await world.deliver(event)
  await world.deliver(event)
  world.coldStart()
  expect(await world.deliver(event)).toBe('done: 1000')
  expect(world.asked).toEqual([1000, 500, 500])
})

test('tombstones are passed over with the records before them', async () => {
  const world = slowWorld(10_000)
  const event = visitsEvent({ 0: [...visitsOf(6), { offset: 6 }, { offset: 7 }], 1: [{ offset: 3 }] })
  expect(await world.deliver(event)).toBe('redis-timeout: none, none')
  expect(await world.deliver(event)).toBe('out-of-time-midway: 3, 4')
  expect(await world.deliver(event)).toBe('done: 8, 4')
})

test('at least once, where Lambda hears it: what is left is returned, and what is done does not come again', async () => {
  const world = slowWorld(100, { ...visits, delivery: 'at-least-once' }, { partialResponse: true })
  const event = visitsEvent({ 0: visitsOf(1000) })
  expect(await world.deliver(event)).toMatch(/^redis-timeout/)
  expect(await world.deliver(event)).toMatch(/^returned 500 from 500 on/)
  expect(await world.deliver(visitsEvent({ 0: visitsOf(1000).slice(500) }))).toMatch(/^done/)
  expect(world.kafka.committed).toHaveLength(1000)
})

test('at least once, where Lambda does not hear it: a part would come out at each delivery, so there is none', async () => {
  const world = slowWorld(100, { ...visits, delivery: 'at-least-once' })
  const event = visitsEvent({ 0: visitsOf(1000) })
  for (let delivery = 0; delivery < 3; delivery++) expect(await world.deliver(event)).toMatch(/^redis-timeout/)
  expect(world.asked).toEqual([1000, 1000, 1000])
})
