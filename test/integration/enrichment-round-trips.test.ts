// What `explain` says is what a real Redis sees: a proxy in front of it counts commands and round trips while random scenarios decide batches of
// many sizes; the decisions are those of a naive reading, record by record.
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { explain } from '../../lib/compiler/explain.ts'
import { interpretedPlan } from '../../lib/compiler/interpreted.ts'
import { plan as planOf } from '../../lib/compiler/planning.ts'
import { memoryLog } from '../../lib/connectors/memory.ts'
import { connectRedis } from '../../lib/connectors/redis.ts'
import { createHandler } from '../../lib/runtime/handler.ts'
import { checkScenario } from '../../lib/scenario/check.ts'
import { silent, startContainer } from '../enrichment/batches.ts'
import { itemsOf, naiveFate, randomContent, randomFrom, randomModel, scenarioFiles } from '../enrichment/model.ts'
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
  const deadline = { remainingMs: () => 5000 }
  await port.lookupMany([{ command: { kind: 'string' }, keys: ['warm'] }], deadline)
  let mostRoundTrips = 0
  for (let seed = 1; seed <= 40; seed++) {
    const random = randomFrom(seed)
    const model = randomModel(random, ['hash', 'hash', 'hash', 'each'])
    const ids = Array.from({ length: 50 }, (_, n) => `${process.pid}-${seed}-${n}`)
    const content = randomContent(model, ids, random)
    const { scenario } = checkScenario('random.yml', scenarioFiles(model, content).text)
    // Filters that exclude each other are told, and are no scenario.
    if (scenario === undefined) continue
    const planning = planOf(scenario)
    for (const [key, entry] of Object.entries(content)) {
      if (entry.type === 'hash') await admin.hset(key, entry.value)
      else if (entry.type === 'string') await admin.set(key, entry.value)
    }
    const text = explain(planning)
    const sum = (pattern: RegExp) => [...text.matchAll(pattern)].reduce((all, match) => all + Number(match[1]), 0)
    const perRecord = sum(/(\d+) HMGET per record/g)
    const perElement = sum(/(\d+) HMGET per element/g)
    const said = Number(/(\d+) round trips? per batch at most/.exec(text)?.[1] ?? 0)
    for (const size of [1, 7, 100]) {
      const batch = Array.from({ length: size }, () => ids[random(ids.length)]!)
      proxy.forget()
      const decide = startContainer(observe =>
        createHandler(
          { ...interpretedPlan(planning), stopAbove: 1 },
          { kafka: memoryLog(), stores: { redis: port }, log: silent, deadLetterTopic: 'dead', observe },
        ),
      )
      const decisions = await decide(batch.map(id => ({ id, items: itemsOf(id, ids).map(item => ({ id: item })) })))
      const place = `seed ${seed}, ${size} records\n${text}`
      const { roundTrips } = proxy
      const commands = redisCommands(roundTrips.join('')).map(command => command.split(' ')[0])
      expect(roundTrips.length, place).toBeLessThanOrEqual(said)
      expect(new Set(commands), place).toEqual(commands.length === 0 ? new Set() : new Set(['HMGET']))
      const distinct = [...new Set(batch)]
      const elementCount = distinct.reduce((count, id) => count + itemsOf(id, ids).length, 0)
      expect(commands.length, place).toBeLessThanOrEqual(perRecord * distinct.length + perElement * elementCount)
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
  await port.close()
})
