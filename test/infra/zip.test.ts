import { expect, test } from 'vitest'
import { zip } from '../../infra/zip.ts'

test('an archive is what the specification says, byte for byte', () => {
  const header = '1400 0008 0800 0000 2100 00000000 02000000 00000000 0100 0000' // version, UTF-8 names, deflate, 1980-01-01, CRC, 2 bytes of 0, name of 1
  const expected = [
    `504b0304 ${header} 61 0300`, // with the name and the empty deflate block
    `504b0102 1403 ${header} 0000 0000 0000 0000a481 00000000 61`, // made by Unix; no comment, disk 0; -rw-r--r--; at offset 0
    '504b0506 0000 0000 0100 0100 2f000000 21000000 0000', // one entry of one; directory of 47 bytes at 33
  ]
  expect(Buffer.from(zip([{ name: 'a', data: new Uint8Array() }])).toString('hex')).toBe(expected.join('').replaceAll(' ', ''))
})

test('several files: in the order of their names, each with its size, checksum and place, and nothing of clock or user', () => {
  const files = [
    { name: 'package.json', data: Buffer.from('{}\n') },
    { name: 'index.js', data: Buffer.from('ha'.repeat(100)) },
    { name: 'żółw.txt', data: Buffer.from('ż\n') },
    { name: 'Z.md', data: Buffer.from('') },
  ]
  // version, flags, method, time, date
  const same = '1400 0008 0800 0000 2100'
  const entry = (rest: string) => `1403 ${same} ${rest}`
  expect(directoryOf(zip(files))).toEqual([
    // CRC-32 (as Python finds it, too), compressed, size, lengths of name, extra field and comment, disk, attributes inner and outer, place
    ['Z.md', entry('00000000 02000000 00000000 0400 0000 0000 0000 0000 0000a481 00000000')],
    ['index.js', entry('c1972a2a 07000000 c8000000 0800 0000 0000 0000 0000 0000a481 24000000')],
    ['package.json', entry('06b0a1dd 05000000 03000000 0c00 0000 0000 0000 0000 0000a481 51000000')],
    ['żółw.txt', entry('138580c0 05000000 03000000 0b00 0000 0000 0000 0000 0000a481 80000000')],
  ])
})

test('the same files in another order give the same bytes', () => {
  const a = { name: 'index.js', data: Buffer.from('export {}\n') }
  const b = { name: 'package.json', data: Buffer.from('{}\n') }
  expect(Buffer.from(zip([a, b])).equals(zip([b, a]))).toBe(true)
})

/** Name and fixed fields of each entry of the directory, which the end of the archive points to. */
function directoryOf(archive: Uint8Array): readonly (readonly [string, string])[] {
  const bytes = Buffer.from(archive)
  const end = bytes.lastIndexOf(Buffer.from('504b0506', 'hex'))
  const entries: [string, string][] = []
  let at = bytes.readUInt32LE(end + 16)
  while (bytes.readUInt32LE(at) === 0x02014b50) {
    const nameLength = bytes.readUInt16LE(at + 28)
    const widths = [2, 2, 2, 2, 2, 2, 4, 4, 4, 2, 2, 2, 2, 2, 4, 4]
    const starts = widths.map((_, i) => at + 4 + widths.slice(0, i).reduce((sum, width) => sum + width, 0))
    const fields = starts.map((start, i) => bytes.subarray(start, start + widths[i]!).toString('hex'))
    entries.push([bytes.subarray(at + 46, at + 46 + nameLength).toString('utf8'), fields.join(' ')])
    at += 46 + nameLength
  }
  return entries
}
