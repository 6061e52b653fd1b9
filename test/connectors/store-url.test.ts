// What is wrong with a store's URL is told without the URL: it may hold a secret.
import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { connectIgnite } from '../../lib/connectors/ignite.ts'
import { connectUpstash } from '../../lib/connectors/upstash.ts'

const unreadable = 'it cannot be read; a password or token with one of "/?#@%" must be percent-encoded'
const behind = 'one of "?#@" stands behind the host; in a password or token "/?#@%" must be percent-encoded'
const alone = 'it has a user and no password; a password or token alone is ":SECRET@"'

test.each([
  ['upstash+https://:sEc/ret@h.upstash.io', unreadable],
  ['upstash+https://:sEc#ret@h.upstash.io', unreadable],
  ['upstash+https://:sEc?ret@h.upstash.io', unreadable],
  ['upstash+https://default:sEc/ret@h.upstash.io', unreadable],
  ['upstash+https://default:12/sEcret@h.upstash.io', behind],
  ['upstash+https://sEc/ret@h.upstash.io', behind],
  ['upstash+https://sEcret@h.upstash.io', alone],
  ['upstash+https://:sEc%ret@h.upstash.io', 'a "%" in it must be written "%25"'],
  ['upstash+https://:sEcret@h.upstash.io/sEcret', 'something stands behind the host'],
  ['upstash+https://h.upstash.io/?token=sEcret', behind],
  ['ignite://u:sEc#ret@h:10800/C', unreadable],
  ['ignite://u:sEc/ret@h:10800/C', unreadable],
  ['ignite://u:12/sEcret@h:10800/C', behind],
  ['ignite://u:12#sEcret@h:10800/C', behind],
  ['ignite://sEcret@h:10800/C', alone],
  ['ignite://u:sEc%ret@h:10800/C', 'a "%" in it must be written "%25"'],
  ['ignite://u:sEcret@h:10800', 'it names no cache'],
  ['ignite:///sEcret', 'it has no host'],
])('%s', (url, why) => {
  const form = url.startsWith('ignite') ? 'ignite://[user:password@]host[:port]/CACHE' : 'upstash+https://:TOKEN@host'
  const connect = () =>
    url.startsWith('ignite') ? connectIgnite({ url, scenario: 'visits' }) : connectUpstash({ url, scenario: 'visits' })
  let told: unknown
  try {
    connect()
  } catch (error) {
    told = error
  }
  expect((told as Error).message).toBe(`the store's URL is not ${form}: ${why}`)
  // Neither the parser's error, which quotes its input, nor a part of the secret in another place.
  expect(inspect(told, { depth: 10, showHidden: true })).not.toMatch(/sEc|ret@/)
})
