// Run-time values of expressions. This folder is the only part of lib/language that reaches the Lambda: compiled expressions and
// the reference interpreter share it, so both have one meaning.
//
// | type        | JavaScript                                                                                            |
// |-------------|-------------------------------------------------------------------------------------------------------|
// | null        | null; *missing* is undefined                                                                          |
// | bool        | boolean                                                                                               |
// | string      | string; enums and time zones, too                                                                     |
// | int         | number while it is a safe integer, else bigint (one canonical form per value)                         |
// | uint        | Uint (only the conformance suite has them)                                                            |
// | double      | number; where the static type is dyn: Double, so that 1.0 and 1 stay apart                            |
// | decimal(n)  | the scaled integer, as int; where the static type is dyn: Decimal                                     |
// | bytes       | Uint8Array                                                                                            |
// | timestamp   | Timestamp, duration: Duration                                                                         |
// | list        | array                                                                                                 |
// | map         | Map; keys: string, boolean, int (number | bigint), Uint                                               |
// | object      | plain object that has every declared field as own property, undefined where missing                  |
// | optional    | Optional; declared fields that may be missing are plain undefined, not Optional                       |
//
// An expression that fails throws ExpressionFailure; nothing else is thrown on purpose.

export type Int = number | bigint

export class Uint {
  readonly value: bigint
  constructor(value: bigint) {
    this.value = value
  }
}

export class Double {
  readonly value: number
  constructor(value: number) {
    this.value = value
  }
}

export class Decimal {
  readonly scaled: Int
  readonly digits: number
  constructor(scaled: Int, digits: number) {
    this.scaled = scaled
    this.digits = digits
  }
}

/** An instant: seconds since 1970 (whole, may be negative) plus 0 … 999,999,999 nanoseconds. */
export class Timestamp {
  readonly seconds: number
  readonly nanos: number
  constructor(seconds: number, nanos: number) {
    this.seconds = seconds
    this.nanos = nanos
  }
}

/** A span: whole seconds and nanoseconds of the same sign. */
export class Duration {
  readonly seconds: number
  readonly nanos: number
  constructor(seconds: number, nanos: number) {
    this.seconds = seconds
    this.nanos = nanos
  }
}

export class Optional {
  static readonly none = new Optional(undefined)
  readonly value: unknown
  constructor(value: unknown) {
    this.value = value
  }
}

/** Why an expression has no value for this record, in words: "division by zero". Becomes the dead letter's message. */
export class ExpressionFailure extends Error {
  override readonly name = 'ExpressionFailure'
}

/** A number of a JSON text whose value JSON.parse would round, as it is written. Ints that fit 64 bits are bigint instead. */
export class JsonNumber {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

/** JSON.parse has rounded the number that this field needs exactly: parse the text again with parseJsonExact. */
export const inexact: unique symbol = Symbol('inexact')

/** What `type(x)` gives; only the conformance suite has them. */
export class TypeName {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}
