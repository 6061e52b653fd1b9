import { describe, expect, test } from 'vitest'
import { deadLetterReasons as runTimeReasons } from '../../../lib/plan/failure.ts'
import { deadLetterReasons } from '../../../lib/scenario/examples.ts'
import { hints, problems, type Sections, sound } from './analysed.ts'

const event = '{ id: string, n: int, price?: decimal(2), at?: timestamp, ms?: timestamp-millis, tags?: list<string>, ok?: bool }'
const enrich = `
user: { redis: "hash user:{event.id}", fields: { age: int, name?: string }, onMissing: drop }
offers: { redis: "json offers:{event.id}", fields: { list: [{ code: string, price: double }] } }
seen: { redis: "string seen:{event.id}", value: int = 0 }
vip: { redis: "set vip has {event.id}" }`
const sinks = `
out:
    topic: results
    key: event.n
    headers: { id: event.id }
    value:
      id: event.id
      price: event.?price
      at: event.?at
      ms: event.?ms
      text: "n is {event.n}"
      age: user.age
      name: user.?name
      offers: offers.?list
      nested: { seen: seen.value, vip: vip }
copy: { topic: copies, value: event }`
const base: Sections = { event, enrich, filter: 'big: event.n > 5', sinks }

const minimal = 'event: { id: a, n: 6 }'
const withExample = (given: string, expected: string): Sections => ({
  ...base,
  examples: `- name: one\n    given:\n${given.replace(/^/gm, '      ')}\n    expect: ${expected}`,
})

function step(given: string, expected = 'nothing') {
  return sound(withExample(given, expected)).examples[0]!.steps[0]!
}

describe('what is given', () => {
  test.each([
    ['event: { id: 2, n: 54 }', '{"id":"2","n":54}'],
    ['event: { id: "x", n: 007 }', '{"id":"x","n":7}'],
    ['event: { id: 01, n: 9007199254740993 }', '{"id":"01","n":9007199254740993}'],
    ['event: { id: true, n: -1, price: 7.50, ok: false }', '{"id":"true","n":-1,"price":7.5,"ok":false}'],
    [
      'event: { id: a, n: 1, at: 2026-11-20T10:00:00+01:00, ms: 1500 }',
      '{"id":"a","n":1,"at":"2026-11-20T10:00:00+01:00","ms":1500}',
    ],
    ['event: { id: a, n: 1, tags: [1, two, "3"] }', '{"id":"a","n":1,"tags":["1","two","3"]}'],
    ['event: { id: a, n: 1, price: null }', '{"id":"a","n":1,"price":null}'],
    [`record: { value: '{"id":' }`, '{"id":'],
    ['record: { value: null }', null],
  ])('%s', (given, text) => {
    expect(step(given).given.valueText).toBe(text)
  })

  test('a record has time, key and headers', () => {
    const { given } = step(`${minimal}\nrecord: { timestamp: 2026-11-20T10:00:00Z, key: 7, headers: { ce_type: created } }`)
    expect(given.timestampMs).toBe(1795168800000)
    expect(given.keyText).toBe('7')
    expect(given.headers).toEqual([['ce_type', 'created']])
  })

  test('without a time it is New Year 2026', () => {
    const { given } = step(minimal)
    expect([given.timestampMs, given.keyText, given.headers]).toEqual([1767225600000, null, []])
  })

  test.each([
    ['user: { age: 26 }', 'user', { kind: 'hash', fields: new Map([['age', '26']]) }],
    [
      'user: { age: 26, name: 7 }',
      'user',
      {
        kind: 'hash',
        fields: new Map([
          ['age', '26'],
          ['name', '7'],
        ]),
      },
    ],
    ['user: broken', 'user', { kind: 'broken' }],
    ['user: failing', 'user', { kind: 'failing' }],
    ['user: missing', 'user', { kind: 'missing' }],
    ['offers: { list: [{ code: 1, price: 2.50 }] }', 'offers', { kind: 'text', text: '{"list":[{"code":"1","price":2.5}]}' }],
    ['seen: 12', 'seen', { kind: 'text', text: '12' }],
    ['seen: { value: 12 }', 'seen', { kind: 'text', text: '12' }],
    ['vip: true', 'vip', { kind: 'member', isMember: true }],
  ] as const)('%s', (given, name, lookup) => {
    expect(step(`${minimal}\n${given}`).given.lookups.get(name)).toEqual(lookup)
  })

  test('look-ups left out are not there', () => {
    expect(step(minimal).given.lookups.size).toBe(0)
  })

  test.each([
    ['event: { id: a, n: six }', 'example-type: "event.n" is declared int, and the example has "six" | six'],
    ['event: { id: a }', 'example-type: "event.n" is declared int, and the example has nothing | { id: a }'],
    ['event: { id: a, nn: 1 }', 'unknown-field: "event" has no field "nn" | nn | n'],
    ['event: { id: a, n: 1, idd: b }', 'unknown-field: "event" has no field "idd" | idd | id'],
    ['event: { id: a, n: 1, tags: x }', 'example-type: "event.tags" is declared a list, and the example has "x" | x'],
    [
      'event: { id: a, n: 1, price: 0.125 }',
      'example-type: "event.price" is declared decimal(2), and the example has "0.125" | 0.125',
    ],
    ['user: { age: 1 }', 'missing-key: "given" of the example needs "event" | user'],
    [`${minimal}\nuser: { age: old }`, 'example-type: "user.age" is declared int, and the example has "old" | old'],
    [
      `${minimal}\nusr: { age: 1 }`,
      'example-name: The example gives or expects "usr", and the scenario has nothing of that name to give or expect | usr | user',
    ],
    [
      `${minimal}\nvip: yes`,
      'example-type: "vip" is declared a set look-up, which finds true or false, and the example has "yes" | yes',
    ],
    [
      `${minimal}\nrecord: { timestamp: yesterday }`,
      'example-type: "record.timestamp" is declared timestamp, and the example has "yesterday" | yesterday',
    ],
    [`${minimal}\nrecord: { times: 1 }`, 'unknown-key: "record" of an example has no "times" | times'],
  ])('%s', (given, line) => {
    expect(problems(withExample(given, 'nothing'))).toEqual([line])
  })
})

describe('what is expected', () => {
  test.each([
    ['nothing', { kind: 'nothing' }],
    ['retry', { kind: 'retry' }],
    ['{ deadLetter: wrong-type }', { kind: 'deadLetter', reason: 'wrong-type', range: expect.anything() }],
    ['{ droppedBy: big }', { kind: 'outputs', droppedBy: 'big', outputs: [] }],
    ['{ droppedBy: user }', { kind: 'outputs', droppedBy: 'user', outputs: [] }],
  ])('%s', (expected, expectation) => {
    expect(step(minimal, expected).expect).toEqual(expectation)
  })

  test.each([
    ['{ key: 07 }', { key: '7' }],
    ['{ headers: { id: 01 } }', { headers: new Map([['id', '01']]) }],
    ['{ topic: results }', { topic: 'results' }],
    ['{ value: { id: 01, text: 5, age: 26 } }', { value: { id: '01', text: '5', age: 26 } }],
    ['{ value: { price: 7.50, at: 2026-11-20T10:00:00+01:00 } }', { value: { price: 7.5, at: '2026-11-20T09:00:00Z' } }],
    ['{ value: { ms: 2026-11-20T10:00:00Z } }', { value: { ms: '2026-11-20T10:00:00Z' } }],
    [
      '{ value: { nested: { seen: 9007199254740993, vip: true } } }',
      { value: { nested: { seen: 9007199254740993n, vip: true } } },
    ],
    ['{ value: { offers: [{ code: 1, price: 2 }] } }', { value: { offers: [{ code: '1', price: 2 }] } }],
  ])('an output of "out": %s', (output, parts) => {
    const { expect: expectation } = step(minimal, `{ out: [${output}] }`)
    expect(expectation).toEqual({ kind: 'outputs', outputs: [{ sink: 'out', range: expect.anything(), ...parts }] })
  })

  test('the event as a whole is expected as it was declared', () => {
    const { expect: expectation } = step(minimal, '{ copy: [{ value: { id: 2, n: 6, ms: 1500 } }] }')
    expect(expectation).toMatchObject({ outputs: [{ value: { id: '2', n: 6, ms: 1500 } }] })
  })

  test.each([
    [
      'nothin',
      'wrong-shape: "expect" needs "nothing", "retry", "droppedBy", "deadLetter" or outputs by sink, found "nothin" | nothin | nothing',
    ],
    [
      '{ droppedBy: bigg }',
      'example-name: The example gives or expects "bigg", and the scenario has nothing of that name to give or expect | bigg | big',
    ],
    ['{ deadLetter: wrong-typ }', 'example-type: No dead letter has the reason "wrong-typ" | wrong-typ | wrong-type'],
    [
      '{ outt: [] }',
      'example-name: The example gives or expects "outt", and the scenario has nothing of that name to give or expect | outt | out',
    ],
    ['{ out: { value: 1 } }', 'wrong-shape: "out" needs a list of outputs ("- value: …"), found a map | { value: 1 }'],
    ['{ out: [{ key: x }] }', 'example-type: The key of "out" is declared int, and the example has "x" | x'],
    ['{ out: [{ value: { agee: 1 } }] }', 'unknown-field: "the value of out" has no field "agee" | agee | age'],
    ['{ out: [{ value: { age: old } }] }', 'example-type: "age" is declared int, and the example has "old" | old'],
    [
      '{ out: [{ topic: elsewhere }] }',
      'example-name: The example gives or expects "elsewhere", and the scenario has nothing of that name to give or expect | elsewhere',
    ],
  ])('%s', (expected, line) => {
    expect(problems(withExample(minimal, expected))).toEqual([line])
  })

  test('the reasons are those of the run time', () => {
    expect(deadLetterReasons).toEqual(runTimeReasons)
  })
})

describe('several steps', () => {
  const steps = `
- name: twice
    given: { event: { id: a, n: 6 }, record: { key: k, timestamp: 2026-11-20T10:00:00Z }, seen: 1 }
    steps:
      - { given: { seen: 2 }, expect: nothing }
      - { given: { record: { timestamp: 2026-11-21T10:00:00Z } }, expect: nothing }
      - { given: { event: { id: b, n: 1 } }, expect: { droppedBy: big } }
      - { given: { record: { value: "?" } }, expect: { deadLetter: invalid-json } }`

  test('each has what all have, but for what it says itself', () => {
    const [example] = sound({ ...base, examples: steps }).examples
    expect(
      example!.steps.map(({ given }) => [given.valueText, given.keyText, given.timestampMs, given.lookups.get('seen')]),
    ).toEqual([
      ['{"id":"a","n":6}', 'k', 1795168800000, { kind: 'text', text: '2' }],
      ['{"id":"a","n":6}', 'k', 1795255200000, { kind: 'text', text: '1' }],
      ['{"id":"b","n":1}', 'k', 1795168800000, { kind: 'text', text: '1' }],
      ['?', 'k', 1795168800000, { kind: 'text', text: '1' }],
    ])
  })

  test('an error in the common part is told once', () => {
    const broken = steps.replace('seen: 1', 'seen: one')
    expect(problems({ ...base, examples: broken })).toEqual([
      'example-type: "seen" is declared int, and the example has "one" | one',
    ])
  })
})

describe('hints', () => {
  test('an example of a scenario that reads the clock needs a time', () => {
    const clock: Sections = {
      event: '{ id: string }',
      filter: 'late: now.getHours() > 5',
      examples: '- name: one\n    given: { event: { id: a } }\n    expect: nothing',
    }
    expect(hints(clock, 'example-clock')).toEqual([
      'example-clock: The example says nothing of its time, and filter "late" reads the clock: it is run at 2026-01-01T00:00:00Z | one',
    ])
  })

  test('filters and sinks that no example shows', () => {
    expect(hints(withExample(minimal, '{ out: [{ key: 6 }] }'), 'not-covered')).toEqual([
      'not-covered: No example is dropped by filter "big" | big',
      'not-covered: No example reaches sink "copy" | copy',
    ])
  })

  test('a scenario without examples', () => {
    expect(hints(base, 'not-covered')).toEqual(['not-covered: No example shows what the scenario does | orders'])
  })
})
