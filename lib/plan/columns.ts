// What generated code and the stages do with columns: make them, drop and fail records, read a value that may be a Failure.
import { ExpressionFailure } from '../language/standard/values.ts'
import { Failure } from './failure.ts'
import { type Columns, type Plan, type SourceRecord, Status, unset } from './plan.ts'

/** Fresh columns for these records (tombstones are not among them). */
export function createColumns(plan: Plan, records: readonly SourceRecord[]): Columns {
  const recordCount = records.length
  return {
    recordCount,
    record: records,
    event: new Array(recordCount),
    key: new Array(recordCount),
    headers: new Array(recordCount),
    status: new Uint8Array(recordCount),
    droppedBy: new Array(recordCount),
    failure: new Array(recordCount),
    lookups: plan.lookups.map(() => new Array(recordCount)),
    values: Array.from({ length: plan.valueCount }, () => new Array(recordCount).fill(unset)),
  }
}

/** One filter's verdict on one record: dropping beats breaking, and the first of each counts. */
export function judge(columns: Columns, i: number, filter: string, verdict: unknown): void {
  if (verdict === true) return
  if (verdict === false) {
    if (columns.status[i] === Status.dropped) return
    columns.status[i] = Status.dropped
    columns.droppedBy[i] = filter
    columns.failure[i] = undefined
  } else if (columns.status[i] === Status.open) {
    columns.status[i] = Status.failing
    columns.failure[i] = verdict as Failure
  }
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
