// Progress that does not fit its topic, on real brokers: each case is told in words, and nothing is skipped silently (event-source-mapping.md 4.5).
import { Admin } from '@platformatic/kafka'
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest'
import { type LocalKafka, startKafka } from '../../infra/local/kafka.ts'
import { createTopics } from '../../infra/local/topics.ts'
import { openAdministration } from '../../lib/connectors/kafka/administration.ts'
import { createKafka, type KafkaPort } from '../../lib/connectors/kafka/producer.ts'
import { memoryStore } from '../../lib/connectors/memory.ts'
import { realWorld } from '../../lib/connectors/world.ts'
import { createHandler } from '../../lib/runtime/handler.ts'
import { startFaultProxy } from '../connectors/kafka/fault-proxy.ts'
import { claim, committedValues, freshPlace, output, type Place, within, write } from '../connectors/kafka/outputs.ts'
import { base64, visits, visitsEvent } from '../runtime/plan-fixture.ts'

const context = { getRemainingTimeInMillis: () => 30_000 } as never

/** The function of `letters`, with its topics, as one container. */
function container(broker: string, place: Place, generation = 1) {
  const told: string[] = []
  const counts = new Map<string, number>()
  const log = { info: () => undefined, warn: () => undefined, error: (message: string) => void told.push(message) }
  const metrics = {
    count: (name: string, by: number) => void counts.set(name, (counts.get(name) ?? 0) + by),
    flush: () => undefined,
  }
  const kafka = createKafka({ bootstrapServers: broker, clientId: 'test' })
  const scenario = place.group.replace(/^sluice\.|\.1$/g, '')
  const plan = {
    ...visits,
    ...{ scenario, generation },
    source: { ...visits.source, topic: place.source.topic },
    sinks: visits.sinks.map(sink => ({ ...sink, emit: retargeted(sink.emit, place.target) })),
  }
  const store = memoryStore({ 'customer:anna': { type: 'hash', value: { age: '30' } } })
  const handler = createHandler(plan, { kafka, stores: { redis: store }, log, deadLetterTopic: place.target, metrics })
  const invoke = (offsets: readonly number[]) => {
    const records = offsets.map(offset => ({ offset, value: base64('{"id":"anna"}'), key: base64('anna') }))
    const [[, first]] = Object.entries(visitsEvent({ 0: records }).records) as [[string, readonly object[]]]
    const own = first.map(record => ({ ...record, topic: place.source.topic }))
    return handler({ eventSource: 'aws:kafka', records: { [`${place.source.topic}-0`]: own } } as never, context)
  }
  return { invoke, told, counts, kafka, close: () => kafka.close() }
}

function retargeted(emit: (typeof visits.sinks)[number]['emit'], topic: string): typeof emit {
  return (columns, i, outputs) => {
    const before = outputs.length
    const failure = emit(columns, i, outputs)
    for (let k = before; k < outputs.length; k++) outputs[k] = { ...outputs[k]!, topic }
    return failure
  }
}

/** So many records in the topic itself. */
async function fill(kafka: KafkaPort, { source }: Place, count: number): Promise<void> {
  const session = await kafka.fence(`filler/${source.topic}`, within(20_000))
  const records = Array.from({ length: count }, (_, n) => output(source.topic, `${n}`))
  await kafka.transact(session, { records }, within(20_000))
}

async function recreate(broker: string, topic: string): Promise<void> {
  const admin = new Admin({ clientId: 'test', bootstrapBrokers: [broker] })
  await admin.deleteTopics({ topics: [topic] })
  await vi.waitFor(async () => expect(await admin.listTopics()).not.toContain(topic), { timeout: 10_000 })
  await admin.close()
  await createTopics(broker, [{ name: topic }])
}

test('a topic that was recreated: a warm container refuses, then all is decided, since Kafka dropped our progress with it', async () => {
  const broker = inject('kafka')
  const place = await freshPlace(broker)
  const { invoke, kafka, told, counts, close } = container(broker, place)
  await fill(kafka, place, 10)
  await invoke([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  await recreate(broker, place.source.topic)
  const fresh = createKafka({ bootstrapServers: broker, clientId: 'fresh' })
  await fill(fresh, place, 3)
  await fresh.close()
  // Three records; the marker of their transaction may come a little later.
  await expect(invoke([0, 1, 2])).rejects.toThrow(/our progress of in-\w+-0 is 10, and the partition ends at [34]:/)
  expect(told.at(-1)).toContain('the topic was recreated or has lost records. Nothing was skipped or emitted.')
  expect(counts.get('positionGuard')).toBeGreaterThanOrEqual(1)
  await invoke([0, 1, 2])
  expect(await committedValues(broker, place.target)).toHaveLength(13)
  await close()
})

/** What a function of this name hears when it takes the partition; it then commits up to there. */
async function takeOver(broker: string, place: Place, name: string | undefined, nextOffset: number): Promise<readonly string[]> {
  const heard: string[] = []
  const foreign = (partition: { readonly topic: string; readonly partition: number }, other: string) =>
    void heard.push(`${other} had ${partition.topic === place.source.topic ? 'it' : partition.topic}`)
  const kafka = createKafka({ bootstrapServers: broker, clientId: 'test', ...(name && { deployment: { name, foreign } }) })
  const { session } = await claim(kafka, place)
  await write(kafka, place, session, nextOffset - 1, ['x'])
  await kafka.close()
  return heard
}

test('two functions under one name: each hears of the other, and one alone hears nothing', async () => {
  const broker = inject('kafka')
  const place = await freshPlace(broker)
  // A command, which has no name, in between: nothing is known of who was there before.
  const heard = []
  for (const name of [
    'shop-test-visits',
    'shop-test-visits',
    'shop-prod-visits',
    'shop-test-visits',
    undefined,
    'shop-prod-visits',
  ])
    heard.push(await takeOver(broker, place, name, heard.length + 1))
  expect(heard).toEqual([[], [], ['shop-test-visits had it'], ['shop-prod-visits had it'], [], []])
})

test('in the words of the function: by the log and the alarm', async () => {
  const broker = inject('kafka')
  const place = await freshPlace(broker)
  await takeOver(broker, place, 'shop-test-visits', 1)
  const said: string[] = []
  const spies = [process.stdout, process.stderr].map(stream =>
    vi.spyOn(stream, 'write').mockImplementation(text => {
      said.push(String(text))
      return true
    }),
  )
  try {
    const plan = { ...visits, scenario: place.group.replace(/^sluice\.|\.1$/g, ''), lookups: [] }
    const { kafka, metrics } = realWorld(plan, { SLUICE_KAFKA: broker, AWS_LAMBDA_FUNCTION_NAME: 'shop-prod-visits' })
    await kafka.readProgress(place.group, place.source, within(20_000))
    metrics!.flush()
    await kafka.close()
  } finally {
    for (const spy of spies) spy.mockRestore()
  }
  expect(said.join('')).toMatch(
    /\[two-deployments\] .* was last committed by the function .*shop-test-visits.*, and this is .*shop-prod-visits.*/,
  )
  expect(said.join('')).toContain('"positionGuard":1')
})

describe('the old group coordinator, which keeps our progress elsewhere', () => {
  let broker: LocalKafka
  beforeAll(async () => {
    broker = await startKafka({ version: '3.9.2' })
    const administration = openAdministration({ bootstrapServers: broker.bootstrapServers, clientId: 'test' })
    await administration.createProgressTopic(within(30_000))
    await administration.close()
  }, 120_000)
  afterAll(() => broker?.stop())

  test('two functions under one name hear of each other there as well', async () => {
    const { bootstrapServers } = broker
    const place = await freshPlace(bootstrapServers)
    expect(await takeOver(bootstrapServers, place, 'a', 1)).toEqual([])
    expect(await takeOver(bootstrapServers, place, 'b', 2)).toEqual(['a had it'])
  })

  test('a topic that was recreated: also a cold container refuses, until the progress is reset', async () => {
    const { bootstrapServers } = broker
    const place = await freshPlace(bootstrapServers)
    const first = container(bootstrapServers, place)
    await fill(first.kafka, place, 10)
    await first.invoke([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    await first.close()
    await recreate(bootstrapServers, place.source.topic)
    const second = container(bootstrapServers, place)
    await fill(second.kafka, place, 3)
    for (let attempt = 0; attempt < 2; attempt++) await expect(second.invoke([0, 1, 2])).rejects.toThrow('[position-beyond-end]')
    expect(second.counts.get('positionGuard')).toBe(2)
    const administration = openAdministration({ bootstrapServers, clientId: 'test' })
    await administration.forgetProgress(place.group, place.source, within(30_000))
    await administration.close()
    await second.invoke([0, 1, 2])
    expect(await committedValues(bootstrapServers, place.target)).toHaveLength(13)
    await second.close()
  })
})

test('a new generation while the old mapping delivers: told with what to do', async () => {
  const broker = inject('kafka')
  const place = await freshPlace(broker)
  const old = container(broker, place)
  await fill(old.kafka, place, 10)
  await old.invoke([0, 1, 2, 3, 4])
  await old.close()
  const raised = container(broker, place, 2)
  await raised.invoke([5, 6])
  expect(raised.told).toEqual([
    expect.stringMatching(
      /^\[generation-midway\] .*: generation 2 begins .*-0 at 5, and the partition begins at 0\. .* disable it, let it drain/s,
    ),
  ])
  expect(raised.counts.get('positionGuard')).toBe(1)
  // Told once: it has a position now.
  await raised.invoke([7])
  expect(raised.told).toHaveLength(1)
  await raised.close()
})

test('a gap between our position and the batch is a metric, and no error', async () => {
  const broker = inject('kafka')
  const place = await freshPlace(broker)
  const { invoke, kafka, told, counts, close } = container(broker, place)
  await fill(kafka, place, 10)
  await invoke([0, 1])
  await invoke([6, 7])
  expect(counts.get('gap')).toBe(4)
  expect(told).toEqual([])
  await close()
})

test('progress that stays unstable is refused with the name of the defect, and never read as it was before', async () => {
  const broker = inject('kafka')
  const place = await freshPlace(broker)
  // Its commit never arrives: outputs and progress of an open transaction.
  const seen = new Map<string, number>()
  const proxy = await startFaultProxy(broker, ({ api }) => {
    seen.set(api, (seen.get(api) ?? 0) + 1)
    return api === 'EndTxn' ? 'lose' : 'pass'
  })
  // Time is up once enough was asked, however slow the machine is.
  const until = (api: string, count: number) => ({ remainingMs: () => ((seen.get(api) ?? 0) < count ? 20_000 : 0) })
  const lost = createKafka({ bootstrapServers: broker, clientId: 'lost', openSocket: proxy.openSocket })
  const { session } = await claim(lost, place)
  await expect(write(lost, place, session, 0, ['a'], until('EndTxn', 1))).rejects.toThrow()
  seen.clear()
  const reader = createKafka({ bootstrapServers: broker, clientId: 'reader', openSocket: proxy.openSocket })
  // Asked again, since the answers before were no position.
  await expect(reader.readProgress(place.group, place.source, until('OffsetFetch', 5))).rejects.toMatchObject({
    id: 'kafka-unstable-progress',
    message: expect.stringMatching(/KAFKA-20734.*never abort the transaction by hand/),
  })
  // As the function does it: the fence ends the transaction, and then it is stable.
  expect(await claim(lost, place)).toMatchObject({ position: undefined })
  await Promise.all([lost.close(), reader.close(), proxy.close()])
})
