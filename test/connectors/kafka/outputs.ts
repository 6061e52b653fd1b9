// What tests of the producer write and read back.
import { randomUUID } from 'node:crypto'
import { createTopics } from '../../../infra/local/topics.ts'
import { readCommitted } from '../../../lib/emulator/committed.ts'
import type { Deadline, OutputRecord, ProducerSession, TopicPartition, TransactionPort } from '../../../lib/runtime/ports.ts'

/** For calls that have to succeed. */
export const deadline: Deadline = { remainingMs: () => 20_000 }

export function within(durationMs: number): Deadline {
  const endMs = Date.now() + durationMs
  return { remainingMs: () => endMs - Date.now() }
}

export interface Place {
  readonly source: TopicPartition
  readonly target: string
  readonly group: string
  readonly transactionalId: string
}

/** Topics, group and transactional id that no other test has. */
export async function freshPlace(
  bootstrapServers: string,
  settings: { partitions?: number; target?: Record<string, string> } = {},
): Promise<Place> {
  const id = randomUUID().slice(0, 8)
  const source = `in-${id}`
  const target = `out-${id}`
  await createTopics(bootstrapServers, [
    { name: source },
    { name: target, partitions: settings.partitions ?? 1, settings: settings.target ?? {} },
  ])
  const group = `sluice.test-${id}.1`
  return { source: { topic: source, partition: 0 }, target, group, transactionalId: `${group}/${source}/0` }
}

export function output(topic: string, value: string | null, fields: Partial<OutputRecord> = {}): OutputRecord {
  return {
    topic,
    key: Buffer.from('k'),
    value: value === null ? null : Buffer.from(value),
    headers: [],
    timestampMs: 1000,
    partitionSeed: value ?? '',
    ...fields,
  }
}

/** The values that a read_committed consumer finds, in order. */
export async function committedValues(bootstrapServers: string, topic: string): Promise<readonly (string | null)[]> {
  const records = await readCommitted(bootstrapServers, [topic], { timeoutMs: 20_000 })
  return records.map(record => record.value?.toString() ?? null)
}

export async function claim(
  kafka: TransactionPort,
  place: Place,
  until: Deadline = deadline,
): Promise<{ readonly session: ProducerSession; readonly position: bigint | undefined }> {
  const session = await kafka.fence(place.transactionalId, until)
  return { session, position: await kafka.readProgress(place.group, place.source, until) }
}

/** Writes the values, each standing for one source record from offset `from` on. */
export function write(
  kafka: TransactionPort,
  place: Place,
  session: ProducerSession,
  from: number,
  values: readonly string[],
  until: Deadline = deadline,
) {
  const records = values.map(value => output(place.target, value))
  return kafka.transact(
    session,
    { group: place.group, progress: place.source, nextOffset: BigInt(from + values.length), records },
    until,
  )
}
