// Record batches of magic 2, the only ones a transaction may hold. kafka.apache.org/documentation/#recordbatch
import { constants, gzipSync, zstdCompressSync } from 'node:zlib'
import type { OutputRecord } from '../../runtime/ports.ts'
import { crc32c } from './crc32c.ts'
import { Writer } from './wire.ts'

export const compressions = ['none', 'gzip', 'zstd'] as const
export type Compression = (typeof compressions)[number]

export interface BatchOwner {
  readonly producerId: bigint
  readonly epoch: number
  readonly baseSequence: number
  readonly compression: Compression
  /** Default: true. */
  readonly transactional?: boolean
}

/** The bytes of a batch before its records. */
export const batchHeaderBytes = 61

/** Upper bound of what a record takes in a batch without compression. */
export function recordBytes(record: OutputRecord): number {
  let size = 30 + (record.key?.length ?? 0) + (record.value?.length ?? 0)
  for (const header of record.headers) size += 10 + Buffer.byteLength(header.name) + (header.value?.length ?? 0)
  return size
}

/*
  baseOffset: int64, batchLength: int32, partitionLeaderEpoch: int32, magic: int8 = 2, crc: uint32 of all that follows,
  attributes: int16 (bits 0–2 compression, 3 timestamp type, 4 transactional, 5 control), lastOffsetDelta: int32, baseTimestamp: int64,
  maxTimestamp: int64, producerId: int64, producerEpoch: int16, baseSequence: int32, records: int32 count, then the records (compressed)
*/
export function encodeBatch(records: readonly OutputRecord[], owner: BatchOwner): Buffer {
  const baseTimestampMs = records[0]!.timestampMs
  let maxTimestampMs = baseTimestampMs
  // The header is written last: its lengths and its checksum are those of what follows.
  const writer = new Writer(records.reduce((size, record) => size + recordBytes(record), batchHeaderBytes + 16)).skip(
    batchHeaderBytes,
  )
  const names = new Map<string, Buffer>()
  for (let i = 0; i < records.length; i++) {
    const record = records[i]!
    if (record.timestampMs > maxTimestampMs) maxTimestampMs = record.timestampMs
    encodeRecord(writer, record, { index: i, baseTimestampMs, names })
  }
  const batch = compress(writer.bytes(), owner.compression)
  const { producerId, epoch, baseSequence, compression, transactional } = owner
  batch.writeBigInt64BE(0n, 0)
  batch.writeInt32BE(batch.length - 12, 8)
  batch.writeInt32BE(-1, 12)
  batch.writeInt8(2, 16)
  batch.writeInt16BE(compressionBits[compression] | (transactional === false ? 0 : transactionalBit), 21)
  batch.writeInt32BE(records.length - 1, 23)
  batch.writeBigInt64BE(BigInt(baseTimestampMs), 27)
  batch.writeBigInt64BE(BigInt(maxTimestampMs), 35)
  batch.writeBigInt64BE(producerId, 43)
  batch.writeInt16BE(epoch, 51)
  batch.writeInt32BE(baseSequence, 53)
  batch.writeInt32BE(records.length, 57)
  batch.writeUInt32BE(crc32c(batch, crcEnd), crcEnd - 4)
  return batch
}

const crcEnd = 21
const transactionalBit = 0x10
const compressionBits = { none: 0, gzip: 1, zstd: 4 } as const

/*
  length: varint of what follows, attributes: int8 = 0, timestampDelta: varlong, offsetDelta: varint, key: varint length (−1: null) and
  bytes, value: the same, headers: varint count, each name: varint length and bytes, value: varint length (−1: null) and bytes
*/
function encodeRecord(writer: Writer, record: OutputRecord, batch: BatchContext): void {
  const { index, baseTimestampMs, names } = batch
  const { key, value, headers } = record
  const timestampDeltaMs = record.timestampMs - baseTimestampMs
  let length =
    1 +
    varintBytes(timestampDeltaMs) +
    varintBytes(index) +
    nullableBytes(key) +
    nullableBytes(value) +
    varintBytes(headers.length)
  for (let h = 0; h < headers.length; h++)
    length += nullableBytes(nameBytes(names, headers[h]!.name)) + nullableBytes(headers[h]!.value)
  writer.varint(length).int8(0).varint(timestampDeltaMs).varint(index)
  writeNullable(writer, key)
  writeNullable(writer, value)
  writer.varint(headers.length)
  for (let h = 0; h < headers.length; h++) {
    writeNullable(writer, nameBytes(names, headers[h]!.name))
    writeNullable(writer, headers[h]!.value)
  }
}

interface BatchContext {
  readonly index: number
  readonly baseTimestampMs: number
  /** Header names of the batch: few, and the same in each record. */
  readonly names: Map<string, Buffer>
}

function nameBytes(names: Map<string, Buffer>, name: string): Buffer {
  let bytes = names.get(name)
  if (bytes === undefined) {
    bytes = Buffer.from(name)
    names.set(name, bytes)
  }
  return bytes
}

function writeNullable(writer: Writer, bytes: Uint8Array | null): void {
  if (bytes === null) writer.varint(-1)
  else writer.varint(bytes.length).raw(bytes)
}

function nullableBytes(bytes: Uint8Array | null): number {
  return bytes === null ? 1 : varintBytes(bytes.length) + bytes.length
}

function varintBytes(value: number): number {
  let rest = value >= 0 ? value * 2 : -value * 2 - 1
  let count = 1
  for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) count++
  return count
}

/** All but the header's place. */
function compress(batch: Buffer, compression: Compression): Buffer {
  if (compression === 'none') return batch
  const records = batch.subarray(batchHeaderBytes)
  const compressed = compression === 'gzip' ? gzipSync(records, { level: constants.Z_BEST_SPEED }) : zstdCompressSync(records)
  return Buffer.concat([batch.subarray(0, batchHeaderBytes), compressed])
}
