// A key whose records come in another partition than before, on the real broker and each store of state: its value is taken over once the
// partition that wrote it has committed it, and not before.
import { Admin } from '@platformatic/kafka'
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest'
import { type RunningState, stores } from '../../connectors/state/stores.ts'
import { type Container, dyingBeforeTheCommit, logIn, type Rules, type Services, statePlace, storeOf, visitsOf } from './place.ts'

const containers: Container[] = []
const opened = (container: Container) => {
  containers.push(container)
  return container
}
afterEach(async () => {
  await Promise.all(containers.splice(0).map(container => container.close()))
})

const rules: Rules = {
  state: `state:
  visit: { key: event.id, fields: { count: int = 0 }, set: { count: visit.count + 1 } }
`,
}

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

  async function placeOf(partitions: number, more: Rules = {}) {
    const place = await statePlace(services, partitions, { ...rules, ...more })
    return {
      ...place,
      visits: (ids: string, partition: number, from: number) => visitsOf(place.source, ids.split(' '), { partition, from }),
      /** PARTITION/OFFSET and how many visits there were before, by partition. */
      told: async () => (await place.outputs()).map(text => text.replace(/\/counted\/0 \{"n":(\d+)\}$/, ': $1')),
    }
  }

  test('partitions were added: it is taken over with its value, counted, told with the remedy, and stays', async () => {
    const { container, source, visits, told, sluice, remove } = await placeOf(1)
    await opened(container()).decide(visits('anna anna', 0, 0))
    await addPartitions(services.broker, source, 2)
    const next = opened(container())
    await next.decide(visits('anna', 1, 0))
    expect(await told()).toEqual(['0/0: 0', '0/1: 1', '1/0: 2'])
    expect(next.counts.get('state.moved')).toBe(1)
    expect(next.told).toEqual([
      'visits: 1 keys of state "visit" came from other partitions to in.visits-1. Expected once per key after partitions were added; if it goes on, let the producer keep a key in one partition.',
    ])
    expect((await sluice('visit', 'anna')).out).toContain(
      'counts     {"count":3}\n  written by the batch up to in.visits-1@0, which is committed (the position of in.visits-1 is 1)\n',
    )
    await next.decide(visits('anna', 1, 1))
    await opened(container()).decide(visits('anna', 1, 2))
    expect((await told()).slice(3)).toEqual(['1/1: 3', '1/2: 4'])
    expect(next.counts.get('state.moved')).toBe(1)
    remove()
  })

  test('while it is not committed its batch comes again, and nothing is emitted; afterwards it is taken over', async () => {
    const { container, visits, told, remove } = await placeOf(2)
    await opened(container()).decide(visits('anna', 0, 0))
    const dying = opened(container({ kafka: dyingBeforeTheCommit }))
    await expect(dying.decide(visits('anna anna', 0, 1))).rejects.toThrow('it died')
    const moved = opened(container())
    await expect(moved.decide(visits('anna bob', 1, 0))).rejects.toThrow('[state-moved]')
    expect(moved.told).toEqual([
      '[state-moved] visits: a key of state "visit" was last written by another partition, which has not committed it yet, and is now needed by in.visits-1. Nothing of in.visits-1 was emitted, its batch comes again. Expected after partitions were added; if it repeats, let the producer keep a key in one partition.',
    ])
    expect(moved.counts.get('state.moved')).toBe(1)
    expect(await told()).toEqual(['0/0: 0'])
    await opened(container()).decide(visits('anna anna', 0, 1))
    await moved.decide(visits('anna bob', 1, 0))
    expect((await told()).sort()).toEqual(['0/0: 0', '0/1: 1', '0/2: 2', '1/0: 3', '1/1: 0'])
    expect(moved.counts.get('state.moved')).toBe(2)
    remove()
  })

  test('written by the other one between our reading and our writing: not taken over, and nothing is lost', async () => {
    const { container, visits, told, remove } = await placeOf(2)
    const other = opened(container())
    await other.decide(visits('anna', 0, 0))
    const overtaken = opened(
      container({
        state: state => ({
          ...state,
          write: async (writes, deadline) => {
            await other.decide(visits('anna', 0, 1))
            return state.write(writes, deadline)
          },
        }),
      }),
    )
    await expect(overtaken.decide(visits('anna', 1, 0))).rejects.toThrow('[state-moved]')
    expect(await told()).toEqual(['0/0: 0', '0/1: 1'])
    await opened(container()).decide(visits('anna', 1, 0))
    expect(await told()).toEqual(['0/0: 0', '0/1: 1', '1/0: 2'])
    remove()
  })

  test('at least once the position that decides stands in the lock of the other one', async () => {
    const { container, visits, told, remove } = await placeOf(2, { delivery: 'at-least-once' })
    const dying = opened(
      container({
        state: state => ({
          ...state,
          acknowledge: async () => {
            throw new Error('it died')
          },
        }),
      }),
    )
    await expect(dying.decide(visits('anna', 0, 0))).rejects.toThrow('it died')
    const moved = opened(container())
    await expect(moved.decide(visits('anna', 1, 0))).rejects.toThrow('[state-moved]')
    await opened(container()).decide(visits('anna', 0, 0))
    await moved.decide(visits('anna', 1, 0))
    // The first is there twice, equal: its position came later.
    expect(await told()).toEqual(['0/0: 0', '0/0: 0', '1/0: 1'])
    expect(moved.counts.get('state.moved')).toBe(2)
    remove()
  })
})

async function addPartitions(broker: string, name: string, count: number): Promise<void> {
  const admin = new Admin({ clientId: 'test', bootstrapBrokers: [broker] })
  try {
    // Null, as the protocol has it, leaves their places to the cluster; the types know lists alone, and an empty one is refused.
    await admin.createPartitions({ topics: [{ name, count, assignments: null as never }] })
  } finally {
    await admin.close()
  }
}
