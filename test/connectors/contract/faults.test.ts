// Each source's faults through the whole function: retryable or not as declared, a dead store asked a few times and then left alone, and no
// secret in anything that the function says or writes.
import { inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { memoryLog } from '../../../lib/connectors/memory.ts'
import { Failure } from '../../../lib/plan/failure.ts'
import { type LookupPlan, WrongKind } from '../../../lib/plan/plan.ts'
import type { KafkaEvent } from '../../../lib/runtime/event.ts'
import { createHandler } from '../../../lib/runtime/handler.ts'
import { type LookupPort, Unanswered } from '../../../lib/runtime/ports.ts'
import { base64, customerLookup, visits, visitsEvent } from '../../runtime/plan-fixture.ts'
import { type CaseName, whyNot } from './cases.ts'
import { startOdd, startProxy } from './proxy.ts'
import { type RunningSource, type Source, sources } from './sources.ts'

const planted = 'planted/secret#1'
const plantedToken = 'planted-token'
/** Also within a longer text that is base64: it may begin at any of three places. */
const forms = [
  'planted',
  ...['', 'x', 'xx'].map(before => Buffer.from(`${before}planted/secret`).toString('base64').slice(4, 16)),
]

/** All that functions have said and written in these tests. */
const told: string[] = []

interface Declared {
  readonly onError: LookupPlan['onError']
  /** What stands for nothing. */
  readonly missing: LookupPlan['missing']
  /** Default: what a busy machine keeps. */
  readonly timeoutMs?: number
}

const dropped: Declared['missing'] = key => new Failure('lookup-missing', key ?? 'customer', 'nothing found', 'customer')
const adult: Declared['missing'] = () => ({ age: 18 })

function functionOf(
  source: Source,
  port: LookupPort,
  request: { command: LookupPlan['command']; key: string },
  declared: Declared,
) {
  const kafka = memoryLog()
  const say = (message: string, fields: object) => void told.push(`${message} ${JSON.stringify(fields)}`)
  const lookup: LookupPlan = {
    ...customerLookup,
    timeoutMs: 30_000,
    ...declared,
    store: source.lookupStore,
    command: request.command,
    key: () => request.key,
    decode: (answer, key) => {
      if (answer === null) return declared.missing(key)
      return answer instanceof WrongKind ? new Failure('lookup-invalid', key, 'another kind of data') : { age: 30 }
    },
  }
  const handler = createHandler(
    { ...visits, stopAbove: 1, lookups: [lookup] },
    { kafka, stores: { [source.lookupStore]: port }, log: { info: say, warn: say, error: say }, deadLetterTopic: 'dead' },
  ) as unknown as (event: KafkaEvent, context: unknown) => Promise<unknown>
  let offset = 0
  /** `letters`, `dead`, `nothing`, or the id of the error. */
  async function decide(): Promise<string> {
    const before = kafka.committed.length
    const event = visitsEvent({ 0: [{ offset: offset++, value: base64('{"id":"c-1"}') }] })
    try {
      await handler(event, { getRemainingTimeInMillis: () => 60_000 })
    } catch (error) {
      told.push(inspect(error, { depth: 10 }))
      expect(kafka.committed.length).toBe(before)
      return (error as { id: string }).id
    }
    const written = kafka.committed.slice(before)
    for (const { key, value, headers } of written)
      told.push([key, value, ...headers.map(header => header.value)].map(bytes => Buffer.from(bytes ?? []).toString()).join('\n'))
    return written.map(({ topic }) => topic).join() || 'nothing'
  }
  return { decide }
}

const ends: (() => unknown)[] = []
afterEach(async () => {
  vi.restoreAllMocks()
  for (const end of ends.splice(0).reverse()) await end()
})

/** Where the connector is pointed at. */
type Trouble = (running: RunningSource) => Promise<string>

const troubles: readonly (readonly [name: CaseName, trouble: Trouble])[] = [
  [
    'nothing listens',
    async running => {
      const proxy = await startProxy(running.address!)
      await proxy.down()
      return proxy.address
    },
  ],
  [
    'a server that never answers: the deadline holds',
    async () => {
      const silent = await startOdd(undefined)
      ends.push(() => silent.close())
      return silent.address
    },
  ],
  [
    'garbage',
    async () => {
      const odd = await startOdd(new TextEncoder().encode(`HTTP/1.1 502 ${planted}\r\ncontent-length: 16\r\n\r\n${planted}`))
      ends.push(() => odd.close())
      return odd.address
    },
  ],
  [
    'throttled',
    async running => {
      const trouble = await running.throttle!()
      ends.push(() => trouble.end())
      return trouble.address
    },
  ],
  ['a wrong secret', async running => running.address!],
]

describe.each(sources.filter(({ name }) => name !== 'in memory'))('$name', source => {
  let running: RunningSource

  describe.skipIf(source.notHere !== undefined)(source.notHere ?? 'faults', () => {
    beforeAll(async () => {
      running = await source.start({ 'c-1': '30' })
    })
    afterAll(() => running.stop())

    function connected(address: string, secret?: string) {
      const port = running.connect(address, secret)
      ends.push(() => port.close())
      const { command, keys } = running.texts(['c-1'], address)
      return { port, command, key: keys[0]! }
    }
    /** With secrets at every place that a user may have put one. */
    function troubled(name: CaseName, address: string) {
      const { port, command, key } = connected(address, name === 'throttled' ? undefined : encodeURIComponent(planted))
      const withToken = source.lookupStore === 'http' ? key.replace(/(?=\n)|$/, `?token=${plantedToken}`) : key
      let askedCount = 0
      const counting: LookupPort = {
        ...port,
        lookupMany: async (...asked) => {
          const outcome = await Promise.allSettled([port.lookupMany(...asked)])
          // Some sources know themselves what to leave alone.
          const answer = outcome[0].status === 'fulfilled' ? outcome[0].value[0]![0] : undefined
          if (!(answer instanceof Unanswered && answer.error.id === 'store-paused')) askedCount++
          if (outcome[0].status === 'rejected') throw outcome[0].reason
          return outcome[0].value
        },
      }
      return { port: counting, command, key: withToken, askedCount: () => askedCount }
    }

    test('well: it is found, and what is not there is as declared', async () => {
      const { port, command, key } = connected(running.address!)
      const nobody = running.texts(['nobody'], running.address!).keys[0]!
      const outcome = (asked: string, missing: Declared['missing']) =>
        functionOf(source, port, { command, key: asked }, { onError: 'retry', missing }).decide()
      expect([await outcome(key, dropped), await outcome(nobody, dropped), await outcome(nobody, adult)]).toEqual([
        'letters',
        'nothing',
        'letters',
      ])
    })

    // What a source cannot have is no test: the table tells why.
    for (const [name, trouble] of troubles.filter(([name]) => whyNot(source.name, name) === undefined)) {
      test(name, async () => {
        const address = await trouble(running)
        const outcome = async (onError: Declared['onError'], missing: Declared['missing']) => {
          const { port, command, key } = troubled(name, address)
          return functionOf(source, port, { command, key }, { onError, missing, timeoutMs: 300 }).decide()
        }
        expect([
          await outcome('retry', dropped),
          await outcome('missing', dropped),
          await outcome('missing', adult),
          await outcome('deadLetter', adult),
        ]).toEqual([expect.stringMatching(`^${source.store}-(unreachable|timeout)$`), 'nothing', 'letters', 'dead'])
        running.connect(running.address!)
      })
    }

    test.each(['retry', 'missing'] as const)(
      'a dead store is asked three times, then left alone for a second (%s)',
      async onError => {
        let nowMs = 1_000_000
        vi.spyOn(performance, 'now').mockImplementation(() => nowMs)
        const proxy = await startProxy(running.address!)
        ends.push(() => proxy.close())
        await proxy.down()
        const { port, command, key, askedCount } = troubled('nothing listens', proxy.address)
        const { decide } = functionOf(source, port, { command, key }, { onError, missing: adult })
        const outcomes: string[] = []
        for (let batch = 0; batch < 6; batch++) outcomes.push(await decide())
        const down = `${source.store}-unreachable`
        expect(outcomes).toEqual(
          onError === 'missing'
            ? ['letters', 'letters', 'letters', 'letters', 'letters', 'letters']
            : [down, down, down, 'store-paused', 'store-paused', 'store-paused'],
        )
        expect(askedCount()).toBe(3)
        nowMs += 1000
        await decide()
        await decide()
        expect(askedCount()).toBe(4)
      },
    )
  })
})

test('nothing of all that was said or written holds a secret', () => {
  // Each source and fault was told of.
  expect(told.length).toBeGreaterThan(100)
  expect(told.filter(text => forms.some(form => text.includes(form)))).toEqual([])
})
