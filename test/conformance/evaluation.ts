// Runs one case of the suite twice: compiled to JavaScript, as the Lambda does it, and interpreted, as differential tests do.
import { check } from '../../lib/language/check.ts'
import type { Checked } from '../../lib/language/checked.ts'
import { interpret } from '../../lib/language/interpreter.ts'
import { toJavaScript } from '../../lib/language/javascript.ts'
import * as std from '../../lib/language/standard/index.ts'
import type { ConformanceCase } from './suite.ts'
import { type Described, describeFound } from './values.ts'

export type Mode = 'compiled' | 'interpreted'

/** Undefined: as the suite has it; else what came instead. */
export function mismatch(test: ConformanceCase, mode: Mode): string | undefined {
  const found = outcome(test, mode)
  const expected = test.expected.kind === 'error' ? 'error' : test.expected.value
  const isRight = expected === 'error' ? found.startsWith('error') : found === expected
  return isRight ? undefined : `${found} instead of ${expected}`
}

function outcome(test: ConformanceCase, mode: Mode): Described {
  try {
    const names = new Map([...test.names].map(([name, { type }]) => [name, { type }]))
    const checked = check(test.source, { names, dynamic: true })
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
