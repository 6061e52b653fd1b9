// Three brokers: leaders and coordinators on different ones, and moving.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type LocalKafka, startKafka } from '../../../infra/local/kafka.ts'
import { createKafka } from '../../../lib/connectors/kafka/producer.ts'
import { Fenced, RetryableError, type TransactionPort } from '../../../lib/runtime/ports.ts'
import { claim, committedValues, freshPlace, output, within, write } from './outputs.ts'

describe('three brokers', () => {
  let cluster: LocalKafka
  let kafka: TransactionPort
  const addresses = new Set<string>()
  beforeAll(async () => {
    // With three, a killed broker loses no transaction marker also on this version (KAFKA-20734).
    cluster = await startKafka({
      version: '4.4.0',
      brokerCount: 3,
      settings: { 'broker.session.timeout.ms': 2000, 'broker.heartbeat.interval.ms': 300 },
    })
    kafka = createKafka({
      bootstrapServers: cluster.bootstrapServers,
      clientId: 'test',
      requestTimeoutMs: 2000,
      patienceMs: 15_000,
      observe: call => call.api === 'Produce' && addresses.add(`${call.address.host}:${call.address.port}`),
    })
  }, 90_000)
  afterAll(async () => {
    await kafka.close()
    await cluster.stop()
  })

  test('one transaction over partitions of all brokers', async () => {
    const place = await freshPlace(cluster.bootstrapServers, { partitions: 6 })
    const { session } = await claim(kafka, place)
    const records = Array.from({ length: 60 }, (_, i) => output(place.target, `${i}`, { partition: i % 6 }))
    await kafka.transact(session, { group: place.group, progress: place.source, nextOffset: 60n, records }, within(20_000))
    expect([...addresses].sort()).toEqual(cluster.brokers.map(broker => broker.address).sort())
    const values = await committedValues(cluster.bootstrapServers, place.target)
    expect([...values].sort()).toEqual(records.map(record => record.value!.toString()).sort())
    expect((await claim(kafka, place)).position).toBe(60n)
  })

  test.each([0, 1, 2])(
    'broker %i is killed while transactions run: leaders and coordinators move, nothing is lost or twice',
    async index => {
      const place = await freshPlace(cluster.bootstrapServers)
      const count = 80
      let position = 0
      let session = (await claim(kafka, place)).session
      const killing = sleep(150).then(() => cluster.brokers[index]!.kill())
      for (let attempts = 0; position < count && attempts < count * 3; attempts++) {
        try {
          const { reusable } = await write(kafka, place, session, position, [`${position}`], within(30_000))
          position++
          if (!reusable) session = (await claim(kafka, place)).session
        } catch (error) {
          if (!(error instanceof Fenced || error instanceof RetryableError)) throw error
          const again = await claim(kafka, place, within(30_000))
          session = again.session
          position = Number(again.position ?? 0n)
        }
      }
      await killing
      await cluster.brokers[index]!.restart()
      expect((await claim(kafka, place)).position).toBe(80n)
      expect(await committedValues(cluster.bootstrapServers, place.target)).toEqual(Array.from({ length: 80 }, (_, i) => `${i}`))
    },
  )
})
