// `rules: [{ when: …, then: { … } }]`: rows whose conditions are too long for cells.
import { check } from '../../language/check.ts'
import type { Checked } from '../../language/checked.ts'
import type { Type } from '../../language/types.ts'
import type { Row } from '../scenario.ts'
import type { RuleSyntax, ScalarText } from '../syntax.ts'
import { readCondition, readScalarValue } from '../values.ts'
import type { DecisionReading } from './analyse.ts'
import { agree, commonType, placeOf, readComputed } from './expressions.ts'
import type { TableRows } from './table-rows.ts'

export function readRules(rules: readonly RuleSyntax[], reading: DecisionReading): TableRows {
  const { name, report, expressions } = reading
  const conditions = rules.map(({ when }, index) => {
    const condition = when && readCondition(when, placeOf(reading, `the condition of rule ${index + 1} of decision "${name}"`))
    if (condition) expressions.push(condition)
    return condition
  })
  const outputNames = [...new Set(rules.flatMap(({ then }) => then.map(output => output.name.value)))]
  for (const [index, { then, range }] of rules.entries()) {
    for (const needed of outputNames) {
      if (then.some(output => output.name.value === needed)) continue
      report.add('missing-key', { place: `Rule ${index + 1} of decision "${name}"`, key: needed }, range, {
        notes: ['Every rule gives every output.'],
      })
    }
  }
  const columns = outputNames.map(output => readOutput(output, rules, reading))
  return {
    form: 'rules',
    inputs: [],
    outputs: columns.map(({ name, type }) => ({ name, type })),
    rows: rules.map(({ range }, index) => {
      const when = conditions[index]
      const outputs = columns.map(({ values }) => values[index]!)
      return { number: index + 1, row: { range, cells: [], outputs, ...(when && { when }) } }
    }),
  }
}

interface OutputColumn {
  readonly name: string
  readonly type: Type
  readonly values: readonly Row['outputs'][number][]
}

function readOutput(name: string, rules: readonly RuleSyntax[], reading: DecisionReading): OutputColumn {
  const known = new Map<string, Checked>()
  const scalars = rules.map(({ then }) => then.find(output => output.name.value === name)?.value)
  const computed = scalars.map(scalar =>
    scalar === undefined || scalar.quoted ? undefined : readComputed(scalar, reading, known),
  )
  const hasTexts = scalars.some(scalar => scalar?.quoted)
  const type: Type = hasTexts ? { kind: 'string' } : commonType(computed.filter(cell => cell !== undefined))
  return {
    name,
    type,
    values: scalars.map((scalar, index): Row['outputs'][number] => {
      if (scalar === undefined) return { literal: undefined }
      const expression = computed[index]
      return expression ? { expression: agree(expression, { name, type }, reading) } : readText(scalar, name, reading)
    }),
  }
}

// A text with holes is a sum of texts, so that an output has one form: an expression.
function readText(scalar: ScalarText, output: string, reading: DecisionReading): Row['outputs'][number] {
  const { name, scope, expressions } = reading
  const place = placeOf(reading, `output "${output}" of decision "${name}"`)
  const value = readScalarValue(scalar, place)
  if (value.kind === 'expression') return { expression: value.checked }
  const { parts } = value.template
  if (parts.every(part => typeof part === 'string')) return { literal: parts.join('') }
  const isText = ({ kind }: Type): boolean => kind === 'string' || kind === 'enum' || kind === 'timezone'
  const terms = parts.map(part => {
    if (typeof part === 'string') return JSON.stringify(part)
    expressions.push(part)
    return isText(part.type) ? `(${part.source})` : `string(${part.source})`
  })
  return { expression: check(['""', ...terms].join(' + '), scope, { expected: { kind: 'string' }, place: place.place }) }
}
