// What the login of `sluice replay` may do on brokers that refuse all that is not granted: the function's rights, and READ where it reads.
import {
  AclOperations,
  type AclOperationValue,
  AclPermissionTypes,
  Admin,
  ResourcePatternTypes,
  ResourceTypes,
  type ResourceTypeValue,
} from '@platformatic/kafka'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { type LocalKafka, startKafka } from '../../../infra/local/kafka.ts'
import { type ReplayPlace, record, replayPlace } from './place.ts'

let broker: LocalKafka
let admin: Admin
let place: ReplayPlace | undefined
beforeAll(async () => {
  const users = Array.from({ length: 4 }, (_, n) => `user_u${n}="p"`).join(' ')
  broker = await startKafka({
    listeners: { LOGIN: 'SASL_PLAINTEXT' },
    settings: {
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:ANONYMOUS',
      'listener.name.login.sasl.enabled.mechanisms': 'PLAIN',
      'listener.name.login.plain.sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required ${users};`,
    },
  })
  admin = new Admin({ clientId: 'test', bootstrapBrokers: [broker.bootstrapServers] })
}, 60_000)
afterEach(() => place?.remove())
afterAll(async () => {
  await admin?.close()
  await broker?.stop()
})

interface Right {
  readonly kind: ResourceTypeValue
  readonly name: string
  readonly prefix?: true
  readonly operation: AclOperationValue
}

async function grant(user: string, rights: readonly Right[]): Promise<void> {
  const principal = `User:${user}`
  await admin.createAcls({
    creations: rights.map(({ kind, name, prefix, operation }) => ({
      ...{ principal, host: '*', permissionType: AclPermissionTypes.ALLOW, operation },
      ...{ resourceType: kind, resourceName: name },
      resourcePatternType: prefix ? ResourcePatternTypes.PREFIXED : ResourcePatternTypes.LITERAL,
    })),
  })
  const any = { resourceType: ResourceTypes.ANY, resourceName: null, resourcePatternType: ResourcePatternTypes.ANY, host: null }
  const filter = { ...any, principal, operation: AclOperations.ANY, permissionType: AclPermissionTypes.ANY }
  await vi.waitFor(async () => {
    const found = await admin.describeAcls({ filter })
    expect(found.flatMap(resource => resource.acls)).toHaveLength(rights.length)
  }, 30_000)
}

test.each([
  ['with them it works', 'u0', undefined],
  ['without WRITE on its transactional id it says so', 'u1', 'transactional id'],
  ['without READ on the dead letters it says so', 'u2', 'dead letters'],
  ['without WRITE on the outputs it says so', 'u3', 'outputs'],
])('%s', async (_, user, missing) => {
  const login = { SLUICE_KAFKA: broker.listeners['LOGIN']!, SLUICE_KAFKA_SECURITY: 'sasl-plain', SLUICE_KAFKA_TLS: 'off' }
  place = await replayPlace(broker.bootstrapServers, {
    environment: { ...login, SLUICE_KAFKA_USERNAME: user, SLUICE_KAFKA_PASSWORD: 'p' },
  })
  const { name, deadLetters, target } = place
  const { READ, WRITE } = AclOperations
  const { TOPIC, TRANSACTIONAL_ID } = ResourceTypes
  const rights = {
    'transactional id': { kind: TRANSACTIONAL_ID, name: `sluice.${name}.1/`, prefix: true, operation: WRITE },
    'dead letters': { kind: TOPIC, name: deadLetters, operation: READ },
    'marks of dead letters': { kind: TOPIC, name: deadLetters, operation: WRITE },
    outputs: { kind: TOPIC, name: target, operation: WRITE },
  } as const
  await grant(
    user,
    Object.entries(rights).flatMap(([on, right]) => (on === missing ? [] : [right])),
  )
  await place.decide([record(place.source, 0, '{"n":"0"}')])
  place.rules({ type: 'string' })
  const { code, out, error } = await place.sluice()
  if (missing === undefined)
    expect({ code, error, out }).toMatchObject({ code: 0, error: '', out: expect.stringContaining('1 sent') })
  else expect({ code, error }).toEqual({ code: 1, error: expect.stringMatching(/^\[kafka-(unauthorized|unknown-topic)\]/) })
  expect(await place.outputs()).toHaveLength(missing === undefined ? 1 : 0)
})
