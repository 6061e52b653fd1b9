// Names that are computed: variables, decisions, and value trees as run-time values.
import type { Checked } from '../../language/checked.ts'
import type { Field } from '../../language/types.ts'
import type { Decision, Value, Variable } from '../../scenario/scenario.ts'
import { compileDecision } from '../decision.ts'
import {
  type Code,
  checkedOf,
  elementLocal,
  expressionFunction,
  type GeneratedFunction,
  generate,
  templateExpression,
  templateFunction,
} from '../expressions.ts'
import { objectLiteral } from '../module-text.ts'
import type { Scope } from './scope.ts'

export function variableFunction(scope: Scope, { name, value }: Variable): GeneratedFunction {
  const at = `let ${name}`
  switch (value.kind) {
    case 'expression':
      return expressionFunction(scope.module, value.checked, scope.names, name, at)
    case 'template':
      return templateFunction(scope.module, value.template, scope.names, name, at)
    default:
      return generate(scope.module, checkedOf(value), scope.names, name, at, code => `return ${valueCode(value, code)}`)
  }
}

export function decisionFunction(scope: Scope, decision: Decision): GeneratedFunction {
  const at = `decision ${decision.name}`
  const bound = decision.forEach === undefined ? [] : [decision.forEach.element]
  const found = generate(
    scope.module,
    decisionExpressions(decision),
    scope.names,
    decision.name,
    at,
    code => {
      const { body, declarations } = compileDecision(decision, {
        expression: checked => code.withFailure(checked),
        constant: (prefix, js) => scope.module.constant(prefix, js),
        element: elementLocal,
        ...(scope.tellsRows && { row: 'rowOf' }),
      })
      if (declarations !== '') scope.module.shared(`declarations ${declarations}`, 'declarations', () => declarations)
      return body
    },
    bound,
  )
  if (decision.complete || decision.hitPolicy === 'collect') return found
  const isEmptyAllowed = decision.onMissing === 'empty'
  const missing = isEmptyAllowed ? emptyOutputs(decision) : `decisionMissing(${JSON.stringify(decision.name)})`
  const name = scope.module.freeName('d', decision.name)
  scope.module.add(
    `function ${name}(c, i) {\n  const found = ${found.call}\n  return found === undefined ? ${missing} : found\n}`,
  )
  // Where no row holds a Failure stands in its place: whoever reads it fails with it.
  return { name, call: `${name}(c, i)`, mayFail: found.mayFail || !isEmptyAllowed }
}

export function objectCode(fields: ReadonlyMap<string, Field>, value: (index: number, field: Field) => string): string {
  return objectLiteral([...fields].map(([name, field], index) => [name, value(index, field)]))
}

/** A value tree as a run-time value; an entry that is null is missing. */
export function memberCode(value: Value, code: Code): string {
  if (value.kind === 'null') return 'undefined'
  return value.kind === 'template' ? templateExpression(value.template, code) : valueCode(value, code)
}

/** A value tree as a run-time value, for variables that are maps or lists. */
function valueCode(value: Value, code: (checked: Checked) => string): string {
  switch (value.kind) {
    case 'null':
      return 'null'
    case 'expression':
      return code(value.checked)
    case 'list':
      return `[${value.items.map(item => valueCode(item, code)).join(', ')}]`
    case 'map': {
      const spread = value.spread === undefined ? [] : [`...${code(value.spread)}`]
      return `{ ${[...spread, ...value.entries.map(entry => `[${JSON.stringify(entry.name)}]: ${valueCode(entry.value, code)}`)].join(', ')} }`
    }
    case 'template':
      throw new Error('texts inside a map or list of `let` are not supported; the analysis must refuse them')
  }
}

export function decisionExpressions(decision: Decision): readonly Checked[] {
  const outputs = decision.rows.flatMap(row => row.outputs.flatMap(output => ('expression' in output ? [output.expression] : [])))
  const whens = decision.rows.flatMap(row => (row.when === undefined ? [] : [row.when]))
  return [...decision.inputs, ...whens, ...outputs, ...(decision.forEach === undefined ? [] : [decision.forEach.list])]
}

function emptyOutputs(decision: Decision): string {
  return objectLiteral(decision.outputs.map(({ name }) => [name, 'undefined']))
}
