// A reference case as it lies in its folder (data/README.md says what the files mean).
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ConsumedRecord } from '../../lib/emulator/event.ts'
import { canonical, parseExact } from './exact-json.ts'
import { type HistoryStep, historyStep } from './history.ts'

export interface ReferenceCase {
  readonly name: string
  /** In order of arrival, with the offsets of the file. */
  readonly records: readonly ConsumedRecord[]
  readonly expected: readonly OutputLine[]
  readonly lookupsFile: string
  /** Of cases with state. */
  readonly history?: readonly HistoryStep[]
  readonly lookups: Readonly<Record<string, StoreEntry>>
}

export type StoreEntry =
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'hash'; readonly value: Readonly<Record<string, string>> }

/** An output or a dead letter, reduced to what is compared. */
export interface OutputLine {
  /** `dead-letter` for all dead letters, wherever they lie. */
  readonly topic: string
  readonly key: string | null
  /** Canonical JSON; of a dead letter the reason. */
  readonly value: string
  readonly from: SourceCoordinates
}

export interface SourceCoordinates {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

export function readCase(folder: string, name: string): ReferenceCase {
  const lines = (file: string): readonly string[] =>
    readFileSync(join(folder, name, file), 'utf8')
      .split('\n')
      .filter(line => line.trim() !== '')
  const lookupsFile = join(folder, name, 'lookups.json')
  return {
    name,
    records: lines('events.jsonl').map(recordOf),
    expected: lines('expected.jsonl').map(expectedLine),
    lookupsFile,
    ...(existsSync(join(folder, name, 'replay.jsonl')) && { history: lines('replay.jsonl').map(historyStep) }),
    lookups: existsSync(lookupsFile) ? JSON.parse(readFileSync(lookupsFile, 'utf8')) : {},
  }
}

interface EventLine {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  readonly key: string | null
  readonly value?: object | null
  readonly valueText?: string
  readonly valueBase64?: string
}

export function recordOf(line: string): ConsumedRecord {
  const { topic, partition, offset, timestamp, key, ...event } = JSON.parse(line) as EventLine
  return {
    topic,
    partition,
    offset,
    timestampMs: timestamp,
    timestampType: 'CREATE_TIME',
    key: key === null ? null : Buffer.from(key),
    value: valueBytes(line, event),
    headers: [],
  }
}

function valueBytes(
  line: string,
  { value, valueText, valueBase64 }: Pick<EventLine, 'value' | 'valueText' | 'valueBase64'>,
): Uint8Array | null {
  if (valueText !== undefined) return Buffer.from(valueText)
  if (valueBase64 !== undefined) return Buffer.from(valueBase64, 'base64')
  if (value === null) return null
  // The text as it stands, with all digits of its numbers.
  return Buffer.from(JSON.stringify((parseExact(line) as { value: unknown }).value))
}

export function expectedLine(line: string): OutputLine {
  const { topic, key, from } = JSON.parse(line) as { topic: string; key: string | null; from: string }
  const value = (parseExact(line) as { value: unknown }).value
  const reason = topic === 'dead-letter' ? (value as { reason: string }).reason : undefined
  return { topic, key, value: reason ?? canonical(value), from: parseCoordinates(from) }
}

/** `topic-partition@offset`; topics may contain '-' and '@' may not. */
export function parseCoordinates(text: string): SourceCoordinates {
  const [, topic, partition, offset] = /^(.+)-(\d+)@(\d+)$/.exec(text)!
  return { topic: topic!, partition: Number(partition), offset: Number(offset) }
}
