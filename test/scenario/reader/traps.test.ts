// Never silently another rule: whatever is written after a colon, it is read as written, or refused.
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readScenario } from '../../../lib/scenario/reader.ts'
import type { Node } from '../../../lib/scenario/syntax.ts'
import { readYaml } from '../../../lib/scenario/yaml.ts'
import { goodScenarios } from '../../golden/golden.ts'

const pieces = [
  'a',
  'event.id',
  '"x"',
  "'y'",
  '"a #1"',
  '"a: b"',
  '1.0',
  '007',
  '(',
  ')',
  '[',
  ']',
  '{',
  '}',
  '!',
  '&&',
  '||',
  ' ? ',
  ' : ',
  ': ',
  ', ',
  ' #',
  '-',
  '- ',
  '> ',
  '|',
  '*',
  '&',
  '`b-c`',
  '@',
  '%',
  ' == ',
  ' in ',
  '.',
  'f(',
  '"',
  "'",
  '\\',
  ' ',
  'null',
  '<<',
]
const written = fc
  .array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 8 })
  .map(parts => parts.join('').trim())
  .filter(text => text !== '')
// A shared machine may be slow.
const timeoutMs = 30_000
const runs = { numRuns: 800, seed: 7 }

test(
  'in a line of its own',
  () => {
    fc.assert(
      fc.property(written, text => {
        const { root, diagnostics } = readYaml('x.yml', `filter:\n  before: b\n  a: ${text}\n  after: c\n`)
        if (diagnostics.length > 0) return
        const entries = entriesOf(entriesOf(root).get('filter'))
        expect([...entries.keys()]).toEqual(['before', 'a', 'after'])
        expectAsWritten(entries.get('a')!, text)
      }),
      runs,
    )
  },
  timeoutMs,
)

test(
  'between braces',
  () => {
    fc.assert(
      fc.property(written, text => {
        const { root, diagnostics } = readYaml('x.yml', `filter: { before: b, a: ${text}, after: c }\n`)
        if (diagnostics.length > 0) return
        const entries = entriesOf(entriesOf(root).get('filter'))
        // A comma between whole values ends one, a brace ends them all, as every reader of braces sees.
        if ((/,/.test(text) && entries.size > 3) || /\}.*\s#/.test(text)) return
        expect([...entries.keys()]).toEqual(['before', 'a', 'after'])
        expectAsWritten(entries.get('a')!, text)
      }),
      runs,
    )
  },
  timeoutMs,
)

test(
  'a file that was damaged anywhere is read or refused, and every place lies in it',
  () => {
    const texts = goodScenarios().map(path => readFileSync(path, 'utf8'))
    const damage = fc.record({
      text: fc.constantFrom(...texts),
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      cut: fc.nat(3),
      piece: fc.constantFrom(...pieces, '\n', '\t', '\n\n  '),
    })
    fc.assert(
      fc.property(damage, ({ text, at, cut, piece }) => {
        const place = Math.floor(at * text.length)
        const damaged = text.slice(0, place) + piece + text.slice(place + cut)
        const { syntax, diagnostics } = readScenario('x.yml', damaged)
        expect(syntax !== undefined || diagnostics.some(({ severity }) => severity === 'error')).toBe(true)
        for (const { range, message } of diagnostics) {
          expect(range.start).toBeGreaterThanOrEqual(0)
          expect(range.end).toBeGreaterThanOrEqual(range.start)
          expect(range.end).toBeLessThanOrEqual(damaged.length)
          expect(message).not.toMatch(/__|undefined|NaN/)
        }
      }),
      { numRuns: 150, seed: 7 },
    )
  },
  timeoutMs,
)

function expectAsWritten(node: Node, text: string): void {
  if (node.kind === 'null') return expect(text.replace(/\s+#.*/, '')).toBe('null')
  // A list or map in YAML's own brackets is what was written; the analysis tells whether the place takes one.
  if (node.kind !== 'scalar') return expect(text[0]).toMatch(/[[{]/)
  if (node.scalar.quoted) return expect(text).toMatch(/^(["']).*\1(\s+#.*)?$/)
  expect([text, text.slice(0, Math.max(0, text.search(/\s#/))).trim()]).toContain(node.scalar.text)
}

function entriesOf(node: Node | undefined): Map<string, Node> {
  return new Map(node?.kind === 'map' ? node.entries.map(({ name, value }) => [name.value, value]) : [])
}
