// Parses and checks an expression: what the rest of sluice asks of the language at build time.
import type { Checked, CheckOptions, Scope } from './checked.ts'
import { Checker, isOptionalChain } from './checker.ts'
import { findContradictions } from './contradiction.ts'
import { DynamicChecker } from './dynamic-checker.ts'
import { canFail } from './failing.ts'
import { constantOf } from './interpreter.ts'
import { parseExpression } from './parser.ts'
import type { Expr } from './syntax.ts'
import { childrenOf, pathOf, type Typed, type TypedNode } from './typed.ts'
import { type Type, types } from './types.ts'

/** Parses and checks. Never throws; what is wrong stands in `problems`. */
export function check(source: string, scope: Scope, options: CheckOptions = {}): Checked {
  const { tree, problems } = parseExpression(source)
  const checker = scope.dynamic === true ? new DynamicChecker(source, scope) : new Checker(source, scope)
  let typed = checker.check(tree)
  if (options.expected !== undefined) typed = checker.expect(typed, options.expected, options.place)
  if (typed.missing && (options.allowMissing !== true || isBareField(tree)))
    checker.reportMissing(typed, { mayBeLeftOut: options.allowMissing === true })
  checker.problems.unshift(...problems)
  if (!checker.problems.some(({ severity }) => severity === 'error')) reportUntyped(checker, typed, scope)
  if (scope.dynamic !== true && checker.problems.length === 0) checker.problems.push(...findContradictions(typed, source))
  const constant = checker.problems.some(({ severity }) => severity === 'error') ? undefined : constantOf(typed)
  return {
    source,
    tree,
    typed,
    type: typed.type,
    mayBeMissing: typed.missing && options.allowMissing === true,
    references: referencesOf(typed, scope),
    canFail: canFail(typed, () => false),
    ...(constant !== undefined && { constant }),
    problems: checker.problems,
  }
}

/** `event.country`, and not `event.?country`, which says that it may be missing. A name alone has no other form. */
function isBareField(tree: Expr): boolean {
  return tree.kind === 'select' && !isOptionalChain(tree)
}

/** What nobody can know the type of: `[].map(x, x + 1)`. Every other error node comes from an error told here, or where a name is declared. */
function reportUntyped(checker: Checker, typed: Typed, scope: Scope): void {
  const untyped = find(typed, node => node.kind === 'error')
  if (untyped === undefined) return
  const words = checker.source.match(/[A-Za-z_]\w*/g) ?? []
  if (words.some(word => holdsError(scope.names.get(word)?.type ?? types.bool))) return
  checker.report(
    'type-mismatch',
    'This needs the type of an element, and what is written here has none: an empty list, an empty map or optional.none()',
    untyped.range,
  )
}

function holdsError(type: Type): boolean {
  switch (type.kind) {
    case 'list':
      return holdsError(type.element)
    case 'map':
      return holdsError(type.key) || holdsError(type.value)
    case 'optional':
      return holdsError(type.value)
    case 'object':
      return [...type.fields.values()].some(field => holdsError(field.type))
    default:
      return type.kind === 'error'
  }
}

function find(node: Typed, isFound: (node: Typed) => boolean): Typed | undefined {
  if (isFound(node)) return node
  for (const child of childrenOf(node)) {
    const found = find(child, isFound)
    if (found !== undefined) return found
  }
  return undefined
}

/** Names and the paths read of them; a name read whole has the path ''. */
function referencesOf(typed: Typed, scope: Scope): ReadonlyMap<string, ReadonlySet<string>> {
  const references = new Map<string, Set<string>>()
  const visit = (node: Typed): void => {
    const path = pathOf(node)
    if (path !== undefined) {
      const root = rootOf(node)
      if (root.kind !== 'name' || !scope.names.has(root.name)) return
      const paths = references.get(root.name) ?? new Set()
      paths.add(path.slice(root.name.length + 1))
      references.set(root.name, paths)
      return
    }
    for (const child of childrenOf(node)) visit(child)
  }
  visit(typed)
  return references
}

function rootOf(node: Typed): TypedNode {
  return node.kind === 'field' ? rootOf(node.target) : node
}
