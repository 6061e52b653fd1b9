// Enrichers: what a look-up line asks for, what is declared to be found, and what NAME is in expressions.
import type { Declaration, Scope } from '../language/checked.ts'
import type { Range } from '../language/problem.ts'
import { describeType, type Field, type Type } from '../language/types.ts'
import { type DeclaredFields, describeNode, readField, readFields } from './declared-types.ts'
import { readForEach, scopeOfLoop } from './for-each.ts'
import {
  type AttributeText,
  type LookupTable,
  readItemLine,
  readLookupTable,
  readRequestLine,
  readTableLine,
} from './lookup-lines.ts'
import type { Names } from './names.ts'
import type { Report } from './report.ts'
import type { Enricher, ForEach, KeyAttribute, Template } from './scenario.ts'
import type { EnricherSyntax, ScalarText } from './syntax.ts'
import { partOf, readTemplate, readValue, type Use } from './values.ts'

/** An enricher's declaration: all that can be said without looking at an expression. */
export interface DeclaredEnricher {
  readonly syntax: EnricherSyntax
  readonly line: LookupLine | undefined
  readonly fields: ReadonlyMap<string, Field>
  readonly fieldRanges: ReadonlyMap<string, Range>
  /** What one look-up gives. */
  readonly type: Type
  /** It lacks `fields` or `value`, or has what its kind has not; that has been reported. */
  readonly isBroken: boolean
}

type LookupLine =
  | { readonly kind: 'hash' | 'json' | 'string'; readonly key: ScalarText }
  | { readonly kind: 'member'; readonly key: ScalarText; readonly member: ScalarText }
  | { readonly kind: 'item'; readonly table: string; readonly key: ScalarText; readonly attributes: readonly AttributeText[] }
  | { readonly kind: 'request'; readonly method: 'GET' | 'POST'; readonly host: string; readonly key: ScalarText }
  | {
      readonly kind: 'table'
      readonly file: string
      readonly key: ScalarText
      readonly attributes: readonly AttributeText[]
      readonly content: LookupTable | undefined
    }

export interface EnricherContext {
  readonly report: Report
  /** Reads a CSV file, by its path as written. */
  readonly readFile?: ((path: string) => string) | undefined
}

export function declareEnricher(syntax: EnricherSyntax, { report, readFile }: EnricherContext): DeclaredEnricher {
  const line = readLine(syntax, { report, readFile })
  if (syntax.body !== undefined && !(line?.kind === 'request' && line.method === 'POST')) {
    const notes = ['It is what "http: POST URL" sends.']
    report.add('unknown-key', { place: `The look-up "${syntax.name.value}"`, key: 'body' }, syntax.body.range, { notes })
  }
  if (syntax.batch !== undefined && (line?.kind !== 'request' || syntax.body === undefined)) {
    const notes = ['It makes one array of all that "http: POST URL" sends as "body".']
    report.add('unknown-key', { place: `The look-up "${syntax.name.value}"`, key: 'batch' }, syntax.batch.range, { notes })
  }
  if (syntax.consistent !== undefined && line?.kind !== 'item') {
    const notes = ['It is how "dynamodb: item" reads.']
    const place = `The look-up "${syntax.name.value}"`
    report.add('unknown-key', { place, key: 'consistent' }, syntax.consistent.range, { notes })
  }
  const isBroken = line === undefined || !hasItsKeys(syntax, line, report)
  const { fields, ranges: fieldRanges } = readDeclaredFields(syntax, line, report)
  // What is found is known only where line and keys agree; nothing is said of its uses then.
  return { syntax, line, fields, fieldRanges, isBroken, type: isBroken ? { kind: 'error' } : typeOf(syntax, line, fields) }
}

/** Its `forEach`, if it has one. The list's type is needed before anybody can use the enricher's name. */
export function readEnricherLoop(
  declared: DeclaredEnricher,
  context: { readonly scope: Scope; readonly names: Names; readonly report: Report; readonly uses: Use[] },
): ForEach | undefined {
  const { syntax } = declared
  if (syntax.forEach === undefined) return undefined
  const place = `"forEach" of enricher "${syntax.name.value}"`
  const loop = readForEach(syntax.forEach, { ...context, owner: syntax.name.value, place })
  if (loop === undefined) return undefined
  const other = [...loop.list.references.keys()].find(name => isLoopList(name, context.names))
  if (other !== undefined) context.report.add('for-each-nested', { name: syntax.name.value }, syntax.forEach.range)
  return loop
}

// The list that another enricher's forEach gives holds its elements under the loop's name; nothing else has that shape.
function isLoopList(name: string, names: Names): boolean {
  return names.kindOf(name) === 'enricher' && names.get(name)?.type.kind === 'list'
}

/** What NAME is in expressions. */
export function enricherDeclaration(declared: DeclaredEnricher, loop: ForEach | undefined): Declaration {
  if (declared.syntax.forEach === undefined) return { type: declared.type }
  if (loop === undefined) return { type: { kind: 'error' } }
  const element: Field = { type: elementType(loop), optional: false }
  const found: ReadonlyMap<string, Field> =
    declared.type.kind === 'object' ? declared.type.fields : new Map([['value', { type: declared.type, optional: false }]])
  return { type: { kind: 'list', element: { kind: 'object', fields: new Map([...found, [loop.element, element]]) } } }
}

export function readEnricher(
  declared: DeclaredEnricher,
  loop: ForEach | undefined,
  context: { readonly scope: Scope; readonly report: Report; readonly uses: Use[] },
): Enricher | undefined {
  const { syntax, line, fields, fieldRanges } = declared
  const name = syntax.name.value
  if (line === undefined) return undefined
  const scope = syntax.forEach === undefined ? context.scope : scopeOfLoop(syntax.forEach, loop, context.scope)
  const leavesOut = syntax.forEach !== undefined && syntax.onMissing?.value === 'drop'
  const text = (part: string, scalar: ScalarText): Template =>
    readTemplate(scalar, { ...context, scope, owner: name, place: `the ${part} of "${name}"`, allowMissing: true })
  const lookup = readLookup()
  if (declared.isBroken) return undefined
  return {
    name,
    range: syntax.name.range,
    lookup,
    type: enricherDeclaration(declared, loop).type,
    fields,
    fieldRanges,
    onMissing: leavesOut ? 'empty' : (syntax.onMissing?.value ?? 'empty'),
    ...(leavesOut && { leavesOut }),
    onError: syntax.onError?.value ?? 'retry',
    ...(syntax.timeoutMs === undefined ? {} : { timeoutMs: syntax.timeoutMs.value }),
    cacheMs: syntax.cacheMs?.value ?? 0,
    ...(loop === undefined ? {} : { forEach: loop }),
  }

  function readLookup(): Enricher['lookup'] {
    if (line!.kind === 'item' || line!.kind === 'table') {
      const attributes = line!.attributes.map(attribute => readAttribute(attribute, text(attribute.name, attribute.value)))
      const parts = attributes.flatMap(({ name, value }) => [`${name}=`, ...value.parts, ' '])
      const key: Template = { parts, range: line!.key.range, source: line!.key.text }
      return line!.kind === 'item'
        ? { kind: 'item', table: line!.table, key, attributes, ...(syntax.consistent?.value === true && { consistent: true }) }
        : { kind: 'table', key, attributes, rows: line!.content?.rows ?? new Map() }
    }
    const key = text(line!.kind === 'request' ? 'URL' : 'key', line!.key)
    if (line!.kind === 'request') {
      const place = { ...context, scope, owner: name, place: `the body of "${name}"`, allowMissing: false }
      const body = syntax.body === undefined ? undefined : readValue(syntax.body, place)
      const batch = body && syntax.batch?.value
      return { kind: 'request', method: line!.method, host: line!.host, key, ...(body && { body }), ...(batch && { batch }) }
    }
    reportKeyCollision(name, key, line!.key, context.report)
    return line!.kind === 'member' ? { kind: 'member', key, member: text('member', line!.member) } : { kind: line!.kind, key }
  }
}

// An int is what DynamoDB keeps as a number; all else is text there.
function readAttribute({ name }: AttributeText, value: Template): KeyAttribute {
  const [only, ...others] = value.parts
  const isNumber = others.length === 0 && typeof only === 'object' && only.type.kind === 'int'
  return { name, type: isNumber ? 'number' : 'text', value }
}

const elementType = (loop: ForEach): Type => (loop.list.type.kind === 'list' ? loop.list.type.element : { kind: 'error' })

const redisForms = '"hash KEY", "json KEY", "string KEY" or "set KEY has MEMBER"'

function readLine({ name, store, line }: EnricherSyntax, { report, readFile }: EnricherContext): LookupLine | undefined {
  const wrong = (form: string, example = 'hash customer:{event.customerId}'): undefined =>
    report.add('lookup-line', { enricher: name.value, form, found: line.text }, line.range, {
      notes: [`A key is a text with holes: "${example}".`],
    }) as undefined
  if (store.value === 'dynamodb') {
    const item = readItemLine(line)
    return item === undefined
      ? wrong('"item TABLE NAME={…}", with one or two key attributes', 'item customers id={event.customerId}')
      : { kind: 'item', ...item }
  }
  if (store.value === 'http') {
    const request = readRequestLine(line)
    if (request !== undefined) return { kind: 'request', ...request }
    const form = '"GET URL" or "POST URL", whose host stands there without holes and without a password'
    return wrong(form, 'GET https://prices.example/products/{event.productId}')
  }
  if (store.value === 'table') {
    const table = readTableLine(line)
    if (table === undefined) return wrong('"FILE.csv COLUMN={…}"', 'tables/branches.csv code={event.branch}')
    const columns = table.attributes.map(attribute => attribute.name)
    return { kind: 'table', ...table, content: readLookupTable(table.file, columns, { line, report, readFile }) }
  }
  const forms = redisForms
  const [, command, rest] = /^\s*(\S+)\s+(\S.*?)\s*$/s.exec(line.text) ?? []
  if (command === undefined || rest === undefined) return wrong(forms)
  const start = line.text.indexOf(rest, line.text.indexOf(command) + command.length)
  switch (command) {
    case 'hash':
    case 'json':
    case 'string':
      return { kind: command, key: partOf(line, start, start + rest.length) }
    case 'set': {
      const at = separatorOf(rest)
      if (at === undefined) return wrong('"set KEY has MEMBER"')
      return {
        kind: 'member',
        key: partOf(line, start, start + at.start),
        member: partOf(line, start + at.end, start + rest.length),
      }
    }
    default:
      return wrong(forms)
  }
}

// The blank-separated word `has` outside of holes. A hole's own texts may hold braces only in pairs or quotes; counting braces outside
// of quotes is enough to tell holes from the text around them.
function separatorOf(text: string): { readonly start: number; readonly end: number } | undefined {
  let depth = 0
  let quote: string | undefined
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!
    if (quote !== undefined) {
      if (character === '\\') i++
      else if (character === quote) quote = undefined
    } else if (depth > 0 && (character === '"' || character === "'")) quote = character
    else if (character === '{') depth++
    else if (character === '}') depth--
    else if (depth === 0) {
      const separator = /^\s+has\s+(?=\S)/.exec(text.slice(i))
      if (separator !== null) return i === 0 ? undefined : { start: i, end: i + separator[0].length }
    }
  }
  return undefined
}

function hasItsKeys({ name, fields, value, fieldsKey, valueKey }: EnricherSyntax, line: LookupLine, report: Report): boolean {
  const kind = line.kind === 'member' ? 'set' : line.kind
  const needed =
    ({ set: undefined, table: undefined, string: 'value' } as Record<string, string | undefined>)[kind] ??
    (kind === 'set' || kind === 'table' ? undefined : 'fields')
  const forms = {
    set: 'A set look-up is true or false by itself.',
    string: 'A string look-up has one "value", with its type: "value: int". For several fields use "json".',
    hash: 'A hash look-up has "fields": "fields: { name: string }".',
    json: 'A json look-up has "fields": "fields: { name: string }".',
    item: 'A DynamoDB look-up has "fields": "fields: { name: string }".',
    request: 'An HTTP look-up has "fields": "fields: { name: string }".',
    table: 'The heading of the file has the columns and their types: "price: double".',
  }
  const place = `The ${kind} look-up "${name.value}"`
  const present = [
    ...(fields === undefined ? [] : [{ key: 'fields', range: fieldsKey ?? fields.range }]),
    ...(value === undefined ? [] : [{ key: 'value', range: valueKey ?? value.range }]),
  ]
  const surplus = present.filter(({ key }) => key !== needed)
  for (const { key, range } of surplus) report.add('unknown-key', { place, key }, range, { notes: [forms[kind]] })
  const lacks = needed !== undefined && !present.some(({ key }) => key === needed)
  if (lacks && surplus.length === 0) report.add('missing-key', { place: `Enricher "${name.value}"`, key: needed }, name.range)
  return surplus.length === 0 && !lacks
}

function readDeclaredFields(syntax: EnricherSyntax, line: LookupLine | undefined, report: Report): DeclaredFields {
  const { name, fields, value } = syntax
  const none: DeclaredFields = { fields: new Map(), ranges: new Map() }
  switch (line?.kind) {
    case 'table':
      return { fields: line.content?.fields ?? new Map(), ranges: new Map() }
    case undefined:
      return fields === undefined ? none : readFields(fields, 'fields', report)
    case 'member':
      return none
    case 'string': {
      if (value === undefined) return none
      const node = { kind: 'scalar', scalar: value, range: value.range } as const
      const field = readField(node, { name: 'value', optional: false }, report)
      requireText(field.type, `"value" of "${name.value}"`, value.range, report)
      return { fields: new Map([['value', field]]), ranges: new Map([['value', value.range]]) }
    }
    case 'hash':
    case 'json':
    case 'item':
    case 'request': {
      if (fields === undefined) return none
      const declared = readFields(fields, 'fields', report)
      if (fields.kind === 'map' && declared.fields.size === 0) {
        report.add('wrong-shape', { key: 'fields', needed: 'at least one field', found: describeNode(fields) }, fields.range)
      }
      if (line.kind === 'hash') {
        for (const [field, { type }] of declared.fields) {
          requireText(type, `Field "${field}" of the hash "${name.value}"`, declared.ranges.get(field)!, report)
        }
      }
      return declared
    }
  }
}

// Hashes and plain strings hold texts; there is no text form of lists, maps and objects.
function requireText(type: Type, place: string, range: { start: number; end: number }, report: Report): void {
  if (type.kind !== 'list' && type.kind !== 'map' && type.kind !== 'object') return
  report.add('type-mismatch', { place, needed: 'a type that a text can hold', found: describeType(type) }, range, {
    notes: ['Objects and lists are found by a "json" look-up.'],
  })
}

// With `drop` and `deadLetter` nobody sees a look-up that found nothing; else each field without default may be missing.
function typeOf(syntax: EnricherSyntax, line: LookupLine, fields: ReadonlyMap<string, Field>): Type {
  if (line.kind === 'member') return { kind: 'bool' }
  if (syntax.onMissing !== undefined && syntax.onMissing.value !== 'empty') return { kind: 'object', fields }
  return {
    kind: 'object',
    fields: new Map([...fields].map(([name, field]) => [name, 'default' in field ? field : { ...field, optional: true }])),
  }
}

// `{a}{b}` is one text for ("x", "yz") and ("xy", "z"): two customers could share an entry.
export function reportKeyCollision(name: string, key: Template, scalar: ScalarText, report: Report): void {
  for (let i = 1; i < key.parts.length; i++) {
    const first = key.parts[i - 1]!
    const second = key.parts[i]!
    if (typeof first === 'string' || typeof second === 'string') continue
    if (!hasAnyLength(first.type) || !hasAnyLength(second.type)) continue
    report.add('key-collision', { name, first: `{${first.source}}`, second: `{${second.source}}` }, scalar.range, {
      notes: [`Put a character between them that neither holds: "{${first.source}}:{${second.source}}".`],
    })
  }
}

const hasAnyLength = ({ kind }: Type): boolean => kind === 'string' || kind === 'int' || kind === 'double' || kind === 'decimal'
