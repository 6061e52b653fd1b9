// A cluster that goes from Kafka 3.9 to 4.x, first its programs and then its features, under a scenario that keeps its place.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { type LocalKafka, startKafka } from '../../../infra/local/kafka.ts'
import { createTopics } from '../../../infra/local/topics.ts'
import { type Call, openConnection } from '../../../lib/connectors/kafka/connection.ts'
import type { Api, ApiName } from '../../../lib/connectors/kafka/messages.ts'
import { createKafka } from '../../../lib/connectors/kafka/producer.ts'
import { claim, committedValues, freshPlace, write } from './outputs.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluice-upgrade-'))
let broker: LocalKafka | undefined
afterAll(async () => {
  await broker?.stop()
  rmSync(folder, { recursive: true, force: true })
})

/*
  UpdateFeatures, request 1: timeout_ms: int32, feature_updates: [feature: string, max_version_level: int16, upgrade_type: int8], validate_only
  Response 1: throttle_time_ms: int32, error_code: int16, error_message: string, results: …
*/
const updateFeatures: Api<Readonly<Record<string, number>>, { code: number; message: string | null }> = {
  key: 57,
  name: 'UpdateFeatures' as ApiName,
  oldest: 1,
  newest: 1,
  encode(writer, levels) {
    const upgrade = 1
    writer.int32(10_000)
    writer.array(Object.entries(levels), ([name, level]) => writer.string(name).int16(level).int8(upgrade).noTags())
    writer.boolean(false).noTags()
  },
  decode(reader) {
    reader.int32()
    return { code: reader.int16(), message: reader.string() }
  },
}

async function finalise(levels: Readonly<Record<string, number>>): Promise<void> {
  const [host, port] = broker!.bootstrapServers.split(':') as [string, string]
  const options = { clientId: 'test', connectTimeoutMs: 5000 }
  const open = () => openConnection({ host, port: Number(port) }, options, 5000)
  const connection = await open()
  expect(await connection.send(updateFeatures, levels, { timeoutMs: 10_000 })).toEqual({ code: 0, message: null })
  connection.close()
  await vi.waitFor(async () => {
    const fresh = await open()
    const seen = Object.fromEntries(Object.keys(levels).map(name => [name, fresh.feature(name)]))
    fresh.close()
    expect(seen).toEqual(levels)
  }, 30_000)
}

test('3.9.2 → 4.2.2 → its features: every container goes on where the one before ended', async () => {
  broker = await startKafka({ version: '3.9.2', folder })
  await createTopics(broker.bootstrapServers, [{ name: 'sluice-progress', partitions: 32 }])
  const place = await freshPlace(broker.bootstrapServers)

  let done = 0
  async function run(): Promise<readonly string[]> {
    const calls: Call[] = []
    const kafka = createKafka({ bootstrapServers: broker!.bootstrapServers, clientId: 'test', observe: call => calls.push(call) })
    for (let round = 0; round < 2; round++) {
      const { session, position } = await claim(kafka, place)
      expect(position ?? 0n).toBe(BigInt(done))
      await write(kafka, place, session, done, [`v${done}`])
      done++
    }
    await kafka.close()
    return [
      ...new Set(calls.filter(call => ['EndTxn', 'Produce'].includes(call.api)).map(call => `${call.api} ${call.version}`)),
    ].sort()
  }

  expect(await run()).toEqual(['EndTxn 4', 'Produce 11'])
  await broker.stop()
  broker = await startKafka({ version: '4.2.2', folder })
  expect(await run()).toEqual(['EndTxn 4', 'Produce 11'])
  // Metadata of Kafka 4.0, which the two features ask for.
  await finalise({ 'metadata.version': 25 })
  await finalise({ 'group.version': 1, 'transaction.version': 2 })
  expect(await run()).toEqual(['EndTxn 5', 'Produce 12'])
  expect(await committedValues(broker.bootstrapServers, place.target)).toEqual(['v0', 'v1', 'v2', 'v3', 'v4', 'v5'])
})
