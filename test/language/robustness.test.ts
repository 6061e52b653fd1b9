// Whatever stands in a file: checking ends with problems, never with an exception, and what has no errors translates and evaluates.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { check } from '../../lib/language/check.ts'
import { toJavaScript } from '../../lib/language/javascript.ts'
import { parseTemplate } from '../../lib/language/template.ts'
import { scope } from './world.ts'

// biome-ignore format: a list of words
const words = [
  'event', '.', '.?', 'n', 'm', 's', 'country', 'items', 'before', 'price', 'plan', 'constructor', '__proto__', 'toString', '`a.b`', '`', 'x', 'place',
  'has', 'size', 'map', 'filter', 'all', 'exists', 'minBy', 'sum', 'orValue', 'or', 'optMap', 'optional', 'of', 'none', 'math', 'least', 'round', 'string',
  'int', 'timestamp', 'duration', 'format', 'matches', 'split', 'hasOwnProperty', 'valueOf', '(', '(', ')', ')', '[', '[?', ']', '{', '?', '}', ':', ',',
  '+', '-', '*', '/', '%', '==', '!=', '<', '>=', '&&', '||', '!', 'in', '1', '0', '2.5', '9223372036854775808', '1u', '"a"', "'", '"', '"""', 'b"x"',
  'true', 'null', '"("', '"5m"', '"yyyy"', '"Europe/Warsaw"', '😀', '\\', '\n', '//', '@', '=', '0x', '1e999',
]
const soup = fc.array(fc.constantFrom(...words), { maxLength: 25 })

test.each([false, true])('random words never break the checker (all of CEL: %s)', dynamic => {
  fc.assert(
    fc.property(soup, fc.constantFrom('', ' '), (parts, separator) => {
      const source = parts.join(separator)
      const checked = check(source, { ...scope, dynamic }, { allowMissing: true })
      for (const { range, message } of checked.problems) {
        expect(range.start).toBeGreaterThanOrEqual(0)
        expect(range.end).toBeLessThanOrEqual(source.length)
        expect(range.start).toBeLessThanOrEqual(range.end)
        expect(message).not.toMatch(/undefined|\[object/)
      }
      if (checked.problems.some(({ severity }) => severity === 'error')) return
      const { code, constants } = toJavaScript(checked, { reference: name => `values.${name}`, mayFail: () => true })
      const lines = [...constants].map(([name, value]) => `const ${name} = ${value}\n`)
      // Only compiled: that the JavaScript is well-formed.
      new Function('std', 'values', `"use strict"\n${lines.join('')}return (${code})`)
    }),
    { numRuns: 5000, seed: 4 },
  )
})

test('random words never break a text with holes', () => {
  fc.assert(
    fc.property(soup, parts => {
      parseTemplate(parts.join(''))
    }),
    { numRuns: 2000, seed: 5 },
  )
})
