// Where state is kept, as `npx sluice check` and `explain` learn it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { isRedisCluster, stateStoreIn } from '../../lib/cli/service-settings.ts'

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

test.each<[string, string | undefined, Readonly<Record<string, string>>, unknown]>([
  ['no serverless.yml: one server', undefined, {}, 'server'],
  ['no state of its own: that of look-ups', 'sluice: { redis: redis://cache:6379 }', {}, 'server'],
  ['a cluster', 'sluice: { redis: redis://cache:6379, redisCluster: true }', {}, 'cluster'],
  ['a table', 'sluice: { redis: redis://cache:6379, state: dynamodb://sluice-state }', {}, { table: 'sluice-state' }],
  ['a table by a variable', 'sluice: { state: "dynamodb://${sls:stage}-state" }', {}, { table: '${sls:stage}-state' }],
  ['another Redis', 'sluice: { state: redis://state:6379 }', {}, 'server'],
  ['an intrinsic', 'sluice: { state: !ImportValue state }', {}, 'server'],
  [
    'the environment, which comes first',
    'sluice: { state: redis://state:6379 }',
    { SLUICE_STATE: 'dynamodb://other' },
    { table: 'other' },
  ],
])('state is kept in: %s', (_, text, environment, expected) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-settings-'))
  try {
    if (text !== undefined) writeFileSync(join(folder, 'serverless.yml'), text)
    expect(stateStoreIn(environment, folder)).toEqual(expected)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
