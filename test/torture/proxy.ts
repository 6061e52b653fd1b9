// Proxies that brokers name as their own addresses, so that every connection of the functions goes through them. Where told, they cut a
// connection before a request, between request and answer, or after the answer; or it cuts and delivers the request later, when nobody
// expects it any more, as networks may.
import { connect, createServer, type Socket } from 'node:net'
import { commitCalls } from '../../lib/emulator/fault-points.ts'

export type Cut = 'cut before' | 'cut between' | 'cut after' | 'late delivery'

export interface ArmedCut {
  /** Without one it only tells that the request is here. */
  readonly cut?: Cut
  /** 1: the next request of a commit, on whatever connection. */
  readonly call: number
  readonly delayMs: number
  readonly struck: (api: string) => void
}

export interface CuttingProxies {
  /** One for each broker. */
  readonly addresses: readonly string[]
  /** Where connections go; before that they are refused. */
  lead(upstreams: readonly string[]): void
  arm(cut: ArmedCut): void
  /** True: it was still armed. */
  disarm(cut: ArmedCut): boolean
  close(): Promise<void>
}

/** How long the broker's side of a cut connection is kept, so that what was sent arrives. */
const lingerMs = 500

export async function startCuttingProxies(count: number): Promise<CuttingProxies> {
  const sockets = new Set<Socket>()
  const armed = new Map<ArmedCut, number>()
  let upstreams: readonly string[] = []
  const servers = Array.from({ length: count }, (_, broker) => createServer(client => pass(client, upstreams[broker])))

  function pass(client: Socket, address: string | undefined): void {
    if (address === undefined) return void client.destroy()
    const [host, port] = address.split(':') as [string, string]
    const upstream = connect({ port: Number(port), host, noDelay: true })
    client.setNoDelay(true)
    let isCut = false
    let cutAfterAnswer: number | undefined
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        if (!isCut) upstream.destroy()
      })
    }
    const cut = (keepMs: number) => {
      isCut = true
      client.destroy()
      setTimeout(() => upstream.destroy(), keepMs).unref()
    }
    framesOf(client, frame => {
      if (isCut) return
      const strike = strikeAt(frame)
      if (strike === undefined) return void upstream.write(frame)
      strike.struck(commitCalls[frame.readInt16BE(4)]!)
      switch (strike.cut) {
        case undefined:
          return void upstream.write(frame)
        case 'cut before':
          return cut(0)
        case 'cut between':
          upstream.write(frame)
          return cut(lingerMs)
        case 'cut after':
          cutAfterAnswer = frame.readInt32BE(8)
          return void upstream.write(frame)
        case 'late delivery':
          cut(strike.delayMs + lingerMs)
          return void setTimeout(() => upstream.writable && upstream.write(frame), strike.delayMs).unref()
      }
    })
    framesOf(upstream, frame => {
      if (isCut) return
      client.write(frame)
      if (frame.readInt32BE(4) !== cutAfterAnswer) return
      isCut = true
      client.end(() => cut(0))
    })
  }

  function strikeAt(frame: Buffer): ArmedCut | undefined {
    if (commitCalls[frame.readInt16BE(4)] === undefined) return undefined
    let strike: ArmedCut | undefined
    for (const [one, left] of armed) {
      if (left > 1 || strike !== undefined) armed.set(one, Math.max(1, left - 1))
      else {
        armed.delete(one)
        strike = one
      }
    }
    return strike
  }

  await Promise.all(servers.map(server => new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))))
  return {
    addresses: servers.map(server => `127.0.0.1:${(server.address() as { port: number }).port}`),
    lead(addresses) {
      upstreams = addresses
    },
    arm: cut => void armed.set(cut, cut.call),
    disarm: cut => armed.delete(cut),
    async close() {
      for (const socket of sockets) socket.destroy()
      await Promise.all(servers.map(server => new Promise(resolve => server.close(resolve))))
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
