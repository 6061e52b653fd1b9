// Histories of deliveries with crashes (data/README.md, "State and replays"), run by containers that come and go over one log and one state.
import type { embed } from '../../lib/connectors/embedded.ts'
import { type MemoryLog, memoryLog, type StoreContent } from '../../lib/connectors/memory.ts'
import { type MemoryState, memoryState } from '../../lib/connectors/state-memory.ts'
import { buildEvent, type ConsumedRecord, mapKeyOf } from '../../lib/emulator/event.ts'
import type { Plan } from '../../lib/plan/plan.ts'
import { type OutputRecord, RetryableError, type StatePort, type TransactionPort } from '../../lib/runtime/ports.ts'
import { seededRandom } from './random.ts'
import type { ReferenceCase } from './reference.ts'

/**
 * `lost`: it died before anything was stored; `state-only`: state was stored, outputs were not committed; `unacknowledged`: delivered again;
 * `emitted`, at least once alone: outputs are there, and it died before its position was.
 */
export type Fate = 'committed' | 'lost' | 'state-only' | 'unacknowledged' | 'emitted'

const fates: readonly Fate[] = ['committed', 'committed', 'lost', 'state-only', 'state-only', 'unacknowledged']

/** Partitions of one batch by their key in the event. */
export type HistoryStep = ReadonlyMap<string, { readonly offsets: readonly [first: number, last: number]; readonly fate: Fate }>

export function historyStep(line: string): HistoryStep {
  return new Map(Object.entries(JSON.parse(line) as Record<string, { offsets: [number, number]; fate: Fate }>))
}

const longestDelivery = 7

/** Deliveries as a mapping makes them: each partition from what is acknowledged on, cut anew each time, until all is committed. */
export function randomHistory(
  records: readonly ConsumedRecord[],
  seed: number,
  possible: readonly Fate[] = fates,
): readonly HistoryStep[] {
  const random = seededRandom(seed)
  const below = (limit: number) => Math.floor(random() * limit)
  const offsets = Map.groupBy(records, mapKeyOf)
  const next = new Map([...offsets.keys()].map(partition => [partition, 0]))
  const steps: HistoryStep[] = []
  for (;;) {
    const open = [...offsets.keys()].filter(partition => next.get(partition)! < offsets.get(partition)!.length)
    if (open.length === 0) return steps
    const chosen = open.filter(() => random() < 0.6)
    const step = (chosen.length === 0 ? [open[below(open.length)]!] : chosen).map(partition => {
      const all = offsets.get(partition)!
      const from = next.get(partition)!
      const to = Math.min(all.length, from + 1 + below(longestDelivery)) - 1
      const fate = possible[below(possible.length)]!
      if (fate === 'committed') next.set(partition, to + 1)
      return [partition, { offsets: [all[from]!.offset, all[to]!.offset] as const, fate }] as const
    })
    steps.push(new Map(step))
  }
}

/** What is committed in the end, in order. */
export async function runHistory(
  plan: Plan,
  embedPlan: typeof embed,
  reference: ReferenceCase,
  steps: readonly HistoryStep[],
  seed: number,
) {
  const kafka = plan.delivery === 'exactly-once' ? memoryLog() : plainLog()
  const state = memoryState()
  await deliverHistory(plan, embedPlan, reference, steps, seed, { kafka, state })
  return { outputs: kafka.committed as readonly OutputRecord[], state }
}

/** What the containers share: in memory, or a real log and a real store. */
export interface HistoryWorld {
  readonly kafka: TransactionPort & Pick<MemoryLog, 'committed'>
  readonly state: StatePort & Pick<MemoryState, 'lookups'>
}

export async function deliverHistory(
  plan: Plan,
  embedPlan: typeof embed,
  reference: ReferenceCase,
  steps: readonly HistoryStep[],
  seed: number,
  { kafka, state }: HistoryWorld,
): Promise<void> {
  const random = seededRandom(seed)
  const fates = new Map<string, Fate>()
  let container: ReturnType<typeof embed> | undefined
  for (const step of steps) {
    for (const [partition, { fate }] of step) fates.set(partition, fate)
    // A crash may end the container, or only the attempt.
    if (container === undefined || random() < 0.4) {
      container = embedPlan(plan, {
        lookups: reference.lookups as StoreContent,
        log: silent,
        kafka: dyingLog(kafka, fates),
        state: dyingState(state, fates),
      })
    }
    const records = reference.records.filter(record => {
      const range = step.get(mapKeyOf(record))?.offsets
      return range !== undefined && record.offset >= range[0] && record.offset <= range[1]
    })
    const event = buildEvent(records, { kind: 'self-managed', bootstrapServers: 'localhost:9092' })
    const isDoomed = [...step.values()].some(({ fate }) => ['lost', 'state-only', 'emitted'].includes(fate))
    const outcome = await (container.handler as (event: unknown, context: unknown) => Promise<unknown>)(event, {
      getRemainingTimeInMillis: () => 60_000,
    }).then(
      () => undefined,
      (error: unknown) => error as Error,
    )
    // A fault of the world, and never a bug.
    if (outcome !== undefined && !(isDoomed && outcome.name === 'RetryableError'))
      throw new Error(`a delivery failed: ${outcome.stack}`, { cause: outcome })
  }
}

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }

function fateOf(fates: ReadonlyMap<string, Fate>, partition: { readonly topic: string; readonly partition: number }): Fate {
  return fates.get(mapKeyOf(partition)) ?? 'committed'
}

/** Without transactions: outputs are there when they are acknowledged, nobody is fenced, and there is no position. */
function plainLog(): MemoryLog {
  const committed: OutputRecord[] = []
  return {
    ...memoryLog(),
    committed,
    fence: async transactionalId => ({ transactionalId, epoch: 0 }),
    readProgress: async () => undefined,
    async transact(_, { records }) {
      committed.push(...records)
      return { reusable: true }
    },
  }
}

function dyingLog(
  kafka: HistoryWorld['kafka'],
  fates: ReadonlyMap<string, Fate>,
): TransactionPort & Pick<MemoryLog, 'committed'> {
  return {
    ...kafka,
    async transact(session, transaction, deadline) {
      if (['lost', 'state-only'].includes(fateOf(fates, transaction.progress)))
        throw new RetryableError('kafka-unreachable', 'the attempt died before its commit')
      return kafka.transact(session, transaction, deadline)
    },
  }
}

// A partition whose attempt died before anything was stored: its script never came, as if somebody else had claimed.
function dyingState(state: HistoryWorld['state'], fates: ReadonlyMap<string, Fate>): StatePort & Pick<MemoryState, 'lookups'> {
  return {
    ...state,
    async write(writes, deadline) {
      const stored = writes.filter(({ lock }) => fateOf(fates, lock.partition) !== 'lost')
      const outcomes = await state.write(stored, deadline)
      return writes.map(write => outcomes[stored.indexOf(write)] ?? { kind: 'stale' })
    },
    async acknowledge(acknowledgements, deadline) {
      const heard = acknowledgements.filter(({ lock }) => fateOf(fates, lock.partition) !== 'emitted')
      const answers = await state.acknowledge(heard, deadline)
      return acknowledgements.map(one => answers[heard.indexOf(one)] ?? false)
    },
  }
}
