// What befalls the store under a function at work, on the real broker and the real stores: nothing is emitted on wrong state, the log says what is
// wrong and what to do, and once it is set right the batch that comes again is decided as if nothing had been.
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest'
import { type LocalRedis, type LocalRedisCluster, startRedis, startRedisCluster } from '../../../infra/local/redis.ts'
import { slotOf } from '../../../lib/connectors/redis/slots.ts'
import { type HttpFront, startHttpFront } from '../../connectors/contract/http-front.ts'
import { type Proxy as FaultyProxy, startProxy } from '../../connectors/contract/proxy.ts'
import { cli, ownerOf, slotMove } from '../../connectors/state/slots.ts'
import { type RunningState, stores } from '../../connectors/state/stores.ts'
import { type Container, logIn, passing, type Rules, type Services, statePlace, storeOf, visitsOf } from './place.ts'

const containers: Container[] = []
const opened = (container: Container) => {
  containers.push(container)
  return container
}
afterEach(async () => {
  await Promise.all(containers.splice(0).map(container => container.close()))
})

/** How many visits there were before, and the number of the greeting. */
const rules: Rules = {
  state: `state:
  visit: { key: event.id, fields: { count: int = 0 }, set: { count: visit.count + 1 } }
  greeting: { key: event.id, limit: 20 }
`,
  value: '"{visit.count} {greeting.number}"',
}

async function placeOf(services: Services) {
  const place = await statePlace(services, 1, rules)
  return {
    ...place,
    /** OFFSET, visits before, number of the greeting. */
    told: async () => (await place.outputs()).map(text => text.replace(/^0\/(\d+)\/counted\/0 \{"n":"(.*)"\}$/, '$1: $2')),
    visits: (ids: string, from: number) => visitsOf(place.source, ids.split(' '), { from }),
  }
}

describe('Redis', () => {
  let server: LocalRedis
  let services: Services
  const config = (name: string, value: string) => cli(server.port, 'CONFIG', 'SET', name, value)
  beforeAll(async () => {
    server = await startRedis({
      settings: ['--enable-debug-command', 'yes', '--loading-process-events-interval-bytes', '1024'],
    })
    services = { broker: inject('kafka'), store: server.url }
  })
  afterAll(() => server.stop())

  test.each<readonly [string, RegExp, () => Promise<unknown>, () => Promise<unknown>]>([
    [
      'full',
      /^\[redis-unreachable\] visits: 1 reads and writes of state got no answer from \S+ \(OOM\)\. Nothing was emitted, the batch comes again\. Its memory is full: raise maxmemory\. It must not evict/,
      () => config('maxmemory', '1'),
      () => config('maxmemory', '0'),
    ],
    [
      'a replica since a fail-over',
      /^\[redis-unreachable\] visits: 1 reads and writes of state .*\(READONLY\)\. Nothing was emitted, the batch comes again\. This is a replica: use the primary endpoint/,
      () => cli(server.port, 'REPLICAOF', '127.0.0.1', '1'),
      () => cli(server.port, 'REPLICAOF', 'NO', 'ONE'),
    ],
  ])('a server that is %s: warm and cold nothing is emitted, and later the batch is decided', async (_, words, break_, mend) => {
    const { container, told, visits, remove } = await placeOf(services)
    const warm = opened(container())
    await warm.decide(visits('anna bob', 0))
    await break_()
    for (const one of [warm, opened(container())]) {
      const count = one.told.length
      await expect(one.decide(visits('anna', 2))).rejects.toThrow(/./)
      expect(one.told.slice(count)).toEqual([expect.stringMatching(words)])
    }
    await mend()
    expect(await told()).toEqual(['0: 0 1', '1: 0 1'])
    await warm.decide(visits('anna', 2))
    expect(await told()).toEqual(['0: 0 1', '1: 0 1', '2: 1 2'])
    remove()
  })

  test('a server that reads its data: the batch comes again until it is there', async () => {
    const { container, told, visits, remove } = await placeOf(services)
    const warm = opened(container())
    await warm.decide(visits('anna', 0))
    // 100 s, were it not told to make haste in the end.
    await cli(server.port, 'DEBUG', 'POPULATE', '5000', 'filler', '1000')
    await config('key-load-delay', '20000')
    const reloaded = cli(server.port, 'DEBUG', 'RELOAD').catch((error: Error) => error.message)
    await expect.poll(() => cli(server.port, 'PING'), { timeout: 20_000 }).toContain('LOADING')
    for (const one of [warm, opened(container())]) {
      const count = one.told.length
      await expect(one.decide(visits('anna', 1))).rejects.toThrow('(LOADING)')
      expect(one.told.slice(count)).toEqual([
        expect.stringMatching(
          /\(LOADING\)\. Nothing was emitted, the batch comes again\. It has restarted and reads its data: this passes\./,
        ),
      ])
    }
    await config('key-load-delay', '0')
    expect(await reloaded).toBe('OK')
    await warm.decide(visits('anna', 1))
    expect(await told()).toEqual(['0: 0 1', '1: 1 2'])
    remove()
  })

  test('a server that evicts is refused by whoever starts then', async () => {
    const { container, told, visits, remove } = await placeOf(services)
    await opened(container()).decide(visits('anna', 0))
    await config('maxmemory-policy', 'volatile-ttl')
    const cold = opened(container())
    await expect(cold.decide(visits('anna', 1))).rejects.toThrow(
      /^\[state-evicts\] .* has the maxmemory-policy volatile-ttl: .*Nothing was decided, the batch comes again\. Set maxmemory-policy noeviction/,
    )
    expect(cold.told.join()).toContain('[state-evicts]')
    expect(cold.counts.get('stateGuard')).toBe(1)
    await config('maxmemory-policy', 'noeviction')
    await cold.decide(visits('anna', 1))
    expect(await told()).toEqual(['0: 0 1', '1: 1 2'])
    remove()
  })

  test('emptied between two batches: warm and cold it is an alarm with words; --init accepts the loss', async () => {
    const { container, told, visits, sluice, fill, remove } = await placeOf(services)
    await fill(4)
    const warm = opened(container())
    await warm.decide(visits('anna anna', 0))
    await cli(server.port, 'FLUSHALL')
    for (const one of [warm, opened(container())]) {
      await expect(one.decide(visits('anna', 2))).rejects.toThrow('[state-missing]')
      expect(one.counts.get('stateGuard')).toBe(1)
      expect(one.told.at(-1)).toMatch(
        /^\[state-missing\] visits: the store holds no state for in\.visits-0, and our progress is 2\. Nothing was emitted\. .*npx sluice state visits --init/,
      )
    }
    expect(await told()).toHaveLength(2)
    expect((await sluice('--init', '--yes')).code).toBe(0)
    await warm.decide(visits('anna', 2))
    expect(await told()).toEqual(['0: 0 1', '1: 1 2', '2: 0 1'])
    remove()
  })

  test('put back to an older copy: the position tells; --init goes on from what is there', async () => {
    const { container, told, visits, sluice, fill, remove } = await placeOf(services)
    await fill(6)
    const warm = opened(container())
    await warm.decide(visits('anna anna', 0))
    const copy = await copyOf(server.port)
    await warm.decide(visits('anna anna anna', 2))
    await cli(server.port, 'FLUSHALL')
    await copy.restore()
    for (const one of [warm, opened(container())]) {
      await expect(one.decide(visits('anna', 5))).rejects.toThrow('[state-lost]')
      expect(one.counts.get('stateGuard')).toBe(1)
      expect(one.told.at(-1)).toMatch(
        /^\[state-lost\] visits: the store knows what in\.visits-0 left up to offset 1, and our progress is 5: it has lost acknowledged writes .*Nothing was emitted, .*Raise `generation` .*--init/,
      )
    }
    expect(await told()).toHaveLength(5)
    expect((await sluice('--init', '--yes')).out).toContain('the store knows up to 1: what came later is lost')
    await warm.decide(visits('anna', 5))
    expect((await told()).slice(5)).toEqual(['5: 2 3'])
    remove()
  })

  test('emptied after it has acknowledged the write of a batch that is committed then: the next one is an alarm', async () => {
    const { container, told, visits, fill, remove } = await placeOf(services)
    await fill(2)
    const losing = opened(
      container({
        kafka: kafka => ({
          ...passing(kafka),
          transact: async (session, transaction, deadline) => {
            await cli(server.port, 'FLUSHALL')
            return kafka.transact(session, transaction, deadline)
          },
        }),
      }),
    )
    await losing.decide(visits('anna', 0))
    await expect(losing.decide(visits('anna', 1))).rejects.toThrow('[state-missing]')
    expect(await told()).toEqual(['0: 0 1'])
    remove()
  })

  test('an answer that comes after the time is up is told to nobody: what was written counts once', async () => {
    const { container, told, visits, remove } = await placeOf(services)
    const proxy: FaultyProxy = await startProxy(`127.0.0.1:${server.port}`)
    const slow = opened(
      container({
        store: `redis://${proxy.address}`,
        state: state => ({
          ...state,
          write: async (writes, deadline) => {
            proxy.hold()
            try {
              return await state.write(writes, deadline)
            } finally {
              proxy.release()
            }
          },
        }),
      }),
    )
    await expect(slow.decide(visits('anna anna', 0))).rejects.toThrow('[redis-timeout]')
    expect(slow.told.at(-1)).toMatch(/ within 2000 ms\. Nothing was emitted, the batch comes again\./)
    expect(await told()).toEqual([])
    await opened(container()).decide(visits('anna anna', 0))
    expect(await told()).toEqual(['0: 0 1', '1: 1 2'])
    await proxy.close()
    remove()
  })
})

describe('Redis Cluster', () => {
  let cluster: LocalRedisCluster
  let services: Services
  beforeAll(async () => {
    cluster = await startRedisCluster()
    services = { broker: inject('kafka'), store: cluster.url }
  })
  afterAll(() => cluster.stop())

  test('slots of the lock, a value and a cap move under a warm function: each step is invisible', async () => {
    const { container, told, visits, name, source, remove } = await placeOf(services)
    const warm = opened(container())
    let offset = 0
    const decide = () => warm.decide(visits('anna', offset++))
    await decide()
    const scope = `sluice:${name}.1`
    for (const key of [`${scope}@${source}/0`, `${scope}:visit/anna`, `${scope}:greeting/anna`]) {
      const move = await slotMove(cluster, key)
      await move.begin()
      await decide()
      await move.migrate()
      expect(await cli(move.targetPort, 'CLUSTER', 'COUNTKEYSINSLOT', String(slotOf(key)))).toBe('1')
      await decide()
      await move.end()
      await decide()
    }
    const numbers = Array.from({ length: 10 }, (_, n) => `${n}: ${n} ${n + 1}`)
    expect(await told()).toEqual(numbers)
    expect(warm.told).toEqual([])
    remove()
  })

  test('the node of a value is gone: nothing is emitted, though the lock was written', async () => {
    const { container, told, visits, name, remove } = await placeOf(services)
    const warm = opened(container())
    await warm.decide(visits('anna', 0))
    // Of another node than the lock, where the write of a batch begins.
    const owner = await ownerOf(cluster, slotOf(`sluice:${name}.1:visit/anna`))
    await cluster.nodes[owner]!.kill()
    await expect(warm.decide(visits('anna', 1))).rejects.toThrow(
      /^\[redis-(unreachable|timeout)\] .*Nothing was emitted, the batch comes again\./,
    )
    expect(await told()).toEqual(['0: 0 1'])
    remove()
  })
})

describe('DynamoDB', () => {
  let running: RunningState
  let front: HttpFront
  let services: Services
  let logOut: () => void
  beforeAll(async () => {
    logOut = logIn()
    running = await stores.find(({ name }) => name === 'DynamoDB')!.start()
    front = await startHttpFront(new URL(running.dynamoDb!.endpoint!).host)
    services = { broker: inject('kafka'), ...storeOf(running) }
  })
  afterAll(async () => {
    await front.stop()
    await running.stop()
    logOut()
  })
  const throughFront = () => ({ endpoint: `http://${front.address}` })

  test.each(['ProvisionedThroughputExceededException', 'ThrottlingException'])(
    '%s from whichever call on: nothing is emitted, and the batch that comes again is decided as if nothing had been',
    { timeout: 120_000 },
    async exception => {
      const { container, told, visits, remove } = await placeOf(services)
      await opened(container()).decide(visits('anna', 0))
      const refused = new Set<string>()
      const expected = ['0: 0 1']
      let isStruck = true
      for (let n = 1; isStruck; n++) {
        let calls = 0
        isStruck = false
        front.refuse(operation => {
          if (++calls < n) return undefined
          isStruck = true
          refused.add(operation)
          const type = `com.amazonaws.dynamodb.v20120810#${exception}`
          return { status: 400, body: JSON.stringify({ __type: type, message: 'The level of … was exceeded' }) }
        })
        const one = opened(container(throughFront()))
        const outcome = await Promise.allSettled([one.decide(visits('anna', n))])
        front.refuse(undefined)
        if (isStruck) {
          expect(outcome[0]!.status).toBe('rejected')
          expect(one.told.at(-1)).toMatch(
            new RegExp(
              `^\\[dynamodb-unreachable\\] visits: \\d+ .* \\(${exception}\\)\\. Nothing was emitted, the batch comes again\\. It takes no more at the moment: this passes\\. .*capacity`,
            ),
          )
          expect(await told()).toEqual(expected)
          await opened(container()).decide(visits('anna', n))
        }
        expected.push(`${n}: ${n} ${n + 1}`)
        expect(await told()).toEqual(expected)
      }
      expect([...refused].sort()).toEqual(['BatchGetItem', 'GetItem', 'PutItem', 'UpdateItem'])
      remove()
    },
  )

  test('half of the values come back unprocessed: asked again; if it goes on nothing is emitted', async () => {
    const { container, told, visits, remove } = await placeOf(services)
    await opened(container()).decide(visits('anna bob', 0))
    let times = 1
    front.change(question =>
      question.includes('RequestItems') && times-- > 0 ? withoutHalf(question) : { question, answer: text => text },
    )
    const one = opened(container(throughFront()))
    await one.decide(visits('anna bob', 2))
    expect(await told()).toEqual(['0: 0 1', '1: 0 1', '2: 1 2', '3: 1 2'])
    times = Number.POSITIVE_INFINITY
    await expect(one.decide(visits('anna bob', 4))).rejects.toThrow(
      '(throttled: keys came back unprocessed until the time was up). Nothing was emitted, the batch comes again.',
    )
    expect(await told()).toHaveLength(4)
    times = 0
    await one.decide(visits('anna bob', 4))
    expect((await told()).slice(4)).toEqual(['4: 2 3', '5: 2 3'])
    front.change(undefined)
    remove()
  })
})

/** All that the server holds, as a backup has it. */
async function copyOf(port: number) {
  const client = new Redis({ port })
  const keys = await client.keys('*')
  const dumps = await Promise.all(keys.map(key => client.dumpBuffer(key)))
  return {
    async restore() {
      for (const [k, key] of keys.entries()) await client.restore(key, 0, dumps[k]!)
      client.disconnect()
    },
  }
}

/** Of those who ask for one alone, too: none is left then. */
function withoutHalf(question: string) {
  const { RequestItems } = JSON.parse(question) as { RequestItems: Record<string, { Keys: { id: { S: string } }[] }> }
  const [table, { Keys, ...rest }] = Object.entries(RequestItems)[0]!
  const left = Keys.filter(({ id }) => id.S.endsWith('anna'))
  const others = Keys.filter(({ id }) => !id.S.endsWith('anna'))
  const asked = others.length > 0 ? others : [{ id: { S: 'nobody' } }]
  return {
    question: JSON.stringify({ RequestItems: { [table!]: { ...rest, Keys: asked } } }),
    answer: (text: string) =>
      JSON.stringify({ ...JSON.parse(text), UnprocessedKeys: left.length > 0 ? { [table!]: { Keys: left } } : {} }),
  }
}
