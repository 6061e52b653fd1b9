// A function that stood still for weeks finds the places that still count, for as long as its topic keeps records.
import { expect, test } from 'vitest'
import { interpretedPlan } from '../../lib/compiler/interpreted.ts'
import { plan as planning } from '../../lib/compiler/planning.ts'
import { memoryLog } from '../../lib/connectors/memory.ts'
import { memoryState } from '../../lib/connectors/state-memory.ts'
import { deployedPlan } from '../../lib/connectors/world-settings.ts'
import { buildEvent } from '../../lib/emulator/event.ts'
import { createHandler } from '../../lib/runtime/handler.ts'
import { checkScenario } from '../../lib/scenario/check.ts'

const day = 86_400_000
const text = `scenario: weekly
description: Once a week
source: { topic: visits, event: { id: string } }
state:
  once: { key: event.id, limit: 1, within: 7d }
sinks:
  out: { topic: out, key: event.id, value: { n: once.number } }
`

test.each([
  // Two records are 6 days apart; the second is decided so many days after the first.
  [undefined, 14, 1],
  [undefined, 16, 2],
  ['20d', 27, 1],
  ['20d', 29, 2],
  ['12h', 8, 1],
  ['12h', 9, 2],
  ['forever', 5000, 1],
])(
  'topics that keep records for %s, decided after %i days: %i of two records of one week get the place',
  async (retention, days, granted) => {
    const { scenario } = checkScenario('weekly.yml', text)
    const plan = deployedPlan(interpretedPlan(planning(scenario!)), { SLUICE_SOURCE_RETENTION: retention })
    const kafka = memoryLog()
    let nowMs = 0
    const state = memoryState(() => nowMs)
    const handler = createHandler(plan, {
      kafka,
      stores: { state: state.lookups },
      state,
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
      deadLetterTopic: 'dead',
    })
    for (const offset of [0, 1]) {
      const record = {
        ...{ topic: 'visits', partition: 0, offset, timestampMs: offset * 6 * day, timestampType: 'CREATE_TIME' as const },
        ...{ key: null, value: Buffer.from('{"id":"c-1"}'), headers: [] },
      }
      const event = buildEvent([record], { kind: 'self-managed', bootstrapServers: '' })
      await (handler(event, { getRemainingTimeInMillis: () => 60_000 } as never) as unknown as Promise<unknown>)
      nowMs = days * day
    }
    expect(kafka.committed.filter(({ topic }) => topic === 'out')).toHaveLength(granted)
  },
)

test.each(['30', '30 d', '0d', '1w', 'never'])('a retention of "%s" is refused', retention => {
  const { scenario } = checkScenario('weekly.yml', text)
  expect(() => deployedPlan(interpretedPlan(planning(scenario!)), { SLUICE_SOURCE_RETENTION: retention })).toThrow(
    `SLUICE_SOURCE_RETENTION is "${retention}", and takes days or hours ("30d", "12h") or "forever"`,
  )
})
