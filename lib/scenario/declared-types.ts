// Types as the file writes them: `string`, `n: int = 0`, `plan: basic | gold`, `items: [{ sku: string }]`. Used under `event`, `key`,
// `headers`, `fields` and `value`.
import type { Range } from '../language/problem.ts'
import { describeType, type Field, type Type } from '../language/types.ts'
import { parseLiteral } from './literals.ts'
import type { Report } from './report.ts'
import { nearest } from './suggestion.ts'
import type { Node, ScalarText } from './syntax.ts'

export interface DeclaredFields {
  readonly fields: ReadonlyMap<string, Field>
  /** Where each field is declared, by its name. */
  readonly ranges: ReadonlyMap<string, Range>
}

/** `{ a: int, b?: string }`. Fields with an error have the type `error`, so that nothing that uses them is blamed, too. */
export function readFields(node: Node, owner: string, report: Report): DeclaredFields {
  const fields = new Map<string, Field>()
  const ranges = new Map<string, Range>()
  if (node.kind !== 'map') {
    report.add('wrong-shape', { key: owner, needed: 'fields with their types', found: describeNode(node) }, node.range)
    return { fields, ranges }
  }
  for (const { name, value } of node.entries) {
    const optional = name.value.endsWith('?')
    const fieldName = optional ? name.value.slice(0, -1) : name.value
    if (fields.has(fieldName)) report.add('yaml-duplicate', { key: fieldName }, name.range)
    fields.set(fieldName, readField(value, { name: fieldName, optional }, report))
    ranges.set(fieldName, name.range)
  }
  return { fields, ranges }
}

/** `int`, `int = 0`, `{ … }`, `[…]`. */
export function readField(node: Node, declared: { readonly name: string; readonly optional: boolean }, report: Report): Field {
  const { name, optional } = declared
  if (node.kind !== 'scalar') return { type: readType(node, name, report), optional }
  const { typeText, literal } = splitDefault(node.scalar.text)
  const type = parseType(typeText, node.scalar, report)
  if (literal === undefined) return { type, optional }
  const defaultRange = { start: node.scalar.fileOffset(node.scalar.text.length - literal.length), end: node.range.end }
  if (optional) report.add('default-and-optional', { field: name }, node.range)
  if (type.kind === 'error') return { type, optional: false, default: undefined }
  const parsed = parseDefault(literal, type)
  if (parsed === undefined) report.add('literal-type', { literal, type: describeType(type) }, defaultRange)
  return { type, optional: false, default: parsed?.value }
}

/** A type without default. */
export function readType(node: Node, owner: string, report: Report): Type {
  switch (node.kind) {
    case 'scalar':
      return parseType(node.scalar.text.trim(), node.scalar, report)
    case 'map':
      return { kind: 'object', fields: readFields(node, owner, report).fields }
    case 'list': {
      const [element, ...others] = node.items
      if (element !== undefined && others.length === 0) return { kind: 'list', element: readType(element, owner, report) }
      report.add('wrong-shape', { key: owner, needed: 'one type between the brackets', found: describeNode(node) }, node.range)
      return { kind: 'error' }
    }
    case 'null':
      report.add('wrong-shape', { key: owner, needed: 'a type', found: 'nothing' }, node.range)
      return { kind: 'error' }
  }
}

export function describeNode(node: Node): string {
  switch (node.kind) {
    case 'scalar':
      return `"${node.scalar.text}"`
    case 'map':
      return 'a map'
    case 'list':
      return 'a list'
    case 'null':
      return 'null'
  }
}

const simpleTypes = new Map<string, Type>([
  ['string', { kind: 'string' }],
  ['int', { kind: 'int' }],
  ['double', { kind: 'double' }],
  ['bool', { kind: 'bool' }],
  ['timestamp', { kind: 'timestamp', unit: 'rfc3339' }],
  ['timestamp-millis', { kind: 'timestamp', unit: 'millis' }],
  ['timestamp-micros', { kind: 'timestamp', unit: 'micros' }],
  ['timezone', { kind: 'timezone' }],
])

// What other languages call our types.
const synonyms = new Map([
  ['integer', 'int'],
  ['long', 'int'],
  ['number', 'double'],
  ['float', 'double'],
  ['boolean', 'bool'],
  ['text', 'string'],
  ['str', 'string'],
  ['varchar', 'string'],
  ['date', 'timestamp'],
  ['datetime', 'timestamp'],
  ['instant', 'timestamp'],
])

/** The type that a text names, e.g. of a table heading; `undefined` if there is none such. */
export function typeNamed(text: string): Type | undefined {
  const simple = simpleTypes.get(text)
  if (simple !== undefined) return simple
  const decimal = /^decimal\(\s*(\d{1,2})\s*\)$/.exec(text)
  // 18 digits are what 64 bits hold for sure.
  if (decimal !== null && Number(decimal[1]) <= 18) return { kind: 'decimal', digits: Number(decimal[1]) }
  const container = /^(list|map)<(.+)>$/s.exec(text)
  if (container !== null) {
    const element = typeNamed(container[2]!.trim())
    if (element === undefined) return undefined
    return container[1] === 'list' ? { kind: 'list', element } : { kind: 'map', key: { kind: 'string' }, value: element }
  }
  if (!text.includes('|')) return undefined
  const values = text.split('|').map(value => value.trim())
  return values.includes('') || new Set(values).size < values.length ? undefined : { kind: 'enum', values }
}

function parseType(text: string, scalar: ScalarText, report: Report): Type {
  const type = typeNamed(text)
  if (type !== undefined) return type
  const start = scalar.fileOffset(scalar.text.indexOf(text))
  const range = { start, end: text.length > 0 ? scalar.fileOffset(scalar.text.indexOf(text) + text.length - 1) + 1 : start }
  const inner = innerUnknown(text)
  if (inner !== undefined && inner.at > 0) {
    const partStart = scalar.text.indexOf(text) + inner.at
    const part = { start: scalar.fileOffset(partStart), end: scalar.fileOffset(partStart + inner.text.length - 1) + 1 }
    reportUnknown(inner.text, part, report)
    return { kind: 'error' }
  }
  if (text.endsWith('?') && typeNamed(text.slice(0, -1)) !== undefined) {
    report.add('unknown-type', { type: text }, range, {
      suggestion: text.slice(0, -1),
      notes: ['The "?" of a value that may be missing stands behind its name: "name?: string".'],
    })
  } else reportUnknown(text, range, report)
  return { kind: 'error' }
}

/** What is unknown in `list<list<strng>>`, and where it stands. */
function innerUnknown(text: string): { readonly text: string; readonly at: number } | undefined {
  const [, before, element] = /^((?:list|map)<\s*)(.*\S)\s*>$/s.exec(text) ?? []
  if (element === undefined) return typeNamed(text) === undefined && text !== '' ? { text, at: 0 } : undefined
  const inner = innerUnknown(element)
  return inner && { text: inner.text, at: before!.length + inner.at }
}

function reportUnknown(text: string, range: Range, report: Report): void {
  const values = text.split('|').map(value => value.trim())
  const twice = values.find((value, i) => value !== '' && values.indexOf(value) < i)
  const array = /^(.+)\[\]$/.exec(text)?.[1]
  const suggestion =
    array !== undefined && typeNamed(array) !== undefined
      ? `list<${array}>`
      : (synonyms.get(text.toLowerCase()) ?? nearest(text, simpleTypes.keys()))
  const notes =
    twice !== undefined
      ? [`"${twice}" is there twice.`]
      : text === 'decimal'
        ? ['A decimal says how many digits stand behind its point: "decimal(2)".']
        : suggestion === undefined
          ? [
              `The types are ${[...simpleTypes.keys()].join(', ')}, decimal(2), texts as basic | gold, list<int>, map<int>, [ … ] and { … }.`,
            ]
          : []
  report.add('unknown-type', { type: text }, range, { suggestion, notes })
}

// Texts of an enum may hold a `=`, too: only one with blanks around it begins a default there.
function splitDefault(text: string): { readonly typeText: string; readonly literal?: string } {
  const trimmed = text.trim()
  const equals = /^[^=]*\|/.test(trimmed) && !trimmed.startsWith('list<') && !trimmed.startsWith('map<') ? / =(?: |$)/ : /=/
  const at = trimmed.search(equals)
  if (at === -1) return { typeText: trimmed }
  return { typeText: trimmed.slice(0, at).trim(), literal: trimmed.slice(trimmed.indexOf('=', at) + 1).trim() }
}

function parseDefault(literal: string, type: Type): { readonly value: unknown } | undefined {
  if (type.kind === 'list') return literal === '[]' ? { value: [] } : undefined
  if (type.kind === 'map') return literal === '{}' ? { value: new Map() } : undefined
  const quoted = /^(["'])(.*)\1$/s.exec(literal)
  return parseLiteral(quoted === null ? literal : quoted[2]!, type)
}
