// Dead letters as they stand in their topic, and which of them were replayed. The marker of a replay is a record of the same partition, written
// in the transaction of the outputs: retention removes a log from its start, so a marker outlives its dead letter. Progress as an offset would
// not do, since dead letters are chosen out of order; and offsets expire a week after the last commit, dead letters when their topic says so.
import { setTimeout as delay } from 'node:timers/promises'
import { type LogReader, type LogRecord, logAppendTimeBit } from '../../connectors/kafka/log.ts'
import { TransactionFilter } from '../../emulator/transaction-filter.ts'
import type { Deadline, OutputRecord, TopicPartition } from '../../runtime/ports.ts'

export interface Coordinates {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/** The record that became a dead letter, as far as the dead letter has it. */
export interface DeadLetter {
  /** Of the dead letter itself. */
  readonly place: Coordinates
  readonly source: Coordinates
  /** `SCENARIO.GENERATION`. */
  readonly scenario: string
  readonly reason: string
  readonly at: string
  readonly message: string
  readonly timestampMs: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  /** The record's own. */
  readonly headers: readonly { readonly name: string; readonly value: Buffer | null }[]
  /** Why the record must be read at its source: its dead letter is not all of it. */
  readonly incomplete?: 'redacted' | 'too-large' | 'time'
  readonly replayed: boolean
}

/** All dead letters of a topic, of all scenarios that share it, by partition and offset; committed ones only. */
export async function readDeadLetters(log: LogReader, topic: string, deadline: () => Deadline): Promise<readonly DeadLetter[]> {
  const partitions = await log.partitionCount(topic, deadline())
  const all = await Promise.all(
    Array.from({ length: partitions }, (_, partition) => readPartition(log, { topic, partition }, deadline)),
  )
  return all.flat()
}

/** A commit is answered before its markers stand in the log; a dead worker's transaction stays open for longer, and holds nobody up. */
const markersMs = 2000

interface Kept {
  readonly offset: number
  readonly letter: DeadLetter | undefined
  /** Coordinates of a dead letter. */
  readonly marks: string | undefined
}

async function readPartition(
  log: LogReader,
  partition: TopicPartition,
  deadline: () => Deadline,
): Promise<readonly DeadLetter[]> {
  const giveUpAtMs = Date.now() + markersMs
  let filter = await readOnce(log, partition, deadline())
  while (filter.hasOpen && Date.now() < giveUpAtMs) {
    await delay(50)
    filter = await readOnce(log, partition, deadline())
  }
  const kept = filter.committed()
  const marked = new Set(kept.flatMap(({ marks }) => marks ?? []))
  return kept.flatMap(({ letter }) =>
    letter === undefined ? [] : [{ ...letter, replayed: marked.has(coordinatesText(letter.place)) }],
  )
}

async function readOnce(log: LogReader, partition: TopicPartition, deadline: Deadline): Promise<TransactionFilter<Kept>> {
  const filter = new TransactionFilter<Kept>()
  for await (const batch of log.read(partition, { deadline })) {
    const timeIsOurs = (batch.attributes & logAppendTimeBit) === 0
    filter.add(batch, (record: LogRecord) => {
      const offset = Number(record.offset)
      return { offset, letter: readDeadLetter(record, { ...partition, offset }, timeIsOurs), marks: markedBy(record) }
    })
  }
  return filter
}

/** Undefined: something else. The record may have had headers of these names itself (an output of another scenario): ours are the last ones. */
export function readDeadLetter(
  record: Pick<LogRecord, 'timestampMs' | 'key' | 'value' | 'headers'>,
  place: Coordinates,
  timeIsOurs: boolean,
): DeadLetter | undefined {
  const { timestampMs, key, value } = record
  const begin = record.headers.findLastIndex(({ name }) => name === 'sluice-reason')
  if (begin < 0 || markedBy(record) !== undefined) return undefined
  const ours = new Map(record.headers.slice(begin).map(({ name, value }) => [name, value?.toString() ?? '']))
  const source = parseCoordinates(ours.get('sluice-coordinates') ?? '')
  if (source === undefined) return undefined
  // A tombstone never becomes a dead letter: one without value is one whose bytes did not fit.
  const incomplete = ours.has('sluice-redacted') ? 'redacted' : value === null ? 'too-large' : timeIsOurs ? undefined : 'time'
  return {
    place,
    source,
    scenario: ours.get('sluice-scenario') ?? '',
    reason: ours.get('sluice-reason')!,
    at: ours.get('sluice-at') ?? '',
    message: ours.get('sluice-message') ?? '',
    ...{ timestampMs, key, value },
    headers: record.headers.slice(0, begin),
    ...(incomplete !== undefined && { incomplete }),
    replayed: false,
  }
}

const markerHeader = 'sluice-replayed'

function markedBy({ headers }: Pick<LogRecord, 'headers'>): string | undefined {
  const last = headers.at(-1)
  return last?.name === markerHeader ? last.value?.toString() : undefined
}

/** The record that says that a dead letter was replayed. It has a key and a value, for topics that are compacted. */
export function markerOf({ place, source, scenario }: DeadLetter, nowMs: number): OutputRecord {
  const coordinates = coordinatesText(place)
  const idempotencyKey = `${scenario}/${source.topic}/${source.partition}/${source.offset}/replayed/0`
  const headers = {
    'sluice-coordinates': coordinatesText(source),
    'sluice-scenario': scenario,
    'sluice-idempotency-key': idempotencyKey,
    [markerHeader]: coordinates,
  }
  return {
    topic: place.topic,
    partition: place.partition,
    key: Buffer.from(coordinates),
    value: Buffer.from(JSON.stringify({ replayed: coordinates, from: coordinatesText(source) })),
    headers: Object.entries(headers).map(([name, value]) => ({ name, value: Buffer.from(value) })),
    timestampMs: nowMs,
    partitionSeed: idempotencyKey,
  }
}

export function coordinatesText({ topic, partition, offset }: Coordinates): string {
  return `${topic}-${partition}@${offset}`
}

export function parseCoordinates(text: string): Coordinates | undefined {
  const match = /^([a-zA-Z0-9._-]+)-(\d{1,9})@(\d{1,15})$/.exec(text)
  return match === null ? undefined : { topic: match[1]!, partition: Number(match[2]), offset: Number(match[3]) }
}
