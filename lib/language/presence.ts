// What is known to be there where an expression stands. `has(event.country) && …` makes `event.country` present in what follows; a filter
// `has(…)` does so for sinks.
import { pathOf, type Typed } from './typed.ts'

export type Present = ReadonlySet<string>

const nothing: Present = new Set()

/** Paths that have values wherever this condition is true. */
export function presentIfTrue(condition: Typed): Present {
  switch (condition.kind) {
    case 'has': {
      const path = pathOf(condition.operand)
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
