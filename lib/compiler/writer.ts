// JavaScript that writes values out: as JSON (sink values) and as text (keys, headers, holes). One function per object or list type, so that
// writing is straight string building (scenario-format.md, Types: JSON out, text out).
import type { Type } from '../language/types.ts'
import type { ModuleText } from './module-text.ts'

/** `declared`: as the field was declared, for `value: event` (timestamps in milliseconds stay numbers); else as scenarios see it. */
export type WriteForm = 'declared' | 'seen'

/** A JavaScript expression that gives the JSON text of `code`, which has a value of `type` (not missing). */
export function jsonCode(module: ModuleText, type: Type, code: string, form: WriteForm = 'seen'): string {
  switch (type.kind) {
    case 'enum':
      // Only names that JSON writes as they are need no look.
      if (type.values.every(value => JSON.stringify(value) === `"${value}"`)) return `'"' + ${code} + '"'`
      return `std.jsonOfString(${code})`
    case 'string':
    case 'timezone':
      return `std.jsonOfString(${code})`
    case 'int':
      return `std.jsonOfInt(${code})`
    case 'double':
      return `std.jsonOfDouble(${code})`
    case 'decimal':
      return `std.jsonOfDecimal(${code}, ${type.digits})`
    case 'bool':
      return `std.jsonOfBool(${code})`
    case 'timestamp':
      if (form === 'seen' || type.unit === 'rfc3339') return `std.jsonOfTimestamp(${code})`
      return type.unit === 'millis' ? `std.jsonOfTimestampMillis(${code})` : `std.jsonOfTimestampMicros(${code})`
    case 'null':
      return `'null'`
    case 'object':
    case 'list':
    case 'map':
      return `${writerFunction(module, type, form)}(${code})`
    default:
      throw new Error(`a value of type ${type.kind} has no JSON form; the analysis must refuse it`)
  }
}

/** A JavaScript expression that gives the text of `code`, which has a value of `type` (not missing). */
export function textCode(type: Type, code: string): string {
  switch (type.kind) {
    case 'string':
    case 'enum':
    case 'timezone':
      return code
    case 'int':
      return `std.textOfInt(${code})`
    case 'double':
      return `std.textOfDouble(${code})`
    case 'decimal':
      return `std.textOfDecimal(${code}, ${type.digits})`
    case 'bool':
      return `std.textOfBool(${code})`
    case 'timestamp':
      return `std.textOfTimestamp(${code})`
    default:
      throw new Error(`a value of type ${type.kind} has no text form; the analysis must refuse it`)
  }
}

function writerFunction(module: ModuleText, type: Type & { kind: 'object' | 'list' | 'map' }, form: WriteForm): string {
  return module.shared(`json ${form} ${JSON.stringify(typeKey(type))}`, 'json', name => {
    switch (type.kind) {
      case 'list':
        return `function ${name}(list) {
  let json = ''
  for (const element of list) json += ',' + ${jsonCode(module, type.element, 'element', form)}
  return '[' + json.slice(1) + ']'
}`
      case 'map':
        return `function ${name}(map) {
  let json = ''
  for (const [key, value] of map) json += ',' + std.jsonOfString(${textCode(type.key, 'key')}) + ':' + ${jsonCode(module, type.value, 'value', form)}
  return '{' + json.slice(1) + '}'
}`
      case 'object': {
        // Behind a first member that is surely there no comma has to be cut off.
        const startsSure = [...type.fields.values()][0]?.optional === false
        const members = [...type.fields].map(([field, { type: fieldType, optional }], index) => {
          const isStart = startsSure && index === 0
          const read = `object[${JSON.stringify(field)}]`
          const label = JSON.stringify(`${isStart ? '{' : ','}${JSON.stringify(field)}:`)
          const write = `${isStart ? 'let json =' : 'json +='} ${label} + ${jsonCode(module, fieldType, read, form)}`
          return optional ? `  if (${read} !== undefined) ${write}` : `  ${write}`
        })
        return `function ${name}(object) {
${startsSure ? '' : "  let json = ''\n"}${members.join('\n')}
  return ${startsSure ? "json + '}'" : "'{' + json.slice(1) + '}'"}
}`
      }
    }
  })
}

/** A type as JSON, so that equal types share one function. */
export function typeKey(type: Type): unknown {
  switch (type.kind) {
    case 'object':
      return [
        type.kind,
        [...type.fields].map(([name, field]) => [name, typeKey(field.type), field.optional, defaultKey(field.default)]),
      ]
    case 'list':
      return [type.kind, typeKey(type.element)]
    case 'map':
      return [type.kind, typeKey(type.key), typeKey(type.value)]
    default:
      return type
  }
}

function defaultKey(value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}n` : value
}
