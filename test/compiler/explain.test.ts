// The plan in words, to the letter of the format: scripts and people compare it between versions.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { explain } from '../../lib/compiler/explain.ts'
import { plan } from '../../lib/compiler/planning.ts'
import { checkScenario } from '../../lib/scenario/check.ts'

function explained(text: string): readonly string[] {
  const { scenario, diagnostics } = checkScenario('functions/test.yml', text)
  if (scenario === undefined) throw new Error(diagnostics.map(({ message }) => message).join('\n'))
  return explain(plan(scenario)).split('\n')
}

test('two dependent look-ups, filters as soon as they can be judged', () => {
  const text = readFileSync('functions/next-best-action.yml', 'utf8').replace('scenario: next-best-action', 'scenario: test')
  expect(explained(text)).toEqual([
    'test: app.visits, 500 records or 500 ms per batch, exactly-once',
    '  filter   appOpened',
    '  fetch 1  profile, contact  2 HMGET per record, one pipeline',
    '  filter   profile found, consented, rested',
    '  fetch 2  propensity        1 HMGET per record, one pipeline',
    '  decide   offer             2 rows, first, score descending',
    '  filter   offer found',
    '  emit     nextBestAction    key event.customerId; to crm.next-best-actions',
    '  2 round trips per batch at most',
  ])
})

test('an item of DynamoDB that only one sink needs, remembered', () => {
  const text = readFileSync('test/enrichment/weekend-data-boost.yml', 'utf8').replace(
    'scenario: weekend-data-boost',
    'scenario: test',
  )
  expect(explained(text)).toEqual([
    'test: usage.bundle-thresholds, 100 records or 500 ms per batch, exactly-once',
    '  filter   weekend, atThreshold',
    '  fetch 1  profile, history  2 HMGET per record, one pipeline',
    '  filter   profile found, targeted, consented, underCap',
    '  decide   offer             3 rows, unique',
    '  fetch 2  advisor           BatchGetItem advisors; advisor cached 5m; advisor for call',
    '  emit     contact           key event.customerId; to campaign.contacts',
    '  emit     call              when offer.call; key profile.region; to callcenter.tasks',
    '  2 round trips per batch at most',
  ])
})

const head = `scenario: test
description: Plans.
`

test('a decision that a filter waits for comes before filters that could be judged with it', () => {
  const text = `${head}source: { topic: app.visits, batchSize: 7, maximumBatchingWindow: 0, event: { id: string, n: int } }
filter:
  large: event.n > 3
  good: grade.points > 1
decide:
  grade:
    hitPolicy: first
    table: |
      | event.n || points |
      | ------- || ------ |
      | >= 10   || 2      |
      | -       || 1      |
sinks:
  out: { topic: out, value: event }
`
  expect(explained(text)).toEqual([
    'test: app.visits, up to 7 records per batch, exactly-once',
    '  decide  grade  2 rows, first',
    '  filter  large, good',
    '  emit    out    key as received; to out',
    '  no round trips',
  ])
})

test('what only sinks lead to waits for all filters and for their when, and says for which sinks', () => {
  const text = `${head}source: { topic: app.visits, maximumBatchingWindow: 1, event: { id: string, n: int } }
enrich:
  profile:
    redis: json profile:{event.id}
    fields: { plan: string }
    onMissing: drop
  address:
    redis: hash address:{event.id}
    fields: { city: string = "" }
  blocked:
    redis: set blocked has {event.id}
filter:
  free: (!blocked)
  gold: profile.plan == "gold"
sinks:
  letter:
    topic: letters
    when: event.n > 3
    key: "{profile.plan}/{event.id}"
    value: { city: address.city }
  log:
    topic: log
    key: event.id
    value: event
`
  expect(explained(text)).toEqual([
    'test: app.visits, 100 records or 1 s per batch, exactly-once',
    '  fetch 1  profile, blocked  1 GET, 1 SISMEMBER per record, one pipeline',
    '  filter   profile found, free, gold',
    '  fetch 2  address           1 HMGET per record, one pipeline; address for letter',
    '  emit     letter            when event.n > 3; key "{profile.plan}/{event.id}"; to letters',
    '  emit     log               key event.id; to log',
    '  2 round trips per batch at most',
  ])
})

test('a sink for dropped records needs its look-up for them, too', () => {
  const text = `${head}source: { topic: app.visits, event: { id: string, n: int } }
enrich:
  profile:
    redis: hash profile:{event.id}
    fields: { plan: string = "" }
filter:
  large: event.n > 3
sinks:
  out: { topic: out, value: event }
  dropped:
    on: dropped
    topic: dropped
    when: profile.plan == "gold"
    key: event.id
    value: { id: event.id }
`
  expect(explained(text)).toEqual([
    'test: app.visits, 100 records or 500 ms per batch, exactly-once',
    '  filter   large',
    '  fetch 1  profile  1 HMGET per record, one pipeline; profile also for dropped',
    '  emit     out      key as received; to out',
    '  emit     dropped  on dropped; when profile.plan == "gold"; key event.id; to dropped',
    '  1 round trip per batch at most',
  ])
})

test('beside a sink for dropped records, a look-up of the other sink says for which', () => {
  const text = `${head}source: { topic: app.visits, event: { id: string, n: int } }
enrich:
  address:
    redis: hash address:{event.id}
    fields: { city: string = "" }
filter:
  large: event.n > 3
sinks:
  out: { topic: out, value: { city: address.city } }
  dropped: { on: dropped, topic: dropped, value: { id: event.id } }
`
  expect(explained(text)[2]).toBe('  fetch 1  address  1 HMGET per record, one pipeline; address for out')
})
