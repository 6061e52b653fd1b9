import { describe, expect, test } from 'vitest'
import type { ConsumedRecord } from '../../lib/emulator/event.ts'
import { judge, stillThere } from './verdict.ts'
import type { Expected, TortureRecord } from './workload.ts'

const base = { timestampMs: 0, timestampType: 'CREATE_TIME', key: null, value: null } as const
const input = (offset: number, expected: Expected): TortureRecord => ({
  record: { ...base, topic: 'torture-input', partition: 1, offset, headers: [] },
  expected,
})
const output = (source: number, offset: number, topic = 'torture-output'): ConsumedRecord => ({
  ...base,
  topic,
  partition: 0,
  offset,
  headers: [{ name: 'sluice-idempotency-key', value: Buffer.from(`torture.1/torture-input/1/${source}/letters/0`) }],
})
const inputs = [input(0, 'torture-output'), input(1, 'nothing'), input(2, 'torture-output')]
const fine = { lost: [], duplicated: [], reordered: [], wrong: [] }

describe('the verdict of a run', () => {
  test.each([
    { what: 'all is well', found: [output(0, 0), output(2, 1)], verdict: fine },
    { what: 'one is missing', found: [output(2, 1)], verdict: { ...fine, lost: ['1@0'] } },
    { what: 'one is there twice', found: [output(0, 0), output(2, 1), output(2, 2)], verdict: { ...fine, duplicated: ['1@2'] } },
    { what: 'two changed places', found: [output(2, 0), output(0, 1)], verdict: { ...fine, reordered: ['1@0'] } },
    {
      what: 'one should have been dropped',
      found: [output(0, 0), output(1, 1), output(2, 2)],
      verdict: { ...fine, wrong: ['1@1 in torture-output'] },
    },
    {
      what: 'good data became a dead letter',
      found: [output(0, 0), output(2, 1, 'sluice.torture.dead-letters')],
      verdict: { ...fine, wrong: ['1@2 in sluice.torture.dead-letters'] },
    },
  ])('$what', ({ found, verdict }) => {
    expect(judge(inputs, found)).toEqual(verdict)
  })

  test('what a consumer has seen once must stay at its place', () => {
    expect(stillThere([output(0, 0)], [output(0, 0), output(2, 1)])).toBe(true)
    expect(stillThere([output(0, 0)], [output(2, 0)])).toBe(false)
    expect(stillThere([output(0, 0)], [])).toBe(false)
  })
})
