// Metrics without calls: one line on stdout per invocation, in CloudWatch's embedded metric format, from which CloudWatch makes the metrics.
// Counts are kept per invocation and written once, so that one batch is one line whatever it did. Written here and not with Powertools'
// metrics, which add 12 ms to each cold start for the same line. docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
import type { LookupPort, MetricsPort, StatePort } from '../runtime/ports.ts'

export const metricNamespace = 'sluice'

/** The dimension is the whole name of the function, `SERVICE-STAGE-SCENARIO`: stages of one account stay apart. */
export const metricDimension = 'FunctionName'

/**
 * Written with each invocation, zeros as well, so that graphs have no gaps; the other names only where something happened: `dropped.FILTER`,
 * `emitted.SINK`, `deadLetters.REASON`, `failed.ERROR`, `cacheHits`, keys that the container's memory knew, and of
 * state `remembered.ENTRY` and `places.CAP`, records that left something (a cap's refusals are `dropped.CAP`), `state.moved`, keys that another
 * partition had, `stateGuard`, as `positionGuard` for state. Where the plan tells rows, `rows` of the line has them, by decision.
 */
export const totals = [
  'records',
  'skipped',
  'dropped',
  'emitted',
  'deadLetters',
  'fenced',
  'roundTrips',
  'failed',
  'positionGuard',
] as const

/** One directive takes 100 metrics; CloudWatch drops a line with more. */
const mostMetrics = 100

export interface MetricsOptions {
  readonly functionName: string
  readonly scenario: string
  readonly generation: number
  readonly write: (line: string) => void
  readonly nowMs: () => number
}

export function createMetrics({ functionName, scenario, generation, write, nowMs }: MetricsOptions): MetricsPort {
  const counts = new Map<string, number>()
  const reset = () => {
    counts.clear()
    for (const name of totals) counts.set(name, 0)
  }
  reset()
  return {
    count: (name, by) => void counts.set(name, (counts.get(name) ?? 0) + by),
    flush: () => {
      const names = [...counts.keys()].filter(name => !name.startsWith(rowsPrefix)).slice(0, mostMetrics)
      const rows = rowsOf(counts)
      const directive = {
        Namespace: metricNamespace,
        Dimensions: [[metricDimension]],
        Metrics: names.map(name => ({ Name: name, Unit: 'Count' })),
      }
      write(
        `${JSON.stringify({
          _aws: { Timestamp: nowMs(), CloudWatchMetrics: [directive] },
          [metricDimension]: functionName,
          scenario,
          generation,
          ...Object.fromEntries(names.map(name => [name, counts.get(name)])),
          ...(rows !== undefined && { rows }),
        })}\n`,
      )
      reset()
    },
  }
}

const rowsPrefix = 'rows.'

/** By decision and row: a field of the line and no metric, since CloudWatch has a price for each name, and a table may have 10,000 rows. */
function rowsOf(counts: ReadonlyMap<string, number>): Readonly<Record<string, Record<string, number>>> | undefined {
  const rows: Record<string, Record<string, number>> = {}
  for (const [name, count] of counts) {
    if (!name.startsWith(rowsPrefix)) continue
    const at = name.lastIndexOf('.')
    const decision = name.slice(rowsPrefix.length, at)
    rows[decision] = { ...rows[decision], [name.slice(at + 1)]: count }
  }
  return Object.keys(rows).length === 0 ? undefined : rows
}

/** The store, with its round trips counted. */
export function counted(store: LookupPort, metrics: MetricsPort): LookupPort {
  return {
    lookupMany: (requests, deadline, tell) => {
      metrics.count('roundTrips', 1)
      return store.lookupMany(requests, deadline, tell)
    },
    close: () => store.close(),
  }
}

/** As often as its own calls, where the store is in one piece; a Redis Cluster and DynamoDB go there more often. */
export function countedState(store: StatePort, metrics: MetricsPort): StatePort {
  const counting = <Result>(result: Result): Result => {
    metrics.count('roundTrips', 1)
    return result
  }
  return {
    ...store,
    claim: (lock, deadline) => counting(store.claim(lock, deadline)),
    holds: (lock, token, deadline) => counting(store.holds(lock, token, deadline)),
    write: (writes, deadline) => counting(store.write(writes, deadline)),
    acknowledge: (acknowledgements, deadline) => counting(store.acknowledge(acknowledgements, deadline)),
    position: (lock, deadline) => counting(store.position(lock, deadline)),
    rehearseCaps: (locks, keepsPlaces) => {
      const { read, judge } = store.rehearseCaps(locks, keepsPlaces)
      return { judge, read: (caps, deadline) => counting(read(caps, deadline)) }
    },
  }
}
