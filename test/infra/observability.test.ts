import { expect, test } from 'vitest'
import { nestedStack, observabilityTemplate, templateKey, type Watched } from '../../infra/observability.ts'
import type { Scenario } from '../../lib/scenario/scenario.ts'
import { templateProblems } from './template-schema.ts'

const offers: Watched = {
  scenario: {
    name: 'offers',
    description: 'Offers for ${visitors}.',
    generation: 2,
    source: { topic: 'app.visits' },
    enrichers: [
      { name: 'customer', onMissing: 'drop' },
      { name: 'plan', onMissing: 'empty' },
    ],
    decisions: [],
    state: [],
    filters: [{ name: 'adult' }],
    sinks: [{ name: 'letter' }],
  } as unknown as Scenario,
  functionName: 'shop-dev-offers',
  logicalName: 'Offers',
  deadLetterTopic: 'sluice.offers.dead-letters',
}

const all = { alarms: {}, dashboards: true } as const

test('a scenario has six alarms and a dashboard, as AWS takes them', () => {
  const template = observabilityTemplate([offers], all)!
  expect(templateProblems(template)).toEqual([])
  const alarms = Object.values(template.Resources).filter(({ Type }) => Type === 'AWS::CloudWatch::Alarm')
  expect(
    alarms.map(({ Properties: p }) => [
      p['AlarmName'],
      p['Namespace'],
      p['MetricName'],
      p['Threshold'],
      p['Period'],
      p['EvaluationPeriods'],
    ]),
  ).toEqual([
    ['shop-dev-offers-lag', 'AWS/Lambda', 'OffsetLag', 10_000, 60, 5],
    ['shop-dev-offers-errors', 'AWS/Lambda', 'Errors', 0, 300, 3],
    ['shop-dev-offers-dead-letters', 'sluice', 'deadLetters', 0, 300, 1],
    ['shop-dev-offers-fenced', 'sluice', 'fenced', 10, 300, 3],
    ['shop-dev-offers-throttles', 'AWS/Lambda', 'Throttles', 0, 300, 3],
    ['shop-dev-offers-position', 'sluice', 'positionGuard', 0, 60, 1],
  ])
  expect(Object.keys(template.Resources)).toEqual([
    'OffersAlarmLag',
    'OffersAlarmErrors',
    'OffersAlarmDeadLetters',
    'OffersAlarmFenced',
    'OffersAlarmThrottles',
    'OffersAlarmPosition',
    'OffersDashboard',
  ])
  // CloudWatch takes 1,024 characters.
  expect(Math.max(...alarms.map(({ Properties }) => String(Properties['AlarmDescription']).length))).toBeLessThan(1024)
})

test('the dashboard shows each filter, sink and reason by its name; a text that looks like a hole stays a text', () => {
  const { Properties } = observabilityTemplate([offers], all)!.Resources['OffersDashboard']!
  const text = (Properties['DashboardBody'] as { 'Fn::Sub': string })['Fn::Sub']
  expect(text).toContain('Offers for ${!visitors}.')
  const { widgets } = JSON.parse(text) as { widgets: { properties: { title?: string; region?: string; metrics?: string[][] } }[] }
  const names = (title: string) =>
    widgets.find(widget => widget.properties.title === title)!.properties.metrics!.map(([, name]) => name)
  expect(names('Dropped by')).toEqual(['dropped.customer', 'dropped.adult'])
  expect(names('Outputs by sink')).toEqual(['emitted.letter'])
  expect(names('Dead letters (sluice.offers.dead-letters)')).toContain('deadLetters.lookup-missing')
  expect(widgets[1]!.properties.region).toBe('${AWS::Region}')
})

test('with state there is an alarm more, and the dashboard shows what is left, what caps refuse and what the memory answered', () => {
  const scenario = {
    ...offers.scenario,
    enrichers: [{ name: 'plan', onMissing: 'empty', cacheMs: 60_000 }],
    state: [
      { kind: 'remember', name: 'visit' },
      { kind: 'cap', name: 'daily' },
    ],
  } as unknown as Scenario
  const template = observabilityTemplate([{ ...offers, scenario }], all)!
  expect(templateProblems(template)).toEqual([])
  expect(template.Resources['OffersAlarmState']!.Properties).toMatchObject({
    AlarmName: 'shop-dev-offers-state',
    MetricName: 'stateGuard',
    Threshold: 0,
  })
  const { Properties } = template.Resources['OffersDashboard']!
  const { widgets } = JSON.parse((Properties['DashboardBody'] as { 'Fn::Sub': string })['Fn::Sub'])
  const graphs = widgets.slice(1) as { properties: { title: string; metrics: string[][] } }[]
  expect(
    Object.fromEntries(graphs.map(({ properties: { title, metrics } }) => [title, metrics.map(([, name]) => name)])),
  ).toMatchObject({
    'Dropped by': ['dropped.adult', 'dropped.daily'],
    'Left for later records': ['remembered.visit', 'places.daily', 'state.moved'],
    'Look-ups that the memory answered': ['cacheHits'],
    Failures: ['Errors', 'Throttles', 'fenced', 'positionGuard', 'stateGuard'],
  })
})

test('where failed partitions are returned, an alarm hears of them: to Lambda they are no errors', () => {
  const source = { topic: 'app.visits', settings: { provisionedPollerConfig: {} } }
  const scenario = { ...offers.scenario, delivery: 'at-least-once', source } as unknown as Scenario
  const template = observabilityTemplate([{ ...offers, scenario }], all)!
  expect(templateProblems(template)).toEqual([])
  expect(template.Resources['OffersAlarmPartitions']!.Properties).toMatchObject({
    AlarmName: 'shop-dev-offers-partitions',
    Namespace: 'sluice',
    MetricName: 'failed',
    Threshold: 0,
    Period: 300,
    EvaluationPeriods: 3,
  })
})

test('alarms go to a topic where one is named, also if only CloudFormation knows it', () => {
  const topic = { 'Fn::ImportValue': 'pager' }
  const template = observabilityTemplate([offers], { alarms: { topic, lag: 7 }, dashboards: false })!
  expect(template.Resources['OffersAlarmLag']!.Properties).toMatchObject({ Threshold: 7, AlarmActions: [{ Ref: 'AlarmTopic' }] })
  expect(template.Parameters).toHaveProperty('AlarmTopic.Type', 'String')
  const parent = { Resources: { Bucket: { Type: 'AWS::S3::Bucket' }, Nested: nestedStack({ Ref: 'Bucket' }, 'a/b.json', topic) } }
  expect(templateProblems(parent)).toEqual([])
  expect(parent.Resources.Nested).toHaveProperty('Properties.Parameters.AlarmTopic', topic)
})

test('without alarms and dashboards there is no nested stack', () => {
  expect(observabilityTemplate([offers], { alarms: false, dashboards: false })).toBeUndefined()
})

test('the name of the nested template follows its content', () => {
  expect(templateKey('serverless/shop/dev', 'a')).toBe('serverless/shop/dev/sluice-observability-ca978112ca1bbdca.json')
  expect(templateKey('serverless/shop/dev', 'b')).not.toBe(templateKey('serverless/shop/dev', 'a'))
})

const alarm = { ComparisonOperator: 'GreaterThanThreshold', EvaluationPeriods: 1 }
test.each([
  ['an unknown type', { A: { Type: 'AWS::Lambda::Fun' } }, 'A: there is no type AWS::Lambda::Fun'],
  [
    'an unknown property',
    { A: { Type: 'AWS::CloudWatch::Alarm', Properties: { ...alarm, Treshold: 1 } } },
    'A: has no property Treshold',
  ],
  [
    'a text for a number',
    { A: { Type: 'AWS::CloudWatch::Alarm', Properties: { ...alarm, Period: '60' } } },
    'A.Period: needs integer, found "60"',
  ],
  [
    'an unknown property further in',
    { A: { Type: 'AWS::CloudWatch::Alarm', Properties: { ...alarm, Dimensions: [{ Name: 'a', Value: 'b', Unit: 'c' }] } } },
    'A.Dimensions[0]: has no property Unit',
  ],
  ['a function without a role', { A: { Type: 'AWS::Lambda::Function', Properties: { Code: {} } } }, 'A: needs Role'],
  [
    'a reference to nothing',
    { A: { Type: 'AWS::S3::Bucket', Properties: { BucketName: { Ref: 'B' } } } },
    'A.Properties.BucketName: refers to B, which is not there',
  ],
])('the check of templates finds %s', (_, Resources, problem) => {
  expect(templateProblems({ Resources })).toEqual([problem])
})
