// What a scenario costs, from what one batch costs; beside the two usual ways to do the same: managed Flink and a pair of containers. Nothing
// here measures; what is assumed stands in `assumptions` and is printed with the result.
import { hoursPerMonth, prices } from './prices.ts'

export interface Workload {
  readonly eventsPerSecond: number
  /** CPU milliseconds for 1,000 events, on one whole vCPU. */
  readonly cpuMsPer1000: number
  readonly batchSize: number
  readonly windowSeconds: number
  /** Fetch stages: round trips to the store one after the other. */
  readonly roundTrips: number
  readonly memoryMb: number
  readonly architecture: 'arm64' | 'x86_64'
  readonly mode: 'on-demand' | 'provisioned'
  /** Metrics that the function writes. */
  readonly metricCount: number
  /** Of the scenario. */
  readonly alarmCount: number
}

export const assumptions = {
  /** Lambda gives one whole vCPU at this memory, and less in proportion. */
  mbPerVcpu: 1769,
  /** Waiting in one batch: a transaction, and each round trip to a store. */
  commitMs: 6,
  roundTripMs: 1,
  /** Lambda's own three lines and our line of metrics. */
  logBytesPerInvocation: 1200,
  /** A Flink job that looks things up asynchronously. */
  flinkEventsPerSecondAndKpu: 5000,
  /** Containers run at half load, each of the pair can carry all. */
  containerLoad: 0.5,
  containerVcpu: 1,
  containerGb: 2,
} as const

export interface Cost {
  readonly eventsPerBatch: number
  readonly batchMs: number
  /** Per million events. */
  readonly requests: number
  readonly duration: number
  readonly logs: number
  readonly pollers: number
  readonly perMillion: number
  /** What is paid without any event: metrics, alarms, dashboard. */
  readonly watchingPerMonth: number
  readonly perMonth: number
}

const secondsPerMonth = hoursPerMonth * 3600

export function costOf(workload: Workload): Cost {
  const { eventsPerSecond, batchSize, windowSeconds, roundTrips, memoryMb, architecture, mode } = workload
  const vcpus = Math.min(1, memoryMb / assumptions.mbPerVcpu)
  const cpuMs = workload.cpuMsPer1000 / 1000 / vcpus
  const waitingMs = assumptions.commitMs + roundTrips * assumptions.roundTripMs
  // A window of 0 sends what has come during the batch before.
  const filled = windowSeconds > 0 ? eventsPerSecond * windowSeconds : (eventsPerSecond * waitingMs) / 1000
  const eventsPerBatch = Math.min(batchSize, Math.max(1, filled))
  const batchMs = Math.ceil(waitingMs + eventsPerBatch * cpuMs)
  const invocationsPerMillion = 1e6 / eventsPerBatch
  const requests = invocationsPerMillion * prices.lambda.request
  const duration = ((invocationsPerMillion * batchMs) / 1000) * (memoryMb / 1024) * prices.lambda.gbSecond[architecture]
  const logs = ((invocationsPerMillion * assumptions.logBytesPerInvocation) / 1e9) * prices.cloudWatch.logGb
  const millionsPerMonth = (eventsPerSecond * secondsPerMonth) / 1e6
  const pollers = mode === 'provisioned' ? (prices.lambda.pollerUnitHour * hoursPerMonth) / millionsPerMonth : 0
  const watchingPerMonth =
    workload.metricCount * prices.cloudWatch.metric + workload.alarmCount * prices.cloudWatch.alarm + prices.cloudWatch.dashboard
  const perMillion = requests + duration + logs + pollers
  return {
    eventsPerBatch,
    batchMs,
    requests,
    duration,
    logs,
    pollers,
    perMillion,
    watchingPerMonth,
    perMonth: perMillion * millionsPerMonth + watchingPerMonth,
  }
}

/** Dollars a month of the smallest Flink application that carries the load. */
export function flinkPerMonth(eventsPerSecond: number): number {
  const kpus = Math.ceil(eventsPerSecond / assumptions.flinkEventsPerSecondAndKpu)
  const { kpuHour, storageGbMonth, storageGbPerKpu } = prices.flink
  return (kpus + 1) * kpuHour * hoursPerMonth + kpus * storageGbPerKpu * storageGbMonth
}

/** Dollars a month of pairs of containers, one of each for the other's failure, that run our handler. */
export function containersPerMonth(eventsPerSecond: number, cpuMsPer1000: number): number {
  const carried = (assumptions.containerLoad * assumptions.containerVcpu * 1e6) / cpuMsPer1000
  const pairs = Math.ceil(eventsPerSecond / carried)
  const { vcpuHour, gbHour } = prices.fargate
  return pairs * 2 * (assumptions.containerVcpu * vcpuHour + assumptions.containerGb * gbHour) * hoursPerMonth
}

/** The first rate at which the scenario costs more than the other; undefined: not up to 100,000 events/s. */
export function breakEven(workload: Workload, other: (eventsPerSecond: number) => number): number | undefined {
  for (let rate = 1; rate <= 100_000; rate *= 1.02) {
    if (costOf({ ...workload, eventsPerSecond: rate }).perMonth > other(rate)) return rate
  }
  return undefined
}
