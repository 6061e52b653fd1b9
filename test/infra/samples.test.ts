// What a deployed function tells of single records, and how a trace goes through it.
import { expect, test } from 'vitest'
import { memoryLog, memoryStore } from '../../lib/connectors/memory.ts'
import { createSamples, traceHeaders } from '../../lib/connectors/samples.ts'
import { realWorld } from '../../lib/connectors/world.ts'
import { createHandler, type World } from '../../lib/runtime/handler.ts'
import { base64, visits, visitsEvent } from '../runtime/plan-fixture.ts'

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }
const context = { getRemainingTimeInMillis: () => 10_000 } as never
const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const bytes = (text: string) => [...Buffer.from(text)]
const event = visitsEvent({
  3: [
    { offset: 10, value: base64('{"id":"anna"}'), headers: [{ traceparent: bytes(traceparent) }, { secret: bytes('s') }] },
    { offset: 11, value: base64('{"id":"anna"}'), headers: [] },
    { offset: 12, value: base64('{"id":"kid"}'), headers: [] },
    { offset: 14, value: base64('no json'), headers: [] },
  ],
})

function world(others: Omit<Partial<World>, 'kafka'>) {
  const kafka = memoryLog()
  const redis = memoryStore({
    'customer:anna': { type: 'hash', value: { age: '30' } },
    'customer:kid': { type: 'hash', value: { age: '9' } },
  })
  return { kafka, stores: { redis }, log: silent, deadLetterTopic: 'dead', ...others }
}

test('one record in so many is told, with what became of it', async () => {
  const lines: unknown[] = []
  const log = { ...silent, info: (message: string, fields: object) => void lines.push([message, fields]) }
  await createHandler(visits, world({ observe: createSamples({ scenario: 'letters', every: 2, log }) }))(event, context)
  const at = (offset: number) => ({ scenario: 'letters', topic: 'app.visits', partition: 3, offset })
  const key = (rest: string) => `letters.1/app.visits/3/${rest}`
  expect(lines).toEqual([
    ['a sample', { ...at(10), traceparent, outputs: [{ topic: 'letters', idempotencyKey: key('10/letter/0') }] }],
    ['a sample', { ...at(12), droppedBy: 'adult', outputs: [] }],
    [
      'a sample',
      {
        ...at(14),
        deadLetter: 'invalid-json',
        at: '',
        outputs: [{ topic: 'dead', idempotencyKey: key('14/dead-letter/0') }],
      },
    ],
  ])
})

test.each([
  ['with tracing an output keeps the trace of its record, and no other header', traceHeaders, ['traceparent']],
  ['without it none', undefined, []],
])('%s', async (_, carriedHeaders, names) => {
  const wired = world(carriedHeaders === undefined ? {} : { carriedHeaders })
  await createHandler(visits, wired)(event, context)
  const [traced, untraced] = wired.kafka.committed
  expect(traced!.headers.map(({ name }) => name)).toEqual(['kind', 'sluice-idempotency-key', ...names])
  if (names.length > 0) expect(Buffer.from(traced!.headers[2]!.value!).toString()).toBe(traceparent)
  expect(untraced!.headers.map(({ name }) => name)).toEqual(['kind', 'sluice-idempotency-key'])
})

test.each([
  ['nothing', {}, { carriedHeaders: undefined, observes: false }],
  ['tracing', { SLUICE_TRACING: 'on' }, { carriedHeaders: ['traceparent', 'tracestate'], observes: false }],
  ['samples', { SLUICE_LOG_SAMPLE: '100' }, { carriedHeaders: undefined, observes: true }],
  ['no samples', { SLUICE_LOG_SAMPLE: '0' }, { carriedHeaders: undefined, observes: false }],
])('the environment asks for %s', async (_, env, expected) => {
  const { carriedHeaders, observe, kafka } = realWorld(visits, { SLUICE_KAFKA: 'b:9092', ...env })
  await kafka.close()
  expect({ carriedHeaders, observes: observe !== undefined }).toEqual(expected)
})
