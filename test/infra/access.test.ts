import { expect, test } from 'vitest'
import {
  accessProblems,
  accessWarnings,
  kafkaEnvironment,
  mappingAccess,
  mappingSource,
  networkWarnings,
} from '../../infra/access.ts'
import { esmSettingsOf, mappingResource } from '../../infra/mapping.ts'
import { statementsOf } from '../../infra/permissions.ts'
import type { KafkaAccess, SluiceSettings } from '../../infra/settings.ts'
import type { Scenario } from '../../lib/scenario/scenario.ts'
import { templateProblems } from './template-schema.ts'

const provisioned = 'arn:aws:kafka:eu-central-1:123456789012:cluster/main/5c1e7f0a-0f3b-4f5e-9a64-2d7b5f0c9e11-25'
const serverless = 'arn:aws:kafka:eu-central-1:123456789012:cluster/main/5c1e7f0a-0f3b-4f5e-9a64-2d7b5f0c9e11-s1'
const secret = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:login-AbCdEf'
const authority = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:authority-AbCdEf'
const vpc = { subnetIds: ['subnet-1', { 'Fn::ImportValue': 'subnet' }], securityGroupIds: ['sg-1'] }

const offers = {
  name: 'offers',
  generation: 2,
  source: { topic: 'app.visits', settings: {} },
  enrichers: [],
  sinks: [{ topic: { parts: ['crm.offers'] } }],
  functionSettings: {},
} as unknown as Scenario

function settings(cluster: unknown, kafka: KafkaAccess = {}, others: Partial<SluiceSettings> = {}): SluiceSettings {
  return { cluster, bootstrapServers: 'b-1.example:9092,b-2.example:9092', kafka, ...others }
}

test.each<[string, SluiceSettings, object, readonly object[]]>([
  ['MSK, nothing set', settings(provisioned), {}, []],
  ['IAM, which needs no secret', settings(serverless, { security: 'msk-iam' }), { SLUICE_KAFKA_SECURITY: 'msk-iam' }, []],
  [
    'a client certificate',
    settings(provisioned, { security: 'tls', secret }),
    { SLUICE_KAFKA_SECURITY: 'tls', SLUICE_KAFKA_SECRET: secret },
    [{ Type: 'CLIENT_CERTIFICATE_TLS_AUTH', URI: secret }],
  ],
  [
    'name and password at a self-managed cluster in a VPC',
    settings('self-managed', { security: 'sasl-plain', secret }, { vpc }),
    { SLUICE_KAFKA_SECURITY: 'sasl-plain', SLUICE_KAFKA_SECRET: secret },
    [
      { Type: 'BASIC_AUTH', URI: secret },
      { Type: 'VPC_SUBNET', URI: 'subnet:subnet-1' },
      { Type: 'VPC_SUBNET', URI: { 'Fn::Join': ['', ['subnet:', { 'Fn::ImportValue': 'subnet' }]] } },
      { Type: 'VPC_SECURITY_GROUP', URI: 'security_group:sg-1' },
    ],
  ],
  [
    'SCRAM in the internet, with an authority of its own',
    settings('self-managed', { security: 'sasl-scram-256', secret, authority }),
    {
      SLUICE_KAFKA_SECURITY: 'sasl-scram-256',
      SLUICE_KAFKA_SECRET: secret,
      SLUICE_KAFKA_CA: {
        'Fn::Sub': ['{{resolve:secretsmanager:${secret}:SecretString:certificate}}', { secret: authority }],
      },
    },
    [
      { Type: 'SASL_SCRAM_256_AUTH', URI: secret },
      { Type: 'SERVER_ROOT_CA_CERTIFICATE', URI: authority },
    ],
  ],
  ['a self-managed cluster without a login', settings('self-managed'), {}, []],
])('the way in: %s', (_, given, environment, access) => {
  expect(kafkaEnvironment(given)).toEqual(environment)
  expect(mappingAccess(given)).toEqual(access)
  expect(accessProblems(given)).toEqual([])
  const mapping = mappingResource(esmSettingsOf(offers), {
    source: mappingSource(given),
    functionId: 'F',
    dependsOn: [],
    access: mappingAccess(given),
  })
  const F = { Type: 'AWS::Lambda::Function', Properties: { Code: {}, Role: 'arn' } }
  expect(templateProblems({ Resources: { F, Mapping: mapping } })).toEqual([])
})

test('a self-managed cluster is named by its brokers, and its group stands under its own key', () => {
  const source = mappingSource(settings('self-managed'))
  expect(mappingResource(esmSettingsOf(offers), { source, functionId: 'F', dependsOn: [] })).toMatchObject({
    Properties: {
      SelfManagedEventSource: { Endpoints: { KafkaBootstrapServers: ['b-1.example:9092', 'b-2.example:9092'] } },
      SelfManagedKafkaEventSourceConfig: { ConsumerGroupId: 'sluice.offers.2.trigger/app.visits' },
    },
  })
  expect(mappingSource({ cluster: 'self-managed', bootstrapServers: { 'Fn::ImportValue': 'brokers' } })).toEqual({
    SelfManagedEventSource: {
      Endpoints: { KafkaBootstrapServers: { 'Fn::Split': [',', { 'Fn::ImportValue': 'brokers' }] } },
    },
  })
})

test('at a self-managed cluster the role has no right of MSK, and may read both secrets', () => {
  const statements = statementsOf(offers, {
    cluster: undefined,
    settings: esmSettingsOf(offers),
    deadLetterTopic: 'dead',
    logGroupName: 'log',
    secret,
    authority,
  })
  expect(statements.map(({ Sid }) => Sid)).toEqual(['Secret', 'Logs', 'Network'])
  expect(statements[0]!.Resource).toEqual([secret, authority])
})

test.each<[string, SluiceSettings, readonly string[]]>([
  [
    'MSK Serverless without IAM',
    settings(serverless),
    ['MSK Serverless takes IAM alone, and "kafka" has "security: plaintext": set "security: msk-iam"'],
  ],
  [
    'SASL PLAIN at MSK',
    settings(provisioned, { security: 'sasl-plain', secret }),
    ['MSK has no "security: sasl-plain": it takes plaintext, tls, sasl-scram-512, msk-iam'],
  ],
  [
    'IAM of MSK elsewhere',
    settings('self-managed', { security: 'msk-iam' }),
    [
      'sluice does not set up "security: msk-iam" for the mapping at a self-managed cluster: it takes plaintext, tls, sasl-plain, sasl-scram-256, sasl-scram-512',
    ],
  ],
  [
    'a login without its secret',
    settings(provisioned, { security: 'sasl-scram-512' }),
    [
      '"security: sasl-scram-512" needs "secret" under "kafka": the ARN of a secret with "username" and "password", which function and mapping read',
    ],
  ],
  [
    'a secret that nobody reads',
    settings(provisioned, { security: 'msk-iam', secret }),
    ['"security: msk-iam" reads no secret: remove "secret" under "kafka", or name the login that it is for'],
  ],
  [
    'an authority at MSK',
    settings(provisioned, { security: 'tls', authority }),
    ['Brokers of MSK have certificates of a public authority: remove "authority" under "kafka"'],
  ],
  [
    'an authority without TLS',
    settings('self-managed', { authority }),
    ['"authority" under "kafka" is for TLS, and "security" is "plaintext": remove one of them'],
  ],
])('%s is refused', (_, given, problems) => {
  expect(accessProblems(given)).toEqual(problems)
})

test.each<[string, SluiceSettings, readonly string[]]>([
  ['nothing', settings(provisioned, {}, { kafkaVersion: '4.1' }), []],
  [
    'the port of another login',
    settings(provisioned, { security: 'msk-iam' }, { bootstrapServers: 'b-1.main.kafka.eu-central-1.amazonaws.com:9092' }),
    [
      'MSK listens for "security: msk-iam" on port 9098, and "bootstrapServers" has b-1.main.kafka.eu-central-1.amazonaws.com:9092',
    ],
  ],
  [
    'a secret whose key nobody named',
    settings(provisioned, { security: 'sasl-scram-512', secret }),
    [
      'MSK takes only secrets that a key of your own encrypts, and the functions may not use it: set "secretKey" under "kafka" to its ARN',
    ],
  ],
  [
    'the classic group coordinator',
    settings(provisioned, {}, { kafkaVersion: '3.9.x' }),
    [
      'Kafka 3.9.x has the classic group coordinator, which can forget a position when an invocation is fenced; sluice guards against it with the topic "sluice-progress": run "npx sluice progress --init" once for the cluster',
    ],
  ],
  [
    'a version with KAFKA-20734',
    settings('self-managed', {}, { kafkaVersion: '4.4.0' }),
    [
      'Kafka 4.4.0 skips the end of transactions while a partition has no leader (KAFKA-20734), after which the function stops: outputs, __consumer_offsets and __transaction_state need replication of 3',
    ],
  ],
])('what surprises is told: %s', (_, given, warnings) => {
  expect(accessWarnings(given)).toEqual(warnings)
})

const upstash =
  'Upstash is in the internet, and a function in a VPC reaches it only by a NAT gateway; ElastiCache and MemoryDB need none'

test.each<[string, SluiceSettings, { inVpc: boolean; looksUp: boolean }, readonly string[]]>([
  ['MSK from a VPC', settings(provisioned, {}, { redis: 'rediss://cache:6379' }), { inVpc: true, looksUp: true }, []],
  [
    'MSK from outside',
    settings(provisioned),
    { inVpc: false, looksUp: false },
    [
      'It is in no VPC and will hardly reach brokers or store, since the trigger gives the function no path: set "vpc" under "sluice" in serverless.yml',
    ],
  ],
  ['brokers in the internet', settings('self-managed'), { inVpc: false, looksUp: true }, []],
  [
    'Upstash from a VPC',
    settings(provisioned, {}, { redis: 'upstash+https://:t@eu1.upstash.io' }),
    { inVpc: true, looksUp: true },
    [upstash],
  ],
  [
    'Upstash by TLS from a VPC',
    settings(provisioned, {}, { redis: 'rediss://:t@eu1.upstash.io:6379' }),
    { inVpc: true, looksUp: true },
    [upstash],
  ],
  [
    'Upstash whose URL CloudFormation alone knows',
    settings(provisioned, {}, { redis: { Ref: 'Url' }, redisScheme: 'upstash+https' }),
    { inVpc: true, looksUp: true },
    [upstash],
  ],
  [
    'Upstash, and no look-up',
    settings(provisioned, {}, { redis: 'upstash+https://:t@eu1.upstash.io' }),
    { inVpc: true, looksUp: false },
    [],
  ],
])('the way of a function to what it needs: %s', (_, given, lambda, warnings) => {
  expect(networkWarnings(given, lambda)).toEqual(warnings)
})
