// The page of the stores shows what the contract runs.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { sourceNames, withTable } from './cases.ts'
import { sources } from './sources.ts'

test('lib/connectors/README.md has the table of these cases (node test/golden/update.ts writes it)', () => {
  const readme = readFileSync(new URL('../../../lib/connectors/README.md', import.meta.url), 'utf8')
  expect(readme).toBe(withTable(readme))
})

test('the table has a column for each source that is run', () => {
  expect(sources.map(({ name }) => name)).toEqual(sourceNames)
})
