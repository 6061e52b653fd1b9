// The plan in words, to the letter of the format: scripts and people compare it between versions.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { explain, type StateStore } from '../../lib/compiler/explain.ts'
import { plan } from '../../lib/compiler/planning.ts'
import { checkScenario } from '../../lib/scenario/check.ts'

function explained(text: string, store?: StateStore): readonly string[] {
  const { scenario, diagnostics } = checkScenario('functions/test.yml', text)
  if (scenario === undefined) throw new Error(diagnostics.map(({ message }) => message).join('\n'))
  return explain(plan(scenario), store).split('\n')
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

test('what is remembered is read with the look-ups; the last round trip writes state', () => {
  const text = readFileSync('test/golden/good/win-back.yml', 'utf8').replace('scenario: win-back', 'scenario: test')
  expect(explained(text)).toEqual([
    'test: app.visits, 100 records or 500 ms per batch, exactly-once',
    '  fetch 1  visit            1 state per record, one pipeline',
    '  filter   away',
    '  write    visit, greeting  1 script per partition; greeting at most 2 within 30d',
    '  emit     greetings        key event.customerId; to crm.greetings',
    '  2 round trips per batch at most, the last one writes state',
  ])
})

test.each<[string, StateStore, readonly string[]]>([
  [
    'a table of DynamoDB',
    { table: 'sluice-state' },
    [
      '  filter   purchase',
      '  fetch 1  promotion, last  1 HMGET per record, one pipeline; 1 state per record, BatchGetItem sluice-state',
      '  filter   promotion found, running, increased',
      '  write    last, place      per partition its lock, then 1 conditional write per key; place at most promotion.limit within 1d',
      '  emit     bonus            key event.customerId; to bonuses',
      '  emit     exhausted        when place.number == promotion.limit; key promotion.id; to promotion-exhausted',
      '  4 round trips per batch at most, the last 3 write state',
    ],
  ],
  [
    'a cluster of Redis',
    'cluster',
    [
      '  filter   purchase',
      '  fetch 1  promotion, last  1 HMGET, 1 state per record, one pipeline',
      '  filter   promotion found, running, increased',
      '  write    last, place      per partition its lock, then 1 script per key; place at most promotion.limit within 1d',
      '  emit     bonus            key event.customerId; to bonuses',
      '  emit     exhausted        when place.number == promotion.limit; key promotion.id; to promotion-exhausted',
      '  3 round trips per batch at most, the last 2 write state',
    ],
  ],
])('state in %s is written in more steps than one', (_, store, lines) => {
  const text = readFileSync('functions/promotion.yml', 'utf8').replace('scenario: promotion', 'scenario: test')
  expect(explained(text, store).slice(1)).toEqual(lines)
})

test('without caps DynamoDB has no step to read them', () => {
  const text = readFileSync('functions/device-alarms.yml', 'utf8').replace('scenario: device-alarms', 'scenario: test')
  expect(explained(text, { table: 't' }).at(-1)).toBe('  3 round trips per batch at most, the last 2 write state')
})

test.each<[string, string, readonly string[]]>([
  [
    'a filter that reads no state',
    'pos: event.n > 0',
    ['  filter   pos', '  fetch 1  nice, visit  1 HMGET, 1 state per record, one pipeline'],
  ],
  [
    'a filter that reads it: the look-up is for those that pass',
    'often: visit.n > 3',
    [
      '  fetch 1  visit  1 state per record, one pipeline',
      '  filter   often',
      '  fetch 2  nice   1 HMGET per record, one pipeline',
    ],
  ],
])('a look-up for a sink goes with the state that no filter reads: %s', (_, filter, lines) => {
  const text = `${head}source: { topic: app.visits, event: { id: string, n: int } }
enrich:
  nice: { redis: "hash nice:{event.id}", fields: { word: string = "" } }
state:
  visit: { key: event.id, fields: { n: int = 0 }, set: { n: visit.n + 1 } }
filter:
  ${filter}
sinks:
  out: { topic: out, value: { word: nice.word } }
`
  expect(explained(text).slice(1, 1 + lines.length)).toEqual(lines)
})

test('at least once the position is written to the store, too', () => {
  const text = readFileSync('test/golden/good/win-back.yml', 'utf8').replace(
    'scenario: win-back',
    'scenario: test\ndelivery: at-least-once',
  )
  expect(explained(text).at(-1)).toBe(
    '  2 round trips per batch at most, the last one writes state; 1 more after the outputs writes the position',
  )
})

test('state beside look-ups per record and per element; caps alone are only written', () => {
  const text = `
    scenario: test
    source:
      topic: app.visits
      event: { customerId: string, at: timestamp }
    state:
      daily:
        key: '{event.customerId}/{event.at.format("yyyy-MM-dd", "Europe/Warsaw")}'
        limit: 2
      budget: { key: best.code, limit: 10000 * 2, take: best.cost }
      visit: { key: event.customerId, fields: { segment: string = "" }, set: { segment: profile.segment } }
    enrich:
      profile: { redis: "hash customer:{event.customerId}", fields: { segment: string, age: int }, onMissing: drop }
      catalogue:
        redis: json actions:{profile.segment}
        fields: { actions: [{ code: string, minAge: int, margin: int }] }
        onMissing: drop
      propensity: { forEach: action in catalogue.actions, redis: "string propensity:{action.code}", value: "int = 1" }
    filter:
      moved: visit.segment != profile.segment
    decide:
      best:
        forEach: p in propensity
        hitPolicy: first
        rank: cost descending
        onMissing: drop
        rules:
          - when: profile.age >= p.action.minAge
            then: { code: p.action.code, cost: p.value * p.action.margin }
    sinks:
      actions: { topic: crm.next-best-actions, key: event.customerId, value: { action: best.code } }
      held:
        on: dropped
        topic: crm.held
        when: visit.segment == "old"
        key: event.customerId
        value: event
    `
  expect(explained(text)).toEqual([
    'test: app.visits, 100 records or 500 ms per batch, exactly-once',
    '  fetch 1  visit, profile        1 HMGET, 1 state per record, one pipeline; visit also for held',
    '  filter   profile found, moved',
    '  fetch 2  catalogue             1 GET per record, one pipeline',
    '  filter   catalogue found',
    '  fetch 3  propensity            1 GET per element, one pipeline',
    '  decide   best                  1 rule, first, cost descending, for each p in propensity',
    '  filter   best found',
    '  write    daily, budget, visit  1 script per partition; daily at most 2; budget at most 10000 * 2',
    '  emit     actions               key event.customerId; to crm.next-best-actions',
    '  emit     held                  on dropped; when visit.segment == "old"; key event.customerId; to crm.held',
    '  4 round trips per batch at most, the last one writes state',
  ])
})

test.each([
  [
    'client-near-pos',
    [
      'client-near-pos: geo-locations, 100 records or 500 ms per batch, exactly-once',
      '  fetch 1  contacted, blocked, client, visit  1 HMGET, 2 GET, 1 state per record, one pipeline',
      '  decide   best                               6 rows, first, priority descending',
      '  filter   client found, best found, notJustContacted, notBlocked, consented, inTime',
      '  fetch 2  pos                                1 HMGET per record, one pipeline',
      '  filter   pos found, inHours, secondNear',
      '  decide   content                            2 rows, first',
      '  write    visit                              1 script per partition',
      '  emit     sms                                when best.channel == "SMS"; key event.clientId; to notifications-sms',
      '  emit     email                              when best.channel == "EMAIL"; key event.clientId; to notifications-email',
      '  emit     push                               when best.channel == "PUSH"; key event.clientId; to notifications-push',
      '  3 round trips per batch at most, the last one writes state',
    ],
  ],
  [
    'promotion',
    [
      'promotion: customer-transactions, 100 records or 500 ms per batch, exactly-once',
      '  filter   purchase',
      '  fetch 1  promotion, last  1 HMGET, 1 state per record, one pipeline',
      '  filter   promotion found, running, increased',
      '  write    last, place      1 script per partition; place at most promotion.limit within 1d',
      '  emit     bonus            key event.customerId; to bonuses',
      '  emit     exhausted        when place.number == promotion.limit; key promotion.id; to promotion-exhausted',
      '  2 round trips per batch at most, the last one writes state',
    ],
  ],
  [
    'device-alarms',
    [
      'device-alarms: telemetry, 100 records or 500 ms per batch, exactly-once',
      '  fetch 1  limits, alarm  1 HMGET, 1 state per record, one pipeline; limits cached 1m',
      '  filter   changed',
      '  write    alarm          1 script per partition',
      '  emit     alarms         key event.`device-id`; to alarms',
      '  2 round trips per batch at most, the last one writes state',
    ],
  ],
])('%s, as it is in the project', (name, lines) => {
  const file = `functions/${name}.yml`
  const { scenario } = checkScenario(file, readFileSync(file, 'utf8'))
  expect(explain(plan(scenario!)).split('\n')).toEqual(lines)
})
