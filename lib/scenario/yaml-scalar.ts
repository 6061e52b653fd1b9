// A scalar's text with the place of each of its characters in the file. YAML folds lines and decodes escapes, so that a place in an
// expression is not a place in the file; editors and messages need the latter. The `yaml` package decodes, this module walks along.
import type { ScalarText } from './syntax.ts'

export type ScalarStyle = 'plain' | 'single-quoted' | 'double-quoted' | 'block'

/** `start` and `end` enclose the scalar in the file, with its quotes or from its block header on; `text` is what YAML decoded. */
export function scalarText(file: string, start: number, end: number, style: ScalarStyle, text: string): ScalarText {
  const quoted = style === 'single-quoted' || style === 'double-quoted'
  if (style === 'plain' && !file.slice(start, end).includes('\n')) {
    return { text, quoted, range: { start, end }, fileOffset: offset => start + offset }
  }
  const lines = sourceLines(file, start, end, style)
  const offsets = alignedOffsets(lines, text)
  const first = lines.find(line => line.characters.length > 0)
  const last = lines.findLast(line => line.characters.length > 0)
  const range = style !== 'block' || !first || !last ? { start, end } : { start: first.characters[0]!.offset, end: last.end }
  return { text, quoted, range, fileOffset: offset => offsets[Math.min(offset, text.length)]! }
}

interface SourceLine {
  /** Decoded UTF-16 code units, each with the offset where its source begins. */
  readonly characters: readonly { readonly unit: string; readonly offset: number }[]
  readonly end: number
}

function sourceLines(file: string, start: number, end: number, style: ScalarStyle): SourceLine[] {
  const lines: SourceLine[] = []
  const contentStart = style === 'block' ? file.indexOf('\n', start) + 1 || end : style === 'plain' ? start : start + 1
  const contentEnd = style === 'plain' || style === 'block' ? end : end - 1
  const indent = style === 'block' ? blockIndent(file, start, contentStart, contentEnd) : 0
  let lineStart = contentStart
  while (lineStart <= contentEnd) {
    const newline = file.indexOf('\n', lineStart)
    const isLast = newline === -1 || newline >= contentEnd
    let lineEnd = isLast ? contentEnd : newline
    if (!isLast && file[lineEnd - 1] === '\r') lineEnd--
    let from = lineStart
    if (style === 'block') {
      while (from < lineEnd && from - lineStart < indent && file[from] === ' ') from++
    } else {
      // The blanks around a line break belong to neither line, but those at the very ends of a quoted text do.
      if (lines.length > 0) while (from < lineEnd && isBlank(file[from]!)) from++
      if (!isLast) while (lineEnd > from && isBlank(file[lineEnd - 1]!)) lineEnd--
    }
    lines.push({ characters: decodedCharacters(file, from, lineEnd, style), end: lineEnd })
    if (isLast) break
    lineStart = newline + 1
  }
  return lines
}

const isBlank = (character: string): boolean => character === ' ' || character === '\t'

/** The header may tell it (`>2-`); else the first line that is not empty does. */
function blockIndent(file: string, start: number, contentStart: number, contentEnd: number): number {
  const explicit = /^[>|][-+]?([1-9])/.exec(file.slice(start, contentStart))
  const content = file.slice(contentStart, contentEnd)
  const first = /^( *)[^\s]/m.exec(content)?.[1]?.length ?? 0
  if (!explicit) return first
  // An explicit one is counted from the parent's indentation, which the header's own line begins with.
  const headerLineStart = file.lastIndexOf('\n', start - 1) + 1
  const parent = /^ */.exec(file.slice(headerLineStart, start))![0].length
  return parent + Number(explicit[1])
}

function decodedCharacters(file: string, from: number, to: number, style: ScalarStyle): SourceLine['characters'] {
  const characters: { unit: string; offset: number }[] = []
  let at = from
  while (at < to) {
    const character = file[at]!
    if (style === 'single-quoted' && character === "'") {
      characters.push({ unit: "'", offset: at })
      at += 2
    } else if (style === 'double-quoted' && character === '\\') {
      const { text, length } = decodedEscape(file, at)
      for (const unit of text.split('')) characters.push({ unit, offset: at })
      at += length
    } else {
      characters.push({ unit: character, offset: at })
      at++
    }
  }
  return characters
}

// yaml.org/spec/1.2.2, 5.7 "Escaped Characters".
const escapes: Readonly<Record<string, string>> = {
  '0': '\0',
  a: '\x07',
  b: '\b',
  e: '\x1b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  N: '\x85',
  _: '\xa0',
  L: '\u2028',
  P: '\u2029',
}

function decodedEscape(file: string, at: number): { readonly text: string; readonly length: number } {
  const letter = file[at + 1] ?? ''
  const digits = { x: 2, u: 4, U: 8 }[letter]
  if (digits !== undefined) {
    const point = Number.parseInt(file.slice(at + 2, at + 2 + digits), 16)
    return { text: point <= 0x10ffff ? String.fromCodePoint(point) : '?', length: 2 + digits }
  }
  // A backslash at the end of a line joins it to the next one and leaves nothing.
  if (letter === '\n' || letter === '\r' || letter === '') return { text: '', length: 1 }
  return { text: escapes[letter] ?? letter, length: 2 }
}

/** Characters follow one another; a blank or line break that is not in a line came from the break after it. */
function alignedOffsets(lines: readonly SourceLine[], text: string): readonly number[] {
  const offsets: number[] = []
  let lineIndex = 0
  let inLine = 0
  for (let i = 0; i < text.length; i++) {
    for (;;) {
      const line = lines[lineIndex]
      if (!line) {
        offsets.push(lines.at(-1)?.end ?? 0)
        break
      }
      const next = line.characters[inLine]
      if (next) {
        offsets.push(next.offset)
        inLine++
        break
      }
      lineIndex++
      inLine = 0
      if (text[i] === ' ' || text[i] === '\n') {
        offsets.push(line.end)
        break
      }
    }
  }
  const lastLine = lines[Math.min(lineIndex, lines.length - 1)]
  offsets.push(lastLine?.characters[inLine]?.offset ?? lastLine?.end ?? 0)
  return offsets
}
