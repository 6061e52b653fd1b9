// Look-ups from Apache Ignite 2 by its thin-client protocol (port 10800): one get-all of a cache per call. Values are Java's String (`string`
// and `json`), Map of Strings (`hash`) or Set of Strings (`member`). Never by its Redis protocol: that one gives answers to wrong requests.
// ignite.apache.org/docs/ignite2/latest/binary-client-protocol/binary-client-protocol
import { connect as connectSocket, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { type LookupAnswer, type LookupCommand, WrongKind } from '../plan/plan.ts'
import type { Deadline, LookupPort, LookupRequest } from '../runtime/ports.ts'
import { TimeUp, timeoutOf, unanswered, within } from './patience.ts'

export interface IgniteConfig {
  /** ignite://[user:password@]host:port/CACHE; with TLS ignites:// */
  readonly url: string
  /** Certificate of the authority that signed the server's; default: those that Node knows, and NODE_EXTRA_CA_CERTS. */
  readonly ca?: string
  readonly scenario: string
}

const defaultPort = 10800
const advice =
  'If connections fail from the start, check that this is the port of thin clients (10800), that the cache in the URL exists, that ignites:// (with TLS) or ignite:// (without) is what the port speaks, and that the security group admits it.'

/** What a value of the cache is for us; null: nothing is there. */
type Value = string | null | ReadonlyMap<string, string | null> | ReadonlySet<string> | WrongKind

export function connectIgnite({ url, scenario, ca }: IgniteConfig): LookupPort {
  const { protocol, host, hostname, port, username, password, pathname } = new URL(url)
  const cacheId = hashCodeOf(decodeURIComponent(pathname.slice(1)))
  let connection: Connection | undefined
  return {
    lookupMany,
    close: async () => connection?.end(),
  }

  async function lookupMany(
    requests: readonly LookupRequest[],
    deadline: Deadline,
  ): Promise<readonly (readonly LookupAnswer[])[]> {
    const timeoutMs = timeoutOf(deadline)
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
        port: Number(port) || defaultPort,
        tls: protocol === 'ignites:',
        ca,
        user: decodeURIComponent(username),
        password: decodeURIComponent(password),
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

/** The server's word, or what it says is not Ignite's protocol. */
class Refused extends Error {}

const malformed = () => new Refused('the answer is not of the thin-client protocol of Ignite 2')
const statusNames: Readonly<Record<number, string>> = {
  3: 'not authorised',
  10: 'the cluster is not active',
  1000: 'there is no such cache',
}
const longestFrameBytes = 512 * 1024 * 1024
const getAllCode = 1003
/** The first version with user names whose frames have the short header; Ignite 2.18 takes it like its own. */
const version = { major: 1, minor: 2, patch: 0 }

interface Connection {
  isOpen(): boolean
  /** Behind the greeting. One request at a time is written whole; answers carry its number. */
  ask(body: (requestId: bigint) => Buffer): Promise<Buffer>
  end(): void
}

interface Address {
  readonly hostname: string
  readonly port: number
  readonly tls: boolean
  readonly ca: string | undefined
  /** Empty: nobody. */
  readonly user: string
  readonly password: string
}

function open({ hostname, port, tls, ca, user, password }: Address): Connection {
  // An IPv6 address stands in brackets in a URL.
  const host = hostname.replace(/^\[|\]$/g, '')
  const socket: Socket = tls
    ? connectTls({ host, port, ...(isIP(host) === 0 && { servername: host }), ...(ca !== undefined && { ca }) })
    : connectSocket({ host, port })
  socket.setNoDelay(true)
  const waiting = new Map<bigint, { readonly resolve: (frame: Buffer) => void; readonly reject: (error: unknown) => void }>()
  const greetingId = 0n
  let greeted = false
  let isOpen = true
  let lastId = greetingId
  let chunks: Buffer[] = []
  let byteCount = 0

  const fail = (error: unknown) => {
    isOpen = false
    socket.destroy()
    for (const { reject } of waiting.values()) reject(error)
    waiting.clear()
  }
  socket.on('error', fail)
  socket.on('close', () => fail(new Error('the connection was closed')))
  socket.on('data', chunk => {
    chunks.push(chunk as Buffer)
    byteCount += chunk.length
    while (byteCount >= 4) {
      // Joined only when a frame is whole: an answer of megabytes comes in hundreds of chunks.
      if (chunks[0]!.length < 4) chunks = [Buffer.concat(chunks)]
      const length = chunks[0]!.readInt32LE(0)
      if (length < 1 || length > longestFrameBytes) return fail(malformed())
      if (byteCount < 4 + length) return
      const bytes = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
      take(bytes.subarray(4, 4 + length))
      const rest = bytes.subarray(4 + length)
      chunks = rest.length > 0 ? [rest] : []
      byteCount = rest.length
    }
  })

  function take(frame: Buffer): void {
    if (greeted && frame.length < 12) return fail(malformed())
    const id = greeted ? frame.readBigInt64LE(0) : greetingId
    const asked = waiting.get(id)
    if (asked === undefined) return fail(malformed())
    waiting.delete(id)
    asked.resolve(frame)
  }
  const exchange = (id: bigint, bytes: Buffer) =>
    new Promise<Buffer>((resolve, reject) => {
      if (!isOpen) return reject(new Error('the connection was closed'))
      waiting.set(id, { resolve, reject })
      socket.write(bytes)
    })

  async function greet(): Promise<void> {
    const head = Buffer.alloc(8)
    head.writeInt8(1, 0)
    head.writeInt16LE(version.major, 1)
    head.writeInt16LE(version.minor, 3)
    head.writeInt16LE(version.patch, 5)
    head.writeInt8(2, 7)
    const login = user === '' ? [] : [textObject(user), textObject(password)]
    const frame = await exchange(greetingId, framed([head, ...login]))
    // 1: welcome. Otherwise the server's version and the reason, which may name the user.
    if (frame[0] !== 1) throw frame[0] === 0 ? new Refused('the greeting was refused: user, password or version') : malformed()
    greeted = true
  }
  // All who ask wait for it: an answer before the greeting's would be taken for that.
  const greeting = greet()
  greeting.catch(() => undefined)

  return {
    isOpen: () => isOpen,
    async ask(body) {
      await greeting
      const id = ++lastId
      const frame = await exchange(id, body(id))
      const status = frame.readInt32LE(8)
      if (status !== 0) throw new Refused(statusNames[status] ?? `status ${status}`)
      return frame.subarray(12)
    },
    end: () => fail(new Error('the connection was closed')),
  }
}

function framed(parts: readonly Buffer[]): Buffer {
  const length = Buffer.alloc(4)
  length.writeInt32LE(parts.reduce((sum, { length: bytes }) => sum + bytes, 0))
  return Buffer.concat([length, ...parts])
}

function textObject(text: string): Buffer {
  const bytes = Buffer.alloc(5 + Buffer.byteLength(text))
  bytes[0] = typeCodes.string
  bytes.writeInt32LE(bytes.length - 5, 1)
  bytes.write(text, 5)
  return bytes
}

/** Written into one buffer: a Buffer per key would cost more than all the rest. */
function getAllRequest(cacheId: number, keys: readonly string[]): (requestId: bigint) => Buffer {
  return requestId => {
    const bytes = Buffer.allocUnsafe(23 + keys.reduce((sum, key) => sum + 5 + key.length * 3, 0))
    bytes.writeInt16LE(getAllCode, 4)
    bytes.writeBigInt64LE(requestId, 6)
    bytes.writeInt32LE(cacheId, 14)
    bytes[18] = 0
    bytes.writeInt32LE(keys.length, 19)
    let end = 23
    for (const key of keys) {
      bytes[end] = typeCodes.string
      const length = bytes.write(key, end + 5)
      bytes.writeInt32LE(length, end + 1)
      end += 5 + length
    }
    bytes.writeInt32LE(end - 4, 0)
    return bytes.subarray(0, end)
  }
}

/** Java's String.hashCode: a cache is named by that of its name. */
function hashCodeOf(text: string): number {
  let hash = 0
  for (let i = 0; i < text.length; i++) hash = (Math.imul(31, hash) + text.charCodeAt(i)) | 0
  return hash
}

const typeCodes = { string: 9, collection: 24, map: 25, wrapped: 27, nothing: 101, object: 103 } as const
/** Bytes behind the type code, of types that a cache may hold and we do not read. */
const fixedBytes: Readonly<Record<number, number>> = {
  1: 1,
  2: 2,
  3: 4,
  4: 8,
  5: 4,
  6: 8,
  7: 2,
  8: 1,
  10: 16,
  11: 8,
  33: 12,
  36: 8,
}
const elementBytes: Readonly<Record<number, number>> = { 12: 1, 13: 2, 14: 4, 15: 8, 16: 4, 17: 8, 18: 2, 19: 1 }

function readEntries(bytes: Buffer): ReadonlyMap<string, Value> {
  const entries = new Map<string, Value>()
  let at = 4
  try {
    const count = bytes.readInt32LE(0)
    for (let i = 0; i < count; i++) {
      const key = read()
      const value = read()
      if (typeof key === 'string') entries.set(key, value)
    }
  } catch (error) {
    throw error instanceof RangeError ? malformed() : error
  }
  if (at !== bytes.length) throw malformed()
  return entries

  function read(): Value {
    const code = bytes.readUInt8(at)
    const body = at + 1
    if (code === typeCodes.nothing) return upTo(body, null)
    if (code === typeCodes.string) {
      const end = body + 4 + bytes.readInt32LE(body)
      return upTo(end, bytes.toString('utf8', body + 4, end))
    }
    if (code === typeCodes.map || code === typeCodes.collection) {
      const count = bytes.readInt32LE(body)
      at = body + 5
      const elements = Array.from({ length: code === typeCodes.map ? 2 * count : count }, read)
      const other = elements.some(element => element !== null && typeof element !== 'string')
      if (other) return new WrongKind(`a ${code === typeCodes.map ? 'Map' : 'collection'} of other things than Strings`)
      if (code === typeCodes.collection) return new Set(elements as string[])
      return new Map(Array.from({ length: count }, (_, i) => [elements[2 * i] as string, elements[2 * i + 1] as string | null]))
    }
    const fixed = fixedBytes[code]
    if (fixed !== undefined) return upTo(body + fixed, new WrongKind('a number, a date or a truth value of Java'))
    const element = elementBytes[code]
    if (element !== undefined) return upTo(body + 4 + element * bytes.readInt32LE(body), new WrongKind('an array of Java'))
    // Whole length at byte 12 of an object; a wrapped one has its length, the object, and where it begins.
    if (code === typeCodes.object) return upTo(at + bytes.readInt32LE(at + 12), new WrongKind('an object of a Java class'))
    if (code === typeCodes.wrapped) return upTo(body + 8 + bytes.readInt32LE(body), new WrongKind('an object of a Java class'))
    throw new Refused(`a value of a type that is not read here (code ${code})`)
  }

  function upTo(end: number, value: Value): Value {
    if (end <= at || end > bytes.length) throw malformed()
    at = end
    return value
  }
}
