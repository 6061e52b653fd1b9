// What a read_committed consumer sees of topics, read to their end. @platformatic/kafka 2.12.1 cannot be asked for it: per fetch and producer it
// knows one range only, from the last aborted transaction to the last abort marker. What was committed in there it drops, what was aborted
// before it delivers (consumer.js, "Filter out aborted messages"). So everything is read, and the markers in the log decide (KIP-98).
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { Consumer } from '@platformatic/kafka'
import type { ConsumedRecord } from './event.ts'
import { TransactionFilter } from './transaction-filter.ts'

export interface ReadCommittedOptions {
  /** Topic → where to begin, by partition. Default: at the start. */
  readonly from?: PartitionOffsets
  /** How long an open transaction may hold back the end of a partition. */
  readonly timeoutMs: number
}

/** Topic → an offset per partition. */
export type PartitionOffsets = ReadonlyMap<string, readonly bigint[]>

/** All committed records, by topic and partition in order of offset. Waits until no transaction is open. */
export async function readCommitted(
  bootstrapServers: string,
  topics: readonly string[],
  options: ReadCommittedOptions,
): Promise<readonly ConsumedRecord[]> {
  const consumer = openConsumer(bootstrapServers)
  try {
    consumer.topics.trackAll(...topics)
    const ends = await stableEnds(consumer, topics, options)
    const metadata = await consumer.metadata({ topics: [...topics] })
    const records: ConsumedRecord[] = []
    for (const [topic, { id: topicId, partitions }] of metadata.topics) {
      for (let partition = 0; partition < partitions.length; partition++) {
        const filter = new TransactionFilter<ConsumedRecord>()
        const end = ends.get(topic)![partition]!
        const start = options.from?.get(topic)?.[partition] ?? 0n
        for (let at = start; at < end; ) {
          const response = await consumer.fetch({
            node: partitions[partition]!.leader,
            topics: [
              {
                topicId,
                partitions: [
                  { partition, fetchOffset: at, partitionMaxBytes: 8_388_608, currentLeaderEpoch: -1, lastFetchedEpoch: -1 },
                ],
              },
            ],
            isolationLevel: 0,
          })
          const fetched = response.responses
            .find(one => one.topicId === topicId)
            ?.partitions.find(one => one.partitionIndex === partition)
          if (fetched === undefined) continue
          for (const batch of fetched.records ?? []) {
            filter.add(batch, record => consumedRecord(topic, partition, batch, record))
            at = batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n
          }
        }
        records.push(...filter.committed().filter(record => record.offset >= start))
      }
    }
    return records
  } finally {
    await consumer.close(true)
  }
}

/** Where the next record of each partition will come, open transactions included. */
export async function writtenEnds(bootstrapServers: string, topics: readonly string[]): Promise<PartitionOffsets> {
  const consumer = openConsumer(bootstrapServers)
  try {
    return await consumer.listOffsets({ topics: [...topics], isolationLevel: 0 })
  } finally {
    await consumer.close(true)
  }
}

function openConsumer(bootstrapServers: string): Consumer<Buffer, Buffer, Buffer, Buffer> {
  return new Consumer({
    clientId: 'sluice-read-committed',
    // Never joined: only the client insists on a name.
    groupId: `sluice-read-committed-${randomUUID()}`,
    bootstrapBrokers: bootstrapServers.split(','),
    autocommit: false,
    maxWaitTime: 50,
    minBytes: 1,
  })
}

async function stableEnds(
  consumer: Consumer<Buffer, Buffer, Buffer, Buffer>,
  topics: readonly string[],
  { timeoutMs }: ReadCommittedOptions,
): Promise<Map<string, bigint[]>> {
  const giveUpAtMs = Date.now() + timeoutMs
  for (;;) {
    const stable = await consumer.listOffsets({ topics: [...topics], isolationLevel: 1 })
    const written = await consumer.listOffsets({ topics: [...topics], isolationLevel: 0 })
    const open = [...written].filter(([topic, ends]) => ends.some((end, partition) => end !== stable.get(topic)![partition]))
    if (open.length === 0) return stable
    if (Date.now() > giveUpAtMs) {
      throw new Error(`A transaction is still open after ${timeoutMs} ms on ${open.map(([topic]) => topic).join(', ')}`)
    }
    await delay(50)
  }
}

const timestampTypeBit = 0x08

interface ReadBatch {
  readonly firstOffset: bigint
  readonly firstTimestamp: bigint
  readonly attributes: number
}

interface ReadRecord {
  readonly offsetDelta: number
  readonly timestampDelta: bigint
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly (readonly [Buffer | null, Buffer | null])[]
}

function consumedRecord(topic: string, partition: number, batch: ReadBatch, record: ReadRecord): ConsumedRecord {
  return {
    topic,
    partition,
    offset: Number(batch.firstOffset) + record.offsetDelta,
    timestampMs: Number(batch.firstTimestamp + record.timestampDelta),
    timestampType: (batch.attributes & timestampTypeBit) === 0 ? 'CREATE_TIME' : 'LOG_APPEND_TIME',
    key: record.key,
    value: record.value,
    headers: record.headers.map(([name, value]) => ({ name: name!.toString('utf8'), value })),
  }
}
