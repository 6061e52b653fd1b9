// The reference cases through the real build: without a broker, on Kafka and Redis, and with the faults that exactly-once must survive.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, expect, inject, test } from 'vitest'
import { bundleScenario } from '../../lib/compiler/bundle.ts'
import { type Comparison, compare, describe as describeLine } from './compare.ts'
import { runDeployed } from './deployed.ts'
import type { CaseOptions } from './options.ts'
import { readCase } from './reference.ts'
import { type Outcome, runCase } from './runner.ts'

const root = resolve(import.meta.dirname, '../..')
const plain: CaseOptions = {
  broker: 'none',
  store: 'memory',
  batch: 'all',
  kill: false,
  zombie: false,
  duplicate: false,
  replay: false,
  seed: 1,
}
const onKafka: CaseOptions = { ...plain, broker: 'kafka', store: 'redis' }
const batches = [1, 7, 'all'] as const
const withState = ['client-near-pos', 'promotion']
/** `Produce before` is a phase of a call. */
function struck({ strikes }: Outcome): { readonly calls: readonly string[]; readonly phases: ReadonlySet<string> } {
  const points = [...strikes.keys()].map(point => /^(.*) (\w+)$/.exec(point)!)
  return { calls: points.map(([, call]) => call!), phases: new Set(points.map(([, , phase]) => phase!)) }
}

describe.each([
  { name: 'telecom-campaign', expectedCount: 24 },
  { name: 'large-transactions', expectedCount: 26 },
  { name: 'loan-request', expectedCount: 33 },
  { name: 'offer-proposal', expectedCount: 28 },
  { name: 'client-near-pos', expectedCount: 15 },
  { name: 'promotion', expectedCount: 24 },
])('$name', ({ name, expectedCount }) => {
  test.each(batches)('embedded, batches of %s', async batch => {
    expectEqual(await run({ ...plain, batch }))
  })

  test('embedded, every batch twice', async () => {
    expectEqual(await run({ ...plain, batch: 7, duplicate: true }))
  })

  test.each(batches)(
    'on Kafka and Redis, batches of %s',
    async batch => {
      expectEqual(await run({ ...onKafka, batch }))
    },
    120_000,
  )

  test.each(batches)(
    'every batch twice, of %s',
    async batch => {
      expectEqual(await run({ ...onKafka, batch, duplicate: true }))
    },
    120_000,
  )

  test('killed between every two calls of the commit', async () => {
    const outcome = await run({ ...onKafka, batch: 7, kill: true })
    expectEqual(outcome)
    // Which phase of a call is struck hangs on how often the coordinator has to be asked before it; that each call is, and each phase of some, does not.
    const { calls, phases } = struck(outcome)
    expect(calls).toEqual(expect.arrayContaining(['InitProducerId', 'OffsetFetch', 'Produce', 'EndTxn']))
    expect(phases).toEqual(new Set(['before', 'written', 'answered']))
    // Between every two calls to the store as well, whose first is the claim before all others.
    expect(calls).toEqual(expect.arrayContaining(withState.includes(name) ? ['state claim', 'state read', 'state write'] : []))
  }, 300_000)

  test('zombies with the same batch', async () => {
    const outcome = await run({ ...onKafka, batch: 1, zombie: true })
    expectEqual(outcome)
    const { calls } = struck(outcome)
    expect(calls).toEqual(expect.arrayContaining(['Produce', 'TxnOffsetCommit', 'EndTxn']))
    // Who is warm makes no claim, and who is warm is chance.
    expect(calls).toEqual(expect.arrayContaining(withState.includes(name) ? ['state read', 'state write'] : []))
  }, 300_000)

  function run(options: CaseOptions): Promise<Outcome> {
    return runNamed(name, options)
  }

  function expectEqual(outcome: Outcome): void {
    expectLines(outcome, expectedCount)
  }
})

// Only cases with state have one.
test.each([
  { name: 'client-near-pos', expectedCount: 15 },
  { name: 'promotion', expectedCount: 24 },
])(
  '$name: its history of deliveries with crashes, on Kafka and Redis',
  async ({ name, expectedCount }) => {
    expectLines(await runNamed(name, { ...onKafka, replay: true }), expectedCount)
  },
  120_000,
)

// Would it be found? Here, since each of these files runs beside the others, and a case's topic takes one run at a time.
test.each([
  ['passes while nothing goes wrong', {}, false],
  ['fails where it is killed between the calls to its store and its commit', { kill: true }, true],
] as const)('a function that believes what was written last %s', { timeout: 300_000 }, async (_, fault, isFound) => {
  const { missing, unexpected } = await runBelieving({ ...onKafka, ...fault })
  expect(missing.length + unexpected.length > 0).toBe(isFound)
})

/** Case client-near-pos, by a function without the question which of the two stored values counts. */
async function runBelieving(own: CaseOptions): Promise<Comparison> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-teeth-'))
  const handlerFile = join(folder, 'index.mjs')
  try {
    const file = join(import.meta.dirname, '../../functions/client-near-pos.yml')
    const { code } = await bundleScenario(file, { stores: 'real', minify: false })
    const [before, after, ...more] = Buffer.from(code).toString().split('return at < position ? head : base;')
    expect([typeof after, more]).toEqual(['string', []])
    writeFileSync(handlerFile, `${before}return head;${after}`)
    const reference = readCase(join(import.meta.dirname, 'data'), 'client-near-pos')
    const place = { bundle: async () => handlerFile, outputFile: '', log: () => {}, lastWords: () => '' }
    const { lines } = await runDeployed(reference, own, { kafka: inject('kafka'), redis: inject('redis') }, place)
    return compare(reference.expected, lines)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function runNamed(name: string, options: CaseOptions): Promise<Outcome> {
  const reference = readCase(join(import.meta.dirname, 'data'), name)
  return runCase(reference, options, { root, addresses: { kafka: inject('kafka'), redis: inject('redis') } })
}

function expectLines({ comparison }: Outcome, expectedCount: number): void {
  expect({
    expectedCount: comparison.expectedCount,
    missing: comparison.missing.map(describeLine),
    unexpected: comparison.unexpected.map(describeLine),
    outOfOrder: comparison.outOfOrder.map(describeLine),
  }).toEqual({ expectedCount, missing: [], unexpected: [], outOfOrder: [] })
}
