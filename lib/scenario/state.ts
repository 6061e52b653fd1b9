// State: what a record leaves for later ones (remember entries), and how many records may pass (caps). Which of the two an entry is, its
// keys tell. A remember entry is known by its `fields` alone; what it writes is read last, since that may refer to all else. A cap is asked
// after all filters, so what filters say holds in it.
import type { Checked, Declaration, Scope } from '../language/checked.ts'
import type { Range } from '../language/problem.ts'
import type { Expr } from '../language/syntax.ts'
import { describeType, type Field, type Type } from '../language/types.ts'
import { describeNode, readFields } from './declared-types.ts'
import { reportKeyCollision } from './enrichers.ts'
import type { Report } from './report.ts'
import type { Cap, Filter, Remember, Template, Value } from './scenario.ts'
import { nearest } from './suggestion.ts'
import type { Entry, Node, ScalarText, StateSyntax } from './syntax.ts'
import { type Place, readCondition, readExpression, readScalarValue, readText, type Use } from './values.ts'

export interface StateContext {
  readonly scope: Scope
  readonly report: Report
  readonly uses: Use[]
  /** They hold for every record that a cap is asked for, or that a remember entry without `when` remembers. */
  readonly filters: () => readonly Filter[]
}

export interface DeclaredState {
  readonly syntax: StateSyntax
  /** Undefined: nobody can tell, which has been reported. */
  readonly kind: 'remember' | 'cap' | undefined
  /** Of a remember entry. */
  readonly fields: ReadonlyMap<string, Field>
  readonly fieldRanges: ReadonlyMap<string, Range>
}

/** `when` and `set` of a remember entry are judged after the value before the record is known: they may read it. */
export const writeOwner = (entry: string): string => `state.${entry}`

/** All that can be said without looking at an expression. */
export function declareState(syntax: StateSyntax, report: Report): DeclaredState {
  const kind = kindOf(syntax, report)
  if (kind !== 'remember' || syntax.fields === undefined) return { syntax, kind, fields: new Map(), fieldRanges: new Map() }
  const { fields, ranges } = readFields(syntax.fields, 'fields', report)
  if (syntax.fields.kind === 'map' && fields.size === 0) {
    const found = describeNode(syntax.fields)
    report.add('wrong-shape', { key: 'fields', needed: 'at least one field', found }, syntax.fields.range)
  }
  for (const [field, declared] of fields) {
    if (declared.optional || 'default' in declared || declared.type.kind === 'error') continue
    report.add('state-kind/first', { field, name: syntax.name.value }, ranges.get(field)!, {
      suggestion: `${field}?`,
      notes: [`Or give it a default: "${field}: ${describeType(declared.type)} = …".`],
    })
  }
  return { syntax, kind, fields, fieldRanges: ranges }
}

export function rememberDeclaration({ kind, fields }: DeclaredState): Declaration {
  return { type: kind === 'remember' ? { kind: 'object', fields } : { kind: 'error' } }
}

/** A record without a place (a cap that it did not ask) has no number. */
export function capDeclaration({ type, when, key, member }: Cap): Declaration {
  const mayBeMissing = [key, ...(member === undefined ? [] : [member])].some(({ parts }) =>
    parts.some(part => typeof part !== 'string' && part.mayBeMissing),
  )
  return { type, ...((when !== undefined || mayBeMissing) && { optional: true }) }
}

export function readRemember(declared: DeclaredState, context: StateContext): Remember | undefined {
  const { syntax, kind, fields, fieldRanges } = declared
  if (kind !== 'remember') return undefined
  const name = syntax.name.value
  const key = readKey(syntax, context)
  const place = (words: string, scope: Scope): Place => ({ ...context, scope, owner: writeOwner(name), place: words })
  const when = readWhen(syntax, place(`"when" of state "${name}"`, context.scope))
  const facts = factsOf(when, context)
  const scope: Scope = { ...context.scope, facts }
  const set = entriesOf(syntax.set, context.report).flatMap(entry => {
    const field = fields.get(entry.name.value)
    if (field === undefined) {
      const suggestion = nearest(entry.name.value, fields.keys())
      context.report.add('unknown-field', { owner: name, field: entry.name.value }, entry.name.range, { suggestion })
      return []
    }
    const value = readSetValue(entry.value, field, place(`"set" of "${name}.${entry.name.value}"`, scope))
    return value === undefined ? [] : [{ name: entry.name.value, value }]
  })
  if (key === undefined) return undefined
  return { kind, name, range: syntax.name.range, key, fields, fieldRanges, type: { kind: 'object', fields }, when, set }
}

export function readCap({ syntax, kind }: DeclaredState, context: StateContext): Cap | undefined {
  if (kind !== 'cap' || syntax.limit === undefined) return undefined
  const name = syntax.name.value
  const filters = context.filters().map(filter => filter.condition)
  const place = (words: string, facts: readonly Checked[]): Place => ({
    ...context,
    scope: { ...context.scope, facts },
    owner: name,
    place: `${words} of state "${name}"`,
  })
  const when = readWhen(syntax, place('"when"', filters))
  const facts = when === undefined ? filters : [...filters, when]
  const key = readKey(syntax, { ...context, scope: { ...context.scope, facts } })
  const member =
    syntax.member === undefined ? undefined : readText(syntax.member, { ...place('"member"', facts), allowMissing: true })
  const take = syntax.take === undefined ? undefined : readUnits(syntax.take, place('"take"', facts))
  const unit: Type = take?.type.kind === 'decimal' || take?.type.kind === 'error' ? take.type : { kind: 'int' }
  const limit = readExpressionOnly(syntax.limit, { ...place('"limit"', facts), expected: unit })
  reportUnreachable(limit, syntax.limit, context.report)
  if (key === undefined) return undefined
  if (syntax.withinMs === undefined && key.parts.some(part => typeof part !== 'string' && readsCalendar.test(part.source)))
    context.report.add('kept-for-ever', { name }, syntax.key!.range, {
      notes: [
        'A "within" that is longer than the period changes nothing, and lets the store forget old keys: "2d" for a day, "40d" for a month.',
      ],
    })
  const int: Field = { type: { kind: 'int' }, optional: false }
  return {
    kind,
    name,
    range: syntax.name.range,
    key,
    limit,
    when,
    withinMs: syntax.withinMs?.value,
    member,
    take,
    sharedBy: syntax.shared?.value === true ? syntax.from : undefined,
    type: {
      kind: 'object',
      fields: new Map([
        ['number', int],
        ['used', { type: unit, optional: false }],
      ]),
    },
  }
}

/** A period is written so: the day of a time stamp, its hour. */
const readsCalendar = /\.(format|getFullYear|getMonth|getDate|getDayOf(Month|Year)|getHours)\(/

function kindOf(syntax: StateSyntax, report: Report): DeclaredState['kind'] {
  const { name, fields, set, limit, withinMs, member, take, shared, from } = syntax
  const remembers = fields !== undefined || set !== undefined
  if (remembers === (limit !== undefined)) {
    const notes = remembers
      ? ['Write what is remembered and how many may pass as two entries, each with a name of its own.']
      : ['Add "fields" and "set" for what is remembered, or "limit" for how many records may pass.']
    report.add('state-kind', { name: name.value }, name.range, { notes })
    return undefined
  }
  if (limit !== undefined) {
    if (shared?.value === true && from === undefined) {
      const notes = ['Scenarios share a cap that stands in a file which each of them names under "use".']
      report.add('state-kind/shared', { name: name.value }, shared.range, { notes })
    }
    return 'cap'
  }
  for (const [key, missing, note] of [
    ['fields', fields === undefined, 'They say what is remembered: "fields: { lastAt?: timestamp }".'],
    ['set', set === undefined, 'It says what a record leaves: "set: { lastAt: now }".'],
  ] as const) {
    if (missing) report.add('state-kind/lacks', { name: name.value, key }, name.range, { notes: [note] })
  }
  for (const [key, value] of Object.entries({ within: withinMs, member, take, shared })) {
    if (value === undefined) continue
    const notes = ['A cap has "limit" in place of "fields" and "set".']
    report.add('state-kind/other', { name: name.value, key }, value.range, { notes })
  }
  return fields === undefined || set === undefined ? undefined : 'remember'
}

function readKey({ name, key }: StateSyntax, context: StateContext): Template | undefined {
  if (key === undefined) return undefined
  const place = `the key of state "${name.value}"`
  const template = readText(key, { ...context, owner: name.value, place, allowMissing: true })
  reportKeyCollision(name.value, template, key, context.report)
  return template
}

function readWhen({ when }: StateSyntax, place: Place): Checked | undefined {
  if (when === undefined) return undefined
  // `when: true` is how an entry says that every record counts.
  return !when.quoted && when.text.trim() === 'true' ? readExpression(when, place) : readCondition(when, place)
}

// A filter that `when` names holds wherever `when` does.
function factsOf(when: Checked | undefined, { filters }: StateContext): readonly Checked[] {
  if (when === undefined) return filters().map(filter => filter.condition)
  const named = conjuncts(when.tree)
  return [
    when,
    ...filters()
      .filter(({ name }) => named.includes(name))
      .map(filter => filter.condition),
  ]
}

function conjuncts(tree: Expr): readonly string[] {
  if (tree.kind === 'name') return [tree.name]
  return tree.kind === 'binary' && tree.operator === '&&' ? [...conjuncts(tree.left), ...conjuncts(tree.right)] : []
}

function entriesOf(node: Node | undefined, report: Report): readonly Entry[] {
  if (node === undefined || node.kind === 'map') return node?.entries ?? []
  report.add('wrong-shape', { key: 'set', needed: 'fields with their values', found: describeNode(node) }, node.range)
  return []
}

function readSetValue(node: Node, { type, optional }: Field, place: Place): Value | undefined {
  const needed = describeType(type)
  if (node.kind === 'null') {
    const notes = optional ? ['It is forgotten where "optional.none()" is set.'] : []
    place.report.add('type-mismatch', { place: place.place, needed, found: 'null' }, node.range, { notes })
    return undefined
  }
  if (node.kind !== 'scalar') {
    place.report.add('not-built-yet', { what: 'A map or list under "set"' }, node.range, {
      notes: ['Write it as an expression after ">-".'],
    })
    return undefined
  }
  const value = readScalarValue(node.scalar, { ...place, expected: type, allowMissing: optional })
  if (value.kind === 'template' && !holdsText(type, value.template)) {
    place.report.add('type-mismatch', { place: place.place, needed, found: `the text "${node.scalar.text}"` }, node.range)
  }
  return value
}

function holdsText(type: Type, { parts }: Template): boolean {
  if (type.kind === 'enum') return parts.length === 1 && type.values.includes(parts[0] as string)
  return type.kind === 'string' || type.kind === 'error'
}

function readUnits(scalar: ScalarText, place: Place): Checked {
  const checked = readExpressionOnly(scalar, place)
  const { kind } = checked.type
  if (kind === 'int' || kind === 'decimal' || kind === 'error') return checked
  const notes = kind === 'double' ? [`Round it: "round(${scalar.text.trim()}, 2)" is a decimal(2).`] : []
  place.report.add(
    'type-mismatch',
    { place: place.place, needed: 'an int or a decimal', found: describeType(checked.type) },
    scalar.range,
    { notes },
  )
  return { ...checked, type: { kind: 'error' } }
}

function readExpressionOnly(scalar: ScalarText, place: Place): Checked {
  if (!scalar.quoted) return readExpression(scalar, place)
  const { expected } = place
  const needed = expected === undefined || expected.kind === 'error' ? 'an int or a decimal' : describeType(expected)
  const found = `the text "${scalar.text}"`
  place.report.add('type-mismatch', { place: place.place, needed, found }, scalar.range, {
    notes: ['Without quotes it is an expression.'],
  })
  return { ...readExpression({ ...scalar, text: '0' }, { ...place, expected: { kind: 'int' } }), type: { kind: 'error' } }
}

function reportUnreachable({ constant, type }: Checked, scalar: ScalarText, report: Report): void {
  if (type.kind === 'error' || constant === undefined || BigInt(constant.value as number | bigint) > 0n) return
  report.add('setting-range', { key: 'limit', needed: 'more than 0', found: `"${scalar.text}"` }, scalar.range, {
    notes: ['No record would ever pass.'],
  })
}
