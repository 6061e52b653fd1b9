import { readFileSync } from 'node:fs'
import { build } from 'esbuild'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as std from '../../../lib/language/standard/index.ts'
import { cpuMsOf } from '../../cpu-time.ts'

const { Double, Duration, Decimal, ExpressionFailure, Optional, Timestamp, Uint } = std

describe('equality and order', () => {
  test.each<[unknown, unknown, boolean]>([
    [1, 1, true],
    [1, new Double(1), true],
    [1, new Uint(1n), true],
    [9007199254740993n, new Double(9007199254740992), true],
    [9007199254740993n, 9007199254740992n, false],
    [9007199254740993n, new Uint(9007199254740993n), true],
    [new Decimal(150, 2), new Decimal(15, 1), true],
    [new Decimal(100, 2), 1, true],
    [new Double(NaN), new Double(NaN), false],
    [NaN, NaN, false],
    [0, new Double(-0), true],
    [1, '1', false],
    [1, true, false],
    [null, null, true],
    [null, 0, false],
    ['a', 'a', true],
    [[1, [2]], [1, [2]], true],
    [[1], [1, 2], false],
    [[1], [new Double(1)], true],
    [new Map([['a', 1]]), new Map([['a', 1]]), true],
    [new Map([['a', 1]]), new Map([['b', 1]]), false],
    [new Map<unknown, unknown>([[1, 'x']]), new Map<unknown, unknown>([[new Uint(1n), 'x']]), true],
    [new Timestamp(1, 2), new Timestamp(1, 2), true],
    [new Timestamp(1, 0), new Duration(1, 0), false],
    [Uint8Array.of(1, 2), Uint8Array.of(1, 2), true],
    [Optional.none, Optional.none, true],
    [new Optional(1), new Optional(1), true],
    [new Optional(1), Optional.none, false],
    [{ a: 1, b: undefined }, { a: 1 }, true],
    [{ a: 1 }, { a: 1, b: 2 }, false],
    [{ constructor: 1 }, {}, false],
    [{ toString: undefined }, {}, true],
  ])('%o == %o is %s', (a, b, expected) => {
    expect(std.equals(a, b)).toBe(expected)
    expect(std.equals(b, a)).toBe(expected)
  })

  test('strings are ordered by code points', () => {
    const ordered = [
      '',
      'A',
      'Z',
      'a',
      'aa',
      'b',
      '\u00e9',
      '\ud7ff',
      '\ud800',
      '\udfff',
      '\ue000',
      '\uff42',
      '\uffff',
      '\u{10000}',
      '\u{1f600}',
      '\u{1f600}a',
      '\u{10ffff}',
    ]
    for (let i = 0; i < ordered.length; i++) {
      for (let k = 0; k < ordered.length; k++) {
        expect(
          Math.sign(std.compareStrings(ordered[i]!, ordered[k]!)),
          `${JSON.stringify(ordered[i])} ${JSON.stringify(ordered[k])}`,
        ).toBe(Math.sign(i - k))
      }
    }
  })

  test('the order of strings is that of their code points, whatever their surrogates', () => {
    const unit = fc.constantFrom('a', '\u00ff', '\ud7ff', '\ud800', '\udbff', '\udc00', '\udfff', '\ue000', '\uffff')
    const text = fc.array(unit, { maxLength: 5 }).map(units => units.join(''))
    const points = (value: string) => [...value].map(character => character.codePointAt(0)!)
    fc.assert(
      fc.property(text, text, (a, b) => {
        const [x, y] = [points(a), points(b)]
        let expected = Math.sign(x.length - y.length)
        for (let i = 0; i < Math.min(x.length, y.length); i++) {
          if (x[i] !== y[i]) {
            expected = Math.sign(x[i]! - y[i]!)
            break
          }
        }
        expect(Math.sign(std.compareStrings(a, b))).toBe(expected)
      }),
      { numRuns: 3000 },
    )
  })

  test('values of two types have no order', () => {
    for (const [a, b] of [
      [1, '1'],
      [true, 1],
      [null, null],
      [[], []],
      [new Timestamp(0, 0), new Duration(0, 0)],
    ]) {
      expect(() => std.compare(a, b)).toThrow(ExpressionFailure)
    }
    expect(std.compare(1, new Double(NaN))).toBe(NaN)
    expect(std.compare(false, true)).toBe(-1)
  })
})

describe('texts', () => {
  test.each<[string, () => unknown, unknown]>([
    [
      'size counts code points',
      () => ['', 'abc', 'é', '😀', 'a😀b', '\ud800', '👨‍👩‍👧'].map(std.sizeOfString),
      [0, 3, 1, 1, 3, 1, 5],
    ],
    ['charAt', () => [0, 1, 2, 3].map(i => std.charAt('a😀b', i)), ['a', '😀', 'b', '']],
    ['charAt beyond', () => std.charAt('a', 2), 'fails'],
    [
      'indexOf',
      () => [std.indexOf('a😀b😀', '😀'), std.indexOf('a😀b😀', '😀', 2), std.indexOf('a', 'b'), std.indexOf('abc', '')],
      [1, 3, -1, 0],
    ],
    [
      'lastIndexOf',
      () => [std.lastIndexOf('a😀b😀', '😀'), std.lastIndexOf('a😀b😀', '😀', 2), std.lastIndexOf('', 'a')],
      [3, 1, -1],
    ],
    ['substring', () => [std.substring('a😀b', 1), std.substring('a😀b', 1, 2), std.substring('abc', 3)], ['😀b', '😀', '']],
    ['substring beyond', () => std.substring('a😀', 3), 'fails'],
    ['substring backwards', () => std.substring('abc', 2, 1), 'fails'],
    ['substring before the start', () => std.substring('abc', -1), 'fails'],
    [
      'replace',
      () => [std.replace('aaa', 'a', 'b'), std.replace('aaa', 'a', 'b', 2), std.replace('aaa', 'a', 'b', 0)],
      ['bbb', 'bba', 'aaa'],
    ],
    ['replace knows no patterns', () => std.replace('a.b$&', '.', '$&'), 'a$&b$&'],
    ['replace of nothing', () => [std.replace('a😀', '', '-'), std.replace('ab', '', '-', 2)], ['-a-😀-', '-a-b']],
    [
      'split',
      () => [std.split('a,b,c', ','), std.split('a,b,c', ',', 2), std.split('a,b', ',', 0), std.split('', ',')],
      [['a', 'b', 'c'], ['a', 'b,c'], [], ['']],
    ],
    [
      'split into code points',
      () => [std.split('a😀', ''), std.split('a😀b', '', 2)],
      [
        ['a', '😀'],
        ['a', '😀b'],
      ],
    ],
    ['join', () => [std.join(['a', 'b']), std.join(['a', 'b'], ', '), std.join([])], ['ab', 'a, b', '']],
    ['trim', () => std.trim(' \t\u0085\u00a0\u3000x\ufeff\u200b \n'), 'x\ufeff\u200b'],
    ['lowerAscii, upperAscii', () => [std.lowerAscii('ÀBCİ'), std.upperAscii('àbcß')], ['Àbcİ', 'àBCß']],
    ['reverse', () => std.reverse('a😀b'), 'b😀a'],
    ['quote', () => std.quote('a"\\\n\x07\ud800é'), '"a\\"\\\\\\n\\a\ufffdé"'],
    [
      'format',
      () => std.formatText('%s %d %.2f %e %x %%', ['a', 1, new Double(2.345), new Double(1234.5), 255]),
      'a 1 2.35 1.234500e+03 ff %',
    ],
    ['format without a value', () => std.formatText('%s', []), 'fails'],
    ['format of an unknown clause', () => std.formatText('%a', [1]), 'fails'],
  ])('%s', (_, compute, expected) => {
    let found: unknown
    try {
      found = compute()
    } catch (error) {
      expect(error).toBeInstanceOf(ExpressionFailure)
      found = 'fails'
    }
    expect(found).toStrictEqual(expected)
  })
})

describe('lists, maps, casts', () => {
  test.each<[string, () => unknown, unknown]>([
    [
      'sum',
      () => [std.sumOfInts([1, 2]), std.sumOfInts([]), std.sumOfDoubles([0.5, 1]), std.sumOfInts([9007199254740991, 1])],
      [3, 0, 1.5, 9007199254740992n],
    ],
    ['sum overflows', () => std.sumOfInts([9223372036854775807n, 1]), 'fails'],
    ['first of none', () => std.first([]), 'fails'],
    ['last', () => std.last([1, 2]), 2],
    ['minBy takes the first of equals', () => std.minBy(['bb', 'a', 'c'], text => text.length), 'a'],
    ['maxBy takes the first of equals', () => std.maxBy(['a', 'bb', 'cc'], text => text.length), 'bb'],
    ['maxBy of none', () => std.maxBy([], x => x), 'fails'],
    ['a list beyond its end', () => std.elementAt([1], 1), 'fails'],
    ['a list before its start', () => std.elementAt([1], -1), 'fails'],
    ['NaN is in no list', () => std.listHas([NaN], NaN), false],
    ['1.0 is in a list of ints', () => std.listHas([1, 2], new Double(2)), true],
    ['a map by keys of other types', () => std.mapGet(new Map([[1, 'x']]), new Double(1)), 'x'],
    ['a map has no inherited keys', () => std.mapGet(new Map(), 'constructor'), undefined],
    ['a key that is not there', () => std.valueAt(new Map(), 'a'), 'fails'],
    [
      'a repeated key',
      () =>
        std.mapOf([
          [1, 'a'],
          [new Uint(1n), 'b'],
        ]),
      'fails',
    ],
    ['int("…")', () => ['12', '-12', '+12', '9223372036854775807'].map(std.intOfString), [12, -12, 12, 9223372036854775807n]],
    ['int("9223372036854775808")', () => std.intOfString('9223372036854775808'), 'fails'],
    ['int("1.0")', () => std.intOfString('1.0'), 'fails'],
    ['int("")', () => std.intOfString(''), 'fails'],
    [
      'double("…")',
      () => ['1', '-1.5', '1e3', '.5', 'NaN', '-inf'].map(std.doubleOfString),
      [1, -1.5, 1000, 0.5, NaN, -Infinity],
    ],
    ['double(" 1")', () => std.doubleOfString(' 1'), 'fails'],
    ['double("0x10")', () => std.doubleOfString('0x10'), 'fails'],
    ['bool("TrUe")', () => std.boolOfString('TrUe'), 'fails'],
    ['string(bytes)', () => std.stringOfBytes(Uint8Array.of(0xef, 0xbb, 0xbf, 0xc3, 0xbf)), '\ufeffÿ'],
    ['string of no UTF-8', () => std.stringOfBytes(Uint8Array.of(0xff)), 'fails'],
  ])('%s', (_, compute, expected) => {
    let found: unknown
    try {
      found = compute()
    } catch (error) {
      expect(error).toBeInstanceOf(ExpressionFailure)
      found = 'fails'
    }
    expect(found).toStrictEqual(expected)
  })

  test('names that every object inherits are no fields', () => {
    for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
      expect(std.hasField({}, name)).toBe(false)
      expect(() => std.field({}, name)).toThrow(ExpressionFailure)
      expect(std.hasField(JSON.parse(`{${JSON.stringify(name)}:1}`), name)).toBe(true)
    }
  })
})

describe('regular expressions', () => {
  test.each<[string, boolean]>([
    // pattern, is native
    ['^\\d{3}$', true],
    ['^[A-Z]{2}\\d+$', true],
    ['foo|bar', true],
    ['^(foo|bar)-\\d*$', true],
    ['@example\\.com$', true],
    ['[0-9]+', true],
    ['^[^@ ]+@[a-z]+\\.com$', true],
    ['^[^@ ]+@[a-z.]+\\.com$', false],
    ['^\\d*[a-z]*\\d*$', false],
    ['^[a-z]+@', true],
    ['', true],
    ['a+b', false],
    ['a*a*b', false],
    ['^(a+)+$', false],
    ['(a|a)*b', false],
    ['^.*foo', false],
    ['(a*b)', false],
    ['(?i)abc', false],
    ['\\bfoo', false],
    ['\\p{L}', false],
    ['[[:alpha:]]', false],
    ['a+?', false],
    ['a{51}', false],
    ['(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)', false],
  ])('%s is native: %s', (pattern, native) => expect(std.linearRegExp(pattern) !== undefined).toBe(native))

  test.each(['(', '[', 'a**', '*', '(?=a)', '(?<!a)', '\\1', 'a{2,1}', '\\', '[z-a]', 'a{1001}', '(?P<n', '\\Z'])(
    '%s is no pattern of RE2',
    pattern => {
      expect(std.compilePattern(pattern)).toBe(undefined)
      expect(() => std.matches('a', pattern)).toThrow(ExpressionFailure)
    },
  )

  test.each<[string, string, boolean]>([
    ['hubba', 'ubb', true],
    ['a\nb', 'a.b', false],
    ['a\rb', 'a.b', true],
    ['a\u2028b', '^a.b$', true],
    ['abc\n', 'abc$', false],
    ['\u00a0', '\\s', false],
    ['\v', '\\s', false],
    ['٣', '\\d', false],
    ['é', '\\w', false],
    ['😀', '^.$', true],
    ['😀', '^[😀😁]$', true],
    ['k', '^[^a-j]$', true],
    ['a-z', '^[a\\-z]+$', true],
    ['-', '^[a-]$', true],
    ['a/b', '^a\\/b$', true],
  ])('%o matches %s: %s', (text, pattern, expected) => {
    expect(std.matches(text, pattern)).toBe(expected)
    expect(std.re2(pattern).test(text)).toBe(expected)
  })

  test('native patterns agree with RE2', () => {
    const atom = fc.constantFrom(
      'a',
      'b',
      '.',
      '\\d',
      '\\w',
      '\\s',
      '[ab]',
      '[^a]',
      '[0-9a]',
      '\\.',
      '\\n',
      '(a|b)',
      '(?:ab|c|)',
      '😀',
      '\\W',
      '-',
    )
    const part = fc.tuple(atom, fc.constantFrom('', '', '*', '+', '?', '{2}', '{1,3}', '{2,}')).map(pair => pair.join(''))
    const pattern = fc
      .tuple(fc.constantFrom('^', ''), fc.array(part, { maxLength: 5 }), fc.constantFrom('', '$', '|b$'))
      .map(([start, parts, end]) => start + parts.join('') + end)
    const text = fc
      .array(fc.constantFrom('a', 'b', 'c', '1', '.', ' ', '\n', '\r', '😀', '-', 'é'), { maxLength: 8 })
      .map(units => units.join(''))
    let nativeCount = 0
    fc.assert(
      fc.property(pattern, fc.array(text, { minLength: 3, maxLength: 6 }), (source, texts) => {
        const native = std.linearRegExp(source)
        if (native === undefined) return
        nativeCount++
        const reference = std.re2(source)
        for (const value of texts) expect(native.test(value), `${source} on ${JSON.stringify(value)}`).toBe(reference.test(value))
      }),
      { numRuns: 3000 },
    )
    expect(nativeCount).toBeGreaterThan(500)
  })

  test('hostile texts cost milliseconds, not hours', () => {
    const hostile = 'a'.repeat(20_000)
    const costMs = cpuMsOf(() => {
      for (const pattern of ['^(a+)+$', '(a*)*b', '^[a-z]+@', 'a+b', '(x+x+)+y', '^a*b*c*$', '(a|aa)+$', '[0-9]+'])
        std.matches(`${hostile}!`, pattern)
    })
    expect(costMs).toBeLessThan(3000)
  })
})

test('a bundle holds what is used: no RE2, no dispatch of dyn', async () => {
  const index = new URL('../../../lib/language/standard/index.ts', import.meta.url).pathname
  const bundle = async (use: string) => {
    const contents = `import * as std from ${JSON.stringify(index)}\nexport const use = ${use}`
    const result = await build({
      stdin: { contents, resolveDir: '.' },
      bundle: true,
      minify: true,
      platform: 'node',
      format: 'esm',
      write: false,
    })
    return result.outputFiles[0]!.text
  }
  const small = await bundle('(a, b) => std.addInt(a, b)')
  expect(small.length).toBeLessThan(2500)
  expect(await bundle("new RegExp('a', 'u').test")).not.toContain('RE2')
  expect((await bundle('(a, b) => std.matches(a, b)')).length).toBeGreaterThan(50_000)
  expect(readFileSync(index, 'utf8')).toContain('re2.ts')
})
