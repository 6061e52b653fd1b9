// CEL's commutative logic: of two sides one that decides absorbs the other's failure. Generated code calls these only where both sides can
// fail; everything else is plain JavaScript.
import { ExpressionFailure } from './values.ts'

export function and(left: () => boolean, right: () => boolean): boolean {
  return decide(false, left, right)
}

export function or(left: () => boolean, right: () => boolean): boolean {
  return decide(true, left, right)
}

/** `list.all(x, …)`: false if one is false, whatever fails; else the first failure. */
export function all<Element>(list: readonly Element[], test: (element: Element) => boolean): boolean {
  return decideList(false, list, test)
}

/** `list.exists(x, …)`: true if one is true, whatever fails; else the first failure. */
export function exists<Element>(list: readonly Element[], test: (element: Element) => boolean): boolean {
  return decideList(true, list, test)
}

/** `x.optMap(v, …)`: missing stays missing. */
export function mapPresent<Value, Result>(value: Value | undefined, use: (value: Value) => Result): Result | undefined {
  return value === undefined ? undefined : use(value)
}

/** `[?x]`, `{?k: x}`: a list with the last of them, or an empty one where it is missing. */
export function present<Entry extends readonly unknown[]>(
  entry: Entry,
): readonly (Entry extends readonly [infer Only] ? Only : Entry)[] {
  if (entry.at(-1) === undefined) return []
  return [(entry.length === 1 ? entry[0] : entry) as Entry extends readonly [infer Only] ? Only : Entry]
}

/** What a loop over a map walks. */
export function keys<Key>(map: ReadonlyMap<Key, unknown>): readonly Key[] {
  return [...map.keys()]
}

function decide(decisive: boolean, left: () => boolean, right: () => boolean): boolean {
  let value: boolean
  try {
    value = left()
  } catch (failure) {
    if (!(failure instanceof ExpressionFailure)) throw failure
    if (right() === decisive) return decisive
    throw failure
  }
  return value === decisive ? decisive : right()
}

function decideList<Element>(decisive: boolean, list: readonly Element[], test: (element: Element) => boolean): boolean {
  let first: ExpressionFailure | undefined
  for (const element of list) {
    try {
      if (test(element) === decisive) return decisive
    } catch (failure) {
      if (!(failure instanceof ExpressionFailure)) throw failure
      first ??= failure
    }
  }
  if (first !== undefined) throw first
  return !decisive
}
