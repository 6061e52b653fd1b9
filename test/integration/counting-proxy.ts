// A proxy in front of a store that counts what the wire shows: round trips, and what was said in each. A round trip begins when the client speaks
// while no answer is due on any of its connections, so requests that are under way together are one.
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface CountingProxy {
  /** host:port */
  readonly address: string
  /** What the client said, a text per round trip, since the last `forget`. */
  readonly roundTrips: readonly string[]
  forget(): void
  close(): Promise<void>
}

/** `delayMs`: how long each answer is held back, so that what was asked at once is seen to be at once. */
export async function countingProxy(target: string, { delayMs = 0 } = {}): Promise<CountingProxy> {
  const [host, port] = target.split(':') as [string, string]
  const waiting = new Set<Socket>()
  const sockets = new Set<Socket>()
  let roundTrips: string[] = []
  const server = createServer(client => {
    const upstream = connect(Number(port), host)
    const end = () => {
      waiting.delete(client)
      for (const socket of [client, upstream]) {
        sockets.delete(socket)
        socket.destroy()
      }
    }
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.setNoDelay(true).on('error', end).on('close', end)
    }
    client.on('data', (bytes: Buffer) => {
      if (waiting.size === 0) roundTrips.push('')
      waiting.add(client)
      roundTrips[roundTrips.length - 1] += bytes.toString('latin1')
      upstream.write(bytes)
    })
    upstream.on('data', (bytes: Buffer) => {
      const pass = () => {
        waiting.delete(client)
        if (!client.destroyed) client.write(bytes)
      }
      if (delayMs === 0) pass()
      else setTimeout(pass, delayMs)
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    get roundTrips() {
      return roundTrips
    },
    forget: () => {
      roundTrips = []
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

/** Redis' commands in what a client said, each with its words; of texts without line ends. */
export function redisCommands(said: string): readonly string[] {
  return said
    .split(/^\*\d+\r\n/m)
    .slice(1)
    .map(command => [...command.matchAll(/\$\d+\r\n(.*)\r\n/g)].map(([, word]) => word).join(' '))
}
