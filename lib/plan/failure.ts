// A record that can never succeed, as a value: it travels with the batch to the commit, where it becomes a dead letter.

export const deadLetterReasons = [
  'invalid-json',
  'wrong-type',
  'missing-field',
  'not-in-enum',
  'lookup-invalid',
  'lookup-missing',
  'decision-missing',
  'expression-failed',
  'topic-not-listed',
  'too-large',
] as const

export type DeadLetterReason = (typeof deadLetterReasons)[number]

/** Stands in a column where a value would stand. Only what reads it fails with it. */
export class Failure {
  readonly reason: DeadLetterReason
  /** Field path (`event.geo.lat` → `geo.lat`), look-up key, or name of the scenario (`filter inHours`). */
  readonly at: string
  /** One sentence without values of the record, since they are customers' data. */
  readonly message: string
  /** Name of the look-up or decision that found nothing: what reads it fails with it, but is not missing itself. */
  readonly missing: string | undefined
  constructor(reason: DeadLetterReason, at: string, message: string, missing?: string) {
    this.reason = reason
    this.at = at
    this.message = message
    this.missing = missing
  }
}
