// State survives every history of deliveries: those written down with the cases, and random ones of the same kind.
import { join, resolve } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { type CompiledModule, loadCompiled } from '../../lib/cli/compiled.ts'
import { openScenario } from '../../lib/cli/scenario-file.ts'
import { compare, describe as describeLine } from '../cases/compare.ts'
import { actualLine } from '../cases/embedded.ts'
import { type HistoryStep, randomHistory, runHistory } from '../cases/history.ts'
import { readCase } from '../cases/reference.ts'

const root = resolve(import.meta.dirname, '../..')
const data = join(root, 'test/cases/data')

describe.each([
  { name: 'promotion', stepCount: 20 },
  { name: 'client-near-pos', stepCount: 18 },
])('$name', ({ name, stepCount }) => {
  const reference = readCase(data, name)
  let compiled: CompiledModule

  beforeAll(async () => {
    compiled = await loadCompiled(openScenario(join(root, 'functions', `${name}.yml`)))
  })

  async function differences(steps: readonly HistoryStep[], seed: number): Promise<readonly string[]> {
    const { outputs } = await runHistory(compiled.plan, compiled.embed, reference, steps, seed)
    const { missing, unexpected, outOfOrder } = compare(
      reference.expected,
      outputs.map(record => actualLine(compiled.outputLine(record))),
    )
    return [
      ...missing.map(line => `missing ${describeLine(line)}`),
      ...unexpected.map(line => `unexpected ${describeLine(line)}`),
      ...outOfOrder.map(line => `out of order ${describeLine(line)}`),
    ]
  }

  test('the history written down', async () => {
    expect(reference.history).toHaveLength(stepCount)
    expect(await differences(reference.history!, 1)).toEqual([])
  })

  test('1,000 random histories of the same kind', async () => {
    for (let seed = 1; seed <= 1000; seed++) {
      expect(await differences(randomHistory(reference.records, seed), seed), `history of seed ${seed}`).toEqual([])
    }
  }, 120_000)
})
