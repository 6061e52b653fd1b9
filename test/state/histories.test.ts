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

  /** Copies left out, which are equal to the byte: how many there were, and what differs then. */
  async function atLeastOnce(steps: readonly HistoryStep[], seed: number) {
    const plan = { ...compiled.plan, delivery: 'at-least-once' as const }
    const { outputs, state } = await runHistory(plan, compiled.embed, reference, steps, seed)
    const lines = outputs.map(record => compiled.outputLine(record))
    const once = [...new Set(lines)]
    const { missing, unexpected } = compare(reference.expected, once.map(actualLine))
    const found = [
      ...missing.map(line => `missing ${describeLine(line)}`),
      ...unexpected.map(line => `unexpected ${describeLine(line)}`),
    ]
    const values = [...state.items].map(([key, { base, head, at, tp }]) => {
      const [topic, partition] = [tp.slice(0, tp.lastIndexOf('/')), tp.slice(tp.lastIndexOf('/') + 1)]
      const { position } = state.locks.get(`sluice:${name}.1@${topic}/${partition}`)!
      return `${key} ${at < position! ? head : base}`
    })
    const places = [...state.caps].map(([key, held]) => `${key} ${[...held.keys()].sort().join(' ')}`)
    return { found, copies: lines.length - once.length, left: [...values, ...places].sort() }
  }

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

  test('at least once, 300 random histories: copies are equal to the byte, state is right in the end', async () => {
    const fates = ['committed', 'committed', 'lost', 'state-only', 'emitted', 'emitted', 'unacknowledged'] as const
    const allAtOnce = randomHistory(reference.records, 1, ['committed'])
    const { found, copies, left } = await atLeastOnce(allAtOnce, 1)
    expect([found, copies]).toEqual([[], 0])
    let copyCount = 0
    for (let seed = 1; seed <= 300; seed++) {
      const outcome = await atLeastOnce(randomHistory(reference.records, seed, fates), seed)
      expect(outcome, `history of seed ${seed}`).toEqual({ found: [], copies: expect.any(Number), left })
      copyCount += outcome.copies
    }
    expect(copyCount).toBeGreaterThan(300)
  }, 120_000)
})
