// What a run may never do, each in its own words. They know the workload and what a read_committed consumer saw, nothing of how it came about.
import type { OutputRecord } from '../../lib/runtime/ports.ts'
import type { Workload } from './workload.ts'

/** A record as the consumer saw it, and whether the source's progress was committed with it. */
export interface Seen {
  readonly log: string
  readonly record: OutputRecord
  readonly progressCovers: boolean
}

export interface Verdict {
  readonly lost: readonly string[]
  readonly duplicated: readonly string[]
  readonly reordered: readonly string[]
  readonly uncommittedVisible: readonly string[]
  /** A dead letter for good data, an output for bad data, or another content. */
  readonly wrong: readonly string[]
  /** What a record shows of those before it, or of its place, is not so. */
  readonly wrongState: readonly string[]
}

export function judge(workload: Workload, seen: readonly Seen[]): Verdict {
  return {
    lost: lost(workload, seen),
    duplicated: duplicated(seen),
    reordered: reordered(seen),
    uncommittedVisible: uncommittedVisible(seen),
    wrong: wrong(workload, seen),
    wrongState: [],
  }
}

export function isSound(verdict: Verdict): boolean {
  return Object.values(verdict).every(findings => findings.length === 0)
}

function lost({ expected }: Workload, seen: readonly Seen[]): readonly string[] {
  const found = new Set(seen.map(({ record }) => idOf(record)))
  return [...expected.keys()].filter(id => !found.has(id))
}

export function uncommittedVisible(seen: readonly Seen[]): readonly string[] {
  return seen.filter(({ progressCovers }) => !progressCovers).map(({ record }) => idOf(record))
}

export function duplicated(seen: readonly Seen[]): readonly string[] {
  const once = new Set<string>()
  return seen.map(({ record }) => idOf(record)).filter(id => once.has(id) || !once.add(id))
}

export function reordered(seen: readonly Seen[]): readonly string[] {
  const last = new Map<string, number>()
  return seen.flatMap(({ log, record }) => {
    const [, topic, partition, offset] = idOf(record).split('/')
    const sequence = `${log} from ${topic}-${partition}`
    const before = last.get(sequence) ?? -1
    last.set(sequence, Number(offset))
    return Number(offset) < before ? [idOf(record)] : []
  })
}

function wrong({ expected }: Workload, seen: readonly Seen[]): readonly string[] {
  return seen.flatMap(({ record }) => {
    const id = idOf(record)
    const wanted = expected.get(id)
    if (wanted?.kind === 'letter' && Buffer.from(record.value!).toString() === wanted.value) return []
    if (wanted?.kind === 'dead letter' && header(record, 'sluice-reason') === wanted.reason) return []
    return [`${id}: ${header(record, 'sluice-reason') ?? record.topic}`]
  })
}

export function idOf(record: OutputRecord): string {
  return header(record, 'sluice-idempotency-key')!
}

function header(record: OutputRecord, name: string): string | undefined {
  const value = record.headers.findLast(one => one.name === name)?.value
  return value ? Buffer.from(value).toString() : undefined
}
