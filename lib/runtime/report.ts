// What the function tells of its work: counts of what is committed, and why an invocation failed.
import { rowOf } from '../plan/columns.ts'
import type { Failure } from '../plan/failure.ts'
import { type Columns, type Plan, unset } from '../plan/plan.ts'
import { type MetricsPort, RetryableError } from './ports.ts'

/** What one source record left behind. */
interface Committed {
  readonly outputs: readonly { readonly partitionSeed: string }[]
  readonly failure: Failure | undefined
  readonly droppedBy: string | undefined
}

interface Told {
  readonly log: { error(message: string, fields: Readonly<Record<string, unknown>>): void }
  readonly metrics?: MetricsPort
}

/** Only what is committed counts. */
export function countCommitted(emissions: readonly Committed[], metrics: MetricsPort): void {
  for (const { outputs, failure, droppedBy } of emissions) {
    if (failure !== undefined) {
      metrics.count('deadLetters', 1)
      metrics.count(`deadLetters.${failure.reason}`, 1)
      continue
    }
    if (droppedBy !== undefined) {
      metrics.count('dropped', 1)
      metrics.count(`dropped.${droppedBy}`, 1)
    }
    metrics.count('emitted', outputs.length)
    // The idempotency key names the sink: …/OFFSET/SINK/INDEX.
    for (const { partitionSeed } of outputs) metrics.count(`emitted.${partitionSeed.split('/').at(-2)}`, 1)
  }
}

/** Guards against skipping what was never decided: each needs a human (event-source-mapping.md 4.5, 4.6). */
const positionGuards: ReadonlySet<string> = new Set(['position-beyond-end', 'kafka-unstable-progress'])

/** Guards against deciding on state that is not there, or not what the rules mean (state.md, section 6). */
const stateGuards: ReadonlySet<string> = new Set([
  'state-lost',
  'state-missing',
  'state-evicts',
  'generation-needed',
  'caps-in-two-slots',
])

/** Which rows decided, where the plan tells: one of a list for each of its elements. */
export function countRows(
  columns: Columns,
  isCommitted: (i: number) => boolean,
  { rows = [] }: Plan,
  metrics: MetricsPort,
): void {
  for (const { decision, value } of rows) {
    for (let i = 0; i < columns.recordCount; i++) {
      if (!isCommitted(i)) continue
      const decided = value(columns, i)
      if (decided === unset) continue
      const found = Array.isArray(decided) && decided.length > 0 ? (decided as unknown[]) : [decided]
      for (const one of found) {
        const row = (one as { readonly [rowOf]?: number })[rowOf]
        metrics.count(`rows.${decision}.${row === undefined ? 'none' : `row${row + 1}`}`, 1)
      }
    }
  }
}

/** A failed invocation, in the log and for the alarms. */
export function tellFailure(error: unknown, { scenario }: Plan, { log, metrics }: Told): void {
  const id = error instanceof RetryableError ? error.id : 'unexpected'
  metrics?.count('failed', 1)
  metrics?.count(`failed.${id}`, 1)
  if (positionGuards.has(id)) metrics?.count('positionGuard', 1)
  if (stateGuards.has(id)) metrics?.count('stateGuard', 1)
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : undefined
  log.error(error instanceof Error ? error.message : String(error), { id, scenario, retry: 'batch', cause })
}
