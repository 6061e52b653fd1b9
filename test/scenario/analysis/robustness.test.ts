// Whatever stands in a file, its author gets messages with places in that file, never an exception, and a scenario exactly where there
// is no error. The files are good ones with slips: words removed, doubled, swapped.
import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { analyse } from '../../../lib/scenario/analyse.ts'
import { readScenario } from '../../../lib/scenario/reader.ts'

const folder = new URL('../../golden/good/', import.meta.url)
const texts = readdirSync(folder)
  .filter(name => name.endsWith('.yml'))
  .map(name => readFileSync(new URL(name, folder), 'utf8'))

const slip = fc.record({
  kind: fc.constantFrom('remove', 'double', 'swap', 'replace'),
  at: fc.nat(),
  other: fc.nat(),
})

test('a file with slips gives messages with places, or a scenario', () => {
  let soundCount = 0
  fc.assert(
    fc.property(fc.constantFrom(...texts), fc.array(slip, { minLength: 1, maxLength: 3 }), (text, slips) => {
      const broken = slips.reduce(withSlip, text)
      const { syntax, diagnostics: read } = readScenario('functions/some.yml', broken)
      if (syntax === undefined) return
      const { scenario, diagnostics } = analyse(syntax)
      if (scenario !== undefined) soundCount++
      expect(scenario === undefined).toBe(diagnostics.some(({ severity }) => severity === 'error'))
      for (const { range, notes, message } of [...read, ...diagnostics]) {
        expect(message).not.toMatch(/undefined|\[object/)
        for (const place of [range, ...notes.flatMap(note => note.range ?? [])]) {
          expect(place.start).toBeGreaterThanOrEqual(0)
          expect(place.end).toBeGreaterThanOrEqual(place.start)
          expect(place.end).toBeLessThanOrEqual(broken.length)
        }
      }
    }),
    { numRuns: 200, seed: 7 },
  )
  // Some slips do no harm: the test has seen both sides.
  expect(soundCount).toBeGreaterThan(10)
  // Seconds on a busy machine.
}, 30_000)

function withSlip(text: string, { kind, at, other }: { kind: string; at: number; other: number }): string {
  const words = [...text.matchAll(/[\w.]+|[^\s\w]/g)]
  const word = words[at % words.length]!
  const stranger = words[other % words.length]![0]
  const before = text.slice(0, word.index)
  const after = text.slice(word.index + word[0].length)
  switch (kind) {
    case 'remove':
      return before + after
    case 'double':
      return `${before}${word[0]} ${word[0]}${after}`
    case 'swap':
      return `${before}${stranger}${after}`
    default:
      return `${before}${word[0].slice(1)}x${after}`
  }
}
