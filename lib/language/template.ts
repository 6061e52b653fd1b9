// Texts with {holes}: `"Hello {profile.name}"`. `{{` and `}}` are braces; a text inside a hole may hold braces of its own.
import type { Problem } from './problem.ts'

export interface Hole {
  readonly source: string
  /** Offset of the expression in the text. */
  readonly start: number
}

export function parseTemplate(source: string): {
  readonly parts: readonly (string | Hole)[]
  readonly problems: readonly Problem[]
} {
  const parts: (string | Hole)[] = []
  const problems: Problem[] = []
  const problem = (message: string, start: number, end: number) => {
    problems.push({ id: 'expression-syntax', severity: 'error', message, range: { start, end } })
  }
  let text = ''
  let at = 0
  const flush = () => {
    if (text !== '') parts.push(text)
    text = ''
  }
  while (at < source.length) {
    const two = source.slice(at, at + 2)
    if (two === '{{' || two === '}}') {
      text += two[0]
      at += 2
    } else if (source[at] === '{') {
      const end = endOfHole(source, at + 1)
      if (end === undefined) {
        problem('The hole that begins here has no closing "}"; a brace itself is written "{{"', at, at + 1)
        text += source.slice(at)
        at = source.length
        continue
      }
      flush()
      if (source.slice(at + 1, end).trim() === '') problem('This hole is empty; a brace itself is written "{{"', at, end + 1)
      else parts.push({ source: source.slice(at + 1, end), start: at + 1 })
      at = end + 1
    } else if (source[at] === '}') {
      problem('This "}" closes no hole; a brace itself is written "}}"', at, at + 1)
      at++
    } else {
      text += source[at]
      at++
    }
  }
  flush()
  return { parts, problems }
}

/** Offset of the `}` that closes the hole, past nested braces and texts. */
function endOfHole(source: string, start: number): number | undefined {
  let depth = 0
  for (let at = start; at < source.length; at++) {
    const character = source[at]!
    if (character === '"' || character === "'" || character === '`') {
      const close = endOfQuote(source, at)
      if (close === undefined) return undefined
      at = close
    } else if (character === '{') depth++
    else if (character === '}') {
      if (depth === 0) return at
      depth--
    }
  }
  return undefined
}

function endOfQuote(source: string, start: number): number | undefined {
  for (let at = start + 1; at < source.length; at++) {
    if (source[at] === '\\') at++
    else if (source[at] === source[start]) return at
  }
  return undefined
}
