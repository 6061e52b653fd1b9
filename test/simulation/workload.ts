// What a simulation works on: records of some partitions, and what each must leave behind, said where the record is made. Drawn from its own
// seed, so that the same workload meets any faults.
import type { StoreContent } from '../../lib/connectors/memory.ts'
import type { KafkaEventRecord } from '../../lib/runtime/event.ts'
import { base64 } from '../runtime/plan-fixture.ts'

export interface Workload {
  readonly partitions: readonly (readonly KafkaEventRecord[])[]
  readonly lookups: StoreContent
  /** Idempotency key → what must come out under it. */
  readonly expected: ReadonlyMap<string, ExpectedOutput>
}

export type ExpectedOutput =
  | { readonly kind: 'letter'; readonly value: string }
  | { readonly kind: 'dead letter'; readonly reason: string }

type RecordKind = 'adult' | 'child' | 'stranger' | 'odd age' | 'no JSON' | 'no id' | 'tombstone'
const kinds: readonly RecordKind[] = [
  'adult',
  'adult',
  'adult',
  'adult',
  'child',
  'stranger',
  'odd age',
  'no JSON',
  'no id',
  'tombstone',
]
const peopleCount = 8

export function drawWorkload(random: () => number): Workload {
  const below = (limit: number) => Math.floor(random() * limit)
  const expected = new Map<string, ExpectedOutput>()
  const lookups: Record<string, { type: 'hash'; value: Record<string, string> }> = {}
  for (let person = 0; person < peopleCount; person++) {
    lookups[`customer:adult-${person}`] = { type: 'hash', value: { age: String(18 + person) } }
    lookups[`customer:child-${person}`] = { type: 'hash', value: { age: String(person) } }
    lookups[`customer:odd age-${person}`] = { type: 'hash', value: { age: '?' } }
  }
  const partitions = Array.from({ length: 1 + below(3) }, (_, partition) => {
    let offset = below(1000)
    return Array.from({ length: 5 + below(25) }, (): KafkaEventRecord => {
      // Gaps are normal: markers, compaction, filters.
      offset += random() < 0.8 ? 1 : 1 + below(20)
      const kind = kinds[below(kinds.length)]!
      const id = `${kind}-${below(peopleCount)}`
      const output = (sink: string, what: ExpectedOutput) =>
        expected.set(`letters.1/app.visits/${partition}/${offset}/${sink}/0`, what)
      if (kind === 'adult') output('letter', { kind: 'letter', value: `{"id":"${id}"}` })
      if (kind === 'odd age') output('dead-letter', { kind: 'dead letter', reason: 'lookup-invalid' })
      if (kind === 'no JSON') output('dead-letter', { kind: 'dead letter', reason: 'invalid-json' })
      if (kind === 'no id') output('dead-letter', { kind: 'dead letter', reason: 'missing-field' })
      const record = {
        topic: 'app.visits',
        partition,
        offset,
        timestamp: 1_763_900_000_000,
        timestampType: 'CREATE_TIME' as const,
      }
      if (kind === 'tombstone') return { ...record, key: base64(id) }
      const value = kind === 'no JSON' ? 'no JSON' : kind === 'no id' ? '{}' : `{"id":"${id}"}`
      return { ...record, key: base64(id), value: base64(value) }
    })
  })
  return { partitions, lookups, expected }
}
