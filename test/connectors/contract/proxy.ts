// A proxy between a connector and its store: it can hold back answers, cut connections, and cut an answer in its middle.
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface Proxy {
  /** host:port */
  readonly address: string
  /** How many connections came so far. */
  connectionCount(): number
  /** Answers wait until `release`. */
  hold(): void
  release(): void
  /** Cuts all connections: a frozen function sees that only at its next call. */
  cut(): void
  /** What comes on the connections that are open now is lost from here on, and they stay open. */
  deafen(): void
  /** Cuts the connection after so many further bytes of answers, once. */
  cutAfter(byteCount: number): void
  close(): Promise<void>
}

export async function startProxy(target: string): Promise<Proxy> {
  const [host, port] = target.split(':') as [string, string]
  const pairs = new Set<readonly [Socket, Socket]>()
  const deaf = new Set<Socket>()
  let held: (() => void)[] | undefined
  let bytesLeft = Number.POSITIVE_INFINITY
  let count = 0
  const server = createServer(client => {
    count++
    const upstream = connect(Number(port), host)
    const pair = [client, upstream] as const
    pairs.add(pair)
    const end = () => {
      pairs.delete(pair)
      client.destroy()
      upstream.destroy()
    }
    for (const socket of pair) socket.on('error', end).on('close', end)
    client.on('data', chunk => {
      if (!deaf.has(client)) upstream.write(chunk)
    })
    upstream.on('data', chunk => {
      const pass = () => {
        if (client.destroyed) return
        if (chunk.length <= bytesLeft) {
          bytesLeft -= chunk.length
          client.write(chunk)
          return
        }
        client.write(chunk.subarray(0, bytesLeft), end)
        bytesLeft = Number.POSITIVE_INFINITY
      }
      if (held === undefined) pass()
      else held.push(pass)
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    connectionCount: () => count,
    hold: () => {
      held = []
    },
    release: () => {
      const waiting = held ?? []
      held = undefined
      for (const pass of waiting) pass()
    },
    cut: () => {
      for (const [client] of pairs) client.destroy()
    },
    deafen: () => {
      for (const [client] of pairs) deaf.add(client)
    },
    cutAfter: byteCount => {
      bytesLeft = byteCount
    },
    async close() {
      for (const [client] of pairs) client.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

/** A server that takes connections and answers each chunk with these bytes, or never. */
export async function startOdd(answer: Uint8Array | undefined): Promise<{ readonly address: string; close(): Promise<void> }> {
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('data', () => answer && socket.write(answer))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
}
