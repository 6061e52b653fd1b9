// Look-ups from Redis over TCP, by ioredis: one pipeline per call. Strings go by one MGET per look-up, hashes by HMGET of the declared fields.
import { Redis, ReplyError } from 'ioredis'
import { type LookupAnswer, WrongKind } from '../plan/plan.ts'
import { type Deadline, type LookupPort, type LookupRequest, RetryableError } from '../runtime/ports.ts'

export interface RedisConfig {
  /** redis://[user:password@]host:port[/database] or rediss://… */
  readonly url: string
  readonly scenario: string
}

/** Longest wait for one round trip where neither the look-up nor the invocation's rest says less. */
const defaultTimeoutMs = 2000

/** Connects at the first look-up and again whenever the connection is gone. */
export function connectRedis({ url, scenario }: RedisConfig): LookupPort {
  const address = addressOf(url)
  const client = new Redis(url, {
    lazyConnect: true,
    // Bounded in all directions: whoever waits is told within the deadline, and the mapping delivers the batch again.
    maxRetriesPerRequest: 0,
    enableOfflineQueue: true,
    connectTimeout: defaultTimeoutMs,
    retryStrategy: () => null,
    autoResubscribe: false,
  })
  let lastError = ''
  // Without a listener ioredis prints to the console; the failing call carries the cause.
  client.on('error', (error: Error) => {
    lastError = error.message
  })

  return { lookupMany, close }

  async function lookupMany(
    requests: readonly LookupRequest[],
    deadline: Deadline,
  ): Promise<readonly (readonly LookupAnswer[])[]> {
    const timeoutMs = Math.max(1, Math.min(defaultTimeoutMs, deadline.remainingMs()))
    const keyCount = requests.reduce((count, request) => count + request.keys.length, 0)
    const unanswered = (id: 'redis-timeout' | 'redis-unreachable', cause: unknown) =>
      new RetryableError(
        id,
        `[${id}] ${scenario}: ${keyCount} look-ups got no answer from ${address}${id === 'redis-timeout' ? ` within ${Math.round(timeoutMs)} ms` : ''}. ` +
          'Nothing was emitted, the batch comes again. If connections fail from the start, check that Redis runs there and that the security group admits its port.',
        { cause },
      )
    try {
      await within(timeoutMs, connect())
    } catch (error) {
      client.disconnect()
      throw unanswered(error instanceof TimeUp ? 'redis-timeout' : 'redis-unreachable', error)
    }
    const pipeline = client.pipeline()
    for (const request of requests) {
      const { command, keys } = request
      for (let k = 0; k < keys.length; k++) {
        if (command.kind === 'hash') pipeline.hmget(keys[k]!, ...command.fields)
        else if (command.kind === 'string') pipeline.get(keys[k]!)
        else pipeline.sismember(keys[k]!, request.members![k]!)
      }
    }
    let replies: [Error | null, unknown][]
    try {
      replies = (await within(timeoutMs, pipeline.exec())) ?? []
    } catch (error) {
      // The answers of an abandoned pipeline would come on this connection: it must not be used again.
      client.disconnect()
      throw unanswered(error instanceof TimeUp ? 'redis-timeout' : 'redis-unreachable', error)
    }
    let next = 0
    return requests.map(request => request.keys.map(() => answerOf(request, replies[next++])))

    function answerOf(request: LookupRequest, reply: [Error | null, unknown] | undefined): LookupAnswer {
      const [error, value] = reply ?? [new Error('no reply'), undefined]
      if (error === null) return request.command.kind === 'member' ? value === 1 : (value as LookupAnswer)
      // WRONGTYPE is the data's fault; everything else (LOADING, READONLY, NOAUTH, a closed socket) is the store's.
      if (error instanceof ReplyError && error.message.startsWith('WRONGTYPE')) return new WrongKind('another kind of data')
      throw unanswered('redis-unreachable', error)
    }
  }

  async function connect(): Promise<void> {
    if (client.status === 'ready') return
    if (client.status === 'wait' || client.status === 'end') await client.connect()
    else if (client.status === 'close' || client.status === 'reconnecting')
      throw new Error(lastError || 'the connection is closed')
    else
      await new Promise<void>((resolve, reject) =>
        client.once('ready', resolve).once('close', () => reject(new Error(lastError))),
      )
  }

  async function close(): Promise<void> {
    client.disconnect()
  }
}

class TimeUp extends Error {}

async function within<T>(timeoutMs: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  // The abandoned promise may still fail; nobody listens any more.
  promise.catch(() => undefined)
  const timeUp = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new TimeUp(`no answer within ${timeoutMs} ms`)), timeoutMs)
  })
  try {
    return await Promise.race([promise, timeUp])
  } finally {
    clearTimeout(timer)
  }
}

/** Host and port, without the password that a URL may carry. */
function addressOf(url: string): string {
  try {
    return new URL(url).host
  } catch {
    return 'the address in SLUICE_REDIS (not a redis:// URL)'
  }
}
