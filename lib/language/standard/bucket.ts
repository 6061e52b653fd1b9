// `bucket(text, salt, n)`: the same text falls into the same of n buckets for ever, whoever computes it.
import { createHash } from 'node:crypto'
import { canonicalInt } from './integer.ts'
import { ExpressionFailure, type Int } from './values.ts'

/** The first 8 bytes of SHA-256 of `salt/text`, big-endian, modulo n. */
export function bucket(text: string, salt: string, count: Int): Int {
  if (count <= 0) throw new ExpressionFailure('there must be at least one bucket')
  const digest = createHash('sha256').update(`${salt}/${text}`, 'utf8').digest()
  return canonicalInt(digest.readBigUInt64BE(0) % BigInt(count))
}
