// One server, connected when it is first asked and again whenever the connection is gone.
import { TimeUp } from '../patience.ts'
import { addressText, type Target } from './address.ts'
import { encode, type Texts, textsOf } from './commands.ts'
import { Closed, type Connection, openConnection } from './connection.ts'
import type { Reply } from './replies.ts'

export interface Asking {
  readonly timeoutMs: number
  /** The commands may be carried out twice, as reading may: they are sent again where it is unknown whether they arrived. */
  readonly repeatable: boolean
  /** Told of each reply as it comes, by the command's place; from the start if all is asked again. The result alone counts. */
  readonly tell?: ((index: number, reply: Reply) => void) | undefined
}

export interface RedisNode {
  readonly host: string
  readonly address: string
  /** `cluster`, `standalone`; undefined before the first connection, or where the server does not say. */
  readonly mode: string | undefined
  connect(timeoutMs: number): Promise<Connection>
  /** Rejects with TimeUp, Refused, Closed, Garbage or an error of the network. */
  exchange(commands: Texts, asking: Asking): Promise<readonly Reply[]>
  close(error?: Error): void
}

/** Longest wait for a connection, where the deadline leaves more. */
const connectTimeoutMs = 2000
/** A connection that was quiet for longer may be half open: the function was frozen, and nobody told it that the other side has gone. */
const doubtfulAfterMs = 1000

export function createNode(target: Target, clientName: string): RedisNode {
  let connection: Connection | undefined
  let connecting: Promise<Connection> | undefined
  let mode: string | undefined
  return {
    host: target.host,
    address: addressText(target),
    get mode() {
      return mode
    },
    connect,
    exchange,
    close(error) {
      connection?.destroy(error)
      connection = undefined
    },
  }

  /** Who comes while somebody connects waits for the same connection. */
  async function connect(timeoutMs: number): Promise<Connection> {
    if (connection?.isOpen) return connection
    connecting ??= openConnection(target, clientName, Math.min(timeoutMs, connectTimeoutMs)).finally(() => {
      connecting = undefined
    })
    connection = await connecting
    mode = connection.mode
    return connection
  }

  async function exchange(commands: Texts, { timeoutMs, repeatable, tell }: Asking): Promise<readonly Reply[]> {
    const endMs = performance.now() + timeoutMs
    const remainingMs = () => Math.max(1, endMs - performance.now())
    for (let attempt = 1; ; attempt++) {
      const isFresh = connection === undefined || !connection.isOpen
      const open = await connect(remainingMs())
      const isDoubtful = !isFresh && Date.now() - open.quietSinceMs > doubtfulAfterMs
      try {
        // What must not be done twice is not sent into a connection that may be dead.
        if (isDoubtful && !repeatable) {
          await open.exchange(textsOf([encode('PING')]), { timeoutMs: remainingMs(), firstByteMs: remainingMs() / 2 })
        }
      } catch (error) {
        if (error instanceof TimeUp) throw error
        continue
      }
      try {
        const firstByteMs = isDoubtful && repeatable ? remainingMs() / 2 : undefined
        return await open.exchange(commands, { timeoutMs: remainingMs(), firstByteMs, tell })
      } catch (error) {
        // A connection that the other side closed in the meantime shows it only now.
        const isStale = error instanceof Closed || (error as NodeJS.ErrnoException).code !== undefined
        if (isFresh || attempt === 2 || !repeatable || !isStale) throw error
      }
    }
  }
}
