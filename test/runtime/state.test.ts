// What guards state, through the handler: each fault is told, leaves nothing wrong behind, and the next delivery goes on. The same scenario always:
// each visit of a customer tells how many there were before.
import { describe, expect, test } from 'vitest'
import { interpretedPlan } from '../../lib/compiler/interpreted.ts'
import { plan as planning } from '../../lib/compiler/planning.ts'
import { memoryLog } from '../../lib/connectors/memory.ts'
import { memoryState } from '../../lib/connectors/state-memory.ts'
import { buildEvent, type ConsumedRecord } from '../../lib/emulator/event.ts'
import { createHandler } from '../../lib/runtime/handler.ts'
import {
  type LookupPort,
  type OutputRecord,
  RetryableError,
  type StatePort,
  type TransactionPort,
} from '../../lib/runtime/ports.ts'
import { checkScenario } from '../../lib/scenario/check.ts'
import { seededRandom } from '../cases/random.ts'

const counting = (fields = 'count: int = 0', next = 'visit.count + 1') => `scenario: visits
description: Counts
source: { topic: visits, event: { id: string, text: string = "" } }
state:
  visit: { key: event.id, fields: { ${fields}, text: string = "" }, set: { count: ${next}, text: event.text } }
  greeting: { key: event.id, limit: 100000 }
sinks:
  counted: { topic: counted, key: event.id, value: { n: visit.count } }
`

interface Ports {
  readonly kafka: TransactionPort
  readonly state: StatePort
  readonly lookups: LookupPort
}

/** Kafka and a store, and containers of the function over them; their ports may be wrapped, to fail. */
function place(shared = { kafka: memoryLog(), state: memoryState() }) {
  const { kafka, state } = shared
  return {
    ...shared,
    container(wrap: Partial<Ports> = {}, { text = counting(), remainingMs = 60_000 } = {}) {
      const { scenario, diagnostics } = checkScenario('visits.yml', text)
      expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([])
      const told: string[] = []
      const counts = new Map<string, number>()
      const tell = (message: string) => void told.push(message)
      const handler = createHandler(interpretedPlan(planning(scenario!)), {
        kafka: wrap.kafka ?? kafka,
        stores: { state: wrap.lookups ?? state.lookups },
        state: wrap.state ?? state,
        log: { info: () => undefined, warn: tell, error: tell },
        metrics: { count: (name, by) => void counts.set(name, (counts.get(name) ?? 0) + by), flush: () => undefined },
        deadLetterTopic: 'dead',
      })
      const decide = (records: readonly ConsumedRecord[]) =>
        handler(buildEvent(records, { kind: 'self-managed', bootstrapServers: '' }), {
          getRemainingTimeInMillis: () => remainingMs,
        } as never) as unknown as Promise<unknown>
      return { told, counts, decide }
    },
    /** PARTITION/OFFSET and how many visits there were before. */
    outputs: () => kafka.committed.map(outputText),
  }
}

function idempotencyKey({ headers }: OutputRecord): string {
  return Buffer.from(headers.find(({ name }) => name === 'sluice-idempotency-key')!.value!).toString()
}

function outputText(record: OutputRecord): string {
  const { topic, headers, value } = record
  const [, , partition, offset] = idempotencyKey(record).split('/')
  const reason = headers.find(({ name }) => name === 'sluice-reason')?.value
  return `${partition}/${offset} ${topic === 'dead' ? Buffer.from(reason!) : (JSON.parse(Buffer.from(value!).toString()) as { n: number }).n}`
}

/** `anna bob`: their visits from this offset on. */
function visits(ids: string, from = 0, partition = 0, text = ''): readonly ConsumedRecord[] {
  return ids.split(' ').map((id, n) => ({
    ...{ topic: 'visits', partition, offset: from + n, timestampMs: 1000 + n, timestampType: 'CREATE_TIME' },
    ...{ key: Buffer.from(id), value: Buffer.from(JSON.stringify({ id, text })), headers: [] },
  }))
}

const died = () => new RetryableError('redis-unreachable', 'it died')

describe('a store that knows less than was committed', () => {
  test('it has lost writes: refused, and nothing is emitted', async () => {
    const { container, state, outputs } = place()
    await container().decide(visits('anna anna anna'))
    const older: StatePort = { ...state, claim: async (lock, deadline) => ({ ...(await state.claim(lock, deadline)), last: 0n }) }
    await expect(container({ state: older }).decide(visits('anna', 3))).rejects.toThrow(
      /^\[state-lost\] visits: the store knows what visits-0 left up to offset 0, and our progress is 3: .*`generation`.*--init/,
    )
    expect(outputs()).toHaveLength(3)
  })

  test('it knows nothing: refused with another name, warm and cold', async () => {
    const { container, kafka } = place()
    await container().decide(visits('anna'))
    const cold = place({ kafka, state: memoryState() })
    for (let times = 0; times < 2; times++)
      await expect(cold.container().decide(visits('anna', 1))).rejects.toThrow(
        /^\[state-missing\] .*visits-0, and our progress is 1\./,
      )
    expect(kafka.committed).toHaveLength(1)
  })

  test('no alarm where another container claimed, wrote and committed between our claim and our reading', async () => {
    const { container, state, outputs } = place()
    const other = container()
    let isFirst = true
    const overtaken: StatePort = {
      ...state,
      async claim(lock, deadline) {
        const claim = await state.claim(lock, deadline)
        if (isFirst) {
          isFirst = false
          await other.decide(visits('anna anna'))
        }
        return claim
      },
    }
    const mine = container({ state: overtaken })
    await mine.decide(visits('anna anna anna'))
    expect(outputs()).toEqual(['0/0 0', '0/1 1', '0/2 2'])
    expect(mine.told).toEqual([])
    expect(mine.counts.get('skipped')).toBe(2)
  })

  test('nothing was ever committed: the mapping is trusted, wherever it begins, also after an attempt that died', async () => {
    const { container, kafka, state, outputs } = place()
    const dying = { ...kafka, transact: async () => Promise.reject(died()) }
    await expect(container({ kafka: dying }).decide(visits('anna bob anna', 100))).rejects.toThrow('it died')
    await container({}).decide(visits('anna', 100))
    await container({ state }).decide(visits('bob anna', 101))
    expect(outputs()).toEqual(['0/100 0', '0/101 0', '0/102 1'])
  })
})

describe('fields that have changed', () => {
  test.each([
    [
      'another type: refused',
      'count: string = ""',
      '"x"',
      '[generation-needed] visits: the store holds "count" of state "visit" as int, and the scenario declares string. Nothing was decided. Declare it as it was, give it another name, under which it alone starts empty, or raise `generation`: all state starts empty, and the topic is decided again from its start.',
    ],
    ['a new field: it has its default', 'count: int = 0, more: int = 7', 'visit.count + 1', undefined],
  ])('%s', async (_, fields, next, error) => {
    const { container, outputs } = place()
    await container().decide(visits('anna'))
    const changed = container({}, { text: counting(fields, next) }).decide(visits('anna', 1))
    if (error === undefined) {
      await changed
      expect(outputs()).toEqual(['0/0 0', '0/1 1'])
    } else {
      await expect(changed).rejects.toThrow(error)
      expect(outputs()).toEqual(['0/0 0'])
    }
  })
})

test('a field that was dropped and comes back with another type is refused: its old values are still there', async () => {
  const { container, outputs } = place()
  await container().decide(visits('anna'))
  await container(
    {},
    { text: counting('other: int = 0', '0').replace('count: 0', 'other: 0').replaceAll('visit.count', 'visit.other') },
  ).decide(visits('anna', 1))
  const back = container({}, { text: counting('count: string = ""', '"x"') }).decide(visits('anna', 2))
  await expect(back).rejects.toThrow('the store holds "count" of state "visit" as int, and the scenario declares string')
  expect(outputs()).toEqual(['0/0 0', '0/1 0'])
})

describe('a key that moves to another partition', () => {
  test('is taken over with its value, counted and told with the remedy', async () => {
    const { container, outputs, state } = place()
    await container().decide(visits('anna anna'))
    const next = container()
    await next.decide(visits('anna', 0, 1))
    expect(outputs()).toEqual(['0/0 0', '0/1 1', '1/0 2'])
    expect(next.counts.get('state.moved')).toBe(1)
    expect(next.told).toEqual([
      'visits: 1 keys of state "visit" came from other partitions to visits-1. Expected once per key after partitions were added; if it goes on, let the producer keep a key in one partition.',
    ])
    expect(state.items.get('sluice:visits.1:visit/anna')!.tp).toBe('visits/1')
    // It stays there, and goes back if it must.
    await next.decide(visits('anna', 1, 1))
    expect(next.counts.get('state.moved')).toBe(1)
    await next.decide(visits('anna', 2))
    expect(outputs().at(-1)).toBe('0/2 4')
    expect(next.counts.get('state.moved')).toBe(2)
  })

  test('waits while the other partition has not committed what it left', async () => {
    const { container, kafka, outputs } = place()
    await container().decide(visits('anna'))
    const dying = { ...kafka, transact: async () => Promise.reject(died()) }
    await expect(container({ kafka: dying }).decide(visits('anna anna', 1))).rejects.toThrow('it died')
    const moved = container()
    await expect(moved.decide(visits('anna', 0, 1))).rejects.toThrow(
      /^\[state-moved\] visits: a key of state "visit" was last written by another partition, which has not committed it yet, and is now needed by visits-1\./,
    )
    // Its key is a customer's.
    expect(moved.told.join()).not.toContain('anna')
    expect(moved.counts.get('state.moved')).toBe(1)
    await container().decide(visits('anna anna', 1))
    await moved.decide(visits('anna', 0, 1))
    expect(outputs()).toEqual(['0/0 0', '0/1 1', '0/2 2', '1/0 3'])
  })

  test('both partitions in one batch: the one that has it gets on, then the other one does', async () => {
    const { container, kafka, outputs } = place()
    const dying = { ...kafka, transact: async () => Promise.reject(died()) }
    await expect(container({ kafka: dying }).decide(visits('anna', 0, 1))).rejects.toThrow('it died')
    const both = [...visits('anna'), ...visits('anna', 0, 1)]
    await expect(container().decide(both)).rejects.toThrow('[state-moved]')
    expect(outputs()).toEqual(['1/0 0'])
    await container().decide(both)
    expect(outputs()).toEqual(['1/0 0', '0/0 1'])
  })

  test('written by the other one between our reading and our writing: not taken over', async () => {
    const { container, state, outputs } = place()
    const other = container()
    await other.decide(visits('anna'))
    const overtaken: StatePort = {
      ...state,
      async write(writes, deadline) {
        await other.decide(visits('anna', 1))
        return state.write(writes, deadline)
      },
    }
    await expect(container({ state: overtaken }).decide(visits('anna', 0, 1))).rejects.toThrow('[state-moved]')
    await container().decide(visits('anna', 0, 1))
    expect(outputs()).toEqual(['0/0 0', '0/1 1', '1/0 2'])
  })
})

describe.each(['exactly-once', 'at-least-once'] as const)('keys that two partitions use all the time, %s', delivery => {
  test('two that hold what the other one waits for let go of it', async () => {
    const { container, kafka, state } = place(
      delivery === 'exactly-once' ? undefined : { kafka: plainLog(), state: memoryState() },
    )
    const text = `${counting()}delivery: ${delivery}\n`
    const dying = { ...kafka, transact: async () => Promise.reject(died()) }
    await expect(container({ kafka: dying }, { text }).decide(visits('bob'))).rejects.toThrow('it died')
    await expect(container({ kafka: dying }, { text }).decide(visits('anna', 0, 1))).rejects.toThrow('it died')
    // Cut anew: each now needs the other one's key, too.
    await expect(container({}, { text }).decide(visits('bob anna'))).rejects.toThrow('[state-moved]')
    // Where outputs may be out before their position is, a place stays with its record.
    expect(state.caps.has('sluice:visits.1:greeting/bob')).toBe(delivery === 'at-least-once')
    await container({}, { text }).decide(visits('anna bob', 0, 1))
    await container({}, { text }).decide(visits('bob anna'))
    expect(kafka.committed.map(outputText)).toEqual(['1/0 0', '1/1 0', '0/0 1', '0/1 1'])
    const places = [...state.caps].map(([key, held]) => `${key.split('/')[1]} ${[...held.keys()].sort().join(' ')}`)
    expect(places.sort()).toEqual(['anna visits-0@1 visits-1@0', 'bob visits-0@0 visits-1@1'])
  })

  test('whatever dies and whoever interferes, each visit is counted once', async () => {
    let [refused, moved] = [0, 0]
    for (let seed = 1; seed <= 50; seed++) {
      const random = seededRandom(seed)
      const { container, kafka, state } = place(
        delivery === 'exactly-once' ? undefined : { kafka: plainLog(), state: memoryState() },
      )
      const text = counting().replace('state:', `delivery: ${delivery}\nstate:`)
      const records = [0, 1].map(partition =>
        visits(Array.from({ length: 12 }, () => (random() < 0.5 ? 'anna' : 'bob')).join(' '), 0, partition),
      )
      const done = [0, 0]
      let isFaulty = true
      const interrupted = async () => {
        if (isFaulty && random() < 0.1) throw died()
        // Somebody else's turn.
        for (let turns = Math.floor(random() * 6); turns > 0; turns--) await Promise.resolve()
      }
      const around =
        <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
        async (...args: A) => {
          await interrupted()
          const result = await call(...args)
          await interrupted()
          return result
        }
      const fresh = () =>
        container(
          {
            state: { ...state, claim: around(state.claim), write: around(state.write), acknowledge: around(state.acknowledge) },
            lookups: { ...state.lookups, lookupMany: around(state.lookups.lookupMany) },
            kafka: {
              ...kafka,
              fence: around(kafka.fence),
              readProgress: around(kafka.readProgress),
              transact: around(kafka.transact),
            },
          },
          { text },
        )
      const containers = [fresh(), fresh()]
      for (let step = 0; done[0]! < 12 || done[1]! < 12; step++) {
        isFaulty = step < 60
        if (step > 1000) throw new Error(`seed ${seed} does not come to its end`)
        if (random() < 0.2) containers[step % 2] = fresh()
        const deliveries = containers.map(async one => {
          const parts = [0, 1]
            .filter(() => random() < 0.6)
            .map(partition => {
              const to = Math.min(12, done[partition]! + 1 + Math.floor(random() * 4))
              return { partition, to, batch: records[partition]!.slice(done[partition]!, to) }
            })
          const batch = parts.flatMap(part => part.batch)
          if (batch.length === 0) return
          try {
            await one.decide(batch)
            for (const { partition, to } of parts) done[partition] = Math.max(done[partition]!, to)
          } catch (error) {
            if (!(error instanceof RetryableError)) throw error
            if (error.id === 'state-moved') refused++
          }
        })
        await Promise.all(deliveries)
        for (const one of containers) moved += one.counts.get('state.moved') ?? 0
      }
      const seen = kafka.committed.map(record => `${Buffer.from(record.key!)} ${outputText(record).split(' ')[1]}`)
      const wanted = ['anna', 'bob'].flatMap(id => {
        const count = records.flat().filter(({ key }) => Buffer.from(key!).toString() === id).length
        expect(JSON.parse(state.items.get(`sluice:visits.1:visit/${id}`)!.head!), `seed ${seed}`).toMatchObject({ count })
        return Array.from({ length: count }, (_, n) => `${id} ${n}`)
      })
      // At least once there are copies, and another partition may come between two of them.
      if (delivery === 'exactly-once') expect(seen.sort(), `seed ${seed}`).toEqual(wanted.sort())
      else expect([...new Set(seen)].sort(), `seed ${seed}`).toEqual(wanted.sort())
    }
    expect([refused > 50, moved > 50]).toEqual([true, true])
  }, 60_000)
})

/** Without transactions: outputs are there when they are acknowledged, nobody is fenced, and there is no position. */
function plainLog() {
  const committed: OutputRecord[] = []
  return {
    ...memoryLog(),
    committed,
    fence: async (transactionalId: string) => ({ transactionalId, epoch: 0 }),
    readProgress: async () => undefined,
    async transact(_: unknown, { records }: { readonly records: readonly OutputRecord[] }) {
      committed.push(...records)
      return { reusable: true }
    },
  }
}

describe('faults in the middle of a batch', () => {
  test('another container claims between our reading and our writing: decided again, from what it left', async () => {
    const { container, state, outputs } = place()
    const other = container()
    let isFirst = true
    const overtaken: StatePort = {
      ...state,
      async write(writes, deadline) {
        if (isFirst) {
          isFirst = false
          await other.decide(visits('anna'))
        }
        return state.write(writes, deadline)
      },
    }
    const mine = container({ state: overtaken })
    await mine.decide(visits('anna anna'))
    expect(outputs()).toEqual(['0/0 0', '0/1 1'])
    expect(mine.counts.get('fenced')).toBe(1)
  })

  test('claimed again and again: told as fenced, and nothing is emitted', async () => {
    const { container, state, outputs } = place()
    const stolen: StatePort = {
      ...state,
      async write(writes, deadline) {
        for (const { lock } of writes) await state.claim(lock, deadline)
        return state.write(writes, deadline)
      },
    }
    await expect(container({ state: stolen }).decide(visits('anna'))).rejects.toThrow('[fenced]')
    expect(outputs()).toEqual([])
  })

  test.each(['claim', 'read', 'write', 'answer to the write', 'commit'] as const)(
    'no answer at the %s: nothing is emitted, the container goes on with the next delivery',
    async where => {
      const { container, state, kafka, outputs } = place()
      let fails = false
      const failing =
        <A extends unknown[], R>(name: string, call: (...args: A) => Promise<R>, after = false) =>
        async (...args: A) => {
          const isHit = fails && name === where
          if (isHit && !after) throw died()
          const result = await call(...args)
          if (isHit) throw died()
          return result
        }
      const warm = container({
        state: {
          ...state,
          claim: failing('claim', state.claim),
          write: failing('write', failing('answer to the write', state.write, true)),
        },
        lookups: { ...state.lookups, lookupMany: failing('read', state.lookups.lookupMany) },
        kafka: { ...kafka, transact: failing('commit', kafka.transact) },
      })
      if (where !== 'claim') await warm.decide(visits('anna'))
      fails = true
      const next = where === 'claim' ? visits('anna bob') : visits('anna bob', 1)
      await expect(warm.decide(next)).rejects.toThrow('it died')
      await expect(warm.decide(next)).rejects.toThrow('it died')
      fails = false
      const before = outputs().length
      await warm.decide(next)
      expect(outputs().slice(before)).toEqual(where === 'claim' ? ['0/0 0', '0/1 0'] : ['0/1 1', '0/2 0'])
    },
  )

  test('too little time left for the commit: nothing of it counts', async () => {
    const { container, outputs } = place()
    await container().decide(visits('anna'))
    await expect(container({}, { remainingMs: 400 }).decide(visits('anna anna', 1))).rejects.toThrow('[out-of-time]')
    await container().decide(visits('anna', 1))
    await container().decide(visits('anna', 2))
    expect(outputs()).toEqual(['0/0 0', '0/1 1', '0/2 2'])
  })
})

describe('sizes', () => {
  test.each([
    ['with 16,384 bytes a value is kept', 16_384, '0/1 1'],
    ['with one more the record is a dead letter, and leaves nothing', 16_385, '0/1 too-large'],
  ])('%s', async (_, bytes, second) => {
    const { container, outputs, state } = place()
    await container().decide(visits('anna'))
    const rest = '{"count":2,"text":""}'.length
    await container().decide([...visits('anna', 1, 0, 'ł'.repeat(100) + 'x'.repeat(bytes - rest - 200)), ...visits('anna', 2)])
    expect(outputs()).toEqual(['0/0 0', second, second === '0/1 1' ? '0/2 2' : '0/2 1'])
    expect(Buffer.byteLength(state.items.get('sluice:visits.1:visit/anna')!.head!)).toBe(rest)
  })

  test('10,000 records with one key: each sees what the one before it left; one item is written', async () => {
    const { container, outputs, state } = place()
    const written: number[] = []
    const seen: StatePort = {
      ...state,
      write: async (writes, deadline) => {
        written.push(...writes.map(({ items }) => items.length))
        return state.write(writes, deadline)
      },
    }
    await container({ state: seen }).decide(visits(Array.from({ length: 10_000 }, () => 'anna').join(' ')))
    expect(outputs().filter(text => /^0\/(\d+) \1$/.test(text))).toHaveLength(10_000)
    expect(written).toEqual([1])
  })
})
