// The JSON Schema of scenario files and of shared ones, for editors: `# yaml-language-server: $schema=scenario.schema.json` as a file's
// first line (`../part.schema.json` in functions/shared/) gives completion, descriptions and the shape of settings while typing. It
// comes from the description that `check` uses. What a text must be (types, expressions, look-ups) only `check` knows.
import { type Key, type Section, type Shape, scenarioFile, sharedFile } from './sections.ts'

export type JsonSchema = { readonly [keyword: string]: unknown }

export function scenarioSchema(): JsonSchema {
  return fileSchema('A sluice scenario', scenarioFile)
}

/** Of a file that scenarios name under `use`. */
export function sharedSchema(): JsonSchema {
  return fileSchema('Shared parts of sluice scenarios', sharedFile)
}

function fileSchema(title: string, section: Section): JsonSchema {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title,
    ...schemaOf(section),
    definitions: {
      // A plain scalar of any form: `1.0`, `true` and `a > 1` are expressions alike.
      scalar: { type: ['string', 'number', 'boolean'] },
      value: {
        anyOf: [
          { $ref: '#/definitions/scalar' },
          { type: 'null' },
          { type: 'array', items: { $ref: '#/definitions/value' } },
          { type: 'object', additionalProperties: { $ref: '#/definitions/value' } },
        ],
      },
      fields: { type: 'object', additionalProperties: { $ref: '#/definitions/type' } },
      type: {
        anyOf: [
          { type: 'string' },
          { $ref: '#/definitions/fields' },
          { type: 'array', items: { $ref: '#/definitions/type' }, minItems: 1, maxItems: 1 },
        ],
      },
    },
  }
}

function schemaOf(shape: Shape): JsonSchema {
  switch (shape.kind) {
    case 'text':
      return shape.pattern ? { type: 'string', pattern: shape.pattern.source } : { $ref: '#/definitions/scalar' }
    case 'expression':
      return { $ref: '#/definitions/scalar' }
    case 'value':
    case 'literal':
      return { $ref: '#/definitions/value' }
    case 'fields':
      return { $ref: '#/definitions/fields' }
    case 'type':
      return { $ref: '#/definitions/type' }
    case 'choice':
      return { enum: shape.values }
    case 'number':
      return { type: shape.integer ? 'integer' : 'number', minimum: shape.minimum, maximum: shape.maximum }
    case 'bool':
      return { type: 'boolean' }
    case 'duration':
      return { type: 'string', pattern: '^\\d+(ms|s|m|h|d)$' }
    case 'list':
      return {
        type: 'array',
        items: schemaOf(shape.element),
        ...(shape.maximum === undefined ? {} : { maxItems: shape.maximum }),
      }
    case 'names':
      return { type: 'object', additionalProperties: schemaOf(shape.element) }
    case 'section':
      return schemaOfSection(shape)
    default:
      return shape satisfies never
  }
}

function schemaOfSection(section: Section): JsonSchema {
  const available = Object.entries(section.keys).filter(([, { refused, notBuilt }]) => !refused && !notBuilt)
  const required = available.filter(([, key]) => key.required).map(([name]) => name)
  const names = new Set(available.map(([name]) => name))
  const choices = (section.oneOf ?? []).map(group => ({
    oneOf: group.filter(name => names.has(name)).map(name => ({ required: [name] })),
  }))
  return {
    type: 'object',
    properties: Object.fromEntries(available.map(([name, key]) => [name, schemaOfKey(key)])),
    additionalProperties: section.open === true,
    ...(required.length > 0 ? { required } : {}),
    ...(choices.length > 0 ? { allOf: choices } : {}),
  }
}

function schemaOfKey({ shape, about }: Key): JsonSchema {
  const schema = schemaOf(shape)
  // In draft 7 what stands beside a $ref is ignored.
  return '$ref' in schema ? { description: about, allOf: [schema] } : { description: about, ...schema }
}
