// infra/errors.md is where an id from a log is looked up: each has its line there, and no line is of an id that is gone.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { kafkaErrors } from '../../lib/connectors/kafka/errors.ts'
import { deadLetterReasons } from '../../lib/plan/failure.ts'
import { runtimeErrors } from '../../lib/runtime/errors.ts'

/** Made where they happen: of each store (connectors/patience.ts, memory.ts), of cut batches and dead letters, of what is a bug. */
const others = [
  ...['redis', 'upstash', 'ignite', 'dynamodb', 'http'].flatMap(store => [`${store}-timeout`, `${store}-unreachable`]),
  ...['memory-unreachable', 'batch-cut', 'more-dead-letters', 'unexpected'],
]

test('each id that a function logs is explained, once', () => {
  const page = readFileSync('infra/errors.md', 'utf8')
  const explained = page
    .split('\n')
    .flatMap(line => [...(/^\| (`[^|]*) \|/.exec(line)?.[1] ?? '').matchAll(/`([a-z-]+)`/g)].map(([, id]) => id!))
  expect(explained.toSorted()).toEqual(
    [...Object.keys(runtimeErrors), ...Object.keys(kafkaErrors), ...deadLetterReasons, ...others].toSorted(),
  )
})
