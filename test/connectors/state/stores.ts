// The stores that the contract is run on, each the real thing.
import { startRedis, startRedisCluster } from '../../../infra/local/redis.ts'
import { connectRedis } from '../../../lib/connectors/redis.ts'
import { memoryState } from '../../../lib/connectors/state-memory.ts'
import { connectRedisState } from '../../../lib/connectors/state-redis.ts'
import type { LookupPort, StatePort } from '../../../lib/runtime/ports.ts'

export interface RunningState {
  readonly state: StatePort
  /** Another function's, on the same content. */
  readonly other: StatePort
  readonly lookups: LookupPort
  stop(): Promise<void>
}

export interface StateStore {
  readonly name: string
  /** A write is one step. Else the lock is written first, and what follows may be a part: the next attempt sets it right. */
  readonly isOneStep: boolean
  start(): Promise<RunningState>
}

export const stores: readonly StateStore[] = [
  {
    name: 'memory',
    isOneStep: true,
    async start() {
      const state = memoryState(() => 0)
      return { state, other: state, lookups: state.lookups, stop: async () => undefined }
    },
  },
  { name: 'Redis', isOneStep: true, start: async () => onRedis(await startRedis()) },
  { name: 'Redis Cluster', isOneStep: false, start: async () => onRedis(await startRedisCluster()) },
]

function onRedis(server: { readonly url: string; stop(): Promise<void> }): RunningState {
  const config = { url: server.url, scenario: 'win-back' }
  const [state, other] = [connectRedisState(config), connectRedisState(config)]
  const lookups = connectRedis(config)
  return {
    state,
    other,
    lookups,
    async stop() {
      await Promise.all([state.close(), other.close(), lookups.close()])
      await server.stop()
    },
  }
}
