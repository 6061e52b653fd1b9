// What a decision means, as plainly as it can be said: a loop over the rows. `sluice test` runs examples through it, and tests compare the
// compiled form with it.
import type { Checked } from '../language/checked.ts'
import type { Type } from '../language/types.ts'
import { compareValues } from '../scenario/decision/domain.ts'
import type { Cell, Decision, Row } from '../scenario/scenario.ts'

export type Read = (name: string) => unknown
export type Interpret = (checked: Checked, read: Read) => unknown

/** The object of outputs, the list of `collect`, or undefined where no row holds. Throws what `interpret` and `read` throw. */
export function interpretDecision(decision: Decision, read: Read, interpret: Interpret): unknown {
  const { forEach, hitPolicy, rank, limit } = decision
  const elements = forEach === undefined ? [undefined] : (interpret(forEach.list, read) as readonly unknown[])
  const hits = function* (): Generator<Hit> {
    for (const element of elements) {
      const inner: Read = name => (forEach !== undefined && name === forEach.element ? element : read(name))
      const values = decision.inputs.map(input => interpret(input, inner))
      for (const row of decision.rows)
        if (holds(decision, row, values, () => interpret(row.when!, inner) === true)) yield { row, element, read: inner }
    }
  }
  const outputOf = ({ row, read: inner }: Hit, index: number): unknown => {
    const output = row.outputs[index]!
    return 'literal' in output ? output.literal : interpret(output.expression, inner)
  }
  const objectOf = (hit: Hit, known?: { readonly index: number; readonly value: unknown }): object =>
    Object.fromEntries([
      ...(forEach === undefined ? [] : [[forEach.element, hit.element] as const]),
      ...decision.outputs.map(({ name }, index) => [name, index === known?.index ? known.value : outputOf(hit, index)] as const),
    ])
  const ranked = rank && decision.outputs.findIndex(({ name }) => name === rank.output)
  const before = (a: unknown, b: unknown): boolean => ranksBefore(a, b, decision.outputs[ranked!]!.type, rank!.order)

  if (hitPolicy === 'collect') {
    const found: object[] = []
    for (const hit of hits()) {
      if (rank === undefined && limit !== undefined && found.length >= limit) return found
      found.push(objectOf(hit))
    }
    if (rank === undefined) return found
    const rankOf = (object: object): unknown => (object as Record<string, unknown>)[rank.output]
    const ordered = found.toSorted((a, b) => (before(rankOf(a), rankOf(b)) ? -1 : before(rankOf(b), rankOf(a)) ? 1 : 0))
    return limit === undefined ? ordered : ordered.slice(0, limit)
  }
  let best: { readonly hit: Hit; readonly value: unknown } | undefined
  for (const hit of hits()) {
    if (ranked === undefined) return objectOf(hit)
    const value = outputOf(hit, ranked)
    if (best === undefined || before(value, best.value)) best = { hit, value }
  }
  return best && objectOf(best.hit, { index: ranked!, value: best.value })
}

interface Hit {
  readonly row: Row
  readonly element: unknown
  readonly read: Read
}

function holds(decision: Decision, row: Row, values: readonly unknown[], when: () => boolean): boolean {
  if (decision.form === 'rules') return row.when === undefined || when()
  return row.cells.every((cell, column) => fits(values[column], cell, decision.inputs[column]!.type))
}

export function fits(value: unknown, cell: Cell, type: Type): boolean {
  if (cell.kind === 'any') return true
  if (value === undefined) return cell.kind === 'missing'
  const isNoNumber = typeof value === 'number' && Number.isNaN(value)
  const isEqual = (to: unknown): boolean => !isNoNumber && compareValues(value, to, type) === 0
  switch (cell.kind) {
    case 'missing':
      return false
    case 'oneOf':
      return cell.values.some(isEqual)
    case 'noneOf':
      return !cell.values.some(isEqual)
    case 'range': {
      if (isNoNumber) return false
      const low = cell.low && compareValues(value, cell.low.value, type)
      const high = cell.high && compareValues(value, cell.high.value, type)
      return (
        (low === undefined || low > 0 || (low === 0 && cell.low!.inclusive)) &&
        (high === undefined || high < 0 || (high === 0 && cell.high!.inclusive))
      )
    }
  }
}

/** What is no number ranks last. */
function ranksBefore(a: unknown, b: unknown, type: Type, order: 'ascending' | 'descending'): boolean {
  if (type.kind === 'double' && (Number.isNaN(a) || Number.isNaN(b))) return !Number.isNaN(a)
  const compared = compareValues(a, b, type)
  return order === 'descending' ? compared > 0 : compared < 0
}
