// What records leave for later ones: how it is read, decoded and asked for.
import type { Checked } from '../../language/checked.ts'
import type { Field } from '../../language/types.ts'
import type { Cap, Remember } from '../../scenario/scenario.ts'
import { jsonDecoder } from '../decoder.ts'
import { expressionFunction, templateFunction } from '../expressions.ts'
import { literalCode } from '../module-text.ts'
import { capEntries, fetchedEnrichers, rememberEntries, signatureOf } from '../planning.ts'
import { jsonCode } from '../writer.ts'
import { demandOf, neededFunction } from './lookups.ts'
import type { Scope } from './scope.ts'
import { objectCode } from './values.ts'

export function statePlan(scope: Scope): string {
  if (scope.scenario.state.length === 0) return ''
  const firstLookup = fetchedEnrichers(scope.scenario).length
  const remember = rememberEntries(scope.scenario).map(({ name, fields, type }, e) => {
    const decode = scope.module.freeName('remembered', name)
    const nothing = objectCode(fields, (_, field) => literalCode(field.default))
    scope.module.add(`function ${decode}(text, key) {
  if (text === null) return ${nothing}
  return decodeJsonLookup(${JSON.stringify(name)}, text, key, ${jsonDecoder(scope.module, type)}, () => (${nothing}))
}`)
    const encode = `value => ${jsonCode(scope.module, type, 'value', 'declared')}`
    const small = smallCode(fields)
    const isSmall = small === undefined ? '' : `, isSmall: value => ${small}`
    return `{ name: ${JSON.stringify(name)}, lookup: ${firstLookup + e}, encode: ${encode}, decode: ${decode}${isSmall} }`
  })
  const caps = capEntries(scope.scenario).map(cap => capPlan(scope, cap))
  return `
  state: {
    remember: [${remember.join(', ')}],
    caps: [${caps.join(', ')}],
    signature: ${JSON.stringify(signatureOf(scope.scenario))},
  },`
}

export function entryLookup(scope: Scope, { name, key }: Remember): string {
  const keyFunction = templateFunction(scope.module, key, scope.names, `${name}_key`, `key of state ${name}`)
  const properties = [
    `name: ${JSON.stringify(name)}`,
    `store: 'state'`,
    `command: { kind: 'hash', fields: ['base', 'head', 'at', 'tp'] }`,
    `key: ${keyFunction.name}`,
    `needed: ${neededFunction(scope, demandOf(scope, name))}`,
    `decode: (answer, key) => storedItem(${JSON.stringify(name)}, answer, key)`,
    `missing: () => null`,
    `onError: 'retry'`,
    `timeoutMs: undefined`,
    `cacheMs: 0`,
  ]
  return `{ ${properties.join(', ')} }`
}

/**
 * JavaScript that tells whether the JSON of `value` surely fits; undefined where it takes a walk to know. A text takes at most six bytes a
 * character (a control character's escape).
 */
function smallCode(fields: ReadonlyMap<string, Field>): string | undefined {
  let bytes = 2
  const texts: string[] = []
  for (const [name, { type, optional }] of fields) {
    bytes += 6 * name.length + 4 + scalarBytes
    if (type.kind === 'enum') bytes += Math.max(...type.values.map(text => 6 * text.length))
    else if (type.kind === 'string' || type.kind === 'timezone')
      texts.push(`value[${JSON.stringify(name)}]${optional ? '?.' : '.'}length${optional ? ' ?? 0' : ''}`)
    else if (!['int', 'double', 'decimal', 'bool', 'timestamp'].includes(type.kind)) return undefined
  }
  if (bytes > maxValueBytes) return undefined
  const most = Math.floor((maxValueBytes - bytes) / 6)
  return texts.length === 0 ? 'true' : `${texts.map(text => `(${text})`).join(' + ')} <= ${most}`
}

/** More than the longest of them takes: a timestamp with its quotes. */
const scalarBytes = 40
/** As the run time has it (state/attempt.ts). */
const maxValueBytes = 16_384

function capPlan(scope: Scope, { name, key, limit, when, member, take, withinMs, sharedBy }: Cap): string {
  const at = `state ${name}`
  const made = (checked: Checked, part: string) =>
    expressionFunction(scope.module, checked, scope.names, `${name}_${part}`, `${part} of ${at}`).name
  const text = (template: Cap['key'], part: string) =>
    templateFunction(scope.module, template, scope.names, `${name}_${part}`, `${part} of ${at}`).name
  const properties = [
    `name: ${JSON.stringify(name)}`,
    `when: ${when === undefined ? '() => true' : made(when, 'when')}`,
    `key: ${text(key, 'key')}`,
    `limit: (c, i) => unitsOf(${made(limit, 'limit')}(c, i))`,
    ...(member === undefined ? [] : [`member: ${text(member, 'member')}`]),
    ...(take === undefined ? [] : [`take: (c, i) => unitsOf(${made(take, 'take')}(c, i))`]),
    'place: placeOf',
    `withinMs: ${withinMs}`,
    `sharedBy: ${JSON.stringify(sharedBy)}`,
  ]
  return `{ ${properties.join(', ')} }`
}
