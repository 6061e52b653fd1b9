// Our transactional producer: one transactional id per source partition over shared connections, and progress committed for a group that
// nobody joins. The rules are event-source-mapping.md 4.2, 4.3 and 4.5; no client for JavaScript keeps all of them (technology.md). For
// clusters or users without transactions it is an idempotent producer: the same bytes, acknowledged, and no progress of our own.
//
// TV1 is the transaction protocol before KIP-890's second part, TV2 the one since (Kafka ≥ 4.0 with transaction.version 2):
// TV1: AddPartitionsToTxn ‖ AddOffsetsToTxn, Produce ‖ TxnOffsetCommit, EndTxn; TV2: Produce ‖ TxnOffsetCommit, EndTxn.
import assert from 'node:assert'
import type { Socket } from 'node:net'
import {
  type Deadline,
  Fenced,
  type OutputRecord,
  type ProducerSession,
  RecordTooLarge,
  type TopicPartition,
  type Transaction,
  type TransactionPort,
} from '../../runtime/ports.ts'
import { BrokerError, Cluster } from './cluster.ts'
import { duplicateSequence, invalidTransactionState, isOfTopic, meaningOf, worstOf } from './codes.ts'
import type { Call, Connection, ConnectionOptions } from './connection.ts'
import { kafkaError, toPortError } from './errors.ts'
import {
  type Api,
  addOffsetsToTxn,
  addPartitionsToTxn,
  type CommittedOffset,
  endTxn,
  initProducerId,
  listOffsets,
  type Owner,
  offsetFetch,
  type PartitionError,
  produce,
  txnOffsetCommit,
} from './messages.ts'
import { partitionOf } from './partitioner.ts'
import { Patience, Scope } from './patience.ts'
import { batchHeaderBytes, type Compression, encodeBatch, recordBytes } from './records.ts'
import { type Address, parseAddresses, TransportError } from './socket.ts'

export interface KafkaConfig {
  /** `at-least-once`: no transactional ids, no progress. Default: exactly-once. */
  readonly delivery?: 'exactly-once' | 'at-least-once'
  /** `host:port,host:port` */
  readonly bootstrapServers: string
  readonly clientId: string
  /** An open transaction of a dead worker holds `read_committed` consumers back so long, plus a sweep of up to 10 s. Default 15,000. */
  readonly transactionTimeoutMs?: number
  /** Longest wait for one answer. Default 5,000. */
  readonly requestTimeoutMs?: number
  /** Default 3,000. */
  readonly connectTimeoutMs?: number
  /** How long nobody may answer, or a topic be unknown, before the call fails. Default 5,000. */
  readonly patienceMs?: number
  readonly compression?: Compression
  /** A record above it is too large, whatever its topic takes; also the bound of one Produce request. Default 8 MiB. */
  readonly maxRequestBytes?: number
  /** Where a batch of several records is cut. The default, 1,000,000, fits the default limit of a topic (1,048,588). */
  readonly batchBytes?: number
  /** Keeps the progress where the cluster has the old group coordinator (event-source-mapping.md 4.6). Default `sluice-progress`. */
  readonly progressTopic?: string
  /** Who commits, noted beside each position: another name there is told. */
  readonly deployment?: Deployment | undefined
  readonly observe?: (call: Call) => void
  readonly openSocket?: (address: Address) => Socket
  /** TLS and login; none by default. */
  readonly security?: Security | undefined
}

export interface Deployment {
  readonly name: string
  /** The position that was just read is of somebody else. */
  readonly foreign: (partition: TopicPartition, name: string) => void
}

/** How to get in. `security.ts` reads it from the environment. */
export type Security = Pick<ConnectionOptions, 'tls' | 'login' | 'loginRefused'>

/** A transaction may also hold records alone: what was done is then told by one of them (`sluice replay`). */
export interface KafkaPort extends TransactionPort {
  transact(
    session: ProducerSession,
    transaction: Transaction | RecordsAlone,
    deadline: Deadline,
  ): Promise<{ readonly reusable: boolean }>
}

export type RecordsAlone = Pick<Transaction, 'records'>

/** Connects at the first call. */
export function createKafka(config: KafkaConfig): KafkaPort {
  return new TransactionalProducer(config)
}

/** What remains of an invocation for the abort and for telling why. */
const reserveMs = 250
const abortMs = 1000
/** The coordinator looks for transactions over their timeout every 10 s. */
const sweepMs = 10_000
/** Of the topic for progress: one for each of so many epochs in a row. */
export const progressPartitions = 32
export const defaultProgressTopic = 'sluice-progress'
/** Of the time for a Produce request, what the leader may wait for its followers: its answer has to arrive before we give up. */
const replicationShare = 0.8

type Settings = Required<
  Omit<KafkaConfig, 'observe' | 'openSocket' | 'security' | 'deployment' | 'bootstrapServers' | 'clientId'>
>

export class TransactionalProducer implements KafkaPort {
  readonly #cluster: Cluster
  readonly #settings: Settings
  readonly #deployment: Deployment | undefined
  /** Transactional ids that were ours once. */
  readonly #fenced = new Set<string>()
  /** Bytes that a topic turned out to take in one batch. */
  readonly #batchBytes = new Map<string, number>()

  constructor(config: KafkaConfig) {
    const { bootstrapServers, clientId, observe, openSocket, security, deployment, ...settings } = config
    this.#deployment = deployment
    this.#settings = {
      delivery: 'exactly-once',
      transactionTimeoutMs: 15_000,
      requestTimeoutMs: 5000,
      connectTimeoutMs: 3000,
      patienceMs: 5000,
      compression: 'none',
      maxRequestBytes: 8 * 1024 * 1024,
      batchBytes: 1_000_000,
      progressTopic: defaultProgressTopic,
      ...settings,
    }
    const { connectTimeoutMs, requestTimeoutMs } = this.#settings
    this.#cluster = new Cluster({
      bootstrap: parseAddresses(bootstrapServers),
      ...{ clientId, connectTimeoutMs, requestTimeoutMs, observe, openSocket, ...security },
    })
  }

  async fence(transactionalId: string, deadline: Deadline): Promise<ProducerSession> {
    return this.#guarded({ transactionalId, epoch: -1 }, async () => {
      const { transactionTimeoutMs, delivery } = this.#settings
      const scope = this.#scope(deadline)
      if (delivery === 'at-least-once') return this.#introduce(transactionalId, scope)
      return this.#repeat(scope, `fence ${transactionalId}`, async timeoutMs => {
        const connection = await this.#coordinator('transaction', transactionalId, timeoutMs)
        const { code, producerId, epoch } = await this.#ask(connection, { kind: 'transaction', key: transactionalId }, () =>
          connection.send(initProducerId, { transactionalId, transactionTimeoutMs }, { timeoutMs }),
        )
        if (code !== 0) throw this.#coordinatorError(code, 'InitProducerId', 'transaction', transactionalId)
        this.#fenced.add(transactionalId)
        const protocol = connection.feature('transaction.version') >= 2 ? 'TV2' : 'TV1'
        return new Session({ transactionalId, producerId, epoch, protocol })
      })
    })
  }

  /** A producer id of its own, which fences nobody. Any broker gives it. */
  #introduce(name: string, scope: Scope): Promise<ProducerSession> {
    return this.#repeat(scope, `the producer id for ${name}`, async timeoutMs => {
      const connection = await this.#cluster.anyBroker(timeoutMs)
      const request = { transactionalId: null, transactionTimeoutMs: this.#settings.transactionTimeoutMs }
      const { code, producerId, epoch } = await connection.send(initProducerId, request, { timeoutMs })
      if (code !== 0) throw new BrokerError(code, 'InitProducerId', name)
      return new Session({ transactionalId: name, producerId, epoch, protocol: 'none' })
    })
  }

  async readProgress(group: string, partition: TopicPartition, deadline: Deadline): Promise<bigint | undefined> {
    if (this.#settings.delivery === 'at-least-once') return undefined
    return this.#guarded({ transactionalId: group, epoch: -1 }, async () => {
      const scope = this.#scope(deadline)
      const transactionalId = slotGroup(group, partition)
      // Both forms are read on every cluster, so that its upgrade to the new group coordinator loses no position.
      const slots = Array.from({ length: progressPartitions }, (_, slot) => ({
        topic: this.#settings.progressTopic,
        partition: slot,
      }))
      const [plain, slotted] = await Promise.all([
        this.#committedOffsets(group, [partition], transactionalId, scope),
        this.#committedOffsets(slotGroup(group, partition), slots, transactionalId, scope).catch(error =>
          this.#withoutSlots(error, group, scope),
        ),
      ])
      const newest = [...plain, ...slotted].reduce<CommittedOffset | undefined>(
        (best, one) => (one.offset > (best?.offset ?? -1n) ? one : best),
        undefined,
      )
      if (newest === undefined) return undefined
      if (this.#deployment !== undefined && newest.note !== '' && newest.note !== this.#deployment.name)
        this.#deployment.foreign(partition, newest.note)
      return newest.offset
    })
  }

  endOffset(partition: TopicPartition, deadline: Deadline): Promise<bigint> {
    return this.#offset(partition, 'end', deadline)
  }

  startOffset(partition: TopicPartition, deadline: Deadline): Promise<bigint> {
    return this.#offset(partition, 'start', deadline)
  }

  #offset(partition: TopicPartition, at: 'start' | 'end', deadline: Deadline): Promise<bigint> {
    return this.#guarded({ transactionalId: '', epoch: -1 }, () => {
      const subject = partition.topic
      return this.#repeat(this.#scope(deadline), `the ${at} of ${partition.topic}-${partition.partition}`, async timeoutMs => {
        const connection = await this.#cluster.leader(partition.topic, partition.partition, timeoutMs)
        try {
          const { code, offset } = await connection.send(listOffsets, { ...partition, at }, { timeoutMs })
          if (code === 0) return offset
          throw new BrokerError(code, 'ListOffsets', subject)
        } catch (error) {
          this.#cluster.forgetLayout(partition.topic)
          throw error
        }
      })
    })
  }

  async transact(
    given: ProducerSession,
    transaction: Transaction | RecordsAlone,
    deadline: Deadline,
  ): Promise<{ readonly reusable: boolean }> {
    assert(given instanceof Session, 'a session comes from fence() of the same producer')
    const session = given
    return this.#guarded(session, async () => {
      if (session.state !== 'ready') throw kafkaError('kafka-session-spent', session)
      // Two transactions of one session would share its sequence numbers.
      session.state = 'open'
      const scope = this.#scope(deadline, { atMostMs: this.#settings.transactionTimeoutMs })
      let prepared: Prepared
      try {
        prepared = await this.#prepare(session, transaction, scope)
      } catch (error) {
        // Nothing was begun: the session is as it was.
        session.state = 'ready'
        throw error
      }
      scope.transportFailed = false
      try {
        await this.#write(session, prepared, scope)
        if (session.protocol !== 'none') await this.#commit(session, scope)
      } catch (error) {
        session.state = 'spent'
        throw session.protocol === 'none' ? error : await this.#abort(session, error, deadline)
      }
      // TV1: a late copy of TxnOffsetCommit or EndTxn would hit the next transaction, which has the same epoch.
      const reusable = session.protocol !== 'TV1' || !scope.transportFailed
      session.state = reusable ? 'ready' : 'spent'
      return { reusable }
    })
  }

  async close(): Promise<void> {
    await this.#cluster.close()
  }

  /** Everything that can be known before the begin: partitions, sizes, connections. */
  async #prepare(session: Session, transaction: Transaction | RecordsAlone, scope: Scope): Promise<Prepared> {
    const { records } = transaction
    const topics = [...new Set(records.map(record => record.topic))]
    const leaderCounts = new Map<string, number>()
    const target = await this.#repeat(scope, `the preparation of ${session.transactionalId}`, async timeoutMs => {
      await this.#cluster.prepareLayouts(topics, timeoutMs)
      for (const topic of topics) leaderCounts.set(topic, (await this.#cluster.layout(topic, timeoutMs)).leaders.length)
      if (session.protocol === 'none') return undefined
      await this.#coordinator('transaction', session.transactionalId, timeoutMs)
      if (!('progress' in transaction)) return undefined
      const { group, progress, nextOffset } = transaction
      return { ...(await this.#progressTarget(session, group, progress, timeoutMs)), nextOffset }
    })
    const queues = this.#queues(session, records, leaderCounts)
    await this.#repeat(scope, `the connections of ${session.transactionalId}`, timeoutMs =>
      Promise.all(queues.map(({ topic, partition }) => this.#cluster.leader(topic, partition, timeoutMs))),
    )
    return { progress: target, queues }
  }

  async #progressTarget(
    session: Session,
    group: string,
    progress: TopicPartition,
    timeoutMs: number,
  ): Promise<Omit<ProgressTarget, 'nextOffset'>> {
    const connection = await this.#coordinator('group', group, timeoutMs)
    if (connection.feature('group.version') >= 1) return { group, partition: progress }
    // The old group coordinator keeps pending offsets per producer id, without epoch: a fenced zombie could destroy the owner's. With a
    // key per epoch it only touches its own (event-source-mapping.md 4.6).
    const topic = this.#settings.progressTopic
    try {
      const slotCount = Math.min(progressPartitions, (await this.#cluster.layout(topic, timeoutMs)).leaders.length)
      const slotted = slotGroup(group, progress)
      await this.#coordinator('group', slotted, timeoutMs)
      return { group: slotted, partition: { topic, partition: session.epoch % slotCount } }
    } catch (error) {
      if (error instanceof BrokerError && error.subject === topic && meaningOf(error.code) === 'unknown-topic') {
        throw kafkaError('kafka-no-progress-topic', { topic }, error)
      }
      throw error
    }
  }

  /** Records by target partition, in order, cut into batches. */
  #queues(session: Session, records: readonly OutputRecord[], leaderCounts: ReadonlyMap<string, number>): readonly Queue[] {
    const queues = new Map<string, Queue>()
    for (let index = 0; index < records.length; index++) {
      const record = records[index]!
      const count = leaderCounts.get(record.topic)!
      const partition = record.partition ?? partitionOf(record.key ?? Buffer.from(record.partitionSeed), count)
      if (partition >= count || partition < 0)
        throw kafkaError('kafka-unknown-partition', { topic: record.topic, partition, count })
      const bytes = recordBytes(record)
      if (bytes + batchHeaderBytes > this.#settings.maxRequestBytes) {
        throw new RecordTooLarge(
          index,
          `an output for "${record.topic}" has ${bytes} bytes, more than the ${this.#settings.maxRequestBytes} of one request`,
        )
      }
      const id = `${record.topic}-${partition}`
      let queue = queues.get(id)
      if (queue === undefined) {
        queue = { topic: record.topic, partition, batches: [], nextSequence: session.sequenceOf(id) }
        queues.set(id, queue)
      }
      const limit = this.#batchBytes.get(record.topic) ?? this.#settings.batchBytes
      let batch = queue.batches.at(-1)
      if (batch === undefined || batch.size + bytes > limit) {
        batch = { first: queue.nextSequence, indexes: [], records: [], size: batchHeaderBytes, sendCount: 0 }
        queue.batches.push(batch)
      }
      batch.indexes.push(index)
      batch.records.push(record)
      batch.size += bytes
      queue.nextSequence = (queue.nextSequence + 1) % sequenceEnd
    }
    return [...queues.values()]
  }

  async #write(session: Session, { progress, queues }: Prepared, scope: Scope): Promise<void> {
    const owner = session.owner()
    const { transactionalId } = session
    const atCoordinator = { kind: 'transaction', key: transactionalId } as const
    if (session.protocol === 'TV1') {
      await allSettle(scope, [
        queues.length > 0 &&
          this.#toCoordinator(scope, atCoordinator, addPartitionsToTxn, { owner, partitions: queues }, undefined, answer =>
            worstError(answer),
          ),
        progress !== undefined &&
          this.#toCoordinator(scope, atCoordinator, addOffsetsToTxn, { owner, group: progress.group }, undefined, answer => ({
            ...answer,
            subject: progress.group,
          })),
      ])
    }
    const newest = session.protocol === 'TV2' ? { produce: 12, txnOffsetCommit: 5 } : { produce: 11, txnOffsetCommit: 4 }
    await allSettle(scope, [
      this.#produce(session, queues, newest.produce, scope),
      progress !== undefined && this.#commitProgress(owner, progress, newest.txnOffsetCommit, scope),
    ])
    for (const { topic, partition, nextSequence } of queues) session.keepSequence(`${topic}-${partition}`, nextSequence)
  }

  #commitProgress(owner: Owner, { group, partition, nextOffset }: ProgressTarget, newest: number, scope: Scope): Promise<void> {
    const request = { owner, group, partition, nextOffset, note: this.#deployment?.name }
    return this.#toCoordinator(scope, { kind: 'group', key: group }, txnOffsetCommit, request, newest, answer => {
      const { code, subject } = worstError(answer)
      return { code, subject: isOfTopic(code) ? subject : group }
    })
  }

  /** Batches in order per partition, one in flight each; a repeated batch keeps its sequence number, by which the broker knows it. */
  async #produce(session: Session, queues: readonly Queue[], newest: number, scope: Scope): Promise<void> {
    const patience = new Patience(scope, `the outputs of ${session.transactionalId}`, this.#settings.patienceMs)
    for (let open = queues; open.length > 0; open = open.filter(queue => queue.batches.length > 0)) {
      const timeoutMs = patience.attemptMs(this.#settings.requestTimeoutMs)
      const failures: unknown[] = []
      const requests = new Map<Connection, Queue[][]>()
      for (const queue of open) {
        try {
          addTo(
            requests,
            await this.#cluster.leader(queue.topic, queue.partition, timeoutMs),
            queue,
            this.#settings.maxRequestBytes,
          )
        } catch (error) {
          failures.push(error)
        }
      }
      const sent = [...requests].flatMap(([connection, parts]) =>
        parts.map(part => this.#produceOnce(session, connection, part, { newest, timeoutMs, failures })),
      )
      // All settle first: an abort must not overtake a batch.
      await Promise.all(sent)
      if (failures.length === 0) {
        patience.succeeded()
        continue
      }
      for (const failure of sortedByWeight(failures)) patience.failed(failure)
      await patience.pause()
    }
  }

  async #produceOnce(
    session: Session,
    connection: Connection,
    queues: readonly Queue[],
    options: { readonly newest: number; readonly timeoutMs: number; readonly failures: unknown[] },
  ): Promise<void> {
    const { newest, timeoutMs, failures } = options
    const transactional = session.protocol !== 'none'
    const transactionalId = transactional ? session.transactionalId : null
    try {
      const batches = queues.map(queue => {
        const batch = queue.batches[0]!
        const { compression } = this.#settings
        batch.bytes ??= encodeBatch(batch.records, {
          ...session.owner(),
          ...{ baseSequence: batch.first, compression, transactional },
        })
        batch.sendCount++
        return { topic: queue.topic, partition: queue.partition, bytes: batch.bytes }
      })
      const answers = await connection.send(
        produce,
        { transactionalId, timeoutMs: Math.ceil(timeoutMs * replicationShare), batches },
        { timeoutMs, newest },
      )
      for (const queue of queues) {
        const answer = answers.find(one => one.topic === queue.topic && one.partition === queue.partition)
        const failure =
          answer === undefined
            ? new TransportError(connection.address, `no answer for ${queue.topic}-${queue.partition}`)
            : this.#settle(queue, answer)
        if (failure !== undefined) failures.push(failure)
      }
    } catch (error) {
      for (const queue of queues) this.#cluster.forgetLayout(queue.topic)
      failures.push(error)
    }
  }

  /** What a partition's answer means for the head of its queue. */
  #settle(queue: Queue, { code }: PartitionError): Error | undefined {
    const batch = queue.batches[0]!
    // The first copy has arrived although its answer did not.
    if (code === 0 || (code === duplicateSequence && batch.sendCount > 1)) {
      queue.batches.shift()
      return undefined
    }
    const meaning = meaningOf(code)
    if (meaning === 'too-large') {
      if (batch.records.length === 1) {
        return new RecordTooLarge(
          batch.indexes[0]!,
          `topic "${queue.topic}" does not take an output of ${batch.size - batchHeaderBytes} bytes`,
        )
      }
      this.#batchBytes.set(queue.topic, Math.max(1, Math.floor(batch.size / 2)))
      queue.batches.splice(0, 1, ...halves(batch))
      return undefined
    }
    if (meaning === 'moved' || meaning === 'unknown-topic') this.#cluster.forgetLayout(queue.topic)
    return new BrokerError(code, 'Produce', queue.topic)
  }

  /** Resolves when the commit is certain. An unknown outcome is cleared up by asking again: the coordinator remembers (TV1: 51, then 0). */
  async #commit(session: Session, scope: Scope): Promise<void> {
    let unanswered: TransportError | undefined
    try {
      const answer = await this.#repeat(
        scope,
        `the commit of ${session.transactionalId}`,
        async timeoutMs => {
          try {
            return await this.#endOnce(session, true, timeoutMs)
          } catch (error) {
            if (error instanceof TransportError) unanswered = error
            throw error
          }
        },
        // As long as the invocation and the transaction last.
        this.#settings.transactionTimeoutMs,
      )
      session.ended(answer.next)
    } catch (error) {
      // The coordinator has aborted it meanwhile, by its timeout or for a newer owner.
      if (error instanceof BrokerError && error.code === invalidTransactionState) {
        throw new Fenced(
          session.transactionalId,
          session.epoch,
          `the transaction of ${session.transactionalId} was ended by the coordinator`,
        )
      }
      if (error instanceof BrokerError && meaningOf(error.code) !== 'retry' && meaningOf(error.code) !== 'moved') throw error
      // Out of time. Without a definite answer an abort would be a guess against a commit that may be under way.
      const detail = unanswered?.message ?? (error as Error).message
      throw new CommitUnknown(kafkaError('kafka-commit-unknown', { transactionalId: session.transactionalId, detail }, error))
    }
  }

  /** Ends what was begun, then gives the error to throw: that of the transaction, or Fenced where the abort reveals it. */
  async #abort(session: Session, error: unknown, deadline: Deadline): Promise<unknown> {
    if (error instanceof CommitUnknown) return error.error
    // The newer owner's InitProducerId has already aborted it.
    if (error instanceof Fenced || (error instanceof BrokerError && meaningOf(error.code) === 'fenced')) return error
    const atMostMs = Math.max(reserveMs, Math.min(abortMs, deadline.remainingMs()))
    const scope = new Scope({ remainingMs: () => atMostMs }, { atMostMs, reserveMs: 0 })
    try {
      await this.#repeat(scope, `the abort of ${session.transactionalId}`, timeoutMs => this.#endOnce(session, false, timeoutMs))
    } catch (abortError) {
      if (abortError instanceof BrokerError && meaningOf(abortError.code) === 'fenced') return abortError
      // Where it could not be aborted, the next fence or its timeout does it.
    }
    return error
  }

  async #endOnce(session: Session, commit: boolean, timeoutMs: number) {
    const { transactionalId } = session
    const connection = await this.#coordinator('transaction', transactionalId, timeoutMs)
    const answer = await this.#ask(connection, { kind: 'transaction', key: transactionalId }, () =>
      connection.send(endTxn, { owner: session.owner(), commit }, { timeoutMs, newest: session.protocol === 'TV1' ? 4 : 5 }),
    )
    if (answer.code !== 0) throw this.#coordinatorError(answer.code, 'EndTxn', 'transaction', transactionalId)
    return answer
  }

  async #committedOffsets(
    group: string,
    partitions: readonly TopicPartition[],
    transactionalId: string,
    scope: Scope,
  ): Promise<readonly CommittedOffset[]> {
    return this.#repeat(scope, `the progress of ${group}`, async timeoutMs => {
      const connection = await this.#presentCoordinator(group, transactionalId, timeoutMs)
      const { code, offsets } = await this.#ask(connection, { kind: 'group', key: group }, () =>
        connection.send(offsetFetch, { group, partitions }, { timeoutMs }),
      )
      const worst = worstOf([{ code }, ...offsets])
      const subject = isOfTopic(worst) ? (partitions[0]?.topic ?? group) : group
      if (worst !== 0) throw this.#coordinatorError(worst, 'OffsetFetch', 'group', group, subject)
      return offsets
    })
  }

  /**
   * A coordinator that froze while another was elected wakes and answers OffsetFetch from what it remembers, until it hears of its
   * successor: an old position, and all since would be decided a second time. So we don't trust the address that we know. Whoever
   * coordinates the transactions has fenced us in only when the marker of the last commit was written, and that took the true coordinator
   * of the group: it cannot know an older one.
   */
  async #presentCoordinator(group: string, transactionalId: string, timeoutMs: number): Promise<Connection> {
    if (!this.#fenced.has(transactionalId)) return this.#coordinator('group', group, timeoutMs)
    const witness = await this.#coordinator('transaction', transactionalId, timeoutMs)
    try {
      return await this.#cluster.groupCoordinatorAt(witness, group, timeoutMs)
    } catch (error) {
      // It may be the witness who does not answer.
      if (error instanceof TransportError) this.#cluster.forgetCoordinator('transaction', transactionalId)
      throw error
    }
  }

  /** A function that may not read the slots has never written them, which is fine where they are not needed. */
  async #withoutSlots(error: unknown, group: string, scope: Scope): Promise<readonly CommittedOffset[]> {
    if (!(error instanceof BrokerError) || meaningOf(error.code) !== 'unauthorized') throw error
    const connection = await this.#repeat(scope, `the coordinator of ${group}`, timeoutMs =>
      this.#coordinator('group', group, timeoutMs),
    )
    if (connection.feature('group.version') >= 1) return []
    throw error
  }

  async #toCoordinator<Request, Response>(
    scope: Scope,
    at: CoordinatorKey,
    api: Api<Request, Response>,
    request: Request,
    newest: number | undefined,
    judge: (response: Response) => { readonly code: number; readonly subject: string },
  ): Promise<void> {
    await this.#repeat(scope, `${api.name} of ${at.key}`, async timeoutMs => {
      const connection = await this.#coordinator(at.kind, at.key, timeoutMs)
      const response = await this.#ask(connection, at, () => connection.send(api, request, { timeoutMs, newest }))
      const { code, subject } = judge(response)
      if (code !== 0) throw this.#coordinatorError(code, api.name, at.kind, at.key, subject)
    })
  }

  #coordinator(kind: CoordinatorKey['kind'], key: string, timeoutMs: number): Promise<Connection> {
    return this.#cluster.coordinator(kind, key, timeoutMs)
  }

  /** Silence may mean that the coordinator is gone: the next attempt looks for it anew. */
  async #ask<Response>(connection: Connection, at: CoordinatorKey, send: () => Promise<Response>): Promise<Response> {
    try {
      return await send()
    } catch (error) {
      this.#cluster.forgetCoordinator(at.kind, at.key)
      if (!(error instanceof TransportError)) connection.close()
      throw error
    }
  }

  #coordinatorError(code: number, api: string, kind: CoordinatorKey['kind'], key: string, subject = key): BrokerError {
    if (meaningOf(code) === 'moved') this.#cluster.forgetCoordinator(kind, key)
    return new BrokerError(code, api, subject)
  }

  async #repeat<Result>(
    scope: Scope,
    what: string,
    attempt: (timeoutMs: number) => Promise<Result>,
    unansweredMs = this.#settings.patienceMs,
  ): Promise<Result> {
    const patience = new Patience(scope, what, unansweredMs)
    for (;;) {
      const timeoutMs = patience.attemptMs(this.#settings.requestTimeoutMs)
      try {
        return await attempt(timeoutMs)
      } catch (error) {
        patience.failed(error)
      }
      await patience.pause()
    }
  }

  #scope(
    deadline: Deadline,
    limits: { readonly atMostMs: number } = { atMostMs: this.#settings.transactionTimeoutMs + sweepMs + 2000 },
  ): Scope {
    return new Scope(deadline, { ...limits, reserveMs })
  }

  async #guarded<Result>(
    owner: { readonly transactionalId: string; readonly epoch: number },
    call: () => Promise<Result>,
  ): Promise<Result> {
    try {
      return await call()
    } catch (error) {
      throw toPortError(error, owner)
    }
  }
}

const sequenceEnd = 2 ** 31

/** `none`: an idempotent producer, outside of any transaction. */
type Protocol = 'TV1' | 'TV2' | 'none'

class Session implements ProducerSession {
  readonly transactionalId: string
  readonly protocol: Protocol
  state: 'ready' | 'open' | 'spent' = 'ready'
  #producerId: bigint
  #epoch: number
  /** Next sequence number per output partition, within one epoch. */
  readonly #sequences = new Map<string, number>()

  constructor(options: {
    readonly transactionalId: string
    readonly producerId: bigint
    readonly epoch: number
    readonly protocol: Protocol
  }) {
    this.transactionalId = options.transactionalId
    this.#producerId = options.producerId
    this.#epoch = options.epoch
    this.protocol = options.protocol
  }

  get epoch(): number {
    return this.#epoch
  }

  owner() {
    return { transactionalId: this.transactionalId, producerId: this.#producerId, epoch: this.#epoch }
  }

  sequenceOf(id: string): number {
    return this.#sequences.get(id) ?? 0
  }

  keepSequence(id: string, next: number): void {
    this.#sequences.set(id, next)
  }

  /** TV2 gives a new epoch with every end, and once epochs are used up a new producer id. Only a new epoch starts sequences anew. */
  ended(next: { readonly producerId: bigint; readonly epoch: number } | undefined): void {
    if (next === undefined || (next.producerId === this.#producerId && next.epoch === this.#epoch)) return
    this.#producerId = next.producerId
    this.#epoch = next.epoch
    this.#sequences.clear()
  }
}

/** Where the progress is written: under its own name, or in a slot. */
interface ProgressTarget {
  readonly group: string
  readonly partition: TopicPartition
  readonly nextOffset: bigint
}

interface Prepared {
  readonly progress: ProgressTarget | undefined
  readonly queues: readonly Queue[]
}

interface Queue extends TopicPartition {
  /** The first one is sent until it is acknowledged. */
  readonly batches: Batch[]
  nextSequence: number
}

interface Batch {
  /** Sequence number of its first record. */
  readonly first: number
  /** Into `Transaction.records`. */
  readonly indexes: number[]
  readonly records: OutputRecord[]
  size: number
  bytes?: Buffer
  sendCount: number
}

interface CoordinatorKey {
  readonly kind: 'group' | 'transaction'
  readonly key: string
}

/** No abort may follow: the commit may have happened. */
class CommitUnknown extends Error {
  readonly error: Error
  constructor(error: Error) {
    super(error.message)
    this.error = error
  }
}

/** Equal to the transactional id, which already is one per source partition. */
export function slotGroup(group: string, { topic, partition }: TopicPartition): string {
  return `${group}/${topic}/${partition}`
}

function halves(batch: Batch): readonly [Batch, Batch] {
  const middle = batch.records.length >> 1
  const part = (from: number, to: number): Batch => {
    const records = batch.records.slice(from, to)
    const size = records.reduce((sum, record) => sum + recordBytes(record), batchHeaderBytes)
    return { first: (batch.first + from) % sequenceEnd, indexes: batch.indexes.slice(from, to), records, size, sendCount: 0 }
  }
  return [part(0, middle), part(middle, batch.records.length)]
}

/** Adds the head of a queue to the last request of its leader, or to a new one where it would grow too large. */
function addTo(requests: Map<Connection, Queue[][]>, connection: Connection, queue: Queue, maxRequestBytes: number): void {
  const parts = requests.get(connection)
  const last = parts?.at(-1)
  const size = (last ?? []).reduce((sum, one) => sum + one.batches[0]!.size, queue.batches[0]!.size)
  if (parts === undefined || last === undefined) requests.set(connection, [[queue]])
  else if (size > maxRequestBytes) parts.push([queue])
  else last.push(queue)
}

/** Waits for all, also when one fails: an abort must not overtake what is in flight. The others begin no new attempt then. */
async function allSettle(scope: Scope, calls: readonly (Promise<unknown> | false)[]): Promise<void> {
  const outcomes = await Promise.allSettled(
    calls.map(call =>
      Promise.resolve(call).catch(error => {
        scope.stop()
        throw error
      }),
    ),
  )
  const failures = outcomes.flatMap(outcome => (outcome.status === 'rejected' ? [outcome.reason] : []))
  if (failures.length > 0) throw sortedByWeight(failures)[0]
}

/** The one that says most first: a fence, then a definite answer, then silence. */
function sortedByWeight(failures: readonly unknown[]): readonly unknown[] {
  const weight = (error: unknown): number => {
    if (error instanceof BrokerError)
      return ({ fenced: 0, retry: 4, moved: 4 } as Readonly<Record<string, number>>)[meaningOf(error.code)] ?? 1
    if (error instanceof RecordTooLarge) return 2
    if (error instanceof TransportError) return 5
    return 6
  }
  return [...failures].sort((a, b) => weight(a) - weight(b))
}

function worstError(answers: readonly PartitionError[]): { readonly code: number; readonly subject: string } {
  const code = worstOf(answers)
  return { code, subject: answers.find(answer => answer.code === code)?.topic ?? '' }
}
