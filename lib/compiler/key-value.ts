// Which client speaks to the key-value store that scenarios name by `redis:`, and which to that of state: the scheme of the URL decides, when the function is bundled, so
// that a bundle holds the one client that it needs.

/** By scheme: the module of lib/connectors and its function. */
export const keyValueClients = {
  redis: { module: 'redis', connect: 'connectRedis' },
  rediss: { module: 'redis', connect: 'connectRedis' },
  'upstash+https': { module: 'upstash', connect: 'connectUpstashFromEnvironment' },
  // A front of Upstash's protocol on this machine.
  'upstash+http': { module: 'upstash', connect: 'connectUpstashFromEnvironment' },
  ignite: { module: 'ignite', connect: 'connectIgnite' },
  ignites: { module: 'ignite', connect: 'connectIgnite' },
} as const

export type KeyValueScheme = keyof typeof keyValueClients

/** Where state can be: Redis over TCP, which runs scripts, or a DynamoDB table. By the scheme of its URL. */
export const stateStores = {
  redis: { module: 'state-redis', connect: 'connectRedisStateStore' },
  rediss: { module: 'state-redis', connect: 'connectRedisStateStore' },
  dynamodb: { module: 'state-dynamodb', connect: 'connectDynamoDbStateByUrl' },
} as const

export type StateScheme = keyof typeof stateStores

export function stateSchemeOf(url: string): StateScheme | undefined {
  const scheme = schemeOf(url)
  return scheme !== undefined && Object.hasOwn(stateStores, scheme) ? (scheme as StateScheme) : undefined
}

/** `dynamodb://TABLE`. Undefined where the URL is of another kind. */
export function stateTableOf(url: unknown): string | undefined {
  return typeof url === 'string' ? /^dynamodb:\/\/([^/]+)\/?$/.exec(url)?.[1] : undefined
}

/** undefined where the URL is of another kind. */
export function keyValueSchemeOf(url: string): KeyValueScheme | undefined {
  const scheme = schemeOf(url)
  return scheme !== undefined && Object.hasOwn(keyValueClients, scheme) ? (scheme as KeyValueScheme) : undefined
}

function schemeOf(url: string): string | undefined {
  return /^([a-z][a-z+]*):\/\//.exec(url)?.[1]
}
