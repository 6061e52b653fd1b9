// What it costs that records leave something for later ones: a batch of 1,000 with 10, 100 and 1,000 changed keys in a real Redis, through the
// handler as it is bundled, from the text of the Lambda event on, beside the same scenario without state, and beside an INCR per record. Once
// with a log in memory on both sides, so that state alone is seen, and once with the commit to a real broker on both sides, as users pay it.
// What state costs is told apart: our own part (the same with its store in memory), the rest of the client's, the server's, and the claim.
import assert from 'node:assert'
import { Redis } from 'ioredis'
import { startKafka } from '../../infra/local/kafka.ts'
import { startRedis } from '../../infra/local/redis.ts'
import { createTopics } from '../../infra/local/topics.ts'
import { loadCompiled } from '../../lib/cli/compiled.ts'
import { openScenario } from '../../lib/cli/scenario-file.ts'
import { createKafka } from '../../lib/connectors/kafka/producer.ts'
import { type MemoryLog, memoryLog } from '../../lib/connectors/memory.ts'
import { memoryState } from '../../lib/connectors/state-memory.ts'
import { connectRedisStateStore } from '../../lib/connectors/state-redis.ts'
import type { LookupPort, StatePort } from '../../lib/runtime/ports.ts'
import { writeTemporary } from './compiled.ts'
import { type Figure, figures, median } from './measure.ts'
import { batchSize, invoke, silent, visitEvents, visitsScenario } from './visits.ts'

const keyCounts = [10, 100, 1000]
const runs = 61
const warmUps = 60
const claims = 101

const remembering = `state:
  visit:
    key: event.customerId
    fields: { count: int = 0 }
    when: true
    set: { count: visit.count + 1 }
`

interface Contender {
  readonly name: string
  /** Makes the next batch, outside of its time. */
  readonly prepare?: () => string
  readonly batch: (event: string) => Promise<unknown>
}

export async function state(): Promise<readonly Figure[]> {
  const ends: (() => unknown)[] = []
  try {
    const [redis, broker] = await Promise.all([startRedis(), startKafka()])
    ends.push(redis.stop, broker.stop)
    const client = new Redis(redis.url)
    ends.push(() => client.disconnect())
    const store = connectRedisStateStore({ url: redis.url, scenario: 'bench-state' })
    ends.push(store.state.close, store.lookups.close)
    await createTopics(broker.bootstrapServers, [{ name: 'visits' }, { name: 'out' }])
    const inRedis = { ...store.state, lookups: store.lookups }

    const withState = await loadCompiled(
      openScenario(writeTemporary('bench-state.yml', visitsScenario(remembering, 'visit.count'))),
    )
    const without = await loadCompiled(
      openScenario(writeTemporary('bench-stateless.yml', visitsScenario('', 'size(event.page)'))),
    )
    const connected = () => {
      const kafka = createKafka({ bootstrapServers: broker.bootstrapServers, clientId: 'bench' })
      ends.push(kafka.close.bind(kafka))
      return kafka
    }
    // Each a scenario of its own, by its generation.
    let generation = 1
    const keeping = (name: string, keyCount: number, world: { readonly state?: typeof inRedis; readonly kafka?: MemoryLog }) =>
      contender(name, keyCount, withState.embed({ ...withState.plan, generation: generation++ }, worldOf(world)))
    const stateless = (name: string, world: { readonly kafka?: MemoryLog }) =>
      contender(name, 100, without.embed({ ...without.plan, generation: generation++ }, worldOf(world)))

    await assertCounts(inRedis, world => keeping('checked first', 10, world))
    let next = 0
    const alone: readonly Contender[] = [
      ...keyCounts.map(keyCount => keeping(`${keyCount} keys changed by 1,000 records`, keyCount, { state: inRedis })),
      ...keyCounts.map(keyCount =>
        keeping(`${keyCount} keys, its store in memory: our own part`, keyCount, { state: { ...memoryState() } }),
      ),
      {
        name: 'an INCR per record, awaited one by one',
        batch: async () => {
          for (let n = 0; n < batchSize; n++) await client.incr(`counted:${next++ % 100}`)
        },
      },
      stateless('the same without state', {}),
    ]
    const committed: readonly Contender[] = [
      ...keyCounts.map(keyCount =>
        keeping(`${keyCount} keys, committed to Kafka`, keyCount, { state: inRedis, kafka: connected() as never }),
      ),
      stateless('without state, committed to Kafka', { kafka: connected() as never }),
    ]
    const [inMemory, onKafka] = [await measured(alone, client), await measured(committed, client)]
    const ofServer = inMemory.filter(({ serverMs }) => serverMs.hmget + serverMs.evalsha > 0)
    const named = (all: readonly Measured[], figureOf: (one: Measured) => number, what = '') =>
      all.map(one => ({ name: `state/${one.name}${what}`, value: figureOf(one) }))
    const bytes = Number(await client.memory('USAGE', 'sluice:bench-visits.4:visit/c-500'))
    return [
      ...figures(
        named(inMemory, ({ cpuMs }) => cpuMs),
        { unit: 'ms CPU per 1,000 records (client)', runs },
      ),
      ...figures(
        named(onKafka, ({ cpuMs }) => cpuMs),
        { unit: 'ms CPU per 1,000 records (client)', runs },
      ),
      ...figures(
        named(inMemory, ({ wallMs }) => wallMs),
        { unit: 'ms per batch of 1,000', runs },
      ),
      ...figures(
        named(onKafka, ({ wallMs }) => wallMs),
        { unit: 'ms per batch of 1,000', runs },
      ),
      ...ofServer.flatMap(one =>
        figures(
          [
            { name: `state/${one.name}, the write script (Lua)`, value: one.serverMs.evalsha },
            { name: `state/${one.name}, the look-ups`, value: one.serverMs.hmget },
          ],
          { unit: 'ms CPU per batch (server)', runs },
        ),
      ),
      ...(await claimed(store.state)),
      ...figures([{ name: 'state/memory of a key', value: bytes }], { unit: 'bytes in Redis', runs: 1 }),
    ]
  } finally {
    for (const end of ends.reverse()) await end()
  }
}

const worldOf = (world: object) => ({ lookups: {}, log: silent, ...world }) as never

/** What the log in memory keeps for tests is dropped before the next batch. */
function contender(
  name: string,
  keyCount: number,
  embedded: { readonly handler: unknown; readonly kafka: MemoryLog },
): Contender {
  const nextEvent = visitEvents(keyCount)
  return {
    name,
    prepare: () => {
      if (embedded.kafka.committed !== undefined) (embedded.kafka.committed as unknown[]).length = 0
      return nextEvent()
    },
    batch: event => invoke(embedded.handler, event),
  }
}

interface Measured {
  readonly name: string
  readonly cpuMs: number
  readonly wallMs: number
  readonly serverMs: CommandTimes
}

/** All in turn, each first as often as the others. */
async function measured(contenders: readonly Contender[], redis: Redis): Promise<readonly Measured[]> {
  const all = contenders.map(() => ({
    cpuMs: [] as number[],
    wallMs: [] as number[],
    hmget: [] as number[],
    evalsha: [] as number[],
  }))
  for (let n = -warmUps; n < runs; n++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const c = (turn + n + warmUps) % contenders.length
      const event = contenders[c]!.prepare?.() ?? ''
      const serverBefore = await commandTimes(redis)
      const cpu = process.cpuUsage()
      const startedMs = performance.now()
      await contenders[c]!.batch(event)
      const tookMs = performance.now() - startedMs
      const { user, system } = process.cpuUsage(cpu)
      const server = await commandTimes(redis)
      if (n < 0) continue
      all[c]!.wallMs.push(tookMs)
      all[c]!.cpuMs.push((user + system) / 1000)
      all[c]!.hmget.push(server.hmget - serverBefore.hmget)
      all[c]!.evalsha.push(server.evalsha - serverBefore.evalsha)
    }
  }
  return contenders.map(({ name }, c) => {
    const { cpuMs, wallMs, hmget, evalsha } = all[c]!
    return { name, cpuMs: median(cpuMs), wallMs: median(wallMs), serverMs: { hmget: median(hmget), evalsha: median(evalsha) } }
  })
}

/** What the server has spent on look-ups and on scripts so far, by its own account, in ms. */
interface CommandTimes {
  readonly hmget: number
  readonly evalsha: number
}

async function commandTimes(redis: Redis): Promise<CommandTimes> {
  const info = await redis.info('commandstats')
  const usecOf = (command: string) => Number(new RegExp(`^cmdstat_${command}:calls=\\d+,usec=(\\d+)`, 'm').exec(info)?.[1] ?? 0)
  return { hmget: usecOf('hmget') / 1000, evalsha: usecOf('evalsha') / 1000 }
}

/** A claim comes once for a partition in a container, not with each batch. It finds what the last batch has changed. */
async function claimed(state: StatePort): Promise<readonly Figure[]> {
  const locks = [
    { name: 'a claim that finds 100 keys', lock: { scope: 'bench-visits.3', partition: { topic: 'visits', partition: 0 } } },
    { name: 'a claim of a new partition', lock: { scope: 'bench-visits.3', partition: { topic: 'visits', partition: 1 } } },
  ]
  const all = locks.map(() => ({ cpuMs: [] as number[], wallMs: [] as number[] }))
  for (let n = 0; n < claims; n++) {
    for (const [l, { lock }] of locks.entries()) {
      const cpu = process.cpuUsage()
      const startedMs = performance.now()
      const { leftovers } = await state.claim(lock, { remainingMs: () => 10_000 })
      all[l]!.wallMs.push(performance.now() - startedMs)
      const { user, system } = process.cpuUsage(cpu)
      all[l]!.cpuMs.push((user + system) / 1000)
      assert.equal(leftovers.size, l === 0 ? 100 : 0)
    }
  }
  const named = (figureOf: (one: (typeof all)[number]) => readonly number[]) =>
    locks.map(({ name }, l) => ({ name: `state/${name}`, value: median(figureOf(all[l]!)) }))
  return [
    ...figures(
      named(({ cpuMs }) => cpuMs),
      { unit: 'ms CPU (client)', runs: claims },
    ),
    ...figures(
      named(({ wallMs }) => wallMs),
      { unit: 'ms', runs: claims },
    ),
  ]
}

/** The third batch of ten keys begins at 200 visits each; reading and writing are a round trip each. */
async function assertCounts(
  inRedis: StatePort & { readonly lookups: LookupPort },
  keeping: (world: { readonly state: typeof inRedis; readonly kafka: MemoryLog }) => Contender,
): Promise<void> {
  let roundTrips = 0
  const counted = {
    ...inRedis,
    write: (...asked: Parameters<StatePort['write']>) => {
      roundTrips++
      return inRedis.write(...asked)
    },
    lookups: {
      ...inRedis.lookups,
      lookupMany: (...asked: Parameters<LookupPort['lookupMany']>) => {
        roundTrips++
        return inRedis.lookups.lookupMany(...asked)
      },
    },
  }
  const kafka = memoryLog()
  const { prepare, batch } = keeping({ state: counted, kafka })
  for (let n = 0; n < 2; n++) await batch(prepare!())
  roundTrips = 0
  await batch(prepare!())
  assert.equal(roundTrips, 2)
  assert.deepEqual(
    kafka.committed.slice(0, 11).map(({ value }) => (JSON.parse(Buffer.from(value!).toString()) as { count: number }).count),
    [...Array.from({ length: 10 }, () => 200), 201],
  )
}
