// Two functions share a cap (functions/shared/contact-policy.yml: two contacts a day): whatever befalls them, a customer gets no third contact,
// each function gives back its own places alone, and none is left that nobody has used.
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { type RunningState, stores } from '../../connectors/state/stores.ts'
import { type Contacts, runTwoFunctions, type Trouble, type TwoFunctions } from './two-functions.ts'

const patience = { timeout: 300_000 }
const limit = 2
/**
 * Where places are there already, and nothing is committed. Kills strike at the first call of an attempt, at the second, and so on; which call that is
 * hangs on how often the coordinator has to be asked, so that of neighbours one is left out now and then.
 */
const struckWithPlaces = [
  ['state write written', 'state write answered'],
  ['Produce before', 'Produce written', 'TxnOffsetCommit before', 'TxnOffsetCommit written', 'EndTxn before'],
]

test('at the same time, undisturbed: each customer is contacted twice a day, by whoever comes first', patience, async () => {
  const { contacts, places, wishes, deadLetterCount } = await run({ troubles: ['none', 'none'], seed: 1, recordCount: 40 })
  // Ten customers and days, most of them with more wishes than places.
  expect([...wishes.values()].filter(count => count > limit).length).toBeGreaterThanOrEqual(6)
  for (const [id, count] of wishes) expect([id, contacts.get(id)?.length ?? 0]).toEqual([id, Math.min(limit, count)])
  expect(places).toEqual(contacts)
  expect(deadLetterCount).toBe(0)
})

test.each<readonly [Trouble, Trouble, number]>([
  ['kill', 'duplicate', 2],
  ['zombie', 'kill', 3],
  ['duplicate', 'zombie', 4],
])(
  '%s and %s, while customers change their minds: never a third contact, no place without one',
  patience,
  async (one, two, seed) => {
    const options = { troubles: [one, two], seed, recordCount: 24, fickle: true } as const
    const { contacts, places, deadLetterCount, strikes } = await run(options)
    const unstruck = struckWithPlaces.filter(points => !points.some(point => strikes.has(point)))
    if (one === 'kill' || two === 'kill') expect(unstruck).toEqual([])
    expect(contacts.size).toBeGreaterThan(0)
    for (const [id, of] of contacts) expect([id, of.length <= limit]).toEqual([id, true])
    expect(places).toEqual(contacts)
    expect(deadLetterCount).toBe(0)
  },
)

describe('in DynamoDB', () => {
  let running: RunningState
  let dynamoDb: NonNullable<TwoFunctions['dynamoDb']>
  beforeAll(async () => {
    running = await stores.find(({ name }) => name === 'DynamoDB')!.start()
    dynamoDb = { table: running.dynamoDb!.table, endpoint: running.dynamoDb!.endpoint! }
  })
  afterAll(() => running.stop())

  test('at the same time, undisturbed: as many contacts as there are places', patience, async () => {
    const options = { troubles: ['none', 'none'], seed: 7, recordCount: 40, dynamoDb } as const
    const { contacts, places, wishes } = await run(options)
    for (const [id, count] of wishes) expect([id, contacts.get(id)?.length ?? 0]).toEqual([id, Math.min(limit, count)])
    expect(places).toEqual(contacts)
  })

  test(
    'doubled and killed, while customers change their minds: never a third contact, no place without one',
    patience,
    async () => {
      const options = { troubles: ['duplicate', 'kill'], seed: 8, recordCount: 24, fickle: true, dynamoDb } as const
      const { contacts, places } = await run(options)
      expect(contacts.size).toBeGreaterThan(0)
      for (const [id, of] of contacts) expect([id, of.length <= limit]).toEqual([id, true])
      expect(places).toEqual(contacts)
    },
  )
})

// Would it be found? Wrong functions, made by replacing a text of the built ones.
test('functions that take the place of the other at the same record for their own are found out', patience, async () => {
  const mutate = ['isShared ? `${scope}/', 'false ? `${scope}/'] as const
  const { contacts } = await run({ troubles: ['none', 'none'], seed: 5, recordCount: 40, mutate })
  expect([...contacts.values()].some(of => of.length > limit)).toBe(true)
})

test('functions that never give back a place are found out', patience, async () => {
  const mutate = ['if at >= position and not (keeps and at > last) then', 'if false then'] as const
  const { contacts, places } = await run({ troubles: ['kill', 'kill'], seed: 6, recordCount: 30, fickle: true, mutate })
  const held = [...places.values()].flat()
  const used = new Set([...contacts.values()].flat())
  expect(held.filter(coordinates => !used.has(coordinates)).length).toBeGreaterThan(0)
})

function run(options: TwoFunctions): Promise<Contacts> {
  return runTwoFunctions(inject('kafka'), inject('redis'), options)
}
