// A socket to a broker, with TLS where that is configured. What goes wrong here is mostly the network or the set-up, so errors name the
// likely cause.
import { connect, isIP, type Socket } from 'node:net'
import { checkServerIdentity, connect as connectTls } from 'node:tls'

export interface Address {
  readonly host: string
  readonly port: number
}

export interface TlsSettings {
  /** PEM. Node's own authorities by default, which know those of MSK. */
  readonly ca?: string | undefined
  /** PEM of the client's certificate and what leads to an authority. */
  readonly certificate?: string | undefined
  readonly key?: string | undefined
  readonly keyPassphrase?: string | undefined
}

export interface SocketOptions {
  /** Through a proxy: the socket may still be connecting. */
  readonly openSocket?: ((address: Address) => Socket) | undefined
  /** Without it nothing is encrypted. */
  readonly tls?: (() => Promise<TlsSettings>) | undefined
}

/** The broker did not answer: whether it has seen the request is unknown. */
export class TransportError extends Error {
  override readonly name = 'TransportError'
  readonly address: Address
  constructor(address: Address, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.address = address
  }
}

export async function openSocket(address: Address, options: SocketOptions, timeoutMs: number): Promise<Socket> {
  const tls = await options.tls?.()
  const { host, port } = address
  const raw = options.openSocket?.(address)
  if (tls === undefined) {
    const socket = raw ?? connect({ host, port, noDelay: true, keepAlive: true })
    await ready(socket, 'connect', address, timeoutMs)
    return socket
  }
  const { ca, certificate: cert, key, keyPassphrase: passphrase } = tls
  let socket: Socket
  try {
    socket = connectTls({
      ...(raw === undefined ? { host, port, noDelay: true, keepAlive: true } : { socket: raw }),
      // SNI knows names only; the certificate is checked against the address in both cases.
      ...(isIP(host) === 0 && { servername: host }),
      checkServerIdentity: (_, certificate) => checkServerIdentity(host, certificate),
      minVersion: 'TLSv1.2',
      ...{ ca, cert, key, passphrase },
    })
  } catch (error) {
    raw?.destroy()
    throw new TransportError(
      address,
      `TLS with ${addressText(address)} cannot begin (${reasonOf(error as Error)}). Authority, certificate or key is no PEM text, or the passphrase is wrong`,
      { cause: error },
    )
  }
  await ready(socket, 'secureConnect', address, timeoutMs)
  return socket
}

export function addressText({ host, port }: Address): string {
  return `${host}:${port}`
}

/** `host:port`, several separated by commas. */
export function parseAddresses(bootstrapServers: string): readonly Address[] {
  const addresses = bootstrapServers
    .split(',')
    .map(text => text.trim())
    .filter(text => text !== '')
    .map(text => {
      const match = /^(?:PLAINTEXT:\/\/)?(?:\[([^\]]+)\]|([^:/]+)):(\d{1,5})$/i.exec(text)
      if (match === null)
        throw new Error(`"${text}" is no bootstrap server: host:port is needed, several are separated by commas`)
      return { host: (match[1] ?? match[2])!, port: Number(match[3]) }
    })
  if (addresses.length === 0)
    throw new Error('no bootstrap server is given: host:port is needed, several are separated by commas')
  return addresses
}

function ready(socket: Socket, event: 'connect' | 'secureConnect', address: Address, timeoutMs: number): Promise<void> {
  // A TLS handshake may hang at a listener without TLS, which waits for more.
  let connected = false
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () =>
        fail(
          new Error(connected ? `no TLS within ${Math.round(timeoutMs)} ms` : `no connection within ${Math.round(timeoutMs)} ms`),
          connected ? noTls : causeByCode['ETIMEDOUT'],
        ),
      timeoutMs,
    )
    socket.once('connect', () => {
      connected = true
    })
    socket.once(event, opened)
    socket.once('error', failed)

    function opened() {
      clearTimeout(timer)
      socket.off('error', failed)
      resolve()
    }
    function failed(error: NodeJS.ErrnoException) {
      fail(error, tlsCause(error) ?? (connected ? noTls : causeByCode[error.code ?? '']))
    }
    function fail(error: Error, likelyCause = 'Check the address and the network between') {
      clearTimeout(timer)
      socket.off(event, opened)
      socket.on('error', () => undefined)
      socket.destroy()
      const what = connected ? 'does not agree on TLS' : 'cannot be reached'
      reject(
        new TransportError(address, `${addressText(address)} ${what} (${reasonOf(error)}). ${likelyCause}`, { cause: error }),
      )
    }
  })
}

const noTls =
  'The listener may speak no TLS, or want a client certificate; the port may be wrong (MSK: 9092 plaintext, 9094 TLS, 9096 SCRAM, 9098 IAM)'

function tlsCause({ code, message }: NodeJS.ErrnoException): string | undefined {
  switch (code) {
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
      return "The broker's certificate comes from an authority that is not known here: set SLUICE_KAFKA_CA to the authority's certificate"
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return "The broker's certificate is for another name: use the name that it holds as bootstrap server and as advertised listener"
    case 'CERT_HAS_EXPIRED':
      return "The broker's certificate has expired"
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
      return noTls
  }
  return /alert/.test(message) ? 'The broker refused our certificate, or has none of the ciphers that we take' : undefined
}

/** Node gathers the failures of a name's several addresses in one error without a text. */
function reasonOf(error: Error): string {
  return error.message || (error as NodeJS.ErrnoException).code || error.name
}

const causeByCode: Readonly<Record<string, string>> = {
  ENOTFOUND: 'The name has no address: it is misspelt, or this network does not resolve it (a private zone of another VPC)',
  EAI_AGAIN: 'The name service did not answer: the function may be in a subnet without DNS',
  ECONNREFUSED:
    'Nothing listens there: the broker is down, or the port is wrong (MSK: 9092 plaintext, 9094 TLS, 9096 SCRAM, 9098 IAM)',
  ETIMEDOUT: 'Usually the security group of the brokers does not admit this port, or the subnet has no route to them',
  EHOSTUNREACH: 'There is no route to this address from here',
  ENETUNREACH: 'There is no route to this address from here',
}
