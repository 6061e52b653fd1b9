// A stage where the store is 0.5 ms away, as in another availability zone: texts, hashes of four fields, nine in ten keys remembered, and what
// others do there: one await per record. The way to Redis is a proxy in a thread of its own, so that its work is not ours; yet a round trip takes
// 0.2 ms more with it than the half millisecond. So the same stages are measured beside the server, too, without proxy and distance.
import { Worker } from 'node:worker_threads'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { startRedis } from '../../infra/local/redis.ts'
import { connectRedis } from '../../lib/connectors/redis.ts'
import type { Columns, SourceRecord } from '../../lib/plan/plan.ts'
import { createLookupMemory, defaultMemoryBytes } from '../../lib/runtime/cache.ts'
import { loadStages, writeTemporary } from './compiled.ts'
import { assertSame, type Figure, figures, median } from './measure.ts'

const batchSize = 1000
const batchCount = 20
const customerCount = batchSize * batchCount
const addedMs = 0.5
const runs = 41
const warmUps = 300
/** One await per record takes 1,000 times as long: few records tell as much. */
const singleCount = 50

const scenarioText = (lookup: string, cache = '') => `scenario: bench-distance
source:
  topic: visits
  event: { customerId: string }
enrich:
  profile:
    redis: ${lookup}
    fields: { segment: string, score: int, plan: string, consent: bool }${cache}
sinks:
  out:
    topic: out
    value: { segment: profile.?segment.orValue("none") }
`
const profile = { segment: 'gold', score: '12', plan: 'basic', consent: 'true' }
const json = '{"segment":"gold","score":12,"plan":"basic","consent":true}'

export async function atADistance(): Promise<readonly Figure[]> {
  const redis = await startRedis()
  const ends: (() => unknown)[] = [() => redis.stop()]
  try {
    const seed = new Redis(redis.url)
    for (let start = 0; start < customerCount; start += batchSize) {
      const pipeline = seed.pipeline()
      for (let k = start; k < start + batchSize; k++) pipeline.set(`text:c-${k}`, json).hset(`hash:c-${k}`, profile)
      await pipeline.exec()
    }
    seed.disconnect()
    const far = await distant(redis.port)
    ends.unshift(() => far.end())
    const url = `redis://127.0.0.1:${far.port}`
    const port = connectRedis({ url, scenario: 'bench-distance' })
    const nearPort = connectRedis({ url: redis.url, scenario: 'bench-distance' })
    const nearIoredis = new Redis(redis.url)
    const ioredis = new Redis(url)
    const nodeRedis = createClient({ url })
    await nodeRedis.connect()
    ends.unshift(
      () => port.close(),
      () => nearPort.close(),
      () => nearIoredis.disconnect(),
      () => ioredis.disconnect(),
      () => nodeRedis.destroy(),
    )

    const batches = Array.from({ length: batchCount }, (_, b) =>
      Array.from({ length: batchSize }, (_, k) => `c-${((b * batchSize + k) * 7919) % customerCount}`),
    )
    const memory = createLookupMemory({ maxBytes: defaultMemoryBytes, nowMs: Date.now })
    const stageOf = async (lookup: string, cache?: string) => {
      const file = `bench-distance-${lookup.slice(0, 4)}${cache === undefined ? '' : '-cache'}.yml`
      const { plan, createColumns, enrich } = await loadStages(writeTemporary(file, scenarioText(lookup, cache)))
      const records = Array.from({ length: batchSize }, (_, offset) => ({
        ...{ topic: 'visits', partition: 0, offset, timestampMs: 0, key: null, value: null, headers: [] },
      })) as readonly SourceRecord[]
      const stage = plan.steps.flatMap(step => (step.kind === 'fetch' ? [step.lookups] : []))[0]!
      return (ids: readonly string[], redis = port) => {
        const columns: Columns = { ...createColumns(plan, records), event: ids.map(customerId => ({ customerId })) }
        return async () => {
          await enrich(
            columns,
            plan.lookups,
            stage,
            { redis },
            { remainingMs: () => 10_000 },
            cache === undefined ? undefined : memory,
          )
          return columns.lookups[0]!
        }
      }
    }
    const texts = await stageOf('json text:{event.customerId}')
    const hashes = await stageOf('hash hash:{event.customerId}')
    const remembered = await stageOf('json text:{event.customerId}', '\n    cache: 1h')
    // Nine in ten are those of the first batch, which is remembered; the others are new each time.
    await remembered(batches[0]!)()
    let fresh = 0
    const mostlyKnown = () => batches[0]!.map((id, k) => (k % 10 === 0 ? `new-${fresh++}` : id))
    const found = (await texts(batches[1]!)()).map(one => ({ ...(one as object) }))
    assertSame(
      'texts',
      found,
      Array.from({ length: batchSize }, () => JSON.parse(json) as unknown),
    )
    assertSame(
      'hashes',
      (await hashes(batches[1]!)()).map(one => ({ ...(one as object) })),
      found,
    )

    const name = (what: string) => `enrich at ${addedMs} ms/${what}`
    const near = (what: string) => `enrich beside the server/${what}`
    const contenders: readonly { name: string; count: number; ready: (batch: readonly string[]) => () => Promise<unknown> }[] = [
      { name: name('stage, 1,000 texts'), count: batchSize, ready: texts },
      { name: name('stage, 1,000 hashes of four fields'), count: batchSize, ready: hashes },
      { name: name('stage, 1,000 texts, 90 % of them remembered'), count: batchSize, ready: () => remembered(mostlyKnown()) },
      {
        name: name('ioredis, one await per record'),
        count: singleCount,
        ready: ids => async () => {
          for (const id of ids.slice(0, singleCount)) await ioredis.get(`text:${id}`)
        },
      },
      {
        name: name('node-redis, one await per record'),
        count: singleCount,
        ready: ids => async () => {
          for (const id of ids.slice(0, singleCount)) await nodeRedis.get(`text:${id}`)
        },
      },
      { name: name('one round trip'), count: batchSize, ready: () => () => ioredis.get('text:nobody') },
      { name: near('stage, 1,000 texts'), count: batchSize, ready: ids => texts(ids, nearPort) },
      { name: near('stage, 1,000 hashes of four fields'), count: batchSize, ready: ids => hashes(ids, nearPort) },
      {
        name: near('stage, 1,000 texts, 90 % of them remembered'),
        count: batchSize,
        ready: () => remembered(mostlyKnown(), nearPort),
      },
      { name: near('one round trip'), count: batchSize, ready: () => () => nearIoredis.get('text:nobody') },
    ]
    const wallMs = contenders.map((): number[] => [])
    // Stages take turns with stages at the same distance: after 50 waits in a row a processor has forgotten what it knew.
    const turns = Map.groupBy(contenders.keys(), c => `${contenders[c]!.name.split('/')[0]}, ${contenders[c]!.count}`)
    for (const turn of turns.values()) {
      for (let n = -warmUps; n < runs; n++) {
        for (const c of turn) {
          const { count, ready } = contenders[c]!
          // What takes long is run as often as it counts.
          if (n < 0 && count < batchSize) continue
          const run = ready(batches[(n + warmUps) % batchCount]!)
          const startedMs = performance.now()
          await run()
          if (n >= 0) wallMs[c]!.push(((performance.now() - startedMs) * batchSize) / count)
        }
      }
    }
    const all = (figureOf: (times: readonly number[]) => number, unit: string) => {
      const found = contenders.map(({ name }, c) => ({ name, value: figureOf(wallMs[c]!) }))
      const places = Map.groupBy(found, ({ name }) => name.split('/')[0])
      return [...places.values()].flatMap(place => figures(place, { unit, runs }))
    }
    return [...all(median, 'ms per 1,000'), ...all(times => Math.min(...times), 'ms per 1,000, quickest run')]
  } finally {
    for (const end of ends) await end()
  }
}

/**
 * Requests arrive later by `addedMs`; timers of Node are too coarse for that, so the thread sleeps. What a client has written before the first
 * answer is on its way together and later by the same time, in however many pieces it was written.
 */
async function distant(port: number): Promise<{ readonly port: number; end(): Promise<unknown> }> {
  const worker = new Worker(
    `
const { connect, createServer } = require('node:net')
const { parentPort, workerData } = require('node:worker_threads')
const sleeper = new Int32Array(new SharedArrayBuffer(4))
const server = createServer({ noDelay: true }, client => {
  const upstream = connect({ port: workerData.port, host: '127.0.0.1', noDelay: true })
  let isUnderWay = false
  client.on('data', chunk => {
    if (!isUnderWay) Atomics.wait(sleeper, 0, 0, workerData.addedMs)
    isUnderWay = true
    upstream.write(chunk)
  })
  upstream.on('data', chunk => {
    // After all that can be read now: the client's last bytes may lie there beside the first answer.
    setImmediate(() => { isUnderWay = false })
    client.write(chunk)
  })
  client.on('error', () => upstream.destroy()).on('close', () => upstream.destroy())
  upstream.on('error', () => client.destroy()).on('close', () => client.destroy())
})
server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port))
`,
    { eval: true, workerData: { port, addedMs } },
  )
  const found = await new Promise<number>((resolve, reject) => worker.once('message', resolve).once('error', reject))
  return { port: found, end: () => worker.terminate() }
}
