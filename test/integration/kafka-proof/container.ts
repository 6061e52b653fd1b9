// What a container does with a batch, without the decisions: claim, skip, write. Tests load it as it is, and with one line of production code
// below it wrong.
import type { Socket } from 'node:net'
import { createKafka } from '../../../lib/connectors/kafka/producer.ts'
import type { Plan } from '../../../lib/plan/plan.ts'
import { Commit } from '../../../lib/runtime/commit.ts'
import { Fenced, type OutputRecord, RetryableError } from '../../../lib/runtime/ports.ts'

export interface ContainerOptions {
  readonly bootstrapServers: string
  /** One source topic of one partition, and one output topic. */
  readonly source: string
  readonly target: string
  readonly openSocket?: () => Socket
}

export interface Container {
  /** Source records from offset `from` to below `to`, each with one output: its offset. Its result is the mapping's. */
  deliver(from: number, to: number, options?: { readonly rounds?: number }): Promise<'done' | 'fenced' | 'failed'>
  close(): Promise<void>
}

/** As runtime/handler.ts. */
const fencedRounds = 3

export function openContainer({ source, target, ...config }: ContainerOptions): Container {
  const kafka = createKafka({ ...config, clientId: 'proof' })
  const commit = new Commit(kafka, { scenario: `proof-${source}`, generation: 1, delivery: 'exactly-once' } as Plan)
  const partition = { topic: source, partition: 0 }
  const deadline = { remainingMs: () => 20_000 }
  return {
    async deliver(from, to, { rounds = fencedRounds } = {}) {
      for (let round = 1; ; round++) {
        try {
          const claim = await commit.claim(partition, deadline)
          const begin = Math.max(from, Number(claim.position ?? 0n))
          if (begin >= to) return 'done'
          const records = Array.from({ length: to - begin }, (_, n) => outputOf(target, begin + n))
          await commit.write(partition, claim, records, BigInt(to), deadline)
          return 'done'
        } catch (error) {
          if (error instanceof RetryableError) return 'failed'
          if (!(error instanceof Fenced)) throw error
          if (round === rounds) return 'fenced'
        }
      }
    },
    close: () => kafka.close(),
  }
}

function outputOf(topic: string, offset: number): OutputRecord {
  return { topic, partition: 0, key: null, value: Buffer.from(`${offset}`), headers: [], timestampMs: 1000, partitionSeed: '' }
}
