// Literals in cells: as everywhere in a scenario file (../literals.ts), with quotes where a text would read as another form of a cell.
// Durations are no declared type, but a heading may have one (`now - contact.lastAt`).
import { Duration } from '../../language/standard/values.ts'
import type { Type } from '../../language/types.ts'
import { parseLiteral } from '../literals.ts'
import { closingQuote } from './table.ts'

/** The run-time value that `text` writes, or undefined if it writes none of this type. */
export function readLiteral(text: string, type: Type): { readonly value: unknown } | undefined {
  const plain = unquoted(text)
  if (type.kind === 'duration') {
    const value = durationOf(plain)
    return value && { value }
  }
  return parseLiteral(plain, type)
}

export const isQuoted = (text: string): boolean => /^["']/.test(text) && closingQuote(text, 0) === text.length - 1

/** `"a, b"` → `a, b`; a backslash keeps a quote or a backslash. A text without quotes is itself. */
export function unquoted(text: string): string {
  return isQuoted(text) ? text.slice(1, -1).replace(/\\(["'\\])/g, '$1') : text
}

const secondsPer = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 } as const

function durationOf(text: string): Duration | undefined {
  const found = /^(-?)(\d{1,12})(ms|s|m|h|d)$/.exec(text)
  if (found === null) return undefined
  const sign = found[1] === '-' ? -1 : 1
  const count = Number(found[2])
  if (found[3] === 'ms') return new Duration(sign * Math.floor(count / 1000) + 0, sign * (count % 1000) * 1_000_000 + 0)
  return new Duration(sign * count * secondsPer[found[3] as keyof typeof secondsPer] + 0, 0)
}
