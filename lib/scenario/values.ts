// Expressions, texts with holes and trees of values at their places in the file: what is quoted is a text, all else an expression.
import { check } from '../language/check.ts'
import type { Checked, CheckOptions, Scope } from '../language/checked.ts'
import { parseTemplate } from '../language/template.ts'
import { describeType, type Type } from '../language/types.ts'
import { describeNode } from './declared-types.ts'
import { rangeInFile } from './diagnostics.ts'
import type { Report } from './report.ts'
import type { Template, Value } from './scenario.ts'
import type { Node, ScalarText } from './syntax.ts'

export type TextValue = Value & { kind: 'expression' | 'template' }

/** What an expression stands for, and what it refers to: cycles, unused names and coverage are found from these. */
export interface Use {
  /** The name that needs the expression (`adult`, `customer`), or `sinks.NAME`. */
  readonly owner: string
  /** Words for messages: `the key of sink "alert"`. */
  readonly place: string
  /** Absent where only the decision knows the place (a table's cell). */
  readonly scalar?: ScalarText
  readonly checked: Checked
}

/** A place of expressions: whose it is, and what it may see. */
export interface Place extends CheckOptions {
  readonly owner: string
  readonly place: string
  readonly scope: Scope
  readonly report: Report
  readonly uses: Use[]
}

export function readExpression(scalar: ScalarText, place: Place): Checked {
  const checked = check(scalar.text, place.scope, place)
  place.report.addProblems(checked.problems, scalar)
  place.uses.push({ owner: place.owner, place: place.place, scalar, checked })
  return checked
}

/** An expression that must be a bool. In quotes it would be a text, which is never what was meant. */
export function readCondition(scalar: ScalarText, place: Place): Checked {
  if (scalar.quoted) {
    if (!reportExpressionInQuotes(scalar, place)) {
      const found = `the text "${scalar.text}"`
      place.report.add('not-a-condition', { place: capitalized(place.place), found }, scalar.range)
    }
    return { ...check('true', place.scope), constant: { value: true } }
  }
  const condition = readExpression(scalar, { ...place, expected: { kind: 'bool' } })
  const { constant, problems } = condition
  if (constant === undefined || problems.length > 0) return condition
  const expression = capitalized(place.place)
  if (constant.value === true) place.report.add('always-true', { expression }, scalar.range)
  else if (constant.value === false) place.report.add('never-true', { expression }, scalar.range)
  return condition
}

/** A text with holes. The place's `allowMissing` holds for each hole. */
export function readTemplate(scalar: ScalarText, place: Place): Template {
  const { parts, problems } = parseTemplate(scalar.text)
  place.report.addProblems(problems, scalar)
  return {
    parts: parts.map(part =>
      typeof part === 'string' ? part : readHole(partOf(scalar, part.start, part.start + part.source.length), place),
    ),
    range: scalar.range,
    source: scalar.text,
  }
}

/** A text: in quotes with holes, without an expression that prints as one. The place's `allowMissing` holds. */
export function readText(scalar: ScalarText, place: Place): Template {
  if (!scalar.quoted) return { parts: [readHole(scalar, place)], range: scalar.range, source: scalar.text }
  reportExpressionInQuotes(scalar, place)
  return readTemplate(scalar, place)
}

function readHole(scalar: ScalarText, place: Place): Checked {
  const { expected: _, ...rest } = place
  const checked = readExpression(scalar, rest)
  if (!isPrintable(checked.type)) {
    place.report.add(
      'type-mismatch',
      { place: `A hole of ${place.place}`, needed: 'what prints as a text', found: describeType(checked.type) },
      scalar.range,
    )
  }
  return checked
}

/** An expression, or in quotes a text. */
export function readScalarValue(scalar: ScalarText, place: Place): TextValue {
  if (!scalar.quoted) return { kind: 'expression', checked: readExpression(scalar, place) }
  reportExpressionInQuotes(scalar, place)
  return { kind: 'template', template: readTemplate(scalar, { ...place, allowMissing: false }) }
}

/** A tree of maps, lists, expressions and texts, as under a sink's `value`. */
export function readValue(node: Node, place: Place): Value {
  switch (node.kind) {
    case 'null':
      return { kind: 'null' }
    case 'scalar': {
      const value = readScalarValue(node.scalar, place)
      if (value.kind === 'expression') requireJson(value.checked.type, node.scalar, place)
      return value
    }
    case 'list':
      // An element that may be missing has no place to be left out of: positions count.
      return { kind: 'list', items: node.items.map(item => readValue(item, { ...place, allowMissing: false })) }
    case 'map':
      return readMap(node, place)
  }
}

function readMap(node: Node & { kind: 'map' }, place: Place): Value {
  let spread: Checked | undefined
  const entries: { name: string; value: Value }[] = []
  node.entries.forEach(({ name, value }, index) => {
    if (name.value !== '...') {
      entries.push({ name: name.value, value: readValue(value, { ...place, allowMissing: true }) })
    } else if (index > 0) {
      place.report.add(
        'wrong-shape',
        { key: '...', needed: 'to be the first entry', found: `it as number ${index + 1}` },
        name.range,
      )
    } else if (value.kind !== 'scalar' || value.scalar.quoted) {
      place.report.add('wrong-shape', { key: '...', needed: 'an expression', found: describeNode(value) }, value.range)
    } else {
      spread = readExpression(value.scalar, { ...place, allowMissing: true })
      const { type } = spread
      if (type.kind !== 'object' && !(type.kind === 'map' && type.key.kind === 'string') && type.kind !== 'error') {
        const needed = 'an object whose fields are copied'
        place.report.add('type-mismatch', { place: `"..." of ${place.place}`, needed, found: describeType(type) }, value.range)
      }
      requireJson(type, value.scalar, place)
    }
  })
  return spread === undefined ? { kind: 'map', entries } : { kind: 'map', spread, entries }
}

function requireJson(type: Type, scalar: ScalarText, place: Place): void {
  const unfit = withoutJsonForm(type)
  if (unfit === undefined) return
  const found = unfit === type ? describeType(type) : `${describeType(unfit)} within it`
  const notes = unfit.kind === 'bytes' ? ['The bytes of the record are copied by "value: record.value", as the whole value.'] : []
  place.report.add('type-mismatch', { place: capitalized(place.place), needed: 'what JSON can hold', found }, scalar.range, {
    notes,
  })
}

function withoutJsonForm(type: Type): Type | undefined {
  switch (type.kind) {
    case 'duration':
    case 'bytes':
    case 'type':
      return type
    case 'list':
      return withoutJsonForm(type.element)
    case 'map':
      return type.key.kind === 'string' || type.key.kind === 'error' ? withoutJsonForm(type.value) : type
    case 'optional':
      return withoutJsonForm(type.value)
    case 'object':
      for (const field of type.fields.values()) {
        const unfit = withoutJsonForm(field.type)
        if (unfit !== undefined) return unfit
      }
      return undefined
    default:
      return undefined
  }
}

/** Types with a "text out" form: in holes, and (the first three) as keys and headers. */
export function isPrintable(type: Type): boolean {
  return isKeyType(type) || type.kind === 'double' || type.kind === 'decimal' || type.kind === 'timestamp'
}

export function isKeyType({ kind }: Type): boolean {
  return kind === 'string' || kind === 'int' || kind === 'bool' || kind === 'enum' || kind === 'timezone' || kind === 'error'
}

/** A part of a scalar, which keeps its place in the file. */
export function partOf(scalar: ScalarText, start: number, end: number): ScalarText {
  return {
    text: scalar.text.slice(start, end),
    quoted: false,
    range: rangeInFile(scalar, { start, end }),
    fileOffset: offset => scalar.fileOffset(start + offset),
  }
}

// Prettier swaps quotes but never adds them, so they are meant; but nobody means the text `event.a > 5`. A single name is a word.
function reportExpressionInQuotes(scalar: ScalarText, place: Place): boolean {
  const text = scalar.text.trim()
  if (text === '' || text.includes('{') || place.scope.names.has(text)) return false
  const { problems, references } = check(scalar.text, place.scope, { allowMissing: true })
  if (problems.some(problem => noExpression.has(problem.id))) return false
  // Where a type is wrong nothing is referred to: then an operator tells that it is an expression.
  if (references.size === 0 && !(problems.length > 0 && /[=!<>]=|[<>]|&&|\|\||\.\w/.test(text))) return false
  const quotedText = `"${text}"`
  place.report.add('text-is-expression', { text: quotedText }, scalar.range, {
    suggestion: text,
    notes: ['Without quotes it is an expression. Where YAML needs quotes, put it under ">-".'],
  })
  return true
}

const noExpression = new Set(['expression-syntax', 'unknown-name', 'unknown-field', 'unknown-function'])

export const capitalized = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1)
