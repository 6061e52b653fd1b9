import { describe, expect, test } from 'vitest'
import { memoryStore } from '../../lib/connectors/memory.ts'
import { createColumns } from '../../lib/plan/columns.ts'
import { Failure } from '../../lib/plan/failure.ts'
import { type LookupAnswer, type LookupPlan, WrongKind } from '../../lib/plan/plan.ts'
import { createLookupMemory } from '../../lib/runtime/cache.ts'
import { enrich } from '../../lib/runtime/enrich.ts'
import { type LookupPort, RetryableError, Unanswered } from '../../lib/runtime/ports.ts'
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
    const command = { kind: 'hash', fields: ['age'] }
    expect(counted.calls).toEqual([[{ command, keys: ['customer:a', 'customer:x'], timeoutMs: 2000 }]])
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

describe('equal look-ups of one stage', () => {
  const text = (name: string, change: Partial<LookupPlan> = {}): LookupPlan => ({
    ...customerLookup,
    name,
    command: { kind: 'string' },
    decode: answer => `${name} ${answer}`,
    missing: () => `${name} missing`,
    ...change,
  })
  const texts = (...keys: readonly string[]) => keys.map(key => [`customer:${key}`, { type: 'string', value: key }] as const)
  /** What each look-up found for each record, and what was asked. */
  const found = async (
    lookups: readonly LookupPlan[],
    ids: readonly string[],
    store = memoryStore(Object.fromEntries(texts('a', 'b', 'c'))),
  ) => {
    const columns = columnsOf(ids)
    const own = { ...columns, lookups: lookups.map((): unknown[] => new Array(ids.length)) }
    await enrich(
      own,
      lookups,
      lookups.map((_, l) => l),
      { redis: store, state: store },
      deadline,
    )
    return {
      values: own.lookups,
      asked: store.calls.map(call => call.map(({ keys }) => keys.map(key => key.slice('customer:'.length)).join(' '))),
    }
  }
  const oneOf = (ids: readonly string[], rest: LookupPlan): LookupPlan => ({
    ...rest,
    key: (columns, i) =>
      ids.includes((columns.event[i] as { id: string }).id) ? `customer:${(columns.event[i] as { id: string }).id}` : undefined,
  })

  test('are made once, and each reads the answer in its own way', async () => {
    const { values, asked } = await found([text('one'), text('two'), text('three')], ['a', 'x', 'a'])
    expect(values).toEqual([
      ['one a', 'one null', 'one a'],
      ['two a', 'two null', 'two a'],
      ['three a', 'three null', 'three a'],
    ])
    expect(asked).toEqual([['a x', '', '']])
  })

  test('are those of the same key, whoever has it first', async () => {
    const lookups = [oneOf(['b'], text('one')), oneOf(['a', 'b'], text('two')), oneOf(['a', 'b', 'c'], text('three'))]
    const { values, asked } = await found(lookups, ['a', 'b', 'c', 'x'])
    expect(values).toEqual([
      ['one missing', 'one b', 'one missing', 'one missing'],
      ['two a', 'two b', 'two missing', 'two missing'],
      ['three a', 'three b', 'three c', 'three missing'],
    ])
    expect(asked).toEqual([['b', 'a', 'c']])
  })

  test('are no others: another kind or other fields, entries of state', async () => {
    const hash = (name: string, fields: readonly string[]) => text(name, { command: { kind: 'hash', fields } })
    const { asked } = await found(
      [
        hash('one', ['age']),
        hash('two', ['name']),
        text('three'),
        text('four', { store: 'state' }),
        text('five', { store: 'state' }),
      ],
      ['a'],
    )
    expect(asked).toEqual([['a', 'a', 'a', 'a', 'a']])
  })

  test('members of one set are told apart', async () => {
    const member = (name: string, asked: string) => text(name, { command: { kind: 'member' }, member: () => asked })
    const set = memoryStore({ 'customer:a': { type: 'set', value: ['x'] } })
    const { values, asked } = await found([member('one', 'x'), member('two', 'y'), member('three', 'x')], ['a'], set)
    expect(values).toEqual([['one true'], ['two false'], ['three true']])
    expect(asked).toEqual([['a', 'a', '']])
  })

  test('without an answer go by what each declares', async () => {
    const silent: LookupPort = {
      lookupMany: async requests =>
        requests.map(({ keys }) => keys.map(() => new Unanswered(new RetryableError('http-timeout', 'late')))),
      close: async () => undefined,
    }
    const ask = async (second: LookupPlan['onError']) => {
      const lookups = [text('one', { onError: 'missing' }), text('two', { onError: second })]
      const columns = { ...columnsOf(['a']), lookups: [[], []] as unknown[][] }
      await enrich(columns, lookups, [0, 1], { redis: silent }, deadline)
      return columns.lookups
    }
    await expect(ask('retry')).rejects.toThrow('late')
    expect(await ask('deadLetter')).toEqual([['one missing'], [expect.objectContaining({ reason: 'lookup-invalid' })]])
  })

  test('are waited for as long as the most patient waits; others keep their time', async () => {
    const patience = async (...timeouts: readonly (number | undefined)[]) => {
      let seen: readonly (number | undefined)[] = []
      const watching: LookupPort = {
        lookupMany: async requests => {
          seen = requests.map(({ timeoutMs }) => timeoutMs)
          return requests.map(({ keys }) => keys.map(() => 'x'))
        },
        close: async () => undefined,
      }
      const columns = { ...columnsOf(['a']), lookups: [[], [], []] as unknown[][] }
      const lookups = timeouts.map((timeoutMs, l) =>
        text(`l${l}`, { timeoutMs, ...(l === 2 && { command: { kind: 'hash', fields: ['age'] }, key: () => 'other' }) }),
      )
      await enrich(
        columns,
        lookups,
        lookups.map((_, l) => l),
        { redis: watching },
        deadline,
      )
      return seen
    }
    expect(await patience(50, 70, 10)).toEqual([70, 70, 10])
    expect(await patience(70, 50, undefined)).toEqual([70, 50, 2000])
    expect(await patience(50, undefined, 10)).toEqual([2000, 2000, 10])
    expect(await patience(undefined, 5000, 10)).toEqual([5000, 5000, 10])
    expect(await patience(undefined, undefined, undefined)).toEqual([2000, 2000, 2000])
  })

  test('that the container knows in part: who does not know asks itself', async () => {
    const memory = createLookupMemory({ maxBytes: 1e6, nowMs: () => 0 })
    const store = memoryStore(Object.fromEntries(texts('a', 'b')))
    const lookups = [text('one', { cacheMs: 60_000 }), text('two')]
    const ask = async (ids: readonly string[]) => {
      const columns = { ...columnsOf(ids), lookups: [[], []] as unknown[][] }
      await enrich(columns, lookups, [0, 1], { redis: store }, deadline, memory)
      return columns.lookups
    }
    await ask(['a'])
    expect(await ask(['b', 'a'])).toEqual([
      ['one b', 'one a'],
      ['two b', 'two a'],
    ])
    expect(store.calls.map(call => call.map(({ keys }) => keys))).toEqual([
      [['customer:a'], []],
      [['customer:b'], ['customer:a']],
    ])
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
