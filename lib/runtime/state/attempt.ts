// What records leave for later ones, as if every record had been decided once, in order (state.md). The Kafka commit is the only decision: the
// store keeps two values and the offset that separates them, and our committed position tells which of them counts. So nothing is promoted or
// rolled back after a commit.
import { Failure } from '../../plan/failure.ts'
import { type Columns, type SourceRecord, Status, type Step, type StoredItem, unset } from '../../plan/plan.ts'
import type { Deadline, StateAnswer, StateOutcome, StateWrite, TopicPartition } from '../ports.ts'
import type { Held, StateClaims } from './claims.ts'
import { capKey, entryOf, idOf, scopeOf } from './keys.ts'

/** A value larger than this is a dead letter `too-large` (scenario-format.md, State). */
const maxValueBytes = 16_384

/** Garbage collection of cap keys waits for so long after `within` (state.md, section 4); Kafka's default retention is a week. */
const slackMs = 8 * 86_400_000

/** A partition's part of the batch. */
export interface StatePartition {
  readonly partition: TopicPartition
  /** Undefined: nothing was committed, the mapping is trusted. */
  readonly position: bigint | undefined
  /** Of the delivered batch, tombstones included. */
  readonly firstOffset: bigint
  readonly nextOffset: bigint
  readonly todo: readonly SourceRecord[]
}

/**
 * Records whose part in the state another attempt at this batch has found out: a Failure for one that is a dead letter for a reason that is
 * known late, and leaves nothing; `leaves` for one that seemed to fail, and is dropped by a later filter.
 */
export type Corrections = Map<SourceRecord, Failure | 'leaves'>

/** One attempt at a batch: reads, judges in order, writes. Made anew where a record turns out late to be a dead letter. */
export class StateAttempt {
  readonly #claims: StateClaims
  readonly #columns: Columns
  readonly #partitions: readonly StatePartition[]
  /** By record index. */
  readonly #partitionOf: Int32Array
  readonly #corrections: Corrections
  /** By entry: the newest value of a partition's key that this batch has left. */
  readonly #left: readonly Map<string, Left>[]
  /** By entry and record: whether it was taken to leave something. */
  readonly #assumed: readonly Uint8Array[]
  readonly #positions = new Map<string, bigint>()
  /** By partition, once written. */
  #outcomes: readonly (StateOutcome | undefined)[] = []
  #writes: readonly StateWrite[] = []

  constructor(claims: StateClaims, columns: Columns, partitions: readonly StatePartition[], corrections: Corrections) {
    this.#claims = claims
    this.#columns = columns
    this.#partitions = partitions
    this.#corrections = corrections
    this.#partitionOf = Int32Array.from(partitions.flatMap(({ todo }, p) => todo.map(() => p)))
    this.#left = claims.plan.state.remember.map(() => new Map())
    this.#assumed = claims.plan.state.remember.map(() => new Uint8Array(columns.recordCount))
    for (const one of partitions) this.#positions.set(idOf(one.partition), one.position ?? one.firstOffset)
  }

  /** After a fetch: the first record of each key sees what is stored; those after it wait until the first has been judged. */
  async opened(
    lookups: readonly number[],
    readPosition: (partition: TopicPartition) => Promise<bigint | undefined>,
  ): Promise<void> {
    const columns = this.#columns
    for (const [e, { lookup, decode }] of this.#claims.plan.state.remember.entries()) {
      if (!lookups.includes(lookup)) continue
      const stored = columns.lookups[lookup] as (StoredItem | Failure | null | undefined)[]
      await this.#readPositions(stored, readPosition)
      const { before } = columns.remembered[e]!
      const seen = new Set<string>()
      for (let i = 0; i < columns.recordCount; i++) {
        const item = stored[i]
        if (item === undefined) continue
        if (item === null) before[i] = decode(null, '')
        else if (item instanceof Failure) before[i] = item
        else {
          const id = this.#chainId(item, i)
          if (!seen.has(id)) before[i] = decode(this.#textOf(item), item.key)
          seen.add(id)
        }
      }
    }
  }

  /** Judges the records in order, each with what those before it left. */
  settle({ entries, judge }: Step & { readonly kind: 'settle' }): void {
    const columns = this.#columns
    const { remember } = this.#claims.plan.state
    for (let i = 0; i < columns.recordCount; i++) {
      if (columns.status[i] === Status.undecodable) continue
      for (const e of entries) this.#see(e, i)
      judge(columns, i)
      for (const e of entries) {
        const { lookup, encode, name } = remember[e]!
        const { after } = columns.remembered[e]!
        const item = columns.lookups[lookup]![i] as StoredItem | Failure | null | undefined
        if (item === undefined || item === null) after[i] = undefined
        const value = after[i]
        if (value === undefined || value instanceof Failure) continue
        const text = encode(value)
        if (text.length > maxValueBytes / 3 && Buffer.byteLength(text) > maxValueBytes) {
          after[i] = new Failure(
            'too-large',
            `state ${name}`,
            `what state "${name}" would remember has more than ${maxValueBytes} bytes`,
          )
        } else if (this.#leaves(i)) {
          this.#assumed[e]![i] = 1
          this.#left[e]!.set(this.#chainId(item as StoredItem, i), {
            value,
            text,
            item: item as StoredItem,
            partition: this.#partitionOf[i]!,
          })
        }
      }
    }
  }

  /**
   * Step 5: remembers, and gives places. Gives false where a record was taken to leave something, or nothing, and that has turned out to be
   * wrong: nothing is written then, and another attempt must be made.
   */
  async write(deadline: Deadline): Promise<boolean> {
    const { caps } = this.#claims.plan.state
    this.#judgeLate()
    const asks = this.#partitions.map((): Ask[] => [])
    for (let i = 0; i < this.#columns.recordCount; i++) {
      if (this.#columns.status[i] !== Status.open || caps.length === 0) continue
      const ask = this.#askOf(i)
      if (ask instanceof Failure) this.#fail(i, ask)
      else if (ask.caps.length > 0) asks[this.#partitionOf[i]!]!.push(ask)
    }
    if (this.#correct()) return false
    const byPartition: (StateOutcome | undefined)[] = this.#partitions.map((_, p) => this.#refusalOf(p))
    const open = this.#partitions.flatMap((one, p) =>
      one.nextOffset === one.position || byPartition[p] !== undefined ? [] : [p],
    )
    this.#writes = open.map(p => this.#writeOf(p, asks[p]!))
    const outcomes = await this.#claims.port.write(this.#writes, deadline)
    for (const [w, p] of open.entries()) byPartition[p] = outcomes[w]
    this.#outcomes = byPartition
    for (const [w, one] of this.#writes.entries()) if (outcomes[w]!.kind === 'written') this.#claims.written(one)
    for (const [p, outcome] of byPartition.entries()) if (outcome !== undefined) this.#grant(asks[p]!, outcome)
    return true
  }

  /**
   * A key that another partition has written and not committed is not taken over: its commit would follow, and be forgotten. Only this partition
   * comes again: where both are in one batch, the other one has to get on.
   */
  #refusalOf(p: number): StateOutcome | undefined {
    const own = idOf(this.#partitions[p]!.partition)
    for (const left of this.#left) {
      for (const { partition, item } of left.values()) {
        if (partition !== p || item.tp === undefined || item.tp === own) continue
        if (item.at >= this.#positions.get(item.tp)!) return { kind: 'moved', key: item.key }
      }
    }
    return undefined
  }

  /** After the outputs are made: false where a record that left something has become a dead letter. */
  isSound(): boolean {
    return !this.#correct()
  }

  /** Undefined: nothing was to be written. */
  outcomeOf(partition: TopicPartition): StateOutcome | undefined {
    return this.#outcomes[this.#partitions.findIndex(one => idOf(one.partition) === idOf(partition))]
  }

  committed(partition: TopicPartition, position: bigint): void {
    if (this.outcomeOf(partition) !== undefined) this.#claims.committed(partition, position)
  }

  /** What this attempt has left, for metrics: records by `remembered.ENTRY` and `places.CAP`. */
  kept(partition: TopicPartition): ReadonlyMap<string, number> {
    const p = this.#partitions.findIndex(one => idOf(one.partition) === idOf(partition))
    const { remember, caps } = this.#claims.plan.state
    const left = (has: (i: number) => boolean) =>
      this.#partitionOf.reduce((sum, of, i) => (of === p && has(i) ? sum + 1 : sum), 0)
    const counts = [
      ...remember.map(({ name }, e) => [`remembered.${name}`, left(i => this.#assumed[e]![i] === 1)] as const),
      ...caps.map(({ name }, c) => [`places.${name}`, left(i => this.#columns.places[c]![i] !== undefined)] as const),
    ]
    return new Map(counts.filter(([, count]) => count > 0))
  }

  /** Remember entries of which this attempt has taken keys over from other partitions, with how many. */
  takenOver(partition: TopicPartition): ReadonlyMap<string, number> {
    const counts = new Map<string, number>()
    const write = this.#writes.find(({ lock }) => idOf(lock.partition) === idOf(partition))
    for (const { key, expected } of write?.items ?? []) {
      if (expected === undefined) continue
      const entry = entryOf(key)
      counts.set(entry, (counts.get(entry) ?? 0) + 1)
    }
    return counts
  }

  async #readPositions(
    stored: readonly (StoredItem | Failure | null | undefined)[],
    readPosition: (partition: TopicPartition) => Promise<bigint | undefined>,
  ): Promise<void> {
    const foreign = new Set<string>()
    for (const item of stored) {
      if (item === undefined || item === null || item instanceof Failure || item.tp === undefined) continue
      if (!this.#positions.has(item.tp)) foreign.add(item.tp)
    }
    await Promise.all(
      [...foreign].map(async tp => {
        const slash = tp.lastIndexOf('/')
        const position = await readPosition({ topic: tp.slice(0, slash), partition: Number(tp.slice(slash + 1)) })
        this.#positions.set(tp, position ?? 0n)
      }),
    )
  }

  #see(e: number, i: number): void {
    const { lookup, decode } = this.#claims.plan.state.remember[e]!
    const { before } = this.#columns.remembered[e]!
    const item = this.#columns.lookups[lookup]![i] as StoredItem | Failure | null | undefined
    if (before[i] !== unset || item === undefined || item === null || item instanceof Failure) return
    const left = this.#left[e]!.get(this.#chainId(item, i))
    before[i] = left === undefined ? decode(this.#textOf(item), item.key) : left.value
  }

  /** A key belongs in one partition; where two of a batch use it, each goes by its own. */
  #chainId(item: StoredItem, i: number): string {
    return this.#partitions.length === 1 ? item.key : `${this.#partitionOf[i]} ${item.key}`
  }

  /** The value that counts. */
  #textOf({ base, head, at, tp }: StoredItem): string | null {
    if (tp === undefined) return null
    return at < this.#positions.get(tp)! ? head : base
  }

  #leaves(i: number): boolean {
    const known = this.#corrections.get(this.#columns.record[i]!)
    return known === undefined ? this.#columns.status[i] !== Status.failing : known === 'leaves'
  }

  /** A record that passes, and of which nobody knows whether it counts or what it leaves, is a dead letter. */
  #judgeLate(): void {
    const { status, remembered, record } = this.#columns
    for (let i = 0; i < this.#columns.recordCount; i++) {
      if (status[i] !== Status.open) continue
      const known = this.#corrections.get(record[i]!)
      let failure = known instanceof Failure ? known : undefined
      for (const { after } of remembered) {
        const left = after[i]
        if (left instanceof Failure) failure ??= left
      }
      if (failure !== undefined) this.#fail(i, failure)
    }
  }

  #fail(i: number, failure: Failure): void {
    this.#columns.status[i] = Status.failing
    this.#columns.failure[i] = failure
  }

  #askOf(i: number): Ask | Failure {
    const { caps } = this.#claims.plan.state
    const asked: AskedCap[] = []
    for (const [c, cap] of caps.entries()) {
      const when = cap.when(this.#columns, i)
      if (when instanceof Failure) return when
      const key = when ? cap.key(this.#columns, i) : undefined
      if (key === undefined) continue
      const [limit, member, units] = [
        cap.limit(this.#columns, i),
        cap.member?.(this.#columns, i),
        cap.take?.(this.#columns, i) ?? 1n,
      ]
      for (const part of [key, limit, member, units]) if (part instanceof Failure) return part
      if ((units as bigint) < 0n) return new Failure('expression-failed', `take of state ${cap.name}`, 'takes less than nothing')
      asked.push({
        c,
        key: this.#capKey(c, key as string),
        limit: limit as bigint,
        member: member as string | undefined,
        units: units as bigint,
      })
    }
    return { i, caps: asked }
  }

  #capKey(c: number, key: string): string {
    return capKey(this.#claims.plan, this.#claims.plan.state.caps[c]!, key)
  }

  #writeOf(p: number, asks: readonly Ask[]): StateWrite {
    const { plan } = this.#claims
    const { partition, nextOffset } = this.#partitions[p]!
    const position = this.#positions.get(idOf(partition))!
    const held = this.#claims.held(partition)
    const last = nextOffset - 1n
    const changed = this.#left.flatMap(left => [...left.values()].filter(one => one.partition === p))
    const changedKeys = new Set(changed.map(({ item }) => item.key))
    // They were touched by an attempt that did not commit: when this one does, their head must not begin to count.
    const isUncommitted = held.last !== undefined && held.last >= position
    const leftovers = isUncommitted ? [...held.leftovers].filter(([key]) => !changedKeys.has(key)) : []
    const caps = this.#capsOf(asks, held, position)
    const capIndexes = new Map(caps.map(({ key }, index) => [key, index]))
    return {
      lock: { scope: scopeOf(plan), partition },
      token: held.token,
      signature: plan.state.signature,
      position,
      last,
      items: [
        ...changed.map(({ text, item }) => ({
          key: item.key,
          base: this.#textOf(item),
          head: text,
          at: last,
          // An earlier write of this batch may have taken it over already.
          ...(item.tp !== undefined &&
            item.tp !== idOf(partition) &&
            !held.leftovers.has(item.key) && { expected: { at: item.at, tp: item.tp } }),
        })),
        ...leftovers.map(([key, item]) => {
          const value = item.at < position ? item.head : item.base
          return { key, base: value, head: value, at: -1n }
        }),
      ],
      changed: [...changedKeys],
      keepsPlaces: plan.delivery === 'at-least-once',
      caps,
      asks: asks.map(({ i, caps: asked }) => ({
        offset: BigInt(this.#columns.record[i]!.offset),
        timeMs: this.#columns.record[i]!.timestampMs,
        caps: asked.map(({ key, limit, units, member }) => ({ cap: capIndexes.get(key)!, limit, units, member })),
      })),
    }
  }

  #capsOf(asks: readonly Ask[], held: Held, position: bigint): StateWrite['caps'] {
    const { caps } = this.#claims.plan.state
    const all = new Map<string, StateWrite['caps'][number]>()
    const add = (key: string, c: number) => {
      const { withinMs, sharedBy } = caps[c]!
      const expiresMs = withinMs === undefined ? undefined : withinMs + slackMs
      all.set(key, { key, until: held.caps.get(key), withinMs, expiresMs, isShared: sharedBy !== undefined })
    }
    for (const { caps: asked } of asks) for (const { key, c } of asked) add(key, c)
    for (const [key, until] of held.caps) {
      const c = caps.findIndex((_, index) => key.startsWith(this.#capKey(index, '')))
      // A cap that the scenario no longer has keeps its places.
      if (until >= position && !all.has(key) && c >= 0) add(key, c)
    }
    return [...all.values()]
  }

  #grant(asks: readonly Ask[], outcome: StateOutcome): void {
    if (outcome.kind !== 'written') {
      // The partition will not be committed, and what reads a place must not be asked for one.
      for (const { i } of asks) this.#columns.status[i] = Status.dropped
      return
    }
    const { caps } = this.#claims.plan.state
    for (const [a, { i, caps: asked }] of asks.entries()) {
      const answer: StateAnswer = outcome.answers[a]!
      if (answer.kind === 'granted') {
        for (const [n, { c }] of asked.entries()) {
          const { number, used } = answer.places[n]!
          this.#columns.places[c]![i] = caps[c]!.place(number, used)
        }
      } else {
        this.#columns.status[i] = Status.dropped
        this.#columns.droppedBy[i] = caps[asked[answer.cap]!.c]!.name
      }
    }
  }

  /**
   * Learns which records leave something after all, or nothing. Of records that hang together by their keys only the first is learned: the
   * others saw what it left. Each attempt learns more, so it ends.
   */
  #correct(): boolean {
    const { remember, caps } = this.#claims.plan.state
    const { record, status, failure, remembered, lookups } = this.#columns
    const tainted = new Set<string>()
    let learned = false
    for (let i = 0; i < this.#columns.recordCount; i++) {
      if (status[i] === Status.undecodable) continue
      const known = this.#corrections.get(record[i]!)
      const isDead = failure[i] !== undefined || known instanceof Failure
      let isWrong = false
      for (let e = 0; e < remembered.length; e++) {
        const left = remembered[e]!.after[i]
        const isLeft = left !== undefined && !(left instanceof Failure) && !isDead
        if (isLeft !== (this.#assumed[e]![i] === 1)) isWrong = true
      }
      // A place that was given to it must be given back.
      const hasPlace = isDead && caps.some((_, c) => this.#columns.places[c]![i] !== undefined)
      // Nearly always: then nobody asks which records hang together.
      if (!isWrong && !hasPlace && tainted.size === 0) continue
      const ids = remember.flatMap(({ lookup }) => {
        const item = lookups[lookup]![i] as StoredItem | Failure | null | undefined
        return item === undefined || item === null || item instanceof Failure ? [] : [this.#chainId(item, i)]
      })
      const isTainted = ids.some(id => tainted.has(id))
      if ((isWrong || hasPlace) && !isTainted) {
        this.#corrections.set(record[i]!, failure[i] ?? 'leaves')
        learned = true
      }
      if (isWrong || isTainted) for (const id of ids) tainted.add(id)
    }
    return learned
  }
}

/** What a batch has left under a key so far. */
interface Left {
  readonly value: object
  readonly text: string
  readonly item: StoredItem
  readonly partition: number
}

interface Ask {
  readonly i: number
  readonly caps: readonly AskedCap[]
}

interface AskedCap {
  /** Index into `StatePlan.caps`. */
  readonly c: number
  readonly key: string
  readonly limit: bigint
  readonly member: string | undefined
  readonly units: bigint
}
