// CEL's official conformance suite (@bufbuild/cel-spec), read into what this language understands: declarations and values of our kinds.
import { getConformanceSuite, type IncrementalTest, type IncrementalTestSuite } from '@bufbuild/cel-spec/testdata/tests.js'
import type { Type } from '../../lib/language/types.ts'
import { typeText } from './deduction.ts'
import { type Described, describeExpected, runtimeValue, typeOfDeclaration, Unsupported } from './values.ts'

export interface ConformanceCase {
  readonly group: Group
  /** `integer_math/int64_math/add_positive_positive` */
  readonly name: string
  readonly source: string
  readonly names: ReadonlyMap<string, { readonly type: Type; readonly value: unknown }>
  readonly expected: { readonly kind: 'value'; readonly value: Described } | { readonly kind: 'error' | 'type' }
  /** The type that the suite names, else the one that cel-go deduces, as cel-go writes it: `list(int)`; absent where it refuses the expression. */
  readonly deducedType?: string
}

export interface SkippedCase {
  readonly group: Group
  readonly name: string
  readonly source: string
  readonly reason: string
}

/** The suites of each group. What is left out needs protobuf (proto2, proto3, dynamic, wrappers, enums), or extensions that we do not have. */
export const groups = {
  core: [
    'basic',
    'comparisons',
    'conversions',
    'fields',
    'fp_math',
    'integer_math',
    'lists',
    'logic',
    'macros',
    'namespace',
    'parse',
    'plumbing',
    'string',
    'timestamps',
  ],
  strings: ['string_ext'],
  math: ['math_ext'],
  optionals: ['optionals'],
  // What the checker deduces; most of them are never run.
  types: ['type_deductions'],
} as const

export type Group = keyof typeof groups

export function readSuite(): { readonly cases: readonly ConformanceCase[]; readonly skipped: readonly SkippedCase[] } {
  const suites = new Map(getConformanceSuite().suites.map(suite => [suite.name, suite]))
  const cases: ConformanceCase[] = []
  const skipped: SkippedCase[] = []
  for (const group of Object.keys(groups) as Group[]) {
    for (const name of groups[group]) {
      for (const [path, test] of testsOf(suites.get(name)!, '')) {
        const reason = reasonToSkip(test)
        try {
          if (reason !== undefined) throw new Unsupported(reason)
          cases.push(readCase(group, path, test))
        } catch (error) {
          if (!(error instanceof Unsupported)) throw error
          skipped.push({ group, name: path, source: test.original.expr, reason: error.message })
        }
      }
    }
  }
  return { cases, skipped }
}

function testsOf(suite: IncrementalTestSuite, path: string): readonly (readonly [string, IncrementalTest])[] {
  const here = path === '' ? suite.name : `${path}/${suite.name}`
  return [
    ...suite.tests.map(test => [`${here}/${test.original.name}`, test] as const),
    ...suite.suites.flatMap(inner => testsOf(inner, here)),
  ]
}

const protobuf = 'protobuf messages: scenarios have JSON'

// Each line with its reason; the runner prints them with --skips.
function reasonToSkip({ original }: IncrementalTest): string | undefined {
  if (
    /\bTestAllTypes\b|\bNestedTestAllTypes\b|google\.protobuf\.(?!Timestamp|Duration)|google\.protobuf\.\w+\s*\{/.test(
      original.expr,
    )
  )
    return protobuf
  if (original.name.startsWith('null_assignable_to_')) return 'null for an optional: a legacy of protobuf messages'
  return undefined
}

function readCase(group: Group, name: string, { original, type }: IncrementalTest): ConformanceCase {
  const { resultMatcher } = original
  const named = resultMatcher.case === 'typedResult' ? resultMatcher.value.deducedType : undefined
  const deducedType = named === undefined ? type : typeText(typeOfDeclaration(named))
  const names = new Map<string, { readonly type: Type; readonly value: unknown }>()
  for (const declaration of original.typeEnv) {
    if (declaration.declKind.case !== 'ident') throw new Unsupported('functions that the test declares')
    names.set(declaration.name, { type: typeOfDeclaration(declaration.declKind.value.type), value: undefined })
  }
  for (const [binding, value] of Object.entries(original.bindings)) {
    if (value.kind.case !== 'value') throw new Unsupported('unknown values')
    const type = names.get(binding)?.type ?? { kind: 'dyn' }
    names.set(binding, { type, value: runtimeValue(value.kind.value, type) })
  }
  // Within the container x, y is x.y, before it is y.
  const declared = [...names]
  for (const container of containersOf(original.container)) {
    for (const [long, entry] of declared) if (long.startsWith(`${container}.`)) names.set(long.slice(container.length + 1), entry)
  }
  return {
    group,
    name,
    source: original.expr,
    names,
    expected: expectationOf(original),
    ...(deducedType !== undefined && { deducedType }),
  }
}

// a, a.b, a.b.c: the innermost comes last, and overwrites.
function containersOf(container: string): readonly string[] {
  if (container === '') return []
  const parts = container.split('.')
  return parts.map((_, i) => parts.slice(0, i + 1).join('.'))
}

function expectationOf({ resultMatcher }: IncrementalTest['original']): ConformanceCase['expected'] {
  switch (resultMatcher.case) {
    case 'value':
      return { kind: 'value', value: describeExpected(resultMatcher.value) }
    case 'typedResult':
      if (resultMatcher.value.result === undefined) return { kind: 'type' }
      return { kind: 'value', value: describeExpected(resultMatcher.value.result) }
    case 'evalError':
    case 'anyEvalErrors':
      return { kind: 'error' }
    case undefined:
      return { kind: 'value', value: 'true' }
    default:
      throw new Unsupported('unknown values')
  }
}
