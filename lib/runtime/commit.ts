// Exactly once, though the trigger is only at-least-once: our own progress, per input partition, in the transaction that carries the outputs.
// The algorithm is event-source-mapping.md 4.2, its reasons 4.3; what a variant loses or doubles is in 4.4.
import { groupOf } from '../plan/identity.ts'
import type { Plan } from '../plan/plan.ts'
import { runtimeError } from './errors.ts'
import type { Deadline, OutputRecord, ProducerSession, TopicPartition, TransactionPort } from './ports.ts'

/** A partition that this container owns as far as it knows: epoch and position, cached together and dropped together. */
export interface Claim {
  readonly session: ProducerSession
  /** First offset that is not done yet. Undefined: nothing was committed within Kafka's retention, the mapping is trusted. */
  readonly position: bigint | undefined
}

/** Below this rest of the invocation no transaction is begun: it could not be ended in time. */
export const commitBudgetMs = 500

/** Claims partitions and writes their outputs. Lives as long as the container, since a claim stays valid while nobody else takes it. */
export class Commit {
  readonly #kafka: TransactionPort
  readonly #plan: Plan
  readonly #claims = new Map<string, Claim>()

  constructor(kafka: TransactionPort, plan: Plan) {
    this.#kafka = kafka
    this.#plan = plan
  }

  holds(partition: TopicPartition): boolean {
    return this.#claims.has(idOf(partition))
  }

  /** Fences older owners, then reads our progress: the cached claim if there is one. */
  async claim(partition: TopicPartition, deadline: Deadline): Promise<Claim> {
    const cached = this.#claims.get(idOf(partition))
    if (cached !== undefined) return cached
    // Fence first, then read. The other way round: we read 41; the older invocation commits 41…50; we fence it, too late, and
    // emit 41…50 a second time.
    const session = await this.#kafka.fence(`${groupOf(this.#plan)}/${partition.topic}/${partition.partition}`, deadline)
    const position = await this.#kafka.readProgress(groupOf(this.#plan), partition, deadline)
    const claim: Claim = { session, position }
    this.#claims.set(idOf(partition), claim)
    return claim
  }

  /** Our committed position of a partition that we do not own. */
  readPosition(partition: TopicPartition, deadline: Deadline): Promise<bigint | undefined> {
    return this.#kafka.readProgress(groupOf(this.#plan), partition, deadline)
  }

  /**
   * Throws where our position lies beyond the partition's end: skipping would lose records silently (topic recreated, restored cluster).
   * Asked only before something is skipped.
   */
  async assertPosition(partition: TopicPartition, position: bigint, deadline: Deadline): Promise<void> {
    const end = await this.#kafka.endOffset(partition, deadline)
    if (position <= end) return
    this.forget(partition)
    const { topic, partition: number } = partition
    throw runtimeError('position-beyond-end', { scenario: this.#plan.scenario, partition: `${topic}-${number}`, position, end })
  }

  /** One transaction: outputs, dead letters and progress. Throws Fenced if a newer invocation owns the partition; then claim again. */
  async write(
    partition: TopicPartition,
    claim: Claim,
    records: readonly OutputRecord[],
    nextOffset: bigint,
    deadline: Deadline,
  ): Promise<void> {
    if (deadline.remainingMs() < commitBudgetMs) {
      throw runtimeError('out-of-time', {
        scenario: this.#plan.scenario,
        remainingMs: Math.round(deadline.remainingMs()),
        partition: `${partition.topic}-${partition.partition}`,
      })
    }
    // Whatever goes wrong from here on: only a claim that ended well is kept. After a failed produce sequence numbers are spent, after
    // a fence epoch and position both belong to another.
    this.forget(partition)
    const { reusable } = await this.#kafka.transact(
      claim.session,
      { group: groupOf(this.#plan), progress: partition, nextOffset, records },
      deadline,
    )
    // At least once nothing is skipped: what comes again is asked for again, as by somebody who reset the mapping. With state the lock has it.
    const position = this.#plan.delivery === 'exactly-once' ? nextOffset : undefined
    if (reusable) this.#claims.set(idOf(partition), { session: claim.session, position })
  }

  /** Epoch and position are another's, or nobody knows. */
  forget(partition: TopicPartition): void {
    this.#claims.delete(idOf(partition))
  }
}

function idOf(partition: TopicPartition): string {
  return `${partition.topic}/${partition.partition}`
}
