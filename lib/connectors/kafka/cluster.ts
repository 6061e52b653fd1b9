// Where things are: brokers, leaders of partitions, coordinators of groups and transactional ids; and one connection to each broker. On two
// connections Produce and TxnOffsetCommit of one transaction clash in the broker's verification (event-source-mapping.md 4.5).
import { setImmediate as nextTurn } from 'node:timers/promises'
import { meaningOf } from './codes.ts'
import { type Connection, type ConnectionOptions, openConnection } from './connection.ts'
import { findCoordinator, metadata } from './messages.ts'
import { type Address, addressText, TransportError } from './socket.ts'

export interface ClusterOptions extends ConnectionOptions {
  readonly bootstrap: readonly Address[]
  readonly requestTimeoutMs: number
}

export interface TopicLayout {
  /** The leader's address per partition; undefined while there is none. */
  readonly leaders: readonly (Address | undefined)[]
  readonly readAtMs: number
}

/** An answer with an error code, on the way to whoever decides whether it is worth another attempt. */
export class BrokerError extends Error {
  override readonly name = 'BrokerError'
  readonly code: number
  readonly api: string
  /** What the request was about: topic, group or transactional id. */
  readonly subject: string
  constructor(code: number, api: string, subject: string) {
    super(`${api} of ${subject} was answered with code ${code}`)
    this.code = code
    this.api = api
    this.subject = subject
  }
}

/** A connection that idled longer waits one turn, in which a close by the broker shows. */
const quietMs = 500
/** A connection that idled longer may be dead without a sign (a load balancer or NAT forgot it): it is asked first. */
const doubtfulMs = 30_000
const probeTimeoutMs = 500
/** As Java's metadata.max.age.ms: new partitions are seen after this time. */
const layoutAgeMs = 300_000

export class Cluster {
  readonly #options: ClusterOptions
  readonly #connections = new Map<string, Promise<Connection>>()
  readonly #layouts = new Map<string, TopicLayout>()
  readonly #coordinators = new Map<string, Promise<Address>>()
  readonly #reading = new Map<string, Promise<void>>()
  #known: readonly Address[] = []
  #closed = false

  constructor(options: ClusterOptions) {
    this.#options = options
  }

  /** A connection that has just shown that it lives, as far as that can be known: reconnecting comes before a transaction, not in it. */
  async connection(address: Address, timeoutMs: number): Promise<Connection> {
    if (this.#closed) throw new Error('the producer is closed')
    const id = addressText(address)
    const present = this.#connections.get(id)
    if (present !== undefined) {
      const connection = await present
      if (connection.alive && connection.idleMs > quietMs) await nextTurn()
      if (connection.alive && connection.idleMs > doubtfulMs && !(await connection.probe(Math.min(probeTimeoutMs, timeoutMs))))
        connection.close()
      if (connection.alive) return connection
      // Another partition may have replaced it meanwhile.
      if (this.#connections.get(id) === present) this.#connections.delete(id)
      return this.connection(address, timeoutMs)
    }
    const opening = openConnection(address, this.#options, timeoutMs)
    this.#connections.set(id, opening)
    try {
      return await opening
    } catch (error) {
      if (this.#connections.get(id) === opening) this.#connections.delete(id)
      throw error
    }
  }

  /** Leaders of a topic, from the cache unless it is old. Throws BrokerError where the topic is unknown. */
  async layout(topic: string, timeoutMs: number): Promise<TopicLayout> {
    const cached = this.#layouts.get(topic)
    if (cached !== undefined && Date.now() - cached.readAtMs < layoutAgeMs) return cached
    await this.#once(topic, () => this.#readLayouts([topic], timeoutMs))
    const fresh = this.#layouts.get(topic)
    // Another partition may have met an error with it in the same turn, and forgotten it.
    if (fresh === undefined) throw new BrokerError(5, 'Metadata', topic)
    return fresh
  }

  /** One request for all topics that are not known yet. */
  async prepareLayouts(topics: readonly string[], timeoutMs: number): Promise<void> {
    const missing = topics.filter(topic => !(Date.now() - (this.#layouts.get(topic)?.readAtMs ?? 0) < layoutAgeMs))
    if (missing.length > 0) await this.#once(missing.join('\n'), () => this.#readLayouts(missing, timeoutMs))
  }

  async leader(topic: string, partition: number, timeoutMs: number): Promise<Connection> {
    const { leaders } = await this.layout(topic, timeoutMs)
    const leader = leaders[partition]
    if (leader === undefined) {
      this.forgetLayout(topic)
      throw new BrokerError(partition < leaders.length ? 5 : 3, 'Metadata', topic)
    }
    try {
      return await this.connection(leader, timeoutMs)
    } catch (error) {
      // Metadata name a dead leader until the controller has missed it: they must be read again, or we would knock at its door for ever.
      this.forgetLayout(topic)
      throw error
    }
  }

  /** For requests that each broker answers alike. */
  anyBroker(timeoutMs: number): Promise<Connection> {
    return this.#any(timeoutMs)
  }

  /** Who takes requests of administrators. */
  async controller(timeoutMs: number): Promise<Connection> {
    const connection = await this.#any(timeoutMs)
    const { controllerId, brokers } = await connection.send(metadata, { topics: [] }, { timeoutMs })
    const controller = brokers.find(broker => broker.id === controllerId)
    return controller === undefined ? connection : this.connection(controller, timeoutMs)
  }

  async coordinator(kind: 'group' | 'transaction', key: string, timeoutMs: number): Promise<Connection> {
    const id = `${kind}:${key}`
    let finding = this.#coordinators.get(id)
    if (finding === undefined) {
      finding = this.#findCoordinator(kind, key, timeoutMs)
      this.#coordinators.set(id, finding)
    }
    try {
      return await this.connection(await finding, timeoutMs)
    } catch (error) {
      this.forgetCoordinator(kind, key)
      throw error
    }
  }

  /** Where the group's coordinator is as this broker knows it, whatever we have learned before. */
  async groupCoordinatorAt(witness: Connection, group: string, timeoutMs: number): Promise<Connection> {
    const address = await this.#findCoordinator('group', group, timeoutMs, witness)
    this.#coordinators.set(`group:${group}`, Promise.resolve(address))
    return this.coordinator('group', group, timeoutMs)
  }

  forgetCoordinator(kind: 'group' | 'transaction', key: string): void {
    this.#coordinators.delete(`${kind}:${key}`)
  }

  forgetLayout(topic: string): void {
    this.#layouts.delete(topic)
  }

  async close(): Promise<void> {
    this.#closed = true
    const open = [...this.#connections.values()]
    this.#connections.clear()
    for (const outcome of await Promise.allSettled(open)) if (outcome.status === 'fulfilled') outcome.value.close()
  }

  async #findCoordinator(kind: 'group' | 'transaction', key: string, timeoutMs: number, witness?: Connection): Promise<Address> {
    const connection = witness ?? (await this.#any(timeoutMs))
    const { code, host, port } = await connection.send(
      findCoordinator,
      { kind, key },
      { timeoutMs: Math.min(timeoutMs, this.#options.requestTimeoutMs) },
    )
    if (code !== 0) throw new BrokerError(code, 'FindCoordinator', key)
    return { host, port }
  }

  async #readLayouts(topics: readonly string[], timeoutMs: number): Promise<void> {
    const connection = await this.#any(timeoutMs)
    const answer = await connection.send(metadata, { topics }, { timeoutMs: Math.min(timeoutMs, this.#options.requestTimeoutMs) })
    const brokers = new Map(answer.brokers.map(broker => [broker.id, { host: broker.host, port: broker.port }]))
    this.#known = [...brokers.values()]
    let failed: BrokerError | undefined
    for (const topic of answer.topics) {
      if (topic.code !== 0) {
        const error = new BrokerError(topic.code, 'Metadata', topic.name)
        // A topic that is gone for good weighs more than one that is on its way.
        if (failed === undefined || meaningOf(failed.code) === 'moved') failed = error
        continue
      }
      const leaders: (Address | undefined)[] = new Array(topic.partitions.length).fill(undefined)
      for (const { partition, leader } of topic.partitions) leaders[partition] = brokers.get(leader)
      this.#layouts.set(topic.name, { leaders, readAtMs: Date.now() })
    }
    if (failed !== undefined) throw failed
  }

  /** Any broker that answers: the ones that metadata named, then those of the configuration. */
  async #any(timeoutMs: number): Promise<Connection> {
    const endMs = Date.now() + timeoutMs
    const open = [...this.#connections.keys()]
    const candidates = new Map([...this.#known, ...this.#options.bootstrap].map(address => [addressText(address), address]))
    // Those with a connection first; a broker that is gone then costs no connection attempt.
    const order = [...candidates.values()].sort(
      (a, b) => Number(open.includes(addressText(b))) - Number(open.includes(addressText(a))),
    )
    const failures: TransportError[] = []
    for (const address of order) {
      const remainingMs = endMs - Date.now()
      if (remainingMs <= 0) break
      try {
        return await this.connection(address, remainingMs)
      } catch (error) {
        if (!(error instanceof TransportError)) throw error
        failures.push(error)
      }
    }
    const [first] = failures
    if (first === undefined)
      throw new TransportError(order[0]!, `${order.map(addressText).join(', ')}: no time is left to connect`)
    const others = failures.length === 1 ? '' : `; neither can ${failures.length - 1} other brokers`
    throw new TransportError(first.address, first.message + others, { cause: first })
  }

  /** Partitions that ask the same at the same time share one request. */
  #once(id: string, read: () => Promise<void>): Promise<void> {
    let reading = this.#reading.get(id)
    if (reading === undefined) {
      reading = read().finally(() => this.#reading.delete(id))
      this.#reading.set(id, reading)
    }
    return reading
  }
}
