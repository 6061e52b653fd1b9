// Three brokers. The group's coordinator freezes; another takes its office, and a partition's progress goes on there. Then it wakes, and a container
// that knows it from before asks it for the position: it answers at once, and the answer is old. A torture with frozen brokers led to it.
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type LocalKafka, startKafka } from '../../../infra/local/kafka.ts'
import { createTopics } from '../../../infra/local/topics.ts'
import { Cluster } from '../../../lib/connectors/kafka/cluster.ts'
import * as production from '../../../lib/connectors/kafka/producer.ts'
import { addressText, parseAddresses } from '../../../lib/connectors/kafka/socket.ts'
import { claim, within, write } from '../../connectors/kafka/outputs.ts'
import { type Mutant, mutated } from '../../simulation/mutation.ts'

const producerFile = join(import.meta.dirname, '../../../lib/connectors/kafka/producer.ts')
const sessionTimeoutMs = 2000
let kafka: LocalKafka
let cluster: Cluster
beforeAll(async () => {
  kafka = await startKafka({
    version: '4.4.0',
    brokerCount: 3,
    settings: { 'broker.session.timeout.ms': sessionTimeoutMs, 'broker.heartbeat.interval.ms': 300 },
  })
  cluster = new Cluster({
    bootstrap: parseAddresses(kafka.bootstrapServers),
    clientId: 'proof',
    connectTimeoutMs: 1000,
    requestTimeoutMs: 2000,
  })
}, 90_000)
afterAll(async () => {
  await cluster.close()
  await kafka.stop()
})

/** They are elected when they are asked for first. */
async function coordinatorOf(kind: 'group' | 'transaction', key: string): Promise<string> {
  for (;;) {
    const found = await cluster.coordinator(kind, key, 3000).catch(() => undefined)
    if (found !== undefined) return addressText(found.address)
    await delay(100)
  }
}

/** A source whose group and transactions are coordinated by different brokers: the latter must stay awake. */
async function freshSource(name: string): Promise<{ readonly source: string; readonly broker: LocalKafka['brokers'][number] }> {
  for (let n = 0; ; n++) {
    const source = `${name}-${n}`
    const group = `sluice.proof-${source}.1`
    const address = await coordinatorOf('group', group)
    if (address === (await coordinatorOf('transaction', `${group}/${source}/0`))) continue
    return { source, broker: kafka.brokers.find(broker => broker.address === address)! }
  }
}

const mutant: Mutant = {
  file: 'connectors/kafka/producer.ts',
  replace: [['if (!this.#fenced.has(transactionalId)) return', 'return']],
}

test('as it is, the present position is read', { timeout: 120_000 }, async () => {
  expect(await positionRead('right', production.createKafka)).toBe(4n)
})

// Offsets 2 and 3 would be decided a second time. A broker that wakes may hear of its successor before it answers: then it sends us on.
test('where the known address is trusted, an old position is read sooner or later', { timeout: 300_000 }, async () => {
  const { createKafka } = await mutated<typeof production>(producerFile, mutant)
  const positions: bigint[] = []
  while (!positions.includes(2n) && positions.length < 6)
    positions.push((await positionRead(`wrong-${positions.length}`, createKafka)) as bigint)
  expect(positions).toContain(2n)
})

/** What a container reads that knew the coordinator from before, while that one wakes. */
async function positionRead(name: string, createKafka: typeof production.createKafka): Promise<bigint | undefined> {
  const { source, broker } = await freshSource(name)
  const { bootstrapServers } = kafka
  await createTopics(bootstrapServers, [{ name: source }, { name: `${source}-output` }])
  const group = `sluice.proof-${source}.1`
  const place = {
    group,
    source: { topic: source, partition: 0 },
    target: `${source}-output`,
    transactionalId: `${group}/${source}/0`,
  }
  const [a, b] = [createKafka({ bootstrapServers, clientId: 'a' }), production.createKafka({ bootstrapServers, clientId: 'b' })]
  try {
    const first = await claim(a, place)
    await write(a, place, first.session, 0, ['0', '1'])
    expect((await claim(a, place)).position).toBe(2n)
    broker.freeze()
    await delay(sessionTimeoutMs + 1500)
    // Until all leaders have moved.
    await vi.waitFor(
      async () => {
        const { session, position } = await claim(b, place, within(4000))
        if (position !== 4n) await write(b, place, session, 2, ['2', '3'], within(4000))
      },
      { timeout: 60_000, interval: 100 },
    )
    await a.fence(place.transactionalId, within(20_000))
    const reading = a.readProgress(group, place.source, within(20_000))
    await delay(500)
    broker.thaw()
    return await reading
  } finally {
    broker.thaw()
    await Promise.all([a.close(), b.close()])
  }
}
