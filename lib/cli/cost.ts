// `npx sluice cost`: dollars per million events, from what the compiled scenario is measured to need on its sample events.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { alarmCount } from '../../infra/observability.ts'
import { plan } from '../compiler/planning.ts'
import { totals } from '../connectors/metrics.ts'
import type { KafkaEvent } from '../runtime/event.ts'
import type { Scenario } from '../scenario/scenario.ts'
import { type Command, UsageError } from './command.ts'
import { type CompiledModule, loadCompiled, orDiagnostics } from './compiled.ts'
import { assumptions, breakEven, type Cost, containersPerMonth, costOf, flinkPerMonth, type Workload } from './cost-model.ts'
import { pricesNotedOn } from './prices.ts'
import { openScenario } from './scenario-file.ts'

export const command: Command = {
  summary: 'Tells what a scenario costs on AWS, per million events, beside Flink and containers',
  usage: 'cost SCENARIO',
  examples: [
    ['npx sluice cost telecom-campaign --rate 500', '500 events a second'],
    [
      'npx sluice cost telecom-campaign --ms 4 --batch 1000',
      'with 4 ms per 1,000 events instead of measuring, and larger batches',
    ],
  ],
  flags: {
    rate: { kind: 'value', placeholder: 'EVENTS', about: 'events a second (default 100)' },
    ms: { kind: 'value', placeholder: 'MS', about: 'CPU milliseconds per 1,000 events, instead of measuring' },
    memory: { kind: 'value', placeholder: 'MB', about: "instead of the function's memorySize" },
    batch: { kind: 'value', placeholder: 'RECORDS', about: "instead of the source's batchSize" },
    window: { kind: 'value', placeholder: 'SECONDS', about: "instead of the source's maximumBatchingWindow" },
    mode: { kind: 'value', placeholder: 'MODE', values: ['on-demand', 'provisioned'], about: 'how Lambda polls' },
    architecture: { kind: 'value', placeholder: 'NAME', values: ['arm64', 'x86_64'], about: 'default arm64' },
    format: { kind: 'value', placeholder: 'FORMAT', values: ['text', 'json'], about: 'json: one object' },
  },
  arguments: { minimum: 1, maximum: 1 },
  run: (input, terminal) =>
    orDiagnostics(terminal, async () => {
      const number = (flag: string, minimum: number): number | undefined => {
        const text = input.flags.get(flag)
        if (text === undefined) return undefined
        const value = Number(text)
        if (!Number.isFinite(value) || value < minimum)
          throw new UsageError(`"--${flag}" needs a number from ${minimum}, found "${text}"`)
        return value
      }
      const given = {
        rate: number('rate', 0.001) ?? 100,
        ms: number('ms', 0.001),
        memory: number('memory', 128),
        batch: number('batch', 1),
        window: number('window', 0),
      }
      const compiled = await loadCompiled(openScenario(input.arguments[0]!))
      const { scenario } = compiled
      const measured = given.ms === undefined ? await measure(compiled, scenario) : undefined
      const workload: Workload = {
        ...workloadOf(scenario, given.ms ?? measured!, given.rate),
        ...(given.batch !== undefined && { batchSize: given.batch }),
        ...(given.window !== undefined && { windowSeconds: given.window }),
        ...(given.memory !== undefined && { memoryMb: given.memory }),
        ...(input.flags.has('mode') && { mode: input.flags.get('mode') as Workload['mode'] }),
        architecture: (input.flags.get('architecture') ?? 'arm64') as Workload['architecture'],
      }
      const cost = costOf(workload)
      const flink = (rate: number) => flinkPerMonth(rate)
      const containers = (rate: number) => containersPerMonth(rate, workload.cpuMsPer1000)
      const others = {
        flink: { perMonth: flink(given.rate), breakEven: breakEven(workload, flink) },
        containers: { perMonth: containers(given.rate), breakEven: breakEven(workload, containers) },
      }
      if (input.flags.get('format') === 'json') {
        terminal.out(`${JSON.stringify({ scenario: scenario.name, pricesNotedOn, workload, cost, others, assumptions })}\n`)
      } else terminal.out(rendered(scenario, workload, cost, others, measured !== undefined))
      return 0
    }),
}

/** For the output of `serverless package`: CPU milliseconds per 1,000 events, with stores in memory. Undefined without a sample event. */
export async function measuredCpuMs(name: string): Promise<number | undefined> {
  if (!existsSync(join('events', `${name}.json`))) return undefined
  const compiled = await loadCompiled(openScenario(name))
  return measure(compiled, compiled.scenario, brief)
}

/** For the same: of full batches, the least that it can be, with the function's settings as they are for a stage. */
export function costInShort(
  scenario: Scenario,
  cpuMsPer1000: number,
  settings: Pick<Workload, 'memoryMb' | 'architecture'>,
): string {
  const workload = { ...workloadOf(scenario, cpuMsPer1000, 0), ...settings }
  const eventsPerSecond = Math.ceil(workload.batchSize / (workload.windowSeconds || 0.5))
  const { perMillion } = costOf({ ...workload, eventsPerSecond })
  return `${dollars(perMillion)} per million events in full batches, from ${eventsPerSecond} a second on (CPU measured here, Kafka and stores assumed)`
}

function workloadOf(scenario: Scenario, cpuMsPer1000: number, eventsPerSecond: number): Workload {
  const { settings } = scenario.source
  const dropping = [...scenario.enrichers, ...scenario.decisions].filter(({ onMissing }) => onMissing === 'drop')
  // What is left; of a cap also what it refuses.
  const ofState = scenario.state.flatMap(({ kind }) => (kind === 'cap' ? ['places', 'dropped'] : ['remembered']))
  return {
    eventsPerSecond,
    cpuMsPer1000,
    batchSize: Number(settings['batchSize'] ?? 100),
    windowSeconds: Number(settings['maximumBatchingWindow'] ?? 0.5),
    roundTrips: plan(scenario).roundTrips,
    memoryMb: literalMemory(scenario),
    architecture: 'arm64',
    mode: settings['provisionedPollerConfig'] === undefined ? 'on-demand' : 'provisioned',
    metricCount: totals.length + scenario.filters.length + dropping.length + scenario.sinks.length + ofState.length,
    alarmCount: alarmCount(scenario),
  }
}

type Others = Readonly<Record<'flink' | 'containers', { readonly perMonth: number; readonly breakEven: number | undefined }>>

function rendered(scenario: Scenario, workload: Workload, cost: Cost, others: Others, isMeasured: boolean): string {
  const row = (name: string, value: string, about: string) => `  ${name.padEnd(12)} ${value.padStart(9)}   ${about}\n`
  const other = (name: string, { perMonth, breakEven: rate }: Others['flink'], what: string) =>
    row(
      name,
      dollars(perMonth),
      `a month, ${what}; ${rate === undefined ? 'dearer up to 100,000 events/s' : rate < 1.02 ? 'cheaper at any rate' : `cheaper from about ${rounded(rate)} events/s`}`,
    )
  return [
    `${scenario.name} at ${workload.eventsPerSecond} events/s: ${dollars(cost.perMillion)} per million events, ${dollars(cost.perMonth)} a month\n\n`,
    row(
      'requests',
      dollars(cost.requests),
      `batches of ${cost.eventsPerBatch.toFixed(0)} (at most ${workload.batchSize}, ${workload.windowSeconds} s)`,
    ),
    row(
      'duration',
      dollars(cost.duration),
      `${cost.batchMs} ms a batch, ${workload.memoryMb} MB, ${workload.architecture}; ${workload.cpuMsPer1000.toFixed(2)} ms CPU per 1,000 events${isMeasured ? ', measured here with Kafka and stores in memory' : ''}`,
    ),
    row('logs', dollars(cost.logs), "a line of metrics a batch, and Lambda's own"),
    row('pollers', dollars(cost.pollers), workload.mode === 'provisioned' ? 'one poller unit, not shared' : 'on demand: free'),
    row(
      'watching',
      dollars(cost.watchingPerMonth),
      `a month: ${workload.metricCount} metrics, ${workload.alarmCount} alarms, a dashboard`,
    ),
    '\n',
    other('Flink', others.flink, `managed, at ${assumptions.flinkEventsPerSecondAndKpu} events/s per KPU (assumed)`),
    other('containers', others.containers, 'pairs on Fargate that run the same code'),
    `\nPrices of us-east-1 as noted on ${pricesNotedOn}, without free tiers; Kafka, store, NAT and traffic are left out, since all three need them.\n`,
    `Assumed: ${assumptions.commitMs} ms for a transaction, ${assumptions.roundTripMs} ms for a round trip. After a deploy give the measured ones: --ms, from REPORT lines.\n`,
  ].join('')
}

function dollars(value: number): string {
  if (value === 0) return '$0'
  return `$${value >= 100 ? value.toFixed(0) : value >= 1 ? value.toFixed(2) : value.toPrecision(2)}`
}

function rounded(rate: number): string {
  return Number(rate.toPrecision(2)).toLocaleString('en-US')
}

/** The rest of the tool's default where serverless.yml alone knows. */
function literalMemory({ functionSettings }: Scenario): number {
  const { memorySize } = functionSettings
  return typeof memorySize === 'number' ? memorySize : 1024
}

const recordsPerRound = 1000
const thorough = { warmUpRounds: 30, measuredRounds: 60 }
/** Within some 20 % of it, in a third of the time. */
const brief = { warmUpRounds: 10, measuredRounds: 15 }

/** CPU milliseconds per 1,000 events: the sample events again and again through the whole handler, stores in memory. */
async function measure(
  compiled: CompiledModule,
  scenario: Scenario,
  { warmUpRounds, measuredRounds } = thorough,
): Promise<number> {
  const file = join('events', `${scenario.name}.json`)
  if (!existsSync(file)) throw new UsageError(`There is no ${file} to measure with. Write a sample event, or give --ms`)
  const sample = JSON.parse(readFileSync(file, 'utf8')) as KafkaEvent
  const records = Object.values(sample.records).flat()
  const lookupsFile = join('events', `${scenario.name}.lookups.json`)
  const lookups = existsSync(lookupsFile) ? JSON.parse(readFileSync(lookupsFile, 'utf8')) : {}
  const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }
  // Samples show what goes wrong as well, in a share that no producer has.
  const { handler } = compiled.embed({ ...compiled.plan, stopAbove: 1 }, { lookups, log: silent })
  let offset = 0
  const round = async () => {
    const repeated = Array.from({ length: recordsPerRound }, () => {
      const record = records[offset % records.length]!
      return { ...record, partition: 0, offset: offset++ }
    })
    const event = { ...sample, records: { [`${scenario.source.topic}-0`]: repeated } }
    const before = process.cpuUsage()
    await handler(event, { getRemainingTimeInMillis: () => 60_000 } as never)
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1000
  }
  for (let i = 0; i < warmUpRounds; i++) await round()
  const times: number[] = []
  for (let i = 0; i < measuredRounds; i++) times.push(await round())
  return times.sort((a, b) => a - b)[measuredRounds >> 1]!
}
