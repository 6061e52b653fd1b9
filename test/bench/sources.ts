// Look-ups from sources other than Redis over TCP: 1,000 distinct keys of 300 B by the connector, beside the least that any client of the same
// protocol must do. Servers run in another process; results are compared first, then all take turns.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { BatchGetItemCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { startIgnite } from '../../infra/local/ignite.ts'
import { connectDynamoDb } from '../../lib/connectors/dynamodb.ts'
import { connectHttp } from '../../lib/connectors/http.ts'
import { connectIgnite } from '../../lib/connectors/ignite.ts'
import { connectUpstash } from '../../lib/connectors/upstash.ts'
import type { LookupPort, LookupRequest } from '../../lib/runtime/ports.ts'
import { assertSame, type Figure, figures, median } from './measure.ts'

const keyCount = 1000
const runs = 31
const warmUps = 30
const value = '{"segment":"gold","score":12,"note":"'.padEnd(298, 'x').concat('"}')
const ids = Array.from({ length: keyCount }, (_, k) => `c-${k}`)
const keys = ids.map(id => `customer:${id}`)
const deadline = { remainingMs: () => 10_000 }
const region = 'eu-central-1'
const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }

interface Pair {
  readonly source: string
  readonly connector: () => Promise<readonly unknown[]>
  readonly baselineName: string
  readonly baseline: () => Promise<readonly unknown[]>
  readonly wanted: readonly unknown[]
}

export async function sources(): Promise<readonly Figure[]> {
  const ends: (() => unknown)[] = []
  try {
    const addresses = await startServers(ends)
    const pairs = [
      upstashPair(addresses.upstash, ends),
      dynamoPair(addresses.dynamodb, ends),
      httpPair(addresses.http, ends),
      await ignitePair(ends),
    ]
    for (const { source, connector, baseline, wanted } of pairs) {
      assertSame(source, await connector(), wanted)
      assertSame(`${source}, baseline`, await baseline(), wanted)
    }
    const measured: Figure[] = []
    for (const pair of pairs) measured.push(...(await measurePair(pair)))
    return measured
  } finally {
    for (const end of ends.toReversed()) await end()
  }
}

async function measurePair({ source, connector, baseline, baselineName }: Pair): Promise<readonly Figure[]> {
  const contenders = [connector, baseline]
  const names = [`sources/${source}`, `sources/${source}: ${baselineName}`]
  const wallMs: number[][] = [[], []]
  const cpuMs: number[][] = [[], []]
  for (let n = -warmUps; n < runs; n++) {
    for (let turn = 0; turn < 2; turn++) {
      // Each is first in turn.
      const c = (turn + n + warmUps) % 2
      const cpu = process.cpuUsage()
      const startedMs = performance.now()
      await contenders[c]!()
      const tookMs = performance.now() - startedMs
      const { user, system } = process.cpuUsage(cpu)
      if (n < 0) continue
      wallMs[c]!.push(tookMs)
      cpuMs[c]!.push((user + system) / 1000)
    }
  }
  return [
    ...figures(
      names.map((name, c) => ({ name, value: (keyCount / median(wallMs[c]!)) * 1000 })),
      { unit: 'items/s', runs },
    ),
    ...figures(
      names.map((name, c) => ({ name, value: (median(cpuMs[c]!) * 1000) / keyCount })),
      { unit: 'µs CPU per item (client)', runs },
    ),
  ]
}

async function startServers(ends: (() => unknown)[]): Promise<{ upstash: string; dynamodb: string; http: string }> {
  const script = fileURLToPath(new URL('source-servers.ts', import.meta.url))
  const child = spawn(process.execPath, [script, String(keyCount), value], { stdio: ['pipe', 'pipe', 'inherit'] })
  ends.push(async () => {
    child.stdin.end()
    if (child.exitCode === null) await once(child, 'exit')
  })
  const lines = createInterface(child.stdout)
  const line = await Promise.race([once(lines, 'line'), once(child, 'exit')])
  if (typeof line[0] !== 'string') throw new Error('the servers did not start')
  return JSON.parse(line[0])
}

const asked = async (port: LookupPort, request: LookupRequest) => (await port.lookupMany([request], deadline))[0]!
const texts = { command: { kind: 'string' }, keys } as const

function upstashPair(url: string, ends: (() => unknown)[]): Pair {
  const port = connectUpstash({ url, scenario: 'bench' })
  ends.push(() => port.close())
  const { origin, password } = new URL(url.replace(/^upstash\+/, ''))
  const headers = { authorization: `Bearer ${password}`, 'content-type': 'application/json', 'upstash-encoding': 'base64' }
  const plain = async () => {
    const body = JSON.stringify(keys.map(key => ['get', key]))
    const response = await fetch(`${origin}/pipeline`, { method: 'POST', headers, body })
    const replies = (await response.json()) as { readonly result: string | null }[]
    return replies.map(({ result }) => (result === null ? null : Buffer.from(result, 'base64').toString()))
  }
  return {
    source: 'Upstash REST, a pipeline of 1,000 GET',
    connector: () => asked(port, texts),
    baselineName: 'bare fetch of the same pipeline, base64 decoded',
    baseline: plain,
    wanted: keys.map(() => value),
  }
}

function dynamoPair(endpoint: string, ends: (() => unknown)[]): Pair {
  const port = connectDynamoDb({ endpoint, scenario: 'bench', region, credentials })
  const client = new DynamoDBClient({ endpoint, region, credentials })
  ends.push(
    () => port.close(),
    () => client.destroy(),
  )
  const command = { kind: 'item', table: 'customers', keyNames: ['id'], fields: ['note'] } as const
  const itemKeys = ids.map(id => JSON.stringify({ id: { S: id } }))
  const wanted = ids.map(() => JSON.stringify({ note: value }))
  const bare = async () => {
    const chunks = Array.from({ length: 10 }, (_, c) => ids.slice(c * 100, (c + 1) * 100))
    const answers = await Promise.all(
      chunks.map(chunk =>
        client.send(
          new BatchGetItemCommand({
            RequestItems: {
              customers: { Keys: chunk.map(id => ({ id: { S: id } })), ProjectionExpression: 'note' },
            },
          }),
        ),
      ),
    )
    return answers.flatMap(({ Responses }) => Responses!['customers']!.map(({ note }) => JSON.stringify({ note: note!.S })))
  }
  return {
    source: 'DynamoDB, 10 BatchGetItem of 100',
    connector: () => asked(port, { command, keys: itemKeys }),
    baselineName: "AWS' client, the same calls, without keys in the answer",
    baseline: bare,
    wanted,
  }
}

function httpPair(base: string, ends: (() => unknown)[]): Pair {
  const port = connectHttp({ scenario: 'bench' })
  ends.push(() => port.close())
  const urls = ids.map(id => `${base}/${id}`)
  const bare = async () => {
    const found: string[] = new Array(urls.length)
    let next = 0
    const worker = async () => {
      for (let k = next++; k < urls.length; k = next++) found[k] = await (await fetch(urls[k]!)).text()
    }
    await Promise.all(Array.from({ length: 32 }, worker))
    return found
  }
  return {
    source: 'HTTP, 1,000 GET',
    connector: () => asked(port, { command: { kind: 'request', method: 'GET' }, keys: urls }),
    baselineName: 'bare fetch, 32 at a time',
    baseline: bare,
    wanted: urls.map(() => value),
  }
}

async function ignitePair(ends: (() => unknown)[]): Promise<Pair> {
  const ignite = await startIgnite(Object.fromEntries(keys.map(key => [key, value])))
  ends.push(() => ignite.stop())
  const urlAt = (address: string) => `ignite://${ignite.user.name}:${ignite.user.password}@${address}/profiles`
  const port = connectIgnite({ url: urlAt(ignite.address), scenario: 'bench' })
  ends.push(() => port.close())
  const replay = await replayed(ignite.address, async address => {
    const recorded = connectIgnite({ url: urlAt(address), scenario: 'bench' })
    await asked(recorded, texts)
    await recorded.close()
  })
  ends.push(() => replay.close())
  const wanted = keys.map(() => value)
  return {
    source: 'Ignite, a get-all of 1,000 Strings',
    connector: () => asked(port, texts),
    baselineName: 'bare socket, the same bytes, values not decoded',
    // Bytes alone: what the connector found has been compared, and its answer is as long.
    baseline: async () => {
      await replay.ask()
      return wanted
    },
    wanted,
  }
}

/** Plays again what a client said, and waits for as many bytes as it was answered. */
async function replayed(target: string, talk: (address: string) => Promise<void>) {
  const [host, port] = target.split(':') as [string, string]
  const said: Buffer[] = []
  const heard: number[] = []
  const recorder = createServer(client => {
    const upstream = connect(Number(port), host)
    client.on('data', (bytes: Buffer) => {
      // What comes before an answer belongs to one request.
      if (said.length === 0 || heard.at(-1)! > 0) {
        said.push(bytes)
        heard.push(0)
      } else said[said.length - 1] = Buffer.concat([said.at(-1)!, bytes])
      upstream.write(bytes)
    })
    upstream.on('data', (bytes: Buffer) => {
      heard[heard.length - 1]! += bytes.length
      client.write(bytes)
    })
    client.on('close', () => upstream.destroy())
  })
  await new Promise<void>(resolve => recorder.listen(0, '127.0.0.1', resolve))
  await talk(`127.0.0.1:${(recorder.address() as AddressInfo).port}`)
  await new Promise(resolve => recorder.close(resolve))

  const socket = connect({ host, port: Number(port), noDelay: true })
  let missing = 0
  let done: () => void = () => undefined
  socket.on('data', chunk => {
    missing -= chunk.length
    if (missing <= 0) done()
  })
  const exchange = (bytes: Buffer, answerBytes: number) =>
    new Promise<void>(resolve => {
      missing = answerBytes
      done = resolve
      socket.write(bytes)
    })
  await exchange(said[0]!, heard[0]!)
  const request = said[1]!
  const answerBytes = heard[1]!
  return {
    ask: () => exchange(request, answerBytes),
    close: () => socket.destroy(),
  }
}
