// Random scenarios as data: look-ups of all kinds, decisions of all hit policies, filters, sinks. Written out as a scenario file for the compiler,
// and judged here record by record, one look-up after the other, as a reader of the format would. Nothing of the compiler or planner is used.
import type { StoreContent } from '../../lib/connectors/memory.ts'

export interface Model {
  readonly enrichers: readonly EnricherModel[]
  readonly decisions: readonly DecisionModel[]
  readonly filters: readonly Condition[]
  readonly sinks: readonly SinkModel[]
}

export interface EnricherModel {
  /** `hash`: Redis; `request`: HTTP; `table`: a CSV file; `each`: a hash of Redis for each item of the event. */
  readonly kind: 'hash' | 'request' | 'table' | 'each'
  /** Undefined: the key is the event's id; else the `ref` that this earlier one found. */
  readonly parent: number | undefined
  readonly onMissing: 'empty' | 'drop' | 'deadLetter'
  readonly onError: 'retry' | 'missing' | 'deadLetter'
  readonly isCached: boolean
}

export interface DecisionModel {
  readonly input: Reading
  readonly hitPolicy: 'unique' | 'any' | 'first' | 'collect'
  readonly rank: 'ascending' | 'descending' | undefined
  readonly limit: number | undefined
  /** Not with `collect`. */
  readonly onMissing: 'empty' | 'drop' | 'deadLetter'
  /** A row holds from `from` (inclusive) up to `to` (exclusive). */
  readonly rows: readonly { readonly from: number; readonly to: number; readonly score: number }[]
}

/** A number that a look-up (`n`; of `each`: how many have n ≥ 2) or a decision (its score; of `collect`: how many rows) gives. */
export interface Reading {
  readonly of: 'enricher' | 'decision'
  readonly index: number
}

/** `A >= a`, alone or joined with `B < b`. */
export interface Condition {
  readonly a: Reading
  readonly atLeast: number
  readonly other?: { readonly join: '&&' | '||'; readonly b: Reading; readonly below: number }
}

export interface SinkModel {
  readonly onDropped: boolean
  /** A condition, or with `onDropped` a filter by its name. */
  readonly when: Condition | { readonly notFilter: number } | undefined
  readonly reads: Reading
}

export type Random = (below: number) => number

/** The same numbers for the same seed (mulberry32). */
export function randomFrom(seed: number): Random {
  let state = seed
  return below => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

/** `kinds`: those of the look-ups, the more often the more likely. */
export function randomModel(
  random: Random,
  kinds: readonly EnricherModel['kind'][] = ['hash', 'hash', 'hash', 'request', 'request', 'table', 'each'],
): Model {
  const pick = <T>(choices: readonly T[]): T => choices[random(choices.length)]!
  const enrichers: EnricherModel[] = []
  const count = 1 + random(5)
  for (let e = 0; e < count; e++) {
    const kind = pick(kinds)
    const parents = enrichers.flatMap((one, index) => (one.kind === 'each' ? [] : [index]))
    enrichers.push({
      kind,
      parent: kind === 'each' || parents.length === 0 || random(2) === 0 ? undefined : pick(parents),
      onMissing: pick(['empty', 'empty', 'drop', 'deadLetter']),
      onError: pick(['retry', 'retry', 'missing', 'deadLetter']),
      isCached: kind !== 'table' && random(3) === 0,
    })
  }
  const decisions: DecisionModel[] = []
  const reading = (): Reading =>
    decisions.length > 0 && random(3) === 0
      ? { of: 'decision', index: random(decisions.length) }
      : { of: 'enricher', index: random(count) }
  for (let d = random(3); d > 0; d--) decisions.push(randomDecision(reading(), random))
  const condition = (): Condition => ({
    a: reading(),
    atLeast: random(4),
    ...(random(2) === 0 && { other: { join: pick(['&&', '||']), b: reading(), below: 1 + random(6) } }),
  })
  const filters = Array.from({ length: random(4) }, condition)
  return {
    enrichers,
    decisions,
    filters,
    sinks: Array.from({ length: 1 + random(3) }, () => {
      const onDropped = random(4) === 0
      const byFilter = onDropped && filters.length > 0 && random(2) === 0
      return {
        onDropped,
        when: byFilter ? { notFilter: random(filters.length) } : random(2) === 0 ? condition() : undefined,
        reads: reading(),
      }
    }),
  }
}

function randomDecision(input: Reading, random: Random): DecisionModel {
  const hitPolicy = (['unique', 'any', 'first', 'collect'] as const)[random(4)]!
  const ranked = (hitPolicy === 'first' || hitPolicy === 'collect') && random(2) === 0
  const sameScore = random(9)
  let next = 0
  const rows = Array.from({ length: 2 + random(2) }, (_, r) => {
    // Rows of `unique` never meet; the others do, without one row hiding a later one.
    const from = hitPolicy === 'unique' ? next : r
    const to = hitPolicy === 'unique' ? from + 1 + random(2) : 3 + 2 * r
    next = to + random(2)
    return { from, to, score: hitPolicy === 'any' ? sameScore : random(9) }
  })
  return {
    input,
    hitPolicy,
    rank: ranked ? (random(2) === 0 ? 'ascending' : 'descending') : undefined,
    limit: hitPolicy === 'collect' && random(2) === 0 ? 1 + random(2) : undefined,
    onMissing: (['empty', 'empty', 'drop', 'deadLetter'] as const)[random(4)]!,
    rows,
  }
}

export interface ScenarioFiles {
  readonly text: string
  /** The CSV files beside it, by name. */
  readonly tables: Readonly<Record<string, string>>
}

export function scenarioFiles(model: Model, content: StoreContent): ScenarioFiles {
  const { enrichers, decisions, filters, sinks } = model
  const number = ({ of, index }: Reading): string => {
    if (of === 'decision') {
      const { hitPolicy, onMissing } = decisions[index]!
      return hitPolicy === 'collect'
        ? `size(d${index})`
        : onMissing === 'empty'
          ? `d${index}.?score.orValue(0)`
          : `d${index}.score`
    }
    const { kind, onMissing } = enrichers[index]!
    if (kind === 'each') return `size(e${index}.filter(x, x.n >= 2))`
    return kind === 'table' && onMissing === 'empty' ? `e${index}.?n.orValue(0)` : `e${index}.n`
  }
  const source = ({ a, atLeast, other }: Condition) =>
    `${number(a)} >= ${atLeast}${other ? ` ${other.join} ${number(other.b)} < ${other.below}` : ''}`
  const entries = ({ of, index }: Reading): readonly string[] => {
    if (of === 'enricher')
      return enrichers[index]!.kind === 'each'
        ? [`all: e${index}.map(x, x.n)`]
        : [`n: ${number({ of, index })}`, `ref: e${index}.?ref`]
    return decisions[index]!.hitPolicy === 'collect' ? [`all: d${index}.map(x, x.score)`] : [`score: d${index}.?score`]
  }
  const tables: Record<string, string> = {}
  const text = [
    'scenario: random',
    'source: { topic: events, event: { id: string, items: [{ id: string }] } }',
    'enrich:',
    ...enrichers.map(({ kind, parent, onMissing, onError, isCached }, e) => {
      const hole = parent === undefined ? '{event.id}' : `{e${parent}.?ref}`
      const fields = 'fields: { n: int = 0, ref?: string }'
      const faults = `onError: ${onError}${isCached ? ', cache: 5m' : ''}`
      const missing = `onMissing: ${onMissing}`
      if (kind === 'hash') return `  e${e}: { redis: "hash e${e}:${hole}", ${fields}, ${missing}, ${faults} }`
      if (kind === 'each')
        return `  e${e}: { forEach: item in event.items, redis: "hash e${e}:{item.id}", ${fields}, ${missing}, ${faults} }`
      if (kind === 'request') return `  e${e}: { http: "GET ${requestBase(e)}${hole}", ${fields}, ${missing}, ${faults} }`
      tables[`e${e}.csv`] = csvOf(e, content)
      return `  e${e}: { table: "e${e}.csv key=${hole}", ${missing} }`
    }),
    ...(decisions.length === 0 ? [] : ['decide:']),
    ...decisions.flatMap(({ input, hitPolicy, rank, limit, onMissing, rows }, d) => [
      `  d${d}:`,
      `    hitPolicy: ${hitPolicy}`,
      ...(rank === undefined ? [] : [`    rank: score ${rank}`]),
      ...(limit === undefined ? [] : [`    limit: ${limit}`]),
      ...(hitPolicy === 'collect' ? [] : [`    onMissing: ${onMissing}`]),
      '    table: |',
      `      | ${number(input)} || score |`,
      '      | --- || --- |',
      ...rows.map(({ from, to, score }) => `      | [${from}..${to}) || ${score} |`),
    ]),
    ...(filters.length === 0 ? [] : ['filter:', ...filters.map((filter, f) => `  f${f}: ${source(filter)}`)]),
    'sinks:',
    ...sinks.flatMap(({ when, reads, onDropped }, s) => [
      `  s${s}:`,
      `    topic: out${s}`,
      ...(onDropped ? ['    on: dropped'] : []),
      ...(when === undefined ? [] : [`    when: ${'notFilter' in when ? `(!f${when.notFilter})` : source(when)}`]),
      '    value:',
      '      id: event.id',
      ...entries(reads).map(entry => `      ${entry}`),
    ]),
    '',
  ].join('\n')
  return { text, tables }
}

const requestBase = (e: number) => `http://service.example/e${e}/`
/** Where the entries of a look-up stand in the content; those of a table under names that no store is asked for. */
const keyOf = ({ kind }: EnricherModel, e: number, id: string) =>
  kind === 'request' ? `${requestBase(e)}${id}` : kind === 'table' ? `table e${e} ${id}` : `e${e}:${id}`

/** What the records of this id hold: their items are other ids, now and then one twice. */
export function itemsOf(id: string, ids: readonly string[]): readonly string[] {
  const n = ids.indexOf(id)
  return Array.from({ length: n % 4 }, (_, k) => ids[(n * 5 + k * (k === 2 ? 0 : 3)) % ids.length]!)
}

/** Entries for these ids: found, not there, half there, of another type or kind. Refs lead to other ids, which many records share. */
export function randomContent({ enrichers }: Model, ids: readonly string[], random: Random): StoreContent {
  const content: Record<string, StoreContent[string]> = {}
  for (const [e, enricher] of enrichers.entries()) {
    for (const id of ids) {
      const kind = random(12)
      if (kind < 2) continue
      const key = keyOf(enricher, e, id)
      const n = kind === 3 ? 'many' : kind === 4 || kind === 5 ? undefined : random(7)
      const ref = kind !== 4 && random(4) > 0 ? ids[random(ids.length)]! : undefined
      if (enricher.kind === 'table') {
        content[key] = { type: 'string', value: `${id},${typeof n === 'number' ? n : 0},${ref ?? ''}` }
      } else if (enricher.kind === 'request') {
        content[key] =
          kind === 2 ? { type: 'string', value: 'no JSON' } : { type: 'string', value: JSON.stringify({ n, ref, other: 1 }) }
      } else if (kind === 2) content[key] = { type: 'string', value: 'no hash' }
      else {
        const value = { ...(n !== undefined && { n: String(n) }), ...(ref !== undefined && { ref }), other: 'field' }
        content[key] = { type: 'hash', value }
      }
    }
  }
  return content
}

function csvOf(e: number, content: StoreContent): string {
  const rows = Object.entries(content).flatMap(([key, entry]) => (key.startsWith(`table e${e} `) ? [String(entry.value)] : []))
  return ['key,n: int,ref', ...rows, 'nobody,0,', ''].join('\n')
}

/** Keys that give no answer: the whole Redis is down, or single addresses of the service are. */
export function randomFailures({ enrichers }: Model, ids: readonly string[], random: Random): ReadonlySet<string> {
  const mode = random(6)
  const failing = enrichers.flatMap((enricher, e) => {
    if (mode === 0 && (enricher.kind === 'hash' || enricher.kind === 'each')) return ids.map(id => keyOf(enricher, e, id))
    if (mode === 1 && enricher.kind === 'request') return ids.filter(() => random(6) === 0).map(id => keyOf(enricher, e, id))
    return []
  })
  return new Set(failing)
}

/** What may become of a record. Which of several false filters, and which of several failing ones, is told depends on the order. */
export interface Fate {
  readonly droppedBy: readonly string[]
  /** `retry`: something that it needs got no answer and must have one. */
  readonly reasons: readonly string[]
  readonly outputs: readonly string[]
}

/** `missing`: who found nothing. What reads it fails as it does, and is not missing itself. */
type Fails = { readonly fails: string; readonly missing?: string; readonly or?: string }
type Found = { readonly n: number; readonly ref: string | undefined } | Fails
type Verdict = boolean | Fails

export interface NaiveWorld {
  readonly content: StoreContent
  readonly failing?: ReadonlySet<string>
  readonly ids: readonly string[]
}

export function naiveFate(model: Model, id: string, world: NaiveWorld): Fate {
  const judge = judgeOf(model, id, world)
  const verdicts: (readonly [name: string, verdict: Verdict])[] = model.filters.map((filter, f) => [
    `f${f}`,
    judge.condition(filter),
  ])
  for (const [e, { kind, onMissing }] of model.enrichers.entries()) {
    // `drop` of a look-up per element leaves the element out.
    if (onMissing === 'empty' || (kind === 'each' && onMissing === 'drop')) continue
    const found = kind === 'each' ? judge.elements(e) : judge.found(e)
    if ('fails' in found) verdicts.push([`e${e}`, onMissing === 'drop' && found.missing === `e${e}` ? false : found])
  }
  for (const [d, { hitPolicy, onMissing }] of model.decisions.entries()) {
    if (onMissing === 'empty' || hitPolicy === 'collect') continue
    const decided = judge.scores(d)
    if ('fails' in decided) verdicts.push([`d${d}`, onMissing === 'drop' && decided.missing === `d${d}` ? false : decided])
  }
  const droppedBy = verdicts.filter(([, verdict]) => verdict === false).map(([name]) => name)
  if (droppedBy.length === 0) {
    const reasons = verdicts.flatMap(([, verdict]) => (typeof verdict === 'object' ? reasonsOf(verdict) : []))
    if (reasons.length > 0) return { droppedBy: [], reasons, outputs: [] }
  }
  const outputs: string[] = []
  for (const [s, { onDropped, when, reads }] of model.sinks.entries()) {
    if (onDropped !== droppedBy.length > 0) continue
    const wanted =
      when === undefined
        ? true
        : 'notFilter' in when
          ? not(judge.condition(model.filters[when.notFilter]!))
          : judge.condition(when)
    if (typeof wanted === 'object') return { droppedBy: [], reasons: reasonsOf(wanted), outputs: [] }
    if (!wanted) continue
    const value = judge.value(reads)
    if ('fails' in value) return { droppedBy: [], reasons: [value.fails], outputs: [] }
    outputs.push(`out${s} ${JSON.stringify({ id, ...value })}`)
  }
  return { droppedBy, reasons: [], outputs }
}

/** Whether one of the look-ups that this record may make gets no answer and must have one. */
export function mayRetry(model: Model, id: string, world: NaiveWorld): boolean {
  const judge = judgeOf(model, id, world)
  return model.enrichers.some(({ kind }, e) => {
    const found = kind === 'each' ? judge.elements(e) : judge.found(e)
    return 'fails' in found && found.fails === 'retry'
  })
}

const reasonsOf = ({ fails, or }: Fails) => (or === undefined ? [fails] : [fails, or])
const not = (verdict: Verdict): Verdict => (typeof verdict === 'object' ? verdict : !verdict)

function judgeOf({ enrichers, decisions }: Model, id: string, { content, failing, ids }: NaiveWorld) {
  const lookUp = (e: number, key: string | undefined): Found => {
    const enricher = enrichers[e]!
    const { kind, onMissing, onError } = enricher
    const missing: Found = onMissing === 'empty' ? { n: 0, ref: undefined } : { fails: 'lookup-missing', missing: `e${e}` }
    if (key === undefined) return missing
    const address = keyOf(enricher, e, key)
    const broken: Found = onError === 'missing' ? missing : { fails: 'lookup-invalid' }
    if (failing?.has(address)) return onError === 'retry' ? { fails: 'retry' } : broken
    const entry = content[address]
    if (entry === undefined) return missing
    if (kind === 'table') {
      const [, n, ref] = String(entry.value).split(',')
      return { n: Number(n), ref: ref === '' ? undefined : ref }
    }
    if (kind === 'request') {
      if (entry.value === 'no JSON') return broken
      const { n, ref } = JSON.parse(String(entry.value)) as { n?: number | string; ref?: string }
      return n === 'many' ? broken : { n: Number(n ?? 0), ref }
    }
    if (entry.type !== 'hash') return broken
    const { n, ref } = entry.value as { n?: string; ref?: string }
    if (n === undefined && ref === undefined) return missing
    return n === 'many' ? broken : { n: Number(n ?? 0), ref }
  }
  const found = (e: number): Found => {
    const { parent } = enrichers[e]!
    if (parent === undefined) return lookUp(e, id)
    const before = found(parent)
    return 'fails' in before ? before : lookUp(e, before.ref)
  }
  const elements = (e: number): { readonly numbers: readonly number[] } | Fails => {
    const all = itemsOf(id, ids).map(item => lookUp(e, item))
    // One that must have an answer stops the batch before anybody looks at the others.
    const failed =
      all.find(one => 'fails' in one && one.fails === 'retry') ?? all.find(one => 'fails' in one && !isLeftOut(e, one))
    if (failed !== undefined && 'fails' in failed) return failed
    return { numbers: all.flatMap(one => ('fails' in one ? [] : [one.n])) }
  }
  const isLeftOut = (e: number, { missing }: Fails) => enrichers[e]!.onMissing === 'drop' && missing === `e${e}`
  /** The scores of the rows that count, in order. */
  const scores = (d: number): { readonly list: readonly number[] } | Fails => {
    const { input, hitPolicy, rank, limit, rows, onMissing } = decisions[d]!
    const n = number(input)
    if (typeof n === 'object') return n
    const list = rows.filter(({ from, to }) => n >= from && n < to).map(({ score }) => score)
    if (rank !== undefined) list.sort((a, b) => (rank === 'ascending' ? a - b : b - a))
    if (hitPolicy === 'collect') return { list: list.slice(0, limit ?? list.length) }
    if (list.length === 0 && onMissing !== 'empty') return { fails: 'decision-missing', missing: `d${d}` }
    return { list: list.slice(0, 1) }
  }
  const number = ({ of, index }: Reading): number | Fails => {
    if (of === 'decision') {
      const decided = scores(index)
      if ('fails' in decided) return decided
      return decisions[index]!.hitPolicy === 'collect' ? decided.list.length : (decided.list[0] ?? 0)
    }
    if (enrichers[index]!.kind === 'each') {
      const all = elements(index)
      return 'fails' in all ? all : all.numbers.filter(n => n >= 2).length
    }
    const one = found(index)
    return 'fails' in one ? one : one.n
  }
  const compare = (reading: Reading, holds: (n: number) => boolean): Verdict => {
    const n = number(reading)
    return typeof n === 'object' ? n : holds(n)
  }
  const condition = ({ a, atLeast, other }: Condition): Verdict => {
    const left = compare(a, n => n >= atLeast)
    if (other === undefined) return left
    const right = compare(other.b, n => n < other.below)
    const decides = other.join === '||'
    if (left === decides || right === decides) return decides
    if (typeof left !== 'object') return right
    // Which of two failures is told is nobody's promise.
    return typeof right === 'object' ? { ...left, or: right.fails } : left
  }
  /** What a sink writes of it, as JSON would show it. */
  const value = ({ of, index }: Reading): object | Fails => {
    if (of === 'decision') {
      const decided = scores(index)
      if ('fails' in decided) return decided
      return decisions[index]!.hitPolicy === 'collect' ? { all: decided.list } : { score: decided.list[0] }
    }
    if (enrichers[index]!.kind === 'each') {
      const all = elements(index)
      return 'fails' in all ? all : { all: all.numbers }
    }
    return found(index)
  }
  return { found, elements, scores, condition, value }
}
