// What an item of DynamoDB, of 400 KB, asks of state: notes of a lock that are longer, and caps of more places; and a claim between two of its calls.
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { GetItemCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDynamoDbStateAdministration } from '../../../lib/connectors/state-administration-dynamodb.ts'
import { connectDynamoDbState } from '../../../lib/connectors/state-dynamodb.ts'
import type { StatePort, StateWrite } from '../../../lib/runtime/ports.ts'
import { type RunningState, stores } from './stores.ts'
import { answersTo, claimed, hour, lockOf } from './writes.ts'

const deadline = { remainingMs: () => 60_000 }
let running: RunningState
let state: StatePort

beforeAll(async () => {
  running = await stores.find(({ name }) => name === 'DynamoDB')!.start()
  state = running.state
})
afterAll(async () => {
  await running.stop()
})

/** A key of 2,000 bytes. */
const longKey = (scope: string, entry: string, n: number) =>
  `sluice:${scope}:${entry}/${String(n).padStart(6, '0')}${'ł'.repeat(975)}`

function item(scope: string, n: number, at: number, head = `{"at":${at}}`): StateWrite['items'][number] {
  return { key: longKey(scope, 'visit', n), base: null, head, at: BigInt(at) }
}

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => from + n)

describe('a batch that changes more keys than a lock can note', () => {
  const write = (scope: string, token: string, ns: readonly number[], { from = 0, to = 9, asked = ns.slice(0, 50) } = {}) =>
    answersTo(state, {
      lock: lockOf(0, scope),
      token,
      from,
      to,
      items: ns.map(n => item(scope, n, to)),
      caps: asked.map(n => ({ key: longKey(scope, 'few', n) })),
      asks: asked.map((_, cap) => ({ offset: to, caps: [{ cap }] })),
    })
  const noted = async (scope: string) => {
    const { leftovers, caps, token, last } = await state.claim(lockOf(0, scope), deadline)
    return { token, last, left: leftovers.size, caps: caps.size, keys: [...leftovers.keys()] }
  }

  test('the next claim knows all of them, each time: long notes, longer, short, and long again', async () => {
    const scope = 'long.1'
    const token = await claimed(state, lockOf(0, scope))
    expect(await write(scope, token, numbers(0, 160))).toEqual(numbers(0, 50).map(() => '1/1'))
    const first = await noted(scope)
    expect(first).toMatchObject({ last: 9n, left: 160, caps: 50 })
    await write(scope, first.token, numbers(100, 310), { to: 19 })
    const second = await noted(scope)
    expect(second).toMatchObject({ last: 19n, left: 210, caps: 50 })
    await write(scope, second.token, numbers(0, 3), { from: 20, to: 29, asked: [] })
    const third = await noted(scope)
    expect(third).toMatchObject({ last: 29n, left: 3, caps: 0, keys: numbers(0, 3).map(n => longKey(scope, 'visit', n)) })
    await write(scope, third.token, numbers(100, 260), { from: 20, to: 39 })
    expect(await noted(scope)).toMatchObject({ last: 39n, left: 160, caps: 50 })
  })

  test('a zombie writes no page that counts, and its own come to nothing', async () => {
    const scope = 'zombie.1'
    const token = await claimed(state, lockOf(0, scope))
    await write(scope, token, numbers(0, 160))
    const newer = await claimed(state, lockOf(0, scope))
    expect(await write(scope, token, numbers(160, 320), { to: 19 })).toBe('stale')
    expect(await write(scope, newer, numbers(0, 155), { to: 19 })).toHaveLength(50)
    expect(await write(scope, token, numbers(160, 320), { to: 29 })).toBe('stale')
    expect(await noted(scope)).toMatchObject({ last: 19n, left: 155 })
  })

  test('who erases a key erases it from all pages, also those that no longer count', async () => {
    const scope = 'erased.1'
    await write(scope, await claimed(state, lockOf(0, scope)), numbers(0, 160))
    await write(scope, (await noted(scope)).token, numbers(0, 170), { to: 19 })
    const administration = openDynamoDbStateAdministration(running.dynamoDb!)
    const token = await claimed(state, lockOf(0, scope))
    const what = { kind: 'remember', owner: 'app.visits/0' } as const
    const key = longKey(scope, 'visit', 155)
    expect(await administration.erase(key, [{ lock: lockOf(0, scope), token }], what, deadline)).toBe('erased')
    await administration.close()
    const after = await noted(scope)
    expect([after.left, after.keys.includes(key)]).toEqual([169, false])
    const pages = await Promise.all(['a/0', 'a/1', 'b/0', 'b/1'].map(page => itemText(`sluice:${scope}@app.visits/0#${page}`)))
    expect(pages.map(text => [text.includes('visit/000100'), text.includes('visit/000155')])).toEqual(
      pages.map((_, page) => [page % 2 === 0, false]),
    )
  })

  async function itemText(id: string): Promise<string> {
    const { endpoint, table, region, credentials } = running.dynamoDb!
    const { DynamoDBClient } = await import('@aws-sdk/client-dynamodb')
    const client = new DynamoDBClient({ endpoint: endpoint!, region: region!, credentials: credentials! })
    const { Item } = await client.send(new GetItemCommand({ TableName: table, Key: { id: { S: id } } }))
    client.destroy()
    return JSON.stringify(Item)
  }
})

describe('a cap with as many places as an item takes', () => {
  const caps = (scope: string, within = false) => [
    { key: `sluice:${scope}:few/all`, ...(within && { withinMs: hour, expiresMs: hour }) },
  ]
  /** With members of 1,000 bytes 300 places are some 330 KB. */
  const ask = (n: number, timeMs = 0) => ({
    offset: n,
    timeMs,
    caps: [{ cap: 0, limit: 10_000, member: `${n} ${'m'.repeat(1000)}` }],
  })

  test('is full: told so, nothing is granted, and it goes on where places are given back or have expired', async () => {
    const scope = 'full.1'
    const lock = lockOf(0, scope)
    const token = await claimed(state, lock)
    const answers = (await answersTo(state, {
      lock,
      token,
      from: 0,
      to: 399,
      caps: caps(scope),
      asks: numbers(0, 400).map(n => ask(n)),
    })) as readonly string[]
    expect([answers[0], answers[299], answers[399]]).toEqual(['1/1', '300/300', 'full by 0'])
    expect(new Set(answers.slice(answers.indexOf('full by 0')))).toEqual(new Set(['full by 0']))
    // Not committed: the same again, and what is asked for less.
    const again = await answersTo(state, {
      lock,
      token,
      from: 0,
      to: 399,
      caps: [{ ...caps(scope)[0]!, until: 399n }],
      asks: [ask(399)],
    })
    expect(again).toEqual(['1/1'])
    const other = lockOf(1, scope)
    const theirs = await claimed(state, other)
    const old = numbers(0, 400).map(n => ask(n, hour))
    await answersTo(state, { lock: other, token: theirs, from: 0, to: 399, caps: caps(scope, true), asks: old })
    const late = { from: 400, to: 400, caps: caps(scope, true) }
    expect(await answersTo(state, { lock: other, token: theirs, ...late, asks: [ask(400, hour + 1)] })).toEqual(['full by 0'])
    expect(await answersTo(state, { lock: other, token: theirs, ...late, asks: [ask(400, 3 * hour)] })).toEqual(['1/1'])
  })

  test('is not, where what fills it lies outside the window: the oldest are forgotten', async () => {
    const scope = 'window.1'
    const lock = lockOf(0, scope)
    const token = await claimed(state, lock)
    const window = [{ ...caps(scope)[0]!, withinMs: hour, expiresMs: 1000 * hour }]
    const minutes = (n: number) => ask(n, n * 600_000)
    const two = (ns: readonly number[]) =>
      answersTo(state, { lock, token, from: ns[0]!, to: ns.at(-1)!, caps: window, asks: ns.map(minutes) })
    expect(new Set(await two(numbers(0, 250)))).toEqual(
      new Set(['1/1', '2/2', '3/3', '4/4', '5/5', '6/6', '1/6', '2/6', '3/6', '4/6', '5/6']),
    )
    expect(await two(numbers(250, 500))).not.toContain('full by 0')
    // Within the last days it still knows: a record from 10 hours before sees those of its hour.
    const late = { ...minutes(440), offset: 500 }
    expect(await answersTo(state, { lock, token, from: 500, to: 500, caps: window, asks: [late] })).toEqual(['refused by 0'])
  })

  test('of two caps that go together the one that has room gives nothing', async () => {
    const scope = 'both.1'
    const lock = lockOf(0, scope)
    const token = await claimed(state, lock)
    const two = [...caps(scope), { key: `sluice:${scope}:other/all` }]
    await answersTo(state, { lock, token, from: 0, to: 399, caps: two, asks: numbers(0, 400).map(n => ask(n)) })
    const both = { offset: 400, caps: [{ cap: 1 }, { ...ask(400).caps[0]! }] }
    const alone = { offset: 401, caps: [{ cap: 1 }] }
    expect(await answersTo(state, { lock, token, from: 400, to: 401, caps: two, asks: [both, alone] })).toEqual([
      'full by 1',
      '1/1',
    ])
  })
})

describe('what the last owner writes while another claims', () => {
  let proxy: Server
  let before: (body: string) => Promise<void> = async () => undefined

  beforeAll(async () => {
    const target = new URL(running.dynamoDb!.endpoint!)
    proxy = createServer((incoming, outgoing) => {
      const chunks: Buffer[] = []
      incoming.on('data', chunk => chunks.push(chunk))
      incoming.on('end', async () => {
        const body = Buffer.concat(chunks)
        await before(body.toString())
        const { method, url, headers } = incoming
        const forwarded = request({ host: target.hostname, port: target.port, method, path: url, headers }, answer => {
          outgoing.writeHead(answer.statusCode!, answer.headers)
          answer.pipe(outgoing)
        })
        forwarded.end(body)
      })
    })
    await new Promise<void>(resolve => proxy.listen(0, '127.0.0.1', resolve))
  })
  afterAll(async () => {
    proxy.closeAllConnections()
    await new Promise(resolve => proxy.close(resolve))
  })

  test('the claim knows of it: what it changed is left over', async () => {
    const lock = lockOf(0, 'between.1')
    const token = await claimed(state, lock)
    await answersTo(state, { lock, token, from: 0, to: 3 })
    const { port } = proxy.address() as AddressInfo
    const other = connectDynamoDbState({ ...running.dynamoDb!, endpoint: `http://127.0.0.1:${port}` })
    const items = [{ key: 'sluice:between.1:visit/c-1', base: null, head: '{"n":1}', at: 9n }]
    let written: unknown
    before = async body => {
      if (!body.includes('UpdateExpression') || written !== undefined) return
      written = 'on its way'
      written = await answersTo(state, { lock, token, from: 4, to: 9, items })
    }
    const { last, leftovers } = await other.claim(lock, deadline)
    await other.close()
    expect(written).toEqual([])
    expect([last, [...leftovers.keys()]]).toEqual([9n, ['sluice:between.1:visit/c-1']])
  })
})
