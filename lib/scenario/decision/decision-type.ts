// What a decision's name is in expressions: an object of its outputs, or with `collect` the list of them.
import type { Field, Type } from '../../language/types.ts'
import type { Decision } from '../scenario.ts'

export function decisionType({
  hitPolicy,
  onMissing,
  outputs,
  forEach,
}: {
  readonly hitPolicy: Decision['hitPolicy']
  readonly onMissing: Decision['onMissing'] | undefined
  readonly outputs: Decision['outputs']
  readonly forEach: Decision['forEach'] | undefined
}): Type {
  // With `empty` there is an object also where no row holds, and its fields are missing.
  const optional = onMissing === 'empty'
  const fields = new Map<string, Field>()
  if (forEach) fields.set(forEach.element, { type: elementType(forEach), optional })
  for (const { name, type } of outputs) fields.set(name, { type, optional })
  const object: Type = { kind: 'object', fields }
  return hitPolicy === 'collect' ? { kind: 'list', element: object } : object
}

const elementType = ({ list }: { readonly list: { readonly type: Type } }): Type =>
  list.type.kind === 'list' ? list.type.element : { kind: 'error' }
