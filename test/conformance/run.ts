// `npm run conformance`: how much of CEL's official suite and of DMN's decision tables passes, compiled and interpreted. `-- --skips` lists
// what is left out, and why; `--failures` what is wrong; `--types` in how many cases the static type is the one that cel-go deduces; `--readme` writes the numbers into README.md. `--fuzz N [--seed S]` compares N
// random evaluations with @bufbuild/cel instead; a seed gives the same run again.
import { readFileSync, writeFileSync } from 'node:fs'
import { readCommandLine } from '../command-line.ts'
import { fuzz } from './differential.ts'
import { celResults, dmnResult, type GroupResult, withTable } from './results.ts'
import { readSuite } from './suite.ts'

const usage = `npm run conformance -- [--skips | --failures | --types | --readme]   the official suites of CEL and DMN, a line per group
npm run conformance -- --fuzz N [--seed S] [--depth D]                random evaluations beside @bufbuild/cel

Example: npm run conformance -- --fuzz 10000 --seed 7`
const { values: options } = readCommandLine(
  {
    options: {
      skips: { type: 'boolean', default: false },
      failures: { type: 'boolean', default: false },
      types: { type: 'boolean', default: false },
      readme: { type: 'boolean', default: false },
      fuzz: { type: 'string' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      depth: { type: 'string', default: '5' },
    },
  },
  usage,
)

if (options.fuzz === undefined) await runSuites()
else runFuzz(numberOf('fuzz', options.fuzz), numberOf('seed', options.seed), numberOf('depth', options.depth))

async function runSuites(): Promise<void> {
  const results = celResults(readSuite())
  for (const result of results) print(result)
  const dmn = await dmnResult()
  print(dmn)
  const all = [...results, dmn]
  if (options.readme) {
    const readme = new URL('../../README.md', import.meta.url)
    writeFileSync(readme, withTable(readFileSync(readme, 'utf8'), all))
  }
  if (all.some(({ failures }) => failures.length > 0)) process.exitCode = 1
}

function print({ name, passedCount, totalCount, types, failures, skips }: GroupResult): void {
  console.log(`${name} ${passedCount} of ${totalCount}, ${skips.length} skipped`)
  if (options.types && types !== undefined) {
    console.log(
      `  types ${types.passedCount} of ${types.totalCount}${types.skips.length > 0 ? `, ${types.skips.length} left out` : ''}`,
    )
    for (const skip of types.skips) console.log(`    ${skip}`)
  }
  for (const line of options.skips ? skips : byReason(skips)) console.log(`  ${line}`)
  if (options.failures) for (const failure of failures) console.log(`  ${failure}`)
}

/** `98 because of …`: each skip ends with its reason. */
function byReason(skips: readonly string[]): readonly string[] {
  const reasons = skips.map(skip => skip.slice(skip.indexOf(': ') + 2))
  return [...new Set(reasons)].map(reason => `${reasons.filter(one => one === reason).length} skipped: ${reason}`)
}

function runFuzz(evaluationCount: number, seed: number, depth: number): void {
  // Each takes a half: what scenarios are checked and translated with, and all of CEL.
  for (const [words, dynamic] of [
    ['as scenarios are checked', false],
    ['as the official suite is', true],
  ] as const) {
    const report = fuzz({ seed, evaluationCount: Math.ceil(evaluationCount / 2), depth, dynamic })
    for (const difference of report.differences.slice(0, 20)) console.log(`${difference}\n`)
    console.log(
      `fuzz, ${words}: seed ${seed}, ${report.evaluationCount} evaluations, ${report.valueCount} with a value, ` +
        `${report.refusedCount} expressions refused, ${report.differences.length} that differ`,
    )
    if (report.differences.length > 0) process.exitCode = 1
  }
}

function numberOf(option: string, text: string): number {
  const number = Number(text)
  if (Number.isSafeInteger(number) && number >= 0) return number
  console.error(`--${option} needs a whole number, found ${text}`)
  process.exit(2)
}
