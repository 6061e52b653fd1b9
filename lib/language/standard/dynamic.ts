// What dyn values need beyond the operators: kinds checked at run time, optionals as objects. Only the conformance suite has such values.
import { isNumber } from './comparison.ts'
import { roundHalf } from './mathematics.ts'
import { hasField, indexOrNone, isZeroValue, typeOf } from './operators.ts'
import * as time from './time.ts'
import { Double, Duration, ExpressionFailure, Optional, Timestamp } from './values.ts'

const kinds: Readonly<Record<string, string>> = {
  timestamp: 'google.protobuf.Timestamp',
  duration: 'google.protobuf.Duration',
  null: 'null_type',
  optional: 'optional_type',
}

/** The value, unwrapped, if it is of that kind; fails otherwise. */
export function asKind(value: unknown, kind: string): unknown {
  if (typeOf(value).name !== (kinds[kind] ?? kind)) throw new ExpressionFailure(`no such overload: ${kind} is needed`)
  return value instanceof Double ? value.value : value
}

export function fail(message: string): never {
  throw new ExpressionFailure(message)
}

/** `getHours` and the like of a timestamp or a duration. */
export function timePart(value: unknown, part: string, zone?: string): number {
  if (value instanceof Timestamp) {
    const read = (time as unknown as Record<string, (value: Timestamp, zone?: string) => number>)[part]
    if (read !== undefined) return read(value, zone)
  }
  if (value instanceof Duration && zone === undefined) {
    switch (part) {
      case 'getHours':
        return time.durationHours(value)
      case 'getMinutes':
        return time.durationMinutes(value)
      case 'getSeconds':
        return time.durationSeconds(value)
      case 'getMilliseconds':
        return time.durationMilliseconds(value)
    }
  }
  throw new ExpressionFailure(`no such overload: "${part}" does not take this type`)
}

/** Functions of the math extension on doubles alone. */
export function roundDyn(value: unknown, operation: string): unknown {
  if (!isNumber(value)) throw new ExpressionFailure(`no such overload: "${operation}" needs a number`)
  if (!(value instanceof Double)) throw new ExpressionFailure(`no such overload: "${operation}" needs a double`)
  const number = value.value
  switch (operation) {
    case 'ceil':
      return new Double(Math.ceil(number))
    case 'floor':
      return new Double(Math.floor(number))
    case 'trunc':
      return new Double(Math.trunc(number))
    case 'round':
      return new Double(roundHalf(number))
    case 'isNaN':
      return Number.isNaN(number)
    case 'isInf':
      return number === Infinity || number === -Infinity
    default:
      return Number.isFinite(number)
  }
}

/** A dyn value whose type is known after all: its doubles as plain numbers. */
export function unboxed(value: unknown): unknown {
  if (value instanceof Double) return value.value
  if (Array.isArray(value)) return value.map(unboxed)
  if (value instanceof Map) return new Map([...value].map(([key, element]) => [key, unboxed(element)]))
  return value instanceof Optional ? mapOptional(value, unboxed) : value
}

/** For `[?x]`: the optional's value, undefined where there is none. */
export function missingOf(optional: unknown): unknown {
  if (!(optional instanceof Optional)) throw new ExpressionFailure('no such overload: an optional is needed after "?"')
  return optional === Optional.none ? undefined : optional.value
}

export function ofNonZero(value: unknown): Optional {
  return isZeroValue(value) ? Optional.none : new Optional(value)
}

/** `a.or(b)` and, with `orValue`, its value. */
export function orElse(optional: Optional, other: () => unknown): unknown {
  return optional === Optional.none ? other() : optional
}

export function mapOptional(optional: Optional, use: (value: unknown) => unknown): Optional {
  return optional === Optional.none ? optional : new Optional(use(optional.value))
}

/** `has(x.name)`, also where x is an optional. */
export function hasPart(container: unknown, name: string): boolean {
  if (container instanceof Optional) return indexOrNone(container, name) !== Optional.none
  return hasField(container, name)
}
