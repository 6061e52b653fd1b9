// What is wrong with a scenario file, and how it is told: a sentence with its id, the place with a marker under the text, a suggestion
// only when sure, and notes that are other places or the remedy. Four forms: for people, for GitHub, for programs, for esbuild.
import type { Problem, Range } from '../language/problem.ts'
import { type ErrorKey, problem, type Values } from './errors.ts'
import type { ScalarText } from './syntax.ts'

export type Severity = 'error' | 'warning' | 'hint'

export interface Diagnostic {
  readonly id: string
  readonly severity: Severity
  /** One sentence in the user's words, without id and place. */
  readonly message: string
  readonly file: string
  /** Offsets (UTF-16) into the file's text. */
  readonly range: Range
  /** What to write instead of the text at `range`; only when sure. */
  readonly suggestion?: string
  readonly notes: readonly DiagnosticNote[]
  /** The file's text, where that is not the scenario's own file: a shared one. */
  readonly text?: string
}

export interface DiagnosticNote {
  readonly message: string
  /** Another place; a note without one is the remedy. */
  readonly range?: Range
  /** The file of `range`, where that is not the diagnostic's. */
  readonly source?: { readonly file: string; readonly text: string }
}

export interface Place {
  readonly file: string
  readonly range: Range
  readonly suggestion?: string | undefined
  readonly notes?: readonly DiagnosticNote[]
}

/** An error of the table at its place. */
export function diagnostic<Key extends ErrorKey>(key: Key, values: Values<Key>, place: Place): Diagnostic {
  const { file, range, suggestion, notes = [] } = place
  return { ...problem(key, values), file, range, ...(suggestion === undefined ? {} : { suggestion }), notes }
}

/**
 * The language speaks of offsets into an expression; the file shows folded lines and escapes. `declarations` tells where a name that
 * a note points at is declared (`enrich.profile`), `shift` where the expression begins in the scalar's text (a hole of a text).
 */
export function fromProblem(
  found: Problem,
  scalar: ScalarText,
  file: string,
  options: { readonly shift?: number; readonly declarations?: (declaration: string) => Range | undefined } = {},
): Diagnostic {
  const { shift = 0, declarations } = options
  const rangeOf = (range: Range): Range => rangeInFile(scalar, { start: range.start + shift, end: range.end + shift })
  return {
    id: found.id,
    severity: found.severity,
    message: found.message,
    file,
    range: rangeOf(found.range),
    ...(found.suggestion === undefined ? {} : { suggestion: found.suggestion }),
    notes: (found.notes ?? []).map(note => {
      const range = note.range
        ? rangeOf(note.range)
        : note.declaration === undefined
          ? undefined
          : declarations?.(note.declaration)
      // What sluice provides (`now`) is declared nowhere in the file.
      return range && range.end > range.start ? { message: note.message, range } : { message: note.message }
    }),
  }
}

/** The place in the file of a part of a scalar's text. */
export function rangeInFile(scalar: ScalarText, range: Range): Range {
  const start = scalar.fileOffset(range.start)
  // The end is taken from the last character, since the next one may stand on another line.
  const end = range.end > range.start ? scalar.fileOffset(range.end - 1) + 1 : start
  return { start, end: Math.max(end, start) }
}

export interface Position {
  /** From 1; columns count UTF-16 code units, as editors do. */
  readonly line: number
  readonly column: number
}

export function positionOf(text: string, offset: number): Position {
  const before = text.slice(0, offset)
  const lineStart = before.lastIndexOf('\n') + 1
  let line = 1
  for (let i = before.indexOf('\n'); i !== -1; i = before.indexOf('\n', i + 1)) line++
  return { line, column: offset - lineStart + 1 }
}

/** Errors first where they stand first: by place, then by gravity. */
export function sortDiagnostics(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  const gravity = { error: 0, warning: 1, hint: 2 }
  return diagnostics.toSorted((a, b) => a.range.start - b.range.start || gravity[a.severity] - gravity[b.severity])
}

const marks = { error: '✘ [ERROR]', warning: '▲ [WARNING]', hint: '• [HINT]' } as const
const inks = { error: '\u001b[31m', warning: '\u001b[33m', hint: '\u001b[36m' } as const
const bold = '\u001b[1m'
const green = '\u001b[32m'
const plain = '\u001b[0m'

/** For people: the form of esbuild, which prints the same message during a build. `scenarioText` is the text of the scenario's own file. */
export function renderDiagnostic(found: Diagnostic, scenarioText: string, options: { readonly colors?: boolean } = {}): string {
  const paint: Paint = (ink, words) => (options.colors ? ink + words + plain : words)
  const own = { file: found.file, text: found.text ?? scenarioText }
  const places = [
    { range: found.range, source: own },
    ...found.notes.flatMap(({ range, source = own }) => (range === undefined ? [] : [{ range, source }])),
  ]
  const numberWidth = Math.max(...places.map(({ range, source }) => String(positionOf(source.text, range.start).line).length))
  const excerpt = (range: Range, { file, text } = own, suggestion?: string): string[] =>
    excerptOf(file, text, { range, suggestion, numberWidth, paint })
  const lines = [`${paint(inks[found.severity], marks[found.severity])} ${paint(bold, found.message)} [${found.id}]`]
  lines.push(...excerpt(found.range, own, found.suggestion))
  for (const note of found.notes) {
    lines.push(`  ${note.message}`)
    if (note.range) lines.push(...excerpt(note.range, note.source))
  }
  return `${lines.join('\n')}\n`
}

type Paint = (ink: string, words: string) => string

interface Excerpt {
  readonly range: Range
  readonly suggestion: string | undefined
  readonly numberWidth: number
  readonly paint: Paint
}

function excerptOf(file: string, text: string, { range, suggestion, numberWidth, paint }: Excerpt): string[] {
  const { line, column } = positionOf(text, range.start)
  const lineStart = range.start - column + 1
  const lineEnd = endOfLine(text, lineStart)
  // A range over several lines is shown by its first one.
  const marked = text.slice(range.start, Math.min(range.end, lineEnd)).trimEnd()
  const margin = ' '.repeat(6 + numberWidth)
  const indent = ' '.repeat(width(text.slice(lineStart, range.start)))
  const marker = indent + paint(green, '~'.repeat(Math.max(1, width(marked))))
  const shown = [
    `    ${file}:${line}:${column}:`,
    `${String(line).padStart(margin.length)} │ ${expandTabs(text.slice(lineStart, lineEnd))}`.trimEnd(),
  ]
  if (suggestion === undefined) return [...shown, `${margin} ╵ ${marker}`]
  const [first, ...others] = suggestion.split('\n')
  return [
    ...shown,
    `${margin} │ ${marker}`,
    `${margin} ╵ ${indent}${paint(green, first!)}`,
    ...others.map(words => `${margin}   ${indent}${paint(green, words)}`),
  ]
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\n', from)
  const lineEnd = end === -1 ? text.length : end
  return text[lineEnd - 1] === '\r' ? Math.max(from, lineEnd - 1) : lineEnd
}

const expandTabs = (text: string): string => text.replaceAll('\t', '  ')

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' })

/** Columns on a terminal: tabs are printed as two blanks; East Asian wide characters and emoji take two, combining marks none. */
function width(text: string): number {
  let columns = 0
  for (const { segment } of segmenter.segment(text)) {
    columns += segment === '\t' || /\p{Emoji_Presentation}/u.test(segment) || isWide(segment.codePointAt(0)!) ? 2 : 1
  }
  return columns
}

// Unicode's East Asian Width W and F, in the blocks that texts of rules have: Hangul, CJK, kana, full-width forms.
const isWide = (point: number): boolean =>
  (point >= 0x1100 && point <= 0x115f) ||
  (point >= 0x2e80 && point <= 0xa4cf) ||
  (point >= 0xac00 && point <= 0xd7a3) ||
  (point >= 0xf900 && point <= 0xfaff) ||
  (point >= 0xfe30 && point <= 0xfe6f) ||
  (point >= 0xff00 && point <= 0xff60) ||
  (point >= 0xffe0 && point <= 0xffe6) ||
  (point >= 0x20000 && point <= 0x3fffd)

/** For programs: one JSON object a line. */
export function jsonDiagnostic(found: Diagnostic, scenarioText: string): string {
  const { line, column } = positionOf(found.text ?? scenarioText, found.range.start)
  const { id, severity, file, message } = found
  return JSON.stringify({ id, severity, file, line, column, message })
}

/** For GitHub Actions, which shows it beside the line of a pull request. docs.github.com: "Workflow commands". */
export function githubDiagnostic(found: Diagnostic, scenarioText: string): string {
  const text = found.text ?? scenarioText
  const start = positionOf(text, found.range.start)
  const end = positionOf(text, found.range.end)
  const command = { error: 'error', warning: 'warning', hint: 'notice' }[found.severity]
  const place = [`file=${escapeProperty(found.file)}`, `line=${start.line}`, `endLine=${end.line}`]
  if (end.line === start.line) place.push(`col=${start.column}`, `endColumn=${end.column}`)
  place.push(`title=${escapeProperty(found.id)}`)
  const remedies = found.notes.filter(note => !note.range).map(note => note.message)
  const suggestion = found.suggestion === undefined ? [] : [`Write: ${found.suggestion}`]
  return `::${command} ${place.join(',')}::${escapeData([found.message, ...suggestion, ...remedies].join('\n'))}`
}

const escapeData = (text: string): string => text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
const escapeProperty = (text: string): string => escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C')
