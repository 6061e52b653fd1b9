// Two functions at work at the same time, built for real, each behind a mapping of its own, on the real broker and one Redis: best-offer, and
// service-message beside it. Both read the same topic and ask one cap, so that only the scenario tells their places apart.
import { randomUUID } from 'node:crypto'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { createTopics } from '../../../infra/local/topics.ts'
import { bundleScenario } from '../../../lib/compiler/bundle.ts'
import { openDynamoDbStateAdministration } from '../../../lib/connectors/state-administration-dynamodb.ts'
import { readCommitted, writtenEnds } from '../../../lib/emulator/committed.ts'
import type { StrikeCounts } from '../../../lib/emulator/deliveries.ts'
import type { ConsumedRecord } from '../../../lib/emulator/event.ts'
import { EventSourceMapping } from '../../../lib/emulator/mapping.ts'
import { ContainerPool } from '../../../lib/emulator/pool.ts'
import { bucket } from '../../../lib/language/standard/bucket.ts'
import { deliveryOf, freshGeneration, produce, redisUrl, startGroupAt } from '../../cases/deployed.ts'
import { seededRandom } from '../../cases/random.ts'
import { login } from './place.ts'

export type Trouble = 'none' | 'kill' | 'duplicate' | 'zombie'

export interface TwoFunctions {
  /** What befalls best-offer, and service-message. */
  readonly troubles: readonly [Trouble, Trouble]
  readonly seed: number
  readonly recordCount: number
  /** Customers give and withdraw their consent all the time, so that an attempt may not ask for the place that the one before it got. */
  readonly fickle?: boolean
  /** Where state is; default: the Redis of the look-ups. */
  readonly dynamoDb?: { readonly table: string; readonly endpoint: string }
  /** Replaces a text of both built functions. */
  readonly mutate?: readonly [right: string, wrong: string]
}

export interface Contacts {
  /** Customer and day → coordinates of the records that led to an output, as places have them. */
  readonly contacts: ReadonlyMap<string, readonly string[]>
  /** The same, as the store has them. */
  readonly places: ReadonlyMap<string, readonly string[]>
  /** Customer and day → how often both functions wanted to contact them, where consent is not fickle. */
  readonly wishes: ReadonlyMap<string, number>
  readonly deadLetterCount: number
  readonly strikes: StrikeCounts
}

const root = join(import.meta.dirname, '../../..')
const topics = ['crm.next-best-actions', 'crm.held-out', 'crm.service-messages'] as const
const source = 'app.visits'
const capPrefix = 'sluice:shared/shared/contact-policy.yml:daily/'
const noonMs = Date.UTC(2026, 10, 20, 11)
const dayMs = 86_400_000
const customerCount = 5
const stuckAfterMs = 120_000

export async function runTwoFunctions(kafka: string, redis: string, options: TwoFunctions): Promise<Contacts> {
  const closers: (() => unknown)[] = []
  try {
    return await run(kafka, redisUrl(redis), options, closers)
  } finally {
    for (const close of closers.reverse()) await close()
  }
}

async function run(
  kafka: string,
  redis: string,
  { troubles, seed, recordCount, fickle, dynamoDb, mutate }: TwoFunctions,
  closers: (() => unknown)[],
): Promise<Contacts> {
  const random = seededRandom(seed)
  const generation = freshGeneration()
  const names = ['best-offer', 'service-message'] as const
  const deadLetters = names.map(name => `sluice.${name}.dead-letters`)
  await createTopics(
    kafka,
    [source, ...topics, ...deadLetters].map(name => ({ name, partitions: 3 })),
  )
  const before = await writtenEnds(kafka, [source, ...topics, ...deadLetters])
  // Shared caps know no generation: customers of this run are nobody else's.
  const run = randomUUID().slice(0, 8)
  // Nobody whom best-offer holds out.
  const customers = Array.from({ length: 100 }, (_, n) => `${run}-${n}`)
    .filter(id => bucket(id, '2026q4', 100n) >= 5)
    .slice(0, customerCount)
  const store = new Redis(redis)
  closers.push(() => store.disconnect())
  await fillStore(store, run, customers)
  closers.push(() => emptyStore(store, run, generation))
  const records = visitsOf(customers, recordCount, random)
  const folder = mkdtempSync(join(ensured(join(root, '.sluice')), 'two-functions-'))
  closers.push(() => rmSync(folder, { recursive: true, force: true }))
  const files = scenarioFiles(folder)
  const strikes: StrikeCounts = new Map()
  let words = ''
  const log = (text: string) => {
    words = (words + text).slice(-20_000)
  }
  const mappings: EventSourceMapping[] = []
  for (const [n, name] of names.entries()) {
    const handlerFile = join(folder, `${name}.mjs`)
    const { code } = await bundleScenario(files[n]!, {
      stores: 'real',
      stateScheme: dynamoDb === undefined ? 'redis' : 'dynamodb',
      minify: false,
    })
    writeFileSync(handlerFile, mutated(Buffer.from(code).toString(), mutate))
    const consumerGroupId = `sluice.${name}.${generation}.trigger/${source}`
    await startGroupAt(kafka, consumerGroupId, source, before)
    const environment = {
      SLUICE_KAFKA: kafka,
      SLUICE_REDIS: redis,
      SLUICE_GENERATION: String(generation),
      SLUICE_METRICS: 'off',
      ...(dynamoDb && { ...login, SLUICE_STATE: `dynamodb://${dynamoDb.table}`, SLUICE_DYNAMODB: dynamoDb.endpoint }),
    }
    const pool = new ContainerPool({ handlerFile, name, environment, memoryMb: 512, timeoutMs: 60_000, log }, { random })
    closers.push(() => pool.close())
    const trouble = troubles[n]!
    const faults = { kill: trouble === 'kill', zombie: trouble === 'zombie', duplicate: trouble === 'duplicate' }
    const mapping = new EventSourceMapping({
      settings: {
        topic: source,
        consumerGroupId,
        batchSize: 6,
        maximumBatchingWindowInSeconds: undefined,
        startingPosition: 'TRIM_HORIZON',
        functionResponseTypes: [],
        maximumRetryAttempts: -1,
        functionTimeoutSeconds: 60,
        functionMemoryMb: 512,
      },
      bootstrapServers: kafka,
      invoke: deliveryOf(faults, pool, strikes),
      log: (level, message) => log(`${level}: ${message}\n`),
      random,
    })
    closers.push(() => mapping.stop())
    mappings.push(mapping)
  }
  await produce(kafka, records)
  const ends = (await writtenEnds(kafka, [source])).get(source)!
  const fickleness = fickle === true ? changeMinds(store, customers, random) : undefined
  try {
    await Promise.all(mappings.map(mapping => mapping.start()))
    await done(mappings, ends, before.get(source)!, () => words)
  } finally {
    await fickleness?.()
  }
  const written = await readCommitted(kafka, [...topics, ...deadLetters], { from: before, timeoutMs: 60_000 })
  return {
    contacts: contactsOf(written, records, before.get(source)!, generation),
    places: await (dynamoDb === undefined ? placesOf(store, run) : placesInTable(dynamoDb, contactKeys(customers))),
    wishes: wishesOf(records),
    deadLetterCount: written.filter(({ topic }) => deadLetters.includes(topic)).length,
    strikes,
  }
}

/** As two teams keep them: each with the shared part under the same name. */
function scenarioFiles(folder: string): readonly [string, string] {
  const other = join(folder, 'service-message.yml')
  cpSync(join(import.meta.dirname, 'service-message.yml'), other)
  cpSync(join(root, 'functions/shared/contact-policy.yml'), join(ensured(join(folder, 'shared')), 'contact-policy.yml'))
  return [join(root, 'functions/best-offer.yml'), other]
}

function mutated(code: string, mutation: TwoFunctions['mutate']): string {
  if (mutation === undefined) return code
  const [right, wrong] = mutation
  if (code.split(right).length !== 2) throw new Error(`The function has not exactly one "${right}" to replace`)
  return code.replace(right, () => wrong)
}

async function fillStore(store: Redis, run: string, customers: readonly string[]): Promise<void> {
  for (const id of customers) {
    await store.hset(`contact:${id}`, { push: 'true' })
    await store.hset(`customer:${id}`, { segment: run, age: '30' })
  }
  await store.set(
    `actions:${run}`,
    JSON.stringify({ actions: [{ code: 'MORE_DATA', group: 'data', minAge: 18, margin: 20, cost: 0.1 }] }),
  )
}

async function emptyStore(store: Redis, run: string, generation: number): Promise<void> {
  for (const pattern of [`*${run}*`, `sluice:best-offer.${generation}*`, `sluice:service-message.${generation}*`]) {
    const keys = await store.keys(pattern)
    if (keys.length > 0) await store.del(...keys)
  }
}

/** Two days' visits at noon, a customer's in one partition; every second one asks for help, so that both functions want to answer it. */
function visitsOf(customers: readonly string[], count: number, random: () => number): readonly ConsumedRecord[] {
  return Array.from({ length: count }, (_, n) => {
    const customer = Math.floor(random() * customers.length)
    const atMs = noonMs + (n % 2) * dayMs
    const event = { customerId: customers[customer], at: new Date(atMs).toISOString(), page: random() < 0.5 ? 'help' : 'home' }
    return {
      ...{ topic: source, partition: customer % 2, offset: n, timestampMs: atMs, timestampType: 'CREATE_TIME' as const },
      ...{ key: Buffer.from(customers[customer]!), value: Buffer.from(JSON.stringify(event)), headers: [] },
    }
  })
}

interface Visit {
  readonly customerId: string
  readonly at: string
  readonly page: string
}

const visitOf = ({ value }: ConsumedRecord) => JSON.parse(Buffer.from(value!).toString()) as Visit
const customerAndDay = ({ customerId, at }: Visit) => `${customerId}/${at.slice(0, 10)}`

/** best-offer wants to answer everybody who is not held out, service-message whoever asks for help. */
function wishesOf(records: readonly ConsumedRecord[]): ReadonlyMap<string, number> {
  const wishes = new Map<string, number>()
  for (const record of records) {
    const visit = visitOf(record)
    const id = customerAndDay(visit)
    wishes.set(id, (wishes.get(id) ?? 0) + (visit.page === 'help' ? 2 : 1))
  }
  return wishes
}

function contactsOf(
  written: readonly ConsumedRecord[],
  records: readonly ConsumedRecord[],
  starts: readonly bigint[],
  generation: number,
): ReadonlyMap<string, readonly string[]> {
  const next = [...starts]
  const visits = new Map(records.map(record => [`${record.partition}@${next[record.partition]!++}`, visitOf(record)]))
  const contacts = new Map<string, string[]>()
  for (const { topic, headers } of written) {
    if (topic !== 'crm.next-best-actions' && topic !== 'crm.service-messages') continue
    const header = headers.find(({ name }) => name === 'sluice-idempotency-key')!.value!
    const [scope, from, partition, offset] = Buffer.from(header).toString().split('/')
    const visit = visits.get(`${partition}@${offset}`)
    if (!scope!.endsWith(`.${generation}`) || visit === undefined) continue
    const id = customerAndDay(visit)
    contacts.set(id, [...(contacts.get(id) ?? []), `${scope}/${from}-${partition}@${offset}`].sort())
  }
  return contacts
}

async function placesOf(store: Redis, run: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const places = new Map<string, readonly string[]>()
  for (const key of await store.keys(`${capPrefix}${run}*`)) {
    // Those with a "#" are tokens, of large writes.
    const held = (await store.hkeys(key)).filter(field => !field.startsWith('#'))
    if (held.length > 0) places.set(key.slice(capPrefix.length), held.sort())
  }
  return places
}

async function placesInTable({ table, endpoint }: NonNullable<TwoFunctions['dynamoDb']>, keys: readonly string[]) {
  const [region, accessKeyId, secretAccessKey] = Object.values(login)
  const credentials = { accessKeyId: accessKeyId!, secretAccessKey: secretAccessKey! }
  const administration = openDynamoDbStateAdministration({ table, endpoint, region: region!, credentials, scenario: 'test' })
  const places = new Map<string, readonly string[]>()
  for (const key of keys) {
    const held = await administration.places(`${capPrefix}${key}`, { remainingMs: () => 10_000 })
    if (held.size > 0) places.set(key, [...held.keys()].sort())
  }
  await administration.close()
  return places
}

function contactKeys(customers: readonly string[]): readonly string[] {
  return customers.flatMap(id => [0, 1].map(day => `${id}/${new Date(noonMs + day * dayMs).toISOString().slice(0, 10)}`))
}

/** Until it is called; everybody has consented again then. */
function changeMinds(store: Redis, customers: readonly string[], random: () => number): () => Promise<void> {
  let isOver = false
  const changing = (async () => {
    while (!isOver) {
      const id = customers[Math.floor(random() * customers.length)]!
      await store.hset(`contact:${id}`, { push: String(random() < 0.5) })
      await delay(10)
    }
    for (const id of customers) await store.hset(`contact:${id}`, { push: 'true' })
  })()
  return async () => {
    isOver = true
    await changing
  }
}

async function done(
  mappings: readonly EventSourceMapping[],
  ends: readonly bigint[],
  starts: readonly bigint[],
  words: () => string,
): Promise<void> {
  let lastProgress = { atMs: Date.now(), found: '' }
  for (;;) {
    for (const { failure } of mappings) if (failure !== undefined) throw failure
    const left = mappings.map(({ committed }) =>
      ends.map((end, partition) => (end > starts[partition]! ? Math.max(0, Number(end) - (committed.get(partition) ?? 0)) : 0)),
    )
    if (left.flat().every(count => count === 0)) return
    const found = JSON.stringify(left)
    if (found !== lastProgress.found) lastProgress = { atMs: Date.now(), found }
    if (Date.now() - lastProgress.atMs > stuckAfterMs)
      throw new Error(`Nothing was committed for ${stuckAfterMs / 1000} s (left: ${found}). The last words:\n${words()}`)
    await delay(20)
  }
}

function ensured(folder: string): string {
  mkdirSync(folder, { recursive: true })
  return folder
}
