// One socket to one server. Answers belong to questions by their order alone; so whenever a question is given up, the socket goes with it,
// and a late answer can never be taken for another's.
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { checkServerIdentity, connect as connectTls } from 'node:tls'
import { TimeUp } from '../patience.ts'
import type { Target } from './address.ts'
import { encode, type Texts, textsOf } from './commands.ts'
import { createReader, type Reply, ReplyError } from './replies.ts'

export interface Connection {
  /** As the server names it at the greeting; undefined: it does not say (before Redis 6, or no right to HELLO). */
  readonly mode: string | undefined
  readonly isOpen: boolean
  /** Since when nothing was sent or received. */
  readonly quietSinceMs: number
  /**
   * Writes the commands without waiting for anything; gives as many replies. Rejects with TimeUp after `timeoutMs`, or after `firstByteMs` without a
   * single byte, else with what ended the connection; in all these cases the socket is gone.
   */
  exchange(commands: Texts, patience: Patience): Promise<readonly Reply[]>
  /** Ends it; who waits is told this. */
  destroy(error?: Error): void
}

export interface Patience {
  readonly timeoutMs: number
  readonly firstByteMs?: number | undefined
  readonly tell?: ((index: number, reply: Reply) => void) | undefined
}

/** The server let nobody in: its own word for it. */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly reply: ReplyError
  constructor(reply: ReplyError) {
    super(reply.code)
    this.reply = reply
  }
}

/** The other side closed the connection. */
export class Closed extends Error {
  override readonly name = 'Closed'
  /** It took the connection and closed it at the greeting. */
  readonly atGreeting: boolean
  constructor(atGreeting = false) {
    super('the connection was closed')
    this.atGreeting = atGreeting
  }
}

/** No TLS, though the other side took the connection. */
export class NoTls extends Error {
  override readonly name = 'NoTls'
}

/**
 * Commands are written when they have come to this length, then to twice as much, and so on. The server is at work on the first while the rest are
 * encoded, and its first replies are read while it is at work on the last: all written at once, 1,000 look-ups took a fifth longer. Pieces that do
 * not grow take more processor time, and the server, which is slower, finds them together anyway.
 */
const firstPieceBytes = 1024
const largestPieceBytes = 16_384

interface Question {
  readonly replies: Reply[]
  readonly replyCount: number
  readonly tell: ((index: number, reply: Reply) => void) | undefined
  readonly resolve: (replies: readonly Reply[]) => void
  readonly reject: (error: Error) => void
  readonly timer: NodeJS.Timeout
  firstByteTimer: NodeJS.Timeout | undefined
}

/** Connects, logs in and chooses the database. */
export async function openConnection(target: Target, clientName: string, timeoutMs: number): Promise<Connection> {
  const endMs = performance.now() + timeoutMs
  const socket = await openSocket(target, timeoutMs)
  const connection = createConnection(socket)
  const { login, database } = target
  const words: string[][] = []
  if (login !== undefined) words.push(login.user === undefined ? ['AUTH', login.password] : ['AUTH', login.user, login.password])
  // Also to learn who is there: Apache Ignite, whose answers come to the wrong questions, closes the connection at this word.
  words.push(['HELLO', '2'])
  if (database !== 0) words.push(['SELECT', String(database)])
  words.push(['CLIENT', 'SETNAME', clientName.replace(/[^!-~]/g, '-')])
  let replies: readonly Reply[]
  try {
    replies = await connection.exchange(textsOf(words.map(command => encode(...command))), {
      timeoutMs: Math.max(1, endMs - performance.now()),
    })
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    throw error instanceof Closed || code === 'ECONNRESET' || code === 'EPIPE' ? new Closed(true) : error
  }
  let mode: string | undefined
  for (const [index, [name]] of words.entries()) {
    const reply = replies[index]
    if (name === 'HELLO' && Array.isArray(reply)) mode = String(reply[reply.indexOf('mode') + 1])
    if (!(reply instanceof ReplyError)) continue
    // A name is a courtesy, and servers before Redis 6 know no HELLO; what it says of logins and loading counts.
    const isOptional = name === 'CLIENT' || name === 'HELLO'
    if (isOptional && (reply.code === 'ERR' || reply.code === 'NOPERM' || reply.code === 'NOPROTO')) continue
    connection.destroy()
    throw new Refused(reply)
  }
  return Object.defineProperty(connection, 'mode', { value: mode })
}

function createConnection(socket: Socket): Connection {
  const questions: Question[] = []
  let first = 0
  let isOpen = true
  let quietSinceMs = Date.now()

  const reader = createReader(reply => {
    const question = questions[first]
    if (question === undefined) return end(new Closed())
    question.tell?.(question.replies.length, reply)
    question.replies.push(reply)
    if (question.replies.length < question.replyCount) return
    first++
    if (first === questions.length) {
      questions.length = 0
      first = 0
    }
    settle(question)
    question.resolve(question.replies)
  })
  socket.on('data', (chunk: Buffer) => {
    quietSinceMs = Date.now()
    const question = questions[first]
    if (question?.firstByteTimer !== undefined) {
      clearTimeout(question.firstByteTimer)
      question.firstByteTimer = undefined
    }
    try {
      reader.read(chunk)
    } catch (error) {
      end(error as Error)
    }
  })
  socket.on('error', end)
  socket.on('close', () => end(new Closed()))
  socket.on('end', () => end(new Closed()))

  return {
    mode: undefined,
    get isOpen() {
      return isOpen
    },
    get quietSinceMs() {
      return quietSinceMs
    },
    exchange({ count, textOf }, { timeoutMs, firstByteMs, tell }) {
      if (!isOpen) return Promise.reject(new Closed())
      quietSinceMs = Date.now()
      return new Promise((resolve, reject) => {
        const late = () => end(new TimeUp(`no answer within ${timeoutMs} ms`))
        questions.push({
          replies: [],
          replyCount: count,
          tell,
          resolve,
          reject,
          timer: setTimeout(late, timeoutMs),
          firstByteTimer: firstByteMs === undefined ? undefined : setTimeout(() => end(new Closed()), firstByteMs),
        })
        let piece = ''
        let pieceBytes = firstPieceBytes
        for (let i = 0; i < count; i++) {
          piece += textOf(i)
          if (piece.length < pieceBytes && i + 1 < count) continue
          socket.write(piece, 'latin1')
          piece = ''
          pieceBytes = Math.min(2 * pieceBytes, largestPieceBytes)
        }
      })
    },
    destroy: (error = new Closed()) => end(error),
  }

  function end(error: Error): void {
    if (!isOpen) return
    isOpen = false
    socket.destroy()
    for (const question of questions.splice(first)) {
      settle(question)
      question.reject(error)
    }
  }
}

function settle({ timer, firstByteTimer }: Question): void {
  clearTimeout(timer)
  clearTimeout(firstByteTimer)
}

function openSocket({ host, port, tls }: Target, timeoutMs: number): Promise<Socket> {
  const common = { host, port, noDelay: true, keepAlive: true } as const
  let socket: Socket
  if (tls === undefined) socket = connectTcp(common)
  else {
    const name = isIP(host) === 0 ? host : tls.servername
    socket = connectTls({
      ...common,
      ...(tls.ca !== undefined && { ca: tls.ca }),
      // SNI knows names only; the certificate is checked against the address in both cases.
      ...(isIP(name) === 0 && { servername: name }),
      checkServerIdentity: (_, certificate) =>
        checkServerIdentity(host, certificate) && checkServerIdentity(tls.servername, certificate),
      minVersion: 'TLSv1.2',
    })
  }
  return new Promise((resolve, reject) => {
    let connected = false
    const timer = setTimeout(() => fail(new TimeUp(`no connection within ${timeoutMs} ms`)), timeoutMs)
    socket.once('connect', () => {
      connected = true
    })
    socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
      clearTimeout(timer)
      socket.off('error', fail)
      socket.off('close', closed)
      resolve(socket)
    })
    socket.once('error', fail)
    socket.once('close', closed)

    function closed() {
      fail(new Closed(true))
    }
    function fail(error: NodeJS.ErrnoException) {
      clearTimeout(timer)
      socket.off('close', closed)
      socket.on('error', () => undefined)
      socket.destroy()
      const isDeaf = error instanceof Closed || error.code === 'ECONNRESET' || /^(EPROTO|ERR_SSL_)/.test(error.code ?? '')
      reject(tls !== undefined && connected && isDeaf ? new NoTls('no TLS', { cause: error }) : error)
    }
  })
}
