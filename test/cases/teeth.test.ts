// Does the runner find what it is there for? A function without exactly-once passes while all is well, and must fail under each fault; so must
// one that believes what an attempt has left, committed or not.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, inject, test } from 'vitest'
import { bundleScenario } from '../../lib/compiler/bundle.ts'
import { type Comparison, compare } from './compare.ts'
import { runDeployed } from './deployed.ts'
import type { CaseOptions } from './options.ts'
import { expectedLine, type ReferenceCase, readCase, recordOf } from './reference.ts'

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

test.each([
  ['passes while nothing goes wrong', {}, false],
  ['fails where it is killed between the calls to its store and its commit', { kill: true }, true],
] as const)('a function that believes what was written last %s', { timeout: 300_000 }, async (_, fault, isFound) => {
  const { missing, unexpected } = await runBelieving({ ...options, batch: 'all', ...fault })
  expect(missing.length + unexpected.length > 0).toBe(isFound)
})

/** Case client-near-pos, by a function without the question which of the two stored values counts. */
async function runBelieving(own: CaseOptions): Promise<Comparison> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-teeth-'))
  const handlerFile = join(folder, 'index.mjs')
  try {
    const file = join(import.meta.dirname, '../../functions/client-near-pos.yml')
    const { code } = await bundleScenario(file, { stores: 'real', minify: false })
    const [before, after, ...more] = Buffer.from(code).toString().split('? head : base;')
    expect([typeof after, more]).toEqual(['string', []])
    writeFileSync(handlerFile, `${before}? head : head;${after}`)
    const reference = readCase(join(import.meta.dirname, 'data'), 'client-near-pos')
    const place = { bundle: async () => handlerFile, outputFile: '', log: () => {}, lastWords: () => '' }
    const { lines } = await runDeployed(reference, own, { kafka: inject('kafka'), redis: inject('redis') }, place)
    return compare(reference.expected, lines)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

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
