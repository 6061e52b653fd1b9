// Writes anew what is made from the code and kept in the repository, after a change that was meant: the golden outputs, the JSON
// Schema for editors, the reference page of errors, the table of the stores' contract.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { withTable } from '../connectors/contract/cases.ts'
import { brokenScenarios, checkOutput, outputPath, referencePage, schemaText, sharedSchemaText } from './golden.ts'

for (const path of brokenScenarios()) writeFileSync(outputPath(path), (await checkOutput(path)).text)
writeFileSync('functions/scenario.schema.json', schemaText())
writeFileSync('functions/part.schema.json', sharedSchemaText())
mkdirSync('docs', { recursive: true })
writeFileSync('functions/errors.md', referencePage())
const stores = 'lib/connectors/README.md'
writeFileSync(stores, withTable(readFileSync(stores, 'utf8')))
