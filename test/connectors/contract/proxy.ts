// A proxy between a connector and its store: it can hold back answers, cut connections, and cut an answer in its middle.
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { freePorts } from '../../../infra/local/process.ts'

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
  /** Resets all connections (RST). */
  reset(): void
  /** Resets connections, once each as often as told: as they come, when a question has been passed on, or when half of an answer has. */
  resetNext(moment: Moment, times?: number): void
  /** Nothing listens any more and all connections are gone, until `up`: at the same address. */
  down(): Promise<void>
  up(): Promise<void>
  close(): Promise<void>
}

/** Where in an exchange a connection is reset. */
export type Moment = 'connected' | 'asked' | 'answering'

export async function startProxy(target: string): Promise<Proxy> {
  const [host, port] = target.split(':') as [string, string]
  const pairs = new Set<readonly [Socket, Socket]>()
  const deaf = new Set<Socket>()
  let held: (() => void)[] | undefined
  let due: { readonly moment: Moment; times: number } | undefined
  let count = 0
  const isDue = (moment: Moment): boolean => {
    if (due?.moment !== moment) return false
    if (--due.times <= 0) due = undefined
    return true
  }
  const server = createServer(client => {
    count++
    if (isDue('connected')) {
      client.on('error', () => undefined).resetAndDestroy()
      return
    }
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
      if (deaf.has(client)) return
      upstream.write(chunk)
      if (isDue('asked')) client.resetAndDestroy()
    })
    upstream.on('data', chunk => {
      const pass = () => {
        if (client.destroyed) return
        if (isDue('answering')) client.write(chunk.subarray(0, chunk.length / 2), () => client.resetAndDestroy())
        else client.write(chunk)
      }
      if (held === undefined) pass()
      else held.push(pass)
    })
  })
  const listen = (number: number) => new Promise<void>(resolve => server.listen(number, '127.0.0.1', resolve))
  const close = async () => {
    for (const [client] of pairs) client.destroy()
    if (server.listening) await new Promise(resolve => server.close(resolve))
  }
  // Nobody else gets it while the proxy is down.
  const own = (await freePorts(1))[0]!
  await listen(own)
  return {
    address: `127.0.0.1:${own}`,
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
    reset: () => {
      for (const [client] of pairs) client.resetAndDestroy()
    },
    resetNext: (moment, times = 1) => {
      due = times > 0 ? { moment, times } : undefined
    },
    down: close,
    up: () => listen(own),
    close,
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
