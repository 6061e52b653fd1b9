// Where a deployed function keeps state: what its bundle holds, and what its environment makes of it.
import { expect, test } from 'vitest'
import { storesForInvocation } from '../../infra/local-invocation.ts'
import type { SluiceSettings } from '../../infra/settings.ts'
import { stateProblems, stateSettingsProblems, stateTableId, stateTableResource } from '../../infra/state-store.ts'
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
import { templateProblems } from './template-schema.ts'

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

const settings: SluiceSettings = { cluster: 'self-managed', bootstrapServers: 'b:9092' }
test.each<[string, Readonly<Record<string, unknown>>, Partial<SluiceSettings>, readonly string[]]>([
  ['Redis of the look-ups', { SLUICE_REDIS: 'rediss://cache:6379' }, {}, []],
  ['a Redis of its own', { SLUICE_REDIS: 'ignite://host:10800/C', SLUICE_STATE: 'redis://state:6379' }, {}, []],
  ['a table', { SLUICE_REDIS: 'upstash+https://:t@host', SLUICE_STATE: 'dynamodb://sluice-state' }, {}, []],
  ['what CloudFormation alone knows', { SLUICE_REDIS: { 'Fn::ImportValue': 'cache' } }, {}, []],
  ['nothing', {}, {}, ['it has state, and serverless.yml names no store: set "redis" or "state" under "sluice"']],
  [
    'Upstash',
    { SLUICE_REDIS: 'upstash+https://:t@host' },
    {},
    [
      'it has state, and the store of look-ups, upstash+https, does not keep it: set "state" under "sluice" to redis://…, rediss://… or dynamodb://TABLE',
    ],
  ],
  [
    'Ignite that CloudFormation alone knows',
    { SLUICE_REDIS: { Ref: 'Url' } },
    { redisScheme: 'ignite' },
    [
      'it has state, and the store of look-ups, ignite, does not keep it: set "state" under "sluice" to redis://…, rediss://… or dynamodb://TABLE',
    ],
  ],
])('state in %s', (_, environment, more, problems) => {
  expect(stateProblems(scenario!, environment, { ...settings, ...more })).toEqual(problems)
})

test('settings that contradict each other are refused', () => {
  expect(stateSettingsProblems({ ...settings, state: 'redis://a:1', createStateTable: true })).toEqual([
    '"createStateTable" under "sluice" needs the name of the table: set "state" to dynamodb://TABLE',
  ])
  expect(stateSettingsProblems({ ...settings, state: 'dynamodb://table', redisCluster: true })).toEqual([
    '"redisCluster" under "sluice" is about state, which is in DynamoDB: remove one of "redisCluster" and "state"',
  ])
  expect(stateSettingsProblems({ ...settings, state: 'dynamodb://table', createStateTable: true })).toEqual([])
})

test('the table has the key and the time to live that the function writes', () => {
  const template = { Resources: { [stateTableId]: stateTableResource('sluice-state') } }
  expect(templateProblems(template)).toEqual([])
  expect(template.Resources[stateTableId]).toMatchObject({
    DeletionPolicy: 'RetainExceptOnCreate',
    Properties: {
      TableName: 'sluice-state',
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: true },
    },
  })
})

test.each<[string, Readonly<Record<string, string>>, { readonly looksUp: boolean; readonly hasState: boolean }, unknown]>([
  ['nothing is set', {}, { looksUp: true, hasState: true }, 'embedded'],
  ['Kafka alone, and nothing is needed beside it', { SLUICE_KAFKA: 'b' }, { looksUp: false, hasState: false }, 'real'],
  ['Kafka and a store of state', { SLUICE_KAFKA: 'b', SLUICE_STATE: 's' }, { looksUp: false, hasState: true }, 'real'],
  [
    'Kafka alone, and there is state',
    { SLUICE_KAFKA: 'b' },
    { looksUp: false, hasState: true },
    {
      problem:
        'SLUICE_KAFKA is set, and state needs SLUICE_REDIS or SLUICE_STATE as well: set one of them, or none for stores in memory.',
    },
  ],
  [
    'a store of state alone',
    { SLUICE_STATE: 's' },
    { looksUp: false, hasState: true },
    { problem: 'SLUICE_STATE is set, and SLUICE_KAFKA is not: set both, or none for stores in memory.' },
  ],
])('invoke local where %s', (_, env, needs, stores) => {
  expect(storesForInvocation(env, needs)).toEqual(stores)
})
