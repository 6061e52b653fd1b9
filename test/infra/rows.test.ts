// Which rows decide, where `logs: { rows: true }` asks for it: a field of the metrics' line, of committed records alone.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { bundleScenario } from '../../lib/compiler/bundle.ts'
import type { embed as embedFunction } from '../../lib/connectors/embedded.ts'
import { createMetrics } from '../../lib/connectors/metrics.ts'
import type { Plan } from '../../lib/plan/plan.ts'
import { base64 } from '../runtime/plan-fixture.ts'

const scenario = `scenario: rows
description: Decisions of each kind.
source:
  topic: offers
  event: { kind: string, score: int, tags: list<string> }
filter:
  wanted: event.kind != "unwanted"
decide:
  offer:
    hitPolicy: first
    onMissing: empty
    table: |
      | event.kind | event.score || name  |
      | gold       | >= 10       || BIG   |
      | gold       | -           || SMALL |
      | silver     | > 5         || SMALL |
  best:
    hitPolicy: first
    rank: value descending
    table: |
      | event.score || value: int |
      | -           || 1          |
      | >= 10       || 3          |
  labels:
    hitPolicy: collect
    forEach: tag in event.tags
    table: |
      | tag || label  |
      | a   || first  |
      | b   || second |
      | b   || third  |
sinks:
  out:
    topic: out
    value:
      name: offer.?name
      best: best.value
      labels: labels
      broken: 10 / event.score
`

mkdirSync('.sluice', { recursive: true })
const folder = mkdtempSync(join(resolve('.sluice'), 'rows-'))
afterAll(() => rmSync(folder, { recursive: true }))

async function loaded(file: string, tellsRows: boolean): Promise<{ plan: Plan; embed: typeof embedFunction }> {
  const { code } = await bundleScenario(file, { stores: 'embedded', tellsRows })
  const bundle = join(folder, `${file.replaceAll(/\W/g, '-')}-${tellsRows}.mjs`)
  writeFileSync(bundle, code)
  return import(bundle)
}

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }
const context = { getRemainingTimeInMillis: () => 10_000 } as never

test('rows are counted by decision, from 1; for each element of a list; none where no row holds', async () => {
  const file = join(folder, 'rows.yml')
  writeFileSync(file, scenario)
  const { plan, embed } = await loaded(file, true)
  const lines: string[] = []
  const write = (line: string) => void lines.push(line)
  const metrics = createMetrics({ functionName: 'f', scenario: 'rows', generation: 1, write, nowMs: () => 0 })
  const { handler, kafka } = embed(plan, { lookups: {}, log: silent, metrics })
  const events = [
    { kind: 'gold', score: 10, tags: ['a', 'b'] },
    { kind: 'gold', score: 2, tags: [] },
    { kind: 'gold', score: 11, tags: ['c'] },
    { kind: 'silver', score: 6, tags: ['a'] },
    { kind: 'silver', score: 1, tags: ['b'] },
    // A dead letter, and one that is dropped: neither is decided on.
    { kind: 'gold', score: 0, tags: ['a'] },
    { kind: 'unwanted', score: 1, tags: ['a'] },
  ]
  const records = events.map((event, offset) => ({
    topic: 'offers',
    partition: 0,
    offset,
    timestamp: 0,
    timestampType: 'CREATE_TIME',
    value: base64(JSON.stringify(event)),
    headers: [],
  }))
  await handler({ eventSource: 'aws:kafka', bootstrapServers: '', records: { 'offers-0': records } } as never, context)
  const line = JSON.parse(lines[0]!)
  expect(line.rows).toEqual({
    offer: { row1: 2, row2: 1, row3: 1, none: 1 },
    best: { row1: 3, row2: 2 },
    labels: { row1: 2, row2: 2, row3: 2, none: 2 },
  })
  // Names of metrics have a price.
  expect(JSON.stringify(line._aws)).not.toContain('rows')
  expect(Buffer.from(kafka.committed[0]!.value!).toString()).toBe(
    '{"name":"BIG","best":3,"labels":[{"tag":"a","label":"first"},{"tag":"b","label":"second"},{"tag":"b","label":"third"}],"broken":1}',
  )
})

test('outputs are the same whether rows are told or not', async () => {
  const names = readdirSync('functions')
    .filter(file => file.endsWith('.yml'))
    .map(file => file.slice(0, -4))
    .filter(name => readFileSync(`functions/${name}.yml`, 'utf8').includes('\ndecide:'))
  expect(names.length).toBeGreaterThan(3)
  for (const name of names) {
    const outputs = await Promise.all(
      [false, true].map(async tellsRows => {
        const { plan, embed } = await loaded(`functions/${name}.yml`, tellsRows)
        expect(plan.rows !== undefined).toBe(tellsRows)
        const lookups = JSON.parse(readFileSync(`events/${name}.lookups.json`, 'utf8'))
        const { handler, kafka } = embed({ ...plan, stopAbove: 1 }, { lookups, log: silent })
        await handler(JSON.parse(readFileSync(`events/${name}.json`, 'utf8')), context)
        return kafka.committed.map(({ topic, value }) => [topic, value === null ? null : Buffer.from(value).toString()])
      }),
    )
    expect(outputs[1]).toEqual(outputs[0])
    expect(outputs[0]!.length).toBeGreaterThan(0)
  }
})
