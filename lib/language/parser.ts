// CEL's grammar, by recursive descent, with ranges. After a mistake parsing goes on at the next place that makes sense, so that an
// expression with two mistakes tells both.
import type { Problem, Range } from './problem.ts'
import type { BinaryOperator, Expr, ListElement, MapEntry } from './syntax.ts'
import { type Token, tokenize } from './tokens.ts'

/** Deeper than anybody writes, and shallow enough for every stack. */
const maxDepth = 250

/** `a + b + c …`, `a.b.c …`: each is one level deeper for whoever walks the tree. */
const maxChain = 500

/** The tree of an expression. Where there are problems the tree holds `error` nodes, which the checker agrees with. */
export function parseExpression(source: string): { readonly tree: Expr; readonly problems: readonly Problem[] } {
  const { tokens, problems } = tokenize(source)
  const parser = new Parser(tokens, source)
  const tree = parser.whole()
  return { tree, problems: [...problems, ...parser.problems] }
}

const binaryLevels: readonly (readonly BinaryOperator[])[] = [
  ['||'],
  ['&&'],
  ['==', '!=', '<', '<=', '>', '>=', 'in'],
  ['+', '-'],
  ['*', '/', '%'],
]

class Parser {
  readonly problems: Problem[] = []
  readonly #tokens: Token[]
  readonly #source: string
  #next = 0
  #depth = 0
  /** What closes the levels that were left alone is not missed. */
  #gaveUp = false

  constructor(tokens: readonly Token[], source: string) {
    this.#tokens = [...tokens]
    this.#source = source
  }

  whole(): Expr {
    if (this.#peek().kind === 'end') {
      return this.#error('An expression is missing here', this.#peek().range)
    }
    const tree = this.#expression()
    const rest = this.#peek()
    if (rest.kind === 'end') return tree
    if (this.problems.length === 0)
      this.#problem(`The expression ends before ${this.#describe(rest)}${this.#otherSign()}`, rest.range)
    // What was read is not all that was meant, so nothing is said of its type.
    return { kind: 'error', range: { start: 0, end: this.#source.length } }
  }

  #expression(): Expr {
    return this.#nested(() => {
      const condition = this.#binary(0)
      if (!this.#take('?')) return condition
      const yes = this.#binary(0)
      if (!this.#expect(':', 'a ":" and the other value of "? :"')) return yes
      const no = this.#expression()
      return { kind: 'conditional', condition, yes, no, range: span(condition, no) }
    })
  }

  // `a && b && c …` is a loop, so that a long chain needs no deep stack; && and || are grouped by halves for the same reason.
  #binary(level: number): Expr {
    if (level === binaryLevels.length) return this.#unary()
    const operators = binaryLevels[level]!
    const operands: Expr[] = [this.#binary(level + 1)]
    const found: Token[] = []
    while (this.#isOperator(operators) || this.#takeWordFor(operators)) {
      if (level >= 2 && found.length >= maxChain) return this.#tooLong()
      found.push(this.#advance())
      operands.push(this.#binary(level + 1))
    }
    if (level < 2) return balanced(operands, found)
    return operands.reduce((left, right, index) => binaryOf(found[index - 1]!, left, right))
  }

  #unary(): Expr {
    const token = this.#peek()
    if (this.#isWordNot()) {
      this.#problem(`"${this.#text(token)}" is written !`, token.range)
      this.#advance()
      // As where it comes from: `not a == b` negates the comparison.
      return this.#nested((): Expr => {
        const operand = this.#binary(2)
        return { kind: 'unary', operator: '!', operand, range: { start: token.range.start, end: operand.range.end } }
      })
    }
    if (token.kind !== 'operator' || (token.text !== '!' && token.text !== '-')) return this.#member()
    this.#advance()
    // CEL's grammar takes a row of signs as one: two of them cancel.
    if (this.#isText(token.text)) {
      this.#advance()
      return this.#nested(() => this.#unary())
    }
    return this.#nested((): Expr => {
      const operand = this.#unary()
      const range = { start: token.range.start, end: operand.range.end }
      // -9223372036854775808 is one literal: its digits alone do not fit.
      if (token.text === '-' && operand.kind === 'literal' && operand.range.start === token.range.end) {
        const { literal } = operand
        if (literal.type === 'int') return { kind: 'literal', literal: { type: 'int', value: -literal.value }, range }
        if (literal.type === 'double')
          return { kind: 'literal', literal: { type: 'double', value: -literal.value, text: `-${literal.text}` }, range }
      }
      return { kind: 'unary', operator: token.text as '!' | '-', operand, range }
    })
  }

  #member(): Expr {
    let target = this.#primary()
    for (let length = 0; ; length++) {
      if (length >= maxChain) return this.#tooLong()
      const token = this.#peek()
      if (token.kind !== 'operator') return target
      if (token.text === '.' || token.text === '.?') {
        this.#advance()
        const field = this.#peek()
        if (
          field.kind !== 'name' &&
          !(field.kind === 'operator' && field.text === 'in') &&
          !(field.kind === 'literal' && /^(true|false|null)$/.test(this.#text(field)))
        ) {
          return this.#error(
            `A field name is missing after "${token.text}"`,
            { start: target.range.start, end: token.range.end },
            token.range,
          )
        }
        this.#advance()
        const name = field.kind === 'name' ? field.text : this.#text(field)
        if (token.text === '.' && this.#isText('(') && !(field.kind === 'name' && field.quoted))
          target = this.#call(name, field.range, target)
        else {
          const range = { start: target.range.start, end: field.range.end }
          target = { kind: 'select', target, field: name, fieldRange: field.range, optional: token.text === '.?', range }
        }
      } else if (token.text === '[' || token.text === '[?') {
        this.#advance()
        const index = this.#expression()
        const end = this.#peek().range
        this.#expect(']', 'a closing "]"')
        target = {
          kind: 'index',
          target,
          index,
          optional: token.text === '[?',
          range: { start: target.range.start, end: end.end },
        }
      } else return target
    }
  }

  #primary(): Expr {
    const token = this.#peek()
    switch (token.kind) {
      case 'mistake':
        this.#advance()
        return { kind: 'error', range: token.range }
      case 'literal':
        this.#advance()
        return { kind: 'literal', literal: token.literal, range: token.range }
      case 'name':
        this.#advance()
        if (this.#isText('(')) return this.#call(token.text, token.range, undefined)
        return { kind: 'name', name: token.text, range: token.range }
      case 'operator':
        if (token.text === '(') return this.#parenthesized()
        if (token.text === '[' || token.text === '[?') return this.#list()
        if (token.text === '{') return this.#map()
        if (token.text === '.' && this.#tokens[this.#next + 1]?.kind === 'name') {
          // A leading dot names from the root: the same as without, since there are no packages.
          this.#advance()
          return this.#primary()
        }
    }
    const missing = `A value is missing before ${this.#describe(token)}`
    return this.#error(token.kind === 'end' ? 'The expression ends where a value is missing' : missing, token.range)
  }

  #parenthesized(): Expr {
    const open = this.#advance()
    const inner = this.#expression()
    const comma = this.#peek()
    if (this.#isText(',') && this.problems.length === 0) {
      const elements: ListElement[] = [{ value: inner, optional: false }]
      while (this.#take(',') && !this.#isText(')')) elements.push({ value: this.#expression(), optional: false })
      const end = this.#peek().range.end
      if (this.#expect(')', 'a closing ")"')) this.#problem('A list is written between [ and ]', { start: open.range.start, end })
      return { kind: 'list', elements, range: { start: open.range.start, end: Math.max(comma.range.end, end) } }
    }
    const close = this.#peek()
    this.#expect(')', 'a closing ")"')
    return { ...inner, range: { start: open.range.start, end: Math.max(inner.range.end, close.range.end) } }
  }

  #call(name: string, nameRange: Range, target: Expr | undefined): Expr {
    this.#advance()
    const args: Expr[] = []
    while (!this.#isText(')') && this.#peek().kind !== 'end') {
      args.push(this.#expression())
      if (!this.#take(',')) break
    }
    const close = this.#peek()
    this.#expect(')', 'a closing ")"')
    const range = { start: target?.range.start ?? nameRange.start, end: close.range.end }
    return { kind: 'call', name, nameRange, ...(target && { target }), args, range }
  }

  #list(): Expr {
    const open = this.#peek()
    const elements: ListElement[] = []
    // `[?` is one word, also at the start of a list.
    let optional = open.kind === 'operator' && open.text === '[?'
    this.#advance()
    while (!this.#isText(']') && this.#peek().kind !== 'end') {
      optional ||= this.#take('?')
      elements.push({ value: this.#expression(), optional })
      optional = false
      if (!this.#take(',')) break
    }
    const close = this.#peek()
    this.#expect(']', 'a closing "]"')
    return { kind: 'list', elements, range: { start: open.range.start, end: close.range.end } }
  }

  #map(): Expr {
    const open = this.#advance()
    const entries: MapEntry[] = []
    while (!this.#isText('}') && this.#peek().kind !== 'end') {
      const optional = this.#take('?')
      const key = this.#expression()
      if (!this.#expect(':', 'a ":" between key and value')) break
      entries.push({ key, value: this.#expression(), optional })
      if (!this.#take(',')) break
    }
    const close = this.#peek()
    this.#expect('}', 'a closing "}"')
    return { kind: 'map', entries, range: { start: open.range.start, end: close.range.end } }
  }

  #nested(parse: () => Expr): Expr {
    if (this.#depth >= maxDepth) {
      const start = this.#peek().range.start
      // The rest is left alone: what lies deeper would only repeat this.
      this.#next = this.#tokens.length - 1
      const deep = this.#error(`The expression is nested more than ${maxDepth} levels deep`, { start, end: start + 1 })
      this.#gaveUp = true
      return deep
    }
    this.#depth++
    try {
      return parse()
    } finally {
      this.#depth--
    }
  }

  #tooLong(): Expr {
    const start = this.#peek().range.start
    this.#next = this.#tokens.length - 1
    const long = this.#error(`The expression has a chain of more than ${maxChain} parts; give some of them a name under "let"`, {
      start,
      end: start + 1,
    })
    this.#gaveUp = true
    return long
  }

  #peek(): Token {
    return this.#tokens[this.#next]!
  }

  #advance(): Token {
    const token = this.#peek()
    if (token.kind !== 'end') this.#next++
    return token
  }

  #isText(text: string): boolean {
    const token = this.#peek()
    return token.kind === 'operator' && token.text === text
  }

  #isOperator(texts: readonly string[]): boolean {
    const token = this.#peek()
    return token.kind === 'operator' && texts.includes(token.text)
  }

  /** `a and b`: told, and read as `a && b`. */
  #takeWordFor(operators: readonly string[]): boolean {
    const token = this.#peek()
    if (token.kind !== 'name' || token.quoted) return false
    const symbol = symbolOfWord.get(token.text.toLowerCase())
    if (symbol === undefined || !operators.includes(symbol)) return false
    this.#problem(`The expression ends before "${token.text}"; "${token.text}" is written ${symbol}`, token.range)
    this.#tokens[this.#next] = { kind: 'operator', text: symbol, range: token.range }
    return true
  }

  /** `not x`: two names in a row are nothing else. */
  #isWordNot(): boolean {
    const token = this.#peek()
    const following = this.#tokens[this.#next + 1]
    if (token.kind !== 'name' || token.quoted || token.text.toLowerCase() !== 'not') return false
    return following?.kind === 'name' || (following?.kind === 'literal' && following.range.start > token.range.end)
  }

  /** `3,55`: a comma where a decimal point is meant. */
  #otherSign(): string {
    const [before, comma, after] = this.#tokens.slice(this.#next - 1, this.#next + 2)
    const isNumber = (token: Token | undefined): boolean => token?.kind === 'literal' && /^\d+$/.test(this.#text(token))
    const isMeant = this.#isText(',') && isNumber(before) && isNumber(after) && before!.range.end === comma!.range.start
    return isMeant && comma!.range.end === after!.range.start ? '; the decimal point is written "."' : ''
  }

  #take(text: string): boolean {
    if (!this.#isText(text)) return false
    this.#advance()
    return true
  }

  #expect(text: string, wanted: string): boolean {
    if (this.#take(text)) return true
    const token = this.#peek()
    this.#problem(`${this.#describe(token)} stands where ${wanted} is missing`, token.range)
    return false
  }

  #error(message: string, range: Range, place: Range = range): Expr {
    this.#problem(message, place)
    return { kind: 'error', range }
  }

  // One message per place: a second one there has the same cause.
  #problem(message: string, range: Range): void {
    if (this.#gaveUp) return
    const { length } = this.#source
    const placed =
      range.start < range.end || length === 0 ? range : { start: Math.max(0, Math.min(range.start, length) - 1), end: length }
    if (this.problems.some(problem => problem.range.start === placed.start)) return
    this.problems.push({ id: 'expression-syntax', severity: 'error', message: capitalized(message), range: placed })
  }

  #describe(token: Token): string {
    return token.kind === 'end' ? 'the end' : `"${this.#text(token)}"`
  }

  #text(token: Token): string {
    return this.#source.slice(token.range.start, token.range.end)
  }
}

function binaryOf(operator: Token, left: Expr, right: Expr): Expr {
  const text = (operator as Token & { kind: 'operator' }).text as BinaryOperator
  return { kind: 'binary', operator: text, left, right, operatorRange: operator.range, range: span(left, right) }
}

function balanced(operands: readonly Expr[], operators: readonly Token[]): Expr {
  if (operands.length === 1) return operands[0]!
  if (operands.length <= 8) return operands.reduce((left, right, index) => binaryOf(operators[index - 1]!, left, right))
  const middle = operands.length >> 1
  return binaryOf(
    operators[middle - 1]!,
    balanced(operands.slice(0, middle), operators.slice(0, middle - 1)),
    balanced(operands.slice(middle), operators.slice(middle)),
  )
}

function span(first: Expr, last: Expr): Range {
  return { start: first.range.start, end: last.range.end }
}

function capitalized(text: string): string {
  return text[0]!.toUpperCase() + text.slice(1)
}

const symbolOfWord: ReadonlyMap<string, string> = new Map([
  ['and', '&&'],
  ['or', '||'],
  ['is', '=='],
])
