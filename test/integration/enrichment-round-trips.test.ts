// What `explain` says is what a real Redis sees: a proxy in front of it counts commands and round trips while random scenarios decide batches of
// many sizes; the decisions are those of a naive reading, record by record.
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { explain } from '../../lib/compiler/explain.ts'
import { interpretedPlan } from '../../lib/compiler/interpreted.ts'
import { plan as planOf } from '../../lib/compiler/planning.ts'
import { memoryLog } from '../../lib/connectors/memory.ts'
import { connectRedis } from '../../lib/connectors/redis.ts'
import type { Plan } from '../../lib/plan/plan.ts'
import { createHandler } from '../../lib/runtime/handler.ts'
import { checkScenario } from '../../lib/scenario/check.ts'
import { silent, startContainer } from '../enrichment/batches.ts'
import { itemsOf, naiveFate, randomContent, randomFrom, randomModel, redisKinds, scenarioFiles } from '../enrichment/model.ts'
import { type CountingProxy, countingProxy, redisCommands } from './counting-proxy.ts'

let proxy: CountingProxy
let url: string
let admin: Redis

beforeAll(async () => {
  proxy = await countingProxy(new URL(inject('redis')).host)
  url = `redis://${proxy.address}`
  admin = new Redis(inject('redis'))
})

afterAll(async () => {
  admin.disconnect()
  await proxy.close()
})

test('never more commands and round trips than explain says, whatever the batch size', async () => {
  const port = connectRedis({ url, scenario: 'random' })
  const timeoutMs = 30_000
  await port.lookupMany([{ command: { kind: 'string' }, keys: ['warm'], timeoutMs }], { remainingMs: () => timeoutMs })
  const seen = new Set<string>()
  let askedAgain = 0
  let mostRoundTrips = 0
  for (let seed = 1; seed <= 40; seed++) {
    const random = randomFrom(seed)
    const model = randomModel(random, redisKinds)
    const ids = Array.from({ length: 50 }, (_, n) => `${process.pid}-${seed}-${n}`)
    const content = randomContent(model, ids, random)
    const { scenario } = checkScenario('random.yml', scenarioFiles(model, content).text)
    // Filters that exclude each other are told, and are no scenario.
    if (scenario === undefined) continue
    const planning = planOf(scenario)
    for (const [key, entry] of Object.entries(content)) {
      if (entry.type === 'hash') await admin.hset(key, entry.value)
      else if (entry.type === 'set') await admin.sadd(key, ...entry.value)
      else await admin.set(key, entry.value)
    }
    const text = explain(planning)
    const sum = (pattern: RegExp) => [...text.matchAll(pattern)].reduce((all, match) => all + Number(match[1]), 0)
    const perRecord = {
      HMGET: sum(/(\d+) HMGET\b[^;]*? per record/g),
      GET: sum(/(\d+) GET\b[^;]*? per record/g),
      SISMEMBER: sum(/(\d+) SISMEMBER per record/g),
    }
    const perElement = sum(/(\d+) HMGET per element/g)
    const said = Number(/(\d+) round trips? per batch at most/.exec(text)?.[1] ?? 0)
    for (const size of [1, 7, 100]) {
      const batch = Array.from({ length: size }, () => ids[random(ids.length)]!)
      proxy.forget()
      const decide = startContainer(observe =>
        createHandler(patient({ ...interpretedPlan(planning), stopAbove: 1 }, timeoutMs), {
          kafka: memoryLog(),
          stores: { redis: port },
          log: silent,
          deadLetterTopic: 'dead',
          observe,
        }),
      )
      const decisions = await decide(batch.map(id => ({ id, items: itemsOf(id, ids).map(item => ({ id: item })) })))
      const place = `seed ${seed}, ${size} records\n${text}`
      const { first: roundTrips, again } = parted(proxy.roundTrips)
      for (const keys of again)
        expect(
          keys.map(key => content[key]?.type),
          place,
        ).toContain('hash')
      askedAgain += again.length
      const asked = askedOf(roundTrips)
      for (const command of asked.keys()) seen.add(command)
      const askedTimes = (command: string) => asked.get(command) ?? 0
      expect(roundTrips.length, place).toBeLessThanOrEqual(said)
      const distinct = [...new Set(batch)]
      const elementCount = distinct.reduce((count, id) => count + itemsOf(id, ids).length, 0)
      expect(askedTimes('HMGET'), place).toBeLessThanOrEqual(perRecord.HMGET * distinct.length + perElement * elementCount)
      expect(askedTimes('GET'), place).toBeLessThanOrEqual(perRecord.GET * distinct.length)
      expect(askedTimes('SISMEMBER'), place).toBeLessThanOrEqual(perRecord.SISMEMBER * distinct.length)
      mostRoundTrips = Math.max(mostRoundTrips, roundTrips.length)
      for (const [i, id] of batch.entries()) {
        const fate = naiveFate(model, id, { content, ids })
        const { droppedBy, reason, outputs } = decisions[i]!
        if (fate.reasons.length > 0) expect(fate.reasons, place).toContain(reason)
        else expect({ reason, outputs }, place).toEqual({ reason: undefined, outputs: fate.outputs })
        if (fate.droppedBy.length > 0) expect(fate.droppedBy, place).toContain(droppedBy)
      }
    }
    if (Object.keys(content).length > 0) await admin.del(...Object.keys(content))
  }
  // The family holds deep dependencies, so that the bound is met and not only kept.
  expect(mostRoundTrips).toBeGreaterThanOrEqual(3)
  expect([...seen].sort()).toEqual(['GET', 'HMGET', 'SISMEMBER'])
  expect(askedAgain).toBeGreaterThan(0)
  await port.close()
})

/**
 * A group of texts in which another kind of data lies shows that, but not where: what has no text in it is asked again, key by key. Such
 * round trips come on top of those that explain counts (lib/connectors/redis/reading.ts).
 */
function parted(roundTrips: readonly string[]): {
  readonly first: readonly string[]
  readonly again: readonly (readonly string[])[]
} {
  const grouped = new Set<string>()
  const first: string[] = []
  const again: (readonly string[])[] = []
  for (const trip of roundTrips) {
    const commands = redisCommands(trip).map(command => command.split(' '))
    if (commands.every(([name, key]) => name === 'GET' && grouped.has(key!))) again.push(commands.map(([, key]) => key!))
    else first.push(trip)
    for (const [name, ...keys] of commands) if (name === 'MGET') for (const key of keys) grouped.add(key)
  }
  return { first, again }
}

/** How many keys were asked for, by the command of `explain`. Texts go in groups: EXISTS and MGET of the same keys, in a transaction. */
function askedOf(roundTrips: readonly string[]): ReadonlyMap<string, number> {
  const asked = new Map<string, number>()
  for (const [name, ...words] of redisCommands(roundTrips.join('')).map(command => command.split(' '))) {
    if (['MULTI', 'EXISTS', 'EXEC'].includes(name!)) continue
    const command = name === 'MGET' ? 'GET' : name!
    asked.set(command, (asked.get(command) ?? 0) + (name === 'MGET' ? words.length : 1))
  }
  return asked
}

/** A busy machine's: time is not what these tests are about. */
function patient(plan: Plan, timeoutMs: number): Plan {
  return { ...plan, lookups: plan.lookups.map(lookup => ({ ...lookup, timeoutMs })) }
}
