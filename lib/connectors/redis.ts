// Look-ups from Redis and Valkey over TCP or TLS: one pipeline per call, in a cluster one per node, all at once. Strings go by GET and not by
// MGET, which answers a hash or a set under the key as if nothing were there; hashes by HMGET of the declared fields.
import { type LookupAnswer, type LookupCommand, WrongKind } from '../plan/plan.ts'
import type { LookupPort } from '../runtime/ports.ts'
import { timeoutOf } from './patience.ts'
import { targetOf } from './redis/address.ts'
import { createRedisClient } from './redis/client.ts'
import { bulk, type Command } from './redis/commands.ts'
import { redisFailure } from './redis/failure.ts'
import { NotText, type Reply, ReplyError } from './redis/replies.ts'

export interface RedisConfig {
  /** redis://[[user]:password@]host[:port][/database] or rediss://…; a cluster's is that of any of its nodes. */
  readonly url: string
  readonly scenario: string
  /** Authorities to trust beside Node's, in PEM. */
  readonly ca?: string
}

/** Connects at the first look-up and again whenever the connection is gone. */
export function connectRedis({ url, scenario, ca }: RedisConfig): LookupPort {
  const client = createRedisClient(targetOf(url, ca), `sluice.${scenario}`)
  return {
    async lookupMany(requests, deadline, tell) {
      const timeoutMs = timeoutOf(deadline)
      const commands: Command[] = []
      for (const { command, keys, members } of requests) {
        const { head, tail } = partsOf(command)
        for (let k = 0; k < keys.length; k++) {
          const key = keys[k]!
          commands.push({ text: head + bulk(key) + (members === undefined ? tail : bulk(members[k]!)), key })
        }
      }
      if (commands.length === 0) return requests.map(() => [])
      const answers = requests.map(({ keys }): LookupAnswer[] => new Array(keys.length))
      // Refusals of the server are left to the end: it may be another node that has the key.
      const early = (index: number, reply: Reply) => {
        if (reply instanceof ReplyError) return
        let r = 0
        let k = index
        while (k >= requests[r]!.keys.length) k -= requests[r++]!.keys.length
        const answer = answerOf(requests[r]!.command, reply)
        answers[r]![k] = answer
        tell!(r, k, answer)
      }
      try {
        // Reading may be done twice.
        const replies = await client.exchange(commands, { timeoutMs, repeatable: true, tell: tell && early })
        let next = 0
        for (const [r, { command, keys }] of requests.entries()) {
          for (let k = 0; k < keys.length; k++) {
            const reply = replies[next++]!
            if (answers[r]![k] === undefined || reply instanceof ReplyError) answers[r]![k] = answerOf(command, reply)
          }
        }
        return answers
      } catch (error) {
        throw redisFailure(error, { scenario, keyCount: commands.length, address: client.address, timeoutMs })
      }
    },
    close: async () => client.close(),
  }
}

/** What stands before and after the key. */
function partsOf(command: LookupCommand): { readonly head: string; readonly tail: string } {
  switch (command.kind) {
    case 'string':
      return { head: `*2\r\n${bulk('GET')}`, tail: '' }
    case 'hash':
      return { head: `*${2 + command.fields.length}\r\n${bulk('HMGET')}`, tail: command.fields.map(bulk).join('') }
    case 'member':
      return { head: `*3\r\n${bulk('SISMEMBER')}`, tail: '' }
    default:
      throw new Error(`Redis has no look-ups of the kind "${command.kind}"`)
  }
}

function answerOf(command: LookupCommand, reply: Reply): LookupAnswer {
  if (typeof reply === 'string' || reply === null) {
    if (command.kind === 'string') return reply
  } else if (reply instanceof ReplyError) {
    // WRONGTYPE is the data's fault; everything else (LOADING, NOPERM, CLUSTERDOWN) is the store's.
    if (reply.code === 'WRONGTYPE') return new WrongKind('another kind of data')
    throw reply
  } else if (reply instanceof NotText) {
    if (command.kind === 'string') return notText
  } else if (Array.isArray(reply)) {
    if (command.kind === 'hash' && reply.length === command.fields.length)
      return reply.some(text => text instanceof NotText) ? notText : (reply as readonly (string | null)[])
  } else if (command.kind === 'member') return reply === 1
  throw new Error(`a look-up of the kind "${command.kind}" has an answer of another kind`)
}

const notText = new WrongKind('bytes that are not UTF-8')
