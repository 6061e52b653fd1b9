// `node test/dmn/run.ts`, a part of `npm run conformance`: how many cases of the DMN test kit's decision tables pass. `--skips` lists what
// is left out, and why; `--failures` what is wrong.
import { isDeepStrictEqual } from 'node:util'
import { folders, runFolder, skips } from './suite.ts'

let total = 0
let passed = 0
const failures: string[] = []
for (const folder of folders.filter(name => !skips.has(name))) {
  for (const { name, expected, found } of await runFolder(folder, 'compiled')) {
    total++
    if (isDeepStrictEqual(found, expected)) passed++
    else failures.push(`${name}: expected ${JSON.stringify(expected)}, found ${JSON.stringify(found)}`)
  }
}
console.log(`dmn/decision-tables ${passed} of ${total}, ${skips.size} skipped`)
if (process.argv.includes('--skips')) for (const [folder, reason] of skips) console.log(`  ${folder}: ${reason}`)
if (process.argv.includes('--failures')) for (const failure of failures) console.log(`  ${failure}`)
if (passed < total) process.exitCode = 1
