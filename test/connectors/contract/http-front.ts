// In front of a store that speaks HTTP: refuses as the real service does and its stand-in cannot, or changes what is asked and answered.
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface HttpFront {
  /** host:port */
  readonly address: string
  /** Answers all with this, or those for which it gives an answer; undefined: asks the store again. */
  refuse(answer: Refusal | ((operation: string) => Refusal | undefined) | undefined): void
  change(change: Change | undefined): void
  stop(): Promise<void>
}

interface Refusal {
  readonly status: number
  readonly body: string
}

const passedHeaders = ['authorization', 'content-type', 'x-amz-target', 'x-amz-date', 'upstash-encoding']

type Change = (question: string) => { readonly question: string; answer(text: string): string }

export async function startHttpFront(target: string): Promise<HttpFront> {
  let refused: Parameters<HttpFront['refuse']>[0]
  let change: Change | undefined
  const server = createServer(async (request, response) => {
    const body = await textOf(request)
    // Of AWS: `DynamoDB_20120810.GetItem`.
    const operation = String(request.headers['x-amz-target']).split('.').at(-1)!
    const refusal = typeof refused === 'function' ? refused(operation) : refused
    if (refusal !== undefined) return response.writeHead(refusal.status).end(refusal.body)
    const changed = change?.(body)
    const answer = await fetch(`http://${target}${request.url}`, {
      method: request.method!,
      headers: passedHeaders.flatMap((name): [string, string][] => {
        const value = request.headers[name]
        return typeof value === 'string' ? [[name, value]] : []
      }),
      body: changed?.question ?? body,
    })
    const text = await answer.text()
    response
      .writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'application/json' })
      .end(changed?.answer(text) ?? text)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    refuse: answer => {
      refused = answer
    },
    change: how => {
      change = how
    },
    async stop() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}
