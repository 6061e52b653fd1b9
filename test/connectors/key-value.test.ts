// The scheme of the store's URL decides which client a bundle holds, and each bundle finds its records' data.
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { bundleScenario } from '../../lib/compiler/bundle.ts'
import { keyValueSchemeOf } from '../../lib/compiler/key-value.ts'

const scenario = fileURLToPath(new URL('../../functions/next-best-action.yml', import.meta.url))

test.each([
  ['redis://cache:6379', 'redis'],
  ['rediss://user:secret@cache:6379/0', 'rediss'],
  ['upstash+https://:token@eu1.upstash.example', 'upstash+https'],
  ['ignite://node:10800/profiles', 'ignite'],
  ['https://eu1.upstash.example', undefined],
  ['memcached://cache', undefined],
  ['cache:6379', undefined],
])('%s is %s', (url, scheme) => {
  expect(keyValueSchemeOf(url)).toBe(scheme)
})

test.each([
  ['redis', ['lib/connectors/redis.ts']],
  ['rediss', ['lib/connectors/redis.ts']],
  ['upstash+https', ['node_modules/@upstash/redis/']],
  ['ignite', ['lib/connectors/ignite.ts']],
] as const)('a bundle for %s holds that client alone', async (keyValueScheme, expected) => {
  const { contents } = await bundleScenario(scenario, { stores: 'real', keyValueScheme })
  const clients = [
    'lib/connectors/redis.ts',
    'node_modules/@upstash/redis/',
    'lib/connectors/ignite.ts',
    'node_modules/@aws-sdk/',
  ]
  const inside = [...contents].filter(([, bytes]) => bytes > 0).map(([input]) => input)
  expect(clients.filter(client => inside.some(input => input.includes(client)))).toEqual(expected)
})
