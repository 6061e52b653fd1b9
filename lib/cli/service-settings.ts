// What commands take from serverless.yml. Variables in it (`${param:…}`) are Serverless' to resolve: here only what is written out counts.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseDocument } from 'yaml'
import type { StateStore } from '../compiler/explain.ts'
import { stateTableOf } from '../compiler/key-value.ts'
import { UsageError } from './command.ts'

/** Whether state is in a Redis Cluster, which only those know who run the store. The environment says it where there is no serverless.yml. */
export function isRedisCluster(environment: Readonly<Record<string, string | undefined>>, serviceFolder = '.'): boolean {
  const said = environment['SLUICE_REDIS_CLUSTER']
  return said === undefined ? blockOf(join(serviceFolder, 'serverless.yml'))['redisCluster'] === true : said === 'true'
}

/** Where state is kept, as `state` says it; a table's name may hold a variable. Without it, or where all of it is one, state is in the Redis of the look-ups. */
export function stateStoreIn(environment: Readonly<Record<string, string | undefined>>, serviceFolder = '.'): StateStore {
  const table = stateTableOf(environment['SLUICE_STATE'] ?? blockOf(join(serviceFolder, 'serverless.yml'))['state'])
  if (table !== undefined) return { table }
  return isRedisCluster(environment, serviceFolder) ? 'cluster' : 'server'
}

/**
 * The deployment's namespace (lib/plan/identity.ts). Where only Serverless knows it, nobody should guess: the progress of another stage would be shown,
 * or reset.
 */
export function namespaceIn(environment: Readonly<Record<string, string | undefined>>, serviceFolder = '.'): string | undefined {
  const said = environment['SLUICE_NAMESPACE']
  if (said !== undefined) return said
  const written = blockOf(join(serviceFolder, 'serverless.yml'))['namespace']
  if (typeof written !== 'string') return undefined
  if (written.includes('${'))
    throw new UsageError(
      `"namespace" in serverless.yml is "${written}", which only Serverless can read: set SLUICE_NAMESPACE to what the function has, empty for none.`,
    )
  return written
}

/** The block `sluice`; empty where there is none. What is wrong with the file is told by Serverless. */
function blockOf(file: string): Readonly<Record<string, unknown>> {
  if (!existsSync(file)) return {}
  // Tags of CloudFormation (!Ref) are no concern of ours.
  const document = parseDocument(readFileSync(file, 'utf8'), { logLevel: 'silent' })
  const service = document.errors.length > 0 ? undefined : (document.toJS() as { sluice?: unknown } | null)
  return typeof service?.sluice === 'object' && service.sluice !== null ? (service.sluice as Record<string, unknown>) : {}
}
