// What `npx sluice state` says before it has reached anything.
import { expect, test } from 'vitest'
import { main } from '../../lib/cli/main.ts'

test('a URL that cannot be read is told in words, without the URL', async () => {
  const said: string[] = []
  const say = (text: string) => void said.push(text)
  const environment = { SLUICE_KAFKA: '127.0.0.1:1', SLUICE_REDIS: 'redis://:sEc/ret@cache' }
  const terminal = { out: say, error: say, colors: false, environment, stop: new AbortController().signal }
  expect(await main(['state', 'best-offer', 'daily', 'c-1'], terminal)).toBe(2)
  expect(said.join('')).toBe(
    'the store\'s URL is not redis://[[user]:password@]host[:port][/database]: it cannot be read; a password with one of "/?#@%" must be percent-encoded\n',
  )
})
