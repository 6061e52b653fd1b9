// A table's texts become typed rows: headings give the inputs' types, headings or literals those of the outputs.

import type { Checked } from '../../language/checked.ts'
import { doubleFromText, intFromText } from '../../language/standard/conversion.ts'
import { describeType, type Type } from '../../language/types.ts'
import { typeNamed } from '../declared-types.ts'
import type { Cell, Row } from '../scenario.ts'
import { nearest } from '../suggestion.ts'
import type { ScalarText } from '../syntax.ts'
import { partOf, readExpression } from '../values.ts'
import type { DecisionReading } from './analyse.ts'
import { type CellReading, type ColumnType, fitsColumn, formsOf, readCell } from './cells.ts'
import { agree, type Computed, commonType, placeOf, readComputed } from './expressions.ts'
import { isQuoted, readLiteral, unquoted } from './literals.ts'
import { type RowText, readTable } from './table.ts'

/** Rows of a table, or of rules. */
export interface TableRows {
  readonly form: 'table' | 'rules'
  readonly inputs: readonly Checked[]
  readonly outputs: readonly { readonly name: string; readonly type: Type }[]
  readonly rows: readonly NumberedRow[]
}

export interface NumberedRow {
  readonly row: Row
  /** From 1. */
  readonly number: number
  /** Where a row of a CSV file stands. */
  readonly origin?: string | undefined
}

export function readTableRows(scalar: ScalarText, reading: DecisionReading): TableRows | undefined {
  const { name, report, readFile } = reading
  const table = readTable(scalar, { name, readFile, report })
  if (table === undefined) return undefined
  if (table.rows.length === 0) {
    const isReported = report.diagnostics.some(({ id }) => id === 'cell-count')
    if (!isReported) report.add('wrong-shape', { key: 'table', needed: 'rows under its heading', found: 'none' }, scalar.range)
    return undefined
  }
  const inputs = table.inputs.map(heading => readInput(heading, reading))
  const cellsByColumn = inputs.map((input, column) => readColumn(input, table.rows, column, reading))
  const outputs = table.outputs.map((heading, column) => readOutput(heading, table.rows, column, reading))
  const names = new Set<string>()
  for (const [column, output] of outputs.entries()) {
    if (output.name !== undefined && names.has(output.name)) {
      report.add('duplicate-name', { name: output.name, first: 'an output', second: 'an output' }, table.outputs[column]!.range)
    }
    if (output.name !== undefined) names.add(output.name)
  }
  return {
    form: 'table',
    inputs,
    outputs: outputs.map(({ name, type }) => ({ name: name ?? '', type })),
    rows: table.rows.map(({ number, range, origin }, index) => ({
      number,
      origin,
      row: { range, cells: cellsByColumn.map(cells => cells[index]!), outputs: outputs.map(({ values }) => values[index]!) },
    })),
  }
}

function readInput(heading: ScalarText, reading: DecisionReading): Checked {
  const place = `A heading of decision table "${reading.name}"`
  const checked = readExpression(heading, placeOf(reading, place, { allowMissing: true }))
  reading.expressions.push(checked)
  if (checked.type.kind === 'error' || fitsColumn(checked.type)) return checked
  reading.report.add(
    'type-mismatch',
    { place, needed: 'a value that cells can be compared with', found: describeType(checked.type) },
    heading.range,
    {
      notes: ['Ask a part of it, or its size, or what it contains: "x" in list.'],
    },
  )
  return { ...checked, type: { kind: 'error' } }
}

const anything: Cell = { kind: 'any' }

function readColumn(input: Checked, rows: readonly RowText[], column: number, reading: DecisionReading): readonly Cell[] {
  if (input.type.kind === 'error') return rows.map(() => anything)
  const columnType: ColumnType = { type: input.type, mayBeMissing: input.mayBeMissing }
  // Large tables say the same again and again.
  const known = new Map<string, CellReading>()
  return rows.map(row => {
    const cell = row.inputs[column]!
    const read = known.get(cell.text) ?? readCell(cell.text, columnType)
    known.set(cell.text, read)
    if (read.kind === 'cell') return read.cell
    reportCell(read, cell, { input, columnType, row, reading })
    return anything
  })
}

interface CellPlace {
  readonly input: Checked
  readonly columnType: ColumnType
  readonly row: RowText
  readonly reading: DecisionReading
}

function reportCell(
  read: Exclude<CellReading, { kind: 'cell' }>,
  cell: ScalarText,
  { input, columnType, row, reading }: CellPlace,
): void {
  const { report } = reading
  const at = originNote(row)
  switch (read.kind) {
    case 'syntax':
      return report.add('cell-syntax', { needed: read.needed, cell: cell.text }, cell.range, {
        notes: [...(read.note ? [read.note] : []), ...at],
      })
    case 'literal': {
      const notes = [`The heading "${input.source}" is ${describeType(input.type)}; its cells are ${formsOf(columnType)}.`, ...at]
      return report.add('literal-type', { literal: read.literal, type: describeType(input.type) }, cell.range, { notes })
    }
    case 'never': {
      const meant =
        read.literal !== undefined && input.type.kind === 'enum' ? nearest(read.literal, input.type.values) : undefined
      const suggestion = meant === undefined || unquoted(cell.text) !== read.literal ? undefined : meant
      const expression = `"${cell.text}" of column "${input.source}"`
      return report.add('never-true', { expression }, cell.range, { suggestion, notes: [read.reason, ...at] })
    }
  }
}

export const originNote = ({ origin }: { readonly origin?: string | undefined }): readonly string[] =>
  origin === undefined ? [] : [`The row stands at ${origin}.`]

// ---- Outputs

interface OutputColumn {
  /** Absent: the heading is no name, which has been reported. */
  readonly name?: string
  readonly type: Type
  readonly values: readonly Row['outputs'][number][]
}

function readOutput(heading: ScalarText, rows: readonly RowText[], column: number, reading: DecisionReading): OutputColumn {
  const { report } = reading
  const [, name, typeText] = /^([A-Za-z_]\w*)\s*(?::\s*(.*))?$/s.exec(heading.text) ?? []
  if (name === undefined) {
    report.add(
      'wrong-shape',
      { key: heading.text, needed: 'the name of an output, with a type if wanted ("price: decimal(2)")', found: 'another text' },
      heading.range,
    )
  }
  const declared = typeText === undefined ? undefined : typeNamed(typeText.trim())
  if (typeText !== undefined && declared === undefined) report.add('unknown-type', { type: typeText.trim() }, heading.range)
  const known = new Map<string, Checked>()
  const cells = rows.map(row => readOutputCell(row.outputs[column]!, row, { reading, known }))
  const isWrong = typeText !== undefined && declared === undefined
  const type: Type = isWrong ? { kind: 'error' } : (declared ?? inferredType(cells))
  const output = { name: name ?? heading.text, type }
  const agreed = new Map<Checked, Checked>()
  const values = cells.map((cell, index): Row['outputs'][number] => {
    if (cell.kind === 'wrong') return { literal: undefined }
    if (cell.kind === 'computed') {
      const { checked } = cell.computed
      const expression = agreed.get(checked) ?? agree(cell.computed, output, reading)
      agreed.set(checked, expression)
      return { expression }
    }
    if (type.kind === 'error') return { literal: undefined }
    const literal = readLiteral(cell.scalar.text, type)
    if (literal !== undefined) return { literal: literal.value }
    const found = `"${unquoted(cell.scalar.text)}"`
    report.add(
      'output-type',
      { output: output.name, decision: reading.name, type: describeType(type), found },
      cell.scalar.range,
      {
        notes: originNote(rows[index]!),
      },
    )
    return { literal: undefined }
  })
  return name === undefined ? { type, values } : { name, type, values }
}

type OutputCell =
  | { readonly kind: 'literal'; readonly scalar: ScalarText }
  | { readonly kind: 'computed'; readonly computed: Computed }
  /** Reported. */
  | { readonly kind: 'wrong' }

function readOutputCell(
  scalar: ScalarText,
  row: RowText,
  { reading, known }: { readonly reading: DecisionReading; readonly known: Map<string, Checked> },
): OutputCell {
  const { text } = scalar
  const expression = /^=\s+(?=\S)/.exec(text)
  if (expression !== null) {
    return { kind: 'computed', computed: readComputed(partOf(scalar, expression[0].length, text.length), reading, known) }
  }
  const wrong = (note: string): OutputCell => {
    reading.report.add('cell-syntax', { needed: 'a literal or "= expression"', cell: text }, scalar.range, {
      notes: [note, ...originNote(row)],
    })
    return { kind: 'wrong' }
  }
  if (text === '') return wrong('Write "" for the empty text.')
  if (text === '-') return wrong('Every row gives every output. In quotes it is a text.')
  if (text.startsWith('=')) return wrong('An expression needs a blank behind the "=". In quotes it is a text.')
  if (/^["']/.test(text) && !isQuoted(text)) return wrong('The quote is not closed, or something stands behind it.')
  return { kind: 'literal', scalar }
}

/** bool, int or double if all literals are, else string; without literals what the expressions give. */
function inferredType(cells: readonly OutputCell[]): Type {
  const literals = cells.flatMap(cell => (cell.kind === 'literal' ? [cell.scalar.text] : []))
  if (literals.length === 0) return commonType(cells.flatMap(cell => (cell.kind === 'computed' ? [cell.computed] : [])))
  if (literals.every(text => text === 'true' || text === 'false')) return { kind: 'bool' }
  // `007` is a code, not the number 7.
  const isNumber = (text: string): boolean => !isQuoted(text) && !/^-?0\d/.test(text)
  if (literals.every(text => isNumber(text) && intFromText(text) !== undefined)) return { kind: 'int' }
  if (literals.every(text => isNumber(text) && doubleFromText(text) !== undefined)) return { kind: 'double' }
  return { kind: 'string' }
}
