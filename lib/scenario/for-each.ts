// `forEach: item in event.items`: a loop of an enricher, a decision or a sink.
import type { Scope } from '../language/checked.ts'
import { describeType } from '../language/types.ts'
import { isFreeName, type Names, withLoop } from './names.ts'
import type { Report } from './report.ts'
import type { ForEach } from './scenario.ts'
import type { ScalarText } from './syntax.ts'
import { partOf, readExpression, type Use } from './values.ts'

/** Undefined if it cannot be used; that has been reported. */
export function readForEach(
  scalar: ScalarText,
  context: {
    readonly scope: Scope
    readonly names: Names
    readonly report: Report
    readonly uses: Use[]
    /** Whose loop it is: a name of the file. */
    readonly owner: string
    readonly place: string
  },
): ForEach | undefined {
  const { report, names } = context
  const owner = context.owner.replace(/^sinks\./, '')
  const [, before, element, between, list] = /^(\s*)(\S+)(\s+in\s+)(\S[\s\S]*)$/.exec(scalar.text) ?? []
  if (element === undefined || !/^[A-Za-z_]\w*$/.test(element)) {
    report.add('for-each-no-list/form', { name: owner, found: scalar.text }, scalar.range)
    return undefined
  }
  const elementStart = before!.length
  const listStart = elementStart + element.length + between!.length
  const elementRange = partOf(scalar, elementStart, elementStart + element.length).range
  const isFree = isFreeName({ value: element, range: elementRange }, 'loop', names, report)
  const listScalar = partOf(scalar, listStart, listStart + list!.length)
  const checked = readExpression(listScalar, context)
  if (!isFree || checked.type.kind === 'error') return undefined
  if (checked.type.kind !== 'list') {
    report.add('for-each-no-list', { name: owner, found: describeType(checked.type) }, listScalar.range)
    return undefined
  }
  return { element, list: checked }
}

/** Where the element may be used. A loop with an error still gives its element a name, so that nothing is said of its uses. */
export function scopeOfLoop(scalar: ScalarText, loop: ForEach | undefined, scope: Scope): Scope {
  const element = loop?.element ?? /^\s*([A-Za-z_]\w*)\s/.exec(scalar.text)?.[1]
  if (element === undefined) return scope
  return withLoop(scope, element, { type: loop?.list.type.kind === 'list' ? loop.list.type.element : { kind: 'error' } })
}
