// Whatever is written in a table is read or refused: no text makes the analysis throw, and each place lies within the text.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { analysed } from './sources.ts'

const scraps = [
  '|',
  '||',
  ' | ',
  '-',
  '---',
  '= ',
  '=',
  '!= ',
  '>= ',
  '<',
  '[',
  ')',
  '..',
  ',',
  '"',
  "'",
  '\\',
  '\n',
  ' ',
  'missing',
  'gold',
  '5',
  '0.5',
  'true',
  'y',
  ': int',
  '😀',
  'event.count',
  'abroad',
]
const texts = fc.array(fc.constantFrom(...scraps), { maxLength: 25 }).map(parts => parts.join(''))

test.each<[string, (text: string) => string]>([
  ['as a whole table', text => `|${text}`],
  ['as rows', text => `| event.kind | event.?country || y |\n${text}`],
  ['as an input cell', text => `| event.count || y |\n| ${text.replace(/[|\n]/g, '')} || 1 |`],
  ['as an output cell', text => `| abroad || y |\n| - || ${text.replace(/\n/g, '')} |`],
])('nonsense %s', (_, tableOf) => {
  fc.assert(
    fc.property(texts, fc.constantFrom('unique', 'any', 'first', 'collect'), (text, hitPolicy) => {
      const table = tableOf(text)
      const { decision, diagnostics } = analysed({ hitPolicy, table })
      expect(decision === undefined).toBe(diagnostics.some(({ severity }) => severity === 'error'))
      for (const { range, message } of diagnostics) {
        expect(range.start).toBeLessThanOrEqual(range.end)
        expect(range.end).toBeLessThanOrEqual(table.length)
        expect(message).not.toMatch(/undefined|\{\w+\}|\[object/)
      }
    }),
    { seed: 20261125, numRuns: 500 },
  )
})

test('CSV of nonsense', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('"', ',', ',,', '\n', '\r\n', 'abroad', 'y', '5', '-', ' '), { maxLength: 30 }),
      parts => {
        const { decision, diagnostics } = analysed({ hitPolicy: 'collect', table: 'a.csv' }, () => `abroad,,y\n${parts.join('')}`)
        expect(decision === undefined).toBe(diagnostics.length > 0)
      },
    ),
    { seed: 20261125, numRuns: 300 },
  )
})
