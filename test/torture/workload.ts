// The records of a torture run, and what must come out of each.
import type { ConsumedRecord } from '../../lib/emulator/event.ts'

export type Expected = 'torture-output' | 'sluice.torture.dead-letters' | 'nothing'

export interface TortureRecord {
  readonly record: ConsumedRecord
  readonly expected: Expected
}

export const sourceTopic = 'torture-input'
export const outputTopics = ['torture-output', 'sluice.torture.dead-letters'] as const
const customerCount = 20

/** Redis hash → age; every tenth customer is a child. */
export const customers: ReadonlyMap<string, number> = new Map(
  Array.from({ length: customerCount }, (_, n) => [`torture:c-${n}`, n % 10 === 0 ? 9 : 30]),
)

export function drawRecords(random: () => number, partition: number, count: number): readonly TortureRecord[] {
  return Array.from({ length: count }, (_, offset) => {
    const customer = Math.floor(random() * customerCount)
    const isBroken = random() < 0.05
    const isTombstone = random() < 0.02
    const text = isBroken ? 'no JSON' : `{"id":"${partition}@${offset}","customer":"c-${customer}"}`
    return {
      record: {
        topic: sourceTopic,
        partition,
        offset,
        timestampMs: 1_763_900_000_000 + offset,
        timestampType: 'CREATE_TIME',
        key: Buffer.from(`c-${customer}`),
        value: isTombstone ? null : Buffer.from(text),
        headers: [],
      },
      expected: isTombstone
        ? 'nothing'
        : isBroken
          ? 'sluice.torture.dead-letters'
          : customer % 10 === 0
            ? 'nothing'
            : 'torture-output',
    }
  })
}
