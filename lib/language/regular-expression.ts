// What a text that is no regular expression lacks, in words. RE2's own messages are for programmers of RE2.
import { RE2JS, RE2JSSyntaxException } from '@bufbuild/re2'
import { compilePattern } from './standard/re2.ts'

/** Undefined: it is one. Else what it has or needs, as `"[" has no "]"`. */
export function patternLack(pattern: string): string | undefined {
  if (compilePattern(pattern) !== undefined) return undefined
  try {
    new RE2JS(pattern)
  } catch (error) {
    if (error instanceof RE2JSSyntaxException) return lackOf(error.error, error.input ?? pattern)
  }
  return 'RE2 cannot read it'
}

function lackOf(error: string, part: string): string {
  switch (error) {
    case 'missing closing ]':
      return 'a "[" has no "]"'
    case 'missing closing )':
      return 'a "(" has no ")"'
    case 'unexpected )':
      return 'a ")" has no "("'
    case 'missing argument to repetition operator':
      return `"${part}" has nothing before it to repeat`
    case 'invalid nested repetition operator':
      return `"${part}" repeats what is repeated already`
    case 'invalid repeat count':
      return `"${part}" needs counts from the least to the greatest, of 1000 in all`
    case 'invalid character class range':
      return `there is no range or class "${part}"`
    case 'trailing backslash at end of expression':
      return 'the "\\" at the end has nothing after it'
    case 'duplicate capture group name':
      return `two groups have the name "${part}"`
    case 'expression nests too deeply':
    case 'expression too large':
      return 'it is too large'
    default:
      // Look-around, back references, atomic groups: what needs backtracking.
      return `RE2 has no "${part}"`
  }
}
