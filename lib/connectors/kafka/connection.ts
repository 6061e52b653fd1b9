// One connection to one broker: requests are pipelined, answers come in the same order. It is used by all partitions of the container; a
// connection that failed in any way is never used again, since a late answer or a half-written request would be taken for another's.
import { connect, type Socket } from 'node:net'
import { type Api, type ApiName, type ApiVersions, apiVersions } from './messages.ts'
import { Reader, Writer } from './wire.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

export interface ConnectionOptions {
  readonly clientId: string
  readonly connectTimeoutMs: number
  /** Sees every request before it is sent and every answer once it is read: for counting round trips, and for faults in tests. */
  readonly observe?: ((call: Call) => void) | undefined
  /** The seam for TLS. The socket may still be connecting. */
  readonly openSocket?: ((address: Address) => Socket) | undefined
  /** The seam for SASL: runs when the versions are known, before anything else is sent. */
  readonly authenticate?: ((connection: Connection) => Promise<void>) | undefined
}

export interface Call {
  readonly api: ApiName
  readonly version: number
  readonly phase: 'request' | 'answer'
  readonly address: Address
}

/** The broker did not answer: whether it has seen the request is unknown. */
export class TransportError extends Error {
  override readonly name = 'TransportError'
  readonly address: Address
  constructor(address: Address, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.address = address
  }
}

/** The broker answered that it cannot do what we need; another attempt gives the same. */
export class UnsupportedError extends Error {
  override readonly name = 'UnsupportedError'
}

export async function openConnection(address: Address, options: ConnectionOptions, timeoutMs: number): Promise<Connection> {
  const startMs = Date.now()
  const boundMs = Math.max(1, Math.min(options.connectTimeoutMs, timeoutMs))
  const socket =
    options.openSocket?.(address) ?? connect({ host: address.host, port: address.port, noDelay: true, keepAlive: true })
  await connected(socket, address, boundMs)
  const connection = new Connection(socket, address, options)
  try {
    await connection.handshake(Math.max(1, boundMs - (Date.now() - startMs)))
    await options.authenticate?.(connection)
  } catch (error) {
    connection.close()
    if (!(error instanceof TransportError)) throw error
    const detail =
      'The port is open, but does not talk as a Kafka listener without encryption does: it may expect TLS or SASL, or be another service'
    throw new TransportError(address, `${error.message}. ${detail}`, { cause: error })
  }
  return connection
}

export class Connection {
  readonly address: Address
  readonly #socket: Socket
  readonly #options: ConnectionOptions
  readonly #pending = new Map<number, Pending>()
  #broker: ApiVersions = { code: 0, versions: new Map(), features: new Map() }
  #nextCorrelationId = 1
  #failure: TransportError | undefined
  #lastUsedMs = Date.now()
  #chunks: Buffer[] = []
  #chunkBytes = 0

  constructor(socket: Socket, address: Address, options: ConnectionOptions) {
    this.#socket = socket
    this.address = address
    this.#options = options
    socket.on('data', chunk => this.#receive(chunk as Buffer))
    socket.on('error', error => this.#fail(`the connection to ${addressText(address)} broke: ${error.message}`, error))
    socket.on('close', () => this.#fail(`${addressText(address)} closed the connection`))
  }

  get alive(): boolean {
    return this.#failure === undefined
  }

  /** How long nothing has come or gone, by the wall clock: it runs on while a container is frozen. */
  get idleMs(): number {
    return Date.now() - this.#lastUsedMs
  }

  /** The level of a finalised feature of the cluster, 0 if it has none. */
  feature(name: string): number {
    return this.#broker.features.get(name) ?? 0
  }

  /** The version that is spoken for this message; throws if there is none. */
  versionOf<Request, Response>(api: Api<Request, Response>, newest = api.newest): number {
    const theirs = this.#broker.versions.get(api.key)
    const version = Math.min(newest, theirs?.newest ?? -1)
    if (theirs !== undefined && version >= api.oldest && version >= theirs.oldest) return version
    const found = theirs === undefined ? 'does not know it' : `speaks ${theirs.oldest} to ${theirs.newest}`
    throw new UnsupportedError(
      `${addressText(this.address)} ${found}: ${api.name} ${api.oldest} to ${newest} is needed (Kafka ≥ 3.0)`,
    )
  }

  /** Rejects with TransportError where no answer comes in time; the connection is closed then. */
  send<Request, Response>(
    api: Api<Request, Response>,
    request: Request,
    options: { readonly timeoutMs: number; readonly newest?: number | undefined },
  ): Promise<Response> {
    return this.#exchange(
      api,
      request,
      api.key === apiVersions.key ? api.newest : this.versionOf(api, options.newest),
      options.timeoutMs,
    )
  }

  async handshake(timeoutMs: number): Promise<void> {
    this.#broker = await this.send(apiVersions, software, { timeoutMs })
    if (this.#broker.code !== 0)
      throw new UnsupportedError(`${addressText(this.address)} is older than Kafka 3.0, which is needed`)
  }

  /** Whether the broker still answers: after a freeze a connection may be dead without a sign. */
  async probe(timeoutMs: number): Promise<boolean> {
    try {
      await this.handshake(timeoutMs)
      return true
    } catch {
      return false
    }
  }

  close(): void {
    this.#fail(`the connection to ${addressText(this.address)} was closed by us`)
  }

  #exchange<Request, Response>(
    api: Api<Request, Response>,
    request: Request,
    version: number,
    timeoutMs: number,
  ): Promise<Response> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const correlationId = this.#nextCorrelationId++
    const writer = new Writer(256)
      .int32(0)
      .int16(api.key)
      .int16(version)
      .int32(correlationId)
      .shortString(this.#options.clientId)
      .noTags()
    api.encode(writer, request, version)
    const bytes = writer.bytes()
    bytes.writeInt32BE(bytes.length - 4, 0)
    const call = { api: api.name, version, address: this.address }
    this.#options.observe?.({ ...call, phase: 'request' })
    this.#lastUsedMs = Date.now()
    return new Promise<Response>((resolve, reject) => {
      const timer = setTimeout(() => this.#due(correlationId, -1), Math.max(1, timeoutMs))
      this.#pending.set(correlationId, {
        timer,
        what: `${api.name} within ${Math.round(timeoutMs)} ms`,
        reject,
        answer: reader => {
          // The header of this one answer kept its first form, so that any client can read it.
          if (api.key !== apiVersions.key) reader.tags()
          const response = api.decode(reader, version)
          this.#options.observe?.({ ...call, phase: 'answer' })
          resolve(response)
        },
      })
      this.#socket.write(bytes)
    })
  }

  // After a thaw, due timers fire before sockets are read: an answer that has long arrived gets as many more turns as bytes come in.
  #due(correlationId: number, bytesSeen: number): void {
    const pending = this.#pending.get(correlationId)
    if (pending === undefined) return
    const bytesNow = this.#socket.bytesRead
    if (bytesNow === bytesSeen) this.#fail(`${addressText(this.address)} did not answer ${pending.what}`)
    else setImmediate(() => this.#due(correlationId, bytesNow))
  }

  #receive(chunk: Buffer): void {
    this.#lastUsedMs = Date.now()
    this.#chunks.push(chunk)
    this.#chunkBytes += chunk.length
    while (this.#chunkBytes >= 4) {
      if (this.#chunks[0]!.length < 4) this.#chunks = [Buffer.concat(this.#chunks)]
      const size = this.#chunks[0]!.readInt32BE(0)
      if (size < 4 || size > largestAnswerBytes) {
        this.#fail(`${addressText(this.address)} answered with something else than Kafka's protocol`)
        return
      }
      if (this.#chunkBytes < size + 4) return
      const all = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)
      const rest = all.subarray(size + 4)
      this.#chunks = rest.length === 0 ? [] : [rest]
      this.#chunkBytes = rest.length
      this.#answer(all.subarray(4, size + 4))
    }
  }

  #answer(message: Buffer): void {
    const reader = new Reader(message)
    const correlationId = reader.int32()
    const pending = this.#pending.get(correlationId)
    if (pending === undefined) {
      this.#fail(`${addressText(this.address)} answered a request that was not asked`)
      return
    }
    this.#pending.delete(correlationId)
    clearTimeout(pending.timer)
    try {
      pending.answer(reader)
    } catch (error) {
      const failure = new TransportError(
        this.address,
        `an answer of ${addressText(this.address)} could not be read: ${(error as Error).message}`,
        {
          cause: error,
        },
      )
      pending.reject(failure)
      this.#fail(failure.message, error)
    }
  }

  #fail(message: string, cause?: unknown): void {
    if (this.#failure !== undefined) return
    this.#failure = new TransportError(this.address, message, { cause })
    this.#socket.destroy()
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    for (const one of pending) {
      clearTimeout(one.timer)
      one.reject(this.#failure)
    }
  }
}

interface Pending {
  readonly timer: NodeJS.Timeout
  readonly what: string
  readonly reject: (error: Error) => void
  readonly answer: (reader: Reader) => void
}

const software = { software: 'sluice', softwareVersion: '0' }

/** None of our answers comes near; a larger number is text or TLS that was read as a length. */
const largestAnswerBytes = 100 * 1024 * 1024

export function addressText({ host, port }: Address): string {
  return `${host}:${port}`
}

function connected(socket: Socket, address: Address, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => fail(new Error(`no connection within ${Math.round(timeoutMs)} ms`), causeByCode.ETIMEDOUT),
      timeoutMs,
    )
    socket.once('connect', opened)
    socket.once('error', failed)

    function opened() {
      clearTimeout(timer)
      socket.off('error', failed)
      resolve()
    }
    function failed(error: NodeJS.ErrnoException) {
      fail(error, causeByCode[error.code ?? ''])
    }
    function fail(error: Error, likelyCause = 'Check the address and the network between') {
      clearTimeout(timer)
      socket.off('connect', opened)
      socket.on('error', () => undefined)
      socket.destroy()
      reject(
        new TransportError(address, `${addressText(address)} cannot be reached (${reasonOf(error)}). ${likelyCause}`, {
          cause: error,
        }),
      )
    }
  })
}

/** Node gathers the failures of a name's several addresses in one error without a text. */
function reasonOf(error: Error): string {
  return error.message || (error as NodeJS.ErrnoException).code || error.name
}

const causeByCode: Readonly<Record<string, string>> = {
  ENOTFOUND: 'The name has no address: it is misspelt, or this network does not resolve it (a private zone of another VPC)',
  EAI_AGAIN: 'The name service did not answer: the function may be in a subnet without DNS',
  ECONNREFUSED:
    'Nothing listens there: the broker is down, or the port is wrong (MSK: 9092 plaintext, 9094 TLS, 9096 SCRAM, 9098 IAM)',
  ETIMEDOUT: 'Usually the security group of the brokers does not admit this port, or the subnet has no route to them',
  EHOSTUNREACH: 'There is no route to this address from here',
  ENETUNREACH: 'There is no route to this address from here',
}
