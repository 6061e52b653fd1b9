// The kinds of look-up lines, from the file to what a store is asked: compiled and interpreted alike.
import { describe, expect, test } from 'vitest'
import { loadCompiled, loadInterpreted } from '../../lib/cli/compiled.ts'
import { openScenario } from '../../lib/cli/scenario-file.ts'
import { explain } from '../../lib/compiler/explain.ts'
import { plan as planOf } from '../../lib/compiler/planning.ts'
import type { StoreContent } from '../../lib/connectors/memory.ts'
import type { KafkaEvent } from '../../lib/runtime/event.ts'
import type { Decided } from '../../lib/runtime/handler.ts'

const compiled = await loadCompiled(openScenario('test/enrichment/lines.yml'))
const forms = { compiled, interpreted: loadInterpreted(compiled.scenario) } as const

const content: StoreContent = {
  'accounts {"id":{"S":"a-1"},"sort":{"N":"1"}}': { type: 'string', value: '{"tier":"gold","points":9007199254740993}' },
  'accounts {"id":{"S":"a-\\"}"},"sort":{"N":"1"}}': { type: 'string', value: '{"tier":"odd"}' },
  'accounts {"id":{"S":"a-3"},"sort":{"N":"1"}}': { type: 'string', value: '{"points":1}' },
  'https://prices.example/v1/1?day=1': { type: 'string', value: '{"amount":9.5}' },
  'https://prices.example/v1/a%2Fb%3Fc%23%26?day=1': { type: 'string', value: '{"amount":1}' },
  'https://score.example:8443/score\n{"id":"1","tier":"gold"}': { type: 'string', value: '{"value":0.25}' },
  'tags:1': { type: 'set', value: ['x'] },
}

async function decide(form: keyof typeof forms, event: object) {
  const decided: Decided[] = []
  const { plan, embed } = forms[form]
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined }
  const { handler, kafka, store } = embed(plan, { lookups: content, log, observe: one => decided.push(one) })
  const record = {
    topic: 'visits',
    partition: 0,
    offset: 0,
    timestamp: 1_767_225_600_000,
    timestampType: 'CREATE_TIME',
    value: Buffer.from(JSON.stringify(event)).toString('base64'),
    headers: [],
  }
  const kafkaEvent = { eventSource: 'aws:kafka', records: { 'visits-0': [record] } } as unknown as KafkaEvent
  await (handler as (event: KafkaEvent, context: unknown) => Promise<unknown>)(kafkaEvent, {
    getRemainingTimeInMillis: () => 60_000,
  })
  const { failure, droppedBy, outputs } = decided[0]!.emissions[0]!
  return {
    fate: failure === undefined ? (droppedBy ?? 'emitted') : `${failure.reason}: ${failure.message}`,
    value: failure === undefined && outputs.length > 0 ? Buffer.from(kafka.committed[0]!.value!).toString() : undefined,
    asked: store.calls.flatMap(call => call.flatMap(({ command, keys }) => keys.map(key => `${command.kind} ${key}`))),
  }
}

const visit = { id: '1', branch: 'waw-1', day: 1, seats: [] as readonly object[] }

describe.each(['compiled', 'interpreted'] as const)('%s', form => {
  test('each line finds what it asks for', async () => {
    const { value, asked } = await decide(form, { ...visit, seats: [{ row: 2, tag: 'x' }, { row: 9, tag: 'y' }, { row: 1 }] })
    expect(value).toBe(
      '{"tier":"gold","points":9007199254740993,"amount":9.5,"score":0.25,"branch":"Warsaw, centre","opened":"2020-01-01T00:00:00Z","rows":[2,1],"tagged":[2]}',
    )
    expect(asked).toEqual([
      'item {"id":{"S":"a-1"},"sort":{"N":"1"}}',
      'request https://prices.example/v1/1?day=1',
      'member tags:1',
      'member tags:1',
      'request https://score.example:8443/score\n{"id":"1","tier":"gold"}',
    ])
  })

  test.each([
    ['a row with an empty cell', { branch: 'gdn-1' }, 'emitted', '"branch":"Gdańsk"'],
    ['no row: nothing is missing but what would be there', { branch: 'krk' }, 'emitted', '"points":9007199254740993'],
    ['a row that the filter drops', { day: 2 }, 'open', undefined],
    ['quotes and braces in a key attribute', { id: '"}' }, 'emitted', '"tier":"odd"'],
    ['a slash, a question mark, a hash, an ampersand in a URL', { id: 'a/b?c#&' }, 'emitted', '"amount":1'],
  ])('%s', async (_, change, fate, part) => {
    const outcome = await decide(form, { ...visit, ...change })
    expect(outcome.fate).toBe(fate)
    if (part !== undefined) expect(outcome.value).toContain(part)
  })

  test.each([
    [
      'an item without a required field',
      { id: '3' },
      /^lookup-invalid: look-up "account" found something that is not as declared/,
    ],
    ['an empty part of a URL', { id: '' }, /^lookup-invalid: look-up "price" was not made: a hole of its URL is the empty text/],
    [
      'a part of a path that leads up',
      { id: '..' },
      /^lookup-invalid: look-up "price" was not made: a part of its path is "\." or "\.\."/,
    ],
    [
      'half a surrogate pair',
      { id: '\ud800' },
      /^lookup-invalid: look-up "price" was not made: a hole of its URL is not well-formed/,
    ],
    [
      'a huge key',
      { id: 'x'.repeat(5000) },
      /^too-large: look-up "account" was not made: its key attribute "id" has more than \d+ bytes/,
    ],
    [
      'more elements than are looked up',
      { seats: Array.from({ length: 101 }, (_, row) => ({ row })) },
      /^too-large: look-up "(rows|tags)"/,
    ],
  ])('%s is refused in words', async (_, change, message) => {
    const { fate, asked } = await decide(form, { ...visit, ...change })
    expect(fate).toMatch(message)
    // Neither DynamoDB nor another resource of the service was asked.
    expect(asked.filter(one => /^item.*x{100}|v1\/(\?|\.\.)/.test(one))).toEqual([])
  })

  test('a consistent read is asked for where it is wanted', () => {
    const commands = forms[form].plan.lookups.map(({ command }) => command)
    expect(commands.filter(({ kind }) => kind === 'item')).toEqual([
      { kind: 'item', table: 'accounts', keyNames: ['sort', 'id'], fields: ['tier', 'since', 'points'], consistent: true },
    ])
  })

  test('a hundred elements are looked up', async () => {
    const seats = Array.from({ length: 100 }, (_, row) => ({ row: row % 3, tag: `t${row}` }))
    const { value, asked } = await decide(form, { ...visit, seats })
    expect(JSON.parse(value!).rows).toHaveLength(66)
    expect(asked.filter(one => one === 'member tags:1')).toHaveLength(100)
  })
})

test('explain shows who is asked, and no table', () => {
  expect(explain(planOf(compiled.scenario)).split('\n').slice(1, 4)).toEqual([
    '  filter   open',
    '  fetch 1  account, price, tags  1 SISMEMBER per element, one pipeline; BatchGetItem accounts; GET prices.example',
    '  fetch 2  score                 POST score.example:8443',
  ])
})
