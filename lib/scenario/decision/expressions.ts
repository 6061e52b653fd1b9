// Expressions of a decision: headings, computed cells, rules.
import { check } from '../../language/check.ts'
import type { Checked, CheckOptions } from '../../language/checked.ts'
import { describeType, isAssignable, type Type } from '../../language/types.ts'
import type { ScalarText } from '../syntax.ts'
import type { Place } from '../values.ts'
import type { DecisionReading } from './analyse.ts'

export function placeOf({ name, scope, report }: DecisionReading, place: string, options: CheckOptions = {}): Place {
  return { ...options, owner: name, place, scope, report, uses: [] }
}

/** One output of a row that is an expression, not yet of the output's type. */
export interface Computed {
  readonly scalar: ScalarText
  readonly checked: Checked
}

/** Checks without an expected type; problems are told by `agree`, once the output's type is known. */
export function readComputed(scalar: ScalarText, { name, scope }: DecisionReading, known: Map<string, Checked>): Computed {
  const checked = known.get(scalar.text) ?? check(scalar.text, scope, { place: `An output of decision "${name}"` })
  known.set(scalar.text, checked)
  return { scalar, checked }
}

/** The expression as the output's type needs it. */
export function agree(
  { scalar, checked }: Computed,
  output: { readonly name: string; readonly type: Type },
  reading: DecisionReading,
): Checked {
  const { name, scope, report, expressions } = reading
  const { type } = output
  let agreed = checked
  if (checked.problems.length === 0 && type.kind !== 'error' && checked.type.kind !== 'error') {
    agreed = check(scalar.text, scope, { expected: type, place: `Output "${output.name}" of decision "${name}"` })
    if (agreed.problems.some(({ severity }) => severity === 'error') || !isAssignable(agreed.type, type)) {
      report.add(
        'output-type',
        { output: output.name, decision: name, type: describeType(type), found: describeType(checked.type) },
        scalar.range,
      )
      expressions.push(checked)
      return checked
    }
  }
  report.addProblems(agreed.problems, scalar)
  expressions.push(agreed)
  return agreed
}

/** The type that several computed values share: a literal int beside doubles is one of them; texts of any kind are strings. */
export function commonType(computed: readonly Computed[]): Type {
  const types = computed.map(({ checked }) => checked.type).filter(type => type.kind !== 'error')
  const [first, ...others] = types
  if (first === undefined) return { kind: 'error' }
  if (others.every(type => isAssignable(type, first))) return first
  const widest = types.find(type => types.every(other => isAssignable(other, type)))
  if (widest) return widest
  const isText = ({ kind }: Type): boolean => kind === 'string' || kind === 'enum' || kind === 'timezone'
  if (types.every(isText)) return { kind: 'string' }
  const wider = types.find(({ kind }) => kind === 'decimal') ?? types.find(({ kind }) => kind === 'double')
  return wider && types.every(({ kind }) => kind === 'int' || kind === wider.kind || kind === 'double') ? wider : first
}
