// A replay whose store is too slow for all of a batch: it goes on in parts, as the function does, and each dead letter is marked with its outputs.
import { expect, test } from 'vitest'
import type { DeadLetter } from '../../lib/cli/replay/dead-letters.ts'
import { createSender } from '../../lib/cli/replay/sending.ts'
import type { KafkaPort } from '../../lib/connectors/kafka/producer.ts'
import { type LookupRequest, RetryableError } from '../../lib/runtime/ports.ts'
import { visits } from '../runtime/plan-fixture.ts'

const letters = [4, 9, 11, 12].map(offset => {
  const source = { topic: 'app.visits', partition: 0, offset }
  const bytes = { key: null, value: Buffer.from(`{"id":"c-${offset}"}`), headers: [] }
  const letter: DeadLetter = {
    ...{ place: { topic: 'dead', partition: 0, offset: 100 + offset }, source, scenario: 'letters.1', timestampMs: 1 },
    ...{ reason: 'lookup-invalid', at: '', message: '', replayed: false, incomplete: undefined, ...bytes },
  }
  return { letter, others: [], record: { ...source, ...bytes, timestampMs: 1, timestampType: 'CREATE_TIME' as const } }
})

/** Two keys at a time are in time. */
const slow = {
  async lookupMany(requests: readonly LookupRequest[]) {
    if (requests[0]!.keys.length > 2) throw new RetryableError('redis-timeout', 'too late')
    return requests.map(({ keys }) => keys.map(() => ['30']))
  },
  close: async () => undefined,
}

test.each([
  ['a session that goes on', true, [4, 9, 11, 12], true],
  ['one that is spent by its transaction: the rest comes after another fence', false, [4, 9], false],
])('%s', async (_, reusable, sent, goOn) => {
  const transactions: (readonly number[])[] = []
  const kafka = {
    fence: async () => ({ transactionalId: 'sluice.letters.1/replay', epoch: 1 }),
    transact: async (_session: unknown, { records }: { readonly records: readonly { readonly partitionSeed: string }[] }) => {
      transactions.push(records.map(({ partitionSeed }) => Number(partitionSeed.split('/')[3])))
      return { reusable }
    },
  } as unknown as KafkaPort
  const sender = createSender({
    plan: visits,
    kafka,
    world: { stores: { redis: slow }, deadLetterTopic: 'dead' },
    nowMs: () => 0,
  })
  await sender.begin()
  const { outcomes, ...rest } = await sender.send(letters)
  expect([...outcomes].map(([{ record }, { kind }]) => [record.offset, kind])).toEqual(sent.map(offset => [offset, 'emitted']))
  expect(rest.goOn).toBe(goOn)
  // Each with its marker.
  expect(transactions).toEqual(
    reusable
      ? [
          [4, 9, 4, 9],
          [11, 12, 11, 12],
        ]
      : [[4, 9, 4, 9]],
  )
})
