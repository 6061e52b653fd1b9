// What outputs of state.yml must tell of the records before them, and which places they may have: never more than there are, none twice, and
// at the end the store holds those of letters and no others.
import type { Redis } from 'ioredis'
import type { ConsumedRecord } from '../../lib/emulator/event.ts'
import type { TortureRecord } from './workload.ts'

/** As state.yml has it. */
const limit = 50

interface Shown {
  readonly id: string
  readonly last?: string
  readonly count?: number
  readonly place?: number
}

/** Coordinates → cap key, as the store has them. */
export type HeldPlaces = ReadonlyMap<string, string>

export function judgeState(
  records: readonly TortureRecord[],
  found: readonly ConsumedRecord[],
  held: HeldPlaces,
): readonly string[] {
  const outputs = found
    .filter(({ topic }) => topic === 'torture-output')
    .map(({ key, value }) => ({ customer: key!.toString(), shown: JSON.parse(value!.toString()) as Shown }))
  return [...wrongMemories(records, outputs), ...wrongPlaces(outputs), ...leakedPlaces(outputs, held)]
}

type Output = { readonly customer: string; readonly shown: Shown }

function wrongMemories(records: readonly TortureRecord[], outputs: readonly Output[]): readonly string[] {
  const expected = new Map<string, string>()
  const before = new Map<string, { readonly last: string; readonly count: number }>()
  for (const { record, expected: where } of records) {
    if (where !== 'torture-output') continue
    const key = `${record.partition} ${record.key}`
    const id = `${record.partition}@${record.offset}`
    expected.set(id, JSON.stringify(before.get(key) ?? {}))
    before.set(key, { last: id, count: (before.get(key)?.count ?? 0) + 1 })
  }
  return outputs.flatMap(({ shown: { id, last, count } }) => {
    const told = JSON.stringify({ ...(last !== undefined && { last }), ...(count !== undefined && { count }) })
    return told === expected.get(id) ? [] : [`${id} shows ${told} instead of ${expected.get(id)}`]
  })
}

function wrongPlaces(outputs: readonly Output[]): readonly string[] {
  const taken = new Set<string>()
  return outputs.flatMap(({ customer, shown: { id, place } }) => {
    if (place === undefined) return []
    const isRight = place >= 1 && place <= limit && !taken.has(`${customer} ${place}`)
    taken.add(`${customer} ${place}`)
    return isRight ? [] : [`${id} has place ${place} of ${customer}`]
  })
}

function leakedPlaces(outputs: readonly Output[], held: HeldPlaces): readonly string[] {
  const letters = new Map(
    outputs.flatMap(({ customer, shown: { id, place } }) => (place === undefined ? [] : [[id, customer] as const])),
  )
  return [
    ...[...held].filter(([id, customer]) => letters.get(id) !== customer).map(([id]) => `${id} holds a place without a letter`),
    ...[...letters.keys()].filter(id => !held.has(id)).map(id => `${id} has a letter without a place`),
  ]
}

export async function readPlaces(client: Redis): Promise<HeldPlaces> {
  const prefix = 'sluice:torture.1:place/'
  const held = new Map<string, string>()
  for (const key of await client.keys(`${prefix}*`)) {
    for (const coordinates of await client.hkeys(key)) {
      const id = /^torture-input-(\d+@\d+)$/.exec(coordinates)?.[1]
      if (id !== undefined) held.set(id, key.slice(prefix.length))
    }
  }
  return held
}
