// What dead letters hide is part of the compiled plan.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { loadCompiled, loadInterpreted } from '../../lib/cli/compiled.ts'
import { openScenario } from '../../lib/cli/scenario-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluice-redaction-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }

test('compiled and interpreted, a dead letter hides what is named and keeps the rest byte for byte', async () => {
  const file = join(folder, 'private.yml')
  writeFileSync(
    file,
    `scenario: private
description: Hides an address.
source: { topic: people, event: { id: int, address: { street: string } } }
deadLetters: { redact: [event.address.street, key, headers.token] }
sinks:
  people: { topic: out, key: event.id, value: { id: event.id } }
`,
  )
  const compiled = await loadCompiled(openScenario(file))
  const event = {
    eventSource: 'aws:kafka',
    records: {
      'people-0': [
        {
          ...{ topic: 'people', partition: 0, offset: 1, timestamp: 1000, timestampType: 'CREATE_TIME', key: 'aw==' },
          value: Buffer.from('{ "id": "x", "address": {"street":"Main St 1", "zip": 1.0} }').toString('base64'),
          headers: [{ token: [1] }, { trace: [2] }],
        },
      ],
    },
  }
  for (const { embed, plan } of [compiled, loadInterpreted(compiled.scenario)]) {
    const { handler, kafka } = embed(plan, { lookups: {}, log: silent })
    await (handler as (event: unknown, context: unknown) => Promise<unknown>)(event, { getRemainingTimeInMillis: () => 10_000 })
    const [letter] = kafka.committed
    expect(letter!.key).toBe(null)
    expect(Buffer.from(letter!.value!).toString()).toBe('{ "id": "x", "address": {"street":"[redacted]", "zip": 1.0} }')
    expect(letter!.headers.slice(0, 2).map(({ name, value }) => [name, Buffer.from(value!).toString('latin1')])).toEqual([
      ['token', '[redacted]'],
      ['trace', '\u0002'],
    ])
    expect(letter!.headers.map(({ name }) => name).slice(2)).toEqual([
      ...['sluice-reason', 'sluice-at', 'sluice-coordinates', 'sluice-scenario', 'sluice-message'],
      ...['sluice-redacted', 'sluice-idempotency-key'],
    ])
  }
})
