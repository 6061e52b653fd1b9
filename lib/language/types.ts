// The static types of expressions, and of everything that a scenario declares. A declared type and an expression's type are
// the same thing, so that a field's declaration, a table's column and an expression agree without conversion.

export type Type =
  | { readonly kind: 'bool' | 'int' | 'uint' | 'double' | 'string' | 'bytes' | 'duration' | 'null' | 'timezone' }
  /** How it is written in JSON and text: RFC 3339 by default, else an int since 1970. Expressions see one type. */
  | { readonly kind: 'timestamp'; readonly unit: 'rfc3339' | 'millis' | 'micros' }
  /** A scaled 64-bit integer with `digits` fraction digits; exact. */
  | { readonly kind: 'decimal'; readonly digits: number }
  /** A closed list of texts: `basic | gold`. */
  | { readonly kind: 'enum'; readonly values: readonly string[] }
  | { readonly kind: 'list'; readonly element: Type }
  | { readonly kind: 'map'; readonly key: Type; readonly value: Type }
  | { readonly kind: 'object'; readonly fields: ReadonlyMap<string, Field> }
  | { readonly kind: 'optional'; readonly value: Type }
  /** The type of a type (`type(x)`), of x where known; only the conformance suite needs it. */
  | { readonly kind: 'type'; readonly of?: Type }
  /** Known at run time only; scenarios never declare it. `open`: of what never exists, as the elements of `[]`. */
  | { readonly kind: 'dyn'; readonly open?: true }
  /** What an expression with an error has: it agrees with everything, so that one cause gives one message. */
  | { readonly kind: 'error' }

export interface Field {
  readonly type: Type
  /** `name?: string`: may be missing (absent or null). */
  readonly optional: boolean
  /** `name: int = 0`: the run-time value (see standard/values.ts) used where it is missing. */
  readonly default?: unknown
}

/** As users write it: `decimal(2)`, `basic | gold`, `list<int>`. */
export function describeType(type: Type): string {
  switch (type.kind) {
    case 'timestamp':
      return type.unit === 'rfc3339' ? 'timestamp' : `timestamp-${type.unit}`
    case 'decimal':
      return `decimal(${type.digits})`
    case 'enum':
      return type.values.join(' | ')
    case 'list':
      // Of an empty list nobody knows what it would hold.
      return type.element.kind === 'error' ? 'list' : `list<${describeType(type.element)}>`
    case 'map':
      return type.key.kind === 'string'
        ? `map<${describeType(type.value)}>`
        : `map<${describeType(type.key)}, ${describeType(type.value)}>`
    case 'object': {
      const fields = [...type.fields].map(([name, field]) => `${name}${field.optional ? '?' : ''}: ${describeType(field.type)}`)
      return fields.length > 4 ? `{ ${fields.slice(0, 3).join(', ')}, … }` : `{ ${fields.join(', ')} }`
    }
    case 'optional':
      return `optional<${describeType(type.value)}>`
    default:
      return type.kind
  }
}

/** Whether both are one type; how a timestamp is written does not count, `error` agrees with everything. */
export function sameType(a: Type, b: Type): boolean {
  return isAssignable(a, b) && isAssignable(b, a)
}

/** Whether a value of `from` can stand where `to` is needed, without conversion. Literals are promoted before this is asked. */
export function isAssignable(from: Type, to: Type): boolean {
  if (from.kind === 'error' || to.kind === 'error' || to.kind === 'dyn') return true
  // Enumerations and time zones are strings with a promise.
  if (to.kind === 'string') return isText(from)
  if (from.kind !== to.kind) return false
  switch (to.kind) {
    case 'decimal':
      return (from as Type & { kind: 'decimal' }).digits === to.digits
    case 'enum':
      return (from as Type & { kind: 'enum' }).values.every(value => to.values.includes(value))
    case 'list':
      return isAssignable((from as Type & { kind: 'list' }).element, to.element)
    case 'map': {
      const { key, value } = from as Type & { kind: 'map' }
      return isAssignable(key, to.key) && isAssignable(value, to.value)
    }
    case 'optional':
      return isAssignable((from as Type & { kind: 'optional' }).value, to.value)
    case 'object': {
      const { fields } = from as Type & { kind: 'object' }
      return [...to.fields].every(([name, field]) => {
        const found = fields.get(name)
        return found === undefined ? field.optional : isAssignable(found.type, field.type) && (field.optional || !found.optional)
      })
    }
    default:
      return true
  }
}

/** Strings, and what is a string at run time. */
export function isText(type: Type): boolean {
  return type.kind === 'string' || type.kind === 'enum' || type.kind === 'timezone'
}

/** Types without parameters. */
export const types = {
  bool: { kind: 'bool' },
  int: { kind: 'int' },
  double: { kind: 'double' },
  string: { kind: 'string' },
  bytes: { kind: 'bytes' },
  timestamp: { kind: 'timestamp', unit: 'rfc3339' },
  duration: { kind: 'duration' },
  null: { kind: 'null' },
  timezone: { kind: 'timezone' },
  error: { kind: 'error' },
} as const satisfies Record<string, Type>

/** Whether `==` can hold between them. */
export function comparable(a: Type, b: Type): boolean {
  return (isText(a) && isText(b)) || isAssignable(a, b) || isAssignable(b, a)
}
