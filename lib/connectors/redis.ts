// Look-ups from Redis (and Valkey) over TCP or TLS, by ioredis: one pipeline per call. Strings go by GET and not by MGET, which answers a
// hash or a set under the key as if nothing were there; hashes by HMGET of the declared fields.
import { Redis, ReplyError } from 'ioredis'
import { type LookupAnswer, WrongKind } from '../plan/plan.ts'
import type { Deadline, LookupPort, LookupRequest } from '../runtime/ports.ts'
import { TimeUp, timeoutOf, unanswered, within } from './patience.ts'

export interface RedisConfig {
  /** redis://[user:password@]host:port[/database] or rediss://… */
  readonly url: string
  readonly scenario: string
  /** Authorities to trust beside Node's, in PEM. */
  readonly ca?: string
}

const advice =
  'If connections fail from the start, check that Redis runs there and that the security group admits its port; ElastiCache and MemoryDB with encryption in transit want rediss://.'
// Measured with 2.18: its answers come to the wrong requests, so nothing that it says may be believed.
const igniteAdvice =
  'It closes connections at the greeting, as Apache Ignite does, whose Redis protocol mixes up answers: if Ignite runs there, write ignite://host:10800/CACHE.'

/** Connects at the first look-up and again whenever the connection is gone. */
export function connectRedis({ url, scenario, ca }: RedisConfig): LookupPort {
  const address = addressOf(url)
  const client = new Redis(url, {
    lazyConnect: true,
    // Bounded in all directions: whoever waits is told within the deadline, and the mapping delivers the batch again.
    maxRetriesPerRequest: 0,
    enableOfflineQueue: true,
    connectTimeout: 2000,
    retryStrategy: () => null,
    autoResubscribe: false,
    ...(ca !== undefined && { tls: { ca } }),
  })
  let lastError: Error | undefined
  let greeted = false
  // Without a listener ioredis prints to the console; the failing call carries the cause.
  client.on('error', (error: Error) => {
    lastError = error
  })
  client.on('connect', () => {
    greeted = true
  })

  return { lookupMany, close }

  async function lookupMany(
    requests: readonly LookupRequest[],
    deadline: Deadline,
  ): Promise<readonly (readonly LookupAnswer[])[]> {
    const timeoutMs = timeoutOf(deadline)
    const keyCount = requests.reduce((count, request) => count + request.keys.length, 0)
    if (keyCount === 0) return requests.map(() => [])
    const noAnswer = (error: unknown, otherAdvice = advice) =>
      unanswered(error, {
        store: 'redis',
        scenario,
        keyCount,
        address,
        timeoutMs,
        advice: otherAdvice,
        ...(error instanceof ReplyError && { reason: replyCode(error as Error) }),
      })
    const startedMs = performance.now()
    for (let attempt = 1; ; attempt++) {
      const remainingMs = timeoutMs - (performance.now() - startedMs)
      const fresh = client.status !== 'ready'
      try {
        const connected = await within(remainingMs, connect()).catch((error: unknown) => new NotConnected(error))
        if (connected instanceof NotConnected) {
          client.disconnect()
          const { cause } = connected
          // The server took the connection and closed it without a word of its own.
          const closed = greeted && !(cause instanceof TimeUp) && !(lastError instanceof ReplyError)
          throw noAnswer(cause instanceof TimeUp ? cause : (lastError ?? cause), closed ? igniteAdvice : advice)
        }
        const replies = await within(Math.max(1, timeoutMs - (performance.now() - startedMs)), send(requests))
        let next = 0
        return requests.map(request => request.keys.map(() => answerOf(request, replies[next++])))
      } catch (error) {
        // Answers of an abandoned pipeline would come on this connection: it must not be used again.
        if (!(error instanceof ReplyError)) client.disconnect()
        // A connection that the other side closed while the function was frozen shows it only now; look-ups may be asked twice.
        if (fresh || attempt === 2 || error instanceof TimeUp || error instanceof ReplyError) throw noAnswer(error)
      }
    }
  }

  async function send(requests: readonly LookupRequest[]): Promise<readonly [Error | null, unknown][]> {
    const pipeline = client.pipeline()
    for (const { command, keys, members } of requests) {
      for (let k = 0; k < keys.length; k++) {
        if (command.kind === 'hash') pipeline.hmget(keys[k]!, ...command.fields)
        else if (command.kind === 'string') pipeline.get(keys[k]!)
        else if (command.kind === 'member') pipeline.sismember(keys[k]!, members![k]!)
        else throw new Error(`Redis has no look-ups of the kind "${command.kind}"`)
      }
    }
    return (await pipeline.exec()) ?? []
  }

  function answerOf(request: LookupRequest, reply: [Error | null, unknown] | undefined): LookupAnswer {
    if (reply === undefined) throw new Error('no reply')
    const [error, value] = reply
    if (error === null) return request.command.kind === 'member' ? value === 1 : (value as LookupAnswer)
    // WRONGTYPE is the data's fault; everything else (LOADING, READONLY, NOAUTH, a closed socket) is the store's.
    if (error instanceof ReplyError && error.message.startsWith('WRONGTYPE')) return new WrongKind('another kind of data')
    throw error
  }

  async function connect(): Promise<void> {
    if (client.status === 'ready') return
    if (client.status === 'wait' || client.status === 'end' || client.status === 'close') {
      lastError = undefined
      greeted = false
      await client.connect()
    } else
      await new Promise<void>((resolve, reject) =>
        client.once('ready', resolve).once('close', () => reject(lastError ?? new Error('the connection was closed'))),
      )
  }

  async function close(): Promise<void> {
    client.disconnect()
  }
}

class NotConnected {
  readonly cause: unknown
  constructor(cause: unknown) {
    this.cause = cause
  }
}

/** `WRONGPASS`, `NOAUTH`, `LOADING`: the first word alone, since the rest of a reply may quote what was sent. */
function replyCode(error: Error): string {
  return /^[A-Z]+\b/.exec(error.message)?.[0] ?? 'an error of the server'
}

/** Host and port, without the password that a URL may carry. */
function addressOf(url: string): string {
  try {
    return new URL(url).host
  } catch {
    return 'the address in SLUICE_REDIS (not a redis:// URL)'
  }
}
