import { expect, test } from 'vitest'
import { esmSettingsOf, mappingProblems, mappingResource } from '../../infra/mapping.ts'
import { arnOf, outputTopics, statementsOf } from '../../infra/permissions.ts'
import type { Scenario } from '../../lib/scenario/scenario.ts'

const cluster = 'arn:aws:kafka:eu-central-1:123456789012:cluster/main/uuid-1'
const place = { cluster, functionId: 'OffersLambdaFunction', dependsOn: ['OffersRole'] }

function scenario(settings: object = {}, functionSettings: object = {}): Scenario {
  return {
    name: 'offers',
    generation: 2,
    source: { topic: 'app.visits', settings },
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

test.each([
  [840, []],
  [900, ["the function's timeout is 900 s, and Kafka's event source mapping takes 840 s at most"]],
])('a timeout of %i s', (timeout, problems) => {
  expect(mappingProblems(esmSettingsOf(scenario({}, { timeout })))).toEqual(problems)
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
    ReadSource: [`${base}topic/main/uuid-1/app.visits`],
    WriteOutputs: ['crm.offers', 'crm.push', 'crm.sms', 'sluice.offers.dead-letters'].map(
      name => `${base}topic/main/uuid-1/${name}`,
    ),
    Groups: [`${base}group/main/uuid-1/sluice.offers.2.trigger/app.visits`, `${base}group/main/uuid-1/sluice.offers.2`],
    Transactions: [`${base}transactional-id/main/uuid-1/sluice.offers.2/*`],
    Logs: [
      { 'Fn::Sub': 'arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:/aws/lambda/sluice-dev-offers:*' },
    ],
    Network: '*',
  })
  expect(statements.find(({ Sid }) => Sid === 'Network')!.Action.every(action => action.startsWith('ec2:'))).toBe(true)
  expect(statements.flatMap(({ Action }) => Action).filter(action => action.includes('*'))).toEqual([])
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
