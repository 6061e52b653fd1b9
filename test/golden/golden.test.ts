// What `sluice check` says about broken scenarios, to the letter. See golden.ts.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { describe, expect, test } from 'vitest'
import { brokenScenarios, checkOutput, goodScenarios, outputPath, referencePage, schemaText, sharedSchemaText } from './golden.ts'

describe('a broken scenario gives exactly the output beside it', () => {
  test.each(brokenScenarios())('%s', async path => {
    const golden = existsSync(outputPath(path))
      ? readFileSync(outputPath(path), 'utf8')
      : 'no golden output: node test/golden/update.ts'
    const { text } = await checkOutput(path)
    expect(text).toBe(golden)
    expect(text).toContain(`[${basename(path, '.yml').replace(/\..*/, '')}]`)
  })
})

describe('a good scenario gives neither error nor warning', () => {
  test.each(goodScenarios())('%s', async path => {
    const { text, exitCode } = await checkOutput(path, { CI: 'true' })
    expect(text).not.toMatch(/ERROR|WARNING/)
    expect(text).toMatch(/1 scenario checked: (fine|\d hints?)\n$/)
    expect(exitCode).toBe(0)
  })
})

test('every golden output belongs to a scenario', () => {
  const outputs = readdirSync('test/golden').filter(name => name.endsWith('.txt'))
  expect(outputs.filter(name => !existsSync(`test/golden/${name.replace(/\.txt$/, '.yml')}`))).toEqual([])
})

// The formatter has lines of its own, hence the comparison as data.
test.each([
  ['functions/scenario.schema.json', schemaText],
  ['functions/part.schema.json', sharedSchemaText],
])('%s is the one that the code gives', (path, text) => {
  const stored = JSON.parse(readFileSync(path, 'utf8'))
  expect(stored, 'write it anew: node test/golden/update.ts').toEqual(JSON.parse(text()))
})

test('the reference page of errors is the one that the code gives', () => {
  expect(readFileSync('functions/errors.md', 'utf8'), 'write it anew: node test/golden/update.ts').toBe(referencePage())
})
