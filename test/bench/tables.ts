// A decision table's time per event must not grow with its rows: 10,000 beside 10, checked against a plain look through all rows.
import type { Columns } from '../../lib/plan/plan.ts'
import { loadStages, writeTemporary } from './compiled.ts'
import { assertSame, type Figure, measure } from './measure.ts'
import { bareRecords } from './workloads.ts'

const eventCount = 2000
const rounds = 10

interface Row {
  readonly shop: string
  readonly low: number
  readonly high: number
  readonly abroad: boolean | undefined
}

interface TableEvent {
  readonly shop: string
  readonly amount: number
  readonly abroad: boolean
}

/** A tariff as companies have them: shop, range of amounts, and a flag in some rows. */
const rowsOf = (rowCount: number): readonly Row[] => {
  const shops = Math.max(2, Math.floor(rowCount / 100))
  return Array.from({ length: rowCount }, (_, row) => {
    const band = Math.floor(row / shops)
    return { shop: `s${row % shops}`, low: band * 10, high: band * 10 + 10, abroad: row % 5 === 0 ? true : undefined }
  })
}

// Few, so that writing them costs the same for both tables.
const tariffOf = (row: number) => `t${row % 10}`

// Every third event finds no row.
const eventsOf = (rows: readonly Row[]): readonly TableEvent[] =>
  Array.from({ length: eventCount }, (_, n) => {
    const row = rows[(n * 7919) % rows.length]!
    return { shop: n % 3 === 0 ? 'none' : row.shop, amount: row.low + (n % 10), abroad: n % 2 === 0 }
  })

const scenarioText = (name: string, rows: readonly Row[]): string => `scenario: ${name}
source:
  topic: amounts
  event: { shop: string, amount: int, abroad: bool }
decide:
  tariff:
    hitPolicy: first
    onMissing: empty
    table: |
      | event.shop | event.amount | event.abroad || tariff |
${rows.map(({ shop, low, high, abroad }, row) => `      | ${shop} | [${low}..${high}) | ${abroad ?? '-'} || ${tariffOf(row)} |`).join('\n')}
sinks:
  out:
    topic: tariffs
    value: { tariff: tariff.?tariff }
`

export async function tables(): Promise<readonly Figure[]> {
  const contenders = []
  for (const rowCount of [10_000, 10]) {
    const name = `tables-${rowCount}`
    const rows = rowsOf(rowCount)
    const { plan, createColumns } = await loadStages(writeTemporary(`${name}.yml`, scenarioText(name, rows)))
    const events = eventsOf(rows)
    const records = bareRecords('amounts', events.length)
    const decide = () => {
      const columns: Columns = { ...createColumns(plan, records), event: events as unknown[] }
      for (const step of plan.steps) if ('run' in step) step.run(columns)
      const outputs: { value: unknown }[] = []
      for (let i = 0; i < columns.recordCount; i++) plan.sinks[0]!.emit(columns, i, outputs as never)
      return outputs
    }
    const found = decide().map(({ value }) => value)
    assertSame(
      name,
      found,
      events.map(event => byLooking(rows, event)),
    )
    contenders.push({
      name: `tables/${rowCount} rows`,
      work: rounds,
      run: () => {
        let last: unknown
        for (let n = 0; n < rounds; n++) last = decide()
        return last
      },
    })
  }
  // A large table is many functions: V8 needs more runs until it has seen each often enough.
  return measure(contenders, { unit: 'ns CPU per event', value: cpuMs => (cpuMs * 1e6) / eventCount, warmUps: 150 })
}

function byLooking(rows: readonly Row[], { shop, amount, abroad }: TableEvent): string {
  const row = rows.findIndex(
    candidate =>
      candidate.shop === shop &&
      amount >= candidate.low &&
      amount < candidate.high &&
      (candidate.abroad === undefined || candidate.abroad === abroad),
  )
  return row < 0 ? '{}' : `{"tariff":"${tariffOf(row)}"}`
}
