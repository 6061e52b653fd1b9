// A real cluster of three primaries, of Redis and of Valkey: batches over all nodes, slots that move while we read, a node that dies.
import { createHash } from 'node:crypto'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { installValkey, type LocalRedisCluster, startRedisCluster } from '../../../infra/local/redis.ts'
import { targetOf } from '../../../lib/connectors/redis/address.ts'
import { createRedisClient, type RedisClient } from '../../../lib/connectors/redis/client.ts'
import { encode, listed, scriptCall } from '../../../lib/connectors/redis/commands.ts'
import { connectRedis } from '../../../lib/connectors/redis.ts'
import { WrongKind } from '../../../lib/plan/plan.ts'
import type { LookupPort } from '../../../lib/runtime/ports.ts'

const valkey = await installValkey()
const deadline = { remainingMs: () => 3000 }
const asking = { timeoutMs: 3000, repeatable: true }
const texts = (keys: readonly string[]) => [{ command: { kind: 'string' as const }, keys }]
const keys = Array.from({ length: 1500 }, (_, k) => `customer:${k}`)
/** All in the slot of "moving", as CLUSTER KEYSLOT says, which is the third node's. */
const moving = Array.from({ length: 200 }, (_, k) => `{moving}:${k}`)
const movingSlot = 14_604

describe.each([{ name: 'Redis', command: undefined }, ...(valkey === undefined ? [] : [{ name: 'Valkey', command: valkey }])])(
  '$name',
  ({ command }) => {
    let cluster: LocalRedisCluster
    let admins: readonly Redis[]
    let client: RedisClient
    let port: LookupPort

    beforeAll(async () => {
      cluster = await startRedisCluster(command === undefined ? {} : { command })
      admins = cluster.nodes.map(node => new Redis(node.url))
      client = createRedisClient(targetOf(cluster.url), 'sluice.test')
      port = connectRedis({ url: cluster.url, scenario: 'visits' })
      const all = [...keys, ...moving]
      await client.exchange(listed(all.map(key => ({ text: encode('SET', key, `value of ${key}`), key }))), asking)
    })
    afterAll(async () => {
      await port.close()
      client.close()
      for (const admin of admins) admin.disconnect()
      await cluster.stop()
    })

    const commandCounts = () =>
      Promise.all(admins.map(async admin => Number(/cmdstat_get:calls=(\d+)/.exec(await admin.info('commandstats'))?.[1] ?? 0)))

    test('a batch over all nodes, in the order of the keys, each asked where it lies', async () => {
      const before = await commandCounts()
      expect(await port.lookupMany(texts(keys), deadline)).toEqual([keys.map(key => `value of ${key}`)])
      const asked = (await commandCounts()).map((count, n) => count - before[n]!)
      expect(asked.reduce((sum, count) => sum + count)).toBe(1500)
      expect(Math.min(...asked)).toBeGreaterThan(400)
    })

    test('hashes, sets and another kind of data on several nodes', async () => {
      const setUp = [
        ['HSET', 'hash:1', 'age', '30'],
        ['SADD', 'set:2', 'member'],
        ['SADD', 'set:3', 'other'],
      ] as const
      await client.exchange(listed(setUp.map(words => ({ text: encode(...words), key: words[1] }))), asking)
      const answers = await port.lookupMany(
        [
          { command: { kind: 'hash', fields: ['age', 'none'] }, keys: ['hash:1', 'nobody', 'set:2'] },
          { command: { kind: 'member' }, keys: ['set:2', 'set:3'], members: ['member', 'member'] },
        ],
        deadline,
      )
      expect(answers).toEqual([
        [['30', null], [null, null], expect.any(WrongKind)],
        [true, false],
      ])
    })

    test('a script runs where its keys lie; keys of several slots are refused', async () => {
      const text = 'return {redis.call("GET", KEYS[1]), redis.call("GET", KEYS[2])}'
      const script = { text, sha: createHash('sha1').update(text).digest('hex') }
      const calls = [
        scriptCall(script, ['{moving}:1', '{moving}:2'], []),
        scriptCall(script, ['customer:1', 'customer:2'], []),
        scriptCall(script, ['customer:7', 'customer:7'], []),
      ]
      expect(await client.exchange(listed(calls), asking)).toEqual([
        ['value of {moving}:1', 'value of {moving}:2'],
        expect.objectContaining({ code: expect.stringMatching(/^(CROSSSLOT|ERR)$/) }),
        ['value of customer:7', 'value of customer:7'],
      ])
    })

    test('a user who may not say HELLO is told by the first answer that it is a cluster', async () => {
      for (const admin of admins)
        await admin.call('ACL', 'SETUSER', 'reader', 'on', '>secret', '~*', '+get', '+cluster|slots', '+asking')
      const reader = connectRedis({ url: cluster.url.replace('redis://', 'redis://reader:secret@'), scenario: 'visits' })
      expect(await reader.lookupMany(texts(keys.slice(0, 50)), deadline)).toEqual([
        keys.slice(0, 50).map(key => `value of ${key}`),
      ])
      await reader.close()
    })

    test('a slot moves to another node while it is read: every look-up finds every value', async () => {
      const [target, , source] = admins as unknown as readonly [Redis, Redis, Redis]
      const [targetId, sourceId] = [await target.cluster('MYID'), await source.cluster('MYID')] as [string, string]
      let done = false
      const wrong: unknown[] = []
      let batches = 0
      const reading = (async () => {
        while (!done) {
          const [answers] = await port.lookupMany(texts([...moving, ...keys.slice(0, 20)]), deadline)
          batches++
          moving.forEach((key, k) => {
            if (answers![k] !== `value of ${key}`) wrong.push([key, answers![k]])
          })
        }
      })()
      await target.call('CLUSTER', 'SETSLOT', String(movingSlot), 'IMPORTING', sourceId)
      await source.call('CLUSTER', 'SETSLOT', String(movingSlot), 'MIGRATING', targetId)
      const targetPort = String(cluster.nodes[0]!.port)
      for (let k = 0; k < moving.length; k += 20)
        await source.call('MIGRATE', '127.0.0.1', targetPort, '', '0', '2000', 'KEYS', ...moving.slice(k, k + 20))
      for (const admin of [target, source, admins[1]!])
        await admin.call('CLUSTER', 'SETSLOT', String(movingSlot), 'NODE', targetId)
      const batchesThen = batches
      await expect.poll(() => batches, { timeout: 5000, interval: 5 }).toBeGreaterThan(batchesThen + 2)
      done = true
      await reading
      expect(wrong).toEqual([])
      const errors = await source.info('errorstats')
      expect(errors).toMatch(/errorstat_ASK:count=\d/)
      expect(errors).toMatch(/errorstat_MOVED:count=\d/)
    })

    test('a primary dies: its keys make the batch come again, the others are answered', async () => {
      const dead = cluster.nodes[1]!
      await dead.kill()
      const failure = await port.lookupMany(texts(keys), deadline).catch(error => error)
      expect(failure.message).toMatch(
        /^\[redis-(unreachable|timeout)\] visits: 1500 look-ups got no answer from 127\.0\.0\.1:\d+/,
      )
      expect(await port.lookupMany(texts(moving), deadline)).toEqual([moving.map(key => `value of ${key}`)])
    })
  },
)
