import { expect, test } from 'vitest'
import { RedisValues, stateCallOf } from '../../lib/emulator/state-calls.ts'

const command = (...words: readonly string[]) =>
  `*${words.length}\r\n${words.map(word => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`

const sha = '5f2c4fd8ab2c6dd4e6a28e09d4d0a8fdc9e5b0f1'
const lock = 'sluice:visits.1@in.visits/0'

test.each([
  ['a claim', ['EVALSHA', sha, '1', lock, 'a1b2c3d4', '1794902403090', '1'], 'state claim'],
  ['a claim with its whole script', ['EVAL', 'local found', '1', lock, 'a1b2c3d4', '1794902403090', '0'], 'state claim'],
  ['a write', ['EVALSHA', sha, '1', lock, '1794902403090.a1b2c3d4', '{}', '0', '4'], 'state write'],
  ['a read of a value', ['HMGET', 'sluice:visits.1:visit/anna', 'base', 'head', 'at', 'tp'], 'state read'],
  ['a look at the lock', ['HGET', lock, 'v'], 'state read'],
  ["a look-up of others' keys", ['HMGET', 'customer:anna', 'age'], undefined],
  ["others' script", ['EVALSHA', sha, '1', 'queue', 'a1b2c3d4'], undefined],
  ['a greeting', ['HELLO', '2'], undefined],
])('%s', (_, words, name) => {
  expect(stateCallOf(words)).toBe(name)
})

test.each([1, 2, 3, 7, 1000])('commands are told apart in chunks of %s bytes', size => {
  const text = `${command('GET', 'a')}${command('HMGET', 'sluice:ä', '')}${command('PING')}`
  expect(endsOf(text, size)).toEqual([
    ['GET a', 20],
    ['HMGET sluice:Ã¤ ', 56],
    ['PING', 70],
  ])
})

test.each([1, 5, 1000])('and so are answers, of which arrays hold arrays: chunks of %s bytes', size => {
  const texts = ['+OK\r\n', '$-1\r\n', '*2\r\n*2\r\n$1\r\na\r\n:5\r\n*0\r\n', '-ERR no\r\n', '$0\r\n\r\n', '*-1\r\n', ':7\r\n']
  const ends = texts.map((_, n) => texts.slice(0, n + 1).join('').length)
  expect(endsOf(texts.join(''), size).map(([, at]) => at)).toEqual(ends)
})

test('a value larger than a chunk is passed over; where it begins in an earlier one its start is 0', () => {
  const text = `${command('GET', 'a')}${command('SET', 'b', 'x'.repeat(5000))}`
  const values = new RedisValues()
  const found: (readonly number[])[] = []
  const bytes = Buffer.from(text)
  values.read(bytes.subarray(0, 1000), ({ startsAt, endsAt }) => found.push([startsAt, endsAt]))
  values.read(bytes.subarray(1000), ({ words, startsAt, endsAt }) => found.push([startsAt, endsAt, words[2]!.length]))
  expect(found).toEqual([
    [0, 20],
    [0, text.length - 1000, 0],
  ])
})

function endsOf(text: string, size: number): (readonly [string, number])[] {
  const bytes = Buffer.from(text)
  const values = new RedisValues()
  const found: (readonly [string, number])[] = []
  for (let at = 0; at < bytes.length; at += size) {
    values.read(bytes.subarray(at, at + size), ({ words, endsAt }) => found.push([words.join(' '), at + endsAt]))
  }
  return found
}
