// Every compile-time error, in one table: how grave it is, and its sentence. The values that a sentence needs are typed from its text,
// so that none can be forgotten. A key is an id, or `id/case` where one id has several sentences. The ids that the expression
// language gives its own sentences to (lib/language) are listed too, since users look ids up here and in the reference page.
import type { Severity } from './diagnostics.ts'

interface ErrorSpec {
  readonly severity: Severity
  /** One sentence; `{hole}`s are filled by `problem`. */
  readonly text: string
}

export const errors = {
  // YAML: what YAML would make of the text, never silently another rule.
  'yaml-syntax': { severity: 'error', text: 'YAML cannot read this: {detail}' },
  'yaml-syntax/quoted-start': {
    severity: 'error',
    text: 'The value of "{key}" begins with a quoted text and goes on after it, so YAML cannot read it',
  },
  'yaml-syntax/bracket-start': {
    severity: 'error',
    text: 'The value of "{key}" begins with "{bracket}", which YAML reads as a {collection}, and goes on after it',
  },
  'yaml-syntax/character-start': {
    severity: 'error',
    text: 'The value of "{key}" begins with "{character}", and YAML lets no value begin so',
  },
  'yaml-syntax/block-start': {
    severity: 'error',
    text: 'YAML reads the "{character}" at the start of "{key}" as the sign of a text over several lines',
  },
  'yaml-syntax/tab': { severity: 'error', text: 'This line is indented with a tab, and YAML takes only blanks' },
  'yaml-syntax/unclosed-quote': { severity: 'error', text: 'The text that begins here has no closing {quote}' },
  'yaml-syntax/unclosed-bracket': { severity: 'error', text: 'The "{bracket}" that begins here has no closing "{closing}"' },
  'yaml-syntax/indentation': {
    severity: 'error',
    text: 'This line is indented unlike the lines around it, so YAML cannot tell what it belongs to',
  },
  'yaml-syntax/escape': { severity: 'error', text: 'A text in double quotes has no "{escape}"' },
  'yaml-syntax/several-documents': {
    severity: 'error',
    text: 'A scenario file holds one scenario, and "---" or "..." begins a second document',
  },
  'yaml-syntax/directive': { severity: 'error', text: 'A scenario file has no YAML directives, found "{directive}"' },
  'yaml-syntax/empty': { severity: 'error', text: 'The file is empty' },
  'yaml-tag': { severity: 'error', text: 'YAML reads "{tag}" as a tag and leaves this {place} empty' },
  'yaml-tag/other-value': { severity: 'error', text: 'YAML reads "{tag}" as a tag and leaves another {place}: {rest}' },
  'yaml-anchor': {
    severity: 'error',
    text: 'YAML reads "{anchor}" as an anchor, and a scenario file has none: each value stands where it is used',
  },
  'yaml-anchor/alias': {
    severity: 'error',
    text: 'YAML reads "{alias}" as an alias of another value, and a scenario file has none: each value stands where it is used',
  },
  'yaml-anchor/merge': {
    severity: 'error',
    text: 'YAML reads "<<" as a merge of another map, and a scenario file has none: each value stands where it is used',
  },
  'yaml-comment': { severity: 'error', text: 'YAML takes what follows the "#" for a comment, and reads only: {rest}' },
  'yaml-comma': { severity: 'error', text: 'Between braces or brackets YAML splits at every comma, and reads only: {rest}' },
  'yaml-comma/bracket': {
    severity: 'error',
    text: 'Between braces or brackets YAML reads "{character}" as its own, so this value cannot stand there',
  },
  'yaml-colon': { severity: 'error', text: 'YAML reads ": " in the value of "{key}" as the start of a nested map' },
  'yaml-duplicate': { severity: 'error', text: '"{key}" is there twice' },
  'yaml-no-value': { severity: 'error', text: '"{key}" has no value' },
  'yaml-no-value/element': { severity: 'error', text: 'An element of this list has no value' },
  'yaml-no-value/hole': { severity: 'error', text: 'YAML reads "{text}" as a map; a text with holes needs quotes' },

  // Shape of the file.
  'unknown-key': { severity: 'error', text: '{place} has no "{key}"' },
  'missing-key': { severity: 'error', text: '{place} needs "{key}"' },
  'missing-key/one-of': { severity: 'error', text: '{place} needs {keys}' },
  'too-many-keys': { severity: 'error', text: '{place} takes only one of {keys}' },
  'wrong-shape': { severity: 'error', text: '"{key}" needs {needed}, found {found}' },
  'not-built-yet': { severity: 'error', text: '{what} is not built yet' },
  'setting-range': { severity: 'error', text: '"{key}" needs {needed}, found {found}' },
  'setting-refused': { severity: 'error', text: '"{key}" cannot be set: {reason}' },
  'misplaced-variable': { severity: 'error', text: 'A Serverless variable works under "function" alone, not in {place}' },

  // Names.
  'unknown-name': { severity: 'error', text: 'Nothing is called "{name}" here' },
  'unknown-field': { severity: 'error', text: '"{owner}" has no field "{field}"' },
  'unknown-function': { severity: 'error', text: 'There is no function "{name}"' },
  'unknown-type': { severity: 'error', text: 'There is no type "{type}"' },
  'duplicate-name': { severity: 'error', text: '"{name}" is the name of two things: {first} and {second}' },
  'reserved-name': { severity: 'error', text: '"{name}" cannot be a name: {reason}' },
  unused: { severity: 'warning', text: '{kind} "{name}" is never used' },
  'unused/shared': { severity: 'warning', text: 'No scenario uses this shared file' },
  'unread-field': { severity: 'warning', text: 'Field "{field}" of enricher "{enricher}" is never read' },
  'unread-field/state': { severity: 'warning', text: 'Field "{field}" of state "{name}" is never read' },

  // Values.
  'expression-syntax': { severity: 'error', text: '{detail}' },
  'type-mismatch': { severity: 'error', text: '{place} needs {needed}, found {found}' },
  'not-a-condition': { severity: 'error', text: '{place} needs a condition that is true or false, found {found}' },
  'may-be-missing': { severity: 'error', text: '"{expression}" may be missing, and {place} needs a value' },
  'literal-type': { severity: 'error', text: '"{literal}" is no {type}' },
  'default-and-optional': {
    severity: 'error',
    text: 'Field "{field}" has a default, so it can never be missing; remove the "?" or the default',
  },
  'text-is-expression': {
    severity: 'error',
    text: '{text} is a text, since it stands in quotes, though it reads as an expression',
  },
  'never-true': { severity: 'error', text: '{expression} can never be true' },
  'always-true': { severity: 'warning', text: '{expression} is always true' },
  'unknown-zone': { severity: 'error', text: 'There is no time zone "{zone}"' },
  'format-pattern': { severity: 'error', text: 'A time pattern has no "{letters}"' },
  'refused-function': { severity: 'error', text: '"{name}" is refused, since implementations differ: {instead}' },
  'not-standard': { severity: 'hint', text: 'Standard CEL has no {what}' },
  'expression-cycle': { severity: 'error', text: "Variables {names} need each other's value" },
  'expression-cycle/mixed': { severity: 'error', text: "{names} need each other's value" },
  'expression-cycle/self': { severity: 'error', text: '{names} needs its own value' },

  // Look-ups.
  'enricher-cycle': { severity: 'error', text: "Enrichers {names} need each other's result" },
  'enricher-cycle/mixed': { severity: 'error', text: "{names} need each other's result" },
  'enricher-cycle/self': { severity: 'error', text: 'Enricher "{name}" needs its own result' },
  'enricher-cycle/state': {
    severity: 'error',
    text: '{names} need each other from record to record, which would take a round trip for each',
  },
  'lookup-line': { severity: 'error', text: 'The look-up of "{enricher}" needs the form {form}, found "{found}"' },
  'for-each-no-list': { severity: 'error', text: '"forEach" of "{name}" needs a list, found {found}' },
  'for-each-no-list/form': { severity: 'error', text: '"forEach" of "{name}" needs the form "x in list", found "{found}"' },
  'for-each-nested': {
    severity: 'error',
    text: '"forEach" of "{name}" goes over elements of another "forEach", and loops do not nest',
  },
  'key-collision': {
    severity: 'hint',
    text: 'Two keys of "{name}" can be the same for different values: nothing stands between {first} and {second}',
  },
  'kept-for-ever': {
    severity: 'hint',
    text: 'The key of cap "{name}" has its time in it, and the store keeps each of them for ever',
  },
  'drop-for-one-sink': {
    severity: 'hint',
    text: 'Enricher "{enricher}" drops a record for all sinks, and only sink "{sink}" reads it',
  },

  // State.
  'state-kind': { severity: 'error', text: 'State "{name}" needs either "fields" and "set" (remember) or "limit" (cap)' },
  'state-kind/lacks': { severity: 'error', text: 'State "{name}", which remembers, needs "{key}"' },
  'state-kind/other': { severity: 'error', text: 'State "{name}" remembers, and "{key}" belongs to a cap' },
  'state-kind/first': {
    severity: 'error',
    text: 'Field "{field}" of state "{name}" needs a default or a "?", since at first nothing is remembered',
  },
  'state-kind/shared': { severity: 'error', text: 'Cap "{name}" cannot be shared, since it stands in the scenario itself' },
  'reads-cap': { severity: 'error', text: '{place} cannot read the cap "{cap}", since caps are asked after all else' },
  'caps-in-two-slots': {
    severity: 'error',
    text: 'Caps {names} lie in different slots of the Redis Cluster, so that they cannot be asked together',
  },
  'many-places': {
    severity: 'warning',
    text: 'Cap "{name}" has up to {limit} places under one key, and those of a key are one value of the store',
  },

  // Decisions.
  'cell-count': { severity: 'error', text: 'Row {row} of decision table "{table}" has {found} cells, its heading {needed}' },
  'cell-count/no-separator': {
    severity: 'error',
    text: 'Row {row} of decision table "{table}" has no "||" between inputs and outputs',
  },
  'cell-count/heading': {
    severity: 'error',
    text: 'The heading of decision table "{table}" has no "||" between inputs and outputs',
  },
  'cell-syntax': { severity: 'error', text: 'A cell of this column is {needed}, found "{cell}"' },
  'output-type': { severity: 'error', text: 'Output "{output}" of decision "{decision}" is {type}, and this cell is {found}' },
  'overlapping-rows': { severity: 'error', text: 'Rows {first} and {second} of decision table "{table}" can hold together' },
  'overlapping-rows/any': {
    severity: 'error',
    text: 'Rows {first} and {second} of decision table "{table}" can hold together with different outputs',
  },
  'unreachable-row': { severity: 'error', text: 'Row {row} of decision table "{table}" can never be chosen' },
  'missing-rows': { severity: 'error', text: 'Decision table "{table}" has no row for {example}, and no "onMissing"' },
  'missing-rows/rules': {
    severity: 'error',
    text: 'The rules of "{table}" do not cover every case, and there is no "onMissing"',
  },
  'rank-without-order': { severity: 'error', text: 'Decision "{decision}" cannot be ranked by "{output}": {reason}' },

  // Sinks.
  'sink-is-source': { severity: 'error', text: 'Sink "{sink}" writes to "{topic}", the topic that the scenario reads' },
  'topic-without-among': {
    severity: 'error',
    text: 'The topic of sink "{sink}" has holes, so its possible names need to be listed in "among"',
  },
  'reserved-header': {
    severity: 'error',
    text: 'Header "{header}" cannot be set: names that begin with "sluice-" are sluice\'s own',
  },

  // Shared parts.
  'shared-needs': { severity: 'error', text: 'The shared file "{file}" needs "{field}" of the event ({needed}), {found}' },
  'shared-needs/default': {
    severity: 'error',
    text: 'Field "{field}" of "needs" has a default, and fields come from the scenario that uses the file',
  },
  'shared-section': { severity: 'error', text: 'A shared file has no section "{section}"' },
  'function-signature': {
    severity: 'error',
    text: 'Function "{name}" of "{file}" needs a signature as "(string) -> string", found {found}',
  },

  // Examples.
  'example-name': {
    severity: 'error',
    text: 'The example gives or expects "{name}", and the scenario has nothing of that name to give or expect',
  },
  'example-name/twice': { severity: 'error', text: 'Two examples are called "{name}"' },
  'example-name/late': {
    severity: 'error',
    text: 'A later step cannot give "{name}", since it finds what the steps before it have left',
  },
  'example-name/cap': { severity: 'error', text: 'An example cannot give cap "{name}", since its places are those of records' },
  'example-type': { severity: 'error', text: '{name} is declared {needed}, and the example has {found}' },
  'example-type/reason': { severity: 'error', text: 'No dead letter has the reason {found}' },
  'example-type/retry': {
    severity: 'error',
    text: 'One of several steps cannot expect "retry": they are run as one batch, too, which comes again as a whole',
  },
  'example-clock': {
    severity: 'hint',
    text: 'The example says nothing of its time, and {reader} reads the clock: it is run at 2026-01-01T00:00:00Z',
  },
  'redact-undeclared': { severity: 'hint', text: '"{path}" is declared nowhere; it is redacted where a record has it' },
  'not-covered': { severity: 'hint', text: 'No example {what}' },
} as const satisfies Record<string, ErrorSpec>

type Holes<Text> = Text extends `${string}{${infer Hole}}${infer Rest}` ? Hole | Holes<Rest> : never
export type ErrorKey = keyof typeof errors
export type ErrorId = ErrorKey extends infer Key ? (Key extends `${infer Id}/${string}` ? Id : Key) : never
export type Values<Key extends ErrorKey> = Readonly<Record<Holes<(typeof errors)[Key]['text']>, string | number | bigint>>

export interface ProblemText {
  readonly id: ErrorId
  readonly severity: Severity
  readonly message: string
}

/** The sentence of an error, with its holes filled; `diagnostic` of diagnostics.ts adds the place. */
export function problem<Key extends ErrorKey>(key: Key, values: Values<Key>): ProblemText {
  const { severity, text } = errors[key]
  const message = text.replace(/\{(\w+)\}/g, (_, hole: string) => String((values as Record<string, unknown>)[hole]))
  return { id: key.replace(/\/.*/, '') as ErrorId, severity, message }
}
