// `forEach: p in propensity`: the rows are judged for each element of a list.
import type { Scope } from '../../language/checked.ts'
import { describeType } from '../../language/types.ts'
import { withLoop } from '../names.ts'
import type { ForEach } from '../scenario.ts'
import type { ScalarText } from '../syntax.ts'
import { partOf, readExpression } from '../values.ts'
import type { DecisionReading } from './analyse.ts'
import { placeOf } from './expressions.ts'

export interface Loop {
  readonly forEach: ForEach
  /** With the element's name. */
  readonly scope: Scope
}

export function readLoop(scalar: ScalarText, reading: DecisionReading): Loop | undefined {
  const { name, scope, report, expressions } = reading
  const [, before, element, between, list] = /^(\s*)([A-Za-z_]\w*)(\s+in\s+)(\S[\s\S]*)$/.exec(scalar.text) ?? []
  if (element === undefined) {
    report.add('for-each-no-list/form', { name, found: scalar.text }, scalar.range)
    return undefined
  }
  if (scope.names.has(element)) {
    report.add(
      'duplicate-name',
      { name: element, first: 'a name of the scenario', second: 'the element of a "forEach"' },
      scalar.range,
    )
    return undefined
  }
  const start = before!.length + element.length + between!.length
  const listScalar = partOf(scalar, start, start + list!.length)
  const checked = readExpression(listScalar, placeOf(reading, `"forEach" of decision "${name}"`))
  expressions.push(checked)
  if (checked.type.kind === 'list') {
    return { forEach: { element, list: checked }, scope: withLoop(scope, element, { type: checked.type.element }) }
  }
  if (checked.type.kind !== 'error') report.add('for-each-no-list', { name, found: describeType(checked.type) }, listScalar.range)
  return { forEach: { element, list: checked }, scope: withLoop(scope, element, { type: { kind: 'error' } }) }
}
