// Records of the benchmark, and what must come out, computed by hand-written rules: never by the code under test.
import type { StoreContent } from '../../lib/connectors/memory.ts'
import type { SourceRecord } from '../../lib/plan/plan.ts'

export interface Workload {
  readonly scenario: string
  readonly topic: string
  readonly eventOf: (n: number) => object
  readonly lookupsOf: (n: number) => StoreContent
  /** Values of all outputs of records 0 … count - 1, in order. */
  readonly expectedOutputs: (count: number) => readonly unknown[]
}

/** What columns need of records whose events are given decoded. */
export function bareRecords(topic: string, count: number): readonly SourceRecord[] {
  return Array.from({ length: count }, (_, offset) => ({
    topic,
    partition: 0,
    offset,
    timestampMs: 0,
    key: null,
    value: null,
    headers: [],
  }))
}

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)

const hash = (value: Readonly<Record<string, string>>) => ({ type: 'hash' as const, value })
const ageOf = (n: number) => 20 + (n % 20)
const amountOf = (n: number) => (n * 7) % 50
const categoryOf = (n: number) => (n % 3 === 0 ? 'STANDARD' : 'GOLD')

export const workloads: readonly Workload[] = [
  {
    scenario: 'telecom-campaign',
    topic: 'cdrs',
    eventOf: n => ({
      duration: 60 + n,
      caller_number: `4860010${1000 + n}`,
      called_number: '48221234567',
      connect_time: 1_795_165_111 + n,
    }),
    lookupsOf: n => ({ [`customer:4860010${1000 + n}`]: { type: 'hash', value: { age: String(ageOf(n)), name: 'Anna' } } }),
    expectedOutputs: count =>
      numbers(count)
        .filter(n => ageOf(n) > 25 && ageOf(n) < 35)
        .map(n => ({ msisdn: `4860010${1000 + n}`, message: 'Hello! We have an offer for you.' })),
  },
  {
    scenario: 'large-transactions',
    topic: 'transactions',
    eventOf: n => ({ clientId: `c-${n}`, amount: amountOf(n), isLast: n % 2 === 0, eventDate: 1_763_366_400 + n }),
    lookupsOf: n => ({
      [`customer:c-${n}`]: {
        type: 'string',
        value: JSON.stringify({ id: String(n), name: 'Jan Dąb', category: categoryOf(n), balance: 1653.23 }),
      },
    }),
    expectedOutputs: count =>
      numbers(count)
        .filter(n => amountOf(n) > 20)
        .map(n =>
          categoryOf(n) === 'STANDARD'
            ? { message: `Transaction of client c-${n} is above the limit: ${amountOf(n)}`, eventDate: 1_763_366_400 + n }
            : { clientId: `c-${n}`, amount: amountOf(n), isLast: n % 2 === 0, eventDate: 1_763_366_400 + n },
        ),
  },
  {
    scenario: 'next-best-action',
    topic: 'app.visits',
    eventOf: n => ({
      type: n % 5 === 0 ? 'LOGIN' : 'APP_OPENED',
      customerId: `c-${n}`,
      country: n % 2 === 0 ? 'FR' : 'PL',
      at: '2026-11-20T10:00:00Z',
    }),
    lookupsOf: n => ({
      [`customer:c-${n}`]: hash({ plan: n % 3 === 0 ? 'gold' : 'basic', segment: 'young', homeCountry: 'PL', consent: 'true' }),
      [`propensity:young:c-${n}`]: hash({ upgrade: '0.3', roaming: '0.6' }),
    }),
    expectedOutputs: count =>
      numbers(count)
        .filter(n => n % 5 !== 0)
        .flatMap(n => {
          // Row 1 scores 0.3 × 18 = 5.4 for basic plans, row 2 0.6 × 9.5 + 1 = 6.7 abroad; the higher score wins.
          const abroad = n % 2 === 0
          if (!abroad && n % 3 === 0) return []
          const offer = abroad ? { action: 'ROAMING_PACK', score: 6.7 } : { action: 'OFFER_UPGRADE', score: 5.4 }
          return [{ customerId: `c-${n}`, ...offer, decidedAt: '2026-11-20T10:00:00Z' }]
        }),
  },
]
