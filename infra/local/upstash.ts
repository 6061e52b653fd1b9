// Upstash's REST protocol in front of a real Redis, for tests and local use: no published front is right. Bulk strings are base64 where the
// client asks for it, simple strings ("OK") are not; a wrong token is 401; an error of a command is 400, in a pipeline it stands in its place.
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Redis } from 'ioredis'

export interface LocalUpstash {
  /** `upstash+http://:TOKEN@127.0.0.1:PORT` */
  readonly url: string
  readonly token: string
  stop(): Promise<void>
}

export async function startUpstash(options: { readonly redis: string; readonly token?: string }): Promise<LocalUpstash> {
  const token = options.token ?? 'local-token'
  const redis = new Redis(options.redis, { maxRetriesPerRequest: 1 })
  redis.on('error', () => undefined)
  const server = createServer(async (request, response) => {
    const reply = (status: number, body: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    if (request.headers.authorization !== `Bearer ${token}`) return reply(401, { error: 'Unauthorized' })
    try {
      const asBase64 = request.headers['upstash-encoding'] === 'base64'
      const body = JSON.parse(await textOf(request))
      if (request.url === '/pipeline' || request.url === '/multi-exec') {
        const batch = request.url === '/pipeline' ? redis.pipeline() : redis.multi()
        for (const [name, ...words] of body) batch.callBuffer(name, ...words)
        const replies = (await batch.exec()) ?? []
        return reply(
          200,
          replies.map(([error, value]) => (error ? { error: error.message } : { result: encoded(value, asBase64) })),
        )
      }
      const [name, ...words] = body
      reply(200, { result: encoded(await redis.callBuffer(name, ...words), asBase64) })
    } catch (error) {
      reply(400, { error: (error as Error).message })
    }
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `upstash+http://:${token}@127.0.0.1:${(server.address() as AddressInfo).port}`,
    token,
    async stop() {
      redis.disconnect()
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

function encoded(value: unknown, asBase64: boolean): unknown {
  if (Array.isArray(value)) return value.map(one => encoded(one, asBase64))
  if (Buffer.isBuffer(value)) return asBase64 && value.toString() !== 'OK' ? value.toString('base64') : value.toString()
  return value
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}
