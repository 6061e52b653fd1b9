// What HTTP alone has: states of a service, retries, limits.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { connectHttp } from '../../../lib/connectors/http.ts'
import { WrongKind } from '../../../lib/plan/plan.ts'
import { type LookupPort, type RetryableError, Unanswered } from '../../../lib/runtime/ports.ts'

/** Time that none of these tests is about. */
const patienceMs = 30_000
const deadline = (ms = patienceMs) => ({ remainingMs: () => ms })
const port = connectHttp({ scenario: 'visits' })
const ends: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

/** Answers the n-th request, from 1. */
async function serve(answer: (n: number, request: IncomingMessage, response: ServerResponse) => void) {
  const seen = { count: 0, most: 0, now: 0, connections: 0 }
  const server = createServer((request, response) => {
    seen.most = Math.max(seen.most, ++seen.now)
    response.on('close', () => seen.now--)
    answer(++seen.count, request, response)
  }).on('connection', () => seen.connections++)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  ends.push(async () => {
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  })
  return { base: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen }
}
/** The error of those that have no answer, of which there is one. */
async function failureOf(asked: ReturnType<LookupPort['lookupMany']>): Promise<RetryableError> {
  const errors = (await asked).flat().map(answer => (answer as Unanswered).error)
  expect(new Set(errors).size).toBe(1)
  return errors[0]!
}

const get = (keys: readonly string[]) => ({ command: { kind: 'request', method: 'GET' }, keys, timeoutMs: patienceMs }) as const

test.each([
  [429, 'slow down'],
  [500, ''],
  [503, ''],
])('%i twice, then an answer', async status => {
  const { base, seen } = await serve((n, _, response) => response.writeHead(n < 3 ? status : 200).end('well'))
  expect(await port.lookupMany([get([`${base}/a`])], deadline())).toEqual([['well']])
  expect(seen.count).toBe(3)
})

test.each([
  [503, 3],
  [401, 1],
])('%i for ever: the batch comes again, after %i requests; neither path nor query are told', async (status, requests) => {
  const { base, seen } = await serve((_, __, response) => response.writeHead(status, { location: '/elsewhere' }).end())
  const failure = await failureOf(port.lookupMany([get([`${base}/customers/c-1?token=secret`])], deadline()))
  expect(failure.message).toMatch(
    new RegExp(
      `^\\[http-unreachable\\] visits: 1 look-ups got no answer from 127.0.0.1:\\d+ \\(it answered ${status}\\)\\. Nothing was emitted`,
    ),
  )
  expect(failure.message).not.toMatch(/c-1|secret/)
  expect(seen.count).toBe(requests)
})

test('Retry-After beyond the deadline is not waited for', async () => {
  const { base, seen } = await serve((_, __, response) => response.writeHead(429, { 'retry-after': '100' }).end())
  expect((await failureOf(port.lookupMany([get([`${base}/a`])], deadline()))).message).toContain('(it answered 429)')
  expect(seen.count).toBe(1)
})

test('Retry-After outlives the round trip: until it has passed nobody is asked there, and others are', async () => {
  let nowMs = 1_000_000
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => nowMs)
  ends.push(async () => clock.mockRestore())
  const { base, seen } = await serve((n, _, response) =>
    n === 1 ? response.writeHead(429, { 'retry-after': '60' }).end() : response.end('well'),
  )
  const other = await serve((_, __, response) => response.end('well'))
  const own = connectHttp({ scenario: 'visits' })
  const ask = async () => {
    const [answers] = await own.lookupMany([get([`${base}/a`, `${other.base}/a`])], deadline(2000))
    return answers!.map(answer => (answer instanceof Unanswered ? /\((.*?)\)/.exec(answer.error.message)![1] : answer))
  }
  expect(await ask()).toEqual(['it answered 429', 'well'])
  nowMs += 500
  // As often as one likes: no failure that would close it for longer.
  for (let n = 0; n < 5; n++) expect(await ask()).toEqual(['it answered 429 and wants to be left alone for another 60 s', 'well'])
  nowMs += 57_000
  expect(await ask()).toEqual(['it answered 429 and wants to be left alone for another 3 s', 'well'])
  expect([seen.count, other.seen.count]).toEqual([1, 7])
  nowMs += 2500
  expect(await ask()).toEqual(['well', 'well'])
  expect([seen.count, other.seen.count]).toEqual([2, 8])
})

test('a Retry-After of years is kept for a quarter of an hour', async () => {
  let nowMs = 1_000_000
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => nowMs)
  ends.push(async () => clock.mockRestore())
  const { base } = await serve((n, _, response) =>
    n === 1 ? response.writeHead(503, { 'retry-after': '100000000' }).end() : response.end('well'),
  )
  const own = connectHttp({ scenario: 'visits' })
  await failureOf(own.lookupMany([get([`${base}/a`])], deadline(2000)))
  nowMs += 15 * 60_000 - 3000
  expect((await failureOf(own.lookupMany([get([`${base}/a`])], deadline(2000)))).message).toContain('for another 3 s')
  nowMs += 3000
  expect(await own.lookupMany([get([`${base}/a`])], deadline(2000))).toEqual([['well']])
})

test('each look-up has its own time', async () => {
  const { base } = await serve((_, { url }, response) => {
    if (url === '/slow') setTimeout(() => response.end(url), 400)
  })
  const requests = [
    { ...get([`${base}/silent`]), timeoutMs: 100 },
    { ...get([`${base}/slow`]), timeoutMs: patienceMs },
    { ...get([`${base}/silent2`]), timeoutMs: 150 },
  ]
  const answers = await port.lookupMany(requests, deadline())
  expect(answers).toEqual([[expect.any(Unanswered)], ['/slow'], [expect.any(Unanswered)]])
  expect(answers.flat().flatMap(answer => (answer instanceof Unanswered ? [answer.error.message] : []))).toEqual([
    expect.stringContaining('1 look-ups got no answer from ' + new URL(base).host + ' within 100 ms.'),
    expect.stringContaining('1 look-ups got no answer from ' + new URL(base).host + ' within 150 ms.'),
  ])
})

test('each request has its own outcome: what one address does not answer spoils no other', async () => {
  const { base, seen } = await serve((_, { url }, response) => response.writeHead(url === '/broken' ? 503 : 200).end(url))
  const dead = await serve((_, __, response) => response.destroy())
  const [answers] = await port.lookupMany([get([`${base}/a`, `${base}/broken`, `${dead.base}/a`, `${base}/b`])], deadline())
  expect(answers).toEqual(['/a', expect.any(Unanswered), expect.any(Unanswered), '/b'])
  const messages = answers!.flatMap(answer => (answer instanceof Unanswered ? [answer.error.message] : []))
  expect(messages[0]).toContain(`1 look-ups got no answer from ${new URL(base).host} (it answered 503).`)
  expect(messages[1]).toContain(`1 look-ups got no answer from ${new URL(dead.base).host}`)
  expect(messages[1]).not.toContain('503')
  expect([seen.count, dead.seen.count]).toEqual([5, 3])
})

test('slower than the deadline is its own outcome, too', async () => {
  const { base } = await serve((_, { url }, response) => (url === '/slow' ? undefined : response.end(url)))
  const [slow, other] = await port.lookupMany([{ ...get([`${base}/slow`]), timeoutMs: 300 }, get([`${base}/a`])], deadline())
  expect([slow, other]).toEqual([[expect.any(Unanswered)], ['/a']])
  expect((slow![0] as Unanswered).error).toMatchObject({ id: 'http-timeout' })
})

test('a dead server among others is asked three times and then left alone, and the others are answered', async () => {
  let nowMs = 1_000_000
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => nowMs)
  ends.push(async () => clock.mockRestore())
  const { base } = await serve((_, { url }, response) => response.end(url))
  const refusing = await serve((_, __, response) => response.writeHead(403).end())
  const other = connectHttp({ scenario: 'visits' })
  const ask = async () => {
    const [answers] = await other.lookupMany([get([`${base}/a`, `${refusing.base}/a`])], deadline())
    return [answers![0], (answers![1] as Unanswered).error.id]
  }
  expect([await ask(), await ask(), await ask(), await ask(), await ask()]).toEqual([
    ['/a', 'http-unreachable'],
    ['/a', 'http-unreachable'],
    ['/a', 'http-unreachable'],
    ['/a', 'store-paused'],
    ['/a', 'store-paused'],
  ])
  expect(refusing.seen.count).toBe(3)
  nowMs += 1000
  expect([await ask(), await ask()]).toEqual([
    ['/a', 'http-unreachable'],
    ['/a', 'store-paused'],
  ])
  expect(refusing.seen.count).toBe(4)
})

test('a server that answers nothing is not asked a thousand times', async () => {
  const { base, seen } = await serve((_, __, response) => response.writeHead(401).end())
  const thousand = Array.from({ length: 1000 }, (_, n) => `${base}/k${n}`)
  const failure = await failureOf(port.lookupMany([get(thousand)], deadline()))
  expect(failure.message).toContain('1000 look-ups got no answer')
  expect(seen.count).toBeLessThanOrEqual(40)
})

test('Retry-After holds for all that is asked there, and nobody comes back before', async () => {
  const times: number[] = []
  const { base, seen } = await serve((n, _, response) => {
    times.push(performance.now())
    if (n === 1) response.writeHead(429, { 'retry-after': '1' }).end()
    // Those that are under way are answered when the refusal has been read, so that no other is sent before.
    else setTimeout(() => response.end('well'), n <= 32 ? 100 : 0)
  })
  const paths = Array.from({ length: 100 }, (_, n) => `${base}/k${n}`)
  expect(await port.lookupMany([get(paths)], deadline())).toEqual([paths.map(() => 'well')])
  expect(seen.count).toBe(101)
  // 32 were under way; of the others each waited its second.
  const early = times.filter(time => time < times[0]! + 990)
  expect(early.length).toBe(32)
  expect(times.at(-1)! - times[0]!).toBeGreaterThan(990)
})

test.each([
  ['a date', new Date(Date.now() + 60_000).toUTCString()],
  ['seconds', '60'],
])('Retry-After as %s is beyond the deadline', async (_, header) => {
  const { base, seen } = await serve((__, ___, response) => response.writeHead(503, { 'retry-after': header }).end())
  expect((await failureOf(port.lookupMany([get([`${base}/a`])], deadline()))).message).toContain('(it answered 503)')
  expect(seen.count).toBe(1)
})

describe('batch: array', () => {
  const post = (keys: readonly string[]) =>
    ({ command: { kind: 'request', method: 'POST', batch: 'array' }, keys, timeoutMs: patienceMs }) as const
  const bodyOf = async (request: IncomingMessage) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    return Buffer.concat(chunks).toString()
  }

  test('one request with all bodies; the texts of the elements come back as they are, null is nothing', async () => {
    const bodies: string[] = []
    const { base } = await serve(async (_, request, response) => {
      bodies.push(await bodyOf(request))
      response.end(' [ {"n": 9007199254740993, "t":"a],[\\"{"} , null,{"n":1.0,"l":[1,[2]]}, "text"]\n')
    })
    const keys = ['{"id":"c-1"}', '{"id":"c-2"}', '{"id":"c-3"}', '{"id":"c-4"}'].map(body => `${base}/scores\n${body}`)
    expect(await port.lookupMany([post(keys)], deadline())).toEqual([
      ['{"n": 9007199254740993, "t":"a],[\\"{"}', null, '{"n":1.0,"l":[1,[2]]}', '"text"'],
    ])
    expect(bodies).toEqual(['[{"id":"c-1"},{"id":"c-2"},{"id":"c-3"},{"id":"c-4"}]'])
  })

  test('an array for each address, and of a thousand elements at most', async () => {
    const asked: string[] = []
    const { base } = await serve(async (_, request, response) => {
      const elements = JSON.parse(await bodyOf(request)) as number[]
      asked.push(`${request.url} ${elements.length}`)
      response.end(JSON.stringify(elements))
    })
    const keys = [...Array.from({ length: 1234 }, (_, n) => `${base}/a\n${n}`), `${base}/b\n7`]
    expect(await port.lookupMany([post(keys)], deadline())).toEqual([[...Array.from({ length: 1234 }, (_, n) => String(n)), '7']])
    expect(asked.sort()).toEqual(['/a 1000', '/a 234', '/b 1'])
  })

  test.each([
    ['an array of another length', '[1]'],
    ['no array', '{"0":1,"1":2}'],
    ['no JSON', '[1,'],
    ['nothing', ''],
  ])('%s is a matter of these keys', async (_, answer) => {
    const { base } = await serve((__, ___, response) => response.end(answer))
    expect(await port.lookupMany([post([`${base}/a\n1`, `${base}/a\n2`])], deadline())).toEqual([
      [expect.any(WrongKind), expect.any(WrongKind)],
    ])
  })

  test('too large for the service: in halves, until a single one is', async () => {
    const lengths: number[] = []
    const { base } = await serve(async (_, request, response) => {
      const elements = JSON.parse(await bodyOf(request)) as number[]
      lengths.push(elements.length)
      if (elements.length > 2 || elements.includes(7)) response.writeHead(413).end()
      else response.end(JSON.stringify(elements))
    })
    const keys = [1, 2, 3, 7, 5].map(n => `${base}/a\n${n}`)
    expect(await port.lookupMany([post(keys)], deadline())).toEqual([
      ['1', '2', '3', new WrongKind('an answer with the status 413'), '5'],
    ])
    expect(lengths).toEqual([5, 2, 3, 1, 2, 1, 1])
  })

  test('404 says nothing of a customer: the batch comes again', async () => {
    const { base } = await serve((_, __, response) => response.writeHead(404).end())
    expect((await failureOf(port.lookupMany([post([`${base}/a\n1`])], deadline()))).message).toContain('(it answered 404)')
  })
})

// Of what is said of a request no record can stop the stream; who asks, and where, no record is to blame for.
test.each([
  ['nothing there', [404, 410]],
  ['broken', [400, 402, 405, 406, 409, 411, 412, 413, 414, 415, 416, 421, 422, 423, 428, 431, 451, 499]],
  ['no answer', [300, 301, 302, 303, 304, 307, 308, 401, 403]],
  ['asked three times, and no answer', [408, 425, 429, 500, 501, 502, 503, 504, 511, 599]],
])('%s: %j', async (meaning, statuses) => {
  const counts = new Map<string, number>()
  const { base } = await serve((_, { url }, response) => {
    counts.set(url!, (counts.get(url!) ?? 0) + 1)
    response.writeHead(Number(url!.slice(1)), { location: '/elsewhere' }).end()
  })
  const means: string[] = []
  for (const status of statuses) {
    // Each on its own: a server that answers nothing is left alone.
    const [[answer]] = (await connectHttp({ scenario: 'visits' }).lookupMany([get([`${base}/${status}`])], deadline())) as [
      [unknown],
    ]
    const count = counts.get(`/${status}`)
    const kind = answer === null ? 'nothing there' : answer instanceof WrongKind ? 'broken' : 'no answer'
    means.push(count === 3 ? `asked three times, and ${kind}` : kind)
    if (answer instanceof Unanswered) expect(answer.error.message).toContain(`(it answered ${status})`)
  }
  expect(means).toEqual(statuses.map(() => meaning))
  expect(counts.get('/elsewhere')).toBeUndefined()
})

test('a key that is too long for the service is a matter of that key', async () => {
  const { base } = await serve((_, { url }, response) => response.end(url))
  // Node's server, as it comes, takes 16 KB of headers and answers 431.
  const [answers] = await port.lookupMany([get([`${base}/${'x'.repeat(20_000)}`, `${base}/a`])], deadline())
  expect(answers).toEqual([new WrongKind('an answer with the status 431'), '/a'])
})

test.each([
  ['204 is nothing', (response: ServerResponse) => response.writeHead(204).end(), null],
  ['410 is nothing', (response: ServerResponse) => response.writeHead(410).end('gone'), null],
  ['400 is a matter of this key', (response: ServerResponse) => response.writeHead(400).end(), expect.any(WrongKind)],
  ['bytes that are no text', (response: ServerResponse) => response.end(Buffer.from([0xff, 0xfe])), expect.any(WrongKind)],
  ['more than 1 MiB', (response: ServerResponse) => response.end('x'.repeat(1024 * 1024 + 1)), expect.any(WrongKind)],
])('%s', async (_, answer, expected) => {
  const { base } = await serve((__, ___, response) => answer(response))
  expect(await port.lookupMany([get([`${base}/a`])], deadline())).toEqual([[expected]])
})

test('what is no address of a web server is told at its place', async () => {
  const { base } = await serve((_, __, response) => response.end('here'))
  expect(await port.lookupMany([get(['file:///etc/passwd', 'nonsense', `${base}/a`])], deadline())).toEqual([
    [expect.any(WrongKind), expect.any(WrongKind), 'here'],
  ])
})

test('300 keys, twice: at most 32 at a time, over kept connections', async () => {
  const { base, seen } = await serve((_, request, response) => setTimeout(() => response.end(request.url), 5))
  const paths = Array.from({ length: 300 }, (_, n) => `/k${n}`)
  expect(await port.lookupMany([get(paths.map(path => base + path))], deadline())).toEqual([paths])
  expect(seen.most).toBeLessThanOrEqual(32)
  expect(await port.lookupMany([get(paths.map(path => base + path))], deadline())).toEqual([paths])
  // Node's fetch opens a second one where the first is about to become free: 600 requests, at most twice 32 connections.
  expect(seen.connections).toBeLessThanOrEqual(64)
})

test('POST sends what stands after the first line, as JSON', async () => {
  const { base } = await serve(async (_, request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    response.end(`${request.method} ${request.url} ${request.headers['content-type']} ${Buffer.concat(chunks)}`)
  })
  const request = { command: { kind: 'request', method: 'POST' }, keys: [`${base}/score\n{"a":\n"ł"}`] } as const
  expect(await port.lookupMany([request], deadline())).toEqual([['POST /score application/json {"a":\n"ł"}']])
})
