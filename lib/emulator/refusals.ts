// What AWS refuses when a mapping is created, and what this one does not do yet. Said before anything runs, all at once.
import type { EsmSettings } from './settings.ts'

/** One sentence per reason; empty: the mapping can run. */
export function refusalsOf(settings: EsmSettings): readonly string[] {
  const refusals: string[] = []
  const { batchSize, maximumBatchingWindowInSeconds: windowSeconds, consumerGroupId } = settings
  if (!Number.isInteger(batchSize) || batchSize < 1 || batchSize > 10_000) {
    refusals.push(`BatchSize is ${batchSize}; Lambda takes 1 to 10,000.`)
  }
  if (windowSeconds !== undefined && (!Number.isInteger(windowSeconds) || windowSeconds < 0 || windowSeconds > 300)) {
    refusals.push(`MaximumBatchingWindowInSeconds is ${windowSeconds}; Lambda takes whole seconds from 0 to 300.`)
  }
  if (!/^[a-zA-Z0-9-/*:_+=.@]{1,200}$/.test(consumerGroupId)) {
    refusals.push(`ConsumerGroupId is "${consumerGroupId}"; Lambda takes 1 to 200 characters of a-z, A-Z, 0-9 and -/*:_+=.@`)
  }
  if (settings.startingPosition === 'AT_TIMESTAMP') {
    refusals.push('StartingPosition AT_TIMESTAMP is not supported by the local mapping yet; use TRIM_HORIZON or LATEST here.')
  }
  const attempts = settings.maximumRetryAttempts
  if (!Number.isInteger(attempts) || attempts < -1 || attempts > 10_000) {
    refusals.push(`MaximumRetryAttempts is ${attempts}; Lambda takes -1 (without end) to 10,000.`)
  } else if (attempts !== -1) {
    refusals.push(
      `MaximumRetryAttempts is ${attempts}; the local mapping only retries without end (-1). With a limit Lambda drops records, which exactly-once forbids.`,
    )
  }
  const timeoutSeconds = settings.functionTimeoutSeconds
  if (!Number.isInteger(timeoutSeconds) || timeoutSeconds < 1 || timeoutSeconds > 840) {
    refusals.push(`The function's timeout is ${timeoutSeconds} s; with a Kafka mapping Lambda takes 1 to 840 s.`)
  }
  const memoryMb = settings.functionMemoryMb
  if (!Number.isInteger(memoryMb) || memoryMb < 128 || memoryMb > 10_240) {
    refusals.push(`The function's memory is ${memoryMb} MB; Lambda takes 128 to 10,240 MB.`)
  }
  return refusals
}
