// What a function leaves out of AWS' client for DynamoDB: the client is written for every machine and all 57 operations, and would be three
// quarters of the bundle. A function finds its login and its region in its environment, has no home directory, and calls four operations.
// Files of the client are replaced as they are bundled; test/connectors/contract runs the result on a real endpoint, test/bundle.test.ts sees that
// each file is still there after an update of the client.
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Loader, Plugin } from 'esbuild'

/** By the file in node_modules: what stands there instead, of the file's own text. */
export const standIns: Readonly<Record<string, (text: string) => string>> = {
  // Logins by files, by single sign-on, by processes, by roles and of containers, with clients of three more services: 120 KB.
  '@aws-sdk/credential-provider-node/dist-es/index.js': () => `export { defaultProvider } from ${ours('aws-login.ts')}`,
  // DynamoDB has no event streams: 15 KB.
  '@smithy/core/dist-es/submodules/event-streams/index.js': () => 'export {}',
  // AWS' rules for endpoints are a program that the client interprets; for DynamoDB they are one template: 11 KB.
  '@aws-sdk/client-dynamodb/dist-es/endpoint/endpointResolver.js': () => `
    import { partition } from '@aws-sdk/core/client'
    import { endpointOf } from ${ours('aws-endpoint.ts')}
    export const defaultEndpointResolver = params => endpointOf(params, partition)`,
  // Only for those who ask DynamoDB where it is before each call (AWS_ENABLE_ENDPOINT_DISCOVERY): 8 KB.
  '@aws-sdk/middleware-endpoint-discovery/dist-es/index.js': () => `
    export const NODE_ENDPOINT_DISCOVERY_CONFIG_OPTIONS = { environmentVariableSelector: () => undefined, configFileSelector: () => undefined, default: undefined }
    export const resolveEndpointDiscoveryConfig = config => config`,
  // Errors of other operations. One that is not registered has its name all the same, as those have that are newer than the client: 9 KB.
  '@aws-sdk/client-dynamodb/dist-es/schemas/schemas_0.js': text =>
    text.replaceAll(/^n0_registry\.registerError\((\w+)\$, \1\);$/gm, (line, name: string) => (errors.has(name) ? line : '')),
  // ~/.aws/config and ~/.aws/credentials: 3 KB, and two reads before the first call.
  '@smithy/core/dist-es/submodules/config/shared-ini-file-loader/loadSharedConfigFiles.js': () => `
    export const CONFIG_PREFIX_SEPARATOR = '.'
    export const loadSharedConfigFiles = async () => ({ configFile: {}, credentialsFile: {} })`,
  // The region of an EC2 instance.
  '@smithy/core/dist-es/submodules/config/config-resolver/regionConfig/getInstanceMetadataRegion.js': () =>
    'export const getInstanceMetadataRegion = async () => undefined',
  // Retries that measure the service (AWS_RETRY_MODE=adaptive): 3 KB. A batch may not wait for them.
  '@smithy/core/dist-es/submodules/retry/util-retry/AdaptiveRetryStrategy.js': () =>
    "export { StandardRetryStrategy as AdaptiveRetryStrategy } from './StandardRetryStrategy'",
  // Nothing that we ask or are answered has a time stamp: 4 KB.
  '@smithy/core/dist-es/submodules/serde/date-utils.js': text =>
    [...text.matchAll(/^export (?:const|function) (\w+)/gm)]
      .map(([, name]) => `export const ${name} = () => { throw new Error('${name} is left out of bundles') }`)
      .join('\n'),
  // For a Node without OpenSSL: 4 KB.
  '@smithy/core/dist-es/submodules/checksum/sha256/Sha256Js.js': () => 'export const Sha256Js = undefined',
  '@aws-sdk/client-dynamodb/package.json': text => JSON.stringify({ version: JSON.parse(text).version }),
}

/** What GetItem, BatchGetItem, PutItem and UpdateItem are documented to throw. */
const errors = new Set([
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

const connectors = fileURLToPath(new URL('../connectors', import.meta.url))

function ours(file: string): string {
  return JSON.stringify(resolve(connectors, file))
}

/** esbuild plugin. */
export const smallAwsClient: Plugin = {
  name: 'aws-client',
  setup(esbuild) {
    const files = Object.keys(standIns)
    const filter = new RegExp(`node_modules/(${files.map(file => file.replaceAll('.', '\\.')).join('|')})$`)
    esbuild.onLoad({ filter }, ({ path }) => {
      const file = files.find(one => path.endsWith(`node_modules/${one}`))!
      const loader: Loader = file.endsWith('.json') ? 'json' : 'js'
      return { contents: standIns[file]!(readFileSync(path, 'utf8')), loader, resolveDir: dirname(path) }
    })
  },
}
