// The look-up port on a real Redis. Faults are made by Redis' own commands, from a second connection.
import { once } from 'node:events'
import { createServer } from 'node:net'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { freePorts } from '../../../infra/local/process.ts'
import { connectRedis } from '../../../lib/connectors/redis.ts'
import { WrongKind } from '../../../lib/plan/plan.ts'
import { type LookupPort, RetryableError } from '../../../lib/runtime/ports.ts'

const deadline = (ms = 2000) => ({ remainingMs: () => ms })
const prefix = `redis-test-${process.pid}`
let admin: Redis
let port: LookupPort

beforeAll(async () => {
  admin = new Redis(inject('redis'))
  await admin.hset(`${prefix}:hash`, { age: '30', name: 'Łukasz', empty: '' })
  await admin.set(`${prefix}:text`, '{"a":1}')
  await admin.sadd(`${prefix}:set`, 'member')
  port = connectRedis({ url: inject('redis'), scenario: 'visits' })
})

afterAll(async () => {
  await admin.del(`${prefix}:hash`, `${prefix}:text`, `${prefix}:set`)
  admin.disconnect()
  await port.close()
})

const hash = (keys: readonly string[], fields = ['age', 'name', 'none', 'empty']) => ({
  command: { kind: 'hash' as const, fields },
  keys,
})
const text = (keys: readonly string[]) => ({ command: { kind: 'string' as const }, keys })

describe('what the store answers', () => {
  test('all requests of a stage in one pipeline, answers in the order of keys', async () => {
    const answers = await port.lookupMany(
      [
        hash([`${prefix}:none`, `${prefix}:hash`]),
        text([`${prefix}:text`, `${prefix}:none`]),
        { command: { kind: 'member' }, keys: [`${prefix}:set`, `${prefix}:set`], members: ['member', 'other'] },
      ],
      deadline(),
    )
    expect(answers).toEqual([
      [
        [null, null, null, null],
        ['30', 'Łukasz', null, ''],
      ],
      ['{"a":1}', null],
      [true, false],
    ])
  })

  test('another kind of data is told, not thrown', async () => {
    const answers = await port.lookupMany([hash([`${prefix}:text`]), text([`${prefix}:hash`])], deadline())
    expect(answers.flat()).toEqual([expect.any(WrongKind), expect.any(WrongKind)])
  })

  test('1,000 keys at once', async () => {
    const keys = Array.from({ length: 1000 }, (_, k) => `${prefix}:many:${k}`)
    const pipeline = admin.pipeline()
    keys.forEach((key, k) => {
      pipeline.set(key, `v${k}`)
    })
    await pipeline.exec()
    const [answers] = await port.lookupMany([text(keys)], deadline())
    expect(answers).toEqual(keys.map((_, k) => `v${k}`))
    await admin.del(...keys)
  })
})

describe('a broken world is retryable, and says where and what to do', () => {
  test('nothing listens there', async () => {
    const [number] = await freePorts(1)
    const nobody = connectRedis({ url: `redis://:secret@127.0.0.1:${number}`, scenario: 'visits' })
    const failure = await nobody.lookupMany([text(['a', 'b'])], deadline()).catch(error => error)
    expect(failure).toBeInstanceOf(RetryableError)
    expect(failure.message).toMatch(
      new RegExp(
        `^\\[redis-unreachable\\] visits: 2 look-ups got no answer from 127\\.0\\.0\\.1:${number} \\(ECONNREFUSED\\)\\. Nothing was emitted, the batch comes again\\. .*security group`,
      ),
    )
    expect(failure.message).not.toContain('secret')
    await nobody.close()
  })

  test('a server that accepts and never answers', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port: number } = silent.address() as { port: number }
    const waiting = connectRedis({ url: `redis://127.0.0.1:${number}`, scenario: 'visits' })
    await expect(waiting.lookupMany([text(['a'])], deadline(100))).rejects.toThrow(
      /^\[redis-timeout\] visits: 1 look-ups got no answer .* within 100 ms/,
    )
    await waiting.close()
    silent.close()
  })

  test('paused longer than the deadline, then well again: no answer goes to the wrong question', async () => {
    await admin.call('CLIENT', 'PAUSE', '2000', 'ALL')
    await expect(port.lookupMany([text([`${prefix}:none`])], deadline(100))).rejects.toThrow('[redis-timeout]')
    await admin.ping()
    expect(await port.lookupMany([text([`${prefix}:text`])], deadline())).toEqual([['{"a":1}']])
  })

  test('the connection is cut between two batches: the next one connects again', async () => {
    await port.lookupMany([text([`${prefix}:text`])], deadline())
    await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    // The cut may be seen only while the next look-up is under way: then that batch comes again.
    const first = await port.lookupMany([text([`${prefix}:text`])], deadline()).catch(error => error)
    if (first instanceof Error) expect(first).toBeInstanceOf(RetryableError)
    expect(await port.lookupMany([text([`${prefix}:text`])], deadline())).toEqual([['{"a":1}']])
  })

  test('an error of the server is no answer', async () => {
    const limited = connectRedis({ url: inject('redis').replace('redis://', 'redis://nobody:wrong@'), scenario: 'visits' })
    await expect(limited.lookupMany([text(['a'])], deadline())).rejects.toThrow('[redis-unreachable]')
    await limited.close()
  })
})
