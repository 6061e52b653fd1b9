// What a store of state does wrong, on the real servers: nobody is told what is not so, and the next attempt sets right what a lost one has left.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type LocalRedis, type LocalRedisCluster, startRedis, startRedisCluster } from '../../../infra/local/redis.ts'
import { connectRedisState } from '../../../lib/connectors/state-redis.ts'
import type { StatePort } from '../../../lib/runtime/ports.ts'
import { type Proxy as FaultyProxy, startProxy } from '../contract/proxy.ts'
import { cli, slotMove } from './slots.ts'
import { type RunningState, stores } from './stores.ts'
import { answersTo, attempt, claimed, deadline, hour, lockOf } from './writes.ts'

const cap = 'sluice:win-back.1:few/all'
const ask = (offset: number, limit = 3) => ({ offset, caps: [{ cap: 0, limit }] })

describe('Redis', () => {
  let server: LocalRedis
  let proxy: FaultyProxy
  let state: StatePort
  const warnings: string[] = []
  const connect = (login = '') =>
    connectRedisState({
      url: `redis://${login}${proxy.address}`,
      scenario: 'win-back',
      warn: message => warnings.push(message),
    })

  beforeAll(async () => {
    server = await startRedis()
    proxy = await startProxy(`127.0.0.1:${server.port}`)
    state = connect()
  })
  afterAll(async () => {
    await state.close()
    await proxy.close()
    await server.stop()
  })

  test('a server that evicts is refused before anything is claimed', async () => {
    await cli(server.port, 'CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru')
    const one = connect()
    await expect(one.claim(lockOf(), deadline)).rejects.toThrow(/\[state-evicts\].* allkeys-lru/)
    expect(await cli(server.port, 'DBSIZE')).toBe('0')
    await cli(server.port, 'CONFIG', 'SET', 'maxmemory-policy', 'noeviction')
    // It asks again: once it is set right the same container goes on.
    await claimed(one)
    await one.close()
  })

  test('who may not ask for the policy is warned once, and goes on', async () => {
    await cli(server.port, 'ACL', 'SETUSER', 'few', 'on', '>secret', '~sluice:*', '+@all', '-info')
    const one = connect('few:secret@')
    const token = await claimed(one)
    expect(await answersTo(one, { token, from: 0, to: 0 })).toEqual([])
    await claimed(one)
    expect(warnings).toEqual([
      `win-back: ${proxy.address} does not tell its maxmemory-policy (INFO). Anything but "noeviction" loses state when the memory is full.`,
    ])
    await one.close()
  })

  test.each([
    [
      'a user without scripts',
      ['ACL', 'SETUSER', 'few', 'on', '>secret', '~sluice:*', '+@all', '-eval', '-evalsha'],
      'NOPERM',
      'state needs EVALSHA',
    ],
    [
      'a user of other keys',
      ['ACL', 'SETUSER', 'few', 'on', '>secret', 'resetkeys', '~other:*', '+@all'],
      'NOPERM',
      'keys that begin with "sluice:"',
    ],
  ])('%s is told what is needed', async (_, words, code, advice) => {
    await cli(server.port, ...words)
    const one = connect('few:secret@')
    const refused = one.claim(lockOf(), deadline)
    await expect(refused).rejects.toThrow(`(${code})`)
    await expect(refused).rejects.toThrow(advice)
    await one.close()
  })

  test('a replica takes no claim and no write', async () => {
    const token = await claimed(state)
    await cli(server.port, 'REPLICAOF', '127.0.0.1', '1')
    // Without its primary it serves old data, and says so at the first write.
    await expect(answersTo(state, { token, from: 0, to: 0 })).rejects.toThrow(/\(READONLY\).*primary endpoint/)
    await expect(state.claim(lockOf(), deadline)).rejects.toThrow('(READONLY)')
    await cli(server.port, 'REPLICAOF', 'NO', 'ONE')
    expect(await answersTo(state, { token: await claimed(state), from: 0, to: 0 })).toEqual([])
  })

  test('a full store refuses a write as a whole', async () => {
    const token = await claimed(state)
    const items = [{ key: 'sluice:win-back.1:visit/full', base: null, head: 'x', at: 4n }]
    const write = { from: 4, to: 4, items, caps: [{ key: cap }], asks: [ask(4)] }
    await answersTo(state, { token, from: 3, to: 3 })
    await cli(server.port, 'CONFIG', 'SET', 'maxmemory', '1')
    await expect(answersTo(state, { token, ...write })).rejects.toThrow(/\(OOM\).*It must not evict/)
    await cli(server.port, 'CONFIG', 'SET', 'maxmemory', '0')
    expect(await cli(server.port, 'EXISTS', items[0]!.key, cap)).toBe('0')
    const claim = await state.claim(lockOf(), deadline)
    expect(claim).toMatchObject({ last: 3n, caps: new Map() })
    expect(await answersTo(state, { token: claim.token, ...write })).toEqual(['1/1'])
    await cli(server.port, 'DEL', cap)
  })

  test('a connection that is reset between a write and its answer: it is not sent again; the next claim knows what it did', async () => {
    const token = await claimed(state)
    const write = { from: 5, to: 6, caps: [{ key: cap }], asks: [ask(5), ask(6)] }
    await cli(server.port, 'CONFIG', 'RESETSTAT')
    proxy.resetNext('asked')
    await expect(answersTo(state, { token, ...write })).rejects.toThrow('Nothing was emitted, the batch comes again')
    const claim = await state.claim(lockOf(), deadline)
    // One write and one claim.
    expect(await cli(server.port, 'INFO', 'commandstats')).toMatch(/cmdstat_evalsha:calls=2,/)
    expect(claim).toMatchObject({ last: 6n, caps: new Map([[cap, 6n]]) })
    const again = { ...write, caps: [{ key: cap, until: 6n }] }
    expect(await answersTo(state, { token: claim.token, ...again })).toEqual(['1/1', '2/2'])
    expect(await cli(server.port, 'HLEN', cap)).toBe('2')
    await cli(server.port, 'DEL', cap)
  })

  test('an answer that comes too late is told to nobody', async () => {
    const token = await claimed(state)
    const write = attempt({ token, from: 7, to: 7, caps: [{ key: cap }], asks: [ask(7)] })
    proxy.hold()
    await expect(state.write([write], { remainingMs: () => 100 })).rejects.toThrow('[redis-timeout]')
    proxy.release()
    const claim = await state.claim(lockOf(), deadline)
    expect(claim).toMatchObject({ last: 7n, caps: new Map([[cap, 7n]]) })
    expect(await state.holds(lockOf(), claim.token, deadline)).toBe(true)
    expect(await state.holds(lockOf(), token, deadline)).toBe(false)
    await cli(server.port, 'DEL', cap)
  })

  test('a store that was emptied: the token is no more valid, and nothing is known of what was committed', async () => {
    const token = await claimed(state)
    await answersTo(state, { token, from: 0, to: 9 })
    await cli(server.port, 'FLUSHALL')
    expect(await answersTo(state, { token, from: 10, to: 10 })).toBe('stale')
    const claim = await state.claim(lockOf(), deadline)
    expect(claim).toMatchObject({ last: undefined, leftovers: new Map(), caps: new Map() })
    // Higher than all before, although nothing of them is left.
    expect(Number(claim.token.split('.')[0])).toBeGreaterThanOrEqual(Number(token.split('.')[0]))
    expect(claim.token).not.toBe(token)
  })

  test('a large write goes in parts: what has claimed meanwhile is never overwritten by those that come later', async () => {
    const key = (n: number) => `sluice:win-back.1:visit/many-${n}`
    const keys = Array.from({ length: 1500 }, (_, n) => key(n))
    const other = connect()
    const outcomes = new Set<string>()
    for (let round = 0; round < 12; round++) {
      const at = BigInt(round)
      const items = keys.map(one => ({ key: one, base: null, head: `large ${round}`, at }))
      const large = { token: await claimed(state), from: round, to: round, items, caps: [{ key: cap }], asks: [ask(round, 99)] }
      const small = async () => {
        const token = await claimed(other)
        const last = [{ key: key(1499), base: null, head: `small ${round}`, at }]
        return answersTo(other, {
          token,
          from: round,
          to: round,
          items: last,
          caps: [{ key: cap, until: at }],
          asks: [ask(round, 99)],
        })
      }
      const [first, second] = await Promise.all([answersTo(state, large), small()])
      outcomes.add(typeof first === 'string' ? first : 'written')
      // Each round has one place, whoever got it first.
      expect(second).toEqual([`${round + 1}/${round + 1}`])
      expect(await cli(server.port, 'HGET', key(1499), 'head')).toBe(`small ${round}`)
    }
    expect(outcomes).toContain('stale')
    await other.close()
    await cli(server.port, 'DEL', cap)
  })

  test('places expire long after their window, or never', async () => {
    const token = await claimed(state)
    const caps = [{ key: `${cap}1`, withinMs: hour, expiresMs: 200 * hour }, { key: `${cap}2` }]
    const asks = [{ offset: 0, caps: [{ cap: 0 }, { cap: 1 }] }]
    await answersTo(state, { token, from: 0, to: 0, caps, asks })
    const remainingMs = Number(await cli(server.port, 'PTTL', `${cap}1`))
    expect(remainingMs).toBeGreaterThan(199 * hour)
    expect(remainingMs).toBeLessThanOrEqual(200 * hour)
    expect(await cli(server.port, 'PTTL', `${cap}2`)).toBe('-1')
  })
})

describe('Redis Cluster', () => {
  let cluster: LocalRedisCluster
  let state: StatePort
  beforeAll(async () => {
    cluster = await startRedisCluster()
    state = connectRedisState({ url: cluster.url, scenario: 'win-back' })
  })
  afterAll(async () => {
    await state.close()
    await cluster.stop()
  })

  test('a slot on its way to another node: places are neither lost nor given twice', async () => {
    const move = await slotMove(cluster, cap)
    const token = await claimed(state)
    const asking = (offset: number) => ({ token, from: offset, to: offset, caps: [{ key: cap }], asks: [ask(offset)] })
    expect(await answersTo(state, asking(0))).toEqual(['1/1'])
    await move.begin()
    expect(await answersTo(state, asking(1))).toEqual(['2/2'])
    await move.migrate()
    // Moved, and not said: the old node sends on.
    expect(await answersTo(state, asking(2))).toEqual(['3/3'])
    await move.end()
    expect(await answersTo(state, asking(3))).toEqual(['refused by 0'])
    // Three places and the token.
    expect(await cli(move.targetPort, 'HLEN', cap)).toBe('4')
  })
})

describe.each(stores)('$name', ({ start }) => {
  let running: RunningState
  beforeAll(async () => {
    running = await start()
  })
  afterAll(async () => {
    await running.stop()
  })

  test('two writers for one cap, again and again at once: never more than there are, no place twice, all are given', async () => {
    const [one, two] = [running.state, running.other]
    const locks = [lockOf(0), lockOf(1)] as const
    const tokens = [await claimed(one, locks[0]), await claimed(two, locks[1])] as const
    const given: string[] = []
    for (let round = 0; round < 25; round++) {
      const of = (writer: 0 | 1) => ({
        lock: locks[writer],
        token: tokens[writer],
        from: 2 * round,
        to: 2 * round + 1,
        caps: [{ key: cap }],
        asks: [ask(2 * round, 60), ask(2 * round + 1, 60)],
      })
      for (const answers of await Promise.all([answersTo(one, of(0)), answersTo(two, of(1))])) given.push(...answers)
    }
    const numbers = given.filter(text => !text.startsWith('refused')).map(text => Number(text.split('/')[0]))
    expect(given).toHaveLength(100)
    expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, i) => i + 1))
  })
})
