// What records leave for later ones, as if every record had been decided once, in order (state.md). The Kafka commit is the only decision: the
// store keeps two values and the offset that separates them, and our committed position tells which of them counts. So nothing is promoted or
// rolled back after a commit.
import { Failure } from '../../plan/failure.ts'
import { capProblem } from '../../plan/keys.ts'
import { type Columns, type Plan, type SourceRecord, Status, type Step, type StoredItem, unset } from '../../plan/plan.ts'
import type { Deadline, StateAnswer, StateItem, StateOutcome, StateWrite, TopicPartition } from '../ports.ts'
import type { Held, StateClaims } from './claims.ts'
import { capKey, entryOf, idOf, scopeOf } from './keys.ts'

/** A value larger than this is a dead letter `too-large` (scenario-format.md, State). */
const maxValueBytes = 16_384

const dayMs = 86_400_000
const usualRetentionMs = 7 * dayMs

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

/** What other partitions have written. */
export interface OtherPartitions {
  readonly position: (partition: TopicPartition) => Promise<bigint | undefined>
  /** Fills the columns of these look-ups once more. */
  readonly readAgain: (lookups: readonly number[]) => Promise<void>
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
  readonly #ids: readonly string[]
  /** By record index. */
  readonly #partitionOf: Int32Array
  readonly #corrections: Corrections
  /** By entry: its keys in this batch. */
  readonly #chains: Chain[][]
  /** By entry and record: the key's chain; undefined where the record has none. */
  readonly #chainOf: readonly (Chain | undefined)[][]
  /** By entry and record: whether it was taken to leave something. */
  readonly #assumed: readonly Uint8Array[]
  readonly #positions: readonly bigint[]
  /** Of partitions whose items this attempt has met: read by it, since what a warm container knows of them may be long ago. */
  readonly #othersPositions = new Map<string, bigint>()
  /** By partition, once written. */
  #outcomes: readonly (StateOutcome | undefined)[] = []
  /** By partition. */
  #asked: readonly (readonly Ask[])[] = []
  #writes: readonly StateWrite[] = []

  constructor(claims: StateClaims, columns: Columns, partitions: readonly StatePartition[], corrections: Corrections) {
    this.#claims = claims
    this.#columns = columns
    this.#partitions = partitions
    this.#ids = partitions.map(({ partition }) => idOf(partition))
    this.#corrections = corrections
    this.#partitionOf = new Int32Array(columns.recordCount)
    let first = 0
    for (const [p, { todo }] of partitions.entries()) {
      this.#partitionOf.fill(p, first, first + todo.length)
      first += todo.length
    }
    this.#chains = claims.plan.state.remember.map(() => [])
    this.#chainOf = claims.plan.state.remember.map(() => new Array(columns.recordCount).fill(undefined))
    this.#assumed = claims.plan.state.remember.map(() => new Uint8Array(columns.recordCount))
    this.#positions = partitions.map(({ position, firstOffset }) => position ?? firstOffset)
  }

  /** After a fetch: the first record of each key sees what is stored; those after it wait until the first has been judged. */
  async opened(lookups: readonly number[], others: OtherPartitions): Promise<void> {
    const { remember } = this.#claims.plan.state
    let open = [...remember.keys()].filter(e => lookups.includes(remember[e]!.lookup))
    while (open.length > 0) {
      for (const e of open) this.#gather(e)
      // What another partition wrote counts up to its position, which must be older than what is read: a head that was there while it was not
      // committed may have been replaced by the time its offset is.
      open = await this.#readPositions(open, others)
      if (open.length > 0) await others.readAgain(open.map(e => remember[e]!.lookup))
    }
    for (const [e, { lookup, decode }] of remember.entries()) {
      if (!lookups.includes(lookup)) continue
      const { before } = this.#columns.remembered[e]!
      for (const chain of this.#chains[e]!) {
        chain.value = decode(this.#textOf(chain), chain.item.key)
        before[chain.first] = chain.value
      }
    }
  }

  #gather(e: number): void {
    const columns = this.#columns
    const { lookup, decode } = this.#claims.plan.state.remember[e]!
    const stored = columns.lookups[lookup] as (StoredItem | Failure | null | undefined)[]
    const { before } = columns.remembered[e]!
    const chains: Chain[] = []
    const chainOf = this.#chainOf[e]!.fill(undefined)
    // All records of a key have the same item. A key belongs in one partition; where two of a batch use it, each goes by its own.
    const byItem = this.#partitions.map(() => new Map<StoredItem, Chain>())
    for (let i = 0; i < columns.recordCount; i++) {
      const item = stored[i]
      if (item === undefined) continue
      if (item === null) before[i] = decode(null, '')
      else if (item instanceof Failure) before[i] = item
      else {
        const partition = this.#partitionOf[i]!
        let chain = byItem[partition]!.get(item)
        if (chain === undefined) {
          chain = { item, partition, first: i, value: undefined, left: undefined, text: undefined }
          byItem[partition]!.set(item, chain)
          chains.push(chain)
        }
        chainOf[i] = chain
      }
    }
    this.#chains[e] = chains
  }

  /** Judges the records in order, each with what those before it left. */
  settle({ entries, judge }: Step & { readonly kind: 'settle' }): void {
    const columns = this.#columns
    const settled = entries.map(e => ({
      ...this.#claims.plan.state.remember[e]!,
      ...columns.remembered[e]!,
      chainOf: this.#chainOf[e]!,
      assumed: this.#assumed[e]!,
    }))
    for (let i = 0; i < columns.recordCount; i++) {
      if (columns.status[i] === Status.undecodable) continue
      for (const { before, chainOf } of settled) {
        const chain = chainOf[i]
        if (chain !== undefined && before[i] === unset) before[i] = chain.value
      }
      judge(columns, i)
      for (const { name, lookup, encode, isSmall, after, chainOf, assumed } of settled) {
        const chain = chainOf[i]
        if (chain === undefined) {
          if (!(columns.lookups[lookup]![i] instanceof Failure)) after[i] = undefined
          continue
        }
        const value = after[i]
        if (value === undefined || value instanceof Failure) continue
        // What only the last record of a key leaves is stored: the others' texts are not needed.
        const text = isSmall?.(value) === true ? undefined : encode(value)
        if (text !== undefined && text.length > maxValueBytes / 3 && Buffer.byteLength(text) > maxValueBytes) {
          after[i] = new Failure(
            'too-large',
            `state ${name}`,
            `what state "${name}" would remember has more than ${maxValueBytes} bytes`,
          )
        } else if (this.#leaves(i)) {
          assumed[i] = 1
          chain.value = value
          chain.left = value
          chain.text = text
        }
      }
    }
  }

  /**
   * Step 5: remembers, and gives places. Gives false where a record was taken to leave something, or nothing, and that has turned out to be
   * wrong: nothing is written then, and another attempt must be made.
   */
  async write(deadline: Deadline): Promise<boolean> {
    this.#judgeLate()
    const asks = this.#asks()
    this.#asked = asks
    if (this.#correct()) return false
    const byPartition: (StateOutcome | undefined)[] = this.#partitions.map((_, p) => this.#refusalOf(p))
    const open = this.#partitions.flatMap((one, p) =>
      one.nextOffset === one.position || byPartition[p] !== undefined ? [] : [p],
    )
    this.#writes = open.map(p => this.#writeOf(p, asks[p]!))
    const undos = byPartition.flatMap((refusal, p) => (refusal === undefined ? [] : this.#undoOf(p)))
    const outcomes = await this.#claims.port.write([...this.#writes, ...undos], deadline)
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
    for (const chains of this.#chains) {
      for (const chain of chains) {
        if (chain.partition !== p || chain.left === undefined || !this.#isOthers(chain)) continue
        const { key, at, tp } = chain.item
        if (at >= this.#othersPositions.get(tp!)!) return { kind: 'moved', key }
      }
    }
    return undefined
  }

  /** After the outputs are made: false where a record that left something has become a dead letter. */
  isSound(): boolean {
    return !this.#correct()
  }

  /** Whether all that were wrong have been learned; of those that hang together by their keys or caps it is only the first. */
  hasLearnedAll = true

  /** Caps that this attempt asks, or that an earlier one did. */
  caps(): readonly StateWrite['caps'][number][] {
    return this.#partitions.flatMap(({ partition }, p) =>
      this.#capsOf(this.#asked[p] ?? [], this.#claims.held(partition), this.#positions[p]!),
    )
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

  /** Gives the entries that have items of partitions whose position was not known before. */
  async #readPositions(entries: readonly number[], { position }: OtherPartitions): Promise<number[]> {
    const unknown = new Set<string>()
    const met = entries.filter(e => {
      const ofOthers = this.#chains[e]!.filter(chain => this.#isOthers(chain) && !this.#othersPositions.has(chain.item.tp!))
      for (const { item } of ofOthers) unknown.add(item.tp!)
      return ofOthers.length > 0
    })
    await Promise.all(
      [...unknown].map(async tp => {
        const slash = tp.lastIndexOf('/')
        const found = await position({ topic: tp.slice(0, slash), partition: Number(tp.slice(slash + 1)) })
        this.#othersPositions.set(tp, found ?? 0n)
      }),
    )
    return met
  }

  #isOthers({ item: { tp }, partition }: Chain): boolean {
    return tp !== undefined && tp !== this.#ids[partition]
  }

  /** The value that counts. */
  #textOf(chain: Chain): string | null {
    const { base, head, at, tp } = chain.item
    if (tp === undefined) return null
    const position = this.#isOthers(chain) ? this.#othersPositions.get(tp)! : this.#positions[chain.partition]!
    return at < position ? head : base
  }

  #leaves(i: number): boolean {
    const known = this.#correctionOf(i)
    return known === undefined ? this.#columns.status[i] !== Status.failing : known === 'leaves'
  }

  #correctionOf(i: number): Failure | 'leaves' | undefined {
    // Nearly always there are none.
    return this.#corrections.size === 0 ? undefined : this.#corrections.get(this.#columns.record[i]!)
  }

  /** A record that passes, and of which nobody knows whether it counts or what it leaves, is a dead letter. */
  #judgeLate(): void {
    const { status, remembered } = this.#columns
    for (let i = 0; i < this.#columns.recordCount; i++) {
      if (status[i] !== Status.open) continue
      const known = this.#correctionOf(i)
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

  /** By partition. */
  #asks(): readonly Ask[][] {
    const asks = this.#partitions.map((): Ask[] => [])
    if (this.#claims.plan.state.caps.length === 0) return asks
    for (let i = 0; i < this.#columns.recordCount; i++) {
      if (this.#columns.status[i] !== Status.open) continue
      const ask = this.#askOf(i)
      if (ask instanceof Failure) this.#fail(i, ask)
      else if (ask.caps.length > 0) asks[this.#partitionOf[i]!]!.push(ask)
    }
    return asks
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
      const stored = this.#capKey(c, key as string)
      const problem =
        capProblem(cap.name, 'key', stored) ??
        (member === undefined ? undefined : capProblem(cap.name, 'member', member as string))
      if (problem !== undefined) return problem
      asked.push({
        c,
        key: stored,
        limit: limit as bigint,
        member: member as string | undefined,
        units: units as bigint,
      })
    }
    if (asked.length > 1 && this.#claims.port.areApart?.(asked.map(({ key }) => key)) === true) {
      const { name } = caps[asked[0]!.c]!
      return new Failure(
        'lookup-invalid',
        `key of state ${name}`,
        `cap "${name}" was not asked: what the record has for its key leaves nothing in the braces that keep its caps in one slot of the cluster`,
      )
    }
    return { i, caps: asked }
  }

  #capKey(c: number, key: string): string {
    return capKey(this.#claims.plan, this.#claims.plan.state.caps[c]!, key)
  }

  #writeOf(p: number, asks: readonly Ask[]): StateWrite {
    const { plan } = this.#claims
    const { partition, nextOffset } = this.#partitions[p]!
    const position = this.#positions[p]!
    const held = this.#claims.held(partition)
    const last = nextOffset - 1n
    const changed: StateWrite['items'][number][] = []
    for (const [e, { encode }] of plan.state.remember.entries()) {
      for (const chain of this.#chains[e]!) {
        if (chain.left === undefined || chain.partition !== p) continue
        const { item, left, text = encode(left) } = chain
        const { key, at, tp, head } = item
        const change = { key, base: this.#textOf(chain), head: text, at: last }
        // An earlier write of this batch may have taken it over already.
        const isTakenOver = this.#isOthers(chain) && !held.leftovers().has(key)
        changed.push(isTakenOver ? { ...change, expected: { at, tp: tp!, head } } : change)
      }
    }
    const changedKeys = changed.map(({ key }) => key)
    // They were touched by an attempt that did not commit: when this one does, their head must not begin to count.
    const isUncommitted = held.last !== undefined && held.last >= position
    const leftovers = isUncommitted ? without(held.leftovers(), changedKeys) : []
    const caps = this.#capsOf(asks, held, position)
    const capIndexes = new Map(caps.map(({ key }, index) => [key, index]))
    return {
      lock: { scope: scopeOf(plan), partition },
      token: held.token,
      signature: held.signature,
      position,
      last,
      lastBefore: held.last,
      items: [...changed, ...leftovers.map(([key, item]) => undone(key, item, position))],
      changed: changedKeys,
      keepsPlaces: plan.delivery === 'at-least-once',
      caps,
      asks: asks.map(({ i, caps: asked }) => ({
        offset: BigInt(this.#columns.record[i]!.offset),
        timeMs: this.#columns.record[i]!.timestampMs,
        caps: asked.map(({ key, limit, units, member }) => ({ cap: capIndexes.get(key)!, limit, units, member })),
      })),
    }
  }

  /**
   * What a refused partition's earlier attempts hold is free before its batch comes again: two that hold what the other one waits for would wait
   * for ever.
   */
  #undoOf(p: number): readonly StateWrite[] {
    const { plan } = this.#claims
    const { partition } = this.#partitions[p]!
    const position = this.#positions[p]!
    const { token, signature, last, leftovers } = this.#claims.held(partition)
    if (last === undefined || last < position || leftovers().size === 0) return []
    const keepsPlaces = plan.delivery === 'at-least-once'
    return [
      {
        lock: { scope: scopeOf(plan), partition },
        token,
        signature,
        // Outputs may be out, and with them their places: no place is behind the position then.
        position: keepsPlaces ? last + 1n : position,
        last,
        lastBefore: last,
        items: [...leftovers()].map(([key, item]) => undone(key, item, position)),
        changed: [],
        keepsPlaces,
        caps: this.#capsOf([], this.#claims.held(partition), position),
        asks: [],
      },
    ]
  }

  #capsOf(asks: readonly Ask[], held: Held, position: bigint): StateWrite['caps'] {
    const { caps } = this.#claims.plan.state
    const all = new Map<string, StateWrite['caps'][number]>()
    const add = (key: string, c: number) => {
      const { withinMs, sharedBy } = caps[c]!
      const expiresMs = withinMs === undefined ? undefined : expiryOf(withinMs, this.#claims.plan)
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
        const { name } = caps[asked[answer.cap]!.c]!
        if (answer.kind === 'full') this.#fail(i, noRoom(name))
        else {
          this.#columns.status[i] = Status.dropped
          this.#columns.droppedBy[i] = name
        }
      }
    }
  }

  /**
   * Learns which records leave something after all, or nothing. Of records that hang together by their keys only the first is learned: the
   * others saw what it left. Those that ask caps may have been told another place, or none, by any that is wrong before them.
   */
  #correct(): boolean {
    const { record, status, failure, remembered, places } = this.#columns
    const tainted = new Set<Chain>()
    let asks: Set<number> | undefined
    let learned = false
    for (let i = 0; i < this.#columns.recordCount; i++) {
      if (status[i] === Status.undecodable) continue
      const isDead = failure[i] !== undefined || this.#correctionOf(i) instanceof Failure
      let isWrong = false
      for (let e = 0; e < remembered.length; e++) {
        const left = remembered[e]!.after[i]
        const isLeft = left !== undefined && !isDead && !(left instanceof Failure)
        if (isLeft !== (this.#assumed[e]![i] === 1)) isWrong = true
      }
      // A place that was given to it must be given back.
      const hasPlace = isDead && places.some(place => place[i] !== undefined)
      // Nearly always: then nobody asks which records hang together.
      if (!isWrong && !hasPlace && !learned) continue
      const own = this.#chainOf.flatMap(chainOf => chainOf[i] ?? [])
      asks ??= new Set(this.#asked.flatMap(ofPartition => ofPartition.map(ask => ask.i)))
      const isTainted = own.some(chain => tainted.has(chain)) || (learned && asks.has(i))
      if (isWrong || hasPlace) {
        if (isTainted) this.hasLearnedAll = false
        else this.#corrections.set(record[i]!, failure[i] ?? 'leaves')
        learned = true
      }
      if (isWrong || isTainted) for (const chain of own) tainted.add(chain)
    }
    return learned
  }
}

/** A key of an entry as one partition of the batch uses it: what its records, in order, see and leave. */
interface Chain {
  readonly item: StoredItem
  readonly partition: number
  /** Its first record. */
  readonly first: number
  /** What the next record sees. */
  value: object | undefined
  /** What the batch has left so far, and its text where it was made already. */
  left: object | undefined
  text: string | undefined
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

function undone(key: string, { base, head, at }: StateItem, position: bigint): StateWrite['items'][number] {
  const value = at < position ? head : base
  return { key, base: value, head: value, at: -1n }
}

/**
 * Garbage collection of a cap's places is never seen: a function that has stood still decides records as old as their topic keeps them, whose window
 * reaches back once more (state.md, section 4).
 */
function expiryOf(
  withinMs: number,
  { sourceRetentionMs = usualRetentionMs }: Pick<Plan, 'sourceRetentionMs'>,
): number | undefined {
  return sourceRetentionMs === Number.POSITIVE_INFINITY ? undefined : withinMs + sourceRetentionMs + dayMs
}

/** Of a store that keeps all places of a key in one item (DynamoDB). */
function noRoom(cap: string): Failure {
  const cure =
    'Give it a smaller limit, a shorter within, or a key that spreads them: bucket() over 16 buckets, and a sixteenth of the limit.'
  return new Failure('too-large', `state ${cap}`, `cap "${cap}" has as many places under this key as the store takes. ${cure}`)
}

function without(items: ReadonlyMap<string, StateItem>, keys: readonly string[]): readonly (readonly [string, StateItem])[] {
  const left = new Set(keys)
  return [...items].filter(([key]) => !left.has(key))
}
