// What the stages need of the world. Connectors implement these; tests and the first command use in-memory ones.
import type { LookupAnswer, LookupCommand, LookupStore } from '../plan/plan.ts'

export interface LookupRequest {
  readonly command: LookupCommand
  /** Distinct. */
  readonly keys: readonly string[]
  /** For `member`: as many as keys. */
  readonly members?: readonly string[]
  /** Longest wait for these answers, where the deadline leaves more; undefined: as long as the deadline leaves. */
  readonly timeoutMs?: number
}

/** Longest wait for one round trip where nobody says otherwise and the invocation leaves as much. */
export const usualTimeoutMs = 2000

export interface LookupPort {
  /**
   * Answers all requests in one pipelined round trip; `answers[r][k]` belongs to `requests[r].keys[k]`.
   * Throws RetryableError where the store gave no answer in time. One pipeline has one fate, and lasts as long as the most patient of its
   * requests. A store that is many (HTTP's servers, DynamoDB's tables) keeps each request's own time, leaves keys unanswered instead, and
   * knows itself which of the many to leave alone. There is no single-key call to misuse. `tell`: a store may tell answers while others are on
   * their way, so that they can be decoded meanwhile; the result alone counts.
   */
  lookupMany(
    requests: readonly LookupRequest[],
    deadline: Deadline,
    tell?: TellAnswer,
  ): Promise<readonly (readonly (LookupAnswer | Unanswered)[])[]>
  close(): Promise<void>
}

export type TellAnswer = (requestIndex: number, keyIndex: number, answer: LookupAnswer) => void

/** A world's stores by the name that look-ups give them. */
export type LookupStores = { readonly [Store in LookupStore]?: LookupPort }

/** What a container remembers of look-ups with `cache`, bounded by bytes. */
export interface LookupMemory {
  readonly nowMs: () => number
  /** What is remembered of one look-up. */
  shelf(lookup: string): LookupShelf
}

export interface LookupShelf {
  /** Undefined: not known, or too old at this time of `nowMs`. */
  recall(key: string, atMs: number): { readonly value: unknown } | undefined
  remember(key: string, found: { readonly value: unknown; readonly bytes: number; readonly forMs: number }): void
  /** Settles when somebody who asks for this key has an answer, or none; undefined: nobody asks. */
  flight(key: string): Promise<void> | undefined
  /** Tells others that these keys are being asked for; the result must be called once they are not. */
  take(keys: readonly string[]): () => void
}

/** Milliseconds that remain, asked anew before each call to the world. */
export interface Deadline {
  remainingMs(): number
}

export interface OutputRecord {
  readonly topic: string
  /** Set: this partition. Undefined: by the key as Java's default partitioner does; without key by `partitionSeed`. */
  readonly partition?: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly { readonly name: string; readonly value: Uint8Array | null }[]
  readonly timestampMs: number
  /** Text that decides the partition where there is no key (the idempotency key), so that replays go to the same one. */
  readonly partitionSeed: string
}

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** Kafka as the commit needs it. The algorithm that uses it is in commit.ts; the protocol behind it in connectors/kafka. */
export interface TransactionPort {
  /** InitProducerId(−1, −1): a new epoch, older owners of the id are fenced and their open transactions aborted. */
  fence(transactionalId: string, deadline: Deadline): Promise<ProducerSession>
  /** OffsetFetch with require_stable: our committed offset, undefined if there is none. Waits while it is unstable. */
  readProgress(group: string, partition: TopicPartition, deadline: Deadline): Promise<bigint | undefined>
  /** The partition's end offset (high watermark), for the guard against a position beyond it. */
  endOffset(partition: TopicPartition, deadline: Deadline): Promise<bigint>
  /** Where the partition begins; only real brokers tell. */
  startOffset?(partition: TopicPartition, deadline: Deadline): Promise<bigint>
  /**
   * One transaction: outputs and progress, then EndTxn(commit). Resolves when the commit is certain; `reusable` tells whether the
   * session may go on (event-source-mapping.md 4.2). Throws Fenced, or RetryableError after an abort: both mean that nothing was written
   * for certain or that it is unknown; in either case the caller forgets session and position.
   * A record that the broker can never take throws RecordTooLarge before anything is sent.
   */
  transact(session: ProducerSession, transaction: Transaction, deadline: Deadline): Promise<{ readonly reusable: boolean }>
  close(): Promise<void>
}

export interface Transaction {
  readonly group: string
  readonly progress: TopicPartition
  /** Last offset done + 1. */
  readonly nextOffset: bigint
  /** In order; order is kept per output partition. */
  readonly records: readonly OutputRecord[]
}

/** Opaque to the runtime: producer id, epoch, sequence numbers. */
export interface ProducerSession {
  readonly transactionalId: string
  readonly epoch: number
}

/**
 * The store of what records leave for later ones (state.md, sections 2 and 3). Values are read as look-ups of store `state`: a hash of
 * `base`, `head`, `at`, `tp` under the same keys that `write` is given.
 */
export interface StatePort {
  /** Step 0, in one round trip: a new token, after which no older one can write. Before the fence. */
  claim(lock: StateLock, deadline: Deadline): Promise<StateClaim>
  /** Whether the token is still the lock's: asked before the store is accused of having lost writes. */
  holds(lock: StateLock, token: string, deadline: Deadline): Promise<boolean>
  /** Step 5 of several partitions in one round trip (Redis Cluster: two). An outcome each, in their order. */
  write(writes: readonly StateWrite[], deadline: Deadline): Promise<readonly StateOutcome[]>
  /**
   * At-least-once alone, where Kafka keeps no position: what lies below counts from now on. Of several partitions in one round trip, after
   * their outputs are acknowledged. False: another invocation has claimed, and the batch has to be decided again.
   */
  acknowledge(acknowledgements: readonly StateAcknowledgement[], deadline: Deadline): Promise<readonly boolean[]>
  /**
   * Whether caps with these keys, as a record's values have made them, cannot be asked in one step: in a Redis Cluster a hash tag may come out
   * empty. Asked after a claim; absent where it never happens.
   */
  areApart?(capKeys: readonly string[]): boolean
  /**
   * What the caps would answer, judged apart from the store. `locks`: the batch's, whose places at or after their position did not count yet.
   */
  rehearseCaps(locks: readonly { readonly lock: StateLock; readonly position: bigint }[], keepsPlaces: boolean): CapRehearsal
  /** What was acknowledged last, also of a partition that is another's. */
  position(lock: StateLock, deadline: Deadline): Promise<bigint | undefined>
  close(): Promise<void>
}

export interface CapRehearsal {
  /** In one round trip, so that `judge` need not ask. */
  read(caps: readonly Pick<StateWrite['caps'][number], 'key' | 'isShared'>[], deadline: Deadline): Promise<void>
  /** Step 5 of the caps alone, over what it has judged before. The store is left as it is. */
  judge(write: StateWrite, deadline: Deadline): Promise<readonly StateAnswer[]>
}

export interface StateAcknowledgement {
  readonly lock: StateLock
  readonly token: string
  /** Last offset done + 1. */
  readonly position: bigint
}

export interface StateLock {
  /** `SCENARIO.GENERATION`. */
  readonly scope: string
  readonly partition: TopicPartition
}

export interface StateClaim {
  readonly token: string
  /** Highest offset of the last written attempt; undefined: the lock was not there. */
  readonly last: bigint | undefined
  /** What was acknowledged last; undefined: nothing was, or the position is Kafka's. */
  readonly position: bigint | undefined
  /** Of the plan that wrote last. */
  readonly signature: string | undefined
  /** Remember keys that the last attempt changed, with what they hold now. */
  readonly leftovers: ReadonlyMap<string, StateItem>
  /** Cap keys that attempts asked, with the highest offset of an attempt that did. */
  readonly caps: ReadonlyMap<string, bigint>
}

/** `value(item) = item.at < position(item.tp) ? item.head : item.base`; null: absent. */
export interface StateItem {
  /** JSON; null: nothing. */
  readonly base: string | null
  readonly head: string | null
  /** −1: `head` counts already. */
  readonly at: bigint
  /** `TOPIC/PARTITION`. */
  readonly tp: string
}

export interface StateWrite {
  readonly lock: StateLock
  readonly token: string
  readonly signature: string
  readonly position: bigint
  /** Last offset of this batch. */
  readonly last: bigint
  /**
   * The lock's `last` as the token's owner knows it, by its claim and its own writes. Where the lock's is lower the store has lost writes since, and
   * the write is refused as stale: the next claim tells. Undefined: nothing was written yet.
   */
  readonly lastBefore: bigint | undefined
  /** Changed keys, and leftovers that this attempt left alone (`at` −1). */
  readonly items: readonly (Omit<StateItem, 'tp'> & {
    readonly key: string
    /** Taken over from another partition: only if it still is what was read. Leftovers have one `at`, hence the value. */
    readonly expected?: Pick<StateItem, 'at' | 'tp' | 'head'>
  })[]
  /** Changed keys alone: the lock's `keys`. */
  readonly changed: readonly string[]
  /** Distinct cap keys that are asked now, or were by an attempt at or after the position: this partition's places at or after it are given back first. */
  readonly caps: readonly {
    readonly key: string
    /** Highest offset of an attempt that asked before; undefined: none did. */
    readonly until: bigint | undefined
    readonly withinMs: number | undefined
    /** Garbage collection after so long; undefined: never. */
    readonly expiresMs: number | undefined
    readonly isShared: boolean
  }[]
  /** At-least-once: outputs may be out although their position is not. A record that comes again then keeps its place. */
  readonly keepsPlaces: boolean
  /** By offset; each is granted all of its caps or none. */
  readonly asks: readonly {
    readonly offset: bigint
    readonly timeMs: number
    readonly caps: readonly {
      /** Index into `caps`. */
      readonly cap: number
      readonly limit: bigint
      readonly units: bigint
      readonly member: string | undefined
    }[]
  }[]
}

export type StateOutcome =
  /** Per ask: the places in order of its caps, or the index (into its caps) of the first that refused. */
  | { readonly kind: 'written'; readonly answers: readonly StateAnswer[] }
  /** Another invocation has claimed. */
  | { readonly kind: 'stale' }
  /** An item to be taken over has changed meanwhile. */
  | { readonly kind: 'moved'; readonly key: string }

export type StateAnswer =
  | { readonly kind: 'granted'; readonly places: readonly { readonly number: bigint; readonly used: bigint }[] }
  | { readonly kind: 'refused'; readonly cap: number }
  /** There are places left, and the store has no room for another one in this cap. Nothing is granted. */
  | { readonly kind: 'full'; readonly cap: number }

/** What the function tells of its work. Names are `records`, `dropped.FILTER`, …: lib/connectors/metrics.ts lists them. */
export interface MetricsPort {
  count(name: string, by: number): void
  /** Once at the end of each invocation, also of one that throws. */
  flush(): void
}

/** A newer invocation owns the partition (47, 48, 49, 90). */
export class Fenced extends Error {
  override readonly name = 'Fenced'
  readonly transactionalId: string
  readonly epoch: number
  constructor(transactionalId: string, epoch: number, detail: string) {
    super(detail)
    this.transactionalId = transactionalId
    this.epoch = epoch
  }
}

/** The world is broken: nothing is emitted, the invocation throws, the batch comes again. */
export class RetryableError extends Error {
  override readonly name = 'RetryableError'
  /** Id of the table of errors: `redis-timeout`, `kafka-unreachable`, … */
  readonly id: string
  constructor(id: string, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.id = id
  }
}

/** Stands in the place of one key's answer where others were answered. */
export class Unanswered {
  readonly error: RetryableError
  constructor(error: RetryableError) {
    this.error = error
  }
}

/** An output larger than the broker takes; its source record becomes a dead letter `too-large`. */
export class RecordTooLarge extends Error {
  override readonly name = 'RecordTooLarge'
  /** Index into `Transaction.records`. */
  readonly recordIndex: number
  constructor(recordIndex: number, message: string) {
    super(message)
    this.recordIndex = recordIndex
  }
}
