// What each client for Redis costs a cold start (bytes in the bundle, CPU to load them), and what it does with a connection that the other
// side has closed, or forgotten, while the function was frozen.
import { execFileSync } from 'node:child_process'
import { resolve } from 'node:path'
import { build } from 'esbuild'
import { Redis } from 'ioredis'
import { Redis as Valkey } from 'iovalkey'
import { createClient } from 'redis'
import { startRedis } from '../../infra/local/redis.ts'
import { connectRedis } from '../../lib/connectors/redis.ts'
import { startProxy } from '../connectors/contract/proxy.ts'
import { writeTemporary } from './compiled.ts'
import { type Figure, figures, median } from './measure.ts'

const loads = 9
/** As long as a fetch stage waits at most. */
const patienceMs = 2000

interface Client {
  readonly name: string
  /** As a bundle would hold it. */
  readonly code: string
  open(url: string): Promise<{ get(key: string): Promise<unknown>; close(): unknown }>
}

const clients: readonly Client[] = [
  {
    name: 'ioredis',
    code: "export { Redis } from 'ioredis'",
    async open(url) {
      const redis = new Redis(url).on('error', () => undefined)
      return { get: key => redis.get(key), close: () => redis.disconnect() }
    },
  },
  {
    name: 'iovalkey',
    code: "export { Redis } from 'iovalkey'",
    async open(url) {
      const redis = new Valkey(url).on('error', () => undefined)
      return { get: key => redis.get(key), close: () => redis.disconnect() }
    },
  },
  {
    name: 'node-redis',
    code: "export { createClient } from 'redis'",
    async open(url) {
      const redis = createClient({ url }).on('error', () => undefined)
      await redis.connect()
      return { get: key => redis.get(key), close: () => redis.destroy() }
    },
  },
  {
    name: 'lib/connectors/redis.ts',
    code: `export { connectRedis } from ${JSON.stringify(resolve('lib/connectors/redis.ts'))}`,
    async open(url) {
      const port = connectRedis({ url, scenario: 'bench' })
      const deadline = { remainingMs: () => patienceMs }
      return {
        get: async key => (await port.lookupMany([{ command: { kind: 'string' }, keys: [key] }], deadline))[0]![0],
        close: () => port.close(),
      }
    },
  },
]

export async function clientCosts(): Promise<readonly Figure[]> {
  const sizes: number[] = []
  const loadMs = clients.map((): number[] => [])
  const files: string[] = []
  for (const { name, code } of clients) {
    const { outputFiles } = await build({
      ...({ bundle: true, platform: 'node', target: 'node22', format: 'cjs', minify: true, write: false } as const),
      stdin: { contents: code, resolveDir: resolve('.') },
    })
    sizes.push(outputFiles[0]!.contents.length / 1000)
    files.push(writeTemporary(`client-${name.replaceAll('/', '-')}.cjs`, outputFiles[0]!.text))
  }
  for (let n = 0; n < loads; n++) for (const [c, file] of files.entries()) loadMs[c]!.push(loadCpuMs(file))
  const named = (values: readonly number[]) =>
    clients.map(({ name }, c) => ({ name: `enrich client/${name}`, value: values[c]! }))
  return [
    ...figures(named(sizes), { unit: 'KB in a bundle', runs: 1 }),
    ...figures(named(loadMs.map(median)), { unit: 'ms CPU to load', runs: loads }),
    ...figures(named(await afterAFreeze('cut')), { unit: 'ms to an answer after a cut while frozen', runs: 1 }),
    ...figures(named(await afterAFreeze('deafen')), {
      unit: `ms to an answer on a half-open connection (${patienceMs}: none)`,
      runs: 1,
    }),
  ]
}

function loadCpuMs(file: string): number {
  const script = `
const before = process.cpuUsage()
require(${JSON.stringify(file)})
const { user, system } = process.cpuUsage(before)
console.log((user + system) / 1000)`
  return Number(execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' }))
}

/** Nobody runs while a function is frozen: the process sleeps as a whole, and sees afterwards what has happened. */
async function afterAFreeze(fault: 'cut' | 'deafen'): Promise<readonly number[]> {
  const redis = await startRedis()
  try {
    const times: number[] = []
    for (const { open } of clients) {
      const proxy = await startProxy(`127.0.0.1:${redis.port}`)
      const client = await open(`redis://${proxy.address}`)
      await client.get('nobody')
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1100)
      proxy[fault]()
      const startedMs = performance.now()
      const gaveUp = new Promise(resolve => setTimeout(resolve, patienceMs).unref())
      await Promise.race([client.get('nobody').catch(() => gaveUp), gaveUp])
      times.push(Math.min(patienceMs, performance.now() - startedMs))
      await client.close()
      await proxy.close()
    }
    return times
  } finally {
    await redis.stop()
  }
}
