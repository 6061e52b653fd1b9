// The `sluice:` block of serverless.yml: what is the same for all scenarios. Serverless checks it against this schema.

import { type Compression, compressions } from '../lib/connectors/kafka/records.ts'
import { type SecurityMode, securityModes } from '../lib/connectors/kafka/security.ts'

/** How function and mapping get in at the brokers (lib/connectors/kafka/README.md). */
export interface KafkaAccess {
  readonly security?: SecurityMode
  /** ARN of a secret with name and password, or with a client certificate. */
  readonly secret?: unknown
  /** ARN of the key that encrypts it: MSK takes only secrets with a key of one's own. */
  readonly secretKey?: unknown
  readonly compression?: Compression
}

export interface SluiceSettings {
  readonly kafka?: KafkaAccess
  /** ARN of the MSK cluster: a text or an intrinsic (Ref, Fn::ImportValue, …). */
  readonly cluster: unknown
  readonly bootstrapServers: unknown
  readonly redis?: unknown
  readonly deadLetterTopic?: string
  /** `false`: none. `topic`: ARN of an SNS topic that they go to. `lag`: records that may wait. */
  readonly alarms?: false | { readonly topic?: unknown; readonly lag?: number }
  readonly dashboards?: boolean
  /** `derived`: AWS keeps away what the rules drop for sure, judged by the value alone. Default `none`: the function sees every record. */
  readonly filterPatterns?: 'derived' | 'none'
  readonly vpc?: { readonly securityGroupIds: readonly unknown[]; readonly subnetIds: readonly unknown[] }
}

const intrinsic = { type: 'object', minProperties: 1, maxProperties: 1 } as const
const intrinsicOr = (text: object) => ({ anyOf: [{ type: 'string', ...text }, intrinsic] })

export const settingsSchema = {
  type: 'object',
  properties: {
    cluster: intrinsicOr({ pattern: '^arn:[a-z-]+:kafka:[a-z0-9-]+:[0-9]{12}:cluster/[^/]+/[^/]+$' }),
    bootstrapServers: intrinsicOr({ pattern: '^[^\\s,:]+:[0-9]+(,[^\\s,:]+:[0-9]+)*$' }),
    redis: intrinsicOr({ pattern: '^(rediss?|upstash\\+https?|ignite)://.+$' }),
    kafka: {
      type: 'object',
      properties: {
        security: { enum: securityModes },
        secret: intrinsicOr({ pattern: '^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:.+$' }),
        secretKey: intrinsicOr({ pattern: '^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$' }),
        compression: { enum: compressions },
      },
      additionalProperties: false,
    },
    deadLetterTopic: { type: 'string', pattern: '^[a-zA-Z0-9._-]{1,249}$' },
    alarms: {
      anyOf: [
        { const: false },
        {
          type: 'object',
          properties: {
            topic: intrinsicOr({ pattern: '^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:.+$' }),
            lag: { type: 'integer', minimum: 1 },
          },
          additionalProperties: false,
        },
      ],
    },
    dashboards: { type: 'boolean' },
    filterPatterns: { enum: ['derived', 'none'] },
    vpc: {
      type: 'object',
      properties: {
        securityGroupIds: { type: 'array', minItems: 1, maxItems: 5, items: intrinsicOr({}) },
        subnetIds: { type: 'array', minItems: 1, maxItems: 16, items: intrinsicOr({}) },
      },
      required: ['securityGroupIds', 'subnetIds'],
      additionalProperties: false,
    },
  },
  required: ['cluster', 'bootstrapServers'],
  additionalProperties: false,
} as const

/** The function's part of it. */
export function kafkaEnvironment({ security, secret, compression }: KafkaAccess = {}): Readonly<Record<string, unknown>> {
  return {
    ...(security !== undefined && { SLUICE_KAFKA_SECURITY: security }),
    ...(secret !== undefined && { SLUICE_KAFKA_SECRET: secret }),
    ...(compression !== undefined && { SLUICE_KAFKA_COMPRESSION: compression }),
  }
}

/** The mapping's part: it takes the secret for SCRAM-SHA-512 or a client certificate; IAM, TLS and plaintext it finds out by itself. */
export function mappingAccess({ security, secret }: KafkaAccess = {}): readonly object[] {
  const type = { 'sasl-scram-512': 'SASL_SCRAM_512_AUTH', tls: 'CLIENT_CERTIFICATE_TLS_AUTH' }[security as string]
  return type === undefined || secret === undefined ? [] : [{ Type: type, URI: secret }]
}
