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
        return expr.operator === '&&' || expr.operator === '||' ? this.#logical(expr) : undefined
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
        return this.apply('index', [this.box(this.check(expr.target)), this.box(this.check(expr.index))], dyn, expr.range)
      case 'unary': {
        const operand = this.check(expr.operand)
        if (expr.operator === '!')
          return { kind: 'not', operand: this.#bool(operand), type: types.bool, missing: false, range: expr.range }
        return this.apply('neg', [this.box(operand)], dyn, expr.range)
      }
      case 'binary':
        return this.#genericBinary(expr)
      case 'call':
        return this.#genericCall(expr)
      case 'literal':
        return this.#fail('int literal out of range', expr.range)
      default:
        return this.#fail('no such overload', expr.range)
    }
  }

  /** As a value of type dyn. */
  box(typed: Typed): Typed {
    if (typed.type.kind === 'dyn') return typed
    return { kind: 'box', operand: typed, type: dyn, missing: false, range: typed.range }
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
    return name === undefined
      ? undefined
      : { kind: 'constant', value: new TypeName(name), type: { kind: 'type' }, missing: false, range }
  }

  #select(expr: Expr & { kind: 'select' }): Typed {
    const target = this.check(expr.target)
    const name = text(expr.field, expr.fieldRange)
    if (expr.optional || target.type.kind === 'optional') {
      return this.apply('indexOrNone', [this.box(target), name], { kind: 'optional', value: dyn }, expr.range)
    }
    if (target.type.kind === 'map') return this.apply('valueAt', [target, name], target.type.value, expr.range)
    return this.apply('field', [this.box(target), name], dyn, expr.range)
  }

  // A list takes 0.0 and 0u for 0 where the type is dyn; what is asked of an optional gives one.
  #index(expr: Expr & { kind: 'index' }): Typed | undefined {
    const target = this.check(expr.target)
    const index = this.check(expr.index)
    const args = [this.box(target), this.box(index)]
    if (!expr.optional && target.type.kind !== 'optional') {
      return target.type.kind === 'list' && index.type.kind === 'dyn' ? this.apply('index', args, dyn, expr.range) : undefined
    }
    return this.apply('indexOrNone', args, { kind: 'optional', value: dyn }, expr.range)
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
    const same = JSON.stringify(typeKey(a.type)) === JSON.stringify(typeKey(b.type))
    return same ? [a, b, a.type] : [this.box(a), this.box(b), dyn]
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
    return { ...value, missing: true }
  }

  /** One type for all, dyn where they differ. */
  #unified(values: readonly Typed[]): readonly [Type, readonly Typed[]] {
    const [first] = values
    if (first === undefined) return [dyn, values]
    const key = JSON.stringify(typeKey(first.type))
    if (values.every(value => JSON.stringify(typeKey(value.type)) === key)) return [first.type, values]
    return [dyn, values.map(value => this.box(value))]
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
        const kinds = [this.check(expr.left).type, this.check(expr.right).type].map(({ kind }) => kind)
        const type = kinds[0] === kinds[1] && (kinds[0] === 'uint' || kinds[0] === 'bytes') ? this.check(expr.left).type : dyn
        return this.apply(arithmetic[expr.operator]!, [left, right], type, expr.range)
      }
    }
  }

  // Calls --------------------------------------------------------------------------------------------------------------------------------------

  #call(expr: Expr & { kind: 'call' }): Typed | undefined {
    const { target, args, name, range } = expr
    const path = target === undefined ? undefined : dottedName(target)
    const isNamespace = path !== undefined && ['math', 'optional', 'strings', 'cel'].includes(path) && !this.isName(path)
    const boxed = (index: number): Typed => this.box(this.check(args[index]!))
    if (isNamespace) return this.#namespaceCall(expr, `${path}.${name}`)
    if (target === undefined) {
      switch (`${name}/${args.length}`) {
        case 'has/1':
          return this.#has(expr)
        case 'dyn/1':
          return boxed(0)
        case 'type/1':
          return this.apply('typeOf', [boxed(0)], { kind: 'type' }, range)
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
        return this.apply('valueOfOptional', [this.box(optional)], dyn, range)
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
    const optionalDyn: Type = { kind: 'optional', value: dyn }
    const one = args.length === 1
    switch (name) {
      case 'optional.none':
        return this.apply('optionalNone', [], optionalDyn, range)
      case 'optional.of':
        return one
          ? this.apply('optionalOf', [this.check(args[0]!)], { kind: 'optional', value: this.check(args[0]!).type }, range)
          : undefined
      case 'optional.ofNonZeroValue':
        return one ? this.apply('ofNonZero', [boxed(0)], optionalDyn, range) : undefined
      case 'strings.quote':
        return one ? this.apply('quote', [this.valueOf(args[0]!, types.string)], types.string, range) : undefined
      case 'math.abs':
      case 'math.sign':
      case 'math.sqrt':
        if (!one) return undefined
        if (name === 'math.sqrt') return this.apply('sqrt', [boxed(0)], types.double, range)
        return this.apply(name.slice(5), [boxed(0)], dyn, range)
      case 'math.ceil':
      case 'math.floor':
      case 'math.trunc':
      case 'math.round':
      case 'math.isNaN':
      case 'math.isInf':
      case 'math.isFinite':
        return one
          ? this.apply('roundDyn', [boxed(0), text(name.slice(5), range)], name.startsWith('math.is') ? types.bool : dyn, range)
          : undefined
      case 'math.least':
      case 'math.greatest': {
        const single = one ? this.check(args[0]!) : undefined
        const isList = single !== undefined && (single.type.kind === 'list' || single.type.kind === 'dyn')
        const values = args.map(arg => this.box(this.check(arg)))
        const list: Typed =
          isList && single!.type.kind === 'list'
            ? this.apply('rangeOf', [this.box(single!)], dyn, range)
            : {
                kind: 'list',
                elements: values.map(value => ({ value, optional: false })),
                type: { kind: 'list', element: dyn },
                missing: false,
                range,
              }
        return this.apply(name.slice(5), [list], dyn, range)
      }
      case 'math.bitAnd':
      case 'math.bitOr':
      case 'math.bitXor':
      case 'math.bitShiftLeft':
      case 'math.bitShiftRight':
        return args.length === 2 ? this.apply(name.slice(5), [boxed(0), boxed(1)], dyn, range) : undefined
      case 'math.bitNot':
        return one ? this.apply('bitNot', [boxed(0)], dyn, range) : undefined
      default:
        return undefined
    }
  }

  #genericCall(expr: Expr & { kind: 'call' }): Typed {
    const { target, args, name, range } = expr
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
    const yes = unwrap ? this.apply('valueOfOptional', [this.box(optional)], dyn, range) : this.box(optional)
    const no = this.box(other)
    const type: Type = unwrap ? dyn : { kind: 'optional', value: dyn }
    return { kind: 'conditional', condition, yes, no, type, missing: false, range }
  }

  #optMap(expr: Expr & { kind: 'call' }, target: Expr, flat: boolean): Typed {
    const [variable, body] = expr.args
    const optional = this.#optional(target)
    if (variable?.kind !== 'name' || body === undefined)
      return this.report('expression-syntax', '"optMap" needs a name for the value', expr.range)
    return this.withElement(variable.name, dyn, unique => {
      const checked = this.within(presentIfTrue(optional), () => this.box(this.check(body)))
      const mapped: Typed = {
        kind: 'optMap',
        operand: { ...this.apply('missingOf', [this.box(optional)], dyn, target.range), missing: true },
        name: unique,
        body: flat ? { ...this.apply('missingOf', [checked], dyn, body.range), missing: true } : checked,
        type: dyn,
        missing: true,
        range: expr.range,
      }
      return this.apply('optionalOfMissing', [mapped], { kind: 'optional', value: dyn }, expr.range)
    })
  }
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

function typeKey(type: Type): unknown {
  switch (type.kind) {
    case 'list':
      return [type.kind, typeKey(type.element)]
    case 'map':
      return [type.kind, typeKey(type.key), typeKey(type.value)]
    case 'optional':
      return [type.kind, typeKey(type.value)]
    default:
      return type.kind
  }
}
