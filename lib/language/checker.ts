// The checker of scenarios: names, types, presence. Every node gets a type and its operation; what is wrong gets one message per cause, since
// a node with an error has the type `error`, which agrees with everything.
import { checkCall } from './calls.ts'
import type { Declaration, Scope } from './checked.ts'
import { keyOf, type Present, presentIfFalse, presentIfTrue, union } from './presence.ts'
import type { Problem, ProblemNote, Range } from './problem.ts'
import { scaledOfText } from './standard/decimal.ts'
import { canonicalInt, maxInt } from './standard/integer.ts'
import { nearest } from './suggestion.ts'
import type { BinaryOperator, Expr, Literal } from './syntax.ts'
import { pathOf, type Typed } from './typed.ts'
import { comparable, describeType, isAssignable, isText, type Type, types } from './types.ts'

export class Checker {
  readonly problems: Problem[] = []
  readonly source: string
  readonly #scope: Scope
  #present: Present
  /** Told of once: what is said a second time of the same path has the same cause. */
  readonly #toldMissing = new Set<string>()
  /** Variables of the loops around. */
  readonly #elements: { readonly name: string; readonly unique: string; readonly type: Type }[] = []

  constructor(source: string, scope: Scope) {
    this.source = source
    this.#scope = scope
    this.#present = (scope.facts ?? []).reduce<Present>((known, fact) => union(known, presentIfTrue(fact.typed)), new Set())
  }

  check(expr: Expr): Typed {
    switch (expr.kind) {
      case 'literal':
        return this.#literal(expr.literal, expr.range)
      case 'name':
        return this.#name(expr.name, expr.range)
      case 'select':
        return this.#select(expr)
      case 'index':
        return this.#index(expr)
      case 'call':
        return checkCall(this, expr)
      case 'unary':
        return this.#unary(expr)
      case 'binary':
        return this.#binary(expr)
      case 'conditional':
        return this.#conditional(expr)
      case 'list':
        return this.#list(expr)
      case 'map':
        return this.#map(expr)
      case 'message':
      case 'error':
        return this.error(expr.range)
    }
  }

  /** Of something that must be there. */
  value(expr: Expr): Typed {
    const typed = this.check(expr)
    if (typed.missing) return this.reportMissing(typed)
    return typed
  }

  /** A value of that type; literals are promoted to it. */
  valueOf(expr: Expr, type: Type, place?: string): Typed {
    return this.expect(this.value(expr), type, place)
  }

  /** Promotes literals; another type is told. */
  expect(typed: Typed, type: Type, place?: string): Typed {
    const promoted = this.promote(typed, type)
    if (isAssignable(promoted.type, type)) {
      if (type.kind === 'enum' && promoted.type.kind === 'error') return promoted
      return promoted
    }
    const where = place === undefined ? '' : `${capitalized(place)} `
    if (type.kind === 'bool') {
      const message = `${where === '' ? 'A condition ' : where}needs to be true or false, found ${describeType(promoted.type)}`
      return this.report('not-a-condition', message, typed.range)
    }
    if (type.kind === 'enum' && promoted.kind === 'constant' && typeof promoted.value === 'string') {
      const suggestion = nearest(promoted.value, type.values)
      return this.report('never-true', `"${promoted.value}" is not among ${describeType(type)}`, typed.range, {
        suggestion: suggestion && JSON.stringify(suggestion),
      })
    }
    const message = `${where === '' ? 'This place ' : where}needs ${describeType(type)}, found ${describeType(promoted.type)}`
    return this.report('type-mismatch', message, typed.range, { notes: this.#conversion(promoted, type) })
  }

  /** How it becomes that type, as a line to copy; none if nothing is sure to be meant. */
  #conversion(typed: Typed, type: Type): readonly ProblemNote[] {
    const text = this.source.slice(typed.range.start, typed.range.end)
    const from = typed.type.kind
    if (type.kind === 'double' && (from === 'int' || from === 'decimal')) return [{ message: `Convert it: double(${text})` }]
    if (type.kind === 'decimal' && numberKinds.has(from)) return [{ message: `Round it: round(${text}, ${type.digits})` }]
    const printable = numberKinds.has(from) || from === 'bool' || from === 'timestamp' || from === 'duration'
    if (type.kind === 'string' && printable) return [{ message: `Convert it: string(${text})` }]
    if (['int', 'double', 'timestamp', 'duration'].includes(type.kind) && from === 'string')
      return [{ message: `Convert it: ${type.kind}(${text})` }]
    return []
  }

  /** How two values come to have one type: the narrower one is converted. */
  #agreement(operator: BinaryOperator, left: Typed, right: Typed): readonly ProblemNote[] {
    for (const [from, to] of [
      [left, right],
      [right, left],
    ] as const) {
      const text = this.source.slice(from.range.start, from.range.end)
      if (from.type.kind === 'int' && to.type.kind === 'double') return this.#conversion(from, to.type)
      if (from.type.kind === 'double' && to.type.kind === 'decimal') return this.#conversion(from, to.type)
      if (from.type.kind === 'decimal' && to.type.kind === 'decimal' && from.type.digits < to.type.digits)
        return [{ message: `Give both as many digits: round(${text}, ${to.type.digits})` }]
      if (from.type.kind === 'string' && operator !== '+' && !isText(to.type)) return this.#conversion(from, to.type)
      if (operator === '+' && isText(to.type) && this.#conversion(from, types.string).length > 0)
        return [{ message: `Convert it: string(${text}), or write a text in quotes with {${text}} in it` }]
    }
    const kinds = [left.type.kind, right.type.kind]
    if ((operator === '*' || operator === '/') && kinds.includes('decimal') && kinds.every(kind => numberKinds.has(kind))) {
      const [a, b] = [left, right].map(({ type, range }) => {
        const text = this.source.slice(range.start, range.end)
        return type.kind === 'double' ? text : `double(${text})`
      })
      const digits = Math.max(...[left, right].map(({ type }) => (type.kind === 'decimal' ? type.digits : 0)))
      return [{ message: `Calculate in doubles, and round: round(${a} ${operator} ${b}, ${digits})` }]
    }
    if (kinds.includes('null')) {
      const { range } = left.type.kind === 'null' ? right : left
      return [{ message: `"${this.source.slice(range.start, range.end)}" always has a value` }]
    }
    if (kinds.includes('timestamp') && kinds.includes('int'))
      return [{ message: 'A span of time is a duration, as in duration("24h")' }]
    return []
  }

  /** A literal as the type that its place needs: an int where a double or decimal, a double where a decimal is needed. Else unchanged. */
  promote(typed: Typed, to: Type): Typed {
    if (typed.kind === 'conditional') {
      const yes = this.promote(typed.yes, to)
      const no = this.promote(typed.no, to)
      return yes === typed.yes && no === typed.no
        ? typed
        : { ...typed, yes, no, type: isAssignable(yes.type, to) && isAssignable(no.type, to) ? to : typed.type }
    }
    if (typed.kind === 'orValue') {
      const fallback = this.promote(typed.fallback, to)
      return fallback === typed.fallback ? typed : { ...typed, fallback }
    }
    if (typed.kind === 'list' && to.kind === 'list') {
      const elements = typed.elements.map(element => ({ ...element, value: this.promote(element.value, to.element) }))
      const fits = elements.every(({ value }) => isAssignable(value.type, to.element))
      return fits ? { ...typed, elements, type: to } : typed
    }
    if (typed.kind !== 'constant' || typed.literal === undefined) return typed
    const { literal } = typed
    const from = typed.type.kind
    if (from === 'int' && to.kind === 'double') {
      this.#notStandard(typed, to)
      return { ...typed, type: to, value: Number(literal) }
    }
    if ((from === 'int' || from === 'double') && to.kind === 'decimal') {
      const scaled = scaledOfText(literal, to.digits)
      if (scaled === undefined || !scaled.exact || scaled.scaled > maxInt || scaled.scaled < -maxInt - 1n) return typed
      this.#notStandard(typed, to)
      return { ...typed, type: to, value: canonicalInt(scaled.scaled) }
    }
    return typed
  }

  #notStandard(typed: Typed, to: Type): void {
    if (this.#scope.strict !== true) return
    this.problems.push({
      id: 'not-standard',
      severity: 'hint',
      message: `Standard CEL has no ${describeType(typed.type)} literal where ${describeType(to)} is needed`,
      range: typed.range,
    })
  }

  /** Both of one type, literals promoted to the other's. */
  unify(a: Typed, b: Typed): readonly [Typed, Typed] {
    return [this.promote(a, b.type), this.promote(b, a.type)]
  }

  /** Checks with more paths known to be there. */
  within<Result>(present: Present, run: () => Result): Result {
    const before = this.#present
    this.#present = union(before, present)
    try {
      return run()
    } finally {
      this.#present = before
    }
  }

  /** Checks a loop's body with its variable. `unique`: its name in generated code. */
  withElement<Result>(name: string, type: Type, run: (unique: string) => Result): Result {
    // Generated code declares it, so a name in backticks is replaced.
    const unique = `${/^[A-Za-z_]\w*$/.test(name) ? name : 'x'}_${this.#elements.length}`
    this.#elements.push({ name, unique, type })
    try {
      return run(unique)
    } finally {
      this.#elements.pop()
    }
  }

  isName(name: string): boolean {
    return this.#scope.names.has(name) || this.#elements.some(element => element.name === name)
  }

  /** A name of the scope that may be missing, whatever is known where it is asked. */
  mayHaveNoValue(name: string): boolean {
    return this.#scope.names.get(name)?.optional === true && !this.#elements.some(element => element.name === name)
  }

  error(range: Range): Typed {
    return { kind: 'error', type: types.error, missing: false, range }
  }

  report(
    id: string,
    message: string,
    range: Range,
    more: { suggestion?: string | undefined; notes?: readonly ProblemNote[] } = {},
  ): Typed {
    const { suggestion, notes } = more
    this.problems.push({
      id,
      severity: 'error',
      message,
      range,
      ...(suggestion !== undefined && { suggestion }),
      ...(notes !== undefined && { notes }),
    })
    return this.error(range)
  }

  /** Applies an operation of operations.ts. */
  apply(operation: string, args: readonly Typed[], type: Type, range: Range): Typed {
    return { kind: 'apply', operation, args, type, missing: false, range }
  }

  /** `mayBeLeftOut`: the place takes a missing value, where `.?` says that it is one. */
  reportMissing(typed: Typed, place: { readonly mayBeLeftOut?: boolean } = {}): Typed {
    const key = keyOf(typed)
    if (key !== undefined && this.#toldMissing.has(key)) return this.error(typed.range)
    if (key !== undefined) this.#toldMissing.add(key)
    const text = this.source.slice(typed.range.start, typed.range.end)
    const bare = text.replaceAll('.?', '.')
    const optional =
      typed.kind === 'field'
        ? `${this.source.slice(typed.target.range.start, typed.target.range.end)}.?${/^[A-Za-z_]\w*$/.test(typed.field) ? typed.field : `\`${typed.field}\``}`
        : text
    if (place.mayBeLeftOut === true) {
      const message = `"${bare}" may be missing; where it may be left out, it is written "${optional}"`
      return this.report('may-be-missing', message, typed.range, { suggestion: optional })
    }
    const message = `"${bare}" may be missing, and this place needs a value`
    const other =
      { int: '0', double: '0.0', decimal: '0', string: '""', bool: 'false', list: '[]' }[typed.type.kind as string] ?? '…'
    const asked = this.#asked(typed)
    const notes: ProblemNote[] = [
      ...(asked.length === 0 ? [] : [{ message: `Ask first: ${asked.map(path => `has(${path}) && `).join('')}…` }]),
      // No expression makes an object.
      ...(typed.type.kind === 'object'
        ? []
        : [{ message: `${asked.length === 0 ? 'Give' : 'Or give'} a value for the missing one: ${optional}.orValue(${other})` }]),
    ]
    return this.report('may-be-missing', message, typed.range, { notes })
  }

  /** The parts of a path that may be missing, the outer ones first; none where `has` cannot ask. */
  #asked(typed: Typed): readonly string[] {
    const key = keyOf(typed)
    if (key === undefined || !typed.missing) return []
    const outer = typed.kind === 'field' ? this.#asked(typed.target) : []
    const field =
      typed.kind === 'field' && typed.target.type.kind === 'object' ? typed.target.type.fields.get(typed.field) : undefined
    if (typed.kind === 'field' && (field?.optional !== true || this.#present.has(key))) return outer
    return [...outer, this.source.slice(typed.range.start, typed.range.end).replaceAll('.?', '.')]
  }

  #literal(literal: Literal, range: Range): Typed {
    const constant = (type: Type, value: unknown, digits?: string): Typed => ({
      kind: 'constant',
      value,
      ...(digits !== undefined && { literal: digits }),
      type,
      missing: false,
      range,
    })
    switch (literal.type) {
      case 'int':
        if (literal.value > maxInt)
          return this.report('literal-type', `The number ${literal.value} does not fit into 64 bits`, range)
        return constant(types.int, canonicalInt(literal.value), String(literal.value))
      case 'double':
        return constant(types.double, literal.value, literal.text)
      case 'string':
        return constant(types.string, literal.value)
      case 'bytes':
        return constant(types.bytes, literal.value)
      case 'bool':
        return constant(types.bool, literal.value)
      case 'null':
        return constant(types.null, null)
      case 'uint':
        return this.report('type-mismatch', 'Scenarios have no unsigned ints', range, { suggestion: String(literal.value) })
    }
  }

  #name(name: string, range: Range): Typed {
    const element = this.#elements.findLast(candidate => candidate.name === name)
    if (element !== undefined) return { kind: 'element', name: element.unique, type: element.type, missing: false, range }
    const declaration: Declaration | undefined = this.#scope.names.get(name)
    if (declaration !== undefined) {
      const node: Typed = { kind: 'name', name, type: declaration.type, missing: false, range }
      return { ...node, missing: declaration.optional === true && !this.#present.has(keyOf(node)!) }
    }
    return this.report('unknown-name', `Nothing is called "${name}" here`, range, this.#meantBy(name))
  }

  #meantBy(name: string): { suggestion?: string | undefined; notes?: readonly ProblemNote[] } {
    if (/^(true|false)$/i.test(name)) return { suggestion: name.toLowerCase() }
    const names = [...this.#scope.names.keys(), ...this.#elements.map(candidate => candidate.name)]
    const isConstant = /^[A-Z][A-Z0-9]*_[A-Z0-9_]+$/.test(name)
    const suggestion = isConstant ? undefined : nearest(name, names)
    if (suggestion !== undefined) return { suggestion }
    const event = this.#scope.names.get('event')?.type
    if (event?.kind === 'object' && event.fields.has(name)) return { suggestion: `event.${name}` }
    if (name === 'headers' || name === 'key') {
      const example = name === 'key' ? 'key: string' : 'headers: { type: string }'
      return { notes: [{ message: `It is there where "source" declares it: "${example}".` }] }
    }
    return isConstant ? { notes: [{ message: `A text stands in quotes: "${name}"` }] } : {}
  }

  #select(expr: Expr & { kind: 'select' }): Typed {
    const target = this.check(expr.target)
    if (target.type.kind === 'error') return this.error(expr.range)
    // After `.?` a missing value passes on: `event.?before.plan` is missing where `before` is.
    if (target.missing && !expr.optional && !isOptionalChain(expr.target)) return this.reportMissing(target)
    return this.selectField(target, expr)
  }

  /** A field of a checked target; `has` asks with it, too. */
  selectField(target: Typed, { field, fieldRange, optional, range }: Expr & { kind: 'select' }): Typed {
    const owner =
      target.kind === 'name' || target.kind === 'element' || target.kind === 'field'
        ? `"${this.source.slice(target.range.start, target.range.end)}"`
        : 'What stands before the dot'
    if (target.type.kind === 'map') {
      const key: Typed = { kind: 'constant', value: field, type: types.string, missing: false, range: fieldRange }
      if (optional) return { ...this.apply('mapGet', [target, key], target.type.value, range), missing: true }
      return this.apply('valueAt', [target, key], target.type.value, range)
    }
    if (target.type.kind !== 'object') {
      return this.report('unknown-field', `${owner} has no fields, it is ${describeType(target.type)}`, fieldRange)
    }
    const declared = target.type.fields.get(field)
    if (declared === undefined) {
      const names = [...target.type.fields.keys()]
      const path = pathOf(target)
      const notes: ProblemNote[] =
        path === undefined
          ? []
          : [{ message: `${owner} is declared with the fields ${list(names.map(name => `"${name}"`))}`, declaration: path }]
      return this.report('unknown-field', `${owner} has no field "${field}"`, fieldRange, {
        suggestion: nearest(field, names),
        notes,
      })
    }
    const node: Typed = { kind: 'field', target, field, type: declared.type, missing: false, range }
    const key = keyOf(node)
    const known = key !== undefined && this.#present.has(key)
    return { ...node, missing: (declared.optional && !known) || target.missing }
  }

  #index(expr: Expr & { kind: 'index' }): Typed {
    const target = this.value(expr.target)
    const index = this.value(expr.index)
    if (target.type.kind === 'error' || index.type.kind === 'error') return this.error(expr.range)
    if (target.type.kind === 'list') {
      const at = this.expect(index, types.int, 'The place in a list')
      const { element } = target.type
      if (expr.optional) return { ...this.apply('elementOrMissing', [target, at], element, expr.range), missing: true }
      return this.apply('elementAt', [target, at], element, expr.range)
    }
    if (target.type.kind === 'map') {
      const key = this.expect(index, target.type.key, 'The key of a map')
      if (expr.optional) return { ...this.apply('mapGet', [target, key], target.type.value, expr.range), missing: true }
      return this.apply('valueAt', [target, key], target.type.value, expr.range)
    }
    return this.report('type-mismatch', `Only lists and maps have elements, found ${describeType(target.type)}`, target.range)
  }

  #unary(expr: Expr & { kind: 'unary' }): Typed {
    if (expr.operator === '!') {
      const operand = this.valueOf(expr.operand, types.bool, 'What "!" negates')
      return operand.kind === 'error' ? operand : { kind: 'not', operand, type: types.bool, missing: false, range: expr.range }
    }
    const operand = this.value(expr.operand)
    switch (operand.type.kind) {
      case 'error':
        return this.error(expr.range)
      case 'int':
      case 'decimal':
        return this.apply('negInt', [operand], operand.type, expr.range)
      case 'double':
        return this.apply('double neg', [operand], operand.type, expr.range)
      case 'duration':
        return this.apply('negDuration', [operand], operand.type, expr.range)
      default:
        return this.report('type-mismatch', `"-" needs a number or a duration, found ${describeType(operand.type)}`, expr.range)
    }
  }

  #binary(expr: Expr & { kind: 'binary' }): Typed {
    switch (expr.operator) {
      case '&&':
      case '||':
        return this.#logical(expr, expr.operator)
      case 'in':
        return this.#in(expr)
      case '==':
      case '!=':
        return this.#equality(expr, expr.operator)
      case '<':
      case '<=':
      case '>':
      case '>=':
        return this.#order(expr, expr.operator)
      default:
        return this.#arithmetic(expr)
    }
  }

  #logical(expr: Expr & { kind: 'binary' }, operator: '&&' | '||'): Typed {
    const place = operator === '&&' ? 'Each side of "&&"' : 'Each side of "||"'
    const left = this.valueOf(expr.left, types.bool, place)
    const known = operator === '&&' ? presentIfTrue(left) : presentIfFalse(left)
    const right = this.within(known, () => this.valueOf(expr.right, types.bool, place))
    return { kind: operator === '&&' ? 'and' : 'or', left, right, type: types.bool, missing: false, range: expr.range }
  }

  #conditional(expr: Expr & { kind: 'conditional' }): Typed {
    const condition = this.valueOf(expr.condition, types.bool, 'What stands before "?"')
    const [yes, no] = this.unify(
      this.within(presentIfTrue(condition), () => this.check(expr.yes)),
      this.within(presentIfFalse(condition), () => this.check(expr.no)),
    )
    const type = isAssignable(no.type, yes.type) ? yes.type : isAssignable(yes.type, no.type) ? no.type : undefined
    if (type === undefined) {
      return this.report(
        'type-mismatch',
        `Both values of "? :" need one type, found ${describeType(yes.type)} and ${describeType(no.type)}`,
        expr.range,
      )
    }
    return {
      kind: 'conditional',
      condition,
      yes,
      no,
      type: type.kind === 'enum' && no.type.kind === 'enum' ? both(type, no.type) : type,
      missing: yes.missing || no.missing,
      range: expr.range,
    }
  }

  #in(expr: Expr & { kind: 'binary' }): Typed {
    const value = this.value(expr.left)
    const container = this.value(expr.right)
    if (value.type.kind === 'error' || container.type.kind === 'error') return this.error(expr.range)
    if (container.type.kind === 'list') {
      const promotedList = this.promote(container, { kind: 'list', element: value.type })
      const promoted = this.promote(value, container.type.element)
      const element = (promotedList.type as Type & { kind: 'list' }).element
      if (!comparable(promoted.type, element)) {
        return this.report(
          'type-mismatch',
          `${describeType(promotedList.type)} can never have ${describeType(promoted.type)} in it`,
          expr.range,
        )
      }
      if (promotedList.kind === 'list') for (const item of promotedList.elements) this.#assertListed(promoted, item.value)
      return this.apply('listHas', [promotedList, promoted], types.bool, expr.range)
    }
    if (container.type.kind === 'map') {
      const key = this.expect(value, container.type.key, 'The key of a map')
      return this.apply('mapHas', [container, key], types.bool, expr.range)
    }
    return this.report(
      'type-mismatch',
      `"in" needs a list or a map on its right, found ${describeType(container.type)}`,
      expr.right.range,
    )
  }

  #equality(expr: Expr & { kind: 'binary' }, operator: '==' | '!='): Typed {
    const asked = this.#comparedWithNull(expr, operator)
    if (asked !== undefined) return asked
    const [left, right] = this.unify(this.value(expr.left), this.value(expr.right))
    if (left.type.kind === 'error' || right.type.kind === 'error') return this.error(expr.range)
    if (!comparable(left.type, right.type)) return this.#incomparable(expr, left, right)
    if (!this.#assertListed(left, right, operator) || !this.#assertListed(right, left, operator)) return this.error(expr.range)
    const isPlain = ['bool', 'int', 'double', 'string', 'enum', 'timezone', 'decimal', 'null'].includes(left.type.kind)
    const operation = isPlain ? (operator === '==' ? 'same' : 'different') : operator === '==' ? 'equals' : 'differs'
    return this.apply(operation, [left, right], types.bool, expr.range)
  }

  /** `event.country != null`: a missing value is no null, and is asked for by `has`. */
  #comparedWithNull(expr: Expr & { kind: 'binary' }, operator: '==' | '!='): Typed | undefined {
    const isNull = (side: Expr): boolean => side.kind === 'literal' && side.literal.type === 'null'
    const compared = isNull(expr.right) ? expr.left : isNull(expr.left) ? expr.right : undefined
    if (compared?.kind !== 'select') return undefined
    const typed = this.check(compared)
    const key = keyOf(typed)
    if (!typed.missing || key === undefined || this.#toldMissing.has(key)) return undefined
    this.#toldMissing.add(key)
    const bare = this.source.slice(compared.range.start, compared.range.end).replaceAll('.?', '.')
    // At its start YAML would take a "!" for a tag.
    const absent = expr.range.start === 0 ? `(!has(${bare}))` : `!has(${bare})`
    return this.report('may-be-missing', `"${bare}" may be missing, and what is missing is not compared with null`, expr.range, {
      suggestion: operator === '==' ? absent : `has(${bare})`,
    })
  }

  /** A text that is compared with a closed list of texts must be one of them. */
  #assertListed(compared: Typed, value: Typed, operator: '==' | '!=' = '=='): boolean {
    const verdict = operator === '==' ? 'This can never be true' : 'This is true whatever comes'
    const reach = reachOf(compared)
    if (reach !== undefined && value.kind === 'constant' && !reach.values.includes(value.value)) {
      this.report('never-true', `${verdict}: ${reach.text}`, value.range)
      return false
    }
    const { type } = compared
    if (type.kind !== 'enum' || value.kind !== 'constant' || typeof value.value !== 'string' || type.values.includes(value.value))
      return true
    const suggestion = nearest(value.value, type.values)
    this.report(
      'never-true',
      `${verdict}: "${value.value}" is not among ${type.values.map(v => `"${v}"`).join(', ')}`,
      value.range,
      {
        suggestion: suggestion === undefined ? undefined : JSON.stringify(suggestion),
      },
    )
    return false
  }

  /** `getHours() >= 24` never holds, `getHours() >= 0` always does. */
  #reportReach(compared: Typed, operator: '<' | '<=' | '>' | '>=', value: Typed, range: Range): void {
    const reach = reachOf(compared)
    if (reach === undefined || value.kind !== 'constant' || typeof value.value !== 'number') return
    const limit = value.value
    const holding = reach.values.filter(candidate => typeof candidate === 'number' && compareNumbers(candidate, operator, limit))
    if (holding.length === 0) this.report('never-true', `This can never be true: ${reach.text}`, value.range)
    if (holding.length === reach.values.length)
      this.problems.push({ id: 'always-true', severity: 'warning', message: `This is always true: ${reach.text}`, range })
  }

  #order(expr: Expr & { kind: 'binary' }, operator: '<' | '<=' | '>' | '>='): Typed {
    const [left, right] = this.unify(this.value(expr.left), this.value(expr.right))
    if (left.type.kind === 'error' || right.type.kind === 'error') return this.error(expr.range)
    if (!comparable(left.type, right.type)) return this.#incomparable(expr, left, right)
    const prefix = orderPrefix(left.type)
    if (prefix === undefined)
      return this.report(
        'type-mismatch',
        `"${operator}" needs values that have an order, found ${describeType(left.type)}`,
        expr.range,
      )
    this.#reportReach(left, operator, right, expr.range)
    this.#reportReach(right, mirrored[operator], left, expr.range)
    return this.apply(`${prefix}${operator}`, [left, right], types.bool, expr.range)
  }

  #incomparable(expr: Expr & { kind: 'binary' }, left: Typed, right: Typed): Typed {
    const suggestion = unquotedNumber(this.source, expr, left, right)
    const message = `Cannot compare ${describeType(left.type)} with ${describeType(right.type)}`
    const notes = suggestion === undefined ? this.#agreement(expr.operator, left, right) : []
    return this.report('type-mismatch', message, expr.range, { suggestion, notes })
  }

  #arithmetic(expr: Expr & { kind: 'binary' }): Typed {
    const { operator } = expr
    const leftValue = this.value(expr.left)
    const rightValue = this.value(expr.right)
    if (leftValue.type.kind === 'error' || rightValue.type.kind === 'error') return this.error(expr.range)
    const found =
      chooseArithmetic(operator, leftValue, rightValue) ?? chooseArithmetic(operator, ...this.unify(leftValue, rightValue))
    if (found !== undefined) return this.apply(found.operation, found.args, found.type, expr.range)
    const message = cannot(operator, describeType(leftValue.type), describeType(rightValue.type))
    return this.report('type-mismatch', message, expr.range, { notes: this.#agreement(operator, leftValue, rightValue) })
  }

  #list(expr: Expr & { kind: 'list' }): Typed {
    const elements = expr.elements.map(({ value, optional }) => ({
      value: optional ? this.check(value) : this.value(value),
      optional,
    }))
    if (elements.some(({ value }) => value.kind === 'error')) return this.error(expr.range)
    let type: Type = types.error
    for (const { value } of elements) type = type.kind === 'error' || isNumberWidening(type, value.type) ? value.type : type
    const unified = elements.map(element => ({ ...element, value: this.promote(element.value, type) }))
    for (const { value } of unified) {
      if (isAssignable(value.type, type)) continue
      if (isAssignable(type, value.type)) type = value.type
      else
        return this.report(
          'type-mismatch',
          `The elements of a list need one type, found ${describeType(type)} and ${describeType(value.type)}`,
          value.range,
        )
    }
    return { kind: 'list', elements: unified, type: { kind: 'list', element: type }, missing: false, range: expr.range }
  }

  #map(expr: Expr & { kind: 'map' }): Typed {
    let key: Type = types.string
    let value: Type = types.error
    const entries = expr.entries.map((entry, index) => {
      const checkedKey = this.value(entry.key)
      if (index === 0) key = checkedKey.type
      if (!isText(checkedKey.type) && !['int', 'bool', 'error'].includes(checkedKey.type.kind)) {
        const message = `The keys of a map need to be string, int or bool, found ${describeType(checkedKey.type)}`
        return { key: this.report('type-mismatch', message, checkedKey.range), value: this.check(entry.value), optional: false }
      }
      const checked = entry.optional ? this.check(entry.value) : this.value(entry.value)
      if (value.kind === 'error' || isNumberWidening(value, checked.type)) value = checked.type
      return { key: this.expect(checkedKey, key, 'Each key of a map'), value: checked, optional: entry.optional }
    })
    const unified = entries.map(entry => ({ ...entry, value: this.expect(entry.value, value, 'Each value of a map') }))
    if (unified.some(entry => entry.key.kind === 'error' || entry.value.kind === 'error')) return this.error(expr.range)
    return { kind: 'map', entries: unified, type: { kind: 'map', key, value }, missing: false, range: expr.range }
  }
}

/** What a part of a time can be. */
const timeParts: Readonly<Record<string, readonly [least: number, greatest: number, notes: string]>> = {
  getMonth: [0, 11, ', 0 is January'],
  getDate: [1, 31, ''],
  getDayOfMonth: [0, 30, ', 0 is the first'],
  getDayOfYear: [0, 365, ', 0 is 1 January'],
  getDayOfWeek: [0, 6, ', 0 is Sunday'],
  getHours: [0, 23, ''],
  getMinutes: [0, 59, ''],
  getSeconds: [0, 59, ''],
  getMilliseconds: [0, 999, ''],
}
const weekdays = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']

/** All values that an operation can give, where they are few. */
function reachOf(node: Typed): { readonly values: readonly unknown[]; readonly text: string } | undefined {
  if (node.kind !== 'apply') return undefined
  if (Object.hasOwn(timeParts, node.operation)) {
    const [least, greatest, notes] = timeParts[node.operation]!
    const values = Array.from({ length: greatest - least + 1 }, (_, i) => least + i)
    return { values, text: `"${node.operation}" gives ${least} to ${greatest}${notes}` }
  }
  const pattern = node.operation === 'formatTimestamp' ? node.args[1] : undefined
  if (pattern?.kind !== 'constant' || pattern.value !== 'EEE') return undefined
  return { values: weekdays, text: 'the pattern "EEE" gives Mon, Tue, Wed, Thu, Fri, Sat or Sun' }
}

export function isOptionalChain(expr: Expr): boolean {
  if (expr.kind === 'index') return expr.optional || isOptionalChain(expr.target)
  return expr.kind === 'select' && (expr.optional || isOptionalChain(expr.target))
}

function cannot(operator: BinaryOperator, left: string, right: string): string {
  switch (operator) {
    case '+':
      return `Cannot add ${left} and ${right}`
    case '-':
      return `Cannot subtract ${right} from ${left}`
    case '*':
      return `Cannot multiply ${left} by ${right}`
    case '/':
      return `Cannot divide ${left} by ${right}`
    default:
      return `"${operator}" needs two ints, found ${left} and ${right}`
  }
}

const numberKinds = new Set(['int', 'double', 'decimal'])

const mirrored = { '<': '>', '<=': '>=', '>': '<', '>=': '<=' } as const

function compareNumbers(a: number, operator: '<' | '<=' | '>' | '>=', b: number): boolean {
  switch (operator) {
    case '<':
      return a < b
    case '<=':
      return a <= b
    case '>':
      return a > b
    case '>=':
      return a >= b
  }
}

function isNumberWidening(from: Type, to: Type): boolean {
  return from.kind === 'int' && (to.kind === 'double' || to.kind === 'decimal')
}

function orderPrefix(type: Type): string | undefined {
  if (numberKinds.has(type.kind) || type.kind === 'bool') return ''
  if (isText(type)) return 'string '
  return type.kind === 'timestamp' || type.kind === 'duration' ? `${type.kind} ` : undefined
}

interface Chosen {
  readonly operation: string
  readonly args: readonly Typed[]
  readonly type: Type
}

function chooseArithmetic(operator: BinaryOperator, left: Typed, right: Typed): Chosen | undefined {
  const a = left.type
  const b = right.type
  const chosen = (operation: string, type: Type, args: readonly Typed[] = [left, right]): Chosen => ({ operation, args, type })
  const ints: Readonly<Record<string, string>> = { '+': 'addInt', '-': 'subInt', '*': 'mulInt', '/': 'divInt', '%': 'modInt' }
  if (a.kind === 'int' && b.kind === 'int') return chosen(ints[operator]!, types.int)
  if (a.kind === 'double' && b.kind === 'double' && operator !== '%') return chosen(`double ${operator}`, types.double)
  if (a.kind === 'decimal' && b.kind === 'decimal' && a.digits === b.digits && (operator === '+' || operator === '-'))
    return chosen(ints[operator]!, a)
  if (a.kind === 'decimal' && b.kind === 'int' && operator === '*') return chosen('mulInt', a)
  if (a.kind === 'int' && b.kind === 'decimal' && operator === '*') return chosen('mulInt', b)
  if (a.kind === 'decimal' && b.kind === 'int' && operator === '/') return chosen('divDecimal', a)
  if (operator === '+') {
    if (isText(a) && isText(b)) return chosen('string +', types.string)
    if (a.kind === 'list' && b.kind === 'list') {
      const type = isAssignable(b, a) ? a : isAssignable(a, b) ? b : undefined
      return type && chosen('concat', type)
    }
    if (a.kind === 'timestamp' && b.kind === 'duration') return chosen('addDuration', types.timestamp)
    if (a.kind === 'duration' && b.kind === 'timestamp') return chosen('addDuration', types.timestamp, [right, left])
    if (a.kind === 'duration' && b.kind === 'duration') return chosen('addDurations', a)
  }
  if (operator === '-') {
    if (a.kind === 'timestamp' && b.kind === 'timestamp') return chosen('subTimestamps', types.duration)
    if (a.kind === 'timestamp' && b.kind === 'duration') return chosen('subDuration', types.timestamp)
    if (a.kind === 'duration' && b.kind === 'duration') return chosen('subDurations', a)
  }
  return undefined
}

/** `event.usedPercent >= "80"`: the text is a number in quotes. */
function unquotedNumber(source: string, expr: Expr & { kind: 'binary' }, left: Typed, right: Typed): string | undefined {
  const [number, text] = numberKinds.has(left.type.kind) ? [left, right] : [right, left]
  if (
    !numberKinds.has(number.type.kind) ||
    text.kind !== 'constant' ||
    typeof text.value !== 'string' ||
    !/^-?\d+(\.\d+)?$/.test(text.value)
  )
    return undefined
  if (number.type.kind === 'int' && text.value.includes('.')) return undefined
  const whole = source.slice(expr.range.start, expr.range.end)
  const start = text.range.start - expr.range.start
  return whole.slice(0, start) + text.value + whole.slice(text.range.end - expr.range.start)
}

function both(a: Type & { kind: 'enum' }, b: Type & { kind: 'enum' }): Type {
  return { kind: 'enum', values: [...new Set([...a.values, ...b.values])] }
}

function list(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`
}

function capitalized(text: string): string {
  return text === '' ? text : text[0]!.toUpperCase() + text.slice(1)
}
