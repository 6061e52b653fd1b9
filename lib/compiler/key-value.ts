// Which client speaks to the key-value store that scenarios name by `redis:`: the scheme of its URL decides, when the function is bundled, so
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

/** undefined where the URL is of another kind. */
export function keyValueSchemeOf(url: string): KeyValueScheme | undefined {
  const scheme = /^([a-z][a-z+]*):\/\//.exec(url)?.[1]
  return scheme !== undefined && Object.hasOwn(keyValueClients, scheme) ? (scheme as KeyValueScheme) : undefined
}
