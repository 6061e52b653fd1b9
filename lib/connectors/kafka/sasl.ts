// The ways to log in. Each is a conversation of texts: what we say first, and what we answer to what the broker says (undefined: nothing
// more). Carried by SaslHandshake and SaslAuthenticate; kafka.apache.org/protocol.html#sasl_handshake
import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

export type SaslMechanism = 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512' | 'OAUTHBEARER'

export interface SaslConversation {
  readonly mechanism: SaslMechanism
  readonly first: () => Promise<string>
  /** Throws LoginFailed where the broker's words are not what they have to be. */
  readonly next: (words: string) => Promise<string | undefined>
}

export interface PasswordLogin {
  readonly username: string
  readonly password: string
}

/** The broker refused us, or did not prove who it is. Another attempt with the same secrets gives the same. */
export class LoginFailed extends Error {
  override readonly name = 'LoginFailed'
}

const pbkdf2Async = promisify(pbkdf2)

/** RFC 4616. The password goes over the line: only over TLS. */
export function plain({ username, password }: PasswordLogin): SaslConversation {
  return {
    mechanism: 'PLAIN',
    first: async () => `\0${username}\0${password}`,
    next: async () => undefined,
  }
}

/** RFC 5802 without channel binding. The password never goes over the line, and the broker proves that it knows it, too. */
export function scram(hash: 'sha256' | 'sha512', { username, password }: PasswordLogin): SaslConversation {
  // Only PBKDF2 salts the password; names and passwords with "," or "=" are escaped in the name alone.
  const name = username.replaceAll('=', '=3D').replaceAll(',', '=2C')
  const nonce = randomBytes(24).toString('base64url')
  const firstBare = `n=${name},r=${nonce}`
  let expected: Buffer | undefined
  return {
    mechanism: hash === 'sha256' ? 'SCRAM-SHA-256' : 'SCRAM-SHA-512',
    first: async () => `n,,${firstBare}`,
    async next(words) {
      const parts = attributesOf(words)
      if (parts['e'] !== undefined) throw new LoginFailed(`the broker says ${parts['e']}`)
      if (expected !== undefined) {
        const proof = Buffer.from(parts['v'] ?? '', 'base64')
        if (proof.length !== expected.length || !timingSafeEqual(proof, expected))
          throw new LoginFailed('the broker does not know the password: it may not be the one that it claims to be')
        return undefined
      }
      const iterations = Number(parts['i'])
      const serverNonce = parts['r'] ?? ''
      if (!serverNonce.startsWith(nonce) || serverNonce === nonce || parts['s'] === undefined)
        throw new LoginFailed('the broker does not keep to SCRAM')
      // Few iterations would let the other side guess the password from our proof; many would keep us busy.
      if (!(iterations >= 4096 && iterations <= 1_000_000))
        throw new LoginFailed(`the broker asks for ${parts['i']} iterations: 4,096 to 1,000,000 are allowed`)
      const keyBytes = hash === 'sha256' ? 32 : 64
      const salted = await pbkdf2Async(password.normalize('NFKC'), Buffer.from(parts['s'], 'base64'), iterations, keyBytes, hash)
      const clientKey = hmac(hash, salted, 'Client Key')
      const withoutProof = `c=biws,r=${serverNonce}`
      const all = `${firstBare},${words},${withoutProof}`
      const signature = hmac(hash, createHash(hash).update(clientKey).digest(), all)
      expected = hmac(hash, hmac(hash, salted, 'Server Key'), all)
      return `${withoutProof},p=${Buffer.from(clientKey.map((byte, at) => byte ^ signature[at]!)).toString('base64')}`
    },
  }
}

/** RFC 7628. `token` is asked for each login. */
export function oauthBearer(token: () => Promise<string>): SaslConversation {
  return {
    mechanism: 'OAUTHBEARER',
    first: async () => `n,,\x01auth=Bearer ${await token()}\x01\x01`,
    // An empty answer means yes. A refusal comes as JSON, which has to be answered with one byte; the refusal itself follows.
    next: async words => (words === '' ? undefined : '\x01'),
  }
}

function attributesOf(words: string): Readonly<Record<string, string>> {
  return Object.fromEntries(words.split(',').map(part => [part.slice(0, 1), part.slice(2)]))
}

function hmac(hash: string, key: Uint8Array, text: string): Buffer {
  return createHmac(hash, key).update(text).digest()
}
