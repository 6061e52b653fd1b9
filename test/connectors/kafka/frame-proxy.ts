// A proxy between Kafka's clients and a broker that takes whole requests and answers through its hands: whoever starts it says what becomes of
// each of them. It also cuts connections, as networks do, and keeps the broker's side so long that what was sent arrives.
import { connect, createServer, type Socket } from 'node:net'

/** A client's connection through the proxy. */
export interface Passage {
  /** Of a cut connection only the broker's side goes on. */
  readonly isCut: () => boolean
  toBroker(frame: Buffer): void
  toClient(frame: Buffer): void
  /** The client loses its connection. Without `keepMs` the broker's side stays until the proxy closes. */
  cut(keepMs?: number): void
  /** The client loses it once this answer has reached it. */
  cutAfter(frame: Buffer): void
}

export interface Hands {
  readonly request: (frame: Buffer) => void
  readonly answer: (frame: Buffer) => void
}

export interface FrameProxy {
  readonly address: string
  readonly openSocket: () => Socket
  close(): Promise<void>
}

/** `broker` is asked for each connection; while there is none it is refused. */
export async function startFrameProxy(broker: () => string | undefined, open: (passage: Passage) => Hands): Promise<FrameProxy> {
  const sockets = new Set<Socket>()
  const server = createServer(client => {
    const address = broker()
    if (address === undefined) return void client.destroy()
    const [host, port] = address.split(':') as [string, string]
    const upstream = connect({ port: Number(port), host, noDelay: true })
    client.setNoDelay(true)
    let isCut = false
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        if (!isCut) upstream.destroy()
      })
    }
    const passage: Passage = {
      isCut: () => isCut,
      toBroker: frame => void (upstream.writable && upstream.write(frame)),
      toClient: frame => void (!isCut && client.write(frame)),
      cut(keepMs) {
        isCut = true
        client.destroy()
        if (keepMs !== undefined) setTimeout(() => upstream.destroy(), keepMs).unref()
      },
      cutAfter(frame) {
        passage.toClient(frame)
        isCut = true
        client.end(() => passage.cut(0))
      },
    }
    const hands = open(passage)
    framesOf(client, hands.request)
    framesOf(upstream, hands.answer)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const own = (server.address() as { port: number }).port
  return {
    address: `127.0.0.1:${own}`,
    openSocket: () => connect({ port: own, host: '127.0.0.1', noDelay: true }),
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

export const apiKeyOf = (request: Buffer): number => request.readInt16BE(4)

/** Of a request; its answer has the same. */
export const correlationOf = (request: Buffer): number => request.readInt32BE(8)

export const correlationOfAnswer = (answer: Buffer): number => answer.readInt32BE(4)

/** Requests and answers alike: four bytes of length, then so many. */
function framesOf(socket: Socket, take: (frame: Buffer) => void): void {
  let bytes = Buffer.alloc(0)
  socket.on('data', chunk => {
    bytes = Buffer.concat([bytes, chunk as Buffer])
    while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
      const frame = bytes.subarray(0, 4 + bytes.readInt32BE(0))
      bytes = bytes.subarray(frame.length)
      take(frame)
    }
  })
}
