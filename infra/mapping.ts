// One event source mapping per scenario: the settings, with AWS's and our defaults, and the CloudFormation made from them. The local mapping
// runs on the same settings. docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-lambda-eventsourcemapping.html
import type { EsmSettings } from '../lib/emulator/settings.ts'
import { groupOf } from '../lib/plan/identity.ts'
import type { Scenario } from '../lib/scenario/scenario.ts'

/** What a function gets where its scenario says nothing. A batch with look-ups takes tens of milliseconds; the rest is for outages. */
export const functionDefaults = { memorySize: 1024, timeout: 60 } as const

/** Lambda allows 15 minutes, a Kafka mapping 14. */
const longestTimeoutSeconds = 840

/** `namespace`: of the deployment, if it has one. */
export function esmSettingsOf(scenario: Scenario, namespace?: string): EsmSettings {
  const { topic } = scenario.source
  const settings = scenario.source.settings as MappingSettings
  const { memorySize, timeout } = { ...functionDefaults, ...scenario.functionSettings } as {
    memorySize: unknown
    timeout: unknown
  }
  const { provisionedPollerConfig, metricsConfig, loggingConfig, kmsKeyArn } = settings
  return {
    topic,
    consumerGroupId: settings.consumerGroupId ?? `${progressGroupOf(scenario, namespace)}.trigger/${topic}`,
    batchSize: settings.batchSize ?? 100,
    maximumBatchingWindowInSeconds: settings.maximumBatchingWindow,
    // LATEST loses the records of the minutes that it takes to create a mapping.
    startingPosition: settings.startingPosition ?? 'TRIM_HORIZON',
    ...(settings.startingPositionTimestamp !== undefined && { startingPositionTimestamp: settings.startingPositionTimestamp }),
    functionResponseTypes: tellsPartitionsApart(scenario) ? ['ReportBatchItemFailures'] : [],
    maximumRetryAttempts: settings.maximumRetryAttempts ?? -1,
    maximumRecordAgeInSeconds: settings.maximumRecordAgeInSeconds ?? -1,
    bisectBatchOnFunctionError: settings.bisectBatchOnFunctionError ?? false,
    enabled: settings.enabled ?? true,
    filterPatterns: settings.filterPatterns ?? [],
    ...(provisionedPollerConfig !== undefined && { provisionedPollerConfig }),
    ...(metricsConfig !== undefined && { metricsConfig }),
    ...(loggingConfig !== undefined && { loggingConfig }),
    ...(kmsKeyArn !== undefined && { kmsKeyArn }),
    // Where it is written with ${…} only Serverless knows it.
    functionTimeoutSeconds: typeof timeout === 'number' ? timeout : functionDefaults.timeout,
    functionMemoryMb: typeof memorySize === 'number' ? memorySize : functionDefaults.memorySize,
  }
}

/** Where the function keeps its own progress. */
function progressGroupOf({ name, generation }: Scenario, namespace: string | undefined): string {
  return groupOf({ ...(namespace !== undefined && { namespace }), scenario: name, generation })
}

/**
 * Whether the function may return the partitions that failed; the plugin tells it so by SLUICE_PARTIAL_RESPONSE. Without pollers of its own
 * AWS does not read them, and would take them for success; exactly-once throws, since what is committed skips itself.
 */
export function tellsPartitionsApart({ delivery, source }: Scenario): boolean {
  return delivery === 'at-least-once' && source.settings['provisionedPollerConfig'] !== undefined
}

/** The reader has checked types and ranges (lib/scenario/sections.ts). */
interface MappingSettings {
  readonly batchSize?: number
  readonly maximumBatchingWindow?: number
  readonly startingPosition?: EsmSettings['startingPosition']
  readonly startingPositionTimestamp?: number
  readonly consumerGroupId?: string
  readonly enabled?: boolean
  readonly filterPatterns?: readonly unknown[]
  readonly maximumRetryAttempts?: number
  readonly maximumRecordAgeInSeconds?: number
  readonly bisectBatchOnFunctionError?: boolean
  readonly provisionedPollerConfig?: EsmSettings['provisionedPollerConfig']
  readonly metricsConfig?: EsmSettings['metricsConfig']
  readonly loggingConfig?: EsmSettings['loggingConfig']
  readonly kmsKeyArn?: string
}

/**
 * What AWS would refuse, or what would lose data, told before a deploy and not minutes into it (event-source-mapping.md, section 6). What one
 * file alone shows the reader has refused with its place. Sentences; none: all is well.
 */
export function mappingProblems(settings: EsmSettings, nowMs: number): readonly string[] {
  const { functionTimeoutSeconds, consumerGroupId, startingPositionTimestamp, filterPatterns = [] } = settings
  const problems: string[] = []
  if (functionTimeoutSeconds > longestTimeoutSeconds) {
    problems.push(
      `the function's timeout is ${functionTimeoutSeconds} s, and Kafka's event source mapping takes ${longestTimeoutSeconds} s at most`,
    )
  }
  if (consumerGroupId.length > 200) {
    problems.push(
      `the mapping's consumer group "${consumerGroupId}" is longer than 200 characters; set "consumerGroupId" under "source"`,
    )
  }
  if (startingPositionTimestamp !== undefined && startingPositionTimestamp * 1000 > nowMs) {
    problems.push(`"startingPositionTimestamp" lies in the future, and AWS takes only the past`)
  }
  const longest = Math.max(0, ...filterPatterns.map(pattern => JSON.stringify(pattern).length))
  if (longest > longestPattern) problems.push(`a filter pattern has ${longest} characters, and Lambda takes ${longestPattern}`)
  return problems
}

const longestPattern = 4096

/** A group names one mapping: of two with the same each would get a part of the records. Sentences. */
export function sharedGroups(settings: ReadonlyMap<string, EsmSettings>): readonly string[] {
  const owners = new Map<string, string[]>()
  for (const [name, { consumerGroupId }] of settings) owners.set(consumerGroupId, [...(owners.get(consumerGroupId) ?? []), name])
  return [...owners]
    .filter(([, names]) => names.length > 1)
    .map(
      ([group, names]) =>
        `${names.join(' and ')} have one consumer group, "${group}", which must be unique among mappings: change "consumerGroupId"`,
    )
}

/**
 * A mapping's group must not be one in which a function keeps its progress, its own or another's: each would overwrite the other's. Clusters
 * with the classic coordinator have a group per partition, `…/0` (event-source-mapping.md 4.6). Sentences.
 */
export function progressGroupProblems(
  mappings: ReadonlyMap<string, { readonly scenario: Scenario; readonly settings: EsmSettings }>,
  namespace?: string,
): readonly string[] {
  const owners = new Map([...mappings].map(([file, { scenario }]) => [progressGroupOf(scenario, namespace), file]))
  return [...mappings].flatMap(([file, { settings }]) => {
    const { consumerGroupId } = settings
    const owner = owners.get(consumerGroupId.replace(/\/.*$/s, ''))
    if (owner === undefined) return []
    const whose = owner === file ? 'its own progress' : `the progress of ${owner}`
    return [
      `${file}: "consumerGroupId" is "${consumerGroupId}", where the function keeps ${whose}, which the mapping would overwrite: choose another, or remove the line`,
    ]
  })
}

/** Mappings of one poller group share units, within AWS' bounds. Sentences. */
export function pollerGroupProblems(settings: readonly EsmSettings[]): readonly string[] {
  const groups = new Map<string, number[]>()
  for (const { provisionedPollerConfig: pollers } of settings) {
    if (pollers === undefined) continue
    const name = pollers.pollerGroupName ?? defaultPollerGroup
    groups.set(name, [...(groups.get(name) ?? []), pollers.maximumPollers ?? defaultMaximumPollers])
  }
  return [...groups].flatMap(([name, maximums]) => {
    const total = maximums.reduce((sum, one) => sum + one, 0)
    return [
      ...(total > mostPollers
        ? [
            `the mappings of poller group "${name}" have ${total} pollers at most, and AWS takes ${mostPollers} in a group: lower "maximumPollers" (${defaultMaximumPollers} where it is left out), or give some another "pollerGroupName"`,
          ]
        : []),
      ...(maximums.length > mostMappings
        ? [
            `poller group "${name}" has ${maximums.length} mappings, and AWS takes ${mostMappings}: give some another "pollerGroupName"`,
          ]
        : []),
    ]
  })
}

const defaultPollerGroup = 'sluice'
const defaultMaximumPollers = 200
const mostPollers = 2000
const mostMappings = 100

/** What works, and surprises. Sentences with the cure. */
export function mappingWarnings(settings: EsmSettings): readonly string[] {
  const { batchSize, startingPosition, filterPatterns = [], maximumBatchingWindowInSeconds: windowSeconds } = settings
  const warnings: string[] = []
  if (windowSeconds === 0) {
    warnings.push(
      'With "maximumBatchingWindow: 0" a quiet topic pays for an invocation per record or two; left out it is 500 ms, to which a mapping, once it has another window, comes back only by being made anew',
    )
  }
  if (windowSeconds === undefined && batchSize >= 1000) {
    warnings.push(
      `Batches of ${batchSize} fill within AWS' window of 500 ms only from ${2 * batchSize} records a second on; "maximumBatchingWindow" makes it longer`,
    )
  }
  const largestValue = Math.floor(((payloadBytes / batchSize - envelopeBytes) * 3) / 4)
  if (largestValue < 1000) {
    warnings.push(
      `Batches of ${batchSize} are full only where values have ${largestValue} bytes or fewer, since an invocation takes 6 MB; a smaller "batchSize" says what happens`,
    )
  }
  if (startingPosition === 'LATEST') {
    warnings.push(
      'With "startingPosition: LATEST" the records of the minutes in which the mapping is made are lost; TRIM_HORIZON, which is the default, reads them',
    )
  }
  if (filterPatterns.length > 5) {
    warnings.push(`${filterPatterns.length} filter patterns need a raised quota; an account has 5 per mapping`)
  }
  return warnings
}

const payloadBytes = 6_291_456
/** Of a record without headers, with short topic and key, beside its value in base64. */
const envelopeBytes = 166

export interface MappingPlace {
  /** EventSourceArn or SelfManagedEventSource. */
  readonly source: object
  /** Logical ids. */
  readonly functionId: string
  readonly dependsOn: readonly string[]
  /** Its login at the cluster. */
  readonly access?: readonly object[]
  /** As CloudFormation has them. */
  readonly tags?: readonly object[]
}

export function mappingResource(settings: EsmSettings, place: MappingPlace): object {
  const { source, functionId, dependsOn, access = [], tags = [] } = place
  const { provisionedPollerConfig: pollers, metricsConfig, loggingConfig, kmsKeyArn } = settings
  const metrics = metricsConfig?.metrics ?? (pollers === undefined ? undefined : ['EventCount', 'ErrorCount', 'KafkaMetrics'])
  return {
    Type: 'AWS::Lambda::EventSourceMapping',
    ...(dependsOn.length > 0 && { DependsOn: dependsOn }),
    Properties: {
      ...source,
      FunctionName: { 'Fn::GetAtt': [functionId, 'Arn'] },
      Topics: [settings.topic],
      StartingPosition: settings.startingPosition,
      ...(settings.startingPositionTimestamp !== undefined && { StartingPositionTimestamp: settings.startingPositionTimestamp }),
      // Always explicit: a group that AWS makes up is another one after each replacement of the mapping, and the position is lost.
      ['SelfManagedEventSource' in source ? 'SelfManagedKafkaEventSourceConfig' : 'AmazonManagedKafkaEventSourceConfig']: {
        ConsumerGroupId: settings.consumerGroupId,
      },
      ...(access.length > 0 && { SourceAccessConfigurations: access }),
      ...(tags.length > 0 && { Tags: tags }),
      BatchSize: settings.batchSize,
      // 0 is a value of its own (send what is buffered); the default of 500 ms cannot be written.
      ...(settings.maximumBatchingWindowInSeconds !== undefined && {
        MaximumBatchingWindowInSeconds: settings.maximumBatchingWindowInSeconds,
      }),
      Enabled: settings.enabled ?? true,
      ...(settings.filterPatterns?.length && {
        FilterCriteria: { Filters: settings.filterPatterns.map(pattern => ({ Pattern: JSON.stringify(pattern) })) },
      }),
      ...(settings.functionResponseTypes.length > 0 && { FunctionResponseTypes: settings.functionResponseTypes }),
      // AWS refuses these without pollers of one's own; on-demand retries for ever anyhow.
      ...(pollers !== undefined && {
        ProvisionedPollerConfig: {
          ...(pollers.minimumPollers !== undefined && { MinimumPollers: pollers.minimumPollers }),
          ...(pollers.maximumPollers !== undefined && { MaximumPollers: pollers.maximumPollers }),
          // Each mapping would pay for a poller unit of its own; mappings of one group share it.
          PollerGroupName: pollers.pollerGroupName ?? defaultPollerGroup,
        },
        MaximumRetryAttempts: settings.maximumRetryAttempts,
        MaximumRecordAgeInSeconds: settings.maximumRecordAgeInSeconds ?? -1,
        BisectBatchOnFunctionError: settings.bisectBatchOnFunctionError ?? false,
        LoggingConfig: { SystemLogLevel: loggingConfig?.systemLogLevel ?? 'INFO' },
      }),
      ...(metrics !== undefined && { MetricsConfig: { Metrics: metrics } }),
      ...(kmsKeyArn !== undefined && { KmsKeyArn: kmsKeyArn }),
    },
  }
}
