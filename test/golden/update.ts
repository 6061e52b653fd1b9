// Writes the golden outputs and the JSON Schema for editors anew, after a change that was meant.
import { writeFileSync } from 'node:fs'
import { scenarioSchema } from '../../lib/scenario/schema.ts'
import { brokenScenarios, checkOutput, outputPath } from './golden.ts'

for (const path of brokenScenarios()) writeFileSync(outputPath(path), (await checkOutput(path)).text)
writeFileSync('functions/scenario.schema.json', `${JSON.stringify(scenarioSchema(), undefined, 2)}\n`)
