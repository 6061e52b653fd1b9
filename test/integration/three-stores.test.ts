// One scenario over Redis, DynamoDB and HTTP at once, built for real and fed by a real Kafka broker: three stages, each of which asks all of its
// stores at once and each of them in one round trip, as `explain` says and as proxies in front of the stores see it.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { BatchWriteItemCommand, CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { Producer } from '@platformatic/kafka'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { type LocalDynamoDb, startDynamoDb } from '../../infra/local/dynamodb.ts'
import { createTopics } from '../../infra/local/topics.ts'
import { bundleScenario } from '../../lib/compiler/bundle.ts'
import { explain } from '../../lib/compiler/explain.ts'
import { plan as planOf } from '../../lib/compiler/planning.ts'
import { readCommitted } from '../../lib/emulator/committed.ts'
import { Container } from '../../lib/emulator/container.ts'
import { EventSourceMapping } from '../../lib/emulator/mapping.ts'
import { checkScenario } from '../../lib/scenario/check.ts'
import { type CountingProxy, countingProxy, redisCommands } from './counting-proxy.ts'

const file = 'test/enrichment/three-stores.yml'
const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }
const region = 'eu-central-1'
const topic = `three-stores.events-${process.pid}-${Date.now()}`
const results = topic.replace('events', 'results')
let folder: string
let dynamo: LocalDynamoDb
let client: DynamoDBClient
let admin: Redis
let offers: Server
let proxies: Record<'redis' | 'dynamodb' | 'http', CountingProxy>

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-three-stores-'))
  dynamo = await startDynamoDb()
  client = new DynamoDBClient({ endpoint: dynamo.endpoint, region, credentials })
  for (const [TableName, hash, range] of [
    ['three-accounts', 'id', 'day'],
    ['three-advisors', 'segment', undefined],
  ] as const) {
    await client.send(
      new CreateTableCommand({
        TableName,
        KeySchema: [
          { AttributeName: hash, KeyType: 'HASH' },
          ...(range ? [{ AttributeName: range, KeyType: 'RANGE' } as const] : []),
        ],
        AttributeDefinitions: [hash, ...(range ? [range] : [])].map(AttributeName => ({ AttributeName, AttributeType: 'S' })),
        BillingMode: 'PAY_PER_REQUEST',
      }),
    )
  }
  const put = (Item: Record<string, { S: string } | { N: string }>) => ({ PutRequest: { Item } })
  await client.send(
    new BatchWriteItemCommand({
      RequestItems: {
        'three-accounts': [put({ id: { S: 'c-1' }, day: { S: '1' }, tier: { S: 'gold' }, points: { N: '9007199254740993' } })],
        'three-advisors': [put({ segment: { S: 'young' }, name: { S: 'Łucja' } })],
      },
    }),
  )
  admin = new Redis(inject('redis'))
  await admin.hset('three:profile:c-1', { segment: 'young', unread: 'x'.repeat(1000) })
  await admin.hset('three:profile:c-2', { segment: 'a/b' })
  await admin.set('three:limit:BOOST', '5')
  offers = createServer((request, response) => {
    if (request.url === '/offers/young') response.setHeader('content-type', 'application/json').end('{"code":"BOOST"}')
    else response.writeHead(404).end()
  })
  await new Promise<void>(resolve => offers.listen(0, '127.0.0.1', resolve))
  const delayMs = 50
  proxies = {
    redis: await countingProxy(new URL(inject('redis')).host, { delayMs }),
    dynamodb: await countingProxy(new URL(dynamo.endpoint).host, { delayMs }),
    http: await countingProxy(`127.0.0.1:${(offers.address() as AddressInfo).port}`, { delayMs }),
  }
  await createTopics(inject('kafka'), [{ name: topic }, { name: results }, { name: 'sluice.three-stores.dead-letters' }])
}, 60_000)

afterAll(async () => {
  await admin.del('three:profile:c-1', 'three:profile:c-2', 'three:limit:BOOST')
  admin.disconnect()
  client.destroy()
  for (const proxy of Object.values(proxies)) await proxy.close()
  offers.closeAllConnections()
  offers.close()
  await dynamo.stop()
  rmSync(folder, { recursive: true, force: true })
})

test('explain, to the letter', () => {
  expect(explain(planOf(checkScenario(file, readFileSync(file, 'utf8')).scenario!))).toBe(
    `three-stores: three-stores.events, 100 records or 500 ms per batch, exactly-once
  fetch 1  profile                  1 HMGET per record, one pipeline
  filter   profile found
  fetch 2  account, advisor, offer  BatchGetItem three-accounts; BatchGetItem three-advisors; GET 127.0.0.1:1
  fetch 3  limit                    1 GET per record, one pipeline
  emit     out                      key event.id; to three-stores.results
  3 round trips per batch at most`,
  )
})

test('batches of a hundred records from the broker: three stages, each store asked once in each', async () => {
  const { container, mapping, invocations } = await deploy()
  const producer = new Producer({ clientId: 'three-stores', bootstrapBrokers: inject('kafka').split(','), idempotent: true })
  const produce = (ids: readonly string[]) =>
    producer.send({
      acks: -1,
      messages: ids.map(id => ({ topic, partition: 0, value: Buffer.from(JSON.stringify({ id })) })),
    })
  // c-3 has no profile, and c-2 an offer that is not there.
  const hundred = Array.from({ length: 100 }, (_, n) => `c-${(n % 3) + 1}`)
  try {
    await mapping.start()
    // The first batch also opens connections.
    await produce(hundred)
    await until(() => mapping.committed.get(0) === 100, mapping)
    for (const proxy of Object.values(proxies)) proxy.forget()
    await produce(hundred)
    await until(() => mapping.committed.get(0) === 200, mapping)
  } finally {
    await mapping.stop()
    await producer.close()
    await container.kill()
  }
  expect(invocations).toEqual([100, 100])

  // Of the hash just what is declared, used or not.
  expect(proxies.redis.roundTrips.map(redisCommands)).toEqual([
    ['c-1', 'c-2', 'c-3'].map(id => `HMGET three:profile:${id} segment since`),
    ['GET three:limit:BOOST'],
  ])
  expect(proxies.dynamodb.roundTrips).toHaveLength(1)
  // Two customers with a profile, and their two segments.
  expect(proxies.dynamodb.roundTrips[0]!.match(/BatchGetItem/g)).toHaveLength(2)
  expect(proxies.dynamodb.roundTrips[0]!.match(/"id":\{"S":"[^"]*"\}/g)?.sort()).toEqual(['"id":{"S":"c-1"}', '"id":{"S":"c-2"}'])
  expect(proxies.http.roundTrips).toHaveLength(1)
  expect(proxies.http.roundTrips[0]!.match(/GET \S+/g)?.sort()).toEqual(['GET /offers/a%2Fb', 'GET /offers/young'])

  const records = await readCommitted(inject('kafka'), [results], { timeoutMs: 30_000 })
  const first = '{"id":"c-1","tier":"gold","points":9007199254740993,"advisor":"Łucja","offer":"BOOST","limit":5}'
  // Of each hundred: 34 times c-1, 33 times c-2, in turn; c-3 is dropped.
  const ofOneBatch = Array.from({ length: 67 }, (_, n) => (n % 2 === 0 ? first : '{"id":"c-2"}'))
  const sortedByOffset = [...records].sort((a, b) => sourceOffset(a.headers) - sourceOffset(b.headers))
  expect(sortedByOffset.map(({ value }) => Buffer.from(value!).toString())).toEqual([...ofOneBatch, ...ofOneBatch])
}, 120_000)

function sourceOffset(headers: readonly { readonly name: string; readonly value: Uint8Array | null }[]): number {
  const id = headers.find(({ name }) => name === 'sluice-idempotency-key')!.value!
  return Number(Buffer.from(id).toString().split('/')[3])
}

/** The scenario as it would be deployed, its topics and its HTTP service replaced by those of this run. */
async function deploy() {
  const own = join(folder, 'three-stores.yml')
  const text = readFileSync(file, 'utf8')
    .replace('127.0.0.1:1', proxies.http.address)
    .replace('three-stores.events', topic)
    .replace('three-stores.results', results)
  writeFileSync(own, text)
  const handlerFile = join(folder, 'index.mjs')
  writeFileSync(handlerFile, (await bundleScenario(own, { stores: 'real' })).code)
  let log = ''
  const container = new Container({
    handlerFile,
    name: 'three-stores',
    environment: {
      SLUICE_KAFKA: inject('kafka'),
      SLUICE_REDIS: `redis://${proxies.redis.address}`,
      SLUICE_DYNAMODB: `http://${proxies.dynamodb.address}`,
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
    },
    memoryMb: 512,
    timeoutMs: 30_000,
    log: chunk => {
      log += chunk
    },
  })
  const invocations: number[] = []
  const mapping = new EventSourceMapping({
    settings: {
      topic,
      consumerGroupId: `sluice.three-stores.1.trigger/${topic}`,
      batchSize: 100,
      // Long enough for a hundred records to come together.
      maximumBatchingWindowInSeconds: 20,
      startingPosition: 'TRIM_HORIZON',
      functionResponseTypes: [],
      maximumRetryAttempts: -1,
      functionTimeoutSeconds: 30,
      functionMemoryMb: 512,
    },
    bootstrapServers: inject('kafka'),
    invoke: async event => {
      invocations.push(Object.values(event.records).flat().length)
      const result = await container.invoke(event)
      if (result.status !== 'success') throw new Error(`the function failed: ${JSON.stringify(result)}\n${log.slice(-3000)}`)
      return result
    },
    log: () => undefined,
  })
  return { container, mapping, invocations }
}

async function until(isDone: () => boolean, mapping: EventSourceMapping): Promise<void> {
  while (!isDone()) {
    if (mapping.failure !== undefined) throw mapping.failure
    await delay(20)
  }
}
