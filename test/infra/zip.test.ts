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

test('the same files in another order give the same bytes', () => {
  const a = { name: 'index.js', data: Buffer.from('export {}\n') }
  const b = { name: 'package.json', data: Buffer.from('{}\n') }
  expect(Buffer.from(zip([a, b])).equals(zip([b, a]))).toBe(true)
})
