// What one function may do, from what its scenario names and nothing else: the rows of event-source-mapping.md 4.7. The mapping acts with the
// function's role, too. docs.aws.amazon.com/msk/latest/developerguide/kafka-actions.html
import { defaultProgressTopic } from '../lib/connectors/kafka/producer.ts'
import type { EsmSettings } from '../lib/emulator/settings.ts'
import { groupOf } from '../lib/plan/identity.ts'
import type { Scenario } from '../lib/scenario/scenario.ts'

export interface Statement {
  readonly Sid: string
  readonly Effect: 'Allow'
  readonly Action: readonly string[]
  readonly Resource: unknown
}

export interface PermissionOptions {
  /** ARN of the cluster, or an intrinsic that gives it; undefined: no cluster of MSK, which knows no rights of IAM. */
  readonly cluster: unknown
  readonly settings: EsmSettings
  readonly deadLetterTopic: string
  readonly namespace?: string | undefined
  readonly logGroupName: string
  /** ARNs of the secret for the login at Kafka, and of the key that encrypts it. */
  readonly secret?: unknown
  readonly secretKey?: unknown
  /** ARN of the secret with the authority of the brokers' certificates, for the mapping. */
  readonly authority?: unknown
  /** The table of DynamoDB that holds its state. */
  readonly stateTable?: string
  /** ARN of the key of one's own that encrypts the function's environment. */
  readonly environmentKey?: unknown
  /** Whether X-Ray may be told. */
  readonly tracing?: boolean
}

export function statementsOf(scenario: Scenario, options: PermissionOptions): readonly Statement[] {
  const { cluster, logGroupName, secret, secretKey, authority, stateTable, environmentKey, tracing } = options
  const secrets = [secret, authority].filter(arn => arn !== undefined)
  const tables = lookupTables(scenario)
  return [
    ...(cluster === undefined ? [] : kafkaStatements(scenario, cluster, options)),
    ...(tables.length === 0 ? [] : [allow('Items', ['dynamodb:BatchGetItem'], tables.map(tableArn))]),
    ...(stateTable === undefined ? [] : [allow('State', stateActions, [tableArn(stateTable)])]),
    // For mapping and function alike.
    ...(secrets.length === 0 ? [] : [allow('Secret', ['secretsmanager:GetSecretValue'], secrets)]),
    ...(secretKey === undefined ? [] : [allow('SecretKey', ['kms:Decrypt'], [secretKey])]),
    ...(environmentKey === undefined ? [] : [allow('EnvironmentKey', ['kms:Decrypt'], [environmentKey])]),
    allow(
      'Logs',
      ['logs:CreateLogStream', 'logs:PutLogEvents'],
      [{ 'Fn::Sub': `arn:\${AWS::Partition}:logs:\${AWS::Region}:\${AWS::AccountId}:log-group:${logGroupName}:*` }],
    ),
    // Network interfaces have no name before they are there, and EC2's Describe actions know no resources.
    allow(
      'Network',
      [
        'ec2:CreateNetworkInterface',
        'ec2:DeleteNetworkInterface',
        'ec2:DescribeNetworkInterfaces',
        'ec2:DescribeSecurityGroups',
        'ec2:DescribeSubnets',
        'ec2:DescribeVpcs',
      ],
      '*',
    ),
    // X-Ray's actions know no resources.
    ...(tracing ? [allow('Tracing', ['xray:PutTraceSegments', 'xray:PutTelemetryRecords'], '*')] : []),
  ]
}

/** Nothing is deleted: what has expired is DynamoDB's to remove. */
const stateActions = ['dynamodb:GetItem', 'dynamodb:BatchGetItem', 'dynamodb:PutItem', 'dynamodb:UpdateItem']

function kafkaStatements(
  scenario: Scenario,
  cluster: unknown,
  { settings: { topic, consumerGroupId }, deadLetterTopic, namespace }: PermissionOptions,
): readonly Statement[] {
  // At least once has neither transactions nor progress of its own: the mapping's alone counts.
  const keepsProgress = scenario.delivery !== 'at-least-once'
  const { name, generation } = scenario
  const identity = groupOf({ ...(namespace !== undefined && { namespace }), scenario: name, generation })
  const topics = [...new Set([...outputTopics(scenario), deadLetterTopic])]
  const arns = (kind: ResourceKind, names: readonly string[]) => names.map(name => arnOf(cluster, kind, name))
  return [
    allow('Cluster', ['kafka-cluster:Connect', 'kafka-cluster:WriteDataIdempotently'], [cluster]),
    allow('Brokers', ['kafka:DescribeCluster', 'kafka:DescribeClusterV2', 'kafka:GetBootstrapBrokers'], [cluster]),
    // The function as well: committing progress of a topic asks for the right to read it.
    // Clusters before Kafka 4.0 keep our progress under a topic and groups of their own (event-source-mapping.md 4.6).
    allow(
      'ReadSource',
      ['kafka-cluster:DescribeTopic', 'kafka-cluster:ReadData'],
      arns('topic', keepsProgress ? [topic, defaultProgressTopic] : [topic]),
    ),
    allow('WriteOutputs', ['kafka-cluster:DescribeTopic', 'kafka-cluster:WriteData'], arns('topic', topics)),
    // The mapping's group, and the one of our own progress.
    allow(
      'Groups',
      ['kafka-cluster:DescribeGroup', 'kafka-cluster:AlterGroup'],
      arns('group', keepsProgress ? [consumerGroupId, identity, `${identity}/*`] : [consumerGroupId]),
    ),
    // One transactional id per source partition, hence the star.
    ...(keepsProgress
      ? [
          allow(
            'Transactions',
            ['kafka-cluster:DescribeTransactionalId', 'kafka-cluster:AlterTransactionalId'],
            arns('transactional-id', [`${identity}/*`]),
          ),
        ]
      : []),
  ]
}

/** The DynamoDB tables that look-ups read, in file order. */
export function lookupTables({ enrichers }: Scenario): readonly string[] {
  return [...new Set(enrichers.flatMap(({ lookup }) => (lookup.kind === 'item' ? [lookup.table] : [])))]
}

function tableArn(table: string): unknown {
  return { 'Fn::Sub': `arn:\${AWS::Partition}:dynamodb:\${AWS::Region}:\${AWS::AccountId}:table/${table}` }
}

/** Every topic that the sinks can write to, in file order. */
export function outputTopics(scenario: Scenario): readonly string[] {
  const names = scenario.sinks.flatMap(({ topic, among }) => among ?? [topic.parts.join('')])
  return [...new Set(names)]
}

type ResourceKind = 'topic' | 'group' | 'transactional-id'

/** `arn:…:cluster/NAME/UUID` → `arn:…:KIND/NAME/UUID/name`, also where only CloudFormation will know the cluster's. */
export function arnOf(cluster: unknown, kind: ResourceKind, name: string): unknown {
  if (typeof cluster === 'string') return `${cluster.replace(':cluster/', `:${kind}/`)}/${name}`
  const part = (index: number) => ({ 'Fn::Select': [index, { 'Fn::Split': [':cluster/', cluster] }] })
  return { 'Fn::Join': ['', [part(0), `:${kind}/`, part(1), `/${name}`]] }
}

function allow(sid: string, actions: readonly string[], resource: unknown): Statement {
  return { Sid: sid, Effect: 'Allow', Action: actions, Resource: resource }
}
