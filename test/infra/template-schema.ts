// A template against AWS' own resource schemas, offline: unknown types and properties, wrong JSON types, what is required, references to
// nothing. CloudFormation tells the same only minutes into a deploy.
import { loadAwsServiceSpecSync } from '@aws-cdk/aws-service-spec'
import type { Property, PropertyType, Resource, SpecDatabase } from '@aws-cdk/service-spec-types'

type Json = Readonly<Record<string, unknown>>

let loaded: SpecDatabase | undefined

/** One sentence per problem, with its path. */
export function templateProblems(template: {
  readonly Resources: Json
  readonly Parameters?: Json
  readonly Outputs?: Json
}): readonly string[] {
  loaded ??= loadAwsServiceSpecSync()
  const db = loaded
  const problems: string[] = []
  for (const [id, resource] of Object.entries(template.Resources) as [
    string,
    { Type: string; Properties?: Json; DependsOn?: string | string[] },
  ][]) {
    if (!/^[A-Za-z0-9]{1,255}$/.test(id)) problems.push(`${id}: a logical id has letters and digits alone`)
    // Custom resources have the properties that their function reads.
    if (resource.Type.startsWith('Custom::')) continue
    const [schema] = db.lookup('resource', 'cloudFormationType', 'equals', resource.Type)
    if (schema === undefined) {
      problems.push(`${id}: there is no type ${resource.Type}`)
      continue
    }
    problems.push(...objectProblems(db, id, resource.Properties ?? {}, schema.properties))
    for (const needed of [resource.DependsOn ?? []].flat()) {
      if (!(needed in template.Resources)) problems.push(`${id}.DependsOn: there is no ${needed}`)
    }
  }
  const known = new Set([...Object.keys(template.Resources), ...Object.keys(template.Parameters ?? {})])
  for (const { path, name } of referencesIn(template.Resources, '').concat(referencesIn(template.Outputs ?? {}, 'Outputs'))) {
    if (!known.has(name) && !name.startsWith('AWS::')) problems.push(`${path}: refers to ${name}, which is not there`)
  }
  return problems
}

function objectProblems(db: SpecDatabase, path: string, value: Json, properties: Resource['properties']): readonly string[] {
  const unknown = Object.keys(value).filter(name => !(name in properties))
  const missing = Object.keys(properties).filter(name => properties[name]!.required === true && value[name] === undefined)
  return [
    ...unknown.map(name => `${path}: has no property ${name}`),
    ...missing.map(name => `${path}: needs ${name}`),
    ...Object.entries(value).flatMap(([name, member]) => {
      const property: Property | undefined = properties[name]
      return property === undefined ? [] : valueProblems(db, `${path}.${name}`, member, property.type)
    }),
  ]
}

function valueProblems(db: SpecDatabase, path: string, value: unknown, type: PropertyType): readonly string[] {
  if (isIntrinsic(value)) return []
  const wrong = [`${path}: needs ${type.type}, found ${JSON.stringify(value)}`]
  switch (type.type) {
    case 'string':
    case 'date-time':
      return typeof value === 'string' ? [] : wrong
    case 'integer':
      return Number.isInteger(value) ? [] : wrong
    case 'number':
      return typeof value === 'number' ? [] : wrong
    case 'boolean':
      return typeof value === 'boolean' ? [] : wrong
    case 'json':
      return typeof value === 'object' || typeof value === 'string' ? [] : wrong
    case 'tag':
      return isObject(value) && typeof value['Key'] === 'string' ? [] : wrong
    case 'array':
      return Array.isArray(value) ? value.flatMap((item, i) => valueProblems(db, `${path}[${i}]`, item, type.element)) : wrong
    case 'map':
      return isObject(value)
        ? Object.entries(value).flatMap(([key, item]) => valueProblems(db, `${path}.${key}`, item, type.element))
        : wrong
    case 'ref':
      return isObject(value) ? objectProblems(db, path, value, db.get('typeDefinition', type.reference.$ref).properties) : wrong
    case 'union': {
      const each = type.types.map(one => valueProblems(db, path, value, one))
      return each.some(problems => problems.length === 0) ? [] : each.sort((a, b) => a.length - b.length)[0]!
    }
    case 'null':
      return value === null ? [] : wrong
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isIntrinsic(value: unknown): boolean {
  if (!isObject(value)) return false
  const [name, ...others] = Object.keys(value)
  return others.length === 0 && name !== undefined && (name === 'Ref' || name.startsWith('Fn::'))
}

function referencesIn(value: unknown, path: string): { readonly path: string; readonly name: string }[] {
  if (Array.isArray(value)) return value.flatMap((item, i) => referencesIn(item, `${path}[${i}]`))
  if (!isObject(value)) return []
  if (typeof value['Ref'] === 'string') return [{ path, name: value['Ref'] }]
  const target = value['Fn::GetAtt']
  if (target !== undefined) return [{ path, name: Array.isArray(target) ? String(target[0]) : String(target).split('.')[0]! }]
  const text = value['Fn::Sub']
  if (typeof text === 'string') return [...text.matchAll(/\$\{([^!}.]+)[^}]*\}/g)].map(([, name]) => ({ path, name: name! }))
  return Object.entries(value).flatMap(([key, member]) => referencesIn(member, path === '' ? key : `${path}.${key}`))
}
