// Strikes the function's process at an exact point of its conversation with Kafka, or with a Redis that keeps its state. Preloaded into every
// container (`--import`), it reads along on the sockets, counts the requests that make up a commit, and where told kills (SIGKILL) or stops
// (SIGSTOP) the process: before a request is written, after it is written and before its answer, or when its answer has arrived. The function
// knows nothing of it.
import { writeSync } from 'node:fs'
import { Socket } from 'node:net'
import type { ToHost } from './container.ts'
import { commitCalls, type Fault, type FaultPhase } from './fault-points.ts'
import { RedisValues, stateCallOf } from './state-calls.ts'

// Size, API key, version, correlation id: docs of the protocol, "Request Header v1". An answer has size and correlation id.
const requestHeaderBytes = 12
const answerHeaderBytes = 8
// Redis, HTTP and TLS begin with bytes that would be a Kafka request of more than 300 MB.
const redisArray = 0x2a
const largestRequestBytes = 200 * 1024 * 1024
const reportFd = 4
const offsetFetch = 9
const initProducerId = 22

type Conversation = KafkaConversation | RedisConversation | { readonly protocol: 'other' }

interface RedisConversation {
  readonly protocol: 'redis'
  readonly commands: RedisValues
  readonly answers: RedisValues
  /** In the order of commands, which is that of answers. Undefined: no call of the state, or not the last command of one. */
  readonly waiting: (Call | undefined)[]
}

interface KafkaConversation {
  readonly protocol: 'kafka'
  readonly requests: Frames
  readonly answers: Frames
  /** Correlation id → what was asked, for commit calls that wait for their answer. */
  readonly waiting: Map<number, Call>
  /** The commit call whose bytes are being written; undefined for other requests. */
  writing: Call | undefined
  /** Correlation id of the answer that is being read. */
  reading: number
}

interface Call {
  readonly call: number
  readonly name: string
}

let fault: Fault | undefined
let callCount = 0
const asked = new Set<string>()

/** The next fault, from now on; counting starts again. */
function arm(next: Fault | undefined): void {
  fault = next
  callCount = 0
  asked.clear()
}

/** Where frames begin and end in a stream of chunks. */
class Frames {
  readonly #headerBytes: number
  #header: Buffer<ArrayBufferLike> = Buffer.alloc(0)
  #bodyLeft = 0

  constructor(headerBytes: number) {
    this.#headerBytes = headerBytes
  }

  /** Calls `visit` for each header that is complete in this chunk and each frame that ends in it, with positions in the chunk. */
  read(chunk: Buffer, visit: (found: { header?: Buffer; startsAt: number; endsAt?: number }) => 'go on' | 'stop'): void {
    let at = 0
    let startsAt = 0
    while (at < chunk.length) {
      if (this.#bodyLeft === 0) {
        if (this.#header.length === 0) startsAt = at
        const taken = chunk.subarray(at, at + this.#headerBytes - this.#header.length)
        this.#header = Buffer.concat([this.#header, taken])
        at += taken.length
        if (this.#header.length < this.#headerBytes) return
        const header = this.#header
        this.#header = Buffer.alloc(0)
        this.#bodyLeft = header.readInt32BE(0) + 4 - this.#headerBytes
        if (visit({ header, startsAt }) === 'stop') return
      }
      const body = Math.min(this.#bodyLeft, chunk.length - at)
      at += body
      this.#bodyLeft -= body
      if (this.#bodyLeft === 0 && visit({ startsAt, endsAt: at }) === 'stop') return
    }
  }
}

const conversations = new WeakMap<Socket, Conversation>()

/** By its first bytes. */
function conversationOf(socket: Socket, bytes: Buffer): Conversation {
  let conversation = conversations.get(socket)
  if (conversation === undefined) {
    conversation =
      bytes[0] === redisArray
        ? { protocol: 'redis', commands: new RedisValues(), answers: new RedisValues(), waiting: [] }
        : {
            protocol: 'kafka',
            requests: new Frames(requestHeaderBytes),
            answers: new Frames(answerHeaderBytes),
            waiting: new Map(),
            writing: undefined,
            reading: -1,
          }
    conversations.set(socket, conversation)
  }
  return conversation
}

type Done = (error?: Error | null) => void
type WriteMethod = (this: Socket, chunk: unknown, encoding: BufferEncoding, done: Done) => void
type WritevMethod = (this: Socket, chunks: readonly { chunk: unknown; encoding: BufferEncoding }[], done: Done) => void

// _write and _writev are what streams call when bytes really go to the system; `write` may only queue them.
const prototype = Socket.prototype as unknown as {
  _write: WriteMethod
  _writev: WritevMethod
  push: (...args: unknown[]) => boolean
}
const { _write: write, _writev: writev, push } = prototype

prototype._write = function (chunk, encoding, done) {
  const bytes = asBuffer(chunk, encoding)
  const strike = observe(this, bytes)
  if (strike === undefined) write.call(this, chunk, encoding, done)
  else writeAndStrike(this, bytes, strike, done)
}

prototype._writev = function (chunks, done) {
  const bytes = Buffer.concat(chunks.map(({ chunk, encoding }) => asBuffer(chunk, encoding)))
  const strike = observe(this, bytes)
  if (strike === undefined) writev.call(this, chunks, done)
  else writeAndStrike(this, bytes, strike, done)
}

prototype.push = function (this: Socket, ...args: unknown[]) {
  const [chunk] = args
  const conversation = conversations.get(this)
  if (conversation !== undefined && chunk instanceof Uint8Array) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
    if (conversation.protocol === 'kafka') observeAnswers(conversation, bytes)
    else if (conversation.protocol === 'redis') observeRedisAnswers(conversation, bytes)
  }
  return push.apply(this, args)
}

/** Bytes up to here still go out; then the process is struck. */
interface Strike {
  readonly at: number
  readonly point: string
}

function observe(socket: Socket, bytes: Buffer): Strike | undefined {
  const conversation = conversationOf(socket, bytes)
  if (conversation.protocol === 'other') return undefined
  if (conversation.protocol === 'redis') return observeCommands(conversation, bytes)
  return observeRequests(socket, conversation, bytes)
}

/** What goes together is one call: claims, reads or writes of one pipeline, whatever stands between them. */
function observeCommands({ commands, waiting }: RedisConversation, bytes: Buffer): Strike | undefined {
  const calls = new Map<string, Call & { readonly startsAt: number; endsAt: number; position: number }>()
  commands.read(bytes, ({ words, startsAt, endsAt }) => {
    const name = stateCallOf(words)
    waiting.push(undefined)
    if (name === undefined) return
    const call = calls.get(name) ?? { call: ++callCount, name, startsAt, endsAt, position: 0 }
    calls.set(name, call)
    call.endsAt = endsAt
    call.position = waiting.length - 1
  })
  for (const { call, name, position } of calls.values()) waiting[position] = { call, name }
  for (const { call, name, startsAt, endsAt } of calls.values()) {
    if (isAt(call, 'before')) return { at: startsAt, point: `${name} before` }
    if (isAt(call, 'written')) return { at: endsAt, point: `${name} written` }
  }
  return undefined
}

function observeRedisAnswers({ answers, waiting }: RedisConversation, bytes: Buffer): void {
  answers.read(bytes, () => {
    const request = waiting.shift()
    if (request !== undefined && isAt(request.call, 'answered')) strikeNow(`${request.name} answered`)
  })
}

function observeRequests(socket: Socket, conversation: KafkaConversation, bytes: Buffer): Strike | undefined {
  let strike: Strike | undefined
  conversation.requests.read(bytes, ({ header, startsAt, endsAt }) => {
    if (header !== undefined) {
      const size = header.readInt32BE(0)
      if (size < requestHeaderBytes - 4 || size > largestRequestBytes) {
        conversations.set(socket, { protocol: 'other' })
        return 'stop'
      }
      const apiKey = header.readInt16BE(4)
      const name = isRepeated(apiKey, bytes.subarray(startsAt + requestHeaderBytes, startsAt + 4 + size))
        ? undefined
        : commitCalls[apiKey]
      conversation.writing = name === undefined ? undefined : { call: ++callCount, name }
      if (conversation.writing !== undefined) {
        conversation.waiting.set(header.readInt32BE(8), conversation.writing)
        if (isAt(conversation.writing.call, 'before')) strike ??= { at: startsAt, point: `${name} before` }
      }
    }
    if (endsAt !== undefined && conversation.writing !== undefined) {
      const { call, name } = conversation.writing
      if (isAt(call, 'written')) strike ??= { at: endsAt, point: `${name} written` }
    }
    return 'go on'
  })
  return strike
}

/**
 * The broker makes a new owner wait while it ends a dead one's transaction: the same question again, as often as timing wants. Counted, it
 * would push the calls behind it out of a fault's reach.
 */
function isRepeated(apiKey: number, body: Buffer): boolean {
  if (apiKey !== initProducerId && apiKey !== offsetFetch) return false
  const question = `${apiKey} ${body.toString('latin1')}`
  const isKnown = asked.has(question)
  asked.add(question)
  return isKnown
}

function observeAnswers(conversation: KafkaConversation, bytes: Buffer): void {
  conversation.answers.read(bytes, ({ header, endsAt }) => {
    if (header !== undefined) conversation.reading = header.readInt32BE(4)
    if (endsAt !== undefined) {
      const request = conversation.waiting.get(conversation.reading)
      conversation.waiting.delete(conversation.reading)
      if (request !== undefined && isAt(request.call, 'answered')) strikeNow(`${request.name} answered`)
    }
    return 'go on'
  })
}

function writeAndStrike(socket: Socket, bytes: Buffer, strike: Strike, done: Done): void {
  const goOn = (): void => {
    strikeNow(strike.point)
    // Only a stopped process comes here, when it is thawed.
    if (strike.at === bytes.length) done()
    else write.call(socket, bytes.subarray(strike.at), 'buffer' as BufferEncoding, done)
  }
  if (strike.at === 0) goOn()
  else {
    write.call(socket, bytes.subarray(0, strike.at), 'buffer' as BufferEncoding, error => {
      if (error) done(error)
      else goOn()
    })
  }
}

function isAt(call: number, phase: FaultPhase): boolean {
  return fault !== undefined && fault.call === call && fault.phase === phase
}

/** Signals to oneself are delivered before kill() returns, so nothing of the function runs in between. */
function strikeNow(point: string): void {
  const signal = fault!.action === 'kill' ? 'SIGKILL' : 'SIGSTOP'
  fault = undefined
  try {
    writeSync(reportFd, `${point}\n`)
  } catch {
    // Nobody listens: the module was loaded without a container around it.
  }
  process.kill(process.pid, signal)
}

function asBuffer(chunk: unknown, encoding: BufferEncoding): Buffer {
  if (typeof chunk === 'string') return Buffer.from(chunk, encoding)
  const bytes = chunk as Uint8Array
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

process.on('message', (message: ToHost) => {
  if (message.kind === 'arm') arm(message.fault ?? undefined)
})
