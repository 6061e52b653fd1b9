// The connectors of DynamoDB as a function has them: in one file with the parts of AWS' client that a function needs (lib/compiler/aws-client.ts).
import { createHash, randomUUID } from 'node:crypto'
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'
import { smallAwsClient } from '../../lib/compiler/aws-client.ts'
import type { connectDynamoDb } from '../../lib/connectors/dynamodb.ts'
import type { connectDynamoDbStateStore } from '../../lib/connectors/state-dynamodb.ts'

export interface Bundled {
  readonly connectDynamoDb: typeof connectDynamoDb
  readonly connectDynamoDbStateStore: typeof connectDynamoDbStateStore
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const connectors = join(root, 'lib', 'connectors')

/** Our other modules stay outside, so that tests and connectors mean the same classes. */
const othersOutside: Plugin = {
  name: 'others-outside',
  setup(esbuild) {
    esbuild.onResolve({ filter: /^\..*\.ts$/ }, ({ path, importer, resolveDir }) => {
      if (importer.includes('node_modules') || /\/(state-)?dynamodb\.ts$|\/aws-\w+\.ts$/.test(path)) return undefined
      return { path: resolve(resolveDir, path), external: true }
    })
  },
}

export async function bundledDynamoDb(): Promise<Bundled> {
  const { outputFiles } = await build({
    stdin: {
      contents:
        "export { connectDynamoDb } from './dynamodb.ts'\nexport { connectDynamoDbStateStore } from './state-dynamodb.ts'\n",
      resolveDir: connectors,
    },
    bundle: true,
    platform: 'node',
    target: 'node22',
    format: 'esm',
    minify: true,
    mainFields: ['module', 'main'],
    conditions: ['module', 'node', 'import'],
    write: false,
    logLevel: 'silent',
    plugins: [smallAwsClient, othersOutside],
  })
  const code = outputFiles[0]!.contents
  // Below the checkout: Vitest then reads its imports as those of any other module.
  const folder = join(root, '.sluice', 'build')
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `dynamodb-${createHash('sha256').update(code).digest('hex').slice(0, 16)}.mjs`)
  const own = `${file}.${randomUUID()}`
  writeFileSync(own, code)
  renameSync(own, file)
  return await import(file)
}
