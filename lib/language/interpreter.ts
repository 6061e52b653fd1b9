// The reference interpreter: the checked tree, walked. It is the second opinion of differential tests and of `sluice test`, and never in a
// bundle. Plainness is its whole merit.
import type { Checked } from './checked.ts'
import { operationOf } from './operations.ts'
import { Double, ExpressionFailure, mapOf, maxBy, minBy, Optional } from './standard/index.ts'
import { compilePattern } from './standard/re2.ts'
import { childrenOf, type Typed } from './typed.ts'
import type { Type } from './types.ts'

/** The expression's value; undefined where it is missing. Throws ExpressionFailure, as `read` may, too. */
export function interpret(checked: Checked, read: (name: string) => unknown): unknown {
  return evaluate(checked.typed, read, new Map())
}

/** The value of a tree that reads no name, if it has one. */
export function constantOf(typed: Typed): { readonly value: unknown } | undefined {
  if (typed.kind === 'constant') return { value: typed.value }
  if (typed.kind === 'error' || readsNames(typed)) return undefined
  try {
    return { value: evaluate(typed, () => undefined, new Map()) }
  } catch (error) {
    if (error instanceof ExpressionFailure) return undefined
    throw error
  }
}

function readsNames(node: Typed): boolean {
  return node.kind === 'name' || node.kind === 'error' || childrenOf(node).some(readsNames)
}

type Elements = ReadonlyMap<string, unknown>

function evaluate(node: Typed, read: (name: string) => unknown, elements: Elements): unknown {
  const of = (child: Typed, inner: Elements = elements): unknown => evaluate(child, read, inner)
  switch (node.kind) {
    case 'constant':
      return node.value
    case 'name':
      return read(node.name)
    case 'element':
      return elements.get(node.name)
    case 'field':
      return (of(node.target) as Record<string, unknown> | undefined)?.[node.field]
    case 'has':
      return of(node.operand) !== undefined
    case 'orValue':
      return of(node.operand) ?? of(node.fallback)
    case 'optMap': {
      const value = of(node.operand)
      return value === undefined ? undefined : of(node.body, new Map([...elements, [node.name, value]]))
    }
    case 'not':
      return !of(node.operand)
    case 'and':
      return logical(
        false,
        () => of(node.left),
        () => of(node.right),
      )
    case 'or':
      return logical(
        true,
        () => of(node.left),
        () => of(node.right),
      )
    case 'conditional':
      return of(node.condition) ? of(node.yes) : of(node.no)
    case 'list':
      return node.elements.flatMap(({ value, optional }) => {
        const element = of(value)
        return optional && element === undefined ? [] : [element]
      })
    case 'map':
      return mapOf(
        node.entries.flatMap(({ key, value, optional }) => {
          const entry = of(value)
          return optional && entry === undefined ? [] : [[of(key), entry] as const]
        }),
      )
    case 'apply':
      return (operationOf(node.operation).compute as (...args: unknown[]) => unknown)(...node.args.map(arg => of(arg)))
    case 'matches':
      return compilePattern(node.pattern)!.test(of(node.text) as string)
    case 'loop':
      return evaluateLoop(node, of(node.list) as readonly unknown[], (part, value) =>
        of(part, new Map([...elements, [node.element, value]])),
      )
    case 'box':
      return boxed(of(node.operand), node.operand.type)
    case 'error':
      throw new Error('an expression with errors was interpreted')
  }
}

function evaluateLoop(
  node: Typed & { kind: 'loop' },
  list: readonly unknown[],
  of: (part: Typed, element: unknown) => unknown,
): unknown {
  switch (node.loop) {
    case 'all':
      return list.reduce<() => unknown>(
        (rest, element) => () => logical(false, rest, () => of(node.body, element)),
        () => true,
      )()
    case 'exists':
      return list.reduce<() => unknown>(
        (rest, element) => () => logical(true, rest, () => of(node.body, element)),
        () => false,
      )()
    case 'exists_one':
      return list.filter(element => of(node.body, element)).length === 1
    case 'filter':
      return list.filter(element => of(node.body, element))
    case 'map':
      return list.filter(element => node.where === undefined || of(node.where, element)).map(element => of(node.body, element))
    case 'minBy':
      return minBy(list, element => of(node.body, element))
    case 'maxBy':
      return maxBy(list, element => of(node.body, element))
  }
}

function boxed(value: unknown, type: Type): unknown {
  if (value === undefined) return undefined
  switch (type.kind) {
    case 'double':
      return new Double(value as number)
    case 'list':
      return (value as readonly unknown[]).map(element => boxed(element, type.element))
    case 'map':
      return new Map(
        [...(value as ReadonlyMap<unknown, unknown>)].map(([key, element]) => [boxed(key, type.key), boxed(element, type.value)]),
      )
    case 'optional':
      return value === Optional.none ? value : new Optional(boxed((value as Optional).value, type.value))
    default:
      return value
  }
}

/** CEL's && and ||: a side that decides absorbs the other's failure. */
function logical(decisive: boolean, left: () => unknown, right: () => unknown): unknown {
  let value: unknown
  try {
    value = left()
  } catch (error) {
    if (!(error instanceof ExpressionFailure)) throw error
    if (right() === decisive) return decisive
    throw error
  }
  return value === decisive ? decisive : right()
}
