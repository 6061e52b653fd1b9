import { describe, expect, test } from 'vitest'
import { parseExpression } from '../../lib/language/parser.ts'
import { parseTemplate } from '../../lib/language/template.ts'

describe('mistakes are told in words, all of them', () => {
  test.each([
    ['', ['An expression is missing here']],
    ['1 +', ['The expression ends where a value is missing']],
    ['event.n = 1', ['"=" has no meaning here; two values are compared with ==']],
    ['event.n === 1', ['"===" has no meaning here; two values are compared with ==']],
    ['a <> 1 & b', ['"<>" has no meaning here; two values differ with !=', '"&" has no meaning here; "and" is written &&']],
    ['a and b', ['The expression ends before "and"; "and" is written &&']],
    ['a AND not b', ['The expression ends before "AND"; "AND" is written &&', '"not" is written !']],
    ['a == “x y”', ['A text stands between straight quotes: "x y"']],
    ['a in ("x", "y")', ['A list is written between [ and ]']],
    ['a > 7d', ['"7d" is no number; a duration is written in hours: duration("168h")']],
    ['a > 30m', ['"30m" is no number; a duration is written duration("30m")']],
    ['a > 3,55', ['The expression ends before ","; the decimal point is written "."']],
    ['a between 1 and 5', ['The expression ends before "between"']],
    ['"abc', ['The text that begins here has no closing "']],
    ['((1', ['The end stands where a closing ")" is missing']],
    ['a > && b <', ['A value is missing before "&&"', 'The expression ends where a value is missing']],
    ['a ? b', ['The end stands where a ":" and the other value of "? :" is missing']],
    ['a.', ['A field name is missing after "."']],
    ['99999999999999999999', ['The number 99999999999999999999 does not fit into 64 bits']],
    [`${'('.repeat(9999)}1`, ['The expression is nested more than 250 levels deep']],
    [`${'!-'.repeat(9999)}1`, ['The expression is nested more than 250 levels deep']],
    [`a${' + 1'.repeat(9999)}`, ['The expression has a chain of more than 500 parts; give some of them a name under "let"']],
  ])('%.30s', (source, messages) => {
    expect(parseExpression(source).problems.map(({ message }) => message)).toEqual(messages)
  })
})

test('a long chain of conditions is fine', () => {
  expect(parseExpression(`a${' && b'.repeat(20_000)}`).problems).toEqual([])
})

describe('texts with holes', () => {
  test.each<[string, readonly unknown[]]>([
    ['plain', ['plain']],
    ['', []],
    ['customer:{event.id}', ['customer:', { source: 'event.id', start: 10 }]],
    [
      '{a}{b}',
      [
        { source: 'a', start: 1 },
        { source: 'b', start: 4 },
      ],
    ],
    ['{{not a hole}}', ['{not a hole}']],
    ['{f("}")}.', [{ source: 'f("}")', start: 1 }, '.']],
    ['{{"a": {a}}}', ['{"a": ', { source: 'a', start: 8 }, '}']],
    ['{ {"a": 1}.size() }', [{ source: ' {"a": 1}.size() ', start: 1 }]],
  ])('%s', (source, parts) => {
    expect(parseTemplate(source)).toEqual({ parts, problems: [] })
  })

  test.each(['{a', 'a}', '{}', 'x {f("}} y'])('%s is refused', source => {
    expect(parseTemplate(source).problems).toHaveLength(1)
  })
})
