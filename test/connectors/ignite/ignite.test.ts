// What Ignite alone has: values of Java's types, caches by name, and a Redis protocol that must not be believed.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type LocalIgnite, startIgnite } from '../../../infra/local/ignite.ts'
import { connectIgnite } from '../../../lib/connectors/ignite.ts'
import { connectRedis } from '../../../lib/connectors/redis.ts'
import { WrongKind } from '../../../lib/plan/plan.ts'

const deadline = { remainingMs: () => 2000 }
const texts = (keys: readonly string[]) => ({ command: { kind: 'string' }, keys }) as const
let ignite: LocalIgnite
const at = (address: string, cache: string) => `ignite://ignite:ignite@${address}/${cache}`

beforeAll(async () => {
  ignite = await startIgnite({ text: 'one', number: 7, other: 'two' })
})
afterAll(() => ignite.stop())

test('a value of another Java type is told at its place', async () => {
  const port = connectIgnite({ url: at(ignite.address, 'profiles'), scenario: 'visits' })
  expect(await port.lookupMany([texts(['text', 'number', 'other'])], deadline)).toEqual([['one', expect.any(WrongKind), 'two']])
  await port.close()
})

test('a cache that is not there', async () => {
  const port = connectIgnite({ url: at(ignite.address, 'nowhere'), scenario: 'visits' })
  await expect(port.lookupMany([texts(['text'])], deadline)).rejects.toThrow(
    /^\[ignite-unreachable\] visits: 1 look-ups got no answer from 127\.0\.0\.1:\d+ \(there is no such cache\)\./,
  )
  await port.close()
})

test('redis:// at Ignite is refused, and the message says what to write instead', async () => {
  const port = connectRedis({ url: `redis://${ignite.redisAddress}`, scenario: 'visits' })
  await expect(port.lookupMany([texts(['text'])], deadline)).rejects.toThrow(
    /^\[redis-unreachable\] .* as Apache Ignite does, whose Redis protocol mixes up answers: if Ignite runs there, write ignite:\/\/host:10800\/CACHE\.$/,
  )
  await port.close()
})
