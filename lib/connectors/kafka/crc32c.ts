// CRC-32C (Castagnoli), which guards every record batch. node:zlib has only the other polynomial. Eight tables, eight bytes a step:
// about five times as fast as byte by byte, and the checksum is the largest cost of encoding.

const tables = makeTables()

export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = tables
  let crc = -1
  let i = start
  for (const last = end - 7; i < last; i += 8) {
    crc ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)
    crc =
      t7[crc & 0xff]! ^
      t6[(crc >>> 8) & 0xff]! ^
      t5[(crc >>> 16) & 0xff]! ^
      t4[crc >>> 24]! ^
      t3[bytes[i + 4]!]! ^
      t2[bytes[i + 5]!]! ^
      t1[bytes[i + 6]!]! ^
      t0[bytes[i + 7]!]!
  }
  for (; i < end; i++) crc = t0[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8)
  return ~crc >>> 0
}

type Table = Int32Array

function makeTables(): [Table, Table, Table, Table, Table, Table, Table, Table] {
  const all = Array.from({ length: 8 }, () => new Int32Array(256)) as [Table, Table, Table, Table, Table, Table, Table, Table]
  for (let n = 0; n < 256; n++) {
    let crc = n
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
    all[0][n] = crc
  }
  for (let n = 0; n < 256; n++) {
    for (let k = 1; k < 8; k++) {
      const before = all[k - 1]![n]!
      all[k]![n] = all[0][before & 0xff]! ^ (before >>> 8)
    }
  }
  return all
}
