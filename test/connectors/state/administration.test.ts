// What `sluice state` sees and erases, on the real stores: nobody who was at work before can bring back what was erased.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { StateAdministration } from '../../../lib/connectors/state-administration.ts'
import { openDynamoDbStateAdministration } from '../../../lib/connectors/state-administration-dynamodb.ts'
import { openRedisStateAdministration } from '../../../lib/connectors/state-administration-redis.ts'
import type { StatePort } from '../../../lib/runtime/ports.ts'
import { type RunningState, stores } from './stores.ts'
import { answersTo, claimed, deadline, lockOf } from './writes.ts'

describe.each(stores.filter(({ name }) => name !== 'memory'))('$name', ({ start }) => {
  let running: RunningState
  let state: StatePort
  let administration: StateAdministration
  let testCount = 0
  let scope = ''
  const key = (name: string) => `sluice:${scope}:${name}`
  const lock = (partition = 0) => lockOf(partition, scope)
  const fresh = async () => {
    scope = `erased-${++testCount}.1`
    return claimed(state, lock())
  }
  const item = (head: string, at: bigint, base: string | null = null) => ({ key: key('visit/c-1'), base, head, at })
  const remember = { kind: 'remember', owner: 'app.visits/0' } as const
  const cap = { kind: 'cap', isShared: false } as const

  beforeAll(async () => {
    running = await start()
    state = running.state
    administration =
      running.dynamoDb === undefined
        ? openRedisStateAdministration({ url: running.url!, scenario: 'win-back' })
        : openDynamoDbStateAdministration(running.dynamoDb)
  })
  afterAll(async () => {
    await administration.close()
    await running.stop()
  })

  test('items, places and locks are seen as they are stored', async () => {
    const token = await fresh()
    expect(await administration.item(key('visit/c-1'), deadline)).toBeUndefined()
    expect(await administration.lock(lock(7), deadline)).toBeUndefined()
    await answersTo(state, {
      ...{ lock: lock(), token, from: 3, to: 9, items: [item('{"n":2}', 9n, '{"n":1}')] },
      caps: [{ key: key('greeting/c-1') }],
      asks: [
        { offset: 4, timeMs: 1000, caps: [{ cap: 0, member: 'mail to a' }] },
        { offset: 7, timeMs: 2000, caps: [{ cap: 0 }] },
      ],
    })
    await state.acknowledge([{ lock: lock(), token, position: 10n }], deadline)
    expect(await administration.item(key('visit/c-1'), deadline)).toEqual({
      ...{ base: '{"n":1}', head: '{"n":2}', at: 9n, tp: 'app.visits/0' },
    })
    expect([...(await administration.places(key('greeting/c-1'), deadline))].sort()).toEqual([
      ['app.visits-0@4', { number: 1n, timeMs: 1000, units: 1n, member: 'mail to a' }],
      ['app.visits-0@7', { number: 2n, timeMs: 2000, units: 1n, member: undefined }],
    ])
    expect(await administration.lock(lock(), deadline)).toEqual({ last: 9n, position: 10n })
  })

  test('an erased value is gone, also from what its lock notes; the next attempt begins from nothing', async () => {
    const token = await fresh()
    const others = { key: key('visit/c-2'), base: null, head: '{}', at: 9n }
    await answersTo(state, { lock: lock(), token, from: 3, to: 9, items: [item('{"n":2}', 9n), others] })
    const ours = await claimed(state, lock())
    expect(await administration.erase(key('visit/c-1'), [{ lock: lock(), token: ours }], remember, deadline)).toBe('erased')
    expect(await administration.item(key('visit/c-1'), deadline)).toBeUndefined()
    const claim = await state.claim(lock(), deadline)
    expect([...claim.leftovers.keys()]).toEqual([key('visit/c-2')])
    expect(await answersTo(state, { lock: lock(), token: claim.token, from: 3, to: 9, items: [item('{"n":1}', 9n)] })).toEqual([])
    expect(await administration.item(key('visit/c-1'), deadline)).toMatchObject({ base: null, head: '{"n":1}' })
  })

  test('who was at work before writes nothing any more, neither values nor places', async () => {
    const token = await fresh()
    const asking = { caps: [{ key: key('greeting/c-1') }], asks: [{ offset: 4, caps: [{ cap: 0 }] }] }
    await answersTo(state, { lock: lock(), token, from: 3, to: 5, items: [item('{"n":1}', 5n)], ...asking })
    const ours = await claimed(state, lock())
    const claims = [{ lock: lock(), token: ours }]
    await administration.erase(key('visit/c-1'), claims, remember, deadline)
    await administration.erase(key('greeting/c-1'), claims, cap, deadline)
    const late = { ...asking, asks: [{ offset: 6, caps: [{ cap: 0 }] }] }
    expect(await answersTo(state, { lock: lock(), token, from: 6, to: 9, items: [item('{"n":2}', 9n)], ...late })).toBe('stale')
    expect(await administration.item(key('visit/c-1'), deadline)).toBeUndefined()
    expect(await administration.places(key('greeting/c-1'), deadline)).toEqual(new Map())
  })

  test('all places of a cap are erased, of each partition; the next record gets the first place', async () => {
    const token = await fresh()
    const other = await claimed(state, lock(1))
    const caps = [{ key: key('greeting/c-1') }]
    const ask = (offset: number) => [{ offset, caps: [{ cap: 0 }] }]
    await answersTo(state, { lock: lock(), token, from: 0, to: 0, caps, asks: ask(0) })
    await answersTo(state, { lock: lock(1), token: other, from: 0, to: 0, caps, asks: ask(0) })
    const claims = [
      { lock: lock(), token: await claimed(state, lock()) },
      { lock: lock(1), token: await claimed(state, lock(1)) },
    ]
    expect(await administration.erase(key('greeting/c-1'), claims, cap, deadline)).toBe('erased')
    expect(await administration.places(key('greeting/c-1'), deadline)).toEqual(new Map())
    const claim = await state.claim(lock(), deadline)
    expect(claim.caps).toEqual(new Map())
    expect(await answersTo(state, { lock: lock(), token: claim.token, from: 1, to: 1, caps, asks: ask(1) })).toEqual(['1/1'])
  })

  test('under an old token nothing is erased, nor what another partition has meanwhile', async () => {
    const token = await fresh()
    await answersTo(state, { lock: lock(), token, from: 0, to: 5, items: [item('{"n":1}', 5n)] })
    const newer = await claimed(state, lock())
    expect(await administration.erase(key('visit/c-1'), [{ lock: lock(), token }], remember, deadline)).toBe('stale')
    const elsewhere = { kind: 'remember', owner: 'app.visits/1' } as const
    const claims = [{ lock: lock(1), token: await claimed(state, lock(1)) }]
    expect(await administration.erase(key('visit/c-1'), claims, elsewhere, deadline)).toBe('moved')
    expect(await administration.item(key('visit/c-1'), deadline)).toMatchObject({ head: '{"n":1}' })
    expect(await state.holds(lock(), newer, deadline)).toBe(true)
  })
})
