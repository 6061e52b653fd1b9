// What a server answers, in version 2 of Redis' protocol, from chunks cut anywhere. Whatever is no reply ends the reading: after a byte that
// nobody understands no answer can be told from another.
import { isAscii, isUtf8 } from 'node:buffer'

/** Bytes that are not UTF-8 are no text: `NotText`. An integer beyond 2^53 is a bigint. An error of a command stands in its place. */
export type Reply = string | number | bigint | null | ReplyError | NotText | readonly Reply[]

export class ReplyError {
  /** `WRONGTYPE`, `LOADING`: the first word. The rest may quote what was sent: it stays out of messages. */
  readonly code: string
  readonly detail: string
  constructor(line: string) {
    const space = line.indexOf(' ')
    const word = space < 0 ? line : line.slice(0, space)
    this.code = /^[A-Z][A-Z0-9]*$/.test(word) ? word : 'ERR'
    this.detail = line.slice(word.length + 1)
  }
}

export class NotText {
  readonly bytes: Uint8Array
  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }
}

/** The other side speaks another protocol. */
export class Garbage extends Error {
  override readonly name = 'Garbage'
}

/** No line of a reply is longer, and no array deeper: else it is none. */
const maxLineBytes = 65_536
const maxDepth = 32
/** Redis' own limit of a value. */
const maxBulkBytes = 512 * 1024 * 1024
const maxElements = 10_000_000

const [dollar, star, colon, plus, minus, returnByte, newline] = [0x24, 0x2a, 0x3a, 0x2b, 0x2d, 0x0d, 0x0a]

interface Unfinished {
  readonly items: Reply[]
  readonly length: number
}

/** Calls `accept` with each whole reply, in order. `read` throws Garbage. */
export function createReader(accept: (reply: Reply) => void): { read(chunk: Buffer): void } {
  /** What was left of earlier chunks, together `heldBytes`; looked at again when there are `neededBytes`. */
  let held: Buffer[] = []
  let heldBytes = 0
  let neededBytes = 0
  const open: Unfinished[] = []

  return { read }

  function read(chunk: Buffer): void {
    let data = chunk
    if (heldBytes > 0) {
      held.push(chunk)
      heldBytes += chunk.length
      // A large value comes in many chunks: putting them together each time would cost the square of its size.
      if (heldBytes < neededBytes) return
      data = Buffer.concat(held, heldBytes)
      held = []
      heldBytes = 0
    }
    const isPlain = isAscii(data)
    const end = data.length
    let at = 0
    while (at < end) {
      const kind = data[at]
      let next = at + 1
      let value: Reply
      if (kind === dollar || kind === star || kind === colon) {
        let isNegative = false
        if (data[next] === minus) {
          isNegative = true
          next++
        }
        const digitsAt = next
        let number = 0
        while (next < end && data[next] !== returnByte) {
          const digit = data[next]! - 0x30
          if (digit < 0 || digit > 9 || next - digitsAt > 18) throw garbage(data, at)
          number = number * 10 + digit
          next++
        }
        if (next + 1 >= end) return hold(data, at, next + 2 - at)
        if (next === digitsAt || data[next + 1] !== newline) throw garbage(data, at)
        if (kind === colon) {
          value = Number.isSafeInteger(number)
            ? isNegative
              ? 0 - number
              : number
            : BigInt(data.toString('latin1', at + 1, next))
          next += 2
        } else if (isNegative) {
          if (number !== 1) throw garbage(data, at)
          value = null
          next += 2
        } else if (kind === dollar) {
          if (number > maxBulkBytes) throw garbage(data, at)
          const from = next + 2
          next = from + number + 2
          if (next > end) return hold(data, at, next - at)
          if (data[next - 2] !== returnByte || data[next - 1] !== newline) throw garbage(data, at)
          value = isPlain ? data.toString('latin1', from, from + number) : textOf(data, from, from + number)
        } else {
          if (number > maxElements || open.length >= maxDepth) throw garbage(data, at)
          at = next + 2
          if (number > 0) {
            open.push({ items: [], length: number })
            continue
          }
          next = at
          value = []
        }
      } else if (kind === plus || kind === minus) {
        next = data.indexOf(newline, at)
        if (next < 0) {
          if (end - at > maxLineBytes) throw garbage(data, at)
          return hold(data, at, end - at + 1)
        }
        if (data[next - 1] !== returnByte) throw garbage(data, at)
        const line = data.toString('utf8', at + 1, next - 1)
        value = kind === plus ? line : new ReplyError(line)
        next++
      } else throw garbage(data, at)
      at = next
      complete(value)
    }
  }

  /** A value closes all arrays of which it is the last element. */
  function complete(value: Reply): void {
    let whole = value
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      top.items.push(whole)
      if (top.items.length < top.length) return
      whole = top.items
      open.pop()
    }
    accept(whole)
  }

  function hold(data: Buffer, from: number, needed: number): void {
    const rest = data.subarray(from)
    held = [rest]
    heldBytes = rest.length
    neededBytes = needed
  }
}

function textOf(data: Buffer, from: number, to: number): string | NotText {
  const bytes = data.subarray(from, to)
  return isUtf8(bytes) ? bytes.toString('utf8') : new NotText(Uint8Array.from(bytes))
}

/** Its first byte tells a listener with TLS (a handshake record or an alert) and HTTP from the rest; more of it is not shown. */
function garbage(data: Buffer, at: number): Garbage {
  const first = data[at]
  if (first === 0x15 || first === 0x16) return new Garbage('it answered in TLS')
  if (data.toString('latin1', at, at + 5) === 'HTTP/') return new Garbage('it answered in HTTP')
  return new Garbage("it answered in another protocol than Redis'")
}
