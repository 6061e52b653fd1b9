// Ten million records through the enrichment stage with `cache`, keys without end: the heap stays flat. In a process whose heap is fixed and
// would not hold a tenth of them.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { LookupPort } from '../../lib/runtime/ports.ts'
import { loadStages, writeTemporary } from './compiled.ts'
import { type Figure, figures } from './measure.ts'
import { bareRecords } from './workloads.ts'

const batchSize = 1000
const millions = 10
const heapMb = 192
const value = '{"segment":"gold","score":12,"note":"'.padEnd(298, 'x').concat('"}')

const scenarioText = `scenario: bench-memory
source:
  topic: visits
  event: { customerId: string }
enrich:
  profile:
    redis: json customer:{event.customerId}
    fields: { segment: string, score: int, note: string }
    cache: 24h
sinks:
  out:
    topic: out
    value: { segment: profile.?segment.orValue("none") }
`

export async function memory(): Promise<readonly Figure[]> {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--expose-gc', `--max-old-space-size=${heapMb}`, fileURLToPath(import.meta.url)],
    { encoding: 'utf8', maxBuffer: 1 << 20 },
  )
  if (status !== 0) throw new Error(`the process with ${heapMb} MB ended with ${status}: ${stderr.slice(-1000)}`)
  const heapsMb = stdout.trim().split('\n').map(Number)
  if (heapsMb.length !== millions) throw new Error(`${heapsMb.length} of ${millions} million records`)
  return figures(
    heapsMb
      .map((mb, m) => ({ name: `memory/heap after ${m + 1} million records, all keys distinct, cached`, value: mb }))
      .reverse(),
    { unit: 'MB', runs: 1 },
  ).toReversed()
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await run()

async function run(): Promise<void> {
  const { plan, createColumns, enrich } = await loadStages(writeTemporary('bench-memory.yml', scenarioText))
  const { createLookupMemory, defaultMemoryBytes } = await import('../../lib/runtime/cache.ts')
  // A text of its own for each key, as a socket gives it.
  const port: LookupPort = {
    lookupMany: async requests => requests.map(({ keys }) => keys.map(() => Buffer.from(value).toString())),
    close: async () => undefined,
  }
  const stage = plan.steps.flatMap(step => (step.kind === 'fetch' ? [step.lookups] : []))[0]!
  const remembered = createLookupMemory({ maxBytes: defaultMemoryBytes, nowMs: () => performance.now() })
  const records = bareRecords('visits', batchSize)
  let customer = 0
  for (let m = 0; m < millions; m++) {
    for (let b = 0; b < 1_000_000 / batchSize; b++) {
      const columns = {
        ...createColumns(plan, records),
        event: records.map(() => ({ customerId: `c-${customer++}` })),
      }
      await enrich(columns, plan.lookups, stage, { redis: port }, { remainingMs: () => 10_000 }, remembered)
      if (Number((columns.lookups[0]![batchSize - 1] as { score?: unknown }).score) !== 12) throw new Error('a wrong value')
    }
    globalThis.gc!()
    console.log((process.memoryUsage().heapUsed / 1024 / 1024).toFixed(1))
  }
}
