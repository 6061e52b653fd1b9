// Which partition a record goes to: exactly as Java's default partitioner decides, so that our outputs share partitions with those of
// Java producers of the same keys. github.com/apache/kafka: clients/…/common/utils/Utils.java, murmur2

export function partitionOf(bytes: Uint8Array, partitionCount: number): number {
  return (murmur2(bytes) & 0x7fffffff) % partitionCount
}

/** 32-bit MurmurHash 2 with Kafka's seed; signed, as in Java. */
export function murmur2(bytes: Uint8Array): number {
  const m = 0x5bd1e995
  const length = bytes.length
  let h = 0x9747b28c ^ length
  const whole = length & ~3
  for (let i = 0; i < whole; i += 4) {
    let k = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)
    k = Math.imul(k, m)
    k ^= k >>> 24
    h = Math.imul(h, m) ^ Math.imul(k, m)
  }
  const rest = length - whole
  if (rest >= 3) h ^= bytes[whole + 2]! << 16
  if (rest >= 2) h ^= bytes[whole + 1]! << 8
  if (rest >= 1) h = Math.imul(h ^ bytes[whole]!, m)
  h ^= h >>> 13
  h = Math.imul(h, m)
  return (h ^ (h >>> 15)) | 0
}
