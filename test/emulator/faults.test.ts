import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { Container } from '../../lib/emulator/container.ts'
import type { Fault } from '../../lib/emulator/fault-points.ts'

// A server that answers each request after a moment, and remembers which it got whole.
let server: Server
let received: number[]
let answered: number[]
const connected = new Set<Socket>()
let container: Container

beforeAll(async () => {
  server = createServer(socket => {
    connected.add(socket)
    // Of this test: a late answer to a dead process must not show in the next one.
    const own = { received, answered }
    let pending = Buffer.alloc(0)
    socket.on('error', () => {})
    socket.on('close', () => connected.delete(socket))
    socket.on('data', chunk => {
      pending = Buffer.concat([pending, chunk])
      while (pending.length >= 4 && pending.length >= 4 + pending.readInt32BE(0)) {
        const request = pending.subarray(0, 4 + pending.readInt32BE(0))
        pending = pending.subarray(request.length)
        const apiKey = request.readInt16BE(4)
        own.received.push(apiKey)
        const answer = Buffer.alloc(12)
        answer.writeInt32BE(8, 0)
        request.copy(answer, 4, 8, 12)
        setTimeout(() => {
          own.answered.push(apiKey)
          socket.write(answer)
        }, 30)
      }
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
})
afterEach(() => container.kill())
afterAll(() => new Promise(resolve => server.close(resolve)))

// 18 (ApiVersions) and 3 (Metadata) are no calls of the commit, so they don't count.
const cold = '18,3,22,9,0+28,26'

test.each<{ fault: Omit<Fault, 'action'>; received: number[]; answered: number[]; point: string }>([
  { fault: { call: 1, phase: 'before' }, received: [18, 3], answered: [18, 3], point: 'InitProducerId before' },
  { fault: { call: 1, phase: 'written' }, received: [18, 3, 22], answered: [18, 3], point: 'InitProducerId written' },
  { fault: { call: 1, phase: 'answered' }, received: [18, 3, 22], answered: [18, 3, 22], point: 'InitProducerId answered' },
  { fault: { call: 2, phase: 'before' }, received: [18, 3, 22], answered: [18, 3, 22], point: 'OffsetFetch before' },
  { fault: { call: 4, phase: 'before' }, received: [18, 3, 22, 9, 0], answered: [18, 3, 22, 9], point: 'TxnOffsetCommit before' },
  { fault: { call: 3, phase: 'written' }, received: [18, 3, 22, 9, 0], answered: [18, 3, 22, 9], point: 'Produce written' },
  {
    fault: { call: 5, phase: 'before' },
    received: [18, 3, 22, 9, 0, 28],
    answered: [18, 3, 22, 9, 0, 28],
    point: 'EndTxn before',
  },
  {
    fault: { call: 5, phase: 'written' },
    received: [18, 3, 22, 9, 0, 28, 26],
    answered: [18, 3, 22, 9, 0, 28],
    point: 'EndTxn written',
  },
  {
    fault: { call: 5, phase: 'answered' },
    received: [18, 3, 22, 9, 0, 28, 26],
    answered: [18, 3, 22, 9, 0, 28, 26],
    point: 'EndTxn answered',
  },
])('a process told to die at $point dies exactly there', async ({ fault, received: whole, answered: known, point }) => {
  const { result, struck } = await talk(cold, { ...fault, action: 'kill' })
  expect(result).toEqual({ status: 'crashed', signal: 'SIGKILL', exitCode: null })
  expect(struck).toEqual([point])
  // The dead process's connection ends: nothing more can come.
  await expect.poll(() => connected.size).toBe(0)
  expect(received).toEqual(whole)
  expect(answered.slice(0, known.length)).toEqual(known)
})

test.each([
  { phase: 'before', received: [0] },
  { phase: 'written', received: [0, 28] },
] as const)('requests in one chunk are cut apart: the second $phase', async ({ phase, received: whole }) => {
  const { result } = await talk('0*28*26', { call: 2, phase, action: 'kill' })
  expect(result.status).toBe('crashed')
  await expect.poll(() => connected.size).toBe(0)
  expect(received).toEqual(whole)
})

test('a question that is asked again, since the broker lets wait, counts once', async () => {
  const { struck } = await talk('22,22,22,9,9,0,26', { call: 4, phase: 'before', action: 'kill' })
  expect(struck).toEqual(['EndTxn before'])
})

test('a call that is never made strikes nobody', async () => {
  const { result, struck } = await talk(cold, { call: 6, phase: 'before', action: 'kill' })
  expect(result).toEqual({ status: 'success', response: { sent: cold } })
  expect(struck).toEqual([])
})

test.each([
  { phase: 'before', whole: [22], point: 'OffsetFetch before' },
  { phase: 'written', whole: [22, 9], point: 'OffsetFetch written' },
  { phase: 'answered', whole: [22, 9], point: 'OffsetFetch answered' },
] as const)('a process told to stop at $point goes on there when it is thawed', async ({ phase, whole, point }) => {
  container = open()
  ;[received, answered] = [[], []]
  const struck = new Promise<string>(resolve => container.onStrike(resolve))
  const running = container.invoke({ eventSource: '22,9,26', records: {} }, { fault: { call: 2, phase, action: 'stop' } })
  expect(await struck).toBe(point)
  await expect.poll(() => received).toEqual(whole)
  // It stands still: nothing more comes.
  await new Promise(resolve => setTimeout(resolve, 100))
  expect(received).toEqual(whole)
  container.thaw()
  expect(await running).toEqual({ status: 'success', response: { sent: '22,9,26' } })
  expect(received).toEqual([22, 9, 26])
})

test('a warm container counts from the start in every invocation', async () => {
  container = open()
  ;[received, answered] = [[], []]
  await container.invoke({ eventSource: cold, records: {} })
  received.length = 0
  const result = await container.invoke(
    { eventSource: '0+28,26', records: {} },
    { fault: { call: 3, phase: 'before', action: 'kill' } },
  )
  expect(result.status).toBe('crashed')
  await expect.poll(() => connected.size).toBe(0)
  expect(received).toEqual([0, 28])
})

async function talk(steps: string, fault: Fault) {
  ;[received, answered] = [[], []]
  container = open()
  const struck: string[] = []
  container.onStrike(point => struck.push(point))
  const result = await container.invoke({ eventSource: steps, records: {} }, { fault })
  return { result, struck }
}

function open(): Container {
  const { port } = server.address() as { port: number }
  return new Container({
    handlerFile: join(import.meta.dirname, 'functions/talk.mjs'),
    name: 'talk',
    environment: { PORT: String(port) },
    memoryMb: 128,
    timeoutMs: 10_000,
  })
}
