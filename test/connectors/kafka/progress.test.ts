// `npx sluice progress` on the new and the old group coordinator.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { type LocalKafka, startKafka } from '../../../infra/local/kafka.ts'
import { main } from '../../../lib/cli/main.ts'
import { createKafka } from '../../../lib/connectors/kafka/producer.ts'
import { Fenced } from '../../../lib/runtime/ports.ts'
import { claim, freshPlace, output, type Place, within, write } from './outputs.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluice-progress-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function sluice(broker: string | undefined, ...words: readonly string[]) {
  let out = ''
  let error = ''
  const code = await main(['progress', ...words], {
    out: text => {
      out += text
    },
    error: text => {
      error += text
    },
    colors: false,
    environment: broker === undefined ? {} : { SLUICE_KAFKA: broker },
    stop: new AbortController().signal,
  })
  return { code, out, error }
}

/** A scenario on a topic of its own with 30 records, of which 10 are done. */
async function scenarioAt(broker: string) {
  const place = await freshPlace(broker)
  const name = place.group.replace(/^sluice\.|\.1$/g, '')
  const file = join(folder, `${name}.yml`)
  writeFileSync(
    file,
    `scenario: ${name}
description: Counts
source: { topic: ${place.source.topic}, event: { n: int } }
sinks:
  counted: { topic: ${place.target}, key: string(event.n), value: { n: event.n } }
`,
  )
  const kafka = createKafka({ bootstrapServers: broker, clientId: 'test' })
  // Its records, written by ourselves.
  const source: Place = { ...place, transactionalId: `${place.transactionalId}/source`, group: `${place.group}.source` }
  const { session } = await claim(kafka, source)
  const records = Array.from({ length: 30 }, (_, n) => output(place.source.topic, `${n}`))
  await kafka.transact(session, { group: source.group, progress: source.source, nextOffset: 0n, records }, within(20_000))
  const owner = await claim(kafka, place)
  await write(
    kafka,
    place,
    owner.session,
    0,
    Array.from({ length: 10 }, (_, n) => `${n}`),
  )
  return { place, file, kafka, owner }
}

describe.each(['4.2.2', '3.9.2'])('Kafka %s', version => {
  let own: LocalKafka | undefined
  let broker: string
  beforeAll(async () => {
    own = version === '4.2.2' ? undefined : await startKafka({ version })
    broker = own?.bootstrapServers ?? inject('kafka')
  })
  afterAll(() => own?.stop())

  test('--init makes the topic for progress once', async () => {
    const first = await sluice(broker, '--init')
    expect(first.code).toBe(0)
    expect(first.out).toMatch(/The topic sluice-progress (was made|is there already), with 32 partitions/)
    expect(await sluice(broker, '--init')).toMatchObject({ code: 0, out: expect.stringContaining('is there already, with 32') })
  })

  test('shows position, end and rest, also for programs', async () => {
    const { file, place, kafka } = await scenarioAt(broker)
    await kafka.close()
    const { topic } = place.source
    expect(await sluice(broker, file)).toEqual({
      code: 0,
      error: '',
      // The marker of the transaction that wrote the records has an offset as well.
      out: `${topic}, by the progress of ${place.group}\n  partition  position  end  to do\n          0        10   31  21\n`,
    })
    expect(await sluice(broker, file, '--format', 'json')).toEqual({
      code: 0,
      error: '',
      out: `{"topic":"${topic}","partition":0,"position":10,"end":31,"behind":21}\n`,
    })
  })

  test.each([
    ['4', 4n, 'Records 4 to 9 are decided and emitted again, if the mapping delivers them.'],
    ['20', 20n, 'Records from 10 up to 19 count as done and are skipped.'],
    ['end', 31n, 'Records from 10 up to 30 count as done and are skipped: all there are.'],
    ['none', undefined, 'All that the mapping delivers is decided, also what was decided before.'],
  ])('--reset %s: told first, done with --yes, and whoever runs is fenced', async (to, position, words) => {
    const { file, place, kafka, owner } = await scenarioAt(broker)
    const change = `${place.source.topic}-0: 10 → ${position ?? 'none'}. ${words}\n`
    expect(await sluice(broker, file, '--reset', to)).toMatchObject({
      code: 1,
      out: expect.stringContaining(`${change}Nothing was changed yet`),
    })
    expect((await sluice(broker, file)).out).toContain(' 10 ')

    expect(await sluice(broker, file, '--reset', to, '--yes')).toEqual({ code: 0, error: '', out: change })
    // A warm container remembers the old position: it must not go on from there.
    await expect(write(kafka, place, owner.session, 10, ['late'])).rejects.toBeInstanceOf(Fenced)
    const next = await claim(kafka, place)
    expect(next.position).toBe(position)
    await write(kafka, place, next.session, Number(position ?? 0), ['x'])
    expect((await claim(kafka, place)).position).toBe((position ?? 0n) + 1n)
    await kafka.close()
  })

  test('a position beyond the end is told, and is never set', async () => {
    const { file, place, kafka, owner } = await scenarioAt(broker)
    await write(kafka, place, owner.session, 98, ['x'])
    await kafka.close()
    expect(await sluice(broker, file)).toMatchObject({
      code: 1,
      out: expect.stringContaining('68 BEYOND THE END: the topic was recreated'),
    })
    expect(await sluice(broker, file, '--reset', '32', '--yes')).toMatchObject({
      code: 2,
      error: expect.stringContaining('position 32 lies beyond'),
    })
    expect(await sluice(broker, file, '--reset', 'none', '--yes')).toMatchObject({ code: 0 })
    expect(await sluice(broker, file)).toMatchObject({ code: 0, out: expect.stringContaining('nothing is committed') })
  })
})

describe('wrong use', () => {
  test.each([
    [['--init'], undefined, 'SLUICE_KAFKA is not set'],
    [[], '127.0.0.1:1', 'Name a scenario, or use --init'],
    [['telecom-campaign', '--init'], '127.0.0.1:1', 'Name a scenario, or use --init'],
    [['telecom-campaign', '--reset', 'soon'], '127.0.0.1:1', '"--reset" takes none, end or an offset, found "soon"'],
    [['telecom-campaign', '--yes'], '127.0.0.1:1', '"--yes" goes with --reset alone'],
  ])('%j', async (words, broker, message) => {
    expect(await sluice(broker, ...words)).toMatchObject({ code: 2, error: expect.stringContaining(message) })
  })

  test('a topic that is not there', async () => {
    const file = join(folder, 'nowhere.yml')
    writeFileSync(
      file,
      'scenario: nowhere\ndescription: Nothing\nsource: { topic: nowhere, event: { n: int } }\nsinks:\n  counted: { topic: out, key: string(event.n), value: { n: event.n } }\n',
    )
    expect(await sluice(inject('kafka'), file)).toMatchObject({
      code: 1,
      error: expect.stringContaining('Kafka has no topic "nowhere". Create the topic'),
    })
  })
})
