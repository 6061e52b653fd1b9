// Lambda's Kafka event source mapping on this machine: consumes a topic of a real broker in its own consumer group, cuts batches, has them
// invoked, delivers again what failed, and commits. At least once, as AWS promises no more. What it may do is event-source-mapping.md 5.
import { setTimeout as delay } from 'node:timers/promises'
import { Consumer, type Message, type MessagesStream } from '@platformatic/kafka'
import type { KafkaEvent } from '../runtime/event.ts'
import { type BatchLimits, batchLimitsOf, cutBatch } from './batch.ts'
import type { InvocationResult } from './container.ts'
import { buildEvent, type ConsumedRecord, type EventOrigin, mapKeyOf } from './event.ts'
import { passes } from './patterns.ts'
import { refusalsOf } from './refusals.ts'
import { judgeResult } from './result.ts'
import type { EsmSettings } from './settings.ts'

export interface MappingOptions {
  readonly settings: EsmSettings
  readonly bootstrapServers: string
  /** What the event says of the cluster; default: self-managed. */
  readonly origin?: EventOrigin
  readonly invoke: (event: KafkaEvent, delivery: Delivery) => Promise<InvocationResult>
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void
  /** Between the attempts for a batch; AWS documents none. Default 100 ms, × 2, up to 30 s. */
  readonly backoff?: Backoff
  /** May a batch hold several partitions? AWS states no rule. Default random. */
  readonly mixPartitions?: 'random' | 'always' | 'never'
  /** What a partial response delivers again; AWS' wording can be read both ways. Default items. */
  readonly partial?: 'items' | 'lowest'
  /** A record above 6 MB, which no destination takes: drop with a warning, or block its partition. Default drop. */
  readonly oversize?: 'drop' | 'block'
  /** Whether aborted and open transactions of the source are read; AWS documents neither. Only read_uncommitted, the worse case, can run. */
  readonly sourceIsolation?: 'read_uncommitted' | 'read_committed'
  /** 0 ≤ x < 1. */
  readonly random?: () => number
}

export interface Backoff {
  readonly initialMs: number
  readonly factor: number
  readonly maxMs: number
}

export interface Delivery {
  /** Counts this mapping's batches from 0. */
  readonly batchIndex: number
  /** Counts the deliveries of this batch from 1. */
  readonly attempt: number
}

const defaultBackoff: Backoff = { initialMs: 100, factor: 2, maxMs: 30_000 }

interface PartitionState {
  readonly topic: string
  readonly partition: number
  /** Consumed, and not in a batch yet. */
  buffered: { readonly record: ConsumedRecord; readonly leaderEpoch: number; readonly arrivedAtMs: number }[]
  /** What was consumed up to here (exclusive), in a batch or not: a rebalance reads again from the last commit. */
  nextOffset: number
  /** Committed by this mapping since it started. */
  committedOffset: number | undefined
  inFlight: boolean
  /** An oversize record that nobody takes stands at its head. */
  blocked: boolean
}

export class EventSourceMapping {
  readonly #options: MappingOptions
  readonly #limits: BatchLimits
  readonly #origin: EventOrigin
  readonly #random: () => number
  readonly #consumer: Consumer<Buffer, Buffer, Buffer, Buffer>
  readonly #stopping = new AbortController()
  readonly #running = new Set<Promise<void>>()
  #stream: MessagesStream<Buffer, Buffer, Buffer, Buffer> | undefined
  #partitions = new Map<number, PartitionState>()
  #batchCount = 0
  #window: NodeJS.Timeout | undefined
  #soon: NodeJS.Immediate | undefined
  #mixThis = false
  #failure: Error | undefined

  /** Throws with all reasons where AWS would refuse the settings, or this mapping cannot honour them. */
  constructor(options: MappingOptions) {
    const refusals = [...refusalsOf(options.settings)]
    if (options.sourceIsolation === 'read_committed') {
      refusals.push(
        'sourceIsolation read_committed is not supported yet: the client that reads the source (@platformatic/kafka 2.12) loses committed records then.',
      )
    }
    if (refusals.length > 0) throw new Error(`The mapping of "${options.settings.topic}" cannot run:\n  ${refusals.join('\n  ')}`)
    this.#options = options
    this.#limits = batchLimitsOf(options.settings)
    this.#origin = options.origin ?? { kind: 'self-managed', bootstrapServers: options.bootstrapServers }
    this.#random = options.random ?? Math.random
    this.#mixThis = this.#drawMix()
    this.#consumer = new Consumer({
      clientId: 'sluice-mapping',
      groupId: options.settings.consumerGroupId,
      bootstrapBrokers: options.bootstrapServers.split(','),
      autocommit: false,
      maxWaitTime: 100,
      // read_uncommitted
      isolationLevel: 0,
    })
  }

  async start(): Promise<void> {
    const { topic, startingPosition } = this.#options.settings
    // A rebalance: what was consumed for a partition that is gone belongs to another now. Its running invocation goes on and is not
    // committed: that is the zombie of event-source-mapping.md 2.3.
    this.#consumer.on('consumer:group:join', () => this.#dropRevoked())
    this.#stream = await this.#consumer.consume({
      topics: [topic],
      mode: 'committed',
      fallbackMode: startingPosition === 'LATEST' ? 'latest' : 'earliest',
    })
    this.#stream.on('data', message => this.#take(message))
    this.#stream.on('error', error => this.#fail(error))
  }

  /** Commits of this mapping since it started: partition → next offset. */
  get committed(): ReadonlyMap<number, number> {
    const committed = new Map<number, number>()
    for (const { partition, committedOffset } of this.#partitions.values()) {
      if (committedOffset !== undefined) committed.set(partition, committedOffset)
    }
    return committed
  }

  /** Set when the mapping itself broke down (broker gone, group lost). A function that fails is no such case. */
  get failure(): Error | undefined {
    return this.#failure
  }

  /** Takes no more records, lets running invocations end (and commits them), leaves the group. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    clearTimeout(this.#window)
    await Promise.all(this.#running)
    await this.#stream?.close()
    await this.#consumer.close(true)
  }

  #take(message: Message<Buffer, Buffer, Buffer, Buffer>): void {
    const record = consumedRecord(message)
    const state = this.#stateOf(record.partition)
    if (record.offset < state.nextOffset) return
    state.nextOffset = record.offset + 1
    // Never invoked, and done: the commit of a later record passes it, and after a restart it is kept away again.
    if (!passes(this.#options.settings.filterPatterns ?? [], record.value)) return
    state.buffered.push({ record, leaderEpoch: message.leaderEpoch, arrivedAtMs: Date.now() })
    this.#holdBack()
    this.#pumpSoon()
  }

  // A fetch brings many records in one turn of the event loop; they are looked at together.
  #pumpSoon(): void {
    if (this.#soon !== undefined) return
    this.#soon = setImmediate(() => {
      this.#soon = undefined
      this.#pump()
    })
  }

  #stateOf(partition: number): PartitionState {
    let state = this.#partitions.get(partition)
    if (state === undefined) {
      const { topic } = this.#options.settings
      state = { topic, partition, buffered: [], nextOffset: 0, committedOffset: undefined, inFlight: false, blocked: false }
      this.#partitions.set(partition, state)
    }
    return state
  }

  // The stream reads ahead without end otherwise.
  #holdBack(): void {
    let bufferedCount = 0
    for (const { buffered } of this.#partitions.values()) bufferedCount += buffered.length
    const isFull = bufferedCount >= 4 * this.#limits.batchSize + 1000
    if (isFull && !this.#stream!.isPaused()) this.#stream!.pause()
    if (!isFull && this.#stream!.isPaused()) this.#stream!.resume()
  }

  #pump(): void {
    clearTimeout(this.#window)
    if (this.#stopping.signal.aborted) return
    for (;;) {
      const free = [...this.#partitions.values()].filter(state => !state.inFlight && !state.blocked && state.buffered.length > 0)
      if (free.length === 0) return
      // One batch in flight per partition, so a batch may only hold partitions that are free.
      const groups = this.#mixThis ? [free] : free.map(state => [state])
      let nextTryMs = Number.POSITIVE_INFINITY
      let launched = false
      for (const group of groups) {
        const buffered = group.flatMap(state => state.buffered).sort((a, b) => a.arrivedAtMs - b.arrivedAtMs)
        const records = buffered.map(({ record }) => record)
        const cut = cutBatch({ records, openedAtMs: buffered[0]!.arrivedAtMs, nowMs: Date.now() }, this.#limits, this.#origin)
        if (cut.kind === 'batch') {
          this.#launch(records.slice(0, cut.recordCount))
          launched = true
          break
        }
        if (cut.kind === 'oversize') {
          this.#setAside(cut.record, cut.payloadBytes)
          launched = true
          break
        }
        if (cut.kind === 'wait') nextTryMs = Math.min(nextTryMs, cut.untilMs)
      }
      if (!launched) {
        this.#window = setTimeout(() => this.#pump(), Math.max(1, nextTryMs - Date.now()))
        return
      }
    }
  }

  #launch(records: readonly ConsumedRecord[]): void {
    this.#mixThis = this.#drawMix()
    const batchIndex = this.#batchCount++
    const states = new Map<PartitionState, { nextOffset: number; leaderEpoch: number }>()
    for (const record of records) {
      const state = this.#stateOf(record.partition)
      const { leaderEpoch } = state.buffered.shift()!
      state.inFlight = true
      states.set(state, { nextOffset: record.offset + 1, leaderEpoch })
    }
    this.#holdBack()
    const run = this.#deliver(records, batchIndex, states)
      .catch(error => this.#fail(error as Error))
      .finally(() => {
        for (const state of states.keys()) state.inFlight = false
        this.#running.delete(run)
        this.#pump()
      })
    this.#running.add(run)
  }

  async #deliver(
    records: readonly ConsumedRecord[],
    batchIndex: number,
    states: ReadonlyMap<PartitionState, { nextOffset: number; leaderEpoch: number }>,
  ): Promise<void> {
    const { invoke, log, settings, partial = 'items', backoff = defaultBackoff } = this.#options
    let open = records
    let delayMs = backoff.initialMs
    for (let attempt = 1; ; attempt++) {
      const event = buildEvent(open, this.#origin)
      const result = await invoke(event, { batchIndex, attempt })
      const verdict = judgeResult(result, event, { functionResponseTypes: settings.functionResponseTypes, partial })
      if (verdict.kind === 'done') {
        if (verdict.warning !== undefined) log('warn', verdict.warning)
        for (const [state, end] of states) await this.#commit(state, end.nextOffset, end.leaderEpoch)
        return
      }
      if (verdict.kind === 'retry-all') {
        log('info', `${describeRecords(open)} comes again: ${verdict.reason}`)
      } else {
        open = open.filter(record => verdict.failed.get(mapKeyOf(record))?.includes(record.offset))
        log('info', `${describeRecords(open)} comes again: the function named it in batchItemFailures`)
        // What precedes the first failure of a partition is done.
        for (const [state, end] of states) {
          const firstOpen = open.find(record => record.partition === state.partition)?.offset
          await this.#commit(state, firstOpen ?? end.nextOffset, end.leaderEpoch)
        }
      }
      if (this.#stopping.signal.aborted) return
      await delay(delayMs, undefined, { signal: this.#stopping.signal }).catch(() => {})
      if (this.#stopping.signal.aborted) return
      delayMs = Math.min(delayMs * backoff.factor, backoff.maxMs)
    }
  }

  async #commit(state: PartitionState, nextOffset: number, leaderEpoch: number): Promise<void> {
    // Revoked meanwhile: its new owner commits.
    if (this.#partitions.get(state.partition) !== state || nextOffset === state.committedOffset) return
    const { topic, partition } = state
    try {
      await this.#consumer.commit({ offsets: [{ topic, partition, offset: BigInt(nextOffset), leaderEpoch }] })
    } catch (error) {
      // A rebalance in this very moment. Nothing is lost: without a commit the records come again.
      this.#options.log('warn', `${topic}-${partition}: the commit of ${nextOffset} failed: ${(error as Error).message}`)
      return
    }
    state.committedOffset = nextOffset
  }

  #setAside(record: ConsumedRecord, payloadBytes: number): void {
    const state = this.#stateOf(record.partition)
    const what = `${record.topic}-${record.partition}@${record.offset} needs an event of ${payloadBytes} bytes, and Lambda takes ${this.#limits.maxPayloadBytes}`
    if (this.#options.oversize === 'block') {
      state.blocked = true
      this.#options.log('error', `${what}: its partition stands still (oversize: block).`)
      return
    }
    const { leaderEpoch } = state.buffered.shift()!
    this.#options.log('warn', `${what}: it was dropped, since the mapping has no on-failure destination.`)
    const run = this.#commit(state, record.offset + 1, leaderEpoch).finally(() => this.#running.delete(run))
    this.#running.add(run)
  }

  #dropRevoked(): void {
    const assigned = this.#consumer.assignments?.find(({ topic }) => topic === this.#options.settings.topic)?.partitions ?? []
    for (const partition of this.#partitions.keys()) if (!assigned.includes(partition)) this.#partitions.delete(partition)
    if (this.#stream !== undefined) this.#holdBack()
  }

  #drawMix(): boolean {
    const { mixPartitions = 'random' } = this.#options
    return mixPartitions === 'always' || (mixPartitions === 'random' && this.#random() < 0.5)
  }

  #fail(error: Error): void {
    if (this.#stopping.signal.aborted) return
    this.#failure ??= error
    this.#options.log('error', `The mapping of "${this.#options.settings.topic}" stopped working: ${error.message}`)
  }
}

function consumedRecord(message: Message<Buffer, Buffer, Buffer, Buffer>): ConsumedRecord {
  return {
    topic: message.topic,
    partition: message.partition,
    offset: Number(message.offset),
    timestampMs: Number(message.timestamp),
    // The client does not tell; topics that stamp records themselves are for a later issue.
    timestampType: 'CREATE_TIME',
    key: message.key ?? null,
    value: message.value ?? null,
    headers: message.headerEntries.map(([name, value]) => ({ name: name.toString('utf8'), value: value ?? null })),
  }
}

function describeRecords(records: readonly ConsumedRecord[]): string {
  const first = records[0]!
  const others = records.length === 1 ? '' : ` and ${records.length - 1} more`
  return `The batch of ${first.topic}-${first.partition}@${first.offset}${others}`
}
