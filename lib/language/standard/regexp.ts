// Regular expressions are RE2's, so that no record can stop a Lambda. JavaScript's own engine is ten times faster, but backtracks: it
// gets only patterns of which a look at their syntax proves that matching takes time in proportion to the text. All others go to RE2.
//
// A pattern is fine here if it is a sequence of characters and classes, with groups of alternatives that do not repeat, and
// - nothing repeats without limit but the very last item (a search then ends with it), or
// - it begins with ^, and after whatever repeats nothing can come that it could have taken itself: giving a character back never helps.

/** The same pattern for JavaScript, if that is safe and means the same. */
export function linearRegExp(pattern: string): RegExp | undefined {
  const source = linearSource(pattern)
  return source === undefined ? undefined : new RegExp(source, 'u')
}

/** Its source, for generated code: `new RegExp(source, 'u')`. */
export function linearSource(pattern: string): string | undefined {
  const reader: Reader = { characters: [...pattern], at: 0 }
  const alternatives = readAlternatives(reader)
  if (alternatives === undefined || reader.at < reader.characters.length) return undefined
  // Every alternative is tried once; together they may not be many.
  if (alternatives.reduce((sum, items) => sum + variants(items), 0) > 100) return undefined
  if (!alternatives.every(isLinear)) return undefined
  return alternatives.map(sourceOf).join('|')
}

type Range = readonly [first: number, last: number]

type Item =
  | { readonly kind: 'set'; readonly set: readonly Range[]; readonly min: number; readonly max: number }
  | { readonly kind: 'start' }
  | { readonly kind: 'end' }
  | { readonly kind: 'group'; readonly alternatives: readonly (readonly Item[])[] }

interface Reader {
  readonly characters: readonly string[]
  at: number
}

const lastCodePoint = 0x10ffff

// Large counts cost time at every place where a search may begin.
const maxCount = 50

const digit: readonly Range[] = [[48, 57]]
const word: readonly Range[] = [
  [48, 57],
  [65, 90],
  [95, 95],
  [97, 122],
]
// RE2's \s has neither \v nor Unicode's blanks.
const blank: readonly Range[] = [
  [9, 10],
  [12, 13],
  [32, 32],
]

function readAlternatives(reader: Reader): readonly (readonly Item[])[] | undefined {
  const alternatives: Item[][] = []
  for (;;) {
    const items: Item[] = []
    while (reader.at < reader.characters.length && reader.characters[reader.at] !== '|' && reader.characters[reader.at] !== ')') {
      const item = readItem(reader)
      if (item === undefined) return undefined
      items.push(item)
    }
    alternatives.push(items)
    if (reader.characters[reader.at] !== '|') return alternatives
    reader.at++
  }
}

function readItem(reader: Reader): Item | undefined {
  const character = reader.characters[reader.at++]!
  switch (character) {
    case '^':
      return isQuantifier(reader) ? undefined : { kind: 'start' }
    case '$':
      return isQuantifier(reader) ? undefined : { kind: 'end' }
    case '(': {
      if (reader.characters[reader.at] === '?') {
        if (reader.characters[reader.at + 1] !== ':') return undefined
        reader.at += 2
      }
      const alternatives = readAlternatives(reader)
      if (alternatives === undefined || reader.characters[reader.at++] !== ')' || isQuantifier(reader)) return undefined
      return { kind: 'group', alternatives }
    }
    case '[':
      return quantified(reader, readClass(reader))
    case '.':
      return quantified(reader, complement([[10, 10]]))
    case '\\':
      return quantified(reader, readEscape(reader))
    case '*':
    case '+':
    case '?':
    case '{':
    case '}':
    case ']':
      return undefined
    default:
      return quantified(reader, single(character))
  }
}

function isQuantifier(reader: Reader): boolean {
  return '*+?{'.includes(reader.characters[reader.at] ?? ' ')
}

function quantified(reader: Reader, set: readonly Range[] | undefined): Item | undefined {
  if (set === undefined || set.length === 0) return undefined
  let min = 1
  let max = 1
  switch (reader.characters[reader.at]) {
    case '*':
      min = 0
      max = Infinity
      reader.at++
      break
    case '+':
      max = Infinity
      reader.at++
      break
    case '?':
      min = 0
      reader.at++
      break
    case '{': {
      const rest = reader.characters.slice(reader.at, reader.at + 12).join('')
      const count = /^\{(\d{1,3})(?:(,)(\d{1,3})?)?\}/.exec(rest)
      if (count === null) return undefined
      min = Number(count[1])
      max = count[2] === undefined ? min : count[3] === undefined ? Infinity : Number(count[3])
      if (min > max || min > maxCount || (max > maxCount && max !== Infinity)) return undefined
      reader.at += count[0].length
    }
  }
  // Lazy and doubled quantifiers.
  if (isQuantifier(reader)) return undefined
  return { kind: 'set', set, min, max }
}

function single(character: string): readonly Range[] | undefined {
  const code = character.codePointAt(0)!
  // A half of a pair would match within pairs in one engine and not in the other.
  return code >= 0xd800 && code <= 0xdfff ? undefined : [[code, code]]
}

function readEscape(reader: Reader): readonly Range[] | undefined {
  const character = reader.characters[reader.at++]
  switch (character) {
    case 'd':
      return digit
    case 'D':
      return complement(digit)
    case 'w':
      return word
    case 'W':
      return complement(word)
    case 's':
      return blank
    case 'S':
      return complement(blank)
    case 'n':
      return [[10, 10]]
    case 'r':
      return [[13, 13]]
    case 't':
      return [[9, 9]]
    default:
      // Of ASCII's punctuation each may be escaped; all else has a meaning, or none.
      return character !== undefined && /^[!-/:-@[-`{-~]$/.test(character) ? single(character) : undefined
  }
}

function readClass(reader: Reader): readonly Range[] | undefined {
  const negated = reader.characters[reader.at] === '^'
  if (negated) reader.at++
  const ranges: Range[] = []
  for (let first = true; ; first = false) {
    const character = reader.characters[reader.at++]
    if (character === undefined) return undefined
    if (character === ']') {
      if (first) return undefined
      break
    }
    const start = member(reader, character)
    if (start === undefined) return undefined
    if (reader.characters[reader.at] === '-' && reader.characters[reader.at + 1] !== ']') {
      reader.at++
      const end = member(reader, reader.characters[reader.at++] ?? ']')
      if (end === undefined || !isOne(start) || !isOne(end) || end[0]![0] < start[0]![0]) return undefined
      ranges.push([start[0]![0], end[0]![0]])
    } else {
      ranges.push(...start)
    }
  }
  return negated ? complement(ranges) : ranges
}

function member(reader: Reader, character: string): readonly Range[] | undefined {
  if (character === '\\') return readEscape(reader)
  // [[:alpha:]], and what is a mistake.
  return character === '[' || character === ']' ? undefined : single(character)
}

function isOne(set: readonly Range[]): boolean {
  return set.length === 1 && set[0]![0] === set[0]![1]
}

function complement(set: readonly Range[]): readonly Range[] {
  const result: Range[] = []
  let next = 0
  for (const [first, last] of [...set].sort((a, b) => a[0] - b[0])) {
    if (first > next) result.push([next, first - 1])
    next = Math.max(next, last + 1)
  }
  if (next <= lastCodePoint) result.push([next, lastCodePoint])
  return result
}

// Choices that groups and bounded counts give the engine.
function variants(items: readonly Item[]): number {
  return items.reduce((product, item) => {
    if (item.kind === 'group') return product * item.alternatives.reduce((sum, alternative) => sum + variants(alternative), 0)
    return item.kind === 'set' && item.max !== Infinity ? product * (item.max - item.min + 1) : product
  }, 1)
}

function isLinear(items: readonly Item[]): boolean {
  const loops = items.map(isUnbounded)
  const firstLoop = loops.indexOf(true)
  if (firstLoop === -1) return true
  // What follows a loop within an alternative is what follows the group, too: not looked at.
  if (items.some((item, i) => item.kind === 'group' && loops[i])) return false
  if (firstLoop === items.length - 1) return true
  if (items[0]!.kind !== 'start') return false
  return items.every((item, i) => item.kind !== 'set' || item.max !== Infinity || !canFollow(items, i + 1, item.set))
}

function isUnbounded(item: Item): boolean {
  if (item.kind === 'group') return item.alternatives.some(alternative => alternative.some(isUnbounded))
  return item.kind === 'set' && item.max === Infinity
}

/** Can what stands from there on begin with a character of the set? */
function canFollow(items: readonly Item[], start: number, set: readonly Range[]): boolean {
  for (let i = start; i < items.length; i++) {
    const item = items[i]!
    if (item.kind === 'group') return true
    if (item.kind !== 'set') continue
    if (item.set.some(a => set.some(b => a[0] <= b[1] && b[0] <= a[1]))) return true
    if (item.min > 0) return false
  }
  return false
}

function sourceOf(items: readonly Item[]): string {
  return items
    .map(item => {
      if (item.kind === 'start') return '^'
      if (item.kind === 'end') return '$'
      if (item.kind === 'group') return `(?:${item.alternatives.map(sourceOf).join('|')})`
      return classSource(item.set) + countSource(item.min, item.max)
    })
    .join('')
}

function classSource(set: readonly Range[]): string {
  const ranges = set.map(([first, last]) => (first === last ? codeSource(first) : `${codeSource(first)}-${codeSource(last)}`))
  return set.length === 1 && set[0]![0] === set[0]![1] ? ranges[0]! : `[${ranges.join('')}]`
}

function codeSource(code: number): string {
  const character = String.fromCodePoint(code)
  return /^[A-Za-z0-9_ @#%&]$/.test(character) ? character : `\\u{${code.toString(16)}}`
}

function countSource(min: number, max: number): string {
  if (min === 1 && max === 1) return ''
  if (min === 0 && max === Infinity) return '*'
  if (min === 1 && max === Infinity) return '+'
  if (min === 0 && max === 1) return '?'
  return max === Infinity ? `{${min},}` : min === max ? `{${min}}` : `{${min},${max}}`
}
