// `npx sluice state`: what a deployed scenario remembers of a key, and which of it counts; state that begins empty in a running scenario; a key
// erased. The store alone cannot tell: which of two values counts is said by our committed position (state.md).
import { stateSchemeOf, stateTableOf } from '../compiler/key-value.ts'
import { openAdministration } from '../connectors/kafka/administration.ts'
import { createKafka, type KafkaPort } from '../connectors/kafka/producer.ts'
import type { StateAdministration, StoredPlace } from '../connectors/state-administration.ts'
import type { StateStore } from '../connectors/state-keys.ts'
import { groupOf } from '../plan/identity.ts'
import type { Plan, StatePlan } from '../plan/plan.ts'
import { type Deadline, Fenced, RetryableError, type StateItem, type StateLock, type TopicPartition } from '../runtime/ports.ts'
import { keptSignature } from '../runtime/state/claims.ts'
import { capKey, rememberKey, scopeOf } from '../runtime/state/keys.ts'
import type { Cap, StateEntry } from '../scenario/scenario.ts'
import { nearest } from '../scenario/suggestion.ts'
import { type Command, type ExitCode, type Input, type Terminal, UsageError } from './command.ts'
import { checkedScenario, loadInterpreted } from './compiled.ts'
import { connectorsOf } from './connectors.ts'
import { asUse, kafkaConfigFrom, planAsDeployed } from './deployed.ts'
import { openScenario } from './scenario-file.ts'

export const command: Command = {
  summary: 'Shows what a scenario remembers of a key; erases it; starts state empty',
  usage: 'state SCENARIO ENTRY KEY | --init',
  examples: [
    ['npx sluice state win-back visit c-17', 'the value that counts, and what an attempt has left that is not committed'],
    ['npx sluice state win-back greeting c-17', 'places of a cap: which record has which'],
    ['npx sluice state win-back visit c-17 --delete --yes', 'erases it, for a customer who asks for that'],
    ['npx sluice state win-back --init', 'tells where state would start empty: added to a running scenario, or lost'],
  ],
  flags: {
    delete: { kind: 'switch', about: 'erases the value, or all places of the cap' },
    init: { kind: 'switch', about: 'starts state empty where the store knows less than was committed' },
    yes: { kind: 'switch', about: 'does what --delete or --init tells' },
    format: { kind: 'value', placeholder: 'FORMAT', values: ['text', 'json'], about: 'json: one object a line' },
  },
  arguments: { minimum: 1, maximum: 3 },
  async run(input, terminal) {
    const [file, entry, key] = input.arguments
    if (input.flags.has('init') ? entry !== undefined : key === undefined)
      throw new UsageError(
        'Name a scenario, an entry of its state and a key, or use --init alone. Usage: npx sluice state SCENARIO ENTRY KEY',
      )
    if (input.flags.has('yes') && !input.flags.has('delete') && !input.flags.has('init'))
      throw new UsageError('"--yes" goes with --delete or --init')
    if (input.flags.has('delete') && input.flags.has('init')) throw new UsageError('"--delete" and "--init" do not go together')
    const scenario = checkedScenario(openScenario(file!), terminal)
    if (scenario === undefined) return 1
    const plan = planAsDeployed(loadInterpreted(scenario).plan, terminal)
    if (plan.state === undefined) throw new UsageError(`"${plan.scenario}" has no state`)
    const declared = entry === undefined ? undefined : entryNamed(entry, scenario.state)
    const place = await openState({ ...plan, state: plan.state }, terminal)
    try {
      if (declared === undefined) return await init(place, input, terminal)
      const subject: Subject = { entry: declared, key: key!, storedKey: storedKeyOf(place.plan, declared, key!) }
      if (input.flags.has('delete')) return await erase(subject, place, input, terminal)
      return await show(subject, place, input, terminal)
    } catch (error) {
      if (!(error instanceof RetryableError || error instanceof Fenced)) throw error
      // Written for a function whose batch comes again; here nothing comes again.
      terminal.error(`${error.message.replace(/ (Nothing was \w+, )?the batch comes again\./i, '')}\n`)
      return 1
    } finally {
      await place.close()
    }
  },
}

interface Subject {
  readonly entry: StateEntry
  readonly key: string
  readonly storedKey: string
}

function entryNamed(name: string, entries: readonly StateEntry[]): StateEntry {
  const found = entries.find(one => one.name === name)
  if (found !== undefined) return found
  const names = entries.map(one => one.name)
  const meant = nearest(name, names)
  const rest = meant === undefined ? `. It has: ${names.join(', ')}` : `. Did you mean "${meant}"?`
  throw new UsageError(`The state of this scenario has no "${name}"${rest}`)
}

function storedKeyOf(plan: Plan, entry: StateEntry, key: string): string {
  return entry.kind === 'remember' ? rememberKey(plan, entry.name, key) : capKey(plan, entry, key)
}

/** Kafka and the store, as the function has them. */
export interface StatePlace {
  readonly plan: Plan & { readonly state: StatePlan }
  readonly kafka: KafkaPort
  readonly store: StateStore
  readonly administration: StateAdministration
  partitionCount(topic: string): Promise<number>
  close(): Promise<void>
}

export async function openState(plan: StatePlace['plan'], terminal: Terminal): Promise<StatePlace> {
  const { environment } = terminal
  const config = kafkaConfigFrom(terminal, 'sluice.state')
  const url = environment['SLUICE_STATE'] || environment['SLUICE_REDIS']
  const scheme = url === undefined ? undefined : stateSchemeOf(url)
  if (url === undefined || scheme === undefined)
    throw new UsageError(
      'SLUICE_STATE, or else SLUICE_REDIS, holds the URL of the store of state, as the function has it: redis://…, rediss://… or dynamodb://TABLE.',
    )
  const { scenario } = plan
  const endpoint = environment['SLUICE_DYNAMODB'] ? { endpoint: environment['SLUICE_DYNAMODB'] } : {}
  const { state } = await connectorsOf({ ...plan, lookups: [] }, environment)
  // A URL that cannot be read is told in words, and without it: it may hold a password.
  const store = asUse(() => state!({ url, ...endpoint, scenario, warn: () => undefined }))
  const administration =
    scheme === 'dynamodb'
      ? (await import('../connectors/state-administration-dynamodb.ts')).openDynamoDbStateAdministration({
          ...endpoint,
          table: stateTableOf(url)!,
          scenario,
        })
      : (await import('../connectors/state-administration-redis.ts')).openRedisStateAdministration({ url, scenario })
  const topics = openAdministration(config)
  // Not as the scenario delivers: positions of others are read, too.
  const kafka = createKafka(config)
  return {
    ...{ plan, kafka, store, administration },
    partitionCount: topic => topics.partitionCount(topic, within(30_000)),
    async close() {
      await Promise.all([topics.close(), kafka.close(), store.state.close(), store.lookups.close(), administration.close()])
    },
  }
}

/** Of this scenario; with a scope also of another one that shares a cap: nobody but its file knows how that one delivers. */
async function positionOf(
  partition: TopicPartition,
  { plan, kafka, administration }: StatePlace,
  scope = scopeOf(plan),
): Promise<bigint | undefined> {
  const inKafka = () => kafka.readProgress(`sluice.${scope}`, partition, within(40_000))
  const inLock = async () => (await administration.lock({ scope, partition }, within(10_000)))?.position
  if (scope !== scopeOf(plan)) return (await inKafka()) ?? (await inLock())
  return plan.delivery === 'exactly-once' ? inKafka() : inLock()
}

async function show(subject: Subject, place: StatePlace, input: Input, terminal: Terminal): Promise<ExitCode> {
  const json = input.flags.get('format') === 'json'
  return subject.entry.kind === 'remember' ? showItem(subject, place, json, terminal) : showPlaces(subject, place, json, terminal)
}

async function showItem(subject: Subject, place: StatePlace, json: boolean, terminal: Terminal): Promise<ExitCode> {
  const item = await place.administration.item(subject.storedKey, within(10_000))
  if (item === undefined) return tellNothing(subject, place, terminal)
  const partition = partitionOf(item.tp)
  const position = await positionOf(partition, place)
  const isCommitted = item.at < (position ?? 0n)
  const [value, tentative] = isCommitted ? [item.head, undefined] : [item.base, item.head]
  const by = item.at < 0n ? undefined : `${partition.topic}-${partition.partition}@${item.at}`
  if (json) {
    const fields = {
      scenario: place.plan.scenario,
      entry: subject.entry.name,
      key: subject.key,
      partition: partitionText(partition),
    }
    // Values are the exact JSON texts: JSON.parse would round ints.
    const more = [
      `"value":${value ?? 'null'}`,
      ...(tentative === undefined ? [] : [`"tentative":${tentative ?? 'null'}`]),
      `"by":${JSON.stringify(by ?? null)}`,
      `"position":${position ?? 'null'}`,
    ]
    terminal.out(`${JSON.stringify(fields).slice(0, -1)},${more.join(',')}}\n`)
    return 0
  }
  terminal.out(`${scopeOf(place.plan)}, state ${subject.entry.name}, key ${subject.key}\n`)
  terminal.out(`  counts     ${value ?? 'nothing: nothing was committed for it yet'}\n`)
  if (tentative !== undefined) terminal.out(`  tentative  ${tentative ?? 'nothing'}\n`)
  terminal.out(`  written by ${writerText(item, by, position, isCommitted)}\n`)
  return 0
}

function writerText({ tp }: StateItem, by: string | undefined, position: bigint | undefined, isCommitted: boolean): string {
  const progress = `the position of ${partitionText(partitionOf(tp))} is ${position ?? 'not there'}`
  if (by === undefined) return `an attempt that took back what an uncommitted one had left (${progress})`
  return `the batch up to ${by}, which is ${isCommitted ? 'committed' : 'not committed: it comes again'} (${progress})`
}

interface ShownPlace extends StoredPlace {
  readonly coordinates: string
  readonly counts: boolean
}

async function showPlaces(subject: Subject, place: StatePlace, json: boolean, terminal: Terminal): Promise<ExitCode> {
  const { entry, storedKey } = subject
  if (entry.kind !== 'cap') throw new Error('only caps have places')
  const stored = await place.administration.places(storedKey, within(10_000))
  if (stored.size === 0) return tellNothing(subject, place, terminal)
  const positions = new Map<string, bigint | undefined>()
  const shown: ShownPlace[] = []
  for (const [coordinates, one] of stored) {
    const { lock, offset } = placedAt(coordinates, place.plan)
    const id = `${lock.scope} ${partitionText(lock.partition)}`
    if (!positions.has(id)) positions.set(id, await positionOf(lock.partition, place, lock.scope))
    shown.push({ ...one, coordinates, counts: offset < (positions.get(id) ?? 0n) })
  }
  shown.sort((a, b) => a.timeMs - b.timeMs || Number(a.number - b.number))
  const until = ({ timeMs }: StoredPlace) =>
    entry.withinMs === undefined ? undefined : new Date(timeMs + entry.withinMs).toISOString()
  if (json) {
    for (const one of shown) {
      const { number, units, member, timeMs, coordinates, counts } = one
      const fields = {
        ...{ scenario: place.plan.scenario, entry: entry.name, key: subject.key, number: Number(number), from: coordinates },
        ...{ time: new Date(timeMs).toISOString(), until: until(one) ?? null },
        ...{ ...(entry.take && { units: unitsText(units, entry) }), ...(member !== undefined && { member }), tentative: !counts },
      }
      terminal.out(`${JSON.stringify(fields)}\n`)
    }
    return 0
  }
  terminal.out(`${entry.sharedBy ?? scopeOf(place.plan)}, cap ${entry.name}, key ${subject.key}\n`)
  for (const one of shown) {
    const { number, units, member, timeMs, coordinates, counts } = one
    const parts = [
      `place ${number}`,
      coordinates,
      new Date(timeMs).toISOString(),
      ...(entry.take === undefined ? [] : [`takes ${unitsText(units, entry)}`]),
      ...(member === undefined ? [] : [`member ${member}`]),
      ...(until(one) === undefined ? [] : [`until ${until(one)}`]),
      counts ? 'counts' : 'tentative: its batch is not committed, and comes again',
    ]
    terminal.out(`  ${parts.join('  ')}\n`)
  }
  return 0
}

/** Units are kept as whole numbers of the smallest: hundredths of a decimal(2). */
function unitsText(units: bigint, { type }: Cap): string {
  const used = type.fields.get('used')?.type
  if (used?.kind !== 'decimal' || used.digits === 0) return `${units}`
  const text = `${units}`.padStart(used.digits + 1, '0')
  return `${text.slice(0, -used.digits)}.${text.slice(-used.digits)}`
}

function tellNothing({ entry, key }: Subject, { plan }: StatePlace, terminal: Terminal): ExitCode {
  terminal.error(
    `Nothing is stored for "${key}" in ${entry.kind === 'remember' ? 'state' : 'the cap'} "${entry.name}" of ${scopeOf(plan)}. Its keys are made by: ${entry.key.source}\n`,
  )
  return 1
}

/** `TOPIC-PARTITION@OFFSET`, in a shared cap with `SCENARIO.GENERATION/` before. Neither topics nor scenarios have a slash in their name. */
function placedAt(coordinates: string, plan: Plan): { readonly lock: StateLock; readonly offset: bigint } {
  const [, scope, topic, partition, offset] = /^(?:([^/]+)\/)?(.+)-(\d+)@(\d+)$/.exec(coordinates)!
  return {
    lock: { scope: scope ?? scopeOf(plan), partition: { topic: topic!, partition: Number(partition) } },
    offset: BigInt(offset!),
  }
}

/** Somebody at work may take the lock between our claim and what we do under it. */
const rounds = 5

/**
 * Under new tokens of the locks: whoever is at work under an older one starts over, and reads what is left. Not fenced: what is being committed at
 * this moment may be committed, and its value is erased all the same.
 */
async function erase(subject: Subject, place: StatePlace, input: Input, terminal: Terminal): Promise<ExitCode> {
  const { administration, store } = place
  const { entry, key, storedKey } = subject
  const what = `${entry.kind === 'remember' ? 'what is remembered' : 'all places'} of "${key}" in ${entry.kind === 'remember' ? 'state' : 'the cap'} "${entry.name}"`
  for (let round = 0; round < rounds; round++) {
    const found = await ownersOf(subject, place)
    if (found === undefined) {
      terminal.out(`Nothing is stored of "${key}" in "${entry.name}": nothing to erase.\n`)
      return 0
    }
    if (!input.flags.has('yes')) {
      terminal.out(`Would erase ${what}.${entry.kind === 'cap' ? ' Its records count from then on alone.' : ''}\n`)
      terminal.out('Nothing was changed yet: add --yes.\n')
      return 1
    }
    const claims = await Promise.all(
      found.locks.map(async lock => ({ lock, token: (await store.state.claim(lock, within(10_000))).token })),
    )
    if ((await administration.erase(storedKey, claims, found.kind, within(10_000))) === 'erased') {
      terminal.out(
        `Erased ${what}. A record of this key that comes later finds nothing, and leaves something again. Outputs and records that are in Kafka stay there.\n`,
      )
      return 0
    }
  }
  terminal.error(
    `${what} could not be erased: the function has taken its locks ${rounds} times meanwhile. Run the command again.\n`,
  )
  return 1
}

async function ownersOf(
  { entry, storedKey }: Subject,
  { administration, plan }: StatePlace,
): Promise<{ readonly locks: readonly StateLock[]; readonly kind: Parameters<StateAdministration['erase']>[2] } | undefined> {
  if (entry.kind === 'remember') {
    const item = await administration.item(storedKey, within(10_000))
    if (item === undefined) return undefined
    return { locks: [{ scope: scopeOf(plan), partition: partitionOf(item.tp) }], kind: { kind: 'remember', owner: item.tp } }
  }
  const places = await administration.places(storedKey, within(10_000))
  if (places.size === 0) return undefined
  const locks = new Map<string, StateLock>()
  for (const coordinates of places.keys()) {
    const { lock } = placedAt(coordinates, plan)
    locks.set(`${lock.scope} ${partitionText(lock.partition)}`, lock)
  }
  return { locks: [...locks.values()], kind: { kind: 'cap', isShared: entry.sharedBy !== undefined } }
}

interface Behind {
  readonly partition: TopicPartition
  readonly position: bigint
  readonly last: bigint | undefined
}

/** For state that was added to a running scenario, and for a store that has lost what was acknowledged (state-missing, state-lost). */
async function init(place: StatePlace, input: Input, terminal: Terminal): Promise<ExitCode> {
  const { plan, partitionCount } = place
  const { topic } = plan.source
  if (plan.delivery === 'at-least-once') {
    terminal.out(
      `"${plan.scenario}" delivers at least once: its position is kept with its state, and nothing has to be started.\n`,
    )
    return 0
  }
  const count = await partitionCount(topic)
  const found = await Promise.all(Array.from({ length: count }, (_, partition) => behind({ topic, partition }, place)))
  const open = found.flatMap(one => (one === undefined ? [] : [one]))
  const json = input.flags.get('format') === 'json'
  if (open.length === 0 && !json)
    terminal.out(`The store knows all that is committed, in ${countText(count, 'partition')} of ${topic}.\n`)
  const yes = input.flags.has('yes')
  for (const one of open) {
    const started = yes ? await start(one.partition, place) : one
    if (json) {
      const fields = {
        ...one.partition,
        position: Number(started.position),
        last: one.last === undefined ? null : Number(one.last),
        started: yes,
      }
      terminal.out(`${JSON.stringify(fields)}\n`)
      continue
    }
    const knows =
      one.last === undefined ? 'the store knows nothing' : `the store knows up to ${one.last}: what came later is lost`
    terminal.out(
      `${partitionText(one.partition)}: ${knows}; ${yes ? 'started' : 'would start'} at position ${started.position}\n`,
    )
  }
  if (open.length === 0 || yes) return 0
  if (!json)
    terminal.out('Nothing was changed yet: add --yes. Records below these positions leave nothing; values that are there stay.\n')
  return 1
}

async function behind(partition: TopicPartition, place: StatePlace): Promise<Behind | undefined> {
  const position = await positionOf(partition, place)
  if (position === undefined || position === 0n) return undefined
  const last = (await place.administration.lock({ scope: scopeOf(place.plan), partition }, within(10_000)))?.last
  return last !== undefined && last >= position - 1n ? undefined : { partition, position, last }
}

/** As the function does it, lock before fence before position: else what it commits meanwhile would look lost. */
async function start(partition: TopicPartition, { plan, kafka, store }: StatePlace): Promise<{ readonly position: bigint }> {
  const lock = { scope: scopeOf(plan), partition }
  for (let round = 0; round < rounds; round++) {
    const { token, last, signature } = await store.state.claim(lock, within(10_000))
    const kept = keptSignature(signature, plan)
    await kafka.fence(`${groupOf(plan)}/${partition.topic}/${partition.partition}`, within(40_000))
    const position = (await kafka.readProgress(groupOf(plan), partition, within(40_000))) ?? 0n
    if (last !== undefined && last >= position - 1n) return { position }
    const empty = {
      signature: kept,
      position,
      last: position - 1n,
      lastBefore: last,
      items: [],
      changed: [],
      keepsPlaces: false,
      caps: [],
      asks: [],
    }
    const [outcome] = await store.state.write([{ lock, token, ...empty }], within(10_000))
    if (outcome!.kind === 'written') return { position }
  }
  throw new Fenced(
    '',
    0,
    `The function takes the lock of ${partitionText(partition)} again and again: disable its mapping meanwhile.`,
  )
}

function partitionOf(tp: string): TopicPartition {
  const slash = tp.lastIndexOf('/')
  return { topic: tp.slice(0, slash), partition: Number(tp.slice(slash + 1)) }
}

const partitionText = ({ topic, partition }: TopicPartition): string => `${topic}-${partition}`
const countText = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`

function within(durationMs: number): Deadline {
  const endMs = Date.now() + durationMs
  return { remainingMs: () => endMs - Date.now() }
}
