// Each row is a variant of the commit; `MODEL_SCHEDULES=300000 npx vitest run test/model` runs as many schedules of each as one likes.
import { expect, test } from 'vitest'
import { runSchedules, type Variant } from './commit.ts'

const schedules = Number(process.env['MODEL_SCHEDULES'] ?? 2000)

const right: readonly (readonly [name: string, variant: Variant])[] = [
  ['the algorithm: fence, read, skip, one transaction; failures are thrown', {}],
  ['no cache: fence and read in every invocation', { cached: false }],
  ['the full suffix is named, the mapping retries what is named', { onFailure: 'full suffix', retries: 'named' }],
  ['the full suffix is named, the mapping resumes at the lowest', { onFailure: 'full suffix', retries: 'from lowest' }],
  ['only the first failure is named, the mapping resumes at the lowest', { onFailure: 'first only', retries: 'from lowest' }],
  ['bisect, halves in order', { bisect: 'in order' }],
  ['offsets applied late, read when stable', { appliedLate: true }],
  ['offsets applied late, read when stable, no cache', { appliedLate: true, cached: false }],
]

test.each(right)('nothing is lost, doubled or out of order: %s', { timeout: 600_000 }, (_, variant) => {
  expect(runSchedules(schedules, variant)).toEqual({ duplicated: 0, lost: 0, reordered: 0, firstSeed: {} })
})

const doubling: readonly (readonly [name: string, variant: Variant])[] = [
  ['progress is read before fencing', { readBeforeFence: true }],
  ['a fenced function takes a new epoch and keeps its position', { keepsPositionAfterFence: true }],
  ['offsets applied late, read although unstable', { appliedLate: true, requireStable: false }],
  ['offsets applied late, read although unstable, no cache', { appliedLate: true, requireStable: false, cached: false }],
  ['a transactional id per container', { idPerContainer: true }],
  ['a transactional id per container, no cache', { idPerContainer: true, cached: false }],
  ['no transaction: outputs first, then progress', { withoutTransaction: true }],
  ['transactions, but nothing is skipped', { skipsNothing: true }],
]

test.each(doubling)('the model sees duplicates: %s', { timeout: 600_000 }, (_, variant) => {
  const { duplicated, lost } = runSchedules(schedules, variant)
  expect(duplicated).toBeGreaterThan(0)
  expect(lost).toBe(0)
})

const losing: readonly (readonly [name: string, variant: Variant])[] = [
  ['only the first failure is named, the mapping retries only it', { onFailure: 'first only', retries: 'named' }],
  ['bisect, halves possibly out of order', { bisect: 'shuffled' }],
  ['failures are returned, the mapping is not configured for them', { onFailure: 'full suffix', retries: 'not configured' }],
]

test.each(losing)('the model sees losses: %s', { timeout: 600_000 }, (_, variant) => {
  const { duplicated, lost } = runSchedules(schedules, variant)
  expect(lost).toBeGreaterThan(0)
  expect(duplicated).toBe(0)
})
