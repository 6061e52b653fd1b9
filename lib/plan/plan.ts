// The contract between compiler and runtime: what a compiled scenario is. The compiler writes a JavaScript module whose default
// export is a Plan; `sluice test` also builds one whose functions call the reference interpreter.
import type { Failure } from './failure.ts'

export interface Plan {
  readonly scenario: string
  /** Path of the scenario file relative to the project, for messages. */
  readonly file: string
  readonly generation: number
  /** Of the deployment (identity.ts); its environment says it. */
  readonly namespace?: string
  readonly delivery: 'exactly-once' | 'at-least-once'
  /** With a larger share of dead letters in a batch of ≥ 100 records nothing is emitted and the batch comes again. */
  readonly stopAbove: number
  /** Paths that dead letters do not show: `event.email`, `key`, `headers.token`; absent: all is shown. */
  readonly redact?: readonly string[]
  readonly source: SourcePlan
  /** How long its topic keeps records; set by the deployment. Absent: a week, as Kafka does where nothing is said. */
  readonly sourceRetentionMs?: number
  readonly lookups: readonly LookupPlan[]
  /** In the order of execution, as `explain` prints them. */
  readonly steps: readonly Step[]
  /** In file order: the order of a record's outputs. */
  readonly sinks: readonly SinkPlan[]
  /** Every filter on its own, in `explain`'s order. */
  readonly conditions: readonly ConditionPlan[]
  /** How many columns `Columns.values` has. */
  readonly valueCount: number
  /** Absent: no record leaves anything for later ones. */
  readonly state?: StatePlan
  /** Absent: nobody asked which rows decide. Else each decision's value for a record: `unset` where it was not needed. */
  readonly rows?: readonly { readonly decision: string; readonly value: (columns: Columns, i: number) => unknown }[]
}

export interface ConditionPlan {
  readonly name: string
  /** True, false or a Failure, once what it reads is there. */
  readonly verdict: (columns: Columns, i: number) => unknown
  /** It reads what is remembered, so that of some records of a batch those after it judge first. */
  readonly waits?: true
}

export interface SourcePlan {
  readonly topic: string
  /** The decoded key and headers, where the scenario declares them. */
  readonly decodeKey?: (key: Uint8Array | null) => unknown
  readonly decodeHeaders?: (headers: readonly Header[]) => object | Failure
  /** Checks a parsed JSON value against the declared fields. `needsExact`: an int beyond 2^53 was met; call again with `exact`. */
  readonly decodeEvent: (json: unknown) => object | Failure | typeof needsExact
}

/** JSON.parse has rounded a number; the record is parsed again with bigints where numbers are not exact. */
export const needsExact: unique symbol = Symbol('needsExact')

/**
 * A batch's values, an array per name with an element per record. What stands in them is described in language/standard/values.ts;
 * a Failure stands for a value that cannot be had, and breaks only what reads it.
 */
export interface Columns {
  readonly recordCount: number
  readonly record: readonly SourceRecord[]
  readonly event: unknown[]
  readonly key: unknown[]
  readonly headers: unknown[]
  readonly status: Uint8Array
  /** Name of the first filter, in `explain`'s order, that dropped the record. */
  readonly droppedBy: (string | undefined)[]
  /** Why it cannot pass: its bytes, or the first filter or sink that failed. */
  readonly failure: (Failure | undefined)[]
  /** By index into `Plan.lookups`. */
  readonly lookups: unknown[][]
  /** Variables and decisions that are kept, by an index known to the generated code; `unset` until computed. */
  readonly values: unknown[][]
  /** By index into `StatePlan.remember`. */
  readonly remembered: readonly Remembered[]
  /** By index into `StatePlan.caps`: `{ number, used }` of those that have a place. */
  readonly places: unknown[][]
}

/** A remember entry's columns. */
export interface Remembered {
  /** The value before the record, as an object of its fields, or a Failure; `unset` until the records before it have been judged. */
  readonly before: unknown[]
  /** Whether the record leaves something, true or false, or why nobody knows; undefined until it is judged. */
  readonly when: (boolean | Failure | undefined)[]
  /** What the record leaves: an object of all fields, undefined for nothing, or the Failure of `when` or `set`. */
  readonly after: (object | Failure | undefined)[]
}

/** `Columns.status`. Odd: no filter will look at it again. */
export const Status = {
  open: 0,
  dropped: 1,
  /** A filter failed; a later false filter still drops it, since dropping beats breaking. */
  failing: 2,
  /** Its bytes are not what the scenario declares: it is a dead letter whatever the rules say. */
  undecodable: 3,
} as const

/** Stands in `Columns.values` until the value has been computed (undefined is a value: missing). */
export const unset: unique symbol = Symbol('unset')

export interface SourceRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Milliseconds since 1970: `now` of every rule. */
  readonly timestampMs: number
  readonly key: Uint8Array | null
  /** Null: a tombstone. */
  readonly value: Uint8Array | null
  readonly headers: readonly Header[]
}

export interface Header {
  readonly name: string
  readonly value: Uint8Array | null
}

export type Step =
  /** Evaluates filters for records that are not dropped, sets `status`, `droppedBy`, `failure`. */
  | { readonly kind: 'filter'; readonly names: readonly string[]; readonly run: (columns: Columns) => void }
  /** Look-ups that go together: one pipelined round trip per store. */
  | { readonly kind: 'fetch'; readonly lookups: readonly number[] }
  /** Judges a decision for the records that need it. */
  | { readonly kind: 'decide'; readonly names: readonly string[]; readonly run: (columns: Columns) => void }
  /**
   * Judges the records in order, each with what the records before it left. `judge` is called for a record once its `before` is there: it
   * judges the filters that read these entries and fills `when` and `after`.
   */
  | {
      readonly kind: 'settle'
      /** Indexes into `StatePlan.remember`. */
      readonly entries: readonly number[]
      readonly judge: (columns: Columns, i: number) => void
    }
  /** The store remembers and gives places; once per batch and partition, after all filters. */
  | { readonly kind: 'write' }

export interface StatePlan {
  readonly remember: readonly RememberPlan[]
  readonly caps: readonly CapPlan[]
  /** Types of remembered fields and units of caps (signature.ts), kept in locks: what the store holds under others needs a new generation. */
  readonly signature: string
}

/** A remembered value as the store has it; one object for all records of a batch with this key. */
export interface StoredItem {
  /** With scenario, generation and entry. */
  readonly key: string
  readonly base: string | null
  readonly head: string | null
  readonly at: bigint
  /** `TOPIC/PARTITION`; undefined: nothing is stored. */
  readonly tp: string | undefined
}

export interface RememberPlan {
  readonly name: string
  /**
   * Index of the look-up that reads it: a hash `base`, `head`, `at`, `tp` of store `state`, whose key is the entry's own (the run time puts
   * scenario, generation and entry before it). Its column holds a StoredItem; null where a record has no key, so that nothing is read or
   * written; undefined where the record does not need it.
   */
  readonly lookup: number
  /** JSON text of a value and back; null: nothing is remembered yet, all defaults. Failure: the store holds something else. */
  readonly encode: (value: object) => string
  readonly decode: (text: string | null, key: string) => object | Failure
  /** Whether its text is surely within the 16 KB of a value; false or absent: it must be written to know. */
  readonly isSmall?: (value: object) => boolean
}

export interface CapPlan {
  readonly name: string
  /** Whether the record asks; called only for records that passed all filters. */
  readonly when: (columns: Columns, i: number) => boolean | Failure
  /** Without scenario, generation and name. Undefined: the record does not ask. */
  readonly key: (columns: Columns, i: number) => string | undefined | Failure
  /** Records, or units as a whole number of the smallest (hundredths of a `decimal(2)`). */
  readonly limit: (columns: Columns, i: number) => bigint | Failure
  readonly member?: (columns: Columns, i: number) => string | undefined | Failure
  /** Same unit as `limit`. */
  readonly take?: (columns: Columns, i: number) => bigint | Failure
  /** The object that expressions see. */
  readonly place: (number: bigint, used: bigint) => object
  readonly withinMs: number | undefined
  /** The shared file. */
  readonly sharedBy: string | undefined
}

export interface LookupPlan {
  readonly name: string
  /** Which of the world's stores answers: with its siblings of the stage in one call. */
  readonly store: LookupStore
  readonly command: LookupCommand
  /** `forEach`: keys and members are asked for each element, and the column gets a list. */
  readonly each?: LookupElements & { readonly list: (columns: Columns, i: number) => readonly unknown[] | Failure }
  /**
   * The key for record i (and an element, at its place in the list); undefined: no look-up is made, the answer is missing; a Failure: its
   * key cannot be built.
   */
  readonly key: (columns: Columns, i: number, element?: unknown, index?: number) => string | undefined | Failure
  /** The member asked for (`set … has MEMBER`). */
  readonly member?: (columns: Columns, i: number, element?: unknown, index?: number) => string | undefined | Failure
  /** Whether record i needs it: not dropped, and (for look-ups of sinks alone) its filters passed and a sink wants it. */
  readonly needed: (columns: Columns, i: number) => boolean
  /** Parses what the store answered by declared type; called once per distinct key. */
  readonly decode: (answer: LookupAnswer, key: string) => unknown
  /** What stands in the column where nothing was found: an object of defaults, or a Failure `lookup-missing`. */
  readonly missing: (key: string | undefined) => unknown
  readonly onError: 'retry' | 'missing' | 'deadLetter'
  readonly timeoutMs: number | undefined
  readonly cacheMs: number
}

export interface LookupElements {
  /** What was found, with the element under the loop's name. */
  readonly join: (found: unknown, element: unknown) => object
  /** `onMissing: drop`: an element that finds nothing is left out. */
  readonly leavesOut: boolean
}

export type LookupCommand =
  | { readonly kind: 'hash'; readonly fields: readonly string[] }
  | { readonly kind: 'string' }
  | { readonly kind: 'member' }
  /**
   * An item of DynamoDB. A key is a JSON text of the key's attributes as DynamoDB writes them, in canonical order: `{"id":{"S":"c-1"}}`.
   * The answer is the declared fields as plain JSON text, null where there is no item.
   */
  | {
      readonly kind: 'item'
      readonly table: string
      readonly keyNames: readonly string[]
      readonly fields: readonly string[]
      readonly consistent?: boolean
    }
  /**
   * An HTTP request; a key is the URL, for POST the URL, a line feed and the body. The answer is the body's text, null for 404. `batch`: the
   * bodies of one URL go as one JSON array, and an array comes back, with null for nothing.
   */
  | { readonly kind: 'request'; readonly method: 'GET' | 'POST'; readonly batch?: 'array' }

/** `state`: where remembered values are; usually the same Redis, and then in the same pipeline. */
export type LookupStore = 'redis' | 'dynamodb' | 'http' | 'state'

/** hash: a text or null per field of the command; string, item, request: text or null; member: boolean; WrongKind: another kind of data is there. */
export type LookupAnswer = readonly (string | null)[] | string | null | boolean | WrongKind

/** The store holds another kind of data under that key (Redis' WRONGTYPE): the look-up is broken, not the store. */
export class WrongKind {
  readonly found: string
  constructor(found: string) {
    this.found = found
  }
}

export interface SinkPlan {
  readonly name: string
  /** Appends record i's outputs, in order; nothing if `when` is false. A Failure makes the record a dead letter without outputs. */
  readonly emit: (columns: Columns, i: number, outputs: SinkOutput[]) => Failure | undefined
}

export interface SinkOutput {
  readonly topic: string
  /** Undefined: the source record's key bytes. */
  readonly key: string | Uint8Array | undefined
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** JSON text, bytes as received, or null for a tombstone. */
  readonly value: string | Uint8Array | null
}
