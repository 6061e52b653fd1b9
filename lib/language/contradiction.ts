// What always or never holds, though its types are fine: `has` of what is always there, and what two conditions on one value cannot both be: `hour >= 22 && hour < 6` never holds, `plan != "a" || plan != "b"` always does. Each
// alone is fine, so no type tells; it is the slip of whoever writes "and" for "or".
import type { Problem } from './problem.ts'
import { childrenOf, type Typed } from './typed.ts'

/** Told at the second of the two. Only comparisons of the same words with constants are looked at. */
export function findContradictions(typed: Typed, source: string): readonly Problem[] {
  const problems: Problem[] = []
  const visit = (node: Typed, parent: Typed['kind'] | undefined): void => {
    if ((node.kind === 'and' || node.kind === 'or') && node.kind !== parent) {
      const problem = node.kind === 'and' ? neverTrue(termsOf(node, 'and'), source) : alwaysTrue(termsOf(node, 'or'), source)
      if (problem !== undefined) problems.push(problem)
    }
    if (node.kind === 'has' && isAlwaysThere(node.operand)) {
      const message = `This is always true: "${textOf(node.operand, source)}" is declared without "?", so it is always there`
      problems.push({ id: 'always-true', severity: 'warning', message, range: node.range })
    }
    for (const child of childrenOf(node)) visit(child, node.kind)
  }
  visit(typed, undefined)
  return problems
}

/** By its declaration, not by what has been asked before. */
function isAlwaysThere(node: Typed): boolean {
  if (node.kind === 'element') return true
  if (node.kind === 'name') return !node.missing
  if (node.kind !== 'field' || node.target.type.kind !== 'object') return false
  return node.target.type.fields.get(node.field)?.optional === false && isAlwaysThere(node.target)
}

function neverTrue(terms: readonly Typed[], source: string): Problem | undefined {
  const pair = findPair(terms, source, (a, b) => !canHold(a, b))
  if (pair === undefined) return undefined
  const [first, second] = pair
  return {
    id: 'never-true',
    severity: 'error',
    message: `This can never be true together with "${textOf(first, source)}"`,
    range: second.range,
  }
}

function alwaysTrue(terms: readonly Typed[], source: string): Problem | undefined {
  const pair = findPair(terms, source, (a, b) => a.operator === '!=' && b.operator === '!=' && a.constant !== b.constant)
  if (pair === undefined) return undefined
  const [first, second] = pair
  return {
    id: 'always-true',
    severity: 'warning',
    message: `This or "${textOf(first, source)}" is always true: no value equals both`,
    range: second.range,
  }
}

interface Comparison {
  /** The words of what is compared, without blanks. */
  readonly subject: string
  readonly operator: '==' | '!=' | '<' | '<=' | '>' | '>='
  readonly constant: number | bigint | string
  readonly node: Typed
}

function findPair(
  terms: readonly Typed[],
  source: string,
  isFound: (a: Comparison, b: Comparison) => boolean,
): readonly [Typed, Typed] | undefined {
  const bySubject = new Map<string, Comparison[]>()
  for (const term of terms) {
    const comparison = comparisonOf(term, source)
    if (comparison === undefined) continue
    const earlier = bySubject.get(comparison.subject) ?? []
    const first = earlier.find(other => isFound(other, comparison))
    if (first !== undefined) return [first.node, term]
    bySubject.set(comparison.subject, [...earlier, comparison])
  }
  return undefined
}

const operators: Readonly<Record<string, Comparison['operator']>> = {
  same: '==',
  different: '!=',
  '<': '<',
  '<=': '<=',
  '>': '>',
  '>=': '>=',
}
const mirrored = { '==': '==', '!=': '!=', '<': '>', '<=': '>=', '>': '<', '>=': '<=' } as const

function comparisonOf(node: Typed, source: string): Comparison | undefined {
  if (node.kind !== 'apply') return undefined
  const operator = operators[node.operation]
  const [left, right] = node.args
  if (operator === undefined || left === undefined || right === undefined) return undefined
  const [subject, constant] = right.kind === 'constant' ? [left, right] : [right, left]
  if (constant.kind !== 'constant' || subject.kind === 'constant') return undefined
  const { value } = constant
  if (typeof value !== 'number' && typeof value !== 'bigint' && typeof value !== 'string') return undefined
  return {
    subject: textOf(subject, source).replace(/\s+/g, ''),
    operator: right === constant ? operator : mirrored[operator],
    constant: value,
    node,
  }
}

function canHold(a: Comparison, b: Comparison): boolean {
  if (a.operator === '!=' || b.operator === '!=') {
    const isBoth = [a.operator, b.operator].sort().join() === '!=,=='
    return !(isBoth && a.constant === b.constant)
  }
  if (a.operator === '==') return holds(a.constant, b)
  if (b.operator === '==') return holds(b.constant, a)
  const [lower, upper] = a.operator.startsWith('>') ? [a, b] : [b, a]
  if (!lower.operator.startsWith('>') || !upper.operator.startsWith('<')) return true
  return (
    lower.constant < upper.constant || (lower.constant === upper.constant && lower.operator === '>=' && upper.operator === '<=')
  )
}

function holds(value: Comparison['constant'], { operator, constant }: Comparison): boolean {
  switch (operator) {
    case '==':
      return value === constant
    case '!=':
      return value !== constant
    case '<':
      return value < constant
    case '<=':
      return value <= constant
    case '>':
      return value > constant
    case '>=':
      return value >= constant
  }
}

function termsOf(node: Typed, kind: 'and' | 'or'): readonly Typed[] {
  const terms: Typed[] = []
  const open: Typed[] = [node]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (next.kind === kind) open.push(next.right, next.left)
    else terms.push(next)
  }
  return terms
}

// The range of what stands between parentheses has them.
function textOf(node: Typed, source: string): string {
  return source.slice(node.range.start, node.range.end).trim()
}
