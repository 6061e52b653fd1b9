import { expect, test } from 'vitest'
import { memoryLog, memoryStore } from '../../lib/connectors/memory.ts'
import { deadLetterTopicOf, deployedPlan } from '../../lib/connectors/world-settings.ts'
import { groupOf, identityOf, isOfFamily } from '../../lib/plan/identity.ts'
import type { KafkaBatchResponse } from '../../lib/runtime/event.ts'
import { createHandler } from '../../lib/runtime/handler.ts'
import { capKey, rememberKey } from '../../lib/runtime/state/keys.ts'
import { visits, visitsEvent } from './plan-fixture.ts'

test.each([
  // Deployments that were there before namespaces keep their progress.
  [{}, 'sluice.letters.1', 'sluice.letters.dead-letters'],
  [{ SLUICE_NAMESPACE: '' }, 'sluice.letters.1', 'sluice.letters.dead-letters'],
  [{ SLUICE_NAMESPACE: 'prod' }, 'sluice.prod.letters.1', 'sluice.prod.letters.dead-letters'],
  [{ SLUICE_NAMESPACE: 'prod', SLUICE_GENERATION: '4' }, 'sluice.prod.letters.4', 'sluice.prod.letters.dead-letters'],
])('%o is the group %s, with dead letters on %s', (env, group, deadLetters) => {
  const plan = deployedPlan(visits, env)
  expect(groupOf(plan)).toBe(group)
  expect(deadLetterTopicOf(plan, env)).toBe(deadLetters)
})

test.each([
  [
    { SLUICE_NAMESPACE: 'a.b' },
    'SLUICE_NAMESPACE is "a.b", and takes letters, digits, "-" and "_", a letter or digit first, 50 at most',
  ],
  [{ SLUICE_GENERATION: 'abc' }, 'SLUICE_GENERATION is "abc", and takes a number, 1 or higher'],
  [{ SLUICE_GENERATION: '0' }, 'SLUICE_GENERATION is "0", and takes a number, 1 or higher'],
])('%o is refused', (env, message) => {
  expect(() => deployedPlan(visits, env)).toThrow(message)
})

test('state has the namespace in all of its names, shared caps as well', () => {
  const plan = { ...visits, namespace: 'prod' }
  expect(rememberKey(plan, 'visit', 'c-1')).toBe('sluice:prod.letters.1:visit/c-1')
  expect(capKey(plan, { name: 'contact', sharedBy: undefined }, 'c-1')).toBe('sluice:prod.letters.1:contact/c-1')
  expect(capKey(plan, { name: 'contact', sharedBy: 'caps' }, 'c-1')).toBe('sluice:prod.shared/caps:contact/c-1')
  expect(capKey(visits, { name: 'contact', sharedBy: 'caps' }, 'c-1')).toBe('sluice:shared/caps:contact/c-1')
})

test.each([
  ['letters.2', undefined, true],
  ['prod.letters.2', undefined, false],
  ['letters.2', 'prod', false],
  ['prod.letters.1', 'prod', true],
  // A deployment "letters" of a scenario "b": none of ours.
  ['letters.b.1', undefined, false],
  ['lettersx.1', undefined, false],
])('a dead letter of %s, seen from namespace %s: ours %s', (identity, namespace, isOurs) => {
  expect(isOfFamily(identity, { scenario: 'letters', ...(namespace !== undefined && { namespace }) })).toBe(isOurs)
})

test('two stages on one cluster: each decides every record, and neither fences the other', async () => {
  const kafka = memoryLog()
  const metrics: string[] = []
  const stage = (namespace: string | undefined) =>
    createHandler(namespace === undefined ? visits : { ...visits, namespace }, {
      kafka,
      stores: { redis: memoryStore({ 'customer:c-1': { type: 'hash', value: { age: '34' } } }) },
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
      deadLetterTopic: 'dead-letters',
      metrics: { count: (name, by) => void metrics.push(`${namespace ?? 'none'}: ${name} ${by}`), flush: () => undefined },
    }) as unknown as (event: unknown, context: unknown) => Promise<KafkaBatchResponse>
  const event = visitsEvent({
    0: [
      {
        ...{ topic: 'app.visits', partition: 0, offset: 7, timestamp: 1_763_900_000_000, timestampType: 'CREATE_TIME' },
        value: Buffer.from('{"id":"c-1"}').toString('base64'),
      },
    ],
  })
  const context = { getRemainingTimeInMillis: () => 30_000 }
  for (const namespace of [undefined, 'test', 'prod', 'test']) await stage(namespace)(event, context)
  expect(kafka.committed.map(({ headers }) => Buffer.from(headers.at(-1)!.value!).toString())).toEqual([
    'letters.1/app.visits/0/7/letter/0',
    'test.letters.1/app.visits/0/7/letter/0',
    'prod.letters.1/app.visits/0/7/letter/0',
  ])
  // The second delivery to "test" alone.
  expect(metrics.filter(line => line.includes('skipped'))).toEqual(['test: skipped 1'])
  expect(identityOf({ ...visits, namespace: 'test' })).toBe('test.letters.1')
})
