// A scenario file as written: sections and scalars with their places, nothing resolved yet. The reader makes it, the analysis reads it.
import type { Range } from '../language/problem.ts'
import type { SharedText } from './texts.ts'

/** Ranges are offsets (UTF-16) into the file's text; those of a shared file are below 0 (texts.ts). */
export interface Located<T> {
  readonly value: T
  readonly range: Range
}

/** A scalar. Expressions are the *source* of a plain scalar, the decoded text of a quoted or block one. */
export interface ScalarText {
  readonly text: string
  /** In quotes of either kind: a text with {holes}. Plain or block (`>-`, `|`): an expression. */
  readonly quoted: boolean
  readonly range: Range
  /** Where a place of `text` stands in the file (folding and escapes make that no mere addition). */
  readonly fileOffset: (offset: number) => number
}

/** Any YAML value. */
export type Node =
  | { readonly kind: 'scalar'; readonly scalar: ScalarText; readonly range: Range }
  | { readonly kind: 'map'; readonly entries: readonly Entry[]; readonly range: Range }
  | { readonly kind: 'list'; readonly items: readonly Node[]; readonly range: Range }
  | { readonly kind: 'null'; readonly range: Range }

export interface Entry {
  readonly name: Located<string>
  readonly value: Node
}

export interface ScenarioSyntax {
  /** As given to the reader, for messages; relative to the working directory. */
  readonly file: string
  readonly text: string
  readonly name: Located<string>
  readonly description?: Located<string>
  readonly generation?: Located<number>
  readonly delivery?: Located<'exactly-once' | 'at-least-once'>
  readonly stopAbove?: Located<number>
  readonly redact?: readonly Located<string>[]
  readonly source: SourceSyntax
  /** Paths under `use`. */
  readonly use?: readonly Located<string>[]
  /** The files that `use` names; their parts stand before the scenario's own below. */
  readonly shared?: readonly SharedSyntax[]
  readonly enrich: readonly EnricherSyntax[]
  readonly state: readonly StateSyntax[]
  readonly variables: readonly NamedExpression[]
  readonly filters: readonly NamedExpression[]
  readonly decisions: readonly DecisionSyntax[]
  readonly sinks: readonly SinkSyntax[]
  readonly examples: readonly ExampleSyntax[]
  /** Serverless function settings, literal or with ${…}. */
  readonly functionSettings?: Node
}

/** A shared file as written. */
export interface SharedSyntax extends SharedText {
  /** Where `use` names it. */
  readonly usedAt: Range
  readonly needs?: Node
  readonly enrich: readonly EnricherSyntax[]
  readonly state: readonly StateSyntax[]
  readonly variables: readonly NamedExpression[]
  readonly filters: readonly NamedExpression[]
  readonly decisions: readonly DecisionSyntax[]
}

export interface SourceSyntax {
  readonly range: Range
  readonly topic: Located<string>
  /** A map of fields, or absent where `schema` is given. */
  readonly event?: Node
  readonly schema?: Located<string>
  readonly key?: Node
  readonly headers?: Node
  /** AWS's settings of the mapping, by their own names, checked for type and range by the reader. */
  readonly settings: ReadonlyMap<string, Located<unknown>>
}

export interface NamedExpression {
  readonly name: Located<string>
  readonly value: ScalarText
}

export interface EnricherSyntax {
  readonly name: Located<string>
  /** The look-up line: `redis: hash customer:{event.customerId}` → store `redis`, line `hash customer:{…}` (a text with holes). */
  readonly store: Located<string>
  readonly line: ScalarText
  readonly fields?: Node
  readonly value?: ScalarText
  /** Where the words `fields` and `value` stand. */
  readonly fieldsKey?: Range
  readonly valueKey?: Range
  /** What is sent by POST. */
  readonly body?: Node
  /** All bodies in one request. */
  readonly batch?: Located<'array'>
  /** DynamoDB's strongly consistent reads. */
  readonly consistent?: Located<boolean>
  readonly forEach?: ScalarText
  readonly onMissing?: Located<'empty' | 'drop' | 'deadLetter'>
  readonly onError?: Located<'retry' | 'missing' | 'deadLetter'>
  readonly timeoutMs?: Located<number>
  readonly cacheMs?: Located<number>
  readonly range: Range
}

/** A remember entry or a cap; which of them it is, the analysis finds. */
export interface StateSyntax {
  readonly name: Located<string>
  readonly range: Range
  readonly key?: ScalarText
  readonly fields?: Node
  readonly when?: ScalarText
  readonly set?: Node
  readonly limit?: ScalarText
  readonly withinMs?: Located<number>
  readonly member?: ScalarText
  readonly take?: ScalarText
  readonly shared?: Located<boolean>
  /** The shared file that it stands in, as written in `use`. */
  readonly from?: string
}

export interface DecisionSyntax {
  readonly name: Located<string>
  readonly range: Range
  readonly hitPolicy?: Located<'unique' | 'any' | 'first' | 'collect'>
  readonly rank?: { readonly output: Located<string>; readonly order: Located<'ascending' | 'descending'> }
  readonly limit?: Located<number>
  readonly onMissing?: Located<'empty' | 'drop' | 'deadLetter'>
  readonly forEach?: ScalarText
  /** The block text of a pipe table, or the path of a CSV file. */
  readonly table?: ScalarText
  readonly rules?: readonly RuleSyntax[]
}

export interface RuleSyntax {
  readonly when?: ScalarText
  readonly then: readonly { readonly name: Located<string>; readonly value: ScalarText }[]
  readonly range: Range
}

export interface SinkSyntax {
  readonly name: Located<string>
  readonly range: Range
  readonly topic: ScalarText
  readonly among?: readonly Located<string>[]
  /** Where the word `among` stands. */
  readonly amongKey?: Range
  readonly onDropped?: Range
  readonly when?: ScalarText
  readonly forEach?: ScalarText
  readonly key?: ScalarText
  readonly headers?: Node
  readonly value?: Node
}

export interface ExampleSyntax {
  readonly name?: Located<string>
  readonly range: Range
  readonly given?: Node
  readonly expect?: Node
  readonly steps?: readonly { readonly given?: Node; readonly expect?: Node; readonly range: Range }[]
}
