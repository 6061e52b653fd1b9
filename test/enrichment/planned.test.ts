// Planned, batched, demand-driven execution decides as a naive one does, record by record and look-up by look-up: over random scenarios, data that
// is missing or broken, and all orders of filters that the plan may choose. Round trips never exceed what `explain` says.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadCompiled, loadInterpreted } from '../../lib/cli/compiled.ts'
import { openScenario } from '../../lib/cli/scenario-file.ts'
import { plan as planOf } from '../../lib/compiler/planning.ts'
import type { embed as embedPlan } from '../../lib/connectors/embedded.ts'
import type { MemoryStore } from '../../lib/connectors/memory.ts'
import type { Plan } from '../../lib/plan/plan.ts'
import { checkScenario } from '../../lib/scenario/check.ts'
import type { Scenario } from '../../lib/scenario/scenario.ts'
import { decideBatch, silent } from './batches.ts'
import { naiveFate, type Random, randomContent, randomFrom, randomModel, scenarioText } from './model.ts'

const ids = Array.from({ length: 12 }, (_, n) => `id-${n}`)

test('as interpreted: 300 scenarios', async () => {
  const ends = new Map<string, number>()
  for (let seed = 1; seed <= 300; seed++) {
    const random = randomFrom(seed)
    const model = randomModel(random)
    const { scenario, diagnostics } = checkScenario('random.yml', scenarioText(model))
    // Filters that exclude each other are told, and are no scenario.
    if (diagnostics.some(({ id }) => id === 'never-true')) continue
    expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([])
    await agree(seed, { model, scenario: scenario!, ...loadInterpreted(scenario!), random }, ends)
  }
  // All ends of a record were met, often.
  expect([...ends.keys()].sort()).toEqual(['dead letter', 'dropped', 'emitted', 'nothing'])
  expect(Math.min(...ends.values())).toBeGreaterThan(100)
})

test('as compiled: 25 scenarios', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-'))
  try {
    for (let seed = 1001; seed <= 1025; seed++) {
      const random = randomFrom(seed)
      const model = randomModel(random)
      const file = join(folder, `random-${seed}.yml`)
      writeFileSync(file, scenarioText(model))
      const { scenario, plan, embed } = await loadCompiled(openScenario(file))
      await agree(seed, { model, scenario, plan, embed, random }, new Map())
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}, 60_000)

interface Subject {
  readonly model: ReturnType<typeof randomModel>
  readonly scenario: Scenario
  readonly plan: Plan
  readonly embed: typeof embedPlan
  readonly random: Random
}

async function agree(seed: number, { model, scenario, plan, embed, random }: Subject, ends: Map<string, number>): Promise<void> {
  const content = randomContent(model, ids, random)
  const batch = Array.from({ length: 1 + random(60) }, () => ids[random(ids.length)]!)
  let store: MemoryStore | undefined
  const decisions = await decideBatch(observe => {
    // A share of dead letters that stops a batch is another test's matter.
    const embedded = embed({ ...plan, stopAbove: 1 }, { lookups: content, log: silent, observe })
    store = embedded.store
    return embedded.handler
  }, batch)
  const { calls } = store!

  expect(calls.length, `round trips of seed ${seed}`).toBeLessThanOrEqual(planOf(scenario).roundTrips)
  for (const call of calls) {
    for (const { keys } of call) expect(new Set(keys).size, `keys of seed ${seed}`).toBe(keys.length)
  }
  for (const [i, id] of batch.entries()) {
    const fate = naiveFate(model, id, content)
    const { droppedBy, reason, outputs } = decisions[i]!
    const place = `seed ${seed}, ${id}, ${scenarioText(model)}`
    if (fate.droppedBy.length > 0) expect(fate.droppedBy, place).toContain(droppedBy)
    else if (fate.reasons.length > 0) expect(fate.reasons, place).toContain(reason)
    else expect({ droppedBy, reason, outputs }, place).toEqual({ droppedBy: undefined, reason: undefined, outputs: fate.outputs })
    const end =
      droppedBy !== undefined ? 'dropped' : reason !== undefined ? 'dead letter' : outputs.length > 0 ? 'emitted' : 'nothing'
    ends.set(end, (ends.get(end) ?? 0) + 1)
  }
}
