// Planned, batched, demand-driven execution decides as a naive one does, record by record and look-up by look-up: over random scenarios, data that
// is missing or broken, stores that give no answer, and all orders of filters that the plan may choose. Neither round trips nor look-ups ever
// exceed what `explain` says, and what is remembered is not asked for again.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadCompiled, loadInterpreted } from '../../lib/cli/compiled.ts'
import { openScenario } from '../../lib/cli/scenario-file.ts'
import { explain } from '../../lib/compiler/explain.ts'
import { plan as planOf } from '../../lib/compiler/planning.ts'
import type { embed as embedPlan } from '../../lib/connectors/embedded.ts'
import type { MemoryStore, StoreContent } from '../../lib/connectors/memory.ts'
import type { LookupCommand, Plan } from '../../lib/plan/plan.ts'
import { checkScenario } from '../../lib/scenario/check.ts'
import type { Scenario } from '../../lib/scenario/scenario.ts'
import { type Decision, silent, startContainer } from './batches.ts'
import {
  itemsOf,
  type Model,
  mayRetry,
  naiveFate,
  type Random,
  randomContent,
  randomFailures,
  randomFrom,
  randomModel,
  scenarioFiles,
} from './model.ts'

const ids = Array.from({ length: 12 }, (_, n) => `id-${n}`)
/** Filters that exclude each other, rows that can never hold: told by `check`, and no scenario. */
const refusals = new Set(['never-true', 'unreachable-row', 'always-false'])

interface Subject {
  readonly model: Model
  readonly content: StoreContent
  readonly text: string
  readonly scenario: Scenario
  readonly plan: Plan
  readonly embed: typeof embedPlan
  readonly random: Random
}

test('as interpreted: 500 scenarios', async () => {
  const ends = new Map<string, number>()
  let refused = 0
  for (let seed = 1; seed <= 500; seed++) {
    const random = randomFrom(seed)
    const model = randomModel(random)
    const content = randomContent(model, ids, random)
    const { text, tables } = scenarioFiles(model, content)
    const { scenario, diagnostics } = checkScenario('random.yml', text, { readFile: path => tables[path]! })
    const errors = diagnostics.filter(({ severity }) => severity === 'error')
    expect(
      errors.filter(({ id }) => !refusals.has(id)),
      text,
    ).toEqual([])
    if (scenario === undefined) refused++
    else await agree(seed, { model, content, text, scenario, ...loadInterpreted(scenario), random }, ends)
  }
  expect(refused).toBeLessThan(50)
  // All ends of a record were met, often.
  expect([...ends.keys()].sort()).toEqual([
    'batch again',
    'dead letter',
    'dropped',
    'emitted',
    'emitted though dropped',
    'nothing',
  ])
  expect(Math.min(...ends.values())).toBeGreaterThan(20)
}, 120_000)

test('as compiled: 40 scenarios', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-'))
  try {
    for (let seed = 10_001; seed <= 10_040; seed++) {
      const random = randomFrom(seed)
      const model = randomModel(random)
      const content = randomContent(model, ids, random)
      const { text, tables } = scenarioFiles(model, content)
      if (checkScenario('random.yml', text, { readFile: path => tables[path]! }).scenario === undefined) continue
      const file = join(folder, `random-${seed}.yml`)
      writeFileSync(file, text)
      for (const [name, table] of Object.entries(tables)) writeFileSync(join(folder, name), table)
      const { scenario, plan, embed } = await loadCompiled(openScenario(file))
      await agree(seed, { model, content, text, scenario, plan, embed, random }, new Map())
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}, 120_000)

/** Two batches in one container. */
async function agree(seed: number, subject: Subject, ends: Map<string, number>): Promise<void> {
  const { model, content, text, scenario, plan, embed, random } = subject
  const world = { content, ids, failing: randomFailures(model, ids, random) }
  const said = explain(planOf(scenario))
  const place = `seed ${seed}\n${text}\n${said}`
  let store: MemoryStore | undefined
  const decide = startContainer(observe => {
    // A share of dead letters that stops a batch is another test's matter.
    const embedded = embed({ ...plan, stopAbove: 1 }, { lookups: content, failing: world.failing, log: silent, observe })
    store = embedded.store
    return embedded.handler
  })
  for (let batch = 0; batch < 2; batch++) {
    const asked = Array.from({ length: 1 + random(60) }, () => ids[random(ids.length)]!)
    const before = store!.calls.length
    const outcome = await decide(asked.map(id => ({ id, items: itemsOf(id, ids).map(item => ({ id: item })) }))).catch(
      error => error,
    )
    checkCost(store!, before, { said, batchIds: asked, place })
    if (outcome instanceof Error) {
      // A bundle has a class of its own.
      expect(outcome.name, place).toBe('RetryableError')
      expect(
        asked.some(id => mayRetry(model, id, world)),
        place,
      ).toBe(true)
      ends.set('batch again', (ends.get('batch again') ?? 0) + 1)
      // The batch would come again before the next one.
      return
    }
    asked.forEach((id, i) => {
      const end = checkFate(naiveFate(model, id, world), (outcome as readonly Decision[])[i]!, `${id}, ${place}`)
      ends.set(end, (ends.get(end) ?? 0) + 1)
    })
  }
  checkMemory(store!, model, world, place)
}

function checkFate(fate: ReturnType<typeof naiveFate>, { droppedBy, reason, outputs }: Decision, place: string): string {
  if (fate.reasons.length > 0) {
    expect(fate.reasons, place).toContain(reason)
    return 'dead letter'
  }
  expect({ reason, outputs }, place).toEqual({ reason: undefined, outputs: fate.outputs })
  if (fate.droppedBy.length === 0) {
    expect(droppedBy, place).toBeUndefined()
    return outputs.length > 0 ? 'emitted' : 'nothing'
  }
  expect(fate.droppedBy, place).toContain(droppedBy)
  return outputs.length > 0 ? 'emitted though dropped' : 'dropped'
}

interface Cost {
  readonly said: string
  readonly batchIds: readonly string[]
  readonly place: string
}

/** What this batch asked the stores, against the words of `explain`. */
function checkCost({ calls }: MemoryStore, from: number, { said, batchIds, place }: Cost): void {
  // One store of each kind in a stage: their calls come together, and a stage's are counted as one round trip.
  const fetches = [...said.matchAll(/^ {2}fetch \d+ .*$/gm)].map(([line]) => line)
  const mostRoundTrips = Number(/(\d+) round trips? per batch at most/.exec(said)?.[1] ?? 0)
  expect(fetches, place).toHaveLength(mostRoundTrips)
  const own = calls.slice(from)
  const storeOf = (call: (typeof own)[number]) =>
    ({ request: 'http', item: 'dynamodb', hash: 'redis', string: 'redis', member: 'redis' })[call[0]!.command.kind]
  for (const store of ['redis', 'http', 'dynamodb'])
    expect(own.filter(call => storeOf(call) === store).length, place).toBeLessThanOrEqual(mostRoundTrips)

  const sum = (pattern: RegExp) =>
    fetches.reduce((all, line) => all + [...line.matchAll(pattern)].reduce((most, match) => most + Number(match[1]), 0), 0)
  const distinct = [...new Set(batchIds)]
  const mostItems = distinct.reduce((count, id) => count + new Set(itemsOf(id, ids)).size, 0)
  const asked = (kind: LookupCommand['kind']) =>
    own.flat().flatMap(({ command, keys }) => (command.kind === kind ? keys : [])).length
  expect(asked('hash'), place).toBeLessThanOrEqual(
    sum(/(\d+) HMGET\b[^;]* per record/g) * distinct.length + sum(/(\d+) HMGET per element/g) * mostItems,
  )
  expect(asked('string'), place).toBeLessThanOrEqual(sum(/(\d+) GET\b[^;]* per record/g) * distinct.length)
  expect(asked('member'), place).toBeLessThanOrEqual(sum(/(\d+) SISMEMBER per record/g) * distinct.length)
  // Equal ones are made once.
  for (const call of own) {
    const identities = call.flatMap(({ command, keys }) => keys.map(key => `${JSON.stringify(command)} ${key}`))
    expect(new Set(identities).size, place).toBe(identities.length)
  }
}

/** Over both batches nothing that is remembered was asked for twice; what was broken may be. */
function checkMemory(
  { calls }: MemoryStore,
  { enrichers }: Model,
  { content, failing }: { readonly content: StoreContent; readonly failing: ReadonlySet<string> },
  place: string,
): void {
  // What two look-ups ask for each of them remembers.
  const alone = enrichers.filter(({ place }) => enrichers.filter(other => other.place === place).length === 1)
  const cached = alone.filter(({ isCached }) => isCached).map(one => `e${one.place}`)
  const counts = new Map<string, number>()
  for (const { command, keys } of calls.flat())
    for (const own of keys) {
      const key = command.kind === 'item' ? `${command.table} ${own}` : own
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
  for (const [key, count] of counts) {
    const isCached = cached.some(
      name => key.startsWith(`${name}:`) || key.startsWith(`items-${name} `) || key.startsWith(`http://service.example/${name}/`),
    )
    if (isCached && !failing.has(key) && !isBroken(content[key])) expect(count, `${key}, ${place}`).toBe(1)
  }
}

function isBroken(entry: StoreContent[string] | undefined): boolean {
  return entry !== undefined && /no hash|no text|no set|no JSON|many/.test(JSON.stringify(entry))
}
