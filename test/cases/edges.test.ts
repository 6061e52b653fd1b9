// Records on the bounds of what JSON, numbers, texts and times can be, through the real build: each gives what the words of its case say.
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { describe as describeLine } from './compare.ts'
import type { CaseOptions } from './options.ts'
import { readCase } from './reference.ts'
import { runCase } from './runner.ts'

const root = resolve(import.meta.dirname, '../..')
const options: CaseOptions = {
  broker: 'none',
  store: 'memory',
  batch: 7,
  kill: false,
  zombie: false,
  duplicate: false,
  replay: false,
  seed: 1,
}

test.each([
  { name: 'telecom-campaign', expectedCount: 18 },
  { name: 'large-transactions', expectedCount: 64 },
  { name: 'loan-request', expectedCount: 25 },
  { name: 'offer-proposal', expectedCount: 14 },
])('$name', async ({ name, expectedCount }) => {
  const { comparison } = await runCase(readCase(join(import.meta.dirname, 'edges'), name), options, {
    root,
    addresses: undefined,
  })
  expect({
    expectedCount: comparison.expectedCount,
    missing: comparison.missing.map(describeLine),
    unexpected: comparison.unexpected.map(describeLine),
    outOfOrder: comparison.outOfOrder.map(describeLine),
  }).toEqual({ expectedCount, missing: [], unexpected: [], outOfOrder: [] })
})
