// RE2 itself, for patterns that JavaScript's engine cannot be trusted with, or that only the record knows. It is some 100 KB, so it stays
// out of a bundle whose scenario does not need it: nothing else in this folder imports this module.
import { RE2JS } from '@bufbuild/re2'
import { bounded } from './cache.ts'
import { linearRegExp } from './regexp.ts'
import { ExpressionFailure } from './values.ts'

export interface Pattern {
  readonly test: (text: string) => boolean
}

const patterns = /* @__PURE__ */ bounded<string, Pattern | null>(200)

/** Native where that is safe. Undefined: the pattern is not RE2's. */
export function compilePattern(source: string): Pattern | undefined {
  let pattern = patterns.get(source)
  if (pattern === undefined) {
    pattern = linearRegExp(source) ?? compileRe2(source)
    patterns.set(source, pattern)
  }
  return pattern ?? undefined
}

/** `text.matches(pattern)`, the pattern known at run time only: anywhere in the text. */
export function matches(text: string, source: string): boolean {
  const pattern = compilePattern(source)
  if (pattern === undefined) throw new ExpressionFailure('the pattern is not a regular expression of RE2')
  return pattern.test(text)
}

/** For a pattern that `check` has compiled before. */
export function re2(source: string): Pattern {
  return new RE2JS(source)
}

function compileRe2(source: string): Pattern | null {
  try {
    return new RE2JS(source)
  } catch {
    return null
  }
}
