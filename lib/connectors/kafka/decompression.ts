// What producers and topics compress with. Node has gzip and zstd; the two others are formats of a page each, and their libraries for Node are
// native ones. For readers alone: we write gzip and zstd.
import { gunzipSync, zstdDecompressSync } from 'node:zlib'

/** By the bits of a batch's attributes. Throws RangeError where the bytes are no such thing. */
export function decompress(bytes: Buffer, codec: number): Buffer {
  switch (codec) {
    case 0:
      return bytes
    case 1:
      return gunzipSync(bytes)
    case 2:
      return unsnappy(bytes)
    case 3:
      return unlz4(bytes)
    case 4:
      return zstdDecompressSync(bytes)
    default:
      throw new RangeError(`a batch is compressed with codec ${codec}, which Kafka did not have when this was written`)
  }
}

/** Java's frame around blocks of Snappy: a head of 16 bytes, then each block after its length. Others send one block without it. */
const javaSnappyMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0])
const javaSnappyHead = 16

export function unsnappy(bytes: Buffer): Buffer {
  if (!bytes.subarray(0, javaSnappyMagic.length).equals(javaSnappyMagic)) return unsnappyBlock(bytes)
  const blocks: Buffer[] = []
  for (let at = javaSnappyHead; at < bytes.length; ) {
    const end = at + 4 + bytes.readInt32BE(at)
    blocks.push(unsnappyBlock(bytes.subarray(at + 4, end)))
    at = end
  }
  return Buffer.concat(blocks)
}

// github.com/google/snappy/blob/main/format_description.txt
function unsnappyBlock(bytes: Buffer): Buffer {
  let at = 0
  let length = 0
  for (let factor = 1; ; factor *= 0x80) {
    const byte = bytes.readUInt8(at++)
    length += (byte & 0x7f) * factor
    if (byte < 0x80) break
  }
  const output = new Output(length)
  while (at < bytes.length) {
    const tag = bytes.readUInt8(at++)
    const kind = tag & 3
    if (kind === 0) {
      let count = (tag >> 2) + 1
      if (count > 60) {
        const lengthBytes = count - 60
        count = bytes.readUIntLE(at, lengthBytes) + 1
        at += lengthBytes
      }
      output.literal(bytes.subarray(at, at + count))
      at += count
    } else if (kind === 1) {
      output.copy(((tag >> 5) << 8) | bytes.readUInt8(at), ((tag >> 2) & 7) + 4)
      at += 1
    } else {
      const offsetBytes = kind === 2 ? 2 : 4
      output.copy(bytes.readUIntLE(at, offsetBytes), (tag >> 2) + 1)
      at += offsetBytes
    }
  }
  return output.bytes()
}

const lz4Magic = 0x184d2204

// github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md and lz4_Block_format.md; checksums are left to TCP and the batch's own.
export function unlz4(bytes: Buffer): Buffer {
  if (bytes.readUInt32LE(0) !== lz4Magic) throw new RangeError('a batch says that it is LZ4, and is not')
  const flags = bytes.readUInt8(4)
  const blockChecksumBytes = (flags & 0x10) === 0 ? 0 : 4
  const output = new Output(bytes.length * 3)
  for (let at = 7 + ((flags & 0x08) === 0 ? 0 : 8) + ((flags & 0x01) === 0 ? 0 : 4); ; ) {
    const size = bytes.readUInt32LE(at)
    at += 4
    if (size === 0) return output.bytes()
    const count = size & 0x7fffffff
    const block = bytes.subarray(at, at + count)
    if (size > 0x7fffffff) output.literal(block)
    else unlz4Block(block, output)
    at += count + blockChecksumBytes
  }
}

function unlz4Block(bytes: Buffer, output: Output): void {
  let at = 0
  const lengthFrom = (nibble: number): number => {
    let length = nibble
    if (nibble === 15) {
      let byte: number
      do {
        byte = bytes.readUInt8(at++)
        length += byte
      } while (byte === 255)
    }
    return length
  }
  while (at < bytes.length) {
    const token = bytes.readUInt8(at++)
    const count = lengthFrom(token >> 4)
    output.literal(bytes.subarray(at, at + count))
    at += count
    // The last sequence is literals alone.
    if (at >= bytes.length) return
    const offset = bytes.readUInt16LE(at)
    at += 2
    output.copy(offset, lengthFrom(token & 0x0f) + 4)
  }
}

class Output {
  #bytes: Buffer
  #end = 0

  constructor(capacity: number) {
    this.#bytes = Buffer.allocUnsafe(capacity)
  }

  literal(bytes: Buffer): void {
    this.#grow(bytes.length)
    bytes.copy(this.#bytes, this.#end)
    this.#end += bytes.length
  }

  /** Byte by byte: it may reach into what it writes. */
  copy(offset: number, count: number): void {
    if (offset === 0 || offset > this.#end) throw new RangeError('compressed bytes refer to what was not there')
    this.#grow(count)
    for (let k = 0; k < count; k++) this.#bytes[this.#end + k] = this.#bytes[this.#end + k - offset]!
    this.#end += count
  }

  bytes(): Buffer {
    return this.#bytes.subarray(0, this.#end)
  }

  #grow(count: number): void {
    if (this.#end + count <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#end + count, this.#bytes.length * 2))
    this.#bytes.copy(larger, 0, 0, this.#end)
    this.#bytes = larger
  }
}
