// Look-ups from one Redis on this machine: the whole enrichment stage (keys built, looked up, decoded by declared type) beside a bare socket
// that reads the same keys by MGET, beside clients used one call per record, and beside each client's way of many keys. 300 B values, batches of 1,000.
// What the same costs at a distance is measured in enrich-distance.ts, what clients cost at a cold start in enrich-clients.ts.
import { connect } from 'node:net'
import { Redis } from 'ioredis'
import { Redis as Valkey } from 'iovalkey'
import { createClient } from 'redis'
import { startRedis } from '../../infra/local/redis.ts'
import { connectRedis } from '../../lib/connectors/redis.ts'
import type { Columns, SourceRecord } from '../../lib/plan/plan.ts'
import { loadStages, writeTemporary } from './compiled.ts'
import { clientCosts } from './enrich-clients.ts'
import { atADistance } from './enrich-distance.ts'
import { assertSame, type Figure, figures, median } from './measure.ts'

const batchSize = 1000
const customerCount = 100_000
const batchCount = customerCount / batchSize
const runs = 41
const warmUps = 200
const value = '{"segment":"gold","score":12,"note":"'.padEnd(298, 'x').concat('"}')

const scenarioText = `scenario: bench-enrich
source:
  topic: visits
  event: { customerId: string }
enrich:
  profile:
    redis: json customer:{event.customerId}
    fields: { segment: string, score: int, note: string }
sinks:
  out:
    topic: out
    value: { segment: profile.?segment.orValue("none") }
`

export async function enrichment(): Promise<readonly Figure[]> {
  return [...(await sideBySide()), ...(await atADistance()), ...(await clientCosts())]
}

async function sideBySide(): Promise<readonly Figure[]> {
  const redis = await startRedis()
  const ends: (() => unknown)[] = [() => redis.stop()]
  try {
    const seed = new Redis(redis.url)
    ends.unshift(() => seed.disconnect())
    for (let start = 0; start < customerCount; start += 10_000)
      await seed.mset(Array.from({ length: 10_000 }, (_, k) => [`customer:c-${start + k}`, value]).flat())

    const { plan, createColumns, enrich } = await loadStages(writeTemporary('bench-enrich.yml', scenarioText))
    const port = connectRedis({ url: redis.url, scenario: 'bench-enrich' })
    const bare = await bareSocket(redis.port)
    const ioredis = new Redis(redis.url)
    const valkey = new Valkey(redis.url)
    const nodeRedis = createClient({ url: redis.url })
    await nodeRedis.connect()
    ends.unshift(
      () => port.close(),
      () => bare.close(),
      () => ioredis.disconnect(),
      () => valkey.disconnect(),
      () => nodeRedis.destroy(),
    )
    const distinct = shuffledBatches()
    const zipf = zipfBatches()
    const records = Array.from({ length: batchSize }, (_, offset) => ({
      topic: 'visits',
      partition: 0,
      offset,
      timestampMs: 0,
      key: null,
      value: null,
      headers: [],
    }))
    const stage = plan.steps.flatMap(step => (step.kind === 'fetch' ? [step.lookups] : []))[0]!
    /** What decoding hands to the stage: made outside of the time, since it is not the stage's. */
    const columnsOf = (ids: readonly string[]): Columns => ({
      ...createColumns(plan, records as unknown as readonly SourceRecord[]),
      event: ids.map(customerId => ({ customerId })),
    })
    const enriched = (ids: readonly string[]) => {
      const columns = columnsOf(ids)
      return async () => {
        await enrich(columns, plan.lookups, stage, { redis: port }, { remainingMs: () => 10_000 })
        return columns.lookups[0]!
      }
    }
    const keysOf = (ids: readonly string[]) => ids.map(id => `customer:${id}`)
    const pipelined = async (client: Redis | Valkey, ids: readonly string[]) => {
      const pipeline = client.pipeline()
      for (const key of keysOf(ids)) pipeline.get(key)
      return ((await pipeline.exec()) ?? []).map(([, text]) => text)
    }
    const wanted = Array.from({ length: batchSize }, () => value)
    const profiles = await enriched(distinct[0]!)()
    assertSame(
      'enrich',
      profiles.map(profile => JSON.stringify(profile)),
      wanted,
    )

    const contenders: readonly {
      name: string
      batches: readonly (readonly string[])[]
      ready: (ids: readonly string[]) => () => Promise<readonly unknown[]>
    }[] = [
      { name: 'enrich/stage, customers by Zipf 1.0 over 100,000', batches: zipf, ready: enriched },
      { name: 'enrich/stage, all keys distinct', batches: distinct, ready: enriched },
      {
        name: 'enrich/ioredis, a get per record',
        batches: distinct,
        ready: ids => () => Promise.all(keysOf(ids).map(key => ioredis.get(key))),
      },
      {
        name: 'enrich/node-redis, a get per record',
        batches: distinct,
        ready: ids => () => Promise.all(keysOf(ids).map(key => nodeRedis.get(key))),
      },
      { name: 'enrich/ioredis, a pipeline of GET', batches: distinct, ready: ids => () => pipelined(ioredis, ids) },
      { name: 'enrich/iovalkey, a pipeline of GET', batches: distinct, ready: ids => () => pipelined(valkey, ids) },
      { name: 'enrich/ioredis, MGET', batches: distinct, ready: ids => () => ioredis.mget(keysOf(ids)) },
      { name: 'enrich/iovalkey, MGET', batches: distinct, ready: ids => () => valkey.mget(keysOf(ids)) },
      { name: 'enrich/node-redis, MGET', batches: distinct, ready: ids => () => nodeRedis.mGet(keysOf(ids)) },
      { name: 'enrich/bare socket, a pipeline of GET', batches: distinct, ready: ids => () => bare.gets(keysOf(ids)) },
      { name: 'enrich/bare socket, MGET', batches: distinct, ready: ids => () => bare.mget(keysOf(ids)) },
    ]
    for (const { name, ready } of contenders.slice(2)) assertSame(name, await ready(distinct[1]!)(), wanted)

    const wallMs = contenders.map((): number[] => [])
    const cpuMs = contenders.map((): number[] => [])
    // Each run reads keys that nobody has just read, and everyone is first in turn: with the same keys for all, the server answered the last
    // contender from its caches, with a quarter of the CPU time (0.25 instead of 0.98 µs per key).
    let next = 0
    for (let n = -warmUps; n < runs; n++) {
      for (let turn = 0; turn < contenders.length; turn++) {
        const c = (turn + n + warmUps) % contenders.length
        const { batches, ready } = contenders[c]!
        const run = ready(batches[next++ % batchCount]!)
        const cpu = process.cpuUsage()
        const startedMs = performance.now()
        await run()
        const tookMs = performance.now() - startedMs
        const { user, system } = process.cpuUsage(cpu)
        if (n < 0) continue
        wallMs[c]!.push(tookMs)
        cpuMs[c]!.push((user + system) / 1000)
      }
    }
    const all = (of: readonly number[][], figureOf: (ms: number) => number) =>
      contenders.map(({ name }, c) => ({ name, value: figureOf(median(of[c]!)) }))
    return [
      ...figures(
        all(wallMs, ms => (batchSize / ms) * 1000),
        { unit: 'records/s', runs },
      ),
      // On a machine that others use, too, the median tells how busy they were; the quickest run was alone for a moment.
      ...figures(
        contenders.map(({ name }, c) => ({ name, value: (batchSize / Math.min(...wallMs[c]!)) * 1000 })),
        { unit: 'records/s, quickest run', runs },
      ),
      ...figures(
        all(cpuMs, ms => (ms * 1000) / batchSize),
        { unit: 'µs CPU per record (client)', runs },
      ),
    ]
  } finally {
    for (const end of ends) await end()
  }
}

/** All customers once, in no order: where they lie in the server's memory has nothing to do with the batch. */
function shuffledBatches(): readonly (readonly string[])[] {
  const random = seeded()
  const ids = Array.from({ length: customerCount }, (_, k) => `c-${k}`)
  for (let k = ids.length - 1; k > 0; k--) {
    const other = Math.floor(random() * (k + 1))
    ;[ids[k], ids[other]] = [ids[other]!, ids[k]!]
  }
  return Array.from({ length: batchCount }, (_, b) => ids.slice(b * batchSize, (b + 1) * batchSize))
}

function seeded(): () => number {
  let state = 12345
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

/** The k-th customer comes in proportion to 1/k. From a seed of its own, so that each run has the same. */
function zipfBatches(): readonly (readonly string[])[] {
  const sums: number[] = []
  let sum = 0
  for (let k = 1; k <= customerCount; k++) {
    sum += 1 / k
    sums.push(sum)
  }
  const random = seeded()
  const pick = () => {
    const wanted = random() * sum
    let low = 0
    let high = customerCount - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (sums[middle]! < wanted) low = middle + 1
      else high = middle
    }
    // Ranks lie anywhere in memory, as customers do.
    return `c-${(low * 7919) % customerCount}`
  }
  return Array.from({ length: batchCount }, () => Array.from({ length: batchSize }, pick))
}

/** As little as can be: one write, bulk strings cut out of the answer. It knows that all is found and how long it is. */
async function bareSocket(port: number) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  let receive: (chunk: Buffer) => void = () => undefined
  socket.on('data', chunk => receive(chunk as Buffer))
  const ask = (text: string, answerBytes: number) => {
    socket.write(text)
    return new Promise<readonly string[]>(resolve => {
      const chunks: Buffer[] = []
      let byteCount = 0
      receive = chunk => {
        chunks.push(chunk)
        byteCount += chunk.length
        if (byteCount < answerBytes) return
        const bytes = Buffer.concat(chunks)
        const texts: string[] = []
        let at = bytes[0] === 0x2a ? bytes.indexOf(10) + 1 : 0
        while (at < bytes.length) {
          const end = bytes.indexOf(13, at)
          let length = 0
          for (let i = at + 1; i < end; i++) length = length * 10 + bytes[i]! - 48
          texts.push(bytes.toString('utf8', end + 2, end + 2 + length))
          at = end + 4 + length
        }
        resolve(texts)
      }
    })
  }
  const bulkBytes = `$${value.length}\r\n`.length + value.length + 2
  const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`
  return {
    mget: (keys: readonly string[]) =>
      ask(
        `*${keys.length + 1}\r\n$4\r\nMGET\r\n${keys.map(bulk).join('')}`,
        `*${keys.length}\r\n`.length + keys.length * bulkBytes,
      ),
    gets: (keys: readonly string[]) => ask(keys.map(key => `*2\r\n$3\r\nGET\r\n${bulk(key)}`).join(''), keys.length * bulkBytes),
    close: () => socket.destroy(),
  }
}
