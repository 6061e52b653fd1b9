// When state is known. Caps are asked after all else, so only sinks can read them. Remembered values are read once per batch, with the
// look-ups: what a record leaves must be known before the next one of its key is judged, so no look-up may wait for it.
import { namesIn, rangeOfName } from './cycles.ts'
import type { Names } from './names.ts'
import type { Report } from './report.ts'
import type { Decision, Enricher, Filter, Sink } from './scenario.ts'
import { writeOwner } from './state.ts'
import type { StateSyntax } from './syntax.ts'
import { capitalized, type Use } from './values.ts'

export interface OrderedParts {
  readonly enrichers: readonly Enricher[]
  readonly filters: readonly Filter[]
  readonly decisions: readonly Decision[]
  readonly sinks: readonly Sink[]
  readonly state: readonly StateSyntax[]
}

/** What is known before caps are asked, and reads one all the same. */
export function reportCapReads(parts: OrderedParts, uses: readonly Use[], names: Names, report: Report): void {
  const isCap = (name: string): boolean => names.kindOf(name) === 'cap'
  const usesOf = Map.groupBy(uses, use => use.owner)
  const early = new Set([
    ...[...parts.filters, ...parts.enrichers, ...judging(parts)].map(({ name }) => name),
    ...parts.state.flatMap(({ name }) => [name.value, writeOwner(name.value)]),
    ...parts.sinks.filter(sink => sink.onDropped).map(({ name }) => `sinks.${name}`),
  ])
  for (const owner of early) {
    const told = new Set<string>()
    for (const use of usesOf.get(owner) ?? []) {
      for (const name of namesIn(use.checked.tree)) {
        // What stops a path is told of by itself.
        const path = pathTo(isCap, name, other => (early.has(other) ? [] : readNames(usesOf.get(other))))
        const cap = path?.at(-1)
        if (path === undefined || cap === undefined || told.has(`${use.place} ${cap}`)) continue
        told.add(`${use.place} ${cap}`)
        const range = rangeOfName(name, use) ?? use.scalar?.range ?? names.rangeOf(owner)!
        const notes = [
          ...stepsOf(path, usesOf, names),
          `Only sinks read it: a record without a place is dropped by "${cap}" by itself.`,
        ]
        report.add('reads-cap', { place: capitalized(use.place), cap }, range, { notes })
      }
    }
  }
}

/**
 * A look-up whose key needs what records leave, while what they leave needs the look-up: the second record of a key would wait for the
 * first one's look-up, a round trip for each record. Asked only where no names need each other anyhow.
 */
export function reportRoundsOfState(parts: OrderedParts, uses: readonly Use[], names: Names, report: Report): void {
  const usesOf = Map.groupBy(uses, use => use.owner)
  const filtering = [...parts.filters, ...judging(parts)].map(({ name }) => name)
  const withoutWhen = new Map(
    parts.state
      .filter(({ limit, when }) => limit === undefined && when === undefined)
      .map(({ name }) => [writeOwner(name.value), name]),
  )
  const remembered = parts.state.filter(({ limit }) => limit === undefined).map(({ name }) => name.value)
  const needs = (owner: string): readonly string[] => [
    ...readNames(usesOf.get(owner)),
    ...(remembered.includes(owner) ? [writeOwner(owner)] : []),
    ...(withoutWhen.has(owner) ? filtering : []),
  ]
  const told = new Set<string>()
  const fetched = parts.enrichers.filter(({ lookup }) => lookup.kind !== 'table').map(({ name }) => name)
  for (const owner of [...fetched, ...remembered]) {
    if (told.has(owner)) continue
    const round = shortest(readNames(usesOf.get(owner)).map(name => pathTo(other => other === owner, name, needs)))
    if (round === undefined) continue
    const members = [owner, ...round.slice(0, -1)]
    for (const member of members) told.add(member)
    reportRound(members)
  }

  function reportRound(members: readonly string[]): void {
    const steps = members.map((member, i) => {
      const next = members[(i + 1) % members.length]!
      const use = usesOf.get(member)?.find(candidate => namesIn(candidate.checked.tree).includes(next))
      if (use !== undefined) {
        const range = rangeOfName(next, use) ?? use.scalar?.range ?? names.rangeOf(member)!
        return { message: `${capitalized(use.place)} needs "${next}":`, range }
      }
      const entry = withoutWhen.get(member)
      if (entry === undefined) return undefined
      return {
        message: `State "${entry.value}" has no "when", so it needs all filters, also "${next}":`,
        range: names.rangeOf(next)!,
      }
    })
    const [first, ...others] = steps.flatMap(step => step ?? [])
    const entries = members.filter(member => remembered.includes(member))
    const described = [
      ...members.filter(member => fetched.includes(member)).map(name => `enricher "${name}"`),
      ...entries.map(name => `state "${name}"`),
    ]
    const cure = members.some(
      member => withoutWhen.has(member) && !readNames(usesOf.get(member)).includes(nextOf(members, member)),
    )
      ? `Write a "when" for state "${entries[0]}" that does without them.`
      : 'Remove one of the references.'
    const values = { names: capitalized(listed(described)) }
    report.add('enricher-cycle/state', values, first!.range, {
      notes: [...others, `What a record leaves must be known without waiting for a look-up of the record before it. ${cure}`],
    })
  }
}

const judging = ({ enrichers, decisions }: OrderedParts): readonly { readonly name: string }[] =>
  [...enrichers, ...decisions].filter(({ onMissing }) => onMissing === 'drop' || onMissing === 'deadLetter')

const readNames = (uses: readonly Use[] | undefined): readonly string[] => [
  ...new Set((uses ?? []).flatMap(use => namesIn(use.checked.tree))),
]

const nextOf = (members: readonly string[], member: string): string => members[(members.indexOf(member) + 1) % members.length]!

/** From `start` to the nearest name that is looked for, both included. */
function pathTo(
  isGoal: (name: string) => boolean,
  start: string,
  needs: (name: string) => readonly string[],
): readonly string[] | undefined {
  const cameFrom = new Map<string, string | undefined>([[start, undefined]])
  for (const name of cameFrom.keys()) {
    if (isGoal(name)) {
      const path: string[] = []
      for (let at: string | undefined = name; at !== undefined; at = cameFrom.get(at)) path.unshift(at)
      return path
    }
    // A Map may grow while it is iterated: what is added comes later.
    for (const other of needs(name)) if (!cameFrom.has(other)) cameFrom.set(other, name)
  }
  return undefined
}

const shortest = (paths: readonly (readonly string[] | undefined)[]): readonly string[] | undefined =>
  paths.filter(path => path !== undefined).toSorted((a, b) => a.length - b.length)[0]

/** How a path goes on after its first name. */
function stepsOf(
  path: readonly string[],
  usesOf: ReadonlyMap<string, readonly Use[]>,
  names: Names,
): readonly { readonly message: string; readonly range: Use['checked']['tree']['range'] }[] {
  return path.slice(0, -1).map((name, i) => {
    const next = path[i + 1]!
    const use = usesOf.get(name)!.find(candidate => namesIn(candidate.checked.tree).includes(next))!
    const range = rangeOfName(next, use) ?? use.scalar?.range ?? names.rangeOf(name)!
    return { message: `${capitalized(use.place)} reads "${next}":`, range }
  })
}

function listed(items: readonly string[]): string {
  return items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`
}
