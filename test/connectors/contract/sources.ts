// The sources that the contract holds for, each on its real server: how content gets in, how the connector is pointed at an address.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { BatchWriteItemCommand, CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { Redis } from 'ioredis'
import { startDynamoDb } from '../../../infra/local/dynamodb.ts'
import { startIgnite } from '../../../infra/local/ignite.ts'
import { installValkey, startRedis } from '../../../infra/local/redis.ts'
import { startUpstash } from '../../../infra/local/upstash.ts'
import { connectDynamoDb } from '../../../lib/connectors/dynamodb.ts'
import { connectHttp } from '../../../lib/connectors/http.ts'
import { connectIgnite } from '../../../lib/connectors/ignite.ts'
import { memoryStore } from '../../../lib/connectors/memory.ts'
import { connectRedis } from '../../../lib/connectors/redis.ts'
import { connectUpstash } from '../../../lib/connectors/upstash.ts'
import type { LookupPort, LookupRequest } from '../../../lib/runtime/ports.ts'

export type Content = Readonly<Record<string, string>>

export interface RunningSource {
  /** host:port of the server; undefined in memory. */
  readonly address: string | undefined
  /** The connector, pointed at any address (a proxy, a closed port), with the right secret or another. */
  connect(address: string, secret?: string): LookupPort
  /** Asks for texts at an address: some sources have it in their keys. */
  texts(keys: readonly string[], address: string): LookupRequest
  /** How this source answers a text that it holds. */
  readonly answer: (text: string) => string
  /** A key that holds something of another kind. */
  readonly wrongKindKey: string
  stop(): Promise<void>
}

export interface Source {
  readonly name: string
  /** Whether it has hashes and sets. */
  readonly isKeyValue: boolean
  /** Whether it checks a secret. */
  readonly hasSecret: boolean
  /** The error's first word. */
  readonly store: string
  start(content: Content): Promise<RunningSource>
}

export const hash = { name: 'Łukasz', age: '00123', empty: '' }
const same = (text: string) => text
const strings = (keys: readonly string[]): LookupRequest => ({ command: { kind: 'string' }, keys })

async function fill(url: string, content: Content): Promise<void> {
  const redis = new Redis(url)
  const pipeline = redis.pipeline()
  for (const [key, value] of Object.entries(content)) pipeline.set(key, value)
  await pipeline.del('hash', 'set').hset('hash', hash).sadd('set', 'member').exec()
  redis.disconnect()
}

// By Debian's backport, where the machine has no other; without it and without a way to get it there is nothing to run.
const valkey = await installValkey()
if (valkey === undefined) console.log('This machine has no valkey-server and cannot get one: the contract is not run on Valkey.')

function redisOverTcp(name: string, command?: string): Source {
  return {
    name,
    isKeyValue: true,
    hasSecret: true,
    store: 'redis',
    start: async content => {
      const redis = await startRedis(command === undefined ? {} : { command })
      await fill(redis.url, content)
      const admin = new Redis(redis.url)
      await admin.config('SET', 'requirepass', 'right-secret')
      admin.disconnect()
      return {
        address: `127.0.0.1:${redis.port}`,
        connect: (address, secret = 'right-secret') => connectRedis({ url: `redis://:${secret}@${address}`, scenario: 'visits' }),
        texts: strings,
        answer: same,
        wrongKindKey: 'hash',
        stop: () => redis.stop(),
      }
    },
  }
}

export const sources: readonly Source[] = [
  {
    name: 'in memory',
    isKeyValue: true,
    hasSecret: false,
    store: 'redis',
    start: async content => {
      const texts = Object.entries(content).map(([key, value]) => [key, { type: 'string', value }] as const)
      const store = memoryStore({
        ...Object.fromEntries(texts),
        hash: { type: 'hash', value: hash },
        set: { type: 'set', value: ['member'] },
      })
      return {
        address: undefined,
        connect: () => store,
        texts: strings,
        answer: same,
        wrongKindKey: 'hash',
        stop: async () => undefined,
      }
    },
  },
  redisOverTcp('Redis over TCP'),
  ...(valkey === undefined ? [] : [redisOverTcp('Valkey over TCP', valkey)]),
  {
    name: 'Upstash over HTTP',
    isKeyValue: true,
    hasSecret: true,
    store: 'upstash',
    start: async content => {
      const redis = await startRedis()
      await fill(redis.url, content)
      const front = await startUpstash({ redis: redis.url, token: 'right-secret' })
      return {
        address: new URL(front.url.replace('upstash+', '')).host,
        connect: (address, secret = 'right-secret') =>
          connectUpstash({ url: `upstash+http://:${secret}@${address}`, scenario: 'visits' }),
        texts: strings,
        answer: same,
        wrongKindKey: 'hash',
        stop: async () => {
          await front.stop()
          await redis.stop()
        },
      }
    },
  },
  {
    name: 'Apache Ignite',
    isKeyValue: true,
    hasSecret: true,
    store: 'ignite',
    start: async content => {
      const ignite = await startIgnite({ ...content, hash, set: ['member'] })
      return {
        address: ignite.address,
        connect: (address, secret = ignite.user.password) =>
          connectIgnite({ url: `ignite://${ignite.user.name}:${secret}@${address}/profiles`, scenario: 'visits' }),
        texts: strings,
        answer: same,
        wrongKindKey: 'hash',
        stop: () => ignite.stop(),
      }
    },
  },
  {
    name: 'DynamoDB',
    isKeyValue: false,
    // Signatures are not checked by dynalite.
    hasSecret: false,
    store: 'dynamodb',
    start: async content => {
      const dynamodb = await startDynamoDb()
      const credentials = { accessKeyId: 'local', secretAccessKey: 'right-secret' }
      const client = new DynamoDBClient({ endpoint: dynamodb.endpoint, region: 'eu-central-1', credentials })
      await client.send(
        new CreateTableCommand({
          TableName: 'profiles',
          KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
          AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
          BillingMode: 'PAY_PER_REQUEST',
        }),
      )
      const entries = Object.entries(content)
      for (let i = 0; i < entries.length; i += 25) {
        const puts = entries
          .slice(i, i + 25)
          .map(([id, v]) => ({ PutRequest: { Item: { id: { S: id }, v: { S: v }, other: { S: 'x' } } } }))
        await client.send(new BatchWriteItemCommand({ RequestItems: { profiles: puts } }))
      }
      client.destroy()
      return {
        address: new URL(dynamodb.endpoint).host,
        connect: address =>
          connectDynamoDb({ endpoint: `http://${address}`, scenario: 'visits', region: 'eu-central-1', credentials }),
        texts: keys => ({
          command: { kind: 'item', table: 'profiles', keyNames: ['id'], fields: ['v'] },
          keys: keys.map(key => JSON.stringify({ id: { S: key } })),
        }),
        answer: text => `{"v":${JSON.stringify(text)}}`,
        wrongKindKey: 'k'.repeat(2049),
        stop: () => dynamodb.stop(),
      }
    },
  },
  ...(['GET', 'POST'] as const).map(
    (method): Source => ({
      name: `HTTP ${method}`,
      isKeyValue: false,
      hasSecret: true,
      store: 'http',
      start: async content => {
        const right = `Basic ${Buffer.from('user:right-secret').toString('base64')}`
        const server = createServer(async (request, response) => {
          if (request.headers.authorization !== right) return response.writeHead(401).end()
          const chunks: Buffer[] = []
          for await (const chunk of request) chunks.push(chunk)
          const key =
            method === 'POST' ? Buffer.concat(chunks).toString() : decodeURIComponent(request.url!.slice('/texts/'.length))
          if (key === 'wrong kind') return response.writeHead(422).end('{"error":"no such kind"}')
          if (!Object.hasOwn(content, key)) return response.writeHead(404).end('nothing')
          response.end(content[key])
        })
        await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
        let secret = 'right-secret'
        return {
          address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
          connect: (_, other = 'right-secret') => {
            secret = other
            return connectHttp({ scenario: 'visits' })
          },
          texts: (keys, address) => ({
            command: { kind: 'request', method },
            keys: keys.map(key => {
              const base = `http://user:${secret}@${address}/texts/`
              return method === 'POST' ? `${base}\n${key}` : `${base}${encodeURIComponent(key)}`
            }),
          }),
          answer: same,
          wrongKindKey: 'wrong kind',
          stop: async () => {
            server.closeAllConnections()
            await new Promise(resolve => server.close(resolve))
          },
        }
      },
    }),
  ),
]
