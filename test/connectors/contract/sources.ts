// The sources that the contract holds for, each on its real server: how content gets in, how the connector is pointed at an address.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { BatchWriteItemCommand, CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { Redis } from 'ioredis'
import { startDynamoDb } from '../../../infra/local/dynamodb.ts'
import { startIgnite } from '../../../infra/local/ignite.ts'
import { installValkey, startRedis } from '../../../infra/local/redis.ts'
import { startUpstash } from '../../../infra/local/upstash.ts'
import { connectHttp } from '../../../lib/connectors/http.ts'
import { connectIgnite } from '../../../lib/connectors/ignite.ts'
import { memoryStore } from '../../../lib/connectors/memory.ts'
import { connectRedis } from '../../../lib/connectors/redis.ts'
import { connectUpstash } from '../../../lib/connectors/upstash.ts'
import type { LookupPort, LookupRequest } from '../../../lib/runtime/ports.ts'
import { bundledDynamoDb } from '../bundled.ts'
import type { SourceName } from './cases.ts'
import { startHttpFront } from './http-front.ts'

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
  /** The store refuses for load, until `end`. */
  throttle?(): Promise<Trouble>
  /** The key "json" alone is refused, until `end`. */
  halve?(): Promise<Trouble>
  stop(): Promise<void>
}

export interface Trouble {
  /** Where the connector must be pointed at. */
  readonly address: string
  /** What a message says of it. */
  readonly says: RegExp
  /** It shows only when time is up. */
  readonly lastsMs?: number
  end(): Promise<void>
}

export interface Source {
  readonly name: SourceName
  /** Name of the look-ups' store in a plan. */
  readonly lookupStore: 'redis' | 'dynamodb' | 'http'
  /** Why this machine cannot run it. */
  readonly notHere?: string
  /** The error's first word. */
  readonly store: string
  start(content: Content): Promise<RunningSource>
}

export const hash = { name: 'Łukasz', age: '00123', empty: '', mark: 'Caf\ufffd' }
const same = (text: string) => text
const bytes = Buffer.of(0xff, 0x00)
const strings = (keys: readonly string[]): LookupRequest => ({ command: { kind: 'string' }, keys })

async function fill(url: string, content: Content): Promise<void> {
  const redis = new Redis(url)
  const pipeline = redis.pipeline()
  for (const [key, value] of Object.entries(content)) pipeline.set(key, value)
  pipeline.set('bytes', bytes)
  await pipeline.del('hash', 'set').hset('hash', hash).sadd('set', 'member').exec()
  redis.disconnect()
}

/** Every key but "json", for the user without a name, whatever it has said before. */
async function withoutOneKey(admin: Redis, address: string): Promise<Trouble> {
  await admin.call('ACL', 'SETUSER', 'default', 'resetkeys', '~plain', '~digits')
  return {
    address,
    says: /\(NOPERM\)/,
    end: async () => {
      await admin.call('ACL', 'SETUSER', 'default', 'allkeys')
    },
  }
}

// By Debian's backport, where the machine has no other; without it and without a way to get it there is nothing to run.
const valkey = await installValkey()

function redisOverTcp(name: SourceName, command?: string): Source {
  return {
    name,
    lookupStore: 'redis',
    store: 'redis',
    start: async content => {
      const redis = await startRedis(command === undefined ? {} : { command })
      await fill(redis.url, content)
      const address = `127.0.0.1:${redis.port}`
      const admin = new Redis(redis.url)
      const busy = new Redis(redis.url)
      await Promise.all([admin.ping(), busy.ping()])
      await admin.config('SET', 'requirepass', 'right-secret')
      return {
        address,
        connect: (address, secret = 'right-secret') => connectRedis({ url: `redis://:${secret}@${address}`, scenario: 'visits' }),
        texts: strings,
        answer: same,
        wrongKindKey: 'hash',
        throttle: async () => {
          await admin.config('SET', 'busy-reply-threshold', '1')
          const script = busy.eval('while true do end', 0).catch(() => undefined)
          return {
            address,
            says: /\(BUSY\)\. .* A script has been running there for too long/,
            end: async () => {
              await admin.script('KILL')
              await script
            },
          }
        },
        halve: () => withoutOneKey(admin, address),
        stop: async () => {
          admin.disconnect()
          busy.disconnect()
          await redis.stop()
        },
      }
    },
  }
}

/** As DynamoDB does with what it has no capacity for: the key comes back, and is in no answer. */
function leavingJsonUnprocessed(question: string): { readonly question: string; answer(text: string): string } {
  const { RequestItems } = JSON.parse(question)
  const { Keys, ...rest } = RequestItems.profiles
  const isLeft = (key: { readonly id: { readonly S: string } }) => key.id.S === 'json'
  const left = Keys.filter(isLeft)
  const others = Keys.filter((key: { readonly id: { readonly S: string } }) => !isLeft(key))
  return {
    // A call must name a key.
    question: JSON.stringify({
      RequestItems: { profiles: { ...rest, Keys: others.length > 0 ? others : [{ id: { S: 'nobody' } }] } },
    }),
    answer: text => JSON.stringify({ ...JSON.parse(text), UnprocessedKeys: left.length > 0 ? { profiles: { Keys: left } } : {} }),
  }
}

export const sources: readonly Source[] = [
  {
    name: 'in memory',
    lookupStore: 'redis',
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
  {
    ...redisOverTcp('Valkey over TCP', valkey),
    ...(valkey === undefined && { notHere: 'this machine has no valkey-server and cannot get one' }),
  },
  {
    name: 'Upstash over HTTP',
    lookupStore: 'redis',
    store: 'upstash',
    start: async content => {
      const redis = await startRedis()
      await fill(redis.url, content)
      const admin = new Redis(redis.url)
      const upstash = await startUpstash({ redis: redis.url, token: 'right-secret' })
      const address = new URL(upstash.url.replace('upstash+', '')).host
      const front = await startHttpFront(address)
      return {
        address,
        connect: (address, secret = 'right-secret') =>
          connectUpstash({ url: `upstash+http://:${secret}@${address}`, scenario: 'visits' }),
        texts: strings,
        answer: same,
        wrongKindKey: 'hash',
        throttle: async () => {
          front.refuse({ status: 429, body: '{"error":"ERR max requests limit exceeded. Limit: 10000, Usage: 10000"}' })
          return {
            address: front.address,
            says: /\(the limit of requests is reached\)/,
            end: async () => front.refuse(undefined),
          }
        },
        halve: () => withoutOneKey(admin, address),
        stop: async () => {
          admin.disconnect()
          await front.stop()
          await upstash.stop()
          await redis.stop()
        },
      }
    },
  },
  {
    name: 'Apache Ignite',
    lookupStore: 'redis',
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
    lookupStore: 'dynamodb',
    store: 'dynamodb',
    start: async content => {
      const dynamodb = await startDynamoDb()
      const { connectDynamoDb } = await bundledDynamoDb()
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
      const front = await startHttpFront(new URL(dynamodb.endpoint).host)
      return {
        address: new URL(dynamodb.endpoint).host,
        connect: (address, secretAccessKey = 'right-secret') =>
          connectDynamoDb({
            endpoint: `http://${address}`,
            scenario: 'visits',
            region: 'eu-central-1',
            credentials: { ...credentials, secretAccessKey },
          }),
        texts: keys => ({
          command: { kind: 'item', table: 'profiles', keyNames: ['id'], fields: ['v'] },
          keys: keys.map(key => JSON.stringify({ id: { S: key } })),
        }),
        answer: text => `{"v":${JSON.stringify(text)}}`,
        wrongKindKey: 'k'.repeat(2049),
        throttle: async () => {
          const type = 'com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException'
          front.refuse({ status: 400, body: JSON.stringify({ __type: type, message: 'The level of … was exceeded' }) })
          return {
            address: front.address,
            says: /\(ProvisionedThroughputExceededException\)/,
            end: async () => front.refuse(undefined),
          }
        },
        halve: async () => {
          front.change(leavingJsonUnprocessed)
          return {
            address: front.address,
            says: /\(throttled: keys came back unprocessed until the time was up\)/,
            lastsMs: 5000,
            end: async () => front.change(undefined),
          }
        },
        stop: async () => {
          await front.stop()
          await dynamodb.stop()
        },
      }
    },
  },
  ...(['GET', 'POST'] as const).map(
    (method): Source => ({
      name: `HTTP ${method}`,
      lookupStore: 'http',
      store: 'http',
      start: async content => {
        const right = `Basic ${Buffer.from('user:right-secret').toString('base64')}`
        let refusal: number | undefined
        let refusedKey: string | undefined
        const server = createServer(async (request, response) => {
          if (refusal !== undefined) return response.writeHead(refusal).end()
          if (request.headers.authorization !== right) return response.writeHead(401).end()
          const chunks: Buffer[] = []
          for await (const chunk of request) chunks.push(chunk)
          const key =
            method === 'POST' ? Buffer.concat(chunks).toString() : decodeURIComponent(request.url!.slice('/texts/'.length))
          if (key === 'wrong kind') return response.writeHead(422).end('{"error":"no such kind"}')
          if (key === refusedKey) return response.writeHead(503).end()
          if (key === 'bytes') return response.end(bytes)
          if (!Object.hasOwn(content, key)) return response.writeHead(404).end('nothing')
          response.end(content[key])
        })
        await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
        const address = `127.0.0.1:${(server.address() as AddressInfo).port}`
        let secret = 'right-secret'
        return {
          address,
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
          throttle: async () => {
            refusal = 429
            return {
              address,
              says: /\(it answered 429\)/,
              end: async () => {
                refusal = undefined
              },
            }
          },
          halve: async () => {
            refusedKey = 'json'
            return {
              address,
              says: /1 look-ups got no answer from \S+ \(it answered 503\)/,
              end: async () => {
                refusedKey = undefined
              },
            }
          },
          stop: async () => {
            server.closeAllConnections()
            await new Promise(resolve => server.close(resolve))
          },
        }
      },
    }),
  ),
]
