// A partition becomes ours: what is asked of lock and log, in which order, what of a batch is left, and what is told.
import { describe, expect, test } from 'vitest'
import type { Plan, SourceRecord } from '../../lib/plan/plan.ts'
import { Ownership } from '../../lib/runtime/ownership.ts'
import type { Deadline } from '../../lib/runtime/ports.ts'

const deadline: Deadline = { remainingMs: () => 60_000 }
const visits7 = { topic: 'visits', partition: 7 }
const session = { transactionalId: 'x', epoch: 4 } as never

function record(offset: number, value: Uint8Array | null = Buffer.from('{}')): SourceRecord {
  return { ...visits7, offset, timestampMs: 0, key: null, value, headers: [] }
}

interface Scene {
  readonly plan?: Partial<Plan>
  /** What Kafka has of us. */
  readonly position?: bigint
  readonly end?: bigint
  readonly start?: bigint
  /** Of a scenario with state: what the lock holds, and whether the store knows of all that is committed, asked again and again. */
  readonly lock?: { readonly position?: bigint; readonly isComplete?: readonly boolean[] }
}

function scene({ plan = {}, position, end = 1000n, start = 0n, lock }: Scene) {
  const calls: string[] = []
  const held = { session: false, lock: false }
  const complete = [...(lock?.isComplete ?? [true])]
  const sessions = {
    holds: () => held.session,
    claim: async () => {
      if (!held.session) calls.push('fence, then position')
      held.session = true
      return { session, position }
    },
    assertPosition: async (_: unknown, skippedTo: bigint) => {
      calls.push(`end of log for ${skippedTo}`)
      if (skippedTo > end) throw new Error('position-beyond-end')
    },
    forget: () => {
      held.session = false
    },
  }
  const locks = {
    isHeld: () => held.lock,
    claim: async () => {
      calls.push('lock')
      held.lock = true
    },
    held: () => ({ position: lock?.position }),
    isComplete: async (_: unknown, upTo: bigint | undefined) => {
      calls.push(`store knows all below ${upTo}`)
      const isComplete = complete.shift() ?? true
      if (!isComplete) held.lock = false
      return isComplete
    },
    forget: () => {
      held.lock = false
    },
  }
  const world = {
    kafka: {
      startOffset: async () => {
        calls.push('start of log')
        return start
      },
    },
    log: {
      info: (message: string) => void calls.push(`info: ${message}`),
      error: (_: string, { id }: Readonly<Record<string, unknown>>) => void calls.push(`error: ${id}`),
    },
    metrics: { count: (name: string, by: number) => void calls.push(`${name} ${by}`), flush: () => undefined },
  }
  const whole = { scenario: 's', generation: 1, delivery: 'exactly-once', ...(lock && { state: {} }), ...plan } as Plan
  return { calls, ownership: new Ownership(whole, world, sessions, lock && locks) }
}

const batch = { ...visits7, records: [record(40), record(41, null), record(43)] }

describe('what is left of offsets 40, 41 (a tombstone) and 43', () => {
  test.each([
    ['nothing is committed', { position: undefined }, [40, 43], 44n, ['fence, then position']],
    ['our position is the first', { position: 40n }, [40, 43], 44n, ['fence, then position']],
    ['offsets before them are missing', { position: 38n }, [40, 43], 44n, ['fence, then position', 'gap 2']],
    [
      'the first is committed',
      { position: 41n },
      [43],
      44n,
      ['fence, then position', 'end of log for 41', 'skipped 1', 'info: skipped records that are committed'],
    ],
    [
      'all are committed, and more',
      { position: 60n },
      [],
      60n,
      ['fence, then position', 'end of log for 60', 'skipped 3', 'info: skipped records that are committed'],
    ],
  ])('where %s', async (_, given, todo, nextOffset, calls) => {
    const { ownership, calls: made } = scene(given)
    const share = await ownership.take(batch, deadline)
    expect(share.todo.map(({ offset }) => offset)).toEqual(todo)
    expect([share.partition, share.nextOffset]).toEqual([visits7, nextOffset])
    expect(made).toEqual(calls)
  })

  test('nothing is skipped up to a position beyond the end', async () => {
    const { ownership, calls } = scene({ position: 60n, end: 50n })
    await expect(ownership.take(batch, deadline)).rejects.toThrow('position-beyond-end')
    expect(calls).toEqual(['fence, then position', 'end of log for 60'])
  })
})

describe('with state', () => {
  test('the lock comes before the fence, the fence before the position', async () => {
    const { ownership, calls } = scene({ position: 40n, lock: {} })
    await ownership.take(batch, deadline)
    expect(calls).toEqual(['lock', 'fence, then position', 'store knows all below 40'])
  })

  test('both are claimed once while the container is warm, and together after a failed attempt', async () => {
    const { ownership, calls } = scene({ position: 40n, lock: {} })
    await ownership.take(batch, deadline)
    await ownership.take(batch, deadline)
    ownership.forget(visits7)
    await ownership.take(batch, deadline)
    const known = 'store knows all below 40'
    expect(calls).toEqual(['lock', 'fence, then position', known, known, 'lock', 'fence, then position', known])
  })

  test('where another has claimed meanwhile, it is claimed again, three times at most', async () => {
    const again = scene({ position: 40n, lock: { isComplete: [false, true] } })
    await again.ownership.take(batch, deadline)
    const round = ['lock', 'fence, then position', 'store knows all below 40']
    expect(again.calls).toEqual([...round, ...round])
    const fought = scene({ position: 40n, lock: { isComplete: [false, false, false] } })
    await expect(fought.ownership.take(batch, deadline)).rejects.toMatchObject({ id: 'fenced' })
    expect(fought.calls).toEqual([...round, ...round, ...round])
  })

  test('at least once the position is the one in the lock', async () => {
    const { ownership } = scene({ plan: { delivery: 'at-least-once' }, lock: { position: 43n } })
    const { todo, claim } = await ownership.take(batch, deadline)
    expect([todo.map(({ offset }) => offset), claim.position]).toEqual([[43], 43n])
  })
})

test('without state a failed attempt leaves the claim to the commit, which knows what became of it', async () => {
  const { ownership, calls } = scene({ position: 40n })
  await ownership.take(batch, deadline)
  ownership.forget(visits7)
  await ownership.take(batch, deadline)
  expect(calls).toEqual(['fence, then position'])
})

describe('a generation that begins in the middle of a topic is told of', () => {
  const told = ['fence, then position', 'start of log', 'positionGuard 1', 'error: generation-midway']
  test.each([
    ['the first generation', { plan: { generation: 1 } }, ['fence, then position']],
    ['a later one', { plan: { generation: 2 } }, told],
    ['a later one, of which something is committed', { plan: { generation: 2 }, position: 40n }, ['fence, then position']],
    [
      'a later one, and older records are gone',
      { plan: { generation: 2 }, start: 40n },
      ['fence, then position', 'start of log'],
    ],
    [
      'at least once, where nobody has a position',
      { plan: { generation: 2, delivery: 'at-least-once' } },
      ['fence, then position'],
    ],
  ] as const)('%s', async (_, given, calls) => {
    const { ownership, calls: made } = scene(given)
    await ownership.take(batch, deadline)
    expect(made).toEqual(calls)
  })
})
