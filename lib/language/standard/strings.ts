// Functions of texts. CEL counts in code points, JavaScript in UTF-16 units; the two agree unless a text has surrogates.
import { ExpressionFailure, type Int } from './values.ts'

/** How many code points. */
export function sizeOfString(text: string): number {
  if (!hasSurrogates(text)) return text.length
  let count = 0
  for (const _ of text) count++
  return count
}

/** The empty text at the end; fails beyond. */
export function charAt(text: string, index: Int): string {
  const units = points(text)
  const at = position(index, units.length)
  return at === units.length ? '' : units[at]!
}

/** −1: not found. */
export function indexOf(text: string, part: string, from?: Int): number {
  if (part === '') return from === undefined ? 0 : Number(from)
  if (!hasSurrogates(text)) return text.indexOf(part, from === undefined ? 0 : searchStart(from, text.length))
  const units = [...text]
  const start = from === undefined ? 0 : searchStart(from, units.length)
  const parts = [...part]
  for (let i = start; i + parts.length <= units.length; i++) if (startsAt(units, parts, i)) return i
  return -1
}

/** The last one that begins at `from` or before; −1: not found. */
export function lastIndexOf(text: string, part: string, from?: Int): number {
  const units = points(text)
  if (part === '') return from === undefined ? units.length : Number(from)
  const last = from === undefined ? units.length : searchStart(from, units.length)
  if (typeof units === 'string') return units.lastIndexOf(part, last)
  const parts = [...part]
  for (let i = Math.min(last, units.length - parts.length); i >= 0; i--) if (startsAt(units, parts, i)) return i
  return -1
}

export function substring(text: string, start: Int, end?: Int): string {
  const units = points(text)
  const from = position(start, units.length)
  const to = end === undefined ? units.length : position(end, units.length)
  if (from > to) throw new ExpressionFailure('a text from a position to one before it was asked for')
  return typeof units === 'string' ? units.slice(from, to) : units.slice(from, to).join('')
}

/** All, or the first `limit` ones (negative: all). */
export function replace(text: string, part: string, by: string, limit: Int = -1): string {
  if (limit < 0 && part !== '') return text.split(part).join(by)
  // An empty part stands before each code point and at the end.
  const pieces = part === '' ? ['', ...text] : text.split(part)
  const joints = part === '' ? pieces.length : pieces.length - 1
  const count = limit < 0 || limit > joints ? joints : Number(limit)
  let result = ''
  if (part === '') {
    for (let i = 0; i < pieces.length; i++) result += pieces[i]! + (i < count ? by : '')
    return result
  }
  for (let i = 0; i < pieces.length; i++) result += (i === 0 ? '' : i <= count ? by : part) + pieces[i]!
  return result
}

/** At most `limit` pieces, of which the last is the rest (negative: all). An empty separator splits into code points. */
export function split(text: string, separator: string, limit: Int = -1): readonly string[] {
  if (limit < 0) return separator === '' ? [...text] : text.split(separator)
  const most = Number(limit)
  if (most === 0) return []
  const pieces = separator === '' ? [...text] : text.split(separator)
  if (pieces.length <= most) return pieces
  return [...pieces.slice(0, most - 1), pieces.slice(most - 1).join(separator)]
}

export function join(texts: readonly string[], separator = ''): string {
  for (const text of texts) if (typeof text !== 'string') throw new ExpressionFailure('only texts can be joined')
  return texts.join(separator)
}

// Unicode's White_Space, which is not JavaScript's: with U+0085, without U+FEFF.
function isBlank(unit: number): boolean {
  if (unit <= 32) return unit === 32 || (unit >= 9 && unit <= 13)
  if (unit < 0x85) return false
  return (
    unit === 0x85 ||
    unit === 0xa0 ||
    unit === 0x1680 ||
    (unit >= 0x2000 && unit <= 0x200a) ||
    unit === 0x2028 ||
    unit === 0x2029 ||
    unit === 0x202f ||
    unit === 0x205f ||
    unit === 0x3000
  )
}

export function trim(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

export function lowerAscii(text: string): string {
  return text.replace(/[A-Z]+/g, part => part.toLowerCase())
}

export function upperAscii(text: string): string {
  return text.replace(/[a-z]+/g, part => part.toUpperCase())
}

/** By code points. */
export function reverse(text: string): string {
  return [...text].reverse().join('')
}

/** In double quotes, with escapes. */
export function quote(text: string): string {
  return `"${text.toWellFormed().replace(/["\\\x07-\r]/g, character => escapes[character]!)}"`
}

const escapes: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\x07': '\\a',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\v': '\\v',
  '\f': '\\f',
  '\r': '\\r',
}

function hasSurrogates(text: string): boolean {
  for (let i = 0; i < text.length; i++) if ((text.charCodeAt(i) & 0xf800) === 0xd800) return true
  return false
}

// A text without surrogates is its own list of code points.
function points(text: string): string | readonly string[] {
  return hasSurrogates(text) ? [...text] : text
}

function position(index: Int, size: number): number {
  if (index < 0 || index > size) throw new ExpressionFailure('index out of range: the text is shorter')
  return Number(index)
}

function searchStart(index: Int, size: number): number {
  if (index < 0 || index >= size) throw new ExpressionFailure('index out of range: the text is shorter')
  return Number(index)
}

function startsAt(units: readonly string[], parts: readonly string[], at: number): boolean {
  for (let k = 0; k < parts.length; k++) if (units[at + k] !== parts[k]) return false
  return true
}
