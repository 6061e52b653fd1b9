// A small model of the commit and of everything around it that may go wrong, to try far more schedules than any broker could: one partition, a
// broker with fencing and transactions, a mapping that delivers at least once, functions that stop between any two calls. The production code
// is not in here; test/simulation has it. What a variant of the algorithm does wrong is a switch, so that the model shows that it would see it.
import { seededRandom } from '../cases/random.ts'

export interface Variant {
  /** Epoch and position survive in a warm container; default true. */
  readonly cached?: boolean
  /** What a failing invocation answers; default throw. */
  readonly onFailure?: 'throw' | 'full suffix' | 'first only'
  /** What the mapping makes of returned failures; default what is named. */
  readonly retries?: 'named' | 'from lowest' | 'not configured'
  readonly bisect?: 'in order' | 'shuffled'
  /** The coordinator applies committed offsets some time after the commit. */
  readonly appliedLate?: boolean
  readonly requireStable?: boolean
  readonly readBeforeFence?: boolean
  readonly keepsPositionAfterFence?: boolean
  readonly idPerContainer?: boolean
  readonly withoutTransaction?: boolean
  readonly skipsNothing?: boolean
}

export interface Verdict {
  readonly duplicated: number
  readonly lost: number
  readonly reordered: number
}

const recordCount = 30
const largestBatch = 6
const stepLimit = 100_000
const likely = { redelivery: 0.03, giveUp: 0.03, transactionTimeout: 0.02, failure: 0.25, reuse: 0.7, becomesVisible: 0.15 }
const redeliveryLimit = 4
const giveUpLimit = 6
const fencedRounds = 3

class FencedInModel extends Error {}

interface Transaction {
  readonly outputs: number[]
  next: number | undefined
}

/** Calls are atomic; whatever happens between two calls happens in the schedule. */
class Broker {
  readonly log: number[] = []
  readonly #variant: Variant
  readonly #epochs = new Map<string, number>()
  readonly #open = new Map<string, Transaction>()
  #visible = 0
  /** Committed, not applied yet. */
  #queue: number[] = []

  constructor(variant: Variant) {
    this.#variant = variant
  }

  init(id: string): number {
    this.#open.delete(id)
    const epoch = (this.#epochs.get(id) ?? 0) + 1
    this.#epochs.set(id, epoch)
    return epoch
  }

  fetch(): number | 'unstable' {
    const unstable = this.#queue.length > 0 || [...this.#open.values()].some(({ next }) => next !== undefined)
    return unstable && this.#variant.requireStable !== false ? 'unstable' : this.#visible
  }

  produce(id: string, epoch: number, outputs: readonly number[]): void {
    this.#transaction(id, epoch).outputs.push(...outputs)
  }

  offsets(id: string, epoch: number, next: number): void {
    this.#transaction(id, epoch).next = next
  }

  end(id: string, epoch: number): void {
    const { outputs, next } = this.#transaction(id, epoch)
    this.#open.delete(id)
    this.log.push(...outputs)
    this.commitOffset(next!)
  }

  commitOffset(next: number): void {
    if (this.#variant.appliedLate) this.#queue.push(next)
    else this.#visible = next
  }

  applyOne(): void {
    if (this.#queue.length > 0) this.#visible = this.#queue.shift()!
  }

  /** The oldest open transaction outlives its time: aborted, its owner fenced. */
  timeout(): void {
    const [id] = this.#open.keys()
    if (id !== undefined) this.init(id)
  }

  #transaction(id: string, epoch: number): Transaction {
    if (this.#epochs.get(id) !== epoch) throw new FencedInModel()
    let transaction = this.#open.get(id)
    if (transaction === undefined) {
      transaction = { outputs: [], next: undefined }
      this.#open.set(id, transaction)
    }
    return transaction
  }
}

interface Container {
  readonly id: string
  claim: { epoch: number; position: number } | undefined
  busy: boolean
}

/** Offsets that have to come again: nothing, all (a throw), or those that are named. */
type Outcome = 'done' | 'thrown' | { readonly named: readonly number[] }

interface Invocation {
  readonly container: Container
  readonly batch: readonly number[]
  readonly run: Generator<undefined, Outcome>
  /** Its outcome decides what the mapping delivers next. */
  counts: boolean
}

function* invoke(broker: Broker, container: Container, batch: readonly number[], variant: Variant, failsAt: number | undefined) {
  const id = variant.idPerContainer ? container.id : 'partition'
  for (let round = 0; round < fencedRounds; round++) {
    try {
      if (container.claim === undefined) container.claim = yield* claim(broker, id, variant)
      const { epoch, position } = container.claim
      const todo = variant.skipsNothing ? batch : batch.filter(offset => offset >= position)
      const prefix = todo.filter(offset => failsAt === undefined || offset < failsAt)
      const fails = prefix.length < todo.length
      if (prefix.length > 0) {
        const next = prefix.at(-1)! + 1
        yield* write(broker, { id, epoch, outputs: prefix, next }, variant)
        container.claim = { epoch, position: next }
      }
      if (variant.cached === false) container.claim = undefined
      if (!fails) return 'done'
      if ((variant.onFailure ?? 'throw') === 'throw') return 'thrown'
      return { named: variant.onFailure === 'first only' ? [failsAt!] : batch.filter(offset => offset >= failsAt!) }
    } catch (error) {
      if (!(error instanceof FencedInModel)) throw error
      const { claim: lost } = container
      container.claim = undefined
      if (variant.keepsPositionAfterFence && lost !== undefined) {
        container.claim = { epoch: broker.init(id), position: lost.position }
        yield
      }
    }
  }
  return 'thrown'
}

function* claim(broker: Broker, id: string, { readBeforeFence }: Variant) {
  const early = readBeforeFence ? yield* read(broker) : undefined
  const epoch = broker.init(id)
  yield
  return { epoch, position: early ?? (yield* read(broker)) }
}

function* read(broker: Broker) {
  for (;;) {
    const position = broker.fetch()
    yield
    if (position !== 'unstable') return position
  }
}

interface Write {
  readonly id: string
  readonly epoch: number
  readonly outputs: readonly number[]
  readonly next: number
}

function* write(broker: Broker, { id, epoch, outputs, next }: Write, { withoutTransaction }: Variant) {
  if (withoutTransaction) {
    broker.log.push(...outputs)
    yield
    broker.commitOffset(next)
    yield
    return
  }
  broker.produce(id, epoch, outputs)
  yield
  broker.offsets(id, epoch, next)
  yield
  broker.end(id, epoch)
  yield
}

/** One schedule, by its seed. */
export function runSchedule(seed: number, variant: Variant): Verdict {
  const random = seededRandom(seed)
  const chance = (probability: number) => random() < probability
  const below = (limit: number) => Math.floor(random() * limit)
  const broker = new Broker(variant)
  const containers: Container[] = []
  const live: Invocation[] = []
  const acknowledged: (readonly number[])[] = []
  /** Batches that come before anything new. */
  let pending: (readonly number[])[] = []
  let nextNew = 0
  let redeliveries = 0
  let givenUp = 0

  function start(batch: readonly number[], counts: boolean): void {
    const idle = containers.filter(container => !container.busy)
    let container = idle[below(idle.length)]
    if (container === undefined || !chance(likely.reuse)) {
      container = { id: `container ${containers.length}`, claim: undefined, busy: false }
      containers.push(container)
    }
    container.busy = true
    const failsAt = chance(likely.failure) ? batch[below(batch.length)] : undefined
    live.push({ container, batch, counts, run: invoke(broker, container, batch, variant, failsAt) })
  }

  function comesAgain(batch: readonly number[]): void {
    const half = Math.ceil(batch.length / 2)
    if (variant.bisect === undefined || batch.length === 1) pending = [batch, ...pending]
    else if (variant.bisect === 'shuffled' && chance(0.5)) pending = [batch.slice(half), batch.slice(0, half), ...pending]
    else pending = [batch.slice(0, half), batch.slice(half), ...pending]
  }

  function settle({ batch }: Invocation, outcome: Outcome): void {
    if (outcome === 'thrown') return comesAgain(batch)
    if (outcome === 'done' || variant.retries === 'not configured') {
      acknowledged.push(batch)
      return
    }
    const lowest = Math.min(...outcome.named)
    pending = [variant.retries === 'from lowest' ? batch.filter(offset => offset >= lowest) : outcome.named, ...pending]
  }

  for (let step = 0; ; step++) {
    if (step > stepLimit) throw new Error(`Schedule ${seed} comes to no end`)
    if (!live.some(({ counts }) => counts)) {
      if (pending.length > 0) start(pending.shift()!, true)
      else if (nextNew < recordCount) {
        const size = Math.min(1 + below(largestBatch), recordCount - nextNew)
        start(
          Array.from({ length: size }, (_, i) => nextNew + i),
          true,
        )
        nextNew += size
      }
    }
    // All is acknowledged, and no zombie is left to do harm.
    if (live.length === 0) return judge(broker.log)
    if (chance(likely.becomesVisible)) broker.applyOne()
    const event = random()
    if (event < likely.redelivery) {
      if (redeliveries < redeliveryLimit && acknowledged.length > 0) {
        redeliveries++
        start(acknowledged[below(acknowledged.length)]!, false)
      }
    } else if (event < likely.redelivery + likely.giveUp) {
      const current = live.find(({ counts }) => counts)
      if (givenUp < giveUpLimit && current !== undefined) {
        givenUp++
        current.counts = false
        // Killed: its container never comes back. Otherwise it goes on as a zombie.
        if (chance(0.5)) live.splice(live.indexOf(current), 1)
        comesAgain(current.batch)
      }
    } else if (event < likely.redelivery + likely.giveUp + likely.transactionTimeout) {
      broker.timeout()
    } else {
      const invocation = live[below(live.length)]!
      const { done, value } = invocation.run.next()
      if (!done) continue
      live.splice(live.indexOf(invocation), 1)
      invocation.container.busy = false
      if (invocation.counts) settle(invocation, value)
    }
  }
}

function judge(log: readonly number[]): Verdict {
  const firsts = [...new Set(log)]
  return {
    duplicated: log.length - firsts.length,
    lost: recordCount - firsts.length,
    reordered: log.filter((offset, i) => i > 0 && offset < log[i - 1]!).length,
  }
}

/** How many schedules of a variant went wrong, and the first seed of each kind. */
export function runSchedules(count: number, variant: Variant) {
  const wrong = { duplicated: 0, lost: 0, reordered: 0 }
  const firstSeed: { duplicated?: number; lost?: number; reordered?: number } = {}
  for (let seed = 1; seed <= count; seed++) {
    const verdict = runSchedule(seed, variant)
    for (const kind of ['duplicated', 'lost', 'reordered'] as const) {
      if (verdict[kind] === 0) continue
      wrong[kind]++
      firstSeed[kind] ??= seed
    }
  }
  return { ...wrong, firstSeed }
}
