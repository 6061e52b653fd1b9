// One scenario over Redis, DynamoDB and HTTP at once, each the real client against a real server: three stages, and one call per store and stage.
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { BatchWriteItemCommand, CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { type LocalDynamoDb, startDynamoDb } from '../../infra/local/dynamodb.ts'
import { explain } from '../../lib/compiler/explain.ts'
import { interpretedPlan } from '../../lib/compiler/interpreted.ts'
import { plan as planOf } from '../../lib/compiler/planning.ts'
import { connectDynamoDb } from '../../lib/connectors/dynamodb.ts'
import { connectHttp } from '../../lib/connectors/http.ts'
import { memoryLog } from '../../lib/connectors/memory.ts'
import { connectRedis } from '../../lib/connectors/redis.ts'
import { createHandler } from '../../lib/runtime/handler.ts'
import type { LookupPort } from '../../lib/runtime/ports.ts'
import { checkScenario } from '../../lib/scenario/check.ts'
import { decideBatch, silent } from '../enrichment/batches.ts'

const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }
const region = 'eu-central-1'
let dynamo: LocalDynamoDb
let client: DynamoDBClient
let admin: Redis
let offers: Server
const requested: string[] = []

beforeAll(async () => {
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
  await admin.hset('three:profile:c-1', { segment: 'young' })
  await admin.hset('three:profile:c-2', { segment: 'a/b' })
  await admin.set('three:limit:BOOST', '5')
  offers = createServer((request, response) => {
    requested.push(`${request.method} ${request.url}`)
    if (request.url === '/offers/young') response.setHeader('content-type', 'application/json').end('{"code":"BOOST"}')
    else response.writeHead(404).end()
  })
  await new Promise<void>(resolve => offers.listen(0, '127.0.0.1', resolve))
})

afterAll(async () => {
  await admin.del('three:profile:c-1', 'three:profile:c-2', 'three:limit:BOOST')
  admin.disconnect()
  client.destroy()
  offers.closeAllConnections()
  offers.close()
  await dynamo.stop()
})

test('three stages, each store asked once in each', async () => {
  const file = 'test/enrichment/three-stores.yml'
  const host = `127.0.0.1:${(offers.address() as AddressInfo).port}`
  const { scenario } = checkScenario(file, readFileSync(file, 'utf8').replace('127.0.0.1:1', host))
  const planning = planOf(scenario!)
  expect(explain(planning).split('\n').slice(1)).toEqual([
    '  fetch 1  profile                  1 HMGET per record, one pipeline',
    '  filter   profile found',
    `  fetch 2  account, advisor, offer  BatchGetItem three-accounts; BatchGetItem three-advisors; GET ${host}`,
    '  fetch 3  limit                    1 GET per record, one pipeline',
    '  emit     out                      key event.id; to results',
    '  3 round trips per batch at most',
  ])

  const calls: string[] = []
  const counted = (name: string, port: LookupPort): LookupPort => ({
    ...port,
    lookupMany: (requests, deadline) => {
      calls.push(`${name} ${requests.flatMap(request => request.keys).length}`)
      return port.lookupMany(requests, deadline)
    },
  })
  const stores = {
    redis: counted('redis', connectRedis({ url: inject('redis'), scenario: 'three-stores' })),
    dynamodb: counted('dynamodb', connectDynamoDb({ endpoint: dynamo.endpoint, scenario: 'three-stores', region, credentials })),
    http: counted('http', connectHttp({ scenario: 'three-stores' })),
  }
  const decisions = await decideBatch(
    observe =>
      createHandler(interpretedPlan(planning), { kafka: memoryLog(), stores, log: silent, deadLetterTopic: 'dead', observe }),
    ['c-1', 'c-2', 'c-3', 'c-1'],
  )
  expect(decisions).toEqual([
    {
      droppedBy: undefined,
      reason: undefined,
      outputs: ['results {"id":"c-1","tier":"gold","points":9007199254740993,"advisor":"Łucja","offer":"BOOST","limit":5}'],
    },
    { droppedBy: undefined, reason: undefined, outputs: ['results {"id":"c-2"}'] },
    { droppedBy: 'profile', reason: undefined, outputs: [] },
    expect.objectContaining({ droppedBy: undefined }),
  ])
  expect(calls).toEqual(['redis 3', 'dynamodb 4', 'http 2', 'redis 1'])
  expect(requested.sort()).toEqual(['GET /offers/a%2Fb', 'GET /offers/young'])
  await Promise.all(Object.values(stores).map(port => port.close()))
})
