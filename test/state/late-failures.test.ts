// Sinks that fail when what a record leaves, or its place, is known already: however many, a batch decides as if each record had come alone, and
// asks the store a fixed number of times.
import { expect, test } from 'vitest'
import { interpretedPlan } from '../../lib/compiler/interpreted.ts'
import { plan as planning } from '../../lib/compiler/planning.ts'
import { memoryLog } from '../../lib/connectors/memory.ts'
import { memoryState } from '../../lib/connectors/state-memory.ts'
import { buildEvent } from '../../lib/emulator/event.ts'
import type { Plan } from '../../lib/plan/plan.ts'
import { createHandler } from '../../lib/runtime/handler.ts'
import type { CapRehearsal, StatePort } from '../../lib/runtime/ports.ts'
import { checkScenario } from '../../lib/scenario/check.ts'
import { seededRandom } from '../cases/random.ts'

interface Event {
  readonly id: string
  readonly n: number
}

function planOf(state: string, value: string, enrich = ''): Plan {
  const text = `scenario: late
description: Sinks that fail late
source: { topic: things, event: { id: string, n: int } }
deadLetters: { stopAbove: 1 }
${enrich}
state:
${state}
sinks:
  out:
    topic: out
    key: event.id
    value: ${value}
`
  const { scenario, diagnostics } = checkScenario('late.yml', text)
  expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([])
  return interpretedPlan(planning(scenario!))
}

/** One after the other in batches; a record of partition 1 has an upper-case id. */
async function outcome(plan: Plan, events: readonly Event[], batchSize: number, wrap = (state: StatePort): StatePort => state) {
  const kafka = memoryLog()
  const memory = memoryState()
  const calls: string[] = []
  const counting = <Answer>(name: string, answer: Answer): Answer => {
    calls.push(name)
    return answer
  }
  const state = wrap({
    ...memory,
    write: (writes, deadline) => counting('write', memory.write(writes, deadline)),
    rehearseCaps(locks, keepsPlaces): CapRehearsal {
      const { read, judge } = memory.rehearseCaps(locks, keepsPlaces)
      return {
        judge,
        read: (caps, deadline) => counting(`read ${new Set(caps.map(({ key }) => key)).size} caps`, read(caps, deadline)),
      }
    },
  })
  const none = {
    lookupMany: async (requests: readonly { readonly keys: readonly string[] }[]) =>
      requests.map(({ keys }) => keys.map(() => null)),
    close: async () => undefined,
  }
  const handler = createHandler(plan, {
    kafka,
    stores: {
      state: {
        ...memory.lookups,
        lookupMany: (requests, deadline) => counting('read', memory.lookups.lookupMany(requests, deadline)),
      },
      redis: none,
    },
    state,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    deadLetterTopic: 'dead',
  })
  const offsets = [0, 0]
  const records = events.map(({ id, n }) => {
    const partition = id === id.toUpperCase() ? 1 : 0
    return {
      ...{ topic: 'things', partition, offset: offsets[partition]!++, timestampMs: 1000, timestampType: 'CREATE_TIME' as const },
      ...{ key: null, value: Buffer.from(JSON.stringify({ id, n })), headers: [] },
    }
  })
  for (let at = 0; at < records.length; at += batchSize) {
    const event = buildEvent(records.slice(at, at + batchSize), { kind: 'self-managed', bootstrapServers: '' })
    await (handler(event, { getRemainingTimeInMillis: () => 60_000 } as never) as unknown as Promise<unknown>)
  }
  const outputs = kafka.committed.map(({ topic, headers, value }) => {
    const id = Buffer.from(headers.find(({ name }) => name === 'sluice-idempotency-key')!.value!).toString()
    return topic === 'dead' ? `${id} dead` : `${id} ${Buffer.from(value!)}`
  })
  const values = [...memory.items].flatMap(([key, { head }]) => (head === null ? [] : [`${key} ${head}`]))
  const places = [...memory.caps].flatMap(([key, held]) =>
    [...held].map(([at, { number, used }]) => `${key} ${at} ${number} ${used}`),
  )
  return { seen: { outputs: outputs.sort(), values: values.sort(), places: places.sort() }, calls }
}

const counted = '  seen: { key: event.id, fields: { count: int = 0 }, set: { count: seen.count + 1 } }'
const few = '  few: { key: event.id, limit: 9 }'
const events = (text: string): readonly Event[] => text.split(' ').map(one => ({ id: one[0]!, n: Number(one.slice(1)) }))

test.each([
  ['a number of the record', counted, '{ before: seen.count, share: 100 / event.n }', 666, ['read', 'write', 'write']],
  ['what those before it left', counted, '{ share: 100 / (2 - seen.count) }', 2, ['read', 'write', 'write', 'write']],
  ['its place', few, '{ share: 10 / (few.number - 2) }', 1, ['write', 'write', 'read 1 caps', 'write']],
  [
    'both',
    `${counted}\n${few}`,
    '{ share: 10 / (few.number - 2) / (4 - seen.count) / event.n }',
    1,
    ['read', 'write', 'read 1 caps', 'write'],
  ],
])(
  '1,000 records of one key, a sink that fails for %s: decided as one by one, in a fixed number of round trips',
  async (_, state, value, passed, calls) => {
    const plan = planOf(state, value)
    const thousand = Array.from({ length: 1000 }, (_, n) => ({ id: 'a', n: n % 3 }))
    const alone = await outcome(plan, thousand, 1)
    const together = await outcome(plan, thousand, 1000)
    expect(together.seen).toEqual(alone.seen)
    expect(together.seen.outputs.filter(text => !text.endsWith('dead'))).toHaveLength(passed)
    expect(together.calls).toEqual(calls)
  },
)

test('records that have nothing to do with each other need no look at each alone', async () => {
  const plan = planOf(counted, '{ before: seen.count, share: 100 / event.n }')
  const { seen, calls } = await outcome(plan, events('a1 b0 c0 d1 b1'), 5)
  expect(seen.values).toEqual(['a', 'b', 'd'].map(id => `sluice:late.1:seen/${id} {"count":1}`))
  expect(calls).toEqual(['read', 'write', 'write'])
})

test('a record that fails in the place of one that fails before it has another place without it', async () => {
  // Alone a0 would be dead in place 1; then a1 has place 1, which suits it.
  const plan = planOf(few, '{ share: 10 / (few.number - 1 - event.n) }')
  const { seen } = await outcome(plan, events('a0 a1'), 2)
  expect(seen.outputs).toEqual(['late.1/things/0/0/dead-letter/0 dead', 'late.1/things/0/1/out/0 {"share":-10}'])
})

test('random records, most of which fail in every way: every cut gives what batches of one give', async () => {
  const state = `${counted}
  last: { key: '"all {record.partition}"', fields: { n?: int, id: string = "" }, when: true, set: { n: event.n, id: event.id } }
  few: { key: "{event.id}", limit: 3 + event.n, when: event.n != 2 }
  pair: { key: "{record.partition}/{event.n}", limit: 20, take: seen.count, member: event.id }`
  const value = `
      before: seen.count
      note: note.value
      share: 10 / (event.n - last.?n.orValue(1)) / (3 - seen.count)
      rest: 10 / (few.?number.orValue(7) - 2)
      used: 10 / (5 - pair.used)`
  const plan = planOf(state, value, 'enrich:\n  note: { redis: "string note:{last.id}{seen.count}", value: string = "none" }')
  let dead = 0
  for (let seed = 1; seed <= 10; seed++) {
    const random = seededRandom(seed)
    const one = <Item>(from: readonly Item[]): Item => from[Math.floor(random() * from.length)]!
    const drawn = Array.from({ length: 60 }, () => ({ id: one(['a', 'b', 'c', 'A', 'B']), n: one([0, 1, 2, 3]) }))
    const alone = await outcome(plan, drawn, 1)
    dead += alone.seen.outputs.filter(text => text.endsWith('dead')).length
    for (const batchSize of [2, 9, 60]) {
      const { seen } = await outcome(plan, drawn, batchSize)
      expect(seen, `seed ${seed}, batches of ${batchSize}`).toEqual(alone.seen)
    }
  }
  // Otherwise the hard part would not have been asked.
  expect(dead).toBeGreaterThan(200)
})

test('others who change the same cap at each attempt: in the end the batch comes again', async () => {
  const plan = planOf(few, '{ share: 10 / (few.number % 2) }')
  const changing = (state: StatePort): StatePort => ({
    ...state,
    // Where there was one place of others when it was looked at, there is none when it is written.
    rehearseCaps: () => ({
      read: async () => undefined,
      judge: async ({ asks }) => asks.map(() => ({ kind: 'granted', places: [{ number: 1n, used: 1n }] })),
    }),
  })
  await expect(outcome(plan, events('a0 a0 a0 a0'), 4, changing)).rejects.toThrow(
    /^\[state-unsettled\] late: after 8 attempts it is not known which records of the batch are dead letters/,
  )
})
