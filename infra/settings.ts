// The `sluice:` block of serverless.yml: what is the same for all scenarios. Serverless checks it against this schema.

import { type KeyValueScheme, keyValueClients } from '../lib/compiler/key-value.ts'
import { type Compression, compressions } from '../lib/connectors/kafka/records.ts'
import { type SecurityMode, securityModes } from '../lib/connectors/kafka/security.ts'
import { retentionPattern } from '../lib/connectors/retention.ts'
import { namespacePattern } from '../lib/plan/identity.ts'

/** How function and mapping get in at the brokers (access.ts, lib/connectors/kafka/README.md). */
export interface KafkaAccess {
  readonly security?: SecurityMode
  /** ARN of a secret with name and password, or with a client certificate. */
  readonly secret?: unknown
  /** ARN of a secret whose `certificate` is the authority of the brokers' certificates, where that is no public one. */
  readonly authority?: unknown
  /** ARN of the key that encrypts it: MSK takes only secrets with a key of one's own. */
  readonly secretKey?: unknown
  readonly compression?: Compression
}

export interface SluiceSettings {
  readonly kafka?: KafkaAccess
  /** ARN of the MSK cluster, provisioned or serverless: a text or an intrinsic (Ref, Fn::ImportValue, …). Or `self-managed`. */
  readonly cluster: unknown
  /**
   * Stands in every name that the functions have in Kafka and in the store of state (lib/plan/identity.ts). Stages and services that share a
   * cluster need one each. `false`: no other deployment of these scenarios is on the cluster.
   */
  readonly namespace?: false | string
  readonly bootstrapServers: unknown
  /** `3.9`, `4.1`: versions differ in what they need. */
  readonly kafkaVersion?: string
  readonly redis?: unknown
  /** Where CloudFormation alone knows the URL of `redis`: its scheme, for which the functions are built. Default: that of the URL, or `redis`. */
  readonly redisScheme?: KeyValueScheme
  /** Where state is kept, if not with the look-ups: `redis://…`, `rediss://…`, `dynamodb://TABLE`. */
  readonly state?: unknown
  /** The table of `state` is made with the stack, and stays when the stack is removed. */
  readonly createStateTable?: boolean
  /** The Redis of state is a cluster: caps that are asked together need one hash tag, which is checked then. */
  readonly redisCluster?: boolean
  /** How long the source topics keep records, `7d` where it is not said, or `forever`: caps with `within` are kept as much longer (retention.ts). */
  readonly sourceRetention?: string
  readonly deadLetterTopic?: string
  /** By scenario, what differs by stage of its "source" (stage-sources.ts). */
  readonly sources?: Readonly<Record<string, Readonly<Record<string, unknown>> | null>>
  /** `false`: none; `true`: as without the line. `topic`: ARN of an SNS topic that they go to. `lag`: records that may wait. */
  readonly alarms?: boolean | { readonly topic?: unknown; readonly lag?: number }
  readonly dashboards?: boolean
  /** `derived`: AWS keeps away what the rules drop for sure, judged by the value alone. Default `none`: the function sees every record. */
  readonly filterPatterns?: 'derived' | 'none'
  /** `level`: from which on lines are written. `sample`: one record in so many is told with what became of it (0: none). `rows`: which rows decided. */
  readonly logs?: { readonly level?: (typeof logLevels)[number]; readonly sample?: number; readonly rows?: boolean }
  /** The producer's trace (W3C's `traceparent`) goes on in the outputs, and X-Ray samples invocations. */
  readonly tracing?: boolean
  readonly vpc?: { readonly securityGroupIds: readonly unknown[]; readonly subnetIds: readonly unknown[] }
}

const intrinsic = {
  type: 'object',
  minProperties: 1,
  maxProperties: 1,
  propertyNames: { pattern: '^(Ref|Fn::[A-Za-z0-9]+)$' },
} as const
const intrinsicOr = (text: object) => ({ anyOf: [{ type: 'string', ...text }, intrinsic] })

const secretArn = '^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:.+$'
/** Those of the logger. */
const logLevels = ['DEBUG', 'INFO', 'WARN', 'ERROR'] as const

export const settingsSchema = {
  type: 'object',
  properties: {
    cluster: intrinsicOr({ pattern: '^(arn:[a-z-]+:kafka:[a-z0-9-]+:[0-9]{12}:cluster/[^/]+/[^/]+|self-managed)$' }),
    namespace: { anyOf: [{ const: false }, { type: 'string', pattern: namespacePattern.source }] },
    bootstrapServers: intrinsicOr({ pattern: '^[^\\s,:]+:[0-9]+(,[^\\s,:]+:[0-9]+)*$' }),
    kafkaVersion: { type: 'string', pattern: '^[0-9]+\\.[0-9]+' },
    redisScheme: { enum: Object.keys(keyValueClients) },
    redis: intrinsicOr({ pattern: '^(rediss?|upstash\\+https?|ignites?)://.+$' }),
    state: intrinsicOr({ pattern: '^(rediss?://.+|dynamodb://[a-zA-Z0-9._-]{3,255})$' }),
    createStateTable: { type: 'boolean' },
    redisCluster: { type: 'boolean' },
    sourceRetention: { type: 'string', pattern: retentionPattern.source },
    kafka: {
      type: 'object',
      properties: {
        security: { enum: securityModes },
        secret: intrinsicOr({ pattern: secretArn }),
        authority: intrinsicOr({ pattern: secretArn }),
        secretKey: intrinsicOr({ pattern: '^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$' }),
        compression: { enum: compressions },
      },
      additionalProperties: false,
    },
    deadLetterTopic: { type: 'string', pattern: '^[a-zA-Z0-9._-]{1,249}$' },
    // "anyOf" would only tell that none of both fits, and not which key is unknown.
    alarms: {
      if: { type: 'object' },
      then: {
        type: 'object',
        properties: {
          topic: intrinsicOr({ pattern: '^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:.+$' }),
          lag: { type: 'integer', minimum: 1 },
        },
        additionalProperties: false,
      },
      else: { type: 'boolean' },
    },
    sources: {
      type: 'object',
      additionalProperties: { anyOf: [{ type: 'object' }, { type: 'null' }] },
    },
    dashboards: { type: 'boolean' },
    filterPatterns: { enum: ['derived', 'none'] },
    logs: {
      type: 'object',
      properties: { level: { enum: logLevels }, sample: { type: 'integer', minimum: 0 }, rows: { type: 'boolean' } },
      additionalProperties: false,
    },
    tracing: { type: 'boolean' },
    vpc: {
      type: 'object',
      properties: {
        securityGroupIds: { type: 'array', minItems: 1, maxItems: 5, items: intrinsicOr({ minLength: 1 }) },
        subnetIds: { type: 'array', minItems: 1, maxItems: 16, items: intrinsicOr({ minLength: 1 }) },
      },
      required: ['securityGroupIds', 'subnetIds'],
      additionalProperties: false,
    },
  },
  required: ['cluster', 'bootstrapServers'],
  additionalProperties: false,
} as const

export function namespaceOf(settings: SluiceSettings | undefined): string | undefined {
  return settings?.namespace || undefined
}
