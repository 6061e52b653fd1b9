// The stores that the contract is run on, each the real thing.
import { memoryState } from '../../../lib/connectors/state-memory.ts'
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
  start(): Promise<RunningState>
}

export const stores: readonly StateStore[] = [
  {
    name: 'memory',
    async start() {
      const state = memoryState(() => 0)
      return { state, other: state, lookups: state.lookups, stop: async () => undefined }
    },
  },
]
