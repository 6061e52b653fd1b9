// What it costs that records leave something for later ones: a batch of 1,000 with 10, 100 and 1,000 changed keys in a real Redis, through the
// handler as it is bundled, beside the same scenario without state (both commit to a log in memory), and beside an INCR per record.
import assert from 'node:assert'
import { Redis } from 'ioredis'
import { startRedis } from '../../infra/local/redis.ts'
import { loadCompiled } from '../../lib/cli/compiled.ts'
import { openScenario } from '../../lib/cli/scenario-file.ts'
import { memoryLog } from '../../lib/connectors/memory.ts'
import { connectRedisStateStore } from '../../lib/connectors/state-redis.ts'
import { buildEvent } from '../../lib/emulator/event.ts'
import { writeTemporary } from './compiled.ts'
import { type Figure, figures, median } from './measure.ts'

const batchSize = 1000
const runs = 31
const warmUps = 40

const scenarioText = (state: string, count: string) => `scenario: bench-state
source:
  topic: visits
  event: { customerId: string, page: string }
${state}filter:
  known: event.page != ""
sinks:
  out:
    topic: out
    key: event.customerId
    value: { customerId: event.customerId, page: event.page, count: ${count} }
`
const remembering = `state:
  visit:
    key: event.customerId
    fields: { count: int = 0 }
    when: true
    set: { count: visit.count + 1 }
`

interface Contender {
  readonly name: string
  readonly batch: () => Promise<unknown>
}

interface Keeper extends Contender {
  readonly outputs: () => readonly string[]
}

export async function state(): Promise<readonly Figure[]> {
  const redis = await startRedis()
  const client = new Redis(redis.url)
  const store = connectRedisStateStore({ url: redis.url, scenario: 'bench-state' })
  try {
    const withState = await loadCompiled(
      openScenario(writeTemporary('bench-state.yml', scenarioText(remembering, 'visit.count'))),
    )
    const without = await loadCompiled(openScenario(writeTemporary('bench-stateless.yml', scenarioText('', 'size(event.page)'))))
    let roundTrips = 0
    const counted = {
      ...store.state,
      write: (...asked: Parameters<typeof store.state.write>) => {
        roundTrips++
        return store.state.write(...asked)
      },
    }
    const lookups = {
      ...store.lookups,
      lookupMany: (...asked: Parameters<typeof store.lookups.lookupMany>) => {
        roundTrips++
        return store.lookups.lookupMany(...asked)
      },
    }
    const keeper = (generation: number, keyCount: number): Keeper => {
      const kafka = memoryLog()
      const { handler } = withState.embed(
        { ...withState.plan, generation },
        { lookups: {}, log: silent, kafka, state: { ...counted, lookups } },
      )
      return {
        name: `state/${keyCount} keys changed by 1,000 records`,
        batch: batches(handler, keyCount),
        outputs: () => kafka.committed.map(({ value }) => Buffer.from(value!).toString()),
      }
    }
    await assertCounts(keeper(9, 10), () => roundTrips)

    const stateless = without.embed(without.plan, { lookups: {}, log: silent })
    let next = 0
    const contenders: readonly Contender[] = [
      ...[10, 100, 1000].map(keyCount => keeper(keyCount, keyCount)),
      {
        name: 'state/an INCR per record, awaited one by one',
        batch: async () => {
          for (let n = 0; n < batchSize; n++) await client.incr(`counted:${next++ % 100}`)
        },
      },
      { name: 'state/the same without state', batch: batches(stateless.handler, 100) },
    ]
    const wallMs = contenders.map((): number[] => [])
    const cpuMs = contenders.map((): number[] => [])
    for (let n = -warmUps; n < runs; n++) {
      for (const [c, { batch }] of contenders.entries()) {
        const cpu = process.cpuUsage()
        const startedMs = performance.now()
        await batch()
        const tookMs = performance.now() - startedMs
        const { user, system } = process.cpuUsage(cpu)
        if (n < 0) continue
        wallMs[c]!.push(tookMs)
        cpuMs[c]!.push((user + system) / 1000)
      }
    }
    const bytes = Number(await client.memory('USAGE', 'sluice:bench-state.1000:visit/c-500'))
    const all = (ms: readonly number[][]) => contenders.map(({ name }, c) => ({ name, value: median(ms[c]!) }))
    return [
      ...figures(all(cpuMs), { unit: 'ms CPU per 1,000 records (client)', runs }),
      ...figures(all(wallMs), { unit: 'ms per batch of 1,000', runs }),
      ...figures([{ name: 'state/memory of a key', value: bytes }], { unit: 'bytes in Redis', runs: 1 }),
    ]
  } finally {
    await Promise.all([store.state.close(), store.lookups.close()])
    client.disconnect()
    await redis.stop()
  }
}

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }

/** Each call delivers the next 1,000 offsets. */
function batches(handler: unknown, keyCount: number): () => Promise<unknown> {
  let offset = 0
  return () => {
    const records = Array.from({ length: batchSize }, (_, n) => ({
      topic: 'visits',
      partition: 0,
      offset: offset++,
      timestampMs: 1_700_000_000_000,
      timestampType: 'CREATE_TIME' as const,
      key: null,
      value: Buffer.from(JSON.stringify({ customerId: `c-${n % keyCount}`, page: 'home' })),
      headers: [],
    }))
    const event = buildEvent(records, { kind: 'self-managed', bootstrapServers: 'localhost:9092' })
    return (handler as (event: unknown, context: unknown) => Promise<unknown>)(event, { getRemainingTimeInMillis: () => 60_000 })
  }
}

/** The third batch of ten keys begins at 200 visits each; reading and writing are a round trip each. */
async function assertCounts({ batch, outputs }: Keeper, roundTrips: () => number) {
  await batch()
  await batch()
  const before = roundTrips()
  await batch()
  assert.equal(roundTrips() - before, 2)
  assert.deepEqual(
    outputs()
      .slice(2000, 2011)
      .map(text => (JSON.parse(text) as { count: number }).count),
    [...Array.from({ length: 10 }, () => 200), 201],
  )
}
