// What a dead letter does not show: fields of its JSON value, its key, headers. The rest stays byte for byte, so the text is cut and not written
// anew. A value in which no field can be found, since it is not JSON, is withheld as a whole; so is whatever stands where an object was expected that
// holds such a field: a text may well be that object, encoded twice. The record itself stays at its coordinates.
import { isUtf8 } from 'node:buffer'
import type { Failure } from './failure.ts'
import type { Header, SourceRecord } from './plan.ts'

export interface Redacted {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly Header[]
  /** The paths that were found; `value` for one that was withheld. Empty: the record is as it came. */
  readonly paths: readonly string[]
}

export const redactedText = '[redacted]'

/** Where a record failed, as logs and dead letters may show it. */
export function shownAt({ reason, at }: Failure, paths: readonly string[]): string {
  if (!reason.startsWith('lookup-')) return at
  // The key of a look-up was built from the record.
  if (paths.length > 0) return redactedText
  const url = /^(https?:\/\/)(?:[^/?\n]*@)?([^?\n]*)(.?)/s.exec(at)
  if (url === null) return at
  // A query may hold a token, and what is POSTed may be long.
  const [, scheme, place, rest] = url
  return `${scheme}${place}${rest === '' ? '' : '?…'}`
}

export function redact({ key, value, headers }: SourceRecord, paths: readonly string[]): Redacted {
  if (paths.length === 0) return { key, value, headers, paths: [] }
  const found = new Set<string>()
  const redactedHeaders = headers.map(header => {
    const path = `headers.${header.name}`
    if (!paths.includes(path)) return header
    found.add(path)
    return { name: header.name, value: Buffer.from(redactedText) }
  })
  const hidesKey = key !== null && paths.includes('key')
  if (hidesKey) found.add('key')
  return {
    // None at all: one text for all would bring them all to one partition.
    key: hidesKey ? null : key,
    value: value === null ? null : redactValue(value, paths, found),
    headers: redactedHeaders,
    paths: [...found],
  }
}

function redactValue(value: Uint8Array, paths: readonly string[], found: Set<string>): Uint8Array {
  const fields = paths.filter(path => path.startsWith('event.')).map(path => ({ path, names: path.split('.').slice(1) }))
  if (fields.length === 0) return value
  const text = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString()
  if (!isUtf8(value) || !isJson(text) || isScalar(text.trim())) return withheld(found)
  const cuts: Cut[] = []
  const scanner = new Scanner(text, cuts)
  if (!scanner.scan(fields)) return withheld(found)
  if (cuts.length === 0) return value
  const parts: string[] = []
  let at = 0
  for (const { start, end, paths } of cuts) {
    for (const path of paths) found.add(path)
    parts.push(text.slice(at, start), JSON.stringify(redactedText))
    at = end
  }
  return Buffer.from(parts.join('') + text.slice(at))
}

function withheld(found: Set<string>): Uint8Array {
  found.add('value')
  return Buffer.from(redactedText)
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** No object and no list; null, which holds nothing, is none. */
function isScalar(json: string): boolean {
  return !/^[{[]/.test(json) && json !== 'null'
}

interface Cut {
  readonly start: number
  readonly end: number
  readonly paths: readonly string[]
}

interface Field {
  readonly path: string
  /** What is left of it below the present value. */
  readonly names: readonly string[]
}

/** Deeper values are withheld as a whole: the stack has an end. */
const deepest = 200

/** Over a text that is known to be JSON. A name that occurs twice is cut twice; a list stands for each of its elements. */
class Scanner {
  readonly #text: string
  readonly #cuts: Cut[]
  #at = 0

  constructor(text: string, cuts: Cut[]) {
    this.#text = text
    this.#cuts = cuts
  }

  /** False: too deep. */
  scan(fields: readonly Field[], depth = 0): boolean {
    if (depth > deepest) return false
    this.#skipBlanks()
    const open = this.#text[this.#at]
    if (fields.length === 0 || (open !== '{' && open !== '[')) {
      const start = this.#at
      this.#skipValue()
      if (fields.length > 0 && isScalar(this.#text.slice(start, this.#at)))
        this.#cuts.push({ start, end: this.#at, paths: fields.map(({ path }) => path) })
      return true
    }
    this.#at++
    for (;;) {
      this.#skipBlanks()
      const next = this.#text[this.#at]
      if (next === '}' || next === ']') {
        this.#at++
        return true
      }
      if (next === ',') {
        this.#at++
        continue
      }
      if (!(open === '[' ? this.scan(fields, depth + 1) : this.#member(fields, depth))) return false
    }
  }

  #member(fields: readonly Field[], depth: number): boolean {
    const nameStart = this.#at
    this.#skipText()
    const name = JSON.parse(this.#text.slice(nameStart, this.#at)) as string
    this.#skipBlanks()
    this.#at++
    this.#skipBlanks()
    const own = fields.filter(({ names }) => names[0] === name).map(({ path, names }) => ({ path, names: names.slice(1) }))
    const whole = own.find(({ names }) => names.length === 0)
    if (whole === undefined) return this.scan(own, depth + 1)
    const start = this.#at
    this.#skipValue()
    this.#cuts.push({ start, end: this.#at, paths: [whole.path] })
    return true
  }

  #skipBlanks(): void {
    while (this.#at < this.#text.length && this.#text.charCodeAt(this.#at) <= 0x20) this.#at++
  }

  #skipText(): void {
    for (this.#at++; this.#text[this.#at] !== '"'; this.#at++) if (this.#text[this.#at] === '\\') this.#at++
    this.#at++
  }

  #skipValue(): void {
    let depth = 0
    do {
      const next = this.#text[this.#at]!
      if (next === '"') {
        this.#skipText()
        continue
      }
      if (next === '{' || next === '[') depth++
      if (next === '}' || next === ']') depth--
      this.#at++
      // Of a number or a word.
      if (depth === 0 && !/[}\]]/.test(next))
        while (this.#at < this.#text.length && !/[\s,\]}]/.test(this.#text[this.#at]!)) this.#at++
    } while (depth > 0)
  }
}
