// The producer on real brokers, for both transaction protocols: event-source-mapping.md 4.2 and 4.5.
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { type LocalKafka, startKafka } from '../../../infra/local/kafka.ts'
import { createTopics } from '../../../infra/local/topics.ts'
import type { Call } from '../../../lib/connectors/kafka/connection.ts'
import { createKafka, type KafkaConfig } from '../../../lib/connectors/kafka/producer.ts'
import { readCommitted } from '../../../lib/emulator/committed.ts'
import { Fenced, RecordTooLarge, RetryableError, type TransactionPort } from '../../../lib/runtime/ports.ts'
import { startFaultProxy } from './fault-proxy.ts'
import { claim, committedValues, deadline, freshPlace, output, within, write } from './outputs.ts'

describe.each(['TV2', 'TV1'] as const)('transaction protocol %s', protocol => {
  let own: LocalKafka | undefined
  let broker: string
  let calls: Call[] = []
  let kafka: TransactionPort
  const others: TransactionPort[] = []

  beforeAll(async () => {
    own = protocol === 'TV1' ? await startKafka({ transactionVersion: 1 }) : undefined
    broker = own?.bootstrapServers ?? inject('kafka')
    kafka = other({ observe: call => calls.push(call) })
  })
  afterAll(async () => {
    await Promise.all(others.map(one => one.close()))
    await own?.stop()
  })

  function other(config: Partial<KafkaConfig> = {}): TransactionPort {
    const one = createKafka({ bootstrapServers: broker, clientId: 'test', patienceMs: 2000, ...config })
    others.push(one)
    return one
  }

  test('speaks the protocol that the cluster has finalised, in as many round trips as it takes', async () => {
    const place = await freshPlace(broker)
    const { session } = await claim(kafka, place)
    await write(kafka, place, session, 0, ['warm'])
    const written = ['warm']
    let requests: readonly string[]
    // Back to back the broker is still busy with the markers of the one before, and is asked again.
    do {
      await new Promise(resolve => setTimeout(resolve, 300))
      calls = []
      written.push(`${written.length}`)
      await write(kafka, place, session, written.length - 1, written.slice(-1))
      requests = calls.filter(call => call.phase === 'request').map(call => `${call.api} ${call.version}`)
    } while (new Set(requests).size < requests.length)
    expect(roundTrips(calls)).toBe({ TV1: 3, TV2: 2 }[protocol])
    const expected = {
      TV1: ['AddOffsetsToTxn 3', 'AddPartitionsToTxn 3', 'EndTxn 4', 'Produce 11', 'TxnOffsetCommit 4'],
      TV2: ['EndTxn 5', 'Produce 12', 'TxnOffsetCommit 5'],
    }
    expect(requests.at(-1)).toMatch(/^EndTxn/)
    expect([...requests].sort()).toEqual(expected[protocol])
    expect(await committedValues(broker, place.target)).toEqual(written)
  })

  test('progress is undefined at first, then what was committed', async () => {
    const place = await freshPlace(broker)
    const first = await claim(kafka, place)
    expect(first.position).toBeUndefined()
    expect(await write(kafka, place, first.session, 0, ['a', 'b', 'c'])).toEqual({ reusable: true })
    expect((await claim(kafka, place)).position).toBe(3n)
  })

  test('progress that an older group coordinator kept counts, so that a cluster may be upgraded', async () => {
    await createTopics(broker, [{ name: 'sluice-progress', partitions: 32 }])
    const place = await freshPlace(broker)
    const { session } = await claim(kafka, place)
    await write(kafka, place, session, 10, [])
    const kept = {
      group: place.transactionalId,
      progress: { topic: 'sluice-progress', partition: 5 },
      nextOffset: 77n,
      records: [],
    }
    await kafka.transact(session, kept, deadline)
    expect((await claim(kafka, place)).position).toBe(77n)
  })

  test('one session writes many transactions, in order', async () => {
    const place = await freshPlace(broker)
    const { session } = await claim(kafka, place)
    for (let i = 0; i < 12; i++) expect(await write(kafka, place, session, i, [`v${i}`])).toEqual({ reusable: true })
    expect(await committedValues(broker, place.target)).toEqual([
      'v0',
      'v1',
      'v2',
      'v3',
      'v4',
      'v5',
      'v6',
      'v7',
      'v8',
      'v9',
      'v10',
      'v11',
    ])
    expect((await claim(kafka, place)).position).toBe(12n)
  })

  test('a transaction without records commits progress alone', async () => {
    const place = await freshPlace(broker)
    const { session } = await claim(kafka, place)
    await write(kafka, place, session, 41, [])
    await write(kafka, place, session, 41, ['x'])
    expect((await claim(kafka, place)).position).toBe(42n)
    expect(await committedValues(broker, place.target)).toEqual(['x'])
  })

  test('a newer owner fences the older one, which writes nothing', async () => {
    const place = await freshPlace(broker)
    const older = await claim(kafka, place)
    const newer = await claim(kafka, place)
    await expect(write(kafka, place, older.session, 0, ['old'])).rejects.toBeInstanceOf(Fenced)
    await write(kafka, place, newer.session, 0, ['new'])
    expect(await committedValues(broker, place.target)).toEqual(['new'])
  })

  test('a spent session is refused without a request', async () => {
    const place = await freshPlace(broker)
    const older = await claim(kafka, place)
    await claim(kafka, place)
    await expect(write(kafka, place, older.session, 0, ['old'])).rejects.toBeInstanceOf(Fenced)
    calls = []
    await expect(write(kafka, place, older.session, 0, ['old'])).rejects.toMatchObject({ id: 'kafka-session-spent' })
    expect(calls).toEqual([])
  })

  test('1,000 records of 2 kB over 8 partitions: more than a batch takes, each once, in order', async () => {
    const place = await freshPlace(broker, { partitions: 8 })
    const { session } = await claim(kafka, place)
    const records = Array.from({ length: 1000 }, (_, i) =>
      output(place.target, `${i}`.padEnd(2000, '.'), { key: Buffer.from(`key ${i % 50}`) }),
    )
    await kafka.transact(session, { group: place.group, progress: place.source, nextOffset: 1000n, records }, deadline)
    const read = await readCommitted(broker, [place.target], { timeoutMs: 10_000 })
    expect(read.length).toBe(1000)
    const numbers = read.map(record => Number(record.value!.toString().replaceAll('.', '')))
    expect([...numbers].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i))
    for (let partition = 0; partition < 8; partition++) {
      const own = numbers.filter((_, i) => read[i]!.partition === partition)
      expect(own).toEqual([...own].sort((a, b) => a - b))
    }
  })

  test('several batches of one partition stay in order', async () => {
    const place = await freshPlace(broker)
    const { session } = await claim(kafka, place)
    const values = Array.from({ length: 1500 }, (_, i) => `${i}`.padEnd(2000, '.'))
    await write(kafka, place, session, 0, values)
    expect(await committedValues(broker, place.target)).toEqual(values)
  })

  test.each(['gzip', 'zstd'] as const)(
    'keys, values, tombstones, headers, times arrive byte for byte, compressed by %s',
    async compression => {
      const place = await freshPlace(broker)
      const kafka = other({ compression })
      const { session } = await claim(kafka, place)
      const headers = [
        { name: 'trace', value: Buffer.from([97, 195, 169, 255]) },
        { name: 'trace', value: Buffer.from('') },
        { name: 'grün', value: null },
      ]
      const records = [
        output(place.target, 'v', { key: Buffer.from([0, 255]), headers, timestampMs: 1_763_900_000_123 }),
        output(place.target, null, { timestampMs: 4_102_444_800_000 }),
        output(place.target, '', { key: null, timestampMs: 1 }),
      ]
      await kafka.transact(session, { group: place.group, progress: place.source, nextOffset: 3n, records }, deadline)
      const read = await readCommitted(broker, [place.target], { timeoutMs: 10_000 })
      expect(
        read.map(({ key, value, headers, timestampMs }) => ({
          key: key && [...key],
          value: value?.toString() ?? null,
          headers,
          timestampMs,
        })),
      ).toEqual([
        { key: [0, 255], value: 'v', headers, timestampMs: 1_763_900_000_123 },
        { key: [107], value: null, headers: [], timestampMs: 4_102_444_800_000 },
        { key: null, value: '', headers: [], timestampMs: 1 },
      ])
    },
  )

  test.each(['none', 'gzip', 'zstd'] as const)(
    'no topic demands a compression: with %s, topics of every kind take what we send',
    async compression => {
      const kafka = other({ compression })
      for (const type of ['uncompressed', 'gzip', 'snappy', 'lz4', 'zstd', 'producer']) {
        const place = await freshPlace(broker, { target: { 'compression.type': type } })
        const { session } = await claim(kafka, place)
        await write(kafka, place, session, 0, ['a', 'b'.repeat(2000)])
        expect(await committedValues(broker, place.target)).toEqual(['a', 'b'.repeat(2000)])
      }
    },
  )

  test('a record goes to the named partition, else by its key, else by its seed', async () => {
    const place = await freshPlace(broker, { partitions: 5 })
    const { session } = await claim(kafka, place)
    // Hashes of UtilsTest.java: "21" → −973932308 & 0x7fffffff = 1173551340; "abc" → 479470107; of the partitions 5: 0 and 2.
    const records = [
      output(place.target, 'named', { key: Buffer.from('21'), partition: 4 }),
      output(place.target, 'keyed', { key: Buffer.from('21') }),
      output(place.target, 'seeded', { key: null, partitionSeed: 'abc' }),
    ]
    await kafka.transact(session, { group: place.group, progress: place.source, nextOffset: 3n, records }, deadline)
    const read = await readCommitted(broker, [place.target], { timeoutMs: 10_000 })
    expect(Object.fromEntries(read.map(record => [record.value!.toString(), record.partition]))).toEqual({
      named: 4,
      keyed: 0,
      seeded: 2,
    })
  })

  test('a record that the topic does not take is told by its index, and the others are not written', async () => {
    const place = await freshPlace(broker, { target: { 'max.message.bytes': '5000' } })
    const { session } = await claim(kafka, place)
    const values = ['a', 'b', 'x'.repeat(6000), 'c', 'd']
    const error = await write(kafka, place, session, 0, values).catch(error => error)
    expect(error).toBeInstanceOf(RecordTooLarge)
    expect(error.recordIndex).toBe(2)
    const again = await claim(kafka, place)
    expect(again.position).toBeUndefined()
    await write(kafka, place, again.session, 0, ['a', 'b', 'c', 'd'])
    expect(await committedValues(broker, place.target)).toEqual(['a', 'b', 'c', 'd'])
  })

  test('records that fit one by one are divided until the topic takes them', async () => {
    const place = await freshPlace(broker, { target: { 'max.message.bytes': '5000' } })
    const { session } = await claim(kafka, place)
    const values = Array.from({ length: 40 }, (_, i) => `${i}`.padEnd(900, '.'))
    await write(kafka, place, session, 0, values)
    await write(kafka, place, session, 40, ['last'])
    expect(await committedValues(broker, place.target)).toEqual([...values, 'last'])
  })

  test('a record above our own bound is refused before anything is sent, and the session goes on', async () => {
    const place = await freshPlace(broker)
    const kafka = other({ maxRequestBytes: 10_000 })
    const { session } = await claim(kafka, place)
    await expect(write(kafka, place, session, 0, ['a', 'x'.repeat(10_000)])).rejects.toMatchObject({ recordIndex: 1 })
    await write(kafka, place, session, 0, ['a'])
    expect(await committedValues(broker, place.target)).toEqual(['a'])
  })

  test('an unknown topic is named with the cure, before anything is begun', async () => {
    const place = await freshPlace(broker)
    const kafka = other({ patienceMs: 300 })
    const { session } = await claim(kafka, place)
    const missing = `${place.target}-missing`
    await expect(write(kafka, { ...place, target: missing }, session, 0, ['a'])).rejects.toMatchObject({
      name: 'RetryableError',
      id: 'kafka-unknown-topic',
      message: expect.stringContaining(
        `Kafka has no topic "${missing}". Nothing was written, the batch comes again. Create the topic`,
      ),
    })
    await write(kafka, place, session, 0, ['a'])
    expect(await committedValues(broker, place.target)).toEqual(['a'])
  })

  test('a partition that the topic lacks is named', async () => {
    const place = await freshPlace(broker, { partitions: 2 })
    const { session } = await claim(kafka, place)
    const records = [output(place.target, 'a', { partition: 2 })]
    await expect(
      kafka.transact(session, { group: place.group, progress: place.source, nextOffset: 1n, records }, deadline),
    ).rejects.toMatchObject({ id: 'kafka-unknown-partition' })
  })

  test('a refusal in the middle aborts: nothing is written, and the next owner goes on', async () => {
    // The topic takes no record of the year 1970, code 32.
    const place = await freshPlace(broker, { target: { 'message.timestamp.before.max.ms': '3600000' } })
    const { session } = await claim(kafka, place)
    calls = []
    await expect(write(kafka, place, session, 0, ['a'])).rejects.toMatchObject({
      id: 'kafka-refused',
      message: expect.stringContaining('INVALID_TIMESTAMP (32)'),
    })
    expect(calls.filter(call => call.phase === 'request').at(-1)?.api).toBe('EndTxn')
    const next = await claim(kafka, place)
    expect(next.position).toBeUndefined()
    const records = [output(place.target, 'now', { timestampMs: Date.now() })]
    await kafka.transact(next.session, { group: place.group, progress: place.source, nextOffset: 1n, records }, deadline)
    expect(await committedValues(broker, place.target)).toEqual(['now'])
  })

  test('the end of a partition counts what is written', async () => {
    const place = await freshPlace(broker)
    expect(await kafka.endOffset({ topic: place.target, partition: 0 }, deadline)).toBe(0n)
    const { session } = await claim(kafka, place)
    await write(kafka, place, session, 0, ['a', 'b'])
    // Two records; the marker of the commit comes after, and takes an offset of its own.
    await expect.poll(() => kafka.endOffset({ topic: place.target, partition: 0 }, deadline)).toBe(3n)
  })

  test('many partitions share one connection and commit at the same time', async () => {
    const places = await Promise.all(Array.from({ length: 8 }, () => freshPlace(broker)))
    let opened = 0
    const kafka = other({ observe: call => call.api === 'ApiVersions' && call.phase === 'request' && opened++ })
    await Promise.all(
      places.map(async place => {
        const { session } = await claim(kafka, place)
        for (let i = 0; i < 5; i++) await write(kafka, place, session, i, [`v${i}`])
      }),
    )
    expect(opened).toBe(1)
    for (const place of places) expect(await committedValues(broker, place.target)).toEqual(['v0', 'v1', 'v2', 'v3', 'v4'])
  })

  test('whichever request or answer is lost, records are written once and in order', async () => {
    const place = await freshPlace(broker)
    const written: string[] = []
    let faults = 0
    for (const fate of ['lose', 'lose answer'] as const) {
      for (let n = 1; ; n++) {
        let hit = false
        const proxy = await startFaultProxy(broker, frame => {
          if (frame.number !== n) return 'pass'
          hit = true
          faults++
          return fate
        })
        const kafka = other({ openSocket: proxy.openSocket })
        const value = `${fate} ${n}`
        // As the commit does: whatever happens, claim anew and write what is not done.
        for (let round = 0; round < 20; round++) {
          try {
            const { session, position } = await claim(kafka, place)
            if (position === BigInt(written.length + 1)) break
            await write(kafka, place, session, written.length, [value])
            break
          } catch (error) {
            if (!(error instanceof Fenced || error instanceof RetryableError)) throw error
          }
        }
        written.push(value)
        await kafka.close()
        await proxy.close()
        if (!hit) break
      }
    }
    // Each kind of request has had its turn: at least one of connecting, finding, fencing, reading, writing and ending.
    expect(faults).toBeGreaterThan(18)
    expect(await committedValues(broker, place.target)).toEqual(written)
    expect((await claim(kafka, place)).position).toBe(BigInt(written.length))
  })

  test('where the answer to the commit is lost, it is asked for again until it is certain', async () => {
    const place = await freshPlace(broker)
    let ends = 0
    const proxy = await startFaultProxy(broker, frame => (frame.api === 'EndTxn' && ends++ === 0 ? 'lose answer' : 'pass'))
    const kafka = other({ openSocket: proxy.openSocket })
    const { session } = await claim(kafka, place)
    // TV1 keeps its epoch: a late copy of the first request would end the next transaction, so the session must not go on.
    expect(await write(kafka, place, session, 0, ['a'])).toEqual({ reusable: protocol === 'TV2' })
    expect(ends).toBeGreaterThanOrEqual(2)
    const next = protocol === 'TV2' ? session : (await claim(kafka, place)).session
    await write(kafka, place, next, 1, ['b'])
    expect(await committedValues(broker, place.target)).toEqual(['a', 'b'])
    await proxy.close()
  })

  test('where the answer to Produce is lost, the broker knows the copy by its sequence number', async () => {
    const place = await freshPlace(broker)
    let sent = 0
    const proxy = await startFaultProxy(broker, frame => (frame.api === 'Produce' && sent++ === 0 ? 'lose answer' : 'pass'))
    const kafka = other({ openSocket: proxy.openSocket })
    const { session } = await claim(kafka, place)
    expect(await write(kafka, place, session, 0, ['a', 'b'])).toEqual({ reusable: protocol === 'TV2' })
    // More often where the coordinator is still busy.
    expect(sent).toBeGreaterThanOrEqual(2)
    expect(await committedValues(broker, place.target)).toEqual(['a', 'b'])
    await proxy.close()
  })

  const steps = {
    TV1: ['AddPartitionsToTxn', 'AddOffsetsToTxn', 'TxnOffsetCommit', 'Produce', 'EndTxn'],
    TV2: ['TxnOffsetCommit', 'Produce', 'EndTxn'],
  }
  test.each(steps[protocol])('a zombie that froze before %s is fenced there, and the newer owner loses nothing', async api => {
    const place = await freshPlace(broker)
    const reached = Promise.withResolvers<void>()
    const released = Promise.withResolvers<void>()
    const proxy = await startFaultProxy(broker, frame => {
      if (frame.api !== api) return 'pass'
      reached.resolve()
      return released.promise
    })
    const zombie = other({ openSocket: proxy.openSocket })
    const frozen = await claim(zombie, place)
    const outcome = write(zombie, place, frozen.session, 0, ['zombie']).catch(error => error)
    await reached.promise

    const owner = await claim(kafka, place)
    expect(owner.position).toBeUndefined()
    await write(kafka, place, owner.session, 0, ['owner 0'])
    released.resolve()
    expect(await outcome).toBeInstanceOf(Fenced)
    await write(kafka, place, owner.session, 1, ['owner 1'])

    expect(await committedValues(broker, place.target)).toEqual(['owner 0', 'owner 1'])
    expect((await claim(kafka, place)).position).toBe(2n)
    await proxy.close()
  })

  test('a dead worker leaves its transaction open; the next owner frees it at once', async () => {
    const place = await freshPlace(broker)
    const ending = Promise.withResolvers<void>()
    const proxy = await startFaultProxy(broker, frame => {
      if (frame.api !== 'EndTxn') return 'pass'
      ending.resolve()
      return new Promise(() => {})
    })
    const dead = other({ openSocket: proxy.openSocket })
    const { session } = await claim(dead, place)
    const lost = write(dead, place, session, 0, ['dead']).catch(error => error)
    await ending.promise
    const owner = await claim(kafka, place)
    expect(owner.position).toBeUndefined()
    await write(kafka, place, owner.session, 0, ['alive'])
    expect(await committedValues(broker, place.target)).toEqual(['alive'])
    expect(await lost).toMatchObject({ id: 'kafka-commit-unknown' })
    await proxy.close()
  })

  test('an answer that arrived while the process was frozen counts, although its time is over', async () => {
    const place = await freshPlace(broker)
    const pause = new Int32Array(new SharedArrayBuffer(4))
    let requests = 0
    const kafka = other({
      requestTimeoutMs: 600,
      observe: call => {
        if (call.api !== 'InitProducerId' || call.phase !== 'request') return
        requests++
        // After the request has gone out: nothing of this process runs for longer than it may take.
        setImmediate(() => Atomics.wait(pause, 0, 0, 1600))
      },
    })
    await kafka.endOffset({ topic: place.target, partition: 0 }, deadline)
    const warm = await claim(kafka, place)
    requests = 0
    const again = await claim(kafka, place)
    expect(again.session.epoch).toBeGreaterThan(warm.session.epoch)
    // Asked once per answer: a time-out would have closed the connection and asked a new epoch.
    expect(again.session.epoch - warm.session.epoch).toBe(1)
    expect(requests).toBeGreaterThanOrEqual(1)
  })
})

/** Requests that are under way together are one. */
function roundTrips(calls: readonly Call[]): number {
  let open = 0
  let count = 0
  for (const { phase } of calls) {
    if (phase === 'request' && open === 0) count++
    open += phase === 'request' ? 1 : -1
  }
  return count
}

describe('where nobody answers', () => {
  const config = { clientId: 'test', patienceMs: 200, connectTimeoutMs: 500 }

  test.each([
    ['nothing listens', '127.0.0.1:1', 'Nothing listens there: the broker is down, or the port is wrong'],
    ['the name is unknown', 'broker.invalid:9092', 'broker.invalid:9092 cannot be reached'],
  ])('%s: address and likely cause are named', async (_, bootstrapServers, words) => {
    const kafka = createKafka({ bootstrapServers, ...config })
    await expect(kafka.fence('t', within(3000))).rejects.toMatchObject({
      id: 'kafka-unreachable',
      message: expect.stringContaining(words),
    })
    await kafka.close()
  })

  test('a port that does not speak Kafka in plain text', async () => {
    const { createServer } = await import('node:net')
    // As a TLS listener does: an alert, then the end.
    const server = createServer(socket => socket.on('data', () => socket.end(Buffer.from('15030300020246', 'hex'))))
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    const kafka = createKafka({ bootstrapServers: `127.0.0.1:${port}`, ...config })
    await expect(kafka.fence('t', within(3000))).rejects.toMatchObject({
      id: 'kafka-unreachable',
      message: expect.stringContaining('it may expect TLS or SASL'),
    })
    await kafka.close()
    server.close()
  })

  test('the second bootstrap server is tried where the first is gone', async () => {
    const kafka = createKafka({ bootstrapServers: `127.0.0.1:1, ${inject('kafka')}`, ...config })
    const place = await freshPlace(inject('kafka'))
    expect((await claim(kafka, place)).position).toBeUndefined()
    await kafka.close()
  })

  test('a bootstrap server without a port is refused at once', () => {
    expect(() => createKafka({ bootstrapServers: 'broker', ...config })).toThrow(
      '"broker" is no bootstrap server: host:port is needed',
    )
  })
})
