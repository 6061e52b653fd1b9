// Filter patterns of the event source mapping, from the rules: what no pattern matches is dropped by AWS before it costs an invocation. A
// pattern is a necessary condition, never the rule itself: a record that could emit or leave state matches, and one whose fields are as declared
// also where a rule fails on it. A record with a field that is missing or of another type may be kept away, which the function would make a
// dead letter: no pattern tells it from one that the rules drop. What AWS' patterns cannot say exactly is left out, which only lets more
// through.
// docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
import { childrenOf, type Typed } from '../lib/language/typed.ts'
import type { Field, Type } from '../lib/language/types.ts'
import type { Scenario } from '../lib/scenario/scenario.ts'

/** AWS takes so many per mapping without a raised quota; they are alternatives. */
const mostPatterns = 5
/** Characters of one pattern. */
const longestPattern = 4096
/** EventBridge's patterns, which Lambda uses, compare numbers up to here, with six fraction digits. */
const largestNumber = 5e9

/** Empty: nothing useful can be said, all records must come. */
export function derivedPatterns(scenario: Scenario): readonly object[] {
  // A sink for dropped records wants exactly what a pattern would keep away.
  if (scenario.sinks.some(({ onDropped }) => onDropped)) return []
  const filters = all(scenario.filters.map(({ condition }) => possible(condition.typed, true, scenario)))
  const alternatives = union([all([filters, wanted(scenario)]), ...writesDropped(scenario)])
  const patterns = usable(alternatives).map(alternative => ({ value: patternOf(alternative) }))
  const fits = patterns.length <= mostPatterns && patterns.every(pattern => JSON.stringify(pattern).length <= longestPattern)
  const says = patterns.every(({ value }) => Object.keys(value).length > 0)
  // No alternative at all: the rules never hold. That is for `check` to tell, not for a pattern.
  return fits && says ? patterns : []
}

/** Where some sink may want the record. */
function wanted(scenario: Scenario): Condition {
  // Without an output there is nothing to lose, unless a missing look-up or decision makes a dead letter of its own.
  const optional = [...scenario.enrichers, ...scenario.decisions]
  if (optional.some(({ onMissing }) => onMissing === 'deadLetter') || writesState(scenario)) return everything
  // Who fails on a filter is a dead letter, whatever the sinks want.
  if (scenario.filters.some(({ condition }) => mayFail(condition.typed, scenario))) return everything
  return union(
    // The list of a "forEach" may fail before its "when" is asked.
    scenario.sinks.map(({ when, forEach }) =>
      when === undefined || forEach !== undefined ? everything : possible(when.typed, true, scenario),
    ),
  )
}

/** Whether a record may change what later ones see by passing the filters alone, whatever the sinks want. */
function writesState({ state }: Scenario): boolean {
  return state.some(entry => entry.kind === 'cap' || entry.when === undefined)
}

/** Where an entry's own "when" may hold, by which it is written for dropped records as well. */
function writesDropped(scenario: Scenario): readonly Condition[] {
  return scenario.state.flatMap(entry =>
    entry.kind === 'remember' && entry.when !== undefined ? [possible(entry.when.typed, true, scenario)] : [],
  )
}

/** Whether some record whose fields are as declared fails on it; in doubt it does. */
function mayFail(node: Typed, scenario: Scenario): boolean {
  if (node.kind === 'error' || (node.kind === 'apply' && !neverFailing.has(node.operation))) return true
  if (node.kind === 'name' && node.name !== 'event') {
    const variable = scenario.variables.find(({ name }) => name === node.name)
    return variable?.value.kind !== 'expression' || mayFail(variable.value.checked.typed, scenario)
  }
  return childrenOf(node).some(child => mayFail(child, scenario))
}

const neverFailing: ReadonlySet<string> = new Set([
  '<',
  '<=',
  '>',
  '>=',
  'same',
  'different',
  'listHas',
  'startsWith',
  'endsWith',
])

/** All of them; the ones that say most first, since too many alternatives are cut. */
function all(conditions: readonly Condition[]): Condition {
  return conditions
    .map(usable)
    .sort((a, b) => a.length - b.length)
    .reduce(intersection, everything)
}

/** Alternatives; a record is kept if one holds. */
type Condition = readonly Alternative[]
/** By path of the value, each with the matchers of which one must hold. */
type Alternative = ReadonlyMap<string, readonly Matcher[]>

type Matcher =
  | { readonly kind: 'literal'; readonly value: string | boolean | null }
  | { readonly kind: 'not'; readonly values: readonly string[] }
  | { readonly kind: 'prefix' | 'suffix'; readonly text: string }
  | { readonly kind: 'exists'; readonly exists: boolean }
  | { readonly kind: 'range'; readonly low: Bound | undefined; readonly high: Bound | undefined }

interface Bound {
  readonly value: number
  readonly inclusive: boolean
}

const everything: Condition = [new Map()]
const nothing: Condition = []

/** A condition that holds wherever `node` evaluates to `wanted` or fails. */
function possible(node: Typed, wanted: boolean, scenario: Scenario): Condition {
  switch (node.kind) {
    case 'constant':
      return node.value === wanted ? everything : nothing
    case 'not':
      return possible(node.operand, !wanted, scenario)
    case 'and':
    case 'or': {
      const sides = [possible(node.left, wanted, scenario), possible(node.right, wanted, scenario)] as const
      // `a && b` is false where one is; where one fails and the other is false, it is false as well.
      return (node.kind === 'and') === wanted ? intersection(...sides) : union(sides)
    }
    case 'name': {
      const variable = scenario.variables.find(({ name }) => name === node.name)
      return variable?.value.kind === 'expression' ? possible(variable.value.checked.typed, wanted, scenario) : everything
    }
    case 'field':
      return at(node, scenario, [{ kind: 'literal', value: wanted }])
    case 'has':
      return at(
        node.operand,
        scenario,
        // Null counts as missing.
        wanted
          ? [{ kind: 'exists', exists: true }]
          : [
              { kind: 'exists', exists: false },
              { kind: 'literal', value: null },
            ],
      )
    case 'apply':
      return comparison(node, wanted, scenario)
    default:
      return everything
  }
}

const mirrored: Readonly<Record<string, string>> = {
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
  same: 'same',
  different: 'different',
}
const negated: Readonly<Record<string, string>> = {
  '<': '>=',
  '<=': '>',
  '>': '<=',
  '>=': '<',
  same: 'different',
  different: 'same',
}

function comparison(node: Typed & { kind: 'apply' }, wanted: boolean, scenario: Scenario): Condition {
  const [left, right] = node.args
  if (left === undefined || right === undefined) return everything
  if (node.operation === 'listHas') return membership(left, right, wanted, scenario)
  if (node.operation === 'startsWith' || node.operation === 'endsWith') {
    if (!wanted || right.kind !== 'constant' || typeof right.value !== 'string' || right.value === '') return everything
    return at(left, scenario, [{ kind: node.operation === 'startsWith' ? 'prefix' : 'suffix', text: right.value }])
  }
  if (left.kind === 'constant')
    return mirrored[node.operation] ? compared(right, mirrored[node.operation]!, left, wanted, scenario) : everything
  return compared(left, node.operation, right, wanted, scenario)
}

function compared(field: Typed, written: string, constant: Typed, wanted: boolean, scenario: Scenario): Condition {
  const operation = wanted ? written : negated[written]
  if (constant.kind !== 'constant' || operation === undefined) return everything
  const { value } = constant
  if (typeof value === 'string') {
    if (operation === 'same') return at(field, scenario, [{ kind: 'literal', value }])
    if (operation === 'different') return at(field, scenario, [{ kind: 'not', values: [value] }])
    return everything
  }
  if (typeof value === 'boolean' && (operation === 'same' || operation === 'different')) {
    return at(field, scenario, [{ kind: 'literal', value: operation === 'same' ? value : !value }])
  }
  const isInt = field.type.kind === 'int'
  // A decimal is a scaled integer inside, and not worth a conversion here.
  if (typeof value !== 'number' || !(isInt || field.type.kind === 'double') || Math.abs(value) > largestNumber) return everything
  if (!isInt && Math.round(value * 1e6) / 1e6 !== value) return everything
  // Six fraction digits are compared: a double just above a bound may be taken for the bound.
  const bound = (inclusive: boolean): Bound => ({ value, inclusive: inclusive || !isInt })
  switch (operation) {
    case 'same':
      return at(field, scenario, [{ kind: 'range', low: bound(true), high: bound(true) }])
    case '<':
    case '<=':
      return at(field, scenario, [{ kind: 'range', low: undefined, high: bound(operation === '<=') }])
    case '>':
    case '>=':
      return at(field, scenario, [{ kind: 'range', low: bound(operation === '>='), high: undefined }])
    default:
      return everything
  }
}

function membership(list: Typed, field: Typed, wanted: boolean, scenario: Scenario): Condition {
  const values =
    list.kind === 'list'
      ? list.elements.map(({ value }) => (value.kind === 'constant' ? value.value : undefined))
      : list.kind === 'constant' && Array.isArray(list.value)
        ? (list.value as readonly unknown[])
        : [undefined]
  if (values.length === 0 || !values.every(value => typeof value === 'string')) return everything
  return at(field, scenario, wanted ? values.map(value => ({ kind: 'literal', value })) : [{ kind: 'not', values }])
}

/** The matchers at a field of the event; everything where `node` is no such field, or has a default, which no pattern knows. */
function at(node: Typed, scenario: Scenario, matchers: readonly Matcher[]): Condition {
  const names: string[] = []
  let target = node
  while (target.kind === 'field') {
    names.unshift(target.field)
    target = target.target
  }
  if (names.length === 0 || target.kind !== 'name' || target.name !== 'event') return everything
  let type: Type = scenario.source.event
  for (const name of names) {
    const field: Field | undefined = type.kind === 'object' ? type.fields.get(name) : undefined
    if (field === undefined || field.default !== undefined) return everything
    type = field.type
  }
  // Patterns look at leaves alone.
  if (!['string', 'enum', 'bool', 'int', 'double', 'timestamp', 'decimal', 'timezone'].includes(type.kind)) return everything
  return [new Map([[JSON.stringify(names), matchers]])]
}

function union(conditions: readonly Condition[]): Condition {
  const merged: Alternative[] = []
  for (const alternative of conditions.flat()) {
    if (alternative.size === 0) return everything
    const index = merged.findIndex(other => differsInOnePath(other, alternative))
    if (index < 0) merged.push(alternative)
    else merged[index] = mergedPaths(merged[index]!, alternative)
  }
  return merged
}

/** Then both are one alternative, with the matchers of both at that path. */
function differsInOnePath(a: Alternative, b: Alternative): boolean {
  if (a.size !== b.size || [...a.keys()].some(path => !b.has(path))) return false
  return [...a].filter(([path, matchers]) => JSON.stringify(matchers) !== JSON.stringify(b.get(path))).length <= 1
}

function mergedPaths(a: Alternative, b: Alternative): Alternative {
  return new Map(
    [...a].map(([path, matchers]) => {
      const known = new Set(matchers.map(matcher => JSON.stringify(matcher)))
      return [path, [...matchers, ...b.get(path)!.filter(matcher => !known.has(JSON.stringify(matcher)))]]
    }),
  )
}

/** Where it would be more alternatives than AWS takes, one side alone: still a necessary condition. */
function intersection(a: Condition, b: Condition): Condition {
  if (a.length * b.length > mostPatterns) return a.length <= b.length ? a : b
  return union(a.map(left => b.map(right => both(left, right))))
}

function both(a: Alternative, b: Alternative): Alternative {
  const merged = new Map(a)
  for (const [path, matchers] of b) {
    const known = merged.get(path)
    merged.set(path, known === undefined ? matchers : bothMatchers(known, matchers))
  }
  return merged
}

function bothMatchers(a: readonly Matcher[], b: readonly Matcher[]): readonly Matcher[] {
  const [x] = a
  const [y] = b
  if (a.length === 1 && b.length === 1 && x!.kind === 'range' && y!.kind === 'range') {
    return [{ kind: 'range', low: tighter(x!.low, y!.low, 1), high: tighter(x!.high, y!.high, -1) }]
  }
  // Of two conditions at one path either alone is necessary: the one that a pattern can say, and that says more.
  const isWeak = a.every(({ kind }) => kind === 'exists')
  return a.every(isUsable) && !isWeak ? a : b
}

function tighter(a: Bound | undefined, b: Bound | undefined, sign: 1 | -1): Bound | undefined {
  if (a === undefined || b === undefined) return a ?? b
  if (a.value === b.value) return a.inclusive ? b : a
  return (a.value - b.value) * sign > 0 ? a : b
}

/** A range that is open on one side would lose what is beyond the largest number that patterns know. */
function isUsable(matcher: Matcher): boolean {
  return matcher.kind !== 'range' || (matcher.low !== undefined && matcher.high !== undefined)
}

function usable(condition: Condition): Condition {
  return union(condition.map(alternative => [new Map([...alternative].filter(([, matchers]) => matchers.every(isUsable)))]))
}

function patternOf(alternative: Alternative): Record<string, unknown> {
  const root: Record<string, unknown> = {}
  for (const [path, matchers] of alternative) {
    const names = JSON.parse(path) as string[]
    let place = root
    for (const name of names.slice(0, -1)) {
      place[name] ??= {}
      place = place[name] as Record<string, unknown>
    }
    place[names.at(-1)!] = matchers.map(patternMatcher)
  }
  return root
}

function patternMatcher(matcher: Matcher): unknown {
  switch (matcher.kind) {
    case 'literal':
      return matcher.value
    case 'not':
      return { 'anything-but': matcher.values }
    case 'prefix':
    case 'suffix':
      return { [matcher.kind]: matcher.text }
    case 'exists':
      return { exists: matcher.exists }
    case 'range': {
      const { low, high } = matcher as { low: Bound; high: Bound }
      if (low.value === high.value && low.inclusive && high.inclusive) return { numeric: ['=', low.value] }
      return { numeric: [low.inclusive ? '>=' : '>', low.value, high.inclusive ? '<=' : '<', high.value] }
    }
  }
}
