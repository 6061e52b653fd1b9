// All of CEL, for the conformance suite: values whose type is known at run time only, unsigned ints, optionals as values, errors that come
// when an expression runs. Where the static checker of scenarios has an answer it is taken, so that the suite tests what scenarios run;
// where it has none, a generic operation decides by the values.
import { Checker } from './checker.ts'
import { presentIfTrue } from './presence.ts'
import type { Range } from './problem.ts'
import { TypeName, Uint } from './standard/values.ts'
import type { Expr } from './syntax.ts'
import type { Typed } from './typed.ts'
import { isAssignable, type Type, types } from './types.ts'

const dyn: Type = { kind: 'dyn' }
const uint: Type = { kind: 'uint' }
/** Of the elements of `[]`, the value of `optional.none()`: it becomes whatever the other values have. */
const open: Type = { kind: 'dyn', open: true }

const typeNames = [
  'bool',
  'bytes',
  'double',
  'duration',
  'int',
  'list',
  'map',
  'null_type',
  'string',
  'timestamp',
  'type',
  'uint',
  'optional_type',
]
const protobufNames: Readonly<Record<string, string>> = {
  timestamp: 'google.protobuf.Timestamp',
  duration: 'google.protobuf.Duration',
}

const arithmetic: Readonly<Record<string, string>> = { '+': 'add', '-': 'sub', '*': 'mul', '/': 'div', '%': 'mod' }

export class DynamicChecker extends Checker {
  readonly #known = new Map<Expr, Typed>()

  override check(expr: Expr): Typed {
    const known = this.#known.get(expr)
    if (known !== undefined) return known
    const typed = this.#checkOnce(expr)
    this.#known.set(expr, typed)
    return typed
  }

  #checkOnce(expr: Expr): Typed {
    const special = this.#special(expr)
    if (special !== undefined) return special
    const problemCount = this.problems.length
    const typed = super.check(expr)
    if (this.problems.length === problemCount && typed.kind !== 'error' && !typed.missing) return typed
    this.problems.length = problemCount
    return this.#generic(expr)
  }

  /** Nothing is promoted: standard CEL does not. */
  override promote(typed: Typed): Typed {
    return typed
  }

  /** A value of another type fails when it runs. */
  override expect(typed: Typed, type: Type): Typed {
    if (isAssignable(typed.type, type) && typed.type.kind !== 'error') return typed
    if (typed.type.kind !== 'dyn') return this.#fail('no such overload', typed.range, type)
    return this.apply('asKind', [typed, text(type.kind, typed.range)], type, typed.range)
  }

  /** What CEL decides otherwise than scenarios do. */
  #special(expr: Expr): Typed | undefined {
    switch (expr.kind) {
      case 'literal':
        if (expr.literal.type !== 'uint') return undefined
        return { kind: 'constant', value: new Uint(expr.literal.value), type: uint, missing: false, range: expr.range }
      case 'name':
      case 'select': {
        // `a.b.c` may be one name; so may `google.protobuf.Timestamp`.
        const path = dottedName(expr)
        if (path !== undefined && expr.kind === 'select' && this.isName(path))
          return super.check({ kind: 'name', name: path, range: expr.range })
        if (path !== undefined && !this.isName(path) && !this.isName(path.split('.')[0]!)) return this.#typeName(path, expr.range)
        return expr.kind === 'select' ? this.#select(expr) : undefined
      }
      case 'index':
        return this.#index(expr)
      case 'binary':
        return this.#binary(expr)
      case 'conditional':
        return this.#conditional(expr)
      case 'list':
        return this.#list(expr)
      case 'map':
        return this.#map(expr)
      case 'call':
        return this.#call(expr)
      default:
        return undefined
    }
  }

  /** What the static checker has refused. */
  #generic(expr: Expr): Typed {
    switch (expr.kind) {
      case 'name':
        return this.#fail(`undeclared reference to "${expr.name}"`, expr.range)
      case 'index':
        return this.#genericIndex(expr)
      case 'unary': {
        const operand = this.check(expr.operand)
        if (expr.operator === '!')
          return { kind: 'not', operand: this.#bool(operand), type: types.bool, missing: false, range: expr.range }
        return this.#typed(this.apply('neg', [this.box(operand)], dyn, expr.range), operand.type)
      }
      case 'binary':
        return this.#genericBinary(expr)
      case 'call':
        return this.#genericCall(expr)
      case 'literal':
        return this.#fail('int literal out of range', expr.range, types.int)
      default:
        return this.#fail('no such overload', expr.range)
    }
  }

  /** As a value of type dyn. */
  box(typed: Typed): Typed {
    if (typed.type.kind === 'dyn') return typed
    if (typed.kind === 'apply' && typed.operation === 'unboxed') return { ...typed.args[0]!, type: dyn, missing: typed.missing }
    return { kind: 'box', operand: typed, type: dyn, missing: false, range: typed.range }
  }

  /** What a generic operation gives, where its type is known all the same: all doubles are unwrapped, or none. */
  #typed(boxed: Typed, type: Type): Typed {
    if (!holdsDouble(type)) return { ...boxed, type }
    return holdsDyn(type) ? boxed : { ...this.apply('unboxed', [boxed], type, boxed.range), missing: boxed.missing }
  }

  /** Of the type that several values have together. */
  #converted(typed: Typed, type: Type): Typed {
    if (type.kind === 'dyn' && type.open !== true) return this.box(typed)
    if (sameForm(typed.type, type)) return typed
    if (typed.kind === 'apply' && typed.operation === 'unboxed') return { ...typed.args[0]!, type, missing: typed.missing }
    return holdsDouble(typed.type)
      ? { kind: 'box', operand: typed, type, missing: typed.missing, range: typed.range }
      : { ...typed, type }
  }

  #bool(typed: Typed): Typed {
    if (typed.type.kind === 'bool') return typed
    return this.apply('condition', [this.box(typed)], types.bool, typed.range)
  }

  #fail(message: string, range: Range, type: Type = dyn): Typed {
    return this.apply('fail', [text(message, range)], type, range)
  }

  #typeName(path: string, range: Range): Typed | undefined {
    const name = typeNames.includes(path)
      ? (protobufNames[path] ?? path)
      : Object.values(protobufNames).find(full => full === path)
    if (name === undefined) return undefined
    return { kind: 'constant', value: new TypeName(name), type: { kind: 'type', of: typeOfName(path) }, missing: false, range }
  }

  #select(expr: Expr & { kind: 'select' }): Typed {
    const target = this.check(expr.target)
    const name = text(expr.field, expr.fieldRange)
    if (expr.optional || target.type.kind === 'optional') {
      return this.#partOrNone([target, name], expr.range)
    }
    if (target.type.kind === 'map') return this.apply('valueAt', [target, name], target.type.value, expr.range)
    return this.apply('field', [this.box(target), name], dyn, expr.range)
  }

  // A list takes 0.0 and 0u for 0 where the type is dyn; what is asked of an optional gives one.
  #index(expr: Expr & { kind: 'index' }): Typed | undefined {
    const target = this.check(expr.target)
    const index = this.check(expr.index)
    if (expr.optional || target.type.kind === 'optional') return this.#partOrNone([target, index], expr.range)
    return holdsDyn(index.type) ? this.#genericIndex(expr) : undefined
  }

  #genericIndex(expr: Expr & { kind: 'index' }): Typed {
    const target = this.check(expr.target)
    const index = this.check(expr.index)
    return this.#typed(this.apply('index', [this.box(target), this.box(index)], dyn, expr.range), partOf(target.type))
  }

  #partOrNone([target, key]: readonly [Typed, Typed], range: Range): Typed {
    const part = this.apply('indexOrNone', [this.box(target), this.box(key)], { kind: 'optional', value: dyn }, range)
    const type = partOf(target.type.kind === 'optional' ? target.type.value : target.type)
    return this.#typed(part, { kind: 'optional', value: type })
  }

  // Scenarios tell values of two types apart when they are checked; dyn ones are told apart when the expression runs.
  #binary(expr: Expr & { kind: 'binary' }): Typed | undefined {
    if (expr.operator === '&&' || expr.operator === '||') return this.#logical(expr)
    const left = this.check(expr.left)
    const right = this.check(expr.right)
    if (expr.operator === '+' && left.type.kind === 'list' && right.type.kind === 'list') {
      const type = joined(left.type, right.type)
      if (type.kind === 'list')
        return this.apply('concat', [this.#converted(left, type), this.#converted(right, type)], type, expr.range)
    }
    return holdsDyn(left.type) || holdsDyn(right.type) ? this.#genericBinary(expr) : undefined
  }

  #logical(expr: Expr & { kind: 'binary' }): Typed {
    const left = this.#bool(this.check(expr.left))
    const right = this.#bool(this.check(expr.right))
    return { kind: expr.operator === '&&' ? 'and' : 'or', left, right, type: types.bool, missing: false, range: expr.range }
  }

  #conditional(expr: Expr & { kind: 'conditional' }): Typed {
    const condition = this.#bool(this.check(expr.condition))
    const [yes, no, type] = this.#sameType(this.check(expr.yes), this.check(expr.no))
    return { kind: 'conditional', condition, yes, no, type, missing: false, range: expr.range }
  }

  #sameType(a: Typed, b: Typed): readonly [Typed, Typed, Type] {
    const type = joined(a.type, b.type)
    return [this.#converted(a, type), this.#converted(b, type), type]
  }

  #list(expr: Expr & { kind: 'list' }): Typed {
    const values = expr.elements.map(({ value, optional }) => {
      const checked = this.check(value)
      return { value: optional ? this.#missingOf(checked) : checked, optional }
    })
    const [type, elements] = this.#unified(values.map(({ value }) => value))
    return {
      kind: 'list',
      elements: values.map(({ optional }, k) => ({ value: elements[k]!, optional })),
      type: { kind: 'list', element: type },
      missing: false,
      range: expr.range,
    }
  }

  #map(expr: Expr & { kind: 'map' }): Typed {
    const [keyType, keys] = this.#unified(expr.entries.map(({ key }) => this.#mapKey(this.check(key))))
    const [valueType, values] = this.#unified(
      expr.entries.map(({ value, optional }) => (optional ? this.#missingOf(this.check(value)) : this.check(value))),
    )
    const entries = expr.entries.map(({ optional }, k) => ({ key: keys[k]!, value: values[k]!, optional }))
    return { kind: 'map', entries, type: { kind: 'map', key: keyType, value: valueType }, missing: false, range: expr.range }
  }

  #mapKey(key: Typed): Typed {
    return ['string', 'int', 'uint', 'bool', 'dyn'].includes(key.type.kind) ? key : this.#fail('unsupported key type', key.range)
  }

  #missingOf(optional: Typed): Typed {
    const value = this.apply('missingOf', [this.box(optional)], dyn, optional.range)
    return this.#typed({ ...value, missing: true }, valueTypeOf(optional.type))
  }

  /** One type for all, dyn where they differ. */
  #unified(values: readonly Typed[]): readonly [Type, readonly Typed[]] {
    const type = values.reduce((all, value) => joined(all, value.type), open)
    return [type, values.map(value => this.#converted(value, type))]
  }

  #genericBinary(expr: Expr & { kind: 'binary' }): Typed {
    const left = this.box(this.check(expr.left))
    const right = this.box(this.check(expr.right))
    switch (expr.operator) {
      case '==':
        return this.apply('equals', [left, right], types.bool, expr.range)
      case '!=':
        return this.apply('differs', [left, right], types.bool, expr.range)
      case '<':
      case '<=':
      case '>':
      case '>=':
        return this.apply(`dyn ${expr.operator}`, [left, right], types.bool, expr.range)
      case 'in':
        return this.apply('isIn', [left, right], types.bool, expr.range)
      default: {
        const result = this.apply(arithmetic[expr.operator]!, [left, right], dyn, expr.range)
        return this.#typed(result, arithmeticType(expr.operator, this.check(expr.left).type, this.check(expr.right).type))
      }
    }
  }

  // Calls --------------------------------------------------------------------------------------------------------------------------------------

  #call(expr: Expr & { kind: 'call' }): Typed | undefined {
    const { target, args, name, range } = expr
    const path = target === undefined ? undefined : dottedName(target)
    const isNamespace = path !== undefined && ['math', 'optional', 'strings', 'cel'].includes(path) && !this.isName(path)
    const boxed = (index: number): Typed => this.box(this.check(args[index]!))
    // The checker of scenarios knows the math functions of what is no dyn and no unsigned int.
    const isStatic = path === 'math' && args.every(arg => isStaticNumber(this.check(arg).type))
    if (isNamespace) return isStatic ? undefined : this.#namespaceCall(expr, `${path}.${name}`)
    if (target === undefined) {
      switch (`${name}/${args.length}`) {
        case 'has/1':
          return this.#has(expr)
        case 'dyn/1':
          return boxed(0)
        case 'type/1':
          return this.apply('typeOf', [boxed(0)], { kind: 'type', of: this.check(args[0]!).type }, range)
        case 'uint/1':
          return this.apply('toUint', [boxed(0)], uint, range)
        case 'bytes/1':
          return this.apply('toBytes', [boxed(0)], types.bytes, range)
        case 'matches/2':
          return this.apply(
            'matches',
            [this.valueOf(args[0]!, types.string), this.valueOf(args[1]!, types.string)],
            types.bool,
            range,
          )
        default:
          return undefined
      }
    }
    switch (`${name}/${args.length}`) {
      case 'orValue/1':
        return this.#orElse(expr, target, this.check(args[0]!), true)
      case 'or/1':
        return this.#orElse(expr, target, this.check(args[0]!), false)
      case 'hasValue/0':
        return this.apply('hasValue', [this.#optional(target)], types.bool, range)
      case 'value/0': {
        const optional = this.#optional(target)
        return this.#typed(this.apply('valueOfOptional', [this.box(optional)], dyn, range), valueTypeOf(optional.type))
      }
      case 'optMap/2':
      case 'optFlatMap/2':
        return this.#optMap(expr, target, name === 'optFlatMap')
      case 'format/1':
        if (this.check(target).type.kind !== 'string') return undefined
        return this.apply('formatText', [this.check(target), this.apply('rangeOf', [boxed(0)], dyn, range)], types.string, range)
      case 'matches/1':
        return this.apply(
          'matches',
          [this.valueOf(target, types.string), this.valueOf(args[0]!, types.string)],
          types.bool,
          range,
        )
      case 'getMilliseconds/0':
        return this.apply('timePart', [this.box(this.check(target)), text(name, range)], types.int, range)
      default:
        return undefined
    }
  }

  #namespaceCall(expr: Expr & { kind: 'call' }, name: string): Typed | undefined {
    const { args, range } = expr
    const boxed = (index: number): Typed => this.box(this.check(args[index]!))
    const one = args.length === 1
    switch (name) {
      case 'optional.none':
        return this.apply('optionalNone', [], { kind: 'optional', value: open }, range)
      case 'optional.of':
        return one
          ? this.apply('optionalOf', [this.check(args[0]!)], { kind: 'optional', value: this.check(args[0]!).type }, range)
          : undefined
      case 'optional.ofNonZeroValue':
        return one
          ? this.#typed(this.apply('ofNonZero', [boxed(0)], { kind: 'optional', value: dyn }, range), {
              kind: 'optional',
              value: this.check(args[0]!).type,
            })
          : undefined
      case 'strings.quote':
        return one ? this.apply('quote', [this.valueOf(args[0]!, types.string)], types.string, range) : undefined
      case 'math.sqrt':
        return one ? this.apply('sqrt', [boxed(0)], types.double, range) : undefined
      case 'math.abs':
      case 'math.sign':
        return one ? this.#typed(this.apply(name.slice(5), [boxed(0)], dyn, range), this.check(args[0]!).type) : undefined
      case 'math.ceil':
      case 'math.floor':
      case 'math.trunc':
      case 'math.round':
        return one
          ? this.#typed(this.apply('roundDyn', [boxed(0), text(name.slice(5), range)], dyn, range), types.double)
          : undefined
      case 'math.isNaN':
      case 'math.isInf':
      case 'math.isFinite':
        return one ? this.apply('roundDyn', [boxed(0), text(name.slice(5), range)], types.bool, range) : undefined
      case 'math.least':
      case 'math.greatest':
        return this.#extreme(expr, name.slice(5))
      case 'math.bitAnd':
      case 'math.bitOr':
      case 'math.bitXor':
      case 'math.bitNot':
      case 'math.bitShiftLeft':
      case 'math.bitShiftRight': {
        if (args.length !== (name === 'math.bitNot' ? 1 : 2)) return undefined
        const bits = name.startsWith('math.bitShift') ? args.slice(0, 1) : args
        const type = bits.map(arg => this.check(arg).type).find(({ kind }) => kind === 'int' || kind === 'uint') ?? dyn
        return this.#typed(
          this.apply(
            name.slice(5),
            args.map((_, index) => boxed(index)),
            dyn,
            range,
          ),
          type,
        )
      }
      default:
        return undefined
    }
  }

  #extreme(expr: Expr & { kind: 'call' }, operation: string): Typed {
    const { args, range } = expr
    const values = args.map(arg => this.check(arg))
    const [single] = values
    if (values.length === 1 && single!.type.kind === 'list') {
      const list = this.apply('rangeOf', [this.box(single!)], dyn, range)
      return this.#typed(this.apply(operation, [list], dyn, range), single!.type.element)
    }
    const elements = values.map(value => ({ value: this.box(value), optional: false }))
    const list: Typed = { kind: 'list', elements, type: { kind: 'list', element: dyn }, missing: false, range }
    const type = values.reduce<Type>((all, value) => joined(all, value.type), open)
    return this.#typed(this.apply(operation, [list], dyn, range), type)
  }

  #genericCall(expr: Expr & { kind: 'call' }): Typed {
    const { target, args, name, range } = expr
    if (target?.kind === 'name' && target.name === 'math' && !this.isName('math'))
      return this.#namespaceCall(expr, `math.${name}`) ?? this.#fail(`unbound function "math.${name}"`, range)
    if (target === undefined) {
      const conversions: Readonly<Record<string, readonly [string, Type]>> = {
        string: ['toStringOf', types.string],
        int: ['toInt', types.int],
        double: ['toDouble', types.double],
        bool: ['toBool', types.bool],
        timestamp: ['toTimestamp', types.timestamp],
        duration: ['toDuration', types.duration],
        size: ['size', types.int],
      }
      const found = Object.hasOwn(conversions, name) ? conversions[name] : undefined
      if (found !== undefined && args.length === 1) return this.apply(found[0], [this.box(this.check(args[0]!))], found[1], range)
      return this.#fail(`unbound function "${name}"`, range)
    }
    const value = this.check(target)
    const isMacro = ['all', 'exists', 'exists_one', 'existsOne', 'filter', 'map'].includes(name)
    if (isMacro && value.type.kind === 'dyn') {
      // The same macro over what is a list, or the keys of a map, when it runs.
      const list: Typed = this.apply('rangeOf', [value], { kind: 'list', element: dyn }, value.range)
      const stand: Expr = { kind: 'error', range: target.range }
      this.#known.set(stand, list)
      return this.check({ ...expr, target: stand })
    }
    if (/^get[A-Z]/.test(name) && args.length <= 1) {
      const zone = args.map(arg => this.valueOf(arg, types.string))
      return this.apply('timePart', [this.box(value), text(name, range), ...zone], types.int, range)
    }
    if (name === 'size' && args.length === 0) return this.apply('size', [this.box(value)], types.int, range)
    if (name === 'join' && value.type.kind === 'list') {
      return this.apply('join', [value, ...args.map(arg => this.valueOf(arg, types.string))], types.string, range)
    }
    if (value.type.kind !== 'dyn') return this.#fail(`unbound function "${name}"`, range)
    const asList = name === 'join'
    const stand: Expr = { kind: 'error', range: target.range }
    this.#known.set(stand, this.expect(value, asList ? { kind: 'list', element: types.string } : types.string))
    return this.check({ ...expr, target: stand })
  }

  #has(expr: Expr & { kind: 'call' }): Typed {
    const [arg] = expr.args
    if (arg?.kind !== 'select') return this.report('expression-syntax', '"has" asks for a field', expr.range)
    const target = this.check(arg.target)
    return this.apply('hasPart', [this.box(target), text(arg.field, arg.fieldRange)], types.bool, expr.range)
  }

  #optional(target: Expr): Typed {
    const value = this.check(target)
    if (value.type.kind === 'optional') return value
    const asOptional: Type = { kind: 'optional', value: dyn }
    return value.type.kind === 'dyn'
      ? this.apply('asKind', [value, text('optional', value.range)], asOptional, value.range)
      : this.#fail('no such overload', value.range, asOptional)
  }

  #orElse({ range }: Expr, target: Expr, other: Typed, unwrap: boolean): Typed {
    const optional = this.#optional(target)
    const condition = this.apply('hasValue', [optional], types.bool, range)
    const value = this.#typed(this.apply('valueOfOptional', [this.box(optional)], dyn, range), valueTypeOf(optional.type))
    const [yes, no, type] = this.#sameType(unwrap ? value : optional, other)
    return { kind: 'conditional', condition, yes, no, type, missing: false, range }
  }

  #optMap(expr: Expr & { kind: 'call' }, target: Expr, flat: boolean): Typed {
    const [variable, body] = expr.args
    const optional = this.#optional(target)
    if (variable?.kind !== 'name' || body === undefined)
      return this.report('expression-syntax', '"optMap" needs a name for the value', expr.range)
    const operand = this.#missingOf(optional)
    return this.withElement(variable.name, operand.type, unique => {
      const checked = this.within(presentIfTrue(optional), () => this.check(body))
      const boxed = this.box(checked)
      const mapped: Typed = {
        kind: 'optMap',
        operand,
        name: unique,
        body: flat ? { ...this.apply('missingOf', [boxed], dyn, body.range), missing: true } : boxed,
        type: dyn,
        missing: true,
        range: expr.range,
      }
      const type: Type = flat ? checked.type : { kind: 'optional', value: checked.type }
      const result = this.apply('optionalOfMissing', [mapped], { kind: 'optional', value: dyn }, expr.range)
      return type.kind === 'optional' ? this.#typed(result, type) : result
    })
  }
}

/** The type of a generic operation: of the overloads that these operands leave. */
function arithmeticType(operator: string, left: Type, right: Type): Type {
  const [a, b] = [left.kind, right.kind]
  const one = a === 'dyn' ? right : left
  if (a !== b && a !== 'dyn' && b !== 'dyn') return dyn
  switch (one.kind) {
    case 'int':
    case 'uint':
      return one
    case 'double':
      return operator === '%' ? dyn : one
    case 'string':
    case 'bytes':
    case 'list':
      return operator === '+' ? one : dyn
    case 'timestamp':
      // Only a duration can be added; both can be subtracted.
      return operator === '+' ? one : operator === '-' && a === 'dyn' ? types.duration : dyn
    default:
      return dyn
  }
}

/** What an element of it has; dyn where nobody knows. */
function partOf(type: Type): Type {
  return type.kind === 'list' ? type.element : type.kind === 'map' ? type.value : type.kind === 'dyn' ? type : dyn
}

function valueTypeOf(type: Type): Type {
  return type.kind === 'optional' ? type.value : dyn
}

/** The type that values of both have: the one that leaves more open, dyn where they have nothing in common. */
function joined(a: Type, b: Type): Type {
  const type = common(a, b)
  if (type === undefined) return dyn
  // Boxing wraps all doubles of a value, so none may stay unwrapped beside them.
  return holdsDouble(type) && !(sameForm(a, type) && sameForm(b, type)) ? dyn : type
}

function common(a: Type, b: Type): Type | undefined {
  if (a.kind === 'dyn' && a.open) return b
  if (b.kind === 'dyn' && b.open) return a
  if (a.kind === 'dyn' || b.kind === 'dyn') return dyn
  if (a.kind === 'list' && b.kind === 'list') {
    const element = common(a.element, b.element)
    return element && { kind: 'list', element }
  }
  if (a.kind === 'map' && b.kind === 'map') {
    const key = common(a.key, b.key)
    const value = common(a.value, b.value)
    return key && value && { kind: 'map', key, value }
  }
  if (a.kind === 'optional' && b.kind === 'optional') {
    const value = common(a.value, b.value)
    return value && { kind: 'optional', value }
  }
  if (a.kind === 'type' && b.kind === 'type') {
    const of = a.of && b.of && common(a.of, b.of)
    return of && { kind: 'type', of }
  }
  return a.kind === b.kind ? a : undefined
}

/** Whether values have one form at run time; what never exists has every form. */
function sameForm(a: Type, b: Type): boolean {
  if ((a.kind === 'dyn' && a.open) || (b.kind === 'dyn' && b.open)) return true
  if (a.kind === 'list' && b.kind === 'list') return sameForm(a.element, b.element)
  if (a.kind === 'map' && b.kind === 'map') return sameForm(a.key, b.key) && sameForm(a.value, b.value)
  if (a.kind === 'optional' && b.kind === 'optional') return sameForm(a.value, b.value)
  return a.kind === b.kind
}

function holdsDouble(type: Type): boolean {
  return holds(type, ({ kind }) => kind === 'double')
}

function holdsDyn(type: Type): boolean {
  return holds(type, ({ kind }) => kind === 'dyn')
}

function holds(type: Type, isFound: (type: Type) => boolean): boolean {
  if (isFound(type)) return true
  switch (type.kind) {
    case 'list':
      return holds(type.element, isFound)
    case 'map':
      return holds(type.key, isFound) || holds(type.value, isFound)
    case 'optional':
      return holds(type.value, isFound)
    default:
      return false
  }
}

function isStaticNumber(type: Type): boolean {
  return type.kind === 'list' ? isStaticNumber(type.element) : type.kind === 'int' || type.kind === 'double'
}

/** What a name of a type stands for: `list` for a list of anything. */
function typeOfName(name: string): Type {
  switch (protobufTypes[name] ?? name) {
    case 'list':
      return { kind: 'list', element: dyn }
    case 'map':
      return { kind: 'map', key: dyn, value: dyn }
    case 'optional_type':
      return { kind: 'optional', value: dyn }
    case 'null_type':
      return types.null
    case 'timestamp':
      return types.timestamp
    default:
      return { kind: (protobufTypes[name] ?? name) as 'int' }
  }
}

const protobufTypes: Readonly<Record<string, string>> = {
  'google.protobuf.Timestamp': 'timestamp',
  'google.protobuf.Duration': 'duration',
}

function dottedName(expr: Expr): string | undefined {
  if (expr.kind === 'name') return expr.name
  if (expr.kind !== 'select' || expr.optional) return undefined
  const target = dottedName(expr.target)
  return target === undefined ? undefined : `${target}.${expr.field}`
}

function text(value: string, range: Range): Typed {
  return { kind: 'constant', value, type: types.string, missing: false, range }
}
