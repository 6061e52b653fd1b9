// Stores that write the lock first and the items later: an item that arrives after another invocation has claimed, whose commit would make it
// count. On the real servers.
import { createServer, request, type Server } from 'node:http'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { targetOf } from '../../../lib/connectors/redis/address.ts'
import { createRedisClient, type RedisClient } from '../../../lib/connectors/redis/client.ts'
import { listed, scriptCall } from '../../../lib/connectors/redis/commands.ts'
import { counterOf, lockName, type StateStore, tpOf } from '../../../lib/connectors/state-keys.ts'
import { itemScript, lockScript } from '../../../lib/connectors/state-redis-scripts.ts'
import type { StateLock } from '../../../lib/runtime/ports.ts'
import { bundledDynamoDb } from '../bundled.ts'
import { type RunningState, stores } from './stores.ts'
import { answersTo, claimed, deadline, lockOf } from './writes.ts'

const key = 'sluice:win-back.1:visit/c-1'

/** Sends the lock's part of a write at once; the result sends the item, and tells what became of it. */
type SendLock = (lock: StateLock, token: string, item: Item) => Promise<() => Promise<string>>

interface Item {
  readonly head: string
  readonly at: bigint
  readonly expected?: { readonly at: bigint; readonly tp: string; readonly head: string }
}

interface Place {
  readonly running: RunningState
  readonly sendLock: SendLock
  stop(): Promise<void>
}

describe.each([
  ['Redis Cluster', onRedisCluster],
  ['DynamoDB', onDynamoDb],
])('%s: an item that arrives after the next claim', (_, start) => {
  let place: Place
  beforeAll(async () => {
    place = await start()
  })
  afterAll(async () => {
    await place.stop()
  })
  let offset = 0
  beforeEach(() => {
    offset += 10
  })
  const scopeOf = () => `win-back.${offset}`
  const keyNow = () => key.replace('win-back.1', scopeOf())
  const read = async () => {
    const command = { kind: 'hash', fields: ['base', 'head', 'at', 'tp'] } as const
    const [answers] = await place.running.lookups.lookupMany([{ command, keys: [keyNow()] }], deadline)
    return answers![0]
  }

  test('is refused where nothing was there', async () => {
    const { state } = place.running
    const lock = lockOf(0, scopeOf())
    const sendItem = await place.sendLock(lock, await claimed(state, lock), { head: 'late', at: 4n })
    const claim = await state.claim(lock, deadline)
    expect(claim).toMatchObject({ last: 4n, leftovers: new Map() })
    expect(await sendItem()).toBe('stale')
    expect(await read()).toEqual([null, null, null, null])
    // Whoever has claimed may write it.
    const items = [{ key: keyNow(), base: null, head: 'ours', at: 4n }]
    expect(await answersTo(state, { lock, token: claim.token, from: 4, to: 4, items })).toEqual([])
    expect(await read()).toEqual([null, 'ours', '4', 'app.visits/0'])
  })

  test('is refused where it takes over what is as it was', async () => {
    const { state } = place.running
    const [lock, other] = [lockOf(0, scopeOf()), lockOf(1, scopeOf())]
    const items = [{ key: keyNow(), base: null, head: 'theirs', at: 7n }]
    await answersTo(state, { lock: other, token: await claimed(state, other), from: 7, to: 7, items })
    const expected = { at: 7n, tp: 'app.visits/1', head: 'theirs' }
    const sendItem = await place.sendLock(lock, await claimed(state, lock), { head: 'late', at: 4n, expected })
    const claim = await state.claim(lock, deadline)
    expect(claim.leftovers).toEqual(new Map())
    expect(await sendItem()).toBe('stale')
    expect(await read()).toEqual([null, 'theirs', '7', 'app.visits/1'])
    const take = [{ key: keyNow(), base: 'theirs', head: 'ours', at: 4n, expected }]
    expect(await answersTo(state, { lock, token: claim.token, from: 4, to: 4, items: take })).toEqual([])
  })

  test('one that has arrived before the claim is left over', async () => {
    const { state } = place.running
    const lock = lockOf(0, scopeOf())
    const sendItem = await place.sendLock(lock, await claimed(state, lock), { head: 'early', at: 4n })
    expect(await sendItem()).toBe('written')
    const { leftovers } = await state.claim(lock, deadline)
    expect(leftovers).toEqual(new Map([[keyNow(), { base: null, head: 'early', at: 4n, tp: 'app.visits/0' }]]))
  })

  test('a claim that was overtaken marks nothing for the newer one', async () => {
    const { state, other } = place.running
    const lock = lockOf(0, scopeOf())
    const sendItem = await place.sendLock(lock, await claimed(state, lock), { head: 'late', at: 4n })
    const [one, two] = await Promise.all([state.claim(lock, deadline), other.claim(lock, deadline)])
    const newest = Number(counterOf(one.token)) > Number(counterOf(two.token)) ? one : two
    const items = [{ key: keyNow(), base: null, head: 'ours', at: 4n }]
    expect(await answersTo(state, { lock, token: newest.token, from: 4, to: 4, items })).toEqual([])
    expect(await sendItem()).toBe('stale')
  })
})

async function onRedisCluster(): Promise<Place> {
  const running = await stores.find(({ name }) => name === 'Redis Cluster')!.start()
  const client: RedisClient = createRedisClient(targetOf(running.url!), 'test')
  const ask = async (...call: Parameters<typeof scriptCall>) => {
    const [reply] = await client.exchange(listed([scriptCall(...call)]), { timeoutMs: 5000, repeatable: false })
    return reply
  }
  return {
    running,
    async sendLock(lock, token, { head, at, expected }) {
      const keyNow = key.replace('win-back.1', lock.scope)
      expect(await ask(lockScript, [lockName(lock)], [token, at, 's', JSON.stringify([keyNow]), '[]'])).toBe(1)
      const text = expected === undefined ? '' : `${expected.at} ${expected.tp} ${expected.head}`
      const args = [counterOf(token), tpOf(lock), expected?.head ?? '-', head, at, text, token]
      return async () => (await ask(itemScript, [keyNow], args)) as string
    },
    async stop() {
      client.close()
      await running.stop()
    },
  }
}

async function onDynamoDb(): Promise<Place> {
  const running = await stores.find(({ name }) => name === 'DynamoDB')!.start()
  const { connectDynamoDbStateStore } = await bundledDynamoDb()
  const gate = await startGate(running.dynamoDb!.endpoint!)
  const slow: StateStore = connectDynamoDbStateStore({ ...running.dynamoDb!, endpoint: gate.endpoint })
  return {
    running,
    async sendLock(lock, token, { head, at, expected }) {
      const keyNow = key.replace('win-back.1', lock.scope)
      const reached = gate.hold(`"id":{"S":"${keyNow}"}`)
      const item = { key: keyNow, base: expected?.head ?? null, head, at, ...(expected && { expected }) }
      const written = answersTo(slow.state, { lock, token, from: Number(at), to: Number(at), items: [item] })
      await reached
      return async () => {
        gate.open()
        const outcome = await written
        return typeof outcome === 'string' ? outcome : 'written'
      }
    },
    async stop() {
      gate.open()
      await Promise.all([slow.state.close(), slow.lookups.close()])
      await gate.close()
      await running.stop()
    },
  }
}

/** Stands before a server, and keeps back the first request that speaks of something. */
async function startGate(endpoint: string) {
  let held: { readonly text: string; readonly reached: () => void } | undefined
  let release: () => void = () => undefined
  const server: Server = createServer(async (incoming, outgoing) => {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    if (held !== undefined && body.includes(held.text)) {
      const { reached } = held
      held = undefined
      await new Promise<void>(opened => {
        release = opened
        reached()
      })
    }
    const forwarded = request(
      new URL(incoming.url!, endpoint),
      { method: incoming.method, headers: incoming.headers },
      answer => {
        outgoing.writeHead(answer.statusCode!, answer.headers)
        answer.pipe(outgoing)
      },
    )
    forwarded.on('error', () => outgoing.destroy())
    forwarded.end(body)
  })
  await new Promise<void>(listening => server.listen(0, '127.0.0.1', listening))
  const address = server.address() as { readonly port: number }
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    hold: (text: string) =>
      new Promise<void>(reached => {
        held = { text, reached }
      }),
    open: () => release(),
    async close() {
      server.closeAllConnections()
      await new Promise(closed => server.close(closed))
    },
  }
}
