// Literals: defaults, cells of tables, values of examples. They are read as the type of their place, by the same functions that read a
// store's texts at run time ("text in" of the format's table of types).
import {
  boolFromText,
  decimalFromText,
  doubleFromText,
  enumFromText,
  intFromText,
  timestampFromText,
  timestampFromTextMicros,
  timestampFromTextMillis,
  timezoneFromText,
} from '../language/standard/conversion.ts'
import { textOfBool, textOfDecimal, textOfDouble, textOfInt, textOfTimestamp } from '../language/standard/output.ts'
import type { Int, Timestamp } from '../language/standard/values.ts'
import type { Type } from '../language/types.ts'

/** The run-time value (language/standard/values.ts) of a literal, or undefined if the text is none of that type. */
export function parseLiteral(text: string, type: Type): { readonly value: unknown } | undefined {
  const value = valueOfText(text, type)
  return value === undefined ? undefined : { value }
}

function valueOfText(text: string, type: Type): unknown {
  switch (type.kind) {
    case 'string':
      return text
    case 'int':
      return intFromText(text)
    case 'double':
      return doubleFromText(text)
    case 'decimal':
      return decimalFromText(text, type.digits)
    case 'bool':
      return boolFromText(text)
    case 'enum':
      return enumFromText(text, type.values)
    case 'timezone':
      return timezoneFromText(text)
    case 'timestamp':
      if (type.unit === 'millis') return timestampFromTextMillis(text)
      return type.unit === 'micros' ? timestampFromTextMicros(text) : timestampFromText(text)
    default:
      return undefined
  }
}

/** How the literal prints in keys, headers and holes ("text out"): `007` of an int is `7`. Undefined if it is none of that type. */
export function textOfLiteral(text: string, type: Type): string | undefined {
  const value = type.kind === 'timestamp' ? valueOfEitherForm(text, type) : valueOfText(text, type)
  if (value === undefined) return undefined
  switch (type.kind) {
    case 'int':
      return textOfInt(value as Int)
    case 'double':
      return textOfDouble(value as number)
    case 'decimal':
      return textOfDecimal(value as Int, type.digits)
    case 'bool':
      return textOfBool(value as boolean)
    case 'timestamp':
      return textOfTimestamp(value as Timestamp)
    default:
      return value as string
  }
}

// Outputs show every timestamp in RFC 3339, whatever unit it came in.
function valueOfEitherForm(text: string, type: Type & { kind: 'timestamp' }): unknown {
  return timestampFromText(text) ?? valueOfText(text, type)
}

/**
 * The JSON value of a literal; ints beyond 2^53 are bigints. `declared`: as a source of that type writes it, `output`: as sinks write it.
 * Undefined if the text is none of that type.
 */
export function jsonOfLiteral(text: string, type: Type, form: 'declared' | 'output'): unknown {
  if (type.kind === 'timestamp') {
    if (form === 'output') return textOfLiteral(text, type)
    if (type.unit === 'rfc3339') return timestampFromText(text) === undefined ? undefined : text
    return valueOfText(text, type) === undefined ? undefined : intFromText(text)
  }
  const value = valueOfText(text, type)
  return type.kind === 'decimal' && value !== undefined ? Number(text) : value
}

/** Where no type is declared, a literal is what JSON or YAML would make of it. */
export function untypedJson(text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true'
  if (text === 'null') return null
  if (!/^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text)) return text
  return intFromText(text) ?? Number(text)
}
