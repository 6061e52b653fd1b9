// Names that need each other. Sections may stand in any order, but each value needs a moment when all that it refers to is known.
import type { Range } from '../language/problem.ts'
import type { Expr } from '../language/syntax.ts'
import type { NameKind, Names } from './names.ts'
import type { Report } from './report.ts'
import { partOf, type Use } from './values.ts'

/** Reports every group of names that need each other, once, at the first reference of one round; tells whether there is one. */
export function reportCycles(order: readonly string[], uses: readonly Use[], names: Names, report: Report): boolean {
  const usesOf = Map.groupBy(uses, use => use.owner)
  const needs = (name: string): readonly string[] => [
    ...new Set((usesOf.get(name) ?? []).flatMap(use => namesIn(use.checked.tree)).filter(other => usesOf.has(other))),
  ]
  const told = new Set<string>()
  for (const name of order) {
    if (told.has(name)) continue
    const round = shortestRound(name, needs)
    if (round === undefined) continue
    for (const member of round) told.add(member)
    reportRound(round, usesOf, names, report)
  }
  return told.size > 0
}

// Breadth first, so that the message has as few names as possible.
function shortestRound(start: string, needs: (name: string) => readonly string[]): readonly string[] | undefined {
  const cameFrom = new Map<string, string>()
  let edge = [start]
  while (edge.length > 0) {
    const next: string[] = []
    for (const name of edge) {
      for (const other of needs(name)) {
        if (other === start) return pathTo(name, start, cameFrom)
        if (cameFrom.has(other)) continue
        cameFrom.set(other, name)
        next.push(other)
      }
    }
    edge = next
  }
  return undefined
}

function pathTo(last: string, start: string, cameFrom: ReadonlyMap<string, string>): readonly string[] {
  const path = [last]
  while (path[0] !== start) path.unshift(cameFrom.get(path[0]!)!)
  return path
}

function reportRound(round: readonly string[], usesOf: ReadonlyMap<string, readonly Use[]>, names: Names, report: Report): void {
  const references = round.map((name, i) => referenceTo(round[(i + 1) % round.length]!, usesOf.get(name)!, names.rangeOf(name)!))
  const [first, ...others] = references
  const notes = [
    ...others.map((reference, i) => ({
      message: `${capital(reference.place)} needs "${round[(i + 2) % round.length]}":`,
      range: reference.range,
    })),
    round.length === 1
      ? 'Remove the reference.'
      : `Remove one of the ${round.length === 2 ? 'two ' : ''}references, so that one of them can be ${round.every(name => names.kindOf(name) === 'enricher') ? 'fetched' : 'found'} first.`,
  ]
  const [name] = round
  const kinds = new Set(round.map(member => names.kindOf(member)!))
  const remedy = { notes }
  if (kinds.size === 1 && kinds.has('enricher')) {
    if (round.length === 1) report.add('enricher-cycle/self', { name: name! }, first!.range, remedy)
    else report.add('enricher-cycle', { names: listed(round.toSorted(byPlace(names)).map(quoted)) }, first!.range, remedy)
    return
  }
  const described = round.map(member => `${kindWords[names.kindOf(member)!]} ${quoted(member)}`)
  const values = { names: capital(listed(described)) }
  if (round.length === 1) report.add('expression-cycle/self', values, first!.range, remedy)
  else if (kinds.has('enricher')) report.add('enricher-cycle/mixed', values, first!.range, remedy)
  else if (kinds.size === 1 && kinds.has('variable')) {
    report.add('expression-cycle', { names: listed(round.map(quoted)) }, first!.range, remedy)
  } else report.add('expression-cycle/mixed', values, first!.range, remedy)
}

const byPlace =
  (names: Names) =>
  (a: string, b: string): number =>
    (names.rangeOf(a)?.start ?? 0) - (names.rangeOf(b)?.start ?? 0)

function referenceTo(name: string, uses: readonly Use[], owner: Range): { readonly place: string; readonly range: Range } {
  const use = uses.find(candidate => namesIn(candidate.checked.tree).includes(name))!
  if (use.scalar === undefined) return { place: use.place, range: owner }
  return { place: use.place, range: rangeOfName(name, use) ?? use.scalar.range }
}

/** Where an expression mentions a name, with the fields read of it. */
export function rangeOfName(name: string, { scalar, checked }: Use): Range | undefined {
  const found = mentionOf(name, checked.tree)
  return found === undefined || scalar === undefined ? undefined : partOf(scalar, found.start, found.end).range
}

function mentionOf(name: string, tree: Expr): Range | undefined {
  let selected = tree
  while (selected.kind === 'select') selected = selected.target
  if (selected.kind === 'name' && selected.name === name) return tree.range
  for (const part of partsOf(tree)) {
    const found = mentionOf(name, part)
    if (found !== undefined) return found
  }
  return undefined
}

// As written: a name in a cycle has the type `error`, and what is wrong is no longer among an expression's references.
export function namesIn(tree: Expr): readonly string[] {
  return tree.kind === 'name' ? [tree.name] : partsOf(tree).flatMap(namesIn)
}

function partsOf(tree: Expr): readonly Expr[] {
  switch (tree.kind) {
    case 'select':
      return [tree.target]
    case 'index':
      return [tree.target, tree.index]
    case 'call':
      return tree.target === undefined ? tree.args : [tree.target, ...tree.args]
    case 'unary':
      return [tree.operand]
    case 'binary':
      return [tree.left, tree.right]
    case 'conditional':
      return [tree.condition, tree.yes, tree.no]
    case 'list':
      return tree.elements.map(element => element.value)
    case 'map':
      return tree.entries.flatMap(entry => [entry.key, entry.value])
    default:
      return []
  }
}

const kindWords: Record<NameKind, string> = {
  given: '',
  variable: 'variable',
  filter: 'filter',
  enricher: 'enricher',
  decision: 'decision',
  remember: 'state',
  cap: 'cap',
  loop: '',
}

const quoted = (name: string): string => `"${name}"`
const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1)

function listed(items: readonly string[]): string {
  return items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`
}
