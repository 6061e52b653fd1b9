import { describe, expect, test } from 'vitest'
import { judgeResult } from '../../lib/emulator/result.ts'
import type { KafkaEvent } from '../../lib/runtime/event.ts'

const event: KafkaEvent = { eventSource: 'aws:kafka', records: { 'a-0': [10, 11, 13].map(at(0)), 'a-1': [5, 6].map(at(1)) } }
const reporting = { functionResponseTypes: ['ReportBatchItemFailures'], partial: 'items' } as const

test.each([
  [{ status: 'failed', error: { errorType: 'Fenced', errorMessage: 'late', trace: [] } }, 'the function failed: Fenced: late'],
  [{ status: 'timeout', timeoutMs: 3000 }, 'the function was stopped after 3000 ms'],
  [{ status: 'crashed', signal: 'SIGKILL', exitCode: null }, "the function's process ended (SIGKILL)"],
  [{ status: 'crashed', signal: null, exitCode: 3 }, "the function's process ended (exit code 3)"],
] as const)('%o makes the whole batch come again', (result, reason) => {
  expect(judgeResult(result, event, reporting)).toEqual({ kind: 'retry-all', reason })
})

describe('with ReportBatchItemFailures', () => {
  test.each([null, {}, { batchItemFailures: null }, { batchItemFailures: [] }, 'text'])('%o is success', response => {
    expect(judgeResult({ status: 'success', response }, event, reporting)).toEqual({ kind: 'done' })
  })

  test.each([
    ['a partition that is not in the event', [{ itemIdentifier: { partition: 'a-2', offset: 10 } }]],
    ['an offset that is not in the event', [{ itemIdentifier: { partition: 'a-0', offset: 12 } }]],
    ['an offset as text', [{ itemIdentifier: { partition: 'a-0', offset: '10' } }]],
    ['the identifier as text', [{ itemIdentifier: 'a-0-10' }]],
    ['the name of an object member', [{ itemIdentifier: { partition: 'constructor', offset: 10 } }]],
    ['one good and one bad item', [{ itemIdentifier: { partition: 'a-0', offset: 10 } }, { itemIdentifier: {} }]],
    ['no list', 'a-0'],
  ])('%s makes the whole batch come again', (_, batchItemFailures) => {
    expect(judgeResult({ status: 'success', response: { batchItemFailures } }, event, reporting)).toMatchObject({
      kind: 'retry-all',
    })
  })

  test.each([
    ['items', [11]],
    ['lowest', [11, 13]],
  ] as const)('partial: %s', (partial, offsets) => {
    const response = { batchItemFailures: [{ itemIdentifier: { partition: 'a-0', offset: 11 } }] }
    const verdict = judgeResult({ status: 'success', response }, event, { ...reporting, partial })
    expect(verdict).toEqual({ kind: 'retry-some', failed: new Map([['a-0', offsets]]) })
  })
})

test('without ReportBatchItemFailures the items are ignored, loudly', () => {
  const response = { batchItemFailures: [{ itemIdentifier: { partition: 'a-0', offset: 11 } }] }
  const verdict = judgeResult({ status: 'success', response }, event, { functionResponseTypes: [], partial: 'items' })
  expect(verdict.kind).toBe('done')
  expect((verdict as { warning: string }).warning).toContain('these records are lost')
})

test('without ReportBatchItemFailures an empty list is nothing to warn of', () => {
  const result = { status: 'success', response: { batchItemFailures: [] } } as const
  expect(judgeResult(result, event, { functionResponseTypes: [], partial: 'items' })).toEqual({ kind: 'done' })
})

function at(partition: number) {
  return (offset: number) => ({ topic: 'a', partition, offset, timestamp: 0, timestampType: 'CREATE_TIME' as const })
}
