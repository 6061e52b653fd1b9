// Shared parts: what scenarios that name a file under `use` get, what they do not pay for, and where is told what is wrong.
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BuildFailure, build, context } from 'esbuild'
import { afterAll, describe, expect, test } from 'vitest'
import { bundleScenario, scenarioPlugin } from '../../lib/compiler/bundle.ts'
import { explain } from '../../lib/compiler/explain.ts'
import { plan } from '../../lib/compiler/planning.ts'
import { type CheckedScenario, checkScenario, checkSharedFile } from '../../lib/scenario/check.ts'
import { positionOf } from '../../lib/scenario/diagnostics.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

type Files = Readonly<Record<string, string>>

const policy = `needs: { id: string }
enrich:
  contact:
    redis: hash contact:{event.id}
    fields: { push: bool = true }
  profile:
    redis: hash profile:{event.id}
    fields: { age: int = 0 }
let:
  isAdult: profile.age >= 18
filter:
  consented: contact.push
state:
  daily:
    shared: true
    key: event.id
    limit: 2
    within: 1d
  visit:
    key: event.id
    fields: { lastAt?: timestamp }
    set: { lastAt: now }
`

function scenarioText(rest: string, { use = '[shared/policy.yml]', event = '{ id: string, n: int }' } = {}): string {
  return `scenario: s\nsource: { topic: t, event: ${event} }\nuse: ${use}\n${rest}sinks:\n  out: { topic: o, key: event.id, value: { id: event.id } }\n`
}

function checked(text: string, files: Files): CheckedScenario {
  return checkScenario('functions/s.yml', text, {
    readFile: path => {
      const found = files[path]
      if (found === undefined) throw new Error(`There is no ${path}`)
      return found
    },
  })
}

/** `id file:line:column message`, hints left out: they are about examples. */
function told({ diagnostics }: Pick<CheckedScenario, 'diagnostics'>, text: string): readonly string[] {
  return diagnostics
    .filter(({ severity }) => severity !== 'hint')
    .map(found => {
      const { line, column } = positionOf(found.text ?? text, found.range.start)
      return `${found.id} ${found.file}:${line}:${column} ${found.message}`
    })
}

function explained(rest: string, files: Files, options?: Parameters<typeof scenarioText>[1]): string {
  const text = scenarioText(rest, options)
  const { scenario, diagnostics } = checked(text, files)
  if (scenario === undefined) throw new Error(JSON.stringify(diagnostics))
  return explain(plan(scenario))
}

const problems = (rest: string, files: Files, options?: Parameters<typeof scenarioText>[1]): readonly string[] => {
  const text = scenarioText(rest, options)
  return told(checked(text, files), text)
}

describe('what a shared file costs', () => {
  test('filters and caps always apply; look-ups, variables and remembered entries that nothing reads are not there', () => {
    expect(explained('', { 'shared/policy.yml': policy })).toBe(
      `s: t, 100 records or 500 ms per batch, exactly-once
  use shared/policy.yml
  fetch 1  contact  1 HMGET per record, one pipeline
  filter   consented
  write    daily    1 script per partition; daily at most 2 within 1d
  emit     out      key event.id; to o
  2 round trips per batch at most, the last one writes state`,
    )
  })

  test('what the scenario reads is there, with what that reads', () => {
    expect(explained('filter:\n  grown: isAdult\n', { 'shared/policy.yml': policy })).toBe(
      `s: t, 100 records or 500 ms per batch, exactly-once
  use shared/policy.yml
  fetch 1  contact, profile  2 HMGET per record, one pipeline
  filter   consented, grown
  write    daily             1 script per partition; daily at most 2 within 1d
  emit     out               key event.id; to o
  2 round trips per batch at most, the last one writes state`,
    )
  })

  test('a look-up that drops where it finds nothing is a filter, and always applies', () => {
    const files = { 'shared/policy.yml': policy.replace('age: int = 0 }', 'age: int = 0 }\n    onMissing: drop') }
    expect(explained('', files)).toBe(
      `s: t, 100 records or 500 ms per batch, exactly-once
  use shared/policy.yml
  fetch 1  contact, profile  2 HMGET per record, one pipeline
  filter   profile found, consented
  write    daily             1 script per partition; daily at most 2 within 1d
  emit     out               key event.id; to o
  2 round trips per batch at most, the last one writes state`,
    )
  })

  test('variables alone cost nothing', () => {
    const files = { 'shared/policy.yml': 'needs: { id: string }\nlet:\n  upper: event.id.upperAscii()\n' }
    expect(explained('', files)).toBe(
      `s: t, 100 records or 500 ms per batch, exactly-once
  use shared/policy.yml
  emit  out  key event.id; to o
  no round trips`,
    )
  })

  test('best-offer, to the letter', () => {
    const file = 'functions/best-offer.yml'
    const { scenario } = checkScenario(file, readFileSync(join(root, file), 'utf8'), {
      readFile: path => readFileSync(join(root, 'functions', path), 'utf8'),
    })
    expect(explain(plan(scenario!))).toBe(
      `best-offer: app.visits, 100 records or 500 ms per batch, exactly-once
  use shared/contact-policy.yml
  filter   notHeldOut
  fetch 1  contact, profile  2 HMGET per record, one pipeline; contact also for heldOut
  filter   contact found, profile found, consented, notQuiet
  fetch 2  catalogue         1 GET per record, one pipeline
  filter   catalogue found
  fetch 3  propensity        1 GET per element, one pipeline
  decide   best              1 rule, first, score descending, for each p in propensity
  filter   best found
  write    daily, budget     1 script per partition; daily at most 2; budget at most 10000
  emit     actions           key event.customerId; to crm.next-best-actions
  emit     heldOut           on dropped; when (!notHeldOut) && consented; key event.customerId; to crm.held-out
  4 round trips per batch at most, the last one writes state`,
    )
  })
})

describe('several files', () => {
  const two = {
    'shared/a.yml': 'needs: { id: string }\nfilter:\n  first: event.id != "a"\n',
    'shared/b.yml': 'needs: { n: int }\nfilter:\n  second: event.n > 1\n',
  }

  test('stand in the order of use, before the scenario', () => {
    expect(explained('filter:\n  third: event.n < 9\n', two, { use: '[shared/b.yml, shared/a.yml]' })).toBe(
      `s: t, 100 records or 500 ms per batch, exactly-once
  use shared/b.yml, shared/a.yml
  filter  second, first, third
  emit    out  key event.id; to o
  no round trips`,
    )
  })

  test('do not see each other', () => {
    const files = { ...two, 'shared/b.yml': 'needs: { n: int }\nfilter:\n  second: first && event.n > 1\n' }
    expect(problems('', files, { use: '[shared/a.yml, shared/b.yml]' })).toEqual([
      'unknown-name functions/shared/b.yml:3:11 Nothing is called "first" here',
    ])
  })

  test('with the same name are told with both places', () => {
    const files = { ...two, 'shared/b.yml': 'needs: { n: int }\nfilter:\n  first: event.n > 1\n' }
    const text = scenarioText('', { use: '[shared/a.yml, shared/b.yml]' })
    const found = checked(text, files)
    expect(told(found, text)).toEqual([
      'duplicate-name functions/shared/b.yml:3:3 "first" is the name of two things: a filter and a filter',
    ])
    expect(found.diagnostics[0]!.notes.map(({ message, source }) => [message, source?.file])).toEqual([
      ['The other "first":', 'functions/shared/a.yml'],
    ])
  })

  test('a table lies beside the shared file that names it, also in folders of their own', () => {
    const files = {
      'shared/prices/prices.yml':
        'needs: { id: string }\nenrich:\n  tariff:\n    table: tariffs.csv code={event.id}\n    onMissing: drop\nfilter:\n  cheap: tariff.price < 5\n',
      'shared/prices/tariffs.csv': 'code,price: int\nx,1\n',
    }
    expect(explained('', files, { use: '[shared/prices/prices.yml]' })).toBe(
      `s: t, 100 records or 500 ms per batch, exactly-once
  use shared/prices/prices.yml
  filter  tariff found, cheap
  emit    out  key event.id; to o
  no round trips`,
    )
  })
})

describe('what a shared file needs', () => {
  test.each([
    ['{ id: string }', '{ id: string }', []],
    ['{ id: string }', '{ id: a | b }', []],
    ['{ id?: string }', '{ id: string }', []],
    [
      '{ id: string }',
      '{ id: int }',
      [
        'shared-needs functions/s.yml:3:7 The shared file "shared/policy.yml" needs "id" of the event (string), which is int in scenario "s"',
      ],
    ],
    [
      '{ id: a | b }',
      '{ id: string }',
      [
        'shared-needs functions/s.yml:3:7 The shared file "shared/policy.yml" needs "id" of the event (a | b), which is string in scenario "s"',
      ],
    ],
    [
      '{ n: int }',
      '{ id: string, n?: int }',
      [
        'shared-needs functions/s.yml:3:7 The shared file "shared/policy.yml" needs "n" of the event (int), which may be missing in scenario "s"',
      ],
    ],
    [
      '{ n?: int }',
      '{ id: string }',
      [
        'shared-needs functions/s.yml:3:7 The shared file "shared/policy.yml" needs "n" of the event (int), which the event of scenario "s" does not have',
      ],
    ],
    [
      '{ n: int = 3 }',
      '{ id: string, n: int }',
      [
        'shared-needs functions/shared/policy.yml:1:10 Field "n" of "needs" has a default, and fields come from the scenario that uses the file',
      ],
    ],
  ])('needs %s of an event %s', (needs, event, expected) => {
    const files = { 'shared/policy.yml': `needs: ${needs}\nlet:\n  a: 1\n` }
    const sink = 'sinks:\n  out: { topic: o, key: "k", value: { a: 1 } }\n'
    const text = `scenario: s\nsource: { topic: t, event: ${event} }\nuse: [shared/policy.yml]\n${sink}`
    expect(told(checked(text, files), text)).toEqual(expected)
  })
})

describe('names that only the scenario has', () => {
  test.each([
    ['a look-up', 'mine.push', 'unknown-name functions/shared/policy.yml:3:6 Nothing is called "mine" here'],
    ['a variable', 'own == 1', 'unknown-name functions/shared/policy.yml:3:6 Nothing is called "own" here'],
    ['a field of the event', 'event.n > 1', 'unknown-field functions/shared/policy.yml:3:12 "event" has no field "n"'],
    ['the key of the record', 'key == "a"', 'unknown-name functions/shared/policy.yml:3:6 Nothing is called "key" here'],
  ])('%s', (_, expression, expected) => {
    const own =
      'enrich:\n  mine:\n    redis: hash m:{event.id}\n    fields: { push: bool = true }\nlet:\n  own: event.n + 1\nfilter:\n  g: mine.push && own > 1\n'
    expect(problems(own, { 'shared/policy.yml': `needs: { id: string }\nfilter:\n  f: ${expression}\n` })).toEqual([expected])
  })

  test('are unknown also where the file is checked alone', () => {
    const text = 'needs: { id: string }\nfilter:\n  f: own == 1\n'
    expect(told({ diagnostics: checkSharedFile('functions/shared/policy.yml', text) }, text)).toEqual([
      'unknown-name functions/shared/policy.yml:3:6 Nothing is called "own" here',
    ])
  })

  test.each([['now > timestamp("2026-01-01T00:00:00Z")'], ['scenario != "x"'], ['record.partition > 1']])(
    'what sluice provides is seen: %s',
    expression => {
      expect(problems('', { 'shared/policy.yml': `needs: { id: string }\nfilter:\n  f: ${expression}\n` })).toEqual([])
    },
  )
})

test.each([['shared/policy.yml'], ['./shared/policy.yml'], ['shared/./policy.yml']])(
  'a cap is shared by all that name its file, written as %s',
  use => {
    const { scenario } = checked(scenarioText('', { use: `[${use}]` }), { [use]: policy })
    expect(scenario?.state.flatMap(entry => (entry.kind === 'cap' ? [[entry.name, entry.sharedBy]] : []))).toEqual([
      ['daily', 'shared/policy.yml'],
    ])
  },
)

describe('a path under use', () => {
  const files = ['other.yml', 'policy.yml', 'prices.csv', 'quiet-hours.yaml']

  test.each([
    ['shared/policy', 'shared/policy.yml'],
    ['shared/policy.yaml', 'shared/policy.yml'],
    ['shared/quiethours.yml', 'shared/quiet-hours.yaml'],
    ['policy.yml', 'shared/policy.yml'],
    ['sharde/policy.yml', 'shared/policy.yml'],
    ['./shared/polcy.yml', 'shared/policy.yml'],
    ['shared/prices.csv', undefined],
    ['shared/unlike.yml', undefined],
    // Already used.
    ['shared/othr.yml', undefined],
  ])('%s means %s', (path, expected) => {
    const { diagnostics } = checkScenario('functions/s.yml', scenarioText('', { use: `[shared/other.yml, ${path}]` }), {
      readFile: read => {
        if (read === 'shared/other.yml') return 'let:\n  x: 1\n'
        throw new Error(`There is no ${read}`)
      },
      fileNames: folder => (folder === 'shared' ? files : []),
    })
    const found = diagnostics.filter(({ severity }) => severity === 'error')
    expect(found.map(({ id, suggestion }) => [id, suggestion])).toEqual([['wrong-shape', expected]])
  })
})

test('a file that is not there', () => {
  expect(problems('', {})).toEqual([
    'wrong-shape functions/s.yml:3:7 "use" needs paths of shared files (.yml), found "shared/policy.yml", which cannot be read',
  ])
})

describe('in a folder', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-shared-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  function written(name: string, files: Files): string {
    const place = join(folder, name)
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(place, path)), { recursive: true })
      writeFileSync(join(place, path), text)
    }
    return place
  }

  const sluice = (cwd: string, words: readonly string[]): Promise<{ readonly code: number; readonly out: string }> =>
    new Promise(done => {
      const { CI: _, ...env } = process.env
      execFile(process.execPath, [join(root, 'lib/cli/main.ts'), ...words], { cwd, env }, (error, out) =>
        done({ code: error === null ? 0 : Number(error.code), out }),
      )
    })

  const wrong = {
    'functions/s.yml': scenarioText(''),
    'functions/shared/policy.yml': 'needs: { id: string }\nfilter:\n  f: event.idd != "a"\n',
  }

  test('check tells programs the file, line and column of the shared file', async () => {
    const { code, out } = await sluice(written('json', wrong), ['check', '--format', 'json'])
    const lines = out.trimEnd().split('\n')
    const error = lines.map(line => JSON.parse(line)).find(({ severity }) => severity === 'error')
    expect(error).toMatchObject({ file: 'functions/shared/policy.yml', line: 3, column: 12, id: 'unknown-field' })
    expect(code).toBe(1)
  })

  test('check tells GitHub the file, line and column of the shared file', async () => {
    const { code, out } = await sluice(written('github', wrong), ['check', '--format', 'github'])
    expect(out).toContain('::error file=functions/shared/policy.yml,line=3,')
    expect(out).toContain('col=12')
    expect(code).toBe(1)
  })

  test('check warns of a shared file that no scenario uses, and looks into it', async () => {
    const place = written('unused', {
      'functions/s.yml': scenarioText('').replace('use: [shared/policy.yml]\n', ''),
      'functions/shared/policy.yml': 'needs: { id: string }\nfilter:\n  f: event.idd != "a"\n',
    })
    const { code, out } = await sluice(place, ['check'])
    expect(out).toContain('No scenario uses this shared file [unused]\n    functions/shared/policy.yml:1:1:')
    expect(out).toContain('"event" has no field "idd" [unknown-field]\n    functions/shared/policy.yml:3:12:')
    expect(code).toBe(1)
  })

  test.each([
    ['misspells it', scenarioText('', { use: '[shared/polcy.yml]' })],
    ['cannot be read', scenarioText('').replace('source:', 'source: !')],
  ])('check does not warn of a shared file that a scenario may mean, since that one %s', async (name, text) => {
    const place = written(name, { 'functions/s.yml': text, 'functions/shared/policy.yml': policy })
    const { code, out } = await sluice(place, ['check'])
    expect(out).toMatch(/^1 scenario checked: 1 error(, 1 hint)?$/m)
    expect(code).toBe(1)
  })

  test('a bare `event` of a shared file is the event with what the file needs, and nothing else of it', async () => {
    const place = written('bare', {
      'functions/s.yml': `scenario: s
source: { topic: t, event: { id: string, n: int, plan?: string } }
use: [shared/copy.yml]
let:
  kept: copy
sinks:
  whole: { topic: o, key: event.id, value: copy }
  within: { topic: o, key: event.id, value: { before: kept, n: event.n } }
  own: { topic: o, key: event.id, value: event }
examples:
  - name: each sink
    given:
      event: { id: a, n: 3, plan: gold }
    expect:
      whole: [{ key: a, value: { id: a, plan: gold } }]
      within: [{ key: a, value: { before: { id: a, plan: gold }, n: 3 } }]
      own: [{ key: a, value: { id: a, n: 3, plan: gold } }]
  - name: without what may be missing
    given:
      event: { id: b, n: 4 }
    expect:
      whole: [{ key: b, value: { id: b } }]
      within: [{ key: b, value: { before: { id: b }, n: 4 } }]
      own: [{ key: b, value: { id: b, n: 4 } }]
`,
      'functions/shared/copy.yml': 'needs: { id: string, plan?: string }\nlet:\n  copy: event\nfilter:\n  named: copy.id != ""\n',
    })
    const { code, out } = await sluice(place, ['test', 's'])
    expect(out).toContain('2 passed, 0 failed')
    expect(code).toBe(0)
  })

  test('check does not warn of one that is used', async () => {
    const place = written('used', { 'functions/s.yml': scenarioText(''), 'functions/shared/policy.yml': policy })
    const { code, out } = await sluice(place, ['check'])
    expect(out).not.toContain('No scenario uses')
    expect(code).toBe(0)
  })

  test("esbuild's messages name the place in the shared file", async () => {
    const place = written('esbuild', wrong)
    const failure = await build({
      entryPoints: [join(place, 'functions/s.yml')],
      plugins: [scenarioPlugin()],
      write: false,
      logLevel: 'silent',
    }).then(
      () => undefined,
      (error: BuildFailure) => error,
    )
    expect(failure?.errors.map(({ text, location }) => [text, location?.file, location?.line, location?.column])).toEqual([
      ['"event" has no field "idd" [unknown-field]', relative(process.cwd(), join(place, 'functions/shared/policy.yml')), 3, 11],
    ])
  })

  test.each([
    ['sound', { 'functions/s.yml': scenarioText(''), 'functions/shared/policy.yml': policy }],
    ['wrong', wrong],
  ])('esbuild watches the shared file of a scenario that is %s', async (name, files) => {
    const place = written(`watched-${name}`, files)
    const watched: string[] = []
    const loads = scenarioPlugin()
    const watching = await context({
      entryPoints: [join(place, 'functions/s.yml')],
      plugins: [
        {
          name: 'sluice, overheard',
          setup: build =>
            loads.setup({
              ...build,
              onLoad: (options, load) =>
                build.onLoad(options, async args => {
                  const loaded = await load(args)
                  watched.push(...(loaded?.watchFiles ?? []))
                  return loaded
                }),
            }),
        },
      ],
      bundle: true,
      platform: 'node',
      format: 'esm',
      write: false,
      logLevel: 'silent',
    })
    await watching.rebuild().catch(() => undefined)
    await watching.dispose()
    expect(watched).toEqual([resolve(place, 'functions/shared/policy.yml')])
  })

  test('a shared file that changes leaves the functions that do not use it as they are, to the byte', async () => {
    const place = written('bytes', {
      'functions/s.yml': scenarioText(''),
      'functions/other.yml': scenarioText('').replace('use: [shared/policy.yml]\n', '').replace('scenario: s', 'scenario: other'),
      'functions/shared/policy.yml': policy,
    })
    const built = async (name: string): Promise<string> =>
      Buffer.from((await bundleScenario(join(place, `functions/${name}.yml`), { stores: 'real' })).code).toString('utf8')
    const before = { s: await built('s'), other: await built('other') }
    written('bytes', { 'functions/shared/policy.yml': policy.replace('limit: 2', 'limit: 3') })
    const after = { s: await built('s'), other: await built('other') }
    expect(after.other === before.other).toBe(true)
    expect(after.s === before.s).toBe(false)
  })

  test('a part of the file that the scenario does not read may change without a change of its function', async () => {
    const files = { 'functions/s.yml': scenarioText(''), 'functions/shared/policy.yml': policy }
    const place = written('unread', files)
    const built = async (): Promise<string> =>
      Buffer.from((await bundleScenario(join(place, 'functions/s.yml'), { stores: 'real' })).code).toString('utf8')
    const before = await built()
    written('unread', { 'functions/shared/policy.yml': policy.replace('>= 18', '>= 21') })
    expect((await built()) === before).toBe(true)
  })
})
