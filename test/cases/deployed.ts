// A reference case on a real broker: its records are produced to the real topics, the local mapping delivers them to the deployed build in
// child processes, and what a read_committed consumer finds in the end is compared. Topics are never deleted: a run has its own generation,
// begins behind what is there, and ignores what other runs have written.
import { setTimeout as delay } from 'node:timers/promises'
import { Admin, Producer } from '@platformatic/kafka'
import { Redis } from 'ioredis'
import { createTopics } from '../../infra/local/topics.ts'
import type { CompiledModule } from '../../lib/cli/compiled.ts'
import { createKafka } from '../../lib/connectors/kafka/producer.ts'
import { connectRedisStateStore } from '../../lib/connectors/state-redis.ts'
import { type PartitionOffsets, readCommitted, writtenEnds } from '../../lib/emulator/committed.ts'
import {
  type Deliver,
  doubledDelivery,
  killedDelivery,
  plainDelivery,
  type StrikeCounts,
  zombieDelivery,
} from '../../lib/emulator/deliveries.ts'
import type { ConsumedRecord } from '../../lib/emulator/event.ts'
import { EventSourceMapping } from '../../lib/emulator/mapping.ts'
import { ContainerPool } from '../../lib/emulator/pool.ts'
import type { EsmSettings } from '../../lib/emulator/settings.ts'
import type { TransactionPort } from '../../lib/runtime/ports.ts'
import type { ActualLine } from './compare.ts'
import { canonical, parseExact } from './exact-json.ts'
import { deliverHistory, type HistoryWorld } from './history.ts'
import type { CaseOptions } from './options.ts'
import { seededRandom } from './random.ts'
import { parseCoordinates, type ReferenceCase, type SourceCoordinates } from './reference.ts'
import type { RunFolder } from './runner.ts'

export interface Addresses {
  readonly kafka: string
  readonly redis: string
}

export interface Deployed {
  readonly lines: readonly ActualLine[]
  readonly strikes: StrikeCounts
}

export async function runDeployed(
  reference: ReferenceCase,
  options: CaseOptions,
  addresses: Addresses,
  folder: RunFolder,
): Promise<Deployed> {
  const { sourceTopic, topics, deadLetterTopic, generation, before } = await prepared(reference, addresses)
  const settings: EsmSettings = {
    topic: sourceTopic,
    consumerGroupId: `sluice.${reference.name}.${generation}.trigger/${sourceTopic}`,
    batchSize: options.batch === 'all' ? reference.records.length : options.batch,
    maximumBatchingWindowInSeconds: undefined,
    startingPosition: 'TRIM_HORIZON',
    functionResponseTypes: [],
    maximumRetryAttempts: -1,
    functionTimeoutSeconds: 60,
    functionMemoryMb: 512,
  }
  await startGroupAt(addresses.kafka, settings.consumerGroupId, sourceTopic, before)
  await produce(addresses.kafka, reference.records)
  const goals = goalsOf(reference.records, before.get(sourceTopic)!)
  await assertProduced(addresses.kafka, sourceTopic, goals)
  const redis = redisUrl(addresses.redis)
  const handlerFile = await folder.bundle('real')
  const forget = await fillRedis(redis, reference)
  const random = seededRandom(options.seed)
  const pool = new ContainerPool(
    {
      handlerFile,
      name: reference.name,
      environment: {
        ...folder.environment,
        SLUICE_KAFKA: addresses.kafka,
        SLUICE_REDIS: redis,
        SLUICE_GENERATION: String(generation),
      },
      memoryMb: settings.functionMemoryMb,
      timeoutMs: settings.functionTimeoutSeconds * 1000,
      log: folder.log,
    },
    { random },
  )
  const strikes: StrikeCounts = new Map()
  const mapping = new EventSourceMapping({
    settings,
    bootstrapServers: addresses.kafka,
    invoke: deliveryOf(options, pool, strikes),
    log: (level, message) => folder.log(`${level}: ${message}\n`),
    mixPartitions: options.batch === 'all' ? 'always' : 'random',
    random,
  })
  try {
    await mapping.start()
    await committedTo(mapping, goals, folder)
  } finally {
    await mapping.stop()
    await pool.close()
    await forget()
  }
  const records = await readCommitted(addresses.kafka, topics, { from: before, timeoutMs: 60_000 })
  const fileOffsets = fileOffsetsOf(reference.records, before.get(sourceTopic)!)
  return { strikes, lines: records.flatMap(record => actualLines(record, { generation, deadLetterTopic, fileOffsets })) }
}

/** replay.jsonl on a real log and a real store of state; look-ups come from the case's file. */
export async function runHistoryDeployed(
  reference: ReferenceCase,
  { plan, embed }: Pick<CompiledModule, 'plan' | 'embed'>,
  seed: number,
  addresses: Addresses,
): Promise<readonly ActualLine[]> {
  const { sourceTopic, topics, deadLetterTopic, generation, before } = await prepared(reference, addresses)
  const starts = before.get(sourceTopic)!
  await produce(addresses.kafka, reference.records)
  await assertProduced(addresses.kafka, sourceTopic, goalsOf(reference.records, starts))
  const fileOffsets = fileOffsetsOf(reference.records, starts)
  const brokerOffsets = new Map(
    [...fileOffsets].map(([at, offset]) => [`${at.split('@')[0]}@${offset}`, Number(at.split('@')[1])]),
  )
  const moved = (partition: string | number, offset: number) => brokerOffsets.get(`${partition}@${offset}`)!
  const records = reference.records.map(record => ({ ...record, offset: moved(record.partition, record.offset) }))
  const steps = reference.history!.map(
    step =>
      new Map(
        [...step].map(([partition, { offsets, fate }]) => {
          const number = partition.split('-').at(-1)!
          return [partition, { offsets: [moved(number, offsets[0]), moved(number, offsets[1])] as const, fate }] as const
        }),
      ),
  )
  const store = connectRedisStateStore({ url: redisUrl(addresses.redis), scenario: reference.name })
  const kafka = createKafka({ bootstrapServers: addresses.kafka, clientId: 'sluice-cases' })
  try {
    await deliverHistory({ ...plan, generation }, embed, { ...reference, records }, steps, seed, {
      kafka: withoutLog(kafka),
      state: { ...store.state, lookups: store.lookups },
    })
  } finally {
    await Promise.all([kafka.close(), store.state.close(), store.lookups.close()])
  }
  const written = await readCommitted(addresses.kafka, topics, { from: before, timeoutMs: 60_000 })
  return written.flatMap(record => actualLines(record, { generation, deadLetterTopic, fileOffsets }))
}

/** What is committed is read from the broker. */
function withoutLog(kafka: TransactionPort): HistoryWorld['kafka'] {
  return {
    committed: [],
    fence: (...asked) => kafka.fence(...asked),
    readProgress: (...asked) => kafka.readProgress(...asked),
    endOffset: (...asked) => kafka.endOffset(...asked),
    transact: (...asked) => kafka.transact(...asked),
    close: () => kafka.close(),
  }
}

/** Topics, and a generation that no run had before on this broker. */
async function prepared(reference: ReferenceCase, addresses: Addresses) {
  const sourceTopic = reference.records[0]!.topic
  const deadLetterTopic = `sluice.${reference.name}.dead-letters`
  const outputTopics = [...new Set(reference.expected.map(line => line.topic))].filter(topic => topic !== 'dead-letter')
  const topics = [...outputTopics, deadLetterTopic]
  const partitionCount = Math.max(3, ...reference.records.map(record => record.partition + 1))
  const generation = freshGeneration()
  await createTopics(
    addresses.kafka,
    [sourceTopic, ...topics].map(name => ({ name, partitions: partitionCount })),
  )
  const before = await writtenEnds(addresses.kafka, [sourceTopic, ...topics])
  return { sourceTopic, topics, deadLetterTopic, generation, before }
}

let runCount = 0

/** Never used before on this broker, in nine digits: the seconds of some three years, and a counter within the second. */
export function freshGeneration(): number {
  return ((Math.floor(Date.now() / 1000) % 99_999_999) + 1) * 10 + (runCount++ % 10)
}

export function deliveryOf(
  options: Pick<CaseOptions, 'kill' | 'zombie' | 'duplicate'>,
  pool: ContainerPool,
  strikes: StrikeCounts,
): Deliver {
  if (options.kill) return killedDelivery(pool, strikes)
  if (options.zombie) return zombieDelivery(pool, strikes)
  if (options.duplicate) return doubledDelivery(pool)
  return plainDelivery(pool)
}

/** A database of its own, unless the address names one: the cases' keys are nobody else's. */
export function redisUrl(url: string): string {
  const parsed = new URL(url)
  if (parsed.pathname === '' || parsed.pathname === '/') parsed.pathname = '/5'
  return parsed.href
}

async function fillRedis(url: string, { name, lookups }: ReferenceCase): Promise<() => Promise<void>> {
  const client = new Redis(url)
  const keys = Object.keys(lookups)
  if (keys.length > 0) await client.del(...keys)
  for (const [key, entry] of Object.entries(lookups)) {
    if (entry.type === 'string') await client.set(key, entry.value)
    else await client.hset(key, entry.value)
  }
  return async () => {
    // What the case's scenario has remembered, too; each run has a generation of its own.
    const remembered = await client.keys(`sluice:${name}.*`)
    if (keys.length + remembered.length > 0) await client.del(...keys, ...remembered)
    client.disconnect()
  }
}

export async function startGroupAt(
  bootstrapServers: string,
  groupId: string,
  topic: string,
  offsets: PartitionOffsets,
): Promise<void> {
  const admin = new Admin({ clientId: 'sluice-cases', bootstrapBrokers: bootstrapServers.split(',') })
  try {
    const partitionOffsets = offsets.get(topic)!.map((offset, partition) => ({ partition, offset }))
    await admin.alterConsumerGroupOffsets({ groupId, topics: [{ name: topic, partitionOffsets }] })
  } finally {
    await admin.close()
  }
}

export async function produce(bootstrapServers: string, records: readonly ConsumedRecord[]): Promise<void> {
  const producer = new Producer({ clientId: 'sluice-cases', bootstrapBrokers: bootstrapServers.split(','), idempotent: true })
  try {
    for (const near of nearInTime(records)) {
      await producer.send({
        acks: -1,
        messages: near.map(({ topic, partition, timestampMs, key, value }) => ({
          topic,
          partition,
          timestamp: BigInt(timestampMs),
          ...(key !== null && { key: key as Buffer }),
          ...(value !== null && { value: value as Buffer }),
        })),
      })
    }
  } finally {
    await producer.close()
  }
}

/** In their order. @platformatic/kafka 2.12.1 writes times of a batch as differences of 32 bits: what is 25 days apart would come as another day. */
function nearInTime(records: readonly ConsumedRecord[]): readonly (readonly ConsumedRecord[])[] {
  const groups: ConsumedRecord[][] = []
  for (const record of records) {
    const group = groups.at(-1)
    if (group !== undefined && Math.abs(record.timestampMs - group[0]!.timestampMs) < 2 ** 30) group.push(record)
    else groups.push([record])
  }
  return groups
}

// Outputs are told apart by the offsets of their sources, so each record must lie where it is expected: nobody else writes, nothing twice.
async function assertProduced(bootstrapServers: string, topic: string, goals: ReadonlyMap<number, number>): Promise<void> {
  const ends = (await writtenEnds(bootstrapServers, [topic])).get(topic)!
  for (const [partition, goal] of goals) {
    if (Number(ends[partition]) === goal) continue
    throw new Error(
      `${topic}-${partition} ends at ${ends[partition]} instead of ${goal}: somebody else writes to it. Run the case again, alone.`,
    )
  }
}

/** Partition → the offset that the mapping commits when all is done. */
function goalsOf(records: readonly ConsumedRecord[], starts: readonly bigint[]): ReadonlyMap<number, number> {
  const goals = new Map<number, number>()
  for (const { partition } of records) goals.set(partition, (goals.get(partition) ?? Number(starts[partition])) + 1)
  return goals
}

/** Without any commit for so long, something fails for good. */
const stuckAfterMs = 60_000

async function committedTo(mapping: EventSourceMapping, goals: ReadonlyMap<number, number>, folder: RunFolder): Promise<void> {
  let lastProgress = { at: Date.now(), found: '' }
  for (;;) {
    if (mapping.failure !== undefined) throw mapping.failure
    const { committed } = mapping
    if ([...goals].every(([partition, goal]) => committed.get(partition) === goal)) return
    const found = [...goals]
      .map(([partition, goal]) => `${partition}: ${committed.get(partition) ?? 'nothing'} of ${goal}`)
      .join(', ')
    if (found !== lastProgress.found) lastProgress = { at: Date.now(), found }
    if (Date.now() - lastProgress.at > stuckAfterMs) {
      throw new Error(
        `No batch was committed for ${stuckAfterMs / 1000} s (partition ${found}). The last words:\n${folder.lastWords()}`,
      )
    }
    await delay(20)
  }
}

/** `partition@brokerOffset` → offset in the file: the n-th record of a partition is the n-th behind its start. */
function fileOffsetsOf(records: readonly ConsumedRecord[], starts: readonly bigint[]): ReadonlyMap<string, number> {
  const next = [...starts]
  return new Map(records.map(({ partition, offset }) => [`${partition}@${next[partition]!++}`, offset]))
}

interface Reading {
  readonly generation: number
  readonly deadLetterTopic: string
  readonly fileOffsets: ReadonlyMap<string, number>
}

/** One line, or none where another run wrote the record. */
function actualLines(record: ConsumedRecord, { generation, deadLetterTopic, fileOffsets }: Reading): readonly ActualLine[] {
  const header = (name: string): string => {
    const value = record.headers.findLast(one => one.name === name)?.value
    return value ? Buffer.from(value).toString() : ''
  }
  const [scenario, topic, partition, offset] = header('sluice-idempotency-key').split('/')
  if (!scenario!.endsWith(`.${generation}`)) return []
  const key = record.key === null ? null : Buffer.from(record.key).toString()
  const isDeadLetter = record.topic === deadLetterTopic
  const coordinates = isDeadLetter
    ? parseCoordinates(header('sluice-coordinates'))
    : { topic: topic!, partition: Number(partition), offset: Number(offset) }
  const from: SourceCoordinates = {
    ...coordinates,
    offset: fileOffsets.get(`${coordinates.partition}@${coordinates.offset}`) ?? coordinates.offset,
  }
  return [
    {
      topic: isDeadLetter ? 'dead-letter' : record.topic,
      key,
      value: isDeadLetter ? header('sluice-reason') : canonical(parseExact(Buffer.from(record.value ?? 'null').toString())),
      from,
      // Kafka keeps order in a partition, so it is promised per key; without key each record may lie elsewhere.
      sequence: JSON.stringify([from.topic, from.partition, record.topic, key ?? record.partition]),
    },
  ]
}
