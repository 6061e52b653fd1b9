// A proxy between producer and broker that sees each request and may hold it, lose it, or lose its answer: what networks and freezes do.
import { connect, createServer, type Socket } from 'node:net'

export interface Frame {
  readonly apiKey: number
  readonly api: string
  /** From 1, over all connections. */
  readonly number: number
}

/** Held until the promise resolves; `lose`: the connection is cut before the request goes on; `lose answer`: after. */
export type Fate = 'pass' | 'lose' | 'lose answer' | Promise<void>

export interface FaultProxy {
  readonly openSocket: () => Socket
  close(): Promise<void>
}

const names: Readonly<Record<number, string>> = {
  0: 'Produce',
  2: 'ListOffsets',
  3: 'Metadata',
  9: 'OffsetFetch',
  10: 'FindCoordinator',
  17: 'SaslHandshake',
  18: 'ApiVersions',
  22: 'InitProducerId',
  24: 'AddPartitionsToTxn',
  25: 'AddOffsetsToTxn',
  26: 'EndTxn',
  28: 'TxnOffsetCommit',
  36: 'SaslAuthenticate',
}

export async function startFaultProxy(broker: string, decide: (frame: Frame) => Fate): Promise<FaultProxy> {
  const [host, port] = broker.split(':') as [string, string]
  const sockets = new Set<Socket>()
  let number = 0
  const server = createServer(client => {
    const upstream = connect(Number(port), host)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    let losesNext = false
    upstream.on('data', chunk => {
      if (losesNext) client.destroy()
      else client.write(chunk)
    })
    let bytes = Buffer.alloc(0)
    let turn = Promise.resolve()
    client.on('data', chunk => {
      bytes = Buffer.concat([bytes, chunk as Buffer])
      while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
        const frame = bytes.subarray(0, 4 + bytes.readInt32BE(0))
        bytes = bytes.subarray(frame.length)
        const apiKey = frame.readInt16BE(4)
        turn = turn.then(async () => {
          const fate = decide({ apiKey, api: names[apiKey] ?? String(apiKey), number: ++number })
          if (fate instanceof Promise) await fate
          if (fate === 'lose') client.destroy()
          if (fate === 'lose answer') losesNext = true
          if (!upstream.destroyed && fate !== 'lose') upstream.write(frame)
        })
      }
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const own = (server.address() as { port: number }).port
  return {
    openSocket: () => connect({ port: own, host: '127.0.0.1', noDelay: true }),
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
}
