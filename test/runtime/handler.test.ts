import { describe, expect, test } from 'vitest'
import { embed } from '../../lib/connectors/embedded.ts'
import { memoryLog, memoryStore, type StoreContent } from '../../lib/connectors/memory.ts'
import { createHandler } from '../../lib/runtime/handler.ts'
import { Fenced, type OutputRecord, RecordTooLarge, RetryableError, type TransactionPort } from '../../lib/runtime/ports.ts'
import { base64, visits, visitsEvent } from './plan-fixture.ts'

const people: StoreContent = {
  'customer:anna': { type: 'hash', value: { age: '30' } },
  'customer:kid': { type: 'hash', value: { age: '9' } },
  'customer:bad': { type: 'hash', value: { age: '?' } },
}
const visit = (offset: number, id: string) => ({ offset, value: base64(`{"id":"${id}"}`), key: base64(id) })
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }
const context = { getRemainingTimeInMillis: () => 10_000 } as never

function headers(record: OutputRecord): Record<string, string> {
  return Object.fromEntries(record.headers.map(({ name, value }) => [name, Buffer.from(value!).toString()]))
}
const idOf = (record: OutputRecord) => headers(record)['sluice-idempotency-key']

describe('a batch, from event to commit', () => {
  test('passes, drops and sets aside, in the order of offsets', async () => {
    const { handler, kafka } = embed(visits, { lookups: people, log: silent })
    const response = await handler(
      visitsEvent({
        3: [visit(7, 'anna'), visit(8, 'kid'), visit(9, 'nobody'), visit(10, 'bad'), { offset: 11 }, visit(12, 'anna')],
      }),
      context,
    )
    expect(response).toEqual({ batchItemFailures: [] })
    expect(kafka.committed.map(idOf)).toEqual([
      'letters.1/app.visits/3/7/letter/0',
      'letters.1/app.visits/3/10/dead-letter/0',
      'letters.1/app.visits/3/12/letter/0',
    ])
  })

  test('a dead letter keeps bytes and headers, and says where and why', async () => {
    const { handler, kafka } = embed(visits, { lookups: people, log: silent })
    await handler(
      visitsEvent({ 3: [{ offset: 7, value: base64('no json'), key: base64('k'), headers: [{ trace: [1, -1] }] }] }),
      context,
    )
    const [letter] = kafka.committed
    expect(letter).toMatchObject({ topic: 'sluice.letters.dead-letters', key: Buffer.from('k'), value: Buffer.from('no json') })
    expect(letter!.headers[0]).toEqual({ name: 'trace', value: Uint8Array.from([1, 255]) })
    expect(headers(letter!)).toMatchObject({
      'sluice-reason': 'invalid-json',
      'sluice-coordinates': 'app.visits-3@7',
      'sluice-scenario': 'letters.1',
      'sluice-message': 'the value is not JSON',
    })
  })

  test('delivered again, nothing comes out twice; what is new comes out', async () => {
    const { handler, kafka } = embed(visits, { lookups: people, log: silent })
    await handler(visitsEvent({ 0: [visit(1, 'anna'), visit(2, 'anna')] }), context)
    await handler(visitsEvent({ 0: [visit(1, 'anna'), visit(2, 'anna'), visit(3, 'anna')], 1: [visit(1, 'anna')] }), context)
    expect(kafka.committed.map(idOf).sort()).toEqual([
      'letters.1/app.visits/0/1/letter/0',
      'letters.1/app.visits/0/2/letter/0',
      'letters.1/app.visits/0/3/letter/0',
      'letters.1/app.visits/1/1/letter/0',
    ])
  })

  test('a batch of tombstones alone is progress', async () => {
    const { handler, kafka } = embed(visits, { lookups: people, log: silent })
    await handler(visitsEvent({ 0: [{ offset: 4 }, { offset: 5 }] }), context)
    expect(kafka.committed).toEqual([])
    expect(await kafka.readProgress('sluice.letters.1', { topic: 'app.visits', partition: 0 }, { remainingMs: () => 1 })).toBe(6n)
  })

  test('with most of a large batch broken nothing is emitted, and the batch comes again', async () => {
    const { handler, kafka } = embed(visits, { lookups: people, log: silent })
    const records = Array.from({ length: 100 }, (_, offset) =>
      offset < 51 ? { offset, value: base64('x') } : visit(offset, 'anna'),
    )
    await expect(handler(visitsEvent({ 0: records }), context)).rejects.toThrow(
      /^\[too-many-dead-letters\] letters: 51 of 100 records .*"invalid-json".*0.5/,
    )
    expect(kafka.committed).toEqual([])
    await handler(visitsEvent({ 0: records.slice(1) }), context)
    expect(kafka.committed).toHaveLength(99)
  })
})

describe('commit', () => {
  function handlerWith(kafka: TransactionPort) {
    return createHandler(visits, { kafka, stores: { redis: memoryStore(people) }, log: silent, deadLetterTopic: 'dead' })
  }

  test('fences before it reads, and reads before it skips', async () => {
    const kafka = memoryLog()
    const calls: string[] = []
    const spy = new Proxy(kafka, {
      get: (target, name: keyof TransactionPort) =>
        typeof target[name] === 'function'
          ? (...args: never[]) => {
              calls.push(name)
              return (target[name] as (...args: never[]) => unknown)(...args)
            }
          : target[name],
    })
    const handler = handlerWith(spy)
    await handler(visitsEvent({ 0: [visit(1, 'anna')] }), context)
    await handler(visitsEvent({ 0: [visit(2, 'anna')] }), context)
    // A warm claim is used again: the second batch is one transaction.
    expect(calls).toEqual(['fence', 'readProgress', 'transact', 'transact'])
  })

  test('fenced: claims again, and skips what the other has committed', async () => {
    const kafka = memoryLog()
    const mine = handlerWith(kafka)
    const other = handlerWith(kafka)
    await mine(visitsEvent({ 0: [visit(1, 'anna')] }), context)
    await other(visitsEvent({ 0: [visit(1, 'anna'), visit(2, 'anna')] }), context)
    await mine(visitsEvent({ 0: [visit(2, 'anna'), visit(3, 'anna')] }), context)
    expect(kafka.committed.map(idOf)).toEqual([1, 2, 3].map(offset => `letters.1/app.visits/0/${offset}/letter/0`))
  })

  test('fenced three times in a row: thrown with words, nothing emitted', async () => {
    const kafka = memoryLog()
    const fenced = { ...kafka, transact: async () => Promise.reject(new Fenced('sluice.letters.1/app.visits/0', 4, 'newer')) }
    await expect(handlerWith(fenced)(visitsEvent({ 0: [visit(1, 'anna')] }), context)).rejects.toThrow(
      '[fenced] letters: a newer invocation commits app.visits-0 (our epoch 4)',
    )
    expect(kafka.committed).toEqual([])
  })

  test('after any error epoch and position are forgotten together', async () => {
    const kafka = memoryLog()
    let fences = 0
    let broken = true
    const flaky: TransactionPort = {
      ...kafka,
      fence: (id, deadline) => {
        fences++
        return kafka.fence(id, deadline)
      },
      transact: (...args) => (broken ? Promise.reject(new RetryableError('kafka-unreachable', 'down')) : kafka.transact(...args)),
    }
    const handler = handlerWith(flaky)
    await expect(handler(visitsEvent({ 0: [visit(1, 'anna')] }), context)).rejects.toThrow('down')
    broken = false
    await handler(visitsEvent({ 0: [visit(1, 'anna')] }), context)
    expect(fences).toBe(2)
    expect(kafka.committed).toHaveLength(1)
  })

  test('one partition fails, the other commits; delivered again only the failed one is written', async () => {
    const kafka = memoryLog()
    let broken = true
    const flaky: TransactionPort = {
      ...kafka,
      transact: (session, transaction, deadline) =>
        broken && transaction.progress.partition === 1
          ? Promise.reject(new RetryableError('kafka-unreachable', 'down'))
          : kafka.transact(session, transaction, deadline),
    }
    const handler = handlerWith(flaky)
    const event = visitsEvent({ 0: [visit(1, 'anna')], 1: [visit(1, 'anna')] })
    await expect(handler(event, context)).rejects.toThrow('down')
    expect(kafka.committed.map(idOf)).toEqual(['letters.1/app.visits/0/1/letter/0'])
    broken = false
    await handler(event, context)
    expect(kafka.committed.map(idOf)).toEqual(['letters.1/app.visits/0/1/letter/0', 'letters.1/app.visits/1/1/letter/0'])
  })

  test('an output that does not fit: its record becomes a dead letter, the others go on', async () => {
    const kafka = memoryLog()
    const small: TransactionPort = {
      ...kafka,
      transact: (session, transaction, deadline) => {
        const index = transaction.records.findIndex(
          ({ topic, key }) => topic === 'letters' && Buffer.from(key!).toString() === 'anna',
        )
        return index < 0 ? kafka.transact(session, transaction, deadline) : Promise.reject(new RecordTooLarge(index, 'too large'))
      },
    }
    await handlerWith(small)(visitsEvent({ 0: [visit(1, 'bad'), visit(2, 'anna'), visit(3, 'kid')] }), context)
    expect(kafka.committed.map(record => [record.topic, headers(record)['sluice-reason']])).toEqual([
      ['dead', 'lookup-invalid'],
      ['dead', 'too-large'],
    ])
    expect(Buffer.from(kafka.committed[1]!.value!).toString()).toBe('{"id":"anna"}')
  })

  test('not even the dead letter fits: it goes without its bytes, which stay at their coordinates', async () => {
    const kafka = memoryLog()
    const tiny: TransactionPort = {
      ...kafka,
      transact: (session, transaction, deadline) => {
        const index = transaction.records.findIndex(({ value }) => value !== null)
        return index < 0 ? kafka.transact(session, transaction, deadline) : Promise.reject(new RecordTooLarge(index, 'too large'))
      },
    }
    await handlerWith(tiny)(visitsEvent({ 0: [visit(1, 'anna')] }), context)
    expect(headers(kafka.committed[0]!)).toMatchObject({
      'sluice-coordinates': 'app.visits-0@1',
      'sluice-message':
        'an output is larger than its topic takes; its value of 13 bytes does not fit the dead letter topic either, read it at its coordinates',
    })
  })

  test('a position beyond the end of the partition: refused with words, nothing skipped silently', async () => {
    const kafka = memoryLog()
    await handlerWith(kafka)(visitsEvent({ 0: [visit(41, 'anna')] }), context)
    const recreated = { ...kafka, endOffset: async () => 2n }
    await expect(handlerWith(recreated)(visitsEvent({ 0: [visit(0, 'anna'), visit(1, 'anna')] }), context)).rejects.toThrow(
      '[position-beyond-end] letters: our progress of app.visits-0 is 42, and the partition ends at 2',
    )
  })

  test('too little time left: no transaction is begun', async () => {
    const kafka = memoryLog()
    const hurried = { getRemainingTimeInMillis: () => 100 } as never
    await expect(handlerWith(kafka)(visitsEvent({ 0: [visit(1, 'anna')] }), hurried)).rejects.toThrow(
      '[out-of-time] letters: 100 ms remain',
    )
    expect(kafka.committed).toEqual([])
  })

  test('a store that is down: thrown, and nothing is emitted or committed', async () => {
    const kafka = memoryLog()
    const redis = {
      lookupMany: async () => Promise.reject(new RetryableError('redis-unreachable', '[redis-unreachable] down')),
      close: async () => undefined,
    }
    const handler = createHandler(visits, { kafka, stores: { redis }, log: silent, deadLetterTopic: 'dead' })
    await expect(handler(visitsEvent({ 0: [visit(1, 'anna')] }), context)).rejects.toThrow('[redis-unreachable] down')
    expect(await kafka.readProgress('sluice.letters.1', { topic: 'app.visits', partition: 0 }, { remainingMs: () => 1 })).toBe(
      undefined,
    )
  })
})

describe('a new generation that begins midway', () => {
  const said = async (generation: number, offset: number, start: bigint) => {
    const kafka = { ...memoryLog(), startOffset: async () => start }
    const errors: string[] = []
    const log = { ...silent, error: (message: string) => void errors.push(message) }
    const world = { kafka, stores: { redis: memoryStore(people) }, log, deadLetterTopic: 'dead' }
    await createHandler({ ...visits, generation }, world)(visitsEvent({ 0: [visit(offset, 'anna')] }), context)
    expect(kafka.committed).toHaveLength(1)
    return errors
  }

  test.each([
    ['the first generation', 1, 41, 3n],
    ['from the beginning', 2, 0, 0n],
    ['from where retention has left it', 2, 41, 41n],
  ])('%s: no word', async (_, generation, offset, start) => {
    expect(await said(generation, offset, start)).toEqual([])
  })

  test('later than its partition: told, since an old mapping may deliver still', async () => {
    expect(await said(2, 41, 3n)).toEqual([
      expect.stringContaining(
        '[generation-midway] letters: generation 2 begins app.visits-0 at 41, and the partition begins at 3.',
      ),
    ])
  })
})
