// One connection to Ignite's port of thin clients: the greeting, then requests by number; frames begin with their length.
import { connect as connectSocket, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { malformed, Refused } from './refused.ts'
import { textObject } from './values.ts'

const statusNames: Readonly<Record<number, string>> = {
  3: 'not authorised',
  10: 'the cluster is not active',
  1000: 'there is no such cache',
}
const longestFrameBytes = 512 * 1024 * 1024
/** The first version with user names whose frames have the short header; Ignite 2.18 takes it like its own. */
const version = { major: 1, minor: 2, patch: 0 }

export interface Connection {
  isOpen(): boolean
  /** Behind the greeting. One request at a time is written whole; answers carry its number. */
  ask(body: (requestId: bigint) => Buffer): Promise<Buffer>
  end(): void
}

export interface Address {
  readonly hostname: string
  readonly port: number
  readonly tls: boolean
  readonly ca: string | undefined
  /** Empty: nobody. */
  readonly user: string
  readonly password: string
}

export function open({ hostname, port, tls, ca, user, password }: Address): Connection {
  // An IPv6 address stands in brackets in a URL.
  const host = hostname.replace(/^\[|\]$/g, '')
  const socket: Socket = tls
    ? connectTls({ host, port, ...(isIP(host) === 0 && { servername: host }), ...(ca !== undefined && { ca }) })
    : connectSocket({ host, port })
  socket.setNoDelay(true)
  const waiting = new Map<bigint, { readonly resolve: (frame: Buffer) => void; readonly reject: (error: unknown) => void }>()
  const greetingId = 0n
  let greeted = false
  let isOpen = true
  let lastId = greetingId
  let chunks: Buffer[] = []
  let byteCount = 0

  const fail = (error: unknown) => {
    isOpen = false
    socket.destroy()
    for (const { reject } of waiting.values()) reject(error)
    waiting.clear()
  }
  socket.on('error', fail)
  socket.on('close', () => fail(new Error('the connection was closed')))
  socket.on('data', chunk => {
    chunks.push(chunk as Buffer)
    byteCount += chunk.length
    while (byteCount >= 4) {
      // Joined only when a frame is whole: an answer of megabytes comes in hundreds of chunks.
      if (chunks[0]!.length < 4) chunks = [Buffer.concat(chunks)]
      const length = chunks[0]!.readInt32LE(0)
      if (length < 1 || length > longestFrameBytes) return fail(malformed())
      if (byteCount < 4 + length) return
      const bytes = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
      take(bytes.subarray(4, 4 + length))
      const rest = bytes.subarray(4 + length)
      chunks = rest.length > 0 ? [rest] : []
      byteCount = rest.length
    }
  })

  function take(frame: Buffer): void {
    if (greeted && frame.length < 12) return fail(malformed())
    const id = greeted ? frame.readBigInt64LE(0) : greetingId
    const asked = waiting.get(id)
    if (asked === undefined) return fail(malformed())
    waiting.delete(id)
    asked.resolve(frame)
  }
  const exchange = (id: bigint, bytes: Buffer) =>
    new Promise<Buffer>((resolve, reject) => {
      if (!isOpen) return reject(new Error('the connection was closed'))
      waiting.set(id, { resolve, reject })
      socket.write(bytes)
    })

  async function greet(): Promise<void> {
    const head = Buffer.alloc(8)
    head.writeInt8(1, 0)
    head.writeInt16LE(version.major, 1)
    head.writeInt16LE(version.minor, 3)
    head.writeInt16LE(version.patch, 5)
    head.writeInt8(2, 7)
    const login = user === '' ? [] : [textObject(user), textObject(password)]
    const frame = await exchange(greetingId, framed([head, ...login]))
    // 1: welcome. Otherwise the server's version and the reason, which may name the user.
    if (frame[0] !== 1) throw frame[0] === 0 ? new Refused('the greeting was refused: user, password or version') : malformed()
    greeted = true
  }
  // All who ask wait for it: an answer before the greeting's would be taken for that.
  const greeting = greet()
  greeting.catch(() => undefined)

  return {
    isOpen: () => isOpen,
    async ask(body) {
      await greeting
      const id = ++lastId
      const frame = await exchange(id, body(id))
      const status = frame.readInt32LE(8)
      if (status !== 0) throw new Refused(statusNames[status] ?? `status ${status}`)
      return frame.subarray(12)
    },
    end: () => fail(new Error('the connection was closed')),
  }
}

function framed(parts: readonly Buffer[]): Buffer {
  const length = Buffer.alloc(4)
  length.writeInt32LE(parts.reduce((sum, { length: bytes }) => sum + bytes, 0))
  return Buffer.concat([length, ...parts])
}
