// Whose a partition is. It is ours once we hold the lock of its state, have fenced older owners and know our position, in this order: each other
// one loses (event-source-mapping.md 4.3; state.md, section 3). What a batch has below the position is done, and is skipped. Since nobody hears of
// what is skipped wrongly, the position is guarded.
import type { Plan, SourceRecord } from '../plan/plan.ts'
import { runtimeError } from './errors.ts'
import {
  type Deadline,
  Fenced,
  type MetricsPort,
  type ProducerSession,
  type TopicPartition,
  type TransactionPort,
} from './ports.ts'

/** Epoch and position: of one time, and forgotten together. */
interface Claim {
  readonly session: ProducerSession
  /** First offset that is not done yet. Undefined: nothing was committed, the mapping is trusted. */
  readonly position: bigint | undefined
}

/** The fence and our progress (commit.ts). */
interface Sessions {
  holds(partition: TopicPartition): boolean
  claim(partition: TopicPartition, deadline: Deadline): Promise<Claim>
  assertPosition(partition: TopicPartition, position: bigint, deadline: Deadline): Promise<void>
  forget(partition: TopicPartition): void
}

/** Of a scenario with state (state/claims.ts). */
interface Locks {
  isHeld(partition: TopicPartition): boolean
  claim(partition: TopicPartition, deadline: Deadline): Promise<void>
  held(partition: TopicPartition): { readonly position: bigint | undefined }
  isComplete(partition: TopicPartition, position: bigint | undefined, deadline: Deadline): Promise<boolean>
  forget(partition: TopicPartition): void
}

interface World {
  readonly kafka: Pick<TransactionPort, 'startOffset'>
  readonly log: Record<'info' | 'error', (message: string, fields: Readonly<Record<string, unknown>>) => void>
  readonly metrics?: MetricsPort
}

/** What a partition of a batch has for us. */
export interface Share {
  readonly partition: TopicPartition
  readonly claim: Claim
  /** Records at or above our position; tombstones count as progress, and nothing else. */
  readonly todo: readonly SourceRecord[]
  readonly nextOffset: bigint
}

/** A partition may be taken from us in the middle of a batch; three times in a row means that two mappings fight for it. */
export const fencedRounds = 3

/** Lives as long as the container, as the claims do. */
export class Ownership {
  readonly #plan: Plan
  readonly #world: World
  readonly #sessions: Sessions
  readonly #locks: Locks | undefined

  constructor(plan: Plan, world: World, sessions: Sessions, locks: Locks | undefined) {
    this.#plan = plan
    this.#world = world
    this.#sessions = sessions
    this.#locks = locks
  }

  /** Takes a partition; what of its records is committed is skipped. */
  async take(
    { topic, partition: number, records }: { topic: string; partition: number; records: readonly SourceRecord[] },
    deadline: Deadline,
  ): Promise<Share> {
    const partition = { topic, partition: number }
    const claim = await this.#claim(partition, deadline)
    const { position } = claim
    const firstOffset = BigInt(records[0]!.offset)
    // A metric and no alarm: filters, compaction and transaction markers leave gaps as well.
    if (position !== undefined && position < firstOffset) this.#world.metrics?.count('gap', Number(firstOffset - position))
    if (position === undefined && (this.#plan.delivery === 'exactly-once' || this.#plan.state !== undefined))
      await this.#tellMidway(partition, firstOffset, deadline)
    // Offsets ascend, so that usually a look at the first one is enough.
    const isNew = (record: SourceRecord) => position === undefined || BigInt(record.offset) >= position
    const left = isNew(records[0]!) ? records : records.filter(isNew)
    if (left.length < records.length) await this.#skip(partition, position!, records.length - left.length, deadline)
    return {
      partition,
      claim,
      todo: left.filter(record => record.value !== null),
      nextOffset: left.length === 0 ? position! : BigInt(records.at(-1)!.offset) + 1n,
    }
  }

  /** A failed attempt at a scenario with state keeps nothing: its position may be behind, its token ahead. */
  forget({ topic, partition }: TopicPartition): void {
    if (this.#locks === undefined) return
    this.#locks.forget({ topic, partition })
    this.#sessions.forget({ topic, partition })
  }

  /** The error for a partition that was fenced in every round. */
  lost(partition: TopicPartition, cause: Fenced): Error {
    return runtimeError('fenced', { scenario: this.#plan.scenario, partition: nameOf(partition), ours: cause.epoch })
  }

  async #claim(partition: TopicPartition, deadline: Deadline): Promise<Claim> {
    const [sessions, locks] = [this.#sessions, this.#locks]
    if (locks === undefined) return sessions.claim(partition, deadline)
    for (let round = 0; round < fencedRounds; round++) {
      if (!sessions.holds(partition) || !locks.isHeld(partition)) {
        sessions.forget(partition)
        await locks.claim(partition, deadline)
      }
      const session = await sessions.claim(partition, deadline)
      // At least once Kafka keeps no position of ours: it stands in the lock.
      const claim = this.#plan.delivery === 'exactly-once' ? session : { ...session, position: locks.held(partition).position }
      if (await locks.isComplete(partition, claim.position, deadline)) return claim
      sessions.forget(partition)
    }
    throw this.lost(partition, new Fenced('', 0, 'the lock of its state is claimed again and again'))
  }

  async #skip(partition: TopicPartition, position: bigint, skippedCount: number, deadline: Deadline): Promise<void> {
    await this.#sessions.assertPosition(partition, position, deadline)
    this.#world.metrics?.count('skipped', skippedCount)
    this.#world.log.info('skipped records that are committed', {
      scenario: this.#plan.scenario,
      ...partition,
      skippedCount,
      position: String(position),
    })
  }

  /**
   * A new generation decides the topic from its beginning. Where it begins further on, an old mapping may be delivering still: its position moves
   * ours past records that are to be decided again, and nobody would hear of it (event-source-mapping.md 4.5). Filters and compaction look alike.
   */
  async #tellMidway(partition: TopicPartition, firstOffset: bigint, deadline: Deadline): Promise<void> {
    const { scenario, generation } = this.#plan
    if (generation === 1 || firstOffset === 0n) return
    const start = await this.#world.kafka.startOffset?.(partition, deadline)
    if (start === undefined || start >= firstOffset) return
    const where = { scenario, generation, partition: nameOf(partition), first: firstOffset, start }
    const error = runtimeError('generation-midway', where)
    this.#world.metrics?.count('positionGuard', 1)
    this.#world.log.error(error.message, { id: error.id, scenario, ...partition, retry: 'never' })
  }
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`
}
