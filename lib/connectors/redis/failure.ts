// The sentence where Redis gave no answer: what happened, in the server's own word, and what is usually the cause. No word of a reply but the
// first is repeated: the rest may quote what was sent, and a password was.
import type { RetryableError } from '../../runtime/ports.ts'
import { TimeUp, unanswered } from '../patience.ts'
import { ClusterError, NodeFailure } from './cluster.ts'
import { Closed, NoTls, Refused } from './connection.ts'
import { Garbage, ReplyError } from './replies.ts'

interface Asked {
  readonly scenario: string
  readonly keyCount: number
  readonly address: string
  readonly timeoutMs: number
  /** Default: look-ups. */
  readonly things?: string
  /** By code, where it differs from that for look-ups. */
  readonly advice?: Readonly<Record<string, string>>
}

const network =
  'If connections fail from the start, check that Redis runs there and that the security group admits its port; ElastiCache and MemoryDB with encryption in transit want rediss://.'

const adviceByCode: Readonly<Record<string, string>> = {
  NOAUTH: 'The server wants a password, and the URL has none: redis://:PASSWORD@host, or redis://USER:PASSWORD@host.',
  WRONGPASS: 'User or password is wrong, or the user is switched off. In the URL both are percent-encoded.',
  NOPERM: 'The user may not do this: look-ups need GET, HMGET and SISMEMBER on their keys, in a cluster also CLUSTER SLOTS.',
  LOADING: 'It has restarted and reads its data: this passes.',
  MASTERDOWN: 'This replica has lost its primary and serves no old data: use the primary endpoint, or wait for the failover.',
  READONLY: 'This is a replica: use the primary endpoint; after a failover this passes.',
  OOM: 'Its memory is full: raise maxmemory, or let it evict.',
  MISCONF: 'It cannot save its data and takes no writes: look at its disk.',
  BUSY: 'A script has been running there for too long: SCRIPT KILL ends it.',
  CLUSTERDOWN: 'The cluster has slots that nobody serves: a primary is down without a replica, or slots are not assigned.',
  TRYAGAIN: 'A slot is on its way to another node: this passes.',
  MOVED: 'Its nodes do not agree on who owns the slots: this passes, or the cluster is broken.',
  CROSSSLOT: 'These keys lie in several slots: give them one hash tag, {…}.',
  ENOTFOUND: 'The name has no address: it is misspelt, or this network does not resolve it (a private zone of another VPC).',
  EAI_AGAIN: 'The name service did not answer: the function may be in a subnet without DNS.',
  ERR_TLS_CERT_ALTNAME_INVALID: "The server's certificate is for another name: use the name that it holds.",
  CERT_HAS_EXPIRED: "The server's certificate has expired.",
}

const unknownAuthority =
  "The server's certificate comes from an authority that is not known here: NODE_EXTRA_CA_CERTS names a file with the authority's certificate."

// Measured with 2.18: its answers come to the wrong requests, so nothing that it says may be believed.
const ignite =
  'It closes connections at the greeting, as a listener does that wants TLS (write rediss://), or as Apache Ignite does, whose Redis protocol mixes up answers: if Ignite runs there, write ignite://host:10800/CACHE.'

/** `error`: what the client threw, or the reply of a command. Bugs come back as they are. */
export function redisFailure(error: unknown, asked: Asked): RetryableError | unknown {
  if (error instanceof NodeFailure) return redisFailure(error.error, { ...asked, address: error.address })
  const about = causeOf(error)
  if (about === undefined) return error
  const { advice = {}, ...what } = asked
  return unanswered(error, { store: 'redis', ...what, ...about, advice: advice[about.reason ?? ''] ?? about.advice })
}

function causeOf(error: unknown): { readonly reason?: string; readonly advice: string } | undefined {
  if (error instanceof TimeUp) return { advice: network }
  if (error instanceof Refused || error instanceof ClusterError) return ofReply(error.reply)
  if (error instanceof ReplyError) return ofReply(error)
  if (error instanceof Garbage) {
    const inTls = error.message.includes('TLS')
    return {
      reason: error.message,
      advice: inTls ? 'The listener wants TLS: write rediss://.' : 'Is it Redis that listens at this port?',
    }
  }
  if (error instanceof NoTls)
    return {
      reason: 'no TLS',
      advice: 'It took the connection and does not agree on TLS: without encryption in transit write redis://.',
    }
  if (error instanceof Closed) return { reason: 'the connection was closed', advice: error.atGreeting ? ignite : network }
  const { code } = error as NodeJS.ErrnoException
  if (typeof code !== 'string') return undefined
  const isUnknown = /^(SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_(GET_ISSUER|VERIFY))/.test(code)
  return { reason: code, advice: adviceByCode[code] ?? (isUnknown ? unknownAuthority : network) }
}

function ofReply({ code }: ReplyError): { readonly reason: string; readonly advice: string } {
  return { reason: code === 'ERR' ? 'an error of the server' : code, advice: adviceByCode[code] ?? network }
}
