// Kafka as a commit meets it: logs with open, committed and aborted transactions, epochs that fence, offsets that are applied some time after
// their transaction. The port answers as connectors/kafka promises (runtime/ports.ts); how that keeps its promise is tested on real brokers.
import {
  type Deadline,
  Fenced,
  type OutputRecord,
  type ProducerSession,
  RetryableError,
  type TopicPartition,
  type Transaction,
  type TransactionPort,
} from '../../lib/runtime/ports.ts'
import { type Caller, CallLost, type Schedule } from './schedule.ts'

interface OpenTransaction {
  readonly id: string
  readonly sinceMs: number
  state: 'open' | 'committed' | 'aborted'
  progress: { readonly key: string; readonly next: bigint } | undefined
}

interface Entry {
  readonly record: OutputRecord
  readonly transaction: OpenTransaction
}

const transactionTimeoutMs = 10_000
const outputPartitions = 2
const endTxnAttempts = 3

export class SimulatedBroker {
  readonly #schedule: Schedule
  readonly #epochs = new Map<string, number>()
  readonly #open = new Map<string, OpenTransaction>()
  readonly #committedProgress = new Map<string, bigint>()
  readonly #appliedProgress = new Map<string, bigint>()
  /** Committed; the coordinator has yet to apply them. */
  #unapplied: { readonly key: string; readonly next: bigint }[] = []
  readonly logs = new Map<string, Entry[]>()
  readonly #ends: readonly bigint[]

  constructor(schedule: Schedule, ends: readonly bigint[]) {
    this.#schedule = schedule
    this.#ends = ends
  }

  /** What a read_committed consumer may read of a log from `from` on: up to the first open transaction. */
  readCommitted(log: string, from: number): { readonly records: readonly OutputRecord[]; readonly next: number } {
    const entries = this.logs.get(log)!
    let next = from
    while (next < entries.length && entries[next]!.transaction.state !== 'open') next++
    const records = entries.slice(from, next).filter(({ transaction }) => transaction.state === 'committed')
    return { records: records.map(({ record }) => record), next }
  }

  progressOf(group: string, partition: TopicPartition): bigint | undefined {
    return this.#committedProgress.get(keyOf(group, partition))
  }

  /** What the broker does by itself. */
  pass(): void {
    if (this.#unapplied.length > 0 && this.#schedule.below(5) === 0) {
      const { key, next } = this.#unapplied.shift()!
      this.#appliedProgress.set(key, next)
    }
    for (const { id, sinceMs } of this.#open.values()) if (this.#schedule.nowMs - sinceMs > transactionTimeoutMs) this.#bump(id)
  }

  portOf(caller: Caller): TransactionPort {
    const call = <Answer>(what: string, effect: () => Answer) => this.#schedule.call(caller, what, effect)
    /** Sessions whose last transaction met a transport error that healed: a late copy of its EndTxn is still on its way. */
    const haunted = new Set<ProducerSession>()
    return {
      fence: async transactionalId => {
        const epoch = await retryable(call(`InitProducerId ${transactionalId}`, () => this.#bump(transactionalId)))
        return { transactionalId, epoch }
      },
      readProgress: async (group, partition, deadline) => {
        for (;;) {
          const found = await retryable(call('OffsetFetch', () => this.#stableProgress(keyOf(group, partition))))
          if (found !== 'unstable') return found
          if (deadline.remainingMs() <= 0) throw new RetryableError('kafka-unstable-progress', 'unstable for too long')
        }
      },
      endOffset: partition => retryable(call('ListOffsets', () => this.#ends[partition.partition]!)),
      transact: async (session, transaction, deadline) => {
        const mine = await this.#write(call, session, transaction, haunted)
        return this.#end(call, session, mine, deadline, haunted)
      },
      close: async () => undefined,
    }
  }

  async #write(call: Call, session: ProducerSession, transaction: Transaction, haunted: Set<ProducerSession>) {
    let mine: OpenTransaction | undefined
    const ours = (): OpenTransaction => {
      mine = this.#transactionOf(session, mine)
      return mine
    }
    try {
      for (const record of transaction.records) {
        await call(`Produce ${record.partitionSeed}`, () => this.#append({ record, transaction: ours() }))
      }
      // The late copy ends what it was not meant for.
      if (haunted.delete(session) && mine !== undefined) this.#commit(mine)
      const progress = { key: keyOf(transaction.group, transaction.progress), next: transaction.nextOffset }
      await call(`TxnOffsetCommit ${progress.next}`, () => {
        ours().progress = progress
      })
      return mine!
    } catch (error) {
      if (!(error instanceof CallLost)) throw error
      await call('EndTxn abort', () => {
        if (this.#epochs.get(session.transactionalId) === session.epoch) this.#abort(session.transactionalId)
      }).catch(() => undefined)
      throw new RetryableError('kafka-unreachable', error.message)
    }
  }

  async #end(call: Call, session: ProducerSession, mine: OpenTransaction, deadline: Deadline, haunted: Set<ProducerSession>) {
    for (let attempt = 1; ; attempt++) {
      try {
        await call('EndTxn commit', () => {
          if (this.#epochs.get(session.transactionalId) !== session.epoch) throw fencedBy(session)
          // Repeated after an answer that was lost: done already.
          if (mine.state === 'aborted') throw fencedBy(session)
          this.#commit(mine)
        })
        if (attempt > 1) haunted.add(session)
        return { reusable: attempt === 1 }
      } catch (error) {
        if (!(error instanceof CallLost)) throw error
        if (attempt === endTxnAttempts || deadline.remainingMs() <= 0)
          throw new RetryableError('kafka-unreachable', error.message)
      }
    }
  }

  #stableProgress(key: string): bigint | undefined | 'unstable' {
    const isPending = [...this.#open.values()].some(({ progress }) => progress?.key === key)
    if (isPending || this.#unapplied.some(one => one.key === key)) return 'unstable'
    return this.#appliedProgress.get(key)
  }

  #transactionOf(session: ProducerSession, mine: OpenTransaction | undefined): OpenTransaction {
    const { transactionalId: id, epoch } = session
    if (this.#epochs.get(id) !== epoch) throw fencedBy(session)
    if (mine !== undefined && mine.state !== 'open') throw new CallLost('the transaction has ended')
    const open = this.#open.get(id) ?? { id, sinceMs: this.#schedule.nowMs, state: 'open', progress: undefined }
    this.#open.set(id, open)
    return open
  }

  #append(entry: Entry): void {
    const { topic, key } = entry.record
    const partition = (key?.reduce((sum, byte) => sum + byte, 0) ?? 0) % outputPartitions
    const log = `${topic}-${partition}`
    const entries = this.logs.get(log) ?? []
    entries.push(entry)
    this.logs.set(log, entries)
  }

  #commit(transaction: OpenTransaction): void {
    if (transaction.state !== 'open') return
    transaction.state = 'committed'
    this.#open.delete(transaction.id)
    if (transaction.progress === undefined) return
    this.#committedProgress.set(transaction.progress.key, transaction.progress.next)
    this.#unapplied.push(transaction.progress)
  }

  #bump(id: string): number {
    this.#abort(id)
    const epoch = (this.#epochs.get(id) ?? -1) + 1
    this.#epochs.set(id, epoch)
    return epoch
  }

  #abort(id: string): void {
    const open = this.#open.get(id)
    if (open !== undefined) open.state = 'aborted'
    this.#open.delete(id)
  }
}

type Call = <Answer>(what: string, effect: () => Answer) => Promise<Answer>

function fencedBy({ transactionalId, epoch }: ProducerSession): Fenced {
  return new Fenced(transactionalId, epoch, 'a newer epoch is there')
}

async function retryable<Answer>(call: Promise<Answer>): Promise<Answer> {
  try {
    return await call
  } catch (error) {
    if (error instanceof CallLost) throw new RetryableError('kafka-unreachable', error.message)
    throw error
  }
}

function keyOf(group: string, { topic, partition }: TopicPartition): string {
  return `${group} ${topic}-${partition}`
}
