// The checked tree: every node has its type, every operation is chosen. The translator and the interpreter both start from it, so overloads
// are resolved once. A value that may be missing is plain `undefined` at run time (`missing`), not an object around it.
import type { Range } from './problem.ts'
import type { Type } from './types.ts'

export type Typed = TypedNode & {
  readonly type: Type
  /** May have no value: a field that may be missing and is not known to be there. */
  readonly missing: boolean
  readonly range: Range
}

export type TypedNode =
  /** `literal`: the digits as written, while a number may still be promoted to another type. */
  | { readonly kind: 'constant'; readonly value: unknown; readonly literal?: string }
  | { readonly kind: 'name'; readonly name: string }
  /** A variable of a loop. */
  | { readonly kind: 'element'; readonly name: string }
  /** `target.field`; missing if the target is. */
  | { readonly kind: 'field'; readonly target: Typed; readonly field: string }
  | { readonly kind: 'has'; readonly operand: Typed }
  | { readonly kind: 'orValue'; readonly operand: Typed; readonly fallback: Typed }
  | { readonly kind: 'optMap'; readonly operand: Typed; readonly name: string; readonly body: Typed }
  | { readonly kind: 'not'; readonly operand: Typed }
  | { readonly kind: 'and' | 'or'; readonly left: Typed; readonly right: Typed }
  | { readonly kind: 'conditional'; readonly condition: Typed; readonly yes: Typed; readonly no: Typed }
  | { readonly kind: 'list'; readonly elements: readonly { readonly value: Typed; readonly optional: boolean }[] }
  | {
      readonly kind: 'map'
      readonly entries: readonly { readonly key: Typed; readonly value: Typed; readonly optional: boolean }[]
    }
  /** An operation of operations.ts on the values of its arguments. */
  | { readonly kind: 'apply'; readonly operation: string; readonly args: readonly Typed[] }
  | {
      readonly kind: 'loop'
      readonly loop: Loop
      readonly list: Typed
      readonly element: string
      readonly where?: Typed
      readonly body: Typed
    }
  /** `text.matches("pattern")` with the pattern known at build time. */
  | { readonly kind: 'matches'; readonly text: Typed; readonly pattern: string }
  /** A value whose static type is dyn from here on: doubles inside it are wrapped (standard/values.ts). */
  | { readonly kind: 'box'; readonly operand: Typed }
  | { readonly kind: 'error' }

export type Loop = 'all' | 'exists' | 'exists_one' | 'filter' | 'map' | 'minBy' | 'maxBy'

/** Where a chain of fields is rooted, as text: `event.geo.lat`, `p.item.sku`; undefined for anything but a chain. */
export function pathOf(node: Typed): string | undefined {
  if (node.kind === 'name' || node.kind === 'element') return node.name
  if (node.kind !== 'field') return undefined
  const target = pathOf(node.target)
  return target === undefined ? undefined : `${target}.${node.field}`
}

/** The nodes right below. */
export function childrenOf(node: Typed): readonly Typed[] {
  switch (node.kind) {
    case 'constant':
    case 'name':
    case 'element':
    case 'error':
      return []
    case 'field':
      return [node.target]
    case 'has':
    case 'not':
    case 'box':
      return [node.operand]
    case 'orValue':
      return [node.operand, node.fallback]
    case 'optMap':
      return [node.operand, node.body]
    case 'and':
    case 'or':
      return [node.left, node.right]
    case 'conditional':
      return [node.condition, node.yes, node.no]
    case 'list':
      return node.elements.map(element => element.value)
    case 'map':
      return node.entries.flatMap(({ key, value }) => [key, value])
    case 'apply':
      return node.args
    case 'loop':
      return [node.list, ...(node.where ? [node.where] : []), node.body]
    case 'matches':
      return [node.text]
  }
}
