// With state, too, what `explain` says is what a real Redis sees: values are read in the pipeline of the look-ups, and what records leave is written
// in one more round trip, whatever the batch size. The claim of a partition comes once per container, and is not counted.
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type LocalRedis, startRedis } from '../../infra/local/redis.ts'
import { explain } from '../../lib/compiler/explain.ts'
import { interpretedPlan } from '../../lib/compiler/interpreted.ts'
import { plan as planOf } from '../../lib/compiler/planning.ts'
import { memoryLog } from '../../lib/connectors/memory.ts'
import { connectRedis } from '../../lib/connectors/redis.ts'
import { connectRedisStateStore } from '../../lib/connectors/state-redis.ts'
import { createHandler } from '../../lib/runtime/handler.ts'
import { checkScenario } from '../../lib/scenario/check.ts'
import { silent, startContainer } from '../enrichment/batches.ts'
import { type CountingProxy, countingProxy } from './counting-proxy.ts'

let redis: LocalRedis
let proxy: CountingProxy
let admin: Redis

beforeAll(async () => {
  redis = await startRedis()
  // A question in two pieces is still one while its answer is held back.
  proxy = await countingProxy(`127.0.0.1:${redis.port}`, { delayMs: 20 })
  admin = new Redis(redis.url)
})

afterAll(async () => {
  admin.disconnect()
  await proxy.close()
  await redis.stop()
})

const profile = '  profile: { redis: "json profile:{event.id}", fields: { area: string = "none" }, timeout: 30s }'
const area = '  area: { redis: "string area:{profile.area}", value: int, timeout: 30s }'
const visit = '  visit: { key: event.id, fields: { count: int = 0 }, set: { count: visit.count + 1 } }'
const offer = '  offer: { redis: "string offer:{event.id}:{visit.count}", value: string, timeout: 30s }'
const greeting = '  greeting: { key: event.id, limit: 3 }'
const count = 'n: visit.count'

test.each<readonly [name: string, parts: Parts, roundTrips: number]>([
  ['a value alone', { state: [visit], value: [count] }, 2],
  ['a cap alone', { state: [greeting], value: ['g: greeting.number'] }, 1],
  ['a value and a cap', { state: [visit, greeting], value: [count] }, 2],
  [
    'a value beside a look-up',
    { enrich: [profile], state: [visit], value: [count, 'a: profile.area'], filter: 'profile.area != "x"' },
    2,
  ],
  [
    'a value beside two stages of look-ups',
    { enrich: [profile, area], state: [visit], value: [count], filter: 'area.?value.orValue(1) > 0' },
    3,
  ],
  [
    'a value beside a look-up that only the sink needs',
    { enrich: [profile], state: [visit], value: [count, 'a: profile.area'] },
    2,
  ],
  ['a look-up whose key reads a value', { enrich: [offer], state: [visit], value: [count, 'o: offer.?value'] }, 3],
])('%s', async (_, parts, roundTrips) => {
  const name = `counted-${++scenarioCount}`
  const text = textOf(name, parts)
  const { scenario, diagnostics } = checkScenario(`${name}.yml`, text)
  expect(
    diagnostics.filter(({ severity }) => severity === 'error'),
    text,
  ).toEqual([])
  const planning = planOf(scenario!)
  const said = Number(/(\d+) round trips? per batch at most, /.exec(explain(planning))![1])
  await admin.mset('profile:a', '{"area":"north"}', 'profile:c', '{"area":"x"}', 'area:north', '7', 'offer:a:1', 'one more')

  const url = `redis://${proxy.address}`
  // One store under two names, as a deployed function has it.
  const lookups = connectRedis({ url, scenario: name })
  const { state } = connectRedisStateStore({ url, scenario: name })
  const decide = startContainer(observe =>
    createHandler(interpretedPlan(planning), {
      kafka: memoryLog(),
      stores: { redis: lookups, state: lookups },
      state,
      log: silent,
      deadLetterTopic: 'dead',
      observe,
    }),
  )
  await decide([{ id: 'warm' }])
  const seen: number[] = []
  const counts = new Map<string, number>()
  for (const size of [1, 7, 300]) {
    const ids = Array.from({ length: size }, (_, n) => ['a', 'b', 'c', `d${n}`][n % 4]!)
    proxy.forget()
    const decisions = await decide(ids.map(id => ({ id })))
    seen.push(proxy.roundTrips.length)
    for (const [i, id] of ids.entries()) {
      // What a reader of the file would count, record by record.
      const isDropped = id === 'c' && parts.filter?.includes('"x"') === true
      const before = counts.get(id) ?? 0
      if (!isDropped) counts.set(id, before + 1)
      if (!parts.value.includes(count) || parts.state.includes(greeting)) continue
      const [output] = decisions[i]!.outputs
      expect(output === undefined ? undefined : JSON.parse(output.slice('out '.length)).n, `${id}, ${i}\n${text}`).toBe(
        isDropped ? undefined : before,
      )
    }
  }
  expect([said, ...seen]).toEqual([roundTrips, roundTrips, roundTrips, roundTrips])
  await Promise.all([lookups.close(), state.close()])
})

let scenarioCount = 0

interface Parts {
  readonly enrich?: readonly string[]
  readonly filter?: string
  readonly state: readonly string[]
  readonly value: readonly string[]
}

function textOf(name: string, { enrich, filter, state, value }: Parts): string {
  return [
    `scenario: ${name}`,
    'source: { topic: events, event: { id: string } }',
    ...(enrich === undefined ? [] : ['enrich:', ...enrich]),
    ...(filter === undefined ? [] : ['filter:', `  wanted: ${filter}`]),
    'state:',
    ...state,
    'sinks:',
    '  out:',
    '    topic: out',
    '    value:',
    ...value.map(entry => `      ${entry}`),
    '',
  ].join('\n')
}
