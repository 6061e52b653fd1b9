// What generated code and the stages do with columns: make them, drop and fail records, read a value that may be a Failure.
import { isUtf8 } from 'node:buffer'
import { parseJsonTexts } from '../language/standard/conversion.ts'
import { canonicalInt } from '../language/standard/integer.ts'
import { ExpressionFailure, type Int } from '../language/standard/values.ts'
import { Failure } from './failure.ts'

export { findEach, itemKey, requestKey, tableKey } from './keys.ts'

import {
  type Columns,
  type ConditionPlan,
  type LookupAnswer,
  needsExact,
  type Plan,
  type SourceRecord,
  Status,
  type StoredItem,
  unset,
  WrongKind,
} from './plan.ts'

/** Where a plan tells rows, an object that a decision gave holds the index of its row under this name. No output shows it. */
export const rowOf: unique symbol = Symbol('row')

/** Fresh columns for these records (tombstones are not among them). */
export function createColumns(plan: Plan, records: readonly SourceRecord[]): Columns {
  const recordCount = records.length
  const { decodeKey, decodeHeaders } = plan.source
  return {
    recordCount,
    record: records,
    event: new Array(recordCount),
    key: new Array(decodeKey === undefined ? 0 : recordCount),
    headers: new Array(decodeHeaders === undefined ? 0 : recordCount),
    status: new Uint8Array(recordCount),
    droppedBy: new Array(recordCount),
    failure: new Array(recordCount),
    lookups: plan.lookups.map(() => new Array(recordCount)),
    values: Array.from({ length: plan.valueCount }, () => new Array(recordCount).fill(unset)),
    remembered: (plan.state?.remember ?? []).map(() => ({
      before: new Array(recordCount).fill(unset),
      when: new Array(recordCount),
      after: new Array(recordCount),
    })),
    places: (plan.state?.caps ?? []).map(() => new Array(recordCount)),
  }
}

/** One filter's verdict on one record: dropping beats breaking, and the first of each counts. True: no other filter needs to look at it. */
export function judge(columns: Columns, i: number, filter: string, verdict: unknown): boolean {
  if (verdict === true) return false
  if (verdict === false) {
    if (columns.status[i] === Status.dropped) return true
    columns.status[i] = Status.dropped
    columns.droppedBy[i] = filter
    columns.failure[i] = undefined
    return true
  }
  if (columns.status[i] === Status.open) {
    columns.status[i] = Status.failing
    columns.failure[i] = verdict as Failure
  }
  return false
}

/**
 * After the last filter: which one dropped a record, or made it fail, is told as if all had judged in `explain`'s order. Those that read what
 * is remembered may have waited; then it would depend on how the batch was cut.
 */
export function tellFirst(columns: Columns, conditions: readonly ConditionPlan[]): void {
  if (!conditions.some(({ waits }) => waits)) return
  for (let i = 0; i < columns.recordCount; i++) {
    const status = columns.status[i]
    if (status === Status.dropped) columns.droppedBy[i] = firstToDrop(columns, i, conditions)
    else if (status === Status.failing) columns.failure[i] = firstToFail(columns, i, conditions)
  }
}

// Those that do not wait have let the record pass, up to the one that is known.
function firstToDrop(columns: Columns, i: number, conditions: readonly ConditionPlan[]): string | undefined {
  const known = columns.droppedBy[i]
  for (const { name, verdict, waits } of conditions) {
    if (name === known) break
    if (waits && verdict(columns, i) === false) return name
  }
  return known
}

function firstToFail(columns: Columns, i: number, conditions: readonly ConditionPlan[]): Failure | undefined {
  for (const { verdict } of conditions) {
    const found = verdict(columns, i)
    if (found instanceof Failure) return found
  }
  return columns.failure[i]
}

/** A Failure on its way through an expression: CEL's `&&` and `||` may still absorb it. */
export class FailureThrown extends ExpressionFailure {
  readonly failure: Failure
  constructor(failure: Failure) {
    super(failure.message)
    this.failure = failure
  }
}

/** A column's value, thrown if it is a Failure. */
export function read(value: unknown): unknown {
  if (value instanceof Failure) throw new FailureThrown(value)
  return value
}

/** What an expression that threw leaves in its column. `at` is the place in the scenario: `filter adult`. Bugs go on. */
export function failureOf(thrown: unknown, at: string): Failure {
  if (thrown instanceof FailureThrown) return thrown.failure
  if (thrown instanceof ExpressionFailure) return new Failure('expression-failed', at, thrown.message)
  // A text or list that outgrows the engine is the record's doing, not a bug of ours.
  if (thrown instanceof RangeError) return new Failure('expression-failed', at, 'the value grew beyond what can be computed')
  throw thrown
}

/** Path of a field: `geo.lat`, `items[2].sku`. */
export function join(path: string, field: string): string {
  return path === '' ? field : `${path}.${field}`
}

export function wrongType(path: string, declared: string, found: unknown): Failure {
  const subject = path === '' ? 'the value' : `"${path}"`
  return new Failure('wrong-type', path, `${subject} (declared ${declared}) has another type: found ${kindOf(found)}`)
}

export function missingField(path: string, declared: string, found: unknown): Failure {
  return new Failure(
    'missing-field',
    path,
    `has no "${path}" (declared ${declared}), found ${found === null ? 'null' : 'nothing'}`,
  )
}

export function notInEnum(path: string, declared: string): Failure {
  return new Failure('not-in-enum', path, `"${path}" has a text that is not among those declared (${declared})`)
}

/** A look-up's answer that is not as declared: another reason, and the key instead of the field. */
export function invalidLookup(lookup: string, key: string, detail: string): Failure {
  return new Failure('lookup-invalid', key, `look-up "${lookup}" found something that is not as declared: ${detail}`)
}

// Types and sizes, never values: they are customers' data.
function kindOf(found: unknown): string {
  if (found === null) return 'null'
  if (Array.isArray(found)) return 'a list'
  switch (typeof found) {
    case 'number':
      if (Math.abs(found) >= 2 ** 63) return 'a number beyond 64 bits'
      return Number.isInteger(found) ? 'a number without fraction' : 'a number with fraction'
    case 'bigint':
      return 'a number beyond 64 bits'
    case 'string':
      return `a text of ${found.length} characters`
    case 'boolean':
      return 'a bool'
    default:
      return 'an object'
  }
}

/** A look-up that found nothing, where the scenario says drop or deadLetter. */
export function lookupMissing(lookup: string, key: string | undefined): Failure {
  return new Failure('lookup-missing', key ?? lookup, `look-up "${lookup}" found nothing`, lookup)
}

/** A decision of which no row holds, where the scenario says drop or deadLetter. */
export function decisionMissing(decision: string): Failure {
  return new Failure('decision-missing', `decision ${decision}`, `no row of decision "${decision}" holds`, decision)
}

/** The filter that `onMissing: drop` makes of a look-up or decision: false if it is missing, a Failure if it is broken, as by another that it reads and
 * that is missing. */
export function isFound(value: unknown, name: string): boolean | Failure {
  if (!(value instanceof Failure)) return true
  return value.missing === name ? false : value
}

/** The filter that `onMissing: deadLetter` makes: missing and broken both fail. */
export function isRequired(value: unknown): true | Failure {
  return value instanceof Failure ? value : true
}

/** A JSON look-up's answer: parsed and checked like a record's value; what is wrong with it is the look-up's fault. */
export function decodeJsonLookup(
  lookup: string,
  answer: LookupAnswer,
  key: string,
  decode: (json: unknown, path: string) => object | Failure | typeof needsExact,
  missing: (key: string) => unknown,
): unknown {
  if (answer === null) return missing(key)
  if (typeof answer !== 'string') return invalidLookup(lookup, key, kindFound(answer))
  let json: unknown
  try {
    json = JSON.parse(answer)
  } catch {
    return invalidLookup(lookup, key, 'the text is not JSON')
  }
  let object = decode(json, '')
  if (object === needsExact) object = decode(parseJsonTexts(answer), '')
  if (object === needsExact) return invalidLookup(lookup, key, 'a number is too large')
  return object instanceof Failure ? invalidLookup(lookup, key, object.message) : object
}

/** What the store holds instead, in words. */
export function kindFound(answer: LookupAnswer): string {
  return answer instanceof WrongKind ? `the store holds ${answer.found}` : 'the store gave another kind of answer'
}

/** `record` of expressions. */
export function recordOf(columns: Columns, i: number): object {
  const { topic, partition, offset, value } = columns.record[i]!
  return { topic, partition, offset, value }
}

/** A key that is JSON, checked like a record's value. */
export function decodeJsonKey(
  bytes: Uint8Array,
  decode: (json: unknown, path: string) => object | Failure | typeof needsExact,
): object | Failure {
  const text = textOfBytes(bytes)
  if (text === undefined) return new Failure('invalid-json', 'key', 'the key is not UTF-8')
  try {
    const object = decode(JSON.parse(text), 'key')
    if (object !== needsExact) return object
    const exact = decode(parseJsonTexts(text), 'key')
    return exact === needsExact ? new Failure('wrong-type', 'key', 'a number of the key is too large') : exact
  } catch {
    return new Failure('invalid-json', 'key', 'the key is not JSON')
  }
}

/** Undefined where the bytes are not UTF-8. */
export function textOfBytes(bytes: Uint8Array): string | undefined {
  return isUtf8(bytes) ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8') : undefined
}

/** What a remember entry's look-up answers: `base`, `head`, `at`, `tp`. Not a hash: somebody else has written there. */
export function storedItem(entry: string, answer: LookupAnswer, key: string): StoredItem | Failure {
  if (!Array.isArray(answer)) return invalidLookup(entry, key, kindFound(answer))
  const [base, head, at, tp] = answer as readonly (string | null)[]
  return { key, base: base ?? null, head: head ?? null, at: BigInt(at ?? -1), tp: tp ?? undefined }
}

/** Of a cap's limit or units: an int, or a decimal's scaled int. */
export function unitsOf(value: Int | Failure): bigint | Failure {
  return value instanceof Failure ? value : BigInt(value)
}

/** A place as expressions see it. */
export function placeOf(number: bigint, used: bigint): object {
  return { number: canonicalInt(number), used: canonicalInt(used) }
}
