// JavaScript that checks values from outside against declared types: events and JSON look-ups, texts of hashes, keys and headers.
// Unused fields are checked, undeclared ones ignored (cases: Records). The usual case is a typeof and a comparison per field.
import { describeType, type Field, type Type } from '../language/types.ts'
import { literalCode, type ModuleText, objectLiteral } from './module-text.ts'
import { typeKey } from './writer.ts'

type ObjectType = Type & { kind: 'object' }

/** Name of a function `(json, path) => object | Failure | needsExact`. The path stands before field names: '' or `items[2]`. */
export function jsonDecoder(module: ModuleText, type: ObjectType): string {
  return module.shared(`decode ${JSON.stringify(typeKey(type))}`, 'decode', name => {
    const fields = [...type.fields].map(([field, declared], index) => fieldCode(module, field, declared, index))
    const object = objectLiteral([...type.fields.keys()].map((field, index) => [field, `f${index}`]))
    return `function ${name}(json, path) {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return wrongType(path, 'object', json)
  let exact = true
${fields.join('\n')}
  return exact ? ${object} : needsExact
}`
  })
}

// Where several fields are wrong the first in file order is named; a field that must be read again exactly waits for the others' verdict
// on their types, so that a broken record is never parsed twice.
function fieldCode(module: ModuleText, field: string, { type, optional, default: fallback }: Field, index: number): string {
  const f = `f${index}`
  const path = `join(path, ${JSON.stringify(field)})`
  const missing =
    fallback !== undefined
      ? `${f} = ${literalCode(fallback)}`
      : optional
        ? `${f} = undefined`
        : `return missingField(${path}, ${JSON.stringify(describeType(type))}, ${f})`
  return `  let ${f} = ${ownRead('json', field)}
  if (${f} === undefined || ${f} === null) ${missing}
  else {
${valueCode(module, type, f, path)}
  }`
}

/** Statements that turn the JSON value in variable `v` into a run-time value, or return a Failure. */
function valueCode(module: ModuleText, type: Type, v: string, path: string): string {
  const wrong = `return wrongType(${path}, ${JSON.stringify(describeType(type))}, ${v})`
  switch (type.kind) {
    case 'string':
      return `    if (typeof ${v} !== 'string') ${wrong}`
    case 'bool':
      return `    if (typeof ${v} !== 'boolean') ${wrong}`
    case 'double':
      return `    if (typeof ${v} !== 'number' || !Number.isFinite(${v})) {
      const d = std.doubleFromJson(${v})
      if (d === undefined) ${wrong}
      ${v} = d
    }`
    case 'int':
      return `    if (!Number.isSafeInteger(${v})) {
      const n = std.intFromJson(${v})
      if (n === undefined) ${wrong}
      if (n === std.inexact) exact = false
      else ${v} = n
    }`
    case 'decimal':
      return converted(`std.decimalFromJson(${v}, ${type.digits})`, true)
    case 'enum': {
      const values = module.constant('values', `new Set(${JSON.stringify(type.values)})`)
      return `    if (typeof ${v} !== 'string') ${wrong}
    if (!${values}.has(${v})) return notInEnum(${path}, ${JSON.stringify(describeType(type))})`
    }
    case 'timestamp':
      return converted(
        `std.${{ rfc3339: 'timestampFromJson', millis: 'timestampFromJsonMillis', micros: 'timestampFromJsonMicros' }[type.unit]}(${v})`,
        type.unit !== 'rfc3339',
      )
    case 'timezone':
      return converted(`std.timezoneFromJson(${v})`, false)
    case 'object': {
      const decode = jsonDecoder(module, type)
      return nested(`${decode}(${v}, ${path})`)
    }
    case 'list':
      return `    if (!Array.isArray(${v})) ${wrong}
    ${nested(`${listDecoder(module, type.element)}(${v}, ${path})`).trimStart()}`
    case 'map':
      return `    if (typeof ${v} !== 'object' || Array.isArray(${v})) ${wrong}
    ${nested(`${mapDecoder(module, type.value)}(${v}, ${path})`).trimStart()}`
    default:
      throw new Error(`a field cannot be declared ${type.kind}`)
  }

  function converted(call: string, mayBeInexact: boolean): string {
    return `    const x = ${call}
    if (x === undefined) ${wrong}
    ${mayBeInexact ? 'if (x === std.inexact) exact = false\n    else ' : ''}${v} = x`
  }

  function nested(call: string): string {
    return `    const x = ${call}
    if (x instanceof Failure) return x
    if (x === needsExact) exact = false
    else ${v} = x`
  }
}

function listDecoder(module: ModuleText, element: Type): string {
  return module.shared(`decode list ${JSON.stringify(typeKey(element))}`, 'decodeList', name => {
    return `function ${name}(json, path) {
  let exact = true
  const list = new Array(json.length)
  for (let k = 0; k < json.length; k++) {
    let v = json[k]
    if (v === undefined || v === null) return missingField(path + '[' + k + ']', ${JSON.stringify(describeType(element))}, v)
${valueCode(module, element, 'v', `path + '[' + k + ']'`)}
    list[k] = v
  }
  return exact ? list : needsExact
}`
  })
}

function mapDecoder(module: ModuleText, value: Type): string {
  return module.shared(`decode map ${JSON.stringify(typeKey(value))}`, 'decodeMap', name => {
    return `function ${name}(json, path) {
  let exact = true
  const map = new Map()
  for (const key of Object.keys(json)) {
    let v = json[key]
    if (v === null) continue
${valueCode(module, value, 'v', `join(path, key)`)}
    map.set(key, v)
  }
  return exact ? map : needsExact
}`
  })
}

/** A JavaScript expression: the run-time value of a text (`string | null`) by declared type; undefined where it is not as declared. */
export function textDecode(module: ModuleText, type: Type, text: string): string {
  switch (type.kind) {
    case 'string':
      return text
    case 'bool':
      return `std.boolFromText(${text})`
    case 'int':
      return `std.intFromText(${text})`
    case 'double':
      return `std.doubleFromText(${text})`
    case 'decimal':
      return `std.decimalFromText(${text}, ${type.digits})`
    case 'timestamp':
      return `std.${{ rfc3339: 'timestampFromText', millis: 'timestampFromTextMillis', micros: 'timestampFromTextMicros' }[type.unit]}(${text})`
    case 'timezone':
      return `std.timezoneFromText(${text})`
    case 'enum':
      return `std.enumFromText(${text}, ${module.constant('values', JSON.stringify(type.values))})`
    default:
      throw new Error(`a text cannot be declared ${type.kind}`)
  }
}

/** JSON.parse makes own properties of all names, but an absent name of Object.prototype would be found there. */
function ownRead(object: string, field: string): string {
  const read = `${object}[${JSON.stringify(field)}]`
  return field in Object.prototype ? `(Object.hasOwn(${object}, ${JSON.stringify(field)}) ? ${read} : undefined)` : read
}
