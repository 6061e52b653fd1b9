// Each row is a variant of state beside the commit; `MODEL_SCHEDULES=20000 npx vitest run test/model` tries the right ones as often as one likes.
// Wrong ones are tried until they show what is wrong with them.
import { expect, test } from 'vitest'
import { firstSeedWith, runStateSchedules, type StateVariant } from './state.ts'

const schedules = Number(process.env['MODEL_SCHEDULES'] ?? 3000)

test.each<readonly [string, StateVariant]>([
  ['the algorithm: claim, fence, position; one script', {}],
  ['cluster: lock first, then items', { cluster: true }],
])('outputs and state agree: %s', { timeout: 600_000 }, (_, variant) => {
  expect(runStateSchedules(schedules, variant)).toEqual({ bad: 0, kinds: new Map() })
})

test.each<readonly [string, StateVariant, finding: string]>([
  ['fence, claim, position', { order: 'fence, claim, position' }, 'wrong previous value'],
  ['fence, position, claim', { order: 'fence, position, claim' }, 'wrong previous value'],
  ['batches without changes do not write', { skipsUnchanged: true }, 'wrong previous value'],
  ['leftovers are not rewritten', { leavesLeftovers: true }, 'wrong previous value'],
  ['a failed attempt keeps claim and position', { keepsAfterFailure: true }, 'wrong previous value'],
  ['two slots, no lock', { withoutLock: true }, 'wrong previous value'],
  ['one slot, counted before the commit', { oneSlot: 'counted before the commit' }, 'wrong previous value'],
  ['one slot, offset remembered', { oneSlot: 'offset remembered' }, 'wrong previous value'],
  ['places by coordinates', { places: 'by coordinates' }, 'a place out of order'],
  ['places behind the batch are kept', { places: 'from scratch, those behind the batch kept' }, 'a place out of order'],
  ['places behind the batch are kept and forgotten', { places: 'by coordinates', forgetsPlacesAhead: true }, 'a place leaked'],
  ['a late dead letter keeps its place', { keepsDeadLetters: true }, 'a place out of order'],
  ['what the first write of a batch changed stays', { leavesFirstWrite: true }, 'wrong previous value'],
  ['places are never given back', { neverGivesBack: true }, 'a place leaked'],
  ['places without coordinates', { withoutCoordinates: true }, 'a place leaked'],
  ['a lock that lags alarms before it is asked again', { alarmsAtOnce: true }, 'an alarm without reason'],
])('the model sees it: %s', { timeout: 600_000 }, (_, variant, finding) => {
  expect(firstSeedWith(finding, 20_000, variant)).toBeDefined()
})
