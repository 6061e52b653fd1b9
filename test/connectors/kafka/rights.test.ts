// The least rights with which a function works (event-source-mapping.md 4.7), on brokers that refuse all that is not granted: each is needed, and
// none more. Rights of Kafka's own ACLs; those of IAM go by the same requests: READ is ReadData or AlterGroup, WRITE is WriteData or
// AlterTransactionalId, DESCRIBE the Describe action of each kind. READ and WRITE hold DESCRIBE here, with IAM they do not.
import {
  AclOperations,
  type AclOperationValue,
  AclPermissionTypes,
  Admin,
  ResourcePatternTypes,
  ResourceTypes,
  type ResourceTypeValue,
} from '@platformatic/kafka'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type LocalKafka, startKafka } from '../../../infra/local/kafka.ts'
import { createTopics } from '../../../infra/local/topics.ts'
import { createKafka } from '../../../lib/connectors/kafka/producer.ts'
import { securityFrom } from '../../../lib/connectors/kafka/security.ts'
import type { TransactionPort } from '../../../lib/runtime/ports.ts'
import { claim, committedValues, deadline, freshPlace, type Place, write } from './outputs.ts'

const { TOPIC, GROUP, TRANSACTIONAL_ID } = ResourceTypes
const { READ, WRITE, DESCRIBE } = AclOperations

interface Right {
  readonly on: string
  readonly kind: ResourceTypeValue
  readonly name: (place: Place) => string
  /** Of all names that begin so. */
  readonly prefix?: true
  readonly operation: AclOperationValue
}

const transactions = {
  on: 'its transactional ids',
  kind: TRANSACTIONAL_ID,
  name: (place: Place) => `${place.group}/`,
  prefix: true,
} as const
const group = { on: 'its group', kind: GROUP, name: (place: Place) => place.group } as const
const source = { on: 'its source', kind: TOPIC, name: (place: Place) => place.source.topic } as const
const target = { on: 'its output', kind: TOPIC, name: (place: Place) => place.target } as const
const slotTopic = { on: 'the topic for progress', kind: TOPIC, name: () => 'sluice-progress' } as const
const slotGroups = {
  on: 'its groups of the old form',
  kind: GROUP,
  name: (place: Place) => `${place.group}/`,
  prefix: true,
} as const

const rights: Readonly<Record<string, readonly Right[]>> = {
  '4.2.2': [
    { ...transactions, operation: WRITE },
    { ...group, operation: READ },
    { ...source, operation: READ },
    { ...target, operation: WRITE },
  ],
  // Progress is kept under the slots, and the two of the new form are only looked at. After an upgrade they need what stands above.
  '3.9.2': [
    { ...transactions, operation: WRITE },
    { ...group, operation: DESCRIBE },
    { ...source, operation: DESCRIBE },
    { ...target, operation: WRITE },
    { ...slotTopic, operation: READ },
    { ...slotGroups, operation: READ },
  ],
}

describe.each(Object.keys(rights))('Kafka %s', version => {
  const all = rights[version]!
  let broker: LocalKafka
  let admin: Admin
  let users = 0
  const open: TransactionPort[] = []

  beforeAll(async () => {
    // Rights to the topic for progress are of all scenarios: each test is a user of its own.
    const names = Array.from({ length: 2 * all.length + 1 }, (_, n) => `user_f${n}="p"`).join(' ')
    broker = await startKafka({
      version,
      listeners: { LOGIN: 'SASL_PLAINTEXT' },
      settings: {
        'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        // Brokers among themselves, and tests that make topics and grant rights.
        'super.users': 'User:ANONYMOUS',
        'listener.name.login.sasl.enabled.mechanisms': 'PLAIN',
        'listener.name.login.plain.sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required ${names};`,
      },
    })
    admin = new Admin({ clientId: 'test', bootstrapBrokers: [broker.bootstrapServers] })
    await createTopics(broker.bootstrapServers, [{ name: 'sluice-progress', partitions: 32 }])
  })
  afterAll(async () => {
    await Promise.all(open.map(one => one.close()))
    await admin?.close()
    await broker?.stop()
  })

  async function functionWith(granted: readonly Right[], place: Place): Promise<TransactionPort> {
    const name = `f${users++}`
    const principal = `User:${name}`
    const allow = { principal, host: '*', permissionType: AclPermissionTypes.ALLOW }
    const creations = granted.map(right => ({
      ...allow,
      resourceType: right.kind,
      resourceName: right.name(place),
      resourcePatternType: right.prefix ? ResourcePatternTypes.PREFIXED : ResourcePatternTypes.LITERAL,
      operation: right.operation,
    }))
    await admin.createAcls({ creations })
    // The controller has them; the broker hears of them a little later.
    const any = { resourceType: ResourceTypes.ANY, resourceName: null, resourcePatternType: ResourcePatternTypes.ANY, host: null }
    const filter = { ...any, principal, operation: AclOperations.ANY, permissionType: AclPermissionTypes.ANY }
    await vi.waitFor(async () => {
      const found = await admin.describeAcls({ filter })
      expect(found.flatMap(resource => resource.acls)).toHaveLength(granted.length)
    }, 30_000)
    const login = { SLUICE_KAFKA_USERNAME: name, SLUICE_KAFKA_PASSWORD: 'p' }
    const security = securityFrom({ SLUICE_KAFKA_SECURITY: 'sasl-plain', SLUICE_KAFKA_TLS: 'off', ...login })
    const kafka = createKafka({ bootstrapServers: broker.listeners['LOGIN']!, clientId: 'test', security })
    open.push(kafka)
    return kafka
  }

  /** All that a function asks of Kafka. */
  async function work(kafka: TransactionPort, place: Place): Promise<void> {
    const first = await claim(kafka, place)
    await write(kafka, place, first.session, 0, ['a'])
    await kafka.endOffset(place.source, deadline)
    const second = await claim(kafka, place)
    expect(second.position).toBe(1n)
    await write(kafka, place, second.session, 1, ['b'])
  }

  test('with these rights it works', async () => {
    const place = await freshPlace(broker.bootstrapServers)
    await work(await functionWith(all, place), place)
    expect(await committedValues(broker.bootstrapServers, place.target)).toEqual(['a', 'b'])
  })

  test.each(all.map(right => [right.on, right] as const))(
    'without a right to %s it does not, and says so',
    async (_, missing) => {
      const place = await freshPlace(broker.bootstrapServers)
      const kafka = await functionWith(
        all.filter(right => right !== missing),
        place,
      )
      const error = await work(kafka, place).catch(error => error)
      expect(error).toMatchObject({ id: 'kafka-unauthorized', message: expect.stringContaining(missing.name(place)) })
      expect(await committedValues(broker.bootstrapServers, place.target)).toEqual([])
    },
  )

  const lessers = all.filter(right => right.operation !== DESCRIBE)
  test.each(lessers.map(right => [right.on, right] as const))('describing %s is not enough', async (_, right) => {
    const place = await freshPlace(broker.bootstrapServers)
    const kafka = await functionWith(
      all.map(one => (one === right ? { ...one, operation: DESCRIBE } : one)),
      place,
    )
    const error = await work(kafka, place).catch(error => error)
    expect(error).toMatchObject({ id: 'kafka-unauthorized', message: expect.stringContaining(right.name(place)) })
    expect(await committedValues(broker.bootstrapServers, place.target)).toEqual([])
  })
})
