// What a read_committed consumer sees of topics, read to their end. @platformatic/kafka 2.12 passes the isolation level to the broker, which
// then holds back open transactions, but still delivers the records of aborted ones beside a list of them: leaving those out is the
// client's duty (KIP-98), and is done here.
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { Consumer } from '@platformatic/kafka'
import type { ConsumedRecord } from './event.ts'

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
        const filter = new TransactionFilter()
        const end = ends.get(topic)![partition]!
        for (let at = options.from?.get(topic)?.[partition] ?? 0n; at < end; ) {
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
            isolationLevel: 1,
          })
          const fetched = response.responses
            .find(one => one.topicId === topicId)
            ?.partitions.find(one => one.partitionIndex === partition)
          if (fetched === undefined) continue
          filter.abort(fetched.abortedTransactions ?? [])
          for (const batch of fetched.records ?? []) {
            const first = at
            for (const record of filter.pass(batch)) {
              const offset = batch.firstOffset + BigInt(record.offsetDelta)
              if (offset < first) continue
              records.push({
                topic,
                partition,
                offset: Number(offset),
                timestampMs: Number(batch.firstTimestamp + record.timestampDelta),
                timestampType: (batch.attributes & timestampTypeBit) === 0 ? 'CREATE_TIME' : 'LOG_APPEND_TIME',
                key: record.key,
                value: record.value,
                headers: record.headers.map(([name, value]) => ({ name: name!.toString('utf8'), value })),
              })
            }
            at = batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n
          }
        }
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

// Bits of a batch's attributes, and the key of a control record (version, type): Kafka's message format.
const timestampTypeBit = 0x08
const transactionalBit = 0x10
const controlBit = 0x20
const abortMarker = 0

export interface LogBatch<LogRecord> {
  readonly firstOffset: bigint
  readonly lastOffsetDelta: number
  readonly attributes: number
  readonly producerId: bigint
  readonly records: readonly LogRecord[]
}

/** Leaves out control records and those of aborted transactions, batch after batch of one partition. */
export class TransactionFilter {
  #ahead: { readonly producerId: bigint; readonly firstOffset: bigint }[] = []
  readonly #aborting = new Set<bigint>()

  /** What the broker says beside the next batches: transactions that begin at or after `firstOffset` and end aborted. */
  abort(aborted: readonly { readonly producerId: bigint; readonly firstOffset: bigint }[]): void {
    // A transaction over several fetches is named in each.
    this.#ahead = [...aborted].sort((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1))
  }

  pass<LogRecord extends { readonly key: Uint8Array | null }>(batch: LogBatch<LogRecord>): readonly LogRecord[] {
    const lastOffset = batch.firstOffset + BigInt(batch.lastOffsetDelta)
    while (this.#ahead.length > 0 && this.#ahead[0]!.firstOffset <= lastOffset)
      this.#aborting.add(this.#ahead.shift()!.producerId)
    if ((batch.attributes & controlBit) !== 0) {
      const key = batch.records[0]?.key
      if (key && Buffer.from(key.buffer, key.byteOffset, key.length).readInt16BE(2) === abortMarker)
        this.#aborting.delete(batch.producerId)
      return []
    }
    const isAborted = (batch.attributes & transactionalBit) !== 0 && this.#aborting.has(batch.producerId)
    return isAborted ? [] : batch.records
  }
}
