// Which records of a log are committed, told by the markers in it (KIP-98): for readers of whole partitions, who see what is open as well.

// Bits of a batch's attributes, and the key of a control record (version, type): Kafka's message format.
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

/** Keeps the records of one partition apart by producer until a marker tells what became of them. */
export class TransactionFilter<Kept extends { readonly offset: number }> {
  readonly #open = new Map<bigint, Kept[]>()
  readonly #committed: Kept[] = []

  add<LogRecord extends { readonly key: Uint8Array | null }>(
    batch: LogBatch<LogRecord>,
    keep: (record: LogRecord) => Kept,
  ): void {
    const open = this.#open.get(batch.producerId) ?? []
    if ((batch.attributes & controlBit) !== 0) {
      const key = batch.records[0]?.key
      const isAbort = key != null && Buffer.from(key.buffer, key.byteOffset, key.length).readInt16BE(2) === abortMarker
      if (!isAbort) this.#committed.push(...open)
      this.#open.delete(batch.producerId)
    } else if ((batch.attributes & transactionalBit) === 0) {
      this.#committed.push(...batch.records.map(keep))
    } else {
      this.#open.set(batch.producerId, [...open, ...batch.records.map(keep)])
    }
  }

  /** Records whose marker has not come yet. */
  get hasOpen(): boolean {
    return this.#open.size > 0
  }

  /** In order of offset. */
  committed(): readonly Kept[] {
    return this.#committed.sort((a, b) => a.offset - b.offset)
  }
}
