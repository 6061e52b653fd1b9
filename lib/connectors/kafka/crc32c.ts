// CRC-32C (Castagnoli), which guards every record batch. node:zlib has only the other polynomial. Sixteen tables, sixteen bytes a step, read
// as four words: some three times as fast as eight bytes read one by one, and the checksum is the largest cost of encoding.

const tableCount = 16
/** One behind the other, 256 each: those of the bytes that are further from a step's end come later. */
const tables = makeTables()

export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let crc = -1
  let i = start
  // Words begin at multiples of four.
  while (i < end && ((bytes.byteOffset + i) & 3) !== 0) crc = tables[(crc ^ bytes[i++]!) & 0xff]! ^ (crc >>> 8)
  const wordCount = ((end - i) >> 4) << 2
  if (wordCount > 0) {
    // Little-endian, as all that Node runs on in Lambda.
    const words = new Int32Array(bytes.buffer, bytes.byteOffset + i, wordCount)
    for (let w = 0; w < wordCount; w += 4) {
      const one = words[w]! ^ crc
      const two = words[w + 1]!
      const three = words[w + 2]!
      const four = words[w + 3]!
      crc =
        tables[0xf00 | (one & 0xff)]! ^
        tables[0xe00 | ((one >>> 8) & 0xff)]! ^
        tables[0xd00 | ((one >>> 16) & 0xff)]! ^
        tables[0xc00 | (one >>> 24)]! ^
        tables[0xb00 | (two & 0xff)]! ^
        tables[0xa00 | ((two >>> 8) & 0xff)]! ^
        tables[0x900 | ((two >>> 16) & 0xff)]! ^
        tables[0x800 | (two >>> 24)]! ^
        tables[0x700 | (three & 0xff)]! ^
        tables[0x600 | ((three >>> 8) & 0xff)]! ^
        tables[0x500 | ((three >>> 16) & 0xff)]! ^
        tables[0x400 | (three >>> 24)]! ^
        tables[0x300 | (four & 0xff)]! ^
        tables[0x200 | ((four >>> 8) & 0xff)]! ^
        tables[0x100 | ((four >>> 16) & 0xff)]! ^
        tables[four >>> 24]!
    }
    i += wordCount * 4
  }
  for (; i < end; i++) crc = tables[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8)
  return ~crc >>> 0
}

function makeTables(): Int32Array {
  const all = new Int32Array(256 * tableCount)
  for (let n = 0; n < 256; n++) {
    let crc = n
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
    all[n] = crc
  }
  for (let n = 256; n < all.length; n++) {
    const before = all[n - 256]!
    all[n] = all[before & 0xff]! ^ (before >>> 8)
  }
  return all
}
