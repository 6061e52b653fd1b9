import { expect, test } from 'vitest'
import { kafkaEnvironment, mappingAccess } from '../../infra/access.ts'
import {
  esmSettingsOf,
  mappingProblems,
  mappingResource,
  mappingWarnings,
  pollerGroupProblems,
  progressGroupProblems,
  sharedGroups,
} from '../../infra/mapping.ts'
import { arnOf, outputTopics, statementsOf } from '../../infra/permissions.ts'
import { checkScenario } from '../../lib/scenario/check.ts'
import type { Scenario } from '../../lib/scenario/scenario.ts'
import { templateProblems } from './template-schema.ts'

const cluster = 'arn:aws:kafka:eu-central-1:123456789012:cluster/main/uuid-1'
const place = { source: { EventSourceArn: cluster }, functionId: 'OffersLambdaFunction', dependsOn: ['OffersRole'] }

function scenario(settings: object = {}, functionSettings: object = {}): Scenario {
  return {
    name: 'offers',
    generation: 2,
    source: { topic: 'app.visits', settings },
    enrichers: [],
    sinks: [
      { topic: { parts: ['crm.offers'] } },
      { topic: { parts: ['crm.', {}] }, among: ['crm.push', 'crm.sms'] },
      { topic: { parts: ['crm.offers'] } },
    ],
    functionSettings,
  } as unknown as Scenario
}

test('without settings the mapping reads all from the beginning, for ever, under a name of its own', () => {
  expect(esmSettingsOf(scenario())).toEqual({
    topic: 'app.visits',
    consumerGroupId: 'sluice.offers.2.trigger/app.visits',
    batchSize: 100,
    maximumBatchingWindowInSeconds: undefined,
    startingPosition: 'TRIM_HORIZON',
    functionResponseTypes: [],
    maximumRetryAttempts: -1,
    maximumRecordAgeInSeconds: -1,
    bisectBatchOnFunctionError: false,
    enabled: true,
    filterPatterns: [],
    functionTimeoutSeconds: 60,
    functionMemoryMb: 1024,
  })
})

test('on demand, CloudFormation gets no property that AWS refuses there', () => {
  expect(mappingResource(esmSettingsOf(scenario()), place)).toEqual({
    Type: 'AWS::Lambda::EventSourceMapping',
    DependsOn: ['OffersRole'],
    Properties: {
      EventSourceArn: cluster,
      FunctionName: { 'Fn::GetAtt': ['OffersLambdaFunction', 'Arn'] },
      Topics: ['app.visits'],
      StartingPosition: 'TRIM_HORIZON',
      AmazonManagedKafkaEventSourceConfig: { ConsumerGroupId: 'sluice.offers.2.trigger/app.visits' },
      BatchSize: 100,
      Enabled: true,
    },
  })
})

test('a window of 0 is written, which osls drops', () => {
  const resource = mappingResource(esmSettingsOf(scenario({ maximumBatchingWindow: 0 })), place)
  expect(resource).toHaveProperty('Properties.MaximumBatchingWindowInSeconds', 0)
})

test('provisioned pollers are shared, and retry for ever', () => {
  const settings = { batchSize: 500, maximumBatchingWindow: 1, provisionedPollerConfig: { minimumPollers: 1, maximumPollers: 8 } }
  expect(mappingResource(esmSettingsOf(scenario(settings)), place)).toMatchObject({
    Properties: {
      BatchSize: 500,
      MaximumBatchingWindowInSeconds: 1,
      ProvisionedPollerConfig: { MinimumPollers: 1, MaximumPollers: 8, PollerGroupName: 'sluice' },
      MaximumRetryAttempts: -1,
      MaximumRecordAgeInSeconds: -1,
      BisectBatchOnFunctionError: false,
      MetricsConfig: { Metrics: ['EventCount', 'ErrorCount', 'KafkaMetrics'] },
    },
  })
})

test('what the mapping tells, its key and its tags are settings, too', () => {
  const settings = {
    provisionedPollerConfig: {},
    metricsConfig: { metrics: ['EventCount'] },
    loggingConfig: { systemLogLevel: 'DEBUG' },
    kmsKeyArn: 'arn:aws:kms:eu-central-1:123456789012:key/1',
  }
  const tags = [{ Key: 'team', Value: 'offers' }]
  const Mapping = mappingResource(esmSettingsOf(scenario(settings)), { ...place, functionId: 'F', dependsOn: [], tags })
  expect(Mapping).toMatchObject({
    Properties: {
      MetricsConfig: { Metrics: ['EventCount'] },
      LoggingConfig: { SystemLogLevel: 'DEBUG' },
      KmsKeyArn: 'arn:aws:kms:eu-central-1:123456789012:key/1',
      Tags: tags,
    },
  })
  const F = { Type: 'AWS::Lambda::Function', Properties: { Code: {}, Role: 'arn' } }
  expect(templateProblems({ Resources: { F, Mapping } })).toEqual([])
})

test('all other settings arrive under the names of CloudFormation', () => {
  const settings = {
    startingPosition: 'AT_TIMESTAMP',
    startingPositionTimestamp: 1795165201,
    consumerGroupId: 'mine',
    enabled: false,
    filterPatterns: [{ value: { type: ['APP_OPENED'] } }],
  }
  expect(mappingResource(esmSettingsOf(scenario(settings)), place)).toMatchObject({
    Properties: {
      StartingPosition: 'AT_TIMESTAMP',
      StartingPositionTimestamp: 1795165201,
      AmazonManagedKafkaEventSourceConfig: { ConsumerGroupId: 'mine' },
      Enabled: false,
      FilterCriteria: { Filters: [{ Pattern: '{"value":{"type":["APP_OPENED"]}}' }] },
    },
  })
})

const now = Date.UTC(2026, 10, 25)
test.each<[string, object, object, readonly string[]]>([
  ['a timeout of 14 minutes', {}, { timeout: 840 }, []],
  [
    'a timeout that Lambda takes, and a mapping does not',
    {},
    { timeout: 900 },
    ["the function's timeout is 900 s, and Kafka's event source mapping takes 840 s at most"],
  ],
  ['a start in the past', { startingPosition: 'AT_TIMESTAMP', startingPositionTimestamp: now / 1000 - 1 }, {}, []],
  [
    'a start in the future',
    { startingPosition: 'AT_TIMESTAMP', startingPositionTimestamp: now / 1000 + 1 },
    {},
    ['"startingPositionTimestamp" lies in the future, and AWS takes only the past'],
  ],
  [
    'a pattern that is too long',
    { filterPatterns: [{ value: { a: ['x'.repeat(5000)] } }] },
    {},
    ['a filter pattern has 5020 characters, and Lambda takes 4096'],
  ],
])('%s', (_, source, functionSettings, problems) => {
  const offers = scenario(source, functionSettings)
  expect(mappingProblems(esmSettingsOf(offers), now)).toEqual(problems)
})

test.each<[string, object, readonly string[]]>([
  ['batches of 4,000', { batchSize: 4000, maximumBatchingWindow: 5 }, []],
  [
    'batches of 10,000',
    { batchSize: 10_000, maximumBatchingWindow: 5 },
    [
      'Batches of 10000 are full only where values have 347 bytes or fewer, since an invocation takes 6 MB; a smaller "batchSize" says what happens',
    ],
  ],
  [
    'LATEST',
    { startingPosition: 'LATEST' },
    [
      'With "startingPosition: LATEST" the records of the minutes in which the mapping is made are lost; TRIM_HORIZON, which is the default, reads them',
    ],
  ],
  [
    'a window of 0',
    { maximumBatchingWindow: 0 },
    [
      'With "maximumBatchingWindow: 0" a quiet topic pays for an invocation per record or two; left out it is 500 ms, to which a mapping, once it has another window, comes back only by being made anew',
    ],
  ],
  [
    'batches of 1,000 within 500 ms',
    { batchSize: 1000 },
    [
      'Batches of 1000 fill within AWS\' window of 500 ms only from 2000 records a second on; "maximumBatchingWindow" makes it longer',
    ],
  ],
  [
    'six patterns',
    { filterPatterns: [1, 2, 3, 4, 5, 6].map(n => ({ value: { n: [n] } })) },
    ['6 filter patterns need a raised quota; an account has 5 per mapping'],
  ],
])('%s: what surprises is told', (_, source, warnings) => {
  expect(mappingWarnings(esmSettingsOf(scenario(source)))).toEqual(warnings)
})

test.each<[string, string, string | undefined, readonly string[]]>([
  ['its own', 'mine', undefined, []],
  ['of its own progress', 'sluice.offers.2', undefined, ['its own progress']],
  ['of its own progress of one partition', 'sluice.offers.2/0', undefined, ['its own progress']],
  ["of another's progress", 'sluice.visits.2', undefined, ['the progress of functions/visits.yml']],
  ["of another's progress of one partition", 'sluice.visits.2/0', undefined, ['the progress of functions/visits.yml']],
  ['of its own progress in a namespace', 'sluice.prod.offers.2', 'prod', ['its own progress']],
  ['of progress in no namespace, which it does not have', 'sluice.offers.2', 'prod', []],
])('a consumer group %s', (_, consumerGroupId, namespace, whose) => {
  const offers = scenario({ consumerGroupId })
  const visits = { ...scenario(), name: 'visits' }
  const mappings = new Map([
    ['functions/offers.yml', { scenario: offers, settings: esmSettingsOf(offers, namespace) }],
    ['functions/visits.yml', { scenario: visits, settings: esmSettingsOf(visits, namespace) }],
  ])
  expect(progressGroupProblems(mappings, namespace)).toEqual(
    whose.map(
      one =>
        `functions/offers.yml: "consumerGroupId" is "${consumerGroupId}", where the function keeps ${one}, which the mapping would overwrite: choose another, or remove the line`,
    ),
  )
})

test("a deployment's namespace stands in the mapping's group, and in all that the role may touch for its progress", () => {
  const offers = scenario()
  const settings = esmSettingsOf(offers, 'prod')
  expect(settings.consumerGroupId).toBe(`sluice.prod.offers.2.trigger/${settings.topic}`)
  const named = JSON.stringify(
    statementsOf(offers, {
      cluster: 'arn:aws:kafka:eu-central-1:1:cluster/c/u',
      settings,
      deadLetterTopic: 'd',
      logGroupName: 'l',
      namespace: 'prod',
    }),
  )
  expect(named).toContain(':group/c/u/sluice.prod.offers.2"')
  expect(named).toContain(':transactional-id/c/u/sluice.prod.offers.2/*"')
  expect(named).not.toContain('sluice.offers.2')
})

test('two scenarios with one consumer group are refused', () => {
  const mine = esmSettingsOf(scenario({ consumerGroupId: 'mine' }))
  const settings = new Map([
    ['functions/a.yml', mine],
    ['functions/b.yml', esmSettingsOf(scenario())],
    ['functions/c.yml', mine],
  ])
  expect(sharedGroups(settings)).toEqual([
    'functions/a.yml and functions/c.yml have one consumer group, "mine", which must be unique among mappings: change "consumerGroupId"',
  ])
})

test('pollers of one group stay within what AWS takes', () => {
  const mappings = (count: number, config: object) =>
    Array.from({ length: count }, () => esmSettingsOf(scenario({ provisionedPollerConfig: config })))
  expect(pollerGroupProblems([...mappings(10, {}), ...mappings(5, { pollerGroupName: 'other' })])).toEqual([])
  expect(pollerGroupProblems(mappings(11, {}))).toEqual([
    'the mappings of poller group "sluice" have 2200 pollers at most, and AWS takes 2000 in a group: lower "maximumPollers" (200 where it is left out), or give some another "pollerGroupName"',
  ])
  expect(pollerGroupProblems(mappings(101, { maximumPollers: 1 }))).toEqual([
    'poller group "sluice" has 101 mappings, and AWS takes 100: give some another "pollerGroupName"',
  ])
})

test.each<[string, object]>([
  ['without settings', {}],
  ['with a window of 0', { maximumBatchingWindow: 0 }],
  ['that begins at a time', { startingPosition: 'AT_TIMESTAMP', startingPositionTimestamp: 1795165201 }],
  ['with patterns', { filterPatterns: [{ value: { type: ['APP_OPENED'] } }] }],
  ['with pollers of its own', { provisionedPollerConfig: { minimumPollers: 1, maximumPollers: 8, pollerGroupName: 'shared' } }],
])('a mapping %s is one by the schema of AWS', (_, source) => {
  const mapping = mappingResource(esmSettingsOf(scenario(source)), { ...place, functionId: 'F', dependsOn: [] })
  const F = { Type: 'AWS::Lambda::Function', Properties: { Code: {}, Role: 'arn' } }
  expect(templateProblems({ Resources: { F, Mapping: mapping } })).toEqual([])
})

test('the role names every topic, group and id, and no other', () => {
  const statements = statementsOf(scenario(), {
    cluster,
    settings: esmSettingsOf(scenario()),
    deadLetterTopic: 'sluice.offers.dead-letters',
    logGroupName: '/aws/lambda/sluice-dev-offers',
  })
  const base = 'arn:aws:kafka:eu-central-1:123456789012:'
  expect(Object.fromEntries(statements.map(({ Sid, Resource }) => [Sid, Resource]))).toEqual({
    Cluster: [cluster],
    Brokers: [cluster],
    ReadSource: [`${base}topic/main/uuid-1/app.visits`, `${base}topic/main/uuid-1/sluice-progress`],
    WriteOutputs: ['crm.offers', 'crm.push', 'crm.sms', 'sluice.offers.dead-letters'].map(
      name => `${base}topic/main/uuid-1/${name}`,
    ),
    Groups: ['sluice.offers.2.trigger/app.visits', 'sluice.offers.2', 'sluice.offers.2/*'].map(
      name => `${base}group/main/uuid-1/${name}`,
    ),
    Transactions: [`${base}transactional-id/main/uuid-1/sluice.offers.2/*`],
    Logs: [
      { 'Fn::Sub': 'arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:/aws/lambda/sluice-dev-offers:*' },
    ],
    Network: '*',
  })
  expect(statements.find(({ Sid }) => Sid === 'Network')!.Action.every(action => action.startsWith('ec2:'))).toBe(true)
  expect(statements.flatMap(({ Action }) => Action).filter(action => action.includes('*'))).toEqual([])
})

test('at least once needs neither transactions nor progress of its own, and so no right to them', () => {
  const offers = { ...scenario(), delivery: 'at-least-once' } as Scenario
  const statements = statementsOf(offers, {
    cluster,
    settings: esmSettingsOf(offers),
    deadLetterTopic: 'sluice.offers.dead-letters',
    logGroupName: '/aws/lambda/sluice-dev-offers',
  })
  const resources = Object.fromEntries(statements.map(({ Sid, Resource }) => [Sid, Resource]))
  expect(resources).toMatchObject({
    ReadSource: ['arn:aws:kafka:eu-central-1:123456789012:topic/main/uuid-1/app.visits'],
    Groups: ['arn:aws:kafka:eu-central-1:123456789012:group/main/uuid-1/sluice.offers.2.trigger/app.visits'],
  })
  expect(resources).not.toHaveProperty('Transactions')
})

test.each<[string, 'exactly-once' | 'at-least-once', object, readonly string[]]>([
  ['exactly once', 'exactly-once', { provisionedPollerConfig: {} }, []],
  ['at least once, on demand, where AWS would not read them', 'at-least-once', {}, []],
  ['at least once, with pollers of its own', 'at-least-once', { provisionedPollerConfig: {} }, ['ReportBatchItemFailures']],
])('%s: which failures may be returned', (_, delivery, source, types) => {
  const settings = esmSettingsOf({ ...scenario(source), delivery } as Scenario)
  expect(settings.functionResponseTypes).toEqual(types)
  const { Properties } = mappingResource(settings, place) as { Properties: Record<string, unknown> }
  expect(Properties['FunctionResponseTypes']).toEqual(types.length > 0 ? types : undefined)
})

const secret = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:AmazonMSK_sluice-AbCdEf'
const secretKey = 'arn:aws:kms:eu-central-1:123456789012:key/1'

test('one secret serves the logins of function and mapping, and the role may read it', () => {
  const login = { security: 'sasl-scram-512', secret, secretKey, compression: 'zstd' } as const
  expect(kafkaEnvironment({ cluster, bootstrapServers: 'b:9096', kafka: login })).toEqual({
    SLUICE_KAFKA_SECURITY: 'sasl-scram-512',
    SLUICE_KAFKA_SECRET: secret,
    SLUICE_KAFKA_COMPRESSION: 'zstd',
  })
  const access = mappingAccess({ cluster, bootstrapServers: 'b:9096', kafka: login })
  const place = { source: { EventSourceArn: cluster }, functionId: 'F', dependsOn: [], access }
  expect(mappingResource(esmSettingsOf(scenario()), place)).toMatchObject({
    Properties: { SourceAccessConfigurations: [{ Type: 'SASL_SCRAM_512_AUTH', URI: secret }] },
  })
  const names = { deadLetterTopic: 'd', logGroupName: 'l' }
  const statements = statementsOf(scenario(), { cluster, settings: esmSettingsOf(scenario()), ...names, secret, secretKey })
  expect(statements.filter(({ Sid }) => Sid.startsWith('Secret'))).toEqual([
    { Sid: 'Secret', Effect: 'Allow', Action: ['secretsmanager:GetSecretValue'], Resource: [secret] },
    { Sid: 'SecretKey', Effect: 'Allow', Action: ['kms:Decrypt'], Resource: [secretKey] },
  ])
})

test('an output topic is listed once, in file order', () => {
  expect(outputTopics(scenario())).toEqual(['crm.offers', 'crm.push', 'crm.sms'])
})

test('of a cluster that only CloudFormation knows, the ARNs are made by CloudFormation', () => {
  const split = { 'Fn::Split': [':cluster/', { 'Fn::ImportValue': 'msk-arn' }] }
  expect(arnOf({ 'Fn::ImportValue': 'msk-arn' }, 'group', 'g')).toEqual({
    'Fn::Join': ['', [{ 'Fn::Select': [0, split] }, ':group/', { 'Fn::Select': [1, split] }, '/g']],
  })
})

// event-source-mapping.md, section 6: "AWS refuses", "We refuse too", as far as one file alone shows it.
test.each([
  ['batchSize: 0', 'setting-range'],
  ['batchSize: 10001', 'setting-range'],
  ['maximumBatchingWindow: 301', 'setting-range'],
  ['maximumBatchingWindow: 0.5', 'setting-range'],
  ['startingPosition: AT_TIMESTAMP', 'missing-key'],
  ['startingPositionTimestamp: 1795165201', 'setting-refused'],
  ["consumerGroupId: 'a b'", 'setting-range'],
  [`filterPatterns: [${Array.from({ length: 11 }, (_, i) => `{ value: { n: [${i}] } }`)}]`, 'setting-range'],
  ['provisionedPollerConfig: { minimumPollers: 201 }', 'setting-range'],
  ['provisionedPollerConfig: { maximumPollers: 2001 }', 'setting-range'],
  ['provisionedPollerConfig: { minimumPollers: 9, maximumPollers: 8 }', 'setting-range'],
  ['maximumRetryAttempts: 3', 'setting-refused'],
  ['maximumRecordAgeInSeconds: 60', 'setting-refused'],
  ['bisectBatchOnFunctionError: true', 'setting-refused'],
  ["onFailureDestination: 'kafka://dead'", 'setting-refused'],
  ['functionResponseType: ReportBatchItemFailures', 'setting-refused'],
  ['loggingConfig: { systemLogLevel: INFO }', 'setting-refused'],
  ['metricsConfig: { metrics: [Everything] }', 'setting-range'],
  ['kmsKeyArn: main', 'setting-range'],
  ['parallelizationFactor: 2', 'setting-refused'],
  ['tumblingWindowInSeconds: 5', 'setting-refused'],
  ['schemaRegistryConfig: {}', 'not-built-yet'],
  ['functionResponseTypes: [ReportBatchItemFailures]', 'setting-refused'],
  ['consumptionMode: Queue', 'setting-refused'],
  ["provisionedPollerConfig: { pollerGroupName: 'a b/ü' }", 'setting-range'],
])('%s is refused as the file is read', (setting, id) => {
  const text = `scenario: a\ndescription: A.\nsource:\n  topic: in\n  event: { id: string }\n  ${setting}\nsinks:\n  out: { topic: out, value: event }\n`
  const errors = checkScenario('functions/a.yml', text).diagnostics.filter(({ severity }) => severity === 'error')
  expect(errors.map(diagnostic => diagnostic.id)).toEqual([id])
})

test.each<[string, string]>([
  ['x', 'needs { value: … }, a pattern for the value of a record, found "x"'],
  ['{ data: { a: [1] } }', 'needs "value" in a pattern, since AWS sees nothing else of a record, found "data"'],
  ['{ vlaue: { a: [1] } }', 'needs "value" in a pattern, since AWS sees nothing else of a record, found "vlaue"'],
  ['{ value: { isLast: true } }', 'needs a list of matchers for "value.isLast", or a map of its fields, found true'],
  ['{ value: { a: [] } }', 'needs at least one matcher for "value.a", found []'],
  [
    '{ value: { a: [{ numric: [">", 1] }] } }',
    'needs a value or one of exists, prefix, suffix, equals-ignore-case, anything-but, numeric for "value.a", found "numric"',
  ],
  [
    '{ value: { a: { b: [{ numeric: [">", "1"] }] } } }',
    'needs ["=", NUMBER], or one or two of < <= > >= each with a number, after "numeric" for "value.a.b", found [">","1"]',
  ],
  ['{ value: { a: [{ exists: yes }] } }', 'needs true or false after "exists" for "value.a", found "yes"'],
  ['{ value: { $or: [{ a: [1] }] } }', 'needs two patterns or more under "$or", found [{"a":[1]}]'],
])('the filter pattern %s is refused as the file is read', (pattern, message) => {
  const text = `scenario: a\ndescription: A.\nsource:\n  topic: in\n  event: { id: string }\n  filterPatterns: [${pattern}]\nsinks:\n  out: { topic: out, value: event }\n`
  const errors = checkScenario('functions/a.yml', text).diagnostics.filter(({ severity }) => severity === 'error')
  expect(errors.map(diagnostic => diagnostic.message)).toEqual([`"filterPatterns" ${message}`])
})

test.each([
  '{ value: { a: [1, "x", true, null, ""] } }',
  '{ value: [{ prefix: A }] }',
  '{ value: { a: [{ exists: false }], b: { c: [{ suffix: z }, { equals-ignore-case: Q }] } } }',
  '{ value: { a: [{ numeric: ["=", 1] }], b: [{ numeric: [">", 0, "<=", 9.5] }], c: [{ anything-but: [x, 1] }] } }',
  '{ value: { $or: [{ a: [1] }, { b: [{ anything-but: x }] }] } }',
  '{ $or: [{ value: { a: [1] } }, { value: { b: [2] } }] }',
])('the filter pattern %s is one', pattern => {
  const text = `scenario: a\ndescription: A.\nsource:\n  topic: in\n  event: { id: string }\n  filterPatterns: [${pattern}]\nsinks:\n  out: { topic: out, value: event }\n`
  expect(checkScenario('functions/a.yml', text).diagnostics.filter(({ severity }) => severity === 'error')).toEqual([])
})
