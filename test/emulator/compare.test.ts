import { expect, test } from 'vitest'
import { type ActualLine, compare } from '../cases/compare.ts'
import { expectedLine, type OutputLine } from '../cases/reference.ts'

const lines = {
  a: line('{"topic":"alerts","key":"1","value":{"n":1},"from":"in-0@10"}'),
  b: line('{"topic":"alerts","key":"1","value":{"n":2},"from":"in-0@11"}'),
  c: line('{"topic":"alerts","key":"2","value":{"n":3},"from":"in-0@12"}'),
  d: line('{"topic":"dead-letter","key":null,"value":{"reason":"wrong-type","at":"n"},"from":"in-1@5"}'),
}
type Name = keyof typeof lines

test.each<{ what: string; actual: Name[]; missing: Name[]; unexpected: Name[]; outOfOrder: Name[] }>([
  { what: 'equal', actual: ['a', 'b', 'c', 'd'], missing: [], unexpected: [], outOfOrder: [] },
  { what: 'partitions interleaved', actual: ['d', 'a', 'b', 'c'], missing: [], unexpected: [], outOfOrder: [] },
  { what: 'one lost', actual: ['a', 'c', 'd'], missing: ['b'], unexpected: [], outOfOrder: [] },
  { what: 'one twice', actual: ['a', 'b', 'b', 'c', 'd'], missing: [], unexpected: ['b'], outOfOrder: [] },
  { what: 'two swapped', actual: ['b', 'a', 'c', 'd'], missing: [], unexpected: [], outOfOrder: ['a'] },
  { what: 'the first one last', actual: ['b', 'c', 'a', 'd'], missing: [], unexpected: [], outOfOrder: ['a'] },
  { what: 'nothing at all', actual: [], missing: ['a', 'b', 'c', 'd'], unexpected: [], outOfOrder: [] },
])('$what', ({ actual, missing, unexpected, outOfOrder }) => {
  expect(compare(Object.values(lines), actual.map(perPartition))).toEqual({
    expectedCount: 4,
    missing: missing.map(name => lines[name]),
    unexpected: unexpected.map(perPartition),
    outOfOrder: outOfOrder.map(name => lines[name]),
  })
})

test('equal outputs of one record are counted', () => {
  const twice = [lines.a, lines.a]
  expect(
    compare(
      twice,
      ['a', 'a'].map(name => perPartition(name as Name)),
    ),
  ).toMatchObject({ missing: [], unexpected: [] })
  expect(compare(twice, [perPartition('a')])).toMatchObject({ missing: [lines.a], unexpected: [] })
})

test.each([
  ['members in another order', '{"a":1,"b":2}', '{"b":2,"a":1}'],
  ['14.5 and 14.50', '14.5', '14.50'],
  ['24 and 24.0', '24', '24.0'],
  ['60 and 6e1', '60', '6e1'],
  ['0 and -0.0', '0', '-0.0'],
  ['0.05 and 5E-2', '0.05', '5E-2'],
])('%s are equal', (_, one, other) => {
  expect(line(`{"topic":"t","key":null,"value":${one},"from":"in-0@1"}`)).toEqual(
    line(`{"topic":"t","key":null,"value":${other},"from":"in-0@1"}`),
  )
})

test.each([
  ['neighbours beyond 2^53', '9007199254740993', '9007199254740992'],
  ['absent and null', '{"a":1}', '{"a":1,"b":null}'],
  ['a number and its text', '1', '"1"'],
  ['orders of a list', '[1,2]', '[2,1]'],
  ['100 and 10', '100', '10'],
  ['0.5 and 5', '0.5', '5'],
  ['1 and -1', '1', '-1'],
])('%s differ', (_, one, other) => {
  expect(line(`{"topic":"t","key":null,"value":${one},"from":"in-0@1"}`)).not.toEqual(
    line(`{"topic":"t","key":null,"value":${other},"from":"in-0@1"}`),
  )
})

test('the place in a dead letter is not compared, the reason is', () => {
  expect(line('{"topic":"dead-letter","key":null,"value":{"reason":"wrong-type"},"from":"in-1@5"}')).toEqual(lines.d)
  expect(line('{"topic":"dead-letter","key":null,"value":{"reason":"missing-field"},"from":"in-1@5"}')).not.toEqual(lines.d)
})

function line(text: string): OutputLine {
  return expectedLine(text)
}

function perPartition(name: Name): ActualLine {
  const { from } = lines[name]
  return { ...lines[name], sequence: `${from.topic}-${from.partition}` }
}
