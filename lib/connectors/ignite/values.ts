// A get-all as Ignite writes it: its request, and its answer's objects of Java as texts, Maps, Sets or another kind of data. Each object begins
// with a type code. ignite.apache.org/docs/ignite2/latest/binary-client-protocol/data-format
import { WrongKind } from '../../plan/plan.ts'
import { malformed, Refused } from './refused.ts'

/** What a value of the cache is for us; null: nothing is there. */
export type Value = string | null | ReadonlyMap<string, string | null> | ReadonlySet<string> | WrongKind

const getAllCode = 1003

/** Written into one buffer: a Buffer per key would cost more than all the rest. */
export function getAllRequest(cacheId: number, keys: readonly string[]): (requestId: bigint) => Buffer {
  return requestId => {
    const bytes = Buffer.allocUnsafe(23 + keys.reduce((sum, key) => sum + 5 + key.length * 3, 0))
    bytes.writeInt16LE(getAllCode, 4)
    bytes.writeBigInt64LE(requestId, 6)
    bytes.writeInt32LE(cacheId, 14)
    bytes[18] = 0
    bytes.writeInt32LE(keys.length, 19)
    let end = 23
    for (const key of keys) {
      bytes[end] = typeCodes.string
      const length = bytes.write(key, end + 5)
      bytes.writeInt32LE(length, end + 1)
      end += 5 + length
    }
    bytes.writeInt32LE(end - 4, 0)
    return bytes.subarray(0, end)
  }
}

export function textObject(text: string): Buffer {
  const bytes = Buffer.alloc(5 + Buffer.byteLength(text))
  bytes[0] = typeCodes.string
  bytes.writeInt32LE(bytes.length - 5, 1)
  bytes.write(text, 5)
  return bytes
}

const typeCodes = {
  string: 9,
  objects: 23,
  collection: 24,
  map: 25,
  wrapped: 27,
  enums: 29,
  decimal: 30,
  nothing: 101,
  object: 103,
  serialized: 254,
} as const
/** Bytes behind the type code, of types that a cache may hold and we do not read. */
const fixedBytes: Readonly<Record<number, number>> = {
  1: 1,
  2: 2,
  3: 4,
  4: 8,
  5: 4,
  6: 8,
  7: 2,
  8: 1,
  10: 16,
  11: 8,
  28: 8,
  33: 12,
  36: 8,
  38: 8,
}
const elementBytes: Readonly<Record<number, number>> = { 12: 1, 13: 2, 14: 4, 15: 8, 16: 4, 17: 8, 18: 2, 19: 1 }

/** Arrays whose elements are objects, each with its type code: of texts, UUIDs, dates, decimals, timestamps, times. */
const objectArrays: readonly number[] = [20, 21, 22, 31, 34, 37]

export function readEntries(bytes: Buffer): ReadonlyMap<string, Value> {
  const entries = new Map<string, Value>()
  let at = 4
  try {
    const count = bytes.readInt32LE(0)
    for (let i = 0; i < count; i++) {
      const key = read()
      const value = read()
      if (typeof key === 'string') entries.set(key, value)
    }
  } catch (error) {
    throw error instanceof RangeError ? malformed() : error
  }
  if (at !== bytes.length) throw malformed()
  return entries

  function read(): Value {
    const code = bytes.readUInt8(at)
    const body = at + 1
    if (code === typeCodes.nothing) return upTo(body, null)
    if (code === typeCodes.string) {
      const end = body + 4 + bytes.readInt32LE(body)
      return upTo(end, bytes.toString('utf8', body + 4, end))
    }
    if (code === typeCodes.map || code === typeCodes.collection) {
      const count = bytes.readInt32LE(body)
      at = body + 5
      const elements = Array.from({ length: code === typeCodes.map ? 2 * count : count }, read)
      const other = elements.some(element => element !== null && typeof element !== 'string')
      if (other) return new WrongKind(`a ${code === typeCodes.map ? 'Map' : 'collection'} of other things than Strings`)
      if (code === typeCodes.collection) return new Set(elements as string[])
      return new Map(Array.from({ length: count }, (_, i) => [elements[2 * i] as string, elements[2 * i + 1] as string | null]))
    }
    const fixed = fixedBytes[code]
    if (fixed !== undefined) return upTo(body + fixed, new WrongKind('a number, a date, a truth value or an enum of Java'))
    const element = elementBytes[code]
    if (element !== undefined) return upTo(body + 4 + element * bytes.readInt32LE(body), new WrongKind('an array of Java'))
    if (objectArrays.includes(code)) return skipElements(body)
    // The class of the elements stands before them.
    if (code === typeCodes.objects || code === typeCodes.enums) return skipElements(body + 4)
    // Its scale, then its digits as bytes.
    if (code === typeCodes.decimal) return upTo(body + 8 + bytes.readInt32LE(body + 4), new WrongKind('a number of Java'))
    if (code === typeCodes.serialized) return upTo(body + 4 + bytes.readInt32LE(body), new WrongKind('an object of a Java class'))
    // Whole length at byte 12 of an object; a wrapped one has its length, the object, and where it begins.
    if (code === typeCodes.object) return upTo(at + bytes.readInt32LE(at + 12), new WrongKind('an object of a Java class'))
    if (code === typeCodes.wrapped) return upTo(body + 8 + bytes.readInt32LE(body), new WrongKind('an object of a Java class'))
    throw new Refused(`a value of a type that is not read here (code ${code})`)
  }

  function skipElements(start: number): Value {
    at = start + 4
    const count = bytes.readInt32LE(start)
    for (let i = 0; i < count; i++) read()
    return new WrongKind('an array of Java')
  }

  function upTo(end: number, value: Value): Value {
    if (end <= at || end > bytes.length) throw malformed()
    at = end
    return value
  }
}
