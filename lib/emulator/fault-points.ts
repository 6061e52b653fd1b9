// Where a fault can strike: before or after which request of a commit, those to a Redis that keeps the function's state among them. Apart from faults.ts, which takes hold of every socket of the process
// that loads it.

export interface Fault {
  /** 1: the first request of the commit in this invocation; claims, reads and writes of state count as well. */
  readonly call: number
  readonly phase: FaultPhase
  readonly action: 'kill' | 'stop'
}

export const faultPhases = ['before', 'written', 'answered'] as const
export type FaultPhase = (typeof faultPhases)[number]

/** The requests that count, by API key. Metadata, look-ups of coordinators and versions don't: a commit may have them in its cache. */
export const commitCalls: Readonly<Record<number, string>> = {
  0: 'Produce',
  9: 'OffsetFetch',
  22: 'InitProducerId',
  24: 'AddPartitionsToTxn',
  25: 'AddOffsetsToTxn',
  26: 'EndTxn',
  28: 'TxnOffsetCommit',
}
