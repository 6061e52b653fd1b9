import { describe, expect, test } from 'vitest'
import { folders, type Mode, runFolder } from './suite.ts'

test('the kit has 17 folders with decision tables', () => {
  expect(folders).toHaveLength(17)
})

describe.each<Mode>(['compiled', 'interpreted'])('decision tables of the DMN test kit, %s', mode => {
  test.each(folders)('%s', async folder => {
    const results = await runFolder(folder, mode)
    expect(results).toHaveLength(3)
    expect(results.map(({ name, found }) => [name, found])).toEqual(results.map(({ name, expected }) => [name, expected]))
  })
})
