import { expect, test } from 'vitest'
import { EventSourceMapping } from '../../lib/emulator/mapping.ts'
import { refusalsOf } from '../../lib/emulator/refusals.ts'
import type { EsmSettings } from '../../lib/emulator/settings.ts'

const settings: EsmSettings = {
  topic: 'orders',
  consumerGroupId: 'sluice.score.1.trigger/orders',
  batchSize: 100,
  maximumBatchingWindowInSeconds: undefined,
  startingPosition: 'TRIM_HORIZON',
  functionResponseTypes: [],
  maximumRetryAttempts: -1,
  functionTimeoutSeconds: 30,
  functionMemoryMb: 512,
}

test('what AWS takes can run', () => {
  expect(refusalsOf(settings)).toEqual([])
  expect(
    refusalsOf({ ...settings, batchSize: 10_000, maximumBatchingWindowInSeconds: 300, functionTimeoutSeconds: 840 }),
  ).toEqual([])
})

test.each<[Partial<EsmSettings>, string]>([
  [{ batchSize: 0 }, 'BatchSize is 0; Lambda takes 1 to 10,000.'],
  [{ batchSize: 10_001 }, 'BatchSize is 10001; Lambda takes 1 to 10,000.'],
  [{ maximumBatchingWindowInSeconds: 0.5 }, 'MaximumBatchingWindowInSeconds is 0.5; Lambda takes whole seconds from 0 to 300.'],
  [{ maximumBatchingWindowInSeconds: 301 }, 'MaximumBatchingWindowInSeconds is 301; Lambda takes whole seconds from 0 to 300.'],
  [{ consumerGroupId: 'a b' }, 'ConsumerGroupId is "a b"; Lambda takes 1 to 200 characters of a-z, A-Z, 0-9 and -/*:_+=.@'],
  [{ functionTimeoutSeconds: 900 }, "The function's timeout is 900 s; with a Kafka mapping Lambda takes 1 to 840 s."],
  [{ functionMemoryMb: 64 }, "The function's memory is 64 MB; Lambda takes 128 to 10,240 MB."],
  [
    { startingPosition: 'AT_TIMESTAMP' },
    'StartingPosition AT_TIMESTAMP is not supported by the local mapping yet; use TRIM_HORIZON or LATEST here.',
  ],
  [
    { maximumRetryAttempts: 3 },
    'MaximumRetryAttempts is 3; the local mapping only retries without end (-1). With a limit Lambda drops records, which exactly-once forbids.',
  ],
  [{ maximumRetryAttempts: -2 }, 'MaximumRetryAttempts is -2; Lambda takes -1 (without end) to 10,000.'],
])('%o is refused', (own, reason) => {
  expect(refusalsOf({ ...settings, ...own })).toEqual([reason])
})

test('a mapping is not even made, and all reasons are told at once', () => {
  const make = () =>
    new EventSourceMapping({
      settings: { ...settings, batchSize: 0, functionMemoryMb: 64 },
      bootstrapServers: 'localhost:9092',
      sourceIsolation: 'read_committed',
      invoke: async () => ({ status: 'success', response: null }),
      log: () => {},
    })
  expect(make).toThrow(
    'The mapping of "orders" cannot run:\n  BatchSize is 0; Lambda takes 1 to 10,000.\n  The function\'s memory is 64 MB',
  )
  expect(make).toThrow('sourceIsolation read_committed is not supported yet')
})
