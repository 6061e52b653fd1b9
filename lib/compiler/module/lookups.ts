// Look-ups as the enrich stage asks them, and tables that are compiled in.
import type { Field } from '../../language/types.ts'
import type { Enricher, KeyAttribute } from '../../scenario/scenario.ts'
import { jsonDecoder, textDecode } from '../decoder.ts'
import {
  elementLocal,
  expressionFunction,
  type GeneratedFunction,
  jsonFunction,
  type NameTable,
  templateFunction,
  textsFunction,
} from '../expressions.ts'
import { literalCode, objectLiteral } from '../module-text.ts'
import { commandOf, type Demand, storeOf } from '../planning.ts'
import type { Scope } from './scope.ts'
import { whenFunction } from './sinks.ts'
import { objectCode } from './values.ts'

// A parameter of key functions; no name of a scenario holds a blank.
const sentBody = 'sent body'

export function lookupPlan(scope: Scope, enricher: Enricher): string {
  const { name, lookup, onError, timeoutMs, cacheMs } = enricher
  const at = `look-up ${name}`
  const names = elementNames(scope, enricher)
  const missing = missingFunction(scope, enricher)
  const properties = [
    `name: ${JSON.stringify(name)}`,
    `store: '${storeOf(enricher)}'`,
    `command: ${JSON.stringify(commandOf(enricher))}`,
    `key: ${keyFunction(scope, enricher, names)}`,
    ...(enricher.forEach === undefined ? [] : [`each: ${eachCode(scope, enricher)}`]),
    ...(lookup.kind === 'member'
      ? [`member: ${templateFunction(scope.module, lookup.member, names, `${name}_member`, at).name}`]
      : []),
    `needed: ${neededFunction(scope, demandOf(scope, name))}`,
    `decode: ${answerDecoder(scope, enricher, missing)}`,
    `missing: ${missing}`,
    `onError: ${JSON.stringify(onError)}`,
    `timeoutMs: ${timeoutMs}`,
    `cacheMs: ${cacheMs}`,
  ]
  return `{ ${properties.join(', ')} }`
}

/** A compiled table is a name like a variable: nothing waits for it. */
export function tableFunction(scope: Scope, enricher: Enricher): GeneratedFunction {
  const { name, lookup, forEach } = enricher
  if (lookup.kind !== 'table') throw new Error(`"${name}" is no table`)
  const rows = [...lookup.rows].map(([key, row]) => `[${JSON.stringify(key)}, ${literalCode(row)}]`)
  const table = scope.module.constant('table', `new Map([\n  ${rows.join(',\n  ')},\n])`)
  const names = elementNames(scope, enricher)
  const parameters = ['c', 'i', ...names.elements.map(elementLocal)].join(', ')
  const key = keyFunction(scope, enricher, names)
  const missing = missingFunction(scope, enricher)
  const find = scope.module.freeName('find', name)
  scope.module.add(`function ${find}(${parameters}) {
  const key = ${key}(${parameters})
  if (key instanceof Failure) return key
  const row = key === undefined ? undefined : ${table}.get(key)
  return row === undefined ? ${missing}(key) : row
}`)
  if (forEach === undefined) return { name: find, call: `${find}(c, i)`, mayFail: true }
  const all = scope.module.freeName('findEach', name)
  scope.module.add(`const ${all}_each = ${eachCode(scope, enricher)}
function ${all}(c, i) {
  return findEach(${JSON.stringify(name)}, ${all}_each.list(c, i), ${all}_each, element => ${find}(c, i, element))
}`)
  return { name: all, call: `${all}(c, i)`, mayFail: true }
}

export function neededFunction(scope: Scope, { byFilters, gates, onDroppedSinks, keptAlive }: Demand): string {
  if (onDroppedSinks.length > 0 || keptAlive?.length === 0) return `(c, i) => c.status[i] !== 3`
  if (keptAlive !== undefined) {
    const final = scope.module.constant('final', `new Set(${JSON.stringify(keptAlive)})`)
    return `(c, i) => (c.status[i] & 1) === 0 || (c.status[i] === 1 && !${final}.has(c.droppedBy[i]))`
  }
  if (byFilters) return `(c, i) => (c.status[i] & 1) === 0`
  const whens = gates?.map(sink => `${whenFunction(scope, sink).call} === true`)
  return `(c, i) => c.status[i] === 0${whens === undefined || whens.length === 0 ? '' : ` && (${whens.join(' || ')})`}`
}

export function demandOf(scope: Scope, name: string): Demand {
  for (const stage of scope.planning.stages) {
    if (stage.kind !== 'fetch') continue
    const planned =
      stage.lookups.find(({ enricher }) => enricher.name === name) ?? stage.entries.find(({ entry }) => entry.name === name)
    if (planned !== undefined) return planned
  }
  return { byFilters: false, sinks: [], onDroppedSinks: [], gates: undefined, keptAlive: undefined }
}

function elementNames(scope: Scope, { forEach }: Enricher): NameTable {
  return forEach === undefined ? scope.names : { ...scope.names, elements: [forEach.element] }
}

/** Name of the function that builds the key. */
function keyFunction(scope: Scope, { name, lookup }: Enricher, names: NameTable): string {
  const place = { word: `${name}_key`, at: `look-up ${name}` }
  const label = JSON.stringify(name)
  switch (lookup.kind) {
    case 'item': {
      const type = ({ type }: KeyAttribute) => (type === 'number' ? 'N' : 'S')
      const members = (texts: readonly string[]) =>
        lookup.attributes.map((one, a) => `[${JSON.stringify(one.name)}, '${type(one)}', ${texts[a]}]`).join(', ')
      const templates = lookup.attributes.map(({ value }) => value)
      return textsFunction(scope.module, templates, names, place, texts => `itemKey(${label}, [${members(texts)}])`).name
    }
    case 'table': {
      const templates = lookup.attributes.map(({ value }) => value)
      return textsFunction(scope.module, templates, names, place, texts => `tableKey([${texts.join(', ')}])`).name
    }
    case 'request': {
      const { key, body } = lookup
      const holes = key.parts.flatMap(part => (typeof part === 'string' ? [] : [{ ...key, parts: [part] }]))
      const parameters = ['c', 'i', ...names.elements.map(elementLocal)].join(', ')
      const url = (bodyCode: string) =>
        textsFunction(
          scope.module,
          holes,
          bodyCode === '' ? names : { ...names, elements: [...names.elements, sentBody] },
          place,
          texts => {
            const left = [...texts]
            const parts = key.parts.map(part => (typeof part === 'string' ? `[${JSON.stringify(part)}]` : left.shift()!))
            return `requestKey(${label}, [${parts.join(', ')}]${bodyCode})`
          },
        )
      if (body === undefined) return url('').name
      const json = jsonFunction(scope.module, body, names, `${name}_body`, `body of look-up ${name}`)
      const whole = scope.module.freeName('key', name)
      const made = url(`, ${elementLocal(sentBody)}`)
      scope.module.add(`function ${whole}(${parameters}) {
  const body = ${json.call}
  if (body instanceof Failure) return body
  return ${made.name}(${parameters}, body)
}`)
      return whole
    }
    default:
      return templateFunction(scope.module, lookup.key, names, place.word, place.at).name
  }
}

function eachCode(scope: Scope, { name, forEach, fields, lookup, leavesOut }: Enricher): string {
  const { element, list } = forEach!
  const elements = expressionFunction(scope.module, list, scope.names, `${name}_list`, `forEach of look-up ${name}`)
  const found: readonly (readonly [string, string])[] =
    lookup.kind === 'member'
      ? [['value', 'found']]
      : [...fields.keys()].map(field => [field, `found[${JSON.stringify(field)}]`] as const)
  const joined = objectLiteral([...found, [element, 'element']])
  return `{ list: ${elements.name}, join: (found, element) => (${joined}), leavesOut: ${leavesOut === true} }`
}

function missingFunction(scope: Scope, { name, lookup, fields, onMissing, leavesOut }: Enricher): string {
  const missing = scope.module.freeName('missing', name)
  const empty = lookup.kind === 'member' ? 'false' : objectCode(fields, (_, field) => literalCode(field.default))
  const result =
    (onMissing === 'empty' && !leavesOut) || lookup.kind === 'member' ? empty : `lookupMissing(${JSON.stringify(name)}, key)`
  scope.module.add(`function ${missing}(key) {\n  return ${result}\n}`)
  return missing
}

function answerDecoder(scope: Scope, enricher: Enricher, missing: string): string {
  const { name, lookup, fields } = enricher
  const decode = scope.module.freeName('answer', name)
  const label = JSON.stringify(name)
  const broken = (detail: string) => `return invalidLookup(${label}, key, ${detail})`
  switch (lookup.kind) {
    case 'table':
      throw new Error(`the table "${name}" is asked nowhere`)
    case 'item':
    case 'request':
    case 'json':
      scope.module.add(`function ${decode}(answer, key) {
  return decodeJsonLookup(${label}, answer, key, ${jsonDecoder(scope.module, { kind: 'object', fields })}, ${missing})
}`)
      return decode
    case 'member':
      scope.module.add(
        `function ${decode}(answer, key) {\n  if (typeof answer !== 'boolean') ${broken('kindFound(answer)')}\n  return answer\n}`,
      )
      return decode
    case 'string':
      scope.module.add(`function ${decode}(answer, key) {
  if (answer === null) return ${missing}(key)
  if (typeof answer !== 'string') ${broken('kindFound(answer)')}
${[...fields].map(([field, declared]) => textFieldCode(scope, field, declared, 'answer', 0, broken)).join('\n')}
  return ${objectCode(fields, index => `f${index}`)}
}`)
      return decode
    case 'hash':
      scope.module.add(`function ${decode}(answer, key) {
  if (!Array.isArray(answer)) ${broken('kindFound(answer)')}
  if (${[...fields.keys()].map((_, index) => `answer[${index}] === null`).join(' && ')}) return ${missing}(key)
${[...fields].map(([field, declared], index) => textFieldCode(scope, field, declared, `answer[${index}]`, index, broken)).join('\n')}
  return ${objectCode(fields, index => `f${index}`)}
}`)
      return decode
  }
}

function textFieldCode(
  scope: Scope,
  field: string,
  { type, optional, default: fallback }: Field,
  text: string,
  index: number,
  broken: (detail: string) => string,
): string {
  const f = `f${index}`
  const absent =
    fallback !== undefined ? `${f} = ${literalCode(fallback)}` : optional ? '' : broken(JSON.stringify(`it has no "${field}"`))
  return `  let ${f}
  if (${text} === null) { ${absent} }
  else {
    ${f} = ${textDecode(scope.module, type, text)}
    if (${f} === undefined) ${broken(JSON.stringify(`"${field}" has another type`))}
  }`
}
