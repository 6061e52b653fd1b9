// The commit on one real broker: our transaction (outputs and progress) beside the same by other clients, beside our own records sent without
// one (alone, and as a part of the whole function), and a partition that hops between two containers. What came out is read back with
// read_committed before anything is measured. Records are made outside of the time.
import { randomUUID } from 'node:crypto'
import { Producer } from '@platformatic/kafka'
import { Kafka, logLevel } from 'kafkajs'
import { startKafka } from '../../infra/local/kafka.ts'
import { createTopics } from '../../infra/local/topics.ts'
import { loadCompiled } from '../../lib/cli/compiled.ts'
import { openScenario } from '../../lib/cli/scenario-file.ts'
import { createKafka } from '../../lib/connectors/kafka/producer.ts'
import { readCommitted } from '../../lib/emulator/committed.ts'
import type { Plan } from '../../lib/plan/plan.ts'
import { Commit } from '../../lib/runtime/commit.ts'
import { type Deadline, Fenced, type OutputRecord, type TopicPartition, type TransactionPort } from '../../lib/runtime/ports.ts'
import { writeTemporary } from './compiled.ts'
import { assertSame, type Figure, figures, median } from './measure.ts'
import { invoke, silent, visitEvents, visitsScenario } from './visits.ts'

const largeBatch = 1000
const smallBatch = 100
const outputPartitions = 3
const runs = 41
/** Of two contenders that differ by little. */
const closeRuns = 301
const warmUps = 40
const deadline: Deadline = { remainingMs: () => 20_000 }
const value = '{"segment":"gold","score":12,"note":"'.padEnd(298, 'x').concat('"}')

interface Contender {
  readonly name: string
  /** So many records, in the form that it takes. */
  readonly prepare: (count: number) => unknown
  /** One transaction of them, and the offset of the next source record. */
  readonly run: (prepared: never, nextOffset: number) => Promise<unknown>
}

export async function commit(): Promise<readonly Figure[]> {
  const broker = await startKafka()
  const ends: (() => unknown)[] = [() => broker.stop()]
  try {
    const { bootstrapServers } = broker
    const source = 'bench-source'
    await createTopics(bootstrapServers, [{ name: source }])
    const topicOf = async (name: string): Promise<string> => {
      const topic = `bench-${name}-${randomUUID().slice(0, 4)}`
      await createTopics(bootstrapServers, [{ name: topic, partitions: outputPartitions }])
      return topic
    }
    const place = { topic: source, partition: 0 }
    const clients: readonly Contender[] = [
      await ours(bootstrapServers, place, await topicOf('sluice'), ends),
      await platformatic(bootstrapServers, place, await topicOf('platformatic'), ends),
      await kafkaJs(bootstrapServers, place, await topicOf('kafkajs'), ends),
    ]
    const small = await measured(clients, smallBatch)
    const large = await measured(clients, largeBatch)
    const modes = await measured(
      [clients[0]!, await atLeastOnce(bootstrapServers, await topicOf('once'), ends)],
      largeBatch,
      closeRuns,
    )
    const functions = await measured(await wholeFunctions(bootstrapServers, ends), largeBatch, closeRuns)
    const hops = await hopping(bootstrapServers, source, await topicOf('hops'), ends)
    const named = (all: readonly Measured[], figureOf: (one: Measured) => number, what: string) =>
      all.map(one => ({ name: `commit/${one.name}, ${what}`, value: figureOf(one) }))
    return [
      ...figures(
        named(large, ({ cpuMs }) => (cpuMs * 1000) / largeBatch, `${largeBatch} records`),
        { unit: 'µs CPU per record', runs },
      ),
      ...figures(
        named(large, ({ wallMs }) => wallMs, `${largeBatch} records`),
        { unit: 'ms per transaction', runs },
      ),
      ...figures(
        named(small, ({ wallMs }) => wallMs, `${smallBatch} records`),
        { unit: 'ms per transaction', runs },
      ),
      ...figures(
        named(modes, ({ cpuMs }) => (cpuMs * 1000) / largeBatch, `${largeBatch} records, beside at-least-once`),
        { unit: 'µs CPU per record', runs: closeRuns },
      ),
      ...figures(
        named(functions, ({ cpuMs }) => cpuMs, `${largeBatch} records`),
        { unit: 'ms CPU per 1,000 records', runs: closeRuns },
      ),
      ...figures(hops, { unit: `ms per batch of ${smallBatch}`, runs }),
    ]
  } finally {
    for (const end of ends.reverse()) await end()
  }
}

interface Measured {
  readonly name: string
  readonly cpuMs: number
  readonly wallMs: number
}

/** All in turn, each first as often as the others. */
async function measured(contenders: readonly Contender[], count: number, runCount = runs): Promise<readonly Measured[]> {
  const wallMs = contenders.map((): number[] => [])
  const cpuMs = contenders.map((): number[] => [])
  for (let n = -warmUps; n < runCount; n++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const c = (turn + n + warmUps) % contenders.length
      const prepared = contenders[c]!.prepare(count) as never
      const cpu = process.cpuUsage()
      const startedMs = performance.now()
      await contenders[c]!.run(prepared, n + warmUps + 1)
      const tookMs = performance.now() - startedMs
      const { user, system } = process.cpuUsage(cpu)
      if (n < 0) continue
      wallMs[c]!.push(tookMs)
      cpuMs[c]!.push((user + system) / 1000)
    }
  }
  return contenders.map(({ name }, c) => ({ name, cpuMs: median(cpuMs[c]!), wallMs: median(wallMs[c]!) }))
}

/** What a transaction leaves behind for a read_committed consumer. */
async function assertOutputs(bootstrapServers: string, topic: string, contender: Contender): Promise<void> {
  await contender.run(contender.prepare(smallBatch) as never, 1)
  const found = await readCommitted(bootstrapServers, [topic], { timeoutMs: 10_000 })
  const texts = found.map(({ partition, key, value }) => `${partition} ${key} ${value}`).sort()
  assertSame(
    contender.name,
    texts,
    Array.from({ length: smallBatch }, (_, i) => `${i % outputPartitions} k-${i} ${value}`).sort(),
  )
}

async function assertProgress(kafka: TransactionPort, group: string, place: TopicPartition, name: string): Promise<void> {
  assertSame(name, [await kafka.readProgress(group, place, deadline)], [1n])
}

async function ours(bootstrapServers: string, place: TopicPartition, topic: string, ends: (() => unknown)[]): Promise<Contender> {
  const kafka = createKafka({ bootstrapServers, clientId: 'bench' })
  ends.push(() => kafka.close())
  const group = `bench-${randomUUID()}`
  const session = await kafka.fence(group, deadline)
  const contender: Contender = {
    name: 'sluice',
    prepare: count => outputs(topic, count),
    run: (records: readonly OutputRecord[], nextOffset) =>
      kafka.transact(session, { group, progress: place, nextOffset: BigInt(nextOffset), records }, deadline),
  }
  await assertOutputs(bootstrapServers, topic, contender)
  await assertProgress(kafka, group, place, contender.name)
  return contender
}

/** The same producer without transactions and progress: idempotent, acknowledged. */
async function atLeastOnce(bootstrapServers: string, topic: string, ends: (() => unknown)[]): Promise<Contender> {
  const kafka = createKafka({ bootstrapServers, clientId: 'bench', delivery: 'at-least-once' })
  ends.push(() => kafka.close())
  const session = await kafka.fence(`bench-${randomUUID()}`, deadline)
  const contender: Contender = {
    name: 'sluice at-least-once',
    prepare: count => outputs(topic, count),
    run: (records: readonly OutputRecord[]) => kafka.transact(session, { records }, deadline),
  }
  await assertOutputs(bootstrapServers, topic, contender)
  return contender
}

/** What users pay: a scenario without look-ups, from the text of the Lambda event to the end of its commit. */
async function wholeFunctions(bootstrapServers: string, ends: (() => unknown)[]): Promise<readonly Contender[]> {
  await createTopics(bootstrapServers, [{ name: 'visits' }, { name: 'out' }])
  const { plan, embed } = await loadCompiled(
    openScenario(writeTemporary('bench-visits.yml', visitsScenario('', 'size(event.page)'))),
  )
  const deliveries = ['exactly-once', 'at-least-once'] as const
  const functions = deliveries.map((delivery, d): Contender => {
    const kafka = createKafka({ bootstrapServers, clientId: 'bench', delivery })
    ends.push(() => kafka.close())
    const world = { lookups: {}, log: silent, kafka: kafka as never }
    const { handler } = embed({ ...plan, delivery, generation: d + 1 }, world)
    return { name: `the whole function, ${delivery}`, prepare: visitEvents(largeBatch), run: event => invoke(handler, event) }
  })
  for (const { prepare, run } of functions) await run(prepare(largeBatch) as never, 1)
  const found = await readCommitted(bootstrapServers, ['out'], { timeoutMs: 10_000 })
  assertSame('outputs of functions', [found.length], [functions.length * largeBatch])
  return functions
}

function outputs(topic: string, count: number): readonly OutputRecord[] {
  return Array.from({ length: count }, (_, i) => ({
    topic,
    partition: i % outputPartitions,
    key: Buffer.from(`k-${i}`),
    value: Buffer.from(value),
    headers: [],
    timestampMs: Date.now(),
    partitionSeed: '',
  }))
}

async function platformatic(
  bootstrapServers: string,
  place: TopicPartition,
  topic: string,
  ends: (() => unknown)[],
): Promise<Contender> {
  const groupId = `bench-${randomUUID()}`
  const producer = new Producer({
    clientId: 'bench',
    bootstrapBrokers: bootstrapServers.split(','),
    idempotent: true,
    transactionalId: groupId,
  })
  ends.push(() => producer.close(true))
  // Progress for a group that nobody joins, which the client's own consumers don't know.
  const consumer = { groupId, generationId: -1, memberId: '', coordinatorId: 1 }
  const contender: Contender = {
    name: '@platformatic/kafka',
    prepare: count =>
      Array.from({ length: count }, (_, i) => ({
        topic,
        partition: i % outputPartitions,
        key: Buffer.from(`k-${i}`),
        value: Buffer.from(value),
        timestamp: BigInt(Date.now()),
      })),
    async run(messages: readonly never[], nextOffset) {
      const transaction = await producer.beginTransaction()
      await transaction.addConsumer(consumer as never)
      await transaction.send({ acks: -1, messages: messages as never[] })
      await transaction.addOffset({ ...place, offset: BigInt(nextOffset - 1), metadata: { consumer } } as never)
      await transaction.commit()
    },
  }
  await checked(bootstrapServers, topic, contender, groupId, place)
  return contender
}

async function kafkaJs(
  bootstrapServers: string,
  place: TopicPartition,
  topic: string,
  ends: (() => unknown)[],
): Promise<Contender> {
  process.env['KAFKAJS_NO_PARTITIONER_WARNING'] = '1'
  const group = `bench-${randomUUID()}`
  const kafka = new Kafka({ clientId: 'bench', brokers: bootstrapServers.split(','), logLevel: logLevel.ERROR })
  const producer = kafka.producer({ transactionalId: group, idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  ends.push(() => producer.disconnect())
  const contender: Contender = {
    name: 'kafkajs',
    prepare: count =>
      Array.from({ length: count }, (_, i) => ({
        partition: i % outputPartitions,
        key: Buffer.from(`k-${i}`),
        value: Buffer.from(value),
        timestamp: String(Date.now()),
      })),
    async run(messages: readonly never[], nextOffset) {
      const transaction = await producer.transaction()
      await transaction.send({ topic, acks: -1, messages: messages as never[] })
      await transaction.sendOffsets({
        consumerGroupId: group,
        topics: [{ topic: place.topic, partitions: [{ partition: place.partition, offset: String(nextOffset) }] }],
      })
      await transaction.commit()
    },
  }
  await checked(bootstrapServers, topic, contender, group, place)
  return contender
}

async function checked(
  bootstrapServers: string,
  topic: string,
  contender: Contender,
  group: string,
  place: TopicPartition,
): Promise<void> {
  await assertOutputs(bootstrapServers, topic, contender)
  const reader = createKafka({ bootstrapServers, clientId: 'bench' })
  await assertProgress(reader, group, place, contender.name)
  await reader.close()
}

/**
 * A partition whose batches go to two containers by turns, beside one that stays in its container. Each keeps its claim, as the production
 * code does, finds itself fenced, claims anew and writes.
 */
async function hopping(bootstrapServers: string, source: string, topic: string, ends: (() => unknown)[]) {
  const containers = [0, 1].map(() => {
    const kafka = createKafka({ bootstrapServers, clientId: 'bench' })
    ends.push(() => kafka.close())
    return kafka
  })
  const partition = { topic: source, partition: 0 }
  const routes = ['hops', 'stays'].map(name => {
    const commits = containers.map(
      kafka => new Commit(kafka, { scenario: `bench-${name}`, generation: 1, delivery: 'exactly-once' } as Plan),
    )
    return { name, commits, wallMs: [] as number[], fencedCount: 0 }
  })
  const batchCount = warmUps + runs
  for (let n = 0; n < batchCount; n++) {
    for (const route of routes) {
      const commit = route.commits[route.name === 'hops' ? n % 2 : 0]!
      const startedMs = performance.now()
      for (let written = false; !written; ) {
        const claim = await commit.claim(partition, deadline)
        try {
          await commit.write(partition, claim, outputs(topic, smallBatch), BigInt(n + 1), deadline)
          written = true
        } catch (error) {
          if (!(error instanceof Fenced)) throw error
          route.fencedCount++
        }
      }
      if (n >= warmUps) route.wallMs.push(performance.now() - startedMs)
    }
  }
  assertSame(
    'fenced',
    routes.map(({ fencedCount }) => fencedCount),
    [batchCount - 2, 0],
  )
  const found = await readCommitted(bootstrapServers, [topic], { timeoutMs: 10_000 })
  assertSame('outputs of hops', [found.length], [routes.length * batchCount * smallBatch])
  return routes.map(({ name, wallMs }) => ({
    name: `commit/a partition that ${name === 'hops' ? 'hops between two containers' : 'stays'}`,
    value: median(wallMs),
  }))
}
