// `npx sluice replay`: dead letters through the current rules again, once each, however often it is run or killed; `--show` only looks.

import { type LogReader, openLog } from '../connectors/kafka/log.ts'
import { createKafka, type KafkaConfig, type KafkaPort } from '../connectors/kafka/producer.ts'
import { realWorld } from '../connectors/world.ts'
import { deadLetterTopicOf } from '../connectors/world-settings.ts'
import type { ConsumedRecord } from '../emulator/event.ts'
import { deadLetterReasons } from '../plan/failure.ts'
import { groupOf, identityOf, isOfFamily } from '../plan/identity.ts'
import type { Plan } from '../plan/plan.ts'
import { type Deadline, Fenced, RetryableError } from '../runtime/ports.ts'
import { type Command, type ExitCode, type Input, type Terminal, UsageError } from './command.ts'
import { checkedScenario, loadInterpreted } from './compiled.ts'
import { connectorsOf } from './connectors.ts'
import { asUse, kafkaConfigFrom, planAsDeployed } from './deployed.ts'
import { type Coordinates, coordinatesText, type DeadLetter, parseCoordinates, readDeadLetters } from './replay/dead-letters.ts'
import { type Complete, createSender, type Outcome, type Sender, TakenOver } from './replay/sending.ts'
import { openScenario } from './scenario-file.ts'

export const command: Command = {
  summary: 'Sends dead letters through the current rules again, once each',
  usage: 'replay SCENARIO [COORDINATES…]',
  examples: [
    ['npx sluice replay telecom-campaign --show', 'dead letters that were not replayed yet: why, where, when, with their bytes'],
    ['npx sluice replay telecom-campaign app.locations-3@1842907', 'this one alone; the log names its coordinates'],
    [
      'npx sluice replay telecom-campaign --reason missing-field --since 2h',
      'those of one reason, of records of the last two hours',
    ],
  ],
  flags: {
    reason: { kind: 'value', placeholder: 'REASON', values: deadLetterReasons, about: 'only dead letters of this reason' },
    since: {
      kind: 'value',
      placeholder: 'TIME',
      about: "records from then on: 2026-11-25T10:00:00Z, or 2h, 7d ago; by the record's time",
    },
    until: { kind: 'value', placeholder: 'TIME', about: 'records before then' },
    show: { kind: 'switch', about: 'shows them, with the records as they came, and sends nothing' },
    format: { kind: 'value', placeholder: 'FORMAT', values: ['text', 'json'], about: 'json: one object a line' },
  },
  arguments: { minimum: 1, maximum: Number.POSITIVE_INFINITY },
  run: (input, terminal) => runReplay(input, terminal, createKafka),
}

/** `connect`: tests look at what is sent, and end there. */
export async function runReplay(
  input: Input,
  terminal: Terminal,
  connect: (config: KafkaConfig) => KafkaPort,
): Promise<ExitCode> {
  const config = kafkaConfigFrom(terminal, 'sluice.replay')
  const selection = selectionFrom(input, Date.now())
  const scenario = checkedScenario(openScenario(input.arguments[0]!), terminal)
  if (scenario === undefined) return 1
  const plan = planAsDeployed(loadInterpreted(scenario).plan, terminal)
  const log = openLog(config)
  const kafka = connect({ ...config, delivery: plan.delivery })
  try {
    const topic = deadLetterTopicOf(plan, terminal.environment)
    const task: Task = { plan, topic, log, selection, json: input.flags.get('format') === 'json' }
    if (input.flags.has('show')) return await show(task, terminal)
    if (plan.state !== undefined) return refuseState(plan, terminal)
    const connectors = await connectorsOf(plan, terminal.environment)
    const { stores, deadLetterTopic } = asUse(() =>
      realWorld(plan, { ...terminal.environment, SLUICE_METRICS: 'off' }, connectors),
    )
    try {
      const sender = createSender({ plan, kafka, world: { stores, deadLetterTopic }, nowMs: Date.now })
      return await replay(task, sender, terminal)
    } finally {
      await Promise.all(Object.values(stores).map(store => store?.close()))
    }
  } catch (error) {
    if (error instanceof TakenOver) {
      terminal.error('Another replay of this scenario has begun and goes on; this one ended. What it had sent is marked.\n')
      return 1
    }
    if (!(error instanceof RetryableError || error instanceof Fenced)) throw error
    // Written for a function whose batch comes again.
    const told = error.message.replace(
      / (Nothing was written, t|The transaction was aborted, t|T)he batch comes again[^.]*\./,
      '',
    )
    terminal.error(`${told} Run the command again: what was sent before is marked, and is not sent twice.\n`)
    return 1
  } finally {
    await Promise.all([log.close(), kafka.close()])
  }
}

/**
 * A record out of its order would be judged by what later ones have left, and leave what they have replaced. Nobody can tell whether it may be: for
 * "the first visit" it may not, for an address of a mail it could. A new record at the end of its topic is right for all rules, and has its own time.
 */
function refuseState({ scenario, source: { topic } }: Plan, terminal: Terminal): ExitCode {
  terminal.error(
    `"${scenario}" has state, and a record that comes late would be judged by what later ones have left: its dead letters are shown (--show), and not sent. Either let the producer send those records to "${topic}" again: as new ones, of their new time (--show --format json has their bytes). Or raise "generation": all records that the topic still holds are decided from empty state, and their outputs come again under new idempotency keys.\n`,
  )
  return 1
}

interface Selection {
  /** Empty: all that fit. */
  readonly coordinates: readonly Coordinates[]
  readonly reason: string | undefined
  readonly sinceMs: number
  readonly untilMs: number
}

function selectionFrom(input: Input, nowMs: number): Selection {
  const time = (flag: 'since' | 'until', otherwise: number): number => {
    const given = input.flags.get(flag)
    return given === undefined ? otherwise : timeFrom(flag, given, nowMs)
  }
  const coordinates = input.arguments.slice(1).map(text => {
    const parsed = parseCoordinates(text)
    if (parsed === undefined)
      throw new UsageError(`"${text}" is not where a record stands: topic-partition@offset, as in app.visits-3@1842907`)
    return parsed
  })
  return {
    coordinates,
    reason: input.flags.get('reason'),
    sinceMs: time('since', Number.NEGATIVE_INFINITY),
    untilMs: time('until', Number.POSITIVE_INFINITY),
  }
}

const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

function timeFrom(flag: string, text: string, nowMs: number): number {
  const ago = /^(\d{1,6})([smhd])$/.exec(text)
  if (ago !== null) return nowMs - Number(ago[1]) * unitMs[ago[2]!]!
  // Without a zone it would mean another time on another machine.
  const atMs = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(atMs))
    throw new UsageError(
      `"--${flag}" takes a time (2026-11-25T10:00:00Z, 2026-11-25) or how long ago (30m, 2h, 7d), found "${text}"`,
    )
  return atMs
}

export interface Task {
  readonly plan: Plan
  readonly topic: string
  readonly log: LogReader
  readonly selection: Selection
  readonly json: boolean
}

/** What was chosen, and what fits beside it but cannot be sent. */
interface Chosen {
  readonly open: readonly DeadLetter[]
  readonly replayed: readonly DeadLetter[]
  readonly ofOtherGenerations: number
  readonly unknown: readonly Coordinates[]
}

async function choose({ plan, topic, log, selection }: Task): Promise<Chosen> {
  const all = (await readDeadLetters(log, topic, () => within(600_000))).filter(({ scenario, ...letter }) => {
    return isOfFamily(scenario, plan) && fits(letter, selection)
  })
  const own = all.filter(({ scenario }) => scenario === identityOf(plan))
  const found = new Set(own.map(({ source }) => coordinatesText(source)))
  return {
    open: own.filter(({ replayed }) => !replayed),
    replayed: own.filter(({ replayed }) => replayed),
    ofOtherGenerations: all.length - own.length,
    unknown: selection.coordinates.filter(one => !found.has(coordinatesText(one))),
  }
}

function fits({ source, reason, timestampMs }: Omit<DeadLetter, 'scenario'>, selection: Selection): boolean {
  if (selection.reason !== undefined && reason !== selection.reason) return false
  if (timestampMs < selection.sinceMs || timestampMs >= selection.untilMs) return false
  if (selection.coordinates.length === 0) return true
  return selection.coordinates.some(one => coordinatesText(one) === coordinatesText(source))
}

async function show(task: Task, terminal: Terminal): Promise<ExitCode> {
  const chosen = await choose(task)
  const named = task.selection.coordinates.length > 0
  // Asked for by name, one that was replayed is shown as well.
  for (const letter of named ? [...chosen.open, ...chosen.replayed] : chosen.open) {
    terminal.out(task.json ? `${JSON.stringify(shownFields(letter))}\n` : shownText(letter))
  }
  if (!task.json) terminal.out(remarks(chosen, task))
  return chosen.unknown.length > 0 ? 1 : 0
}

/** Rounds of: fence, read what is open, send. Usually one. */
async function replay(task: Task, sender: Sender, terminal: Terminal): Promise<ExitCode> {
  const counts = { emitted: 0, dropped: 0, failed: 0 }
  const tried = new Set<string>()
  const tell = (letter: DeadLetter, outcome: Outcome) => {
    counts[outcome.kind]++
    terminal.out(task.json ? `${JSON.stringify(outcomeFields(letter, outcome))}\n` : `${outcomeText(letter, outcome)}\n`)
  }
  for (let round = 0; ; round++) {
    await sender.begin()
    const chosen = await choose(task)
    if (round === 0 && !task.json) terminal.out(remarks(chosen, task))
    const open = chosen.open.filter(({ place }) => !tried.has(coordinatesText(place)))
    let goOn = true
    for (const letters of batchesOf(open)) {
      const complete: Complete[] = []
      for (const [letter, ...others] of letters) {
        for (const one of [letter!, ...others]) tried.add(coordinatesText(one.place))
        const record = await originalOf(letter!, task)
        if (typeof record === 'string') tell(letter!, { kind: 'failed', reason: letter!.reason, at: letter!.at, message: record })
        else complete.push({ letter: letter!, others, record })
      }
      if (complete.length === 0) continue
      const sent = await sender.send(complete)
      for (const [{ letter }, outcome] of sent.outcomes) tell(letter, outcome)
      for (const one of complete) {
        if (sent.outcomes.has(one)) continue
        for (const { place } of [one.letter, ...one.others]) tried.delete(coordinatesText(place))
      }
      goOn = sent.goOn
      if (!goOn) break
    }
    if (!goOn) continue
    if (!task.json) terminal.out(summary(counts))
    return counts.failed > 0 || chosen.unknown.length > 0 ? 1 : 0
  }
}

/** Records per transaction. */
const batchSize = 100

/** Dead letters of one record together; records of one source partition, in their order, up to the size of a batch. */
function batchesOf(open: readonly DeadLetter[]): readonly (readonly (readonly DeadLetter[])[])[] {
  const byRecord = Map.groupBy(open, ({ source }) => coordinatesText(source))
  const byPartition = Map.groupBy(byRecord.values(), ([letter]) => `${letter!.source.topic}/${letter!.source.partition}`)
  return [...byPartition.values()].flatMap(records => {
    const sorted = records.sort(([a], [b]) => a!.source.offset - b!.source.offset)
    return Array.from({ length: Math.ceil(sorted.length / batchSize) }, (_, n) =>
      sorted.slice(n * batchSize, (n + 1) * batchSize),
    )
  })
}

/** The record as it came; where its dead letter is not all of it, read at its source. A text: why it cannot be had. */
async function originalOf(letter: DeadLetter, { plan, log }: Task): Promise<ConsumedRecord | string> {
  const { source, incomplete } = letter
  if (source.topic !== plan.source.topic)
    return `the scenario reads "${plan.source.topic}" now, and this record is of another topic`
  if (incomplete === undefined) return consumed(source, letter)
  const from = BigInt(source.offset)
  for await (const batch of log.read(source, { from, deadline: within(60_000) })) {
    const record = batch.records.find(({ offset }) => offset === from)
    if (record !== undefined) return consumed(source, record)
    if (batch.firstOffset > from) break
  }
  const why = {
    redacted: 'fields of it were redacted',
    'too-large': 'its value did not fit the dead letter topic',
    time: 'the dead letter topic has times of its own (message.timestamp.type)',
  }[incomplete]
  return `${why}, and at its source the record is gone`
}

function consumed(
  { topic, partition, offset }: Coordinates,
  { timestampMs, key, value, headers }: Pick<DeadLetter, 'timestampMs' | 'key' | 'value' | 'headers'>,
): ConsumedRecord {
  return { topic, partition, offset, timestampMs, timestampType: 'CREATE_TIME', key, value, headers }
}

function headText({ source, reason, at }: DeadLetter): string {
  return `${coordinatesText(source)}  ${reason}${at === '' ? '' : ` at ${at}`}`
}

function outcomeText(letter: DeadLetter, outcome: Outcome): string {
  switch (outcome.kind) {
    case 'emitted':
      return `${headText(letter)}  → ${outcome.topics.length === 0 ? 'no sink wants it' : outcome.topics.join(', ')}`
    case 'dropped':
      return `${headText(letter)}  dropped by ${outcome.by}`
    case 'failed':
      return `${headText(letter)}  stays a dead letter: [${outcome.reason}] ${outcome.message}`
  }
}

function outcomeFields(letter: DeadLetter, outcome: Outcome): object {
  return { ...namedFields(letter), outcome: outcome.kind, ...outcomeDetail(outcome) }
}

function outcomeDetail(outcome: Outcome): object {
  switch (outcome.kind) {
    case 'emitted':
      return { topics: outcome.topics }
    case 'dropped':
      return { by: outcome.by }
    case 'failed':
      return { error: { id: outcome.reason, at: outcome.at, message: outcome.message } }
  }
}

function namedFields({ place, source, reason, at, timestampMs }: DeadLetter) {
  return {
    from: coordinatesText(source),
    deadLetter: coordinatesText(place),
    ...{ reason, at },
    timestamp: new Date(timestampMs).toISOString(),
  }
}

function shownFields(letter: DeadLetter): object {
  const { message, replayed, incomplete, key, value, headers } = letter
  return {
    ...namedFields(letter),
    ...{ message, replayed },
    ...(incomplete !== undefined && { incomplete }),
    key: key?.toString('base64') ?? null,
    value: value?.toString('base64') ?? null,
    headers: headers.map(({ name, value }) => [name, value?.toString('base64') ?? null]),
  }
}

function shownText(letter: DeadLetter): string {
  const { place, timestampMs, message, incomplete, key, value, headers, replayed } = letter
  const lines = [
    `${headText(letter)}${replayed ? '  (replayed)' : ''}`,
    `  ${message}`,
    `  ${new Date(timestampMs).toISOString()}, in ${coordinatesText(place)}`,
    `  key     ${bytesText(key)}`,
    ...headers.map(({ name, value }) => `  header  ${name}: ${bytesText(value)}`),
    `  value   ${bytesText(value)}${incomplete === 'redacted' ? ', redacted' : ''}`,
  ]
  return `${lines.join('\n')}\n\n`
}

/** Text as it is; other bytes as base64, since a terminal would act on them. */
function bytesText(bytes: Buffer | null): string {
  if (bytes === null) return 'none'
  const text = bytes.toString()
  const plain = Buffer.from(text).equals(bytes) && !/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/.test(text)
  return `${plain ? text : `base64 ${bytes.toString('base64')}`}  (${bytes.length} bytes)`
}

function remarks({ open, replayed, ofOtherGenerations, unknown }: Chosen, { plan, topic }: Task): string {
  const lines = [`${groupOf(plan)}: ${countText(open.length, 'dead letter')} in ${topic}`]
  if (replayed.length > 0)
    lines.push(`${countText(replayed.length, 'other')} ${replayed.length === 1 ? 'was' : 'were'} replayed already`)
  if (ofOtherGenerations > 0)
    lines.push(
      `${countText(ofOtherGenerations, 'dead letter')} of other generations left out: generation ${plan.generation} decides their records itself`,
    )
  for (const one of unknown)
    lines.push(`${coordinatesText(one)} is not among them: no dead letter of this scenario fits, or retention has removed it`)
  return `${lines.join('\n')}\n`
}

function summary({
  emitted,
  dropped,
  failed,
}: {
  readonly emitted: number
  readonly dropped: number
  readonly failed: number
}): string {
  return `${emitted} sent, ${dropped} dropped, ${failed} still dead letters\n`
}

function countText(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

function within(durationMs: number): Deadline {
  const endMs = Date.now() + durationMs
  return { remainingMs: () => endMs - Date.now() }
}
