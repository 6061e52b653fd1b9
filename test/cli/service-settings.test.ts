// Whether state is in a Redis Cluster, as `npx sluice check` learns it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { isRedisCluster } from '../../lib/cli/service-settings.ts'

test.each<[string, string | undefined, Readonly<Record<string, string>>, boolean]>([
  ['no serverless.yml', undefined, {}, false],
  ['no serverless.yml, and the environment says so', undefined, { SLUICE_REDIS_CLUSTER: 'true' }, true],
  ['no such setting', 'sluice: { redis: redis://cache:6379 }', {}, false],
  ['the setting, beside tags of CloudFormation', 'sluice: { redisCluster: true, redis: !ImportValue cache }', {}, true],
  ['the setting, and the environment denies it', 'sluice: { redisCluster: true }', { SLUICE_REDIS_CLUSTER: 'false' }, false],
  ['a variable, which Serverless alone knows', 'sluice: { redisCluster: "${param:cluster}" }', {}, false],
  ['a file that is no YAML', 'sluice: { redisCluster: true', {}, false],
  ['an empty file', '', {}, false],
])('%s', (_, text, environment, expected) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-settings-'))
  try {
    if (text !== undefined) writeFileSync(join(folder, 'serverless.yml'), text)
    expect(isRedisCluster(environment, folder)).toBe(expected)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
