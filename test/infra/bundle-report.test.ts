import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { bundleReport, partsOf } from '../../infra/bundle-report.ts'

test('contents are told by package, what is ours apart, largest first', () => {
  const contents = new Map([
    ['lib/runtime/handler.ts', 3000],
    ['node_modules/ioredis/built/Redis.js', 9000],
    ['node_modules/ioredis/built/utils.js', 1000],
    ['node_modules/@aws-lambda-powertools/logger/lib/esm/Logger.js', 2000],
    ['node_modules/a/node_modules/b/index.js', 500],
    ['functions/offers.yml', 4000],
    ['lib/plan/plan.ts', 100],
  ])
  expect(partsOf(contents)).toEqual([
    ['ioredis', 10_000],
    ['the scenario', 4000],
    ['sluice', 3100],
    ['@aws-lambda-powertools', 2000],
    ['b', 500],
  ])
})

test('a bundle is loaded once, and not again while it is the same', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-report-'))
  try {
    const code = Buffer.from(`export const handler = () => undefined\n${'// '.padEnd(1960, 'x')}\n`)
    const bundle = { code, contents: new Map([['functions/a.yml', 2000]]) }
    const first = await bundleReport(folder, bundle, {})
    expect(first).toMatch(/^2 KB \(the scenario 2\), \d+ ms of CPU to load (in Lambda's runtime client, )?on this machine$/)
    expect(await bundleReport(folder, bundle, {})).toBe(first)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('what can be loaded in the cloud alone is not measured, and stops nothing', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-report-'))
  try {
    const code = Buffer.from(
      'if (process.env.SLUICE_KAFKA !== "known") throw new Error("not configured")\nexport const handler = () => undefined\n',
    )
    const bundle = { code, contents: new Map([['functions/a.yml', 2000]]) }
    expect(await bundleReport(folder, bundle, {})).toBe('0 KB (the scenario 2), not measured')
    expect(await bundleReport(folder, bundle, { SLUICE_KAFKA: 'known' })).toMatch(
      /ms of CPU to load (in Lambda's runtime client, )?on this machine$/,
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
