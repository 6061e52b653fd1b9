// Look-ups from Upstash's Redis over HTTPS, by @upstash/redis: for functions outside a VPC. Values stay the texts that they are: with the
// client's automatic deserialisation "00123" would become a number, and its decoding makes bytes that are no text into U+FFFD, which a text
// may also hold. So they come as base64, as the client would ask for them, and are decoded here.
import { isUtf8 } from 'node:buffer'
import { Redis, type RedisConfigNodejs } from '@upstash/redis'
import { type LookupAnswer, WrongKind } from '../plan/plan.ts'
import type { Deadline, LookupPort, LookupRequest } from '../runtime/ports.ts'
import { inTurn, TimeUp, timeoutOf, unanswered } from './patience.ts'
import { readStoreUrl } from './store-url.ts'

export interface UpstashConfig {
  /** upstash+https://:TOKEN@host */
  readonly url: string
  /** Where the URL has none. */
  readonly token?: string | undefined
  readonly scenario: string
}

const form = 'upstash+https://:TOKEN@host'
/** Commands of one request: a thousand keys of 300 B stay below the 1 MB that Upstash's smallest plan takes. */
const commandsPerRequest = 1000
const requestLimit = 8
const advice =
  'If requests fail from the start, check the address and the token in the URL of "redis" or in SLUICE_REDIS_TOKEN, and that the function reaches the internet.'

interface Command {
  readonly request: number
  readonly key: number
}

interface Reply {
  readonly error?: string
  readonly result?: unknown
}

export function connectUpstash({ url, token, scenario }: UpstashConfig): LookupPort {
  const { protocol, host: address, password, path } = readStoreUrl(url.replace(/^upstash\+/, ''), form)
  if (path !== '') throw new Error(`the store's URL is not ${form}: something stands behind the host`)
  return { lookupMany, close: async () => undefined }

  async function lookupMany(
    requests: readonly LookupRequest[],
    deadline: Deadline,
  ): Promise<readonly (readonly LookupAnswer[])[]> {
    const timeoutMs = timeoutOf(deadline, requests)
    const commands: Command[] = requests.flatMap(({ keys }, request) => keys.map((_, key) => ({ request, key })))
    const answers = requests.map(({ keys }): LookupAnswer[] => new Array(keys.length).fill(null))
    const signal = AbortSignal.timeout(timeoutMs)
    const client = new UndecodedRedis({
      url: `${protocol}//${address}`,
      token: password || token || '',
      automaticDeserialization: false,
      enableAutoPipelining: false,
      enableTelemetry: false,
      retry: { retries: 1, backoff: () => 20 },
      // As a function: given the signal itself, the client answers "Aborted" as if that were the value.
      signal: () => signal,
    })
    const chunks = Array.from({ length: Math.ceil(commands.length / commandsPerRequest) }, (_, c) =>
      commands.slice(c * commandsPerRequest, (c + 1) * commandsPerRequest),
    )
    try {
      await inTurn(
        chunks.map(chunk => () => ask(client, requests, chunk, answers)),
        requestLimit,
      )
    } catch (error) {
      throw unanswered(signal.aborted ? new TimeUp() : error, {
        store: 'upstash',
        scenario,
        keyCount: commands.length,
        address,
        timeoutMs,
        advice,
        ...reasonOf(error),
      })
    }
    return answers
  }
}

/** Answers are base64, as they came. */
class UndecodedRedis extends Redis {
  constructor(config: RedisConfigNodejs) {
    super({ ...config, responseEncoding: false })
    const { client } = this
    const headers = { 'Upstash-Encoding': 'base64' }
    this.client = { request: asked => client.request({ ...asked, headers: { ...asked.headers, ...headers } }) }
  }
}

async function ask(
  client: Redis,
  requests: readonly LookupRequest[],
  commands: readonly Command[],
  answers: readonly LookupAnswer[][],
): Promise<void> {
  const pipeline = client.pipeline()
  for (const { request, key } of commands) {
    const { command, keys, members } = requests[request]!
    if (command.kind === 'hash') pipeline.hmget(keys[key]!, ...command.fields)
    else if (command.kind === 'string') pipeline.get(keys[key]!)
    else if (command.kind === 'member') pipeline.sismember(keys[key]!, members![key]!)
    else throw new Error(`Upstash has no look-ups of the kind "${command.kind}"`)
  }
  const replies = (await pipeline.exec<unknown[]>({ keepErrors: true })) as readonly Reply[]
  if (!Array.isArray(replies) || replies.length !== commands.length) throw new Malformed()
  commands.forEach(({ request, key }, c) => {
    answers[request]![key] = answerOf(requests[request]!, replies[c]!)
  })
}

/** The other side speaks another protocol. */
class Malformed extends Error {}
/** The server's word for one command. */
class Refused extends Error {}

function answerOf({ command }: LookupRequest, { error, result }: Reply): LookupAnswer {
  if (error?.startsWith('WRONGTYPE')) return new WrongKind('another kind of data')
  if (error) throw new Refused(/^[A-Z]+\b/.exec(error)?.[0] ?? 'an error of the server')
  if (command.kind === 'member' && (result === 0 || result === 1)) return result === 1
  if (command.kind === 'string') return decoded(result)
  if (command.kind === 'hash' && Array.isArray(result) && result.length === command.fields.length) {
    const texts: (string | null)[] = []
    for (const one of result) {
      const text = decoded(one)
      if (text instanceof WrongKind) return text
      texts.push(text)
    }
    return texts
  }
  throw new Malformed()
}

function decoded(value: unknown): string | null | WrongKind {
  // Redis' own word, which is not encoded; a text of one byte has another base64.
  if (value === null || value === 'OK') return value
  if (typeof value !== 'string') throw new Malformed()
  const bytes = Buffer.from(value, 'base64')
  // Buffer leaves out what is no base64.
  if (value.length % 4 !== 0 || bytes.length !== Buffer.byteLength(value, 'base64')) throw new Malformed()
  return isUtf8(bytes) ? bytes.toString() : notText
}

const notText = new WrongKind('bytes that are not UTF-8')

/** The client's own messages quote the whole request, which holds customers' keys: nothing of them is repeated. */
function reasonOf(error: unknown): { reason?: string } {
  if (error instanceof Refused) return { reason: error.message }
  if (error instanceof Malformed || (error instanceof Error && error.name === 'UpstashJSONParseError'))
    return { reason: 'the answer is not of the Upstash protocol' }
  if (error instanceof Error && error.name === 'UpstashError') return { reason: refusalOf(error.message) }
  return {}
}

function refusalOf(message: string): string {
  if (/^(Unauthorized|WRONGPASS)/.test(message)) return 'the token was refused'
  // upstash.com/docs/redis/troubleshooting: "ERR max requests limit exceeded", also of a day, of bandwidth, of requests a second.
  return /^ERR max\b[a-z ]* limit exceeded/.test(message) ? 'the limit of requests is reached' : 'the request was refused'
}

/** The token may stand apart from the address: in SLUICE_REDIS_TOKEN. */
export function connectUpstashFromEnvironment(config: UpstashConfig): LookupPort {
  return connectUpstash({ ...config, token: config.token ?? process.env['SLUICE_REDIS_TOKEN'] })
}
