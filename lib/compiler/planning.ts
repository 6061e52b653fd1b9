// When each thing happens. The author writes what; references alone decide the order: filters run as soon as their inputs are known, all
// look-ups that need not wait for each other share one round trip (scenario-format.md, Order of execution; `explain` prints the result).
import type { Checked } from '../language/checked.ts'
import type { Expr } from '../language/syntax.ts'
import { describeType, type Field, type Type } from '../language/types.ts'
import type { LookupCommand, LookupStore } from '../plan/plan.ts'
import { type KeptType, recordsUnit, type Signature } from '../plan/signature.ts'
import type {
  Cap,
  Decision,
  Enricher,
  Filter,
  ForEach,
  Remember,
  Scenario,
  Sink,
  StateEntry,
  Template,
  Value,
} from '../scenario/scenario.ts'

export interface Planning {
  readonly scenario: Scenario
  /** In the order of execution. */
  readonly stages: readonly Stage[]
  /** Sequential round trips of a batch at most: the depth of the look-ups' dependencies. */
  readonly roundTrips: number
  /** These names and all that they lead to. */
  closure(names: readonly string[]): ReadonlySet<string>
}

export type Stage =
  | { readonly kind: 'decide'; readonly decisions: readonly PlannedDecision[] }
  | { readonly kind: 'filter'; readonly conditions: readonly Condition[] }
  /** `entries`: remembered values that are read with the look-ups. */
  | { readonly kind: 'fetch'; readonly lookups: readonly PlannedLookup[]; readonly entries: readonly PlannedEntry[] }
  /**
   * All that says what a record leaves is known: from here on every record sees what those before it left. `conditions` are judged for each,
   * since those that read the entries have waited for it.
   */
  | { readonly kind: 'settle'; readonly entries: readonly Remember[]; readonly conditions: readonly Condition[] }
  /** Caps are asked, and what is left for later records is stored. */
  | { readonly kind: 'write'; readonly entries: readonly StateEntry[] }

export interface PlannedDecision extends Demand {
  readonly decision: Decision
}

/** A filter, or one that `onMissing` makes of a look-up or decision. */
export type Condition =
  | { readonly kind: 'filter'; readonly name: string; readonly filter: Filter }
  | { readonly kind: 'found'; readonly name: string }
  | { readonly kind: 'required'; readonly name: string }

export interface PlannedLookup extends Demand {
  readonly enricher: Enricher
}

export interface PlannedEntry extends Demand {
  readonly entry: Remember
}

/** Who needs a look-up or a decision. */
export interface Demand {
  /** A filter does: it is there for every record that no filter has dropped yet. */
  readonly byFilters: boolean
  /** Sinks that lead to it; for those `on: dropped`, see `onDroppedSinks`. */
  readonly sinks: readonly Sink[]
  readonly onDroppedSinks: readonly Sink[]
  /**
   * What only sinks lead to waits for their `when`, too: it is needed where one of these holds. Undefined: a sink leads to it whose `when`
   * does not decide that (there is none, it needs the look-up itself, or it is asked for each element).
   */
  readonly gates: readonly Sink[] | undefined
  /**
   * A remember entry with a `when` of its own needs it for dropped records, too, but not for those that one of these filters dropped: its
   * `when` names them. Undefined: nobody needs it for dropped records.
   */
  readonly keptAlive: readonly string[] | undefined
}

export function plan(scenario: Scenario): Planning {
  const graph = referenceGraph(scenario)
  const conditions = conditionsOf(scenario)
  const conditionNeeds = conditions.flatMap(condition =>
    condition.kind === 'filter' ? graph.refsOf(condition.name) : [condition.name],
  )
  const remember = rememberEntries(scenario)
  const caps = scenario.state.filter(entry => entry.kind === 'cap')
  /** What must be known before it is known what a record leaves. */
  const writeNeeds = new Map(
    remember.map(entry => [entry, graph.closure([entry.name, ...leavingReferences(entry, conditionNeeds)])]),
  )
  const stateNeeds = [...remember.flatMap(entry => [...writeNeeds.get(entry)!]), ...caps.flatMap(capReferences)]
  const filterNeeds = graph.closure([...conditionNeeds, ...stateNeeds])
  const sinkNeeds = new Map(scenario.sinks.map(sink => [sink, graph.closure(sinkReferences(sink))]))
  const demandOf = (name: string): Demand => {
    const leading = scenario.sinks.filter(sink => sinkNeeds.get(sink)!.has(name))
    const sinks = leading.filter(sink => !sink.onDropped)
    return {
      byFilters: filterNeeds.has(name),
      sinks,
      onDroppedSinks: leading.filter(sink => sink.onDropped),
      gates: sinks.every(sink => gates(sink, name)) ? sinks : undefined,
      keptAlive: keptAlive(remember.filter(entry => entry.when !== undefined && writeNeeds.get(entry)!.has(name))),
    }
  }
  const keptAlive = (entries: readonly Remember[]): readonly string[] | undefined => {
    if (entries.length === 0) return undefined
    const named = entries.map(entry => neededFilters(entry, scenario))
    return named[0]!.filter(name => named.every(names => names.includes(name)))
  }
  const gates = (sink: Sink, name: string): boolean =>
    sink.when !== undefined && sink.forEach === undefined && !graph.closure(referencesOf(sink.when)).has(name)

  const stages: Stage[] = []
  const done = new Set<string>()
  const judged = new Set<Condition>()
  const known = (name: string): boolean =>
    graph
      .closure([name])
      .values()
      .every(needed => !graph.isFetchedOrDecided(needed) || done.has(needed))
  const allKnown = (names: readonly string[]): boolean => names.every(known)
  const settled = new Set<string>()
  // A key must be known for every record of the batch, not only for the first of those that share an entry.
  const allSettled = (names: readonly string[]): boolean =>
    allKnown(names) &&
    graph
      .closure(names)
      .values()
      .every(name => settled.has(name) || !remember.some(entry => entry.name === name))
  const gatesSettled = ({ gates }: Demand): boolean =>
    gates === undefined || gates.every(sink => allSettled(referencesOf(sink.when)))

  // The order in which `explain` looks for what comes next: decisions that somebody waits for, filters, fetches.
  for (;;) {
    const settling = settlingEntries()
    if (settling.length > 0) {
      for (const { name } of settling) settled.add(name)
      const decidesWrites = settling.some(entry => entry.when === undefined)
      stages.push({
        kind: 'settle',
        entries: settling,
        conditions: conditions.filter(
          condition => decidesWrites || (isKnown(condition) && entriesOf(condition).some(name => settled.has(name))),
        ),
      })
      continue
    }
    const filtersDone = judged.size === conditions.length && settled.size === remember.length
    // What only sinks need does not wait for what no filter reads.
    const dropsDone = judged.size === conditions.length && conditions.every(({ name }) => allSettled([name]))
    const early = (demand: Demand) => demand.byFilters || demand.onDroppedSinks.length > 0
    const decisions = scenario.decisions
      .filter(decision => !done.has(decision.name) && allKnown(graph.refsOf(decision.name)))
      .map(decision => ({ decision, ...demandOf(decision.name) }))
      .filter(decision => filtersDone || early(decision))
    if (decisions.length > 0) {
      stages.push({ kind: 'decide', decisions })
      for (const { decision } of decisions) done.add(decision.name)
      continue
    }
    const ready = conditions.filter(condition => !judged.has(condition) && isKnown(condition))
    if (ready.length > 0) {
      stages.push({ kind: 'filter', conditions: ready })
      for (const condition of ready) judged.add(condition)
      continue
    }
    const lookups = fetchedEnrichers(scenario)
      .filter(enricher => !done.has(enricher.name) && allSettled(graph.refsOf(enricher.name)))
      .map(enricher => ({ enricher, ...demandOf(enricher.name) }))
      .filter(lookup => early(lookup) || (dropsDone && lookup.sinks.length > 0 && gatesSettled(lookup)))
    const entries = remember
      .filter(entry => !done.has(entry.name) && allSettled(graph.refsOf(entry.name)))
      .map(entry => ({ entry, ...demandOf(entry.name) }))
    if (lookups.length > 0 || entries.length > 0) {
      stages.push({ kind: 'fetch', lookups, entries })
      for (const { enricher } of lookups) done.add(enricher.name)
      for (const { entry } of entries) done.add(entry.name)
      continue
    }
    if (scenario.state.length > 0 && filtersDone && !stages.some(stage => stage.kind === 'write')) {
      stages.push({ kind: 'write', entries: scenario.state })
      for (const { name } of caps) done.add(name)
      continue
    }
    break
  }
  // A look-up that needs an entry which needs the look-up: the analysis has refused it.
  if (settled.size < remember.length) throw new Error(`what ${scenario.name} remembers needs what only later records could tell`)
  const roundTrips = stages.filter(stage => stage.kind === 'fetch' || stage.kind === 'write').length
  return { scenario, stages, roundTrips, closure: graph.closure }

  function isKnown(condition: Condition): boolean {
    return condition.kind === 'filter' ? allKnown(graph.refsOf(condition.name)) : known(condition.name)
  }

  function entriesOf(condition: Condition): readonly string[] {
    const reached = graph.closure([condition.name])
    return remember.flatMap(({ name }) => (reached.has(name) ? [name] : []))
  }

  /** Entries of which it is known what each record leaves, as soon as it is known what the records before it left. */
  function settlingEntries(): readonly Remember[] {
    let candidates = remember.filter(entry => !settled.has(entry.name) && allKnown([...writeNeeds.get(entry)!]))
    for (;;) {
      const together = new Set(candidates.map(({ name }) => name))
      const left = candidates.filter(entry =>
        remember.every(({ name }) => !writeNeeds.get(entry)!.has(name) || settled.has(name) || together.has(name)),
      )
      if (left.length === candidates.length) return left
      candidates = left
    }
  }
}

/** In the order of `StatePlan.remember`. */
export function rememberEntries({ state }: Scenario): readonly Remember[] {
  return state.filter(entry => entry.kind === 'remember')
}

/** In the order of `StatePlan.caps`. */
export function capEntries({ state }: Scenario): readonly Cap[] {
  return state.filter(entry => entry.kind === 'cap')
}

/** Indexes of the remember entries that a name leads to: it is not known of every record at once. */
export function entriesReadBy(name: string, { scenario, closure }: Planning): readonly number[] {
  const reached = closure([name])
  return rememberEntries(scenario).flatMap((entry, e) => (reached.has(entry.name) ? [e] : []))
}

/**
 * Of those, the entries whose `when` may fail and does not need the condition: where it fails nobody knows whether the record counts, so that
 * the condition fails with it (state.md, section 4).
 */
export function entriesThatDoubt(condition: Condition, planning: Planning): readonly number[] {
  const remember = rememberEntries(planning.scenario)
  return entriesReadBy(condition.name, planning).filter(e => {
    const { when } = remember[e]!
    if (when === undefined || when.constant !== undefined) return false
    return !planning.closure(referencesOf(when)).has(condition.name)
  })
}

/** Filters that an entry's own `when` names: a record that one of them drops leaves nothing, and what `when` reads may be unknown. */
export function neededFilters({ when }: Remember, { filters }: Scenario): readonly string[] {
  const names = new Set(filters.map(filter => filter.name))
  return when === undefined ? [] : conjuncts(when.tree).filter(name => names.has(name))
}

/** Names of an `&&` chain that are false alone: where one is, the whole is. */
function conjuncts(tree: Expr): readonly string[] {
  if (tree.kind === 'name') return [tree.name]
  return tree.kind === 'binary' && tree.operator === '&&' ? [...conjuncts(tree.left), ...conjuncts(tree.right)] : []
}

function leavingReferences({ when, set }: Remember, conditionNeeds: readonly string[]): readonly string[] {
  return [...(when === undefined ? conditionNeeds : referencesOf(when)), ...set.flatMap(({ value }) => referencesOf(value))]
}

/** What an entry's key refers to, and what it is judged by. */
export function stateReferences(entry: StateEntry): readonly string[] {
  if (entry.kind === 'cap') return capReferences(entry)
  return [entry.key, entry.when, ...entry.set.map(({ value }) => value)].flatMap(referencesOf)
}

function capReferences({ key, limit, when, member, take }: Cap): readonly string[] {
  return [key, limit, when, member, take].flatMap(referencesOf)
}

/** The stores that the scenario's look-ups ask. */
export function storesOf({ enrichers }: Scenario): readonly Exclude<LookupStore, 'state'>[] {
  const stores = new Set(enrichers.map(storeOf))
  return (['redis', 'dynamodb', 'http'] as const).filter(store => stores.has(store))
}

/** Undefined: a table is compiled in. */
export function storeOf({ lookup }: Enricher): LookupStore | undefined {
  switch (lookup.kind) {
    case 'item':
      return 'dynamodb'
    case 'request':
      return 'http'
    case 'table':
      return undefined
    default:
      return 'redis'
  }
}

/** What the store is asked for. */
export function commandOf({ lookup, fields }: Enricher): LookupCommand {
  switch (lookup.kind) {
    case 'hash':
      return { kind: 'hash', fields: [...fields.keys()] }
    case 'member':
      return { kind: 'member' }
    case 'item': {
      const keyNames = lookup.attributes.map(({ name }) => name)
      const consistent = lookup.consistent && { consistent: true }
      return { kind: 'item', table: lookup.table, keyNames, fields: [...fields.keys()], ...consistent }
    }
    case 'request':
      return { kind: 'request', method: lookup.method, ...(lookup.batch && { batch: lookup.batch }) }
    default:
      return { kind: 'string' }
  }
}

/** The enrichers that ask a store, in the order of `Plan.lookups`. */
export function fetchedEnrichers({ enrichers }: Scenario): readonly Enricher[] {
  return enrichers.filter(enricher => storeOf(enricher) !== undefined)
}

/** Names that a part of the scenario refers to directly, built-in ones (`event`, `now`, …) included. */
export function referencesOf(
  part: Checked | Template | Value | ForEach | { readonly kind: 'bytes' } | undefined,
): readonly string[] {
  if (part === undefined) return []
  if ('tree' in part) return [...part.references.keys()]
  if ('parts' in part) return part.parts.flatMap(hole => (typeof hole === 'string' ? [] : referencesOf(hole)))
  if ('list' in part) return referencesOf(part.list)
  switch (part.kind) {
    case 'expression':
      return referencesOf(part.checked)
    case 'template':
      return referencesOf(part.template)
    case 'map':
      return [...referencesOf(part.spread), ...part.entries.flatMap(entry => referencesOf(entry.value))]
    case 'list':
      return part.items.flatMap(referencesOf)
    case 'null':
    case 'bytes':
      return []
  }
}

/** What a look-up's keys refer to; with `forEach` its element, too. */
export function enricherReferences({ lookup, forEach }: Enricher): readonly string[] {
  return [
    ...referencesOf(lookup.key),
    ...(lookup.kind === 'member' ? referencesOf(lookup.member) : []),
    ...(lookup.kind === 'request' ? referencesOf(lookup.body) : []),
    ...referencesOf(forEach),
  ]
}

export function sinkReferences(sink: Sink): readonly string[] {
  const parts = [sink.topic, sink.when, sink.forEach, sink.key, sink.value, ...sink.headers.map(header => header.value)]
  return parts.flatMap(referencesOf)
}

function conditionsOf(scenario: Scenario): readonly Condition[] {
  const optional = [...scenario.enrichers, ...scenario.decisions]
  return [
    ...optional.filter(({ onMissing }) => onMissing === 'drop').map(({ name }) => ({ kind: 'found' as const, name })),
    ...optional.filter(({ onMissing }) => onMissing === 'deadLetter').map(({ name }) => ({ kind: 'required' as const, name })),
    ...scenario.filters.map(filter => ({ kind: 'filter' as const, name: filter.name, filter })),
  ]
}

interface ReferenceGraph {
  refsOf(name: string): readonly string[]
  /** These names and all that they lead to. */
  closure(names: readonly string[]): ReadonlySet<string>
  isFetchedOrDecided(name: string): boolean
}

function referenceGraph(scenario: Scenario): ReferenceGraph {
  const refs = new Map<string, readonly string[]>()
  for (const enricher of scenario.enrichers) refs.set(enricher.name, enricherReferences(enricher))
  for (const { name, value } of scenario.variables) refs.set(name, referencesOf(value))
  for (const { name, condition } of scenario.filters) refs.set(name, referencesOf(condition))
  for (const decision of scenario.decisions) refs.set(decision.name, decisionReferences(decision))
  for (const entry of scenario.state) refs.set(entry.name, entry.kind === 'cap' ? capReferences(entry) : referencesOf(entry.key))
  const waits = new Set([...fetchedEnrichers(scenario), ...scenario.state, ...scenario.decisions].map(({ name }) => name))

  return { refsOf: name => refs.get(name) ?? [], closure, isFetchedOrDecided: name => waits.has(name) }

  function closure(names: readonly string[]): ReadonlySet<string> {
    const reached = new Set<string>()
    const open = [...names]
    while (open.length > 0) {
      const name = open.pop()!
      if (reached.has(name)) continue
      reached.add(name)
      open.push(...(refs.get(name) ?? []))
    }
    return reached
  }
}

function decisionReferences(decision: Decision): readonly string[] {
  const outputs = decision.rows.flatMap(row =>
    row.outputs.flatMap(output => ('expression' in output ? referencesOf(output.expression) : [])),
  )
  return [
    ...decision.inputs.flatMap(referencesOf),
    ...decision.rows.flatMap(row => referencesOf(row.when)),
    ...outputs,
    ...referencesOf(decision.forEach),
  ]
}

/** What the store will hold, as locks keep it: types of remembered fields, units of caps. */
export function signatureOf({ state }: Scenario): string {
  const entries = state.map((entry): [string, Signature[string]] => {
    if (entry.kind === 'cap') return [entry.name, entry.take === undefined ? recordsUnit : describeType(entry.take.type)]
    return [entry.name, Object.fromEntries([...entry.fields].map(([field, { type }]) => [field, keptType(type)]))]
  })
  return JSON.stringify(Object.fromEntries(entries))
}

function keptType(type: Type): KeptType {
  switch (type.kind) {
    case 'object': {
      const isAbsent = (field: Field) => field.optional || 'default' in field
      return Object.fromEntries(
        [...type.fields].map(([name, field]) => [isAbsent(field) ? `${name}?` : name, keptType(field.type)]),
      )
    }
    case 'list':
      return { '<list>': keptType(type.element) }
    case 'map':
      return { '<map>': keptType(type.value) }
    default:
      return describeType(type)
  }
}
