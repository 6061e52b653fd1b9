// The whole function, built for real and in its container, while Redis or Kafka is down, is cut off in the middle of a batch, or takes no
// record of that size: a clear error, nothing lost, nothing twice, nothing stuck.
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Producer } from '@platformatic/kafka'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type LocalKafka, startKafka } from '../../infra/local/kafka.ts'
import { freePorts } from '../../infra/local/process.ts'
import { type LocalRedis, startRedis } from '../../infra/local/redis.ts'
import { createTopics } from '../../infra/local/topics.ts'
import { bundleScenario } from '../../lib/compiler/bundle.ts'
import { readCommitted } from '../../lib/emulator/committed.ts'
import { Container } from '../../lib/emulator/container.ts'
import type { KafkaEvent } from '../../lib/runtime/event.ts'

let folder: string
let kafka: LocalKafka
let redis: LocalRedis
const containers: Container[] = []
let generation = 1

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-broken-world-'))
  kafka = await startKafka()
  redis = await startRedis()
  // The batches below are delivered by hand; the partition must reach as far, else our position would lie beyond its end.
  const topics = ['app.visits', 'crm.next-best-actions', 'sluice.next-best-action.dead-letters']
  await createTopics(
    kafka.bootstrapServers,
    topics.map(name => ({ name })),
  )
  const producer = new Producer({ clientId: 'broken-world', bootstrapBrokers: [kafka.bootstrapServers] })
  const messages = Array.from({ length: 100 }, () => ({ topic: 'app.visits', partition: 0, value: Buffer.from('{}') }))
  await producer.send({ acks: -1, messages })
  await producer.close()
  const { code } = await bundleScenario('functions/next-best-action.yml', { stores: 'real' })
  writeFileSync(join(folder, 'index.mjs'), code)
  await fillRedis(redis.url)
}, 120_000)

afterEach(async () => {
  for (const container of containers.splice(0)) await container.kill()
  generation++
})

afterAll(async () => {
  await redis?.stop()
  await kafka?.stop()
  rmSync(folder, { recursive: true, force: true })
})

const customers = ['c-1', 'c-2', 'c-3']

async function fillRedis(url: string): Promise<void> {
  const client = new Redis(url)
  for (const id of customers) {
    await client.hset(`customer:${id}`, { plan: 'basic', segment: 'young', homeCountry: 'PL', consent: 'true' })
    await client.hset(`propensity:young:${id}`, { upgrade: '0.3', roaming: '0.6' })
  }
  client.disconnect()
}

/** The same batch as long as `offset` is the same; a mapping that retries delivers just this again. */
function visits(offset: number): KafkaEvent {
  const records = customers.map((customerId, k) => ({
    topic: 'app.visits',
    partition: 0,
    offset: offset + k,
    timestamp: 1_795_165_200_000,
    timestampType: 'CREATE_TIME' as const,
    value: Buffer.from(JSON.stringify({ type: 'APP_OPENED', customerId, country: 'FR', at: '2026-11-20T10:00:00Z' })).toString(
      'base64',
    ),
  }))
  return { eventSource: 'aws:kafka', records: { 'app.visits-0': records } }
}

function deploy(environment: { readonly kafka?: string; readonly redis?: string } = {}) {
  let log = ''
  const container = new Container({
    handlerFile: join(folder, 'index.mjs'),
    name: 'next-best-action',
    environment: {
      SLUICE_KAFKA: environment.kafka ?? kafka.bootstrapServers,
      SLUICE_REDIS: environment.redis ?? redis.url,
      SLUICE_GENERATION: String(generation),
    },
    memoryMb: 256,
    timeoutMs: 20_000,
    log: text => {
      log += text
    },
  })
  containers.push(container)
  return { container, log: () => log }
}

/** `OFFSET CUSTOMER` of the outputs of this generation, as a read_committed consumer sees them. */
async function decided(topic = 'crm.next-best-actions'): Promise<readonly string[]> {
  const records = await readCommitted(kafka.bootstrapServers, [topic], { timeoutMs: 30_000 })
  const prefix = `next-best-action.${generation}/`
  return records.flatMap(({ key, headers }) => {
    const id = headers.find(({ name }) => name === 'sluice-idempotency-key')?.value
    const text = id === undefined || id === null ? '' : Buffer.from(id).toString()
    return text.startsWith(prefix) ? [`${text.split('/')[3]} ${key === null ? '-' : Buffer.from(key).toString()}`] : []
  })
}

const all = (offset: number) => customers.map((id, k) => `${offset + k} ${id}`)

test('Redis is down when the function starts: the batch fails with words, and is decided when Redis is there', async () => {
  const { port } = redis
  await redis.kill()
  const { container } = deploy()
  const failed = await container.invoke(visits(0))
  expect(failed).toMatchObject({
    status: 'failed',
    error: {
      errorMessage: expect.stringMatching(
        /^\[redis-unreachable\] next-best-action: 6 look-ups got no answer from 127\.0\.0\.1:\d+ \(ECONNREFUSED\)\. Nothing was emitted, the batch comes again\./,
      ),
    },
  })
  redis = await startRedis({ port })
  await fillRedis(redis.url)
  expect(await container.invoke(visits(0))).toMatchObject({ status: 'success', response: { batchItemFailures: [] } })
  expect(await decided()).toEqual(all(0))
})

test('Redis is cut off between the two fetches of a batch: nothing of it is emitted, and it comes out once', async () => {
  // The proxy lets the answers of the first pipeline through, and cuts the connection at the second.
  const proxy = await cuttingProxy(redis.port, 'propensity:')
  const { container } = deploy({ redis: `redis://127.0.0.1:${proxy.port}` })
  expect(await container.invoke(visits(10))).toMatchObject({
    status: 'failed',
    error: { errorMessage: expect.stringContaining('[redis-') },
  })
  expect(await decided()).toEqual([])
  proxy.heal()
  expect(await container.invoke(visits(10))).toMatchObject({ status: 'success' })
  expect(await decided()).toEqual(all(10))
  proxy.close()
})

test('Kafka is down when the function starts: the error names the address and the likely cause', async () => {
  const [port] = await freePorts(1)
  const { container } = deploy({ kafka: `127.0.0.1:${port}` })
  const failed = await container.invoke(visits(20))
  expect(failed).toMatchObject({
    status: 'failed',
    error: { errorMessage: expect.stringMatching(new RegExp(`\\[kafka-unreachable\\].*127\\.0\\.0\\.1:${port}`)) },
  })
})

test('the broker dies between two batches and comes back: the batch comes again, and all come out once and in order', async () => {
  const { container } = deploy()
  expect(await container.invoke(visits(30))).toMatchObject({ status: 'success' })
  await kafka.kill()
  expect(await container.invoke(visits(40))).toMatchObject({
    status: 'failed',
    error: { errorMessage: expect.stringContaining('[kafka-') },
  })
  await kafka.restart()
  let last = await container.invoke(visits(40))
  for (let attempt = 0; attempt < 10 && last.status !== 'success'; attempt++) last = await container.invoke(visits(40))
  expect(last).toMatchObject({ status: 'success' })
  expect(await decided()).toEqual([...all(30), ...all(40)])
}, 120_000)

test('the process is killed and another one takes over: what is committed is skipped', async () => {
  const first = deploy()
  expect(await first.container.invoke(visits(50))).toMatchObject({ status: 'success' })
  await first.container.kill()
  const second = deploy()
  expect(await second.container.invoke(visits(50))).toMatchObject({ status: 'success' })
  expect(await decided()).toEqual(all(50))
  expect(second.log()).toContain('skipped records that are committed')
})

test('an output that its topic does not take: its record becomes a dead letter with its bytes, the others go on', async () => {
  const { container } = deploy()
  const event = visits(60)
  const long = 'c-1'.padEnd(1_200_000, 'x')
  const client = new Redis(redis.url)
  await client.hset(`customer:${long}`, { plan: 'basic', segment: 'young', homeCountry: 'PL', consent: 'true' })
  await client.hset(`propensity:young:${long}`, { upgrade: '0.3', roaming: '0.6' })
  client.disconnect()
  const value = Buffer.from(
    JSON.stringify({ type: 'APP_OPENED', customerId: long, country: 'FR', at: '2026-11-20T10:00:00Z' }),
  ).toString('base64')
  const records = event.records['app.visits-0']!.map((record, k) => (k === 1 ? { ...record, value } : record))
  expect(await container.invoke({ ...event, records: { 'app.visits-0': records } })).toMatchObject({ status: 'success' })
  expect(await decided()).toEqual(['60 c-1', '62 c-3'])
  expect(await decided('sluice.next-best-action.dead-letters')).toEqual(['61 -'])
}, 120_000)

/** Forwards to Redis, and cuts every connection on which `word` is asked for, until it is healed. */
async function cuttingProxy(targetPort: number, word: string): Promise<{ port: number; heal(): void; close(): void }> {
  let broken = true
  const sockets = new Set<Socket>()
  const server: Server = createServer(client => {
    const target = createConnection(targetPort, '127.0.0.1')
    for (const socket of [client, target]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
    }
    client.on('data', data => {
      if (broken && data.includes(word)) {
        client.destroy()
        target.destroy()
      } else target.write(data)
    })
    target.on('data', data => client.write(data))
    client.on('close', () => target.destroy())
    target.on('close', () => client.destroy())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as { port: number }).port,
    heal: () => {
      broken = false
    },
    close: () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}
