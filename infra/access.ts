// How function and mapping get in at the cluster, and what of it cannot work, is told before a deploy: AWS tells it minutes later as "PROBLEM:
// Connection error", or not at all. Kinds of clusters: MSK provisioned and MSK Serverless by their ARN, any other as `self-managed`.
// docs.aws.amazon.com/lambda/latest/dg/msk-cluster-auth.html, kafka-cluster-auth.html
import type { SluiceSettings } from './settings.ts'

export type ClusterKind = 'msk' | 'msk-serverless' | 'self-managed'

/** Of an ARN that CloudFormation alone knows it is `msk`, and login `msk-iam` may still mean both. */
export function clusterKind({ cluster }: SluiceSettings): ClusterKind {
  if (cluster === 'self-managed') return 'self-managed'
  // Identifiers of serverless clusters end in -s1, -s2, …; those of provisioned ones in a number.
  return typeof cluster === 'string' && /-s[0-9]+$/.test(cluster) ? 'msk-serverless' : 'msk'
}

/** The function's part of it. */
export function kafkaEnvironment({ kafka = {} }: SluiceSettings): Readonly<Record<string, unknown>> {
  const { security, secret, compression, authority } = kafka
  return {
    ...(security !== undefined && { SLUICE_KAFKA_SECURITY: security }),
    ...(secret !== undefined && { SLUICE_KAFKA_SECRET: secret }),
    // A certificate is no secret: CloudFormation writes it into the environment, and the function needs neither right nor request.
    ...(authority !== undefined && { SLUICE_KAFKA_CA: { 'Fn::Sub': [fieldOfSecret, { secret: authority }] } }),
    ...(compression !== undefined && { SLUICE_KAFKA_COMPRESSION: compression }),
  }
}

const fieldOfSecret = '{{resolve:secretsmanager:${secret}:SecretString:certificate}}'

export interface Network {
  readonly securityGroupIds: readonly unknown[]
  readonly subnetIds: readonly unknown[]
}

/** Of one function, as Serverless puts it together. Undefined: none. */
export function networkOf(ofFunction: unknown, ofAll: unknown): Network | undefined {
  if (ofFunction === null || ofFunction === false) return undefined
  const { securityGroupIds, subnetIds } = { ...(ofAll as Partial<Network>), ...(ofFunction as Partial<Network>) }
  return securityGroupIds && subnetIds ? { securityGroupIds, subnetIds } : undefined
}

/** The mapping's part. At MSK it finds out IAM, TLS and plaintext by itself; elsewhere it is told the function's network, too. */
export function mappingAccess(settings: SluiceSettings, network: Network | undefined = settings.vpc): readonly object[] {
  const { security, secret, authority } = settings.kafka ?? {}
  const isSelfManaged = clusterKind(settings) === 'self-managed'
  const type = { ...loginAtMsk, ...(isSelfManaged && loginElsewhere) }[security as string]
  const login = type === undefined || secret === undefined ? [] : [{ Type: type, URI: secret }]
  if (!isSelfManaged) return login
  return [
    ...login,
    ...(authority === undefined ? [] : [{ Type: 'SERVER_ROOT_CA_CERTIFICATE', URI: authority }]),
    ...listOf(network?.subnetIds).map(id => ({ Type: 'VPC_SUBNET', URI: prefixed('subnet:', id) })),
    ...listOf(network?.securityGroupIds).map(id => ({ Type: 'VPC_SECURITY_GROUP', URI: prefixed('security_group:', id) })),
  ]
}

const loginAtMsk: Readonly<Record<string, string>> = {
  'sasl-scram-512': 'SASL_SCRAM_512_AUTH',
  tls: 'CLIENT_CERTIFICATE_TLS_AUTH',
}
const loginElsewhere: Readonly<Record<string, string>> = {
  'sasl-scram-256': 'SASL_SCRAM_256_AUTH',
  'sasl-plain': 'BASIC_AUTH',
}

/** A list that CloudFormation alone knows has no members to name. */
function listOf(ids: unknown): readonly unknown[] {
  return Array.isArray(ids) ? ids : []
}

function prefixed(prefix: string, id: unknown): unknown {
  return typeof id === 'string' ? `${prefix}${id}` : { 'Fn::Join': ['', [prefix, id]] }
}

/** Where the mapping reads. */
export function mappingSource(settings: SluiceSettings): object {
  const { cluster, bootstrapServers } = settings
  if (clusterKind(settings) !== 'self-managed') return { EventSourceArn: cluster }
  const servers = typeof bootstrapServers === 'string' ? bootstrapServers.split(',') : { 'Fn::Split': [',', bootstrapServers] }
  return { SelfManagedEventSource: { Endpoints: { KafkaBootstrapServers: servers } } }
}

/** What can never work. Sentences with the cure, once for the service. */
export function accessProblems(settings: SluiceSettings): readonly string[] {
  const { security = 'plaintext', secret, authority } = settings.kafka ?? {}
  const kind = clusterKind(settings)
  const problems: string[] = []
  const needsSecret = security.startsWith('sasl-')
  if (kind === 'msk-serverless' && security !== 'msk-iam') {
    problems.push(`MSK Serverless takes IAM alone, and "kafka" has "security: ${security}": set "security: msk-iam"`)
  } else if (kind === 'msk' && !atMsk.has(security)) {
    problems.push(`MSK has no "security: ${security}": it takes ${[...atMsk].join(', ')}`)
  } else if (kind === 'self-managed' && !elsewhere.has(security)) {
    problems.push(
      `sluice does not set up "security: ${security}" for the mapping at a self-managed cluster: it takes ${[...elsewhere].join(', ')}`,
    )
  } else if (needsSecret && secret === undefined) {
    problems.push(
      `"security: ${security}" needs "secret" under "kafka": the ARN of a secret with "username" and "password", which function and mapping read`,
    )
  }
  if (secret !== undefined && !needsSecret && security !== 'tls') {
    problems.push(`"security: ${security}" reads no secret: remove "secret" under "kafka", or name the login that it is for`)
  }
  if (authority !== undefined && kind !== 'self-managed') {
    problems.push('Brokers of MSK have certificates of a public authority: remove "authority" under "kafka"')
  }
  if (authority !== undefined && security === 'plaintext') {
    problems.push('"authority" under "kafka" is for TLS, and "security" is "plaintext": remove one of them')
  }
  return problems
}

const atMsk: ReadonlySet<string> = new Set(['plaintext', 'tls', 'sasl-scram-512', 'msk-iam'])
const elsewhere: ReadonlySet<string> = new Set(['plaintext', 'tls', 'sasl-plain', 'sasl-scram-256', 'sasl-scram-512'])

/** docs.aws.amazon.com/msk/latest/developerguide/port-info.html: inside of a VPC. */
const portAtMsk: Readonly<Record<string, string>> = {
  plaintext: '9092',
  tls: '9094',
  'sasl-scram-512': '9096',
  'msk-iam': '9098',
}

/** What works, and surprises. Sentences with the cure, once for the service. */
export function accessWarnings(settings: SluiceSettings): readonly string[] {
  const { bootstrapServers, kafkaVersion, kafka: { security = 'plaintext', secretKey } = {} } = settings
  const kind = clusterKind(settings)
  const warnings: string[] = []
  const servers = typeof bootstrapServers === 'string' ? bootstrapServers.split(',') : []
  const port = portAtMsk[security]
  const other = servers.find(server => /\.amazonaws\.com(\.cn)?:/.test(server) && !server.endsWith(`:${port}`))
  if (kind !== 'self-managed' && other !== undefined) {
    warnings.push(`MSK listens for "security: ${security}" on port ${port}, and "bootstrapServers" has ${other}`)
  }
  if (kind === 'msk' && security === 'sasl-scram-512' && secretKey === undefined) {
    warnings.push(
      'MSK takes only secrets that a key of your own encrypts, and the functions may not use it: set "secretKey" under "kafka" to its ARN',
    )
  }
  const [major = 0, minor = 0] = kafkaVersion?.split('.').map(Number) ?? [4]
  if (major < 4) {
    warnings.push(
      `Kafka ${kafkaVersion} has the classic group coordinator, which can forget a position when an invocation is fenced; sluice guards against it with the topic "sluice-progress": run "npx sluice progress --init" once for the cluster`,
    )
  }
  if (major === 4 && (minor === 3 || minor === 4)) {
    warnings.push(
      `Kafka ${kafkaVersion} skips the end of transactions while a partition has no leader (KAFKA-20734), after which the function stops: outputs, __consumer_offsets and __transaction_state need replication of 3`,
    )
  }
  return warnings
}

/** A mapping at a self-managed cluster names subnets and groups one by one. Sentences with the cure. */
export function networkProblems(settings: SluiceSettings, network: Network | undefined): readonly string[] {
  if (clusterKind(settings) !== 'self-managed' || network === undefined) return []
  if (Array.isArray(network.subnetIds) && Array.isArray(network.securityGroupIds)) return []
  return [
    'its mapping names subnets and security groups one by one, and "vpc" has them as one intrinsic: write them as lists, whose members may be intrinsics',
  ]
}

/** Whether one function has a path to what it needs. Sentences with the cure. */
export function networkWarnings(
  settings: SluiceSettings,
  { inVpc, looksUp }: { readonly inVpc: boolean; readonly looksUp: boolean },
) {
  const warnings: string[] = []
  // Brokers of MSK are in a VPC always, others perhaps in the internet.
  if (!inVpc && clusterKind(settings) !== 'self-managed') {
    warnings.push(
      'It is in no VPC and will hardly reach brokers or store, since the trigger gives the function no path: set "vpc" under "sluice" in serverless.yml',
    )
  }
  if (inVpc && looksUp && isUpstash(settings)) {
    warnings.push(
      'Upstash is in the internet, and a function in a VPC reaches it only by a NAT gateway; ElastiCache and MemoryDB need none',
    )
  }
  return warnings
}

function isUpstash({ redis, redisScheme }: SluiceSettings): boolean {
  return redisScheme === 'upstash+https' || (typeof redis === 'string' && /^upstash\+https:|\.upstash\.io(:|\/|$)/.test(redis))
}
