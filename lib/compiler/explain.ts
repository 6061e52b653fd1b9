// The plan in words, to the letter of scenario-format.md ("`explain`, to the letter"): scripts and people compare it between versions.
import type { Decision, Scenario, Sink, StateEntry, Template, Value } from '../scenario/scenario.ts'
import type { Condition, PlannedDecision, Planning, Stage } from './planning.ts'

/** A line between the first one and the total. */
export interface ExplainLine {
  readonly step: string
  readonly names: string
  readonly detail: string
}

/**
 * Where state is kept. One Redis server writes in one step; a cluster and DynamoDB write the lock, then all else under its token, DynamoDB caps as
 * it has read them.
 */
export type StateStore = 'server' | 'cluster' | { readonly table: string }

export function explain(planning: Planning, store: StateStore = 'server'): string {
  const lines = explainLines(planning, store)
  const stepWidth = widest(lines.map(line => line.step)) + 2
  const namesWidth = widest(lines.filter(line => line.detail !== '').map(line => line.names)) + 2
  return [
    heading(planning.scenario),
    ...(planning.scenario.shared.length === 0 ? [] : [`  use ${planning.scenario.shared.map(({ path }) => path).join(', ')}`]),
    ...lines.map(({ step, names, detail }) =>
      `  ${step.padEnd(stepWidth)}${detail === '' ? names : names.padEnd(namesWidth) + detail}`.trimEnd(),
    ),
    `  ${total(planning, store)}`,
  ].join('\n')
}

/** Sequential round trips of a batch at most, with what the store of state needs beyond one to write. */
export function roundTripsOf({ roundTrips, scenario }: Planning, store: StateStore): number {
  return scenario.state.length === 0 ? roundTrips : roundTrips - 1 + tripsToWrite(scenario, store)
}

function tripsToWrite({ state }: Scenario, store: StateStore): number {
  if (store === 'server') return 1
  return store !== 'cluster' && state.some(({ kind }) => kind === 'cap') ? 3 : 2
}

export function explainLines(planning: Planning, store: StateStore = 'server'): readonly ExplainLine[] {
  let fetchCount = 0
  const stages = planning.stages.flatMap((stage): readonly ExplainLine[] => {
    if (stage.kind === 'fetch') fetchCount++
    return stageLines(stage, fetchCount, { scenario: planning.scenario, store })
  })
  return [...stages, ...planning.scenario.sinks.map(sink => ({ step: 'emit', names: sink.name, detail: sinkDetail(sink) }))]
}

function heading({ name, source, delivery }: Scenario): string {
  const batchSize = (source.settings['batchSize'] as number | undefined) ?? 100
  const windowSeconds = source.settings['maximumBatchingWindow'] as number | undefined
  const window = windowSeconds === undefined ? '500 ms' : `${windowSeconds} s`
  const batch = windowSeconds === 0 ? `up to ${batchSize} records per batch` : `${batchSize} records or ${window} per batch`
  return `${name}: ${source.topic}, ${batch}, ${delivery}`
}

function total(planning: Planning, store: StateStore): string {
  const { stages, scenario } = planning
  const roundTrips = roundTripsOf(planning, store)
  if (roundTrips === 0) return 'no round trips'
  const trips = stages.filter(stage => stage.kind === 'fetch' || stage.kind === 'write')
  // A look-up for a sink whose `when` reads a cap comes after the writing.
  const isLast = trips.at(-1)?.kind === 'write'
  const writing = tripsToWrite(scenario, store)
  const which =
    writing === 1 ? `${isLast ? 'the last one' : 'one of them'} writes` : `${isLast ? 'the last' : 'of them'} ${writing} write`
  const state = trips.some(stage => stage.kind === 'write') ? `, ${which} state` : ''
  // Without transactions nothing but the store can say how far the outputs are acknowledged.
  const position = state !== '' && scenario.delivery === 'at-least-once' ? '; 1 more after the outputs writes the position' : ''
  return `${roundTrips} round trip${roundTrips === 1 ? '' : 's'} per batch at most${state}${position}`
}

interface Explained {
  readonly scenario: Scenario
  readonly store: StateStore
}

function stageLines(stage: Stage, fetchNumber: number, explained: Explained): readonly ExplainLine[] {
  switch (stage.kind) {
    case 'decide':
      return stage.decisions.map(planned => ({ step: 'decide', names: planned.decision.name, detail: decisionDetail(planned) }))
    case 'filter':
      return [{ step: 'filter', names: stage.conditions.map(conditionName).join(', '), detail: '' }]
    case 'settle':
      return []
    case 'write':
      return [
        { step: 'write', names: stage.entries.map(({ name }) => name).join(', '), detail: writeDetail(stage.entries, explained) },
      ]
    case 'fetch':
      return [
        {
          step: `fetch ${fetchNumber}`,
          names: [...stage.lookups.map(({ enricher }) => enricher), ...stage.entries.map(({ entry }) => entry)]
            .toSorted((a, b) => a.range.start - b.range.start)
            .map(({ name }) => name)
            .join(', '),
          detail: fetchDetail(stage, explained),
        },
      ]
  }
}

/** `profile found`, `profile required`, or the filter's name. */
export function conditionName(condition: Condition): string {
  return condition.kind === 'filter' ? condition.name : `${condition.name} ${condition.kind}`
}

function decisionDetail({ decision }: PlannedDecision): string {
  const { rows, form, hitPolicy, rank, limit, forEach } = decision
  const noun = form === 'table' ? 'row' : 'rule'
  return [
    `${rows.length} ${noun}${rows.length === 1 ? '' : 's'}`,
    hitPolicy,
    ...(rank ? [`${rank.output} ${rank.order}`] : []),
    ...(limit === undefined ? [] : [`at most ${limit}`]),
    ...(forEach ? [forEachText(forEach)] : []),
  ].join(', ')
}

function fetchDetail({ lookups, entries }: Stage & { kind: 'fetch' }, { scenario, store }: Explained): string {
  const inTable = typeof store === 'object'
  const commands: Partial<Record<string, string>> = { hash: 'HMGET', json: 'GET', string: 'GET', member: 'SISMEMBER' }
  const counted = (asked: readonly (string | undefined)[]) =>
    ['HMGET', 'GET', 'SISMEMBER', 'state']
      .map(command => [asked.filter(each => each === command).length, command] as const)
      .filter(([count]) => count > 0)
      .map(([count, command]) => `${count} ${command}`)
      .join(', ')
  const asked = (isLoop: boolean) =>
    lookups
      .filter(({ enricher }) => (enricher.forEach !== undefined) === isLoop)
      .map(({ enricher }) => commands[enricher.lookup.kind])
  const single = counted([...asked(false), ...(inTable ? [] : entries.map(() => 'state'))])
  const perElement = counted(asked(true))
  const redis = [...(single ? [`${single} per record`] : []), ...(perElement ? [`${perElement} per element`] : [])]
  const pipeline = redis.length === 0 ? [] : [[...redis, 'one pipeline'].join(', ')]
  const state = inTable && entries.length > 0 ? [`${entries.length} state per record, BatchGetItem ${store.table}`] : []
  const others = lookups.flatMap(({ enricher: { lookup } }) =>
    lookup.kind === 'item'
      ? [`BatchGetItem ${lookup.table}`]
      : lookup.kind === 'request'
        ? [`${lookup.method} ${lookup.host}`]
        : [],
  )
  const cached = lookups
    .filter(({ enricher }) => enricher.cacheMs > 0)
    .map(({ enricher }) => `${enricher.name} cached ${durationText(enricher.cacheMs)}`)
  const alsoFor = [
    ...lookups.map(({ enricher, onDroppedSinks }) => ({ name: enricher.name, onDroppedSinks })),
    ...entries.map(({ entry, onDroppedSinks }) => ({ name: entry.name, onDroppedSinks })),
  ]
    .filter(({ onDroppedSinks }) => onDroppedSinks.length > 0)
    .map(({ name, onDroppedSinks }) => `${name} also for ${onDroppedSinks.map(sink => sink.name).join(', ')}`)
  const forSinks = lookups
    .filter(
      ({ byFilters, sinks, onDroppedSinks }) =>
        !byFilters && onDroppedSinks.length === 0 && sinks.length > 0 && sinks.length < scenario.sinks.length,
    )
    .map(({ enricher, sinks }) => `${enricher.name} for ${sinks.map(sink => sink.name).join(', ')}`)
  return [...pipeline, ...state, ...new Set(others), ...cached, ...alsoFor, ...forSinks].join('; ')
}

function writeDetail(entries: readonly StateEntry[], { store }: Explained): string {
  const caps = entries.flatMap(entry => {
    if (entry.kind === 'remember') return []
    const within = entry.withinMs === undefined ? '' : ` within ${durationText(entry.withinMs)}`
    return [`${entry.name} at most ${collapsed(entry.limit.source)}${within}`]
  })
  const how = {
    server: '1 script per partition',
    cluster: 'per partition its lock, then 1 script per key',
    table: 'per partition its lock, then 1 conditional write per key',
  }[typeof store === 'object' ? 'table' : store]
  return [how, ...caps].join('; ')
}

function sinkDetail(sink: Sink): string {
  return [
    ...(sink.onDropped ? ['on dropped'] : []),
    ...(sink.forEach ? [forEachText(sink.forEach)] : []),
    ...(sink.when ? [`when ${collapsed(sink.when.source)}`] : []),
    sink.key ? `key ${valueText(sink.key)}` : 'key as received',
    `to ${sink.topic.source}`,
  ].join('; ')
}

function forEachText({ element, list }: NonNullable<Decision['forEach']>): string {
  return `for each ${element} in ${collapsed(list.source)}`
}

function valueText(value: Value & { kind: 'expression' | 'template' }): string {
  return value.kind === 'expression' ? collapsed(value.checked.source) : quoted(value.template)
}

function quoted(template: Template): string {
  return `"${template.source}"`
}

function collapsed(source: string): string {
  return source.trim().replace(/\s+/g, ' ')
}

/** `5m`, `800ms`, `7d`: as durations are written in scenario files. */
function durationText(ms: number): string {
  const units = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
  ] as const
  const unit = units.find(([, size]) => ms % size === 0)
  return unit ? `${ms / unit[1]}${unit[0]}` : `${ms}ms`
}

function widest(texts: readonly string[]): number {
  return Math.max(0, ...texts.map(text => text.length))
}
