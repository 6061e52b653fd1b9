// A scenario with state on topics of its own, its function on the real broker and store, and the command line beside it.
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTopics } from '../../../infra/local/topics.ts'
import { main } from '../../../lib/cli/main.ts'
import { interpretedPlan } from '../../../lib/compiler/interpreted.ts'
import { plan } from '../../../lib/compiler/planning.ts'
import { createKafka, type KafkaPort } from '../../../lib/connectors/kafka/producer.ts'
import { connectDynamoDbStateByUrl } from '../../../lib/connectors/state-dynamodb.ts'
import type { StateStore } from '../../../lib/connectors/state-keys.ts'
import { connectRedisStateStore } from '../../../lib/connectors/state-redis.ts'
import { readCommitted } from '../../../lib/emulator/committed.ts'
import { buildEvent, type ConsumedRecord } from '../../../lib/emulator/event.ts'
import { createHandler } from '../../../lib/runtime/handler.ts'
import { RetryableError, type StatePort, type TransactionPort } from '../../../lib/runtime/ports.ts'
import { checkScenario } from '../../../lib/scenario/check.ts'
import { folderOf } from '../../../lib/scenario/folder.ts'
import type { RunningState } from '../../connectors/state/stores.ts'

export interface Services {
  readonly broker: string
  /** Of the state, as SLUICE_STATE has it. */
  readonly store: string
  /** Of DynamoDB, as SLUICE_DYNAMODB has it; region and login stand in the process's environment. */
  readonly endpoint?: string
}

/** One of the stores that the contract is run on. */
export function storeOf({ url, dynamoDb }: RunningState): Pick<Services, 'store' | 'endpoint'> {
  return dynamoDb === undefined ? { store: url! } : { store: `dynamodb://${dynamoDb.table}`, endpoint: dynamoDb.endpoint! }
}

/** As Lambda has them; AWS' client wants them before it asks whomever. */
export const login = { AWS_REGION: 'eu-central-1', AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local' } as const

/** Puts them into the environment of this process, and gives what puts back what was there. */
export function logIn(): () => void {
  const before = Object.keys(login).map(name => [name, process.env[name]] as const)
  Object.assign(process.env, login)
  return () => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
}

export interface Wrapping {
  kafka(kafka: KafkaPort): TransactionPort
  state(state: StatePort): StatePort
}

/** Its calls as they are, for others to replace one of them: its methods are a class's. */
export const passing = (kafka: TransactionPort): TransactionPort => ({
  fence: (id, deadline) => kafka.fence(id, deadline),
  readProgress: (group, partition, deadline) => kafka.readProgress(group, partition, deadline),
  endOffset: (partition, deadline) => kafka.endOffset(partition, deadline),
  transact: (session, transaction, deadline) => kafka.transact(session, transaction, deadline),
  close: () => kafka.close(),
})

export const dyingBeforeTheCommit = (kafka: TransactionPort): TransactionPort => ({
  ...passing(kafka),
  transact: async () => {
    throw new RetryableError('kafka-unreachable', 'it died')
  },
})

export interface Container {
  /** Customers by partition and offset. */
  decide(records: readonly ConsumedRecord[]): Promise<unknown>
  readonly told: readonly string[]
  readonly counts: ReadonlyMap<string, number>
  close(): Promise<void>
}

export interface Rules {
  readonly delivery?: 'exactly-once' | 'at-least-once'
  /** Without: the scenario before state was added. */
  readonly state?: string
  readonly value?: string
}

const visits = `state:
  visit: { key: event.id, fields: { count: int = 0 }, set: { count: visit.count + 1 } }
  greeting: { key: event.id, limit: 2, within: 30d }
`

export async function statePlace(services: Services, partitions = 1, rules: Rules = {}) {
  const { broker, store: storeUrl, endpoint } = services
  const name = `visits-${randomUUID().slice(0, 8)}`
  const [source, target] = [`in.${name}`, `out.${name}`]
  await createTopics(broker, [{ name: source, partitions }, { name: target }, { name: `sluice.${name}.dead-letters` }])
  const folder = mkdtempSync(join(tmpdir(), 'sluice-state-'))
  const file = join(folder, `${name}.yml`)
  let text = ''
  const write = ({ delivery = 'exactly-once', state = visits, value = 'visit.count' }: Rules) => {
    text = `scenario: ${name}\ndescription: Counts\ndelivery: ${delivery}\nsource: { topic: ${source}, event: { id: string } }\n${state}sinks:\n  counted: { topic: ${target}, key: event.id, value: { n: ${value} } }\n`
    writeFileSync(file, text)
  }
  write(rules)
  const environment = { SLUICE_KAFKA: broker, SLUICE_STATE: storeUrl, ...(endpoint && { SLUICE_DYNAMODB: endpoint }) }
  return {
    ...{ name, source, file, environment, write, container },
    /** So many records in the source itself, for those who compare a position with its end. */
    async fill(count: number) {
      const kafka = createKafka({ bootstrapServers: broker, clientId: 'test' })
      const deadline = { remainingMs: () => 20_000 }
      const session = await kafka.fence(`filler/${source}`, deadline)
      const records = Array.from({ length: count }, (_, n) => ({
        ...{ topic: source, key: null, value: Buffer.from(`${n}`), headers: [], partitionSeed: '', timestampMs: noonMs },
      }))
      await kafka.transact(session, { records }, deadline)
      await kafka.close()
    },
    sluice: (...words: readonly string[]) => run('state', words),
    progress: (...words: readonly string[]) => run('progress', words),
    async outputs() {
      const records = await readCommitted(broker, [target], { timeoutMs: 20_000 })
      return records.map(({ headers, value }) => {
        const key = headers.find(header => header.name === 'sluice-idempotency-key')!.value!
        return `${Buffer.from(key).toString().replace(`${name}.1/${source}/`, '')} ${Buffer.from(value!).toString()}`
      })
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }

  async function run(command: string, words: readonly string[]) {
    let [out, error] = ['', '']
    const code = await main([command, file, ...words], {
      out: part => {
        out += part
      },
      error: part => {
        error += part
      },
      colors: false,
      environment,
      stop: new AbortController().signal,
    })
    return { code, out: out.replaceAll(name, 'visits'), error: error.replaceAll(name, 'visits') }
  }

  function container({
    kafka: wrapKafka = kafka => kafka,
    state: wrapState = state => state,
    ...elsewhere
  }: Partial<Wrapping & Pick<Services, 'store' | 'endpoint'>> = {}): Container {
    const { scenario } = checkScenario(file, text, folderOf(file))
    const compiled = interpretedPlan(plan(scenario!))
    const kafka = createKafka({ bootstrapServers: broker, clientId: 'test', delivery: compiled.delivery })
    const store = connected({ ...services, ...elsewhere }, name)
    const told: string[] = []
    const counts = new Map<string, number>()
    const tell = (message: string) => void told.push(message.replaceAll(name, 'visits'))
    const handler = createHandler(compiled, {
      kafka: wrapKafka(kafka),
      stores: { state: store.lookups },
      state: wrapState(store.state),
      log: { info: () => undefined, warn: tell, error: tell },
      metrics: { count: (metric, by) => void counts.set(metric, (counts.get(metric) ?? 0) + by), flush: () => undefined },
      deadLetterTopic: `sluice.${name}.dead-letters`,
    })
    return {
      ...{ told, counts },
      decide: records =>
        handler(buildEvent(records, { kind: 'self-managed', bootstrapServers: broker }), {
          getRemainingTimeInMillis: () => 30_000,
        } as never) as unknown as Promise<unknown>,
      async close() {
        await Promise.all([kafka.close(), store.state.close(), store.lookups.close()])
      },
    }
  }
}

function connected({ store, endpoint }: Services, scenario: string): StateStore {
  return store.startsWith('dynamodb:')
    ? connectDynamoDbStateByUrl({ url: store, scenario, ...(endpoint && { endpoint }) })
    : connectRedisStateStore({ url: store, scenario })
}

export const noonMs = Date.UTC(2026, 0, 1, 12)

/** Visits of these customers, one a minute. */
export function visitsOf(topic: string, ids: readonly string[], { partition = 0, from = 0 } = {}): readonly ConsumedRecord[] {
  return ids.map((id, n) => ({
    ...{ topic, partition, offset: from + n, timestampMs: noonMs + (from + n) * 60_000, timestampType: 'CREATE_TIME' },
    ...{ key: Buffer.from(id), value: Buffer.from(JSON.stringify({ id })), headers: [] },
  }))
}
