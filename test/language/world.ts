// A scope with one field of each kind, as a scenario would declare it, and ways to evaluate an expression over it.
import { check } from '../../lib/language/check.ts'
import type { CheckOptions, Scope } from '../../lib/language/checked.ts'
import { interpret } from '../../lib/language/interpreter.ts'
import { toJavaScript } from '../../lib/language/javascript.ts'
import * as std from '../../lib/language/standard/index.ts'
import { type Field, type Type, types } from '../../lib/language/types.ts'

export function object(fields: Readonly<Record<string, Type>>): Type {
  return {
    kind: 'object',
    fields: new Map(
      Object.entries(fields).map(([name, type]): [string, Field] => [
        name.replace('?', ''),
        { type, optional: name.endsWith('?') },
      ]),
    ),
  }
}

const list = (element: Type): Type => ({ kind: 'list', element })

export const scope: Scope = {
  names: new Map([
    [
      'event',
      {
        type: object({
          n: types.int,
          'm?': types.int,
          d: types.double,
          'e?': types.double,
          s: types.string,
          'country?': types.string,
          ok: types.bool,
          'flag?': types.bool,
          at: types.timestamp,
          price: { kind: 'decimal', digits: 2 },
          plan: { kind: 'enum', values: ['basic', 'gold'] },
          'before?': object({ id: types.int, 'name?': types.string }),
          items: list(object({ sku: types.string, quantity: types.int, 'price?': types.int })),
          ints: list(types.int),
          'temp-c': types.double,
          'a.b?': types.int,
          a: object({ 'b?': types.int }),
        }),
      },
    ],
    ['now', { type: types.timestamp }],
    ['place', { type: types.int, optional: true }],
    ['x_0', { type: object({ 'price?': types.int }) }],
  ]),
}

/** The problems as `id: message`. */
export function problemsOf(source: string, options: CheckOptions = {}, inScope: Scope = scope): readonly string[] {
  return check(source, inScope, options).problems.map(({ id, message }) => `${id}: ${message}`)
}

export type Values = Readonly<Record<string, unknown>>

/** The value compiled and interpreted; a failure as its text, and anything else that is thrown as a crash. */
export function bothOf(source: string, values: Values): { readonly compiled: unknown; readonly interpreted: unknown } {
  const checked = check(source, scope, { allowMissing: true })
  if (checked.problems.length > 0) throw new Error(`${source}: ${checked.problems.map(({ message }) => message).join('; ')}`)
  const { code, constants, canFail } = toJavaScript(checked, { reference: name => `values.${name}`, mayFail: () => false })
  const lines = [...constants].map(([name, value]) => `const ${name} = ${value}\n`)
  const compiled = new Function('std', 'values', `"use strict"\n${lines.join('')}return (${code})`)
  const outcome = (evaluate: () => unknown) => {
    try {
      return evaluate()
    } catch (error) {
      if (!(error instanceof std.ExpressionFailure)) return `crash: ${error}`
      return canFail ? 'failure' : `crash: it was said that this cannot fail: ${error.message}`
    }
  }
  return {
    compiled: outcome(() => compiled(std, values)),
    interpreted: outcome(() => interpret(checked, name => values[name])),
  }
}
