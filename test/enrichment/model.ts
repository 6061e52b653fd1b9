// Random scenarios of look-ups, filters and sinks as data: written out as a scenario file for the compiler, and judged here record by record,
// one look-up after the other, as a reader of the format would. Nothing of the planner is used.
import type { StoreContent } from '../../lib/connectors/memory.ts'

export interface Model {
  readonly enrichers: readonly {
    /** Undefined: the key is the event's id; else the `ref` that this earlier one found. */
    readonly parent: number | undefined
    readonly onMissing: 'empty' | 'drop' | 'deadLetter'
    readonly onError: 'retry' | 'missing'
  }[]
  readonly filters: readonly Condition[]
  readonly sinks: readonly { readonly when: Condition | undefined; readonly reads: number }[]
}

/** `eA.n >= a`, alone or joined with `eB.n < b`. */
export interface Condition {
  readonly a: number
  readonly atLeast: number
  readonly other?: { readonly join: '&&' | '||'; readonly b: number; readonly below: number }
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

export function randomModel(random: Random): Model {
  const count = 1 + random(5)
  const condition = (): Condition => ({
    a: random(count),
    atLeast: random(4),
    ...(random(2) === 0 && { other: { join: random(2) === 0 ? '&&' : '||', b: random(count), below: 1 + random(6) } }),
  })
  return {
    enrichers: Array.from({ length: count }, (_, e) => ({
      parent: e === 0 || random(2) === 0 ? undefined : random(e),
      onMissing: (['empty', 'empty', 'drop', 'deadLetter'] as const)[random(4)]!,
      onError: (['retry', 'retry', 'missing'] as const)[random(3)]!,
    })),
    filters: Array.from({ length: random(4) }, condition),
    sinks: Array.from({ length: 1 + random(3) }, () => ({
      when: random(2) === 0 ? condition() : undefined,
      reads: random(count),
    })),
  }
}

export function scenarioText({ enrichers, filters, sinks }: Model): string {
  const source = ({ a, atLeast, other }: Condition) =>
    `e${a}.n >= ${atLeast}${other ? ` ${other.join} e${other.b}.n < ${other.below}` : ''}`
  return [
    'scenario: random',
    'source: { topic: events, event: { id: string } }',
    'enrich:',
    ...enrichers.map(
      ({ parent, onMissing, onError }, e) =>
        `  e${e}: { redis: "hash e${e}:{${parent === undefined ? 'event.id' : `e${parent}.?ref`}}", fields: { n: int = 0, ref?: string }, onMissing: ${onMissing}, onError: ${onError} }`,
    ),
    ...(filters.length === 0 ? [] : ['filter:', ...filters.map((filter, f) => `  f${f}: ${source(filter)}`)]),
    'sinks:',
    ...sinks.flatMap(({ when, reads }, s) => [
      `  s${s}:`,
      `    topic: out${s}`,
      ...(when ? [`    when: ${source(when)}`] : []),
      `    value: { id: event.id, n: e${reads}.n, ref: e${reads}.?ref }`,
    ]),
    '',
  ].join('\n')
}

/** Entries for these ids: found, not there, half there, of another type or kind. Refs lead to other ids, which many records share. */
export function randomContent({ enrichers }: Model, ids: readonly string[], random: Random): StoreContent {
  const content: Record<string, StoreContent[string]> = {}
  for (const e of enrichers.keys()) {
    for (const id of ids) {
      const kind = random(12)
      if (kind < 2) continue
      const ref = ids[random(ids.length)]!
      if (kind === 2) content[`e${e}:${id}`] = { type: 'string', value: 'no hash' }
      else if (kind === 3) content[`e${e}:${id}`] = { type: 'hash', value: { n: 'many', ref } }
      else if (kind === 4) content[`e${e}:${id}`] = { type: 'hash', value: { other: 'field' } }
      else if (kind === 5) content[`e${e}:${id}`] = { type: 'hash', value: { ref } }
      else content[`e${e}:${id}`] = { type: 'hash', value: { n: String(random(7)), ...(random(4) > 0 && { ref }) } }
    }
  }
  return content
}

/** What may become of a record. Which of several false filters, and which of several failing ones, is told depends on the order. */
export interface Fate {
  readonly droppedBy: readonly string[]
  readonly reasons: readonly string[]
  readonly outputs: readonly string[]
}

type Found = { readonly n: number; readonly ref: string | undefined } | { readonly fails: string }
type Verdict = boolean | { readonly fails: string }

export function naiveFate(model: Model, id: string, content: StoreContent): Fate {
  const find = (e: number): Found => {
    const { parent, onMissing, onError } = model.enrichers[e]!
    const missing: Found = onMissing === 'empty' ? { n: 0, ref: undefined } : { fails: 'lookup-missing' }
    let key: string | undefined = id
    if (parent !== undefined) {
      const found = find(parent)
      if ('fails' in found) return found
      key = found.ref
    }
    const entry = key === undefined ? undefined : content[`e${e}:${key}`]
    if (entry === undefined) return missing
    const broken: Found = onError === 'missing' ? missing : { fails: 'lookup-invalid' }
    if (entry.type !== 'hash') return broken
    const { n, ref } = entry.value as { n?: string; ref?: string }
    if (n === undefined && ref === undefined) return missing
    return n === 'many' ? broken : { n: Number(n ?? 0), ref }
  }
  const compare = (e: number, holds: (n: number) => boolean): Verdict => {
    const found = find(e)
    return 'fails' in found ? found : holds(found.n)
  }
  const judge = ({ a, atLeast, other }: Condition): Verdict => {
    const left = compare(a, n => n >= atLeast)
    if (other === undefined) return left
    const right = compare(other.b, n => n < other.below)
    const decides = other.join === '||'
    if (left === decides || right === decides) return decides
    return typeof left === 'object' ? left : right
  }

  const verdicts: (readonly [name: string, verdict: Verdict])[] = model.filters.map((filter, f) => [`f${f}`, judge(filter)])
  for (const [e, { onMissing }] of model.enrichers.entries()) {
    const found = find(e)
    if (onMissing === 'empty' || !('fails' in found)) continue
    verdicts.push([`e${e}`, onMissing === 'drop' && found.fails === 'lookup-missing' ? false : found])
  }
  const droppedBy = verdicts.filter(([, verdict]) => verdict === false).map(([name]) => name)
  if (droppedBy.length > 0) return { droppedBy, reasons: [], outputs: [] }
  const reasons = verdicts.flatMap(([, verdict]) => (typeof verdict === 'object' ? [verdict.fails] : []))
  if (reasons.length > 0) return { droppedBy: [], reasons, outputs: [] }
  const outputs: string[] = []
  for (const [s, { when, reads }] of model.sinks.entries()) {
    const wanted = when === undefined ? true : judge(when)
    if (typeof wanted === 'object') return { droppedBy: [], reasons: [wanted.fails], outputs: [] }
    if (!wanted) continue
    const found = find(reads)
    if ('fails' in found) return { droppedBy: [], reasons: [found.fails], outputs: [] }
    const ref = found.ref === undefined ? '' : `,"ref":${JSON.stringify(found.ref)}`
    outputs.push(`out${s} {"id":${JSON.stringify(id)},"n":${found.n}${ref}}`)
  }
  return { droppedBy: [], reasons: [], outputs }
}
