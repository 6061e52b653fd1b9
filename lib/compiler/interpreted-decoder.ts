// Declared types read a second way: by walking the type, not by generated code. Only `sluice test` and differential tests use it, beside
// the compiled form; where both disagree one of them is wrong.
import * as std from '../language/standard/conversion.ts'
import { inexact } from '../language/standard/values.ts'
import { describeType, type Field, type Type } from '../language/types.ts'
import { join, missingField, notInEnum, wrongType } from '../plan/columns.ts'
import { Failure } from '../plan/failure.ts'
import { needsExact } from '../plan/plan.ts'

export type Decoded = unknown | Failure | typeof needsExact

/** A parsed JSON value by declared type: a run-time value, a Failure, or `needsExact`. */
export function decodeJson(type: Type, json: unknown, path: string): Decoded {
  switch (type.kind) {
    case 'object':
      return decodeObject(type.fields, json, path)
    case 'list':
      if (!Array.isArray(json)) return wrongType(path, describeType(type), json)
      return collect(json.map((element, k) => decodeField({ type: type.element, optional: false }, element, `${path}[${k}]`)))
    case 'map': {
      if (typeof json !== 'object' || json === null || Array.isArray(json)) return wrongType(path, describeType(type), json)
      const entries = Object.entries(json).filter(([, value]) => value !== null)
      const values = collect(entries.map(([key, value]) => decodeJson(type.value, value, join(path, key))))
      return Array.isArray(values) ? new Map(entries.map(([key], k) => [key, values[k]])) : values
    }
    case 'enum': {
      if (typeof json !== 'string') return wrongType(path, describeType(type), json)
      return std.enumFromJson(json, type.values) ?? notInEnum(path, describeType(type))
    }
    default: {
      const value = decodeScalar(type, json)
      if (value === inexact) return needsExact
      return value === undefined ? wrongType(path, describeType(type), json) : value
    }
  }
}

/** A text by declared type; undefined where it is not as declared. */
export function decodeText(type: Type, text: string): unknown {
  switch (type.kind) {
    case 'string':
      return text
    case 'bool':
      return std.boolFromText(text)
    case 'int':
      return std.intFromText(text)
    case 'double':
      return std.doubleFromText(text)
    case 'decimal':
      return std.decimalFromText(text, type.digits)
    case 'timestamp':
      if (type.unit === 'rfc3339') return std.timestampFromText(text)
      return type.unit === 'millis' ? std.timestampFromTextMillis(text) : std.timestampFromTextMicros(text)
    case 'timezone':
      return std.timezoneFromText(text)
    case 'enum':
      return std.enumFromText(text, type.values)
    default:
      throw new Error(`a text cannot be declared ${type.kind}`)
  }
}

function decodeObject(fields: ReadonlyMap<string, Field>, json: unknown, path: string): Decoded {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return wrongType(path, 'object', json)
  const names = [...fields.keys()]
  const values = collect(
    names.map(name =>
      decodeField(
        fields.get(name)!,
        Object.hasOwn(json, name) ? (json as Record<string, unknown>)[name] : undefined,
        join(path, name),
      ),
    ),
  )
  if (!Array.isArray(values)) return values
  const object = {}
  names.forEach((name, k) => {
    Object.defineProperty(object, name, { value: values[k], enumerable: true, configurable: true, writable: true })
  })
  return object
}

function decodeField({ type, optional, default: fallback }: Field, json: unknown, path: string): Decoded {
  if (json !== undefined && json !== null) return decodeJson(type, json, path)
  if (fallback !== undefined) return fallback
  return optional ? undefined : missingField(path, describeType(type), json)
}

function decodeScalar(type: Type, json: unknown): unknown {
  switch (type.kind) {
    case 'string':
      return std.stringFromJson(json)
    case 'bool':
      return std.boolFromJson(json)
    case 'int':
      return std.intFromJson(json)
    case 'double':
      return std.doubleFromJson(json)
    case 'decimal':
      return std.decimalFromJson(json, type.digits)
    case 'timestamp':
      if (type.unit === 'rfc3339') return std.timestampFromJson(json)
      return type.unit === 'millis' ? std.timestampFromJsonMillis(json) : std.timestampFromJsonMicros(json)
    case 'timezone':
      return std.timezoneFromJson(json)
    default:
      throw new Error(`a field cannot be declared ${type.kind}`)
  }
}

/** The first Failure of several, else `needsExact` if one needs it, else all. */
function collect(values: readonly Decoded[]): readonly unknown[] | Failure | typeof needsExact {
  const failure = values.find(value => value instanceof Failure)
  if (failure !== undefined) return failure as Failure
  return values.includes(needsExact) ? needsExact : values
}
