// What Ignite alone has: values of Java's types, caches by name, users, TLS, and a Redis protocol that must not be believed.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Certificates, makeCertificates } from '../../../infra/local/certificates.ts'
import { type LocalIgnite, startIgnite } from '../../../infra/local/ignite.ts'
import { connectIgnite } from '../../../lib/connectors/ignite.ts'
import { connectRedis } from '../../../lib/connectors/redis.ts'
import { WrongKind } from '../../../lib/plan/plan.ts'

/** Time that these tests are not about. */
const timeoutMs = 30_000
const deadline = { remainingMs: () => timeoutMs }
const texts = (keys: readonly string[]) => ({ command: { kind: 'string' }, keys, timeoutMs }) as const
let ignite: LocalIgnite
const at = (address: string, cache: string) => `ignite://ignite:ignite@${address}/${cache}`

beforeAll(async () => {
  ignite = await startIgnite({ text: 'one', number: 7, other: 'two' })
})
afterAll(() => ignite.stop())

test('a value of another Java type is told at its place', async () => {
  const port = connectIgnite({ url: at(ignite.address, 'profiles'), scenario: 'visits' })
  expect(await port.lookupMany([texts(['text', 'number', 'other'])], deadline)).toEqual([['one', expect.any(WrongKind), 'two']])
  await port.close()
})

test.each(['BigDecimal', 'TimeUnit', 'LocalDate', 'String[]', 'UUID[]', 'BigDecimal[]', 'Timestamp[]', 'Object[]'])(
  'a value of the type %s spoils no other',
  async key => {
    const port = connectIgnite({ url: at(ignite.address, 'profiles'), scenario: 'visits' })
    expect(await port.lookupMany([texts(['text', key, 'other'])], deadline)).toEqual([['one', expect.any(WrongKind), 'two']])
    await port.close()
  },
)

test('a cache that is not there', async () => {
  const port = connectIgnite({ url: at(ignite.address, 'nowhere'), scenario: 'visits' })
  await expect(port.lookupMany([texts(['text'])], deadline)).rejects.toThrow(
    /^\[ignite-unreachable\] visits: 1 look-ups got no answer from 127\.0\.0\.1:\d+ \(there is no such cache\)\./,
  )
  await port.close()
})

test('redis:// at Ignite is refused, and the message says what to write instead', async () => {
  const port = connectRedis({ url: `redis://${ignite.redisAddress}`, scenario: 'visits' })
  await expect(port.lookupMany([texts(['text'])], deadline)).rejects.toThrow(
    /^\[redis-unreachable\] .* as Apache Ignite does, whose Redis protocol mixes up answers: if Ignite runs there, write ignite:\/\/host:10800\/CACHE\.$/,
  )
  await port.close()
})

describe('TLS', () => {
  let folder: string
  let certificates: Certificates
  let secured: LocalIgnite
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ignite-tls-'))
    certificates = makeCertificates(folder)
    secured = await startIgnite({ text: 'one' }, { file: certificates.keyStore('store-secret'), password: 'store-secret' })
  }, 90_000)
  afterAll(async () => {
    await secured.stop()
    rmSync(folder, { recursive: true })
  })
  const connected = (url: string, ca?: string) => connectIgnite({ url, scenario: 'visits', ...(ca !== undefined && { ca }) })
  const urlOf = (scheme: string, { address }: LocalIgnite, password = 'ignite') =>
    `${scheme}://ignite:${password}@${address}/profiles`

  test('ignites:// with the authority that signed the certificate, twice over one connection', async () => {
    const port = connected(urlOf('ignites', secured), certificates.ca)
    expect(await port.lookupMany([texts(['text', 'nobody'])], deadline)).toEqual([['one', null]])
    expect(await port.lookupMany([texts(['nobody', 'text'])], deadline)).toEqual([[null, 'one']])
    await port.close()
  })

  test.each([
    ['a certificate of an unknown authority', 'ignites', 'ignite', () => certificates.strangeCa, /UNABLE_TO_VERIFY|SELF_SIGNED/],
    ['a wrong password', 'ignites', 'wrong-secret', () => certificates.ca, /the greeting was refused: user, password or version/],
    ['ignite:// where TLS is spoken', 'ignite', 'ignite', () => undefined, /ignites:\/\/ \(with TLS\)/],
  ])('%s is refused with words', async (_, scheme, password, ca, words) => {
    const port = connected(urlOf(scheme, secured, password), ca())
    const failure = await port.lookupMany([texts(['text'])], deadline).catch(error => error)
    expect(failure.id).toMatch(/^ignite-(unreachable|timeout)$/)
    expect(failure.message).toMatch(words)
    expect(inspect(failure, { depth: 10 })).not.toMatch(/wrong-secret|store-secret/)
    await port.close()
  })

  test('ignites:// where no TLS is spoken', async () => {
    const port = connected(urlOf('ignites', ignite), certificates.ca)
    const failure = await port.lookupMany([texts(['text'])], { remainingMs: () => 500 }).catch(error => error)
    expect(failure.id).toMatch(/^ignite-(unreachable|timeout)$/)
    await port.close()
  })
})
