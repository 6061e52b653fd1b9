import { expect, test } from 'vitest'
import { Failure } from '../../lib/plan/failure.ts'
import { createDeadLetterLog } from '../../lib/runtime/dead-letter-log.ts'
import { visits } from './plan-fixture.ts'

const record = (offset: number) => ({
  topic: 'app.visits',
  partition: 3,
  offset,
  timestampMs: 0,
  key: null,
  value: null,
  headers: [],
})

function said(reasons: readonly string[], plan = visits) {
  const lines: { readonly message: string; readonly fields: object }[] = []
  const log = createDeadLetterLog(plan, { warn: (message, fields) => void lines.push({ message, fields }) })
  for (const [offset, reason] of reasons.entries())
    log.tell(record(offset), new Failure(reason as 'wrong-type', 'n', 'has no "n"'))
  log.end()
  return lines
}

test('a line for each: what happened, what happens to the others, what to do', () => {
  expect(said(['missing-field'])).toEqual([
    {
      message:
        '[missing-field] letters: app.visits-3@0 became a dead letter: has no "n". The other records go on. See it again: npx sluice replay letters app.visits-3@0 --show',
      fields: {
        ...{ id: 'missing-field', scenario: 'letters', topic: 'app.visits', partition: 3, offset: 0 },
        ...{ at: 'n', retry: 'never' },
      },
    },
  ])
})

test('ten lines a batch, the rest counted by reason in one', () => {
  const reasons = [...Array.from({ length: 12 }, () => 'wrong-type'), 'invalid-json', 'wrong-type', 'missing-field']
  const lines = said(reasons)
  expect(lines).toHaveLength(11)
  expect(lines.at(-1)).toEqual({
    message:
      '[more-dead-letters] letters: 5 further records of this batch became dead letters: 1 invalid-json, 1 missing-field, 3 wrong-type. See them again: npx sluice replay letters --show',
    fields: {
      ...{ id: 'more-dead-letters', scenario: 'letters', count: 5, retry: 'never' },
      reasons: { 'invalid-json': 1, 'missing-field': 1, 'wrong-type': 3 },
    },
  })
})

test('ten and no more: nothing is left to count', () => {
  expect(said(Array.from({ length: 10 }, () => 'wrong-type'))).toHaveLength(10)
})

test('with redaction the key of a failed look-up is not told, since it was built from the record', () => {
  const plan = { ...visits, redact: ['event.id'] }
  expect(said(['lookup-missing', 'wrong-type'], plan).map(({ fields }) => (fields as { at: string }).at)).toEqual([
    '[redacted]',
    'n',
  ])
})
