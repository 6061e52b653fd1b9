// Look-ups that travel together keep their own time and their own fate: what one of them bears, or does not, is not put on the others.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test, vi } from 'vitest'
import { interpretedPlan } from '../../lib/compiler/interpreted.ts'
import { plan as planOf } from '../../lib/compiler/planning.ts'
import { connectHttp } from '../../lib/connectors/http.ts'
import { memoryLog } from '../../lib/connectors/memory.ts'
import { createHandler } from '../../lib/runtime/handler.ts'
import { checkScenario } from '../../lib/scenario/check.ts'
import { silent, startContainer } from './batches.ts'

const ends: (() => unknown)[] = []
afterEach(async () => {
  vi.restoreAllMocks()
  for (const end of ends.splice(0).reverse()) await end()
})

type Answer = (request: IncomingMessage, response: ServerResponse) => void
const silence: Answer = () => undefined
const later =
  (ms: number, text: string): Answer =>
  (_, response) =>
    setTimeout(() => response.end(text), ms)

/** host:port, and the paths that were asked. */
async function serve(answer: Answer) {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url!)
    answer(request, response)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  ends.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

/** A container whose batches are these ids; what became of them, or the id of the error. */
function containerOf(enrich: string, value: string) {
  const text = `scenario: random
source: { topic: events, event: { id: string } }
enrich:
${enrich}
sinks: { out: { topic: out, value: { ${value} } } }
`
  const { scenario, diagnostics } = checkScenario('random.yml', text)
  expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([])
  const http = connectHttp({ scenario: 'random' })
  const decide = startContainer(observe =>
    createHandler(interpretedPlan(planOf(scenario!)), {
      kafka: memoryLog(),
      stores: { http },
      log: silent,
      deadLetterTopic: 'dead',
      observe,
    }),
  )
  return (id: string) =>
    decide([{ id }]).then(
      ([decision]) => decision!.reason ?? decision!.outputs.join(),
      error => (error as { id: string }).id,
    )
}

test('the time-out of one is not that of others: a slow server is waited for, beside a silent one that is not', async () => {
  const slow = await serve(later(300, '{"a":1}'))
  const dead = await serve(silence)
  const decide = containerOf(
    `  must: { http: "GET http://${slow.host}/{event.id}", fields: { a: int }, timeout: 30s }
  nice: { http: "GET http://${dead.host}/{event.id}", fields: { b: int }, onError: missing, timeout: 50ms }`,
    'a: must.?a, b: nice.?b',
  )
  expect(await decide('x')).toBe('out {"a":1}')
})

test('also of two on one server', async () => {
  const both = await serve(({ url }, response) => {
    if (url === '/slow/x') setTimeout(() => response.end('{"a":1}'), 300)
  })
  const decide = containerOf(
    `  must: { http: "GET http://${both.host}/slow/{event.id}", fields: { a: int }, timeout: 30s }
  nice: { http: "GET http://${both.host}/silent/{event.id}", fields: { b: int }, onError: missing, timeout: 50ms }`,
    'a: must.?a, b: nice.?b',
  )
  expect(await decide('x')).toBe('out {"a":1}')
})

test('a time-out of more than the usual two seconds is kept', async () => {
  const slow = await serve(later(2300, '{"a":1}'))
  const decide = containerOf(
    `  must: { http: "GET http://${slow.host}/{event.id}", fields: { a: int }, timeout: 50s }`,
    'a: must.?a',
  )
  expect(await decide('x')).toBe('out {"a":1}')
})

test('a dead server of one stage does not pause the healthy one of another', async () => {
  // Its pause never ends.
  vi.spyOn(performance, 'now').mockReturnValue(1_000_000)
  const healthy = await serve((_, response) => response.end('{"a":1}'))
  const dead = await serve((_, response) => response.destroy())
  const decide = containerOf(
    `  must: { http: "GET http://${healthy.host}/{event.id}", fields: { a: int }, cache: 5m, timeout: 30s }
  nice: { http: "GET http://${dead.host}/{event.id}/{must.?a}", fields: { b: int }, onError: missing }`,
    'a: must.?a, b: nice.?b',
  )
  const outcomes: string[] = []
  for (const id of ['a', 'a', 'a', 'a', 'a', 'y', 'z']) outcomes.push(await decide(id))
  expect(outcomes).toEqual(Array.from({ length: 7 }, () => 'out {"a":1}'))
  expect(healthy.asked).toEqual(['/a', '/y', '/z'])
  // Three batches ask it, each as often as a broken connection is asked; then it is left alone.
  expect(dead.asked).toEqual(Array.from({ length: 9 }, () => '/a/1'))
})
