// Look-ups from Apache Ignite 2 by its thin-client protocol (port 10800): one get-all of a cache per call. Values are Java's String (`string`
// and `json`), Map of Strings (`hash`) or Set of Strings (`member`). Never by its Redis protocol: that one gives answers to wrong requests.
// ignite.apache.org/docs/ignite2/latest/binary-client-protocol/binary-client-protocol
import { type LookupAnswer, type LookupCommand, WrongKind } from '../plan/plan.ts'
import type { Deadline, LookupPort, LookupRequest } from '../runtime/ports.ts'
import { type Connection, open } from './ignite/connection.ts'
import { Refused } from './ignite/refused.ts'
import { getAllRequest, readEntries, type Value } from './ignite/values.ts'
import { TimeUp, timeoutOf, unanswered, within } from './patience.ts'
import { readStoreUrl } from './store-url.ts'

export interface IgniteConfig {
  /** ignite://[user:password@]host:port/CACHE; with TLS ignites:// */
  readonly url: string
  /** Certificate of the authority that signed the server's; default: those that Node knows, and NODE_EXTRA_CA_CERTS. */
  readonly ca?: string
  readonly scenario: string
}

const form = 'ignite://[user:password@]host[:port]/CACHE'
const defaultPort = 10800
const advice =
  'If connections fail from the start, check that this is the port of thin clients (10800), that the cache in the URL exists, that ignites:// (with TLS) or ignite:// (without) is what the port speaks, and that the security group admits it.'

export function connectIgnite({ url, scenario, ca }: IgniteConfig): LookupPort {
  const { protocol, host, hostname, port, user, password, path } = readStoreUrl(url, form)
  if (path === '') throw new Error(`the store's URL is not ${form}: it names no cache`)
  const cacheId = hashCodeOf(path)
  let connection: Connection | undefined
  return {
    lookupMany,
    close: async () => connection?.end(),
  }

  async function lookupMany(
    requests: readonly LookupRequest[],
    deadline: Deadline,
  ): Promise<readonly (readonly LookupAnswer[])[]> {
    const timeoutMs = timeoutOf(deadline, requests)
    const keys = [...new Set(requests.flatMap(request => request.keys))]
    if (keys.length === 0) return requests.map(() => [])
    const startedMs = performance.now()
    for (;;) {
      const kept = connection?.isOpen() === true
      try {
        const values = await within(Math.max(1, timeoutMs - (performance.now() - startedMs)), getAll(keys))
        return requests.map(({ command, keys: asked, members }) =>
          asked.map((key, k) => answerOf(command, values.get(key) ?? null, members?.[k])),
        )
      } catch (error) {
        connection?.end()
        connection = undefined
        // A connection that the other side closed while the function was frozen shows it only now; a look-up may be asked twice.
        if (kept && !(error instanceof TimeUp) && !(error instanceof Refused)) continue
        throw unanswered(error, {
          store: 'ignite',
          scenario,
          keyCount: requests.reduce((count, request) => count + request.keys.length, 0),
          address: host,
          timeoutMs,
          advice,
          ...(error instanceof Refused && { reason: error.message }),
        })
      }
    }
  }

  async function getAll(keys: readonly string[]): Promise<ReadonlyMap<string, Value>> {
    if (connection?.isOpen() !== true)
      connection = open({
        hostname,
        port: port ?? defaultPort,
        tls: protocol === 'ignites:',
        ca,
        user,
        password,
      })
    return readEntries(await connection.ask(getAllRequest(cacheId, keys)))
  }
}

function answerOf(command: LookupCommand, value: Value, member: string | undefined): LookupAnswer {
  if (value instanceof WrongKind) return value
  if (command.kind === 'hash') {
    if (value === null) return command.fields.map(() => null)
    if (value instanceof Map) return command.fields.map(field => value.get(field) ?? null)
  } else if (command.kind === 'member') {
    if (value === null) return false
    if (value instanceof Set) return value.has(member!)
  } else if (command.kind === 'string') {
    if (value === null || typeof value === 'string') return value
  } else throw new Error(`Ignite has no look-ups of the kind "${command.kind}"`)
  return new WrongKind(typeof value === 'string' ? 'a String' : value instanceof Map ? 'a Map' : 'a Set')
}

/** Java's String.hashCode: a cache is named by that of its name. */
function hashCodeOf(text: string): number {
  let hash = 0
  for (let i = 0; i < text.length; i++) hash = (Math.imul(31, hash) + text.charCodeAt(i)) | 0
  return hash
}
