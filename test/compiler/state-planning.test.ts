// Whatever passes the checks can be planned: nothing waits for ever, and each part has its time. Scenarios are drawn at random; references
// between parts keep an order, but for what `when` and `set` of remembered values read, and caps.
import { expect, test } from 'vitest'
import { type Planning, plan } from '../../lib/compiler/planning.ts'
import { checkScenario } from '../../lib/scenario/check.ts'
import type { Scenario } from '../../lib/scenario/scenario.ts'

const values = ['a.n', 'b.n', 'c.n', 'u', 'v', 'w', 'x.n', 'y.n', 'd.n']

test('each filter, look-up, decision and entry has its time', () => {
  let planned = 0
  for (let seed = 1; seed <= 400; seed++) {
    const text = scenarioText(randomFrom(seed))
    const { scenario } = checkScenario('functions/test.yml', text)
    if (scenario === undefined) continue
    planned++
    expect(leftOver(scenario, plan(scenario)), `seed ${seed}\n${text}`).toEqual([])
  }
  expect(planned).toBeGreaterThan(200)
})

function leftOver(scenario: Scenario, { stages }: Planning): readonly string[] {
  const found = new Set(
    stages.flatMap(stage => {
      switch (stage.kind) {
        case 'filter':
          return stage.conditions.map(({ name }) => `filter ${name}`)
        case 'settle':
          return [...stage.conditions.map(({ name }) => `filter ${name}`), ...stage.entries.map(({ name }) => `settle ${name}`)]
        case 'fetch':
          return [...stage.lookups.map(({ enricher }) => enricher), ...stage.entries.map(({ entry }) => entry)].map(
            ({ name }) => `fetch ${name}`,
          )
        case 'decide':
          return stage.decisions.map(({ decision }) => `decide ${decision.name}`)
        case 'write':
          return stage.entries.map(({ name }) => `write ${name}`)
      }
    }),
  )
  const dropping = [...scenario.enrichers, ...scenario.decisions].filter(({ onMissing }) => onMissing === 'drop')
  const remember = scenario.state.filter(({ kind }) => kind === 'remember')
  const needed = [
    ...[...scenario.filters, ...dropping].map(({ name }) => `filter ${name}`),
    ...remember.flatMap(({ name }) => [`fetch ${name}`, `settle ${name}`]),
    ...scenario.state.map(({ name }) => `write ${name}`),
    // The sinks read all of them.
    ...scenario.enrichers.map(({ name }) => `fetch ${name}`),
    ...scenario.decisions.map(({ name }) => `decide ${name}`),
  ]
  return needed.filter(name => !found.has(name))
}

function scenarioText(random: () => number): string {
  const pick = (from: readonly string[]): string => from[Math.floor(random() * from.length)]!
  const order = values.map(name => ({ name, at: random() })).toSorted((one, other) => one.at - other.at)
  const before = (owner: string) =>
    order
      .slice(
        0,
        order.findIndex(({ name }) => name === owner),
      )
      .map(({ name }) => name)
  const sum = (from: readonly string[]): string => {
    const parts = [pick(['event.n', ...from])]
    while (random() < 0.3) parts.push(pick(['event.n', ...from]))
    return parts.join(' + ')
  }
  const lookup = (name: string) => {
    const key = random() < 0.5 ? 'event.n' : sum(before(`${name}.n`))
    return `  ${name}: { redis: "hash ${name}:{${key}}", fields: { n: int ${random() < 0.3 ? '}, onMissing: drop' : '= 0 }'} }`
  }
  const entry = (name: string) => {
    const when = pick(['', '    when: true\n', `    when: f && ${sum(values)} > 3\n`, `    when: ${sum(values)} > 3\n`])
    const key = random() < 0.7 ? 'event.n' : sum(before(`${name}.n`))
    return `  ${name}:\n    key: ${key}\n    fields: { n: int = 0 }\n${when}    set: { n: ${pick(['event.n', ...values])} }`
  }
  return `scenario: test
source: { topic: source, event: { n: int } }
enrich:
${['a', 'b', 'c'].map(lookup).join('\n')}
let:
${['u', 'v', 'w'].map(name => `  ${name}: ${sum(before(name))}`).join('\n')}
filter:
  f: ${sum(values)} > 2
  g: ${sum(values)} < 5
decide:
  d:
    hitPolicy: first
${random() < 0.3 ? '    onMissing: drop\n' : ''}    rules:
      - when: ${sum(before('d.n'))} > 4
        then: { n: ${pick(['event.n', ...before('d.n')])} }
      - then: { n: 1 }
state:
${['x', 'y'].map(entry).join('\n')}
  most: { key: "{${sum(values)}}", limit: 2 }
sinks:
  out:
    topic: out
    when: ${sum(values)} > ${random() < 0.3 ? 'most.number' : '0'}
    key: event.n
    value: { n: ${values.join(' + ')}, number: most.number }
  dropped: { on: dropped, topic: dropped, when: ${sum(values)} > 1, key: event.n, value: { n: event.n } }
`
}

/** Mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
