// Dead letters through the current rules, once each: the function's own handler decides, and one transaction carries what it emits and a
// marker per dead letter. Fence first, then read which are marked, then write: what an older or parallel replay has begun is aborted by the
// fence, and what it has committed is marked before we read. So it may be killed, run twice or run twice at once.
import type { KafkaPort } from '../../connectors/kafka/producer.ts'
import { buildEvent, type ConsumedRecord } from '../../emulator/event.ts'
import { groupOf } from '../../plan/identity.ts'
import type { Plan } from '../../plan/plan.ts'
import { createHandler, type Decided, type World } from '../../runtime/handler.ts'
import {
  type Deadline,
  type OutputRecord,
  type ProducerSession,
  RecordTooLarge,
  type TransactionPort,
} from '../../runtime/ports.ts'
import { type DeadLetter, markerOf } from './dead-letters.ts'

/** A dead letter with the record that it was made of. */
export interface Complete {
  readonly letter: DeadLetter
  /** Further dead letters of the same record: one replay is for all. */
  readonly others: readonly DeadLetter[]
  readonly record: ConsumedRecord
}

export type Outcome =
  | { readonly kind: 'emitted'; readonly topics: readonly string[] }
  | { readonly kind: 'dropped'; readonly by: string }
  | { readonly kind: 'failed'; readonly reason: string; readonly at: string; readonly message: string }

/** Another replay of the same scenario has begun: it goes on, this one ends. */
export class TakenOver extends Error {}

export interface Sender {
  /** Fences other replays. What is marked must be read after it, each time. */
  begin(): Promise<void>
  /**
   * Records of one source partition, in order of their offsets. Each one's outcome, once it is committed. Throws RetryableError, TakenOver.
   * `goOn`: false where `begin` has to come first again.
   */
  send(letters: readonly Complete[]): Promise<{ readonly outcomes: ReadonlyMap<Complete, Outcome>; readonly goOn: boolean }>
}

export interface SenderOptions {
  readonly plan: Plan
  readonly kafka: KafkaPort
  /** Stores of look-ups, and where dead letters stand. */
  readonly world: Pick<World, 'stores' | 'deadLetterTopic'>
  readonly nowMs: () => number
}

const batchMs = 60_000
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }

export function createSender({ plan, kafka, world, nowMs }: SenderOptions): Sender {
  let session: ProducerSession | undefined
  return { begin, send }

  async function begin(): Promise<void> {
    // Below the prefix of the function's own ids, so that the same rights do; no partition has this name.
    session = await kafka.fence(`${groupOf(plan)}/replay`, within(batchMs))
  }

  async function send(letters: readonly Complete[]) {
    let decided: Decided | undefined
    let goOn = true
    const outcomes = new Map<Complete, Outcome>()
    const port: TransactionPort = {
      // Called once per partition, and again only after we were fenced; or, of a batch in parts (runtime/cut.ts), where the session was spent by the part before.
      async fence() {
        if (!goOn) throw new SessionSpent()
        if (session === undefined) throw new TakenOver()
        return session
      },
      // The function has passed these records long ago.
      readProgress: async () => undefined,
      endOffset: async () => 0n,
      async transact(given, { records }, deadline) {
        const judged = outcomesOf(letters, decided!)
        const settled = [...judged].flatMap(([letter, outcome]) => (outcome.kind === 'failed' ? [] : [letter]))
        const markers = settled.flatMap(({ letter, others }) => [letter, ...others].map(one => markerOf(one, nowMs())))
        // What fails again keeps the dead letter that it has.
        const failing = new Set(decided!.emissions.flatMap(({ failure, outputs }) => (failure === undefined ? [] : outputs)))
        const outputs = records.filter(record => !failing.has(record))
        session = undefined
        try {
          if (markers.length > 0) goOn = (await write(given, { outputs, markers }, deadline)).reusable
        } catch (error) {
          const culprit = error instanceof RecordTooLarge ? outputs[error.recordIndex] : undefined
          if (culprit === undefined) throw error
          const { record } = decided!.emissions.find(emission => emission.outputs.includes(culprit))!
          const letter = letters.find(one => one.record.offset === record.offset)!
          throw new OutputTooLarge(letter, (error as Error).message)
        }
        if (goOn) session = given
        for (const [letter, outcome] of judged) outcomes.set(letter, outcome)
        return { reusable: goOn }
      },
      close: async () => undefined,
    }
    // An operator looks at each: a share that fails again stops nothing.
    const handler = createHandler(
      { ...plan, stopAbove: 1 },
      {
        ...world,
        kafka: port,
        log: silent,
        observe: one => {
          decided = one
        },
      },
    )
    const event = buildEvent(
      letters.map(({ record }) => record),
      { kind: 'self-managed', bootstrapServers: '' },
    )
    const endMs = Date.now() + batchMs
    const context = { getRemainingTimeInMillis: () => endMs - Date.now() }
    try {
      await (handler as (event: unknown, context: unknown) => Promise<unknown>)(event, context)
    } catch (error) {
      if (!(error instanceof OutputTooLarge || error instanceof SessionSpent)) throw error
      if (error instanceof OutputTooLarge)
        outcomes.set(error.letter, { kind: 'failed', reason: 'too-large', at: '', message: error.message })
      goOn = false
    }
    return { outcomes, goOn }
  }

  function write(
    given: ProducerSession,
    { outputs, markers }: { readonly outputs: readonly OutputRecord[]; readonly markers: readonly OutputRecord[] },
    deadline: Deadline,
  ): Promise<{ readonly reusable: boolean }> {
    if (plan.delivery === 'exactly-once') return kafka.transact(given, { records: [...outputs, ...markers] }, deadline)
    // Without transactions a marker may only follow what it speaks of: killed in between, the outputs come again with equal keys.
    return kafka.transact(given, { records: outputs }, deadline).then(() => kafka.transact(given, { records: markers }, deadline))
  }
}

/** An output did not fit its topic. The session is spent, and another needs a new look at the markers: the others come in the next round. */
class OutputTooLarge extends Error {
  readonly letter: Complete
  constructor(letter: Complete, message: string) {
    super(message)
    this.letter = letter
  }
}

/** The others come in the next round, under another session. */
class SessionSpent extends Error {}

/** Of those that were decided: all, or a part of them. */
function outcomesOf(letters: readonly Complete[], { emissions }: Decided): ReadonlyMap<Complete, Outcome> {
  const byOffset = new Map(emissions.map(emission => [emission.record.offset, emission]))
  return new Map(
    letters.flatMap(letter => {
      const emission = byOffset.get(letter.record.offset)
      return emission === undefined ? [] : [[letter, outcomeOf(emission)] as const]
    }),
  )
}

function outcomeOf({ outputs, failure, droppedBy }: Decided['emissions'][number]): Outcome {
  if (failure !== undefined) return { kind: 'failed', reason: failure.reason, at: failure.at, message: failure.message }
  if (droppedBy !== undefined && outputs.length === 0) return { kind: 'dropped', by: droppedBy }
  return { kind: 'emitted', topics: outputs.map(({ topic }) => topic) }
}

function within(durationMs: number): Deadline {
  const endMs = Date.now() + durationMs
  return { remainingMs: () => endMs - Date.now() }
}
