// Writes the golden outputs anew, after a change that was meant.
import { writeFileSync } from 'node:fs'
import { brokenScenarios, checkOutput, outputPath } from './golden.ts'

for (const path of brokenScenarios()) writeFileSync(outputPath(path), (await checkOutput(path)).text)
