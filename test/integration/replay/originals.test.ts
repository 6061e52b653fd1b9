// What a dead letter does not hold is read at the record's source; topics of every kind are read; others' dead letters are left alone.
import { randomUUID } from 'node:crypto'
import { afterEach, expect, inject, test } from 'vitest'
import { createTopics } from '../../../infra/local/topics.ts'
import { createKafka } from '../../../lib/connectors/kafka/producer.ts'
import type { ConsumedRecord } from '../../../lib/emulator/event.ts'
import { type ReplayPlace, record, replayPlace } from './place.ts'

const broker = inject('kafka')
const places: ReplayPlace[] = []
afterEach(() => {
  for (const place of places.splice(0)) place.remove()
})

async function placeWith(options: Parameters<typeof replayPlace>[1] = {}): Promise<ReplayPlace> {
  const place = await replayPlace(broker, options)
  places.push(place)
  return place
}

/** Into the source topic itself, at the offsets 0, 1, … */
async function produce(records: readonly ConsumedRecord[]): Promise<void> {
  const kafka = createKafka({ bootstrapServers: broker, clientId: 'test', delivery: 'at-least-once' })
  const deadline = { remainingMs: () => 20_000 }
  const session = await kafka.fence('test', deadline)
  await kafka.transact(session, { records: records.map(one => ({ ...one, partitionSeed: '' })) }, deadline)
  await kafka.close()
}

const output = (n: number) => `0/${n}/counted/0 {"n":"${n}","at":"2026-01-01T12:0${n}:00Z"}`

test('redacted: the whole record comes from its source, also where the value was withheld', async () => {
  const place = await placeWith()
  const redact = 'deadLetters: { redact: [event.n, event.email, key, headers.token] }\n'
  place.rules({ more: redact })
  const headers = [{ name: 'token', value: Buffer.from('secret') }]
  const records = [
    record(place.source, 0, '{"n":"0","email":"a@b.c"}', { headers }),
    record(place.source, 1, '{"n":"1"'),
    record(place.source, 2, '{}'),
  ]
  await produce(records)
  await place.decide(records)
  const letters = await place.read(place.deadLetters)
  expect(letters.map(({ key, value }) => [key, value?.toString()])).toEqual([
    [null, '{"n":"[redacted]","email":"[redacted]"}'],
    [null, '[redacted]'],
    [null, '{}'],
  ])
  const redacted = letters.map(letter => letter.headers.find(({ name }) => name === 'sluice-redacted')?.value?.toString())
  expect(redacted).toEqual(['headers.token,key,event.n,event.email', 'key,value', 'key'])
  expect(JSON.stringify(letters)).not.toContain(Buffer.from('secret').toJSON().data.join(','))

  place.rules({ type: 'string', more: redact })
  expect(await place.sluice()).toMatchObject({
    code: 1,
    out: expect.stringContaining('1 sent, 0 dropped, 2 still dead letters\n'),
  })
  expect(await place.outputs()).toEqual([output(0)])
  const [sent] = await place.read(place.target)
  expect(sent!.key?.toString()).toBe('k0')
})

test('redacted, and gone at its source: told, and stays', async () => {
  const place = await placeWith()
  place.rules({ more: 'deadLetters: { redact: [event.n] }\n' })
  await place.decide([record(place.source, 0, '{"n":"0"}')])
  place.rules({ type: 'string' })
  expect(await place.sluice()).toMatchObject({
    code: 1,
    out: expect.stringContaining(
      'stays a dead letter: [wrong-type] fields of it were redacted, and at its source the record is gone\n',
    ),
  })
})

test('a dead letter without bytes, since they did not fit', async () => {
  const place = await placeWith({ deadLetters: { settings: { 'max.message.bytes': '2000' } } })
  const records = [record(place.source, 0, `{"n":"0","more":"${'x'.repeat(3000)}"}`)]
  await produce(records)
  await place.decide(records)
  place.rules({ type: 'string' })
  expect(await place.sluice()).toMatchObject({ code: 0, out: expect.stringContaining('1 sent') })
  expect(await place.outputs()).toEqual([output(0)])
})

test('a dead letter topic that stamps its records itself: the time is that of the source', async () => {
  const place = await placeWith({ deadLetters: { settings: { 'message.timestamp.type': 'LogAppendTime' } } })
  const records = [record(place.source, 0, '{"n":"0"}'), record(place.source, 1, '{"n":"1"}')]
  await produce(records)
  await place.decide(records)
  place.rules({ type: 'string' })
  expect(await place.sluice()).toMatchObject({ code: 0, out: expect.stringContaining('2 sent') })
  expect(await place.outputs()).toEqual([output(0), output(1)])
})

test.each(['gzip', 'zstd', 'snappy', 'lz4'])('a topic that compresses with %s is read', async compression => {
  const place = await placeWith({ deadLetters: { settings: { 'compression.type': compression } } })
  const values = Array.from({ length: 8 }, (_, n) => `{"n":"${n}","more":"${'abcd'.repeat(n * 2000)}${n}"}`)
  await place.decide(values.map((value, offset) => record(place.source, offset, value)))
  place.rules({ type: 'string' })
  expect(await place.sluice()).toMatchObject({ error: '', code: 0, out: expect.stringContaining('8 sent') })
  expect(await place.outputs()).toEqual([0, 1, 2, 3, 4, 5, 6, 7].map(output))
})

test('partitions, and each of them in order', async () => {
  const place = await placeWith({ partitions: 3 })
  const records = [0, 1, 2].flatMap(partition =>
    [0, 1, 2].map(offset => record(place.source, offset, `{"n":"${offset}"}`, { partition })),
  )
  await place.decide(records)
  place.rules({ type: 'string' })
  expect(await place.sluice()).toMatchObject({ code: 0, out: expect.stringContaining('9 sent') })
  const outputs = (await place.outputs()).map(line => line.split('/').slice(0, 2).join('@'))
  for (const partition of ['0', '1', '2'])
    expect(outputs.filter(line => line.startsWith(`${partition}@`))).toEqual([0, 1, 2].map(offset => `${partition}@${offset}`))
})

test('one topic for several scenarios: only its own', async () => {
  const name = `shared-${randomUUID().slice(0, 8)}`
  await createTopics(broker, [{ name }])
  const environment = { SLUICE_DEAD_LETTER_TOPIC: name }
  const [a, b] = [
    await placeWith({ deadLetters: { name }, environment }),
    await placeWith({ deadLetters: { name }, environment }),
  ]
  for (const place of [a, b]) {
    await place.decide([record(place.source, 0, '{"n":"0"}')])
    place.rules({ type: 'string' })
  }
  expect(await a.sluice()).toMatchObject({ code: 0, out: expect.stringContaining('1 sent') })
  expect(await b.outputs()).toEqual([])
  expect(await b.sluice()).toMatchObject({ code: 0, out: expect.stringContaining('1 sent') })
  expect(await a.outputs()).toEqual([output(0)])
})

test('dead letters of an earlier generation are left to the present one, which decides their records itself', async () => {
  const place = await placeWith()
  await place.decide([record(place.source, 0, '{"n":"0"}')])
  place.rules({ type: 'string', more: 'generation: 2\n' })
  expect(await place.sluice()).toEqual({
    code: 0,
    error: '',
    out: `sluice.${place.name}.2: 0 dead letters in ${place.deadLetters}
1 dead letter of other generations left out: generation 2 decides their records itself
0 sent, 0 dropped, 0 still dead letters
`,
  })
})

test('an output that is too large for its topic: this one stays, the others go', async () => {
  const place = await placeWith({ target: { 'max.message.bytes': '3000' } })
  const values = ['{"n":"0"}', `{"n":"${'x'.repeat(5000)}"}`, '{"n":"2"}']
  await place.decide(values.map((value, offset) => record(place.source, offset, value)))
  place.rules({ type: 'string' })
  expect(await place.sluice()).toMatchObject({
    code: 1,
    out: expect.stringContaining('2 sent, 0 dropped, 1 still dead letters\n'),
  })
  expect(await place.outputs()).toEqual([output(0), output(2)])
  expect(await place.read(place.deadLetters)).toHaveLength(3 + 2)
})

test('at-least-once scenarios, without transactions', async () => {
  const place = await placeWith()
  await place.decide([record(place.source, 0, '{"n":"0"}'), record(place.source, 1, '{"n":"1"}')])
  place.rules({ type: 'string', more: 'delivery: at-least-once\n' })
  expect(await place.sluice()).toMatchObject({ code: 0, out: expect.stringContaining('2 sent') })
  expect(await place.sluice()).toMatchObject({ code: 0, out: expect.stringContaining('2 others were replayed already\n0 sent') })
  expect(await place.outputs()).toEqual([output(0), output(1)])
})

test('the same record twice among them is sent once, and both are marked', async () => {
  const place = await placeWith()
  // At least once, a batch that comes again makes its dead letters again.
  place.rules({ more: 'delivery: at-least-once\n' })
  await place.decide([record(place.source, 0, '{"n":"0"}')])
  await place.decideAgain()
  place.rules({ type: 'string' })
  expect(await place.sluice()).toMatchObject({ code: 0, out: expect.stringContaining('2 dead letters in') })
  expect(await place.outputs()).toEqual([output(0)])
  expect(await place.sluice()).toMatchObject({ out: expect.stringContaining('2 others were replayed already\n0 sent') })
})

test('a store that does not answer: nothing is sent, and it can be run again', async () => {
  const place = await placeWith({ environment: { SLUICE_REDIS: 'redis://127.0.0.1:1' } })
  await place.decide([record(place.source, 0, '{"n":"0"}')])
  place.rules({
    type: 'string',
    more: 'enrich: { who: { redis: "hash who:{event.n}", fields: { a?: int } } }\n',
    value: 'who.?a',
  })
  const { code, error } = await place.sluice()
  expect({ code, error }).toEqual({
    code: 1,
    error: expect.stringMatching(/^\[redis-.*Run the command again: what was sent before is marked/s),
  })
  expect(await place.outputs()).toEqual([])
})
