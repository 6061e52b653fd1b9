// What an invocation tells CloudWatch: one line, with what it has committed.
import { expect, test } from 'vitest'
import { interpretedPlan } from '../../lib/compiler/interpreted.ts'
import { plan } from '../../lib/compiler/planning.ts'
import { memoryLog, memoryStore } from '../../lib/connectors/memory.ts'
import { counted, countedState, createMetrics } from '../../lib/connectors/metrics.ts'
import type { StateStore } from '../../lib/connectors/state-keys.ts'
import { memoryState } from '../../lib/connectors/state-memory.ts'
import { createHandler } from '../../lib/runtime/handler.ts'
import { Fenced, RetryableError, type TransactionPort } from '../../lib/runtime/ports.ts'
import { checkScenario } from '../../lib/scenario/check.ts'
import { base64, visits, visitsEvent } from '../runtime/plan-fixture.ts'

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }
const context = { getRemainingTimeInMillis: () => 10_000 } as never
const visit = (offset: number, id: string) => ({ offset, value: base64(`{"id":"${id}"}`) })

function measured(kafka: TransactionPort) {
  const lines: string[] = []
  const metrics = createMetrics({
    functionName: 'shop-dev-letters',
    scenario: 'letters',
    generation: 1,
    write: line => lines.push(line),
    nowMs: () => 1795165200000,
  })
  const redis = counted(
    memoryStore({
      'customer:anna': { type: 'hash', value: { age: '30' } },
      'customer:kid': { type: 'hash', value: { age: '9' } },
      'customer:bad': { type: 'hash', value: { age: '?' } },
    }),
    metrics,
  )
  const handler = createHandler(visits, { kafka, stores: { redis }, log: silent, deadLetterTopic: 'dead', metrics })
  const last = () => {
    const { _aws: _, FunctionName: __, scenario: ___, generation: ____, ...counts } = JSON.parse(lines.at(-1)!)
    return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0))
  }
  return { handler, lines, last }
}

test('a batch is one line in the embedded metric format', async () => {
  const { handler, lines } = measured(memoryLog())
  await handler(visitsEvent({ 0: [visit(1, 'anna'), visit(2, 'kid')] }), context)
  expect(lines).toEqual([
    '{"_aws":{"Timestamp":1795165200000,"CloudWatchMetrics":[{"Namespace":"sluice","Dimensions":[["FunctionName"]],"Metrics":[' +
      [
        'records',
        'skipped',
        'dropped',
        'emitted',
        'deadLetters',
        'fenced',
        'roundTrips',
        'failed',
        'positionGuard',
        'emitted.letter',
        'dropped.adult',
      ]
        .map(name => `{"Name":"${name}","Unit":"Count"}`)
        .join(',') +
      ']}]},"FunctionName":"shop-dev-letters","scenario":"letters","generation":1,"records":2,"skipped":0,"dropped":1,"emitted":1,' +
      '"deadLetters":0,"fenced":0,"roundTrips":1,"failed":0,"positionGuard":0,"emitted.letter":1,"dropped.adult":1}\n',
  ])
})

test('each node is counted by what it did, a dead letter by its reason, a repeated record as skipped', async () => {
  const { handler, last } = measured(memoryLog())
  await handler(
    visitsEvent({ 0: [visit(1, 'anna'), visit(2, 'bad'), visit(3, 'kid'), { offset: 4, value: base64('?') }] }),
    context,
  )
  expect(last()).toEqual({
    records: 4,
    roundTrips: 1,
    dropped: 1,
    'dropped.adult': 1,
    emitted: 1,
    'emitted.letter': 1,
    deadLetters: 2,
    'deadLetters.lookup-invalid': 1,
    'deadLetters.invalid-json': 1,
  })
  await handler(visitsEvent({ 0: [visit(4, 'anna'), visit(5, 'anna')] }), context)
  expect(last()).toEqual({ records: 2, skipped: 1, roundTrips: 1, emitted: 1, 'emitted.letter': 1 })
})

test('offsets between our position and a batch are counted: filters and compaction leave gaps, a mapping that was reset as well', async () => {
  const { handler, last } = measured(memoryLog())
  await handler(visitsEvent({ 0: [visit(1, 'anna')] }), context)
  await handler(visitsEvent({ 0: [visit(7, 'anna')] }), context)
  expect(last()).toMatchObject({ records: 1, gap: 5 })
})

test('fenced each time: three times counted, nothing as emitted', async () => {
  const transact = async () => Promise.reject(new Fenced('sluice.letters.1/app.visits/0', 4, 'newer'))
  const { handler, last } = measured({ ...memoryLog(), transact })
  await expect(handler(visitsEvent({ 0: [visit(1, 'anna')] }), context)).rejects.toThrow()
  expect(last()).toEqual({ records: 1, roundTrips: 3, fenced: 3, failed: 1, 'failed.fenced': 1 })
})

test.each([
  ['kafka-unstable-progress', { failed: 1, 'failed.kafka-unstable-progress': 1, positionGuard: 1 }],
  ['kafka-unreachable', { failed: 1, 'failed.kafka-unreachable': 1 }],
])('a batch that fails for %s tells so', async (id, expected) => {
  const fence = async () => Promise.reject(new RetryableError(id, id))
  const { handler, last } = measured({ ...memoryLog(), fence })
  await expect(handler(visitsEvent({ 0: [visit(1, 'anna')] }), context)).rejects.toThrow()
  expect(last()).toEqual({ records: 1, ...expected })
})

const { scenario: remembering } = checkScenario(
  'functions/letters.yml',
  `scenario: letters
description: Two letters per customer.
source:
  topic: app.visits
  event: { id: string }
filter:
  known: event.id != "nobody"
state:
  visit: { key: event.id, fields: { count: int = 0 }, set: { count: visit.count + 1 } }
  letters: { key: event.id, limit: 2 }
sinks:
  out: { topic: out, value: { count: visit.count, place: letters.number } }
`,
)

function measuredState(state: StateStore['state'] & Pick<StateStore, 'lookups'>) {
  const lines: string[] = []
  const metrics = createMetrics({
    functionName: 'shop-dev-letters',
    scenario: 'letters',
    generation: 1,
    write: line => lines.push(line),
    nowMs: () => 0,
  })
  const world = {
    kafka: memoryLog(),
    stores: { state: counted(state.lookups, metrics) },
    state: countedState(state, metrics),
    log: silent,
    deadLetterTopic: 'dead',
    metrics,
  }
  const handler = createHandler(interpretedPlan(plan(remembering!)), world)
  const last = () => {
    const { _aws: _, FunctionName: __, scenario: ___, generation: ____, ...counts } = JSON.parse(lines.at(-1)!)
    return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0))
  }
  return { handler, last }
}

test('what records leave is counted by entry and cap, and what a cap refuses as dropped by it', async () => {
  const { handler, last } = measuredState(memoryState(() => 0))
  const event = visitsEvent({ 0: ['anna', 'anna', 'nobody', 'anna', 'ben'].map((id, i) => visit(i + 1, id)) })
  await handler(event, context)
  expect(last()).toEqual({
    records: 5,
    // A claim, a read, a write.
    roundTrips: 3,
    dropped: 2,
    'dropped.known': 1,
    'dropped.letters': 1,
    emitted: 3,
    'emitted.out': 3,
    // Remembered is what passes the filters; a cap is none.
    'remembered.visit': 4,
    'places.letters': 3,
  })
  await handler(event, context)
  expect(last()).toMatchObject({ skipped: 5 })
  expect(last()).not.toHaveProperty('remembered.visit')
})

test.each(['state-lost', 'state-missing', 'state-evicts', 'generation-needed', 'caps-in-two-slots'])(
  'state that is not what the rules mean rings: %s',
  async id => {
    const claim = async () => Promise.reject(new RetryableError(id, id))
    const { handler, last } = measuredState({ ...memoryState(() => 0), claim })
    await expect(handler(visitsEvent({ 0: [visit(1, 'anna')] }), context)).rejects.toThrow()
    expect(last()).toEqual({ records: 1, roundTrips: 1, failed: 1, [`failed.${id}`]: 1, stateGuard: 1 })
  },
)

test('a line never has more metrics than CloudWatch takes', () => {
  const lines: string[] = []
  const metrics = createMetrics({
    functionName: 'f',
    scenario: 's',
    generation: 1,
    write: line => lines.push(line),
    nowMs: () => 0,
  })
  for (let i = 0; i < 200; i++) metrics.count(`emitted.sink${i}`, 1)
  metrics.flush()
  expect(JSON.parse(lines[0]!)._aws.CloudWatchMetrics[0].Metrics).toHaveLength(100)
})
