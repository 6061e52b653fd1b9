import { expect, test } from 'vitest'
import { TimeUp, unanswered } from '../../lib/connectors/patience.ts'

const asked = {
  store: 'http',
  scenario: 'offers',
  address: 'prices.example',
  timeoutMs: 2000,
  advice: 'Check the address.',
} as const

test.each([
  [
    'many look-ups that came too late may have been too many: told what makes them fewer',
    new TimeUp(),
    488,
    '[http-timeout] offers: 488 look-ups got no answer from prices.example within 2000 ms. Nothing was emitted, the batch comes again. Check the address. If it is large batches alone that fail: raise `timeout`, of the look-up or of `function`, or lower `batchSize` of the source.',
  ],
  [
    'one was not',
    new TimeUp(),
    1,
    '[http-timeout] offers: 1 look-ups got no answer from prices.example within 2000 ms. Nothing was emitted, the batch comes again. Check the address.',
  ],
  [
    'a server that cannot be reached is no matter of how many',
    Object.assign(new Error(), { code: 'ECONNREFUSED' }),
    488,
    '[http-unreachable] offers: 488 look-ups got no answer from prices.example (ECONNREFUSED). Nothing was emitted, the batch comes again. Check the address.',
  ],
])('%s', (_, error, keyCount, message) => {
  expect(unanswered(error, { ...asked, keyCount }).message).toBe(message)
})
