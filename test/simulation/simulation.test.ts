import { describe, expect, test } from 'vitest'
import { isSound } from './checkers.ts'
import {
  type MovesMutantName,
  type MutantName,
  movesMutants,
  mutants,
  type StateMutantName,
  simulationOf,
  stateMutants,
} from './mutants.ts'
import type { Mutant } from './mutation.ts'
import { type SceneName, simulate } from './simulate.ts'

const nothing = { lost: [], duplicated: [], reordered: [], uncommittedVisible: [], wrong: [], wrongState: [] }

test('200 seeds: nothing lost, doubled, out of order, visible before its progress, or wrong', { timeout: 120_000 }, async () => {
  const faults = new Map<string, number>()
  for (let seed = 1; seed <= 200; seed++) {
    const run = await simulate({ seed })
    expect(run.verdict, `seed ${seed}: npm run simulate -- --seed ${seed}`).toEqual(nothing)
    for (const [kind, times] of run.faults) faults.set(kind, (faults.get(kind) ?? 0) + times)
  }
  // Each kind of fault has had its turns, or the sentence above says little.
  for (const kind of ['lostCall', 'lostAnswer', 'kill', 'zombie', 'freeze', 'redelivery', 'rewind', 'slow']) {
    expect(faults.get(kind), kind).toBeGreaterThan(50)
  }
})

test('a seed plays the same run again', async () => {
  const [first, second] = [await simulate({ seed: 7 }), await simulate({ seed: 7 })]
  expect(second.trace).toEqual(first.trace)
  expect(first.trace.length).toBeGreaterThan(50)
})

test('a seed that fails fails again, call by call', { timeout: 120_000 }, async () => {
  const { simulate: wrong } = await simulationOf(mutants['progress is read before the fence'])
  let seed = 1
  let first = await wrong({ seed })
  while (isSound(first.verdict)) first = await wrong({ seed: ++seed })
  const second = await wrong({ seed })
  expect(first.verdict.duplicated.length).toBeGreaterThan(0)
  expect(second.verdict).toEqual(first.verdict)
  expect(second.trace).toEqual(first.trace)
})

test.each(['lost', 'answer lost'] as const)('whichever call fails, nothing is: %s', { timeout: 120_000 }, async fate => {
  let number = 0
  for (let callCount = 1; number < callCount; ) {
    const run = await simulate({ seed: 7, failCall: { number: ++number, fate } })
    expect(run.verdict, `call ${number}`).toEqual(nothing)
    // Call n was never made: each has had its turn.
    callCount = run.callCount
  }
  expect(number).toBeGreaterThan(30)
})

describe('the checkers see production code with one line wrong', () => {
  const findings: Readonly<Record<MutantName, readonly (keyof typeof nothing)[]>> = {
    'progress is read before the fence': ['duplicated'],
    'the position is kept after a fence': ['duplicated'],
    'an unknown outcome keeps the claim': ['duplicated'],
    'a session that met a transport error goes on': ['duplicated', 'uncommittedVisible'],
    'the last offset is committed instead of the next': ['duplicated', 'uncommittedVisible'],
    'nothing is skipped': ['duplicated'],
    'a part of a batch commits the position of all of it': ['lost'],
    'what comes after a part is forgotten': ['lost'],
    'a look-up without an answer counts as nothing found': ['wrong'],
  }

  test.each(Object.keys(mutants) as MutantName[])('%s', { timeout: 120_000 }, async name => {
    const mutated = await simulationOf(mutants[name])
    const found = new Set<string>()
    for (let seed = 1; seed <= 200 && !findings[name].every(kind => found.has(kind)); seed++) {
      const { verdict } = await mutated.simulate({ seed })
      if (isSound(verdict)) continue
      for (const [kind, ids] of Object.entries(verdict)) if (ids.length > 0) found.add(kind)
    }
    for (const kind of findings[name]) expect(found).toContain(kind)
  })
})

describe('records that leave something for later ones', () => {
  test('200 seeds: besides, each shows what the one before left, and places are never too many, twice or leaked', {
    timeout: 120_000,
  }, async () => {
    for (let seed = 1; seed <= 200; seed++) {
      const { verdict } = await simulate({ seed, scene: 'state' })
      expect(verdict, `seed ${seed}: npm run simulate -- --seed ${seed} --scene state`).toEqual(nothing)
    }
  })

  test.each(Object.keys(stateMutants) as StateMutantName[])('the checkers see it: %s', { timeout: 120_000 }, async name => {
    expect(await findsWrongState(stateMutants[name], 'state', rare.get(name))).toBe(true)
  })
})

describe('keys that all partitions use', () => {
  test('200 seeds: each record takes over what one of any partition left, and never what was not committed', {
    timeout: 120_000,
  }, async () => {
    for (let seed = 1; seed <= 200; seed++) {
      const { verdict } = await simulate({ seed, scene: 'moves' })
      expect(verdict, `seed ${seed}: npm run simulate -- --seed ${seed} --scene moves`).toEqual(nothing)
    }
  })

  test.each(Object.keys(movesMutants) as MovesMutantName[])('the checkers see it: %s', { timeout: 120_000 }, async name => {
    expect(await findsWrongState(movesMutants[name], 'moves', rare.get(name))).toBe(true)
  })
})

/** They begin not far before the first seed that shows them. */
const rare = new Map<StateMutantName | MovesMutantName, number>([
  ['the fence comes before the claim of the lock', 100],
  ['a batch that changes nothing is not written', 180],
  ['what another partition wrote is judged by a position that is read after it', 930],
])

async function findsWrongState(mutant: Mutant, scene: SceneName, from = 1): Promise<boolean> {
  const wrong = await simulationOf(mutant)
  for (let seed = from; seed < from + 1000; seed++) {
    const isFound = await wrong.simulate({ seed, scene }).then(
      ({ verdict }) => verdict.wrongState.length > 0,
      // It comes to no end: a guard refuses every batch.
      () => true,
    )
    if (isFound) return true
  }
  return false
}
