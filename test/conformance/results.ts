// What `npm run conformance` prints and README shows: per group how many cases pass, compiled and interpreted, and what is left out with its reason.
import { isDeepStrictEqual } from 'node:util'
import { type Mode as DmnMode, folders, runFolder, skips } from '../dmn/suite.ts'
import { exceptions, typeMismatch } from './deduction.ts'
import { mismatch } from './evaluation.ts'
import { type ConformanceCase, groups, type SkippedCase } from './suite.ts'

export interface GroupResult {
  /** `cel/core` */
  readonly name: string
  readonly passedCount: number
  readonly totalCount: number
  /** Of how many the static type is compared with cel-go's, and how many types agree. */
  readonly types?: { readonly passedCount: number; readonly totalCount: number; readonly skips: readonly string[] }
  readonly failures: readonly string[]
  /** One per case that is left out: its name and the reason. */
  readonly skips: readonly string[]
}

const modes = ['compiled', 'interpreted'] as const

export function celResults(suite: {
  readonly cases: readonly ConformanceCase[]
  readonly skipped: readonly SkippedCase[]
}): readonly GroupResult[] {
  return Object.keys(groups).map(group => {
    const own = suite.cases.filter(one => one.group === group)
    const failures = own.map(one =>
      modes.flatMap(mode => {
        const found = mismatch(one, mode)
        return found === undefined ? [] : [`${one.name} (${mode}): ${one.source}\n    ${found}`]
      }),
    )
    const typed = own.filter(one => one.deducedType !== undefined && !exceptions.has(one.name))
    const wrongTypes = typed.flatMap(one => {
      const found = typeMismatch(one)
      return found === undefined ? [] : [`${one.name} (type): ${one.source}\n    ${found}`]
    })
    return {
      name: `cel/${group}`,
      passedCount: failures.filter(found => found.length === 0).length,
      totalCount: own.length,
      types: {
        passedCount: typed.length - wrongTypes.length,
        totalCount: typed.length,
        skips: own.flatMap(({ name }) => (exceptions.has(name) ? [`${name}: ${exceptions.get(name)}`] : [])),
      },
      failures: [...failures.flat(), ...wrongTypes],
      skips: suite.skipped.filter(one => one.group === group).map(({ name, reason }) => `${name}: ${reason}`),
    }
  })
}

/** DMN beside CEL: the decision tables of its test kit. */
export async function dmnResult(): Promise<GroupResult> {
  const total = new Set<string>()
  const failed = new Map<string, string[]>()
  for (const mode of modes satisfies readonly DmnMode[]) {
    for (const folder of folders.filter(name => !skips.has(name))) {
      for (const { name, expected, found } of await runFolder(folder, mode)) {
        total.add(name)
        if (isDeepStrictEqual(found, expected)) continue
        const text = `${name} (${mode}): expected ${JSON.stringify(expected)}, found ${JSON.stringify(found)}`
        failed.set(name, [...(failed.get(name) ?? []), text])
      }
    }
  }
  return {
    name: 'dmn/decision-tables',
    passedCount: total.size - failed.size,
    totalCount: total.size,
    failures: [...failed.values()].flat(),
    skips: [...skips].map(([folder, reason]) => `${folder}: ${reason}`),
  }
}

const begin = '<!-- conformance -->'
const end = '<!-- /conformance -->'

/** The README with the table of these results between its two markers. */
export function withTable(readme: string, results: readonly GroupResult[]): string {
  const rows = results.map(
    ({ name, passedCount, totalCount, skips }) => `| ${name} | ${passedCount} | ${totalCount} | ${skips.length} |`,
  )
  const table = ['| group | passed | total | skipped |', '| --- | ---: | ---: | ---: |', ...rows].join('\n')
  const block = /<!-- conformance\b[^>]*-->(?:[\s\S]*<!-- \/conformance -->)?/
  if (!block.test(readme)) throw new Error('README.md has lost the line <!-- conformance --> where the table goes')
  return readme.replace(block, () => `${begin}\n${table}\n${end}`)
}
