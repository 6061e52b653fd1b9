// Look-ups from Redis and Valkey over TCP or TLS: one pipeline per call, in a cluster one per node, all at once.
import type { LookupAnswer } from '../plan/plan.ts'
import type { LookupPort, LookupRequest } from '../runtime/ports.ts'
import { timeoutOf } from './patience.ts'
import { targetOf } from './redis/address.ts'
import { createRedisClient } from './redis/client.ts'
import { redisFailure } from './redis/failure.ts'
import { type AcceptAnswer, readingOf } from './redis/reading.ts'

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
  let takesGroups = true
  return {
    async lookupMany(requests, deadline, tell) {
      const answers = requests.map(({ keys }): LookupAnswer[] => new Array(keys.length))
      const keyCount = requests.reduce((sum, { keys }) => sum + keys.length, 0)
      if (keyCount === 0) return answers
      const timeoutMs = timeoutOf(deadline, requests)
      const endMs = performance.now() + timeoutMs
      const early: AcceptAnswer = (request, position, answer) => {
        answers[request]![position] = answer
        tell!(request, position, answer)
      }
      const accept: AcceptAnswer = (request, position, answer) => {
        answers[request]![position] ??= answer
      }
      try {
        const mode = await client.mode(timeoutMs)
        const reading = readingOf(requests, takesGroups && mode !== 'cluster')
        // Reading may be done twice.
        const asking = { timeoutMs: Math.max(1, endMs - performance.now()), repeatable: true }
        const replies = await client.exchange(reading.commands, {
          ...asking,
          tell: tell && ((index, reply) => reading.early(index, reply, early)),
        })
        const { places, refusesGroups } = reading.end(replies, accept)
        if (refusesGroups) takesGroups = false
        if (places.length === 0) return answers
        const rest = readingOf(
          places.map(({ request, position }): LookupRequest => {
            const { command, keys } = requests[request]!
            return { command, keys: [keys[position]!] }
          }),
          false,
        )
        rest.end(
          await client.exchange(rest.commands, { timeoutMs: Math.max(1, endMs - performance.now()), repeatable: true }),
          (one, _, answer) => accept(places[one]!.request, places[one]!.position, answer),
        )
        return answers
      } catch (error) {
        throw redisFailure(error, { scenario, keyCount, address: client.address, timeoutMs })
      }
    },
    close: async () => client.close(),
  }
}
