// A whole scenario, compiled and interpreted, over records of which many are broken somewhere: the compiled loop of filters, its slow side
// and the reference interpreter must drop, fail and emit the same.
import { expect, test } from 'vitest'
import { loadCompiled, loadInterpreted } from '../../lib/cli/compiled.ts'
import { openScenario } from '../../lib/cli/scenario-file.ts'
import type { StoreContent } from '../../lib/connectors/memory.ts'
import type { Plan } from '../../lib/plan/plan.ts'
import type { Decided } from '../../lib/runtime/handler.ts'

const count = 3000
const at = 1_795_165_200_000
const pick = <T>(n: number, prime: number, values: readonly T[]): T => values[(n * prime + (n >> 4)) % values.length]!

const eventOf = (n: number) => ({
  type: pick(n, 7, ['LOGIN', 'APP_OPENED', 'LOGIN', 'APP_OPENED', 'LOGIN', 'APP_OPENED', 'CLOSED']),
  customerId: n % 40 === 0 ? `test-${n}` : `c-${n}`,
  ...(n % 4 !== 0 && { country: pick(n, 11, ['PL', 'FR', 'DE', null]) }),
  channel: pick(n, 5, ['web', 'app', 'shop']),
  usedPercent: n % 61 === 0 ? 'much' : (n * 37) % 101,
  balance: ((n * 13) % 160) / 4 - 1,
  at: at + n,
})

const profileOf = (n: number) => ({
  plan: n % 31 === 0 ? 'silver' : pick(n, 13, ['basic', 'plus', 'gold', 'basic']),
  segment: pick(n, 3, ['young', 'family', 'business', 'senior', 'other']),
  age: String(15 + ((n * 17) % 70)),
  homeCountry: 'PL',
  consent: n % 10 === 3 ? 'false' : 'true',
  monthly: String((n * 29) % 120),
})

const contactOf = (n: number) => ({
  lastAt: n % 43 === 0 ? 'yesterday' : String(at - ((n * 19) % 30) * 86_400_000),
  count: String(n % 7),
})

const lookups = Object.fromEntries(
  Array.from({ length: count }, (_, n) => n).flatMap(n => {
    const id = eventOf(n).customerId
    return [
      ...(n % 23 === 0 ? [] : [[`customer:${id}`, { type: 'hash', value: profileOf(n) }]]),
      ...(n % 3 === 0 ? [[`contact:${id}`, { type: 'hash', value: contactOf(n) }]] : []),
    ]
  }),
) as StoreContent

test('compiled and interpreted drop, fail and emit the same', async () => {
  const { plan, embed, scenario } = await loadCompiled(openScenario('test/bench/scenarios/next-best-offer.yml'))
  const compiled = await outcomes(plan, embed)
  const reference = loadInterpreted(scenario)
  const interpreted = await outcomes(reference.plan, reference.embed)

  expect(compiled).toEqual(interpreted)
  const ends = new Set(compiled.map(outcome => outcome.droppedBy ?? outcome.failure ?? 'emitted'))
  // Every way to end was met.
  expect([...ends].sort()).toEqual([
    'adult',
    'consented',
    'emitted',
    'known',
    'lookup-invalid',
    'needy',
    'noTest',
    'notSenior',
    'notTired',
    'offer',
    'opened',
    'profile',
    'rested',
    'solvent',
    'worthwhile',
    'wrong-type',
  ])
})

async function outcomes(plan: Plan, embed: Awaited<ReturnType<typeof loadCompiled>>['embed']) {
  const seen: Decided[] = []
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined }
  const { handler } = embed(plan, { lookups, log, observe: decided => seen.push(decided) })
  const records = Array.from({ length: count }, (_, offset) => ({
    topic: 'app.visits',
    partition: 0,
    offset,
    timestamp: at,
    timestampType: 'CREATE_TIME' as const,
    key: 'eA==',
    value: Buffer.from(JSON.stringify(eventOf(offset))).toString('base64'),
    headers: [],
  }))
  await handler({ eventSource: 'aws:kafka', records: { 'app.visits-0': records } }, {
    getRemainingTimeInMillis: () => 60_000,
  } as never)
  return seen[0]!.emissions.map(({ droppedBy, failure, outputs }) => ({
    droppedBy,
    failure: failure?.reason,
    at: failure?.at,
    message: failure?.message,
    outputs: outputs.map(({ topic, key, value, headers }) => ({
      topic,
      key: key && Buffer.from(key).toString(),
      value: value && Buffer.from(value).toString(),
      headers: headers.map(header => [header.name, header.value && Buffer.from(header.value).toString()]),
    })),
  }))
}
