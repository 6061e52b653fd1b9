// What tests write: a partition's lock, an attempt over some of its records, with what it changes and asks.
import type { Deadline, StateAnswer, StateLock, StatePort, StateWrite } from '../../../lib/runtime/ports.ts'

export const deadline: Deadline = { remainingMs: () => 5000 }
export const hour = 3_600_000

export const lockOf = (partition = 0, scope = 'win-back.1'): StateLock => ({
  scope,
  partition: { topic: 'app.visits', partition },
})

export interface Attempt {
  readonly lock?: StateLock
  readonly token: string
  readonly signature?: string
  /** Position and last offset of the batch. */
  readonly from: number
  readonly to: number
  /** What the writer believes that the lock's last offset is. */
  readonly lastBefore?: number
  readonly items?: StateWrite['items']
  readonly changed?: readonly string[]
  readonly keepsPlaces?: boolean
  readonly caps?: readonly (Pick<StateWrite['caps'][number], 'key'> & Partial<StateWrite['caps'][number]>)[]
  readonly asks?: readonly {
    readonly offset: number
    readonly timeMs?: number
    readonly caps: readonly (Pick<StateWrite['asks'][number]['caps'][number], 'cap'> & {
      readonly limit?: number | bigint
      readonly units?: number | bigint
      readonly member?: string
    })[]
  }[]
}

export function attempt({
  lock = lockOf(),
  token,
  signature = 's',
  from,
  to,
  items = [],
  caps = [],
  asks = [],
  ...rest
}: Attempt): StateWrite {
  return {
    lock,
    token,
    signature,
    position: BigInt(from),
    last: BigInt(to),
    lastBefore: rest.lastBefore === undefined ? undefined : BigInt(rest.lastBefore),
    items,
    changed: rest.changed ?? items.filter(({ at }) => at !== -1n).map(({ key }) => key),
    keepsPlaces: rest.keepsPlaces ?? false,
    caps: caps.map(cap => ({ until: undefined, withinMs: undefined, expiresMs: undefined, isShared: false, ...cap })),
    asks: asks.map(({ offset, timeMs = 0, caps: ones }) => ({
      offset: BigInt(offset),
      timeMs,
      caps: ones.map(({ cap, limit = 2, units = 1, member }) => ({ cap, limit: BigInt(limit), units: BigInt(units), member })),
    })),
  }
}

/** One attempt; its answers as short texts: `1/1` is number and used of a place, `1/1 2/5` of two caps, `refused by 0`, `full by 0`. */
export async function answersTo(store: StatePort, one: Attempt): Promise<readonly string[] | string> {
  const [outcome] = await store.write([attempt(one)], deadline)
  return outcome!.kind === 'written'
    ? outcome!.answers.map(textOf)
    : outcome!.kind === 'moved'
      ? `moved ${outcome!.key}`
      : 'stale'
}

export function textOf(answer: StateAnswer): string {
  return answer.kind !== 'granted'
    ? `${answer.kind} by ${answer.cap}`
    : answer.places.map(({ number, used }) => `${number}/${used}`).join(' ')
}

export async function claimed(store: StatePort, lock = lockOf()): Promise<string> {
  return (await store.claim(lock, deadline)).token
}
