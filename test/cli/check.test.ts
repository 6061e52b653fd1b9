// `sluice check` and the command line around it: what scripts rely on.
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { main } from '../../lib/cli/main.ts'

async function sluice(words: readonly string[], options: { environment?: Record<string, string>; stop?: AbortSignal } = {}) {
  const printed = { out: '', error: '' }
  const { environment = {}, stop = new AbortController().signal } = options
  const exitCode = await main(words, {
    out: text => {
      printed.out += text
    },
    error: text => {
      printed.error += text
    },
    colors: false,
    environment,
    stop,
  })
  return { exitCode, ...printed }
}

const broken =
  'scenario: s\nsource: { topic: t, event: { id: string } }\nfilter: { known: event.idd != "" }\nsinks: { out: { topic: o, value: event } }\n'
const unused =
  'scenario: s\nsource: { topic: t, event: { id: string } }\nlet: { known: event.id }\nsinks: { out: { topic: o, value: event } }\n'

function fileWith(text: string): string {
  const file = join(mkdtempSync(join(tmpdir(), 'sluice-check-')), 's.yml')
  writeFileSync(file, text)
  return file
}

describe('check', () => {
  test('a scenario by its name', async () => {
    expect(await sluice(['check', 'telecom-campaign'])).toEqual({ exitCode: 0, out: '1 scenario checked: fine\n', error: '' })
  })

  test('errors: exit code 1; for programs one object a line', async () => {
    const file = fileWith(broken)
    const { exitCode, out } = await sluice(['check', file, '--format', 'json'])
    expect(exitCode).toBe(1)
    const [line, ...others] = out.trimEnd().split('\n')
    expect(others).toEqual([])
    expect(JSON.parse(line!)).toMatchObject({ id: 'unknown-field', severity: 'error', file, line: 3, column: 24 })
  })

  test('for GitHub', async () => {
    const { out } = await sluice(['check', fileWith(broken), '--format=github'])
    expect(out).toMatch(/^::error file=.*,line=3,endLine=3,col=24,endColumn=27,title=unknown-field::.*\n$/)
  })

  test('warnings alone: 0, and 1 in CI', async () => {
    const file = fileWith(unused)
    expect([
      (await sluice(['check', file])).exitCode,
      (await sluice(['check', file], { environment: { CI: 'true' } })).exitCode,
    ]).toEqual([0, 1])
  })

  test('--watch checks again when the file is saved, until it is stopped', async () => {
    const file = fileWith(broken)
    const stopping = new AbortController()
    let out = ''
    const write = (text: string): void => {
      out += text
    }
    const running = main(['check', file, '--watch'], {
      out: write,
      error: write,
      colors: false,
      environment: {},
      stop: stopping.signal,
    })
    await until(() => out.endsWith('1 scenario checked: 1 error\n'))
    writeFileSync(file, broken.replace('idd', 'id'))
    await until(() => out.endsWith('1 scenario checked: 1 hint\n'))
    stopping.abort()
    expect(await running).toBe(0)
  })
})

describe('wrong use: exit code 2, one line that tells what to do', () => {
  test.each([
    [['chek'], 'There is no command "chek". Did you mean "check"? All commands: npx sluice --help\n'],
    [['check', '--formt', 'json'], '"check" has no flag "--formt". Did you mean "--format"? See: npx sluice check --help\n'],
    [['check', '--zzz'], '"check" has no flag "--zzz". See: npx sluice check --help\n'],
    [['check', '--format', 'jsn'], '"--format" takes text, json, github, found "jsn". Did you mean "json"?\n'],
    [['check', '--format'], '"--format" needs a value: --format FORMAT\n'],
    [['check', '--strict=yes'], '"--strict" takes no value, found "yes"\n'],
    [['check', 'telecom-campain'], 'There is no file functions/telecom-campain.yml. Did you mean "telecom-campaign"?\n'],
    [['explain'], 'Too few arguments. Usage: npx sluice explain SCENARIO\n'],
    [['explain', 'a', 'b'], '"b" is one argument too many. Usage: npx sluice explain SCENARIO\n'],
    [['dev', 'x'], '"dev" is not built yet. What is: npx sluice --help\n'],
  ])('%j', async (words, error) => {
    expect(await sluice(words)).toEqual({ exitCode: 2, out: '', error })
  })

  test('no command: the list of commands', async () => {
    const { exitCode, out } = await sluice([])
    expect(exitCode).toBe(2)
    expect(out).toContain('check [SCENARIO…]')
  })
})

test.each(['start', 'check', 'explain', 'test', 'invoke'])('%s --help has flags and an example', async name => {
  const { exitCode, out } = await sluice([name, '--help'])
  expect(exitCode).toBe(0)
  expect(out).toContain(`Usage: npx sluice ${name}`)
  expect(out).toMatch(/Examples:\n {2}np[xm] /)
  expect(await sluice(['help', name])).toEqual({ exitCode, out, error: '' })
})

async function until(condition: () => boolean): Promise<void> {
  for (let waitedMs = 0; waitedMs < 40_000; waitedMs += 20) {
    if (condition()) return
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  throw new Error('it did not happen within 40 s')
}
