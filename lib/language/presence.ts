// What is known to be there where an expression stands. `has(event.country) && …` makes `event.country` present in what follows; a filter
// `has(…)` does so for sinks.
import type { Typed } from './typed.ts'

/** Keys of paths, see `keyOf`. */
export type Present = ReadonlySet<string>

const nothing: Present = new Set()

/** Paths that have values wherever this condition is true. */
export function presentIfTrue(condition: Typed): Present {
  switch (condition.kind) {
    case 'has': {
      const path = keyOf(condition.operand)
      return path === undefined ? nothing : new Set([path])
    }
    case 'and':
      return union(presentIfTrue(condition.left), presentIfTrue(condition.right))
    case 'or':
      return intersection(presentIfTrue(condition.left), presentIfTrue(condition.right))
    case 'not':
      return presentIfFalse(condition.operand)
    default:
      return nothing
  }
}

/** Paths that have values wherever this condition is false. */
export function presentIfFalse(condition: Typed): Present {
  switch (condition.kind) {
    case 'or':
      return union(presentIfFalse(condition.left), presentIfFalse(condition.right))
    case 'and':
      return intersection(presentIfFalse(condition.left), presentIfFalse(condition.right))
    case 'not':
      return presentIfTrue(condition.operand)
    default:
      return nothing
  }
}

export function union(a: Present, b: Present): Present {
  return a.size === 0 ? b : b.size === 0 ? a : new Set([...a, ...b])
}

function intersection(a: Present, b: Present): Present {
  return new Set([...a].filter(path => b.has(path)))
}

/**
 * A chain of fields, so that no two chains have one key: a loop's variable is no name of the scope, and the field `a.b` is not the field `b`
 * of `a`. Undefined for anything but a chain.
 */
export function keyOf(node: Typed): string | undefined {
  switch (node.kind) {
    case 'name':
      return `name ${JSON.stringify(node.name)}`
    case 'element':
      return `element ${JSON.stringify(node.name)}`
    case 'field': {
      const target = keyOf(node.target)
      return target === undefined ? undefined : `${target}.${JSON.stringify(node.field)}`
    }
    default:
      return undefined
  }
}
