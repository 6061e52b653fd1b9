// What HTTP alone has: states of a service, retries, limits.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { connectHttp } from '../../../lib/connectors/http.ts'
import { WrongKind } from '../../../lib/plan/plan.ts'

const deadline = (ms = 2000) => ({ remainingMs: () => ms })
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
const get = (keys: readonly string[]) => ({ command: { kind: 'request', method: 'GET' }, keys }) as const

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
  [403, 1],
  [302, 1],
])('%i for ever: the batch comes again, after %i requests; neither path nor query are told', async (status, requests) => {
  const { base, seen } = await serve((_, __, response) => response.writeHead(status, { location: '/elsewhere' }).end())
  const failure = await port.lookupMany([get([`${base}/customers/c-1?token=secret`])], deadline()).catch(error => error)
  expect(failure.message).toMatch(
    new RegExp(
      `^\\[http-unreachable\\] visits: 1 look-ups got no answer from 127.0.0.1:\\d+ \\(it answered ${status}\\)\\. Nothing was emitted`,
    ),
  )
  expect(failure.message).not.toMatch(/c-1|secret/)
  expect(seen.count).toBe(requests)
})

test('Retry-After beyond the deadline is not waited for', async () => {
  const { base, seen } = await serve((_, __, response) => response.writeHead(429, { 'retry-after': '30' }).end())
  await expect(port.lookupMany([get([`${base}/a`])], deadline())).rejects.toThrow('(it answered 429)')
  expect(seen.count).toBe(1)
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
