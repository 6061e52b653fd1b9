// What one invocation works on: the partitions of its event, what the container keeps, and the world.
import type { Columns, Plan, SourceRecord } from '../plan/plan.ts'
import type { Commit } from './commit.ts'
import type { Cut } from './cut.ts'
import type { DeadLetterLog } from './dead-letter-log.ts'
import type { PartitionBatch } from './decode.ts'
import type { Emission } from './emit.ts'
import type { Ownership, Share } from './ownership.ts'
import type { Deadline, LookupMemory, LookupStores, MetricsPort, StatePort, TransactionPort } from './ports.ts'
import type { StateAttempt } from './state/attempt.ts'
import type { StateClaims } from './state/claims.ts'

/** What the function is connected to. */
export interface World {
  readonly kafka: TransactionPort
  /** Those that the scenario's look-ups name. */
  readonly stores: LookupStores
  readonly log: Log
  readonly deadLetterTopic: string
  /** Headers of a source record that its outputs keep, such as a trace's. */
  readonly carriedHeaders?: readonly string[]
  /** Where records leave something for later ones; `stores.state` reads it. */
  readonly state?: StatePort
  /** Sees each decided batch before it is committed: `sluice invoke --why`, examples. */
  readonly observe?: (decided: Decided) => void
  /** Only what is committed is counted as dropped, emitted or a dead letter. */
  readonly metrics?: MetricsPort
  /** At-least-once: the mapping has ReportBatchItemFailures. Without it Lambda would take returned failures for success. */
  readonly partialResponse?: boolean
}

export interface Decided {
  readonly columns: Columns
  readonly emissions: readonly Emission[]
}

export interface Log {
  info(message: string, fields: Readonly<Record<string, unknown>>): void
  warn(message: string, fields: Readonly<Record<string, unknown>>): void
  error(message: string, fields: Readonly<Record<string, unknown>>): void
}

/** A partition's records that are not committed yet. */
export interface Work {
  readonly batch: PartitionBatch
  readonly tooLarge: Map<SourceRecord, 'outputs' | 'dead letter'>
  readonly rounds: number
  /** What comes before it in the batch is committed. */
  readonly isRest: boolean
}

export interface Invocation {
  readonly plan: Plan
  readonly world: World
  readonly commit: Commit
  readonly state?: StateClaims
  readonly ownership: Ownership
  readonly lookups: ContainerLookups
  readonly cut: Cut | undefined
  readonly deadline: Deadline
  readonly deadLetters: DeadLetterLog
}

/** What the container keeps of its look-ups over invocations. */
export interface ContainerLookups {
  readonly stores: LookupStores
  readonly memory?: LookupMemory
}

export interface ClaimedWork extends Work, Share {}

export interface DecidedBatch {
  readonly columns: Columns
  readonly emissions: readonly Emission[]
  /** Where the scenario has state. */
  readonly attempt?: StateAttempt
}
