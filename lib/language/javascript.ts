// The checked tree as one JavaScript expression. Static types have chosen every operation; what is left to decide here is only how CEL's
// errors pass through `&&` and `||`: plain JavaScript if the left side cannot fail, swapped if only the left can, guarded if both can.
import type { Checked, JavaScript, JavaScriptTarget } from './checked.ts'
import { canFail } from './failing.ts'
import { operationOf } from './operations.ts'
import { presentIfFalse, presentIfTrue } from './presence.ts'
import { linearSource } from './standard/regexp.ts'
import { Duration, Timestamp, TypeName, Uint } from './standard/values.ts'
import type { Typed } from './typed.ts'
import type { Type } from './types.ts'

export function toJavaScript(checked: Checked, target: JavaScriptTarget): JavaScript {
  const translator = new Translator(target)
  const code = translator.code(checked.typed)
  return { code, canFail: canFail(checked.typed, target.mayFail), constants: translator.constants }
}

class Translator {
  readonly constants = new Map<string, string>()
  readonly #target: JavaScriptTarget

  constructor(target: JavaScriptTarget) {
    this.#target = target
  }

  code(node: Typed): string {
    switch (node.kind) {
      case 'constant':
        return this.#constant(node.value)
      case 'name':
        return this.#target.reference(node.name)
      case 'element':
        return `e_${node.name}`
      case 'field': {
        const target = this.code(node.target)
        return `${target}${node.target.missing ? '?.' : ''}${member(node.field, node.target.missing)}`
      }
      case 'has':
        return `(${this.code(node.operand)} !== undefined)`
      case 'orValue':
        return `(${this.code(node.operand)} ?? ${this.code(node.fallback)})`
      case 'optMap':
        return `std.mapPresent(${this.code(node.operand)}, e_${node.name} => ${this.code(node.body)})`
      case 'not':
        return `!${this.code(node.operand)}`
      case 'and':
      case 'or':
        return this.#logical(node)
      case 'conditional':
        return `(${this.code(node.condition)} ? ${this.code(node.yes)} : ${this.code(node.no)})`
      case 'list':
        return this.#list(node)
      case 'map': {
        const entries = node.entries.map(({ key, value, optional }) => {
          const entry = `[${this.code(key)}, ${this.code(value)}]`
          return optional ? `...std.present(${entry})` : entry
        })
        return `std.mapOf([${entries.join(', ')}])`
      }
      case 'apply':
        return this.#apply(node)
      case 'matches':
        return `${this.#pattern(node.pattern)}.test(${this.code(node.text)})`
      case 'loop':
        return this.#loop(node)
      case 'box':
        return boxCode(this.code(node.operand), node.operand.type)
      case 'error':
        throw new Error('an expression with errors was translated')
    }
  }

  #fails(node: Typed): boolean {
    return canFail(node, this.#target.mayFail)
  }

  #logical(node: Typed & { kind: 'and' | 'or' }): string {
    const operator = node.kind === 'and' ? '&&' : '||'
    const left = this.code(node.left)
    const right = this.code(node.right)
    if (!this.#fails(node.left)) return `(${left} ${operator} ${right})`
    // What the right side knows from the left (`has(a.b) && …`) must have been asked first.
    const known = node.kind === 'and' ? presentIfTrue(node.left) : presentIfFalse(node.left)
    if (known.size === 0 && !this.#fails(node.right)) return `(${right} ${operator} ${left})`
    return `std.${node.kind}(() => ${left}, () => ${right})`
  }

  #list(node: Typed & { kind: 'list' }): string {
    // A list of constants is made once.
    if (node.elements.length > 0 && node.elements.every(({ value, optional }) => value.kind === 'constant' && !optional)) {
      return this.#shared('list', `[${node.elements.map(({ value }) => this.code(value)).join(', ')}]`)
    }
    const elements = node.elements.map(({ value, optional }) =>
      optional ? `...std.present([${this.code(value)}])` : this.code(value),
    )
    return `[${elements.join(', ')}]`
  }

  #apply(node: Typed & { kind: 'apply' }): string {
    const [container, value] = node.args
    // `x in ["a", "b"]`: a set, made once.
    if (node.operation === 'listHas' && container!.kind === 'list' && hasOneFormPerValue(value!)) {
      if (container!.elements.every(element => element.value.kind === 'constant' && !element.optional)) {
        const elements = container!.elements.map(element => this.code(element.value))
        return `${this.#shared('set', `new Set([${elements.join(', ')}])`)}.has(${this.code(value!)})`
      }
    }
    // Times that are written out are made once.
    if (
      node.args.every(arg => arg.kind === 'constant') &&
      (node.operation === 'timestampOfString' || node.operation === 'durationOfString')
    ) {
      const made = (operationOf(node.operation).compute as (text: string) => Timestamp | Duration)(
        (container as Typed & { kind: 'constant' }).value as string,
      )
      return this.#constant(made)
    }
    const args = node.args.map(arg => this.code(arg))
    return operationOf(node.operation).code(args)
  }

  #loop(node: Typed & { kind: 'loop' }): string {
    const list = this.code(node.list)
    const body = `e_${node.element} => ${arrowBody(this.code(node.body))}`
    switch (node.loop) {
      case 'all':
        return this.#fails(node.body) ? `std.all(${list}, ${body})` : `${list}.every(${body})`
      case 'exists':
        return this.#fails(node.body) ? `std.exists(${list}, ${body})` : `${list}.some(${body})`
      case 'exists_one':
        return `(${list}.filter(${body}).length === 1)`
      case 'filter':
        return `${list}.filter(${body})`
      case 'map': {
        const where = node.where === undefined ? '' : `.filter(e_${node.element} => ${arrowBody(this.code(node.where))})`
        return `${list}${where}.map(${body})`
      }
      case 'minBy':
      case 'maxBy':
        return `std.${node.loop}(${list}, ${body})`
    }
  }

  #constant(value: unknown): string {
    if (value === undefined) return 'undefined'
    if (value instanceof Timestamp) return this.#shared('time', `new std.Timestamp(${value.seconds}, ${value.nanos})`)
    if (value instanceof Duration) return this.#shared('span', `new std.Duration(${value.seconds}, ${value.nanos})`)
    if (value instanceof Uint) return `new std.Uint(${value.value}n)`
    if (value instanceof TypeName) return `new std.TypeName(${JSON.stringify(value.name)})`
    if (value instanceof Uint8Array) return this.#shared('bytes', `Uint8Array.of(${value.join(', ')})`)
    if (typeof value === 'bigint') return `${value < 0n ? `(${value}n)` : `${value}n`}`
    if (typeof value === 'number') return Object.is(value, -0) ? '(-0)' : value < 0 ? `(${value})` : String(value)
    return JSON.stringify(value)
  }

  // Native only where that is provably linear; else RE2, which only such bundles carry.
  #pattern(pattern: string): string {
    const native = linearSource(pattern)
    return native === undefined
      ? this.#shared('pattern', `std.re2(${JSON.stringify(pattern)})`)
      : this.#shared('pattern', `new RegExp(${JSON.stringify(native)}, 'u')`)
  }

  /** A module-level constant; equal ones have one name in every module. */
  #shared(prefix: string, code: string): string {
    const name = `${prefix}_${hash(code)}`
    this.constants.set(name, code)
    return name
  }
}

/** Sets and === tell their values apart as CEL does. */
function hasOneFormPerValue({ type }: Typed): boolean {
  return ['string', 'enum', 'timezone', 'int', 'bool', 'decimal'].includes(type.kind)
}

function member(field: string, afterQuestionMark: boolean): string {
  if (/^[A-Za-z_$][\w$]*$/.test(field)) return afterQuestionMark ? field : `.${field}`
  return `[${JSON.stringify(field)}]`
}

function boxCode(code: string, type: Type): string {
  if (!holdsDouble(type)) return code
  switch (type.kind) {
    case 'list':
      return `${code}.map(b => ${boxCode('b', type.element)})`
    case 'map':
      return `new Map([...${code}].map(([k, b]) => [${boxCode('k', type.key)}, ${boxCode('b', type.value)}]))`
    case 'optional':
      return `std.mapOptional(${code}, b => ${boxCode('b', type.value)})`
    default:
      return `new std.Double(${code})`
  }
}

function holdsDouble(type: Type): boolean {
  switch (type.kind) {
    case 'list':
      return holdsDouble(type.element)
    case 'map':
      return holdsDouble(type.key) || holdsDouble(type.value)
    case 'optional':
      return holdsDouble(type.value)
    default:
      return type.kind === 'double'
  }
}

function arrowBody(code: string): string {
  return code.startsWith('{') ? `(${code})` : code
}

/** FNV-1a over 53 bits: a name, not a secret. */
function hash(text: string): string {
  let h = 0xcbf29ce484222325n
  for (const unit of Buffer.from(text)) h = ((h ^ BigInt(unit)) * 0x100000001b3n) & 0xffff_ffff_ffff_ffffn
  return h.toString(36)
}
