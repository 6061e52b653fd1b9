// Decision tables as written: pipes in the scenario file, or a CSV file beside it. Both become headings and rows of cells, each with its
// place; what a cell means is read by cells.ts, since that needs the column's type.
import type { Range } from '../../language/problem.ts'
import type { Report } from '../report.ts'
import type { ScalarText } from '../syntax.ts'

export interface TableSyntax {
  readonly inputs: readonly ScalarText[]
  readonly outputs: readonly ScalarText[]
  readonly rows: readonly RowText[]
}

export interface RowText {
  /** From 1, as messages count rows. */
  readonly number: number
  readonly range: Range
  readonly inputs: readonly ScalarText[]
  readonly outputs: readonly ScalarText[]
  /** `tables/offers.csv:12`: the scenario file shows only the path of a CSV file. */
  readonly origin?: string
}

export interface TableOptions {
  /** The decision's name, for messages. */
  readonly name: string
  readonly readFile?: ((path: string) => string) | undefined
  readonly report: Report
}

/** Undefined if the table cannot be used at all; rows with an error are left out. */
export function readTable(scalar: ScalarText, options: TableOptions): TableSyntax | undefined {
  return /[|\n]/.test(scalar.text) ? readPipes(scalar, options) : readCsv(scalar, options)
}

// ---- Pipes

interface Piece {
  readonly start: number
  readonly end: number
}

interface Line {
  readonly inputs: readonly Piece[]
  /** Undefined where the line has no `||`. */
  readonly outputs: readonly Piece[] | undefined
}

function readPipes(scalar: ScalarText, { name, report }: TableOptions): TableSyntax | undefined {
  const { text } = scalar
  const rangeOf = ({ start, end }: Piece): Range => ({
    start: scalar.fileOffset(start),
    end: end > start ? scalar.fileOffset(end - 1) + 1 : scalar.fileOffset(start),
  })
  const cellOf = (piece: Piece): ScalarText => ({
    text: text.slice(piece.start, piece.end),
    quoted: false,
    range: rangeOf(piece),
    fileOffset: offset => scalar.fileOffset(piece.start + offset),
  })
  const [headingLine, ...otherLines] = linesOf(text)
  if (headingLine === undefined) {
    report.add('wrong-shape', { key: 'table', needed: 'a heading and rows', found: 'nothing' }, scalar.range)
    return undefined
  }
  const heading = splitLine(text, headingLine, true)
  if (heading.outputs === undefined) {
    report.add('cell-count/heading', { table: name }, rangeOf(headingLine), {
      notes: ['The heading needs "||" between the columns that are asked and the columns that are answered.'],
    })
    return undefined
  }
  // A row of single dashes is a row.
  const isRuler = (line: Piece): boolean => /^[\s|:-]*--[\s|:-]*$/.test(text.slice(line.start, line.end))
  const rowLines = otherLines[0] !== undefined && isRuler(otherLines[0]) ? otherLines.slice(1) : otherLines
  const rows: RowText[] = []
  for (const [index, line] of rowLines.entries()) {
    const { inputs, outputs } = splitLine(text, line, false)
    const number = index + 1
    const needed = shapeOf(heading.inputs.length, heading.outputs.length)
    if (outputs === undefined) report.add('cell-count/no-separator', { row: number, table: name }, rangeOf(line))
    else if (inputs.length !== heading.inputs.length || outputs.length !== heading.outputs.length) {
      const found = shapeOf(inputs.length, outputs.length)
      const written = text.slice(line.start, line.end)
      const notes = /\|\|.*\|\|/.test(written)
        ? ['An expression with "||" cannot stand in a table: give it a name under "let".']
        : []
      report.add('cell-count', { row: number, table: name, found, needed }, rangeOf(line), { notes })
    } else rows.push({ number, range: rangeOf(line), inputs: inputs.map(cellOf), outputs: outputs.map(cellOf) })
  }
  return { inputs: heading.inputs.map(cellOf), outputs: heading.outputs.map(cellOf), rows }
}

const shapeOf = (inputs: number, outputs: number): string => `${inputs} input and ${outputs} output`

function linesOf(text: string): readonly Piece[] {
  const lines: Piece[] = []
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start)
    const end = newline === -1 ? text.length : newline
    const line = trimmed(text, { start, end })
    if (line.end > line.start) lines.push(line)
    start = end + 1
  }
  return lines
}

function trimmed(text: string, { start, end }: Piece): Piece {
  while (start < end && /\s/.test(text[start]!)) start++
  while (end > start && /\s/.test(text[end - 1]!)) end--
  return { start, end }
}

function splitLine(text: string, line: Piece, isHeading: boolean): Line {
  const inputs: Piece[] = []
  let outputs: Piece[] | undefined
  // The outer pipes belong to the frame.
  let start = text[line.start] === '|' ? line.start + 1 : line.start
  const end = line.end > start && text[line.end - 1] === '|' ? line.end - 1 : line.end
  const close = (at: number): void => void (outputs ?? inputs).push(trimmed(text, { start, end: at }))
  let at = start
  while (at < end) {
    const character = text[at]!
    if (character === '|') {
      close(at)
      const isSeparator = outputs === undefined && text[at + 1] === '|' && at + 1 < end
      if (isSeparator) outputs = []
      at += isSeparator ? 2 : 1
      start = at
    } else if (
      (character === '"' || character === "'") &&
      opensQuote(text.slice(start, at), { isHeading, isOutput: outputs !== undefined })
    ) {
      at = Math.min(closingQuote(text, at) ?? at, end - 1) + 1
    } else at++
  }
  close(end)
  return { inputs, outputs }
}

// In an expression a quote opens a text wherever it stands; in a literal only where the literal begins, as in `It's` it is itself.
function opensQuote(
  before: string,
  { isHeading, isOutput }: { readonly isHeading: boolean; readonly isOutput: boolean },
): boolean {
  const written = before.trim()
  if (isHeading || (isOutput && written.startsWith('='))) return true
  return written === '' || (!isOutput && /(?:[,=<>[(]|\.\.)$/.test(written))
}

/** Where the text that opens at `start` is closed; undefined if it is not on this line. */
export function closingQuote(text: string, start: number): number | undefined {
  for (let at = start + 1; at < text.length && text[at] !== '\n'; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === text[start]) return at
  }
  return undefined
}

// ---- CSV

function readCsv(scalar: ScalarText, { name, readFile, report }: TableOptions): TableSyntax | undefined {
  const path = besides(report.file, scalar.text.trim())
  let text: string
  try {
    if (readFile === undefined) throw new Error('files cannot be read here')
    text = readFile(scalar.text.trim())
  } catch (error) {
    const notes = [error instanceof Error ? error.message : String(error)]
    report.add(
      'wrong-shape',
      { key: 'table', needed: 'a table or the path of a CSV file', found: `"${path}", which cannot be read` },
      scalar.range,
      { notes },
    )
    return undefined
  }
  // Every cell stands in another file, so all of them point at the path; the row's origin tells the line.
  const cellOf = (cell: string): ScalarText => ({
    text: cell.trim(),
    quoted: false,
    range: scalar.range,
    fileOffset: () => scalar.range.start,
  })
  const [heading, ...records] = csvRecords(text.replace(/^\uFEFF/, ''))
  const separator = heading?.cells.findIndex(cell => cell.trim() === '') ?? -1
  if (heading === undefined || separator === -1) {
    report.add('cell-count/heading', { table: name }, scalar.range, {
      notes: [`${path}:1: an empty column stands for the "||" between the columns that are asked and those that are answered.`],
    })
    return undefined
  }
  const rows: RowText[] = []
  for (const [index, { cells, line }] of records.entries()) {
    const number = index + 1
    const origin = `${path}:${line}`
    if (cells.length !== heading.cells.length || cells[separator]!.trim() !== '') {
      const found = cells.length === heading.cells.length ? `a text in the empty column` : `${cells.length}`
      report.add('cell-count', { row: number, table: name, found, needed: `${heading.cells.length}` }, scalar.range, {
        notes: [`The row stands at ${origin}.`],
      })
      continue
    }
    rows.push({
      number,
      range: scalar.range,
      inputs: cells.slice(0, separator).map(cellOf),
      outputs: cells.slice(separator + 1).map(cellOf),
      origin,
    })
  }
  return { inputs: heading.cells.slice(0, separator).map(cellOf), outputs: heading.cells.slice(separator + 1).map(cellOf), rows }
}

/** Paths in a scenario file are relative to it; messages show them as they show the scenario file's own. */
export function besides(file: string, path: string): string {
  if (path.startsWith('/')) return path
  const parts = file.split('/').slice(0, -1)
  for (const part of path.split('/')) {
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '..') parts.pop()
    else if (part !== '.' && part !== '') parts.push(part)
  }
  return parts.join('/')
}

export interface CsvRecord {
  readonly cells: readonly string[]
  /** From 1. */
  readonly line: number
}

/** RFC 4180: commas, `"` around cells, `""` inside them; empty lines are passed over. */
export function csvRecords(text: string): readonly CsvRecord[] {
  const records: CsvRecord[] = []
  let line = 1
  let at = 0
  while (at < text.length) {
    const startLine = line
    const cells: string[] = []
    let isEmpty = true
    for (;;) {
      let cell = ''
      if (text[at] === '"') {
        isEmpty = false
        for (at++; at < text.length; at++) {
          if (text[at] === '"' && text[at + 1] === '"') at++
          else if (text[at] === '"') break
          if (text[at] === '\n') line++
          cell += text[at]
        }
        at++
      }
      while (at < text.length && text[at] !== ',' && text[at] !== '\n') cell += text[at++]
      if (cell.trim() !== '') isEmpty = false
      cells.push(cell)
      if (text[at] !== ',') break
      at++
      isEmpty = false
    }
    at++
    line++
    if (!isEmpty) records.push({ cells, line: startLine })
  }
  return records
}
