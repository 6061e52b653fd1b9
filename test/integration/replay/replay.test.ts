// `npx sluice replay` on the real broker: dead letters by reason, time and coordinates, once each.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest'
import { main } from '../../../lib/cli/main.ts'
import { type ReplayPlace, record, replayPlace } from './place.ts'

let place: ReplayPlace
beforeEach(async () => {
  place = await replayPlace(inject('kafka'))
})
afterEach(() => place.remove())

/** Offsets 1 and 4 are good; 0 and 3 have a text for "n", 2 none, 5 is no JSON. */
async function sixRecords() {
  const values = ['{"n":"0"}', '{"n":1}', '{}', '{"n":"3"}', '{"n":4}', '?']
  await place.decide(values.map((value, offset) => record(place.source, offset, value)))
  expect(await place.outputs()).toEqual([good(1), good(4)])
}
const good = (offset: number) => `0/${offset}/counted/0 {"n":${offset},"at":"2026-01-01T12:0${offset}:00Z"}`
const repaired = (offset: number) => `0/${offset}/counted/0 {"n":"${offset}","at":"2026-01-01T12:0${offset}:00Z"}`

describe('chosen', () => {
  test.each([
    ['all', [], [0, 3], 2],
    ['by reason', ['--reason', 'wrong-type'], [0, 3], 0],
    ['by another reason', ['--reason', 'missing-field'], [], 1],
    ['since', ['--since', '2026-01-01T12:03:00Z'], [3], 1],
    ['until', ['--until', '2026-01-01T12:03:00Z'], [0], 1],
    ['between', ['--since', '2026-01-01T12:01:00Z', '--until', '2026-01-01T12:04:00Z'], [3], 1],
    ['in the last hour, in which none came', ['--since', '1h'], [], 0],
  ] as const)('%s', async (_, words, sent, failed) => {
    await sixRecords()
    place.rules({ type: 'string' })
    const { code, out, error } = await place.sluice(...words)
    expect(error).toBe('')
    expect(out).toContain(`${sent.length} sent, 0 dropped, ${failed} still dead letters\n`)
    expect(code).toBe(failed > 0 ? 1 : 0)
    expect(await place.outputs()).toEqual([good(1), good(4), ...sent.map(repaired)])
  })

  test('by coordinates, also several', async () => {
    await sixRecords()
    place.rules({ type: 'string' })
    const at = (offset: number) => `${place.source}-0@${offset}`
    expect(await place.sluice(at(3))).toMatchObject({
      code: 0,
      out: expect.stringContaining(`${at(3)}  wrong-type at n  → ${place.target}\n`),
    })
    expect(await place.outputs()).toEqual([good(1), good(4), repaired(3)])
    // Out of order: what was sent is no watermark.
    expect(await place.sluice(at(3), at(0))).toMatchObject({
      code: 0,
      out: expect.stringContaining('1 sent, 0 dropped, 0 still'),
    })
    expect(await place.outputs()).toEqual([good(1), good(4), repaired(3), repaired(0)])
  })

  test('coordinates that no dead letter has are told', async () => {
    await sixRecords()
    expect(await place.sluice(`${place.source}-0@1`)).toEqual({
      code: 1,
      error: '',
      out: `sluice.${place.name}.1: 0 dead letters in ${place.deadLetters}
${place.source}-0@1 is not among them: no dead letter of this scenario fits, or retention has removed it
0 sent, 0 dropped, 0 still dead letters
`,
    })
  })
})

describe('once each', () => {
  test('run twice', async () => {
    await sixRecords()
    place.rules({ type: 'string' })
    await place.sluice('--reason', 'wrong-type')
    expect(await place.sluice('--reason', 'wrong-type')).toEqual({
      code: 0,
      error: '',
      out: `sluice.${place.name}.1: 0 dead letters in ${place.deadLetters}
2 others were replayed already
0 sent, 0 dropped, 0 still dead letters
`,
    })
    expect(await place.outputs()).toEqual([good(1), good(4), repaired(0), repaired(3)])
  })

  test('what fails again stays the dead letter that it is', async () => {
    await sixRecords()
    const before = await place.read(place.deadLetters)
    expect(before).toHaveLength(4)
    const { code, out } = await place.sluice()
    expect(code).toBe(1)
    expect(out).toContain(`${place.source}-0@5  invalid-json  stays a dead letter: [invalid-json] the value is not JSON\n`)
    expect(out).toContain('0 sent, 0 dropped, 4 still dead letters\n')
    expect(await place.read(place.deadLetters)).toEqual(before)
    place.rules({ type: 'string' })
    expect((await place.sluice('--reason', 'wrong-type')).out).toContain('2 sent')
  })

  test('what a filter drops now is done, too', async () => {
    await sixRecords()
    place.rules({ type: 'string', more: 'filter: { wanted: event.n != "3" }\n' })
    const { out } = await place.sluice('--reason', 'wrong-type')
    expect(out).toContain(`${place.source}-0@3  wrong-type at n  dropped by wanted\n1 sent, 1 dropped, 0 still dead letters\n`)
    expect((await place.sluice('--reason', 'wrong-type')).out).toContain('2 others were replayed already')
  })

  test('two at once: each record comes out once', async () => {
    const count = 250
    await place.decide(Array.from({ length: count }, (_, offset) => record(place.source, offset, `{"n":"${offset}"}`)))
    place.rules({ type: 'string' })
    const both = await Promise.all([place.sluice(), place.sluice()])
    // One of them may have taken the other's place.
    if (both.some(({ code }) => code !== 0)) await place.sluice()
    const offsets = (await place.outputs()).map(line => Number(line.split('/')[1]))
    expect(offsets.sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, offset) => offset))
  })
})

describe('the record as it was', () => {
  test('key, value, headers, time and place, also headers that look like ours', async () => {
    const headers = [
      { name: 'sluice-reason', value: Buffer.from('of its own') },
      { name: 'trace', value: Buffer.from([0, 255]) },
      { name: 'trace', value: Buffer.from('b') },
    ]
    await place.decide([record(place.source, 7, '{"n":"7"}', { headers, key: Buffer.from([1, 2]) })])
    const { out, error } = await place.sluice('--show', '--format', 'json')
    expect(error).toBe('')
    expect(JSON.parse(out)).toEqual({
      from: `${place.source}-0@7`,
      deadLetter: `${place.deadLetters}-0@0`,
      reason: 'wrong-type',
      at: 'n',
      timestamp: '2026-01-01T12:07:00.000Z',
      message: expect.stringContaining('n'),
      replayed: false,
      key: 'AQI=',
      value: 'eyJuIjoiNyJ9',
      headers: [
        ['sluice-reason', 'b2YgaXRzIG93bg=='],
        ['trace', 'AP8='],
        ['trace', 'Yg=='],
      ],
    })
  })

  test('--show shows it and sends nothing', async () => {
    await sixRecords()
    place.rules({ type: 'string' })
    const { code, out } = await place.sluice('--show', '--reason', 'missing-field')
    expect(code).toBe(0)
    expect(out).toContain(`${place.source}-0@2  missing-field at n\n`)
    expect(out).toContain('  value   {}  (2 bytes)\n')
    expect(out).toContain(`1 dead letter in ${place.deadLetters}\n`)
    expect(await place.outputs()).toEqual([good(1), good(4)])
  })
})

describe('wrong use', () => {
  test.each([
    [['somewhere'], '"somewhere" is not where a record stands: topic-partition@offset'],
    [['--since', 'yesterday'], '"--since" takes a time'],
    [['--since', '2026-01-01T12:00:00'], '"--since" takes a time'],
    [['--reason', 'wrong-typ'], 'Did you mean "wrong-type"?'],
  ] as const)('%j', async (words, message) => {
    expect(await place.sluice(...words)).toMatchObject({ code: 2, error: expect.stringContaining(message) })
  })
})

describe('killed', () => {
  test('before or after any request that writes: run again, each record comes out once', async () => {
    const records = Array.from({ length: 150 }, (_, offset) => record(place.source, offset, `{"n":"${offset}"}`))
    await place.decide(records)
    place.rules({ type: 'string' })
    let deaths = 0
    for (;;) {
      const { signal, code } = await killedReplay(place.file, deaths + 1)
      if (signal !== 'SIGKILL') {
        expect(code).toBe(0)
        break
      }
      deaths++
    }
    // Fence, outputs and commit of the first batch, each before it is sent and after its answer; more where a fence asks again.
    expect(deaths).toBeGreaterThanOrEqual(6)
    const offsets = (await place.outputs()).map(line => Number(line.split('/')[1]))
    expect(offsets.sort((a, b) => a - b)).toEqual(Array.from({ length: 150 }, (_, offset) => offset))
    expect((await place.sluice()).out).toContain('150 others were replayed already')
  }, 120_000)
})

function killedReplay(file: string, diesAt: number): Promise<{ readonly signal: string | null; readonly code: number | null }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'killed.ts'), file, String(diesAt)], {
    env: { ...process.env, SLUICE_KAFKA: inject('kafka') },
    stdio: 'ignore',
  })
  return new Promise(resolve => child.once('exit', (code, signal) => resolve({ code, signal })))
}

test('a scenario with state is not sent: a late record would be judged by what later ones left', async () => {
  let error = ''
  const code = await main(['replay', 'client-near-pos'], {
    out: () => undefined,
    error: text => {
      error += text
    },
    colors: false,
    environment: { SLUICE_KAFKA: inject('kafka') },
    stop: new AbortController().signal,
  })
  expect(code).toBe(1)
  expect(error).toMatch(
    /^"client-near-pos" has state, .* Either let the producer send those records to "\S+" again: .* Or raise "generation": /,
  )
})
