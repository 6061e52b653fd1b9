// rediss://, as ElastiCache and MemoryDB with encryption in transit want it: a real server with TLS, certificates checked.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Certificates, makeCertificates } from '../../../infra/local/certificates.ts'
import { freePorts, type Service, startService, untilReady } from '../../../infra/local/process.ts'
import { connectRedis } from '../../../lib/connectors/redis.ts'

const deadline = { remainingMs: () => 2000 }
const request = { command: { kind: 'string' }, keys: ['nobody'] } as const
let folder: string
let certificates: Certificates
let service: Service
let port: number

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'redis-tls-'))
  certificates = makeCertificates(folder)
  port = (await freePorts(1))[0]!
  const logFile = join(folder, 'log')
  const tls = [
    '--tls-cert-file',
    'broker.pem',
    '--tls-key-file',
    'broker.key',
    '--tls-ca-cert-file',
    'ca.pem',
    '--tls-auth-clients',
    'no',
  ]
  service = startService({
    command: 'redis-server',
    arguments: [
      '--port',
      '0',
      '--tls-port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--requirepass',
      'right-secret',
    ].concat(tls.map(word => (word.includes('.') ? join(folder, word) : word))),
    logFile,
  })
  await untilReady('Redis', service, { logFile, timeoutMs: 15_000, ready: log => log.includes('Ready to accept connections') })
})
afterAll(async () => {
  await service.kill()
  rmSync(folder, { recursive: true, force: true })
})

const redis = (secret: string, ca: string) =>
  connectRedis({ url: `rediss://default:${secret}@127.0.0.1:${port}`, scenario: 'visits', ca })

test('a look-up over TLS, with a password', async () => {
  const store = redis('right-secret', certificates.ca)
  expect(await store.lookupMany([request], deadline)).toEqual([[null]])
  await store.close()
})

test.each([
  ['a wrong password', 'wrong-secret', () => certificates.ca, /\(WRONGPASS\)/],
  [
    'a certificate that nobody vouches for',
    'right-secret',
    () => certificates.strangeCa,
    /\((SELF_SIGNED|UNABLE_TO|DEPTH)[A-Z_]+\)/,
  ],
])('%s is refused in words without secrets', async (_, secret, ca, reason) => {
  const store = redis(secret, ca())
  const failure = await store.lookupMany([request], deadline).catch(error => error)
  expect(failure.message).toMatch(/^\[redis-unreachable\] visits: 1 look-ups got no answer from 127\.0\.0\.1:\d+ /)
  expect(failure.message).toMatch(reason)
  expect(inspect(failure, { depth: 10 })).not.toContain(secret)
  await store.close()
})
