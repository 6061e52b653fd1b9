// What commands say of an environment that nobody can have meant, before they have reached anything.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { main } from '../../lib/cli/main.ts'
import { namespaceIn } from '../../lib/cli/service-settings.ts'

async function sluice(words: readonly string[], environment: Readonly<Record<string, string>>) {
  const [out, error]: [string[], string[]] = [[], []]
  const terminal = { out: (text: string) => void out.push(text), error: (text: string) => void error.push(text) }
  const code = await main(words, { ...terminal, colors: false, environment, stop: new AbortController().signal })
  return { code, out: out.join(''), error: error.join('') }
}

const fine = { SLUICE_KAFKA: '127.0.0.1:1', SLUICE_REDIS: 'redis://127.0.0.1:1' }
const commands = [
  ['progress', 'promotion'],
  ['replay', 'telecom-campaign'],
  ['state', 'promotion', 'last', 'c-1'],
] as const

test.each(
  commands.flatMap(
    words =>
      [
        [
          words,
          { SLUICE_KAFKA: 'foo' },
          'SLUICE_KAFKA: "foo" is no bootstrap server: host:port is needed, several are separated by commas\n',
        ],
        [words, { SLUICE_GENERATION: 'abc' }, 'SLUICE_GENERATION is "abc", and takes a number, 1 or higher\n'],
        [
          words,
          { SLUICE_NAMESPACE: 'a.b' },
          'SLUICE_NAMESPACE is "a.b", and takes letters, digits, "-" and "_", a letter or digit first, 50 at most\n',
        ],
        [words, { SLUICE_KAFKA_SECURITY: 'tsl' }, expect.stringContaining('SLUICE_KAFKA_SECURITY is "tsl"; it takes ')],
      ] as const,
  ),
)('%o with %o is wrong use', async (words, environment, error) => {
  expect(await sluice(words, { ...fine, ...environment })).toEqual({ code: 2, out: '', error })
})

test('a store whose URL cannot be read: replay says so', async () => {
  expect(await sluice(['replay', 'telecom-campaign'], { ...fine, SLUICE_REDIS: 'foo' })).toEqual({
    ...{ code: 2, out: '' },
    error: expect.stringMatching(/^the store's URL is not redis:/),
  })
})

test.each<[string, string | undefined, Readonly<Record<string, string>>, string | undefined]>([
  ['no serverless.yml', undefined, {}, undefined],
  ['none written', 'sluice: { redis: redis://cache:6379 }', {}, undefined],
  ['one written', 'sluice: { namespace: prod }', {}, 'prod'],
  ['the environment goes before', 'sluice: { namespace: prod }', { SLUICE_NAMESPACE: 'test' }, 'test'],
  ['the environment says that there is none', 'sluice: { namespace: "${sls:stage}" }', { SLUICE_NAMESPACE: '' }, ''],
])('the namespace: %s', (_, text, environment, expected) => {
  expect(inFolder(text, folder => namespaceIn(environment, folder))).toBe(expected)
})

test('a namespace that only Serverless can read: nobody guesses', () => {
  expect(() => inFolder('sluice: { namespace: "${sls:stage}" }', folder => namespaceIn({}, folder))).toThrow(
    '"namespace" in serverless.yml is "${sls:stage}", which only Serverless can read: set SLUICE_NAMESPACE to what the function has, empty for none.',
  )
})

function inFolder<Value>(serverlessYml: string | undefined, read: (folder: string) => Value): Value {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-deployed-'))
  try {
    if (serverlessYml !== undefined) writeFileSync(join(folder, 'serverless.yml'), serverlessYml)
    return read(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
