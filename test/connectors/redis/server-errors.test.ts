// What a real server says when it cannot or may not: each word with its cure, nothing of it an answer, and no password in any sentence.
import { createHash } from 'node:crypto'
import { inspect } from 'node:util'
import { Redis } from 'ioredis'
import { afterEach, expect, test } from 'vitest'
import { type LocalRedis, type RedisOptions, startRedis } from '../../../infra/local/redis.ts'
import { targetOf } from '../../../lib/connectors/redis/address.ts'
import { createRedisClient } from '../../../lib/connectors/redis/client.ts'
import { encode, listed } from '../../../lib/connectors/redis/commands.ts'
import { redisFailure } from '../../../lib/connectors/redis/failure.ts'
import { ReplyError } from '../../../lib/connectors/redis/replies.ts'
import { connectRedis } from '../../../lib/connectors/redis.ts'
import { RetryableError } from '../../../lib/runtime/ports.ts'
import { startProxy } from '../contract/proxy.ts'

const deadline = { remainingMs: () => 2000 }
const texts = (...keys: readonly string[]) => [{ command: { kind: 'string' as const }, keys }]
const asking = { timeoutMs: 2000, repeatable: true }
const script = (text: string) => ({ text, sha: createHash('sha1').update(text).digest('hex') })
const setScript = script('return redis.call("SET", KEYS[1], ARGV[1])')

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function server(
  settings: readonly string[] = [],
  options: RedisOptions = {},
): Promise<LocalRedis & { readonly admin: Redis }> {
  const redis = await startRedis({ ...options, settings })
  ends.push(() => redis.stop())
  const admin = new Redis(redis.url)
  ends.push(() => admin.disconnect())
  return { ...redis, admin }
}

async function refusal(url: string): Promise<string> {
  const port = connectRedis({ url, scenario: 'visits' })
  ends.push(() => port.close())
  const failure = await port.lookupMany(texts('a', 'b'), deadline).catch(error => error)
  expect(failure).toBeInstanceOf(RetryableError)
  expect(inspect(failure, { depth: 10 })).not.toMatch(/right-secret|wrong-secret/)
  return failure.message
}

function client(url: string) {
  const one = createRedisClient(targetOf(url), 'sluice.visits')
  ends.push(() => one.close())
  return one
}

test('logins: none, a wrong one, one without rights; the right one is answered', async () => {
  const { port, admin } = await server()
  await admin.set('a', 'found')
  await admin.call('ACL', 'SETUSER', 'reader', 'on', '>right-secret', '~a', '+get', '+hello')
  await admin.call('ACL', 'SETUSER', 'nobody', 'on', '>right-secret', '~a', '+ping')
  await admin.config('SET', 'requirepass', 'right-secret')
  const at = `127.0.0.1:${port}`
  expect(await refusal(`redis://${at}`)).toMatch(
    /^\[redis-unreachable\] visits: 2 look-ups got no answer from \S+ \(NOAUTH\)\..* The server wants a password/,
  )
  expect(await refusal(`redis://:wrong-secret@${at}`)).toMatch(/\(WRONGPASS\)\..* User or password is wrong/)
  expect(await refusal(`redis://nobody:right-secret@${at}`)).toMatch(/\(NOPERM\)\..* look-ups need GET, HMGET and SISMEMBER/)
  // A key that this user may not read fails the batch: nobody knows what is there.
  expect(await refusal(`redis://reader:right-secret@${at}`)).toMatch(/\(NOPERM\)/)
  const reader = connectRedis({ url: `redis://reader:right-secret@${at}`, scenario: 'visits' })
  ends.push(() => reader.close())
  expect(await reader.lookupMany(texts('a'), deadline)).toEqual([['found']])
})

test('a database of its own; one that is not there', async () => {
  const { url, admin } = await server()
  await admin.select(3)
  await admin.set('a', 'in the third')
  const third = connectRedis({ url: `${url}/3`, scenario: 'visits' })
  ends.push(() => third.close())
  expect(await third.lookupMany(texts('a'), deadline)).toEqual([['in the third']])
  expect(await refusal(`${url}/99`)).toMatch(/\(an error of the server\)/)
})

test('READONLY: a replica answers look-ups and refuses a script that writes', async () => {
  const primary = await server()
  await primary.admin.set('a', 'found')
  const replica = await server(['--replicaof', '127.0.0.1', String(primary.port), '--repl-diskless-sync-delay', '0'])
  await expect.poll(() => replica.admin.get('a'), { timeout: 10_000 }).toBe('found')
  const port = connectRedis({ url: replica.url, scenario: 'visits' })
  ends.push(() => port.close())
  expect(await port.lookupMany(texts('a'), deadline)).toEqual([['found']])
  const refused = await client(replica.url).evaluate(setScript, ['a'], ['x'], asking)
  expect(refused).toMatchObject({ code: 'READONLY' })
  const about = { scenario: 'visits', keyCount: 1, address: 'replica:6379', timeoutMs: 2000 }
  expect((redisFailure(refused, about) as Error).message).toMatch(/\(READONLY\)\..* This is a replica: use the primary endpoint/)
})

test('MASTERDOWN: a replica that has lost its primary and serves nothing old', async () => {
  const { url } = await server(['--replicaof', '127.0.0.1', '1', '--replica-serve-stale-data', 'no'])
  expect(await refusal(url)).toMatch(/\(MASTERDOWN\)\..* use the primary endpoint/)
})

test('OOM: a full server refuses a script that writes and answers look-ups', async () => {
  const { url, admin } = await server()
  await admin.set('a', 'found')
  await admin.config('SET', 'maxmemory', '1')
  expect(await client(url).evaluate(setScript, ['b'], ['x'], asking)).toMatchObject({ code: 'OOM' })
  const port = connectRedis({ url, scenario: 'visits' })
  ends.push(() => port.close())
  expect(await port.lookupMany(texts('a'), deadline)).toEqual([['found']])
})

test('LOADING: a server that reads its data makes the batch come again, and answers afterwards', async () => {
  const settings = ['--enable-debug-command', 'yes', '--loading-process-events-interval-bytes', '1024']
  const { url, admin } = await server(settings)
  const pipeline = admin.pipeline()
  for (let k = 0; k < 300; k++) pipeline.set(`k:${k}`, 'x'.repeat(1000))
  await pipeline.exec()
  await admin.config('SET', 'key-load-delay', '3000')
  const reloaded = admin.call('DEBUG', 'RELOAD')
  const port = connectRedis({ url, scenario: 'visits' })
  ends.push(() => port.close())
  const outcomes: string[] = []
  await expect
    .poll(
      async () => {
        const outcome = await port.lookupMany(texts('k:1'), deadline).then(
          answers => String(answers[0]![0]).length,
          error => (error as Error).message,
        )
        outcomes.push(String(outcome))
        return outcomes.some(one => one.includes('(LOADING)')) && outcome === 1000
      },
      { timeout: 15_000, interval: 20 },
    )
    .toBe(true)
  await reloaded
  expect(outcomes.filter(one => one !== '1000' && !one.includes('(LOADING)'))).toEqual([])
})

test('a script is sent whole once to a server that does not know it, among other commands', async () => {
  const { url, admin } = await server()
  const one = client(url)
  const echo = script('return {KEYS[1], ARGV[1], 7, {false}}')
  for (const _ of ['unknown', 'known']) expect(await one.evaluate(echo, ['ké'], ['vØ'], asking)).toEqual(['ké', 'vØ', 7, [null]])
  expect(await admin.script('EXISTS', echo.sha)).toEqual([1])
  await admin.script('FLUSH')
  expect(await one.evaluate(echo, ['k'], [Uint8Array.of(0x61, 0x0d)], asking)).toEqual(['k', 'a\r', 7, [null]])
  const calls = String(await admin.info('commandstats'))
  expect(calls).toMatch(/cmdstat_evalsha:calls=3,/)
  expect(calls).toMatch(/cmdstat_eval:calls=2,/)
})

test("a script's own error is a value, and the others of its pipeline are answered", async () => {
  const { url, admin } = await server()
  await admin.set('a', 'found')
  const replies = await client(url).exchange(
    listed([{ text: encode('EVAL', 'return redis.error_reply("MINE out of places")', 0) }, { text: encode('GET', 'a') }]),
    asking,
  )
  expect(replies).toEqual([new ReplyError('MINE out of places'), 'found'])
})

test('bytes that are not UTF-8 are another kind of data, at their place', async () => {
  const { url, admin } = await server()
  await admin.set('bytes', Buffer.of(0xff, 0x00))
  await admin.set('a', 'Łódź')
  const port = connectRedis({ url, scenario: 'visits' })
  ends.push(() => port.close())
  expect(await port.lookupMany(texts('a', 'bytes', 'a'), deadline)).toEqual([
    ['Łódź', { found: 'bytes that are not UTF-8' }, 'Łódź'],
  ])
})

test('a connection that is half open after a freeze: look-ups are asked again on another within the deadline', async () => {
  const { url, admin } = await server()
  await admin.set('a', 'found')
  const proxy = await startProxy(new URL(url).host)
  ends.push(() => proxy.close())
  const port = connectRedis({ url: `redis://${proxy.address}`, scenario: 'visits' })
  ends.push(() => port.close())
  expect(await port.lookupMany(texts('a'), deadline)).toEqual([['found']])
  await new Promise(resolve => setTimeout(resolve, 1100))
  // What is sent into the old connection is lost, and nobody says so.
  proxy.deafen()
  expect(await port.lookupMany(texts('a'), { remainingMs: () => 1000 })).toEqual([['found']])
  expect(proxy.connectionCount()).toBe(2)
})
