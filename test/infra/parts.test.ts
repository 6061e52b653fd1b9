import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isOnPath, makeOnce, type Part } from '../../infra/local/parts.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-parts-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function part(make: Part['make']): Part {
  const place = join(folder, 'tool')
  return { name: 'a tool', place, isThere: () => existsSync(join(place, 'tool.txt')), make }
}

const write: Part['make'] = (own, run) => run('sh', ['-c', `echo made > ${join(own, 'tool.txt')}`])

test('a part is made once, as a whole', async () => {
  let madeCount = 0
  const counted = part((own, run) => {
    madeCount++
    expect(existsSync(join(folder, 'tool'))).toBe(false)
    return write(own, run)
  })
  expect(await makeOnce(counted)).toEqual({ isThere: true, text: expect.stringMatching(/^a tool was made in \d+ s$/) })
  expect(await makeOnce(counted)).toEqual({ isThere: true, text: 'a tool is there' })
  expect(madeCount).toBe(1)
  expect(readdirSync(folder)).toEqual(['tool'])
})

test('what fails leaves nothing but its log, and the next run tries again', async () => {
  const failing = part((_, run) => run('sh', ['-c', 'echo no compiler; exit 3']))
  const { isThere, text } = await makeOnce(failing)
  expect(isThere).toBe(false)
  expect(text).toMatch(/^a tool could not be made: sh ended with 3; see .*tool\.log$/)
  expect(readFileSync(text.split('see ')[1]!, 'utf8')).toBe('no compiler\n')
  expect(readdirSync(folder)).toEqual([])
  expect((await makeOnce(part(write))).isThere).toBe(true)
})

test('an older version of a part gives way to the new one', async () => {
  const place = join(folder, 'tool')
  await makeOnce({
    name: 'old',
    place,
    isThere: () => existsSync(join(place, 'old.txt')),
    make: async own => writeFileSync(join(own, 'old.txt'), ''),
  })
  expect((await makeOnce(part(write))).isThere).toBe(true)
  expect(readdirSync(place)).toEqual(['tool.txt'])
})

test.each([
  ['a command that does not exist', () => makeOnce(part((_, run) => run('sluice-no-such-command', []))), 'ENOENT'],
  ['a part that makes something else', () => makeOnce(part(async () => undefined)), 'it lacks what is looked for'],
])('%s is told', async (_, made, words) => {
  expect(await made()).toEqual({ isThere: false, text: expect.stringContaining(words) })
})

test.each([
  ['sh', true],
  ['sluice-no-such-command', false],
])('%s on the PATH: %s', (command, found) => {
  expect(isOnPath(command)).toBe(found)
})
