// The words of an expression: names, literals, operators, with their places. What is no CEL becomes a problem, and scanning goes on.
import type { Problem, Range } from './problem.ts'
import type { Literal } from './syntax.ts'

export type Token =
  | { readonly kind: 'name'; readonly text: string; readonly quoted: boolean; readonly range: Range }
  | { readonly kind: 'literal'; readonly literal: Literal; readonly range: Range }
  | { readonly kind: 'operator'; readonly text: string; readonly range: Range }
  /** What was told to be no word of the language, where a value stands. */
  | { readonly kind: 'mistake'; readonly range: Range }
  | { readonly kind: 'end'; readonly range: Range }

const operators = [
  '==',
  '!=',
  '<=',
  '>=',
  '&&',
  '||',
  '.?',
  '[?',
  '.',
  '[',
  ']',
  '(',
  ')',
  '{',
  '}',
  ',',
  ':',
  '?',
  '<',
  '>',
  '+',
  '-',
  '*',
  '/',
  '%',
  '!',
]
const number = /0[xX][0-9a-fA-F]+[uU]?|(?:\d+\.\d+(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)|\d+[uU]?/y
const name = /[A-Za-z_][A-Za-z0-9_]*/y
const space = /(?:[\s]|\/\/[^\n]*)+/y

export function tokenize(source: string): { readonly tokens: readonly Token[]; readonly problems: readonly Problem[] } {
  const tokens: Token[] = []
  const problems: Problem[] = []
  const problem = (message: string, start: number, end: number) => {
    problems.push({ id: 'expression-syntax', severity: 'error', message, range: { start, end } })
  }
  let at = 0
  while (at < source.length) {
    const blank = matchAt(space, source, at)
    if (blank !== undefined) {
      at += blank.length
      continue
    }
    const start = at
    const prefix = /^([rR]?[bB]?|[bB][rR])(?="""|'''|"|')/.exec(source.slice(at, at + 5))
    if (prefix !== null) {
      const scanned = scanString(source, at, prefix[0].toLowerCase())
      at = scanned.end
      if (scanned.mistake !== undefined) problem(scanned.mistake, start, at)
      tokens.push({ kind: 'literal', literal: scanned.literal, range: { start, end: at } })
      continue
    }
    const digits = matchAt(number, source, at)
    if (digits !== undefined && !(digits.startsWith('.') && tokens.at(-1)?.kind !== 'operator' && tokens.length > 0)) {
      at += digits.length
      const range = { start, end: at }
      const literal = numberLiteral(digits)
      const letters = matchAt(name, source, at)
      if (letters !== undefined && letters !== 'in') {
        at += letters.length
        problem(`"${source.slice(start, at)}" is no number${unitHint(digits, letters)}`, start, at)
        tokens.push({ kind: 'mistake', range: { start, end: at } })
        continue
      }
      if (literal === undefined) problem(`The number ${digits} does not fit into 64 bits`, start, at)
      tokens.push(literal === undefined ? { kind: 'mistake', range } : { kind: 'literal', literal, range })
      continue
    }
    const word = matchAt(name, source, at)
    if (word !== undefined) {
      at += word.length
      const range = { start, end: at }
      if (word === 'true' || word === 'false')
        tokens.push({ kind: 'literal', literal: { type: 'bool', value: word === 'true' }, range })
      else if (word === 'null') tokens.push({ kind: 'literal', literal: { type: 'null' }, range })
      else if (word === 'in') tokens.push({ kind: 'operator', text: 'in', range })
      else tokens.push({ kind: 'name', text: word, quoted: false, range })
      continue
    }
    if (source[at] === '`') {
      const close = source.indexOf('`', at + 1)
      const end = close < 0 ? source.length : close
      at = close < 0 ? source.length : close + 1
      if (close < 0) problem('The name that begins with ` has no closing `', start, at)
      tokens.push({ kind: 'name', text: source.slice(start + 1, end), quoted: true, range: { start, end: at } })
      continue
    }
    const quoted = curlyText.exec(source.slice(at))?.[0]
    if (quoted !== undefined) {
      at += quoted.length
      problem(`A text stands between straight quotes: "${quoted.slice(1, -1)}"`, start, at)
      tokens.push({ kind: 'literal', literal: { type: 'string', value: quoted.slice(1, -1) }, range: { start, end: at } })
      continue
    }
    // Written as elsewhere, and meant beyond doubt: told once, then read as what was meant.
    if (source.startsWith('=>', at) && /\(\s*[A-Za-z_]\w*\s*$/.test(source.slice(0, at))) {
      at += 2
      problem('"=>" has no meaning here; a loop is written with a comma, as in exists(x, x > 1)', start, at)
      tokens.push({ kind: 'operator', text: ',', range: { start, end: at } })
      continue
    }
    const foreign = foreignOperators.find(([written]) => source.startsWith(written, at))
    if (foreign !== undefined) {
      const [written, meant, told] = foreign
      at += written.length
      problem(told, start, at)
      tokens.push({ kind: 'operator', text: meant, range: { start, end: at } })
      continue
    }
    const operator = operators.find(candidate => source.startsWith(candidate, at))
    if (operator !== undefined) {
      at += operator.length
      tokens.push({ kind: 'operator', text: operator, range: { start, end: at } })
      continue
    }
    const half = halfOperators.find(([written]) => source.startsWith(written, at))
    if (half !== undefined) {
      at += 1
      problem(half[2], start, at)
      tokens.push({ kind: 'operator', text: half[1], range: { start, end: at } })
      continue
    }
    at += source.codePointAt(at)! > 0xffff ? 2 : 1
    const found = source.slice(start, at)
    problem(`"${found}" has no meaning here`, start, at)
  }
  tokens.push({ kind: 'end', range: { start: source.length, end: source.length } })
  return { tokens, problems }
}

const noMeaning = (written: string, told: string): string => `"${written}" has no meaning here; ${told}`

// The first that fits counts: `===` before `==`, and what CEL has as it is (undefined) before its parts.
const foreignOperators: readonly (readonly [written: string, meant: string, told: string])[] = [
  ['===', '==', noMeaning('===', 'two values are compared with ==')],
  ['!==', '!=', noMeaning('!==', 'two values are compared with !=')],
  ['<>', '!=', noMeaning('<>', 'two values differ with !=')],
  ['=>', '>=', noMeaning('=>', '"at least" is written >=')],
  ['=<', '<=', noMeaning('=<', '"at most" is written <=')],
  ['≥', '>=', noMeaning('≥', '"at least" is written >=')],
  ['≤', '<=', noMeaning('≤', '"at most" is written <=')],
  ['≠', '!=', noMeaning('≠', 'two values differ with !=')],
]
const halfOperators: readonly (readonly [written: string, meant: string, told: string])[] = [
  ['=', '==', noMeaning('=', 'two values are compared with ==')],
  ['&', '&&', noMeaning('&', '"and" is written &&')],
  ['|', '||', noMeaning('|', '"or" is written ||')],
]

const curlyText = /^(?:[“„”][^“”„"\n]*[“”]|[‘‚’][^‘’‚'\n]*[‘’])/

function unitHint(digits: string, letters: string): string {
  if (!/^\d+$/.test(digits)) return ''
  if (/^(h|m|s|ms|us|ns)$/.test(letters)) return `; a duration is written duration("${digits}${letters}")`
  return letters === 'd' ? `; a duration is written in hours: duration("${BigInt(digits) * 24n}h")` : ''
}

function matchAt(pattern: RegExp, source: string, at: number): string | undefined {
  pattern.lastIndex = at
  return pattern.exec(source)?.[0]
}

function numberLiteral(digits: string): Literal | undefined {
  if (/^0[xX]|^\d+[uU]?$/.test(digits)) {
    const isUnsigned = /[uU]$/.test(digits)
    const value = BigInt(digits.replace(/[uU]$/, ''))
    // 2^63 is allowed here for its negation; the checker refuses it alone.
    if (value > (isUnsigned ? 0xffff_ffff_ffff_ffffn : 0x8000_0000_0000_0000n)) return undefined
    return { type: isUnsigned ? 'uint' : 'int', value }
  }
  return { type: 'double', value: Number(digits), text: digits }
}

interface ScannedString {
  readonly literal: Literal
  readonly end: number
  readonly mistake?: string
}

function scanString(source: string, start: number, prefix: string): ScannedString {
  const isRaw = prefix.includes('r')
  const isBytes = prefix.includes('b')
  let at = start + prefix.length
  const mark = source[at]!
  const quote = source.startsWith(mark.repeat(3), at) ? mark.repeat(3) : mark
  at += quote.length
  let text = ''
  const bytes: number[] = []
  let mistake: string | undefined
  const put = (piece: string) => {
    if (isBytes) bytes.push(...Buffer.from(piece))
    else text += piece
  }
  for (;;) {
    if (at >= source.length || (quote.length === 1 && source[at] === '\n')) {
      mistake ??= `The text that begins here has no closing ${quote}`
      break
    }
    if (source.startsWith(quote, at)) {
      at += quote.length
      break
    }
    if (source[at] !== '\\' || isRaw) {
      const length = isRaw && source[at] === '\\' && at + 1 < source.length ? 2 : source.codePointAt(at)! > 0xffff ? 2 : 1
      put(source.slice(at, at + length))
      at += length
      continue
    }
    const escaped = readEscape(source, at, isBytes)
    if (escaped === undefined) {
      mistake ??= `A text has no "${source.slice(at, at + 2)}"; a backslash is written \\\\`
      at = Math.min(at + 2, source.length)
      continue
    }
    if (typeof escaped.value === 'number') bytes.push(escaped.value)
    else put(escaped.value)
    at += escaped.length
  }
  const literal: Literal = isBytes ? { type: 'bytes', value: Uint8Array.from(bytes) } : { type: 'string', value: text }
  return { literal, end: at, ...(mistake !== undefined && { mistake }) }
}

const simpleEscapes: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '?': '?',
  '"': '"',
  "'": "'",
  '`': '`',
}

/** In bytes \x and octal escapes are bytes, in strings code points. */
function readEscape(source: string, at: number, isBytes: boolean): { value: string | number; length: number } | undefined {
  const letter = source[at + 1] ?? ''
  if (Object.hasOwn(simpleEscapes, letter)) return { value: simpleEscapes[letter]!, length: 2 }
  const forms = [
    [/\\[xX]([0-9a-fA-F]{2})/y, 16],
    [/\\u([0-9a-fA-F]{4})/y, 16],
    [/\\U([0-9a-fA-F]{8})/y, 16],
    [/\\([0-3][0-7]{2})/y, 8],
  ] as const
  for (const [form, radix] of forms) {
    form.lastIndex = at
    const found = form.exec(source)
    if (found === null) continue
    const code = Number.parseInt(found[1]!, radix)
    const isUnicode = letter === 'u' || letter === 'U'
    if (isBytes) return isUnicode ? undefined : { value: code, length: found[0].length }
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return undefined
    return { value: String.fromCodePoint(code), length: found[0].length }
  }
  return undefined
}
