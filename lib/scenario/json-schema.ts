// A source's JSON Schema in place of `event`: what it says of types becomes declared fields, so that rules see no difference. Only what
// a declared type can say is taken over; a field of any other shape is left out, since a rule could not tell what it holds.
import type { Field, Type } from '../language/types.ts'

export type SchemaReading =
  | { readonly kind: 'fields'; readonly fields: ReadonlyMap<string, Field> }
  /** `reason` completes: The schema …. */
  | { readonly kind: 'unusable'; readonly reason: string }

export function readJsonSchema(text: string): SchemaReading {
  let root: unknown
  try {
    root = JSON.parse(text)
  } catch {
    return { kind: 'unusable', reason: 'is no JSON' }
  }
  if (!isSchema(root)) return { kind: 'unusable', reason: 'is no JSON object' }
  const read = typeOf(root, { root, open: new Set() })
  if (read?.type.kind !== 'object') return { kind: 'unusable', reason: 'describes no object with "properties"' }
  return { kind: 'fields', fields: read.type.fields }
}

interface Schema {
  readonly [keyword: string]: unknown
}

interface Reading {
  readonly root: Schema
  /** References that are being followed: a type that contains itself has no end. */
  readonly open: ReadonlySet<string>
}

function typeOf(schema: Schema, reading: Reading): { readonly type: Type; readonly nullable: boolean } | undefined {
  if (typeof schema['$ref'] === 'string') return typeOfReference(schema['$ref'], reading)
  const names = (Array.isArray(schema['type']) ? schema['type'] : [schema['type']]).filter(name => name !== undefined)
  const nullable = names.includes('null') || schema['nullable'] === true
  const [name, ...others] = names.filter(each => each !== 'null')
  if (others.length > 0) return undefined
  const type = named(name, schema, reading)
  return type === undefined ? undefined : { type, nullable }
}

function typeOfReference(
  reference: string,
  { root, open }: Reading,
): { readonly type: Type; readonly nullable: boolean } | undefined {
  if (!reference.startsWith('#/') || open.has(reference)) return undefined
  const steps = reference.slice(2).split('/')
  const target = steps.reduce<unknown>((at, step) => {
    const key = decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~')
    return isSchema(at) && Object.hasOwn(at, key) ? at[key] : undefined
  }, root)
  return isSchema(target) ? typeOf(target, { root, open: new Set([...open, reference]) }) : undefined
}

function named(name: unknown, schema: Schema, reading: Reading): Type | undefined {
  switch (name ?? (isSchema(schema['properties']) ? 'object' : isTextList(schema['enum']) ? 'string' : undefined)) {
    case 'string': {
      const { enum: values, const: constant, format } = schema
      if (typeof constant === 'string') return { kind: 'enum', values: [constant] }
      if (isTextList(values)) return { kind: 'enum', values }
      return format === 'date-time' ? { kind: 'timestamp', unit: 'rfc3339' } : { kind: 'string' }
    }
    case 'integer':
      return { kind: 'int' }
    case 'number':
      return { kind: 'double' }
    case 'boolean':
      return { kind: 'bool' }
    case 'array': {
      const element = isSchema(schema['items']) ? typeOf(schema['items'], reading) : undefined
      // A list's elements cannot be missing.
      return element === undefined || element.nullable ? undefined : { kind: 'list', element: element.type }
    }
    case 'object':
      return objectType(schema, reading)
    default:
      return undefined
  }
}

function objectType(schema: Schema, reading: Reading): Type | undefined {
  const { properties, required, additionalProperties } = schema
  if (!isSchema(properties)) {
    const value = isSchema(additionalProperties) ? typeOf(additionalProperties, reading) : undefined
    return value === undefined || value.nullable ? undefined : { kind: 'map', key: { kind: 'string' }, value: value.type }
  }
  const needed = new Set(Array.isArray(required) ? required : [])
  const fields = new Map<string, Field>()
  for (const [name, property] of Object.entries(properties)) {
    const read = isSchema(property) ? typeOf(property, reading) : undefined
    if (read !== undefined) fields.set(name, { type: read.type, optional: read.nullable || !needed.has(name) })
  }
  return { kind: 'object', fields }
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length > 0 && value.every(each => typeof each === 'string')
}
