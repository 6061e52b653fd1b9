import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { Container, type FunctionSettings } from '../../lib/emulator/container.ts'
import { ContainerPool } from '../../lib/emulator/pool.ts'

const folder = join(import.meta.dirname, 'functions')
const settings: FunctionSettings = {
  handlerFile: join(folder, 'odd.mjs'),
  name: 'odd',
  environment: { GREETING: 'hello' },
  memoryMb: 128,
  timeoutMs: 5000,
}
const opened: { kill(): Promise<void> }[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map(container => container.kill()))
})

test('the handler gets the event and a context, and its response comes back', async () => {
  const result = await open(settings).invoke({ eventSource: 'echo', records: {} })
  expect(result).toMatchObject({ status: 'success', response: { event: { eventSource: 'echo', records: {} } } })
  const { requestId, remainingMs } = (result as { response: { requestId: string; remainingMs: number } }).response
  expect(requestId).toMatch(/^[0-9a-f-]{36}$/)
  expect(remainingMs).toBeGreaterThan(3000)
  expect(remainingMs).toBeLessThanOrEqual(5000)
})

test('the function sees its own environment and none of ours', async () => {
  process.env['SLUICE_LEAK'] = 'ours'
  const result = await open(settings).invoke({ eventSource: 'environment', records: {} })
  const environment = (result as { response: Record<string, string> }).response
  expect(environment).toMatchObject({
    GREETING: 'hello',
    AWS_LAMBDA_FUNCTION_NAME: 'odd',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '128',
  })
  expect(environment).not.toHaveProperty('SLUICE_LEAK')
  expect(environment).not.toHaveProperty('HOME')
})

test('a warm container is the same process, frozen in between', async () => {
  const container = open(settings)
  const first = await container.invoke({ eventSource: 'echo', records: {} })
  const second = await container.invoke({ eventSource: 'echo', records: {} })
  expect((second as { response: { pid: number } }).response.pid).toBe((first as { response: { pid: number } }).response.pid)
})

describe("between invocations a function's timers, which tick each 5 ms,", () => {
  const ticksOf = async (container: ReturnType<typeof open>) =>
    ((await container.invoke({ eventSource: 'ticks', records: {} })) as { response: number }).response

  test('stand still', async () => {
    const container = open(settings)
    await container.invoke({ eventSource: 'tick', records: {} })
    await new Promise(resolve => setTimeout(resolve, 1000))
    // 200 if they went on; on a busy machine it is frozen late.
    expect(await ticksOf(container)).toBeLessThan(100)
  })

  test('run on where freezing is switched off', async () => {
    const container = open({ ...settings, frozenBetweenInvocations: false })
    await container.invoke({ eventSource: 'tick', records: {} })
    await expect.poll(() => ticksOf(container), { interval: 200 }).toBeGreaterThan(200)
  })
})

test('what the function prints is log, not response', async () => {
  let text = ''
  const result = await open({ ...settings, frozenBetweenInvocations: false, log: part => (text += part) }).invoke({
    eventSource: 'log',
    records: {},
  })
  expect(result).toEqual({ status: 'success', response: null })
  await expect.poll(() => text).toBe('a line of log\n')
})

test('no response is null', async () => {
  expect(await open(settings).invoke({ eventSource: 'undefined', records: {} })).toEqual({ status: 'success', response: null })
})

test('an exception is a failed invocation, and the container goes on', async () => {
  const container = open(settings)
  const result = await container.invoke({ eventSource: 'throw', records: {} })
  expect(result).toMatchObject({ status: 'failed', error: { errorType: 'RangeError', errorMessage: 'no such thing' } })
  expect((await container.invoke({ eventSource: 'echo', records: {} })).status).toBe('success')
})

test('an invocation beyond its timeout is killed with its container', async () => {
  const container = open({ ...settings, timeoutMs: 300 })
  expect(await container.invoke({ eventSource: 'hang', records: {} })).toEqual({ status: 'timeout', timeoutMs: 300 })
  expect(container.alive).toBe(false)
})

test('a process that ends is a crash', async () => {
  const result = await open(settings).invoke({ eventSource: 'exit', records: {} })
  expect(result).toEqual({ status: 'crashed', signal: null, exitCode: 3 })
})

test('a function beyond its memory is a crash', async () => {
  const result = await open({ ...settings, timeoutMs: 60_000 }).invoke({ eventSource: 'memory', records: {} })
  expect(result).toMatchObject({ status: 'crashed', signal: 'SIGABRT' })
}, 60_000)

test('a function that cannot be loaded fails its invocations with the reason', async () => {
  const result = await open({ ...settings, handlerFile: join(folder, 'broken.mjs') }).invoke({ eventSource: 'echo', records: {} })
  expect(result).toMatchObject({ status: 'failed', error: { errorType: 'Error', errorMessage: 'SLUICE_REDIS is not set' } })
})

test('a pool starts a container only where none is idle', async () => {
  const pool = new ContainerPool(settings, { random: () => 0 })
  opened.push({ kill: () => pool.close() })
  const both = await Promise.all([
    pool.invoke({ eventSource: 'echo', records: {} }),
    pool.invoke({ eventSource: 'echo', records: {} }),
  ])
  expect(both.map(result => result.status)).toEqual(['success', 'success'])
  expect(pool.size).toBe(2)
  await pool.invoke({ eventSource: 'echo', records: {} })
  expect(pool.size).toBe(2)
  await pool.invoke({ eventSource: 'exit', records: {} })
  await pool.invoke({ eventSource: 'echo', records: {} })
  expect(pool.size).toBe(1)
})

function open(own: FunctionSettings): Container {
  const container = new Container(own)
  opened.push(container)
  return container
}
