// The same expression on the same values in @bufbuild/cel and here, compiled and interpreted: all three must agree.
import { type CelInput, celEnv, isCelError, isCelList, isCelMap, isCelUint, parse, plan } from '@bufbuild/cel'
import { strings } from '@bufbuild/cel/ext'
import { create } from '@bufbuild/protobuf'
import { isReflectMessage } from '@bufbuild/protobuf/reflect'
import { DurationSchema, TimestampSchema } from '@bufbuild/protobuf/wkt'
import { check } from '../../lib/language/check.ts'
import { interpret } from '../../lib/language/interpreter.ts'
import { toJavaScript } from '../../lib/language/javascript.ts'
import * as std from '../../lib/language/standard/index.ts'
import { type Bindings, drawBindings, drawExpression, randomOf, variables } from './generator.ts'
import { type Described, describeFound } from './values.ts'

export interface FuzzReport {
  readonly evaluationCount: number
  /** How many evaluations gave a value on both sides: the others fail, which proves less. */
  readonly valueCount: number
  /** Expressions that the checker of scenarios refuses: enumerations that never agree, values that may be missing. */
  readonly refusedCount: number
  readonly differences: readonly string[]
}

export function fuzz(options: {
  readonly seed: number
  /** At least so many. */
  readonly evaluationCount: number
  readonly depth: number
  /** All of CEL, or what scenarios are checked and translated with. */
  readonly dynamic: boolean
}): FuzzReport {
  const random = randomOf(options.seed)
  let evaluationCount = 0
  let valueCount = 0
  let refusedCount = 0
  const differences: string[] = []
  while (evaluationCount < options.evaluationCount && differences.length < 100) {
    const source = drawExpression(random, 1 + Math.floor(random() * options.depth), options.dynamic)
    const reference = referenceOf(source)
    const ours = oursOf(source, options.dynamic)
    if (ours === undefined) {
      refusedCount++
      continue
    }
    for (let k = 0; k < bindingsPerExpression; k++) {
      const bindings = drawBindings(random)
      const expected = reference(bindings)
      const compiled = ours.compiled(bindings)
      const interpreted = ours.interpreted(bindings)
      evaluationCount++
      if (expected !== 'error') valueCount++
      if (compiled !== expected || interpreted !== expected) {
        const values = JSON.stringify(bindings, (_, value) => (typeof value === 'bigint' ? `${value}n` : value))
        differences.push(`${source}\n  with ${values}\n  reference ${expected}, compiled ${compiled}, interpreted ${interpreted}`)
        break
      }
    }
  }
  return { evaluationCount, valueCount, refusedCount, differences }
}

// To parse, check and translate an expression takes as long as some thirty evaluations.
const bindingsPerExpression = 25

const env = celEnv({ funcs: strings })

function referenceOf(source: string): (bindings: Bindings) => Described {
  const run = plan(env, parse(source))
  return bindings => {
    try {
      return describeReference(run(referenceBindings(bindings) as Record<string, CelInput>))
    } catch {
      return 'error'
    }
  }
}

function oursOf(
  source: string,
  dynamic: boolean,
): { readonly compiled: (bindings: Bindings) => Described; readonly interpreted: (bindings: Bindings) => Described } | undefined {
  const checked = check(source, { names: new Map([...variables].map(([name, type]) => [name, { type }])), dynamic })
  const mistake = checked.problems.find(problem => problem.severity === 'error')
  if (mistake !== undefined) {
    if (!dynamic) return undefined
    const refuse = () => `refused: ${mistake.message}`
    return { compiled: refuse, interpreted: refuse }
  }
  const { code, constants } = toJavaScript(checked, { reference: name => `values.${name}`, mayFail: () => false })
  const lines = [...constants].map(([name, value]) => `const ${name} = ${value}\n`)
  const compiled = new Function('std', `"use strict"\n${lines.join('')}return values => (${code})`)(std) as (
    values: Values,
  ) => unknown
  const guarded = (evaluate: (values: Values) => unknown) => (bindings: Bindings) => {
    try {
      return describeFound(evaluate(ourBindings(bindings)), checked.type)
    } catch (error) {
      return error instanceof std.ExpressionFailure ? 'error' : `crash: ${error}`
    }
  }
  return { compiled: guarded(compiled), interpreted: guarded(values => interpret(checked, name => values[name])) }
}

type Values = Readonly<Record<string, unknown>>

function ourBindings(bindings: Bindings): Values {
  const [t, v, u] = [split(bindings.t), split(bindings.v), split(bindings.u)]
  return {
    ...bindings,
    i: std.canonicalInt(bindings.i),
    k: std.canonicalInt(bindings.k),
    li: bindings.li.map(std.canonicalInt),
    m: new Map(bindings.m.map(([key, value]) => [key, std.canonicalInt(value)])),
    t: new std.Timestamp(Number(t.seconds), t.nanos),
    v: new std.Timestamp(Number(v.seconds), v.nanos),
    u: std.durationOf(Number(u.seconds), u.nanos),
  }
}

function referenceBindings(bindings: Bindings): Values {
  const [t, v, u] = [split(bindings.t), split(bindings.v), split(bindings.u)]
  return {
    ...bindings,
    m: new Map(bindings.m),
    t: create(TimestampSchema, t),
    v: create(TimestampSchema, v),
    u: create(DurationSchema, u),
  }
}

// Seconds are rounded down, so that nanoseconds are positive.
function split(nanos: bigint): { readonly seconds: bigint; readonly nanos: number } {
  const rest = ((nanos % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n
  return { seconds: (nanos - rest) / 1_000_000_000n, nanos: Number(rest) }
}

function describeReference(value: unknown): Described {
  if (isCelError(value)) return 'error'
  switch (typeof value) {
    case 'boolean':
      return String(value)
    case 'bigint':
      return `int ${value}`
    case 'number':
      return `double ${value + 0}`
    case 'string':
      return JSON.stringify(value)
  }
  if (value === null) return 'null'
  if (isCelUint(value)) return `uint ${value.value}`
  if (isCelList(value)) return `[${[...value].map(describeReference).join(', ')}]`
  if (isCelMap(value)) {
    const entries = [...value].map(([key, element]) => `${describeReference(key)}: ${describeReference(element)}`)
    return `{${entries.sort().join(', ')}}`
  }
  if (isReflectMessage(value, TimestampSchema)) return `timestamp ${spanOf(value.message)}`
  if (isReflectMessage(value, DurationSchema)) return `duration ${spanOf(value.message)}`
  throw new Error(`a value of an unexpected kind: ${value}`)
}

function spanOf(message: unknown): string {
  const { seconds, nanos } = message as { readonly seconds: bigint; readonly nanos: number }
  return `${seconds} ${nanos}`
}
