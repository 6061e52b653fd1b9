// The table of compile-time errors holds every id that the format promises.
import { expect, test } from 'vitest'
import { errors, problem } from '../../../lib/scenario/errors.ts'
import { errorIds } from '../../../lib/scenario/errors-page.ts'

const promised = `
  yaml-syntax yaml-tag yaml-anchor yaml-comment yaml-comma yaml-colon yaml-duplicate yaml-no-value
  unknown-key unknown-name unknown-field unknown-function unknown-type duplicate-name reserved-name unused unread-field
  expression-syntax type-mismatch not-a-condition may-be-missing literal-type default-and-optional text-is-expression never-true
  always-true unknown-zone format-pattern refused-function not-standard
  enricher-cycle lookup-line for-each-no-list for-each-nested key-collision drop-for-one-sink
  state-kind reads-cap caps-in-two-slots
  cell-count cell-syntax output-type overlapping-rows unreachable-row missing-rows rank-without-order
  sink-is-source topic-without-among reserved-header setting-range setting-refused misplaced-variable
  shared-needs shared-section function-signature example-name example-type example-clock not-covered
`

test('every promised id is in the table', () => {
  const ids = new Set(errorIds())
  expect(
    promised
      .trim()
      .split(/\s+/)
      .filter(id => !ids.has(id)),
  ).toEqual([])
})

test('warnings and hints are those that the format names', () => {
  const of = (severity: string): string[] =>
    Object.entries(errors)
      .filter(([, spec]) => spec.severity === severity)
      .map(([key]) => key)
  expect(of('warning')).toEqual(['unused', 'unused/shared', 'unread-field', 'unread-field/state', 'always-true', 'many-places'])
  expect(of('hint')).toEqual([
    'not-standard',
    'key-collision',
    'kept-for-ever',
    'drop-for-one-sink',
    'example-clock',
    'redact-undeclared',
    'not-covered',
  ])
})

test('no sentence says "invalid"', () => {
  expect(Object.values(errors).filter(({ text }) => /invalid/i.test(text))).toEqual([])
})

test('a case of an id has the id, and its own sentence', () => {
  expect(problem('yaml-anchor/alias', { alias: '*a' })).toEqual({
    id: 'yaml-anchor',
    severity: 'error',
    message: 'YAML reads "*a" as an alias of another value, and a scenario file has none: each value stands where it is used',
  })
})
