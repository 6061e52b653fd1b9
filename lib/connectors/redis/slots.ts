// Which of a cluster's 16,384 slots a key lies in: CRC16 (XMODEM) of the key, or of what stands between its first braces (its hash tag).
// redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec
import { byteText } from './commands.ts'

export const slotCount = 16_384

const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1
  return crc & 0xffff
})

export function slotOf(key: string): number {
  const bytes = byteText(key)
  let from = bytes.indexOf('{') + 1
  let to = from === 0 ? -1 : bytes.indexOf('}', from)
  // Without braces, or with nothing in them, it is the whole key.
  if (to <= from) {
    from = 0
    to = bytes.length
  }
  let crc = 0
  for (let i = from; i < to; i++) crc = ((crc << 8) & 0xffff) ^ table[(crc >> 8) ^ bytes.charCodeAt(i)]!
  return crc % slotCount
}
