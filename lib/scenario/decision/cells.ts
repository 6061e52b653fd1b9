// Input cells: what a text in a column of a certain type accepts. `-` any, `gold`, `basic, gold` (one of), `!= PL`, `>= 0.2`,
// `[5..10)`, `missing`.
import type { Type } from '../../language/types.ts'
import { describeType } from '../../language/types.ts'
import type { Bound, Cell } from '../scenario.ts'
import { compareValues } from './domain.ts'
import { isQuoted, readLiteral, unquoted } from './literals.ts'
import { closingQuote } from './table.ts'

export interface ColumnType {
  readonly type: Type
  readonly mayBeMissing: boolean
}

export type CellReading =
  | { readonly kind: 'cell'; readonly cell: Cell }
  /** `needed` completes "A cell of this column is …". */
  | { readonly kind: 'syntax'; readonly needed: string; readonly note?: string }
  | { readonly kind: 'literal'; readonly literal: string }
  /** The cell can be read, and no record can ever fit it. */
  | { readonly kind: 'never'; readonly reason: string; readonly literal?: string }

const comparison = /^(!=|>=|<=|>|<)\s*(.*)$/s
const interval = /^([[(])(.*)([\])])$/s

export function readCell(text: string, column: ColumnType): CellReading {
  if (text === '' || text === '-') return { kind: 'cell', cell: { kind: 'any' } }
  if (text === 'missing') {
    if (column.mayBeMissing) return { kind: 'cell', cell: { kind: 'missing' } }
    return { kind: 'never', reason: 'The heading always has a value. Quote "missing" if the text is meant.' }
  }
  const compared = comparison.exec(text)
  if (compared !== null) {
    const [, operator, operand] = compared as unknown as [string, string, string]
    return operator === '!=' ? readNoneOf(operand, column) : readComparison(operator, operand, column)
  }
  const bounds = interval.exec(text)
  const dots = bounds === null ? undefined : intervalDots(bounds[2]!)
  if (bounds !== null && dots !== undefined) {
    const low = bounds[2]!.slice(0, dots).trim()
    const high = bounds[2]!.slice(dots + 2).trim()
    return readInterval({ low, high, lowInclusive: bounds[1] === '[', highInclusive: bounds[3] === ']' }, column)
  }
  if (/^==?(?:\s|$)/.test(text)) {
    return {
      kind: 'syntax',
      needed: formsOf(column),
      note: 'An expression that is asked stands in the heading, its values in the cells.',
    }
  }
  const meant = meantForm(text, column)
  if (meant !== undefined) return { kind: 'syntax', needed: formsOf(column), note: meant }
  const values = readList(text, column)
  return isList(values) ? { kind: 'cell', cell: { kind: 'oneOf', values } } : values
}

const numbers = ['int', 'double', 'decimal']

/** Forms of other tools, where no literal looks so: what to write instead. Of texts any could be meant. */
function meantForm(text: string, { type }: ColumnType): string | undefined {
  if (type.kind === 'string' || type.kind === 'timezone' || type.kind === 'enum') return undefined
  if (/^(\*|any|all)$/i.test(text)) return 'Any value is "-" or an empty cell.'
  const turned = /^=([<>])\s*(.*)$/s.exec(text)
  if (turned !== null) return `It is written "${turned[1]}= ${turned[2]}".`
  if (/^(!|not\s|≠)/i.test(text)) return `It is written "!= ${text.replace(/^(!|not\s|≠)\s*/i, '')}".`
  if (!numbers.includes(type.kind) && type.kind !== 'timestamp') return undefined
  const range =
    /^[[(\]]?\s*(.+?)\s*(?:\.{2,3}|…|;)\s*(.+?)\s*[\])[]?$/s.exec(text) ?? /^\[\s*([^,]+?)\s*,\s*([^,]+?)\s*[\])[]$/s.exec(text)
  const dashed = numbers.includes(type.kind) ? /^(-?[\d.]+)\s*[-–]\s*([\d.]+)$/.exec(text) : null
  const [, low, high] = range ?? dashed ?? []
  if (low !== undefined) return `A range is written "[${low}..${high}]", or "[${low}..${high})" without its end.`
  if (/^[<>]/.test(text) || !/[<>]/.test(text)) return undefined
  return 'Two comparisons are one range, as "[x..y)".'
}

/** `9,50`: YAML, CSV and the list of values all let it pass, as 9 or 50. */
function isDecimalComma(text: string, { type }: ColumnType): boolean {
  return (type.kind === 'double' || type.kind === 'decimal') && /^-?\d+,\d+$/.test(text)
}

/** What may stand in a column, for messages. */
export function formsOf({ type, mayBeMissing }: ColumnType): string {
  const values = type.kind === 'string' || type.kind === 'timezone' ? 'a text' : `a literal of type ${describeType(type)}`
  const ranges = hasOrder(type) ? ', a comparison as "< x", a range as "[x..y)"' : ''
  return `"-", ${values}, several between commas, "!= x"${ranges}${mayBeMissing ? ' or "missing"' : ''}`
}

function readNoneOf(operand: string, column: ColumnType): CellReading {
  if (operand === 'missing' && column.mayBeMissing) {
    return {
      kind: 'syntax',
      needed: formsOf(column),
      note: 'Put has(…) into a column of its own to ask whether the value is there.',
    }
  }
  const values = readList(operand, column)
  if (!isList(values)) return values
  const { type } = column
  const left =
    type.kind === 'enum'
      ? type.values.filter(value => !values.includes(value))
      : type.kind === 'bool'
        ? [true, false].filter(value => !values.includes(value))
        : undefined
  if (left?.length === 0) return { kind: 'never', reason: 'The cell excludes every value that the heading can have.' }
  return { kind: 'cell', cell: { kind: 'noneOf', values } }
}

function readComparison(operator: string, operand: string, column: ColumnType): CellReading {
  if (!hasOrder(column.type)) return withoutOrder(column)
  const isText = column.type.kind === 'string'
  if (!isText && operator === '<' && operand.startsWith('>'))
    return { kind: 'syntax', needed: formsOf(column), note: `It is written "!= ${operand.slice(1).trim()}".` }
  if (!isText && /[<>]/.test(operand))
    return { kind: 'syntax', needed: formsOf(column), note: 'Two comparisons are one range, as "[x..y)".' }
  const value = readOne(operand, column)
  if (!('value' in value)) return value
  const bound: Bound = { value: value.value, inclusive: operator.endsWith('=') }
  return { kind: 'cell', cell: operator.startsWith('>') ? { kind: 'range', low: bound } : { kind: 'range', high: bound } }
}

interface IntervalText {
  readonly low: string
  readonly high: string
  readonly lowInclusive: boolean
  readonly highInclusive: boolean
}

function readInterval({ low, high, lowInclusive, highInclusive }: IntervalText, column: ColumnType): CellReading {
  if (!hasOrder(column.type)) return withoutOrder(column)
  const lowValue = readOne(low, column)
  if (!('value' in lowValue)) return lowValue
  const highValue = readOne(high, column)
  if (!('value' in highValue)) return highValue
  const order = compareValues(lowValue.value, highValue.value, column.type)
  if (order > 0) return { kind: 'never', reason: `The range begins at ${low}, which is above its end ${high}.` }
  if (order === 0 && !(lowInclusive && highInclusive))
    return { kind: 'never', reason: 'The range is empty, since it leaves out its only value.' }
  const lowBound: Bound = { value: lowValue.value, inclusive: lowInclusive }
  return { kind: 'cell', cell: { kind: 'range', low: lowBound, high: { value: highValue.value, inclusive: highInclusive } } }
}

const isList = (read: readonly unknown[] | object): read is readonly unknown[] => Array.isArray(read)

const withoutOrder = (column: ColumnType): CellReading => ({
  kind: 'syntax',
  needed: formsOf(column),
  note: `Values of type ${describeType(column.type)} have no order.`,
})

function readList(text: string, column: ColumnType): readonly unknown[] | Exclude<CellReading, { kind: 'cell' }> {
  if (isDecimalComma(text, column)) {
    const [whole, fraction] = text.split(',')
    const note = `The decimal point is written "."; two values have a blank between them: "${whole}, ${fraction}".`
    return { kind: 'syntax', needed: formsOf(column), note }
  }
  const values: unknown[] = []
  for (const item of itemsOf(text)) {
    const value = readOne(item, column)
    if (!('value' in value)) return value
    if (!values.some(known => compareValues(known, value.value, column.type) === 0)) values.push(value.value)
  }
  return values
}

function readOne(text: string, column: ColumnType): { readonly value: unknown } | Exclude<CellReading, { kind: 'cell' }> {
  const syntax = (note: string): CellReading & { kind: 'syntax' } => ({ kind: 'syntax', needed: formsOf(column), note })
  if (text === '') return syntax('A value is missing; "" is the empty text.')
  if (!isQuoted(text)) {
    if (/^["']/.test(text)) return syntax('The quote is not closed, or something stands behind it.')
    const isForm =
      text === '-' || text === 'missing' || comparison.test(text) || intervalDots(interval.exec(text)?.[2] ?? '') !== undefined
    if (isForm) return syntax(`"${text}" cannot stand beside other values; in quotes it is a text.`)
  }
  const literal = readLiteral(text, column.type)
  if (literal !== undefined) return literal
  const plain = unquoted(text)
  if (column.type.kind === 'enum') {
    return { kind: 'never', literal: plain, reason: `The heading is ${describeType(column.type)}.` }
  }
  return { kind: 'literal', literal: plain }
}

/** Between commas that stand in no quotes. */
function itemsOf(text: string): readonly string[] {
  const items: string[] = []
  let start = 0
  let at = 0
  while (at < text.length) {
    if (text[at] === ',') {
      items.push(text.slice(start, at).trim())
      start = at + 1
      at++
    } else if (/["']/.test(text[at]!) && text.slice(start, at).trim() === '') at = (closingQuote(text, at) ?? at) + 1
    else at++
  }
  items.push(text.slice(start).trim())
  return items
}

/** Where `..` stands outside quotes. */
function intervalDots(text: string): number | undefined {
  for (let at = 0; at < text.length; at++) {
    if (
      /["']/.test(text[at]!) &&
      text
        .slice(0, at)
        .replace(/^.*\.\./s, '')
        .trim() === ''
    )
      at = closingQuote(text, at) ?? at
    else if (text.startsWith('..', at)) return at
  }
  return undefined
}

export function hasOrder(type: Type): boolean {
  return ['int', 'double', 'decimal', 'string', 'timestamp', 'duration'].includes(type.kind)
}

/** Types that cells can be compared with. */
export function fitsColumn(type: Type): boolean {
  return hasOrder(type) || ['bool', 'enum', 'timezone'].includes(type.kind)
}
