// Kafka's primitive types, in the "flexible" encoding of all messages that we speak: compact lengths are unsigned varints of length + 1,
// 0 stands for null, and every structure ends with tagged fields. kafka.apache.org/protocol.html#protocol_types

/** Larger byte arrays are not copied into a message: they go out as they are, between its other parts. */
const referredBytes = 16_384

/** Writes into one growing buffer, but for what is large. */
export class Writer {
  #bytes: Buffer
  #end = 0
  readonly #parts: Buffer[] = []
  #partsBytes = 0

  constructor(capacity = 256) {
    this.#bytes = Buffer.allocUnsafe(capacity)
  }

  get length(): number {
    return this.#partsBytes + this.#end
  }

  /** What was written; shares memory with the writer, which must not be used again. */
  bytes(): Buffer {
    const parts = this.parts()
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
  }

  /** The same in pieces. */
  parts(): readonly Buffer[] {
    return [...this.#parts, this.#bytes.subarray(0, this.#end)]
  }

  int8(value: number): this {
    const at = this.#grow(1)
    this.#bytes.writeInt8(value, at)
    return this
  }

  boolean(value: boolean): this {
    return this.int8(value ? 1 : 0)
  }

  int16(value: number): this {
    const at = this.#grow(2)
    this.#bytes.writeInt16BE(value, at)
    return this
  }

  int32(value: number): this {
    const at = this.#grow(4)
    this.#bytes.writeInt32BE(value, at)
    return this
  }

  int64(value: bigint): this {
    const at = this.#grow(8)
    this.#bytes.writeBigInt64BE(value, at)
    return this
  }

  unsignedVarint(value: number): this {
    this.#grow(5)
    this.#end -= 5
    while (value > 0x7f) {
      this.#bytes[this.#end++] = (value & 0x7f) | 0x80
      value >>>= 7
    }
    this.#bytes[this.#end++] = value
    return this
  }

  /** Zigzag. `value` may be any safe integer: timestamp deltas outgrow 32 bits. */
  varint(value: number): this {
    let rest = value >= 0 ? value * 2 : -value * 2 - 1
    this.#grow(10)
    this.#end -= 10
    // Beyond 32 bits JavaScript's bit operators would cut.
    while (rest > 0x7fffffff) {
      this.#bytes[this.#end++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    while (rest > 0x7f) {
      this.#bytes[this.#end++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.#bytes[this.#end++] = rest
    return this
  }

  raw(bytes: Uint8Array): this {
    if (bytes.length >= referredBytes) return this.#refer(bytes)
    const at = this.#grow(bytes.length)
    this.#bytes.set(bytes, at)
    return this
  }

  /** Leaves room that is written later. */
  skip(count: number): this {
    this.#grow(count)
    return this
  }

  uuid(bytes: Uint8Array): this {
    return this.raw(bytes)
  }

  /** STRING with a 16-bit length: only in request headers, which stayed as they were. */
  shortString(value: string): this {
    const bytes = Buffer.from(value)
    return this.int16(bytes.length).raw(bytes)
  }

  string(value: string | null): this {
    if (value === null) return this.unsignedVarint(0)
    // Names of topics, groups and the like: short, and nearly always a byte a character.
    const start = this.#end
    this.unsignedVarint(value.length + 1)
    const at = this.#grow(value.length)
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i)
      if (code > 0x7f) {
        this.#end = start
        return this.byteArray(Buffer.from(value))
      }
      this.#bytes[at + i] = code
    }
    return this
  }

  byteArray(value: Uint8Array): this {
    return this.unsignedVarint(value.length + 1).raw(value)
  }

  array<Item>(items: readonly Item[], write: (item: Item) => void): this {
    this.unsignedVarint(items.length + 1)
    for (const item of items) write(item)
    return this
  }

  nullArray(): this {
    return this.unsignedVarint(0)
  }

  noTags(): this {
    return this.unsignedVarint(0)
  }

  #refer(bytes: Uint8Array): this {
    const rest = this.#bytes.subarray(this.#end)
    this.#parts.push(this.#bytes.subarray(0, this.#end), Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
    this.#partsBytes += this.#end + bytes.length
    this.#bytes = rest
    this.#end = 0
    return this
  }

  #grow(count: number): number {
    const at = this.#end
    const needed = at + count
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2, 64))
      this.#bytes.copy(larger, 0, 0, at)
      this.#bytes = larger
    }
    this.#end = needed
    return at
  }
}

/** Reads one message. Throws RangeError where it ends too early. */
export class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get rest(): number {
    return this.#bytes.length - this.#at
  }

  int8(): number {
    return this.#bytes.readInt8(this.#take(1))
  }

  boolean(): boolean {
    return this.int8() !== 0
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#take(2))
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#take(4))
  }

  int64(): bigint {
    return this.#bytes.readBigInt64BE(this.#take(8))
  }

  unsignedVarint(): number {
    let value = 0
    for (let factor = 1; ; factor *= 0x80) {
      const byte = this.#bytes.readUInt8(this.#take(1))
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
    }
  }

  varint(): number {
    const zigzag = this.unsignedVarint()
    return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2
  }

  raw(length: number): Buffer {
    const at = this.#take(length)
    return this.#bytes.subarray(at, at + length)
  }

  uuid(): Buffer {
    return this.raw(16)
  }

  string(): string | null {
    const length = this.unsignedVarint() - 1
    return length < 0 ? null : this.raw(length).toString('utf8')
  }

  array<Item>(read: () => Item): Item[] {
    const count = this.unsignedVarint() - 1
    const items: Item[] = []
    for (let i = 0; i < count; i++) items.push(read())
    return items
  }

  /** Hands over the tagged fields that somebody knows; the others are passed over, as the protocol wants it. */
  tags(known: Readonly<Record<number, (reader: Reader) => void>> = {}): void {
    const count = this.unsignedVarint()
    for (let i = 0; i < count; i++) {
      const tag = this.unsignedVarint()
      const content = this.raw(this.unsignedVarint())
      known[tag]?.(new Reader(content))
    }
  }

  #take(count: number): number {
    const at = this.#at
    if (count < 0 || at + count > this.#bytes.length)
      throw new RangeError(`the message ends at byte ${this.#bytes.length}, ${count} more were expected at ${at}`)
    this.#at = at + count
    return at
  }
}
