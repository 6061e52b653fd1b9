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
  /**
   * `hash`, `json`, `text`, `set`: Redis; `request`: HTTP; `item`: DynamoDB; `table`: a CSV file; `each`: a hash of Redis for each item of the
   * event. Texts and sets have no `ref`; a set is never missing, and `n` is 1 where it has the member.
   */
  readonly kind: 'hash' | 'json' | 'text' | 'set' | 'request' | 'item' | 'table' | 'each'
  /** Whose keys it asks for: its own (its index), or those of an earlier one, so that look-ups are equal now and then. */
  readonly place: number
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

export const redisKinds = ['hash', 'json', 'text', 'set', 'each'] as const
const isOfRedis = ({ kind }: EnricherModel) => (redisKinds as readonly string[]).includes(kind)
/** What one asks for under a key, another may ask for, too. */
const contentOf = (kind: EnricherModel['kind']) => (kind === 'each' ? 'hash' : kind)

/** `kinds`: those of the look-ups, the more often the more likely. */
export function randomModel(
  random: Random,
  kinds: readonly EnricherModel['kind'][] = [...redisKinds, 'hash', 'request', 'request', 'item', 'item', 'table'],
): Model {
  const pick = <T>(choices: readonly T[]): T => choices[random(choices.length)]!
  const enrichers: EnricherModel[] = []
  const count = 1 + random(5)
  for (let e = 0; e < count; e++) {
    const kind = pick(kinds)
    const parents = enrichers.flatMap((one, index) => (['each', 'text', 'set'].includes(one.kind) ? [] : [index]))
    const alike = enrichers.flatMap(one => (kind !== 'table' && contentOf(one.kind) === contentOf(kind) ? [one.place] : []))
    enrichers.push({
      kind,
      place: alike.length > 0 && random(2) === 0 ? pick(alike) : e,
      parent: kind === 'each' || parents.length === 0 || random(2) === 0 ? undefined : pick(parents),
      onMissing: kind === 'set' ? 'empty' : pick(['empty', 'empty', 'drop', 'deadLetter']),
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
    if (kind === 'set') return `size([e${index}].filter(x, x))`
    if (kind === 'text') return onMissing === 'empty' ? `e${index}.?value.orValue(0)` : `e${index}.value`
    return kind === 'table' && onMissing === 'empty' ? `e${index}.?n.orValue(0)` : `e${index}.n`
  }
  const source = ({ a, atLeast, other }: Condition) =>
    `${number(a)} >= ${atLeast}${other ? ` ${other.join} ${number(other.b)} < ${other.below}` : ''}`
  const entries = ({ of, index }: Reading): readonly string[] => {
    if (of === 'enricher') {
      const { kind } = enrichers[index]!
      if (kind === 'each') return [`all: e${index}.map(x, x.n)`]
      return [`n: ${number({ of, index })}`, ...(kind === 'text' || kind === 'set' ? [] : [`ref: e${index}.?ref`])]
    }
    return decisions[index]!.hitPolicy === 'collect' ? [`all: d${index}.map(x, x.score)`] : [`score: d${index}.?score`]
  }
  const tables: Record<string, string> = {}
  const text = [
    'scenario: random',
    'source: { topic: events, event: { id: string, items: [{ id: string }] } }',
    'enrich:',
    ...enrichers.map(({ kind, place, parent, onMissing, onError, isCached }, e) => {
      const hole = parent === undefined ? '{event.id}' : `{e${parent}.?ref}`
      const fields = 'fields: { n: int = 0, ref?: string }'
      const faults = `onError: ${onError}${isCached ? ', cache: 5m' : ''}`
      const missing = `onMissing: ${onMissing}`
      if (kind === 'hash' || kind === 'json')
        return `  e${e}: { redis: "${kind} e${place}:${hole}", ${fields}, ${missing}, ${faults} }`
      if (kind === 'text') return `  e${e}: { redis: "string e${place}:${hole}", value: int, ${missing}, ${faults} }`
      if (kind === 'set') return `  e${e}: { redis: "set e${place}:${hole} has x", ${faults} }`
      if (kind === 'each')
        return `  e${e}: { forEach: item in event.items, redis: "hash e${place}:{item.id}", ${fields}, ${missing}, ${faults} }`
      if (kind === 'request') return `  e${e}: { http: "GET ${requestBase(place)}${hole}", ${fields}, ${missing}, ${faults} }`
      if (kind === 'item') return `  e${e}: { dynamodb: "item items-e${place} id=${hole}", ${fields}, ${missing}, ${faults} }`
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
function keyOf({ kind, place }: EnricherModel, id: string): string {
  if (kind === 'request') return `${requestBase(place)}${id}`
  if (kind === 'item') return `items-e${place} ${JSON.stringify({ id: { S: id } })}`
  return kind === 'table' ? `table e${place} ${id}` : `e${place}:${id}`
}

/** What the records of this id hold: their items are other ids, now and then one twice. */
export function itemsOf(id: string, ids: readonly string[]): readonly string[] {
  const n = ids.indexOf(id)
  return Array.from({ length: n % 4 }, (_, k) => ids[(n * 5 + k * (k === 2 ? 0 : 3)) % ids.length]!)
}

/** Entries for these ids: found, not there, half there, of another type or kind. Refs lead to other ids, which many records share. */
export function randomContent({ enrichers }: Model, ids: readonly string[], random: Random): StoreContent {
  const content: Record<string, StoreContent[string]> = {}
  for (const [e, enricher] of enrichers.entries()) {
    if (enricher.place !== e) continue
    for (const id of ids) {
      const kind = random(12)
      if (kind < 2) continue
      const key = keyOf(enricher, id)
      const n = kind === 3 ? 'many' : kind === 4 || kind === 5 ? undefined : random(7)
      const ref = kind !== 4 && random(4) > 0 ? ids[random(ids.length)]! : undefined
      if (enricher.kind === 'table') {
        content[key] = { type: 'string', value: `${id},${typeof n === 'number' ? n : 0},${ref ?? ''}` }
      } else if (enricher.kind === 'request' || enricher.kind === 'json') {
        content[key] =
          kind === 2 ? { type: 'string', value: 'no JSON' } : { type: 'string', value: JSON.stringify({ n, ref, other: 1 }) }
      } else if (enricher.kind === 'item') {
        content[key] = { type: 'string', value: JSON.stringify({ n: kind === 2 ? 'many' : n, ref }) }
      } else if (enricher.kind === 'text') {
        content[key] = kind === 2 ? { type: 'hash', value: { n: 'no text' } } : { type: 'string', value: String(n ?? 0) }
      } else if (enricher.kind === 'set') {
        content[key] = kind === 2 ? { type: 'string', value: 'no set' } : { type: 'set', value: kind < 7 ? ['x', 'y'] : ['y'] }
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

/** Keys that give no answer: the whole Redis is down, or single addresses of the service, or keys of DynamoDB, are. */
export function randomFailures({ enrichers }: Model, ids: readonly string[], random: Random): ReadonlySet<string> {
  const mode = random(6)
  const failing = enrichers.flatMap(enricher => {
    if (mode === 0 && isOfRedis(enricher)) return ids.map(id => keyOf(enricher, id))
    if ((mode === 1 && enricher.kind === 'request') || (mode === 2 && enricher.kind === 'item'))
      return ids.filter(() => random(6) === 0).map(id => keyOf(enricher, id))
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
    const address = keyOf(enricher, key)
    const broken: Found = onError === 'missing' ? missing : { fails: 'lookup-invalid' }
    if (failing?.has(address)) return onError === 'retry' ? { fails: 'retry' } : broken
    const entry = content[address]
    if (entry === undefined) return missing
    if (kind === 'table') {
      const [, n, ref] = String(entry.value).split(',')
      return { n: Number(n), ref: ref === '' ? undefined : ref }
    }
    if (kind === 'set') return entry.type === 'set' ? { n: entry.value.includes('x') ? 1 : 0, ref: undefined } : broken
    if (kind === 'text')
      return entry.type !== 'string' || entry.value === 'many' ? broken : { n: Number(entry.value), ref: undefined }
    if (kind === 'request' || kind === 'json' || kind === 'item') {
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
