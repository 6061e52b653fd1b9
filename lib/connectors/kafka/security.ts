// How the function gets in at the brokers, as its environment says. What is secret is named rather than written into the environment: a
// secret of AWS Secrets Manager is read at the first connection, and anew after a refused login, since it may have been rotated.
import { readFileSync } from 'node:fs'
import { kafkaError } from './errors.ts'
import { mskIamToken } from './msk-iam.ts'
import { oauthToken } from './oauth.ts'
import type { Security } from './producer.ts'
import { type Compression, compressions } from './records.ts'
import { oauthBearer, type PasswordLogin, plain, type SaslConversation, scram } from './sasl.ts'
import { secretValue } from './secrets.ts'
import type { TlsSettings } from './socket.ts'

export type SecurityEnvironment = Readonly<Record<string, string | undefined>>

export const securityModes = [
  'plaintext',
  'tls',
  'sasl-plain',
  'sasl-scram-256',
  'sasl-scram-512',
  'sasl-oauthbearer',
  'msk-iam',
] as const
export type SecurityMode = (typeof securityModes)[number]

/** Throws an Error in words where the environment contradicts itself: no batch would ever get through. */
export function securityFrom(env: SecurityEnvironment): Security {
  const mode = modeOf(env)
  const encrypted = mode !== 'plaintext' && switchedOn(env, 'SLUICE_KAFKA_TLS')
  if (mode === 'tls' && !encrypted) throw new Error('SLUICE_KAFKA_SECURITY=tls and SLUICE_KAFKA_TLS=off exclude each other')
  if (mode === 'msk-iam' && !encrypted) throw new Error('brokers of MSK take IAM only with TLS: remove SLUICE_KAFKA_TLS=off')
  const secret = env['SLUICE_KAFKA_SECRET'] ? rotatingSecret(env['SLUICE_KAFKA_SECRET'], env) : undefined
  const login = loginOf(mode, env, secret)
  return {
    ...(encrypted && { tls: () => tlsOf(env, mode === 'tls' ? secret : undefined) }),
    ...(login !== undefined && { login }),
    ...(secret !== undefined && { loginRefused: secret.forget }),
  }
}

/** `SLUICE_KAFKA_COMPRESSION`. No broker demands one: a topic with another `compression.type` compresses anew. */
export function compressionFrom(env: SecurityEnvironment): Compression {
  const given = env['SLUICE_KAFKA_COMPRESSION'] || 'none'
  const compression = compressions.find(one => one === given)
  if (compression === undefined) throw new Error(`SLUICE_KAFKA_COMPRESSION is "${given}"; it takes ${compressions.join(', ')}`)
  return compression
}

function modeOf(env: SecurityEnvironment): SecurityMode {
  const given = env['SLUICE_KAFKA_SECURITY'] || 'plaintext'
  const mode = securityModes.find(one => one === given)
  if (mode === undefined) throw new Error(`SLUICE_KAFKA_SECURITY is "${given}"; it takes ${securityModes.join(', ')}`)
  return mode
}

function switchedOn(env: SecurityEnvironment, variable: string): boolean {
  const value = env[variable] || 'on'
  if (value !== 'on' && value !== 'off') throw new Error(`${variable} is "${value}"; it takes on, off`)
  return value === 'on'
}

interface Secret {
  readonly read: () => Promise<Readonly<Record<string, string>>>
  readonly forget: () => void
}

/** Connections that open at the same time share one request. */
function rotatingSecret(name: string, env: SecurityEnvironment): Secret {
  let reading: Promise<Readonly<Record<string, string>>> | undefined
  const forget = () => {
    reading = undefined
  }
  return {
    forget,
    read() {
      reading ??= secretValue(name, env).catch(error => {
        forget()
        throw kafkaError('kafka-secrets', { detail: error.message }, error)
      })
      return reading
    },
  }
}

function loginOf(mode: SecurityMode, env: SecurityEnvironment, secret?: Secret): (() => Promise<SaslConversation>) | undefined {
  switch (mode) {
    case 'plaintext':
    case 'tls':
      return undefined
    case 'sasl-plain':
    case 'sasl-scram-256':
    case 'sasl-scram-512': {
      const password = passwordOf(mode, env, secret)
      return async () => {
        const both = await password()
        return mode === 'sasl-plain' ? plain(both) : scram(mode === 'sasl-scram-256' ? 'sha256' : 'sha512', both)
      }
    }
    case 'sasl-oauthbearer': {
      const endpoint = required(env, 'SLUICE_KAFKA_OAUTH_ENDPOINT', 'the URL that gives tokens')
      const client = passwordOf(mode, env, secret)
      const token = async () => {
        const { username, password } = await client()
        return oauthToken({ endpoint, clientId: username, clientSecret: password, scope: env['SLUICE_KAFKA_OAUTH_SCOPE'] })
      }
      return async () => oauthBearer(token)
    }
    case 'msk-iam': {
      const region = required(env, 'AWS_REGION', 'the region of the cluster; Lambda sets it')
      return async () => oauthBearer(async () => mskIamToken({ region, credentials: credentialsOf(env) }))
    }
  }
}

/** From the secret, `{"username":…,"password":…}` as MSK's own secrets are, or from the environment. */
function passwordOf(mode: SecurityMode, env: SecurityEnvironment, secret?: Secret): () => Promise<PasswordLogin> {
  if (secret !== undefined) {
    return async () => {
      const { username, password } = await secret.read()
      if (username === undefined || password === undefined)
        throw kafkaError('kafka-secrets', { detail: `secret "${env['SLUICE_KAFKA_SECRET']}" lacks "username" or "password"` })
      return { username, password }
    }
  }
  const meaning = `${mode} needs it, or SLUICE_KAFKA_SECRET, the name of a secret in AWS Secrets Manager`
  const username = required(env, 'SLUICE_KAFKA_USERNAME', meaning)
  const password = required(env, 'SLUICE_KAFKA_PASSWORD', meaning)
  return async () => ({ username, password })
}

async function tlsOf(env: SecurityEnvironment, secret?: Secret): Promise<TlsSettings> {
  const ca = pem(env, 'SLUICE_KAFKA_CA')
  // Names as Lambda's own secrets for client certificates have them.
  const held = await secret?.read()
  return {
    ca,
    certificate: held?.['certificate'] ?? pem(env, 'SLUICE_KAFKA_CERTIFICATE'),
    key: held?.['privateKey'] ?? pem(env, 'SLUICE_KAFKA_KEY'),
    keyPassphrase: held?.['privateKeyPassword'] ?? env['SLUICE_KAFKA_KEY_PASSPHRASE'],
  }
}

/** PEM text, or the path of a file that holds it. */
function pem(env: SecurityEnvironment, variable: string): string | undefined {
  const value = env[variable]
  if (value === undefined || value === '' || value.includes('-----BEGIN ')) return value || undefined
  try {
    return readFileSync(value, 'utf8')
  } catch (error) {
    const detail = `${variable} is neither PEM text nor a file that can be read (${(error as Error).message})`
    throw kafkaError('kafka-secrets', { detail }, error)
  }
}

/** Lambda renews them in the environment of each new container; they outlive it. */
export function credentialsOf(env: SecurityEnvironment) {
  const [accessKeyId, secretAccessKey] = [env['AWS_ACCESS_KEY_ID'], env['AWS_SECRET_ACCESS_KEY']]
  if (!accessKeyId || !secretAccessKey)
    throw kafkaError('kafka-secrets', { detail: 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set; Lambda sets them' })
  const sessionToken = env['AWS_SESSION_TOKEN']
  return { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) }
}

function required(env: SecurityEnvironment, variable: string, meaning: string): string {
  const value = env[variable]
  if (value === undefined || value === '') throw new Error(`${variable} is not set: ${meaning}`)
  return value
}
