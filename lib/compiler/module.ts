// The generated JavaScript module of one scenario: its default export is a Plan (lib/plan). Written for people to read, too: a decision that
// surprises can be followed in it.
import type { Checked } from '../language/checked.ts'
import type { Field, Type } from '../language/types.ts'
import type { Cap, Decision, Enricher, KeyAttribute, Remember, Scenario, Sink, Value, Variable } from '../scenario/scenario.ts'
import { compileDecision } from './decision.ts'
import { jsonDecoder, textDecode } from './decoder.ts'
import {
  type Code,
  checkedOf,
  elementLocal,
  expressionFunction,
  type GeneratedFunction,
  generate,
  jsonFunction,
  type NameAccess,
  type NameTable,
  straightCode,
  templateExpression,
  templateFunction,
  textFunction,
  textsFunction,
} from './expressions.ts'
import { literalCode, ModuleText, objectLiteral } from './module-text.ts'
import {
  type Condition,
  commandOf,
  type Demand,
  enricherReferences,
  entriesReadBy,
  entriesThatDoubt,
  fetchedEnrichers,
  neededFilters,
  type Planning,
  referencesOf,
  rememberEntries,
  type Stage,
  signatureOf,
  sinkReferences,
  stateReferences,
  storeOf,
} from './planning.ts'
import { jsonCode } from './writer.ts'

/** Modules that the generated one imports: real paths for the bundler. */
export interface RunTimePaths {
  /** lib/language/standard/index.ts */
  readonly standard: string
  /** lib/plan/{plan,failure,columns}.ts */
  readonly plan: string
  readonly failure: string
  readonly columns: string
}

/** JavaScript of the module. `file` is the scenario's path as messages show it. */
export function generateModule(planning: Planning, paths: RunTimePaths): string {
  return new Generator(planning).generate(paths)
}

const importsOf = (paths: RunTimePaths) => `import * as std from ${JSON.stringify(paths.standard)}
import { needsExact, unset, WrongKind } from ${JSON.stringify(paths.plan)}
import { Failure } from ${JSON.stringify(paths.failure)}
import {
  decisionMissing, decodeJsonKey, decodeJsonLookup, failureOf, findEach, invalidLookup, isFound, isRequired, itemKey, join, judge, kindFound,
  lookupMissing, missingField, notInEnum, placeOf, storedItem, read, recordOf, requestKey, tableKey, textOfBytes, unitsOf, wrongType,
} from ${JSON.stringify(paths.columns)}`

// A parameter of key functions; no name of a scenario holds a blank.
const sentBody = 'sent body'

class Generator {
  readonly #module = new ModuleText()
  readonly #planning: Planning
  readonly #scenario: Scenario
  readonly #names: NameTable
  readonly #accesses = new Map<string, NameAccess>()
  readonly #useCounts: ReadonlyMap<string, number>
  #valueCount = 0

  constructor(planning: Planning) {
    this.#planning = planning
    this.#scenario = planning.scenario
    this.#names = { access: name => this.#access(name), elements: [] }
    this.#useCounts = countUses(planning.scenario)
  }

  generate(paths: RunTimePaths): string {
    const { name, file, generation, delivery, stopAbove, redact, source, sinks } = this.#scenario
    const decodeEvent = jsonDecoder(this.#module, source.event)
    const lookups = [
      ...fetchedEnrichers(this.#scenario).map(enricher => this.#lookup(enricher)),
      ...this.#remember.map(entry => this.#entryLookup(entry)),
    ]
    const steps = this.#planning.stages.map(stage => this.#step(stage))
    const conditions = this.#planning.stages.flatMap(stage =>
      stage.kind === 'filter'
        ? stage.conditions.map(
            condition => `{ name: ${JSON.stringify(condition.name)}, verdict: (c, i) => ${this.#verdict(condition)} }`,
          )
        : [],
    )
    const emits = sinks.map(sink => this.#sink(sink))
    const state = this.#state()
    const extras = [
      ...(source.key ? [`decodeKey: ${this.#keyDecoder(source.key)}`] : []),
      ...(source.headers ? [`decodeHeaders: ${this.#headersDecoder(source.headers)}`] : []),
    ]
    return `// Generated from ${file}. Change that file, not this one.
${importsOf(paths)}

${this.#module.text}

export default {
  scenario: ${JSON.stringify(name)},
  file: ${JSON.stringify(file)},
  generation: ${generation},
  delivery: ${JSON.stringify(delivery)},
  stopAbove: ${stopAbove},${redact.length === 0 ? '' : `\n  redact: ${JSON.stringify(redact)},`}
  source: { topic: ${JSON.stringify(source.topic)}, ${['decodeEvent: json => ' + decodeEvent + "(json, '')", ...extras].join(', ')} },
  lookups: [
    ${lookups.join(',\n    ')}
  ],
  steps: [
    ${steps.join(',\n    ')}
  ],
  sinks: [
    ${sinks.map((sink, s) => `{ name: ${JSON.stringify(sink.name)}, emit: ${emits[s]} }`).join(',\n    ')}
  ],
  conditions: [
    ${conditions.join(',\n    ')}
  ],
  valueCount: ${this.#valueCount},${state}
}
`
  }

  // Names ------------------------------------------------------------------------------------------------------------------------------

  #access(name: string): NameAccess {
    const known = this.#accesses.get(name)
    if (known !== undefined) return known
    const made = this.#makeAccess(name)
    this.#accesses.set(name, made)
    return made
  }

  #makeAccess(name: string): NameAccess {
    const { variables, filters, decisions } = this.#scenario
    switch (name) {
      case 'event':
        return { code: 'c.event[i]', column: 'c.event', mayFail: false }
      case 'key':
        return { code: 'c.key[i]', column: 'c.key', mayFail: false }
      case 'headers':
        return { code: 'c.headers[i]', column: 'c.headers', mayFail: false }
      case 'now':
        return { code: 'std.timestampOfMillis(c.record[i].timestampMs)', mayFail: false }
      case 'scenario':
        return { code: JSON.stringify(this.#scenario.name), mayFail: false }
      case 'record':
        return { code: 'recordOf(c, i)', mayFail: false }
    }
    const entry = this.#remember.findIndex(candidate => candidate.name === name)
    if (entry >= 0) return { code: `c.remembered[${entry}].before[i]`, column: `c.remembered[${entry}].before`, mayFail: true }
    const cap = this.#caps.findIndex(candidate => candidate.name === name)
    if (cap >= 0) return { code: `c.places[${cap}][i]`, column: `c.places[${cap}]`, mayFail: false }
    const lookup = fetchedEnrichers(this.#scenario).findIndex(enricher => enricher.name === name)
    if (lookup >= 0) return { code: `c.lookups[${lookup}][i]`, column: `c.lookups[${lookup}]`, mayFail: true }
    const table = this.#scenario.enrichers.find(enricher => enricher.name === name)
    if (table !== undefined) return this.#kept(name, this.#table(table))
    const variable = variables.find(candidate => candidate.name === name)
    if (variable !== undefined) return this.#kept(name, this.#variable(variable))
    const filter = filters.find(candidate => candidate.name === name)
    if (filter !== undefined)
      return this.#kept(name, expressionFunction(this.#module, filter.condition, this.#names, name, `filter ${name}`))
    const decision = decisions.find(candidate => candidate.name === name)
    if (decision !== undefined) return this.#kept(name, this.#decision(decision))
    throw new Error(`"${name}" is no name of ${this.#scenario.file}`)
  }

  /** What several places read is computed once per record. */
  #kept(name: string, computed: GeneratedFunction): NameAccess {
    if ((this.#useCounts.get(name) ?? 0) < 2) return { code: computed.call, mayFail: computed.mayFail }
    const column = this.#valueCount++
    const keep = this.#module.freeName('v', name)
    this.#module.add(`function ${keep}(c, i) {
  const column = c.values[${column}]
  return column[i] === unset ? (column[i] = ${computed.call}) : column[i]
}`)
    return { code: `${keep}(c, i)`, keptIn: `c.values[${column}]`, mayFail: computed.mayFail }
  }

  #variable({ name, value }: Variable): GeneratedFunction {
    const at = `let ${name}`
    switch (value.kind) {
      case 'expression':
        return expressionFunction(this.#module, value.checked, this.#names, name, at)
      case 'template':
        return templateFunction(this.#module, value.template, this.#names, name, at)
      default:
        return generate(this.#module, checkedOf(value), this.#names, name, at, code => `return ${valueCode(value, code)}`)
    }
  }

  #decision(decision: Decision): GeneratedFunction {
    const at = `decision ${decision.name}`
    const bound = decision.forEach === undefined ? [] : [decision.forEach.element]
    const found = generate(
      this.#module,
      decisionExpressions(decision),
      this.#names,
      decision.name,
      at,
      code => {
        const { body, declarations } = compileDecision(decision, {
          expression: checked => code.withFailure(checked),
          constant: (prefix, js) => this.#module.constant(prefix, js),
          element: elementLocal,
        })
        if (declarations !== '') this.#module.shared(`declarations ${declarations}`, 'declarations', () => declarations)
        return body
      },
      bound,
    )
    if (decision.complete || decision.hitPolicy === 'collect') return found
    const isEmptyAllowed = decision.onMissing === 'empty'
    const missing = isEmptyAllowed ? emptyOutputs(decision) : `decisionMissing(${JSON.stringify(decision.name)})`
    const name = this.#module.freeName('d', decision.name)
    this.#module.add(
      `function ${name}(c, i) {\n  const found = ${found.call}\n  return found === undefined ? ${missing} : found\n}`,
    )
    // Where no row holds a Failure stands in its place: whoever reads it fails with it.
    return { name, call: `${name}(c, i)`, mayFail: found.mayFail || !isEmptyAllowed }
  }

  // Look-ups ---------------------------------------------------------------------------------------------------------------------------

  #lookup(enricher: Enricher): string {
    const { name, lookup, onError, timeoutMs, cacheMs } = enricher
    const at = `look-up ${name}`
    const names = this.#elementNames(enricher)
    const missing = this.#missing(enricher)
    const properties = [
      `name: ${JSON.stringify(name)}`,
      `store: '${storeOf(enricher)}'`,
      `command: ${JSON.stringify(commandOf(enricher))}`,
      `key: ${this.#key(enricher, names)}`,
      ...(enricher.forEach === undefined ? [] : [`each: ${this.#each(enricher)}`]),
      ...(lookup.kind === 'member'
        ? [`member: ${templateFunction(this.#module, lookup.member, names, `${name}_member`, at).name}`]
        : []),
      `needed: ${this.#needed(this.#demandOf(name))}`,
      `decode: ${this.#answerDecoder(enricher, missing)}`,
      `missing: ${missing}`,
      `onError: ${JSON.stringify(onError)}`,
      `timeoutMs: ${timeoutMs}`,
      `cacheMs: ${cacheMs}`,
    ]
    return `{ ${properties.join(', ')} }`
  }

  #elementNames({ forEach }: Enricher): NameTable {
    return forEach === undefined ? this.#names : { ...this.#names, elements: [forEach.element] }
  }

  /** Name of the function that builds the key. */
  #key({ name, lookup }: Enricher, names: NameTable): string {
    const place = { word: `${name}_key`, at: `look-up ${name}` }
    const label = JSON.stringify(name)
    switch (lookup.kind) {
      case 'item': {
        const type = ({ type }: KeyAttribute) => (type === 'number' ? 'N' : 'S')
        const members = (texts: readonly string[]) =>
          lookup.attributes.map((one, a) => `[${JSON.stringify(one.name)}, '${type(one)}', ${texts[a]}]`).join(', ')
        const templates = lookup.attributes.map(({ value }) => value)
        return textsFunction(this.#module, templates, names, place, texts => `itemKey(${label}, [${members(texts)}])`).name
      }
      case 'table': {
        const templates = lookup.attributes.map(({ value }) => value)
        return textsFunction(this.#module, templates, names, place, texts => `tableKey([${texts.join(', ')}])`).name
      }
      case 'request': {
        const { key, body } = lookup
        const holes = key.parts.flatMap(part => (typeof part === 'string' ? [] : [{ ...key, parts: [part] }]))
        const parameters = ['c', 'i', ...names.elements.map(elementLocal)].join(', ')
        const url = (bodyCode: string) =>
          textsFunction(
            this.#module,
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
        const json = jsonFunction(this.#module, body, names, `${name}_body`, `body of look-up ${name}`)
        const whole = this.#module.freeName('key', name)
        const made = url(`, ${elementLocal(sentBody)}`)
        this.#module.add(`function ${whole}(${parameters}) {
  const body = ${json.call}
  if (body instanceof Failure) return body
  return ${made.name}(${parameters}, body)
}`)
        return whole
      }
      default:
        return templateFunction(this.#module, lookup.key, names, place.word, place.at).name
    }
  }

  #each({ name, forEach, fields, lookup, leavesOut }: Enricher): string {
    const { element, list } = forEach!
    const elements = expressionFunction(this.#module, list, this.#names, `${name}_list`, `forEach of look-up ${name}`)
    const found: readonly (readonly [string, string])[] =
      lookup.kind === 'member'
        ? [['value', 'found']]
        : [...fields.keys()].map(field => [field, `found[${JSON.stringify(field)}]`] as const)
    const joined = objectLiteral([...found, [element, 'element']])
    return `{ list: ${elements.name}, join: (found, element) => (${joined}), leavesOut: ${leavesOut === true} }`
  }

  /** A compiled table is a name like a variable: nothing waits for it. */
  #table(enricher: Enricher): GeneratedFunction {
    const { name, lookup, forEach } = enricher
    if (lookup.kind !== 'table') throw new Error(`"${name}" is no table`)
    const rows = [...lookup.rows].map(([key, row]) => `[${JSON.stringify(key)}, ${literalCode(row)}]`)
    const table = this.#module.constant('table', `new Map([\n  ${rows.join(',\n  ')},\n])`)
    const names = this.#elementNames(enricher)
    const parameters = ['c', 'i', ...names.elements.map(elementLocal)].join(', ')
    const key = this.#key(enricher, names)
    const missing = this.#missing(enricher)
    const find = this.#module.freeName('find', name)
    this.#module.add(`function ${find}(${parameters}) {
  const key = ${key}(${parameters})
  if (key instanceof Failure) return key
  const row = key === undefined ? undefined : ${table}.get(key)
  return row === undefined ? ${missing}(key) : row
}`)
    if (forEach === undefined) return { name: find, call: `${find}(c, i)`, mayFail: true }
    const all = this.#module.freeName('findEach', name)
    this.#module.add(`const ${all}_each = ${this.#each(enricher)}
function ${all}(c, i) {
  return findEach(${JSON.stringify(name)}, ${all}_each.list(c, i), ${all}_each, element => ${find}(c, i, element))
}`)
    return { name: all, call: `${all}(c, i)`, mayFail: true }
  }

  #missing({ name, lookup, fields, onMissing, leavesOut }: Enricher): string {
    const missing = this.#module.freeName('missing', name)
    const empty = lookup.kind === 'member' ? 'false' : objectCode(fields, (_, field) => literalCode(field.default))
    const result =
      (onMissing === 'empty' && !leavesOut) || lookup.kind === 'member' ? empty : `lookupMissing(${JSON.stringify(name)}, key)`
    this.#module.add(`function ${missing}(key) {\n  return ${result}\n}`)
    return missing
  }

  #answerDecoder(enricher: Enricher, missing: string): string {
    const { name, lookup, fields } = enricher
    const decode = this.#module.freeName('answer', name)
    const label = JSON.stringify(name)
    const broken = (detail: string) => `return invalidLookup(${label}, key, ${detail})`
    switch (lookup.kind) {
      case 'table':
        throw new Error(`the table "${name}" is asked nowhere`)
      case 'item':
      case 'request':
      case 'json':
        this.#module.add(`function ${decode}(answer, key) {
  return decodeJsonLookup(${label}, answer, key, ${jsonDecoder(this.#module, { kind: 'object', fields })}, ${missing})
}`)
        return decode
      case 'member':
        this.#module.add(
          `function ${decode}(answer, key) {\n  if (typeof answer !== 'boolean') ${broken('kindFound(answer)')}\n  return answer\n}`,
        )
        return decode
      case 'string':
        this.#module.add(`function ${decode}(answer, key) {
  if (answer === null) return ${missing}(key)
  if (typeof answer !== 'string') ${broken('kindFound(answer)')}
${[...fields].map(([field, declared]) => this.#textField(field, declared, 'answer', 0, broken)).join('\n')}
  return ${objectCode(fields, index => `f${index}`)}
}`)
        return decode
      case 'hash':
        this.#module.add(`function ${decode}(answer, key) {
  if (!Array.isArray(answer)) ${broken('kindFound(answer)')}
  if (${[...fields.keys()].map((_, index) => `answer[${index}] === null`).join(' && ')}) return ${missing}(key)
${[...fields].map(([field, declared], index) => this.#textField(field, declared, `answer[${index}]`, index, broken)).join('\n')}
  return ${objectCode(fields, index => `f${index}`)}
}`)
        return decode
    }
  }

  #textField(
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
    ${f} = ${textDecode(this.#module, type, text)}
    if (${f} === undefined) ${broken(JSON.stringify(`"${field}" has another type`))}
  }`
  }

  #demandOf(name: string): Demand {
    for (const stage of this.#planning.stages) {
      if (stage.kind !== 'fetch') continue
      const planned =
        stage.lookups.find(({ enricher }) => enricher.name === name) ?? stage.entries.find(({ entry }) => entry.name === name)
      if (planned !== undefined) return planned
    }
    return { byFilters: false, sinks: [], onDroppedSinks: [], gates: undefined, keptAlive: undefined }
  }

  #needed({ byFilters, gates, onDroppedSinks, keptAlive }: Demand): string {
    if (onDroppedSinks.length > 0 || keptAlive?.length === 0) return `(c, i) => c.status[i] !== 3`
    if (keptAlive !== undefined) {
      const final = this.#module.constant('final', `new Set(${JSON.stringify(keptAlive)})`)
      return `(c, i) => (c.status[i] & 1) === 0 || (c.status[i] === 1 && !${final}.has(c.droppedBy[i]))`
    }
    if (byFilters) return `(c, i) => (c.status[i] & 1) === 0`
    const whens = gates?.map(sink => `${this.#when(sink).call} === true`)
    return `(c, i) => c.status[i] === 0${whens === undefined || whens.length === 0 ? '' : ` && (${whens.join(' || ')})`}`
  }

  // Steps ------------------------------------------------------------------------------------------------------------------------------

  #step(stage: Stage): string {
    switch (stage.kind) {
      case 'fetch': {
        const enrichers = fetchedEnrichers(this.#scenario)
        const indexes = [
          ...stage.lookups.map(({ enricher }) => enrichers.indexOf(enricher)),
          ...stage.entries.map(({ entry }) => enrichers.length + this.#remember.indexOf(entry)),
        ]
        return `{ kind: 'fetch', lookups: [${indexes.join(', ')}] }`
      }
      case 'filter':
        return this.#filterStep(stage.conditions)
      case 'settle':
        return this.#settleStep(stage)
      case 'write':
        return `{ kind: 'write' }`
      case 'decide': {
        // A decision is computed where it is first read; this step does it for all records that will read it, straight after its inputs.
        const names = stage.decisions.map(({ decision }) => decision.name)
        const early = stage.decisions.some(({ byFilters, onDroppedSinks }) => byFilters || onDroppedSinks.length > 0)
        const kept = names.filter(name => (this.#useCounts.get(name) ?? 0) >= 2)
        return this.#loop(
          'decide',
          names,
          early ? '(c.status[i] & 1) === 0' : 'c.status[i] === 0',
          kept
            .map(name => `    ${guarded(entriesReadBy(name, this.#planning).map(isThere), this.#access(name).code)}`)
            .join('\n'),
        )
      }
    }
  }

  // A filter that reads columns (and variables that do) and cannot fail stands in the loop; where a column holds a Failure, and for all other
  // filters, their functions are called. Rules that hold cost a comparison each: `judge` is for those that do not.
  #filterStep(conditions: readonly Condition[]): string {
    const columns = new Map<string, { readonly local: string; readonly column: string; readonly mayFail: boolean }>()
    const variables = new Map<string, string>()
    let computed: string[] = []
    const local = (name: string): string => {
      const { column, keptIn, mayFail } = this.#access(name)
      if (column === undefined) {
        const known = variables.get(name) ?? `v${variables.size}`
        if (!variables.has(name)) {
          variables.set(name, known)
          const code = straightCode(this.#module, this.#variableExpression(name)!, local)
          computed.push(`const ${known} = ${keptIn === undefined ? '' : `${keptIn}[i] = `}${code}`)
        }
        return known
      }
      const known = columns.get(name) ?? { local: `r${columns.size}`, column, mayFail }
      columns.set(name, known)
      return known.local
    }
    const judgements = conditions.map(condition => {
      const name = JSON.stringify(condition.name)
      const waits = this.#waits(condition)
      if (waits.length > 0) {
        return guarded(
          waits,
          `{\n      verdict = ${this.#verdict(condition)}\n      if (verdict !== true && judge(c, i, ${name}, verdict)) continue\n    }`,
        )
      }
      const straight = this.#straight(condition, local)
      if (straight === undefined)
        return `verdict = ${this.#verdict(condition)}\n    if (verdict !== true && judge(c, i, ${name}, verdict)) continue`
      if (straight === 'true') return ''
      const before = computed.map(statement => `${statement}\n    `).join('')
      computed = []
      return `${before}if (!(${straight})) { judge(c, i, ${name}, false); continue }`
    })
    const names = conditions.map(({ name }) => name)
    const run = this.#module.freeName('filter', names.join('_').slice(0, 40))
    const read = [...columns.values()]
    const failing = read.filter(({ mayFail }) => mayFail).map(found => `${found.local} instanceof Failure`)
    if (failing.length > 0) {
      const verdicts = conditions.map(condition => `  ${this.#judgement(condition)}`)
      this.#module.add(`function ${run}_slow(c, i) {\n${verdicts.join('\n')}\n}`)
      judgements.unshift(`if (${failing.join(' || ')}) { ${run}_slow(c, i); continue }`)
    }
    const lines = [
      'if ((c.status[i] & 1) !== 0) continue',
      ...read.map(found => `const ${found.local} = ${found.local}s[i]`),
      ...judgements.filter(line => line !== ''),
    ]
    this.#module.add(`function ${run}(c) {
  let verdict
${read.map(found => `  const ${found.local}s = ${found.column}\n`).join('')}  for (let i = 0; i < c.recordCount; i++) {
    ${lines.join('\n    ')}
  }
}`)
    return `{ kind: 'filter', names: ${JSON.stringify(names)}, run: ${run} }`
  }

  #straight(condition: Condition, local: (name: string) => string): string | undefined {
    if (condition.kind !== 'filter') {
      if (this.#access(condition.name).column === undefined) return undefined
      local(condition.name)
      return 'true'
    }
    const { condition: checked } = condition.filter
    const isKept = (this.#useCounts.get(condition.name) ?? 0) >= 2
    return !isKept && this.#isStraight(checked) ? straightCode(this.#module, checked, local) : undefined
  }

  /** Whether it reads columns alone, or variables that do, and cannot fail if none of those holds a Failure. */
  #isStraight(checked: Checked): boolean {
    const reads = (name: string): boolean => {
      if (this.#access(name).column !== undefined) return true
      const variable = this.#variableExpression(name)
      return variable !== undefined && this.#isStraight(variable)
    }
    return referencesOf(checked).every(reads) && straightCode(this.#module, checked, name => name) !== undefined
  }

  #variableExpression(name: string): Checked | undefined {
    const value = this.#scenario.variables.find(variable => variable.name === name)?.value
    return value?.kind === 'expression' ? value.checked : undefined
  }

  #loop(kind: string, names: readonly string[], condition: string, body: string): string {
    const run = this.#module.freeName(kind, names.join('_').slice(0, 40))
    this.#module.add(`function ${run}(c) {
  for (let i = 0; i < c.recordCount; i++) {
    if (!(${condition})) continue
${body}
  }
}`)
    return `{ kind: '${kind}', names: ${JSON.stringify(names)}, run: ${run} }`
  }

  #verdict(condition: Condition): string {
    const { code } = this.#access(condition.name)
    const found = condition.kind === 'found' ? `isFound(${code}, ${JSON.stringify(condition.name)})` : `isRequired(${code})`
    const verdict = condition.kind === 'filter' ? code : found
    // Nobody knows whether the record counts: what reads the entry, and is not needed to know it, fails with it.
    return entriesThatDoubt(condition, this.#planning).reduceRight(
      (rest, e) => `(${whenOf(e)} instanceof Failure ? ${whenOf(e)} : ${rest})`,
      verdict,
    )
  }

  /** A statement that returns where no other filter needs to look at the record. */
  #judgement(condition: Condition): string {
    const judged = `if (judge(c, i, ${JSON.stringify(condition.name)}, ${this.#verdict(condition)})) return`
    return guarded(this.#waits(condition), judged)
  }

  // State ------------------------------------------------------------------------------------------------------------------------------

  get #remember(): readonly Remember[] {
    return rememberEntries(this.#scenario)
  }

  get #caps(): readonly Cap[] {
    return this.#scenario.state.filter(entry => entry.kind === 'cap')
  }

  /** JavaScript conditions: what a condition waits for, since it is not known of every record at once. */
  #waits(condition: Condition): readonly string[] {
    const doubted = entriesThatDoubt(condition, this.#planning)
    return entriesReadBy(condition.name, this.#planning).map(e =>
      doubted.includes(e) ? `${whenOf(e)} !== undefined` : isThere(e),
    )
  }

  #settleStep({ entries, conditions }: Stage & { kind: 'settle' }): string {
    const settled = entries.map(entry => ({ entry, e: this.#remember.indexOf(entry) }))
    const judge = this.#module.freeName(
      'settle',
      entries
        .map(({ name }) => name)
        .join('_')
        .slice(0, 40),
    )
    const whens = settled.flatMap(({ entry, e }) => {
      if (entry.when === undefined) return []
      const when = expressionFunction(this.#module, entry.when, this.#names, `${entry.name}_when`, `when of state ${entry.name}`)
      const needed = neededFilters(entry, this.#scenario)
      if (needed.length === 0) return [`${whenOf(e)} = ${when.call}`]
      const final = this.#module.constant('final', `new Set(${JSON.stringify(needed)})`)
      return [`${whenOf(e)} = c.status[i] === 1 && ${final}.has(c.droppedBy[i]) ? false : ${when.call}`]
    })
    const verdicts = conditions.map(condition => this.#judgement(condition))
    if (verdicts.length > 0) this.#module.add(`function ${judge}_filters(c, i) {\n  ${verdicts.join('\n  ')}\n}`)
    const filters = verdicts.length === 0 ? [] : [`if ((c.status[i] & 1) === 0) ${judge}_filters(c, i)`]
    const defaults = settled.flatMap(({ entry, e }) => (entry.when === undefined ? [`${whenOf(e)} = c.status[i] === 0`] : []))
    const sets = settled.map(
      ({ entry, e }) =>
        `c.remembered[${e}].after[i] = ${whenOf(e)} === true ? ${this.#set(entry, e)} : ${whenOf(e)} === false ? undefined : ${whenOf(e)}`,
    )
    this.#module.add(`function ${judge}(c, i) {\n  ${[...whens, ...filters, ...defaults, ...sets].join('\n  ')}\n}`)
    return `{ kind: 'settle', entries: [${settled.map(({ e }) => e).join(', ')}], judge: ${judge} }`
  }

  /** A call that gives what the record leaves: all fields, those not in `set` as they were. */
  #set({ name, fields, set }: Remember, e: number): string {
    const expressions = set.flatMap(({ value }) => checkedOf(value))
    return generate(this.#module, expressions, this.#names, `${name}_set`, `set of state ${name}`, code => {
      const left = [...fields.keys()].map(field => {
        const member = set.find(entry => entry.name === field)
        return [field, member === undefined ? `before[${JSON.stringify(field)}]` : memberCode(member.value, code)] as const
      })
      return `const before = c.remembered[${e}].before[i]
  if (before instanceof Failure) return before
  return ${objectLiteral(left)}`
    }).call
  }

  #entryLookup({ name, key }: Remember): string {
    const keyFunction = templateFunction(this.#module, key, this.#names, `${name}_key`, `key of state ${name}`)
    const properties = [
      `name: ${JSON.stringify(name)}`,
      `store: 'state'`,
      `command: { kind: 'hash', fields: ['base', 'head', 'at', 'tp'] }`,
      `key: ${keyFunction.name}`,
      `needed: ${this.#needed(this.#demandOf(name))}`,
      `decode: (answer, key) => storedItem(${JSON.stringify(name)}, answer, key)`,
      `missing: () => null`,
      `onError: 'retry'`,
      `timeoutMs: undefined`,
      `cacheMs: 0`,
    ]
    return `{ ${properties.join(', ')} }`
  }

  #state(): string {
    if (this.#scenario.state.length === 0) return ''
    const firstLookup = fetchedEnrichers(this.#scenario).length
    const remember = this.#remember.map(({ name, fields, type }, e) => {
      const decode = this.#module.freeName('remembered', name)
      const nothing = objectCode(fields, (_, field) => literalCode(field.default))
      this.#module.add(`function ${decode}(text, key) {
  if (text === null) return ${nothing}
  return decodeJsonLookup(${JSON.stringify(name)}, text, key, ${jsonDecoder(this.#module, type)}, () => (${nothing}))
}`)
      const encode = `value => ${jsonCode(this.#module, type, 'value', 'declared')}`
      return `{ name: ${JSON.stringify(name)}, lookup: ${firstLookup + e}, encode: ${encode}, decode: ${decode} }`
    })
    const caps = this.#caps.map(cap => this.#cap(cap))
    return `
  state: {
    remember: [${remember.join(', ')}],
    caps: [${caps.join(', ')}],
    signature: ${JSON.stringify(signatureOf(this.#remember))},
  },`
  }

  #cap({ name, key, limit, when, member, take, withinMs, sharedBy }: Cap): string {
    const at = `state ${name}`
    const made = (checked: Checked, part: string) =>
      expressionFunction(this.#module, checked, this.#names, `${name}_${part}`, `${part} of ${at}`).name
    const text = (template: Cap['key'], part: string) =>
      templateFunction(this.#module, template, this.#names, `${name}_${part}`, `${part} of ${at}`).name
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

  // Sinks ------------------------------------------------------------------------------------------------------------------------------

  readonly #whens = new Map<Sink, GeneratedFunction>()

  #when(sink: Sink, names: NameTable = this.#names): GeneratedFunction {
    let made = this.#whens.get(sink)
    if (made === undefined) {
      made = expressionFunction(this.#module, sink.when as Checked, names, `${sink.name}_when`, `when of sink ${sink.name}`)
      this.#whens.set(sink, made)
    }
    return made
  }

  #sink(sink: Sink): string {
    const { name, forEach, onDropped } = sink
    const names: NameTable = forEach === undefined ? this.#names : { ...this.#names, elements: [forEach.element] }
    const made = this.#output(sink, names)
    const emit = this.#module.freeName('emit', name)
    const status = `  if (c.status[i] !== ${onDropped ? 1 : 0}) return undefined`
    if (forEach === undefined) {
      this.#module.add(`function ${emit}(c, i, outputs) {\n${status}\n  ${made.join('\n  ')}\n}`)
      return emit
    }
    const list = expressionFunction(this.#module, forEach.list, this.#names, `${name}_list`, `forEach of sink ${name}`)
    this.#module.add(`function ${emit}(c, i, outputs) {
${status}
  const list = ${list.call}
  if (list instanceof Failure) return list
  for (const ${elementLocal(forEach.element)} of list) {
    const failure = ${emit}_element(c, i, outputs, ${elementLocal(forEach.element)})
    if (failure !== undefined) return failure
  }
}

function ${emit}_element(c, i, outputs, ${elementLocal(forEach.element)}) {\n  ${made.join('\n  ')}\n}`)
    return emit
  }

  /** Statements that push one output, or return a Failure. */
  #output(sink: Sink, names: NameTable): readonly string[] {
    const { name } = sink
    const statements: string[] = []
    const local = (variable: string, computed: GeneratedFunction) => {
      statements.push(`const ${variable} = ${computed.call}`)
      if (computed.mayFail) statements.push(`if (${variable} instanceof Failure) return ${variable}`)
      return variable
    }
    if (sink.when !== undefined) {
      local('when', this.#when(sink, names))
      statements.push('if (!when) return undefined')
    }
    const topic = this.#topic(sink, names, local, statements)
    const key =
      sink.key === undefined
        ? 'undefined'
        : local('key', textFunction(this.#module, sink.key, names, `${name}_key`, `key of sink ${name}`))
    const headers = this.#headers(sink, names, local, statements)
    const value =
      sink.value.kind === 'bytes'
        ? 'c.record[i].value'
        : sink.value.kind === 'null'
          ? 'null'
          : local('value', jsonFunction(this.#module, sink.value, names, `${name}_value`, `value of sink ${name}`))
    statements.push(`outputs.push({ topic: ${topic}, key: ${key}, headers: ${headers}, value: ${value} })`)
    return statements
  }

  #topic({ name, topic, among }: Sink, names: NameTable, local: Local, statements: string[]): string {
    if (topic.parts.every(part => typeof part === 'string')) return JSON.stringify(topic.parts.join(''))
    const variable = local('topic', templateFunction(this.#module, topic, names, `${name}_topic`, `topic of sink ${name}`))
    const allowed = this.#module.constant('topics', `new Set(${JSON.stringify(among ?? [])})`)
    statements.push(
      `if (!${allowed}.has(topic)) return new Failure('topic-not-listed', ${JSON.stringify(`topic of sink ${name}`)}, ${JSON.stringify(`the topic of sink "${name}" is not among those listed`)})`,
    )
    return variable
  }

  #headers({ name, headers }: Sink, names: NameTable, local: Local, statements: string[]): string {
    if (headers.length === 0) return this.#module.constant('noHeaders', 'Object.freeze([])')
    const texts = headers.map((header, h) => ({
      name: JSON.stringify(header.name),
      text: local(
        `h${h}`,
        textFunction(this.#module, header.value, names, `${name}_header`, `header ${header.name} of sink ${name}`),
      ),
      mayBeMissing: checkedOf(header.value).some(checked => checked.mayBeMissing),
    }))
    if (!texts.some(({ mayBeMissing }) => mayBeMissing))
      return `[${texts.map(({ name, text }) => `[${name}, ${text}]`).join(', ')}]`
    statements.push('const headers = []')
    // What may be missing is left out.
    for (const { name, text } of texts) statements.push(`if (${text} !== undefined) headers.push([${name}, ${text}])`)
    return 'headers'
  }

  // Key and headers of the source ------------------------------------------------------------------------------------------------------

  #keyDecoder(type: Type): string {
    const decode = this.#module.freeName('decodeKey')
    if (type.kind === 'object') {
      this.#module.add(`function ${decode}(bytes) {
  if (bytes === null) return missingField('key', 'object', null)
  return decodeJsonKey(bytes, ${jsonDecoder(this.#module, type)})
}`)
      return decode
    }
    this.#module.add(`function ${decode}(bytes) {
  if (bytes === null) return missingField('key', ${JSON.stringify(type.kind)}, null)
  const text = textOfBytes(bytes)
  const key = text === undefined ? undefined : ${textDecode(this.#module, type, 'text')}
  return key === undefined ? wrongType('key', ${JSON.stringify(type.kind)}, '') : key
}`)
    return decode
  }

  #headersDecoder(type: Type & { kind: 'object' }): string {
    const decode = this.#module.freeName('decodeHeaders')
    const fields = [...type.fields].map(([field, declared], index) => {
      const f = `f${index}`
      const path = JSON.stringify(`headers.${field}`)
      const absent =
        declared.default !== undefined
          ? `${f} = ${literalCode(declared.default)}`
          : declared.optional
            ? ''
            : `return missingField(${path}, ${JSON.stringify(declared.type.kind)}, undefined)`
      // Of repeated headers the last counts.
      return `  const t${index} = headers.findLast(header => header.name === ${JSON.stringify(field)} && header.value !== null)
  let ${f}
  if (t${index} === undefined) { ${absent} }
  else {
    const text = textOfBytes(t${index}.value)
    ${f} = text === undefined ? undefined : ${textDecode(this.#module, declared.type, 'text')}
    if (${f} === undefined) return wrongType(${path}, ${JSON.stringify(declared.type.kind)}, '')
  }`
    })
    this.#module.add(
      `function ${decode}(headers) {\n${fields.join('\n')}\n  return ${objectCode(type.fields, index => `f${index}`)}\n}`,
    )
    return decode
  }
}

const whenOf = (e: number): string => `c.remembered[${e}].when[i]`

const isThere = (e: number): string => `c.remembered[${e}].before[i] !== unset`

function guarded(conditions: readonly string[], statement: string): string {
  return conditions.length === 0 ? statement : `if (${conditions.join(' && ')}) ${statement}`
}

function memberCode(value: Value, code: Code): string {
  if (value.kind === 'null') return 'undefined'
  return value.kind === 'template' ? templateExpression(value.template, code) : valueCode(value, code)
}

type Local = (variable: string, computed: GeneratedFunction) => string

function objectCode(fields: ReadonlyMap<string, Field>, value: (index: number, field: Field) => string): string {
  return objectLiteral([...fields].map(([name, field], index) => [name, value(index, field)]))
}

/** A value tree as a run-time value, for variables that are maps or lists. */
function valueCode(value: Value, code: (checked: Checked) => string): string {
  switch (value.kind) {
    case 'null':
      return 'null'
    case 'expression':
      return code(value.checked)
    case 'list':
      return `[${value.items.map(item => valueCode(item, code)).join(', ')}]`
    case 'map': {
      const spread = value.spread === undefined ? [] : [`...${code(value.spread)}`]
      return `{ ${[...spread, ...value.entries.map(entry => `[${JSON.stringify(entry.name)}]: ${valueCode(entry.value, code)}`)].join(', ')} }`
    }
    case 'template':
      throw new Error('texts inside a map or list of `let` are not supported; the analysis must refuse them')
  }
}

export function decisionExpressions(decision: Decision): readonly Checked[] {
  const outputs = decision.rows.flatMap(row => row.outputs.flatMap(output => ('expression' in output ? [output.expression] : [])))
  const whens = decision.rows.flatMap(row => (row.when === undefined ? [] : [row.when]))
  return [...decision.inputs, ...whens, ...outputs, ...(decision.forEach === undefined ? [] : [decision.forEach.list])]
}

function emptyOutputs(decision: Decision): string {
  return objectLiteral(decision.outputs.map(({ name }) => [name, 'undefined']))
}

/** How many places read a name: what is read more than once is kept. */
function countUses({ enrichers, state, variables, filters, decisions, sinks }: Scenario): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  const count = (names: readonly string[]) => {
    for (const name of new Set(names)) counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  for (const enricher of enrichers) {
    const isJudged = enricher.lookup.kind === 'table' && enricher.onMissing !== 'empty'
    count([...enricherReferences(enricher), ...(isJudged ? [enricher.name] : [])])
    // A look-up per element reads the names of its key again and again.
    if (enricher.forEach !== undefined) count(enricherReferences(enricher))
  }
  for (const { value } of variables) count(referencesOf(value))
  for (const { name, condition } of filters) count([...referencesOf(condition), name])
  // A record is judged again when it is known what those before it left.
  if (state.length > 0) count([...filters, ...decisions].map(({ name }) => name))
  for (const entry of state) count(stateReferences(entry))
  for (const decision of decisions)
    count([
      ...decisionExpressions(decision).flatMap(referencesOf),
      ...(decision.onMissing === 'drop' || decision.onMissing === 'deadLetter' ? [decision.name] : []),
    ])
  // A sink's parts are functions of their own, and its `when` may be asked for look-ups, too.
  for (const sink of sinks) {
    const parts = [sink.topic, sink.when, sink.forEach, sink.key, sink.value, ...sink.headers.map(header => header.value)]
    for (const part of parts) count(referencesOf(part))
    if (sink.forEach !== undefined) count(sinkReferences(sink))
  }
  return counts
}
