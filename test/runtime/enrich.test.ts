import { describe, expect, test } from 'vitest'
import { memoryStore } from '../../lib/connectors/memory.ts'
import { createColumns } from '../../lib/plan/columns.ts'
import { Failure } from '../../lib/plan/failure.ts'
import { type LookupAnswer, type LookupPlan, WrongKind } from '../../lib/plan/plan.ts'
import { enrich } from '../../lib/runtime/enrich.ts'
import { type LookupPort, RetryableError } from '../../lib/runtime/ports.ts'
import { customerLookup, visits } from './plan-fixture.ts'

const deadline = { remainingMs: () => 1000 }
const record = { topic: 'app.visits', partition: 0, offset: 1, timestampMs: 0, key: null, value: Buffer.from('{}'), headers: [] }

function columnsOf(ids: readonly string[]) {
  const columns = createColumns(
    visits,
    ids.map((_, offset) => ({ ...record, offset })),
  )
  ids.forEach((id, i) => {
    columns.event[i] = { id }
  })
  return columns
}

const store = memoryStore({
  'customer:a': { type: 'hash', value: { age: '30', name: 'unused' } },
  'customer:b': { type: 'hash', value: { age: 'n/a' } },
  'customer:s': { type: 'string', value: '30' },
})

describe('one round trip for a batch', () => {
  test('equal keys are asked once, answers go to every record that waits', async () => {
    const counted = memoryStore({ 'customer:a': { type: 'hash', value: { age: '30' } } })
    const columns = columnsOf(['a', 'x', 'a', 'a'])
    await enrich(columns, [customerLookup], [0], { redis: counted }, deadline)
    expect(counted.calls).toEqual([[{ command: { kind: 'hash', fields: ['age'] }, keys: ['customer:a', 'customer:x'] }]])
    expect(columns.lookups[0]!.map(value => (value instanceof Failure ? value.reason : value))).toEqual([
      { age: 30 },
      'lookup-missing',
      { age: 30 },
      { age: 30 },
    ])
  })

  test('records that need nothing cost nothing', async () => {
    const counted = memoryStore({})
    const columns = columnsOf(['a', 'b'])
    columns.status.fill(1)
    await enrich(columns, [customerLookup], [0], { redis: counted }, deadline)
    expect(counted.calls).toEqual([])
  })

  test('a hole that is missing makes no look-up: the answer is missing', async () => {
    const counted = memoryStore({})
    const columns = columnsOf(['a'])
    await enrich(columns, [{ ...customerLookup, key: () => undefined }], [0], { redis: counted }, deadline)
    expect(counted.calls).toEqual([])
    expect(columns.lookups[0]![0]).toMatchObject({ reason: 'lookup-missing', at: 'customer' })
  })
})

describe('broken answers break only what reads them', () => {
  test.each([
    ['b', 'lookup-invalid'],
    ['s', 'lookup-invalid'],
    ['x', 'lookup-missing'],
  ])('customer:%s → %s', async (id, reason) => {
    const columns = columnsOf([id, 'a'])
    await enrich(columns, [customerLookup], [0], { redis: store }, deadline)
    expect(columns.lookups[0]![0]).toMatchObject({ reason, at: `customer:${id}` })
    expect(columns.lookups[0]![1]).toEqual({ age: 30 })
  })

  test('onError: missing also takes a broken answer for missing', async () => {
    const lookup: LookupPlan = { ...customerLookup, onError: 'missing', missing: () => ({ age: undefined }) }
    const columns = columnsOf(['b'])
    await enrich(columns, [lookup], [0], { redis: store }, deadline)
    expect(columns.lookups[0]![0]).toEqual({ age: undefined })
  })
})

describe('no answer', () => {
  const down = {
    lookupMany: async () => Promise.reject(new RetryableError('redis-unreachable', 'down')),
    close: async () => undefined,
  }

  test('retry: the batch comes again', async () => {
    await expect(enrich(columnsOf(['a']), [customerLookup], [0], { redis: down }, deadline)).rejects.toThrow('down')
  })

  test('missing and deadLetter: the batch goes on', async () => {
    const columns = columnsOf(['a'])
    await enrich(columns, [{ ...customerLookup, onError: 'missing', missing: () => 'nothing' }], [0], { redis: down }, deadline)
    expect(columns.lookups[0]![0]).toBe('nothing')
    await enrich(columns, [{ ...customerLookup, onError: 'deadLetter' }], [0], { redis: down }, deadline)
    expect(columns.lookups[0]![0]).toMatchObject({ reason: 'lookup-invalid', at: 'customer:a' })
  })

  test('a bug of ours is no missing answer', async () => {
    const buggy = { ...down, lookupMany: async () => Promise.reject(new TypeError('bug')) }
    await expect(
      enrich(columnsOf(['a']), [{ ...customerLookup, onError: 'missing' }], [0], { redis: buggy }, deadline),
    ).rejects.toThrow('bug')
  })
})

describe('what a store tells early', () => {
  const telling = (result: () => Promise<readonly (readonly LookupAnswer[])[]>): LookupPort => ({
    lookupMany: (_requests, _deadline, tell) => {
      tell?.(0, 0, '{"age":30}')
      return result()
    },
    close: async () => undefined,
  })
  const enriched = async (port: LookupPort, lookup: Partial<LookupPlan> = {}) => {
    const columns = columnsOf(['a'])
    const decoded: unknown[] = []
    const decode: LookupPlan['decode'] = answer => {
      decoded.push(answer)
      return answer
    }
    await enrich(columns, [{ ...customerLookup, decode, ...lookup }], [0], { redis: port }, deadline)
    return { found: columns.lookups[0]![0], decoded }
  }

  test('is decoded once, and is the result', async () => {
    const { found, decoded } = await enriched(telling(async () => [['{"age":30}']]))
    expect([found, decoded]).toEqual(['{"age":30}', ['{"age":30}']])
  })

  test('does not count where the result is another', async () => {
    const { found } = await enriched(telling(async () => [['{"age":31}']]))
    expect(found).toBe('{"age":31}')
  })

  test('does not count where there is no result', async () => {
    const failing = telling(() => Promise.reject(new RetryableError('redis-unreachable', 'down')))
    expect((await enriched(failing, { onError: 'missing', missing: () => 'nothing' })).found).toBe('nothing')
  })
})

test('the embedded store knows Redis kinds', async () => {
  const answers = await store.lookupMany(
    [
      { command: { kind: 'hash', fields: ['age'] }, keys: ['customer:s'] },
      { command: { kind: 'string' }, keys: ['customer:a'] },
      { command: { kind: 'member' }, keys: ['customer:a'], members: ['m'] },
    ],
    deadline,
  )
  expect(answers.flat()).toEqual([expect.any(WrongKind), expect.any(WrongKind), expect.any(WrongKind)])
})
