// A scenario may stand in several files. Ranges are offsets into one text for all that: the shared files stand before the scenario's own
// text, in the order of `use`, so their offsets are below 0, and what stands first has the smaller offset, in whichever file it is.
import type { Range } from '../language/problem.ts'
import type { Diagnostic } from './diagnostics.ts'
import { positionOf } from './diagnostics.ts'
import type { Located, Node, ScalarText } from './syntax.ts'

/** A shared file's text, and where it begins. */
export interface SharedText {
  /** As written under `use`. */
  readonly path: string
  /** For messages, relative to the working directory. */
  readonly file: string
  readonly text: string
  /** Below 0. */
  readonly start: number
}

/** Begins each text so that the last one ends before offset 0; an offset between two texts keeps the end of one from the start of the next. */
export function placedBefore(texts: readonly Omit<SharedText, 'start'>[]): readonly SharedText[] {
  let start = -texts.reduce((length, { text }) => length + text.length + 1, 0)
  return texts.map(each => {
    const placed = { ...each, start }
    start += each.text.length + 1
    return placed
  })
}

export const isShared = ({ range }: { readonly range: Range }): boolean => range.start < 0

export const holds = ({ start, text }: Pick<SharedText, 'start' | 'text'>, range: Range): boolean =>
  range.start >= start && range.start <= start + text.length

export function shiftedRange({ start, end }: Range, by: number): Range {
  return { start: start + by, end: end + by }
}

export function shiftedNode(node: Node, by: number): Node {
  const range = shiftedRange(node.range, by)
  switch (node.kind) {
    case 'null':
      return { ...node, range }
    case 'scalar':
      return { ...node, scalar: shiftedScalar(node.scalar, by), range }
    case 'list':
      return { ...node, items: node.items.map(item => shiftedNode(item, by)), range }
    case 'map': {
      const entries = node.entries.map(({ name, value }) => ({ name: shiftedName(name, by), value: shiftedNode(value, by) }))
      return { ...node, entries, range }
    }
  }
}

function shiftedScalar(scalar: ScalarText, by: number): ScalarText {
  return { ...scalar, range: shiftedRange(scalar.range, by), fileOffset: offset => scalar.fileOffset(offset) + by }
}

function shiftedName<T>(name: Located<T>, by: number): Located<T> {
  return { ...name, range: shiftedRange(name.range, by) }
}

export function shiftedDiagnostic(found: Diagnostic, by: number): Diagnostic {
  const notes = found.notes.map(note => (note.range === undefined ? note : { ...note, range: shiftedRange(note.range, by) }))
  return { ...found, range: shiftedRange(found.range, by), notes }
}

/** Offsets into all texts become offsets into the file that each place stands in. */
export function placedInFile(
  found: Diagnostic,
  own: { readonly file: string; readonly text: string },
  shared: readonly SharedText[],
): Diagnostic {
  if (shared.length === 0) return found
  const placeOf = (range: Range) => {
    const text = shared.find(each => holds(each, range))
    return text === undefined ? { source: own, range } : { source: text, range: shiftedRange(range, -text.start) }
  }
  const { source, range } = placeOf(found.range)
  const notes = found.notes.map(note => {
    if (note.range === undefined) return note
    const other = placeOf(note.range)
    if (other.source === source) return { ...note, range: other.range }
    return { ...note, range: other.range, source: { file: other.source.file, text: other.source.text } }
  })
  return { ...found, file: source.file, range, ...(source !== own && { text: source.text }), notes }
}

/** `functions/shared/contact-policy.yml:12`: the line of a place of a scenario. */
export function lineOf(
  range: Range,
  own: { readonly file: string; readonly text: string },
  shared: readonly SharedText[],
): string {
  const text = shared.find(each => holds(each, range))
  const [source, offset] = text === undefined ? [own, range.start] : [text, range.start - text.start]
  return `${source.file}:${positionOf(source.text, offset).line}`
}
