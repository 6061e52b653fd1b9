// `npx sluice invoke`: one Lambda event through the compiled scenario, on embedded stores; `--why` shows what decided.
import { existsSync, readFileSync } from 'node:fs'
import type { StoreContent } from '../connectors/memory.ts'
import type { KafkaEvent } from '../runtime/event.ts'
import type { Decided } from '../runtime/handler.ts'
import type { Scenario } from '../scenario/scenario.ts'
import { type Command, type ExitCode, type Terminal, UsageError } from './command.ts'
import { type CompiledModule, loadCompiled, loadInterpreted, orDiagnostics } from './compiled.ts'
import { openScenario, type ScenarioFile } from './scenario-file.ts'
import { decisionLines } from './trace.ts'

export const command: Command = {
  summary: 'Runs a Lambda event through the compiled scenario, on embedded stores',
  usage: 'invoke SCENARIO [--event FILE]',
  examples: [
    ['npx sluice invoke telecom-campaign --why', 'events/telecom-campaign.json, with what decided for each record'],
    ['npx sluice invoke telecom-campaign --event events/odd/tombstone.json', 'another event'],
  ],
  flags: {
    event: { kind: 'value', placeholder: 'FILE', about: 'a Lambda event; default: events/SCENARIO.json' },
    lookups: { kind: 'value', placeholder: 'FILE', about: "the embedded store's content; default: events/SCENARIO.lookups.json" },
    why: { kind: 'switch', about: 'shows per record what was looked up and what decided' },
    format: {
      kind: 'value',
      placeholder: 'FORMAT',
      values: ['text', 'json'],
      about: 'json: one object a line per output or dead letter',
    },
  },
  arguments: { minimum: 1, maximum: 1 },
  run: (input, terminal) =>
    orDiagnostics(terminal, async () => {
      const file = openScenario(input.arguments[0]!)
      const compiled = await loadCompiled(file)
      const options = { event: input.flags.get('event'), lookups: input.flags.get('lookups') }
      const format = input.flags.get('format') === 'json' ? 'json' : input.flags.has('why') ? 'why' : 'text'
      return await invoke(file, compiled, { ...samplesOf(compiled.scenario, options), format }, terminal)
    }),
}

/** Names of the files with a scenario's sample data. */
export function samplesOf(
  { name }: Scenario,
  given: { readonly event?: string | undefined; readonly lookups?: string | undefined } = {},
) {
  return {
    eventFile: given.event ?? `events/${name}.json`,
    lookupsFile: given.lookups ?? `events/${name}.lookups.json`,
    lookupsGiven: given.lookups !== undefined,
  }
}

export interface InvokeOptions {
  readonly eventFile: string
  readonly lookupsFile: string
  readonly lookupsGiven?: boolean
  readonly format: 'text' | 'json' | 'why'
}

export async function invoke(
  file: ScenarioFile,
  compiled: CompiledModule & { readonly scenario: Scenario },
  { eventFile, lookupsFile, lookupsGiven = false, format }: InvokeOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const event = readJson(eventFile, 'a Lambda event of a Kafka trigger') as KafkaEvent
  const lookups = (existsSync(lookupsFile) || lookupsGiven ? readJson(lookupsFile, 'look-ups by key') : {}) as StoreContent
  const { scenario, outputLine } = compiled
  const logged: string[] = []
  const log = { info: () => undefined, warn: () => undefined, error: (message: string) => void logged.push(message) }
  const context = { getRemainingTimeInMillis: () => 60_000 }
  const { handler, kafka } = compiled.embed(compiled.plan, { lookups, log })
  try {
    await (handler as (event: KafkaEvent, context: unknown) => Promise<unknown>)(event, context)
  } catch (error) {
    terminal.error(`${(error as Error).message}\n`)
    return 1
  }
  if (format === 'json') {
    for (const record of kafka.committed) terminal.out(`${outputLine(record)}\n`)
    return 0
  }
  // The trace comes from the interpreted plan over the same data: compiled code keeps no notes.
  const interpreted = loadInterpreted(scenario)
  let decided: Decided | undefined
  const second = interpreted.embed(interpreted.plan, {
    lookups,
    log,
    observe: observed => {
      decided = observed
    },
  })
  await (second.handler as (event: KafkaEvent, context: unknown) => Promise<unknown>)(event, context)
  if (second.kafka.committed.map(outputLine).join('\n') !== kafka.committed.map(outputLine).join('\n')) {
    terminal.error('The compiled and the interpreted scenario disagree: a defect of sluice, please report it with this event.\n')
    return 1
  }
  const recordCount = Object.values(event.records).reduce((count, records) => count + records.length, 0)
  terminal.out(
    `${scenario.name}: ${recordCount} records of ${eventFile}, look-ups from ${existsSync(lookupsFile) ? lookupsFile : 'an empty store'}\n\n`,
  )
  for (const line of decisionLines({
    scenario,
    file,
    event,
    decided,
    outputs: kafka.committed,
    outputLine,
    why: format === 'why',
    colors: terminal.colors,
  })) {
    terminal.out(`${line}\n`)
  }
  return 0
}

function readJson(file: string, what: string): unknown {
  if (!existsSync(file))
    throw new UsageError(`There is no file ${file}; it would hold ${what}. Name another with a flag: npx sluice invoke --help`)
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new UsageError(`${file} is not JSON: ${(error as Error).message}`)
  }
}
