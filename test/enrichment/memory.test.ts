// What a container keeps of its look-ups: answers for a while, bounded by bytes; one flight per key; a pause for a store that is dead.
import { describe, expect, test } from 'vitest'
import { memoryStore } from '../../lib/connectors/memory.ts'
import { createColumns } from '../../lib/plan/columns.ts'
import { Failure } from '../../lib/plan/failure.ts'
import type { LookupPlan, Plan, SourceRecord } from '../../lib/plan/plan.ts'
import { withBreaker } from '../../lib/runtime/breaker.ts'
import { createLookupMemory } from '../../lib/runtime/cache.ts'
import { enrich } from '../../lib/runtime/enrich.ts'
import { type LookupPort, RetryableError } from '../../lib/runtime/ports.ts'

const deadline = { remainingMs: () => 1000 }
const hour = 3_600_000

const lookup: LookupPlan = {
  name: 'customer',
  store: 'redis',
  command: { kind: 'string' },
  key: (columns, i) => `customer:${columns.event[i]}`,
  needed: () => true,
  decode: answer => (answer === null ? 'missing' : `found ${answer}`),
  missing: () => 'missing',
  onError: 'retry',
  timeoutMs: undefined,
  cacheMs: 300_000,
}

function columnsOf(ids: readonly string[]) {
  const plan = { source: {}, lookups: [lookup, lookup], valueCount: 0 } as unknown as Plan
  const columns = createColumns(plan, ids as unknown as readonly SourceRecord[])
  ids.forEach((id, i) => {
    columns.event[i] = id
  })
  return columns
}

describe('cache', () => {
  const content = { 'customer:a': { type: 'string', value: '1' } } as const

  test.each([
    ['a minute later nobody is asked, neither for what was found nor for what was not', 60_000, 1],
    ['after five minutes it is asked again', 300_000, 2],
  ])('%s', async (_, laterMs, calls) => {
    let nowMs = 0
    const memory = createLookupMemory({ maxBytes: 1e6, nowMs: () => nowMs })
    const store = memoryStore(content)
    for (nowMs of [0, laterMs]) {
      const columns = columnsOf(['a', 'b', 'a'])
      await enrich(columns, [lookup], [0], { redis: store }, deadline, memory)
      expect(columns.lookups[0]).toEqual(['found 1', 'missing', 'found 1'])
    }
    expect(store.calls).toHaveLength(calls)
  })

  test('what the memory knew is counted, once per key', async () => {
    const memory = createLookupMemory({ maxBytes: 1e6, nowMs: () => 0 })
    const counts: (readonly [string, number])[] = []
    const metrics = { count: (name: string, by: number) => void counts.push([name, by]), flush: () => undefined }
    const ask = (ids: readonly string[]) =>
      enrich(columnsOf(ids), [lookup], [0], { redis: memoryStore(content) }, deadline, memory, metrics)
    await ask(['a', 'b'])
    expect(counts).toEqual([])
    await ask(['a', 'c', 'a', 'b'])
    await ask(['d'])
    expect(counts).toEqual([['cacheHits', 2]])
  })

  test('what is broken, and what got no answer, is asked for again', async () => {
    const memory = createLookupMemory({ maxBytes: 1e6, nowMs: () => 0 })
    const broken: LookupPlan = {
      ...lookup,
      onError: 'missing',
      decode: () => new Failure('lookup-invalid', 'customer:a', 'not as declared'),
    }
    const store = memoryStore(content)
    for (let batch = 0; batch < 2; batch++) {
      const columns = columnsOf(['a'])
      await enrich(columns, [broken], [0], { redis: store }, deadline, memory)
      expect(columns.lookups[0]).toEqual(['missing'])
    }
    const silentStore = memoryStore(content, new Set(['customer:b']))
    for (let batch = 0; batch < 2; batch++)
      await enrich(columnsOf(['b']), [{ ...lookup, onError: 'missing' }], [0], { redis: silentStore }, deadline, memory)
    expect([store.calls.length, silentStore.calls.length]).toEqual([2, 2])
  })

  test('two look-ups of equal keys are two things', async () => {
    const memory = createLookupMemory({ maxBytes: 1e6, nowMs: () => 0 })
    const other: LookupPlan = { ...lookup, name: 'other', decode: () => 'another' }
    for (let batch = 0; batch < 2; batch++) {
      const columns = columnsOf(['a'])
      await enrich(columns, [lookup, other], [0, 1], { redis: memoryStore(content) }, deadline, memory)
      expect(columns.lookups.map(column => column[0])).toEqual(['found 1', 'another'])
    }
  })

  test('keys without end stay within the bytes, and what is read again stays', () => {
    const memory = createLookupMemory({ maxBytes: 1_000_000, nowMs: () => 0 })
    const shelf = memory.shelf('customer')
    shelf.remember('often', { value: 1, bytes: 100, forMs: hour })
    for (let n = 0; n < 100_000; n++) {
      shelf.remember(`key ${n}`, { value: n, bytes: 100, forMs: hour })
      if (n % 100 === 0) expect(shelf.recall('often', 0)).toMatchObject({ value: 1 })
      expect(memory.bytes()).toBeLessThanOrEqual(1_000_000)
    }
    expect(shelf.recall('key 0', 0)).toBeUndefined()
    expect(shelf.recall('key 99999', 0)).toMatchObject({ value: 99_999 })
    // Not by its own count alone: of entries of 100 bytes at least a million bytes hold 10,000 at most.
    const kept = Array.from({ length: 100_000 }, (_, n) => shelf.recall(`key ${n}`, 0)).filter(Boolean)
    expect(kept.length).toBeLessThan(10_000)
    expect(kept.length).toBeGreaterThan(1000)
  })

  test('two invocations at once ask once for a key; if the first gets no answer, the second asks itself', async () => {
    const memory = createLookupMemory({ maxBytes: 1e6, nowMs: () => 0 })
    const asked: (readonly string[])[] = []
    let isDown = false
    const slow: LookupPort = {
      lookupMany: async requests => {
        asked.push(requests.flatMap(request => request.keys))
        const fails = isDown
        isDown = false
        await new Promise(resolve => setTimeout(resolve, 5))
        if (fails) throw new RetryableError('redis-unreachable', 'down')
        return requests.map(request => request.keys.map(() => '1'))
      },
      close: async () => undefined,
    }
    const ask = (ids: readonly string[]) => enrich(columnsOf(ids), [lookup], [0], { redis: slow }, deadline, memory)
    await Promise.all([ask(['a', 'b']), ask(['b', 'c']), ask(['a'])])
    expect(asked).toEqual([['customer:a', 'customer:b'], ['customer:c']])

    asked.length = 0
    isDown = true
    const outcomes = await Promise.allSettled([ask(['d']), ask(['d'])])
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
    expect(asked).toEqual([['customer:d'], ['customer:d']])
  })
})

describe('a store that gives no answer', () => {
  test('is left alone after three failures, and one call after the pause decides', async () => {
    let nowMs = 0
    let calls = 0
    let isDown = true
    const port: LookupPort = {
      lookupMany: async () => {
        calls++
        if (isDown) throw new RetryableError('redis-timeout', 'no answer')
        return []
      },
      close: async () => undefined,
    }
    const store = withBreaker(port, { scenario: 'offers', store: 'redis', nowMs: () => nowMs })
    const idOf = () =>
      store.lookupMany([], deadline).then(
        () => 'answered',
        error => (error as RetryableError).id,
      )

    expect([await idOf(), await idOf(), await idOf(), await idOf(), await idOf()]).toEqual([
      'redis-timeout',
      'redis-timeout',
      'redis-timeout',
      'store-paused',
      'store-paused',
    ])
    expect(calls).toBe(3)
    nowMs = 1000
    expect([await idOf(), await idOf()]).toEqual(['redis-timeout', 'store-paused'])
    nowMs = 2999
    expect(await idOf()).toBe('store-paused')
    nowMs = 3000
    isDown = false
    expect([await idOf(), await idOf()]).toEqual(['answered', 'answered'])
  })
})
