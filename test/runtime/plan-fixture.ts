// A plan written by hand: adults among the customers of visits get a letter. Stages are tested with it, without any compiler.
import { type FailureThrown, isFound, judge, read } from '../../lib/plan/columns.ts'
import { Failure } from '../../lib/plan/failure.ts'
import { type Columns, type LookupPlan, needsExact, type Plan } from '../../lib/plan/plan.ts'
import type { KafkaEvent, KafkaEventRecord } from '../../lib/runtime/event.ts'

export const customerLookup: LookupPlan = {
  name: 'customer',
  store: 'redis',
  command: { kind: 'hash', fields: ['age'] },
  key: (columns, i) => `customer:${(columns.event[i] as { id: string }).id}`,
  needed: (columns, i) => (columns.status[i]! & 1) === 0,
  decode: (answer, key) => {
    if (!Array.isArray(answer)) return new Failure('lookup-invalid', key, 'another kind of data')
    if (answer[0] === null) return new Failure('lookup-missing', key, 'nothing found', 'customer')
    return /^\d+$/.test(answer[0]) ? { age: Number(answer[0]) } : new Failure('lookup-invalid', key, 'age is no int')
  },
  missing: key => new Failure('lookup-missing', key ?? 'customer', 'nothing found', 'customer'),
  onError: 'retry',
  timeoutMs: undefined,
  cacheMs: 0,
}

export const visits: Plan = {
  scenario: 'letters',
  file: 'functions/letters.yml',
  generation: 1,
  delivery: 'exactly-once',
  stopAbove: 0.5,
  source: {
    topic: 'app.visits',
    decodeEvent: json => {
      const { id, n } = json as { id?: unknown; n?: unknown }
      if (typeof n === 'number' && !Number.isSafeInteger(n)) return needsExact
      return typeof id === 'string' ? { id, n } : new Failure('missing-field', 'id', 'has no "id"')
    },
  },
  lookups: [customerLookup],
  steps: [
    { kind: 'fetch', lookups: [0] },
    {
      kind: 'filter',
      names: ['customer', 'adult'],
      run: columns => {
        for (let i = 0; i < columns.recordCount; i++) {
          if ((columns.status[i]! & 1) !== 0) continue
          judge(columns, i, 'customer', isFound(columns.lookups[0]![i], 'customer'))
          judge(columns, i, 'adult', isAdult(columns, i))
        }
      },
    },
  ],
  sinks: [
    {
      name: 'letter',
      emit: (columns, i, outputs) => {
        if (columns.status[i] !== 0) return undefined
        const { id } = columns.event[i] as { id: string }
        outputs.push({ topic: 'letters', key: id, headers: [['kind', 'letter']], value: `{"id":"${id}"}` })
        return undefined
      },
    },
  ],
  conditions: [],
  valueCount: 0,
}

function isAdult(columns: Columns, i: number): unknown {
  try {
    return (read(columns.lookups[0]![i]) as { age: number }).age >= 18
  } catch (error) {
    return (error as FailureThrown).failure
  }
}

/** An event of app.visits; values are texts, undefined for a tombstone. */
export function visitsEvent(
  partitions: Readonly<Record<number, readonly (Partial<KafkaEventRecord> & { offset: number })[]>>,
): KafkaEvent {
  const entries = Object.entries(partitions).map(([partition, records]) => [
    `app.visits-${partition}`,
    records.map(record => ({
      topic: 'app.visits',
      partition: Number(partition),
      timestamp: 1_763_900_000_000,
      timestampType: 'CREATE_TIME',
      ...record,
    })),
  ])
  return { eventSource: 'aws:kafka', records: Object.fromEntries(entries) }
}

export const base64 = (text: string) => Buffer.from(text).toString('base64')
