// Kafka's own TransactionalMessageCopier under the same faults, as its system tests run it: a Java process per source partition that copies what
// is there in small transactions, with its progress in them, and is started again until it comes to the end. What it survives shows what
// of a verdict is ours and what is the brokers'.

import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { classPath, javaFlags } from '../../infra/local/kafka.ts'
import { type Service, sluiceFolder, startService } from '../../infra/local/process.ts'
import { createTopics } from '../../infra/local/topics.ts'
import { createKafka } from '../../lib/connectors/kafka/producer.ts'
import { readCommitted } from '../../lib/emulator/committed.ts'
import { seededRandom } from '../cases/random.ts'
import {
  type BrokerOptions,
  drawCoordinator,
  drawPlace,
  freezeBroker,
  openBrokers,
  produce,
  restartBroker,
  type TorturedBrokers,
  transactionTimeoutMs,
} from './brokers.ts'
import type { ArmedCut, Cut } from './proxy.ts'
import type { FaultKind, TortureResult } from './torture.ts'
import { judge } from './verdict.ts'
import { sourceTopic, type TortureRecord } from './workload.ts'

export interface ReferenceOptions extends BrokerOptions {
  readonly faults: number
  readonly seed: number
  /** Only these; default all but zombies. */
  readonly kinds?: readonly FaultKind[]
  readonly progress?: (faultCount: number) => void
}

/** Times per 100 draws. What is left out is the mapping's: a copier reads its partition itself. */
const shares = {
  kill: 30,
  zombie: 15,
  'cut before': 8,
  'cut between': 8,
  'cut after': 8,
  'late delivery': 8,
  'frozen beyond the transaction timeout': 5,
  'broker killed': 4,
  'broker frozen': 4,
  'leader moved': 5,
  'coordinator moved': 5,
} as const satisfies Partial<Record<FaultKind, number>>
type ReferenceFault = keyof typeof shares
const kinds = Object.keys(shares) as readonly ReferenceFault[]
/**
 * The copier reads its position before it fences (`messagesRemaining` comes before `initTransactions` in its `runEventLoop`), the variant
 * `readBeforeFence` of test/model/commit.ts: a zombie that commits in between has its records copied once more.
 */
const beyondIt: ReadonlySet<ReferenceFault> = new Set(['zombie', 'frozen beyond the transaction timeout'])

const laneCount = 2
const outputTopic = 'torture-output'
/** What is new at each fault, in transactions of five. */
const recordsPerFault = 30
const transactionSize = 5
const stuckAfterMs = 180_000
/** A cut or a kill at a request that never comes is none. */
const patienceMs = 8000

export async function tortureReference(options: ReferenceOptions): Promise<TortureResult> {
  const closers: (() => Promise<unknown>)[] = []
  try {
    const brokers = await openBrokers(options, closers)
    const jars = await classPath(options.version ?? '4.2.2', join(import.meta.dirname, 'copier.xml'))
    // A copier keeps the partition's number.
    await createTopics(brokers.kafka.bootstrapServers, [
      { name: sourceTopic, partitions: laneCount },
      { name: outputTopic, partitions: laneCount },
    ])
    return await new Reference(options, brokers, jars).run()
  } finally {
    for (const close of closers.reverse()) await close().catch(() => undefined)
  }
}

interface Lane {
  readonly partition: number
  readonly random: () => number
  readonly records: TortureRecord[]
}

class Reference {
  readonly #options: ReferenceOptions
  readonly #brokers: TorturedBrokers
  readonly #jars: string
  readonly #strikes = new Map<FaultKind, Map<string, number>>()
  readonly #zombies = new Set<Promise<unknown>>()
  readonly #copiers = new Set<Service>()
  #faultCount = 0
  #copierCount = 0

  constructor(options: ReferenceOptions, brokers: TorturedBrokers, jars: string) {
    this.#options = options
    this.#brokers = brokers
    this.#jars = jars
  }

  async run(): Promise<TortureResult> {
    const { bootstrapServers } = this.#brokers.kafka
    const lanes = Array.from(
      { length: laneCount },
      (_, partition): Lane => ({ partition, random: seededRandom(this.#options.seed * 10 + partition), records: [] }),
    )
    try {
      const outcomes = await Promise.allSettled(lanes.map(lane => this.#torment(lane)))
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
      await Promise.all(this.#zombies)
    } finally {
      await Promise.all([...this.#copiers].map(copier => copier.kill()))
    }
    const records = lanes.flatMap(lane => lane.records)
    const found = await readCommitted(bootstrapServers, [outputTopic], { timeoutMs: 60_000 })
    const verdict = judge(records, found, ({ value }) => {
      const [partition, offset] = value!.toString().split('@').map(Number) as [number, number]
      return { partition, offset }
    })
    const { length: recordCount } = records
    return {
      verdict,
      wrongState: [],
      recordCount,
      faultCount: this.#faultCount,
      strikes: this.#strikes,
      stable: true,
      readingCount: 1,
    }
  }

  async #torment(lane: Lane): Promise<void> {
    while (this.#faultCount < this.#options.faults) {
      await this.#add(lane)
      await this.#strike(lane, this.#drawKind(lane))
      await this.#untilDone(lane)
    }
  }

  async #add({ partition, records }: Lane): Promise<void> {
    const fresh = Array.from({ length: recordsPerFault }, (_, n): TortureRecord => {
      const offset = records.length + n
      const value = Buffer.from(`${partition}@${offset}`)
      const record = { topic: sourceTopic, partition, offset, timestampMs: Date.now(), key: value, value, headers: [] }
      return { record: { ...record, timestampType: 'CREATE_TIME' }, expected: outputTopic }
    })
    await produce(
      this.#brokers.kafka.bootstrapServers,
      fresh.map(({ record }) => record),
    )
    records.push(...fresh)
  }

  #drawKind({ random }: Lane): ReferenceFault {
    const { kinds: only } = this.#options
    const drawable = kinds
      .filter(kind => (only === undefined ? !beyondIt.has(kind) : only.includes(kind)))
      .filter(kind => this.#brokers.moves !== undefined || !kind.endsWith(' moved'))
    let at = random() * drawable.reduce((sum, kind) => sum + shares[kind], 0)
    for (const kind of drawable) {
      at -= shares[kind]
      if (at < 0) return kind
    }
    return drawable[0]!
  }

  /** Begins to copy under one fault; whether it comes to the end is for the next ones. */
  async #strike(lane: Lane, kind: ReferenceFault): Promise<void> {
    const { kafka, moves } = this.#brokers
    const { random } = lane
    const copier = this.#start(lane)
    switch (kind) {
      case 'kill':
        if (await this.#atRequest(lane, copier, kind)) await copier.kill()
        return
      case 'zombie':
      case 'frozen beyond the transaction timeout': {
        if (!(await this.#atRequest(lane, copier, kind, () => process.kill(copier.pid, 'SIGSTOP')))) return
        const asleepMs = kind === 'zombie' ? random() * 4000 : transactionTimeoutMs + 2000
        const waking = delay(asleepMs).then(() => {
          if (copier.running()) process.kill(copier.pid, 'SIGCONT')
          return this.#ended(copier)
        })
        this.#zombies.add(waking)
        return
      }
      case 'broker killed':
        await delay(random() * 2000)
        await restartBroker(kafka, random)
        break
      case 'broker frozen':
        await delay(random() * 2000)
        await freezeBroker(kafka, random)
        break
      case 'leader moved':
      case 'coordinator moved': {
        await delay(500 + random() * 1500)
        const place = kind === 'leader moved' ? drawPlace(random, [outputTopic], laneCount) : drawCoordinator(random)
        if (!(await moves!.move(place, random).catch(() => false))) return void (await this.#ended(copier))
        break
      }
      default:
        if (!(await this.#atRequest(lane, copier, kind))) return
        await this.#ended(copier)
        return
    }
    this.#struck(kind)
    await this.#ended(copier)
  }

  /** Waits for a request of a commit, and does there what the kind of fault says. */
  async #atRequest({ random }: Lane, copier: Service, kind: ReferenceFault, act: () => void = () => undefined): Promise<boolean> {
    const isCut = kind.startsWith('cut') || kind === 'late delivery'
    let struckAt: string | undefined
    const reached = new Promise<void>(resolve => {
      const armed: ArmedCut = {
        ...(isCut && { cut: kind as Cut }),
        call: 1 + Math.floor(random() * 20),
        delayMs: Math.floor(random() ** 3 * 1500),
        struck: api => {
          struckAt = api
          if (copier.running()) act()
          resolve()
        },
      }
      this.#brokers.proxies.arm(armed)
      void Promise.race([copier.exited, delay(patienceMs)]).then(() => {
        this.#brokers.proxies.disarm(armed)
        resolve()
      })
    })
    await reached
    if (struckAt !== undefined) this.#struck(kind, struckAt)
    else await this.#ended(copier)
    return struckAt !== undefined
  }

  async #untilDone(lane: Lane): Promise<void> {
    const endMs = Date.now() + stuckAfterMs
    // It ends by itself when all is copied, and not otherwise: its progress at its start was the end of the partition then.
    while (!(await this.#isDone(lane))) {
      if (Date.now() > endMs) throw new Error(`A copier comes to no end within ${stuckAfterMs / 1000} s`)
      await this.#ended(this.#start(lane))
    }
  }

  /** Its own progress says so: outputs may still be hidden behind another's open transaction. */
  async #isDone({ partition, records }: Lane): Promise<boolean> {
    const kafka = createKafka({ bootstrapServers: this.#brokers.kafka.bootstrapServers, clientId: 'sluice-torture' })
    try {
      const progress = await kafka.readProgress(
        groupOf(partition),
        { topic: sourceTopic, partition },
        { remainingMs: () => 20_000 },
      )
      return progress !== undefined && progress >= BigInt(records.length)
    } catch {
      return false
    } finally {
      await kafka.close()
    }
  }

  #start({ partition }: Lane): Service {
    const copier = startService({
      command: 'java',
      arguments: [
        ...javaFlags,
        ...['-cp', this.#jars, 'org.apache.kafka.tools.TransactionalMessageCopier'],
        ...['--broker-list', this.#brokers.proxies.addresses.join(',')],
        ...['--input-topic', sourceTopic, '--input-partition', String(partition), '--output-topic', outputTopic],
        ...['--consumer-group', groupOf(partition), '--transactional-id', `copier-${partition}`],
        ...['--transaction-size', String(transactionSize), '--transaction-timeout', String(transactionTimeoutMs)],
      ],
      logFile: join(sluiceFolder, 'log', `copier-${process.pid}-${this.#copierCount++ % 20}.log`),
    })
    this.#copiers.add(copier)
    void copier.exited.then(() => this.#copiers.delete(copier))
    return copier
  }

  /** A copier that neither ends nor fails is killed. */
  async #ended(copier: Service): Promise<void> {
    await Promise.race([copier.exited, delay(60_000)])
    if (copier.running()) await copier.kill()
  }

  #struck(kind: FaultKind, point = ''): void {
    this.#faultCount++
    const points = this.#strikes.get(kind) ?? new Map<string, number>()
    points.set(point, (points.get(point) ?? 0) + 1)
    this.#strikes.set(kind, points)
    this.#options.progress?.(this.#faultCount)
  }
}

function groupOf(partition: number): string {
  return `copier-${partition}`
}
