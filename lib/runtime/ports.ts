// What the stages need of the world. Connectors implement these; tests and the first command use in-memory ones.
import type { LookupAnswer, LookupCommand, LookupStore } from '../plan/plan.ts'

export interface LookupRequest {
  readonly command: LookupCommand
  /** Distinct. */
  readonly keys: readonly string[]
  /** For `member`: as many as keys. */
  readonly members?: readonly string[]
}

export interface LookupPort {
  /**
   * Answers all requests in one pipelined round trip; `answers[r][k]` belongs to `requests[r].keys[k]`.
   * Throws RetryableError where the store gave no answer within the deadline. There is no single-key call to misuse.
   */
  lookupMany(requests: readonly LookupRequest[], deadline: Deadline): Promise<readonly (readonly LookupAnswer[])[]>
  close(): Promise<void>
}

/** A world's stores by the name that look-ups give them. */
export type LookupStores = { readonly [Store in LookupStore]?: LookupPort }

/** What a container remembers of look-ups with `cache`, bounded by bytes. */
export interface LookupMemory {
  /** Undefined: not known, or too old. */
  recall(lookup: string, key: string): { readonly value: unknown } | undefined
  remember(lookup: string, key: string, found: { readonly value: unknown; readonly bytes: number; readonly forMs: number }): void
  /** Settles when somebody who asks for this key has an answer, or none; undefined: nobody asks. */
  flight(lookup: string, key: string): Promise<void> | undefined
  /** Tells others that these keys are being asked for; the result must be called once they are not. */
  take(lookup: string, keys: readonly string[]): () => void
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
