// Reads topics record by record, from any offset to what is written at present: for commands that look back (`sluice replay`), not for the
// Lambda. Nobody joins a group. Batches come as they stand in the log, transaction markers included: whoever reads decides by them, since
// "last stable" ends before what a slow transaction of somebody else holds back.
import type { Deadline, TopicPartition } from '../../runtime/ports.ts'
import { repeat, requestTimeoutMs } from './attempts.ts'
import { BrokerError, Cluster } from './cluster.ts'
import { decompress } from './decompression.ts'
import { fetchRecords, listOffsets } from './messages.ts'
import type { KafkaConfig } from './producer.ts'
import { parseAddresses } from './socket.ts'
import { Reader } from './wire.ts'

export interface LogReader {
  partitionCount(topic: string, deadline: Deadline): Promise<number>
  /** The batches of a partition from `from`, or its start, up to what is written when this is called. */
  read(partition: TopicPartition, options: { readonly from?: bigint; readonly deadline: Deadline }): AsyncGenerator<LogBatch>
  close(): Promise<void>
}

/** Bits of `attributes`: 3 timestamp type, 4 transactional, 5 control. */
export interface LogBatch {
  readonly firstOffset: bigint
  readonly lastOffsetDelta: number
  readonly attributes: number
  readonly producerId: bigint
  readonly records: readonly LogRecord[]
}

export interface LogRecord {
  readonly offset: bigint
  readonly timestampMs: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly { readonly name: string; readonly value: Buffer | null }[]
}

export const logAppendTimeBit = 0x08

const fetchBytes = 4 * 1024 * 1024
const offsetOutOfRange = 1

export function openLog(config: Pick<KafkaConfig, 'bootstrapServers' | 'clientId' | 'security'>): LogReader {
  const { bootstrapServers, clientId, security } = config
  const cluster = new Cluster({
    bootstrap: parseAddresses(bootstrapServers),
    ...{ clientId, connectTimeoutMs: 3000, requestTimeoutMs, ...security },
  })
  return {
    partitionCount: (topic, deadline) =>
      repeat(deadline, `the partitions of ${topic}`, async timeoutMs => (await cluster.layout(topic, timeoutMs)).leaders.length),
    async *read(partition, { from, deadline }) {
      const end = await offsetOf(partition, 'end', deadline)
      const start = await offsetOf(partition, 'start', deadline)
      let at = from === undefined || from < start ? start : from
      while (at < end) {
        const bytes = await fetchAt(partition, at, deadline)
        // Retention has come by: on from where it left off.
        if (bytes === undefined) at = await offsetOf(partition, 'start', deadline)
        else {
          for (const batch of decodeBatches(bytes, partition)) {
            yield batch
            at = batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n
          }
        }
      }
    },
    close: () => cluster.close(),
  }

  function offsetOf(partition: TopicPartition, at: 'start' | 'end', deadline: Deadline): Promise<bigint> {
    return atLeader(
      partition,
      `the ${at} of ${partition.topic}-${partition.partition}`,
      deadline,
      async (connection, timeoutMs) => {
        const { code, offset } = await connection.send(listOffsets, { ...partition, at }, { timeoutMs })
        if (code !== 0) throw new BrokerError(code, 'ListOffsets', partition.topic)
        return offset
      },
    )
  }

  function fetchAt(partition: TopicPartition, offset: bigint, deadline: Deadline): Promise<Buffer | undefined> {
    const what = `records of ${partition.topic}-${partition.partition} from ${offset}`
    return atLeader(partition, what, deadline, async (connection, timeoutMs) => {
      const request = { ...partition, offset, waitMs: 200, maxBytes: fetchBytes }
      const { code, batches } = await connection.send(fetchRecords, request, { timeoutMs })
      if (code === offsetOutOfRange) return undefined
      if (code !== 0) throw new BrokerError(code, 'Fetch', partition.topic)
      return batches
    })
  }

  function atLeader<Result>(
    { topic, partition }: TopicPartition,
    what: string,
    deadline: Deadline,
    ask: (connection: Awaited<ReturnType<Cluster['leader']>>, timeoutMs: number) => Promise<Result>,
  ): Promise<Result> {
    return repeat(deadline, what, async timeoutMs => {
      try {
        return await ask(await cluster.leader(topic, partition, timeoutMs), timeoutMs)
      } catch (error) {
        cluster.forgetLayout(topic)
        throw error
      }
    })
  }
}

const compressionMask = 0x07

/** Of a Fetch answer; its last batch may be cut off. */
export function decodeBatches(bytes: Buffer, { topic, partition }: TopicPartition): readonly LogBatch[] {
  const batches: LogBatch[] = []
  // firstOffset: int64, length: int32 of what follows.
  for (let at = 0; at + 12 <= bytes.length; ) {
    const end = at + 12 + bytes.readInt32BE(at + 8)
    if (end > bytes.length) break
    const reader = new Reader(bytes.subarray(at, end))
    const firstOffset = reader.int64()
    reader.int32()
    reader.int32()
    const magic = reader.int8()
    if (magic !== 2)
      throw new Error(`${topic}-${partition}@${firstOffset} is in a format of before Kafka 0.11, which is not read`)
    reader.int32()
    const attributes = reader.int16()
    const lastOffsetDelta = reader.int32()
    const firstTimestampMs = Number(reader.int64())
    const maxTimestampMs = Number(reader.int64())
    const producerId = reader.int64()
    reader.int16()
    reader.int32()
    const count = reader.int32()
    const content = new Reader(decompress(reader.raw(reader.rest), attributes & compressionMask))
    const records = Array.from({ length: count }, () => {
      const record = decodeRecord(content, firstOffset, firstTimestampMs)
      return (attributes & logAppendTimeBit) === 0 ? record : { ...record, timestampMs: maxTimestampMs }
    })
    batches.push({ firstOffset, lastOffsetDelta, attributes, producerId, records })
    at = end
  }
  return batches
}

function decodeRecord(reader: Reader, firstOffset: bigint, firstTimestampMs: number): LogRecord {
  reader.varint()
  reader.int8()
  const timestampMs = firstTimestampMs + reader.varint()
  const offset = firstOffset + BigInt(reader.varint())
  const key = nullable(reader)
  const value = nullable(reader)
  const headers = Array.from({ length: reader.varint() }, () => ({ name: nullable(reader)!.toString(), value: nullable(reader) }))
  return { offset, timestampMs, key, value, headers }
}

function nullable(reader: Reader): Buffer | null {
  const length = reader.varint()
  return length < 0 ? null : reader.raw(length)
}
