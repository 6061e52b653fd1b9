// Where a deployed function keeps state: what its bundle holds, and what its environment makes of it.
import { expect, test } from 'vitest'
import { bundleScenario } from '../../lib/compiler/bundle.ts'
import { interpretedPlan } from '../../lib/compiler/interpreted.ts'
import { stateSchemeOf, stateTableOf } from '../../lib/compiler/key-value.ts'
import { plan } from '../../lib/compiler/planning.ts'
import { connectRedis } from '../../lib/connectors/redis.ts'
import { connectDynamoDbStateByUrl } from '../../lib/connectors/state-dynamodb.ts'
import { connectRedisStateStore } from '../../lib/connectors/state-redis.ts'
import { realWorld } from '../../lib/connectors/world.ts'
import { createHandler } from '../../lib/runtime/handler.ts'
import { checkScenario } from '../../lib/scenario/check.ts'

const { scenario } = checkScenario(
  'functions/visits.yml',
  `scenario: visits
description: Every visit is counted.
source:
  topic: visits
  event: { id: string }
enrich:
  customer: { redis: "hash customer:{event.id}", fields: { name: string }, onMissing: drop }
state:
  seen: { key: event.id, fields: { count: int = 0 }, set: { count: seen.count + 1 } }
sinks:
  out: { topic: out, value: { count: seen.count, name: customer.name } }
`,
)
const visits = interpretedPlan(plan(scenario!))
const kafka = { SLUICE_KAFKA: '127.0.0.1:9', SLUICE_METRICS: 'off' }

test('with the look-ups: state is read in their pipeline', () => {
  const world = realWorld(
    visits,
    { ...kafka, SLUICE_REDIS: 'redis://127.0.0.1:9' },
    { redis: connectRedis, state: connectRedisStateStore },
  )
  expect(world.stores.state).toBe(world.stores.redis)
  expect(Object.keys(world.state!).sort()).toEqual(expect.arrayContaining(['claim', 'close', 'holds', 'write']))
  expect(() => createHandler(visits, world)).not.toThrow()
})

test.each([
  ['another Redis', 'redis://127.0.0.1:10', connectRedisStateStore],
  ['a table of DynamoDB', 'dynamodb://sluice-state', connectDynamoDbStateByUrl],
] as const)('in %s: of its own', (_, url, state) => {
  const env = { ...kafka, SLUICE_REDIS: 'redis://127.0.0.1:9', SLUICE_STATE: url, AWS_REGION: 'eu-central-1' }
  const world = realWorld(visits, env, { redis: connectRedis, state })
  expect(world.stores.state).not.toBe(world.stores.redis)
  expect(() => createHandler(visits, world)).not.toThrow()
})

test('the bundle holds the client of its store alone, and is loaded without a connection', async () => {
  const inputsOf = async (stateScheme: 'redis' | 'dynamodb') =>
    [...(await bundleScenario('functions/promotion.yml', { stores: 'real', stateScheme })).contents]
      .filter(([, bytes]) => bytes > 0)
      .map(([input]) => input)
      .filter(input => /lib\/connectors\/state-(redis|dynamodb)\.ts$|client-dynamodb/.test(input))
      .map(input => input.replace(/^.*node_modules\//, '').replace(/^(@aws-sdk\/client-dynamodb)\/.*/, '$1'))
  expect(new Set(await inputsOf('redis'))).toEqual(new Set(['lib/connectors/state-redis.ts']))
  expect(new Set(await inputsOf('dynamodb'))).toEqual(new Set(['lib/connectors/state-dynamodb.ts', '@aws-sdk/client-dynamodb']))
})

test.each([
  ['redis://cache:6379', 'redis', undefined],
  ['rediss://user:secret@cache:6379/1', 'rediss', undefined],
  ['dynamodb://sluice-state', 'dynamodb', 'sluice-state'],
  ['upstash+https://:token@host', undefined, undefined],
  ['ignite://host:10800/CACHE', undefined, undefined],
])('%s: by its scheme %s, table %s', (url, scheme, table) => {
  expect([stateSchemeOf(url), stateTableOf(url)]).toEqual([scheme, table])
})
