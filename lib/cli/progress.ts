// `npx sluice progress`: how far a deployed scenario has come, by its own progress and not by the mapping's, and what an operator may change
// about it after a topic was recreated or a cluster restored (event-source-mapping.md 4.5).
import { type Administration, openAdministration } from '../connectors/kafka/administration.ts'
import { createKafka, defaultProgressTopic, type KafkaConfig, progressPartitions } from '../connectors/kafka/producer.ts'
import { securityFrom } from '../connectors/kafka/security.ts'
import { deployedPlan } from '../connectors/world-settings.ts'
import { groupOf } from '../plan/identity.ts'
import { type Deadline, Fenced, RetryableError, type TransactionPort } from '../runtime/ports.ts'
import { type Command, type ExitCode, type Input, type Terminal, UsageError } from './command.ts'
import { checkedScenario, loadInterpreted } from './compiled.ts'
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
    const config = configFrom(terminal)
    const scenario = input.arguments[0]
    if (input.flags.has('init') === (scenario !== undefined))
      throw new UsageError('Name a scenario, or use --init. Usage: npx sluice progress SCENARIO | --init')
    const administration = openAdministration(config)
    const kafka = createKafka(config)
    try {
      if (scenario === undefined) return await init(administration, terminal)
      return await showOrReset(scenario, input, { administration, kafka }, terminal)
    } catch (error) {
      if (!(error instanceof RetryableError || error instanceof Fenced)) throw error
      // Written for a function whose batch comes again; here nothing comes again.
      terminal.error(`${error.message.replace(/ Nothing was written, the batch comes again\./, '')}\n`)
      return 1
    } finally {
      await Promise.all([administration.close(), kafka.close()])
    }
  },
}

function configFrom({ environment }: Terminal): KafkaConfig {
  const bootstrapServers = environment['SLUICE_KAFKA']
  if (bootstrapServers === undefined || bootstrapServers === '')
    throw new UsageError(
      'SLUICE_KAFKA is not set: it holds the brokers, host:port, several separated by commas, as the function has it.',
    )
  try {
    return { bootstrapServers, clientId: 'sluice.progress', security: securityFrom(environment) }
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
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
  ports: { readonly administration: Administration; readonly kafka: TransactionPort },
  terminal: Terminal,
): Promise<ExitCode> {
  const { administration, kafka } = ports
  const target = resetTarget(input)
  const scenario = checkedScenario(openScenario(name), terminal)
  if (scenario === undefined) return 1
  const { plan } = loadInterpreted(scenario)
  const group = groupOf(deployedPlan(plan, terminal.environment))
  const { topic } = scenario.source
  const count = await administration.partitionCount(topic, within(30_000))
  const rows = await Promise.all(
    Array.from({ length: count }, async (_, partition): Promise<Row> => {
      const [position, end] = await Promise.all([
        kafka.readProgress(group, { topic, partition }, within(40_000)),
        kafka.endOffset({ topic, partition }, within(30_000)),
      ])
      return { partition, position, end }
    }),
  )
  if (target === undefined) {
    show(rows, { group, topic, json: input.flags.get('format') === 'json' }, terminal)
    return rows.some(({ position, end }) => position !== undefined && position > end) ? 1 : 0
  }
  const only = onePartition(input, count)
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
  if (changed.length === 0) {
    terminal.out('Nothing to change.\n')
    return 0
  }
  const yes = input.flags.has('yes')
  for (const { partition, position, next, end } of changed) {
    if (yes) {
      const id = { topic, partition }
      // Fences what runs: a warm container would go on from the position that it remembers.
      const session = await kafka.fence(`${group}/${topic}/${partition}`, within(40_000))
      await administration.forgetProgress(group, id, within(30_000))
      if (next !== undefined)
        await kafka.transact(session, { group, progress: id, nextOffset: next, records: [] }, within(30_000))
    }
    terminal.out(`${topic}-${partition}: ${text(position)} → ${text(next)}. ${meaning(position, next, end)}\n`)
  }
  if (!yes)
    terminal.out('Nothing was changed yet: add --yes. The mapping goes on delivering from its own position in any case.\n')
  return yes ? 0 : 1
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

function show(
  rows: readonly Row[],
  { group, topic, json }: { readonly group: string; readonly topic: string; readonly json: boolean },
  terminal: Terminal,
): void {
  if (json) {
    for (const { partition, position, end } of rows) {
      const behind = position === undefined ? null : Number(end - position)
      const fields = { topic, partition, position: position === undefined ? null : Number(position), end: Number(end), behind }
      terminal.out(`${JSON.stringify(fields)}\n`)
    }
    return
  }
  const lines = rows.map(({ partition, position, end }) => [String(partition), text(position), String(end), rest(position, end)])
  const all = [['partition', 'position', 'end', 'to do'], ...lines]
  const widths = [0, 1, 2].map(column => Math.max(...all.map(line => line[column]!.length)))
  terminal.out(`${topic}, by the progress of ${group}\n`)
  for (const line of all)
    terminal.out(`  ${line.map((cell, column) => (column === 3 ? cell : cell.padStart(widths[column]!))).join('  ')}\n`)
}

function rest(position: bigint | undefined, end: bigint): string {
  if (position === undefined) return 'what the mapping delivers: nothing is committed'
  if (position > end)
    return `${position - end} BEYOND THE END: the topic was recreated or has lost records; the function refuses to skip. See --reset`
  return String(end - position)
}

function text(position: bigint | undefined): string {
  return position === undefined ? 'none' : String(position)
}

function within(durationMs: number): Deadline {
  const endMs = Date.now() + durationMs
  return { remainingMs: () => endMs - Date.now() }
}
