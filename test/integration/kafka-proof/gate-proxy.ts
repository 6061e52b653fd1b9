// A proxy between one client and its broker that keeps single requests back for as long as a test wants, while others overtake them; where told,
// the client loses its connection meanwhile, and the request arrives when nobody waits for it any more.
import { connect, createServer, type Socket } from 'node:net'
import { commitCalls } from '../../../lib/emulator/fault-points.ts'

export interface Gate {
  /** The first request of this kind is kept back. */
  readonly api: string
  readonly cutsClient?: boolean
}

export interface GateProxy {
  readonly openSocket: () => Socket
  /** Resolves when such a request is here. */
  keep(gate: Gate): { readonly reached: Promise<void>; readonly release: () => void; readonly answered: Promise<void> }
  close(): Promise<void>
}

interface Keeper extends Gate {
  readonly reach: () => void
  readonly released: Promise<void>
  readonly answer: () => void
}

export async function startGateProxy(broker: string): Promise<GateProxy> {
  const [host, port] = broker.split(':') as [string, string]
  const sockets = new Set<Socket>()
  const keepers = new Set<Keeper>()
  const server = createServer(client => {
    const upstream = connect({ port: Number(port), host, noDelay: true })
    const waiting = new Map<number, () => void>()
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
    framesOf(client, frame => {
      const api = commitCalls[frame.readInt16BE(4)]
      const keeper = [...keepers].find(one => one.api === api)
      if (keeper === undefined) return void upstream.write(frame)
      keepers.delete(keeper)
      waiting.set(frame.readInt32BE(8), keeper.answer)
      if (keeper.cutsClient === true) {
        isCut = true
        client.destroy()
      }
      keeper.reach()
      void keeper.released.then(() => upstream.write(frame))
    })
    framesOf(upstream, frame => {
      if (!isCut) client.write(frame)
      waiting.get(frame.readInt32BE(4))?.()
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const own = (server.address() as { port: number }).port
  return {
    openSocket: () => connect({ port: own, host: '127.0.0.1', noDelay: true }),
    keep(gate) {
      const reached = Promise.withResolvers<void>()
      const released = Promise.withResolvers<void>()
      const answered = Promise.withResolvers<void>()
      keepers.add({ ...gate, reach: reached.resolve, released: released.promise, answer: answered.resolve })
      return { reached: reached.promise, release: released.resolve, answered: answered.promise }
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

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
