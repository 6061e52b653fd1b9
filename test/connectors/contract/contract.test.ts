// One contract for all sources of look-ups, on the real thing: what is found, what is not, and what happens when the store or the way to it
// is broken. A wrong value is never an answer.
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WrongKind } from '../../../lib/plan/plan.ts'
import { type LookupPort, RetryableError } from '../../../lib/runtime/ports.ts'
import { startOdd, startProxy } from './proxy.ts'
import { type RunningSource, sources } from './sources.ts'

const content = {
  plain: 'one text',
  'zażółć/🚕 ?&#%': 'Łódź 🚕',
  empty: '',
  digits: '00123',
  json: '{"a":1}',
  lines: 'one\r\ntwo\n$5\r\n*1',
  'GET\r\nplain': 'a key that looks like a command',
  ...Object.fromEntries(Array.from({ length: 1234 }, (_, k) => [`many:${k}`, `value ${k}`])),
}
const deadline = (ms = 2000) => ({ remainingMs: () => ms })

describe.each(sources)('$name', source => {
  let running: RunningSource
  let port: LookupPort
  let address: string
  const ask = async (keys: readonly string[], through = port, at = address, ms?: number) =>
    (await through.lookupMany([running.texts(keys, at)], deadline(ms)))[0]

  beforeAll(async () => {
    running = await source.start(content)
    address = running.address ?? ''
    port = running.connect(address)
  })
  afterAll(async () => {
    await port.close()
    await running.stop()
  })

  test.each([
    ['a text', 'plain', 'one text'],
    ['letters of all scripts, in key and value', 'zażółć/🚕 ?&#%', 'Łódź 🚕'],
    ['digits stay the text that they are', 'digits', '00123'],
    ['JSON stays a text', 'json', '{"a":1}'],
    ['line ends', 'lines', 'one\r\ntwo\n$5\r\n*1'],
    ['an empty text is found', 'empty', ''],
    ['a key cannot inject a command', 'GET\r\nplain', 'a key that looks like a command'],
  ])('%s', async (_, key, text) => {
    expect(await ask([key])).toEqual([running.answer(text)])
  })

  test('what is not there is null', async () => {
    expect(await ask(['nobody', 'plain', 'nobody else'])).toEqual([null, running.answer('one text'), null])
  })

  test('1,234 keys at once, in the order of the question', async () => {
    const numbers = Array.from({ length: 1234 }, (_, k) => 1233 - k)
    expect(await ask(numbers.map(k => `many:${k}`))).toEqual(numbers.map(k => running.answer(`value ${k}`)))
  })

  test('several requests at once; one without keys', async () => {
    const answers = await port.lookupMany(
      [running.texts(['plain'], address), running.texts([], address), running.texts(['nobody', 'digits'], address)],
      deadline(),
    )
    expect(answers).toEqual([[running.answer('one text')], [], [null, running.answer('00123')]])
  })

  test('another kind of data is told at its place, the others are answered', async () => {
    expect(await ask(['plain', running.wrongKindKey, 'digits'])).toEqual([
      running.answer('one text'),
      expect.any(WrongKind),
      running.answer('00123'),
    ])
  })

  describe.runIf(source.isKeyValue)('hashes and sets', () => {
    test('the fields of a hash in the order asked for; a field or a hash that is not there is null', async () => {
      const command = { kind: 'hash', fields: ['age', 'none', 'name', 'empty'] } as const
      expect(await port.lookupMany([{ command, keys: ['hash', 'nobody', 'plain'] }], deadline())).toEqual([
        [['00123', null, 'Łukasz', ''], [null, null, null, null], expect.any(WrongKind)],
      ])
    })
    test('membership', async () => {
      const request = {
        command: { kind: 'member' },
        keys: ['set', 'set', 'nobody', 'plain'],
        members: ['member', 'x', 'x', 'x'],
      } as const
      expect(await port.lookupMany([request], deadline())).toEqual([[true, false, false, expect.any(WrongKind)]])
    })
  })

  describe.skipIf(source.name === 'in memory')('a broken world', () => {
    test('nothing listens there', async () => {
      const closed = createServer().listen(0, '127.0.0.1')
      await once(closed, 'listening')
      const nobody = `127.0.0.1:${(closed.address() as AddressInfo).port}`
      await new Promise(resolve => closed.close(resolve))
      const connector = running.connect(nobody)
      const failure = await ask(['plain', 'digits'], connector, nobody).catch(error => error)
      expect(failure).toBeInstanceOf(RetryableError)
      expect(failure.id).toBe(`${source.store}-unreachable`)
      expect(failure.message).toMatch(
        new RegExp(
          `^\\[${source.store}-unreachable\\] visits: 2 look-ups got no answer from ${nobody} \\(ECONNREFUSED\\)\\. Nothing was emitted, the batch comes again\\. \\w+`,
        ),
      )
      expect(inspect(failure, { depth: 10 })).not.toMatch(/right-secret|plain|digits/)
      await connector.close()
    })

    test('a server that never answers: the deadline holds', async () => {
      const silent = await startOdd(undefined)
      const connector = running.connect(silent.address)
      const startedMs = performance.now()
      const failure = await ask(['plain'], connector, silent.address, 150).catch(error => error)
      expect(failure).toMatchObject({ id: `${source.store}-timeout` })
      expect(failure.message).toContain('within 150 ms')
      expect(performance.now() - startedMs).toBeLessThan(1000)
      await connector.close()
      await silent.close()
    })

    test.each([
      ['noise', Uint8Array.from({ length: 64 }, (_, i) => (i * 37 + 129) % 256)],
      ['another protocol', new TextEncoder().encode('SSH-2.0-OpenSSH_9.6\r\n')],
      [
        'a page of HTML',
        new TextEncoder().encode('HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>'),
      ],
    ])('a server that answers %s gives no value', async (_, bytes) => {
      const odd = await startOdd(bytes)
      const connector = running.connect(odd.address)
      await expect(ask(['plain'], connector, odd.address, 500)).rejects.toBeInstanceOf(RetryableError)
      await connector.close()
      await odd.close()
    })

    test('slower than the deadline, then well again: no answer goes to another question', async () => {
      const proxy = await startProxy(address)
      const connector = running.connect(proxy.address)
      expect(await ask(['plain'], connector, proxy.address)).toEqual([running.answer('one text')])
      proxy.hold()
      await expect(ask(['json'], connector, proxy.address, 150)).rejects.toMatchObject({ id: `${source.store}-timeout` })
      proxy.release()
      expect(await ask(['digits'], connector, proxy.address)).toEqual([running.answer('00123')])
      await connector.close()
      await proxy.close()
    })

    test('connections cut while the function was frozen: the next look-up connects again', async () => {
      const proxy = await startProxy(address)
      const connector = running.connect(proxy.address)
      await ask(['plain'], connector, proxy.address)
      proxy.cut()
      expect(await ask(['digits', 'plain'], connector, proxy.address)).toEqual([
        running.answer('00123'),
        running.answer('one text'),
      ])
      expect(proxy.connectionCount()).toBeGreaterThan(1)
      await connector.close()
      await proxy.close()
    })

    test('an answer cut in its middle is asked for again as a whole, or the batch is', async () => {
      const proxy = await startProxy(address)
      const connector = running.connect(proxy.address)
      const keys = Array.from({ length: 200 }, (_, k) => `many:${k}`)
      await ask(keys, connector, proxy.address)
      proxy.cutAfter(700)
      const answers = await ask(keys, connector, proxy.address).catch(error => error)
      if (answers instanceof Error) expect(answers).toBeInstanceOf(RetryableError)
      else expect(answers).toEqual(keys.map((_, k) => running.answer(`value ${k}`)))
      expect(await ask(keys, connector, proxy.address)).toEqual(keys.map((_, k) => running.answer(`value ${k}`)))
      await connector.close()
      await proxy.close()
    })

    test.runIf(source.hasSecret)('a wrong secret is refused, and stays secret', async () => {
      const connector = running.connect(address, 'wrong-secret')
      const failure = await ask(['plain'], connector).catch(error => error)
      running.connect(address)
      expect(failure).toMatchObject({ id: `${source.store}-unreachable` })
      expect(failure.message).toMatch(/\((WRONGPASS|the token was refused|it answered 401|the greeting was refused: .*)\)/)
      expect(inspect(failure, { depth: 10 })).not.toMatch(/wrong-secret|d3Jvbmctc2VjcmV0/)
      await connector.close()
    })
  })
})
