import { describe, expect, test } from 'vitest'
import type { Field, Type } from '../../../lib/language/types.ts'
import { readJsonSchema } from '../../../lib/scenario/json-schema.ts'

/** As a scenario would declare it. */
function declared(type: Type): unknown {
  switch (type.kind) {
    case 'object':
      return fieldsOf(type.fields)
    case 'list':
      return [declared(type.element)]
    case 'map':
      return `map<${declared(type.value)}>`
    case 'enum':
      return type.values.join(' | ')
    default:
      return type.kind
  }
}

const fieldsOf = (fields: ReadonlyMap<string, Field>): unknown =>
  Object.fromEntries([...fields].map(([name, field]) => [field.optional ? `${name}?` : name, declared(field.type)]))

const read = (schema: unknown): unknown => {
  const reading = readJsonSchema(JSON.stringify(schema))
  return reading.kind === 'fields' ? fieldsOf(reading.fields) : reading.reason
}

describe('a JSON Schema', () => {
  test.each([
    [{ type: 'string' }, 'string'],
    [{ type: 'string', format: 'date-time' }, 'timestamp'],
    [{ type: 'string', enum: ['basic', 'gold'] }, 'basic | gold'],
    [{ enum: ['basic', 'gold'] }, 'basic | gold'],
    [{ type: 'integer' }, 'int'],
    [{ type: 'number' }, 'double'],
    [{ type: 'boolean' }, 'bool'],
    [{ type: 'array', items: { type: 'integer' } }, ['int']],
    [{ type: 'object', additionalProperties: { type: 'number' } }, 'map<double>'],
    [{ type: 'object', properties: { lat: { type: 'number' } }, required: ['lat'] }, { lat: 'double' }],
    [{ $ref: '#/$defs/point' }, { 'lat?': 'double' }],
  ])('%j', (property, type) => {
    const $defs = { point: { type: 'object', properties: { lat: { type: 'number' } } } }
    expect(read({ type: 'object', properties: { x: property }, required: ['x'], $defs })).toEqual({ x: type })
  })

  test('what is not required, or may be null, may be missing', () => {
    const properties = { a: { type: 'string' }, b: { type: ['string', 'null'] }, c: { type: 'string' } }
    expect(read({ type: 'object', properties, required: ['b', 'c'] })).toEqual({ 'a?': 'string', 'b?': 'string', c: 'string' })
  })

  test('fields that no declared type describes are left out', () => {
    const properties = {
      either: { type: ['string', 'integer'] },
      some: { oneOf: [{ type: 'string' }] },
      tree: { $ref: '#/$defs/tree' },
      sound: { type: 'integer' },
    }
    const $defs = { tree: { type: 'object', properties: { child: { $ref: '#/$defs/tree' }, n: { type: 'integer' } } } }
    expect(read({ type: 'object', properties, $defs })).toEqual({ 'tree?': { 'n?': 'int' }, 'sound?': 'int' })
  })

  test.each([
    ['{', 'is no JSON'],
    ['[]', 'is no JSON object'],
    ['{"type":"string"}', 'describes no object with "properties"'],
  ])('%s is told', (text, reason) => {
    expect(readJsonSchema(text)).toEqual({ kind: 'unusable', reason })
  })
})
