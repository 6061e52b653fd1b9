// JSON with exact numbers, for the rare record in which JSON.parse has rounded one that must be exact. JSON.parse's reviver knows the
// text of a number, too, but it recurses, and a record of 100,000 brackets would end the process' stack; this parser does not.
import { canonicalInt, maxInt, minInt } from './integer.ts'
import { JsonNumber } from './values.ts'

/**
 * As JSON.parse, but an int beyond 2^53 becomes a bigint (up to 64 bits), and every other number that a double rounds a JsonNumber.
 * Throws SyntaxError as JSON.parse does.
 */
export function parseJsonExact(text: string): unknown {
  return parse(text, exactNumber)
}

/**
 * As JSON.parse, but each number is a JsonNumber, which has its text: a double does not tell 0.001 from 0.00100000000000000000001, and how
 * many digits count is known only where its type is.
 */
export function parseJsonTexts(text: string): unknown {
  return parse(text, digits => new JsonNumber(digits))
}

function parse(text: string, numberOf: (text: string) => unknown): unknown {
  // Decides what is JSON, so that the loop below only meets well-formed text.
  JSON.parse(text)
  const open: Container[] = []
  const next = /[[\]{}",]|-?\d[\d.eE+-]*|true|false|null/g
  let root: unknown
  for (let token = next.exec(text); token !== null; token = next.exec(text)) {
    let value: unknown
    switch (token[0]) {
      case ',':
        continue
      case '[':
      case '{': {
        const container = token[0] === '[' ? { value: [], key: undefined } : { value: {}, key: undefined }
        root = place(open, root, container.value)
        open.push(container)
        continue
      }
      case ']':
      case '}':
        open.pop()
        continue
      case '"': {
        const end = endOfString(text, token.index)
        next.lastIndex = end
        const inner = text.slice(token.index + 1, end - 1)
        value = inner.includes('\\') ? (JSON.parse(`"${inner}"`) as string) : inner
        const container = open.at(-1)
        if (container !== undefined && !Array.isArray(container.value) && container.key === undefined) {
          container.key = value as string
          continue
        }
        break
      }
      case 'true':
        value = true
        break
      case 'false':
        value = false
        break
      case 'null':
        value = null
        break
      default:
        value = numberOf(token[0])
    }
    root = place(open, root, value)
  }
  return root
}

interface Container {
  readonly value: unknown[] | object
  /** The member that waits for its value. */
  key: string | undefined
}

function place(open: readonly Container[], root: unknown, value: unknown): unknown {
  const container = open.at(-1)
  if (container === undefined) return value
  if (Array.isArray(container.value)) {
    container.value.push(value)
  } else {
    const members = container.value as Record<string, unknown>
    // An own member even if it is called __proto__, as JSON.parse has it.
    if (container.key !== '__proto__') members[container.key!] = value
    else Object.defineProperty(members, container.key, { value, configurable: true, enumerable: true, writable: true })
    container.key = undefined
  }
  return root
}

function endOfString(text: string, start: number): number {
  for (let i = start + 1; ; i++) {
    const unit = text.charCodeAt(i)
    if (unit === 34) return i + 1
    if (unit === 92) i++
  }
}

function exactNumber(text: string): number | bigint | JsonNumber {
  const value = Number(text)
  if (/^-?\d+$/.test(text)) {
    if (Number.isSafeInteger(value)) return value
    if (text.length > 20) return new JsonNumber(text)
    const whole = BigInt(text)
    return whole > maxInt || whole < minInt ? new JsonNumber(text) : canonicalInt(whole)
  }
  // Up to 15 significant digits survive the way through a double, unless that is an int beyond 2^53, or has vanished.
  const digits = text
    .replace(/[eE].*$/, '')
    .replace(/^-?[0.]*/, '')
    .replace('.', '')
  const survives = digits.length <= 15 && Number.isFinite(value) && (value === 0 ? digits === '' : !isLargeInt(value))
  return survives ? value : new JsonNumber(text)
}

function isLargeInt(value: number): boolean {
  return Number.isInteger(value) && !Number.isSafeInteger(value)
}
