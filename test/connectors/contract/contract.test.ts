// One contract for all sources of look-ups, on the real thing: what is found, what is not, and what happens when the store or the way to it
// is broken. A wrong value is never an answer. cases.ts lists what there is; README.md of the connectors shows it as a table.
import { setTimeout as delay } from 'node:timers/promises'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Failure } from '../../../lib/plan/failure.ts'
import { type Columns, type LookupAnswer, WrongKind } from '../../../lib/plan/plan.ts'
import { enrich } from '../../../lib/runtime/enrich.ts'
import { type LookupPort, RetryableError, Unanswered } from '../../../lib/runtime/ports.ts'
import { customerLookup } from '../../runtime/plan-fixture.ts'
import { type CaseName, cases, whyNot } from './cases.ts'
import { type Moment, type Proxy as StoreProxy, startOdd, startProxy } from './proxy.ts'
import { type Content, type RunningSource, sources } from './sources.ts'

const content = {
  plain: 'one text',
  'zażółć/🚕 ?&#%': 'Łódź 🚕',
  empty: '',
  digits: '00123',
  // As a text that once was no UTF-8 is often kept.
  mark: 'Caf\ufffd',
  json: '{"a":1}',
  lines: 'one\r\ntwo\n$5\r\n*1',
  'GET\r\nplain': 'a key that looks like a command',
  'a\u0000b\t\n\u001b[31m\u007f': 'control',
  ['k'.repeat(1000)]: 'long',
  ...Object.fromEntries(Array.from({ length: 1234 }, (_, k) => [`many:${k}`, `value ${k}`])),
}
/** Where time is not what is tested: a busy machine keeps it. */
const patienceMs = 30_000
/** With a fraction, as what remains of an invocation has. */
const deadline = (ms = patienceMs) => ({ remainingMs: () => ms + 0.5 })

describe.each(sources)('$name', source => {
  let running: RunningSource
  let port: LookupPort
  let address: string
  /** Throws, as a stage does, where nothing was answered: some sources throw themselves, and some leave all keys open. */
  const ask = async (keys: readonly string[], through = port, at = address, ms = patienceMs) => {
    const [answers] = await through.lookupMany([{ ...running.texts(keys, at), timeoutMs: ms }], deadline(ms))
    const [first] = answers!
    if (first instanceof Unanswered && answers!.every(answer => answer instanceof Unanswered)) throw first.error
    return answers!
  }
  const told = async (promise: Promise<unknown>): Promise<RetryableError> => {
    const failure = await promise.then(
      () => undefined,
      error => error,
    )
    expect(failure).toBeInstanceOf(RetryableError)
    expect(failure.message).toMatch(
      new RegExp(`^\\[${source.store}-(unreachable|timeout)\\] visits: \\d+ look-ups got no answer from `),
    )
    expect(failure.message).toContain('Nothing was emitted, the batch comes again. ')
    expect(inspect(failure, { depth: 10 })).not.toMatch(/right-secret|wrong-secret|plain|digits|json/)
    return failure
  }

  const run: Record<CaseName, () => Promise<void>> = {
    'found, also an empty text': async () => {
      expect(await ask(['plain', 'json', 'lines', 'empty'])).toEqual(
        ['one text', '{"a":1}', 'one\r\ntwo\n$5\r\n*1', ''].map(running.answer),
      )
    },
    missing: async () => {
      expect(await ask(['nobody', 'plain', 'nobody else'])).toEqual([null, running.answer('one text'), null])
    },
    'another kind of data': async () => {
      expect(await ask(['plain', running.wrongKindKey, 'digits'])).toEqual([
        running.answer('one text'),
        expect.any(WrongKind),
        running.answer('00123'),
      ])
    },
    'bytes that are no text': async () => {
      expect(await ask(['plain', 'bytes'])).toEqual([running.answer('one text'), new WrongKind('bytes that are not UTF-8')])
    },
    'a text with the mark that stands for such bytes': async () => {
      expect(await ask(['mark', 'plain'])).toEqual([running.answer('Caf\ufffd'), running.answer('one text')])
      if (whyNot(source.name, 'hashes') !== undefined) return
      const command = { kind: 'hash', fields: ['mark', 'age'] } as const
      const request = { command, keys: ['hash'], timeoutMs: patienceMs }
      expect(await port.lookupMany([request], deadline())).toEqual([[['Caf\ufffd', '00123']]])
    },
    '1,234 keys, in the order asked': async () => {
      const numbers = Array.from({ length: 1234 }, (_, k) => 1233 - k)
      expect(await ask(numbers.map(k => `many:${k}`))).toEqual(numbers.map(k => running.answer(`value ${k}`)))
    },
    'several requests at once': async () => {
      const requests = [['plain'], [], ['nobody', 'digits']].map(keys => ({
        ...running.texts(keys, address),
        timeoutMs: patienceMs,
      }))
      expect(await port.lookupMany(requests, deadline())).toEqual([
        [running.answer('one text')],
        [],
        [null, running.answer('00123')],
      ])
    },
    hashes: async () => {
      const command = { kind: 'hash', fields: ['age', 'none', 'name', 'empty'] } as const
      expect(await port.lookupMany([{ command, keys: ['hash', 'nobody', 'plain'], timeoutMs: patienceMs }], deadline())).toEqual([
        [['00123', null, 'Łukasz', ''], [null, null, null, null], expect.any(WrongKind)],
      ])
    },
    sets: async () => {
      const keys = ['set', 'set', 'nobody', 'plain']
      const members = ['member', 'x', 'x', 'x']
      const request = { command: { kind: 'member' }, keys, members, timeoutMs: patienceMs } as const
      expect(await port.lookupMany([request], deadline())).toEqual([[true, false, false, expect.any(WrongKind)]])
    },
    'letters of all scripts': async () => {
      expect(await ask(['zażółć/🚕 ?&#%'])).toEqual([running.answer('Łódź 🚕')])
    },
    'digits stay a text': async () => {
      expect(await ask(['digits'])).toEqual([running.answer('00123')])
    },
    'control characters in keys': async () => {
      expect(await ask(['a\u0000b\t\n\u001b[31m\u007f', 'a\u0000c'])).toEqual([running.answer('control'), null])
    },
    'keys of 1,000 bytes': async () => {
      expect(await ask(['k'.repeat(1000), 'k'.repeat(999)])).toEqual([running.answer('long'), null])
    },
    'a key cannot inject a command': async () => {
      expect(await ask(['GET\r\nplain'])).toEqual([running.answer('a key that looks like a command')])
    },
    'keys that cannot be sent are refused, nobody is asked': async () => {
      const { command } = running.texts([], address)
      let askedCount = 0
      const counting = {
        ...port,
        lookupMany: () => {
          askedCount++
          return Promise.reject(new Error('asked'))
        },
      }
      const keys = ['half a pair: \ud83d', 'k'.repeat(262_145)]
      const lookup = {
        ...customerLookup,
        store: source.lookupStore,
        command,
        needed: () => true,
        key: (_: Columns, i: number) => keys[i],
      }
      const columns = { recordCount: 2, lookups: [[]] } as unknown as Columns
      await enrich(columns, [lookup], [0], { [source.lookupStore]: counting }, deadline())
      expect(columns.lookups[0]!.map(value => `${(value as Failure).reason}: ${(value as Failure).message}`)).toEqual([
        'lookup-invalid: look-up "customer" was not made: its key is not well-formed Unicode',
        expect.stringMatching(/^too-large: look-up "customer" was not made: its key has more than \d+ bytes$/),
      ])
      expect(askedCount).toBe(0)
    },

    'nothing listens': async () => {
      const proxy = await startProxy(address)
      await proxy.down()
      const connector = running.connect(proxy.address)
      const failure = await told(ask(['plain', 'digits'], connector, proxy.address))
      expect(failure.id).toBe(`${source.store}-unreachable`)
      expect(failure.message).toContain(`visits: 2 look-ups got no answer from ${proxy.address} (ECONNREFUSED). `)
      await connector.close()
    },
    'a server that never answers: the deadline holds': async () => {
      const silent = await startOdd(undefined)
      const connector = running.connect(silent.address)
      const failure = await told(ask(['plain'], connector, silent.address, 150))
      expect(failure.id).toBe(`${source.store}-timeout`)
      expect(failure.message).toContain('within 150 ms')
      await connector.close()
      await silent.close()
    },
    garbage: async () => {
      for (const bytes of garbage) {
        const odd = await startOdd(bytes)
        const connector = running.connect(odd.address)
        await told(ask(['plain'], connector, odd.address, 500))
        await connector.close()
        await odd.close()
      }
    },
    'slower than the deadline, then well again': () =>
      throughProxy(async (proxy, connector) => {
        proxy.hold()
        expect((await told(ask(['json'], connector, proxy.address, 150))).id).toBe(`${source.store}-timeout`)
        proxy.release()
      }),
    'down at the start, then there': async () => {
      const proxy = await startProxy(address)
      await proxy.down()
      const connector = running.connect(proxy.address)
      await told(ask(['plain'], connector, proxy.address))
      await proxy.up()
      expect(await ask(['digits'], connector, proxy.address)).toEqual([running.answer('00123')])
      await connector.close()
      await proxy.close()
    },
    'restarted in the middle': () =>
      throughProxy(async (proxy, connector) => {
        proxy.hold()
        const asked = told(ask(['json'], connector, proxy.address))
        // The question is on its way, and its answer is held back.
        await delay(50)
        await proxy.down()
        await asked
        await told(ask(['json'], connector, proxy.address))
        proxy.release()
        await proxy.up()
      }),
    'asked by several at once before it is connected': async () => {
      const connector = running.connect(address)
      const keys = ['plain', 'digits', 'json', 'nobody', 'empty']
      const texts = ['one text', '00123', '{"a":1}', null, '']
      expect(await Promise.all(keys.map(key => ask([key], connector)))).toEqual(
        texts.map(text => [text === null ? null : running.answer(text)]),
      )
      await connector.close()
    },
    'closed during a freeze': () => throughProxy(async proxy => proxy.cut()),
    'reset during a freeze': () => throughProxy(async proxy => proxy.reset()),
    'half open after a freeze': () =>
      throughProxy(async (proxy, connector) => {
        proxy.deafen()
        // Lost, or asked again on another connection; never another's answer. A client may have kept more than one of them.
        for (const key of ['json', 'lines']) await answeredOrTold([key], ask([key], connector, proxy.address, 400))
      }),
    'reset before the question': () => resetAt('connected'),
    'reset between question and answer': () => resetAt('asked'),
    'reset in the middle of the answer': () => resetAt('answering'),
    'half of the answers fail': async () => {
      const trouble = await running.halve!()
      const connector = running.connect(trouble.address)
      const keys = ['plain', 'json', 'digits']
      const outcome = await ask(keys, connector, trouble.address, trouble.lastsMs).catch(error => error)
      if (outcome instanceof Error) expect((await told(Promise.reject(outcome))).message).toMatch(trouble.says)
      else {
        expect(outcome).toEqual([running.answer('one text'), expect.any(Unanswered), running.answer('00123')])
        expect((await told(Promise.reject(outcome[1].error))).message).toMatch(trouble.says)
      }
      await trouble.end()
      expect(await ask(keys, connector, trouble.address)).toEqual(['one text', '{"a":1}', '00123'].map(running.answer))
      await connector.close()
    },
    throttled: async () => {
      const trouble = await running.throttle!()
      const connector = running.connect(trouble.address)
      const failure = await told(ask(['plain'], connector, trouble.address)).finally(trouble.end)
      expect(failure.id).toBe(`${source.store}-unreachable`)
      expect(failure.message).toMatch(trouble.says)
      expect(await ask(['plain'], connector, trouble.address)).toEqual([running.answer('one text')])
      await connector.close()
    },
    'a wrong secret': async () => {
      const connector = running.connect(address, 'wrong-secret')
      const failure = await told(ask(['plain'], connector)).finally(() => running.connect(address))
      expect(failure.id).toBe(`${source.store}-unreachable`)
      expect(failure.message).toMatch(/\((WRONGPASS|the token was refused|it answered 401|the greeting was refused: .*)\)/)
      expect(inspect(failure, { depth: 10 })).not.toMatch(/d3Jvbmctc2VjcmV0/)
      await connector.close()
    },
  }

  /** A connector that has been answered through a proxy, then trouble, then it is answered again. */
  async function throughProxy(trouble: (proxy: StoreProxy, connector: LookupPort) => Promise<void>): Promise<void> {
    const proxy = await startProxy(address)
    const connector = running.connect(proxy.address)
    try {
      expect(await ask(['plain'], connector, proxy.address)).toEqual([running.answer('one text')])
      await trouble(proxy, connector)
      expect(await ask(['digits', 'plain'], connector, proxy.address)).toEqual([
        running.answer('00123'),
        running.answer('one text'),
      ])
    } finally {
      await connector.close()
      await proxy.close()
    }
  }

  /** Once it is asked again, or the batch comes again; each time, it does; and afterwards all is well. */
  async function resetAt(moment: Moment): Promise<void> {
    const keys = Array.from({ length: 20 }, (_, k) => `many:${k}`)
    for (const times of [1, Number.POSITIVE_INFINITY]) {
      const proxy = await startProxy(address)
      const connector = running.connect(proxy.address)
      if (moment !== 'connected') await ask(['plain'], connector, proxy.address)
      proxy.resetNext(moment, times)
      const asked = ask(keys, connector, proxy.address)
      if (times === 1) await answeredOrTold(keys, asked)
      else if (source.lookupStore === 'http') await unansweredOrTold(asked)
      else await told(asked)
      proxy.resetNext(moment, 0)
      expect(await ask(keys, connector, proxy.address)).toEqual(keys.map((_, k) => running.answer(`value ${k}`)))
      await connector.close()
      await proxy.close()
    }
  }

  async function answeredOrTold(keys: readonly string[], asked: Promise<readonly (LookupAnswer | Unanswered)[]>): Promise<void> {
    const right = keys.map(key => running.answer((content as Content)[key]!))
    const outcome = await asked.catch(error => error)
    if (outcome instanceof Error) await told(Promise.reject(outcome))
    else outcome.forEach((answer: unknown, k: number) => answer instanceof Unanswered || expect(answer).toBe(right[k]))
  }

  // Of many requests some may have been answered on connections that came through.
  async function unansweredOrTold(asked: Promise<readonly (LookupAnswer | Unanswered)[]>): Promise<void> {
    const outcome = await asked.catch(error => error)
    if (outcome instanceof Error) await told(Promise.reject(outcome))
    else expect(outcome.some((answer: unknown) => answer instanceof Unanswered)).toBe(true)
  }

  describe.skipIf(source.notHere !== undefined)(source.notHere ?? 'the contract', () => {
    beforeAll(async () => {
      running = await source.start(content)
      address = running.address ?? ''
      port = running.connect(address)
    })
    afterAll(async () => {
      await port.close()
      await running.stop()
    })
    // What a source cannot have is no test: the table tells why.
    for (const name of cases) if (whyNot(source.name, name) === undefined) test(name, run[name])
  })
})

const garbage = [
  Uint8Array.from({ length: 64 }, (_, i) => (i * 37 + 129) % 256),
  new TextEncoder().encode('SSH-2.0-OpenSSH_9.6\r\n'),
  new TextEncoder().encode('HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>'),
]
