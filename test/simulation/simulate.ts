// The production handler and commit in a simulated world: containers, mapping, stores, broker and clock are played from one seed, so that every
// run can be repeated exactly. Workload, faults and the order of events are drawn apart: the same faults can meet another order.
import { memoryStore } from '../../lib/connectors/memory.ts'
import type { Plan } from '../../lib/plan/plan.ts'
import type { KafkaEventRecord } from '../../lib/runtime/event.ts'
import { createHandler, type World } from '../../lib/runtime/handler.ts'
import { type LookupPort, RetryableError, Unanswered } from '../../lib/runtime/ports.ts'
import { seededRandom } from '../cases/random.ts'
import { visits, visitsEvent } from '../runtime/plan-fixture.ts'
import { SimulatedBroker } from './broker.ts'
import { idOf, judge, type Seen, type Verdict } from './checkers.ts'
import { type Caller, CallLost, type Fate, Schedule } from './schedule.ts'
import { drawMovesScene, drawStateScene } from './state.ts'
import { drawWorkload, type Workload } from './workload.ts'

export interface SimulationOptions {
  readonly seed: number
  /** Default `letters`: outputs alone; `state`: records leave something for later ones, too; `moves`: also for those of other partitions. */
  readonly scene?: SceneName
  /** No faults but this: one call, counted from 1, does not arrive, or its answer does not. */
  readonly failCall?: { readonly number: number; readonly fate: Exclude<Fate, 'well'> }
}

export const sceneNames = ['letters', 'state', 'moves'] as const
export type SceneName = (typeof sceneNames)[number]

/** What is played: a scenario, its records, its stores, and how what came out is judged. */
export interface Scene {
  readonly plan: Plan
  readonly partitions: Workload['partitions']
  /** Of one container. */
  readonly storesOf: (call: StoreCall, below: (limit: number) => number) => Pick<World, 'stores' | 'state'>
  readonly judge: (seen: readonly Seen[]) => Verdict
}

/** One call to a store: its effect happens at one instant, or never; where the answer is lost the batch comes again. */
export type StoreCall = <Answer>(what: string, effect: () => Answer) => Promise<Awaited<Answer>>

export interface Simulation {
  readonly verdict: Verdict
  readonly recordCount: number
  /** Faults that struck, by kind. */
  readonly faults: ReadonlyMap<string, number>
  readonly callCount: number
  readonly trace: readonly string[]
}

/** How often each fault comes, per call or per step; a run has some of them and not others, as swarms do. */
interface FaultProfile {
  readonly lostCall: number
  readonly lostAnswer: number
  readonly kill: number
  readonly zombie: number
  readonly freeze: number
  readonly redelivery: number
  readonly rewind: number
  /** Milliseconds that the store takes for each key: batches may need more than a function has. */
  readonly slow: number
}

const noFaults: FaultProfile = { lostCall: 0, lostAnswer: 0, kill: 0, zombie: 0, freeze: 0, redelivery: 0, rewind: 0, slow: 0 }
const largestFaultCount = 60
const stepLimit = 100_000
const functionTimeoutMs = 30_000
const group = 'sluice.letters.1'

interface Faulty {
  readonly strikes: (kind: keyof FaultProfile) => boolean
  readonly msPerKey: () => number
}

interface Container extends Caller {
  readonly handler: (event: unknown, context: unknown) => Promise<unknown>
  busy: boolean
}

interface SourcePartition {
  readonly number: number
  readonly records: readonly KafkaEventRecord[]
  /** Index of the first record that the mapping has not committed. */
  committed: number
  current: Invocation | undefined
  /** The batch that failed comes again as it was, or is cut anew. */
  againTo: number | undefined
}

interface Invocation {
  readonly container: Container
  readonly deadlineMs: number
  /** Partition → end index. */
  readonly ends: ReadonlyMap<SourcePartition, number>
  outcome: 'running' | 'succeeded' | 'failed'
}

/** Plays one seed to its end. */
export async function simulate(options: SimulationOptions): Promise<Simulation> {
  const scene = draws[options.scene ?? 'letters'](seededRandom(options.seed * 3 + 1))
  const faultRandom = seededRandom(options.seed * 3 + 2)
  const profile = options.failCall === undefined ? drawProfile(faultRandom) : noFaults
  const faults = new Map<string, number>()
  let faultCount = 0
  /** After so many faults the world is kind, so that every run comes to its end. */
  const faulty: Faulty = { msPerKey: () => (faultCount < largestFaultCount ? profile.slow : 0), strikes }
  function strikes(kind: keyof FaultProfile): boolean {
    if (faultCount >= largestFaultCount || faultRandom() >= profile[kind]) return false
    faultCount++
    faults.set(kind, (faults.get(kind) ?? 0) + 1)
    return true
  }
  const schedule = new Schedule(seededRandom(options.seed * 3 + 3), (_, number) => {
    if (options.failCall?.number === number) return options.failCall.fate
    return strikes('lostCall') ? 'lost' : strikes('lostAnswer') ? 'answer lost' : 'well'
  })
  const broker = new SimulatedBroker(
    schedule,
    scene.partitions.map(records => BigInt(records.at(-1)!.offset) + 1n),
  )
  const consumer = new Consumer(broker)
  await new Play(scene, schedule, broker, consumer, faulty).run(options.seed)
  consumer.read()
  return {
    verdict: scene.judge(consumer.seen),
    recordCount: scene.partitions.reduce((sum, records) => sum + records.length, 0),
    faults,
    callCount: schedule.callCount,
    trace: schedule.trace,
  }
}

const draws: Readonly<Record<SceneName, (random: () => number) => Scene>> = {
  letters: drawLetters,
  state: drawStateScene,
  moves: drawMovesScene,
}

function drawLetters(random: () => number): Scene {
  const workload = drawWorkload(random)
  const store = memoryStore(workload.lookups)
  return {
    plan: visits,
    partitions: workload.partitions,
    storesOf: call => ({
      stores: {
        redis: {
          lookupMany: (requests, deadline) => call('look-ups', () => store.lookupMany(requests, deadline)),
          close: async () => undefined,
        },
      },
    }),
    judge: seen => judge(workload, seen),
  }
}

class Play {
  readonly #schedule: Schedule
  readonly #broker: SimulatedBroker
  readonly #consumer: Consumer
  readonly #faulty: Faulty
  readonly #strikes: Faulty['strikes']
  readonly #scene: Scene
  readonly #partitions: readonly SourcePartition[]
  readonly #containers: Container[] = []
  #live: Invocation[] = []

  constructor(scene: Scene, schedule: Schedule, broker: SimulatedBroker, consumer: Consumer, faulty: Faulty) {
    this.#scene = scene
    this.#schedule = schedule
    this.#broker = broker
    this.#consumer = consumer
    this.#faulty = faulty
    this.#strikes = faulty.strikes
    this.#partitions = scene.partitions.map((records, number) => ({
      number,
      records,
      committed: 0,
      current: undefined,
      againTo: undefined,
    }))
  }

  async run(seed: number): Promise<void> {
    for (let step = 0; ; step++) {
      if (step > stepLimit) throw new Error(`Seed ${seed} comes to no end:\n${this.#schedule.trace.slice(-40).join('\n')}`)
      this.#deliver()
      // All is acknowledged, and no zombie is left to do harm.
      if (this.#live.length === 0 && this.#partitions.every(({ committed, records }) => committed === records.length)) return
      this.#disturb()
      await this.#schedule.step()
      this.#broker.pass()
      this.#consumer.read()
      this.#settle()
    }
  }

  /** What a mapping does: batches of free partitions, one in flight for each. */
  #deliver(): void {
    const free = this.#partitions.filter(({ current, committed, records }) => current === undefined && committed < records.length)
    if (free.length === 0 || this.#schedule.below(3) > 0) return
    const chosen = this.#schedule.below(2) === 0 ? free : [free[this.#schedule.below(free.length)]!]
    const ends = new Map(
      chosen.map(partition => {
        const { committed, records, againTo } = partition
        return [partition, againTo ?? Math.min(records.length, committed + 1 + this.#schedule.below(8))] as const
      }),
    )
    const invocation = this.#invoke(new Map([...ends].map(([partition, end]) => [partition, [partition.committed, end]])), ends)
    for (const partition of chosen) {
      partition.current = invocation
      partition.againTo = undefined
    }
  }

  #invoke(
    ranges: ReadonlyMap<SourcePartition, readonly [from: number, to: number]>,
    ends: ReadonlyMap<SourcePartition, number>,
  ): Invocation {
    const container = this.#container()
    container.busy = true
    const deadlineMs = this.#schedule.nowMs + functionTimeoutMs
    const invocation: Invocation = { container, deadlineMs, ends, outcome: 'running' }
    const records = Object.fromEntries([...ranges].map(([{ number, records }, [from, to]]) => [number, records.slice(from, to)]))
    const told = [...ranges].map(
      ([{ number, records }, [from, to]]) => `${number}@${records[from]!.offset}…${records[to - 1]!.offset}`,
    )
    this.#schedule.trace.push(`${container.name} gets ${told.join(', ')}`)
    const context = { getRemainingTimeInMillis: () => deadlineMs - this.#schedule.nowMs }
    container.handler(visitsEvent(records), context).then(
      () => end('succeeded'),
      error => {
        this.#schedule.trace.push(`${container.name} throws ${(error as Error).message.slice(0, 100)}`)
        end('failed')
      },
    )
    const end = (outcome: Invocation['outcome']) => {
      invocation.outcome = outcome
      container.busy = false
    }
    this.#live.push(invocation)
    return invocation
  }

  #container(): Container {
    const idle = this.#containers.filter(({ alive, busy }) => alive && !busy)
    if (idle.length > 0 && this.#schedule.below(10) < 7) return idle[this.#schedule.below(idle.length)]!
    const caller: Caller = { name: `container ${this.#containers.length}`, alive: true, frozenUntilMs: 0 }
    const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }
    const { stores, ...rest } = this.#scene.storesOf(this.#storeCall(caller), limit => this.#schedule.below(limit))
    const handler = createHandler(this.#scene.plan, {
      kafka: this.#broker.portOf(caller),
      stores: { ...stores, redis: this.#slow(stores.redis!, caller) },
      ...rest,
      log: silent,
      deadLetterTopic: 'dead-letters',
    })
    const container: Container = Object.assign(caller, { busy: false, handler: handler as Container['handler'] })
    this.#containers.push(container)
    return container
  }

  #storeCall(caller: Caller): StoreCall {
    return async <Answer>(what: string, effect: () => Answer): Promise<Awaited<Answer>> => {
      // Promises of the effect are unwrapped on the way.
      const answer: unknown = await this.#schedule.call(caller, what, effect).catch(error => {
        throw error instanceof CallLost ? new RetryableError('redis-timeout', 'no answer') : error
      })
      return answer as Awaited<Answer>
    }
  }

  /** As a server that answers one after the other: in time come the first ones, and this container waits for them. */
  #slow(store: LookupPort, caller: Caller): LookupPort {
    return {
      ...store,
      lookupMany: async (requests, deadline) => {
        const msPerKey = this.#faulty.msPerKey()
        if (msPerKey === 0) return store.lookupMany(requests, deadline)
        // Whole seconds: the real clock takes its fractions off a round trip's share.
        const restMs = Math.ceil(deadline.remainingMs() / 1000) * 1000
        // In half of the runs a round trip's time is up before the invocation's.
        const givenMs = msPerKey % 2 === 0 ? Math.min(restMs, longestRoundTripMs) : restMs
        const neededMs = requests.reduce((sum, { keys }) => sum + keys.length * msPerKey, 0)
        caller.frozenUntilMs = Math.max(caller.frozenUntilMs, this.#schedule.nowMs + Math.min(givenMs, neededMs))
        const answers = await store.lookupMany(requests, deadline)
        if (neededMs <= givenMs || !this.#strikes('slow')) return answers
        this.#schedule.trace.push(`${caller.name}: of the look-ups some are too late`)
        let left = Math.floor(givenMs / msPerKey)
        return answers.map(ofRequest => ofRequest.map(answer => (left-- > 0 ? answer : tooLate)))
      },
    }
  }

  #disturb(): void {
    const busy = this.#live.filter(({ outcome, container }) => outcome === 'running' && container.alive)
    const one = busy[this.#schedule.below(busy.length)]
    if (one !== undefined && this.#strikes('kill')) this.#schedule.kill(one.container, this.#schedule.below(2) === 0)
    if (one !== undefined && this.#strikes('freeze'))
      one.container.frozenUntilMs = this.#schedule.nowMs + this.#schedule.below(15_000)
    // The partitions move to another poller, which knows nothing of the running invocation.
    if (one !== undefined && this.#strikes('zombie')) this.#giveUp(one)
    const partition = this.#partitions[this.#schedule.below(this.#partitions.length)]!
    const { committed } = partition
    if (committed === 0) return
    if (this.#strikes('redelivery')) {
      const from = this.#schedule.below(committed)
      this.#invoke(new Map([[partition, [from, from + 1 + this.#schedule.below(committed - from)]]]), new Map())
    }
    if (partition.current === undefined && this.#strikes('rewind')) {
      partition.committed -= 1 + this.#schedule.below(Math.min(committed, 6))
      partition.againTo = undefined
    }
  }

  #settle(): void {
    for (const invocation of this.#live) {
      const { container, deadlineMs, ends } = invocation
      if (invocation.outcome === 'running' && container.alive && this.#schedule.nowMs > deadlineMs) {
        this.#schedule.kill(container, this.#schedule.below(2) === 0)
      }
      if (invocation.outcome === 'succeeded') {
        for (const [partition, end] of ends) {
          if (partition.current !== invocation) continue
          partition.committed = end
          partition.current = undefined
        }
      } else if (invocation.outcome === 'failed' || !container.alive) this.#giveUp(invocation)
    }
    this.#live = this.#live.filter(({ outcome, container }) => outcome === 'running' && container.alive)
  }

  #giveUp(invocation: Invocation): void {
    for (const [partition, end] of invocation.ends) {
      if (partition.current !== invocation) continue
      partition.current = undefined
      partition.againTo = this.#schedule.below(10) < 7 ? end : undefined
    }
  }
}

const longestRoundTripMs = 6000
const tooLate = new Unanswered(new RetryableError('redis-timeout', 'no answer in time'))

/** Reads along with read_committed, and compares with the progress at that instant. */
class Consumer {
  readonly seen: Seen[] = []
  readonly #broker: SimulatedBroker
  readonly #next = new Map<string, number>()

  constructor(broker: SimulatedBroker) {
    this.#broker = broker
  }

  read(): void {
    for (const log of this.#broker.logs.keys()) {
      const { records, next } = this.#broker.readCommitted(log, this.#next.get(log) ?? 0)
      this.#next.set(log, next)
      for (const record of records) {
        const [, topic, partition, offset] = idOf(record).split('/')
        const progress = this.#broker.progressOf(group, { topic: topic!, partition: Number(partition) })
        this.seen.push({ log, record, progressCovers: progress !== undefined && progress > BigInt(offset!) })
      }
    }
  }
}

function drawProfile(random: () => number): FaultProfile {
  const rate = (largest: number) => (random() < 0.6 ? random() * largest : 0)
  return {
    lostCall: rate(0.08),
    lostAnswer: rate(0.08),
    kill: rate(0.03),
    zombie: rate(0.04),
    freeze: rate(0.03),
    redelivery: rate(0.03),
    rewind: rate(0.05),
    slow: random() < 0.3 ? 1000 + Math.floor(random() * 15_000) : 0,
  }
}
