import { expect, test } from 'vitest'
import { Failure } from '../../lib/plan/failure.ts'
import { redact, shownAt } from '../../lib/plan/redaction.ts'

const record = (value: string | Uint8Array | null, fields: object = {}) => ({
  ...{ topic: 't', partition: 0, offset: 1, timestampMs: 0, key: null, headers: [] },
  value: value === null ? null : Buffer.from(value),
  ...fields,
})

test.each([
  ['a field', '{"email":"a@b","n":1}', ['event.email'], '{"email":"[redacted]","n":1}', ['event.email']],
  [
    'the rest byte for byte',
    ' { "n" : 1.50,\n"email":"a" ,"big":12345678901234567890}',
    ['event.email'],
    ' { "n" : 1.50,\n"email":"[redacted]" ,"big":12345678901234567890}',
    ['event.email'],
  ],
  ['a field below', '{"a":{"b":"x","c":"y"}}', ['event.a.b'], '{"a":{"b":"[redacted]","c":"y"}}', ['event.a.b']],
  [
    'each element of a list',
    '{"a":[{"b":1},{"c":2},{"b":[3,{}]}]}',
    ['event.a.b'],
    '{"a":[{"b":"[redacted]"},{"c":2},{"b":"[redacted]"}]}',
    ['event.a.b'],
  ],
  [
    'whatever stands there',
    '{"a":{"x":[1,"]}"]},"b":null,"c":-1e3,"d":true}',
    ['event.a', 'event.b', 'event.c', 'event.d'],
    '{"a":"[redacted]","b":"[redacted]","c":"[redacted]","d":"[redacted]"}',
    ['event.a', 'event.b', 'event.c', 'event.d'],
  ],
  ['a name that is written twice', '{"a":1,"a":2}', ['event.a'], '{"a":"[redacted]","a":"[redacted]"}', ['event.a']],
  [
    'a name with escapes',
    '{"\\u0061":1,"q\\"":"\\\\"}',
    ['event.a', 'event.q"'],
    '{"\\u0061":"[redacted]","q\\"":"[redacted]"}',
    ['event.a', 'event.q"'],
  ],
  ['only at its place', '{"b":{"a":1}}', ['event.a'], '{"b":{"a":1}}', []],
  // A producer that encodes twice.
  [
    'a text that holds JSON, where an object is expected',
    JSON.stringify('{"email":"a@b"}'),
    ['event.email'],
    '[redacted]',
    ['value'],
  ],
  ['a number, where an object is expected', ' 4711 ', ['event.ssn'], '[redacted]', ['value']],
  ['null holds nothing', 'null', ['event.a'], 'null', []],
  [
    'a text that holds JSON, where an object below is expected',
    JSON.stringify({ n: 1, nested: '{"ssn":"078-05-1120"}' }),
    ['event.nested.ssn', 'event.nested.name', 'event.n'],
    '{"n":"[redacted]","nested":"[redacted]"}',
    ['event.n', 'event.nested.ssn', 'event.nested.name'],
  ],
  [
    'what stands in the place of a list of objects, or of one of its elements',
    '{"a":"b","c":[{"d":1},"{\\"d\\":2}",3,null,[4]],"e":null}',
    ['event.a.b', 'event.c.d', 'event.e.f'],
    '{"a":"[redacted]","c":[{"d":"[redacted]"},"[redacted]","[redacted]",null,["[redacted]"]],"e":null}',
    ['event.a.b', 'event.c.d'],
  ],
  ['a list of texts, where an object is expected', '["{}"]', ['event.a'], '["[redacted]"]', ['event.a']],
  ['what is not JSON is withheld', '{"email":"a@b"', ['event.email'], '[redacted]', ['value']],
  ['bytes that are not UTF-8 are withheld', Uint8Array.from([0x7b, 0xff, 0x7d]), ['event.email'], '[redacted]', ['value']],
  ['what is too deep is withheld', `{"a":${'['.repeat(300)}${']'.repeat(300)}}`, ['event.a.b'], '[redacted]', ['value']],
  ['no field named: bytes as they are', '{"email"', ['key'], '{"email"', []],
  ['a value without bytes', null, ['event.a'], null, []],
] as const)('%s', (_, value, paths, expected, found) => {
  const redacted = redact(record(value as string), paths)
  expect(redacted.value === null ? null : Buffer.from(redacted.value).toString()).toBe(expected)
  expect(redacted.paths).toEqual(found)
})

test('key and headers, where they are named', () => {
  const headers = ['token', 'trace', 'token'].map(name => ({ name, value: Buffer.from(name) }))
  expect(redact(record('{}', { key: Buffer.from('k'), headers }), ['key', 'headers.token'])).toEqual({
    key: null,
    value: Buffer.from('{}'),
    headers: [
      { name: 'token', value: Buffer.from('[redacted]') },
      { name: 'trace', value: Buffer.from('trace') },
      { name: 'token', value: Buffer.from('[redacted]') },
    ],
    paths: ['headers.token', 'key'],
  })
})

test.each([
  ['the key of a look-up', 'lookup-missing', 'customer:c-1?x', [], 'customer:c-1?x'],
  ['a query may hold a token', 'lookup-missing', 'https://prices.example/v1/a?key=secret', [], 'https://prices.example/v1/a?…'],
  ['what is POSTed', 'lookup-invalid', 'https://prices.example/v1\n{"id":1}\n', [], 'https://prices.example/v1?…'],
  ['a login', 'lookup-missing', 'http://user:secret@prices.example/v1/a@b', [], 'http://prices.example/v1/a@b'],
  ['built from what is hidden', 'lookup-missing', 'customer:c-1', ['event.id'], '[redacted]'],
  ['a field', 'wrong-type', 'event.id', ['event.id'], 'event.id'],
] as const)('where a record failed: %s', (_, reason, at, paths, shown) => {
  expect(shownAt(new Failure(reason, at, 'a message'), paths)).toBe(shown)
})
