// What bundles hold of AWS' client, beside the whole one. The contracts of the stores run on it: test/connectors/bundled.ts.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { build } from 'esbuild'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { smallAwsClient, standIns } from '../../lib/compiler/aws-client.ts'
import { endpointOf } from '../../lib/connectors/aws-endpoint.ts'
import { defaultProvider } from '../../lib/connectors/aws-login.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'sluice-aws-'))
let small: typeof import('@aws-sdk/client-dynamodb')
let inputs: readonly string[]

beforeAll(async () => {
  const { outputFiles, metafile } = await build({
    stdin: { contents: "export { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb'", resolveDir: root },
    bundle: true,
    platform: 'node',
    format: 'esm',
    conditions: ['module', 'node', 'import'],
    mainFields: ['module', 'main'],
    metafile: true,
    write: false,
    plugins: [smallAwsClient],
  })
  inputs = Object.keys(metafile.inputs)
  const file = join(folder, 'client.mjs')
  writeFileSync(file, outputFiles[0]!.text)
  small = await import(file)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))
afterEach(() => vi.unstubAllEnvs())

test.each(Object.keys(standIns))('%s is a file of this version of the client', file => {
  expect(inputs.filter(input => input.endsWith(`node_modules/${file}`))).toHaveLength(1)
})

test('errors of other operations are left out, those of ours are not', () => {
  const name = '@aws-sdk/client-dynamodb/dist-es/schemas/schemas_0.js'
  const text = readFileSync(join(root, 'node_modules', name), 'utf8')
  const registered = (of: string) => [...of.matchAll(/^n0_registry\.registerError\((\w+)\$,/gm)].map(([, error]) => error)
  expect(registered(text).length).toBeGreaterThan(25)
  expect(registered(standIns[name]!(text))).toEqual([
    'ConditionalCheckFailedException',
    'InternalServerError',
    'InvalidEndpointException',
    'ItemCollectionSizeLimitExceededException',
    'ProvisionedThroughputExceededException',
    'ReplicatedWriteConflictException',
    'RequestLimitExceeded',
    'ResourceNotFoundException',
    'ThrottlingException',
    'TransactionConflictException',
  ])
})

test('it is the version that package.json names', async () => {
  const { version } = createRequire(import.meta.url)('@aws-sdk/client-dynamodb/package.json')
  const client = new small.DynamoDBClient({ region: 'eu-central-1' })
  expect(await client.config.defaultUserAgentProvider()).toContainEqual(['aws-sdk-js', version])
})

const regions: readonly (readonly [string, string])[] = [
  ['eu-central-1', 'https://dynamodb.eu-central-1.amazonaws.com/'],
  ['us-east-1', 'https://dynamodb.us-east-1.amazonaws.com/'],
  ['cn-north-1', 'https://dynamodb.cn-north-1.amazonaws.com.cn/'],
  ['us-gov-west-1', 'https://dynamodb.us-gov-west-1.amazonaws.com/'],
  ['us-iso-east-1', 'https://dynamodb.us-iso-east-1.c2s.ic.gov/'],
  ['us-isob-east-1', 'https://dynamodb.us-isob-east-1.sc2s.sgov.gov/'],
  ['eu-isoe-west-1', 'https://dynamodb.eu-isoe-west-1.cloud.adc-e.uk/'],
  ['us-isof-south-1', 'https://dynamodb.us-isof-south-1.csp.hci.ic.gov/'],
  ['eusc-de-east-1', 'https://dynamodb.eusc-de-east-1.amazonaws.eu/'],
  // A region that is younger than the client.
  ['eu-north-7', 'https://dynamodb.eu-north-7.amazonaws.com/'],
]

test.each(regions)('in %s it asks %s', (Region, url) => {
  const hrefOf = (client: DynamoDBClient) => client.config.endpointProvider!({ Region } as never).url.href
  expect(hrefOf(new small.DynamoDBClient({ region: Region }))).toBe(url)
  expect(hrefOf(new DynamoDBClient({ region: Region }))).toBe(url)
})

test.each(regions)("in %s the endpoints of FIPS and of two stacks are those of AWS' rules", Region => {
  const [ours, theirs] = [small.DynamoDBClient, DynamoDBClient].map(Client =>
    [
      { UseFIPS: true, UseDualStack: false },
      { UseFIPS: false, UseDualStack: true },
      { UseFIPS: true, UseDualStack: true },
    ].map(flags => new Client({ region: Region }).config.endpointProvider!({ Region, ...flags } as never).url.href),
  )
  expect(ours).toEqual(theirs)
})

test('an endpoint of its own is taken as it is; without a region it is told where that should be', () => {
  const unknown = () => {
    throw new Error('never asked')
  }
  expect(endpointOf({ Endpoint: 'http://127.0.0.1:8000', Region: 'eu-central-1' }, unknown).url.href).toBe(
    'http://127.0.0.1:8000/',
  )
  expect(() => endpointOf({}, unknown)).toThrow('AWS_REGION')
})

test("a function's login is that of its environment", async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'ASIA1')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret')
  vi.stubEnv('AWS_SESSION_TOKEN', 'token')
  const login = { accessKeyId: 'ASIA1', secretAccessKey: 'secret', sessionToken: 'token' }
  expect(await defaultProvider()()).toEqual(login)
  expect(await new small.DynamoDBClient({ region: 'eu-central-1' }).config.credentials()).toMatchObject(login)
})

test('without one it is told by the name that AWS gives it', async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', '')
  await expect(defaultProvider()()).rejects.toMatchObject({
    name: 'CredentialsProviderError',
    message: expect.stringContaining('AWS_ACCESS_KEY_ID'),
  })
})
