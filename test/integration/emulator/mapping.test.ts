import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Admin, Producer } from '@platformatic/kafka'
import { afterEach, beforeEach, expect, inject, test } from 'vitest'
import { createTopics } from '../../../infra/local/topics.ts'
import { readCommitted, writtenEnds } from '../../../lib/emulator/committed.ts'
import { plainDelivery } from '../../../lib/emulator/deliveries.ts'
import { EventSourceMapping, type MappingOptions } from '../../../lib/emulator/mapping.ts'
import { ContainerPool } from '../../../lib/emulator/pool.ts'
import type { EsmSettings } from '../../../lib/emulator/settings.ts'
import type { KafkaBatchResponse, KafkaEvent } from '../../../lib/runtime/event.ts'

const kafka = inject('kafka')
let topic: string
let running: { stop(): Promise<void> }[]
let count = 0

beforeEach(async () => {
  topic = `mapping-test-${Date.now()}-${count++}`
  running = []
  await createTopics(kafka, [{ name: topic, partitions: 2 }])
  // Every partition has its leader: a producer that has to try again may write what went well twice.
  await writtenEnds(kafka, [topic])
})
afterEach(async () => {
  for (const one of running.splice(0).reverse()) await one.stop()
})

test('records arrive as AWS sends them, in batches of the size that is set, and are committed', async () => {
  await produce([
    { partition: 0, key: 'a', value: '{"n":1}', headers: { trace: 'é' } },
    { partition: 0, key: 'b', value: null },
    { partition: 0, key: null, value: '' },
  ])
  const events: KafkaEvent[] = []
  const mapping = await start({ batchSize: 2 }, async event => {
    events.push(event)
    return { batchItemFailures: [] }
  })
  await expect.poll(() => mapping.committed.get(0), { timeout: 20_000 }).toBe(3)
  const record = { topic, partition: 0, timestamp: 1763900000000, timestampType: 'CREATE_TIME' }
  expect(events).toStrictEqual([
    {
      eventSource: 'SelfManagedKafka',
      bootstrapServers: kafka,
      records: {
        [`${topic}-0`]: [
          { ...record, offset: 0, key: 'YQ==', value: 'eyJuIjoxfQ==', headers: [{ trace: [-61, -87] }] },
          { ...record, offset: 1, key: 'Yg==', headers: [] },
        ],
      },
    },
    {
      eventSource: 'SelfManagedKafka',
      bootstrapServers: kafka,
      records: { [`${topic}-0`]: [{ ...record, offset: 2, value: '', headers: [] }] },
    },
  ])
  expect(await groupOffsets()).toEqual([3n, -1n])
})

test('a batch that fails comes again whole, and nothing of its partition passes it', async () => {
  await produce([0, 1, 2, 3].map(n => ({ partition: 0, key: null, value: String(n) })))
  const deliveries: number[][] = []
  const mapping = await start({ batchSize: 2 }, async event => {
    deliveries.push(event.records[`${topic}-0`]!.map(record => record.offset))
    if (deliveries.length < 4) throw new Error('the store does not answer')
    return { batchItemFailures: [] }
  })
  await expect.poll(() => mapping.committed.get(0), { timeout: 20_000 }).toBe(4)
  expect(deliveries).toEqual([
    [0, 1],
    [0, 1],
    [0, 1],
    [0, 1],
    [2, 3],
  ])
})

test('a partition that fails does not hold up another', async () => {
  await produce([
    { partition: 0, key: null, value: 'bad' },
    { partition: 1, key: null, value: 'good' },
  ])
  const mapping = await start(
    { batchSize: 1 },
    async event => {
      if (event.records[`${topic}-0`] !== undefined) throw new Error('never')
      return { batchItemFailures: [] }
    },
    { mixPartitions: 'never' },
  )
  await expect.poll(() => mapping.committed.get(1), { timeout: 20_000 }).toBe(1)
  expect(mapping.committed.get(0)).toBeUndefined()
})

test.each([
  { partial: 'items', second: [1, 3] },
  { partial: 'lowest', second: [1, 2, 3] },
] as const)('a partial response brings back $partial and commits what precedes', async ({ partial, second }) => {
  await produce([0, 1, 2, 3].map(n => ({ partition: 0, key: null, value: String(n) })))
  const deliveries: number[][] = []
  let committedBefore: readonly bigint[] = []
  const mapping = await start(
    { batchSize: 4, functionResponseTypes: ['ReportBatchItemFailures'] },
    async event => {
      deliveries.push(event.records[`${topic}-0`]!.map(record => record.offset))
      if (deliveries.length > 1) {
        committedBefore = await groupOffsets()
        return { batchItemFailures: [] }
      }
      return { batchItemFailures: [1, 3].map(offset => ({ itemIdentifier: { partition: `${topic}-0`, offset } })) }
    },
    { partial },
  )
  await expect.poll(() => mapping.committed.get(0), { timeout: 20_000 }).toBe(4)
  expect(deliveries).toEqual([[0, 1, 2, 3], second])
  expect(committedBefore).toEqual([1n, -1n])
})

test('a second mapping of the group goes on where the first has stopped', async () => {
  await produce([0, 1].map(n => ({ partition: 0, key: null, value: String(n) })))
  const first = await start({ batchSize: 2 }, async () => ({ batchItemFailures: [] }))
  await expect.poll(() => first.committed.get(0), { timeout: 20_000 }).toBe(2)
  await first.stop()
  await produce([{ partition: 0, key: null, value: '2' }])
  const offsets: number[] = []
  const second = await start({ batchSize: 1 }, async event => {
    offsets.push(...event.records[`${topic}-0`]!.map(record => record.offset))
    return { batchItemFailures: [] }
  })
  await expect.poll(() => second.committed.get(0), { timeout: 20_000 }).toBe(3)
  expect(offsets).toEqual([2])
})

test('two mappings of one group share the partitions, and what moves between them is not lost', async () => {
  const values = Array.from({ length: 60 }, (_, n) => String(n))
  const seen: string[] = []
  const handler = async (event: KafkaEvent): Promise<KafkaBatchResponse> => {
    await new Promise(resolve => setTimeout(resolve, 30))
    for (const record of Object.values(event.records).flat()) seen.push(Buffer.from(record.value!, 'base64').toString())
    return { batchItemFailures: [] }
  }
  await produce(values.slice(0, 40).map((value, n) => ({ partition: n % 2, key: null, value })))
  await start({ batchSize: 1 }, handler)
  await expect.poll(() => seen.length, { timeout: 20_000 }).toBeGreaterThan(5)
  const second = await start({ batchSize: 1 }, handler)
  await produce(values.slice(40).map((value, n) => ({ partition: n % 2, key: null, value })))
  await expect.poll(groupOffsets, { timeout: 30_000 }).toEqual([30n, 30n])
  expect(second.committed.size).toBe(1)
  expect([...new Set(seen)].sort((a, b) => Number(a) - Number(b))).toEqual(values)
}, 60_000)

test('a function in a container gets the event through the Lambda contract', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mapping-'))
  try {
    await produce([{ partition: 1, key: 'k', value: 'v' }])
    const pool = new ContainerPool(
      {
        handlerFile: join(import.meta.dirname, '../../emulator/functions/keep.mjs'),
        name: 'keep',
        environment: { KEEP: join(folder, 'events.jsonl') },
        memoryMb: 128,
        timeoutMs: 10_000,
      },
      { random: () => 0 },
    )
    running.push({ stop: () => pool.close() })
    const mapping = new EventSourceMapping({
      settings: settings({}),
      bootstrapServers: kafka,
      invoke: plainDelivery(pool),
      log: () => {},
    })
    running.push(mapping)
    await mapping.start()
    await expect.poll(() => mapping.committed.get(1), { timeout: 20_000 }).toBe(1)
    const [event] = readFileSync(join(folder, 'events.jsonl'), 'utf8').split('\n')
    expect(JSON.parse(event!).records[`${topic}-1`][0]).toMatchObject({ offset: 0, key: 'aw==', value: 'dg==' })
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('what a transaction has aborted is not read as committed', async () => {
  const producer = new Producer({
    clientId: 'test',
    bootstrapBrokers: kafka.split(','),
    idempotent: true,
    transactionalId: `test-${topic}`,
  })
  try {
    for (const [value, end] of [
      ['first', 'commit'],
      ['aborted', 'abort'],
      ['second', 'commit'],
      ['aborted again', 'abort'],
      ['third', 'commit'],
    ] as const) {
      const transaction = await producer.beginTransaction()
      await transaction.send({ messages: [{ topic, partition: 0, value: Buffer.from(value) }] })
      await transaction[end]()
    }
  } finally {
    await producer.close()
  }
  const records = await readCommitted(kafka, [topic], { timeoutMs: 20_000 })
  expect(records.map(record => Buffer.from(record.value!).toString())).toEqual(['first', 'second', 'third'])
})

async function start(
  own: Partial<EsmSettings>,
  handler: (event: KafkaEvent) => Promise<KafkaBatchResponse>,
  options: Partial<MappingOptions> = {},
): Promise<EventSourceMapping> {
  const mapping = new EventSourceMapping({
    settings: settings(own),
    bootstrapServers: kafka,
    log: () => {},
    backoff: { initialMs: 5, factor: 2, maxMs: 50 },
    random: () => 0,
    ...options,
    invoke: async event => {
      try {
        return { status: 'success', response: await handler(event) }
      } catch (error) {
        return { status: 'failed', error: { errorType: 'Error', errorMessage: (error as Error).message, trace: [] } }
      }
    },
  })
  running.push(mapping)
  await mapping.start()
  return mapping
}

function settings(own: Partial<EsmSettings>): EsmSettings {
  return {
    topic,
    consumerGroupId: `${topic}.trigger`,
    batchSize: 10,
    maximumBatchingWindowInSeconds: undefined,
    startingPosition: 'TRIM_HORIZON',
    functionResponseTypes: [],
    maximumRetryAttempts: -1,
    functionTimeoutSeconds: 10,
    functionMemoryMb: 128,
    ...own,
  }
}

async function groupOffsets(): Promise<readonly bigint[]> {
  const admin = new Admin({ clientId: 'test', bootstrapBrokers: kafka.split(',') })
  try {
    const [group] = await admin.listConsumerGroupOffsets({
      groups: [{ groupId: `${topic}.trigger`, topics: [{ name: topic, partitionIndexes: [0, 1] }] }],
    })
    const partitions = group!.topics[0]!.partitions
    return [0, 1].map(partition => partitions.find(one => one.partitionIndex === partition)!.committedOffset)
  } finally {
    await admin.close()
  }
}

interface Produced {
  readonly partition: number
  readonly key: string | null
  readonly value: string | null
  readonly headers?: Record<string, string>
}

async function produce(records: readonly Produced[]): Promise<void> {
  const producer = new Producer({ clientId: 'test', bootstrapBrokers: kafka.split(','), idempotent: true })
  try {
    await producer.send({
      acks: -1,
      messages: records.map(({ partition, key, value, headers }) => ({
        topic,
        partition,
        timestamp: 1763900000000n,
        ...(key !== null && { key: Buffer.from(key) }),
        ...(value !== null && { value: Buffer.from(value) }),
        ...(headers && {
          headers: new Map(Object.entries(headers).map(([name, text]) => [Buffer.from(name), Buffer.from(text)])),
        }),
      })),
    })
  } finally {
    await producer.close()
  }
}
