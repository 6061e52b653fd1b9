import { readFileSync, writeFileSync } from 'node:fs'
import { Producer } from '@platformatic/kafka'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { createTopics } from '../../../infra/local/topics.ts'
import { readCommitted, writtenEnds } from '../../../lib/emulator/committed.ts'
import { type AppliedFunction, applyFunction, unzip } from './applied-stack.ts'
import { type FakeAws, startFakeAws } from './fake-aws.ts'
import { copyService, type Service } from './service.ts'

const kafka = inject('kafka')
const redisUrl = inject('redis')
const id = `deploy-${Date.now()}`
const topics = { source: `${id}-orders`, output: `${id}-large`, deadLetters: `sluice.${id}.dead-letters` }
const functionName = `sluice-dev-${id}`

let aws: FakeAws
let service: Service
let redis: Redis
let running: AppliedFunction | undefined

beforeAll(async () => {
  aws = await startFakeAws()
  service = copyService()
  redis = new Redis(redisUrl)
  await redis.hset(`${id}:gold`, { limit: '100' })
  await createTopics(
    kafka,
    Object.values(topics).map(name => ({ name })),
  )
  await writtenEnds(kafka, Object.values(topics))
})

afterAll(async () => {
  await running?.stop()
  service.remove()
  await redis.del(`${id}:gold`, ...(await redis.keys(`sluice:${id}.*`)))
  redis.disconnect()
  await aws.close()
})

test('a first deploy uploads each function and the templates, and makes the stack', async () => {
  writeFileSync(service.path(`functions/${id}.yml`), scenario('large'))
  const { code, output } = await serverless('deploy')
  expect([code, output]).toEqual([0, expect.stringContaining('Service deployed')])
  const uploaded = [...aws.objects.keys()].map(key =>
    key
      .split('/')
      .at(-1)!
      .replace(/-[0-9a-f]{16}\./, '.'),
  )
  expect(uploaded.sort()).toEqual(
    [
      'compiled-cloudformation-template.json',
      `${id}.zip`,
      'large-transactions.zip',
      'next-best-action.zip',
      'serverless-state.json',
      'sluice-observability.json',
      'telecom-campaign.zip',
    ].sort(),
  )
  const types = Object.values(aws.stack()!.Resources).map(({ Type }) => Type)
  expect(types.filter(type => type === 'AWS::Lambda::EventSourceMapping')).toHaveLength(4)
  expect([...unzip(aws.functions.get(functionName)!.code).keys()]).toEqual(['index.js', 'package.json'])
})

test('the deployed zip, environment and mapping decide real records', async () => {
  running = await applyFunction(aws, functionName, kafka)
  await produce([
    { id: 'gold', amount: 150 },
    { id: 'gold', amount: 50 },
    { id: 'none', amount: 150 },
  ])
  expect(await outputs(1)).toEqual(['{"what":"large","amount":150,"before":0}'])
  const line = await metricLine(({ records }) => records === 3)
  expect(line).toMatchObject({
    FunctionName: functionName,
    'dropped.exceeds': 1,
    'dropped.customer': 1,
    'emitted.out': 1,
    'remembered.seen': 1,
    // A claim of the state's lock, one pipeline for look-ups and state, a write.
    roundTrips: 3,
  })
})

test('nothing has changed: nothing is deployed', async () => {
  const before = aws.calls.length
  const { code, output } = await serverless('deploy')
  expect([code, output]).toEqual([0, expect.stringContaining('No changes to deploy')])
  expect(aws.calls.slice(before)).not.toContain('CloudFormation ExecuteChangeSet')
})

test('a change is deployed; the new code goes on where the old one ended, with the state that it left', async () => {
  writeFileSync(service.path(`functions/${id}.yml`), scenario('huge'))
  expect((await serverless('deploy')).code).toBe(0)
  await restart()
  await produce([{ id: 'gold', amount: 200 }])
  expect(await outputs(2)).toEqual(['{"what":"large","amount":150,"before":0}', '{"what":"huge","amount":200,"before":1}'])
})

test('rollback brings back code, settings and what watches them; positions and state stay where they are', async () => {
  const listed = await serverless('deploy', 'list')
  const timestamps = [...listed.output.matchAll(/Timestamp: (\d+)/g)].map(([, timestamp]) => timestamp!)
  expect(timestamps).toHaveLength(2)
  const changed = aws.stack()!.Resources
  const { code, output } = await serverless('rollback', '--timestamp', timestamps[0]!)
  expect([code, output]).toEqual([0, expect.stringContaining('Service rolled back to timestamp')])
  const codeOf = (resources: typeof changed) =>
    Object.values(resources).find(({ Properties }) => Properties['FunctionName'] === functionName)!.Properties['Code']
  expect(codeOf(aws.stack()!.Resources)).not.toEqual(codeOf(changed))
  await restart()
  await produce([{ id: 'gold', amount: 250 }])
  expect(await outputs(3)).toEqual([
    '{"what":"large","amount":150,"before":0}',
    '{"what":"huge","amount":200,"before":1}',
    '{"what":"large","amount":250,"before":2}',
  ])
})

test('deploy function changes code alone, and keeps the role of the stack', async () => {
  writeFileSync(service.path(`functions/${id}.yml`), scenario('vast'))
  const before = aws.functions.get(functionName)!
  const calls = aws.calls.length
  const { code, output } = await serverless('deploy', 'function', '--function', id)
  expect([code, output]).toEqual([0, expect.stringContaining('Function code deployed')])
  expect(aws.calls.slice(calls).filter(call => call.startsWith('CloudFormation'))).toEqual([])
  const after = aws.functions.get(functionName)!
  expect(after.properties['Role']).toBe(before.properties['Role'])
  expect(after.properties['Environment']).toEqual(before.properties['Environment'])
  await restart()
  await produce([{ id: 'gold', amount: 300 }])
  expect((await outputs(4)).at(-1)).toBe('{"what":"vast","amount":300,"before":3}')
})

test('a template that CloudFormation refuses changes nothing', async () => {
  const before = aws.stack()
  const file = service.path('serverless.yml')
  const text = readFileSync(file, 'utf8')
  writeFileSync(file, `${text}\nresources: { Resources: { Extra: { Type: 'AWS::SNS::Topic', Properties: { Nmae: extra } } } }\n`)
  const { code, output } = await serverless('deploy')
  writeFileSync(file, text)
  expect([code, output]).toEqual([1, expect.stringContaining('Extra: has no property Nmae')])
  expect(aws.stack()).toBe(before)
})

test('remove leaves nothing', async () => {
  await running?.stop()
  running = undefined
  const { code, output } = await serverless('remove')
  expect([code, output]).toEqual([0, expect.stringContaining('has been successfully removed')])
  expect([aws.stack(), aws.objects.size, aws.functions.size]).toEqual([undefined, 0, 0])
})

function scenario(word: string): string {
  return `scenario: ${id}
description: Large orders of customers with a limit.
source:
  topic: ${topics.source}
  maximumBatchingWindow: 1
  event: { id: string, amount: int }
enrich:
  customer:
    redis: hash ${id}:{event.id}
    fields: { limit: int }
    onMissing: drop
state:
  seen:
    key: event.id
    fields: { count: int = 0 }
    set: { count: seen.count + 1 }
filter:
  exceeds: event.amount > customer.limit
sinks:
  out:
    topic: ${topics.output}
    key: event.id
    value: { what: "${word}", amount: event.amount, before: seen.count }
function:
  memorySize: 512
`
}

function serverless(...args: readonly string[]) {
  return service.serverless(args, {
    AWS_ENDPOINT_URL: aws.url,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    SLS_AWS_MONITORING_FREQUENCY: '10',
    SLUICE_BOOTSTRAP_SERVERS: kafka,
    SLUICE_REDIS_URL: redisUrl,
  })
}

async function restart(): Promise<void> {
  await running?.stop()
  running = await applyFunction(aws, functionName, kafka)
}

async function produce(events: readonly object[]): Promise<void> {
  const producer = new Producer<Buffer, Buffer, Buffer, Buffer>({ clientId: 'deploy-test', bootstrapBrokers: kafka.split(',') })
  try {
    await producer.send({
      messages: events.map(event => ({ topic: topics.source, partition: 0, value: Buffer.from(JSON.stringify(event)) })),
    })
  } finally {
    await producer.close()
  }
}

/** All committed outputs, once there are so many. */
async function outputs(count: number): Promise<readonly string[]> {
  const beginning = new Map([[topics.output, [0n]]])
  await expect
    .poll(async () => (await readCommitted(kafka, [topics.output], { from: beginning, timeoutMs: 30_000 })).length, {
      timeout: 30_000,
    })
    .toBeGreaterThanOrEqual(count)
    .catch(error => {
      throw new Error(`${error}\n${running?.log()}`)
    })
  const records = await readCommitted(kafka, [topics.output], { from: beginning, timeoutMs: 30_000 })
  return records.map(record => record.value!.toString())
}

async function metricLine(wanted: (line: Record<string, unknown>) => boolean): Promise<Record<string, unknown>> {
  const found = () =>
    running!
      .log()
      .split('\n')
      .filter(line => line.startsWith('{"_aws"'))
      .map(line => JSON.parse(line) as Record<string, unknown>)
      .find(wanted)
  await expect.poll(found, { timeout: 10_000 }).toBeDefined()
  return found()!
}
