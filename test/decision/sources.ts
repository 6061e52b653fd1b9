// Decisions as text for tests of the analysis: a table as it stands in a scenario file, without the YAML around it.
import type { Declaration, Scope } from '../../lib/language/checked.ts'
import type { Range } from '../../lib/language/problem.ts'
import type { Field, Type } from '../../lib/language/types.ts'
import { type AnalysedDecision, analyseDecision } from '../../lib/scenario/decision/analyse.ts'
import type { DecisionSyntax, Located, RuleSyntax, ScalarText } from '../../lib/scenario/syntax.ts'

/** At offset 0 of an imagined file. */
export const scalar = (text: string, quoted = false): ScalarText => ({
  text,
  quoted,
  range: { start: 0, end: text.length },
  fileOffset: offset => offset,
})

const located = <T>(value: T): Located<T> => ({ value, range: { start: 0, end: 0 } })

export interface DecisionText {
  readonly name?: string
  readonly hitPolicy?: 'unique' | 'any' | 'first' | 'collect'
  readonly rank?: `${string} ${'ascending' | 'descending'}`
  readonly limit?: number
  readonly onMissing?: 'empty' | 'drop' | 'deadLetter'
  readonly forEach?: string
  readonly table?: string
  readonly rules?: readonly { readonly when?: string; readonly then: Readonly<Record<string, string>> }[]
}

export function syntaxOf({
  name = 'offer',
  hitPolicy,
  rank,
  limit,
  onMissing,
  forEach,
  table,
  rules,
}: DecisionText): DecisionSyntax {
  const range: Range = { start: 0, end: 0 }
  const [output, order] = (rank?.split(' ') ?? []) as [string?, ('ascending' | 'descending')?]
  return {
    name: located(name),
    range,
    ...(hitPolicy && { hitPolicy: located(hitPolicy) }),
    ...(output !== undefined && order && { rank: { output: located(output), order: located(order) } }),
    ...(limit !== undefined && { limit: located(limit) }),
    ...(onMissing && { onMissing: located(onMissing) }),
    ...(forEach !== undefined && { forEach: scalar(forEach) }),
    ...(table !== undefined && { table: scalar(table) }),
    ...(rules && { rules: rules.map(ruleOf) }),
  }
}

function ruleOf({ when, then }: NonNullable<DecisionText['rules']>[number]): RuleSyntax {
  // Quotes as in YAML.
  const quotedScalar = (text: string): ScalarText => (/^'.*'$/.test(text) ? scalar(text.slice(1, -1), true) : scalar(text))
  return {
    range: { start: 0, end: 0 },
    ...(when !== undefined && { when: scalar(when) }),
    then: Object.entries(then).map(([name, text]) => ({ name: located(name), value: quotedScalar(text) })),
  }
}

export const object = (fields: Readonly<Record<string, Type>>): Type => ({
  kind: 'object',
  fields: new Map(
    Object.entries(fields).map(([name, type]): [string, Field] =>
      name.endsWith('?') ? [name.slice(0, -1), { type, optional: true }] : [name, { type, optional: false }],
    ),
  ),
})

const string: Type = { kind: 'string' }

/** What the tables of these tests refer to. */
export const scope: Scope = {
  names: new Map<string, Declaration>([
    ['abroad', { type: { kind: 'bool' } }],
    [
      'event',
      {
        type: object({
          amount: { kind: 'double' },
          count: { kind: 'int' },
          'country?': string,
          kind: string,
          at: { kind: 'timestamp', unit: 'rfc3339' },
          tags: { kind: 'list', element: string },
        }),
      },
    ],
    ['profile', { type: object({ plan: { kind: 'enum', values: ['basic', 'gold'] }, balance: { kind: 'decimal', digits: 2 } }) }],
    ['offers', { type: { kind: 'list', element: object({ code: string, value: { kind: 'double' } }) } }],
  ]),
}

export function analysed(text: DecisionText, readFile?: (path: string) => string): AnalysedDecision {
  return analyseDecision(syntaxOf(text), { file: 'functions/a.yml', scope, readFile })
}

/** `[id] message` of each, in the order of their places. */
export function complaints(text: DecisionText, readFile?: (path: string) => string): readonly string[] {
  return analysed(text, readFile).diagnostics.map(({ id, message }) => `[${id}] ${message}`)
}
