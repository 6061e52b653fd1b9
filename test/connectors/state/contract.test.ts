// One contract for all stores of state, on the real thing: who may write, what is there afterwards, who gets a place.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { StatePort } from '../../../lib/runtime/ports.ts'
import { type RunningState, stores } from './stores.ts'
import { answersTo, attempt, claimed, deadline, hour, lockOf, textOf } from './writes.ts'

describe.each(stores)('$name', ({ name, start, isOneStep, isInOrder, manyKeys }) => {
  let running: RunningState
  let state: StatePort
  let testCount = 0
  /** Names of this test alone. */
  let scope = ''
  const key = (name: string) => `sluice:${scope}:${name}`
  const lock = (partition = 0) => lockOf(partition, scope)
  const fresh = async () => {
    scope = `win-back-${++testCount}.1`
    return claimed(state, lock())
  }
  const read = async (name: string) =>
    (
      await running.lookups.lookupMany(
        [{ command: { kind: 'hash', fields: ['base', 'head', 'at', 'tp'] }, keys: [key(name)] }],
        deadline,
      )
    )[0]![0]

  beforeAll(async () => {
    running = await start()
    state = running.state
  })
  afterAll(async () => {
    await running.stop()
  })

  describe('claims', () => {
    test('a lock that was not there holds nothing; each claim is another token', async () => {
      scope = `win-back-${++testCount}.1`
      const first = await state.claim(lock(), deadline)
      const second = await state.claim(lock(), deadline)
      expect(first).toEqual({
        token: expect.any(String),
        last: undefined,
        signature: undefined,
        leftovers: new Map(),
        caps: new Map(),
      })
      expect(second).toEqual({ ...first, token: expect.any(String) })
      expect(second.token).not.toBe(first.token)
      expect(await state.holds(lock(), second.token, deadline)).toBe(true)
      expect(await state.holds(lock(), first.token, deadline)).toBe(false)
    })

    test('the next claim gets what the last attempt left: its last offset, signature, keys with their items, caps', async () => {
      const token = await fresh()
      await answersTo(state, {
        lock: lock(),
        token,
        signature: 'lastAt: timestamp',
        from: 3,
        to: 9,
        items: [
          { key: key('visit/c-1'), base: null, head: '{"lastAt":7}', at: 7n },
          { key: key('visit/c-2'), base: '{"lastAt":1}', head: '{"lastAt":1}', at: -1n },
        ],
        caps: [{ key: key('greeting/c-1') }],
        asks: [{ offset: 7, caps: [{ cap: 0 }] }],
      })
      const claim = await state.claim(lock(), deadline)
      expect(claim).toMatchObject({ last: 9n, signature: 'lastAt: timestamp', caps: new Map([[key('greeting/c-1'), 7n]]) })
      expect(claim.leftovers.get(key('visit/c-1'))).toEqual({ base: null, head: '{"lastAt":7}', at: 7n, tp: 'app.visits/0' })
      if (isOneStep) expect(claim.leftovers.size).toBe(1)
    })

    test('locks of other partitions, scenarios and generations are others', async () => {
      const token = await fresh()
      await claimed(state, lock(1))
      await claimed(state, { ...lock(), scope: `${scope}0` })
      expect(await state.holds(lock(), token, deadline)).toBe(true)
    })

    test('a topic that has the name of an entry meets no item', async () => {
      const token = await fresh()
      const visits = { scope, partition: { topic: 'visit', partition: 3 } }
      const other = await claimed(state, visits)
      await answersTo(state, {
        lock: lock(),
        token,
        from: 0,
        to: 0,
        items: [{ key: key('visit/3'), base: null, head: '{}', at: 0n }],
      })
      expect(await state.holds(visits, other, deadline)).toBe(true)
    })
  })

  describe('the position, where Kafka keeps none', () => {
    const acknowledge = (token: string, position: bigint, partition = 0) =>
      state.acknowledge([{ lock: lock(partition), token, position }], deadline)

    test('nothing is acknowledged at first; then the next claim knows, and whoever asks', async () => {
      const token = await fresh()
      expect(await state.position(lock(), deadline)).toBeUndefined()
      expect(await acknowledge(token, 6n)).toEqual([true])
      expect(await state.position(lock(), deadline)).toBe(6n)
      expect(await state.claim(lock(), deadline)).toMatchObject({ position: 6n })
    })

    test('a write leaves it as it is', async () => {
      const token = await fresh()
      await acknowledge(token, 6n)
      await answersTo(state, { lock: lock(), token, from: 6, to: 9 })
      expect(await state.claim(lock(), deadline)).toMatchObject({ position: 6n, last: 9n })
    })

    test('a token that another claim has overtaken acknowledges nothing; other partitions of the call do', async () => {
      const token = await fresh()
      const other = await claimed(state, lock(1))
      await claimed(state, lock())
      const both = [
        { lock: lock(), token, position: 6n },
        { lock: lock(1), token: other, position: 3n },
      ]
      expect(await state.acknowledge(both, deadline)).toEqual([false, true])
      expect(await state.position(lock(), deadline)).toBeUndefined()
      expect(await state.position(lock(1), deadline)).toBe(3n)
    })
  })

  describe('items', () => {
    test('a key that nobody wrote has no fields; what is written is read', async () => {
      const token = await fresh()
      expect(await read('visit/c-1')).toEqual([null, null, null, null])
      const text = '{"name":"Łódź 🚕 \\"=\\r\\n"}'
      const items = [{ key: key('visit/c-1'), base: null, head: text, at: 4n }]
      expect(await answersTo(state, { lock: lock(), token, from: 4, to: 5, items })).toEqual([])
      expect(await read('visit/c-1')).toEqual([null, text, '4', 'app.visits/0'])
    })

    test('a later write replaces all fields, absent ones too', async () => {
      const token = await fresh()
      const one = (base: string | null, head: string | null, at: bigint) => [{ key: key('visit/c-1'), base, head, at }]
      await answersTo(state, { lock: lock(), token, from: 4, to: 4, items: one('b', 'h', 4n) })
      await answersTo(state, { lock: lock(), token, from: 5, to: 5, items: one(null, '', 5n) })
      expect(await read('visit/c-1')).toEqual([null, '', '5', 'app.visits/0'])
      await answersTo(state, { lock: lock(), token, from: 6, to: 6, items: one('', null, 6n) })
      expect(await read('visit/c-1')).toEqual(['', null, '6', 'app.visits/0'])
    })

    test('a token that another claim has overtaken writes nothing', async () => {
      const token = await fresh()
      const newer = await claimed(state, lock())
      const items = [{ key: key('visit/c-1'), base: null, head: 'old', at: 4n }]
      const caps = [{ key: key('greeting/c-1') }]
      const asks = [{ offset: 4, caps: [{ cap: 0 }] }]
      expect(await answersTo(state, { lock: lock(), token, from: 4, to: 4, items, caps, asks })).toBe('stale')
      expect(await read('visit/c-1')).toEqual([null, null, null, null])
      expect(await answersTo(state, { lock: lock(), token: newer, from: 4, to: 4, caps, asks })).toEqual(['1/1'])
    })

    test("a lock that knows less than its token's owner has lost writes: nothing is written, and the next claim tells", async () => {
      const token = await fresh()
      const items = [{ key: key('visit/c-1'), base: null, head: 'new', at: 7n }]
      // Nothing was written, says the lock; then up to 4.
      expect(await answersTo(state, { lock: lock(), token, from: 5, to: 7, lastBefore: 4, items })).toBe('stale')
      expect(await answersTo(state, { lock: lock(), token, from: 0, to: 4 })).toEqual([])
      expect(await answersTo(state, { lock: lock(), token, from: 6, to: 7, lastBefore: 5, items })).toBe('stale')
      expect(await read('visit/c-1')).toEqual([null, null, null, null])
      expect(await state.claim(lock(), deadline)).toMatchObject({ last: 4n })
    })

    test('a lock that knows as much, or more, since an attempt went further, is written', async () => {
      const token = await fresh()
      expect(await answersTo(state, { lock: lock(), token, from: 0, to: 9 })).toEqual([])
      expect(await answersTo(state, { lock: lock(), token, from: 0, to: 4, lastBefore: 9 })).toEqual([])
      expect(await answersTo(state, { lock: lock(), token, from: 5, to: 9, lastBefore: 4 })).toEqual([])
      expect(await state.claim(lock(), deadline)).toMatchObject({ last: 9n })
    })

    test('a batch that changes nothing still moves the last offset', async () => {
      const token = await fresh()
      await answersTo(state, {
        lock: lock(),
        token,
        from: 0,
        to: 4,
        items: [{ key: key('visit/c-1'), base: null, head: 'a', at: 2n }],
      })
      await answersTo(state, { lock: lock(), token, from: 5, to: 8 })
      expect(await state.claim(lock(), deadline)).toMatchObject({ last: 8n, leftovers: new Map() })
    })

    test('several partitions in one call: each has its own outcome', async () => {
      const token = await fresh()
      const stale = await claimed(state, lock(1))
      await claimed(state, lock(1))
      const third = await claimed(state, lock(2))
      const caps = [{ key: key('greeting/all') }]
      const outcomes = await state.write(
        [
          attempt({ lock: lock(0), token, from: 0, to: 0, caps, asks: [{ offset: 0, caps: [{ cap: 0 }] }] }),
          attempt({ lock: lock(1), token: stale, from: 0, to: 0, caps, asks: [{ offset: 0, caps: [{ cap: 0 }] }] }),
          attempt({ lock: lock(2), token: third, from: 0, to: 0, caps, asks: [{ offset: 0, caps: [{ cap: 0 }] }] }),
        ],
        deadline,
      )
      const places = outcomes.flatMap(outcome => (outcome.kind === 'written' ? outcome.answers.map(textOf) : []))
      expect(isInOrder ? places : [...places].sort()).toEqual(['1/1', '2/2'])
      if (!isInOrder) return
      expect(outcomes).toEqual([
        { kind: 'written', answers: [{ kind: 'granted', places: [{ number: 1n, used: 1n }] }] },
        { kind: 'stale' },
        { kind: 'written', answers: [{ kind: 'granted', places: [{ number: 2n, used: 2n }] }] },
      ])
    })

    test(`${manyKeys} changed keys in one batch`, async () => {
      const token = await fresh()
      const items = Array.from({ length: manyKeys }, (_, i) => ({
        key: key(`visit/c-${i}`),
        base: null,
        head: `{"n":${i}}`,
        at: BigInt(i),
      }))
      expect(await answersTo(state, { lock: lock(), token, from: 0, to: manyKeys - 1, items })).toEqual([])
      const { leftovers } = await state.claim(lock(), deadline)
      expect(leftovers.size).toBe(manyKeys)
      expect(leftovers.get(key('visit/c-199'))).toEqual({ base: null, head: '{"n":199}', at: 199n, tp: 'app.visits/0' })
    })
  })

  describe('items of another partition', () => {
    const taken = { base: 'a', head: 'b', at: 3n }

    test('what is as it was read is taken over', async () => {
      const token = await fresh()
      const items = [{ key: key('visit/c-1'), base: null, head: 'a', at: 5n }]
      await answersTo(state, { lock: lock(), token, from: 5, to: 5, items })
      const other = await claimed(state, lock(1))
      const expected = { at: 5n, tp: 'app.visits/0', head: 'a' }
      const take = [{ key: key('visit/c-1'), ...taken, expected }]
      expect(await answersTo(state, { lock: lock(1), token: other, from: 3, to: 3, items: take })).toEqual([])
      expect(await read('visit/c-1')).toEqual(['a', 'b', '3', 'app.visits/1'])
    })

    test('also one without a value', async () => {
      const token = await fresh()
      const items = [{ key: key('visit/c-1'), base: 'a', head: null, at: 5n }]
      await answersTo(state, { lock: lock(), token, from: 5, to: 5, items })
      const other = await claimed(state, lock(1))
      const take = [{ key: key('visit/c-1'), ...taken, expected: { at: 5n, tp: 'app.visits/0', head: null } }]
      expect(await answersTo(state, { lock: lock(1), token: other, from: 3, to: 3, items: take })).toEqual([])
      expect(await read('visit/c-1')).toEqual(['a', 'b', '3', 'app.visits/1'])
    })

    test.each([
      ['its offset has changed', { at: 4n, tp: 'app.visits/0', head: 'a' }],
      ['its partition has changed', { at: 5n, tp: 'app.visits/2', head: 'a' }],
      ['its value has changed', { at: 5n, tp: 'app.visits/0', head: 'b' }],
      ['it had no value', { at: 5n, tp: 'app.visits/0', head: null }],
      ['it was not there when it was read', undefined],
    ])('%s: moved, and nothing is written', async (_, expected) => {
      const token = await fresh()
      const items = [{ key: key('visit/c-1'), base: null, head: 'a', at: 5n }]
      await answersTo(state, { lock: lock(), token, from: 5, to: 5, items })
      const other = await claimed(state, lock(1))
      const take = [
        { key: key('visit/c-2'), base: null, head: 'c', at: 3n },
        { key: key('visit/c-1'), ...taken, ...(expected && { expected }) },
      ]
      const caps = [{ key: key('greeting/c-1') }]
      const asks = [{ offset: 3, caps: [{ cap: 0 }] }]
      const attempted = { lock: lock(1), token: other, from: 3, to: 3, items: take, caps, asks }
      expect(await answersTo(state, attempted)).toBe(`moved ${key('visit/c-1')}`)
      expect(await read('visit/c-1')).toEqual([null, 'a', '5', 'app.visits/0'])
      // In several steps a part may be there; the next attempt replaces the item and gives the place back.
      if (!isOneStep) return
      expect(await read('visit/c-2')).toEqual([null, null, null, null])
      const next = { lock: lock(), token, from: 6, to: 6, caps, asks: [{ ...asks[0]!, offset: 6 }] }
      expect(await answersTo(state, next)).toEqual(['1/1'])
    })

    test('what has gone meanwhile is moved, too', async () => {
      const token = await fresh()
      const expected = { at: 4n, tp: 'app.visits/1', head: null }
      const items = [{ key: key('visit/c-1'), ...taken, expected }]
      expect(await answersTo(state, { lock: lock(), token, from: 3, to: 3, items })).toBe(`moved ${key('visit/c-1')}`)
    })
  })

  describe('caps', () => {
    const ask = (offset: number, more: { timeMs?: number; member?: string; units?: number; limit?: number } = {}) => {
      const { timeMs = 0, ...rest } = more
      return { offset, timeMs, caps: [{ cap: 0, ...rest }] }
    }

    test('places are numbered as records come, until there are no more', async () => {
      const token = await fresh()
      const caps = [{ key: key('greeting/c-1') }]
      expect(await answersTo(state, { lock: lock(), token, from: 0, to: 5, caps, asks: [ask(0), ask(3), ask(4)] })).toEqual([
        '1/1',
        '2/2',
        'refused by 0',
      ])
      expect(await answersTo(state, { lock: lock(), token, from: 6, to: 6, caps, asks: [ask(6)] })).toEqual(['refused by 0'])
      expect(await answersTo(state, { lock: lock(), token, from: 7, to: 7, caps, asks: [ask(7, { limit: 3 })] })).toEqual(['3/3'])
    })

    test('each key has its own places', async () => {
      const token = await fresh()
      const caps = [{ key: key('greeting/c-1') }, { key: key('greeting/c-2') }]
      const asks = [ask(0), { offset: 1, caps: [{ cap: 1 }] }, ask(2)]
      expect(await answersTo(state, { lock: lock(), token, from: 0, to: 2, caps, asks })).toEqual(['1/1', '1/1', '2/2'])
    })

    test.each([[true], [false]] as const)(
      'a record that comes again finds its place, however the batch is cut; it is told what it was told: places kept %s',
      async keepsPlaces => {
        const token = await fresh()
        const caps = [{ key: key('greeting/c-1') }]
        const three = [ask(0, { limit: 3 }), ask(1, { limit: 3 }), ask(2, { limit: 3 }), ask(3, { limit: 3 })]
        expect(await answersTo(state, { keepsPlaces, lock: lock(), token, from: 0, to: 3, caps, asks: three })).toEqual([
          '1/1',
          '2/2',
          '3/3',
          'refused by 0',
        ])
        const again = await state.claim(lock(), deadline)
        const until = again.caps.get(key('greeting/c-1'))
        expect(until).toBe(3n)
        const first = await answersTo(state, {
          keepsPlaces,
          lock: lock(),
          token: again.token,
          from: 0,
          to: 1,
          caps: [{ ...caps[0]!, until }],
          asks: three.slice(0, 2),
        })
        expect(first).toEqual(['1/1', '2/2'])
        // What lies behind this batch is still reserved, or goes back; in several steps nobody knows if it has.
        const rest = await state.claim(lock(), deadline)
        expect(rest.caps).toEqual(new Map([[key('greeting/c-1'), keepsPlaces || !isOneStep ? 3n : 1n]]))
        const second = await answersTo(state, {
          keepsPlaces,
          lock: lock(),
          token: rest.token,
          from: 2,
          to: 3,
          caps: [{ ...caps[0]!, until }],
          asks: three.slice(2),
        })
        expect(second).toEqual(['3/3', 'refused by 0'])
      },
    )

    test('a record that is a dead letter late leaves no trace: not in its own batch, not in one that is cut anew', async () => {
      const token = await fresh()
      const caps = [{ key: key('greeting/c-1') }]
      const again = [{ ...caps[0]!, until: 9n }]
      // Record 0 fails in its sink when its place is known: the batch is judged again without it.
      expect(await answersTo(state, { lock: lock(), token, from: 0, to: 1, caps, asks: [ask(0), ask(1)] })).toEqual([
        '1/1',
        '2/2',
      ])
      expect(await answersTo(state, { lock: lock(), token, from: 0, to: 1, caps: again, asks: [ask(1)] })).toEqual(['1/1'])
      // Not committed, and record 0 alone comes again: it is told what it was told.
      const next = await claimed(state, lock())
      expect(await answersTo(state, { lock: lock(), token: next, from: 0, to: 0, caps: again, asks: [ask(0)] })).toEqual(['1/1'])
      expect(await answersTo(state, { lock: lock(), token: next, from: 0, to: 0, caps: again })).toEqual([])
      expect(await answersTo(state, { lock: lock(), token: next, from: 1, to: 1, caps: again, asks: [ask(1)] })).toEqual(['1/1'])
    })

    test.each([
      [true, ['2/2', '1/2']],
      [false, ['1/1', '2/2']],
    ] as const)(
      'a place that this attempt does not ask for is given back, also where nobody asks; the lowest free number is next: places kept %s',
      async (keepsPlaces, expected) => {
        const token = await fresh()
        const caps = [{ key: key('greeting/c-1') }]
        await answersTo(state, { keepsPlaces, lock: lock(), token, from: 0, to: 2, caps, asks: [ask(0), ask(1)] })
        expect(
          await answersTo(state, {
            keepsPlaces,
            lock: lock(),
            token,
            from: 0,
            to: 2,
            caps: [{ ...caps[0]!, until: 1n }],
            asks: [ask(1), ask(2)],
          }),
        ).toEqual(expected)
        expect(
          await answersTo(state, { keepsPlaces, lock: lock(), token, from: 0, to: 2, caps: [{ ...caps[0]!, until: 2n }] }),
        ).toEqual([])
        if (isOneStep) expect((await state.claim(lock(), deadline)).caps).toEqual(new Map())
        const next = await claimed(state, lock())
        expect(await answersTo(state, { keepsPlaces, lock: lock(), token: next, from: 3, to: 3, caps, asks: [ask(3)] })).toEqual([
          '1/1',
        ])
      },
    )

    test.each([
      [true, ['2/4', '4/4']],
      [false, ['2/3', '3/3']],
    ] as const)(
      'committed places and those of other partitions stay; those behind the batch only where places are kept: places kept %s',
      async (keepsPlaces, expected) => {
        const token = await fresh()
        const other = await claimed(state, lock(10))
        const caps = [{ key: key('greeting/all') }]
        const four = { limit: 5 }
        await answersTo(state, {
          keepsPlaces,
          lock: lock(),
          token,
          from: 0,
          to: 9,
          caps,
          asks: [ask(1, four), ask(5, four), ask(9, four)],
        })
        await answersTo(state, { keepsPlaces, lock: lock(10), token: other, from: 5, to: 5, caps, asks: [ask(5, four)] })
        expect(
          await answersTo(state, {
            keepsPlaces,
            lock: lock(),
            token,
            from: 4,
            to: 6,
            caps: [{ ...caps[0]!, until: 9n }],
            asks: [ask(6, four)],
          }),
        ).toEqual([expected[0]])
        expect(
          await answersTo(state, {
            keepsPlaces,
            lock: lock(10),
            token: other,
            from: 5,
            to: 5,
            caps: [{ ...caps[0]!, until: 5n }],
            asks: [ask(5, four)],
          }),
        ).toEqual([expected[1]])
      },
    )

    test.each([
      [true, ['1/2', '3/3', '2/2']],
      [false, ['1/1', '2/2', '3/3']],
    ] as const)(
      'a member has one place; another attempt with another member asks anew: places kept %s',
      async (keepsPlaces, expected) => {
        const token = await fresh()
        const caps = [{ key: key('once/all') }]
        const many = { limit: 100 }
        const asks = [
          ask(0, { ...many, member: 'c-1' }),
          ask(1, { ...many, member: 'c-1' }),
          ask(2, { ...many, member: '' }),
          ask(3, { ...many, member: '' }),
        ]
        expect(await answersTo(state, { keepsPlaces, lock: lock(), token, from: 0, to: 3, caps, asks })).toEqual([
          '1/1',
          'refused by 0',
          '2/2',
          'refused by 0',
        ])
        const other = [
          ask(0, { ...many, member: 'ż 3\r\n' }),
          ask(1, { ...many, member: 'c-1' }),
          ask(2, { ...many, member: '' }),
        ]
        expect(
          await answersTo(state, {
            keepsPlaces,
            lock: lock(),
            token,
            from: 0,
            to: 3,
            caps: [{ ...caps[0]!, until: 3n }],
            asks: other,
          }),
        ).toEqual(expected)
      },
    )

    test('units: as much as is left; a smaller one may still pass', async () => {
      const token = await fresh()
      const caps = [{ key: key('budget/all') }]
      const units = (offset: number, n: number) => ask(offset, { limit: 100, units: n })
      expect(
        await answersTo(state, {
          lock: lock(),
          token,
          from: 0,
          to: 9,
          caps,
          asks: [units(0, 60), units(1, 41), units(2, 40), units(3, 1), units(4, 0)],
        }),
      ).toEqual(['1/60', 'refused by 0', '2/100', 'refused by 0', '3/100'])
    })

    test.each([-1, -12_345_678, -123_456_789, -1_234_567_890, -9_007_199_254_740_991])(
      'a limit below 0 gives no place, not even for 0 units: %i',
      async limit => {
        const token = await fresh()
        const caps = [{ key: key('budget/all') }]
        const asks = [ask(0, { limit }), ask(1, { limit, units: 0 }), ask(2)]
        expect(await answersTo(state, { lock: lock(), token, from: 0, to: 2, caps, asks })).toEqual([
          'refused by 0',
          'refused by 0',
          '1/1',
        ])
      },
    )

    test.each([
      [true, ['2/9223372036854775807', '1/9214364837600034815', '3/9223372036854775807']],
      [false, ['1/9214364837600034814', '2/9214364837600034815', '3/9214364837600034815']],
    ] as const)('units beyond 2^53 are counted exactly: places kept %s', async (keepsPlaces, expected) => {
      const token = await fresh()
      const caps = [{ key: key('budget/all') }]
      const units = (offset: number, n: bigint) => ({ offset, caps: [{ cap: 0, limit: 9_223_372_036_854_775_807n, units: n }] })
      const asks = [units(0, 9_007_199_254_740_993n), units(1, 9_214_364_837_600_034_814n), units(2, 1n), units(3, 0n)]
      expect(await answersTo(state, { keepsPlaces, lock: lock(), token, from: 0, to: 3, caps, asks })).toEqual([
        '1/9007199254740993',
        '2/9223372036854775807',
        'refused by 0',
        '3/9223372036854775807',
      ])
      expect(
        await answersTo(state, {
          keepsPlaces,
          lock: lock(),
          token,
          from: 0,
          to: 3,
          caps: [{ ...caps[0]!, until: 3n }],
          asks: asks.slice(1),
        }),
      ).toEqual(expected)
    })

    test.each([
      [true, ['refused by 0', '2/100']],
      [false, ['1/11', 'refused by 0']],
    ] as const)('other units at another attempt are asked for anew: places kept %s', async (keepsPlaces, expected) => {
      const token = await fresh()
      const caps = [{ key: key('budget/all') }]
      const units = (offset: number, n: number) => ask(offset, { limit: 100, units: n })
      await answersTo(state, { keepsPlaces, lock: lock(), token, from: 0, to: 1, caps, asks: [units(0, 10), units(1, 90)] })
      expect(
        await answersTo(state, {
          keepsPlaces,
          lock: lock(),
          token,
          from: 0,
          to: 1,
          caps: [{ ...caps[0]!, until: 1n }],
          asks: [units(0, 11), units(1, 90)],
        }),
      ).toEqual(expected)
    })

    test("within: by the records' time, places that lie after it count", async () => {
      const token = await fresh()
      const caps = [{ key: key('greeting/c-1'), withinMs: 24 * hour, expiresMs: 1000 * hour }]
      const at = (offset: number, hours: number) => ask(offset, { timeMs: hours * hour })
      expect(
        await answersTo(state, {
          lock: lock(),
          token,
          from: 0,
          to: 9,
          caps,
          asks: [at(0, 10), at(1, 33), at(2, 33.5), at(3, 34), at(4, 34)],
        }),
      ).toEqual(['1/1', '2/2', 'refused by 0', '1/2', 'refused by 0'])
      // A record from the past sees those that are younger than it.
      expect(
        await answersTo(state, { lock: lock(), token, from: 10, to: 12, caps, asks: [at(10, 5), at(11, 57), at(12, 58)] }),
      ).toEqual(['refused by 0', '2/2', '1/2'])
    })

    test('a member may come again when its place has left the window', async () => {
      const token = await fresh()
      const caps = [{ key: key('once/all'), withinMs: 24 * hour, expiresMs: 1000 * hour }]
      const at = (offset: number, hours: number) => ask(offset, { timeMs: hours * hour, member: 'c-1', limit: 9 })
      expect(
        await answersTo(state, { lock: lock(), token, from: 0, to: 9, caps, asks: [at(0, 0), at(1, 23), at(2, 24), at(3, 25)] }),
      ).toEqual(['1/1', 'refused by 0', '1/1', 'refused by 0'])
    })

    test.each([[true], [false]] as const)(
      'several caps: all or none; the first that refuses is told: places kept %s',
      async keepsPlaces => {
        const token = await fresh()
        const caps = [{ key: key('{c}/a') }, { key: key('{c}/b') }]
        const both = (offset: number, a: number, b: number) => ({
          offset,
          caps: [
            { cap: 0, limit: a },
            { cap: 1, limit: b },
          ],
        })
        const asks = [both(0, 9, 1), both(1, 9, 1), both(2, 1, 1), both(3, 9, 2)]
        expect(await answersTo(state, { keepsPlaces, lock: lock(), token, from: 0, to: 3, caps, asks })).toEqual([
          '1/1 1/1',
          'refused by 1',
          'refused by 0',
          '2/2 2/2',
        ])
        // One of them is asked for more than at the first attempt, and refuses: the place in the other goes back.
        const more = [
          both(0, 9, 1),
          {
            offset: 3,
            caps: [
              { cap: 0, limit: 9 },
              { cap: 1, limit: 2, units: 2 },
            ],
          },
          both(4, 2, 2),
        ]
        const again = caps.map(cap => ({ ...cap, until: 3n }))
        expect(await answersTo(state, { keepsPlaces, lock: lock(), token, from: 0, to: 4, caps: again, asks: more })).toEqual([
          '1/1 1/1',
          'refused by 1',
          '2/2 2/2',
        ])
      },
    )

    test.each([
      [true, ['2/2', '1/2']],
      [false, ['1/1', '2/2']],
    ] as const)(
      'a shared cap: two scenarios with equal topics give back only their own: places kept %s',
      async (keepsPlaces, expected) => {
        const token = await fresh()
        const shared = [{ key: `sluice:shared/${scope}:promotion/all`, isShared: true }]
        const mine = lock()
        const theirs = { ...lock(), scope: `other-${scope}` }
        const other = await claimed(state, theirs)
        const three = { limit: 3 }
        expect(
          await answersTo(state, { keepsPlaces, lock: mine, token, from: 0, to: 0, caps: shared, asks: [ask(0, three)] }),
        ).toEqual(['1/1'])
        expect(
          await answersTo(state, {
            keepsPlaces,
            lock: theirs,
            token: other,
            from: 0,
            to: 0,
            caps: shared,
            asks: [ask(0, three)],
          }),
        ).toEqual(['2/2'])
        expect(
          await answersTo(state, { keepsPlaces, lock: mine, token, from: 0, to: 0, caps: [{ ...shared[0]!, until: 0n }] }),
        ).toEqual([])
        expect(
          await answersTo(state, {
            keepsPlaces,
            lock: theirs,
            token: other,
            from: 0,
            to: 1,
            caps: [{ ...shared[0]!, until: 0n }],
            asks: [ask(0, three), ask(1, three)],
          }),
        ).toEqual(expected)
      },
    )

    test.each([true, false])(
      'rehearsed: what a write would answer, record by record, and nothing is written: places kept %s',
      async keepsPlaces => {
        const token = await fresh()
        const other = await claimed(state, lock(1))
        const caps = [{ key: key('{c}/a') }, { key: key('{c}/b') }, { key: key('{c}/c'), withinMs: hour, expiresMs: 1000 * hour }]
        const one = (offset: number, cap: number, more = {}) => ({
          offset,
          timeMs: offset * hour,
          caps: [{ cap, limit: 5, member: `m ${offset}\r\n`, ...more }],
        })
        const before = [one(0, 1, { units: 2 }), one(1, 2), one(2, 0)]
        await answersTo(state, { keepsPlaces, lock: lock(1), token: other, from: 0, to: 2, caps, asks: before })
        // Committed up to 3, and an attempt at the rest that was not.
        await answersTo(state, { keepsPlaces, lock: lock(), token, from: 0, to: 2, caps, asks: before })
        const lost = [one(3, 0, { member: 'x' }), one(4, 1)]
        await answersTo(state, { keepsPlaces, lock: lock(), token, from: 3, to: 6, caps, asks: lost })
        const asks = [one(3, 0), one(4, 1), one(5, 0, { units: 4 }), one(6, 0, { member: 'm 3\r\n' }), one(6, 2), one(7, 1)]
        const again = caps.map(cap => ({ ...cap, until: 4n }))
        const rehearsal = state.rehearseCaps([{ lock: lock(), position: 3n }], keepsPlaces)
        await rehearsal.read(
          caps.slice(0, 2).map(({ key }) => ({ key, isShared: false })),
          deadline,
        )
        const rehearsed: string[] = []
        for (const ask of asks) {
          const write = attempt({ keepsPlaces, lock: lock(), token, from: ask.offset, to: ask.offset, caps: again, asks: [ask] })
          rehearsed.push(...(await rehearsal.judge(write, deadline)).map(textOf))
        }
        const answers = await answersTo(state, { keepsPlaces, lock: lock(), token, from: 3, to: 7, caps: again, asks })
        const expected = ['2/2', '2/3', 'refused by 0', 'refused by 0', '1/1', '3/4']
        expect([rehearsed, answers]).toEqual([expected, expected])
      },
    )

    test('only what a record has for its key tears caps apart, and only in a cluster', async () => {
      await fresh()
      const apart = [
        ['{}/day', '{}/week'],
        ['{}x}/day', '{}x}/week'],
        ['{c}/day', '{c}/week'],
        ['day', 'week'],
      ].map(keys => state.areApart?.(keys))
      const isCluster = name === 'Redis Cluster'
      expect(apart.map(answer => answer === true)).toEqual([isCluster, isCluster, false, false])
    })

    test('1,000 records ask one key', async () => {
      const token = await fresh()
      const caps = [{ key: key('all/all') }]
      const answers = await answersTo(state, {
        lock: lock(),
        token,
        from: 0,
        to: 999,
        caps,
        asks: Array.from({ length: 1000 }, (_, i) => ask(i, { limit: 700, member: `${i}` })),
      })
      expect([answers[0], answers[699], answers[700], answers[999]]).toEqual(['1/1', '700/700', 'refused by 0', 'refused by 0'])
    })
  })
})
