// `sluice state` beside a function at work, on real Kafka and each store of state.
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest'
import { RetryableError } from '../../../lib/runtime/ports.ts'
import { type RunningState, stores } from '../../connectors/state/stores.ts'
import { type Container, dyingBeforeTheCommit, logIn, login, type Services, statePlace, storeOf, visitsOf } from './place.ts'

const containers: Container[] = []
const opened = (container: Container) => {
  containers.push(container)
  return container
}
afterEach(async () => {
  await Promise.all(containers.splice(0).map(container => container.close()))
})

describe.each(stores.filter(({ name }) => name !== 'memory'))('$name', ({ start }) => {
  let running: RunningState
  let services: Services
  let logOut: () => void
  beforeAll(async () => {
    logOut = logIn()
    running = await start()
    services = { broker: inject('kafka'), ...storeOf(running) }
  })
  afterAll(async () => {
    await running.stop()
    logOut()
  })

  describe('what is shown', () => {
    test('the value that counts, and what an attempt left that is not committed', async () => {
      const place = await statePlace(services)
      const { sluice, source, container } = place
      expect(await sluice('visit', 'anna')).toEqual({
        code: 1,
        out: '',
        error: 'Nothing is stored for "anna" in state "visit" of visits.1. Its keys are made by: event.id\n',
      })
      await opened(container()).decide(visitsOf(source, ['anna', 'bob', 'anna']))
      expect(await sluice('visit', 'anna')).toEqual({
        code: 0,
        out: `visits.1, state visit, key anna
  counts     {"count":2}
  written by the batch up to in.visits-0@2, which is committed (the position of in.visits-0 is 3)
`,
        error: '',
      })
      const dying = opened(container({ kafka: dyingBeforeTheCommit }))
      await expect(dying.decide(visitsOf(source, ['anna', 'carl'], { from: 3 }))).rejects.toThrow('it died')
      expect((await sluice('visit', 'anna')).out).toBe(`visits.1, state visit, key anna
  counts     {"count":2}
  tentative  {"count":3}
  written by the batch up to in.visits-0@4, which is not committed: it comes again (the position of in.visits-0 is 3)
`)
      expect((await sluice('visit', 'carl', '--format', 'json')).out).toBe(
        '{"scenario":"visits","entry":"visit","key":"carl","partition":"in.visits-0","value":null,"tentative":{"count":1},"by":"in.visits-0@4","position":3}\n',
      )
      place.remove()
    })

    test('places of a cap: which count, which are tentative', async () => {
      const place = await statePlace(services)
      const { sluice, source, container } = place
      await opened(container()).decide(visitsOf(source, ['anna']))
      const dying = opened(container({ kafka: dyingBeforeTheCommit }))
      await expect(dying.decide(visitsOf(source, ['anna'], { from: 1 }))).rejects.toThrow('it died')
      expect((await sluice('greeting', 'anna')).out).toBe(`visits.1, cap greeting, key anna
  place 1  in.visits-0@0  2026-01-01T12:00:00.000Z  until 2026-01-31T12:00:00.000Z  counts
  place 2  in.visits-0@1  2026-01-01T12:01:00.000Z  until 2026-01-31T12:01:00.000Z  tentative: its batch is not committed, and comes again
`)
      const lines = (await sluice('greeting', 'anna', '--format', 'json')).out.trimEnd().split('\n')
      expect(JSON.parse(lines[1]!)).toEqual({
        ...{ scenario: 'visits', entry: 'greeting', key: 'anna', number: 2, from: 'in.visits-0@1', tentative: true },
        ...{ time: '2026-01-01T12:01:00.000Z', until: '2026-01-31T12:01:00.000Z' },
      })
      place.remove()
    })
  })

  describe('--init', () => {
    test('state that was added to a running scenario: refused with its name, started empty, goes on', async () => {
      const place = await statePlace(services, 2, { state: '', value: '0' })
      const { sluice, source, write, container } = place
      await opened(container()).decide(visitsOf(source, ['anna', 'bob']))
      write({})
      const added = opened(container())
      const next = visitsOf(source, ['anna', 'anna'], { from: 2 })
      await expect(added.decide(next)).rejects.toThrow(/\[state-missing\].*npx sluice state .* --init/)
      expect(await sluice('--init')).toEqual({
        code: 1,
        out: `in.visits-0: the store knows nothing; would start at position 2
Nothing was changed yet: add --yes. Records below these positions leave nothing; values that are there stay.
`,
        error: '',
      })
      await expect(added.decide(next)).rejects.toThrow('[state-missing]')
      expect(await sluice('--init', '--yes')).toEqual({
        code: 0,
        out: 'in.visits-0: the store knows nothing; started at position 2\n',
        error: '',
      })
      expect(await sluice('--init', '--yes')).toEqual({
        code: 0,
        out: 'The store knows all that is committed, in 2 partitions of in.visits.\n',
        error: '',
      })
      await added.decide(next)
      expect((await place.outputs()).slice(2)).toEqual(['0/2/counted/0 {"n":0}', '0/3/counted/0 {"n":1}'])
      place.remove()
    })

    test('while the function works: it starts over under a new token, and nothing is lost or doubled', async () => {
      const place = await statePlace(services, 1, { state: '', value: '0' })
      const { sluice, source, write, container } = place
      await opened(container()).decide(visitsOf(source, ['anna']))
      write({})
      expect((await sluice('--init', '--yes')).code).toBe(0)
      const warm = opened(container())
      await warm.decide(visitsOf(source, ['anna'], { from: 1 }))
      expect((await sluice('--init', '--yes')).out).toContain('The store knows all')
      await warm.decide(visitsOf(source, ['anna'], { from: 2 }))
      expect((await place.outputs()).slice(1)).toEqual(['0/1/counted/0 {"n":0}', '0/2/counted/0 {"n":1}'])
      place.remove()
    })
  })

  describe('--delete', () => {
    test('tells first; then what is remembered is gone, and a warm container begins from nothing', async () => {
      const place = await statePlace(services)
      const { sluice, source, container } = place
      const warm = opened(container())
      await warm.decide(visitsOf(source, ['anna', 'bob']))
      expect(await sluice('visit', 'anna', '--delete')).toEqual({
        code: 1,
        out: 'Would erase what is remembered of "anna" in state "visit".\nNothing was changed yet: add --yes.\n',
        error: '',
      })
      expect((await sluice('visit', 'anna', '--delete', '--yes')).out).toMatch(
        /^Erased what is remembered of "anna" in state "visit"\./,
      )
      expect((await sluice('visit', 'anna')).code).toBe(1)
      expect(await sluice('visit', 'anna', '--delete', '--yes')).toEqual({
        code: 0,
        out: 'Nothing is stored of "anna" in "visit": nothing to erase.\n',
        error: '',
      })
      await warm.decide(visitsOf(source, ['bob', 'anna'], { from: 2 }))
      expect(warm.counts.get('fenced')).toBe(1)
      expect((await place.outputs()).slice(-2)).toEqual(['0/2/counted/0 {"n":1}', '0/3/counted/0 {"n":0}'])
      place.remove()
    })

    test('between an attempt and its commit: the attempt commits, and its value is gone all the same', async () => {
      const place = await statePlace(services)
      const { sluice, source, container } = place
      const erasing = opened(
        container({
          kafka: kafka => ({
            ...dyingBeforeTheCommit(kafka),
            transact: async (session, transaction, deadline) => {
              await sluice('visit', 'anna', '--delete', '--yes')
              return kafka.transact(session, transaction, deadline)
            },
          }),
        }),
      )
      await erasing.decide(visitsOf(source, ['anna']))
      expect((await sluice('visit', 'anna')).code).toBe(1)
      await opened(container()).decide(visitsOf(source, ['anna'], { from: 1 }))
      expect(await place.outputs()).toEqual(['0/0/counted/0 {"n":0}', '0/1/counted/0 {"n":0}'])
      place.remove()
    })

    test('an attempt that was not committed leaves no trace either', async () => {
      const place = await statePlace(services)
      const { sluice, source, container } = place
      await opened(container()).decide(visitsOf(source, ['anna']))
      const again = visitsOf(source, ['anna'], { from: 1 })
      await expect(opened(container({ kafka: dyingBeforeTheCommit })).decide(again)).rejects.toThrow('it died')
      await sluice('visit', 'anna', '--delete', '--yes')
      await opened(container()).decide(again)
      expect((await sluice('visit', 'anna')).out).toContain('counts     {"count":1}\n')
      place.remove()
    })

    test('a cap: records count from then on alone', async () => {
      const place = await statePlace(services)
      const { sluice, source, container } = place
      const warm = opened(container())
      await warm.decide(visitsOf(source, ['anna', 'anna', 'anna']))
      expect((await sluice('greeting', 'anna', '--delete')).out).toContain('Its records count from then on alone.')
      await sluice('greeting', 'anna', '--delete', '--yes')
      await warm.decide(visitsOf(source, ['anna'], { from: 3 }))
      expect((await sluice('greeting', 'anna')).out).toMatch(
        /^visits\.1, cap greeting, key anna\n {2}place 1 {2}in\.visits-0@3 .*counts\n$/,
      )
      place.remove()
    })
  })

  test('a cap that two scenarios share: each shows the places of both, and erases them under the locks of both', async () => {
    const part = `shared/policy-${randomUUID().slice(0, 8)}.yml`
    const text = 'needs: { id: string }\nstate:\n  weekly: { shared: true, key: event.id, limit: 2 }\n'
    const rules = { state: `use: [${part}]\n`, value: 'weekly.number' }
    const places = [await statePlace(services, 1, rules), await statePlace(services, 1, rules)] as const
    for (const { file } of places) {
      mkdirSync(join(dirname(file), 'shared'))
      writeFileSync(join(dirname(file), part), text)
    }
    const [one, other] = places
    const warm = places.map(({ container }) => opened(container()))
    for (const [n, { source }] of places.entries()) await warm[n]!.decide(visitsOf(source, ['anna', 'anna']))
    expect([await one.outputs(), await other.outputs()]).toEqual([['0/0/counted/0 {"n":1}', '0/1/counted/0 {"n":2}'], []])
    const dying = opened(other.container({ kafka: dyingBeforeTheCommit }))
    await expect(dying.decide(visitsOf(other.source, ['bob'], { from: 2 }))).rejects.toThrow('it died')
    expect((await one.sluice('weekly', 'bob')).out).toMatch(
      new RegExp(`^${part}, cap weekly, key bob\n {2}place 1 {2}${other.name}\\.1/in\\.${other.name}-0@2 .*tentative`),
    )
    expect((await other.sluice('weekly', 'anna')).out).toMatch(
      new RegExp(`place 1 {2}${one.name}\\.1/in\\.${one.name}-0@0 .*counts\n.*place 2 .*-0@1 .*counts\n$`),
    )
    // The other scenario's command erases what this one's records hold.
    expect((await other.sluice('weekly', 'anna', '--delete', '--yes')).code).toBe(0)
    await warm[0]!.decide(visitsOf(one.source, ['anna'], { from: 2 }))
    expect(warm[0]!.counts.get('fenced')).toBe(1)
    expect((await one.outputs()).slice(2)).toEqual(['0/2/counted/0 {"n":1}'])
    for (const { remove } of places) remove()
  })

  describe('at least once', () => {
    test('the position stands with the state; nothing has to be started', async () => {
      const place = await statePlace(services, 1, { delivery: 'at-least-once' })
      const { sluice, source, container } = place
      await opened(container()).decide(visitsOf(source, ['anna', 'anna']))
      expect((await sluice('visit', 'anna')).out).toContain(
        'counts     {"count":2}\n  written by the batch up to in.visits-0@1, which is committed (the position of in.visits-0 is 2)\n',
      )
      expect((await sluice('--init')).out).toBe(
        '"visits" delivers at least once: its position is kept with its state, and nothing has to be started.\n',
      )
      place.remove()
    })

    test('died before its position was written: copies that are equal; afterwards nothing', async () => {
      const place = await statePlace(services, 1, { delivery: 'at-least-once' })
      const { source, fill, container } = place
      await fill(4)
      const batch = visitsOf(source, ['anna', 'bob', 'anna'])
      const once = ['0/0/counted/0 {"n":0}', '0/1/counted/0 {"n":0}', '0/2/counted/0 {"n":1}']
      const dying = opened(
        container({
          state: state => ({
            ...state,
            acknowledge: async () => {
              throw new RetryableError('redis-unreachable', 'it died')
            },
          }),
        }),
      )
      await expect(dying.decide(batch)).rejects.toThrow('it died')
      await expect(dying.decide(batch)).rejects.toThrow('it died')
      await opened(container()).decide(batch)
      const later = opened(container())
      await later.decide(batch)
      await later.decide(batch)
      expect(await place.outputs()).toEqual([...once, ...once, ...once])
      await later.decide(visitsOf(source, ['anna'], { from: 3 }))
      expect(later.counts.get('skipped')).toBe(6)
      // Her third visit is the first beyond the limit of two.
      expect(await place.outputs()).toHaveLength(9)
      place.remove()
    })

    test('another container has claimed meanwhile: decided again, skipped or copied', async () => {
      const place = await statePlace(services, 1, { delivery: 'at-least-once' })
      const { source, fill, container } = place
      await fill(2)
      const other = opened(container())
      let isFirst = true
      const batch = visitsOf(source, ['anna', 'bob'])
      const slow = opened(
        container({
          state: state => ({
            ...state,
            acknowledge: async (acknowledgements, deadline) => {
              if (isFirst) await other.decide(batch)
              isFirst = false
              return state.acknowledge(acknowledgements, deadline)
            },
          }),
        }),
      )
      await slow.decide(batch)
      expect(slow.counts.get('fenced')).toBe(1)
      expect(slow.counts.get('skipped')).toBe(2)
      const once = ['0/0/counted/0 {"n":0}', '0/1/counted/0 {"n":0}']
      expect(await place.outputs()).toEqual([...once, ...once])
      place.remove()
    })
  })

  test('as a command of its own: shows, erases, starts empty', async () => {
    const place = await statePlace(services, 2, { state: '', value: '0' })
    const { source, write, container, file, name } = place
    const command = async (...words: readonly string[]) => {
      const { code, out } = await sluiceCommand(['state', file, ...words], place.environment)
      return [code, out.replaceAll(name, 'visits')] as const
    }
    await opened(container()).decide(visitsOf(source, ['anna']))
    write({})
    expect(await command('--init')).toEqual([
      1,
      'in.visits-0: the store knows nothing; would start at position 1\nNothing was changed yet: add --yes. Records below these positions leave nothing; values that are there stay.\n',
    ])
    expect(await command('--init', '--yes')).toEqual([0, 'in.visits-0: the store knows nothing; started at position 1\n'])
    await opened(container()).decide(visitsOf(source, ['anna', 'anna'], { from: 1 }))
    expect(await command('visit', 'anna')).toEqual([
      0,
      'visits.1, state visit, key anna\n  counts     {"count":2}\n  written by the batch up to in.visits-0@2, which is committed (the position of in.visits-0 is 3)\n',
    ])
    expect((await command('greeting', 'anna', '--delete', '--yes'))[0]).toBe(0)
    expect((await command('visit', 'anna', '--delete', '--yes'))[0]).toBe(0)
    expect(await command('greeting', 'anna')).toEqual([1, ''])
    expect(await command('visit', 'anna')).toEqual([1, ''])
    await opened(container()).decide(visitsOf(source, ['anna'], { from: 3 }))
    expect((await place.outputs()).at(-1)).toBe('0/3/counted/0 {"n":0}')
    place.remove()
  })
})

/** `npx sluice`, in a process of its own. */
async function sluiceCommand(words: readonly string[], environment: Readonly<Record<string, string>>) {
  const launcher = join(import.meta.dirname, '../../../infra/sluice.cjs')
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], ...login, ...environment }
  return new Promise<{ readonly code: number; readonly out: string }>(resolve => {
    execFile(process.execPath, [launcher, ...words], { env }, (error, out) =>
      resolve({ code: error === null ? 0 : Number(error.code), out }),
    )
  })
}
