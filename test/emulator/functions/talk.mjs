// Speaks with a server as a Kafka client does: the event's topic names hold what to send. `0,26`: request 0, its answer, request 26, its
// answer. `0+28`: both at once, then both answers. `0*28`: the same in one chunk.
import { connect } from 'node:net'

let correlationId = 0

export const handler = async event => {
  const socket = connect(Number(process.env.PORT), '127.0.0.1')
  const answers = reader(socket)
  for (const step of event.eventSource.split(',')) {
    const apiKeys = step.split(/[+*]/).map(Number)
    const requests = apiKeys.map(request)
    if (step.includes('*')) socket.write(Buffer.concat(requests))
    else for (const bytes of requests) socket.write(bytes)
    for (const _ of apiKeys) await answers.next()
  }
  socket.end()
  return { sent: event.eventSource }
}

function request(apiKey) {
  const bytes = Buffer.alloc(4 + 8 + 5)
  bytes.writeInt32BE(bytes.length - 4, 0)
  bytes.writeInt16BE(apiKey, 4)
  bytes.writeInt16BE(3, 6)
  bytes.writeInt32BE(++correlationId, 8)
  bytes.write('-body', 12)
  return bytes
}

async function* reader(socket) {
  let pending = Buffer.alloc(0)
  for await (const chunk of socket) {
    pending = Buffer.concat([pending, chunk])
    while (pending.length >= 4 && pending.length >= 4 + pending.readInt32BE(0)) {
      yield pending.subarray(4, 4 + pending.readInt32BE(0))
      pending = pending.subarray(4 + pending.readInt32BE(0))
    }
  }
}
