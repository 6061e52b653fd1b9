// What packaging tells of cost: from what was noted for the same bundle, and from the function's settings as they are now.
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { costReport } from '../../infra/cost-report.ts'
import { checkScenario } from '../../lib/scenario/check.ts'
import type { Scenario } from '../../lib/scenario/scenario.ts'

const service = mkdtempSync(join(tmpdir(), 'sluice-cost-'))
afterAll(() => rmSync(service, { recursive: true }))

const code = Buffer.from('code')
mkdirSync(join(service, '.sluice', 'load'), { recursive: true })
const hash = createHash('sha256').update(code).digest('hex').slice(0, 16)
writeFileSync(join(service, '.sluice', 'load', `${hash}.cpu-ms-per-1000.txt`), '20')

function scenarioOf(source: string): Scenario {
  const text = `scenario: costs\nsource: { topic: in, event: { id: string }${source} }\nsinks:\n  out: { topic: out, value: event }\n`
  return checkScenario('functions/costs.yml', text).scenario!
}

// The first one: 10,000 requests are $0.002, 12 MB of log $0.006, and 80 s of 1.73 GB (8 ms each: 6 for the commit, 2 of CPU) $0.0018.
test.each<[string, string, number, 'arm64' | 'x86_64', string]>([
  ['as it was', '', 1769, 'arm64', '$0.0098 from 200'],
  ['of ten times the memory', '', 10_240, 'arm64', '$0.019 from 200'],
  ['on the other architecture', '', 1769, 'x86_64', '$0.010 from 200'],
  ['of small batches', ', batchSize: 10', 1769, 'arm64', '$0.096 from 20'],
  ['of a long window', ', batchSize: 1000, maximumBatchingWindow: 5', 1769, 'arm64', '$0.0014 from 200'],
])('a function %s', async (_, source, memoryMb, architecture, told) => {
  const [price, rate] = told.split(' from ')
  expect(await costReport(service, scenarioOf(source), { code, memoryMb, architecture })).toBe(
    `${price} per million events in full batches, from ${rate} a second on (CPU measured here, Kafka and stores assumed)`,
  )
})
