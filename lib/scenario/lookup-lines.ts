// The lines of look-ups that name more than one key: `item TABLE id={…}`, `GET URL`, `FILE.csv column={…}`; and the files that the last ones read.
import type { Range } from '../language/problem.ts'
import type { Field, Type } from '../language/types.ts'
import { besides, csvRecords } from './decision/table.ts'
import { typeNamed } from './declared-types.ts'
import { parseLiteral, textOfLiteral } from './literals.ts'
import type { Report } from './report.ts'
import type { ScalarText } from './syntax.ts'
import { partOf } from './values.ts'

/** `id={event.customerId}` as written. */
export interface AttributeText {
  readonly name: string
  readonly value: ScalarText
}

interface AttributeLine {
  readonly key: ScalarText
  readonly attributes: readonly AttributeText[]
}

export function readItemLine(line: ScalarText): (AttributeLine & { readonly table: string }) | undefined {
  const [head, table, rest] = /^\s*item\s+([\w.-]{3,255})\s+(\S.*)$/s.exec(line.text) ?? []
  if (head === undefined) return undefined
  const attributes = readAttributes(line, line.text.length - rest!.length)
  return attributes === undefined || attributes.attributes.length > 2 ? undefined : { table: table!, ...attributes }
}

export function readTableLine(line: ScalarText): (AttributeLine & { readonly file: string }) | undefined {
  const [head, file, rest] = /^\s*(\S+\.csv)\s+(\S.*)$/s.exec(line.text) ?? []
  if (head === undefined) return undefined
  const attributes = readAttributes(line, line.text.length - rest!.length)
  return attributes && { file: file!, ...attributes }
}

/** The host is the author's: a record must not choose whom the function talks to, and secrets do not stand in scenario files. */
export function readRequestLine(
  line: ScalarText,
): { readonly method: 'GET' | 'POST'; readonly host: string; readonly key: ScalarText } | undefined {
  const [head, method, url] = /^\s*(GET|POST)\s+(https?:\/\/\S.*?)\s*$/s.exec(line.text) ?? []
  if (head === undefined) return undefined
  const host = /^https?:\/\/([\w.-]+(?::\d{1,5})?)(?=[/?]|$)/.exec(url!)?.[1]
  if (host === undefined || /[\s#]/.test(withoutHoles(url!)) || /\/\.{1,2}(?=[/?]|$)/.test(url!)) return undefined
  const start = line.text.indexOf(url!)
  return { method: method as 'GET', host, key: partOf(line, start, start + url!.length) }
}

// NAME=VALUE, blank-separated outside of holes.
function readAttributes(line: ScalarText, from: number): AttributeLine | undefined {
  const { text } = line
  const attributes: AttributeText[] = []
  let at = from
  while (at < text.length) {
    const head = /^([A-Za-z_][\w.-]*)=/.exec(text.slice(at))
    if (head === null) return undefined
    const start = at + head[0].length
    const end = endOfWord(text, start)
    if (end === start || attributes.some(({ name }) => name === head[1])) return undefined
    attributes.push({ name: head[1]!, value: partOf(line, start, end) })
    at = end + /^\s*/.exec(text.slice(end))![0].length
  }
  return attributes.length === 0 ? undefined : { key: partOf(line, from, text.trimEnd().length), attributes }
}

function endOfWord(text: string, start: number): number {
  let at = start
  for (const { isHole, character } of characters(text.slice(start))) {
    if (!isHole && /\s/.test(character)) break
    at += character.length
  }
  return at
}

function withoutHoles(text: string): string {
  return [...characters(text)].flatMap(({ isHole, character }) => (isHole ? [] : [character])).join('')
}

// Counting braces outside of quotes is enough to tell holes from the text around them.
function* characters(text: string): Generator<{ readonly isHole: boolean; readonly character: string }> {
  let depth = 0
  let quote: string | undefined
  let isEscaped = false
  for (const character of text) {
    const isHole = depth > 0 || character === '{'
    if (quote !== undefined) {
      if (!isEscaped && character === quote) quote = undefined
      isEscaped = !isEscaped && character === '\\'
    } else if (depth > 0 && (character === '"' || character === "'")) quote = character
    else if (character === '{') depth++
    else if (character === '}') depth--
    yield { isHole, character }
  }
}

/** A CSV file by its key columns. */
export interface LookupTable {
  readonly fields: ReadonlyMap<string, Field>
  /** By `tableKey`'s text (lib/plan/keys.ts): the JSON of the key cells as they print, in the line's order. */
  readonly rows: ReadonlyMap<string, Readonly<Record<string, unknown>>>
}

interface Column {
  readonly name: string
  readonly type: Type
}

/** Undefined where the file cannot be used; that has been told. An empty cell is missing; a column with one may be missing. */
export function readLookupTable(
  file: string,
  keys: readonly string[],
  {
    line,
    report,
    readFile,
  }: { readonly line: ScalarText; readonly report: Report; readonly readFile: ((path: string) => string) | undefined },
): LookupTable | undefined {
  const path = besides(report.file, file)
  const range: Range = line.range
  const refuse = (needed: string, found: string, notes: readonly string[] = []): undefined =>
    report.add('wrong-shape', { key: 'table', needed, found }, range, { notes }) as undefined
  let text: string
  try {
    if (readFile === undefined) throw new Error('files cannot be read here')
    text = readFile(file)
  } catch (error) {
    return refuse('the path of a CSV file', `"${path}", which cannot be read`, [
      error instanceof Error ? error.message : String(error),
    ])
  }
  const [heading, ...records] = csvRecords(text.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n'))
  const columns = (heading?.cells ?? []).map(cell => readHeading(cell.trim()))
  const wrong = columns.indexOf(undefined)
  if (wrong >= 0)
    return refuse('a heading of names with types, as "price: double"', `"${heading!.cells[wrong]!.trim()}" at ${path}:1`)
  const known = columns as readonly Column[]
  const names = known.map(({ name }) => name)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) return refuse('columns of different names', `"${twice}" twice at ${path}:1`)
  const unknown = keys.find(key => !names.includes(key))
  if (unknown !== undefined)
    return refuse(`a column "${unknown}"`, `${names.map(name => `"${name}"`).join(', ') || 'nothing'} at ${path}:1`)
  if (names.length === keys.length) return refuse('a column beside those of the key', `none at ${path}:1`)

  const optional = new Set<string>()
  const rows = new Map<string, Readonly<Record<string, unknown>>>()
  const lines = new Map<string, number>()
  for (const { cells, line: number } of records) {
    const origin = `${path}:${number}`
    if (cells.length !== known.length) return refuse(`${known.length} cells in each row`, `${cells.length} at ${origin}`)
    const row: Record<string, unknown> = {}
    for (const [c, { name, type }] of known.entries()) {
      const cell = cells[c]!.trim()
      if (keys.includes(name)) continue
      const literal = cell === '' ? { value: undefined } : parseLiteral(cell, type)
      if (literal === undefined) return refuse(`cells of the type that the heading "${name}" has`, `"${cell}" at ${origin}`)
      if (literal.value === undefined) optional.add(name)
      Object.defineProperty(row, name, { value: literal.value, enumerable: true, configurable: true, writable: true })
    }
    const keyTexts = keys.map(key => {
      const c = names.indexOf(key)
      const cell = cells[c]!.trim()
      return cell === '' ? undefined : textOfLiteral(cell, known[c]!.type)
    })
    const bad = keyTexts.indexOf(undefined)
    if (bad >= 0) return refuse(`a "${keys[bad]}" in each row`, `"${cells[names.indexOf(keys[bad]!)]!.trim()}" at ${origin}`)
    const key = JSON.stringify(keyTexts)
    if (rows.has(key))
      return refuse(
        'rows of different keys',
        `${keyTexts.map(part => `"${part}"`).join(', ')} at ${path}:${lines.get(key)} and ${origin}`,
      )
    rows.set(key, row)
    lines.set(key, number)
  }
  if (rows.size === 0) return refuse('rows under its heading', `none in ${path}`)
  const fields = known
    .filter(({ name }) => !keys.includes(name))
    .map(({ name, type }) => [name, { type, optional: optional.has(name) }] as const)
  return { fields: new Map(fields), rows }
}

function readHeading(cell: string): Column | undefined {
  const [head, name, typeName] = /^([A-Za-z_][\w-]*)\s*(?::\s*(.+))?$/.exec(cell) ?? []
  if (head === undefined) return undefined
  const type = typeName === undefined ? ({ kind: 'string' } as const) : typeNamed(typeName)
  return type === undefined || type.kind === 'list' || type.kind === 'map' ? undefined : { name: name!, type }
}
