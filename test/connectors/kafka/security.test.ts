// Every way in, on a real broker with all kinds of listeners at once.
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { createServer as createTcpServer, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Certificates, makeCertificates } from '../../../infra/local/certificates.ts'
import { type LocalKafka, startKafka } from '../../../infra/local/kafka.ts'
import type { Call } from '../../../lib/connectors/kafka/connection.ts'
import { createKafka, type KafkaConfig } from '../../../lib/connectors/kafka/producer.ts'
import { type SecurityEnvironment, securityFrom } from '../../../lib/connectors/kafka/security.ts'
import { Fenced, RetryableError, type TransactionPort } from '../../../lib/runtime/ports.ts'
import { startFaultProxy } from './fault-proxy.ts'
import { claim, committedValues, freshPlace, within, write } from './outputs.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluice-tls-'))
let certificates: Certificates
let broker: LocalKafka
let issuer: Server
let issuerUrl: string
const open: TransactionPort[] = []

/** A login ends after this time: KIP-368. */
const loginMs = 3000

beforeAll(async () => {
  certificates = makeCertificates(folder)
  const plainModule = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_function="let me in";'
  const scramModule = 'org.apache.kafka.common.security.scram.ScramLoginModule required;'
  const tokenModule =
    'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";'
  const logins = (name: string) => ({
    [`listener.name.${name}.sasl.enabled.mechanisms`]: 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
    [`listener.name.${name}.plain.sasl.jaas.config`]: plainModule,
    [`listener.name.${name}.scram-sha-256.sasl.jaas.config`]: scramModule,
    [`listener.name.${name}.scram-sha-512.sasl.jaas.config`]: scramModule,
    [`listener.name.${name}.oauthbearer.sasl.jaas.config`]: tokenModule,
    // Without a certificate this listener alone takes tokens that nobody has signed.
    [`listener.name.${name}.oauthbearer.sasl.server.callback.handler.class`]:
      'org.apache.kafka.common.security.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler',
  })
  broker = await startKafka({
    listeners: { TLS: 'SSL', MUTUAL: 'SSL', LOGIN: 'SASL_SSL', OPEN: 'SASL_PLAINTEXT', SHORT: 'SASL_PLAINTEXT' },
    scramUsers: { function: 'let me in = please' },
    settings: {
      ...certificates.listenerSettings('TLS'),
      ...certificates.listenerSettings('MUTUAL', { clientAuth: true }),
      ...certificates.listenerSettings('LOGIN'),
      ...logins('login'),
      ...logins('open'),
      ...logins('short'),
      'listener.name.short.scram-sha-512.connections.max.reauth.ms': loginMs,
    },
  })
  // Gives tokens as an identity provider does; the broker takes them unsigned.
  issuer = createServer((request, response) => {
    const good = request.headers.authorization === `Basic ${Buffer.from('function:secret').toString('base64')}`
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const nowSeconds = Date.now() / 1000
    const token = `${part({ alg: 'none' })}.${part({ sub: 'function', iat: nowSeconds, exp: nowSeconds + 600 })}.`
    response.statusCode = good ? 200 : 401
    response.end(JSON.stringify(good ? { access_token: token, expires_in: 600 } : { error: 'invalid_client' }))
  })
  await new Promise<void>(resolve => issuer.listen(0, '127.0.0.1', resolve))
  issuerUrl = `http://127.0.0.1:${(issuer.address() as { port: number }).port}/token`
})
afterEach(async () => {
  await Promise.all(open.splice(0).map(one => one.close()))
})
afterAll(async () => {
  issuer?.close()
  await broker?.stop()
  rmSync(folder, { recursive: true, force: true })
})

function producer(listener: string, env: SecurityEnvironment, config: Partial<KafkaConfig> = {}): TransactionPort {
  const bootstrapServers = listener === 'PLAINTEXT' ? broker.bootstrapServers : broker.listeners[listener]!
  const one = createKafka({ bootstrapServers, clientId: 'test', patienceMs: 300, security: securityFrom(env), ...config })
  open.push(one)
  return one
}

const scramUser = { SLUICE_KAFKA_USERNAME: 'function', SLUICE_KAFKA_PASSWORD: 'let me in = please' }
const plainUser = { SLUICE_KAFKA_USERNAME: 'function', SLUICE_KAFKA_PASSWORD: 'let me in' }

describe('ways in', () => {
  test.each<[string, string, () => SecurityEnvironment]>([
    ['TLS', 'TLS', () => ({ SLUICE_KAFKA_SECURITY: 'tls' })],
    [
      'TLS with a client certificate',
      'MUTUAL',
      () => ({
        SLUICE_KAFKA_SECURITY: 'tls',
        SLUICE_KAFKA_CERTIFICATE: certificates.client.certificate,
        SLUICE_KAFKA_KEY: certificates.client.key,
      }),
    ],
    [
      'TLS with certificates in files',
      'MUTUAL',
      () => ({
        SLUICE_KAFKA_SECURITY: 'tls',
        SLUICE_KAFKA_CA: join(folder, 'ca.pem'),
        SLUICE_KAFKA_CERTIFICATE: join(folder, 'client.pem'),
        SLUICE_KAFKA_KEY: join(folder, 'client.key'),
      }),
    ],
    ['PLAIN over TLS', 'LOGIN', () => ({ SLUICE_KAFKA_SECURITY: 'sasl-plain', ...plainUser })],
    ['SCRAM-SHA-256 over TLS', 'LOGIN', () => ({ SLUICE_KAFKA_SECURITY: 'sasl-scram-256', ...scramUser })],
    ['SCRAM-SHA-512 over TLS', 'LOGIN', () => ({ SLUICE_KAFKA_SECURITY: 'sasl-scram-512', ...scramUser })],
    [
      'SCRAM-SHA-512 without TLS',
      'OPEN',
      () => ({ SLUICE_KAFKA_SECURITY: 'sasl-scram-512', SLUICE_KAFKA_TLS: 'off', ...scramUser }),
    ],
    [
      'OAUTHBEARER over TLS, the token from an identity provider',
      'LOGIN',
      () => ({
        SLUICE_KAFKA_SECURITY: 'sasl-oauthbearer',
        SLUICE_KAFKA_OAUTH_ENDPOINT: issuerUrl,
        SLUICE_KAFKA_USERNAME: 'function',
        SLUICE_KAFKA_PASSWORD: 'secret',
      }),
    ],
  ])('%s: claims, writes, and reads its progress', async (_, listener, env) => {
    const place = await freshPlace(broker.bootstrapServers)
    const kafka = producer(listener, { SLUICE_KAFKA_CA: certificates.ca, ...env() })
    const { session } = await claim(kafka, place)
    await write(kafka, place, session, 0, ['a', 'b'])
    expect((await claim(kafka, place)).position).toBe(2n)
    expect(await committedValues(broker.bootstrapServers, place.target)).toEqual(['a', 'b'])
  })

  test('a login that ends is renewed on the same connection, in time and also after a freeze', async () => {
    const place = await freshPlace(broker.bootstrapServers)
    const calls: Call[] = []
    const kafka = producer(
      'SHORT',
      { SLUICE_KAFKA_SECURITY: 'sasl-scram-512', SLUICE_KAFKA_TLS: 'off', ...scramUser },
      { observe: call => call.phase === 'request' && calls.push(call) },
    )
    const { session } = await claim(kafka, place)
    let position = 0
    const renewals = () => calls.filter(call => call.api === 'SaslHandshake').length - 1
    for (; renewals() === 0; await sleep(250)) {
      await write(kafka, place, session, position, [`${position}`])
      position++
    }
    expect(renewals()).toBe(1)
    // Longer than the login lasts, nothing is sent, as in a frozen container.
    await sleep(loginMs * 1.2)
    await write(kafka, place, session, position, [`${position}`])
    expect(renewals()).toBe(2)
    // Versions are asked once per connection.
    expect(calls.filter(call => call.api === 'ApiVersions')).toHaveLength(1)
    expect(await committedValues(broker.bootstrapServers, place.target)).toEqual(
      Array.from({ length: position + 1 }, (_, n) => String(n)),
    )
  })
})

test('whichever request or answer is lost, also of a login, records are written once and in order', async () => {
  const place = await freshPlace(broker.bootstrapServers)
  const written: string[] = []
  const lost = new Set<string>()
  for (const fate of ['lose', 'lose answer'] as const) {
    for (let n = 1; ; n++) {
      let hit = false
      const proxy = await startFaultProxy(broker.listeners['OPEN']!, frame => {
        if (frame.number !== n) return 'pass'
        hit = true
        lost.add(frame.api)
        return fate
      })
      const kafka = producer(
        'OPEN',
        { SLUICE_KAFKA_SECURITY: 'sasl-scram-256', SLUICE_KAFKA_TLS: 'off', ...scramUser },
        { openSocket: proxy.openSocket, patienceMs: 2000 },
      )
      for (let round = 0; round < 20; round++) {
        try {
          const { session, position } = await claim(kafka, place)
          if (position === BigInt(written.length + 1)) break
          await write(kafka, place, session, written.length, [`${fate} ${n}`])
          break
        } catch (error) {
          if (!(error instanceof Fenced || error instanceof RetryableError)) throw error
        }
      }
      written.push(`${fate} ${n}`)
      await kafka.close()
      await proxy.close()
      if (!hit) break
    }
  }
  expect([...lost]).toEqual(expect.arrayContaining(['SaslHandshake', 'SaslAuthenticate', 'InitProducerId', 'EndTxn']))
  expect(await committedValues(broker.bootstrapServers, place.target)).toEqual(written)
})

describe('what is wrong is named', () => {
  const cases: readonly [what: string, listener: string, env: () => SecurityEnvironment, id: string, words: string][] = [
    [
      'a wrong password, PLAIN',
      'LOGIN',
      () => ({ SLUICE_KAFKA_SECURITY: 'sasl-plain', SLUICE_KAFKA_USERNAME: 'function', SLUICE_KAFKA_PASSWORD: 'hunter2' }),
      'kafka-login',
      'refused the login with PLAIN: Authentication failed: Invalid username or password',
    ],
    [
      'a wrong password, SCRAM',
      'LOGIN',
      () => ({ SLUICE_KAFKA_SECURITY: 'sasl-scram-512', SLUICE_KAFKA_USERNAME: 'function', SLUICE_KAFKA_PASSWORD: 'hunter2' }),
      'kafka-login',
      'refused the login with SCRAM-SHA-512',
    ],
    [
      'an unknown user',
      'LOGIN',
      () => ({ SLUICE_KAFKA_SECURITY: 'sasl-scram-256', SLUICE_KAFKA_USERNAME: 'nobody', SLUICE_KAFKA_PASSWORD: 'hunter2' }),
      'kafka-login',
      'refused the login with SCRAM-SHA-256',
    ],
    [
      'a token of another kind',
      'LOGIN',
      () => ({
        SLUICE_KAFKA_SECURITY: 'msk-iam',
        AWS_REGION: 'eu-central-1',
        AWS_ACCESS_KEY_ID: 'AKIA',
        AWS_SECRET_ACCESS_KEY: 'hunter2',
      }),
      'kafka-login',
      'refused the login with OAUTHBEARER',
    ],
    [
      'an identity provider that refuses the client',
      'LOGIN',
      () => ({
        SLUICE_KAFKA_SECURITY: 'sasl-oauthbearer',
        SLUICE_KAFKA_OAUTH_ENDPOINT: issuerUrl,
        SLUICE_KAFKA_USERNAME: 'function',
        SLUICE_KAFKA_PASSWORD: 'hunter2',
      }),
      'kafka-secrets',
      'gave no token (401 invalid_client)',
    ],
    [
      'a login where none is wanted',
      'TLS',
      () => ({ SLUICE_KAFKA_SECURITY: 'sasl-scram-512', ...scramUser }),
      'kafka-login',
      'wants no login: it is a listener without SASL',
    ],
    [
      'no login where one is wanted',
      'OPEN',
      () => ({ SLUICE_KAFKA_SECURITY: 'plaintext' }),
      'kafka-unreachable',
      'the listener expects a login (SASL), set SLUICE_KAFKA_SECURITY',
    ],
    [
      'no login where one is wanted, over TLS',
      'LOGIN',
      () => ({ SLUICE_KAFKA_SECURITY: 'tls' }),
      'kafka-unreachable',
      'the listener expects a login (SASL), set SLUICE_KAFKA_SECURITY',
    ],
    [
      'no TLS where it is wanted',
      'TLS',
      () => ({ SLUICE_KAFKA_SECURITY: 'plaintext' }),
      'kafka-unreachable',
      'it may expect TLS or SASL',
    ],
    [
      'TLS where none is spoken',
      'PLAINTEXT',
      () => ({ SLUICE_KAFKA_SECURITY: 'tls' }),
      'kafka-unreachable',
      'The listener may speak no TLS',
    ],
    [
      'no client certificate where one is wanted',
      'MUTUAL',
      () => ({ SLUICE_KAFKA_SECURITY: 'tls' }),
      'kafka-unreachable',
      'The listener wants a client certificate that it trusts',
    ],
    [
      'an authority that is not known',
      'TLS',
      () => ({ SLUICE_KAFKA_SECURITY: 'tls', SLUICE_KAFKA_CA: certificates.strangeCa }),
      'kafka-unreachable',
      'set SLUICE_KAFKA_CA',
    ],
    [
      'a key that is none',
      'MUTUAL',
      () => ({
        SLUICE_KAFKA_SECURITY: 'tls',
        SLUICE_KAFKA_CERTIFICATE: certificates.client.certificate,
        SLUICE_KAFKA_KEY: '-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n',
      }),
      'kafka-unreachable',
      'is no PEM text, or the passphrase is wrong',
    ],
    [
      'a file of certificates that is missing',
      'TLS',
      () => ({ SLUICE_KAFKA_SECURITY: 'tls', SLUICE_KAFKA_CA: '/nowhere/ca.pem' }),
      'kafka-secrets',
      'SLUICE_KAFKA_CA is neither PEM text nor a file',
    ],
  ]
  test.each(cases)('%s', async (_, listener, env, id, words) => {
    const kafka = producer(listener, { SLUICE_KAFKA_CA: certificates.ca, ...env() })
    // Bounded, since the batch comes again anyway: else the test's own time would be up.
    const error = await kafka.fence('sluice.t.1/in/0', within(300_000)).catch(error => error)
    expect(error).toMatchObject({ id, message: expect.stringContaining(words) })
    expect(error.message).not.toContain('hunter2')
  })

  test('a name that the certificate does not hold', async () => {
    const kafka = createKafka({
      bootstrapServers: broker.listeners['TLS']!.replace('127.0.0.1', 'localhost'),
      clientId: 'test',
      patienceMs: 300,
      security: securityFrom({ SLUICE_KAFKA_SECURITY: 'tls', SLUICE_KAFKA_CA: certificates.ca }),
    })
    open.push(kafka)
    await expect(kafka.fence('sluice.t.1/in/0', within(8000))).rejects.toMatchObject({
      id: 'kafka-unreachable',
      message: expect.stringContaining("The broker's certificate is for another name"),
    })
  })

  test('packets that are dropped, as a security group does', async () => {
    const kafka = producer('TLS', { SLUICE_KAFKA_SECURITY: 'tls' }, { connectTimeoutMs: 300, openSocket: () => new Socket() })
    await expect(kafka.fence('sluice.t.1/in/0', within(8000))).rejects.toMatchObject({
      id: 'kafka-unreachable',
      message: expect.stringContaining('Usually the security group of the brokers does not admit this port'),
    })
  })

  test('a listener that takes the connection and says nothing', async () => {
    const silent = createTcpServer(() => undefined)
    await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve))
    const { port } = silent.address() as { port: number }
    const sockets: Socket[] = []
    silent.on('connection', socket => sockets.push(socket))
    for (const [mode, words] of [
      ['tls', 'no TLS within'],
      ['plaintext', 'did not answer ApiVersions'],
    ] as const) {
      const security = securityFrom({ SLUICE_KAFKA_SECURITY: mode })
      const config = { bootstrapServers: `127.0.0.1:${port}`, clientId: 'test', patienceMs: 300, connectTimeoutMs: 300, security }
      const kafka = createKafka(config)
      open.push(kafka)
      await expect(kafka.fence('sluice.t.1/in/0', within(8000))).rejects.toMatchObject({
        id: 'kafka-unreachable',
        message: expect.stringContaining(words),
      })
    }
    for (const socket of sockets) socket.destroy()
    silent.close()
  })
})
