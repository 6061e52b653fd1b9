// One connection to one broker: requests are pipelined, answers come in the same order. It is used by all partitions of the container; a
// connection that failed in any way is never used again, since a late answer or a half-written request would be taken for another's.
import type { Socket } from 'node:net'
import { nameOf } from './codes.ts'
import {
  type Api,
  type ApiName,
  type ApiVersions,
  apiVersions,
  type SaslAnswer,
  saslAuthenticate,
  saslHandshake,
} from './messages.ts'
import { LoginFailed, type SaslConversation } from './sasl.ts'
import { type Address, addressText, openSocket, type SocketOptions, TransportError } from './socket.ts'
import { Reader, Writer } from './wire.ts'

export interface ConnectionOptions extends SocketOptions {
  readonly clientId: string
  /** For the socket, TLS and the login together. */
  readonly connectTimeoutMs: number
  /** Sees every request before it is sent and every answer once it is read: for counting round trips, and for faults in tests. */
  readonly observe?: ((call: Call) => void) | undefined
  /** The conversation of one login, with fresh secrets. */
  readonly login?: (() => Promise<SaslConversation>) | undefined
  /** Hears of a refused login, so that the next one reads its secrets anew: they may have been rotated. */
  readonly loginRefused?: (() => void) | undefined
}

export interface Call {
  readonly api: ApiName
  readonly version: number
  readonly phase: 'request' | 'answer'
  readonly address: Address
}

/** The broker answered that it cannot do what we need; another attempt gives the same. */
export class UnsupportedError extends Error {
  override readonly name = 'UnsupportedError'
}

export async function openConnection(address: Address, options: ConnectionOptions, timeoutMs: number): Promise<Connection> {
  const endMs = Date.now() + Math.max(1, Math.min(options.connectTimeoutMs, timeoutMs))
  const remainingMs = () => Math.max(1, endMs - Date.now())
  const socket = await openSocket(address, options, remainingMs())
  const connection = new Connection(socket, address, options)
  try {
    await connection.handshake(remainingMs())
    await connection.login(remainingMs())
  } catch (error) {
    connection.close()
    if (!(error instanceof TransportError)) throw error
    throw new TransportError(address, `${error.message}. ${likelyCause(error, options)}`, { cause: error })
  }
  return connection
}

function likelyCause(error: TransportError, { tls }: ConnectionOptions): string {
  if (/certificate required|bad certificate|handshake failure|unknown ca/i.test(error.message))
    return 'The listener wants a client certificate that it trusts: set SLUICE_KAFKA_CERTIFICATE and SLUICE_KAFKA_KEY'
  const spoken = tls === undefined ? 'without encryption' : 'with TLS'
  const other = tls === undefined ? 'it may expect TLS or SASL' : 'it may expect a client certificate'
  return `The port is open, but does not talk as a Kafka listener ${spoken} does: ${other}, or be another service`
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
  /** By the wall clock, which runs on while a container is frozen. */
  #loginEndsMs = Number.POSITIVE_INFINITY
  #renewal: Promise<void> | undefined
  /** Something else than the versions was answered: whoever listens there takes us as we are. */
  #accepted = false
  #chunks: Buffer[] = []
  #chunkBytes = 0

  constructor(socket: Socket, address: Address, options: ConnectionOptions) {
    this.#socket = socket
    this.address = address
    this.#options = options
    socket.on('data', chunk => this.#receive(chunk as Buffer))
    socket.on('error', error => this.#fail(`the connection to ${addressText(address)} broke: ${error.message}`, error))
    socket.on('close', () => this.#fail(this.#closedMessage()))
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
    if (this.#renewal === undefined && Date.now() >= this.#loginEndsMs && this.alive) this.#renew(options.timeoutMs)
    // Between the messages of a login the broker takes nothing else.
    if (this.#renewal !== undefined) return this.#renewal.then(() => this.#sendNow(api, request, options))
    return this.#sendNow(api, request, options)
  }

  #sendNow<Request, Response>(
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

  /** Logs in, if a login is configured. Throws LoginFailed. */
  async login(timeoutMs: number): Promise<void> {
    if (this.#options.login === undefined) return
    const endMs = Date.now() + timeoutMs
    const remainingMs = () => Math.max(1, endMs - Date.now())
    const place = addressText(this.address)
    try {
      const conversation = await this.#options.login()
      const { mechanism } = conversation
      const answer = await this.#exchange(saslHandshake, { mechanism }, 1, remainingMs())
      if (answer.code === illegalSaslState)
        throw new LoginFailed(
          `${place} wants no login: it is a listener without SASL, set SLUICE_KAFKA_SECURITY to plaintext or tls`,
        )
      if (answer.code !== 0)
        throw new LoginFailed(`${place} offers the logins ${answer.mechanisms.join(', ')}, and not ${mechanism}`)
      for (let words: string | undefined = await conversation.first(); words !== undefined; ) {
        const sentMs = Date.now()
        const said: SaslAnswer = await this.#exchange(
          saslAuthenticate,
          { bytes: Buffer.from(words) },
          saslAuthenticate.newest,
          remainingMs(),
        )
        if (said.code !== 0) {
          const why = said.message === null || said.message === '' ? nameOf(said.code) : said.message
          throw new LoginFailed(`${place} refused the login with ${mechanism}: ${why}`)
        }
        if (said.sessionLifetimeMs > 0) this.#loginEndsMs = sentMs + said.sessionLifetimeMs * renewalShare
        words = await conversation.next(said.bytes.toString()).catch((error: Error) => {
          throw new LoginFailed(`the login with ${mechanism} at ${place} failed: ${error.message}`, { cause: error })
        })
      }
    } catch (error) {
      if (error instanceof LoginFailed) this.#options.loginRefused?.()
      throw error
    }
  }

  /** KIP-368: a login ends after the time that the broker set; on the same connection it is renewed, before something is sent. */
  #renew(timeoutMs: number): void {
    this.#loginEndsMs = Number.POSITIVE_INFINITY
    this.#renewal = this.login(timeoutMs)
      .catch(error => {
        this.close()
        throw error
      })
      .finally(() => {
        this.#renewal = undefined
      })
  }

  #closedMessage(): string {
    const place = addressText(this.address)
    if (this.#accepted || this.#options.login !== undefined || this.#broker.versions.size === 0)
      return `${place} closed the connection`
    return `${place} closed the connection at the first request: the listener expects a login (SASL), set SLUICE_KAFKA_SECURITY`
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
    const writer = new Writer(256).int32(0).int16(api.key).int16(version).int32(correlationId).shortString(this.#options.clientId)
    if (api.flexible !== false) writer.noTags()
    api.encode(writer, request, version)
    const parts = writer.parts()
    parts[0]!.writeInt32BE(writer.length - 4, 0)
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
          if (api.key !== apiVersions.key && api.flexible !== false) reader.tags()
          const response = api.decode(reader, version)
          if (api.key !== apiVersions.key) this.#accepted = true
          this.#options.observe?.({ ...call, phase: 'answer' })
          resolve(response)
        },
      })
      this.#write(parts)
    })
  }

  /** A large request is not put together: its parts go to the system in one call. */
  #write(parts: readonly Buffer[]): void {
    this.#socket.cork()
    for (const part of parts) this.#socket.write(part)
    this.#socket.uncork()
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

/** A login is renewed when so much of its time is over; the rest is for requests under way. */
const renewalShare = 0.85
const illegalSaslState = 34

const software = { software: 'sluice', softwareVersion: '0' }

/** None of our answers comes near; a larger number is text or TLS that was read as a length. */
const largestAnswerBytes = 100 * 1024 * 1024
