// The real function in real containers against a real broker and a real Redis, under one fault after the other: where and when comes from the
// seed, what meets it comes from the machine. Lanes work side by side, each as a mapping does with its partitions: batches in order, each again
// until it succeeds. A lane never sees the broker, so it goes on while the broker is away.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { type LocalRedis, startRedis } from '../../infra/local/redis.ts'
import { createTopics } from '../../infra/local/topics.ts'
import { bundleScenario } from '../../lib/compiler/bundle.ts'
import { readCommitted, writtenEnds } from '../../lib/emulator/committed.ts'
import type { FunctionSettings, InvocationResult } from '../../lib/emulator/container.ts'
import { buildEvent, type ConsumedRecord } from '../../lib/emulator/event.ts'
import { type Fault, type FaultPhase, faultPhases } from '../../lib/emulator/fault-points.ts'
import { ContainerPool, type Lease } from '../../lib/emulator/pool.ts'
import type { KafkaEvent } from '../../lib/runtime/event.ts'
import { seededRandom } from '../cases/random.ts'
import {
  type BrokerOptions,
  drawCoordinator,
  drawPlace,
  freezeBroker,
  openBrokers,
  produce,
  restartBroker,
  sweepMs,
  type TorturedBrokers,
  transactionTimeoutMs,
} from './brokers.ts'
import type { Cut } from './proxy.ts'
import { type HeldPlaces, judgeState, readPlaces } from './state.ts'
import { judge, stillThere, type Verdict } from './verdict.ts'
import { customers, drawRecords, outputTopics, sourceTopic, type TortureRecord } from './workload.ts'

export interface TortureOptions extends BrokerOptions {
  readonly faults: number
  readonly seed: number
  /** Only these; default all. */
  readonly kinds?: readonly FaultKind[]
  /** A function whose records leave something for later ones. */
  readonly state?: boolean
  readonly progress?: (faultCount: number) => void
  /** Replaces a text of the built function, to see that the run would find what is wrong then. */
  readonly mutate?: readonly [right: string, wrong: string]
}

export interface TortureResult {
  readonly verdict: Verdict
  /** What outputs tell of the records before them, or their places, is not so. */
  readonly wrongState: readonly string[]
  readonly recordCount: number
  readonly faultCount: number
  /** Kind, and for faults at a point of the protocol the point → how often it struck. */
  readonly strikes: ReadonlyMap<FaultKind, ReadonlyMap<string, number>>
  /** What a consumer had read was at its place ever after. */
  readonly stable: boolean
  /** How often a consumer read everything while the faults went on; it needs a moment without an open transaction. */
  readonly readingCount: number
}

export type FaultKind =
  | 'kill'
  | 'zombie'
  | 'zombie between two calls'
  | 'two at once'
  | 'delivered again'
  | Cut
  | 'frozen beyond the transaction timeout'
  | 'broker killed'
  | 'broker frozen'
  | 'leader moved'
  | 'coordinator moved'
  | 'Redis away'

/** Times per 1,000 draws. */
const shares: Readonly<Record<FaultKind, number>> = {
  kill: 250,
  zombie: 150,
  'zombie between two calls': 140,
  'two at once': 100,
  'delivered again': 90,
  'cut before': 60,
  'cut between': 60,
  'cut after': 50,
  'late delivery': 60,
  'frozen beyond the transaction timeout': 20,
  'broker killed': 14,
  'broker frozen': 14,
  'leader moved': 40,
  'coordinator moved': 40,
  'Redis away': 20,
}
export const faultKinds = Object.keys(shares) as readonly FaultKind[]
/** They need another broker to move to. */
const moves: ReadonlySet<FaultKind> = new Set(['leader moved', 'coordinator moved'])

const laneCount = 4
const partitionsPerLane = 2
const largestBatch = 5
const deepestCall = { plain: 7, state: 10 }
const outputPartitions = 3
const stuckAfterMs = 120_000

export async function torture(options: TortureOptions): Promise<TortureResult> {
  const closers: (() => Promise<unknown>)[] = []
  try {
    return await new Torture(options, await openWorld(options, closers)).run()
  } finally {
    for (const close of closers.reverse()) await close().catch(() => undefined)
  }
}

interface TortureWorld extends TorturedBrokers {
  readonly redis: LocalRedis
  readonly settings: FunctionSettings
  readonly lastWords: () => string
}

async function openWorld(options: TortureOptions, closers: (() => Promise<unknown>)[]): Promise<TortureWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-torture-'))
  closers.push(async () => rmSync(folder, { recursive: true, force: true }))
  const brokers = await openBrokers(options, closers)
  const { kafka, proxies } = brokers
  const redis = await startRedis()
  closers.push(() => redis.stop())
  let words = ''
  const handlerFile = join(folder, 'index.mjs')
  const { code } = await bundleScenario(join(import.meta.dirname, options.state === true ? 'state.yml' : 'torture.yml'), {
    stores: 'real',
    minify: false,
  })
  const quick = mutated(Buffer.from(code).toString(), [
    'transactionTimeoutMs: 15e3',
    `transactionTimeoutMs: ${transactionTimeoutMs}`,
  ])
  writeFileSync(handlerFile, mutated(quick, options.mutate))
  const world: TortureWorld = {
    ...brokers,
    redis,
    settings: {
      handlerFile,
      name: 'torture',
      environment: { SLUICE_KAFKA: proxies.addresses.join(','), SLUICE_REDIS: redis.url, SLUICE_METRICS: 'off' },
      memoryMb: 128,
      timeoutMs: 30_000,
      log: text => {
        words = (words + text).slice(-20_000)
      },
    },
    lastWords: () => words.split('\n').slice(-20).join('\n'),
  }
  await createTopics(kafka.bootstrapServers, [
    { name: sourceTopic, partitions: laneCount * partitionsPerLane },
    ...outputTopics.map(name => ({ name, partitions: outputPartitions })),
    { name: 'sluice-progress', partitions: 32 },
  ])
  await writtenEnds(kafka.bootstrapServers, [sourceTopic, ...outputTopics])
  await fillRedis(redis.url)
  return world
}

function mutated(code: string, mutation: TortureOptions['mutate']): string {
  if (mutation === undefined) return code
  const [right, wrong] = mutation
  if (code.split(right).length !== 2) throw new Error(`The function has not exactly one "${right}" to replace`)
  return code.replace(right, () => wrong)
}

/** The partitions of one lane, and how far it is. */
interface Lane {
  readonly pool: ContainerPool
  readonly random: () => number
  readonly partitions: readonly (readonly TortureRecord[])[]
  readonly next: number[]
  before: readonly ConsumedRecord[]
}

class Torture {
  readonly #options: TortureOptions
  readonly #world: TortureWorld
  readonly #lanes: readonly Lane[]
  readonly #strikes = new Map<FaultKind, Map<string, number>>()
  /** Zombies that will be thawed, and whatever else runs beside the lanes. */
  readonly #beside = new Set<Promise<unknown>>()
  #faultCount = 0
  #worldFault = false
  #failed = false
  #stable = true
  #readingCount = 0
  #seen: readonly ConsumedRecord[] = []

  constructor(options: TortureOptions, world: TortureWorld) {
    this.#options = options
    this.#world = world
    // A delivery takes 4.5 on average, and not each meets its fault.
    const recordsPerPartition = Math.ceil((options.faults * 10) / (laneCount * partitionsPerLane)) + 40
    this.#lanes = Array.from({ length: laneCount }, (_, lane) => {
      const random = seededRandom(options.seed * 100 + lane)
      return {
        random,
        pool: new ContainerPool(world.settings, { random }),
        partitions: Array.from({ length: partitionsPerLane }, (_, n) =>
          drawRecords(random, lane * partitionsPerLane + n, recordsPerPartition),
        ),
        next: Array.from({ length: partitionsPerLane }, () => 0),
        before: [],
      }
    })
  }

  async run(): Promise<TortureResult> {
    const records = this.#lanes.flatMap(({ partitions }) => partitions.flat())
    try {
      await produce(
        this.#world.kafka.bootstrapServers,
        records.map(({ record }) => record),
      )
      const lanes = this.#lanes.map(lane =>
        this.#torment(lane).catch(error => {
          this.#failed = true
          throw error
        }),
      )
      let running = true
      const watching = this.#watch(() => running)
      const outcomes = await Promise.allSettled(lanes)
      running = false
      await watching
      await Promise.allSettled(this.#beside)
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
      // What is left of the input comes without faults.
      for (const lane of this.#lanes) while (await this.#deliver(lane, 500)) {}
    } finally {
      await Promise.all(this.#lanes.map(({ pool }) => pool.close()))
    }
    const { faults } = this.#options
    if (this.#faultCount < faults)
      throw new Error(`The input ended after ${this.#faultCount} of ${faults} faults; take other kinds or fewer faults.`)
    const found = await this.#readAtLast()
    return {
      verdict: judge(records, found),
      wrongState: this.#options.state === true ? judgeState(records, found, await this.#places()) : [],
      recordCount: records.length,
      faultCount: this.#faultCount,
      strikes: this.#strikes,
      stable: this.#stable,
      readingCount: this.#readingCount,
    }
  }

  /** A consumer that reads again and again while all this happens. */
  async #watch(running: () => boolean): Promise<void> {
    while (running()) {
      await delay(2000)
      if (this.#worldFault) continue
      // A broker that goes away under it is no finding.
      await this.#read().then(
        () => this.#readingCount++,
        () => undefined,
      )
    }
  }

  async #places(): Promise<HeldPlaces> {
    const client = new Redis(this.#world.redis.url)
    try {
      return await readPlaces(client)
    } finally {
      client.disconnect()
    }
  }

  /** Leaders may still be on their way. */
  async #readAtLast(): Promise<readonly ConsumedRecord[]> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#read()
      } catch (error) {
        if (attempt === 10) throw error
        await delay(1000)
      }
    }
  }

  async #read(): Promise<readonly ConsumedRecord[]> {
    const found = await readCommitted(this.#world.kafka.bootstrapServers, outputTopics, { timeoutMs: 60_000 })
    if (!stillThere(this.#seen, found)) this.#stable = false
    this.#seen = found
    return found
  }

  async #torment(lane: Lane): Promise<void> {
    while (this.#faultCount < this.#options.faults && !this.#failed) {
      const kind = this.#drawKind(lane)
      if (!(await this.#deliver(lane, largestBatch, kind))) return
    }
  }

  #drawKind({ random }: Lane): FaultKind {
    const kinds = (this.#options.kinds ?? faultKinds).filter(kind => this.#world.moves !== undefined || !moves.has(kind))
    let at = random() * kinds.reduce((sum, kind) => sum + shares[kind], 0)
    for (const kind of kinds) {
      at -= shares[kind]
      if (at < 0) return kind
    }
    return kinds[0]!
  }

  /** One batch of one or more partitions, until it succeeds. False: nothing is left. */
  async #deliver(lane: Lane, largest: number, kind?: FaultKind): Promise<boolean> {
    const { random, partitions, next } = lane
    const left = partitions.flatMap((records, n) => (next[n]! < records.length ? [n] : []))
    if (left.length === 0) return false
    const chosen = random() < 0.5 ? left : [left[Math.floor(random() * left.length)]!]
    const batch = chosen.flatMap(n => {
      const size = kind === undefined ? largest : 1 + Math.floor(random() * largest)
      const own = partitions[n]!.slice(next[n]!, next[n]! + size).map(({ record }) => record)
      next[n]! += own.length
      return own
    })
    const event = this.#eventOf(batch)
    // As after a rebalance: from an earlier commit on.
    const recut = this.#eventOf([
      ...lane.before.filter(({ partition }) => batch.some(one => one.partition === partition)),
      ...batch,
    ])
    lane.before = batch
    const first = kind === undefined ? await lane.pool.invoke(event) : await this.#strike(lane, kind, { event, recut })
    await this.#untilDone(lane, first, { event, recut })
    return true
  }

  async #untilDone({ pool, random }: Lane, first: InvocationResult, { event, recut }: Events): Promise<void> {
    const startMs = Date.now()
    let result = first
    for (let pauseMs = 20; result.status !== 'success'; pauseMs = Math.min(pauseMs * 2, 1000)) {
      if (Date.now() - startMs > stuckAfterMs) {
        throw new Error(
          `A batch fails for ${stuckAfterMs / 1000} s (${JSON.stringify(result)}). The last words:\n${this.#world.lastWords()}`,
        )
      }
      await delay(pauseMs)
      result = await pool.invoke(random() < 0.5 ? event : recut)
    }
  }

  #eventOf(records: readonly ConsumedRecord[]): KafkaEvent {
    return buildEvent(records, { kind: 'self-managed', bootstrapServers: this.#world.proxies.addresses.join(',') })
  }

  #struck(kind: FaultKind, point = ''): void {
    this.#faultCount++
    const points = this.#strikes.get(kind) ?? new Map<string, number>()
    points.set(point, (points.get(point) ?? 0) + 1)
    this.#strikes.set(kind, points)
    this.#options.progress?.(this.#faultCount)
  }

  /** One delivery under one fault; its result is the mapping's. */
  #strike(lane: Lane, kind: FaultKind, events: Events): Promise<InvocationResult> {
    switch (kind) {
      case 'kill':
        return this.#kill(lane, events)
      case 'zombie':
        return this.#zombie(lane, events)
      case 'zombie between two calls':
        return this.#zombieBetween(lane, events)
      case 'two at once':
        return this.#twoAtOnce(lane, events)
      case 'delivered again':
        return this.#again(lane, events)
      case 'frozen beyond the transaction timeout':
        return this.#frozen(lane, events)
      case 'broker killed':
        return this.#worldAway(lane, events, kind, () => restartBroker(this.#world.kafka, lane.random))
      case 'broker frozen':
        return this.#worldAway(lane, events, kind, () => freezeBroker(this.#world.kafka, lane.random))
      case 'leader moved':
      case 'coordinator moved':
        return this.#moved(lane, events, kind)
      case 'Redis away':
        return this.#worldAway(lane, events, kind, () => this.#loseRedis())
      default:
        return this.#cut(lane, events, kind)
    }
  }

  async #kill(lane: Lane, { event }: Events): Promise<InvocationResult> {
    const { result, struckAt } = await armed(lane.pool.acquire(), event, this.#point(lane, 'kill')).ended
    if (struckAt !== undefined) this.#struck('kill', struckAt)
    return result
  }

  /** It stands still somewhere in its commit, others do its work and perhaps the next one's, then it goes on. */
  async #zombie(lane: Lane, { event, recut }: Events): Promise<InvocationResult> {
    const lease = lane.pool.acquire()
    const zombie = armed(lease, event, this.#point(lane, 'stop'))
    const stopped = await zombie.stopped
    if (stopped === undefined) return (await zombie.ended).result
    this.#struck('zombie', stopped)
    const result = await lane.pool.invoke(recut)
    const thaw = delay(lane.random() * 300).then(() => {
      lease.container.thaw()
      return zombie.ended
    })
    this.#aside(thaw)
    if (lane.random() < 0.5) await thaw
    return result
  }

  /** The zombie wakes while the new owner stands between two of its calls, and does whatever it can before the owner goes on. */
  async #zombieBetween(lane: Lane, { event, recut }: Events): Promise<InvocationResult> {
    const lease = lane.pool.acquire()
    const zombie = armed(lease, event, this.#point(lane, 'stop'))
    const zombieAt = await zombie.stopped
    if (zombieAt === undefined) return (await zombie.ended).result
    const ownerLease = lane.pool.acquire()
    const owner = armed(ownerLease, recut, this.#point(lane, 'stop'))
    const ownerAt = await owner.stopped
    lease.container.thaw()
    this.#struck('zombie between two calls', `zombie ${zombieAt}, owner ${ownerAt ?? 'done'}`)
    await Promise.race([zombie.ended, delay(lane.random() * 500)])
    ownerLease.container.thaw()
    this.#aside(zombie.ended)
    return (await owner.ended).result
  }

  async #twoAtOnce(lane: Lane, { event, recut }: Events): Promise<InvocationResult> {
    const other = lane.pool.acquire()
    const later = delay(lane.random() * 40).then(() => other.run(recut))
    const result = await lane.pool.invoke(event)
    await later
    this.#struck('two at once')
    return result
  }

  async #again(lane: Lane, { event, recut }: Events): Promise<InvocationResult> {
    const first = await lane.pool.invoke(event)
    if (first.status !== 'success') return first
    this.#struck('delivered again')
    return lane.pool.invoke(recut)
  }

  async #cut(lane: Lane, { event }: Events, cut: Cut): Promise<InvocationResult> {
    const one = {
      cut,
      call: 1 + Math.floor(lane.random() * 5),
      delayMs: Math.floor(lane.random() ** 3 * 1500),
      struck: (api: string) => this.#struck(cut, api),
    }
    this.#world.proxies.arm(one)
    const result = await lane.pool.invoke(event)
    this.#world.proxies.disarm(one)
    return result
  }

  async #frozen(lane: Lane, { event }: Events): Promise<InvocationResult> {
    const lease = lane.pool.acquire()
    const one = armed(lease, event, this.#point(lane, 'stop'))
    const stopped = await one.stopped
    if (stopped !== undefined) {
      await delay(transactionTimeoutMs + 2 * sweepMs)
      this.#struck('frozen beyond the transaction timeout', stopped)
      lease.container.thaw()
    }
    return (await one.ended).result
  }

  /** One at a time; the other lanes meet it wherever they are. */
  async #worldAway(lane: Lane, { event }: Events, kind: FaultKind, strike: () => Promise<void>): Promise<InvocationResult> {
    if (this.#worldFault) return lane.pool.invoke(event)
    this.#worldFault = true
    try {
      const running = lane.pool.invoke(event)
      await delay(lane.random() * 30)
      await strike()
      this.#struck(kind)
      return await running
    } finally {
      this.#worldFault = false
    }
  }

  /** Leaders move while a batch is under way, wherever it is. */
  async #moved({ pool, random }: Lane, { event }: Events, kind: 'leader moved' | 'coordinator moved'): Promise<InvocationResult> {
    const running = pool.invoke(event)
    await delay(random() * 15)
    const place = kind === 'leader moved' ? drawPlace(random, outputTopics, outputPartitions) : drawCoordinator(random)
    // While a broker is away it may not be possible, which is no fault then.
    if (await this.#world.moves!.move(place, random).catch(() => false)) this.#struck(kind, place.topic)
    return running
  }

  async #loseRedis(): Promise<void> {
    const { redis } = this.#world
    // Connections stand, and nobody answers; then everybody is thrown out.
    redis.freeze()
    await delay(2500)
    redis.thaw()
    const client = new Redis(redis.url)
    await client.call('CLIENT', 'KILL', 'TYPE', 'normal')
    client.disconnect()
  }

  #point({ random }: Lane, action: Fault['action']): Fault {
    const phase: FaultPhase = faultPhases[Math.floor(random() * faultPhases.length)]!
    // Deep calls are only there where the container begins with a claim.
    const deepest = this.#options.state === true ? deepestCall.state : deepestCall.plain
    return { call: 1 + Math.floor(random() * random() * deepest), phase, action }
  }

  #aside(work: Promise<unknown>): void {
    const one = work.catch(() => undefined).finally(() => this.#beside.delete(one))
    this.#beside.add(one)
  }
}

interface Events {
  readonly event: KafkaEvent
  readonly recut: KafkaEvent
}

interface Armed {
  /** Where the process stands still; undefined if it ended before. */
  readonly stopped: Promise<string | undefined>
  readonly ended: Promise<{ readonly result: InvocationResult; readonly struckAt: string | undefined }>
}

function armed({ container, run }: Lease, event: KafkaEvent, fault: Fault): Armed {
  let struckAt: string | undefined
  const struck = new Promise<string>(resolve => {
    container.onStrike(point => {
      struckAt = point
      resolve(point)
    })
  })
  const ended = run(event, { fault }).then(({ result }) => ({ result, struckAt }))
  return { ended, stopped: Promise.race([struck, ended.then(() => undefined)]) }
}

async function fillRedis(url: string): Promise<void> {
  const client = new Redis(url)
  for (const [key, age] of customers) await client.hset(key, { age: String(age) })
  client.disconnect()
}
