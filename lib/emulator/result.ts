// What an invocation's outcome means to the mapping: done, all again, or some again. The rules are AWS's, the strictness too: one item
// that names nothing of the event makes the whole batch fail. docs.aws.amazon.com/lambda/latest/dg/kafka-retry-configurations.html
import type { KafkaEvent } from '../runtime/event.ts'
import type { InvocationResult } from './container.ts'
import type { EsmSettings } from './settings.ts'

export type Verdict =
  | { readonly kind: 'done'; readonly warning?: string }
  | { readonly kind: 'retry-all'; readonly reason: string }
  /** Map key → offsets to deliver again, ascending. Partitions that are not named are done. */
  | { readonly kind: 'retry-some'; readonly failed: ReadonlyMap<string, readonly number[]> }

/**
 * `partial`: AWS' text says that only what is named comes again, other mappings resume at the lowest named offset. Nobody has measured it,
 * so both can be run.
 */
export function judgeResult(
  result: InvocationResult,
  event: KafkaEvent,
  settings: Pick<EsmSettings, 'functionResponseTypes'> & { readonly partial: 'items' | 'lowest' },
): Verdict {
  switch (result.status) {
    case 'failed':
      return { kind: 'retry-all', reason: `the function failed: ${result.error.errorType}: ${result.error.errorMessage}` }
    case 'timeout':
      return { kind: 'retry-all', reason: `the function was stopped after ${result.timeoutMs} ms` }
    case 'crashed':
      return { kind: 'retry-all', reason: `the function's process ended (${result.signal ?? `exit code ${result.exitCode}`})` }
    case 'success':
      return judgeResponse(result.response, event, settings)
  }
}

function judgeResponse(
  response: unknown,
  event: KafkaEvent,
  settings: Pick<EsmSettings, 'functionResponseTypes'> & { readonly partial: 'items' | 'lowest' },
): Verdict {
  const items = itemsOf(response)
  if (!settings.functionResponseTypes.includes('ReportBatchItemFailures')) {
    if (items === 'none' || (Array.isArray(items) && items.length === 0)) return { kind: 'done' }
    const warning =
      'The function returned batchItemFailures, and the mapping has no FunctionResponseTypes: [ReportBatchItemFailures]. ' +
      'Lambda ignores them and takes the batch for done: these records are lost. Throw instead, or set the property.'
    return { kind: 'done', warning }
  }
  if (items === 'none') return { kind: 'done' }
  if (items === 'malformed') return { kind: 'retry-all', reason: 'batchItemFailures is not a list' }
  const failed = new Map<string, number[]>()
  for (const item of items) {
    const { partition, offset } = identifierOf(item)
    const inEvent = typeof partition === 'string' && Object.hasOwn(event.records, partition) ? event.records[partition]! : []
    if (typeof offset !== 'number' || !inEvent.some(record => record.offset === offset)) {
      return { kind: 'retry-all', reason: `the item ${JSON.stringify(item)} of batchItemFailures names no record of the event` }
    }
    failed.set(partition as string, [...(failed.get(partition as string) ?? []), offset])
  }
  if (failed.size === 0) return { kind: 'done' }
  for (const [partition, named] of failed) {
    const lowest = Math.min(...named)
    const offsets = event.records[partition]!.map(record => record.offset)
    failed.set(
      partition,
      offsets.filter(offset => (settings.partial === 'items' ? named.includes(offset) : offset >= lowest)),
    )
  }
  return { kind: 'retry-some', failed }
}

function itemsOf(response: unknown): readonly unknown[] | 'none' | 'malformed' {
  if (typeof response !== 'object' || response === null) return 'none'
  const items = (response as { readonly batchItemFailures?: unknown }).batchItemFailures
  if (items === undefined || items === null) return 'none'
  return Array.isArray(items) ? items : 'malformed'
}

function identifierOf(item: unknown): { readonly partition?: unknown; readonly offset?: unknown } {
  const identifier = (item as { readonly itemIdentifier?: unknown } | null)?.itemIdentifier
  return typeof identifier === 'object' && identifier !== null ? identifier : {}
}
