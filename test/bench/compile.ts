// How quickly scenarios become JavaScript (warm, as in `check --watch` and the build of many functions), and how long `check` takes for a
// folder of 100 in a fresh process. The baseline reads the same files with the YAML library alone.
import assert from 'node:assert'
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { basename } from 'node:path'
import { parseDocument } from 'yaml'
import { allScenarios } from '../../lib/cli/scenario-file.ts'
import { generateModule } from '../../lib/compiler/module.ts'
import { plan } from '../../lib/compiler/planning.ts'
import { checkScenario } from '../../lib/scenario/check.ts'
import { writeTemporary } from './compiled.ts'
import { type Figure, figures, measure, median } from './measure.ts'

const paths = { standard: 'standard', plan: 'plan', failure: 'failure', columns: 'columns' }

export async function compile(): Promise<readonly Figure[]> {
  const files = allScenarios()
  const ours = () =>
    files.map(({ file, text, folder }) => {
      const { scenario } = checkScenario(file, text, folder)
      assert(scenario !== undefined, `${file} has errors`)
      return generateModule(plan(scenario), paths)
    })
  // Checked first: a module per file, the same each time.
  assert.deepEqual(ours(), ours())
  assert.equal(files.length, readdirSync('functions').filter(name => name.endsWith('.yml')).length)
  return measure(
    [
      { name: 'compile', run: ours },
      { name: 'compile floor: YAML read alone', run: () => files.map(({ text }) => parseDocument(text).toJS() as unknown) },
    ],
    { unit: 'scenarios per second of CPU', value: cpuMs => (files.length / cpuMs) * 1000 },
  )
}

const scenarioCount = 100
const runs = 5

/** 60 lines: look-ups, variables, filters, a table, two sinks, an example. */
const scenarioText = (n: number): string => `scenario: offers-${n}
description: Offers of campaign ${n}.
source:
  topic: app.visits-${n}
  batchSize: ${100 + n}
  event:
    type: string
    customerId: string
    country?: string
    usedPercent: double
    balance: double
    at: timestamp
enrich:
  profile:
    redis: hash customer:{event.customerId}
    fields: { plan: basic | plus | gold, segment: string, age: int, homeCountry: string, consent: bool }
    onMissing: drop
  contact:
    redis: hash contact-${n}:{event.customerId}
    fields: { lastAt?: timestamp, count: int = 0 }
let:
  abroad: event.?country.orValue(profile.homeCountry) != profile.homeCountry
  headroom: 100.0 - event.usedPercent
filter:
  opened: event.type == "APP_OPENED" || event.type == "LOGIN"
  consented: profile.consent
  adult: profile.age >= 18 && profile.age < ${60 + (n % 30)}
  rested: (!has(contact.lastAt)) || event.at - contact.lastAt >= duration("168h")
  notTired: contact.count < ${3 + (n % 5)}
  known: profile.segment in ["young", "family", "business"]
  needy: headroom < ${50 + (n % 40)}.0 || abroad
decide:
  offer:
    hitPolicy: first
    onMissing: drop
    table: |
      | profile.plan | abroad | event.usedPercent || action        | score: double           |
      | ------------ | ------ | ----------------- || ------------- | ----------------------- |
      | basic        | true   | >= 80             || ROAMING_PACK  | = event.balance * 2     |
      | basic        | true   | -                 || ROAMING_INFO  | 1.5                     |
      | basic        | false  | >= 90             || UPGRADE       | = event.balance + ${n}    |
      | plus         | true   | -                 || ROAMING_PACK  | 2.5                     |
      | plus         | false  | [70..95)          || DATA_DAY      | 1.0                     |
      | gold         | -      | >= 50             || THANK_YOU     | 0.5                     |
sinks:
  offers:
    topic: crm.offers-${n}
    key: event.customerId
    headers: { campaign: "offers-${n}/{offer.action}" }
    value: { customerId: event.customerId, action: offer.action, score: offer.score, decidedAt: event.at }
  audit:
    topic: crm.audit
    when: offer.score > 2.0
    value: { customerId: event.customerId, segment: profile.segment, campaign: ${n} }
examples:
  - name: a gold customer is thanked
    given:
      event: { type: LOGIN, customerId: c-1, usedPercent: 85, balance: 3.5, at: 2026-11-20T10:00:00Z }
      profile: { plan: gold, segment: young, age: 30, homeCountry: PL, consent: true }
    expect: { offers: [{ value: { customerId: c-1, action: THANK_YOU, score: 0.5, decidedAt: 2026-11-20T10:00:00Z } }] }
`

export async function check(): Promise<readonly Figure[]> {
  const files = Array.from({ length: scenarioCount }, (_, n) => writeTemporary(`offers-${n}.yml`, scenarioText(n)))
  assert.equal(scenarioText(0).trimEnd().split('\n').length, 60)
  const yamlAlone = `import { readFileSync } from 'node:fs'
import { parseDocument } from 'yaml'
for (const file of process.argv.slice(1)) parseDocument(readFileSync(file, 'utf8')).toJS()`
  const contenders = [
    { name: 'check: 100 scenarios of 60 lines, fresh process', args: ['lib/cli/main.ts', 'check', ...files] },
    { name: 'check floor: Node and YAML read alone', args: ['--input-type=module', '-e', yamlAlone, ...files] },
  ]
  const times = contenders.map((): number[] => [])
  for (let run = 0; run < runs; run++) {
    for (const [c, { args }] of contenders.entries()) {
      const { cpuSeconds, output } = cpuOf(args)
      if (c === 0) assert.match(output, /100 scenarios checked/, `check of ${basename(files[0]!)} … found something:\n${output}`)
      times[c]!.push(cpuSeconds)
    }
  }
  return figures(
    contenders.map(({ name }, c) => ({ name, value: median(times[c]!) })),
    { unit: 's CPU', runs },
  )
}

/** CPU of a process of its own, which tells it at its end. */
function cpuOf(args: readonly string[]): { readonly cpuSeconds: number; readonly output: string } {
  const tell =
    "process.on('exit', () => { const { user, system } = process.cpuUsage(); process.stderr.write(`CPU ${user + system}\\n`) })"
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['--import', `data:text/javascript,${encodeURIComponent(tell)}`, ...args],
    {
      encoding: 'utf8',
    },
  )
  assert.equal(status, 0, `${stdout}${stderr}`)
  return { cpuSeconds: Number(stderr.match(/CPU (\d+)/)![1]) / 1e6, output: stdout + stderr }
}
