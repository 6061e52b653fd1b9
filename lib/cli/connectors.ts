// Stores of look-ups for commands that decide on a deployed scenario's behalf: the same clients by the same environment as in its bundle.
import { keyValueClients, keyValueSchemeOf, stateSchemeOf, stateStores } from '../compiler/key-value.ts'
import type { Connectors } from '../connectors/world.ts'
import type { Environment } from '../connectors/world-settings.ts'
import type { Plan } from '../plan/plan.ts'

export async function connectorsOf(plan: Plan, environment: Environment): Promise<Connectors> {
  const stores = new Set(plan.lookups.map(({ store }) => store))
  return {
    ...(stores.has('redis') && { redis: await keyValueConnector(environment['SLUICE_REDIS'] ?? '') }),
    ...(stores.has('dynamodb') && { dynamodb: (await import('../connectors/dynamodb.ts')).connectDynamoDb }),
    ...(stores.has('http') && { http: (await import('../connectors/http.ts')).connectHttp }),
    ...(plan.state && { state: await stateConnector(environment['SLUICE_STATE'] ?? '') }),
  }
}

async function stateConnector(url: string): Promise<NonNullable<Connectors['state']>> {
  const { module } = stateStores[stateSchemeOf(url) ?? 'redis']
  switch (module) {
    case 'state-redis':
      return (await import('../connectors/state-redis.ts')).connectRedisStateStore
    case 'state-dynamodb':
      return (await import('../connectors/state-dynamodb.ts')).connectDynamoDbStateByUrl
  }
}

async function keyValueConnector(url: string): Promise<NonNullable<Connectors['redis']>> {
  const { module } = keyValueClients[keyValueSchemeOf(url) ?? 'redis']
  switch (module) {
    case 'redis':
      return (await import('../connectors/redis.ts')).connectRedis
    case 'upstash':
      return (await import('../connectors/upstash.ts')).connectUpstashFromEnvironment
    case 'ignite':
      return (await import('../connectors/ignite.ts')).connectIgnite
  }
}
