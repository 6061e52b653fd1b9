// State in the table that the stack makes, by a function as it is bundled for it: on dynalite, with only the calls that its role allows.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request as send } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { Producer } from '@platformatic/kafka'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { startDynamoDb } from '../../../infra/local/dynamodb.ts'
import { createTopics } from '../../../infra/local/topics.ts'
import { esmSettingsOf } from '../../../infra/mapping.ts'
import { statementsOf } from '../../../infra/permissions.ts'
import { stateTableResource } from '../../../infra/state-store.ts'
import { bundleScenario } from '../../../lib/compiler/bundle.ts'
import { readCommitted, writtenEnds } from '../../../lib/emulator/committed.ts'
import { base64 } from '../../runtime/plan-fixture.ts'

const kafka = inject('kafka')
const id = `table-${Date.now()}`
const text = `scenario: ${id}
description: Every visit is counted, the first two are greeted.
source:
  topic: ${id}-visits
  event: { id: string }
state:
  seen: { key: event.id, fields: { count: int = 0 }, when: true, set: { count: seen.count + 1 } }
  greeting: { key: event.id, limit: 2, within: 1h }
sinks:
  out: { topic: ${id}-out, key: event.id, value: { before: seen.count, place: greeting.number } }
`

const calls = new Set<string>()
const stops: (() => unknown)[] = []
mkdirSync('.sluice', { recursive: true })
const folder = mkdtempSync(join(resolve('.sluice'), 'table-'))
const environment = { ...process.env }

beforeAll(async () => {
  const local = await startDynamoDb()
  const proxy = createServer((request, response) => {
    calls.add(String(request.headers['x-amz-target']).replace('DynamoDB_20120810.', 'dynamodb:'))
    const onward = send(`${local.endpoint}${request.url}`, { method: request.method, headers: request.headers }, answer => {
      response.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(response)
    })
    request.pipe(onward)
  })
  await new Promise<void>(ready => proxy.listen(0, '127.0.0.1', ready))
  stops.push(
    () => proxy.closeAllConnections(),
    () => proxy.close(),
    () => local.stop(),
  )
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local', AWS_REGION: 'eu-central-1' })
  const client = new DynamoDBClient({ endpoint: local.endpoint })
  const { Properties } = stateTableResource(`${id}-state`) as { Properties: Record<string, unknown> }
  const { TableName, BillingMode, AttributeDefinitions, KeySchema } = Properties
  await client.send(new CreateTableCommand({ TableName, BillingMode, AttributeDefinitions, KeySchema } as never))
  client.destroy()
  const topics = [`${id}-visits`, `${id}-out`, `sluice.${id}.dead-letters`]
  await createTopics(
    kafka,
    topics.map(name => ({ name })),
  )
  await writtenEnds(kafka, topics)
  Object.assign(process.env, {
    SLUICE_KAFKA: kafka,
    SLUICE_STATE: `dynamodb://${id}-state`,
    SLUICE_DYNAMODB: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    SLUICE_METRICS: 'off',
  })
})

afterAll(async () => {
  for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name]
  Object.assign(process.env, environment)
  for (const stop of stops) await stop()
  rmSync(folder, { recursive: true })
})

test('records see what those before them left, over batches and containers, with the rights of the role alone', async () => {
  const file = join(folder, `${id}.yml`)
  writeFileSync(file, text)
  const { code, scenario } = await bundleScenario(file, { stores: 'real', stateScheme: 'dynamodb' })
  const containers = ['first', 'second'].map(name => {
    const bundle = join(folder, `${name}.mjs`)
    writeFileSync(bundle, code)
    return bundle
  })
  const producer = new Producer({ clientId: 'table-test', bootstrapBrokers: kafka.split(',') })
  const value = Buffer.from('{"id":"anna"}')
  await producer.send({
    messages: [0, 1, 2, 3].map(() => ({ topic: `${id}-visits`, partition: 0, key: value, value })),
  } as never)
  await producer.close()
  const deliver = async (bundle: string, offsets: readonly number[]) => {
    const { handler } = (await import(bundle)) as { handler: (event: object, context: object) => Promise<unknown> }
    const records = offsets.map(offset => ({
      topic: `${id}-visits`,
      partition: 0,
      offset,
      timestamp: 1795165200000,
      timestampType: 'CREATE_TIME',
      value: base64('{"id":"anna"}'),
      headers: [],
    }))
    await handler(
      { eventSource: 'aws:kafka', bootstrapServers: kafka, records: { [`${id}-visits-0`]: records } },
      { getRemainingTimeInMillis: () => 30_000 },
    )
  }
  await deliver(containers[0]!, [0])
  await deliver(containers[1]!, [0, 1, 2])
  await deliver(containers[0]!, [2, 3])
  const outputs = await readCommitted(kafka, [`${id}-out`], { from: new Map([[`${id}-out`, [0n]]]), timeoutMs: 30_000 })
  expect(outputs.map(output => output.value!.toString())).toEqual(['{"before":0,"place":1}', '{"before":1,"place":2}'])
  const statements = statementsOf(scenario, {
    cluster: undefined,
    settings: esmSettingsOf(scenario),
    deadLetterTopic: 'dead',
    logGroupName: 'log',
    stateTable: `${id}-state`,
  })
  expect([...calls].sort()).toEqual([...statements.find(({ Sid }) => Sid === 'State')!.Action].sort())
})
