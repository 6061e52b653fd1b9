// What a read_committed consumer found against what went in: input set = output set, none twice, in order per partition. The assertions of
// Kafka's own transactions test, and one more: what a consumer has seen once stays where it was.
import type { ConsumedRecord } from '../../lib/emulator/event.ts'
import { sourceTopic, type TortureRecord } from './workload.ts'

export interface Verdict {
  readonly lost: readonly string[]
  readonly duplicated: readonly string[]
  readonly reordered: readonly string[]
  /** In the wrong topic, or not to be there at all: a dead letter for good data. */
  readonly wrong: readonly string[]
}

export function judge(
  records: readonly TortureRecord[],
  found: readonly ConsumedRecord[],
  sourceOf: (output: ConsumedRecord) => { readonly partition: number; readonly offset: number } = sourceByKey,
): Verdict {
  const expected = new Map(records.map(({ record, expected }) => [`${record.partition}@${record.offset}`, expected]))
  const seen = new Set<string>()
  const last = new Map<string, number>()
  const verdict = { lost: [] as string[], duplicated: [] as string[], reordered: [] as string[], wrong: [] as string[] }
  for (const record of found) {
    const { partition, offset } = sourceOf(record)
    const id = `${partition}@${offset}`
    if (seen.has(id)) verdict.duplicated.push(id)
    seen.add(id)
    if (expected.get(id) !== record.topic) verdict.wrong.push(`${id} in ${record.topic}`)
    const sequence = `${partition} to ${record.topic}-${record.partition}`
    if (offset < (last.get(sequence) ?? -1)) verdict.reordered.push(id)
    last.set(sequence, offset)
  }
  for (const [id, where] of expected) if (where !== 'nothing' && !seen.has(id)) verdict.lost.push(id)
  return verdict
}

/** Whether everything of an earlier reading is at its place in a later one. */
export function stillThere(earlier: readonly ConsumedRecord[], later: readonly ConsumedRecord[]): boolean {
  const places = new Map(later.map(record => [placeOf(record), idempotencyKeyOf(record)]))
  return earlier.every(record => places.get(placeOf(record)) === idempotencyKeyOf(record))
}

function placeOf({ topic, partition, offset }: ConsumedRecord): string {
  return `${topic}-${partition}@${offset}`
}

function sourceByKey(record: ConsumedRecord): { readonly partition: number; readonly offset: number } {
  const [, topic, partition, offset] = idempotencyKeyOf(record).split('/')
  if (topic !== sourceTopic) throw new Error(`${placeOf(record)} comes from ${topic}, which nobody reads`)
  return { partition: Number(partition), offset: Number(offset) }
}

function idempotencyKeyOf({ headers }: ConsumedRecord): string {
  return Buffer.from(headers.findLast(({ name }) => name === 'sluice-idempotency-key')!.value!).toString()
}
