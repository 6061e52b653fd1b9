// Decisions for tests of the compiler, built without parser and checker: an expression is a name, or JavaScript over names.
import { compileDecision } from '../../lib/compiler/decision.ts'
import { interpretDecision } from '../../lib/compiler/decision-interpreter.ts'
import type { Checked } from '../../lib/language/checked.ts'
import * as std from '../../lib/language/standard/index.ts'
import type { Type } from '../../lib/language/types.ts'
import { decisionType } from '../../lib/scenario/decision/decision-type.ts'
import type { Cell, Decision, Row } from '../../lib/scenario/scenario.ts'

export const expression = (source: string, type: Type, mayBeMissing = false): Checked => ({
  source,
  tree: undefined as never,
  typed: undefined as never,
  type,
  mayBeMissing,
  references: new Map(),
  canFail: false,
  problems: [],
})

export const any: Cell = { kind: 'any' }
export const missing: Cell = { kind: 'missing' }
export const is = (...values: unknown[]): Cell => ({ kind: 'oneOf', values })
export const not = (...values: unknown[]): Cell => ({ kind: 'noneOf', values })
export const from = (value: unknown): Cell => ({ kind: 'range', low: { value, inclusive: true } })
export const below = (value: unknown): Cell => ({ kind: 'range', high: { value, inclusive: false } })

export interface TableParts extends Partial<Omit<Decision, 'rows' | 'outputs'>> {
  readonly inputs: readonly Checked[]
  readonly outputs: Decision['outputs']
  readonly rows: readonly { readonly cells: readonly Cell[]; readonly outputs: readonly Row['outputs'][number][] }[]
}

export function decisionOf(parts: TableParts): Decision {
  const range = { start: 0, end: 0 }
  const hitPolicy = parts.hitPolicy ?? 'first'
  const type = decisionType({ hitPolicy, onMissing: parts.onMissing, outputs: parts.outputs, forEach: parts.forEach })
  return {
    name: 'offer',
    range,
    complete: false,
    form: 'table',
    type,
    ...parts,
    hitPolicy,
    rows: parts.rows.map(row => ({ range, ...row })),
  }
}

export type Values = Readonly<Record<string, unknown>>

/** Runs the generated code, as a module would hold it. */
export function compiled(decision: Decision): { readonly decide: (values: Values) => unknown; readonly code: string } {
  const constants: string[] = []
  const { body, declarations } = compileDecision(decision, {
    expression: ({ source }) => ({ code: source, canFail: false }),
    constant: (prefix, js) => {
      const name = `${prefix}_${constants.length}`
      constants.push(`const ${name} = ${js}`)
      return name
    },
  })
  const names = namesOf(decision)
  const code = `${declarations}\n${constants.join('\n')}\nreturn (${names.join(', ')}) => {\n  ${body}\n}`
  const run = new Function('std', code)(std) as (...values: unknown[]) => unknown
  return { decide: values => run(...names.map(name => values[name])), code }
}

export function interpreted(decision: Decision, values: Values): unknown {
  return interpretDecision(
    decision,
    name => values[name],
    ({ source }, read) => {
      const names = [...namesOf(decision), ...(decision.forEach ? [decision.forEach.element] : [])]
      return new Function('std', ...names, `return ${source}`)(std, ...names.map(read))
    },
  )
}

function namesOf({ inputs, forEach, rows }: Decision): readonly string[] {
  const outputs = rows.flatMap(row => row.outputs.flatMap(output => ('expression' in output ? [output.expression.source] : [])))
  const sources = [
    ...inputs.map(({ source }) => source),
    ...(forEach ? [forEach.list.source] : []),
    ...outputs,
    ...rows.flatMap(({ when }) => when?.source ?? []),
  ]
  const names = sources
    .flatMap(source => source.match(/[a-z_]\w*/g) ?? [])
    .filter(name => name !== forEach?.element && name !== 'std')
  return [...new Set(names)]
}
