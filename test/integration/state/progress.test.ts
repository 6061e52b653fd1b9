// `sluice progress` of a scenario with state, whose store knows the position as well, and of one that keeps none, on a real Kafka and Redis.
import { afterEach, beforeAll, describe, expect, inject, test } from 'vitest'
import { type Container, dyingBeforeTheCommit, type Services, statePlace, visitsOf } from './place.ts'

let services: Services
beforeAll(() => {
  services = { broker: inject('kafka'), store: inject('redis') }
})

const containers: Container[] = []
const opened = (container: Container) => {
  containers.push(container)
  return container
}
afterEach(async () => {
  await Promise.all(containers.splice(0).map(container => container.close()))
})

describe('back, where records have left something', () => {
  test.each([
    ['2', 'its records 2 to 4 of in.visits-0 have left theirs'],
    ['4', 'its records 4 of in.visits-0 have left theirs'],
    ['none', 'its records below 5 of in.visits-0 have left theirs'],
  ])('--reset %s is refused, with the way that is right', async (position, words) => {
    const place = await statePlace(services)
    await place.fill(5)
    await opened(place.container()).decide(visitsOf(place.source, ['anna', 'bob', 'anna', 'anna', 'bob']))
    const refused = await place.progress('--reset', position, '--yes')
    expect(refused).toMatchObject({ code: 1, out: '' })
    expect(refused.error).toContain(words)
    expect(refused.error).toContain('raise "generation"')
    // A new container, which remembers nothing of its own.
    await opened(place.container()).decide(visitsOf(place.source, ['anna', 'bob', 'anna', 'anna', 'bob']))
    expect((await place.sluice('visit', 'anna')).out).toContain('counts     {"count":3}')
    // Each once; the cap refuses anna's third.
    expect(await place.outputs()).toHaveLength(4)
    place.remove()
  })
})

test.each(['exactly-once', 'at-least-once'] as const)(
  '%s: ahead, what is skipped leaves nothing, also where an attempt at it had left something',
  async delivery => {
    const place = await statePlace(services, 1, { delivery })
    await place.fill(10)
    const { source } = place
    await opened(place.container()).decide(visitsOf(source, ['anna', 'bob']))
    // An attempt at two more records: values and a place are stored, and it dies.
    const dying = opened(place.container({ kafka: dyingBeforeTheCommit }))
    await expect(dying.decide(visitsOf(source, ['anna', 'carl'], { from: 2 }))).rejects.toThrow('it died')
    expect((await place.sluice('greeting', 'anna')).out).toContain('place 2')
    const told = await place.progress('--reset', '4')
    expect(told.code).toBe(1)
    expect(told.out).toContain('in.visits-0: 2 → 4. Records from 2 up to 3 count as done and are skipped. They leave nothing,')
    expect(await place.progress('--reset', '4', '--yes', '--format', 'json')).toEqual({
      code: 0,
      out: expect.stringMatching(/^\{"topic":"in\.visits","partition":0,"position":2,"next":4,"end":1[0-9],"reset":true\}\n$/),
      error: '',
    })
    expect((await place.progress('--format', 'json')).out).toContain('"position":4')
    expect((await place.sluice('visit', 'anna')).out).toContain('counts     {"count":1}')
    expect((await place.sluice('greeting', 'anna')).out).not.toContain('place 2')
    const goesOn = opened(place.container())
    await goesOn.decide(visitsOf(source, ['anna', 'carl', 'anna', 'carl'], { from: 2 }))
    // As many visits as there were before: of those that were skipped none counts.
    expect((await place.outputs()).map(line => line.slice(-7))).toEqual(['{"n":0}', '{"n":0}', '{"n":1}', '{"n":0}'])
    place.remove()
  },
)

test('at least once without state: there is no position, and none can be set', async () => {
  const place = await statePlace(services, 1, { delivery: 'at-least-once', state: '', value: '1' })
  const sentence =
    '"visits" delivers at least once and keeps no position of its own: the event source mapping\'s alone counts, and nothing that it delivers is skipped.'
  expect(await place.progress()).toEqual({ code: 0, out: `${sentence}\n`, error: '' })
  const refused = await place.progress('--reset', '5', '--yes')
  expect(refused).toMatchObject({ code: 2, out: '' })
  expect(refused.error).toContain(`${sentence} There is nothing to reset.`)
  place.remove()
})
