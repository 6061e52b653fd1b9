// Keys and members that no store can take apart, or at all: the record is a dead letter with its place, nothing is asked for it, and its neighbours go on.
import { expect, test } from 'vitest'
import { interpretedPlan } from '../../lib/compiler/interpreted.ts'
import { plan as planning } from '../../lib/compiler/planning.ts'
import { memoryLog } from '../../lib/connectors/memory.ts'
import { memoryState } from '../../lib/connectors/state-memory.ts'
import { buildEvent } from '../../lib/emulator/event.ts'
import { createHandler } from '../../lib/runtime/handler.ts'
import type { StatePort } from '../../lib/runtime/ports.ts'
import { checkScenario } from '../../lib/scenario/check.ts'

const text = `scenario: offers
description: Caps by day and in all, each customer once
source: { topic: visits, event: { id: string, member: string = "", limit: int = 9 } }
state:
  seen: { key: '"all"', fields: { count: int = 0 }, set: { count: seen.count + 1 } }
  day: { key: "{{{event.id}}}/day", limit: event.limit }
  once: { key: "{{{event.id}}}/once", limit: 9, member: event.member }
sinks:
  offer: { topic: offers, key: event.id, value: { before: seen.count, number: day.number } }
`

/** What becomes of the records, with the place of a dead letter, and the keys that were asked in the store's last write. */
async function outcome(events: readonly object[], more: Partial<StatePort> = {}) {
  const { scenario, diagnostics } = checkScenario('offers.yml', text)
  expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([])
  const kafka = memoryLog()
  const state = memoryState()
  let asked: readonly string[] = []
  const handler = createHandler(interpretedPlan(planning(scenario!)), {
    kafka,
    stores: { state: state.lookups },
    state: {
      ...state,
      ...more,
      async write(writes, deadline) {
        asked = writes.flatMap(({ caps }) => caps.map(({ key }) => key))
        return state.write(writes, deadline)
      },
    },
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    deadLetterTopic: 'dead',
  })
  const records = events.map((event, offset) => ({
    ...{ topic: 'visits', partition: 0, offset, timestampMs: 1000, timestampType: 'CREATE_TIME' as const },
    ...{ key: null, value: Buffer.from(JSON.stringify(event)), headers: [] },
  }))
  const event = buildEvent(records, { kind: 'self-managed', bootstrapServers: '' })
  await (handler(event, { getRemainingTimeInMillis: () => 60_000 } as never) as unknown as Promise<unknown>)
  const told = kafka.committed.map(({ topic, value, headers }) => {
    const header = (wanted: string) => Buffer.from(headers.find(({ name }) => name === wanted)!.value!).toString()
    return topic === 'dead'
      ? `${header('sluice-reason')} at ${header('sluice-at')}: ${header('sluice-message')}`
      : `${Buffer.from(value!)}`
  })
  return { told, asked }
}

const before = '{"before":0,"number":1}'
const after = '{"before":1,"number":2}'
const asked = ['sluice:offers.1:day/{a}/day', 'sluice:offers.1:once/{a}/once']

test.each([
  [
    'a key of more bytes than DynamoDB takes',
    { id: 'ł'.repeat(1100) },
    'too-large at key of state day: cap "day" was not asked: its key has more than 2048 bytes',
  ],
  [
    'half a character in a key',
    { id: 'k\ud800' },
    'lookup-invalid at key of state day: cap "day" was not asked: its key is not well-formed Unicode',
  ],
  [
    'a member of more bytes',
    { id: 'a', member: 'm'.repeat(2049) },
    'too-large at member of state once: cap "once" was not asked: its member has more than 2048 bytes',
  ],
  [
    'half a character in a member',
    { id: 'a', member: '\udc00' },
    'lookup-invalid at member of state once: cap "once" was not asked: its member is not well-formed Unicode',
  ],
])('%s: a dead letter that leaves nothing', async (_, event, expected) => {
  const { told, asked: found } = await outcome([{ id: 'a', member: 'x' }, event, { id: 'a', member: 'y' }])
  expect(told).toEqual([before, expected, after])
  expect(found).toEqual(asked)
})

test('caps that a value tears apart in a cluster: a dead letter that leaves nothing', async () => {
  const areApart = (keys: readonly string[]) => keys.some(key => key.includes('{}'))
  const { told, asked: found } = await outcome([{ id: 'a', member: 'x' }, { id: '' }, { id: 'a', member: 'y' }], { areApart })
  expect(told).toEqual([
    before,
    'lookup-invalid at key of state day: cap "day" was not asked: what the record has for its key leaves nothing in the braces that keep its caps in one slot of the cluster',
    after,
  ])
  expect(found).toEqual(asked)
})
