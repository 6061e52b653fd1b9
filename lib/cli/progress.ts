// `npx sluice progress`: how far a deployed scenario has come, by its own progress and not by the mapping's, and what an operator may change
// about it after a topic was recreated or a cluster restored (event-source-mapping.md 4.5).
import { type Administration, openAdministration } from '../connectors/kafka/administration.ts'
import { defaultProgressTopic, type KafkaConfig, progressPartitions } from '../connectors/kafka/producer.ts'
import { groupOf } from '../plan/identity.ts'
import type { Plan } from '../plan/plan.ts'
import { type Deadline, Fenced, RetryableError } from '../runtime/ports.ts'
import { type Command, type ExitCode, type Input, type Terminal, UsageError } from './command.ts'
import { checkedScenario, loadInterpreted } from './compiled.ts'
import { kafkaConfigFrom, planAsDeployed } from './deployed.ts'
import { openPositions, type Positions } from './progress/positions.ts'
import { openScenario } from './scenario-file.ts'

export const command: Command = {
  summary: 'Shows how far a scenario has come on the cluster; sets it anew',
  usage: 'progress SCENARIO | --init',
  examples: [
    ['npx sluice progress telecom-campaign', 'position, end and rest of each partition, on the brokers of SLUICE_KAFKA'],
    ['npx sluice progress telecom-campaign --reset none', 'tells what would change: nothing is skipped any more'],
    ['npx sluice progress telecom-campaign --reset 1200 --partition 3 --yes', 'records of partition 3 below 1,200 count as done'],
    ['npx sluice progress --init', `makes the topic ${defaultProgressTopic}, once per cluster before Kafka 4.0`],
  ],
  flags: {
    init: { kind: 'switch', about: `makes the topic ${defaultProgressTopic}` },
    reset: { kind: 'value', placeholder: 'POSITION', about: 'none (forgotten), end (all is done), or an offset' },
    partition: { kind: 'value', placeholder: 'NUMBER', about: 'resets this one alone' },
    yes: { kind: 'switch', about: 'does what --reset tells' },
    format: { kind: 'value', placeholder: 'FORMAT', values: ['text', 'json'], about: 'json: one object a line' },
  },
  arguments: { minimum: 0, maximum: 1 },
  async run(input, terminal) {
    const config = kafkaConfigFrom(terminal, 'sluice.progress')
    const scenario = input.arguments[0]
    if (input.flags.has('init') === (scenario !== undefined))
      throw new UsageError('Name a scenario, or use --init. Usage: npx sluice progress SCENARIO | --init')
    const administration = openAdministration(config)
    try {
      if (scenario === undefined) return await init(administration, terminal)
      return await showOrReset(scenario, input, { administration, config }, terminal)
    } catch (error) {
      if (!(error instanceof RetryableError || error instanceof Fenced)) throw error
      // Written for a function whose batch comes again; here nothing comes again.
      terminal.error(`${error.message.replace(/ (Nothing was \w+, )?the batch comes again\./i, '')}\n`)
      return 1
    } finally {
      await administration.close()
    }
  },
}

async function init(administration: Administration, terminal: Terminal): Promise<ExitCode> {
  const made = await administration.createProgressTopic(within(30_000))
  if (made)
    terminal.out(
      `The topic ${defaultProgressTopic} was made, with ${progressPartitions} partitions. Nothing is ever written to it.\n`,
    )
  else {
    const count = await administration.partitionCount(defaultProgressTopic, within(30_000))
    terminal.out(`The topic ${defaultProgressTopic} is there already, with ${count} partitions.\n`)
  }
  return 0
}

interface Row {
  readonly partition: number
  readonly position: bigint | undefined
  readonly end: bigint
}

async function showOrReset(
  name: string,
  input: Input,
  { administration, config }: { readonly administration: Administration; readonly config: KafkaConfig },
  terminal: Terminal,
): Promise<ExitCode> {
  const target = resetTarget(input)
  const scenario = checkedScenario(openScenario(name), terminal)
  if (scenario === undefined) return 1
  const plan = planAsDeployed(loadInterpreted(scenario).plan, terminal)
  const { topic } = plan.source
  const json = input.flags.get('format') === 'json'
  const positions = openPositions({ plan, config, administration, terminal })
  if (positions === undefined) return tellNone(plan, { json, isReset: target !== undefined }, terminal)
  try {
    const count = await administration.partitionCount(topic, within(30_000))
    const rows = await Promise.all(
      Array.from({ length: count }, async (_, partition): Promise<Row> => {
        const id = { topic, partition }
        const [position, end] = await Promise.all([positions.read(id), positions.end(id)])
        return { partition, position, end }
      }),
    )
    if (target !== undefined) return await reset(rows, target, { plan, positions, input, json }, terminal)
    show(rows, { plan, json }, terminal)
    return rows.some(({ position, end }) => position !== undefined && position > end) ? 1 : 0
  } finally {
    await positions.close()
  }
}

/** At least once without state: what stands in Kafka under our name is of other times, and nobody reads it. */
function tellNone(
  { scenario, source: { topic } }: Plan,
  { json, isReset }: { readonly json: boolean; readonly isReset: boolean },
  terminal: Terminal,
): ExitCode {
  const told = `"${scenario}" delivers at least once and keeps no position of its own: the event source mapping's alone counts, and nothing that it delivers is skipped.`
  if (isReset)
    throw new UsageError(
      `${told} There is nothing to reset. To have records decided again, or left out, set the offsets of the mapping's consumer group while the mapping is disabled (kafka-consumer-groups.sh --reset-offsets --topic ${topic}).`,
    )
  if (!json) terminal.out(`${told}\n`)
  return 0
}

interface Reset {
  readonly plan: Plan
  readonly positions: Positions
  readonly input: Input
  readonly json: boolean
}

async function reset(
  rows: readonly Row[],
  target: 'none' | 'end' | bigint,
  { plan, positions, input, json }: Reset,
  terminal: Terminal,
): Promise<ExitCode> {
  const { topic } = plan.source
  const only = onePartition(input, rows.length)
  const changed = rows
    .filter(row => only === undefined || row.partition === only)
    .map(row => ({ ...row, next: target === 'none' ? undefined : target === 'end' ? row.end : target }))
    .filter(({ position, next }) => position !== next)
  for (const { partition, next, end } of changed) {
    if (next !== undefined && next > end)
      throw new UsageError(
        `Partition ${partition} of ${topic} ends at ${end}: position ${next} lies beyond, and would stop the function.`,
      )
  }
  for (const { partition, position, next } of changed) {
    const floor = await positions.floor({ topic, partition }, position)
    if (floor !== undefined && (next === undefined || next < floor)) return refuseBack(plan, { partition, next, floor }, terminal)
  }
  if (changed.length === 0) {
    if (!json) terminal.out('Nothing to change.\n')
    return 0
  }
  const yes = input.flags.has('yes')
  for (const { partition, position, next, end } of changed) {
    if (yes) await positions.set({ topic, partition }, next)
    if (json) {
      const fields = { topic, partition, position: numberOf(position), next: numberOf(next), end: Number(end), reset: yes }
      terminal.out(`${JSON.stringify(fields)}\n`)
      continue
    }
    const also = plan.state === undefined ? '' : ' They leave nothing, and what an attempt at them has left is taken back.'
    terminal.out(`${topic}-${partition}: ${text(position)} → ${text(next)}. ${meaning(position, next, end)}${also}\n`)
  }
  if (!yes && !json)
    terminal.out('Nothing was changed yet: add --yes. The mapping goes on delivering from its own position in any case.\n')
  return yes ? 0 : 1
}

/**
 * As with replay: a record that is decided again would see what it has left itself, and what later ones have. The state of an earlier position is not
 * there any more.
 */
function refuseBack(
  { scenario, source: { topic } }: Plan,
  { partition, next, floor }: { readonly partition: number; readonly next: bigint | undefined; readonly floor: bigint },
  terminal: Terminal,
): ExitCode {
  const from = next === undefined ? `below ${floor}` : next === floor - 1n ? `${next}` : `${next} to ${floor - 1n}`
  terminal.error(
    `"${scenario}" has state, and its records ${from} of ${topic}-${partition} have left theirs: decided again they would be judged by what they and later ones have left, and leave it a second time. Nothing was changed. To have them decided again raise "generation": all records that the topic still holds are decided from empty state, and their outputs come under new idempotency keys. Ahead the position may be set: "end", or an offset above ${floor}.\n`,
  )
  return 1
}

function resetTarget({ flags }: Input): 'none' | 'end' | bigint | undefined {
  const given = flags.get('reset')
  if (given === undefined) {
    for (const flag of ['yes', 'partition']) if (flags.has(flag)) throw new UsageError(`"--${flag}" goes with --reset alone`)
    return undefined
  }
  if (given === 'none' || given === 'end') return given
  if (!/^\d{1,18}$/.test(given)) throw new UsageError(`"--reset" takes none, end or an offset, found "${given}"`)
  return BigInt(given)
}

function onePartition({ flags }: Input, count: number): number | undefined {
  const given = flags.get('partition')
  if (given === undefined) return undefined
  if (!/^\d{1,9}$/.test(given) || Number(given) >= count)
    throw new UsageError(`"--partition" takes 0 to ${count - 1}, found "${given}"`)
  return Number(given)
}

/** What the change does to records that come, in words: skipping is silent later. */
function meaning(position: bigint | undefined, next: bigint | undefined, end: bigint): string {
  if (next === undefined) return 'All that the mapping delivers is decided, also what was decided before.'
  if (position === undefined || next > position) {
    const from = position === undefined ? '' : ` from ${position}`
    return `Records${from} up to ${next - 1n} count as done and are skipped${next === end ? ': all there are' : ''}.`
  }
  return `Records ${next} to ${position - 1n} are decided and emitted again, if the mapping delivers them.`
}

function show(rows: readonly Row[], { plan, json }: { readonly plan: Plan; readonly json: boolean }, terminal: Terminal): void {
  const { topic } = plan.source
  if (json) {
    for (const { partition, position, end } of rows) {
      const behind = position === undefined ? null : Number(end - position)
      const fields = { topic, partition, position: numberOf(position), end: Number(end), behind }
      terminal.out(`${JSON.stringify(fields)}\n`)
    }
    return
  }
  const lines = rows.map(({ partition, position, end }) => [
    String(partition),
    text(position),
    String(end),
    rest(position, end, plan),
  ])
  const all = [['partition', 'position', 'end', 'to do'], ...lines]
  const widths = [0, 1, 2].map(column => Math.max(...all.map(line => line[column]!.length)))
  terminal.out(`${topic}, by the progress of ${groupOf(plan)}\n`)
  for (const line of all)
    terminal.out(`  ${line.map((cell, column) => (column === 3 ? cell : cell.padStart(widths[column]!))).join('  ')}\n`)
}

function rest(position: bigint | undefined, end: bigint, { state }: Plan): string {
  if (position === undefined) return 'what the mapping delivers: nothing is committed'
  if (position > end)
    return `${position - end} BEYOND THE END: the topic was recreated or has lost records; the function refuses to skip. ${state === undefined ? 'See --reset' : 'Raise "generation"'}`
  return String(end - position)
}

function numberOf(position: bigint | undefined): number | null {
  return position === undefined ? null : Number(position)
}

function text(position: bigint | undefined): string {
  return position === undefined ? 'none' : String(position)
}

function within(durationMs: number): Deadline {
  const endMs = Date.now() + durationMs
  return { remainingMs: () => endMs - Date.now() }
}
