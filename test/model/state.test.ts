// Each row is a form of state beside the commit, or a mistake in one; `MODEL_SCHEDULES=20000 npx vitest run test/model` tries the right ones as often
// as one likes. Wrong ones are tried until they show what is wrong with them.
import { describe, expect, test } from 'vitest'
import { firstSeedWith, runStateSchedules } from './state.ts'
import type { StateScene, StateVariant } from './state-world.ts'

const schedules = Number(process.env['MODEL_SCHEDULES'] ?? 300)

test.each<readonly [string, StateScene]>([
  ['the algorithm: claim, fence, position; one script', {}],
  ['cluster: lock first, then items', { cluster: true }],
  ['cluster: what the lock notes on pages', { cluster: true, pages: true }],
  ['keys that two partitions use', { keysMove: true }],
  ['keys that two partitions use, look-ups that answer the same', { keysMove: true, steadyAnswers: true }],
  ['keys that two partitions use, in a cluster', { keysMove: true, cluster: true }],
  ['another key is read', { readsOthers: true }],
  ['another key is read, of keys that two partitions use', { readsOthers: true, keysMove: true }],
  ['another key is read, of keys that two partitions use, in a cluster', { readsOthers: true, keysMove: true, cluster: true }],
  ['caps with within, take and member', { windows: true }],
  ['caps with within, take and member, in a cluster', { windows: true, cluster: true }],
  ['two functions ask one cap', { twoFunctions: true }],
  ['two functions ask one cap, in a cluster', { twoFunctions: true, cluster: true }],
  ['at least once', { atLeastOnce: true }],
  ['at least once, look-ups that answer the same: copies are equal', { atLeastOnce: true, steadyAnswers: true }],
  ['at least once, in a cluster', { atLeastOnce: true, cluster: true }],
  ['at least once, keys that two partitions use', { atLeastOnce: true, keysMove: true }],
  ['all of it', { keysMove: true, readsOthers: true, windows: true, twoFunctions: true }],
  ['all of it, in a cluster', { keysMove: true, readsOthers: true, windows: true, twoFunctions: true, cluster: true }],
])('outputs and state agree: %s', { timeout: 600_000 }, (_, scene) => {
  expect(runStateSchedules(schedules, scene)).toEqual({ bad: 0, kinds: new Map() })
})

/** Rare ones begin not far before the first schedule that shows them. */
type Row = readonly [mistake: string, variant: StateVariant, finding: string, from?: number]

function sees(rows: readonly Row[]): void {
  for (const [mistake, variant, finding, from = 1] of rows)
    test(`the model sees it: ${mistake}`, { timeout: 600_000 }, () => {
      expect(firstSeedWith(finding, { from, limit: 20_000 }, variant)).toBeDefined()
    })
}

describe('claims and items', () =>
  sees([
    ['fence, claim, position', { order: 'fence, claim, position' }, 'wrong previous value'],
    ['fence, position, claim', { order: 'fence, position, claim' }, 'wrong previous value'],
    ['batches without changes do not write', { skipsUnchanged: true }, 'wrong previous value'],
    ['leftovers are not rewritten', { leavesLeftovers: true }, 'wrong previous value'],
    ['a failed attempt keeps claim and position', { keepsAfterFailure: true }, 'wrong previous value'],
    ['two slots, no lock', { withoutLock: true }, 'wrong previous value'],
    ['one slot, counted before the commit', { oneSlot: 'counted before the commit' }, 'wrong previous value'],
    ['one slot, offset remembered', { oneSlot: 'offset remembered' }, 'wrong previous value'],
    ['what the first write of a batch changed stays', { leavesFirstWrite: true }, 'wrong previous value'],
    ['a lock that lags alarms before it is asked again', { alarmsAtOnce: true }, 'an alarm without reason'],
    [
      'in a cluster an item that is not there yet is not left over',
      { cluster: true, leftovers: 'those that are there' },
      'wrong previous value',
    ],
    ['what the lock notes is read before the claim', { cluster: true, looksBeforeClaim: true }, 'wrong previous value'],
    ...(['in place', 'after the lock', 'without tokens'] as const).map(
      (how): Row => [
        `pages of a lock are written ${how}`,
        { cluster: true, pages: true, pagesGoWrong: how },
        'wrong previous value',
      ],
    ),
  ]))

describe('places', () =>
  sees([
    ['places by coordinates', { places: 'by coordinates' }, 'a place out of order'],
    ['places behind the batch are kept', { places: 'from scratch, those behind the batch kept' }, 'a place out of order'],
    ['places behind the batch are kept and forgotten', { places: 'by coordinates', forgetsPlacesAhead: true }, 'a place leaked'],
    ['a late dead letter keeps its place', { keepsDeadLetters: true }, 'a place out of order'],
    ['places are never given back', { neverGivesBack: true }, 'a place leaked'],
    ['places without coordinates', { withoutCoordinates: true }, 'a place leaked'],
    ['within is judged by the clock', { windows: true, withinByClock: true }, 'a place out of order'],
    [
      'what lies before the window of the newest record is forgotten',
      { windows: true, forgetsAfterWithin: true },
      'a place twice',
    ],
    [
      'a record from the year 2100 lets all others be forgotten',
      { windows: true, forgetsByRecordTime: true },
      'more places than there are',
    ],
    ['records are counted instead of units', { windows: true, countsRecords: true }, 'a place out of order'],
    [
      'records ask before what was granted to them is given back',
      { windows: true, asksBeforeGivingBack: true },
      'a place out of order',
    ],
    ['a member is remembered longer than its place', { windows: true, membersForEver: true }, 'a place out of order'],
    ['places of another function are given back', { twoFunctions: true, sharesCoordinates: true }, 'more places than there are'],
  ]))

describe('keys that two partitions use', () =>
  sees([
    ['fence, claim, position', { keysMove: true, order: 'fence, claim, position' }, 'wrong previous value'],
    ['batches without changes do not write', { keysMove: true, skipsUnchanged: true }, 'wrong previous value'],
    ['taken over before it is committed', { keysMove: true, takesUncommitted: true }, 'wrong previous value'],
    ['taken over without compare-and-set', { keysMove: true, takesWithoutComparing: true }, 'wrong previous value'],
    [
      'taken over where partition and offset are as they were, though a leftover has another value by now',
      { keysMove: true, comparesOffsetsAlone: true },
      'wrong previous value',
      20_500,
    ],
    ['judged by a position that is read after the value', { keysMove: true, readsPositionsLast: true }, 'wrong previous value'],
    ['judged by a position that is known from before', { keysMove: true, keepsOthersPositions: true }, 'wrong previous value'],
    [
      'a refused attempt leaves what earlier ones touched: two partitions wait for each other',
      { keysMove: true, steadyAnswers: true, refusalLeavesLeftovers: true },
      'stands still',
      3300,
    ],
    [
      "in a cluster what is another partition's at the claim is not left over",
      { keysMove: true, cluster: true, leftovers: 'those of this partition' },
      'wrong previous value',
    ],
    [
      'at least once, taken over before it is acknowledged',
      { keysMove: true, atLeastOnce: true, takesUncommitted: true },
      'wrong previous value',
    ],
  ]))

describe('another key is read', () =>
  sees([
    ['although it is not committed', { readsOthers: true, seesUncommitted: true }, 'wrong value of another key'],
    ['by a position that is read after it', { readsOthers: true, readsPositionsLast: true }, 'wrong value of another key'],
    ['by a position that is known from before', { readsOthers: true, keepsOthersPositions: true }, 'wrong value of another key'],
  ]))

describe('at least once', () =>
  sees([
    [
      'the position is written before outputs are acknowledged',
      { atLeastOnce: true, acknowledgesFirst: true },
      'acknowledged and never emitted',
    ],
    ['the position is written without a token', { atLeastOnce: true, acknowledgesWithoutToken: true }, 'lost or twice'],
    [
      'a record that comes again does not keep its place',
      { atLeastOnce: true, steadyAnswers: true, places: 'from scratch' },
      'copies differ',
    ],
    ['places behind the batch are forgotten', { atLeastOnce: true, forgetsPlacesAhead: true }, 'a place leaked'],
    ['leftovers are not rewritten', { atLeastOnce: true, leavesLeftovers: true }, 'wrong previous value'],
  ]))
