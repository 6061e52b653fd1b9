// The generated JavaScript module of one scenario: its default export is a Plan (lib/plan). Written for people to read, too: a decision that
// surprises can be followed in it.
import type { Scenario } from '../scenario/scenario.ts'
import { jsonDecoder } from './decoder.ts'
import { expressionFunction, type GeneratedFunction, type NameAccess } from './expressions.ts'
import { lookupPlan, tableFunction } from './module/lookups.ts'
import { isKept, type Scope } from './module/scope.ts'
import { sinkFunction } from './module/sinks.ts'
import { headersDecoder, keyDecoder } from './module/source.ts'
import { entryLookup, statePlan } from './module/state.ts'
import { stepCode, verdictCode } from './module/steps.ts'
import { decisionExpressions, decisionFunction, variableFunction } from './module/values.ts'
import { ModuleText } from './module-text.ts'
import {
  type Condition,
  capEntries,
  enricherReferences,
  entriesReadBy,
  fetchedEnrichers,
  type Planning,
  referencesOf,
  rememberEntries,
  sinkReferences,
  stateReferences,
} from './planning.ts'

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
export function generateModule(planning: Planning, paths: RunTimePaths, { tellsRows = false }: ModuleOptions = {}): string {
  return new Generator(planning, tellsRows).generate(paths)
}

export interface ModuleOptions {
  /** The plan tells which rows decide. Costs a field in each decision's object, and a column each. */
  readonly tellsRows?: boolean
}

const importsOf = (paths: RunTimePaths, tellsRows: boolean) => `import * as std from ${JSON.stringify(paths.standard)}
import { needsExact, unset, WrongKind } from ${JSON.stringify(paths.plan)}
import { Failure } from ${JSON.stringify(paths.failure)}
import {
  decisionMissing, decodeJsonKey, decodeJsonLookup, failureOf, findEach, invalidLookup, isFound, isRequired, itemKey, join, judge, kindFound,
  lookupMissing, missingField, notInEnum, placeOf, storedItem, read, recordOf, requestKey, tableKey, textOfBytes, unitsOf, wrongType,${tellsRows ? ' rowOf,' : ''}
} from ${JSON.stringify(paths.columns)}`

class Generator {
  readonly #scope: Scope
  readonly #accesses = new Map<string, NameAccess>()
  #valueCount = 0

  constructor(planning: Planning, tellsRows: boolean) {
    this.#scope = {
      module: new ModuleText(),
      planning,
      scenario: planning.scenario,
      names: { access: name => this.#access(name), elements: [] },
      useCounts: countUses(planning.scenario, tellsRows),
      tellsRows,
      whens: new Map(),
    }
  }

  generate(paths: RunTimePaths): string {
    const { name, file, generation, delivery, stopAbove, redact, source, sinks } = this.#scope.scenario
    const decodeEvent = jsonDecoder(this.#scope.module, source.event)
    const lookups = [
      ...fetchedEnrichers(this.#scope.scenario).map(enricher => lookupPlan(this.#scope, enricher)),
      ...rememberEntries(this.#scope.scenario).map(entry => entryLookup(this.#scope, entry)),
    ]
    const steps = this.#scope.planning.stages.map(stage => stepCode(this.#scope, stage))
    const waits = ({ name }: Condition) => entriesReadBy(name, this.#scope.planning).length > 0
    const conditions = this.#scope.planning.stages.flatMap(stage =>
      stage.kind === 'filter'
        ? stage.conditions.map(
            condition =>
              `{ name: ${JSON.stringify(condition.name)}, verdict: (c, i) => ${verdictCode(this.#scope, condition)}${waits(condition) ? ', waits: true' : ''} }`,
          )
        : [],
    )
    const emits = sinks.map(sink => sinkFunction(this.#scope, sink))
    const state = statePlan(this.#scope)
    const rows = this.#scope.tellsRows ? this.#rows() : ''
    const extras = [
      ...(source.key ? [`decodeKey: ${keyDecoder(this.#scope, source.key)}`] : []),
      ...(source.headers ? [`decodeHeaders: ${headersDecoder(this.#scope, source.headers)}`] : []),
    ]
    return `// Generated from ${file}. Change that file, not this one.
${importsOf(paths, this.#scope.tellsRows)}

${this.#scope.module.text}

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
  valueCount: ${this.#valueCount},${state}${rows}
}
`
  }

  #rows(): string {
    const decisions = this.#scope.scenario.decisions.map(
      ({ name }) => `{ decision: ${JSON.stringify(name)}, value: (c, i) => ${this.#access(name).keptIn}[i] }`,
    )
    return decisions.length === 0 ? '' : `\n  rows: [\n    ${decisions.join(',\n    ')}\n  ],`
  }

  #access(name: string): NameAccess {
    const known = this.#accesses.get(name)
    if (known !== undefined) return known
    const made = this.#makeAccess(name)
    this.#accesses.set(name, made)
    return made
  }

  #makeAccess(name: string): NameAccess {
    const { variables, filters, decisions } = this.#scope.scenario
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
        return { code: JSON.stringify(this.#scope.scenario.name), mayFail: false }
      case 'record':
        return { code: 'recordOf(c, i)', mayFail: false }
    }
    const entry = rememberEntries(this.#scope.scenario).findIndex(candidate => candidate.name === name)
    if (entry >= 0) return { code: `c.remembered[${entry}].before[i]`, column: `c.remembered[${entry}].before`, mayFail: true }
    const cap = capEntries(this.#scope.scenario).findIndex(candidate => candidate.name === name)
    if (cap >= 0) return { code: `c.places[${cap}][i]`, column: `c.places[${cap}]`, mayFail: false }
    const lookup = fetchedEnrichers(this.#scope.scenario).findIndex(enricher => enricher.name === name)
    if (lookup >= 0) return { code: `c.lookups[${lookup}][i]`, column: `c.lookups[${lookup}]`, mayFail: true }
    const table = this.#scope.scenario.enrichers.find(enricher => enricher.name === name)
    if (table !== undefined) return this.#kept(name, tableFunction(this.#scope, table))
    const variable = variables.find(candidate => candidate.name === name)
    if (variable !== undefined) return this.#kept(name, variableFunction(this.#scope, variable))
    const filter = filters.find(candidate => candidate.name === name)
    if (filter !== undefined)
      return this.#kept(name, expressionFunction(this.#scope.module, filter.condition, this.#scope.names, name, `filter ${name}`))
    const decision = decisions.find(candidate => candidate.name === name)
    if (decision !== undefined) return this.#kept(name, decisionFunction(this.#scope, decision))
    throw new Error(`"${name}" is no name of ${this.#scope.scenario.file}`)
  }

  /** What several places read is computed once per record. */
  #kept(name: string, computed: GeneratedFunction): NameAccess {
    if (!isKept(this.#scope, name)) return { code: computed.call, mayFail: computed.mayFail }
    const column = this.#valueCount++
    const keep = this.#scope.module.freeName('v', name)
    this.#scope.module.add(`function ${keep}(c, i) {
  const column = c.values[${column}]
  return column[i] === unset ? (column[i] = ${computed.call}) : column[i]
}`)
    return { code: `${keep}(c, i)`, keptIn: `c.values[${column}]`, mayFail: computed.mayFail }
  }
}

/** How many places read a name: what is read more than once is kept. */
function countUses(
  { enrichers, state, variables, filters, decisions, sinks }: Scenario,
  tellsRows: boolean,
): ReadonlyMap<string, number> {
  // Whoever tells rows reads the decisions once more, after all others.
  const counts = new Map<string, number>(tellsRows ? decisions.map(({ name }) => [name, 2]) : [])
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
