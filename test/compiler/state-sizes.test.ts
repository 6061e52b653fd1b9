// What a remember entry may leave has at most 16 KB of JSON. Compiled plans know of most values that they fit without writing them: they may
// doubt, but never be wrong.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { loadCompiled } from '../../lib/cli/compiled.ts'
import { openScenario } from '../../lib/cli/scenario-file.ts'
import type { RememberPlan } from '../../lib/plan/plan.ts'

const text = `scenario: state-sizes
source: { topic: visits, event: { id: string } }
state:
  counted: { key: event.id, fields: { count: int = 0, at?: timestamp }, when: true, set: { count: counted.count + 1 } }
  noted: { key: event.id, fields: { kind: NEW | OLD = NEW, text: string = "", more?: string }, when: true, set: { text: event.id } }
  listed: { key: event.id, fields: { all?: list<string>, count: int = 0 }, when: true, set: { count: listed.count + 1 } }
sinks:
  out: { topic: out, key: event.id, value: { count: counted.count } }
`

const folder = mkdtempSync(join(tmpdir(), 'sluice-state-sizes-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
writeFileSync(join(folder, 'state-sizes.yml'), text)
const { plan } = await loadCompiled(openScenario(join(folder, 'state-sizes.yml')))
const entry = (name: string): RememberPlan => plan.state!.remember.find(one => one.name === name)!

test.each([
  ['numbers and times alone', 'counted', { count: 9_007_199_254_740_991, at: undefined }, true],
  ['a short text', 'noted', { kind: 'NEW', text: 'hello', more: undefined }, true],
  ['two short texts', 'noted', { kind: 'OLD', text: 'hello', more: 'there' }, true],
  ['a long text, which may fit', 'noted', { kind: 'NEW', text: 'x'.repeat(3000), more: undefined }, false],
  ['texts that are long together', 'noted', { kind: 'NEW', text: 'x'.repeat(1500), more: 'y'.repeat(1500) }, false],
  ['a list', 'listed', { all: ['hello'], count: 1 }, undefined],
])('%s', (_, name, value, isSmall) => {
  expect(entry(name).isSmall?.(value)).toBe(isSmall)
})

test('what counts as small fits, of whatever characters it is', () => {
  const { isSmall, encode } = entry('noted')
  for (const character of ['x', '\u0001', '"', 'ł', '\uD83D\uDE00', '\uD800']) {
    for (let length = 2500; length < 2800; length++) {
      const value = { kind: 'NEW', text: character.repeat(length), more: undefined }
      if (isSmall!(value)) expect(Buffer.byteLength(encode(value))).toBeLessThanOrEqual(16_384)
    }
  }
})
