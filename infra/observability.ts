// What watches the scenarios: six alarms (with state, and where partitions may fail apart: one more) and a dashboard each, from what the function tells (lib/connectors/metrics.ts) and Lambda knows.
// They stand in a nested stack: with them a service of 60 scenarios would have more than the 500 resources that a template may hold.
// docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
import { createHash } from 'node:crypto'
import { metricDimension, metricNamespace } from '../lib/connectors/metrics.ts'
import { deadLetterReasons } from '../lib/plan/failure.ts'
import type { Scenario } from '../lib/scenario/scenario.ts'
import { tellsPartitionsApart } from './mapping.ts'
import { hasState } from './state-store.ts'

export interface Watched {
  readonly scenario: Scenario
  readonly functionName: string
  /** First part of logical ids. */
  readonly logicalName: string
  readonly deadLetterTopic: string
}

export interface ObservabilityOptions {
  readonly alarms: false | { readonly topic?: unknown; readonly lag?: number }
  readonly dashboards: boolean
}

export interface Template {
  readonly AWSTemplateFormatVersion: string
  readonly Description: string
  readonly Parameters?: Readonly<Record<string, object>>
  readonly Resources: Readonly<Record<string, { readonly Type: string; readonly Properties: Readonly<Record<string, unknown>> }>>
}

/** The nested stack. Undefined: nothing is to be watched. */
export function observabilityTemplate(
  watched: readonly Watched[],
  { alarms, dashboards }: ObservabilityOptions,
): Template | undefined {
  const notified = alarms !== false && alarms.topic !== undefined
  const resources = Object.fromEntries(
    watched.flatMap(one => [
      ...(alarms === false ? [] : alarmsOf(one, alarms.lag ?? defaultLag, notified)),
      ...(dashboards ? [dashboardOf(one)] : []),
    ]),
  )
  if (Object.keys(resources).length === 0) return undefined
  return {
    AWSTemplateFormatVersion: '2010-09-09',
    Description: 'Alarms and dashboards of sluice scenarios',
    ...(notified && { Parameters: { AlarmTopic: { Type: 'String', Description: 'ARN of the SNS topic that alarms go to' } } }),
    Resources: resources,
  }
}

/** Records that may wait before somebody is told. */
const defaultLag = 10_000

/** By content, so that the parent changes exactly when this does, and a rollback finds the one of its time. */
export function templateKey(deploymentFolder: string, text: string): string {
  return `${deploymentFolder}/sluice-observability-${createHash('sha256').update(text).digest('hex').slice(0, 16)}.json`
}

/** The resource of the parent. `bucket`: its name, or an intrinsic that gives it. */
export function nestedStack(bucket: unknown, key: string, alarmTopic: unknown): object {
  return {
    Type: 'AWS::CloudFormation::Stack',
    Properties: {
      TemplateURL: {
        'Fn::Join': ['', ['https://', bucket, '.s3.', { Ref: 'AWS::Region' }, '.', { Ref: 'AWS::URLSuffix' }, `/${key}`]],
      },
      ...(alarmTopic !== undefined && { Parameters: { AlarmTopic: alarmTopic } }),
    },
  }
}

interface Alarm {
  readonly name: string
  readonly metric: readonly [namespace: string, name: string]
  readonly statistic: 'Sum' | 'Maximum'
  /** It rings above this, in each of so many minutes or five minutes on end. */
  readonly above: number
  readonly periodSeconds: 60 | 300
  readonly periods: number
  readonly about: string
}

export function alarmCount(scenario: Scenario): number {
  return alarmList(scenario, defaultLag, '').length
}

// The same words as in README.md's table: who is woken reads what is meant and what to do.
function alarmList(scenario: Scenario, lag: number, deadLetterTopic: string): readonly Alarm[] {
  return [
    {
      name: 'lag',
      metric: ['AWS/Lambda', 'OffsetLag'],
      statistic: 'Maximum',
      above: lag,
      periodSeconds: 60,
      periods: 5,
      about: `More than ${lag} records wait for 5 minutes. If "errors" rings as well, that is the cause. Otherwise the function is too slow: raise batchSize or memorySize, add partitions, or use provisioned pollers.`,
    },
    {
      name: 'errors',
      metric: ['AWS/Lambda', 'Errors'],
      statistic: 'Sum',
      above: 0,
      periodSeconds: 300,
      periods: 3,
      about:
        'Invocations fail for 15 minutes, so at least one partition stands still. Nothing is lost or twice: the batch comes again until it succeeds. Search the log for "retry":"batch" and read the error; usually a broker or a store cannot be reached.',
    },
    {
      name: 'dead-letters',
      metric: [metricNamespace, 'deadLetters'],
      statistic: 'Sum',
      above: 0,
      periodSeconds: 300,
      periods: 1,
      about: `Records became dead letters, in topic ${deadLetterTopic}. Each names its reason and place in its headers (sluice-reason, sluice-at); correct the producer or the scenario, then send them again: npx sluice replay.`,
    },
    {
      name: 'fenced',
      metric: [metricNamespace, 'fenced'],
      statistic: 'Sum',
      above: 10,
      periodSeconds: 300,
      periods: 3,
      about:
        'Invocations take partitions from each other again and again. A few after a rebalance are normal; this many mean two event source mappings of one scenario and generation, or time-outs: look for a second mapping, or raise the timeout.',
    },
    {
      name: 'throttles',
      metric: ['AWS/Lambda', 'Throttles'],
      statistic: 'Sum',
      above: 0,
      periodSeconds: 300,
      periods: 3,
      about: "Lambda refuses invocations for 15 minutes: raise the account's concurrency or the function's reservedConcurrency.",
    },
    {
      name: 'position',
      metric: [metricNamespace, 'positionGuard'],
      statistic: 'Sum',
      above: 0,
      periodSeconds: 60,
      periods: 1,
      about:
        'The committed progress does not fit the topic (recreated, restored, or a transaction that hangs). The function has stopped before it would skip records. Read the error in the log: [position-beyond-end] or [kafka-unstable-progress]; it says what to do. [generation-midway] and [two-deployments] have not stopped it: a new generation began later than its topic, or another function committed under the same name, and each skips what the other has done.',
    },
    ...(tellsPartitionsApart(scenario) ? [partitionsAlarm] : []),
    ...(hasState(scenario) ? [stateAlarm] : []),
  ]
}

// What the function returns instead of throwing it is no error to Lambda.
const partitionsAlarm: Alarm = {
  name: 'partitions',
  metric: [metricNamespace, 'failed'],
  statistic: 'Sum',
  above: 0,
  periodSeconds: 300,
  periods: 3,
  about:
    'Partitions fail for 15 minutes, while others of the same batches may go on, so that "errors" need not ring. Nothing is lost: what failed comes again until it succeeds. Search the log for "retry":"batch" and read the error.',
}

const stateAlarm: Alarm = {
  name: 'state',
  metric: [metricNamespace, 'stateGuard'],
  statistic: 'Sum',
  above: 0,
  periodSeconds: 60,
  periods: 1,
  about:
    'The store of state has lost what was acknowledged, may evict it, or holds other fields than the scenario declares. The function has stopped before it would decide on wrong state, and nothing is emitted. Read the error in the log: [state-lost], [state-missing], [state-evicts], [generation-needed] or [caps-in-two-slots]; it says what to do.',
}

function alarmsOf({ scenario, functionName, logicalName, deadLetterTopic }: Watched, lag: number, notified: boolean) {
  return alarmList(scenario, lag, deadLetterTopic).map(alarm => {
    const [namespace, metric] = alarm.metric
    const resource = {
      Type: 'AWS::CloudWatch::Alarm',
      Properties: {
        AlarmName: `${functionName}-${alarm.name}`,
        AlarmDescription: alarm.about,
        Namespace: namespace,
        MetricName: metric,
        Dimensions: [{ Name: metricDimension, Value: functionName }],
        Statistic: alarm.statistic,
        Period: alarm.periodSeconds,
        EvaluationPeriods: alarm.periods,
        Threshold: alarm.above,
        ComparisonOperator: 'GreaterThanThreshold',
        // A quiet topic invokes nothing: no data is no alarm.
        TreatMissingData: 'notBreaching',
        ...(notified && { AlarmActions: [{ Ref: 'AlarmTopic' }], OKActions: [{ Ref: 'AlarmTopic' }] }),
      },
    }
    return [
      `${logicalName}Alarm${alarm.name.replaceAll(/(^|-)(\w)/g, (_, __, letter: string) => letter.toUpperCase())}`,
      resource,
    ] as const
  })
}

function dashboardOf({ scenario, functionName, logicalName, deadLetterTopic }: Watched) {
  const own = (name: string, label = name) => [metricNamespace, name, metricDimension, functionName, { label, stat: 'Sum' }]
  const lambda = (name: string, stat: string) => [
    'AWS/Lambda',
    name,
    metricDimension,
    functionName,
    { stat, label: `${name} ${stat}` },
  ]
  const caps = scenario.state.filter(({ kind }) => kind === 'cap')
  const remembering = scenario.state.filter(({ kind }) => kind === 'remember')
  const left = [
    ...remembering.map(({ name }) => own(`remembered.${name}`, name)),
    ...caps.map(({ name }) => own(`places.${name}`, `places of ${name}`)),
  ]
  const isCached = scenario.enrichers.some(({ cacheMs }) => cacheMs > 0)
  const dropping = [
    ...[...scenario.enrichers, ...scenario.decisions].filter(({ onMissing }) => onMissing === 'drop').map(({ name }) => name),
    ...scenario.filters.map(({ name }) => name),
    ...caps.map(({ name }) => name),
  ]
  const graphs: readonly (readonly [title: string, metrics: readonly unknown[]])[] = [
    ['Records', ['records', 'dropped', 'emitted', 'deadLetters', 'skipped'].map(name => own(name))],
    ['Waiting in the topic', [lambda('OffsetLag', 'Maximum')]],
    ...(dropping.length > 0 ? [['Dropped by', dropping.map(name => own(`dropped.${name}`, name))] as const] : []),
    ['Outputs by sink', scenario.sinks.map(({ name }) => own(`emitted.${name}`, name))],
    [`Dead letters (${deadLetterTopic})`, deadLetterReasons.map(reason => own(`deadLetters.${reason}`, reason))],
    ['A batch takes, ms', ['p50', 'p99', 'Maximum'].map(stat => lambda('Duration', stat))],
    [
      'Failures',
      [
        lambda('Errors', 'Sum'),
        lambda('Throttles', 'Sum'),
        own('fenced'),
        own('positionGuard'),
        ...(left.length > 0 ? [own('stateGuard')] : []),
      ],
    ],
    ...(left.length > 0 ? [['Left for later records', [...left, own('state.moved', 'from other partitions')]] as const] : []),
    ['Invocations and round trips', [lambda('Invocations', 'Sum'), lambda('ConcurrentExecutions', 'Maximum'), own('roundTrips')]],
    ...(isCached ? [['Look-ups that the memory answered', [own('cacheHits')]] as const] : []),
  ]
  const body = JSON.stringify({
    widgets: [
      {
        type: 'text',
        x: 0,
        y: 0,
        width: 24,
        height: 2,
        properties: {
          markdown: `# ${scenario.name}\n${scenario.description} Topic ${scenario.source.topic}, generation ${scenario.generation}.`,
        },
      },
      ...graphs.map(([title, metrics], i) => ({
        type: 'metric',
        x: (i % 3) * 8,
        y: 2 + Math.floor(i / 3) * 6,
        width: 8,
        height: 6,
        properties: { title, metrics, region: regionHole, view: 'timeSeries', period: 60 },
      })),
    ],
  })
  // Fn::Sub knows holes of its own; a description may look like one.
  const text = body.replaceAll('${', '${!').replaceAll(regionHole, '${AWS::Region}')
  return [
    `${logicalName}Dashboard`,
    { Type: 'AWS::CloudWatch::Dashboard', Properties: { DashboardName: functionName, DashboardBody: { 'Fn::Sub': text } } },
  ] as const
}

const regionHole = '<region>'
