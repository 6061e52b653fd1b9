// YAML with exact places, and without its traps: what YAML would silently read as something else is refused in our words. Reading goes
// in rounds: the first trap is reported, its text covered by a placeholder of equal length, and the rest read again. So one trap gives
// one message, whatever YAML would make of the lines after it, and all of a file's traps are told at once.
import { CST, isMap, isPair, isScalar, isSeq, Parser, parseDocument, type YAMLError } from 'yaml'
import type { Range } from '../language/problem.ts'
import { type Diagnostic, type DiagnosticNote, diagnostic } from './diagnostics.ts'
import type { ErrorKey, Values } from './errors.ts'
import type { Entry, Node } from './syntax.ts'
import { type ScalarStyle, scalarText } from './yaml-scalar.ts'

export interface YamlFile {
  /** Absent where the structure cannot be trusted, and where nothing but comments stands in the file: then without a diagnostic. */
  readonly root?: Node
  readonly diagnostics: readonly Diagnostic[]
  /** Text that was refused; nothing more should be said of it. In the tree stands a placeholder. */
  readonly refused: readonly Range[]
  /** False where an entry is left out of the tree: what refers to it would look wrong. */
  readonly isWhole: boolean
}

export function readYaml(file: string, text: string): YamlFile {
  const reading = new Reading(file, text)
  const sound = reading.coverTraps()
  const root = sound ? reading.root() : undefined
  const { diagnostics, refused, isWhole } = reading
  return { ...(root ? { root } : {}), diagnostics, refused, isWhole }
}

const oneEntryALine: DiagnosticNote = {
  message: 'Write one entry a line, without braces: then commas and brackets belong to the expression.',
}
const nextLine: DiagnosticNote = { message: 'Write ">-" after the colon, and the value on the next line, indented further.' }

const styles: Readonly<Record<string, ScalarStyle>> = {
  QUOTE_SINGLE: 'single-quoted',
  QUOTE_DOUBLE: 'double-quoted',
  BLOCK_FOLDED: 'block',
  BLOCK_LITERAL: 'block',
}

const belowHeader: DiagnosticNote = { message: 'The text itself goes on the next line, indented further.' }

/** A name that nothing has: the analysis takes it for an unknown one, whose type agrees with everything. */
const placeholder = (length: number): string => '_'.repeat(length)

// More traps than that in one file are no scenario; it also bounds the rounds.
const maxRounds = 200

class Reading {
  readonly diagnostics: Diagnostic[] = []
  private readonly file: string
  private readonly original: string
  /** The text with placeholders over what was refused; of the same length. */
  private text: string
  readonly refused: Range[] = []
  isWhole = true

  constructor(file: string, text: string) {
    this.file = file
    this.original = text
    this.text = text
  }

  /** False: the structure of the file cannot be trusted. */
  coverTraps(): boolean {
    if (!this.coverProperties()) return false
    for (let round = 0; round < maxRounds; round++) {
      const document = parseDocument(this.text, { schema: 'failsafe', uniqueKeys: false, prettyErrors: false, strict: true })
      const [first] = document.errors.toSorted((a, b) => a.pos[0] - b.pos[0])
      if (!first) return true
      if (!this.explain(first)) return false
    }
    return false
  }

  private isRefused(range: Range): boolean {
    return overlaps(this.refused, range)
  }

  // Reporting and covering.

  private report<Key extends ErrorKey>(
    key: Key,
    values: Values<Key>,
    range: Range,
    more: { readonly suggestion?: string | undefined; readonly notes?: readonly DiagnosticNote[] } = {},
  ): void {
    this.diagnostics.push(diagnostic(key, values, { file: this.file, range, ...more }))
  }

  private cover(range: Range, filler: (length: number) => string = placeholder): void {
    if (range.end <= range.start) return
    this.refused.push(range)
    this.text = this.text.slice(0, range.start) + filler(range.end - range.start) + this.text.slice(range.end)
  }

  // Tags, anchors and aliases: YAML takes them without an error.

  private coverProperties(): boolean {
    const found: { token: CST.SourceToken | CST.FlowScalar; inFlow: boolean; path: readonly string[] }[] = []
    for (const token of new Parser().parse(this.text)) {
      if (token.type === 'directive') {
        this.report(
          'yaml-syntax/directive',
          { directive: token.source.trim() },
          { start: token.offset, end: token.offset + token.source.trim().length },
        )
        return false
      }
      if (token.type !== 'document') continue
      for (const start of token.start)
        if (start.type === 'tag' || start.type === 'anchor') found.push({ token: start, inFlow: false, path: [] })
      walk(token.value, [], false, (part, inFlow, path) => found.push({ token: part, inFlow, path }))
    }
    for (const { token, inFlow, path } of found) {
      const start = token.offset
      const end = start + token.source.length
      if (this.isRefused({ start, end })) continue
      if (token.type === 'anchor') {
        this.report('yaml-anchor', { anchor: token.source }, { start, end })
        this.cover({ start, end }, length => ' '.repeat(length))
        continue
      }
      if (token.type === 'alias' && path.at(-1) === '<<') {
        const mergeStart = this.text.lastIndexOf('<<', start)
        this.report('yaml-anchor/merge', {}, { start: mergeStart, end })
        this.cover({ start, end })
        this.refused.push({ start: mergeStart, end })
        this.isWhole = false
        continue
      }
      const range = { start, end: Math.max(end, inFlow ? flowValueEnd(this.text, start) : lineValueEnd(this.text, start)) }
      if (token.type === 'alias') {
        this.report('yaml-anchor/alias', { alias: token.source }, range)
      } else {
        const rest = this.original.slice(end, range.end).trim()
        const place = path[0] === 'filter' && path.length === 2 ? 'filter' : 'value'
        const suggestion = negation(this.original.slice(start, range.end))
        if (rest === '') this.report('yaml-tag', { tag: token.source, place }, range, { suggestion })
        else this.report('yaml-tag/other-value', { tag: token.source, place, rest }, range, { suggestion })
      }
      this.cover(range)
    }
    return true
  }

  // Errors of the YAML parser, in our words. False: the rest cannot be trusted.

  private explain(error: YAMLError): boolean {
    const at = Math.min(error.pos[0], Math.max(0, this.text.length - 1))
    const flow = outermostFlow(this.text, at)
    const line = lineOf(this.text, at)
    switch (error.code) {
      case 'MULTIPLE_DOCS':
        this.report('yaml-syntax/several-documents', {}, { start: at, end: lineValueEnd(this.original, at) })
        return false
      case 'TAB_AS_INDENT': {
        const tab = this.text.indexOf('\t', line.start)
        this.report('yaml-syntax/tab', {}, { start: tab, end: tab + 1 })
        return false
      }
      case 'BAD_DQ_ESCAPE': {
        const range = { start: at, end: at + 2 }
        this.report('yaml-syntax/escape', { escape: this.original.slice(at, at + 2) }, range, {
          suggestion: `\\\\${this.original[at + 1]}`,
          notes: [{ message: 'A backslash is written twice in double quotes, or once in single ones.' }],
        })
        this.cover(range)
        return true
      }
      case 'BAD_SCALAR_START':
        return this.explainStart(at, flow)
      case 'BLOCK_AS_IMPLICIT_KEY':
      case 'BLOCK_IN_FLOW':
      case 'MULTILINE_IMPLICIT_KEY':
        return this.explainColon(at, flow, error)
      case 'MISSING_CHAR':
        return this.explainMissing(at, error)
      case 'BAD_INDENT':
        if (flow && /^Flow/.test(error.message)) return this.explainUnclosedFlow(flow, at)
        this.report('yaml-syntax/indentation', {}, { start: line.contentStart, end: line.end })
        return false
      case 'UNEXPECTED_TOKEN':
        return this.explainToken(at, flow, error)
      default:
        this.report('yaml-syntax', { detail: lowerFirst(error.message) }, { start: at, end: Math.max(at + 1, error.pos[1]) })
        return false
    }
  }

  private explainStart(at: number, flow: Range | undefined): boolean {
    const range = { start: at, end: flow ? flowValueEnd(this.text, at) : lineValueEnd(this.text, at) }
    const value = this.original.slice(range.start, range.end)
    this.report(
      'yaml-syntax/character-start',
      { key: keyBefore(this.original, at), character: value[0]! },
      range,
      parenthesised(value),
    )
    this.cover(range)
    return true
  }

  private explainColon(at: number, flow: Range | undefined, error: YAMLError): boolean {
    if (flow) {
      const start = valueStartInFlow(this.text, flow, at)
      const range = { start, end: flowValueEnd(this.text, start) }
      this.report('yaml-colon', { key: keyBefore(this.original, start) }, range, {
        notes: [{ message: 'Write one entry a line, without braces, and this one after ">-" on a line of its own.' }],
      })
      this.cover(flow)
      return true
    }
    const line = lineOf(this.text, at)
    const key = /^(?:- )*/.exec(this.text.slice(line.contentStart, line.end))![0].length + line.contentStart
    if (at === key && error.code === 'MULTILINE_IMPLICIT_KEY') return this.explainLoneKey(at)
    const range = { start: at, end: nestedEnd(this.text, at) }
    const deeper = deeperEntry(this.text, range)
    if (deeper !== undefined) {
      this.report('yaml-syntax/indentation', {}, deeper)
      this.cover(range)
      return true
    }
    const value = this.original.slice(range.start, range.end)
    if (/^[?-]\s/.test(value)) {
      this.report(
        'yaml-syntax/character-start',
        { key: keyBefore(this.original, at), character: value[0]! },
        range,
        parenthesised(value),
      )
    } else {
      this.report('yaml-colon', { key: keyBefore(this.original, at) }, range, { notes: [nextLine] })
    }
    this.cover(range)
    return true
  }

  private explainLoneKey(at: number): boolean {
    const line = lineOf(this.text, at)
    const range = { start: line.contentStart, end: lineValueEnd(this.text, line.contentStart) }
    const key = this.original.slice(range.start, range.end)
    this.report('yaml-no-value', { key }, range, { notes: [{ message: 'An entry is a name, a colon, a blank and a value.' }] })
    this.isWhole = false
    this.cover(range, length => '#'.padEnd(length, '_'))
    return true
  }

  private explainMissing(at: number, error: YAMLError): boolean {
    const quote = /Missing closing (["'])/.exec(error.message)?.[1]
    if (quote === undefined) {
      if (/Implicit map key/.test(error.message)) return this.explainLoneKey(Math.max(0, at - 1))
      this.report('yaml-syntax', { detail: lowerFirst(error.message) }, { start: at, end: at + 1 })
      return false
    }
    const start = unclosedQuote(this.text, quote)
    if (start === undefined) return false
    const range = { start, end: lineOf(this.text, start).end }
    this.report('yaml-syntax/unclosed-quote', { quote }, range)
    this.cover(range)
    return true
  }

  private explainUnclosedFlow(flow: Range, at: number): boolean {
    const bracket = this.text[flow.start]!
    const closing = bracket === '{' ? '}' : ']'
    if (this.text[at] === closing) {
      this.report(
        'yaml-syntax/indentation',
        {},
        { start: at, end: at + 1 },
        {
          notes: [
            { message: `The closing "${closing}" needs to stand further to the right than the name before its "${bracket}".` },
          ],
        },
      )
    } else {
      this.report(
        'yaml-syntax/unclosed-bracket',
        { bracket, closing },
        { start: flow.start, end: lineOf(this.text, flow.start).end },
      )
    }
    this.cover({ start: flow.start, end: this.text[at] === closing ? at + 1 : lineOf(this.text, flow.start).end })
    return true
  }

  private explainToken(at: number, flow: Range | undefined, error: YAMLError): boolean {
    const stray = this.text[at]!
    if (flow && at < flow.end) {
      const start = valueStartInFlow(this.text, flow, at)
      const range = { start, end: Math.max(flowValueEnd(this.text, start), at + 1) }
      const key = keyBefore(this.original, start)
      const first = this.original[start]!
      if (first === '"' || first === "'")
        this.report('yaml-syntax/quoted-start', { key }, range, parenthesised(this.original.slice(range.start, range.end)))
      else
        this.report('yaml-comma/bracket', { character: '{['.includes(first) ? first : stray }, range, { notes: [oneEntryALine] })
      this.cover(flow)
      return true
    }
    if (/^Not a YAML token/.test(error.message)) {
      const line = lineOf(this.text, at)
      const start = this.text.slice(0, at).search(/[>|][-+0-9]*[ \t]*$/)
      if (start >= line.start) {
        const range = { start, end: lineValueEnd(this.text, start) }
        this.report(
          'yaml-syntax/block-start',
          { character: this.original[start]!, key: keyBefore(this.original, start) },
          range,
          {
            notes: [belowHeader],
          },
        )
        this.cover(range)
        return true
      }
    }
    if (/block-seq-ind/.test(error.message)) return this.explainStart(at, undefined)
    if (/at node end/.test(error.message)) {
      const start = valueStartOnLine(this.text, at) ?? flow?.start
      if (start !== undefined) {
        const range = { start, end: Math.max(lineValueEnd(this.text, start), lineValueEnd(this.text, at)) }
        const value = this.original.slice(range.start, range.end)
        const key = keyBefore(this.original, start)
        const first = value[0]!
        if (first === '{' && /^\{[\w.?`]+\}/.test(value)) {
          this.report('yaml-no-value/hole', { text: value }, range, { suggestion: `"${value}"` })
        } else if (first === '{' || first === '[') {
          this.report(
            'yaml-syntax/bracket-start',
            { key, bracket: first, collection: first === '{' ? 'map' : 'list' },
            range,
            parenthesised(value),
          )
        } else {
          this.report('yaml-syntax/quoted-start', { key }, range, parenthesised(value))
        }
        this.cover(range)
        return true
      }
    }
    if (/in YAML stream|flow-(map|seq)-end/.test(error.message) && (stray === '}' || stray === ']')) {
      const opening = stray === '}' ? '{' : '['
      this.report(
        'yaml-syntax',
        { detail: `"${stray}" closes nothing, there is no "${opening}" before it` },
        { start: at, end: at + 1 },
      )
      this.cover({ start: at, end: at + 1 }, () => ' ')
      return true
    }
    this.report('yaml-syntax', { detail: lowerFirst(error.message) }, { start: at, end: Math.max(at + 1, error.pos[1]) })
    return false
  }

  // The tree, once YAML reads the text without an error.

  root(): Node | undefined {
    const document = parseDocument(this.text, { schema: 'failsafe', uniqueKeys: false, prettyErrors: false, merge: false })
    return this.node(document.contents, { start: 0, end: this.text.length }, '', false)
  }

  private node(value: unknown, place: Range, key: string, inFlow: boolean): Node | undefined {
    if (isMap(value)) {
      const map = this.map(value, place)
      const isHole = this.refused.some(({ start, end }) => start === map.range.start && end === map.range.end)
      return isHole ? refusedNode(map.range) : map
    }
    if (isSeq(value)) {
      const range = rangeOf(value.range, place)
      const flow = value.flow === true
      const items: Node[] = []
      const texts = flow ? this.commaCuts(value.items.map(item => [item])) : new Set<number>()
      value.items.forEach((item, i) => {
        if (texts.has(i)) return
        const node = isPair(item) ? undefined : this.node(item, range, `${key}[]`, flow)
        if (node) items.push(node)
      })
      return { kind: 'list', items, range }
    }
    if (!isScalar(value)) return undefined
    const range = rangeOf(value.range, place)
    if (value.type === undefined || (value.type === 'PLAIN' && range.start === range.end)) {
      const dash = {
        start: Math.max(0, this.text.lastIndexOf('-', range.start)),
        end: this.text.lastIndexOf('-', range.start) + 1,
      }
      if (key.endsWith('[]')) this.report('yaml-no-value/element', {}, dash)
      else if (key !== '') this.report('yaml-no-value', { key }, place)
      return undefined
    }
    if (value.type === 'PLAIN' && this.text.slice(range.start, range.end) === 'null') return { kind: 'null', range }
    const style = styles[value.type] ?? 'plain'
    const scalar = scalarText(this.text, range.start, range.end, style, String(value.value))
    if (style === 'block' && scalar.text.trim() === '') {
      // `a: > # 5`: the sign of a text over several lines, and no lines.
      this.report(
        'yaml-no-value',
        { key: key.endsWith('[]') ? '-' : key },
        { start: range.start, end: range.start + 1 },
        { notes: [belowHeader] },
      )
      return undefined
    }
    if (style === 'plain' && !this.isRefused(range)) this.checkComment(scalar.text, range, inFlow)
    return { kind: 'scalar', scalar, range: scalar.range }
  }

  private map(map: import('yaml').YAMLMap, place: Range): Node {
    const range = rangeOf(map.range, place)
    const flow = map.flow === true
    const entries: Entry[] = []
    const seen = new Map<string, Range>()
    const cut = flow ? this.commaCuts(map.items.map(pair => [pair.key, pair.value])) : new Set<number>()
    for (const [i, pair] of map.items.entries()) {
      const key = pair.key
      if (cut.has(i)) {
        // The entry is kept where its name is whole, as something that nothing more is said of.
        if (isScalar(key) && pair.value)
          entries.push({ name: { value: String(key.value), range: rangeOf(key.range) }, value: refusedNode(range) })
        continue
      }
      if (!isScalar(key) || key.range == null) {
        const bad = isMap(key) || isSeq(key) ? rangeOf(key.range, range) : range
        this.report('yaml-syntax', { detail: 'the name of an entry is a text, and here stands a map or list' }, bad)
        this.refused.push(bad)
        this.isWhole = false
        continue
      }
      const name = { value: String(key.value), range: rangeOf(key.range, range) }
      if (this.isRefused(name.range)) {
        this.isWhole = false
        continue
      }
      if (name.value === '') {
        this.report(
          'yaml-syntax',
          { detail: 'there is no name before the colon' },
          { start: name.range.start, end: name.range.start + 1 },
        )
        this.isWhole = false
        continue
      }
      if (name.value === '<<' && key.type === 'PLAIN') {
        this.report('yaml-anchor/merge', {}, name.range)
        this.isWhole = false
        continue
      }
      const first = seen.get(name.value)
      if (first) {
        this.report('yaml-duplicate', { key: name.value }, name.range, {
          notes: [{ message: 'The first one:', range: first }],
        })
        this.isWhole = false
        continue
      }
      seen.set(name.value, name.range)
      const hasValue = pair.value !== null && pair.value !== undefined
      const alone = flow && map.items.length === 1 && !hasValue && /^[A-Za-z_][\w.?`]*$/.test(name.value)
      if (alone) {
        const text = this.original.slice(range.start, range.end)
        this.report('yaml-no-value/hole', { text }, range, {
          suggestion: `"${text.replace(/^\{\s*|\s*\}$/g, brace => brace.trim())}"`,
        })
        this.refused.push(range)
        continue
      }
      const value = hasValue ? this.node(pair.value, name.range, name.value, flow) : this.noValue(name.value, name.range)
      // The key was there: it is kept, as something that nothing more is said of.
      if (!value) this.refused.push(name.range)
      entries.push({ name, value: value ?? refusedNode(name.range) })
    }
    return { kind: 'map', entries, range }
  }

  private noValue(key: string, range: Range): undefined {
    this.report('yaml-no-value', { key }, range)
  }

  /** `{ x: f(a, b), y: 1 }`: YAML has cut a call or a text at its comma. Gives the entries that are pieces. */
  private commaCuts(entries: readonly (readonly unknown[])[]): Set<number> {
    const pieces = new Set<number>()
    const sourceOf = (parts: readonly unknown[]): Range | undefined => {
      const ranges = parts.filter(isScalar).flatMap(part => (part.type === 'PLAIN' && part.range ? [rangeOf(part.range)] : []))
      const last = ranges.at(-1)
      return last && last.end > last.start ? last : ranges[0]
    }
    for (let i = 0; i < entries.length; i++) {
      const start = sourceOf(entries[i]!)
      const following = entries[i + 1]
      const fraction = start && following?.length === 2 && following[1] == null ? sourceOf(following) : undefined
      // `1,50`: the comma of a number.
      if (fraction && fraction.start === start!.end + 1 && /\d,\d+$/.test(this.text.slice(start!.start, fraction.end))) {
        const range = { start: start!.start, end: fraction.end }
        const notes = [{ message: 'The decimal point is written ".".' }]
        this.report('yaml-comma', { rest: this.original.slice(start!.start, start!.end) }, range, { notes })
        this.refused.push(range)
        pieces.add(i).add(i + 1)
        i++
        continue
      }
      if (!start || isBalanced(this.text.slice(start.start, start.end))) continue
      for (let j = i + 1; j < entries.length; j++) {
        const end = sourceOf(entries[j]!)
        if (!end || !isBalanced(this.text.slice(start.start, end.end))) continue
        const rest = this.original.slice(start.start, start.end)
        const range = { start: start.start, end: end.end }
        if (!this.isRefused(range)) this.report('yaml-comma', { rest }, range, { notes: [oneEntryALine] })
        this.refused.push(range)
        for (let piece = i; piece <= j; piece++) pieces.add(piece)
        i = j
        break
      }
    }
    return pieces
  }

  /** `x: e.tag == "a #1"`: a comment is fine, unless it cuts a text or a call in two. */
  private checkComment(text: string, range: Range, inFlow: boolean): void {
    const comment = /^[ \t]+(#[^\n\r]*)/.exec(this.original.slice(range.end))
    if (!comment || inFlow || isBalanced(text) || !isBalanced(`${text} ${comment[1]}`)) return
    const start = range.end + comment[0].length - comment[1]!.length
    let length = 1
    while (!isBalanced(`${text} ${comment[1]!.slice(0, length)}`)) length++
    this.report('yaml-comment', { rest: text }, { start, end: start + length }, { notes: [nextLine] })
    this.refused.push(range)
  }
}

function refusedNode(range: Range): Node {
  const text = placeholder(range.end - range.start)
  return { kind: 'scalar', scalar: { text, quoted: false, range, fileOffset: offset => range.start + offset }, range }
}

export const overlaps = (ranges: readonly Range[], { start, end }: Range): boolean =>
  ranges.some(range => range.start < end && start < range.end)

// Places in the text.

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1).split('\n')[0]!

const rangeOf = (range: readonly number[] | null | undefined, otherwise: Range = { start: 0, end: 0 }): Range =>
  range ? { start: range[0]!, end: range[1]! } : otherwise

interface Line {
  readonly start: number
  readonly contentStart: number
  readonly end: number
}

function lineOf(text: string, at: number): Line {
  const start = text.lastIndexOf('\n', at - 1) + 1
  const newline = text.indexOf('\n', start)
  const end = text.slice(start, newline === -1 ? text.length : newline).trimEnd().length + start
  const contentStart = start + /^[ \t]*/.exec(text.slice(start, end))![0].length
  return { start, contentStart, end: Math.max(contentStart, end) }
}

/** The end of a value that goes to the end of its line, without a comment. */
function lineValueEnd(text: string, start: number): number {
  const line = text.slice(start, lineOf(text, start).end)
  let quote = ''
  for (let i = 0; i < line.length; i++) {
    const character = line[i]!
    if (quote !== '') quote = character === quote ? '' : quote
    else if (character === '"' || character === "'") quote = character
    else if (character === '#' && (i === 0 || /\s/.test(line[i - 1]!))) return start + line.slice(0, i).trimEnd().length
  }
  return start + line.length
}

/** The end of a value between braces or brackets: a comma or closing bracket that belongs to YAML, not to a call or text in it. */
function flowValueEnd(text: string, start: number): number {
  let depth = 0
  let quote = ''
  for (let i = start; i < text.length; i++) {
    const character = text[i]!
    if (quote !== '') quote = character === quote || character === '\n' ? '' : quote
    else if (character === '"' || character === "'") quote = character
    else if ('([{'.includes(character)) depth++
    else if (')]}'.includes(character)) {
      if (depth === 0) return trimmedEnd(text, start, i)
      depth--
    } else if ((character === ',' && depth === 0) || character === '\n') return trimmedEnd(text, start, i)
  }
  return trimmedEnd(text, start, text.length)
}

const trimmedEnd = (text: string, start: number, end: number): number => start + text.slice(start, end).trimEnd().length

/** The end of a value with all lines below it that are indented further than its own. */
function nestedEnd(text: string, at: number): number {
  const { start, contentStart, end } = lineOf(text, at)
  const indent = contentStart - start
  let valueEnd = end
  for (let next = text.indexOf('\n', end); next !== -1; next = text.indexOf('\n', next + 1)) {
    const line = lineOf(text, next + 1)
    if (line.contentStart === line.end) continue
    if (line.contentStart - line.start <= indent) break
    valueEnd = line.end
  }
  return valueEnd
}

/** Where the value of the line's entry begins: after `name: `. */
function valueStartOnLine(text: string, at: number): number | undefined {
  const line = lineOf(text, at)
  const key = /^(?:- +)*(?:"[^"]*"|'[^']*'|[^\s"'[{#][^:#]*):[ \t]+/.exec(text.slice(line.contentStart, line.end))
  return key && line.contentStart + key[0].length <= at ? line.contentStart + key[0].length : undefined
}

/** The name of the entry whose value begins at `start`; `-` for an element of a list. */
function keyBefore(text: string, start: number): string {
  const before = text.slice(0, start).trimEnd()
  if (!before.endsWith(':')) return before.slice(before.lastIndexOf('\n') + 1).trim() || 'the value'
  return (
    /(?:"([^"\n]*)"|'([^'\n]*)'|([^\s,{}[\]:"'][^,{}[\]:\n]*))\s*:$/
      .exec(before)
      ?.slice(1)
      .find(Boolean)
      ?.replace(/^(?:- +)+/, '')
      .trim() ?? 'the value'
  )
}

/** Where the entry's value begins that holds `at`, between the braces of `flow`. */
function valueStartInFlow(text: string, flow: Range, at: number): number {
  let start = flow.start + 1
  const starts: number[] = []
  let quote = ''
  for (let i = flow.start; i < at; i++) {
    const character = text[i]!
    if (quote !== '') quote = character === quote ? '' : quote
    else if (character === '"' || character === "'") quote = character
    else if (character === '{' || character === '[' || character === '(') {
      starts.push(start)
      if (character !== '(') start = i + 1
    } else if (character === '}' || character === ']' || character === ')') start = starts.pop() ?? start
    else if (character === ',' || (character === ':' && /\s/.test(text[i + 1] ?? ' ') && !/\?/.test(text.slice(start, i))))
      start = i + 1
  }
  return start + /^\s*/.exec(text.slice(start))![0].length
}

/** The outermost braces or brackets of YAML around, or just before, a place. */
function outermostFlow(text: string, at: number): Range | undefined {
  for (const token of new Parser().parse(text)) {
    if (token.type !== 'document') continue
    const found = flowIn(token.value)
    if (found) return found
  }
  return undefined

  function flowIn(token: CST.Token | null | undefined): Range | undefined {
    if (!token || token.offset > at) return undefined
    if (token.type === 'flow-collection') {
      const closing = token.end.find(end => end.type === 'flow-map-end' || end.type === 'flow-seq-end')
      // Where YAML has lost its way, brackets that belong together tell where the whole ends.
      const end = Math.max(
        closing ? closing.offset + 1 : Math.max(at, token.offset + 1),
        (closingOf(text, token.offset) ?? 0) + 1,
      )
      return at <= end ? { start: token.offset, end } : undefined
    }
    if (token.type !== 'block-map' && token.type !== 'block-seq') return undefined
    for (const item of token.items) {
      const found = flowIn(item.key) ?? flowIn(item.value)
      if (found) return found
    }
    return undefined
  }
}

function unclosedQuote(text: string, quote: string): number | undefined {
  let found: number | undefined
  for (const token of new Parser().parse(text)) {
    if (token.type === 'document') visit(token.value)
  }
  return found

  function visit(token: CST.Token | null | undefined): void {
    if (!token) return
    if (token.type === 'double-quoted-scalar' || token.type === 'single-quoted-scalar') {
      if (token.source.startsWith(quote) && (token.source.length === 1 || !token.source.endsWith(quote))) found ??= token.offset
    } else if (CST.isCollection(token)) {
      for (const item of token.items) {
        visit(item.key)
        visit(item.value)
      }
    }
  }
}

function walk(
  token: CST.Token | null | undefined,
  path: readonly string[],
  inFlow: boolean,
  found: (token: CST.SourceToken | CST.FlowScalar, inFlow: boolean, path: readonly string[]) => void,
): void {
  if (!token) return
  if (token.type === 'alias') found(token, inFlow, path)
  if (token.type === 'block-scalar') {
    for (const prop of token.props) if (prop.type === 'tag' || prop.type === 'anchor') found(prop, inFlow, path)
  }
  if (!CST.isCollection(token)) return
  const flow = inFlow || token.type === 'flow-collection'
  for (const item of token.items) {
    for (const part of item.start) if (part.type === 'tag' || part.type === 'anchor') found(part, flow, path)
    walk(item.key, path, flow, found)
    const key = item.key && 'source' in item.key ? item.key.source : '-'
    const inside = [...path, key]
    for (const part of item.sep ?? []) if (part.type === 'tag' || part.type === 'anchor') found(part, flow, inside)
    walk(item.value, inside, flow, found)
  }
}

// What was meant.

/** `!a.b && c` → `(!a.b) && c`, where the negated part is a name or call, or in parentheses. */
function negation(text: string): string | undefined {
  const exclamations = /^!+/.exec(text)![0].length
  let end = exclamations
  for (;;) {
    const name = /^[\w.?`]+/.exec(text.slice(end))
    if (name) end += name[0].length
    else if (text[end] === '(' || (text[end] === '[' && end > exclamations)) {
      const close = closingOf(text, end)
      if (close === undefined) return undefined
      end = close + 1
    } else break
  }
  const suggestion = `(${text.slice(0, end)})${text.slice(end)}`
  // `!!str a` is a real tag: what follows a negated name is an operator.
  return end > exclamations && isSafePlain(suggestion) && !/^\s+\w/.test(text.slice(end)) ? suggestion : undefined
}

function closingOf(text: string, open: number): number | undefined {
  let depth = 0
  let quote = ''
  for (let i = open; i < text.length; i++) {
    const character = text[i]!
    if (quote !== '') quote = character === quote ? '' : quote
    else if (character === '"' || character === "'") quote = character
    else if ('([{'.includes(character)) depth++
    else if (')]}'.includes(character) && --depth === 0) return i
  }
  return undefined
}

function parenthesised(value: string): { readonly suggestion?: string; readonly notes?: readonly DiagnosticNote[] } {
  // A list of texts as a type: `"basic" | "gold"`.
  if (/^(?:"[^"]*"|'[^']*')(?:\s*\|\s*(?:"[^"]*"|'[^']*'))+$/.test(value)) return { suggestion: value.replace(/["']/g, '') }
  return isSafePlain(`(${value})`) && isBalanced(value) && !/^[?>|@%]/.test(value)
    ? { suggestion: `(${value})` }
    : { notes: [nextLine] }
}

/** The line of an entry that is indented further than the one before it, which YAML takes for more of that one's value. */
function deeperEntry(text: string, value: Range): Range | undefined {
  const [first, ...others] = text.slice(value.start, value.end).split('\n')
  if (first === undefined || /:(?:\s|$)/.test(first)) return undefined
  let start = value.start + first.length + 1
  for (const line of others) {
    if (/^\s*[\w"'-]+:(?:\s|$)/.test(line))
      return { start: start + /^\s*/.exec(line)![0].length, end: start + line.trimEnd().length }
    start += line.length + 1
  }
  return undefined
}

const isSafePlain = (text: string): boolean => !/: |:$|\s#|\n/.test(text)

/** Texts and parentheses are closed. An apostrophe between letters (`don't`) is no quote. */
function isBalanced(text: string): boolean {
  const bare = text.replace(/(?<=\w)'(?=\w)/g, '').replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g, '')
  if (/["']/.test(bare)) return false
  const count = (character: string): number => bare.split(character).length
  return count('(') === count(')')
}
