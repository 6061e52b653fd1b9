// `delivery: at-least-once` on the real broker: outputs acknowledged before the invocation returns, copies with equal keys, no right to
// transactions asked for; and how a consumer takes the copies out.
import { DatabaseSync } from 'node:sqlite'
import {
  AclOperations,
  AclPermissionTypes,
  Admin,
  ResourcePatternTypes,
  ResourceTypes,
  type ResourceTypeValue,
} from '@platformatic/kafka'
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest'
import { type LocalKafka, startKafka } from '../../../infra/local/kafka.ts'
import { interpretedPlan } from '../../../lib/compiler/interpreted.ts'
import { plan as planning } from '../../../lib/compiler/planning.ts'
import { createKafka, type KafkaConfig } from '../../../lib/connectors/kafka/producer.ts'
import { securityFrom } from '../../../lib/connectors/kafka/security.ts'
import { memoryStore } from '../../../lib/connectors/memory.ts'
import { readCommitted } from '../../../lib/emulator/committed.ts'
import { buildEvent, type ConsumedRecord } from '../../../lib/emulator/event.ts'
import { judgeResult } from '../../../lib/emulator/result.ts'
import type { Plan } from '../../../lib/plan/plan.ts'
import { createHandler } from '../../../lib/runtime/handler.ts'
import { RetryableError } from '../../../lib/runtime/ports.ts'
import { checkScenario } from '../../../lib/scenario/check.ts'
import { startFaultProxy } from '../../connectors/kafka/fault-proxy.ts'
import { freshPlace, type Place } from '../../connectors/kafka/outputs.ts'

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }
const context = { getRemainingTimeInMillis: () => 20_000 } as never

/** An output for each number above 0, to a topic that the record names; a dead letter for what is no number. */
function planFor(place: Place, delivery: 'at-least-once' | 'exactly-once' = 'at-least-once'): Plan {
  const { scenario, diagnostics } = checkScenario(
    'numbers.yml',
    `scenario: numbers
description: Numbers above zero.
delivery: ${delivery}
source: { topic: ${place.source.topic}, event: { n: int, to: string = "${place.target}" } }
filter: { above: event.n > 0 }
sinks:
  number: { topic: "{event.to}", among: [${place.target}, missing-topic], key: event.n, value: { n: event.n } }
`,
  )
  expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([])
  return { ...interpretedPlan(planning(scenario!)), stopAbove: 1 }
}

function functionOf(plan: Plan, place: Place, config: KafkaConfig, partialResponse = false) {
  const kafka = createKafka({ ...config, delivery: plan.delivery })
  const world = { kafka, stores: { redis: memoryStore({}) }, log: silent, deadLetterTopic: place.target, partialResponse }
  const handler = createHandler(plan, world)
  return {
    invoke: (records: readonly ConsumedRecord[]) => handler(eventOf(records), context) as unknown as Promise<unknown>,
    close: () => kafka.close(),
  }
}

const eventOf = (records: readonly ConsumedRecord[]) => buildEvent(records, { kind: 'self-managed', bootstrapServers: '' })

function records(place: Place, values: readonly unknown[], partition = 0): readonly ConsumedRecord[] {
  return values.map((value, offset) => ({
    ...{ topic: place.source.topic, partition, offset, timestampMs: 1000 + offset, timestampType: 'CREATE_TIME' },
    ...{ key: null, headers: [], value: Buffer.from(JSON.stringify(value)) },
  }))
}

/** All that stands in the topic, as `KEY VALUE`. */
async function written(broker: string, place: Place): Promise<readonly string[]> {
  const all = await readCommitted(broker, [place.target], { timeoutMs: 20_000 })
  return all.map(record => `${keyOf(record)} ${Buffer.from(record.value!)}`)
}

function keyOf({ headers }: ConsumedRecord): string {
  const { value } = headers.find(({ name }) => name === 'sluice-idempotency-key')!
  return Buffer.from(value!).toString().split('/').slice(2).join('/')
}

describe('outputs', () => {
  const broker = inject('kafka')
  const config = { bootstrapServers: broker, clientId: 'test' }

  test('are there when the invocation returns; a batch that comes again brings the same again', async () => {
    const place = await freshPlace(broker)
    const { invoke, close } = functionOf(planFor(place), place, config)
    const batch = records(place, [{ n: 1 }, { n: 0 }, { n: 'x' }, { n: 3 }])
    const once = ['0/0/number/0 {"n":1}', '0/2/dead-letter/0 {"n":"x"}', '0/3/number/0 {"n":3}']
    expect(await invoke(batch)).toEqual({ batchItemFailures: [] })
    expect(await written(broker, place)).toEqual(once)
    expect(await invoke(batch)).toEqual({ batchItemFailures: [] })
    expect(await written(broker, place)).toEqual([...once, ...once])
    const all = await readCommitted(broker, [place.target], { timeoutMs: 20_000 })
    // Topic, key, value, headers and time, byte for byte.
    const bytes = all.map(({ offset, ...rest }) => rest)
    expect(bytes.slice(3)).toEqual(bytes.slice(0, 3))
    await close()
  })

  test('whichever request or answer is lost, within an invocation nothing is doubled and order is kept', async () => {
    for (const fate of ['lose', 'lose answer'] as const) {
      for (let n = 1, reached = true; reached; n++) {
        const place = await freshPlace(broker)
        reached = false
        const proxy = await startFaultProxy(broker, ({ number }) => {
          if (number !== n) return 'pass'
          reached = true
          return fate
        })
        const { invoke, close } = functionOf(planFor(place), place, { ...config, openSocket: proxy.openSocket })
        await invoke(records(place, [{ n: 1 }, { n: 2 }]))
        expect(await written(broker, place), `${fate} ${n}`).toEqual(['0/0/number/0 {"n":1}', '0/1/number/0 {"n":2}'])
        await close()
        await proxy.close()
      }
    }
  })
})

describe('what fails', () => {
  const broker = inject('kafka')
  const config = { bootstrapServers: broker, clientId: 'test', patienceMs: 300 }
  const settings = { functionResponseTypes: ['ReportBatchItemFailures'], partial: 'items' } as const

  test.each([
    ['the partition that failed, from its first record on, where the mapping hears it', true],
    ['nothing, but is thrown where it does not', false],
  ] as const)('is told: %s', async (_, partial) => {
    const place = await freshPlace(broker)
    const { invoke, close } = functionOf(planFor(place), place, config, partial)
    const good = records(place, [{ n: 1 }, { n: 2 }], 0)
    const bad = records(place, [{ n: 3 }, { n: 4, to: 'missing-topic' }], 1)
    const outcome = await invoke([...good, ...bad]).catch(error => error)
    const failed = [0, 1].map(offset => ({ itemIdentifier: { partition: `${place.source.topic}-1`, offset } }))
    if (partial) expect(outcome).toEqual({ batchItemFailures: failed })
    else expect(outcome).toMatchObject({ id: 'kafka-unknown-topic' })
    // What is done is written in either case, and of the other nothing is taken for done.
    expect(await written(broker, place)).toEqual(['0/0/number/0 {"n":1}', '0/1/number/0 {"n":2}'])
    if (partial)
      expect(
        judgeResult({ status: 'success', response: outcome, durationMs: 1 } as never, eventOf([...good, ...bad]), settings),
      ).toEqual({
        kind: 'retry-some',
        failed: new Map([[`${place.source.topic}-1`, [0, 1]]]),
      })
    await close()
  })

  test('all of it is thrown, so that an alarm sees it', async () => {
    const place = await freshPlace(broker)
    const { invoke, close } = functionOf(planFor(place), place, config, true)
    await expect(invoke(records(place, [{ n: 4, to: 'missing-topic' }]))).rejects.toBeInstanceOf(RetryableError)
    await close()
  })
})

describe('a login without rights to transactions', () => {
  let broker: LocalKafka
  let admin: Admin
  beforeAll(async () => {
    broker = await startKafka({
      listeners: { LOGIN: 'SASL_PLAINTEXT' },
      settings: {
        'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        'super.users': 'User:ANONYMOUS',
        'listener.name.login.sasl.enabled.mechanisms': 'PLAIN',
        'listener.name.login.plain.sasl.jaas.config':
          'org.apache.kafka.common.security.plain.PlainLoginModule required user_writer="p";',
      },
    })
    admin = new Admin({ clientId: 'test', bootstrapBrokers: [broker.bootstrapServers] })
  })
  afterAll(async () => {
    await admin?.close()
    await broker?.stop()
  })

  /** WRITE on its outputs, and nothing else. */
  async function mayWrite(topic: string): Promise<void> {
    const principal = 'User:writer'
    const resource = { resourceType: ResourceTypes.TOPIC as ResourceTypeValue, resourceName: topic }
    const acl = { principal, host: '*', operation: AclOperations.WRITE, permissionType: AclPermissionTypes.ALLOW }
    await admin.createAcls({ creations: [{ ...resource, ...acl, resourcePatternType: ResourcePatternTypes.LITERAL }] })
    const any = { operation: AclOperations.ANY, permissionType: AclPermissionTypes.ANY, host: null }
    await vi.waitFor(async () => {
      const filter = { ...resource, ...any, principal, resourcePatternType: ResourcePatternTypes.LITERAL }
      expect(await admin.describeAcls({ filter })).toHaveLength(1)
    }, 30_000)
  }

  test.each([
    ['at-least-once', { batchItemFailures: [] }, ['0/0/number/0 {"n":1}']],
    ['exactly-once', { id: 'kafka-unauthorized' }, []],
  ] as const)('%s', async (delivery, outcome, outputs) => {
    const place = await freshPlace(broker.bootstrapServers)
    await mayWrite(place.target)
    const login = { SLUICE_KAFKA_USERNAME: 'writer', SLUICE_KAFKA_PASSWORD: 'p' }
    const security = securityFrom({ SLUICE_KAFKA_SECURITY: 'sasl-plain', SLUICE_KAFKA_TLS: 'off', ...login })
    const config = { bootstrapServers: broker.listeners['LOGIN']!, clientId: 'test', security }
    const { invoke, close } = functionOf(planFor(place, delivery), place, config)
    expect(await invoke(records(place, [{ n: 1 }])).catch(error => error)).toMatchObject(outcome)
    expect(await written(broker.bootstrapServers, place)).toEqual(outputs)
    await close()
  })
})

test('a consumer takes the copies out: the key is unique in the transaction of its own effect', async () => {
  const broker = inject('kafka')
  const place = await freshPlace(broker)
  const { invoke, close } = functionOf(planFor(place), place, { bootstrapServers: broker, clientId: 'test' })
  const batch = records(place, [{ n: 10 }, { n: 20 }, { n: 30 }])
  await invoke(batch.slice(0, 2))
  // The mapping delivers again, from the beginning on; and once more.
  await invoke(batch)
  await invoke(batch)
  await close()
  const all = await readCommitted(broker, [place.target], { timeoutMs: 20_000 })
  expect(all).toHaveLength(8)

  const database = new DatabaseSync(':memory:')
  database.exec('create table seen (key text primary key); create table total (sum integer); insert into total values (0)')
  const consume = ({ headers, value }: ConsumedRecord): void => {
    const key = headers.find(({ name }) => name === 'sluice-idempotency-key')!.value!
    database.exec('begin')
    const { changes } = database.prepare('insert into seen values (?) on conflict do nothing').run(Buffer.from(key).toString())
    const { n } = JSON.parse(Buffer.from(value!).toString()) as { n: number }
    if (changes === 1) database.prepare('update total set sum = sum + ?').run(n)
    database.exec('commit')
  }
  // It dies before it commits its offsets, and reads some a second time.
  for (const record of [...all.slice(0, 5), ...all]) consume(record)
  expect({ ...database.prepare('select sum from total').get() }).toEqual({ sum: 60 })
})
