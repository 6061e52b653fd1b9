// How a diagnostic is printed, to the letter.
import { describe, expect, test } from 'vitest'
import {
  type Diagnostic,
  diagnostic,
  fromProblem,
  githubDiagnostic,
  jsonDiagnostic,
  positionOf,
  renderDiagnostic,
} from '../../../lib/scenario/diagnostics.ts'
import type { ScalarText } from '../../../lib/scenario/syntax.ts'
import { readYaml } from '../../../lib/scenario/yaml.ts'

const file = 'functions/next-best-action.yml'

function at(text: string, marked: string): { start: number; end: number } {
  const start = text.indexOf(marked)
  return { start, end: start + marked.length }
}

function found(text: string, marked: string, more: Partial<Diagnostic> = {}): Diagnostic {
  return { id: 'unknown-field', severity: 'error', message: 'No such field', file, range: at(text, marked), notes: [], ...more }
}

describe('for people', () => {
  test('a sentence, the place, a suggestion under the marker, another place as a note', () => {
    const text = `${'\n'.repeat(9)}  profile:\n${'\n'.repeat(10)}  basic: profile.paln == "basic"\n`
    const message = '"profile" has no field "paln"'
    const notes = [
      { message: '"profile" is declared with the fields "segment", "plan" and "consent":', range: at(text, 'profile:') },
    ]
    expect(renderDiagnostic(found(text, 'paln', { message, suggestion: 'plan', notes }), text)).toBe(`\
✘ [ERROR] "profile" has no field "paln" [unknown-field]
    functions/next-best-action.yml:21:18:
      21 │   basic: profile.paln == "basic"
         │                  ~~~~
         ╵                  plan
  "profile" is declared with the fields "segment", "plan" and "consent":
    functions/next-best-action.yml:10:3:
      10 │   profile:
         ╵   ~~~~~~~~
`)
  })

  test('numbers of lines are aligned, a remedy has no place', () => {
    const text = `a: 1\n${'\n'.repeat(98)}b: 2\n`
    const notes = [{ message: 'The first one:', range: at(text, 'a') }, { message: 'Remove one of the two.' }]
    expect(renderDiagnostic(found(text, 'b', { severity: 'warning', notes }), text)).toBe(`\
▲ [WARNING] No such field [unknown-field]
    functions/next-best-action.yml:100:1:
      100 │ b: 2
          ╵ ~
  The first one:
    functions/next-best-action.yml:1:1:
        1 │ a: 1
          ╵ ~
  Remove one of the two.
`)
  })

  test('tabs and wide characters keep the marker under the text', () => {
    const text = 'a:\t"日本" + é + 😀 + x\n'
    expect(renderDiagnostic(found(text, 'x', { severity: 'hint' }), text)).toBe(`\
• [HINT] No such field [unknown-field]
    functions/next-best-action.yml:1:20:
      1 │ a:  "日本" + é + 😀 + x
        ╵                       ~
`)
  })

  test('of several lines the first is shown', () => {
    const text = 'a: >-\n  b >\n  c\n'
    expect(renderDiagnostic(found(text, 'b >\n  c'), text)).toBe(`\
✘ [ERROR] No such field [unknown-field]
    functions/next-best-action.yml:2:3:
      2 │   b >
        ╵   ~~~
`)
  })

  test('in colours on a terminal', () => {
    const text = 'a: 1\n'
    expect(renderDiagnostic(found(text, '1'), text, { colors: true })).toBe(
      '\u001b[31m✘ [ERROR]\u001b[0m \u001b[1mNo such field\u001b[0m [unknown-field]\n    functions/next-best-action.yml:1:4:\n      1 │ a: 1\n        ╵    \u001b[32m~\u001b[0m\n',
    )
  })
})

test('for programs: one object', () => {
  const text = 'a: 1\nb: 2\n'
  expect(jsonDiagnostic(found(text, '2'), text)).toBe(
    '{"id":"unknown-field","severity":"error","file":"functions/next-best-action.yml","line":2,"column":4,"message":"No such field"}',
  )
})

test('for GitHub: what would end the command is escaped', () => {
  const text = 'a: 1\n'
  const notes = [{ message: '100 % sure:\nremove it' }]
  expect(githubDiagnostic(found(text, '1', { file: 'a,b.yml', severity: 'hint', notes }), text)).toBe(
    '::notice file=a%2Cb.yml,line=1,endLine=1,col=4,endColumn=5,title=unknown-field::No such field%0A100 %25 sure:%0Aremove it',
  )
})

test('lines and columns count from 1', () => {
  const places = [0, 1, 2, 3].map(offset => positionOf('a\nb', offset))
  expect(places).toEqual([
    { line: 1, column: 1 },
    { line: 1, column: 2 },
    { line: 2, column: 1 },
    { line: 2, column: 2 },
  ])
})

test('a problem of an expression is moved to its place in the file, in a hole of a folded text, too', () => {
  const text = 'x: >-\n  a {b}\n  {c.d}\n'
  const root = readYaml(file, text).root
  const scalar = root?.kind === 'map' && root.entries[0]?.value.kind === 'scalar' ? root.entries[0].value.scalar : undefined
  const problem = {
    id: 'unknown-field',
    severity: 'error',
    message: '"c" has no field "d"',
    range: { start: 2, end: 3 },
    notes: [{ message: 'Declared here:', declaration: 'let.c' }],
  } as const
  const moved = fromProblem(problem, scalar as ScalarText, file, {
    shift: 'a {b} {'.length,
    declarations: name => (name === 'let.c' ? { start: 0, end: 1 } : undefined),
  })
  expect(text.slice(moved.range.start, moved.range.end)).toBe('d')
  expect(moved.notes).toEqual([{ message: 'Declared here:', range: { start: 0, end: 1 } }])
})

test('the sentence of the table is filled', () => {
  const made = diagnostic(
    'unknown-key',
    { place: 'The file', key: 'sink' },
    { file, range: { start: 0, end: 4 }, suggestion: 'sinks' },
  )
  expect(made).toEqual({
    id: 'unknown-key',
    severity: 'error',
    message: 'The file has no "sink"',
    file,
    range: { start: 0, end: 4 },
    suggestion: 'sinks',
    notes: [],
  })
})
