// A ZIP archive that depends on its input alone: no clock, no user, no order of a file system. Same input, same bytes, so that an unchanged
// function keeps its Lambda version. pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT (no ZIP64: Lambda takes 50 MB).
import { crc32, deflateRawSync } from 'node:zlib'

export interface ZipEntry {
  readonly name: string
  readonly data: Uint8Array
}

export function zip(entries: readonly ZipEntry[]): Uint8Array {
  const sorted = [...entries].sort((a, b) => (a.name < b.name ? -1 : 1))
  const parts: Uint8Array[] = []
  const directory: Uint8Array[] = []
  let offset = 0
  for (const { name, data } of sorted) {
    const nameBytes = Buffer.from(name, 'utf8')
    const body = deflateRawSync(data, { level: 9 })
    const common = commonFields(data, body.length, nameBytes.length)
    parts.push(Buffer.concat([u32(0x04034b50), common, nameBytes]), body)
    directory.push(
      Buffer.concat([
        u32(0x02014b50),
        u16(madeByUnix),
        common,
        // length of a comment, number of the disk, internal attributes
        ...[0, 0, 0].map(u16),
        u32(regularFile),
        u32(offset),
        nameBytes,
      ]),
    )
    offset += parts.at(-2)!.length + body.length
  }
  const directoryBytes = Buffer.concat(directory)
  const end = Buffer.concat([
    u32(0x06054b50),
    ...[0, 0, sorted.length, sorted.length].map(u16),
    u32(directoryBytes.length),
    u32(offset),
    u16(0),
  ])
  return Buffer.concat([...parts, directoryBytes, end])
}

const versionNeeded = 20
const madeByUnix = (3 << 8) | versionNeeded
const utf8Names = 1 << 11
const deflated = 8
/** DOS date of 1980-01-01, the first there is. */
const fixedDate = (1 << 5) | 1
/** -rw-r--r--: Lambda runs the code as another user. */
const regularFile = (0o100644 << 16) >>> 0

// From "version needed" to the length of the extra field: the same in both headers.
function commonFields(data: Uint8Array, compressedSize: number, nameLength: number): Uint8Array {
  return Buffer.concat([
    ...[versionNeeded, utf8Names, deflated, 0, fixedDate].map(u16),
    ...[crc32(data), compressedSize, data.length].map(u32),
    u16(nameLength),
    u16(0),
  ])
}
function u16(value: number): Uint8Array {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16LE(value)
  return bytes
}

function u32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
