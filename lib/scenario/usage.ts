// What nobody needs, and look-ups that cost more than they seem to: a name that is never used, a field that is never read, an enricher
// that drops records for all sinks though only one reads it. Asked only where the file has no errors, since those hide references.
import type { Names } from './names.ts'
import type { Report } from './report.ts'
import type { Enricher, Scenario } from './scenario.ts'
import { writeOwner } from './state.ts'
import { isShared } from './texts.ts'
import { capitalized, type Use } from './values.ts'

export type UsedParts = Pick<Scenario, 'enrichers' | 'state' | 'variables' | 'filters' | 'decisions' | 'sinks'>

export function reportUsage(parts: UsedParts, uses: readonly Use[], names: Names, report: Report): void {
  const needs = neededBy(uses)
  const filtering = [...parts.filters, ...parts.enrichers.filter(isJudging), ...parts.decisions.filter(isJudging)].map(
    part => part.name,
  )
  const sinkOwners = parts.sinks.map(sink => `sinks.${sink.name}`)
  // A cap drops records, whether its number is read or not; what a remember entry writes counts only where somebody else reads it.
  const caps = parts.state.flatMap(entry => (entry.kind === 'cap' ? [entry.name] : []))
  const remember = parts.state.filter(entry => entry.kind === 'remember')
  const writers = remember.map(entry => writeOwner(entry.name))
  const roots = [...filtering, ...sinkOwners, ...caps]
  const used = reach([...roots, ...writers], needs)

  for (const { name, range } of [...parts.enrichers, ...parts.variables, ...parts.decisions]) {
    if (used.has(name) || isShared({ range })) continue
    const notes = ['Remove it, or use it in a filter or a sink.']
    report.add('unused', { kind: capitalized(names.kindOf(name) ?? ''), name }, range, { notes })
  }
  for (const { name, range, fields, fieldRanges } of remember.filter(entry => !isShared(entry))) {
    const others = reach([...roots, ...writers.filter(writer => writer !== writeOwner(name))], needs)
    if (!others.has(name)) {
      report.add('unused', { kind: 'State', name }, range, { notes: ['Remove it, or use it in a filter or a sink.'] })
      continue
    }
    for (const field of unreadFields(name, fields, uses)) {
      const notes = ['It is written for nobody. Remove it, and what "set" gives it.']
      report.add('unread-field/state', { field, name }, fieldRanges.get(field) ?? range, { notes })
    }
  }
  for (const enricher of parts.enrichers) {
    if (used.has(enricher.name) && !isShared(enricher)) reportUnreadFields(enricher, uses, report)
  }
  reportDropsForOneSink(parts, [...filtering, ...caps, ...writers], needs, report)
}

/** What costs something: all of the scenario's own parts; of shared ones those that judge records, and what any of these reads. */
export function neededNames(parts: UsedParts, uses: readonly Use[]): ReadonlySet<string> {
  const { enrichers, decisions, variables, filters, state, sinks } = parts
  const judging = [...enrichers, ...decisions].filter(isJudging)
  const own = [...enrichers, ...decisions, ...variables, ...state].filter(part => !isShared(part))
  const needs = new Map(neededBy(uses))
  // Whoever reads a remember entry needs what it writes.
  for (const { name, kind } of state) {
    if (kind === 'remember') needs.set(name, new Set([...(needs.get(name) ?? []), writeOwner(name)]))
  }
  const caps = state.filter(entry => entry.kind === 'cap')
  return reach(
    [...own, ...judging, ...filters, ...caps].map(({ name }) => name).concat(sinks.map(({ name }) => `sinks.${name}`)),
    needs,
  )
}

/** `onMissing: drop | deadLetter` makes a filter of it. */
function isJudging({ onMissing }: { readonly onMissing?: 'empty' | 'drop' | 'deadLetter' }): boolean {
  return onMissing === 'drop' || onMissing === 'deadLetter'
}

type Needs = ReadonlyMap<string, ReadonlySet<string>>

function neededBy(uses: readonly Use[]): Needs {
  const needs = new Map<string, Set<string>>()
  for (const { owner, checked } of uses) {
    const known = needs.get(owner) ?? new Set()
    for (const name of checked.references.keys()) known.add(name)
    needs.set(owner, known)
  }
  return needs
}

/** All that these names need, directly or not, and they themselves. */
export function reach(start: readonly string[], needs: Needs): ReadonlySet<string> {
  const reached = new Set(start)
  // A Set may grow while it is iterated: what is added comes later.
  for (const name of reached) {
    for (const needed of needs.get(name) ?? []) reached.add(needed)
  }
  return reached
}

function reportUnreadFields(enricher: Enricher, uses: readonly Use[], report: Report): void {
  // Loops give lists, whose elements are read under other names.
  if (
    enricher.forEach !== undefined ||
    enricher.lookup.kind === 'string' ||
    enricher.lookup.kind === 'member' ||
    enricher.lookup.kind === 'table'
  )
    return
  const unread = unreadFields(enricher.name, enricher.fields, uses)
  // Where none is read, the look-up asks only whether something is there; that takes one field.
  const kept = unread.length === enricher.fields.size ? 1 : 0
  for (const field of unread.slice(kept)) {
    const range = enricher.fieldRanges.get(field) ?? enricher.range
    const notes = ['It is fetched and checked for every record. Remove it.']
    report.add('unread-field', { field, enricher: enricher.name }, range, { notes })
  }
}

function unreadFields(name: string, fields: ReadonlyMap<string, unknown>, uses: readonly Use[]): readonly string[] {
  const paths = uses.flatMap(use => [...(use.checked.references.get(name) ?? [])])
  if (paths.includes('')) return []
  return [...fields.keys()].filter(field => !paths.some(path => path === field || path.startsWith(`${field}.`)))
}

function reportDropsForOneSink(parts: UsedParts, filtering: readonly string[], needs: Needs, report: Report): void {
  if (parts.sinks.length < 2) return
  for (const enricher of parts.enrichers) {
    if (enricher.onMissing !== 'drop' || isShared(enricher)) continue
    const others = filtering.filter(name => name !== enricher.name)
    if (reach(others, needs).has(enricher.name)) continue
    const [reader, ...moreReaders] = parts.sinks.filter(sink => reach([`sinks.${sink.name}`], needs).has(enricher.name))
    if (reader === undefined || moreReaders.length > 0) continue
    report.add('drop-for-one-sink', { enricher: enricher.name, sink: reader.name }, enricher.range, {
      notes: [
        `Without "onMissing", the others get their outputs, and sink "${reader.name}" can ask in its "when" what is there.`,
      ],
    })
  }
}
