// The demo environment: a template that AWS takes, with all that the sample scenarios need, and its price as README.md tells it.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { parse, type ScalarTag } from 'yaml'
import { demoCost, demoCostTable } from '../../infra/demo/cost.ts'
import { cfnLint, whyNoCfnLint } from '../../infra/local/cfn-lint.ts'
import { lookupTables, outputTopics } from '../../infra/permissions.ts'
import { discoverScenarios } from '../../infra/scenario-files.ts'
import { templateProblems } from './template-schema.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const file = join(root, 'infra/demo/environment.yml')
const text = readFileSync(file, 'utf8')

interface Template {
  readonly Resources: Readonly<Record<string, { readonly Type: string; readonly Properties: Readonly<Record<string, unknown>> }>>
  readonly Parameters: Readonly<Record<string, unknown>>
  readonly Outputs: Readonly<Record<string, { readonly Export: { readonly Name: { readonly 'Fn::Sub': string } } }>>
}

const template = parse(text, { customTags: cloudFormationTags() }) as Template
const resourcesOf = (type: string) => Object.values(template.Resources).filter(({ Type }) => Type === type)

test("it is one by AWS' resource schemas", () => {
  expect(templateProblems(template)).toEqual([])
})

const missing = whyNoCfnLint()
describe.skipIf(missing !== undefined)(`cfn-lint${missing === undefined ? '' : ` (${missing})`}`, () => {
  test('finds nothing, and would', () => {
    expect(cfnLint(file)).toBe('')
    const wrong = join(tmpdir(), `sluice-demo-${process.pid}.yml`)
    writeFileSync(wrong, text.replace('NatAddress.AllocationId', 'NatAddress.Nothing'))
    try {
      expect(cfnLint(wrong)).toContain('E1010')
    } finally {
      rmSync(wrong)
    }
  }, 60_000)
})

test('it has the topics and tables of the sample scenarios', () => {
  const samples = [
    'best-offer',
    'client-near-pos',
    'device-alarms',
    'large-transactions',
    'loan-request',
    'next-best-action',
    'offer-proposal',
    'order-lines',
    'promotion',
    'telecom-campaign',
  ]
  const scenarios = discoverScenarios(root, { colors: false })
    .scenarios.map(({ scenario }) => scenario)
    .filter(({ name }) => samples.includes(name))
  expect(scenarios).toHaveLength(samples.length)
  const topics = new Set(resourcesOf('AWS::MSK::Topic').map(({ Properties }) => Properties['TopicName']))
  for (const scenario of scenarios) {
    const needed = [scenario.source.topic, ...outputTopics(scenario), `sluice.${scenario.name}.dead-letters`]
    expect(needed.filter(topic => !topics.has(topic))).toEqual([])
  }
  expect(topics.has('sluice-progress')).toBe(true)
  expect(resourcesOf('AWS::DynamoDB::Table').map(({ Properties }) => Properties['TableName'])).toEqual(
    scenarios.flatMap(lookupTables),
  )
})

test('its Valkey keeps state: nothing is evicted', () => {
  const [{ Properties }] = resourcesOf('AWS::ElastiCache::ParameterGroup') as [Template['Resources'][string]]
  expect(Properties).toMatchObject({
    CacheParameterGroupFamily: 'valkey8',
    Properties: { 'maxmemory-policy': 'noeviction' },
  })
  expect(resourcesOf('AWS::ElastiCache::ReplicationGroup')[0]!.Properties).toMatchObject({
    EngineVersion: '8.0',
    CacheParameterGroupName: { Ref: 'CacheSettings' },
  })
})

test('what it exports is what README.md imports', () => {
  const exported = Object.values(template.Outputs).map(output =>
    output.Export.Name['Fn::Sub'].replace('${AWS::StackName}', 'sluice-demo'),
  )
  const readme = readFileSync(join(root, 'infra/README.md'), 'utf8')
  const imported = new Set([...readme.matchAll(/sluice-demo-[a-z-]+/g)].map(([name]) => name))
  expect([...imported].sort()).toEqual([...exported].sort())
})

test('its price is told as it is counted', () => {
  expect(readFileSync(join(root, 'infra/README.md'), 'utf8')).toContain(demoCostTable())
  const cheapest = demoCost({ kafka: 'provisioned', store: 'none', polling: 'on-demand' })
  expect([...cheapest].map(([part, dollars]) => [part, dollars.toFixed(2)])).toEqual([
    ['Kafka, three small brokers', '102.86'],
    ['endpoints of Lambda and STS', '43.80'],
  ])
})

describe('the function that tells the addresses of the brokers', () => {
  const [{ Properties }] = resourcesOf('AWS::Lambda::Function') as [Template['Resources'][string]]
  const source = (Properties['Code'] as { ZipFile: string }).ZipFile

  test.each([
    ['Create', { Status: 'SUCCESS', Data: { Servers: 'brokers of arn-of-cluster' } }],
    ['Delete', { Status: 'SUCCESS' }],
    ['Update', { Status: 'FAILED', Reason: 'Error: not allowed' }],
  ])('%s is answered', async (type, expected) => {
    const answers: unknown[] = []
    const server = createServer((request, response) => {
      let body = ''
      request.on('data', part => (body += part))
      request.on('end', () => {
        answers.push([request.method, JSON.parse(body)])
        response.end()
      })
    })
    await new Promise<void>(ready => server.listen(0, '127.0.0.1', ready))
    class KafkaClient {
      async send({ input }: { input: { ClusterArn: string } }) {
        if (type === 'Update') throw new Error('not allowed')
        return { BootstrapBrokerStringSaslIam: `brokers of ${input.ClusterArn}` }
      }
    }
    class GetBootstrapBrokersCommand {
      readonly input: object
      constructor(input: object) {
        this.input = input
      }
    }
    const exported: { handler?: (event: object) => Promise<void> } = {}
    new Function('require', 'exports', source)(() => ({ KafkaClient, GetBootstrapBrokersCommand }), exported)
    try {
      await exported.handler!({
        RequestType: type,
        ResponseURL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
        StackId: 'stack',
        RequestId: 'request',
        LogicalResourceId: 'Brokers',
        ResourceProperties: { ClusterArn: 'arn-of-cluster' },
      })
    } finally {
      await new Promise(done => server.close(done))
    }
    const ids = { StackId: 'stack', RequestId: 'request', LogicalResourceId: 'Brokers', PhysicalResourceId: 'brokers' }
    expect(answers).toEqual([['PUT', { ...ids, ...expected }]])
  })
})

/** The short forms of CloudFormation's functions: `!Ref x`, `!GetAtt a.b`, `!Sub …`. */
function cloudFormationTags(): ScalarTag[] {
  const names = ['Ref', 'Sub', 'GetAtt', 'GetAZs', 'Equals', 'If', 'Select']
  return names.flatMap(name => {
    const key = name === 'Ref' ? name : `Fn::${name}`
    const scalar = { tag: `!${name}`, resolve: (value: string) => ({ [key]: value }) }
    const list = { tag: `!${name}`, collection: 'seq', resolve: (value: { toJSON(): unknown }) => ({ [key]: value.toJSON() }) }
    return [scalar, list] as unknown as ScalarTag[]
  })
}
