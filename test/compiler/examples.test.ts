// The examples of whole scenarios, through the real build and interpreted: what `npx sluice test` does for a user's files.
import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { main } from '../../lib/cli/main.ts'

const folders = ['test/compiler/scenarios', 'test/golden/good', 'functions']
const files = folders.flatMap(folder =>
  readdirSync(folder)
    .filter(file => file.endsWith('.yml'))
    .map(file => `${folder}/${file}`),
)

test.each(files)('%s', async file => {
  let printed = ''
  const print = (text: string) => {
    printed += text
  }
  const exitCode = await main(['test', file], {
    out: print,
    error: print,
    colors: false,
    environment: {},
    stop: new AbortController().signal,
  })
  expect(printed).toMatch(/[1-9]\d* passed, 0 failed\n$/)
  expect(exitCode).toBe(0)
})
