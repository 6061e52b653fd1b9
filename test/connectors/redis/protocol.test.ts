// The protocol without a server: what is written, what is understood however it is cut, and what is refused.
import { describe, expect, test } from 'vitest'
import { targetOf } from '../../../lib/connectors/redis/address.ts'
import { bulk, encode, scriptCall } from '../../../lib/connectors/redis/commands.ts'
import { createReader, NotText, type Reply, ReplyError } from '../../../lib/connectors/redis/replies.ts'
import { slotOf } from '../../../lib/connectors/redis/slots.ts'

describe('a command is written with the length of each word', () => {
  test.each([
    ['a key', encode('GET', 'customer:1'), '*2\r\n$3\r\nGET\r\n$10\r\ncustomer:1\r\n'],
    ['a key that looks like a command', bulk('a\r\n$3\r\nDEL'), '$10\r\na\r\n$3\r\nDEL\r\n'],
    ['letters beyond ASCII, counted in bytes', bulk('Łódź'), '$7\r\nÅ\x81Ã³dÅº\r\n'],
    ['half a surrogate pair, as Node writes it', bulk('\ud83d'), '$3\r\nï¿½\r\n'],
    ['bytes', bulk(Uint8Array.of(0, 255, 13, 10)), '$4\r\n\x00ÿ\r\n\r\n'],
    ['numbers', encode('X', 12, 9007199254740993n), '*3\r\n$1\r\nX\r\n$2\r\n12\r\n$16\r\n9007199254740993\r\n'],
    ['the empty text', bulk(''), '$0\r\n\r\n'],
  ])('%s', (_, text, expected) => {
    expect(text).toBe(expected)
  })

  test('a script by its SHA-1, and whole for a server that does not know it', () => {
    const { whole, ...call } = scriptCall({ text: 'return 1', sha: 'e0e1' }, ['k'], ['a'])
    expect({ ...call, whole: whole?.() }).toEqual({
      text: '*5\r\n$7\r\nEVALSHA\r\n$4\r\ne0e1\r\n$1\r\n1\r\n$1\r\nk\r\n$1\r\na\r\n',
      whole: '*5\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n$1\r\n1\r\n$1\r\nk\r\n$1\r\na\r\n',
      key: 'k',
    })
  })
})

const understood: readonly (readonly [string, string, readonly Reply[]])[] = [
  ['a status', '+OK\r\n', ['OK']],
  ['a text', '$5\r\na\r\nbc\r\n', ['a\r\nbc']],
  ['the empty text and none', '$0\r\n\r\n$-1\r\n', ['', null]],
  [
    'integers',
    ':0\r\n:-12\r\n:9007199254740993\r\n:-9223372036854775808\r\n',
    [0, -12, 9007199254740993n, -9223372036854775808n],
  ],
  ['letters beyond ASCII', '$7\r\nŁódź\r\n$1\r\nx\r\n', ['Łódź', 'x']],
  ['lists in lists', '*3\r\n*2\r\n:1\r\n*0\r\n$1\r\nx\r\n*-1\r\n', [[[1, []], 'x', null]]],
  [
    'errors stand at their place',
    '$1\r\na\r\n-WRONGTYPE Operation against a key\r\n*2\r\n-ERR no\r\n:1\r\n',
    ['a', new ReplyError('WRONGTYPE Operation against a key'), [new ReplyError('ERR no'), 1]],
  ],
  ['an error without a code', '-oops, not known\r\n', [new ReplyError('oops, not known')]],
]

describe('replies', () => {
  const readAll = (chunks: readonly Buffer[]) => {
    const replies: Reply[] = []
    const reader = createReader(reply => replies.push(reply))
    for (const chunk of chunks) reader.read(chunk)
    return replies
  }

  test.each(understood)('%s', (_, text, expected) => {
    expect(readAll([Buffer.from(text)])).toEqual(expected)
  })

  test('all of them in one stream, cut in two at every byte, and byte by byte', () => {
    const bytes = Buffer.from(understood.map(([, text]) => text).join(''))
    const expected = understood.flatMap(([, , replies]) => replies)
    for (let at = 0; at <= bytes.length; at++) expect(readAll([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(expected)
    expect(readAll(Array.from(bytes, byte => Buffer.of(byte)))).toEqual(expected)
  })

  test('a value of several megabytes in chunks of 64 KB', () => {
    const value = 'x'.repeat(5_000_000)
    const bytes = Buffer.from(`*2\r\n$5000000\r\n${value}\r\n:1\r\n`)
    const chunks = Array.from({ length: Math.ceil(bytes.length / 65_536) }, (_, c) =>
      bytes.subarray(c * 65_536, (c + 1) * 65_536),
    )
    expect(readAll(chunks)).toEqual([[value, 1]])
  })

  test('bytes that are not UTF-8 are no text', () => {
    const bytes = Buffer.from([0x24, 0x32, 0x0d, 0x0a, 0xff, 0x41, 0x0d, 0x0a])
    expect(readAll([bytes])).toEqual([new NotText(Uint8Array.of(0xff, 0x41))])
  })

  test.each([
    ['SSH-2.0-OpenSSH_9.6\r\n', 'another protocol'],
    ['HTTP/1.1 400 Bad Request\r\n', 'in HTTP'],
    ['\x15\x03\x01\x00\x02\x02\x46', 'in TLS'],
    ['$x\r\n', 'another protocol'],
    ['$\r\n\r\n', 'another protocol'],
    ['$-2\r\n', 'another protocol'],
    ['$3\r\nabcd\r\n', 'another protocol'],
    ['$999999999999\r\n', 'another protocol'],
    ['*99999999\r\n', 'another protocol'],
    [':12345678901234567890\r\n', 'another protocol'],
    ['*1\r\n'.repeat(40), 'another protocol'],
    [`+${'x'.repeat(70_000)}`, 'another protocol'],
  ])('%j is refused', (text, reason) => {
    expect(() => readAll([Buffer.from(text, 'latin1')])).toThrow(reason)
  })
})

// From the specification of Redis Cluster, and `CLUSTER KEYSLOT` of Redis 7.0.
test.each([
  ['123456789', 0x31c3],
  ['foo', 12182],
  ['{user1000}.following', 3443],
  ['{user1000}.followers', 3443],
  ['foo{}{bar}', 8363],
  ['foo{{bar}}zap', 4015],
  ['foo{bar}{zap}', 5061],
  ['', 0],
])('%s lies in slot %i', (key, slot) => {
  expect(slotOf(key)).toBe(slot)
})

describe('the address', () => {
  test.each([
    ['redis://cache', { host: 'cache', port: 6379, login: undefined, database: 0, tls: undefined }],
    [
      'redis://:p%40ss@cache:7000/3',
      { host: 'cache', port: 7000, login: { user: undefined, password: 'p@ss' }, database: 3, tls: undefined },
    ],
    [
      'rediss://u:p@[::1]:1',
      { host: '::1', port: 1, login: { user: 'u', password: 'p' }, database: 0, tls: { ca: undefined, servername: '::1' } },
    ],
  ])('%s', (url, expected) => {
    expect(targetOf(url)).toEqual(expected)
  })

  test.each([
    ['http://cache:6379', 'its scheme is another'],
    ['redis://secret@cache', 'it has a user and no password'],
    ['redis://:se/cret@cache', 'it cannot be read'],
    ['redis://:secret%@cache', 'must be written "%25"'],
    ['redis://:secret@cache/zero', 'the database is not a number'],
    ['redis://:secret@cache?family=6', 'takes nothing after a "?"'],
  ])('%s is refused without showing it', (url, reason) => {
    const refusal = (() => {
      try {
        return String(targetOf(url))
      } catch (error) {
        return (error as Error).message
      }
    })()
    expect(refusal).toContain(reason)
    expect(refusal).not.toMatch(/se\/?cret/)
  })
})
