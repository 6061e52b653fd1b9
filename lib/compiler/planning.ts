// When each thing happens. The author writes what; references alone decide the order: filters run as soon as their inputs are known, all
// look-ups that need not wait for each other share one round trip (scenario-format.md, Order of execution; `explain` prints the result).
import type { Checked } from '../language/checked.ts'
import type { LookupCommand, LookupStore } from '../plan/plan.ts'
import type { Decision, Enricher, Filter, ForEach, Scenario, Sink, Template, Value } from '../scenario/scenario.ts'

export interface Planning {
  readonly scenario: Scenario
  /** In the order of execution. */
  readonly stages: readonly Stage[]
  /** Sequential round trips of a batch at most: the depth of the look-ups' dependencies. */
  readonly roundTrips: number
}

export type Stage =
  | { readonly kind: 'decide'; readonly decisions: readonly PlannedDecision[] }
  | { readonly kind: 'filter'; readonly conditions: readonly Condition[] }
  | { readonly kind: 'fetch'; readonly lookups: readonly PlannedLookup[] }

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
}

export function plan(scenario: Scenario): Planning {
  const graph = referenceGraph(scenario)
  const conditions = conditionsOf(scenario)
  const filterNeeds = graph.closure(
    conditions.flatMap(condition => (condition.kind === 'filter' ? graph.refsOf(condition.name) : [condition.name])),
  )
  const sinkNeeds = new Map(scenario.sinks.map(sink => [sink, graph.closure(sinkReferences(sink))]))
  const demandOf = (name: string): Demand => {
    const leading = scenario.sinks.filter(sink => sinkNeeds.get(sink)!.has(name))
    const sinks = leading.filter(sink => !sink.onDropped)
    return {
      byFilters: filterNeeds.has(name),
      sinks,
      onDroppedSinks: leading.filter(sink => sink.onDropped),
      gates: sinks.every(sink => gates(sink, name)) ? sinks : undefined,
    }
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
  const gatesKnown = ({ gates }: Demand): boolean => gates === undefined || gates.every(sink => allKnown(referencesOf(sink.when)))

  // The order in which `explain` looks for what comes next: decisions that somebody waits for, filters, fetches.
  for (;;) {
    const filtersDone = judged.size === conditions.length
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
    const ready = conditions.filter(
      condition =>
        !judged.has(condition) && (condition.kind === 'filter' ? allKnown(graph.refsOf(condition.name)) : known(condition.name)),
    )
    if (ready.length > 0) {
      stages.push({ kind: 'filter', conditions: ready })
      for (const condition of ready) judged.add(condition)
      continue
    }
    const lookups = fetchedEnrichers(scenario)
      .filter(enricher => !done.has(enricher.name) && allKnown(graph.refsOf(enricher.name)))
      .map(enricher => ({ enricher, ...demandOf(enricher.name) }))
      .filter(lookup => early(lookup) || (filtersDone && lookup.sinks.length > 0 && gatesKnown(lookup)))
    if (lookups.length > 0) {
      stages.push({ kind: 'fetch', lookups })
      for (const { enricher } of lookups) done.add(enricher.name)
      continue
    }
    break
  }
  return { scenario, stages, roundTrips: stages.filter(stage => stage.kind === 'fetch').length }
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
      return { kind: 'item', table: lookup.table, keyNames, fields: [...fields.keys()] }
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
  const waits = new Set([...fetchedEnrichers(scenario), ...scenario.decisions].map(({ name }) => name))

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
