// A short stretch of `npm run torture`, which goes on for as long as one likes.
import { describe, expect, test } from 'vitest'
import { tortureReference } from './reference.ts'
import { type FaultKind, torture } from './torture.ts'

/** All but those that take seconds each. */
const quick: readonly FaultKind[] = [
  'kill',
  'zombie',
  'zombie between two calls',
  'two at once',
  'delivered again',
  'cut before',
  'cut between',
  'cut after',
  'late delivery',
]
const sound = { lost: [], duplicated: [], reordered: [], wrong: [] }

test('40 faults: nothing lost, doubled or out of order', { timeout: 300_000 }, async () => {
  const { verdict, stable, faultCount, recordCount } = await torture({ faults: 40, seed: 1, kinds: quick })
  expect(verdict).toEqual(sound)
  expect(stable).toBe(true)
  expect(faultCount).toBeGreaterThanOrEqual(40)
  expect(recordCount).toBeGreaterThan(300)
})

test('the broker is killed and comes back', { timeout: 300_000 }, async () => {
  const { verdict, stable, strikes } = await torture({ faults: 1, seed: 2, kinds: ['broker killed'] })
  expect(verdict).toEqual(sound)
  expect(stable).toBe(true)
  expect(strikes.get('broker killed')?.get('')).toBe(1)
})

test('three brokers: leaders and coordinators move, one broker is killed', { timeout: 300_000 }, async () => {
  // With three, also this version loses no marker of a transaction (KAFKA-20734).
  const { verdict, stable, strikes } = await torture({
    faults: 12,
    seed: 4,
    version: '4.4.0',
    brokerCount: 3,
    kinds: ['leader moved', 'coordinator moved', 'broker killed'],
  })
  expect(verdict).toEqual(sound)
  expect(stable).toBe(true)
  expect(strikes.get('leader moved')?.size).toBeGreaterThan(0)
  expect(strikes.get('coordinator moved')?.size).toBeGreaterThan(0)
})

test('zombies that slept longer than their transaction may last', { timeout: 300_000 }, async () => {
  const { verdict, stable } = await torture({ faults: 4, seed: 5, kinds: ['frozen beyond the transaction timeout'] })
  expect(verdict).toEqual(sound)
  expect(stable).toBe(true)
})

describe('records that leave something for later ones, and places, in a real Redis', () => {
  test('30 faults: each output tells of the one before, and nobody has a place too many', { timeout: 300_000 }, async () => {
    const { verdict, stable, wrongState } = await torture({ faults: 30, seed: 6, kinds: quick, state: true })
    expect(verdict).toEqual(sound)
    expect(stable).toBe(true)
    expect(wrongState).toEqual([])
  })

  test('a function that believes what was written last is found out', { timeout: 300_000 }, async () => {
    const { verdict, wrongState } = await torture({
      faults: 15,
      seed: 7,
      kinds: ['kill', 'zombie'],
      state: true,
      mutate: ['return at < position ? head : base;', 'return head;'],
    })
    expect(verdict).toEqual(sound)
    expect(wrongState.length).toBeGreaterThan(0)
  })
})

test("Kafka's own copier under the same faults", { timeout: 300_000 }, async () => {
  const { verdict, faultCount } = await tortureReference({ faults: 3, seed: 3 })
  expect(verdict).toEqual(sound)
  expect(faultCount).toBeGreaterThanOrEqual(3)
})

test('a function whose progress is one record behind is found out', { timeout: 300_000 }, async () => {
  const { verdict } = await torture({
    faults: 8,
    seed: 3,
    kinds: ['kill'],
    mutate: ['progress: partition, nextOffset, records', 'progress: partition, nextOffset: nextOffset - 1n, records'],
  })
  expect(verdict.duplicated.length).toBeGreaterThan(0)
  expect(verdict.lost).toEqual([])
})
