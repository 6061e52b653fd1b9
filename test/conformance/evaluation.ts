// Runs one case of the suite twice: compiled to JavaScript, as the Lambda does it, and interpreted, as differential tests do.
import { check } from '../../lib/language/check.ts'
import type { Checked } from '../../lib/language/checked.ts'
import { interpret } from '../../lib/language/interpreter.ts'
import { toJavaScript } from '../../lib/language/javascript.ts'
import * as std from '../../lib/language/standard/index.ts'
import type { Type } from '../../lib/language/types.ts'
import { typeMismatch } from './deduction.ts'
import type { ConformanceCase } from './suite.ts'
import { type Described, describeFound } from './values.ts'

export type Mode = 'compiled' | 'interpreted'

/** Undefined: as the suite has it; else what came instead. */
export function mismatch(test: ConformanceCase, mode: Mode): string | undefined {
  if (test.expected.kind === 'type') return typeMismatch(test)
  return difference(test, outcome(test, checkedCase(test, true), mode))
}

/** What scenarios make of it: `refused`, with the reason, or whether it runs as the suite has it. */
export type StaticResult =
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'right' }
  | { readonly kind: 'wrong'; readonly text: string }

/** The case with the checker of scenarios, which has no dyn, unsigned ints and bytes. */
export function staticResult(test: ConformanceCase): StaticResult {
  if (test.expected.kind === 'type') return { kind: 'refused', reason: 'its value is not told' }
  const checked = checkedCase(test, false)
  const mistake = checked.problems.find(problem => problem.severity === 'error')
  if (mistake !== undefined) return { kind: 'refused', reason: mistake.message }
  const outside = [...checked.references.keys()].find(name => isOutside(test.names.get(name)!.type))
  if (outside !== undefined) return { kind: 'refused', reason: `"${outside}" has a type that scenarios do not have` }
  const wrong = (['compiled', 'interpreted'] as const).flatMap(mode => difference(test, outcome(test, checked, mode)) ?? [])
  return wrong.length === 0 ? { kind: 'right' } : { kind: 'wrong', text: `${test.name}: ${test.source}: ${wrong.join('; ')}` }
}

function isOutside(type: Type): boolean {
  switch (type.kind) {
    case 'list':
      return isOutside(type.element)
    case 'map':
      return isOutside(type.key) || isOutside(type.value)
    default:
      return ['dyn', 'uint', 'bytes', 'type', 'optional'].includes(type.kind)
  }
}

function checkedCase(test: ConformanceCase, dynamic: boolean): Checked {
  const names = new Map([...test.names].map(([name, { type }]) => [name, { type }]))
  return check(test.source, { names, dynamic }, { allowMissing: !dynamic })
}

function difference(test: ConformanceCase, found: Described): string | undefined {
  const expected = test.expected.kind === 'value' ? test.expected.value : 'error'
  const isRight = expected === 'error' ? found.startsWith('error') : found === expected
  return isRight ? undefined : `${found} instead of ${expected}`
}

function outcome(test: ConformanceCase, checked: Checked, mode: Mode): Described {
  try {
    const mistake = checked.problems.find(problem => problem.severity === 'error')
    if (mistake !== undefined) return `error: ${mistake.message}`
    return describeFound(evaluate(checked, test, mode), checked.type)
  } catch (error) {
    if (error instanceof std.ExpressionFailure) return `error: ${error.message}`
    return `crash: ${error instanceof Error ? error.message : error}`
  }
}

function evaluate(checked: Checked, test: ConformanceCase, mode: Mode): unknown {
  const read = (name: string) => {
    const value = test.names.get(name)?.value
    if (value === undefined) throw new std.ExpressionFailure(`"${name}" has no value`)
    return value
  }
  if (mode === 'interpreted') return interpret(checked, read)
  const { code, constants } = toJavaScript(checked, {
    reference: name => `read(${JSON.stringify(name)})`,
    mayFail: () => true,
  })
  const lines = [...constants].map(([name, value]) => `const ${name} = ${value}\n`)
  return new Function('std', 'read', `"use strict"\n${lines.join('')}return (${code})`)(std, read)
}
