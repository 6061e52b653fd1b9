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
  /** The type of a type (`type(x)`); only the conformance suite needs it. */
  | { readonly kind: 'type' }
  /** Known at run time only; scenarios never declare it. */
  | { readonly kind: 'dyn' }
  /** What an expression with an error has: it agrees with everything, so that one cause gives one message. */
  | { readonly kind: 'error' }

export interface Field {
  readonly type: Type
  /** `name?: string`: may be missing (absent or null). */
  readonly optional: boolean
  /** `name: int = 0`: the run-time value (see standard/values.ts) used where it is missing. */
  readonly default?: unknown
}
