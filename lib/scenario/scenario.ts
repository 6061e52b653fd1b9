// A checked scenario: every name resolved, every expression typed. The compiler plans and translates it; nothing in it is text to be parsed.
import type { Checked } from '../language/checked.ts'
import type { Range } from '../language/problem.ts'
import type { Field, Type } from '../language/types.ts'
import type { SharedText } from './texts.ts'

export interface Scenario {
  readonly file: string
  readonly text: string
  /** The shared files; what stands in them has a range below 0. */
  readonly shared: readonly SharedText[]
  readonly name: string
  readonly description: string
  readonly generation: number
  readonly delivery: 'exactly-once' | 'at-least-once'
  readonly stopAbove: number
  /** Paths that dead letters do not show: `event.email`, `key`, `headers.token`. */
  readonly redact: readonly string[]
  readonly source: Source
  readonly enrichers: readonly Enricher[]
  /** Remember entries and caps in file order. */
  readonly state: readonly StateEntry[]
  readonly variables: readonly Variable[]
  readonly filters: readonly Filter[]
  readonly decisions: readonly Decision[]
  readonly sinks: readonly Sink[]
  readonly examples: readonly Example[]
  /** Literal Serverless function settings (`memorySize`, …) as plain JSON. */
  readonly functionSettings: Readonly<Record<string, unknown>>
}

export interface Source {
  readonly topic: string
  readonly event: Type & { kind: 'object' }
  /** Type of the decoded key, and declared headers; undefined where the file declares none. */
  readonly key?: Type
  readonly headers?: Type & { kind: 'object' }
  /** Settings under AWS's names as the user wrote them; defaults are applied by whoever uses them. */
  readonly settings: Readonly<Record<string, unknown>>
}

export interface Enricher {
  readonly name: string
  readonly range: Range
  readonly lookup:
    | { readonly kind: 'hash' | 'json' | 'string'; readonly key: Template }
    | { readonly kind: 'member'; readonly key: Template; readonly member: Template }
    /** `key` holds all that the look-up refers to; what is sent is built from its attributes, or from URL and body. */
    | {
        readonly kind: 'item'
        readonly table: string
        readonly key: Template
        readonly attributes: readonly KeyAttribute[]
        readonly consistent?: true
      }
    | {
        readonly kind: 'request'
        readonly method: 'GET' | 'POST'
        readonly host: string
        readonly key: Template
        readonly body?: Value
        readonly batch?: 'array'
      }
    /** A CSV file, read when the scenario is: rows (run-time objects of the fields) by the JSON text of their key columns. */
    | {
        readonly kind: 'table'
        readonly key: Template
        readonly attributes: readonly KeyAttribute[]
        readonly rows: ReadonlyMap<string, Readonly<Record<string, unknown>>>
      }
  /** What NAME is in expressions: an object of the declared fields, `{ value }` (string), bool (member); with `forEach` a list. */
  readonly type: Type
  /** Declared fields in file order; for `string` the one field `value`; empty for `member`. */
  readonly fields: ReadonlyMap<string, Field>
  /** Where each field is declared, for messages. */
  readonly fieldRanges: ReadonlyMap<string, Range>
  readonly onMissing: 'empty' | 'drop' | 'deadLetter'
  readonly onError: 'retry' | 'missing' | 'deadLetter'
  readonly timeoutMs?: number
  readonly cacheMs: number
  readonly forEach?: ForEach
  /** `onMissing: drop` of a `forEach`: an element that finds nothing is not in the list. (`onMissing` is then `empty`.) */
  readonly leavesOut?: true
}

/** `id={event.customerId}`. `number`: what DynamoDB keeps as N, since the one hole is an int. */
export interface KeyAttribute {
  readonly name: string
  readonly type: 'text' | 'number'
  readonly value: Template
}

export interface ForEach {
  readonly element: string
  readonly list: Checked
}

/** A text with holes. A hole whose value is missing makes the whole text missing (where the place allows it). */
export interface Template {
  readonly parts: readonly (string | Checked)[]
  readonly range: Range
  /** As written, for `explain`. */
  readonly source: string
}

export type StateEntry = Remember | Cap

/** What earlier records of a key left: NAME is an object of `fields` as it was before this record. */
export interface Remember {
  readonly kind: 'remember'
  readonly name: string
  readonly range: Range
  /** A missing hole: nothing is read or written. */
  readonly key: Template
  /** Each has a default or is optional, since nothing is remembered at first. */
  readonly fields: ReadonlyMap<string, Field>
  /** Where each field is declared, for messages. */
  readonly fieldRanges: ReadonlyMap<string, Range>
  readonly type: Type & { kind: 'object' }
  /** Which records write; undefined: those that pass all filters. Reads no cap. */
  readonly when: Checked | undefined
  /** In file order. A field that is not here keeps its value; a missing value makes an optional one forgotten. */
  readonly set: readonly { readonly name: string; readonly value: Value }[]
}

/** At most `limit` records per key: NAME is `{ number: int, used: int | decimal }`, and may be read by sinks alone. */
export interface Cap {
  readonly kind: 'cap'
  readonly name: string
  readonly range: Range
  readonly key: Template
  /** An int; with `take` of decimals a decimal of the same digits. */
  readonly limit: Checked
  readonly when: Checked | undefined
  readonly withinMs: number | undefined
  /** Each member once. */
  readonly member: Template | undefined
  /** Units instead of records: an int or a decimal. */
  readonly take: Checked | undefined
  /** `shared: true`: the file (as written in `use`) whose scenarios share it. */
  readonly sharedBy: string | undefined
  readonly type: Type & { kind: 'object' }
}

export interface Variable {
  readonly name: string
  readonly range: Range
  readonly value: Value & { kind: 'expression' | 'template' | 'map' | 'list' }
  readonly type: Type
}

export interface Filter {
  readonly name: string
  readonly range: Range
  readonly condition: Checked
}

export interface Decision {
  readonly name: string
  readonly range: Range
  readonly hitPolicy: 'unique' | 'any' | 'first' | 'collect'
  readonly rank?: { readonly output: string; readonly order: 'ascending' | 'descending' }
  readonly limit?: number
  readonly onMissing?: 'empty' | 'drop' | 'deadLetter'
  readonly forEach?: ForEach
  /** Table: the expressions of the headings before `||`. Empty for rules. */
  readonly inputs: readonly Checked[]
  readonly outputs: readonly { readonly name: string; readonly type: Type }[]
  readonly rows: readonly Row[]
  /** True where no case is left over (or the last row always holds), so that the decision can't be missing. */
  readonly complete: boolean
  readonly form: 'table' | 'rules'
  /** What NAME is in expressions: an object of the outputs, or a list of them (`collect`). */
  readonly type: Type
}

export interface Row {
  readonly range: Range
  /** As many as inputs. */
  readonly cells: readonly Cell[]
  /** The condition of a rule; absent: holds always (tables use `cells`). */
  readonly when?: Checked
  /** As many as outputs: a run-time value (language/standard/values.ts) or an expression. */
  readonly outputs: readonly ({ readonly literal: unknown } | { readonly expression: Checked })[]
}

/** Literals are run-time values of the input's type. */
export type Cell =
  | { readonly kind: 'any' }
  | { readonly kind: 'missing' }
  | { readonly kind: 'oneOf'; readonly values: readonly unknown[] }
  | { readonly kind: 'noneOf'; readonly values: readonly unknown[] }
  | { readonly kind: 'range'; readonly low?: Bound; readonly high?: Bound }

export interface Bound {
  readonly value: unknown
  readonly inclusive: boolean
}

export interface Sink {
  readonly name: string
  readonly range: Range
  readonly topic: Template
  /** Allowed topics where `topic` has holes. */
  readonly among?: readonly string[]
  readonly onDropped: boolean
  readonly when?: Checked
  readonly forEach?: ForEach
  /** Absent: the source record's bytes. */
  readonly key?: Value & { kind: 'expression' | 'template' }
  readonly headers: readonly { readonly name: string; readonly value: Value & { kind: 'expression' | 'template' } }[]
  /** `bytes`: `record.value`. */
  readonly value: Value | { readonly kind: 'bytes' }
}

/** Something to write out. */
export type Value =
  /** `mayBeMissing` expressions leave their entry out. */
  | { readonly kind: 'expression'; readonly checked: Checked }
  | { readonly kind: 'template'; readonly template: Template }
  | {
      readonly kind: 'map'
      readonly spread?: Checked
      readonly entries: readonly { readonly name: string; readonly value: Value }[]
    }
  | { readonly kind: 'list'; readonly items: readonly Value[] }
  | { readonly kind: 'null' }

export interface Example {
  readonly name: string
  readonly range: Range
  /** One step for an example without `steps`. A common `given` is merged into each. */
  readonly steps: readonly ExampleStep[]
}

export interface ExampleStep {
  readonly range: Range
  readonly given: Given
  readonly expect: Expectation
}

export interface Given {
  /** The record's bytes: `record.value` as raw text, or `event` as compact JSON text. */
  readonly valueText: string | null
  readonly keyText: string | null
  readonly headers: readonly (readonly [string, string])[]
  readonly timestampMs: number
  /** By enricher name; those left out are missing. `fields`: texts as a store would hold them (hash, string), JSON text (json). */
  readonly lookups: ReadonlyMap<string, GivenLookup>
  /** What each key held before the example's first record, by name of a remember entry: JSON text of its fields, in declared form. */
  readonly state: ReadonlyMap<string, string>
}

export type GivenLookup =
  | { readonly kind: 'hash'; readonly fields: ReadonlyMap<string, string> }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'member'; readonly isMember: boolean }
  | { readonly kind: 'missing' | 'failing' | 'broken' }
  /** Of an enricher with `forEach`: what each element finds. */
  | { readonly kind: 'list'; readonly items: readonly GivenLookup[] }

export type Expectation =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'retry' }
  | { readonly kind: 'deadLetter'; readonly reason: string; readonly range: Range }
  /** `droppedBy` and outputs (of `on: dropped` sinks) may come together. */
  | { readonly kind: 'outputs'; readonly droppedBy?: string; readonly outputs: readonly ExpectedOutput[] }

export interface ExpectedOutput {
  readonly sink: string
  readonly range: Range
  /**
   * Compared only where written; `value` is compared whole, as JSON: plain objects and arrays, ints beyond 2^53 as bigint, timestamps
   * as the text that a sink writes. Absent: not compared.
   */
  readonly key?: string
  readonly topic?: string
  readonly headers?: ReadonlyMap<string, string>
  readonly value?: unknown
}
