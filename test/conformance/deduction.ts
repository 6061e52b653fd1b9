// Static types as cel-go writes them, and whether ours are those that cel-go deduces.
import { check } from '../../lib/language/check.ts'
import type { Type } from '../../lib/language/types.ts'
import type { ConformanceCase } from './suite.ts'

/** What stays dyn here though cel-go deduces more, with the reason. */
export const exceptions: ReadonlyMap<string, string> = new Map([
  [
    'macros/filter/list_empty',
    'what an empty list would hold is not deduced from how its elements are used; no scenario can write it',
  ],
])

/** Undefined: as cel-go deduces it, or cel-go deduces nothing; else what came instead. */
export function typeMismatch(test: ConformanceCase): string | undefined {
  if (test.deducedType === undefined || exceptions.has(test.name)) return undefined
  const names = new Map([...test.names].map(([name, { type }]) => [name, { type }]))
  const found = typeText(check(test.source, { names, dynamic: true }).type)
  return found === test.deducedType ? undefined : `${found} instead of ${test.deducedType}`
}

/** `list(int)` */
export function typeText(type: Type): string {
  switch (type.kind) {
    case 'list':
      return `list(${typeText(type.element)})`
    case 'map':
      return `map(${typeText(type.key)}, ${typeText(type.value)})`
    case 'optional':
      return `optional_type(${typeText(type.value)})`
    case 'type':
      return type.of === undefined ? 'type' : `type(${typeText(type.of)})`
    default:
      return type.kind
  }
}
