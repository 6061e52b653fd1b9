// JSON compared as values: order of members is free, 14.5 equals 14.50, ints are exact beyond 2^53, absent differs from null.
import { parseJsonExact } from '../language/standard/conversion.ts'
import { JsonNumber } from '../language/standard/values.ts'

/** `expected` is a plain value (bigints for large ints), `actual` JSON text, or null for a tombstone. */
export function sameJson(expected: unknown, actual: string | null): boolean {
  if (actual === null) return expected === null
  return same(expected, parseJsonExact(actual))
}

function same(a: unknown, b: unknown): boolean {
  if (isNumber(a) && isNumber(b)) return numberText(a) === numberText(b)
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((element, k) => same(element, b[k]))
  if (isObject(a) && isObject(b)) {
    const names = Object.keys(a)
    return names.length === Object.keys(b).length && names.every(name => Object.hasOwn(b, name) && same(a[name], b[name]))
  }
  return a === b
}

function isNumber(value: unknown): value is number | bigint | JsonNumber {
  return typeof value === 'number' || typeof value === 'bigint' || value instanceof JsonNumber
}

function numberText(value: number | bigint | JsonNumber): string {
  return value instanceof JsonNumber ? value.text : String(value)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
