import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { cfnLint, whyNoCfnLint } from '../../../infra/local/cfn-lint.ts'
import { templateProblems } from '../../infra/template-schema.ts'
import { copyService, type Resource, type Service } from './service.ts'

const services: Service[] = []
afterAll(() => {
  for (const service of services) service.remove()
})

function newService(): Service {
  const service = copyService()
  services.push(service)
  return service
}

const missing = whyNoCfnLint()

// Most tests package more than once: some seconds each time, and ten where others use the machine.
vi.setConfig({ testTimeout: 240_000 })

const droppedIn = `scenario: dropped-in
description: Copies large orders.
source:
  topic: orders.v1
  batchSize: 500
  maximumBatchingWindow: 0
  event: { id: string, amount: int }
filter:
  large: event.amount > 100
sinks:
  large:
    topic: orders.large
    key: event.id
    value: event
function:
  memorySize: 512
`

describe('the service, offline and without credentials', () => {
  const service = newService()
  let zips: readonly Buffer[]

  test('print shows a function per file', async () => {
    const { code, stdout } = await service.serverless(['print', '--format', 'json'])
    expect(code).toBe(0)
    const { functions } = JSON.parse(stdout)
    expect(Object.keys(functions)).toEqual(['large-transactions', 'next-best-action', 'telecom-campaign'])
    expect(functions['telecom-campaign']).toMatchObject({
      name: 'sluice-dev-telecom-campaign',
      handler: 'index.handler',
      runtime: 'nodejs24.x',
      memorySize: 1024,
      timeout: 60,
      role: 'TelecomDashcampaignRole',
      package: { individually: true, artifact: '.serverless/telecom-campaign.zip' },
      environment: {
        SLUICE_KAFKA: 'b-1.sluice.example:9092,b-2.sluice.example:9092',
        SLUICE_REDIS: 'redis://cache.sluice.example:6379',
        SLUICE_DEAD_LETTER_TOPIC: 'sluice.telecom-campaign.dead-letters',
      },
    })
  })

  test('package writes a function with log group, role and mapping', async () => {
    const { code, output } = await service.serverless(['package'])
    expect([code, output]).toEqual([0, expect.stringContaining('Service packaged')])
    expect(output).toMatch(
      /telecom-campaign: \d+ KB \(sluice \d+, .*\), \d+ ms of CPU to load.*; \$[\d.]+ per million events in full batches, from 200 a second on/,
    )
    zips = zipsOf(service)
    const resources = service.resources()
    const of = (type: string) =>
      Object.entries(resources).filter(([id, { Type }]) => Type === type && id.startsWith('TelecomDashcampaign'))
    expect(of('AWS::Lambda::Function')).toHaveLength(1)
    expect(of('AWS::Logs::LogGroup')[0]![1].Properties).toEqual({
      LogGroupName: '/aws/lambda/sluice-dev-telecom-campaign',
      RetentionInDays: 30,
    })
    expect(of('AWS::IAM::Role')).toHaveLength(1)
    expect(of('AWS::Lambda::EventSourceMapping')[0]![1].Properties).toMatchObject({
      Topics: ['cdrs'],
      StartingPosition: 'TRIM_HORIZON',
      BatchSize: 100,
      AmazonManagedKafkaEventSourceConfig: { ConsumerGroupId: 'sluice.telecom-campaign.1.trigger/cdrs' },
    })
    expect(resources['TelecomDashcampaignLambdaFunction']!.Properties).toMatchObject({
      Handler: 'index.handler',
      Runtime: 'nodejs24.x',
      Role: { 'Fn::GetAtt': ['TelecomDashcampaignRole', 'Arn'] },
      VpcConfig: {
        SecurityGroupIds: ['sg-0123456789abcdef0'],
        SubnetIds: ['subnet-0123456789abcdef0', 'subnet-0123456789abcdef1'],
      },
    })
    // Each function has its own role; the shared one, whose statements osls piles up, is not made.
    expect(resources).not.toHaveProperty('IamRoleLambdaExecution')
    expect(templateProblems(templateOf(service))).toEqual([])
  })

  test.skipIf(missing !== undefined)(
    `cfn-lint finds nothing in both templates${missing === undefined ? '' : ` (${missing})`}`,
    () => {
      for (const file of ['cloudformation-template-update-stack.json', 'sluice-observability.json'])
        expect(cfnLint(service.path(`.serverless/${file}`))).toBe('')
    },
  )

  test('a file dropped into functions/ adds a function, and changes nothing else', async () => {
    const before = service.resources()
    writeFileSync(service.path('functions/dropped-in.yml'), droppedIn)
    expect((await service.serverless(['package'])).code).toBe(0)
    const after = service.resources()
    const added = Object.keys(after).filter(id => !(id in before))
    expect(added.map(id => after[id]!.Type).sort()).toEqual([
      'AWS::IAM::Role',
      'AWS::Lambda::EventSourceMapping',
      'AWS::Lambda::Function',
      'AWS::Lambda::Version',
      'AWS::Logs::LogGroup',
    ])
    const added1 = (type: string) => after[added.find(id => after[id]!.Type === type)!]!.Properties
    expect(added1('AWS::Lambda::EventSourceMapping')).toMatchObject({
      Topics: ['orders.v1'],
      BatchSize: 500,
      MaximumBatchingWindowInSeconds: 0,
      AmazonManagedKafkaEventSourceConfig: { ConsumerGroupId: 'sluice.dropped-in.1.trigger/orders.v1' },
    })
    expect(added1('AWS::Lambda::Function')).toMatchObject({
      MemorySize: 512,
      // It looks nothing up, so it knows no store.
      Environment: { Variables: { SLUICE_KAFKA: 'b-1.sluice.example:9092,b-2.sluice.example:9092' } },
    })
    expect(JSON.stringify(added1('AWS::Lambda::Function'))).not.toContain('SLUICE_REDIS')
    // What watches it stands in the nested stack, whose template is named by its content.
    const nested = JSON.parse(readFileSync(service.path('.serverless/sluice-observability.json'), 'utf8'))
    expect(Object.keys(nested.Resources).filter(id => id.startsWith('DroppedDashin'))).toHaveLength(7)
    expect(before['SluiceObservability']).not.toEqual(after['SluiceObservability'])
    // The S3 keys have the time of the packaging in them; Lambda's versions follow the content.
    const { SluiceObservability: _, ...others } = before
    expect(withoutKeys(Object.fromEntries(Object.keys(others).map(id => [id, after[id]])))).toEqual(withoutKeys(others))
    expect(zipsOf(service).every((zip, i) => zip.equals(zips[i]!))).toBe(true)
  })

  test('invoke local decides a sample event with stores in memory, and prints the result alone', async () => {
    const { code, stdout } = await service.serverless([
      'invoke',
      'local',
      '-f',
      'telecom-campaign',
      '-p',
      'events/telecom-campaign.json',
    ])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toEqual({ batchItemFailures: [] })
  })

  test('invoke local does not mix a real broker with a store in memory', async () => {
    const args = ['invoke', 'local', '-f', 'telecom-campaign', '-p', 'events/telecom-campaign.json']
    const { code, output } = await service.serverless(args, { SLUICE_KAFKA: '127.0.0.1:9092' })
    expect(code).toBe(1)
    expect(output).toContain('SLUICE_KAFKA is set, and the look-ups need SLUICE_REDIS as well')
  })

  test('a scenario with errors stops everything, with its diagnostics', async () => {
    writeFileSync(service.path('functions/dropped-in.yml'), droppedIn.replace('event.amount > 100', 'event.amuont > 100'))
    const { code, output } = await service.serverless(['package'])
    expect(code).toBe(1)
    expect(output).toContain('functions/dropped-in.yml:9:')
    expect(output).toContain('"amuont"')
    expect(output).toContain('[unknown-field]')
  })

  test('a file with the name of another scenario is refused', async () => {
    writeFileSync(service.path('functions/dropped-in.yml'), droppedIn.replace('scenario: dropped-in', 'scenario: something-else'))
    const { code, output } = await service.serverless(['print'])
    expect(code).toBe(1)
    expect(output).toContain('"scenario" needs the name of its file, "dropped-in", found "something-else"')
  })

  test.each([
    ['timeout: 900', '"timeout" needs a whole number from 1 to 840 seconds'],
    ['timeout: "${env:SECONDS}"', "functions/dropped-in.yml: the function's timeout is 900 s"],
    ['handler: other.handler', '"handler" cannot be set: sluice builds the handler from this file'],
    ['package: { individually: false }', '"package" cannot be set: sluice builds the code from this file'],
    [`name: ${'n'.repeat(65)}`, 'and Lambda takes 64 characters'],
  ])('what AWS or we cannot run is refused before the deploy: %s', async (setting, message) => {
    writeFileSync(service.path('functions/dropped-in.yml'), droppedIn.replace('memorySize: 512', setting))
    const { code, output } = await service.serverless(['package'], { SECONDS: '900' })
    expect(code).toBe(1)
    expect(output).toContain(message)
  })
})

test.each([
  ['an unknown key', 'redis:', 'reddis:', /'sluice'.*unrecognized property 'reddis'|at 'sluice'/],
  ['a cluster that is no ARN', 'cluster: ${env:SLUICE_CLUSTER_ARN, ', 'cluster: main # ', /at 'sluice/],
])('%s in the block "sluice" is refused', async (_, written, instead, message) => {
  const service = newService()
  const file = service.path('serverless.yml')
  writeFileSync(file, readFileSync(file, 'utf8').replace(written, instead))
  const { code, output } = await service.serverless(['package'])
  expect(code).toBe(1)
  expect(output).toMatch(message)
})

test('stages differ by parameters, as everywhere in Serverless', async () => {
  const service = newService()
  const file = service.path('serverless.yml')
  const text = readFileSync(file, 'utf8')
    .replace(/cluster: .*/, 'cluster: ${param:cluster}\n  kafka: { security: msk-iam }')
    .replace(/bootstrapServers: .*/, 'bootstrapServers: ${param:brokers}')
    .replace('sluice:\n', 'sluice:\n  alarms: ${param:alarms}\n')
  writeFileSync(
    file,
    `${text}
params:
  default: { cluster: 'arn:aws:kafka:eu-central-1:123456789012:cluster/test/1-s1', brokers: 'test:9098', alarms: false }
  prod:
    cluster: 'arn:aws:kafka:eu-central-1:123456789012:cluster/prod/2-7'
    brokers: 'prod:9098'
    alarms: { lag: 500 }
`,
  )
  const packaged = async (...args: readonly string[]) => {
    const { code, output } = await service.serverless(['package', ...args])
    expect([code, output]).toEqual([0, expect.stringContaining('Service packaged')])
    const resources = service.resources()
    const mapping = Object.values(resources).find(({ Type }) => Type === 'AWS::Lambda::EventSourceMapping')!
    const lambda = resources['TelecomDashcampaignLambdaFunction']!.Properties
    return { cluster: mapping.Properties['EventSourceArn'], name: lambda['FunctionName'], environment: lambda['Environment'] }
  }
  expect(await packaged()).toMatchObject({
    cluster: 'arn:aws:kafka:eu-central-1:123456789012:cluster/test/1-s1',
    name: 'sluice-dev-telecom-campaign',
    environment: { Variables: { SLUICE_KAFKA: 'test:9098', SLUICE_KAFKA_SECURITY: 'msk-iam' } },
  })
  expect(await packaged('--stage', 'prod')).toMatchObject({
    cluster: 'arn:aws:kafka:eu-central-1:123456789012:cluster/prod/2-7',
    name: 'sluice-prod-telecom-campaign',
    environment: { Variables: { SLUICE_KAFKA: 'prod:9098' } },
  })
  const nested = JSON.parse(readFileSync(service.path('.serverless/sluice-observability.json'), 'utf8')) as Template
  expect(nested.Resources['TelecomDashcampaignAlarmLag']!.Properties['Threshold']).toBe(500)
})

test('two stages on one cluster have names of their own where the namespace says so, and are told where it does not', async () => {
  const service = newService()
  const file = service.path('serverless.yml')
  const text = readFileSync(file, 'utf8')
  const packaged = async (stage: string) => {
    const { code, output } = await service.serverless(['package', '--stage', stage])
    expect([code, output]).toEqual([0, expect.stringContaining('Service packaged')])
    return output
  }
  expect(await packaged('dev')).not.toContain('namespace')
  expect(await packaged('prod')).toContain('set "namespace: ${sls:stage}"')
  writeFileSync(file, text.replace('sluice:\n', 'sluice:\n  namespace: false\n'))
  expect(await packaged('prod')).not.toContain('namespace')

  writeFileSync(file, text.replace('sluice:\n', 'sluice:\n  namespace: ${sls:stage}\n'))
  expect(await packaged('prod')).not.toContain('skips')
  const resources = service.resources()
  const mapping = Object.values(resources).find(
    ({ Type, Properties }) => Type === 'AWS::Lambda::EventSourceMapping' && JSON.stringify(Properties).includes('cdrs'),
  )!
  expect(mapping.Properties['AmazonManagedKafkaEventSourceConfig']).toEqual({
    ConsumerGroupId: 'sluice.prod.telecom-campaign.1.trigger/cdrs',
  })
  expect(resources['TelecomDashcampaignLambdaFunction']!.Properties['Environment']).toMatchObject({
    Variables: { SLUICE_NAMESPACE: 'prod', SLUICE_DEAD_LETTER_TOPIC: 'sluice.prod.telecom-campaign.dead-letters' },
  })
  const role = JSON.stringify(resources['TelecomDashcampaignRole'])
  expect(role).toContain('/sluice.prod.telecom-campaign.1/*"')
  expect(role).toContain('/sluice.prod.telecom-campaign.dead-letters"')
  expect(role).not.toContain('sluice.telecom-campaign')
})

test.each([
  ['the topic that it reads', 'cdrs', 'which it reads: each would be read again and set aside again, for ever'],
  ['the topic of a sink', 'marketing-messages', 'where a sink writes'],
])('dead letters in %s are refused', async (_, topic, why) => {
  const service = newService()
  const file = service.path('serverless.yml')
  writeFileSync(file, readFileSync(file, 'utf8').replace('sluice:\n', `sluice:\n  deadLetterTopic: ${topic}\n`))
  const { code, output } = await service.serverless(['package'])
  expect([code, output]).toEqual([
    1,
    expect.stringContaining(`functions/telecom-campaign.yml: its dead letters would go to "${topic}", ${why}`),
  ])
})

test('a function in no VPC is told where the brokers are in one; Upstash without a VPC is fine', async () => {
  const service = newService()
  const file = service.path('serverless.yml')
  const inVpc = readFileSync(file, 'utf8').replace(/redis: .*/, "redis: 'upstash+https://:token@eu1.upstash.io'")
  const outside = inVpc.replace(/^ {2}vpc:\n(?: {4}.*\n)+/m, '')
  expect(outside).not.toContain('subnetIds')
  const packaged = async (text: string) => {
    writeFileSync(file, text)
    const { code, output } = await service.serverless(['package'])
    expect([code, output]).toEqual([0, expect.stringContaining('Service packaged')])
    return output
  }
  const noPath = 'It is in no VPC and will hardly reach brokers or store'
  const gateway = 'a function in a VPC reaches it only by a NAT gateway'
  const told = await packaged(inVpc)
  expect(told).toContain(gateway)
  expect(told).not.toContain(noPath)
  const outsideTold = await packaged(outside)
  expect(outsideTold).toContain(noPath)
  expect(outsideTold).not.toContain(gateway)
  // Serverless' own place for it counts as well.
  expect(
    await packaged(outside.replace('provider:\n', 'provider:\n  vpc: { securityGroupIds: [sg-1], subnetIds: [subnet-1] }\n')),
  ).not.toContain(noPath)
})

test('a self-managed cluster, a login, one log line in 100 and tracing arrive in the template', async () => {
  const service = newService()
  const file = service.path('serverless.yml')
  const secret = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:login-AbCdEf'
  const text = readFileSync(file, 'utf8').replace(
    /cluster: .*/,
    `cluster: self-managed
  kafka: { security: sasl-scram-512, secret: '${secret}', authority: { Ref: Authority } }
  logs: { level: WARN, sample: 100 }
  tracing: true`,
  )
  writeFileSync(
    file,
    `${text}\nresources: { Resources: { Authority: { Type: 'AWS::SecretsManager::Secret', Properties: { SecretString: '{}' } } } }\n`,
  )
  const { code, output } = await service.serverless(['package'])
  expect([code, output]).toEqual([0, expect.stringContaining('Service packaged')])
  const resources = service.resources()
  expect(resources['TelecomDashcampaignLambdaFunction']!.Properties).toMatchObject({
    TracingConfig: { Mode: 'Active' },
    Environment: {
      Variables: {
        SLUICE_KAFKA_SECURITY: 'sasl-scram-512',
        SLUICE_KAFKA_SECRET: secret,
        SLUICE_KAFKA_CA: {
          'Fn::Sub': ['{{resolve:secretsmanager:${secret}:SecretString:certificate}}', { secret: { Ref: 'Authority' } }],
        },
        POWERTOOLS_LOG_LEVEL: 'WARN',
        SLUICE_LOG_SAMPLE: '100',
        SLUICE_TRACING: 'on',
      },
    },
  })
  const mapping = Object.entries(resources).find(([id]) => id.startsWith('TelecomDashcampaignTrigger'))![1].Properties
  expect(mapping['SelfManagedEventSource']).toEqual({
    Endpoints: { KafkaBootstrapServers: ['b-1.sluice.example:9092', 'b-2.sluice.example:9092'] },
  })
  const policies = JSON.stringify(resources['TelecomDashcampaignRole']!.Properties['Policies'])
  expect(policies).toContain('xray:PutTraceSegments')
  expect(policies).not.toContain('kafka-cluster:')
  expect(templateProblems(templateOf(service))).toEqual([])
  if (missing === undefined) expect(cfnLint(service.path('.serverless/cloudformation-template-update-stack.json'))).toBe('')
})

test('what README.md imports from the demo environment makes whole templates, with Valkey and with Upstash', async () => {
  const service = newService()
  const file = service.path('serverless.yml')
  const readme = readFileSync(service.path('infra/README.md'), 'utf8')
  const [block, upstash] = [...readme.slice(readme.indexOf('## A demo environment')).matchAll(/```yaml\n([\s\S]*?)```/g)]
  const head = readFileSync(file, 'utf8').split('\n# What is the same')[0]!
  for (const sluice of [block![1]!, block![1]!.replace(/ {2}redis: .*\n/, upstash![1]!)]) {
    writeFileSync(file, `${head}\n${sluice}`)
    const { code, output } = await service.serverless(['package'])
    expect([code, output]).toEqual([0, expect.stringContaining('Service packaged')])
    // Loaded and measured, though CloudFormation alone knows the addresses.
    expect(output).not.toContain('not measured')
    expect(templateProblems(templateOf(service))).toEqual([])
    if (missing === undefined) expect(cfnLint(service.path('.serverless/cloudformation-template-update-stack.json'))).toBe('')
  }
  const lambda = service.resources()['TelecomDashcampaignLambdaFunction']!.Properties
  expect(lambda['Environment']).toMatchObject({
    Variables: {
      SLUICE_KAFKA: { 'Fn::ImportValue': 'sluice-demo-brokers' },
      SLUICE_KAFKA_SECURITY: 'msk-iam',
      SLUICE_REDIS: {
        'Fn::Sub': [
          '{{resolve:secretsmanager:${secret}:SecretString:url}}',
          { secret: { 'Fn::ImportValue': 'sluice-demo-upstash' } },
        ],
      },
    },
  })
})

const remembering = `scenario: remembering
description: The third visit of a customer within a day.
source:
  topic: visits
  event: { id: string }
state:
  third:
    key: event.id
    limit: 3
    within: 1d
  monthly:
    key: '{event.id}/month'
    limit: 9
sinks:
  out:
    topic: visits.third
    when: third.number == 3
    key: event.id
    value: { visit: third.number }
`

describe('a scenario with state', () => {
  const service = newService()
  const file = service.path('serverless.yml')
  const text = readFileSync(file, 'utf8')
  writeFileSync(service.path('functions/remembering.yml'), remembering)
  const packaged = (settings: string, redis = /^unchanged$/, url = '') => {
    writeFileSync(file, text.replace(redis, url).replace('sluice:\n', `sluice:\n${settings}`))
    return service.serverless(['package'])
  }
  const variables = () =>
    (service.resources()['RememberingLambdaFunction']!.Properties['Environment'] as { Variables: object }).Variables
  const statement = (sid: string) => {
    const [policy] = service.resources()['RememberingRole']!.Properties['Policies'] as {
      PolicyDocument: { Statement: { Sid: string }[] }
    }[]
    return policy!.PolicyDocument.Statement.find(({ Sid }) => Sid === sid)
  }

  test('keeps it in the Redis of the look-ups; its load is measured, and watched for what it may lose', async () => {
    const { code, output } = await packaged('')
    expect([code, output]).toEqual([0, expect.stringContaining('Service packaged')])
    expect(output).toMatch(/remembering: \d+ KB \(.*\), \d+ ms of CPU to load/)
    expect(output).toContain('"npx sluice state remembering --init" has started state at the present position')
    expect(output).not.toContain('telecom-campaign: it keeps state')
    expect(variables()).toMatchObject({ SLUICE_REDIS: 'redis://cache.sluice.example:6379' })
    expect(variables()).not.toHaveProperty('SLUICE_STATE')
    expect(statement('State')).toBeUndefined()
    const nested = JSON.parse(readFileSync(service.path('.serverless/sluice-observability.json'), 'utf8')) as Template
    expect(nested.Resources['RememberingAlarmState']!.Properties['MetricName']).toBe('stateGuard')
  })

  test('keeps it in a table that is made, with the rights on it, before the trigger', async () => {
    const { code, output } = await packaged(
      '  state: dynamodb://sluice-state\n  createStateTable: true\n  sourceRetention: 30d\n',
    )
    expect([code, output]).toEqual([0, expect.stringContaining('Service packaged')])
    expect(output).toMatch(/remembering: \d+ KB \(sluice \d+, @smithy \d+, @aws-sdk .*\), \d+ ms of CPU to load/)
    expect(variables()).toMatchObject({ SLUICE_STATE: 'dynamodb://sluice-state', SLUICE_SOURCE_RETENTION: '30d' })
    expect(variables()).not.toHaveProperty('SLUICE_REDIS')
    expect(statement('State')).toEqual({
      Sid: 'State',
      Effect: 'Allow',
      Action: ['dynamodb:GetItem', 'dynamodb:BatchGetItem', 'dynamodb:PutItem', 'dynamodb:UpdateItem'],
      Resource: [{ 'Fn::Sub': 'arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/sluice-state' }],
    })
    expect(service.resources()['SluiceStateTable']).toMatchObject({ Type: 'AWS::DynamoDB::Table' })
    const mapping = Object.entries(service.resources()).find(([id]) => id.startsWith('RememberingTrigger'))![1]
    expect(mapping).toMatchObject({ DependsOn: ['RememberingRole', 'SluiceStateTable'] })
    // The others know nothing of it.
    expect(JSON.stringify(service.resources()['TelecomDashcampaignRole'])).not.toContain('sluice-state')
    expect(templateProblems(templateOf(service))).toEqual([])
    if (missing === undefined) expect(cfnLint(service.path('.serverless/cloudformation-template-update-stack.json'))).toBe('')
  })

  test('is refused where the store cannot keep it, and where its caps would lie in two slots', async () => {
    const upstash = await packaged('', /redis: \$.*/, 'redis: upstash+https://:token@host.upstash.io')
    expect([upstash.code, upstash.output]).toEqual([
      1,
      expect.stringContaining(
        'functions/remembering.yml: it has state, and the store of look-ups, upstash+https, does not keep it: set "state"',
      ),
    ])
    const cluster = await packaged('  redisCluster: ${strToBool(true)}\n')
    expect([cluster.code, cluster.output]).toEqual([1, expect.stringContaining('[caps-in-two-slots]')])
    const unknown = await packaged('  state: ignite://host:10800/STATE\n')
    expect([unknown.code, unknown.output]).toEqual([1, expect.stringContaining("at 'sluice.state'")])
  })
})

test('a role whose policy IAM would not take is refused', async () => {
  const service = newService()
  const topics = Array.from({ length: 100 }, (_, i) => `a-topic-with-a-rather-long-name-of-which-there-are-many-${i}`)
  const text = droppedIn.replace('topic: orders.large', `topic: "{event.id}"\n    among: [${topics.join(', ')}]`)
  writeFileSync(service.path('functions/dropped-in.yml'), text)
  const { code, output } = await service.serverless(['package'])
  expect([code, output]).toEqual([1, expect.stringContaining("functions/dropped-in.yml: its role's policy has ")])
})

test('a login that the cluster cannot have is refused before the deploy, and a surprise is told', async () => {
  const service = newService()
  const file = service.path('serverless.yml')
  const text = readFileSync(file, 'utf8')
  writeFileSync(file, text.replace('sluice:\n', 'sluice:\n  kafka: { security: sasl-plain }\n'))
  const refused = await service.serverless(['package'])
  expect([refused.code, refused.output]).toEqual([1, expect.stringContaining('MSK has no "security: sasl-plain": it takes')])
  writeFileSync(file, text.replace('sluice:\n', "sluice:\n  kafkaVersion: '3.8'\n"))
  const told = await service.serverless(['package'])
  expect([told.code, told.output]).toEqual([0, expect.stringContaining('Kafka 3.8 has the classic group coordinator')])
})

test('of a cluster that CloudFormation knows, ARNs are put together there', async () => {
  const service = newService()
  const file = service.path('serverless.yml')
  writeFileSync(file, readFileSync(file, 'utf8').replace(/cluster: .*/, "cluster: { 'Fn::ImportValue': msk-cluster }"))
  expect((await service.serverless(['package'])).code).toBe(0)
  const mapping = Object.values(service.resources()).find(({ Type }) => Type === 'AWS::Lambda::EventSourceMapping')!
  expect(mapping.Properties['EventSourceArn']).toEqual({ 'Fn::ImportValue': 'msk-cluster' })
})

test('60 scenarios in one service stay within what CloudFormation and IAM take', async () => {
  const service = newService()
  for (let i = 0; i < 57; i++) {
    const name = `scenario-with-a-rather-long-name-${i}`
    writeFileSync(service.path(`functions/${name}.yml`), droppedIn.replace('scenario: dropped-in', `scenario: ${name}`))
  }
  expect((await service.serverless(['package'])).code).toBe(0)
  const template = templateOf(service)
  const nested = JSON.parse(readFileSync(service.path('.serverless/sluice-observability.json'), 'utf8')) as Template
  expect(Object.values(template.Resources).filter(({ Type }) => Type === 'AWS::Lambda::Function')).toHaveLength(60)
  expect(Object.keys(nested.Resources)).toHaveLength(60 * 7)
  for (const one of [template, nested]) {
    expect(Object.keys(one.Resources).length).toBeLessThanOrEqual(500)
    expect(Object.keys(one.Outputs ?? {}).length).toBeLessThanOrEqual(200)
    expect(JSON.stringify(one).length).toBeLessThan(1_000_000)
    expect(templateProblems(one)).toEqual([])
  }
  const roles = Object.values(template.Resources).filter(({ Type }) => Type === 'AWS::IAM::Role')
  expect(Math.max(...roles.map(role => JSON.stringify(role.Properties['Policies']).length))).toBeLessThan(10_240)
  // Sixty bundles, each loaded once, on a machine that others use as well.
})

test('without alarms and dashboards nothing is nested', async () => {
  const service = newService()
  const file = service.path('serverless.yml')
  writeFileSync(file, readFileSync(file, 'utf8').replace('sluice:\n', 'sluice:\n  alarms: false\n  dashboards: false\n'))
  expect((await service.serverless(['package'])).code).toBe(0)
  expect(service.resources()).not.toHaveProperty('SluiceObservability')
})

test('where it is asked for, patterns are derived from the rules, and told', async () => {
  const service = newService()
  const file = service.path('serverless.yml')
  writeFileSync(file, readFileSync(file, 'utf8').replace('sluice:\n', 'sluice:\n  filterPatterns: derived\n'))
  const bounded = droppedIn.replace('event.amount > 100', 'event.amount > 100 && event.amount < 200')
  writeFileSync(service.path('functions/dropped-in.yml'), bounded)
  const { code, output } = await service.serverless(['package'])
  expect([code, output]).toEqual([0, expect.stringContaining('dropped-in: AWS keeps away what does not match {"value":')])
  const mapping = Object.entries(service.resources()).find(([id]) => id.startsWith('DroppedDashinTrigger'))![1]
  expect(mapping.Properties['FilterCriteria']).toEqual({
    Filters: [{ Pattern: '{"value":{"amount":[{"numeric":[">",100,"<",200]}]}}' }],
  })
  expect(templateProblems(templateOf(service))).toEqual([])
})

test('what serverless.yml says of all functions holds for role, mapping and cost; a stage sets a mapping otherwise', async () => {
  const service = newService()
  const file = service.path('serverless.yml')
  const text = readFileSync(file, 'utf8')
    .replace(
      '  architecture: arm64\n',
      `  architecture: \${param:architecture}
  memorySize: \${param:memory}
  kmsKeyArn: arn:aws:kms:eu-central-1:123456789012:key/environment
  tracing: { lambda: true }
  logs: { lambda: { logGroup: /teams/shared } }
  tags: { team: offers }
  iam:
    role:
      path: /teams/
      managedPolicies: [arn:aws:iam::aws:policy/ReadOnlyAccess]
      tags: { audited: 'yes' }
`,
    )
    .replace('sluice:\n', 'sluice:\n  namespace: false\n  sources: ${param:sources}\n')
  writeFileSync(
    file,
    `${text}
params:
  default:
    architecture: arm64
    memory: 1024
    sources: {}
  prod:
    architecture: x86_64
    memory: 4096
    sources:
      telecom-campaign: { batchSize: '\${env:BATCH_SIZE}', enabled: false, provisionedPollerConfig: { maximumPollers: 4 } }
`,
  )
  const packaged = async (stage: string) => {
    const { code, output } = await service.serverless(['package', '--stage', stage], { BATCH_SIZE: '250' })
    expect([code, output]).toEqual([0, expect.stringContaining('Service packaged')])
    const mapping = Object.entries(service.resources()).find(([id]) => id.startsWith('TelecomDashcampaignTrigger'))![1]
    return { mapping: mapping.Properties, cost: /telecom-campaign: .*; (\$.*)/.exec(output)?.[1] }
  }
  const dev = await packaged('dev')
  expect(dev.mapping).toMatchObject({ BatchSize: 100, Enabled: true, Tags: [{ Key: 'team', Value: 'offers' }] })
  expect(dev.mapping).not.toHaveProperty('ProvisionedPollerConfig')
  expect(dev.cost).toMatch(/^\$.* in full batches, from 200 a second on \(CPU measured here, Kafka and stores assumed\)$/)
  const role = service.resources()['TelecomDashcampaignRole']!.Properties
  expect(role).toMatchObject({
    Path: '/teams/',
    ManagedPolicyArns: ['arn:aws:iam::aws:policy/ReadOnlyAccess'],
    Tags: [{ Key: 'audited', Value: 'yes' }],
  })
  const policies = JSON.stringify(role['Policies'])
  expect(policies).toContain('log-group:/teams/shared:*')
  expect(policies).toContain('xray:PutTraceSegments')
  expect(policies).toContain('"kms:Decrypt"],"Resource":["arn:aws:kms:eu-central-1:123456789012:key/environment"]')
  expect(templateProblems(templateOf(service))).toEqual([])
  const prod = await packaged('prod')
  expect(prod.mapping).toMatchObject({
    BatchSize: 250,
    Enabled: false,
    ProvisionedPollerConfig: { MaximumPollers: 4, PollerGroupName: 'sluice' },
  })
  // The same code, and so what was measured for it, on another machine in other batches.
  expect(prod.cost).toContain('from 500 a second on')
})

test('a role that is there already is taken, and the network of all functions is that of a mapping elsewhere', async () => {
  const service = newService()
  const file = service.path('serverless.yml')
  const text = readFileSync(file, 'utf8')
    .replace(/cluster: .*/, 'cluster: self-managed')
    .replace(/ {2}vpc:\n(?: {4,}.*\n)*/, '')
    .replace(
      '  architecture: arm64\n',
      `  architecture: arm64
  iam: { role: 'arn:aws:iam::123456789012:role/all' }
  vpc: { securityGroupIds: [sg-1], subnetIds: [subnet-1] }
`,
    )
  writeFileSync(file, text)
  const { code, output } = await service.serverless(['package'])
  expect([code, output]).toEqual([0, expect.stringContaining('Service packaged')])
  expect(output).toContain('functions/telecom-campaign.yml: Nothing is added to its role, which is made elsewhere')
  expect(Object.values(service.resources()).filter(({ Type }) => Type === 'AWS::IAM::Role')).toEqual([])
  expect(service.resources()['TelecomDashcampaignLambdaFunction']!.Properties['Role']).toBe('arn:aws:iam::123456789012:role/all')
  const mapping = Object.entries(service.resources()).find(([id]) => id.startsWith('TelecomDashcampaignTrigger'))![1]
  expect(mapping.Properties['SourceAccessConfigurations']).toEqual([
    { Type: 'VPC_SUBNET', URI: 'subnet:subnet-1' },
    { Type: 'VPC_SECURITY_GROUP', URI: 'security_group:sg-1' },
  ])
  expect(templateProblems(templateOf(service))).toEqual([])
})

test('what would be passed over in silence is refused: variables of ours, settings of no mapping, files that are none', async () => {
  const service = newService()
  const file = service.path('serverless.yml')
  const text = readFileSync(file, 'utf8')
  const refused = async () => {
    const { code, output } = await service.serverless(['package'])
    expect(code).toBe(1)
    return output
  }
  writeFileSync(service.path('functions/other.yaml'), droppedIn)
  expect(await refused()).toContain('functions/other.yaml is no scenario, since their files end in ".yml": rename it')
  rmSync(service.path('functions/other.yaml'))

  writeFileSync(
    file,
    text.replace(
      'sluice:\n',
      `sluice:
  sources:
    telecom-campaing: { batchSize: 1 }
    telecom-campaign: { batchSize: 0, maximumRetryAttempts: 3, batchsize: 5 }
`,
    ),
  )
  const sources = await refused()
  expect(sources).toContain('"sources" under "sluice" names "telecom-campaing", and there is no functions/telecom-campaing.yml')
  expect(sources).toContain('of telecom-campaign: "batchSize" needs a whole number from 1 to 10,000 records, found "0"')
  expect(sources).toContain('"maximumRetryAttempts" cannot be set: exactly-once needs every batch again until it succeeds')
  expect(sources).toContain('has no "batchsize"')

  writeFileSync(
    file,
    text.replace('  architecture: arm64\n', "  architecture: arm64\n  environment: { SLUICE_GENERATION: '2' }\n"),
  )
  const environment = '  environment: { SLUICE_DEAD_LETTER_TOPIC: my-dlq, SLUICE_PARTIAL_RESPONSE: "on" }\n'
  writeFileSync(service.path('functions/dropped-in.yml'), `${droppedIn}${environment}`)
  const variables = await refused()
  for (const [variable, cure] of [
    ['SLUICE_GENERATION', 'set "generation" in the scenario'],
    ['SLUICE_DEAD_LETTER_TOPIC', 'set "deadLetterTopic" under "sluice"'],
    ['SLUICE_PARTIAL_RESPONSE', 'set "delivery" and "provisionedPollerConfig" in the scenario'],
  ])
    expect(variables).toContain(
      `functions/dropped-in.yml: "environment" sets ${variable}, from which role and mapping would differ: remove it, and ${cure}`,
    )

  writeFileSync(
    file,
    text
      .replace('sluice:\n', 'sluice:\n  alarms: { lagg: 3 }\n')
      .replace(/cluster: .*/, 'cluster: { arn: arn:aws:kafka:eu-central-1:123456789012:cluster/a/b }')
      .replace(/- \$\{env:SLUICE_SECURITY_GROUP.*/, "- ''"),
  )
  const block = await refused()
  expect(block).toMatch(/at 'sluice.alarms': unrecognized property 'lagg'/)
  expect(block).toMatch(/at 'sluice.cluster'/)
  expect(block).toMatch(/at 'sluice.vpc.securityGroupIds/)
})

interface Template {
  readonly Resources: Readonly<Record<string, Resource>>
  readonly Outputs?: Readonly<Record<string, unknown>>
}

function templateOf(service: Service): Template {
  return JSON.parse(readFileSync(service.path('.serverless/cloudformation-template-update-stack.json'), 'utf8'))
}

function zipsOf(service: Service): readonly Buffer[] {
  return ['large-transactions', 'next-best-action', 'telecom-campaign'].map(name =>
    readFileSync(service.path(`.serverless/${name}.zip`)),
  )
}

function withoutKeys(resources: object): unknown {
  return JSON.parse(JSON.stringify(resources, (name, value) => (name === 'S3Key' ? undefined : value)))
}
