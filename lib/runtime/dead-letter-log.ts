// What the log says of dead letters: a line for each, until a batch has many. A producer that changed its format would else fill the log, which
// costs more than the function; the metrics count them all.
import type { Failure } from '../plan/failure.ts'
import type { Plan, SourceRecord } from '../plan/plan.ts'
import { shownAt } from '../plan/redaction.ts'

export interface DeadLetterLog {
  /** Of a committed one. */
  tell(record: SourceRecord, failure: Failure): void
  /** Once per invocation: those that had no line of their own, counted by reason. */
  end(): void
}

interface WarnLog {
  warn(message: string, fields: Readonly<Record<string, unknown>>): void
}

/** Lines of their own per invocation. */
const mostLines = 10

export function createDeadLetterLog({ scenario, redact = [] }: Plan, log: WarnLog): DeadLetterLog {
  let lineCount = 0
  const rest = new Map<string, number>()
  return {
    tell({ topic, partition, offset }, failure) {
      const { reason, message } = failure
      if (lineCount++ >= mostLines) {
        rest.set(reason, (rest.get(reason) ?? 0) + 1)
        return
      }
      const coordinates = `${topic}-${partition}@${offset}`
      log.warn(
        `[${reason}] ${scenario}: ${coordinates} became a dead letter: ${message}. The other records go on. See it again: npx sluice replay ${scenario} ${coordinates} --show`,
        {
          id: reason,
          scenario,
          topic,
          partition,
          offset,
          at: shownAt(failure, redact),
          retry: 'never',
        },
      )
    },
    end() {
      if (rest.size === 0) return
      const count = lineCount - mostLines
      const reasons = Object.fromEntries([...rest].sort(([a], [b]) => (a < b ? -1 : 1)))
      const told = Object.entries(reasons).map(([reason, number]) => `${number} ${reason}`)
      log.warn(
        `[more-dead-letters] ${scenario}: ${count} further records of this batch became dead letters: ${told.join(', ')}. See them again: npx sluice replay ${scenario} --show`,
        { id: 'more-dead-letters', scenario, count, reasons, retry: 'never' },
      )
    },
  }
}
