// Texts are read in groups of a transaction (EXISTS and MGET); what a key holds is told as exactly as by a GET of its own, and a server that does
// not take groups is asked by GET.
import { Redis } from 'ioredis'
import { afterEach, expect, inject, test } from 'vitest'
import { connectRedis } from '../../../lib/connectors/redis.ts'
import { WrongKind } from '../../../lib/plan/plan.ts'
import type { LookupPort } from '../../../lib/runtime/ports.ts'
import { type CountingProxy, countingProxy, redisCommands } from '../../integration/counting-proxy.ts'

const deadline = { remainingMs: () => 30_000 }
const texts = (keys: readonly string[]) => [{ command: { kind: 'string' as const }, keys }]
const wrongKind = expect.any(WrongKind)

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

let next = 0
/** Keys of this test alone, with what is set under them. */
function keysOf(count: number): readonly string[] {
  const prefix = `groups:${process.pid}:${next++}`
  return Array.from({ length: count }, (_, k) => `${prefix}:${k}`)
}

async function watched(login = ''): Promise<{ readonly port: LookupPort; readonly proxy: CountingProxy; readonly admin: Redis }> {
  const admin = new Redis(inject('redis'))
  ends.push(() => admin.disconnect())
  const proxy = await countingProxy(new URL(inject('redis')).host)
  ends.push(() => proxy.close())
  const port = connectRedis({ url: `redis://${login}${proxy.address}`, scenario: 'visits' })
  ends.push(() => port.close())
  return { port, proxy, admin }
}

/** How often each command was sent, in order of its first appearance. */
function sent(proxy: CountingProxy): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const command of redisCommands(proxy.roundTrips.join(''))) {
    const [word] = command.split(' ') as [string]
    counts[word] = (counts[word] ?? 0) + 1
  }
  return counts
}

test('150 keys, some of them missing: five groups in one round trip', async () => {
  const { port, proxy, admin } = await watched()
  const keys = keysOf(150)
  for (const [k, key] of keys.entries()) if (k % 3 !== 0) await admin.set(key, `text ${k}`)
  await port.lookupMany(texts(['warm']), deadline)
  proxy.forget()
  expect(await port.lookupMany(texts(keys), deadline)).toEqual([keys.map((_, k) => (k % 3 === 0 ? null : `text ${k}`))])
  expect(proxy.roundTrips).toHaveLength(1)
  expect(sent(proxy)).toEqual({ MULTI: 5, EXISTS: 5, MGET: 5, EXEC: 5 })
})

test.each([
  ['a hash', (admin: Redis, key: string) => admin.hset(key, 'a', '1')],
  ['a set', (admin: Redis, key: string) => admin.sadd(key, 'a')],
  ['a list', (admin: Redis, key: string) => admin.rpush(key, 'a')],
] as const)(
  '%s among texts: those without a text in its group are asked by GET, and its key alone is of another kind',
  async (_, put) => {
    const { port, proxy, admin } = await watched()
    const keys = keysOf(128)
    for (const key of keys.slice(0, 60)) await admin.set(key, 'text')
    for (const key of keys.slice(64)) await admin.set(key, 'text')
    await put(admin, keys[62]!)
    await port.lookupMany(texts(['warm']), deadline)
    proxy.forget()
    const expected = keys.map((_, k) => (k === 62 ? wrongKind : k >= 60 && k < 64 ? null : 'text'))
    expect(await port.lookupMany(texts(keys), deadline)).toEqual([expected])
    expect(proxy.roundTrips).toHaveLength(2)
    expect(sent(proxy)).toEqual({ MULTI: 4, EXISTS: 4, MGET: 4, EXEC: 4, GET: 4 })
  },
)

test('a key of another kind is never taken for a missing one while others come and go in its group', async () => {
  const { port, admin } = await watched()
  const keys = keysOf(64)
  await admin.sadd(keys[30]!, 'member')
  const writer = new Redis(inject('redis'))
  ends.push(() => writer.disconnect())
  let isDone = false
  const writing = (async () => {
    for (let n = 0; !isDone; n++) {
      const pipeline = writer.pipeline()
      for (const [k, key] of keys.entries()) if (k !== 30) n % 2 === 0 ? pipeline.set(key, 'text') : pipeline.del(key)
      await pipeline.exec()
    }
  })()
  for (let n = 0; n < 500; n++) {
    const [answers] = await port.lookupMany(texts(keys), deadline)
    expect(answers![30]).toEqual(wrongKind)
    for (const [k, answer] of answers!.entries()) if (k !== 30) expect([null, 'text']).toContain(answer)
  }
  isDone = true
  await writing
})

test('few keys are asked by GET, beside groups of others and hashes, all in one round trip', async () => {
  const { port, proxy, admin } = await watched()
  const [hash, ...keys] = keysOf(21) as [string, ...string[]]
  await admin.hset(hash, 'age', '30')
  for (const key of keys) await admin.set(key, key)
  await port.lookupMany(texts(['warm']), deadline)
  proxy.forget()
  const answers = await port.lookupMany(
    [...texts(keys.slice(0, 3)), { command: { kind: 'hash', fields: ['age'] }, keys: [hash] }, ...texts(keys.slice(3))],
    deadline,
  )
  expect(answers).toEqual([keys.slice(0, 3), [['30']], keys.slice(3)])
  expect(proxy.roundTrips).toHaveLength(1)
  expect(sent(proxy)).toEqual({ GET: 3, HMGET: 1, MULTI: 1, EXISTS: 1, MGET: 1, EXEC: 1 })
})

test('bytes that are not UTF-8, and text that is not ASCII, in a group', async () => {
  const { port, admin } = await watched()
  const keys = keysOf(16)
  await admin.set(keys[3]!, Buffer.of(0xff, 0x00))
  await admin.set(keys[5]!, 'Łódź')
  const expected: unknown[] = keys.map(() => null)
  expected[3] = new WrongKind('bytes that are not UTF-8')
  expected[5] = 'Łódź'
  expect(await port.lookupMany(texts(keys), deadline)).toEqual([expected])
})

test.each([['+get'], ['+get +multi +exec'], ['+get +mget +exists']])(
  'a login with %s alone is answered by GET, and is not tried again in groups',
  async rights => {
    const { admin } = await watched()
    const name = `reader-${process.pid}-${next}`
    await admin.call('ACL', 'SETUSER', name, 'on', '>secret', '~*', '+hello', ...rights.split(' '))
    ends.push(() => admin.call('ACL', 'DELUSER', name))
    const { port, proxy } = await watched(`${name}:secret@`)
    const keys = keysOf(20)
    await admin.set(keys[0]!, 'text')
    await admin.sadd(keys[1]!, 'member')
    const expected = [['text', wrongKind, ...keys.slice(2).map(() => null)]]
    expect(await port.lookupMany(texts(keys), deadline)).toEqual(expected)
    expect(sent(proxy)).toMatchObject({ MULTI: 1, EXISTS: 1, MGET: 1, EXEC: 1, GET: 20 })
    proxy.forget()
    expect(await port.lookupMany(texts(keys), deadline)).toEqual(expected)
    expect(sent(proxy)).toEqual({ GET: 20 })
  },
)
