// `"%.2f".format([…])` of the strings extension. Scenarios may not use it (implementations differ); the conformance suite does.

import { stringOfBytes } from './casts.ts'
import { compareStrings } from './comparison.ts'
import { durationText, timestampText } from './time.ts'
import { Double, Duration, ExpressionFailure, Timestamp, TypeName, Uint } from './values.ts'

/** Arguments are dyn: doubles are wrapped. */
export function formatText(pattern: string, values: readonly unknown[]): string {
  let used = 0
  const text = pattern.replace(
    /%(?:%|(?:\.(\d{1,3}))?([\s\S]?))/g,
    (match, precision: string | undefined, clause: string | undefined) => {
      if (match === '%%') return '%'
      if (used >= values.length) throw new ExpressionFailure(`index ${used} out of range: format has more clauses than values`)
      return formatOne(clause ?? '', precision === undefined ? 6 : Number(precision), values[used++])
    },
  )
  return text
}

function formatOne(clause: string, precision: number, value: unknown): string {
  switch (clause) {
    case 's':
      return textOf(value)
    case 'd':
      if (value instanceof Double && !Number.isFinite(value.value)) return String(value.value)
      return integer(value, 'decimal').toString()
    case 'f':
      return fixed(double(value, 'fixed-point'), precision)
    case 'e':
      return scientific(double(value, 'scientific'), precision)
    case 'b':
      if (typeof value === 'boolean') return value ? '1' : '0'
      return integer(value, 'binary').toString(2)
    case 'o':
      return integer(value, 'octal').toString(8)
    case 'x':
      return hexadecimal(value)
    case 'X':
      return hexadecimal(value).toUpperCase()
    default:
      throw new ExpressionFailure(`could not parse formatting clause: unrecognized formatting clause "${clause}"`)
  }
}

function textOf(value: unknown): string {
  if (value === null) return 'null'
  if (typeof value !== 'object') return String(value)
  if (value instanceof Double || value instanceof Uint) return String(value.value)
  if (value instanceof TypeName) return value.name
  if (value instanceof Timestamp) return timestampText(value)
  if (value instanceof Duration) return durationText(value)
  if (value instanceof Uint8Array) return stringOfBytes(value)
  if (Array.isArray(value)) return `[${value.map(textOf).join(', ')}]`
  if (value instanceof Map) {
    const entries = [...value].map(([key, element]) => [textOf(key), textOf(element)] as const)
    entries.sort((a, b) => compareStrings(a[0], b[0]))
    return `{${entries.map(([key, element]) => `${key}: ${element}`).join(', ')}}`
  }
  throw new ExpressionFailure(
    'error during formatting: the string clause can only be used on texts, numbers, bools, times, lists and maps',
  )
}

function double(value: unknown, clause: string): number {
  if (value instanceof Double) return value.value
  throw new ExpressionFailure(`error during formatting: the ${clause} clause can only be used on doubles`)
}

function integer(value: unknown, clause: string): bigint {
  if (typeof value === 'number' || typeof value === 'bigint') return BigInt(value)
  if (value instanceof Uint) return value.value
  throw new ExpressionFailure(`error during formatting: the ${clause} clause can only be used on integers`)
}

function hexadecimal(value: unknown): string {
  if (typeof value === 'string') return Buffer.from(value, 'utf8').toString('hex')
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  return integer(value, 'hexadecimal').toString(16)
}

// Rounded from the exact binary value, as Go does; toFixed does, too, but of a tie it takes the larger neighbour, and Go the even one.
function fixed(value: number, precision: number): string {
  if (!Number.isFinite(value)) return String(value)
  const sign = value < 0 ? '-' : ''
  const magnitude = Math.abs(value)
  if (magnitude >= 1e21) return sign + BigInt(magnitude) + (precision === 0 ? '' : `.${'0'.repeat(precision)}`)
  const places = Math.min(precision, 99)
  const exact = magnitude.toFixed(100)
  const end = exact.length - 100 + places
  const isTie = /^50*$/.test(exact.slice(end))
  const cut = exact.slice(0, places === 0 ? end - 1 : end)
  return sign + (isTie && Number(cut.at(-1)) % 2 === 0 ? cut : magnitude.toFixed(places))
}

function scientific(value: number, precision: number): string {
  if (!Number.isFinite(value)) return String(value)
  return value.toExponential(precision).replace(/e([+-])(\d)$/, 'e$10$2')
}
