// Does the runner find what it is there for? A function without exactly-once passes while all is well, and must fail under each fault.
import { join } from 'node:path'
import { expect, inject, test } from 'vitest'
import { type Comparison, compare } from './compare.ts'
import { runDeployed } from './deployed.ts'
import type { CaseOptions } from './options.ts'
import { expectedLine, type ReferenceCase, recordOf } from './reference.ts'

const options: CaseOptions = {
  broker: 'kafka',
  store: 'redis',
  batch: 1,
  kill: false,
  zombie: false,
  duplicate: false,
  replay: false,
  seed: 1,
}

test('a function without progress of its own passes while nothing goes wrong', async () => {
  expect(await run(options)).toEqual({ expectedCount: 6, missing: [], unexpected: [], outOfOrder: [] })
})

test.each(['duplicate', 'kill', 'zombie'] as const)(
  'a function without progress of its own fails under --%s',
  { timeout: 300_000 },
  async fault => {
    const { missing, unexpected } = await run({ ...options, [fault]: true })
    expect(missing).toEqual([])
    expect(unexpected.length).toBeGreaterThanOrEqual(6)
  },
)

async function run(own: CaseOptions): Promise<Comparison> {
  const reference = exampleCase()
  const { lines } = await runDeployed(
    reference,
    own,
    { kafka: inject('kafka'), redis: inject('redis') },
    {
      bundle: async () => join(import.meta.dirname, '../emulator/functions/at-least-once.mjs'),
      environment: { OUTPUT_TOPIC: 'teeth-output' },
      outputFile: '',
      log: () => {},
      lastWords: () => '',
    },
  )
  return compare(reference.expected, lines)
}

/** Six records that are forwarded as they are, in two partitions. */
function exampleCase(): ReferenceCase {
  const numbers = [0, 1, 2, 3, 4, 5]
  const record = (n: number) =>
    `{"topic":"teeth-input","partition":${n % 2},"offset":${100 + n},"timestamp":1794902403090,"key":"k${n % 3}","value":{"n":${n}}}`
  const line = (n: number) =>
    `{"topic":"teeth-output","key":"k${n % 3}","value":{"n":${n}},"from":"teeth-input-${n % 2}@${100 + n}"}`
  return {
    name: 'at-least-once',
    records: numbers.map(record).map(recordOf),
    expected: numbers.map(line).map(expectedLine),
    lookupsFile: '',
    lookups: {},
  }
}
