// Where a scenario keeps how far it has come, and how that is set anew. Exactly once: in Kafka. With state the store knows it, too, and both must
// agree: a position that goes back would have records decided from what later ones have left. At least once there is none but in the store of state.
import type { Administration } from '../../connectors/kafka/administration.ts'
import { createKafka, type KafkaConfig } from '../../connectors/kafka/producer.ts'
import { buildEvent } from '../../emulator/event.ts'
import { groupOf, identityOf } from '../../plan/identity.ts'
import type { Plan, StatePlan } from '../../plan/plan.ts'
import { createHandler } from '../../runtime/handler.ts'
import type { Deadline, LookupPort, TopicPartition } from '../../runtime/ports.ts'
import type { Terminal } from '../command.ts'
import { openState, type StatePlace } from '../state.ts'

export interface Positions {
  /** First offset that is not done; undefined: none is kept. */
  read(partition: TopicPartition): Promise<bigint | undefined>
  end(partition: TopicPartition): Promise<bigint>
  /** What lies below may not be decided again. Undefined: all may. */
  floor(partition: TopicPartition, position: bigint | undefined): Promise<bigint | undefined>
  set(partition: TopicPartition, next: bigint | undefined): Promise<void>
  close(): Promise<void>
}

export interface PositionOptions {
  readonly plan: Plan
  readonly config: KafkaConfig
  readonly administration: Administration
  readonly terminal: Terminal
}

/** Undefined: nothing of the kind is kept, the mapping's own position alone counts. */
export function openPositions(options: PositionOptions): Positions | undefined {
  const { plan } = options
  if (plan.state !== undefined) return withState({ ...plan, state: plan.state }, options)
  return plan.delivery === 'exactly-once' ? inKafka(options) : undefined
}

function inKafka({ plan, config, administration }: PositionOptions): Positions {
  const kafka = createKafka(config)
  const group = groupOf(plan)
  return {
    read: partition => kafka.readProgress(group, partition, within(40_000)),
    end: partition => kafka.endOffset(partition, within(30_000)),
    floor: async () => undefined,
    async set(partition, next) {
      // Fences what runs: a warm container would go on from the position that it remembers.
      const session = await kafka.fence(`${group}/${partition.topic}/${partition.partition}`, within(40_000))
      await administration.forgetProgress(group, partition, within(30_000))
      if (next !== undefined)
        await kafka.transact(session, { group, progress: partition, nextOffset: next, records: [] }, within(30_000))
    },
    close: () => kafka.close(),
  }
}

function withState(plan: Plan & { readonly state: StatePlan }, { config, terminal }: PositionOptions): Positions {
  const kafka = createKafka({ ...config, delivery: plan.delivery })
  let opened: Promise<StatePlace> | undefined
  const place = () => {
    opened ??= openState(plan, terminal)
    return opened
  }
  const lockOf = async (partition: TopicPartition) =>
    (await place()).administration.lock({ scope: identityOf(plan), partition }, within(10_000))
  return {
    async read(partition) {
      if (plan.delivery === 'at-least-once') return (await lockOf(partition))?.position
      return kafka.readProgress(groupOf(plan), partition, within(40_000))
    },
    end: partition => kafka.endOffset(partition, within(30_000)),
    async floor(partition, position) {
      if (position !== undefined) return position
      // Kafka has forgotten it after a week without a commit; the store has not.
      const last = (await lockOf(partition))?.last
      return last === undefined ? undefined : last + 1n
    },
    async set({ topic, partition }, next) {
      // Nothing is done: no batch has this end.
      if (next === 0n) return
      const { store } = await place()
      // As the function passes over tombstones up to there: what an attempt has left that was never committed is taken back, places as well.
      const handler = createHandler(plan, {
        kafka,
        stores: { redis: nothing, dynamodb: nothing, http: nothing, state: store.lookups },
        state: store.state,
        log: { info: () => undefined, warn: () => undefined, error: () => undefined },
        deadLetterTopic: '',
      })
      const tombstone = {
        ...{ topic, partition, offset: Number(next! - 1n) },
        ...{ timestampMs: 0, timestampType: 'CREATE_TIME' as const, key: null, value: null, headers: [] },
      }
      const deadline = within(60_000)
      const event = buildEvent([tombstone], { kind: 'self-managed', bootstrapServers: config.bootstrapServers })
      await handler(event, { getRemainingTimeInMillis: () => deadline.remainingMs() } as never)
    },
    async close() {
      const place = await opened?.catch(() => undefined)
      await Promise.all([kafka.close(), place?.close()])
    },
  }
}

/** Tombstones look nothing up. */
const nothing: LookupPort = { lookupMany: async () => [], close: async () => undefined }

function within(durationMs: number): Deadline {
  const endMs = Date.now() + durationMs
  return { remainingMs: () => endMs - Date.now() }
}
