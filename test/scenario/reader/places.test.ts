// Where a place of an expression stands in the file: YAML folds lines and decodes escapes, and messages point into the file.
import { expect, test } from 'vitest'
import { positionOf, rangeInFile } from '../../../lib/scenario/diagnostics.ts'
import type { Node, ScalarText } from '../../../lib/scenario/syntax.ts'
import { readYaml } from '../../../lib/scenario/yaml.ts'

const cases: readonly { name: string; yaml: string; text: string; word: string; line: number; column: number }[] = [
  { name: 'plain', yaml: 'x: a.b == c', text: 'a.b == c', word: 'c', line: 1, column: 11 },
  { name: 'plain over two lines', yaml: 'x: a.b\n  == c', text: 'a.b == c', word: 'c', line: 2, column: 6 },
  { name: 'plain with an empty line', yaml: 'x: a.b\n\n  == c', text: 'a.b\n== c', word: '==', line: 3, column: 3 },
  { name: 'single quotes', yaml: "x: 'it''s {a.b}'", text: "it's {a.b}", word: 'a.b', line: 1, column: 12 },
  { name: 'double quotes', yaml: 'x: "a\\"b {c}"', text: 'a"b {c}', word: 'c', line: 1, column: 11 },
  { name: 'an escaped character', yaml: 'x: "\\u0105 {c}"', text: 'ą {c}', word: 'c', line: 1, column: 13 },
  { name: 'an escaped character beyond 16 bits', yaml: 'x: "\\U0001F600 {c}"', text: '😀 {c}', word: 'c', line: 1, column: 17 },
  { name: 'an escaped line break', yaml: 'x: "a\\nb {c}"', text: 'a\nb {c}', word: 'c', line: 1, column: 11 },
  { name: 'double quotes over two lines', yaml: 'x: "a  \n   b {c}"', text: 'a b {c}', word: 'c', line: 2, column: 7 },
  {
    name: 'double quotes, lines joined by a backslash',
    yaml: 'x: "ab\\\n   cd {e}"',
    text: 'abcd {e}',
    word: 'e',
    line: 2,
    column: 8,
  },
  { name: 'folded', yaml: 'x: >-\n  a > 1\n  && b < c', text: 'a > 1 && b < c', word: 'b', line: 3, column: 6 },
  { name: 'folded, with an empty line', yaml: 'x: >-\n  a > 1\n\n  && b', text: 'a > 1\n&& b', word: 'b', line: 4, column: 6 },
  {
    name: 'folded, with lines indented further',
    yaml: 'x: >-\n  a ?\n    b :\n  c',
    text: 'a ?\n  b :\nc',
    word: 'b',
    line: 3,
    column: 5,
  },
  { name: 'folded, ends with a line break', yaml: 'x: >\n  a\n  b\n', text: 'a b\n', word: 'b', line: 3, column: 3 },
  {
    name: 'literal',
    yaml: 'x: |\n  | a || b |\n  | 1 || 2 |\n',
    text: '| a || b |\n| 1 || 2 |\n',
    word: '2',
    line: 3,
    column: 10,
  },
  { name: 'literal with its own indentation', yaml: 'x: |2\n    a\n   b\n', text: '  a\n b\n', word: 'b', line: 3, column: 4 },
  { name: 'literal in a nested map', yaml: 'x:\n  - y: |\n      a\n      b\n', text: 'a\nb\n', word: 'b', line: 4, column: 7 },
  { name: 'Windows line ends', yaml: 'x: >-\r\n  a > 1\r\n  && b\r\n', text: 'a > 1 && b', word: 'b', line: 3, column: 6 },
  { name: 'wide characters before it', yaml: 'x: "日本 {c}"', text: '日本 {c}', word: 'c', line: 1, column: 9 },
]

test.each(cases)('$name', ({ yaml, text, word, line, column }) => {
  const scalar = firstScalar(readYaml('x.yml', yaml).root)
  expect(scalar.text).toBe(text)
  const at = text.indexOf(word)
  const range = rangeInFile(scalar, { start: at, end: at + word.length })
  expect(positionOf(yaml, range.start)).toEqual({ line, column })
  expect(yaml.slice(range.start, range.end)).toBe(word)
})

test('the end of a text is the end of its last line', () => {
  const yaml = 'x: >-\n  a\n  b\ny: 1\n'
  const scalar = firstScalar(readYaml('x.yml', yaml).root)
  expect(positionOf(yaml, scalar.fileOffset(scalar.text.length))).toEqual({ line: 3, column: 4 })
})

test('what is quoted is a text, all else an expression', () => {
  const styles = ['x: a', "x: 'a'", 'x: "a"', 'x: >-\n  a', 'x: |-\n  a']
  expect(styles.map(yaml => firstScalar(readYaml('x.yml', yaml).root).quoted)).toEqual([false, true, true, false, false])
})

test('a plain scalar keeps its source, whatever YAML would make of it', () => {
  const sources = [
    '1.0',
    '007',
    '9007199254740993',
    'true',
    '0x10',
    '~',
    '2026-11-20',
    'on',
    '22:30',
    '-a + 1',
    'a in [1, 2]',
    '(a || b) && c',
  ]
  expect(sources.map(source => firstScalar(readYaml('x.yml', `x: ${source}`).root).text)).toEqual(sources)
})

function firstScalar(node: Node | undefined): ScalarText {
  if (node?.kind === 'scalar') return node.scalar
  const next = node?.kind === 'map' ? node.entries[0]?.value : node?.kind === 'list' ? node.items[0] : undefined
  if (!next) throw new Error('there is no scalar')
  return firstScalar(next)
}
