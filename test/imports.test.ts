import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { forbiddenImports, importsOf } from './imports.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

test('each folder imports only what the architecture allows', () => {
  const files = globSync('{lib,infra}/**/*.{ts,cjs}', { cwd: root }).map(file => ({
    file,
    text: readFileSync(`${root}/${file}`, 'utf8'),
  }))
  expect(files.length).toBeGreaterThan(20)
  expect(forbiddenImports(files)).toEqual([])
})

test.each([
  ['a stage that imports another stage', 'lib/runtime/emit.ts', `import { decode } from './decode.ts'`],
  ['a stage that imports a parser', 'lib/runtime/decode.ts', `import { parse } from '../language/parser.ts'`],
  ['a type import counts as well', 'lib/plan/plan.ts', `import type { Scenario } from '../scenario/scenario.ts'`],
  ['language that knows of scenarios', 'lib/language/check.ts', `export * from '../scenario/names.ts'`],
  ['standard functions that know of the checker', 'lib/language/standard/list.ts', `import { check } from '../check.ts'`],
  [
    'an emulator that looks into the handler',
    'lib/emulator/host.ts',
    `const { handler } = await import('../runtime/handler.ts')`,
  ],
  [
    'a connector that knows of the handler',
    'lib/connectors/kafka/producer.ts',
    `import {\n  a,\n} from '../../runtime/handler.ts'`,
  ],
])('%s is found', (_, file, text) => {
  expect(forbiddenImports([{ file, text }])).toHaveLength(1)
})

test('a finding shows file, line and what is allowed', () => {
  expect(
    forbiddenImports([{ file: 'lib/plan/plan.ts', text: `// a comment\nimport {\n  type A,\n} from '../compiler/plan.ts'\n` }]),
  ).toEqual([
    'lib/plan/plan.ts:4: lib/plan/ may not import lib/compiler/plan.ts; it may import lib/plan/ itself, lib/language/standard/',
  ])
})

test.each([
  ['the handler, which wires all stages', 'lib/runtime/handler.ts', `import { decode } from './decode.ts'`],
  ['a stage and its port', 'lib/runtime/enrich.ts', `import type { LookupPort } from './ports.ts'`],
  ['files of one folder', 'lib/scenario/decision/table.ts', `import { report } from '../report.ts'`],
  ['the command line', 'lib/cli/main.ts', `import { bundle } from '../compiler/bundle.ts'`],
  ['a library', 'lib/scenario/yaml.ts', `import { parseDocument } from 'yaml'`],
])('%s may', (_, file, text) => {
  expect(forbiddenImports([{ file, text }])).toEqual([])
})

test('all forms of import are seen', () => {
  const text = `import './a.ts'\nimport type { B } from "./b.ts"\nexport { c } from './c.ts'\nvoid import('./d.ts')\nrequire('./e.cjs')\n`
  expect(importsOf(text).map(({ specifier, line }) => `${specifier} ${line}`)).toEqual([
    './a.ts 1',
    './b.ts 2',
    './c.ts 3',
    './d.ts 4',
    './e.cjs 5',
  ])
})
