// `npm run conformance`: how much of CEL's official suite passes, compiled and interpreted. `--skips` lists what is left out, and why;
// `--failures` what is wrong.
import { mismatch } from './evaluation.ts'
import { type Group, groups, readSuite } from './suite.ts'

const { cases, skipped } = readSuite()
let failureCount = 0
for (const group of Object.keys(groups) as Group[]) {
  const own = cases.filter(one => one.group === group)
  const wrong = own.flatMap(one =>
    (['compiled', 'interpreted'] as const).flatMap(mode => {
      const found = mismatch(one, mode)
      return found === undefined ? [] : [{ name: one.name, text: `${one.name} (${mode}): ${one.source}\n    ${found}` }]
    }),
  )
  const failed = new Set(wrong.map(one => one.name)).size
  failureCount += failed
  const left = skipped.filter(one => one.group === group)
  console.log(`cel/${group} ${own.length - failed} of ${own.length}, ${left.length} skipped`)
  if (process.argv.includes('--skips')) for (const one of left) console.log(`  ${one.name}: ${one.reason}`)
  if (process.argv.includes('--failures')) for (const one of wrong) console.log(`  ${one.text}`)
}
process.exitCode = failureCount === 0 ? 0 : 1

// DMN beside CEL: decision tables.
await import('../dmn/run.ts')
