// A real Kafka broker for tests, from Maven's jars: no Docker, no archive to download, a few seconds the first time.
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { freePorts, type Service, sluiceFolder, startService, untilReady } from './process.ts'

export interface KafkaOptions {
  /** Default 4.2.2: 4.3 and 4.4 skip transaction markers when a single broker is killed (KAFKA-20734). */
  readonly version?: string
  /** The transaction protocol; 2 (Kafka ≥ 4.0) by default, 1 is that of Kafka 3. */
  readonly transactionVersion?: 1 | 2
  /** Default 1. With 3 everything is kept on all three, and one may be away. */
  readonly brokerCount?: 1 | 3
  /** Keeps the data here, and starts with what is there; by default they go when the brokers stop. */
  readonly folder?: string
  /** Further settings of server.properties. */
  readonly settings?: Readonly<Record<string, string | number>>
  /** More ways in, beside the plain one that tests administer by: names (capitals) with their security protocol. */
  readonly listeners?: Readonly<Record<string, 'PLAINTEXT' | 'SSL' | 'SASL_SSL' | 'SASL_PLAINTEXT'>>
  /** What a further listener tells clients instead of its own address: that of a proxy before it, one for each broker. */
  readonly advertised?: Readonly<Record<string, readonly string[]>>
  /** Users that log in by SCRAM-SHA-256 and SCRAM-SHA-512: name and password. */
  readonly scramUsers?: Readonly<Record<string, string>>
  /** 16 bytes as base64url, for a folder without data; a random one by default. */
  readonly clusterId?: string
}

export interface LocalBroker {
  readonly address: string
  /** Addresses of the further listeners, by name. */
  readonly listeners: Readonly<Record<string, string>>
  readonly pid: number
  /** SIGKILL: as a machine that loses power. */
  kill(): Promise<void>
  /** After `kill`: the same data at the same address. */
  restart(): Promise<void>
  /** SIGSTOP and SIGCONT. */
  freeze(): void
  thaw(): void
}

/** All brokers; as a broker it is the first one. */
export interface LocalKafka extends LocalBroker {
  readonly bootstrapServers: string
  readonly brokers: readonly LocalBroker[]
  stop(): Promise<void>
}

const here = dirname(fileURLToPath(import.meta.url))
const run = promisify(execFile)
const defaultVersion = '4.2.2'
const startAttempts = 3

export async function startKafka(options: KafkaOptions = {}): Promise<LocalKafka> {
  const jars = await classPath(options.version ?? defaultVersion)
  const hadData = options.folder !== undefined && existsSync(join(options.folder, '1'))
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(jars, options)
    } catch (error) {
      // Somebody else may have taken a port since we saw it free. Data of an earlier run keep their port.
      if (attempt === startAttempts || hadData) throw error
      for (let node = 1; options.folder !== undefined && node <= (options.brokerCount ?? 1); node++) {
        rmSync(join(options.folder, String(node)), { recursive: true, force: true })
      }
    }
  }
}

async function startOnce(jars: string, options: KafkaOptions): Promise<LocalKafka> {
  const name = randomUUID().slice(0, 8)
  const folder = options.folder ?? join(sluiceFolder, 'run', `kafka-${name}`)
  const temporary = options.folder === undefined
  const count = options.brokerCount ?? 1
  const names = Object.keys(options.listeners ?? {})
  const ports = await freePorts((2 + names.length) * count)
  const listenersOf = (node: number) =>
    names.map((name, n) => ({ name, protocol: options.listeners![name]!, port: ports[(2 + n) * count + node]! }))
  const clusterId = options.clusterId ?? Buffer.from(randomUUID().replaceAll('-', ''), 'hex').toString('base64url')
  const voters = Array.from({ length: count }, (_, i) => `${i + 1}@127.0.0.1:${ports[count + i]}`).join(',')
  const nodes = Array.from({ length: count }, (_, i) => {
    const nodeFolder = join(folder, String(i + 1))
    const settings = properties({
      id: i + 1,
      count,
      broker: ports[i]!,
      controller: ports[count + i]!,
      voters,
      folder: nodeFolder,
      listeners: listenersOf(i).map(one => ({ ...one, told: options.advertised?.[one.name]?.[i] ?? `127.0.0.1:${one.port}` })),
      settings: options.settings ?? {},
    })
    return new Node({
      jars,
      listeners: Object.fromEntries(listenersOf(i).map(({ name, port }) => [name, `127.0.0.1:${port}`])),
      folder: nodeFolder,
      abandonedFolder: temporary ? folder : undefined,
      logFile: join(sluiceFolder, 'log', `kafka-${name}-${i + 1}.log`),
      settings,
    })
  })
  try {
    await Promise.all(
      nodes.map(node => node.prepare({ clusterId, format: [...transactionFeature(options), ...scramRecords(options)] })),
    )
    await Promise.all(nodes.map(node => node.start()))
  } catch (error) {
    await Promise.all(nodes.map(node => node.kill()))
    throw error
  }
  const [first] = nodes as [Node]
  return {
    bootstrapServers: nodes.map(node => node.address).join(','),
    brokers: nodes,
    listeners: first.listeners,
    address: first.address,
    get pid() {
      return first.pid
    },
    kill: () => first.kill(),
    restart: () => first.restart(),
    freeze: () => first.freeze(),
    thaw: () => first.thaw(),
    async stop() {
      // Data that nobody will read again need no orderly shutdown.
      await Promise.all(nodes.map(node => (temporary ? node.kill() : node.stop())))
      if (temporary) rmSync(folder, { recursive: true, force: true })
    },
  }
}

interface NodeOptions {
  readonly jars: string
  readonly listeners: Readonly<Record<string, string>>
  readonly folder: string
  readonly abandonedFolder: string | undefined
  readonly logFile: string
  readonly settings: string
}

/** One broker, which is its own controller. */
class Node implements LocalBroker {
  readonly address: string
  readonly listeners: Readonly<Record<string, string>>
  readonly #options: NodeOptions
  readonly #propertiesFile: string
  #service: Service | undefined

  constructor(options: NodeOptions) {
    this.#options = options
    this.listeners = options.listeners
    this.#propertiesFile = join(options.folder, 'server.properties')
    // Data of an earlier run come with their address.
    const settings = existsSync(this.#propertiesFile) ? readFileSync(this.#propertiesFile, 'utf8') : options.settings
    this.address = /^listeners=PLAINTEXT:\/\/([^,]+)/m.exec(settings)![1]!
  }

  get pid(): number {
    return this.#service?.pid ?? -1
  }

  async prepare({ clusterId, format }: { readonly clusterId: string; readonly format: readonly string[] }): Promise<void> {
    if (existsSync(this.#propertiesFile)) return
    mkdirSync(this.#options.folder, { recursive: true })
    writeFileSync(this.#propertiesFile, this.#options.settings)
    // One id in 64 begins with '-'; as an argument of its own it would be taken for a flag.
    const tool = ['kafka.tools.StorageTool', 'format', `--cluster-id=${clusterId}`, '-c', this.#propertiesFile]
    await run('java', [...javaFlags, '-cp', this.#options.jars, ...tool, ...format])
  }

  async start(): Promise<void> {
    const { jars, abandonedFolder, logFile } = this.#options
    this.#service = startService({
      command: 'java',
      arguments: [...javaFlags, '-cp', jars, 'kafka.Kafka', this.#propertiesFile],
      logFile,
      abandonedFolder,
    })
    await untilReady('Kafka', this.#service, { logFile, timeoutMs: 60_000, ready: log => log.includes('Kafka Server started') })
  }

  async stop(): Promise<void> {
    await this.#service?.stop(10_000)
  }

  async kill(): Promise<void> {
    await this.#service?.kill()
  }

  restart(): Promise<void> {
    return this.start()
  }

  freeze(): void {
    process.kill(this.pid, 'SIGSTOP')
  }

  thaw(): void {
    process.kill(this.pid, 'SIGCONT')
  }
}

/** Of a pom that names `kafka.version`. Maven resolves it once; the jars stay in Maven's own cache. */
export async function classPath(version: string, pomFile = join(here, 'kafka.xml')): Promise<string> {
  const name = pomFile === join(here, 'kafka.xml') ? 'classpath' : basename(pomFile, '.xml')
  const file = join(sluiceFolder, 'kafka', `${name}-${version}.txt`)
  if (existsSync(file)) {
    const known = readFileSync(file, 'utf8').trim()
    if (known.split(':').every(jar => existsSync(jar))) return known
  }
  mkdirSync(dirname(file), { recursive: true })
  const own = `${file}.${randomUUID()}`
  const goal = ['-B', '-q', '-f', pomFile, `-Dkafka.version=${version}`, 'dependency:build-classpath']
  try {
    await run('mvn', [...goal, '-Dmdep.includeScope=runtime', `-Dmdep.outputFile=${own}`])
  } catch (error) {
    const detail = (error as { stdout?: string }).stdout ?? String(error)
    throw new Error(`Maven could not fetch Kafka ${version}; it needs Java 17, Maven 3 and Maven Central.\n${detail}`, {
      cause: error,
    })
  }
  renameSync(own, file)
  return readFileSync(file, 'utf8').trim()
}

/** Kafka 3 knows transaction.version only as 0, which speaks the same protocol to clients as 1. */
function transactionFeature({ version, transactionVersion }: KafkaOptions): readonly string[] {
  return version?.startsWith('3.') ? [] : ['--feature', `transaction.version=${transactionVersion ?? 2}`]
}

function scramRecords({ scramUsers = {} }: KafkaOptions): readonly string[] {
  return Object.entries(scramUsers).flatMap(([name, password]) =>
    ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap(kind => ['--add-scram', `${kind}=[name=${name},password=${password}]`]),
  )
}

// CPU until the first produce: 3.4 s with Java's defaults, 1.9 s with these.
export const javaFlags = [
  '-Xms64m',
  '-Xmx256m',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-XX:-UsePerfData',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
  '-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info',
  '-Dorg.slf4j.simpleLogger.showDateTime=true',
]

function properties(options: {
  readonly id: number
  readonly count: number
  readonly broker: number
  readonly controller: number
  readonly voters: string
  readonly folder: string
  readonly listeners: readonly {
    readonly name: string
    readonly protocol: string
    readonly port: number
    readonly told: string
  }[]
  readonly settings: Readonly<Record<string, string | number>>
}): string {
  const { id, count, broker, controller, listeners } = options
  const further = listeners.map(({ name, port }) => `,${name}://127.0.0.1:${port}`).join('')
  const told = listeners.map(({ name, told }) => `,${name}://${told}`).join('')
  const protocols = listeners.map(({ name, protocol }) => `,${name}:${protocol}`).join('')
  const inSync = Math.max(1, count - 1)
  const all = {
    'process.roles': 'broker,controller',
    'node.id': id,
    'controller.quorum.voters': options.voters,
    listeners: `PLAINTEXT://127.0.0.1:${broker},CONTROLLER://127.0.0.1:${controller}${further}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${broker}${told}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': `PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT${protocols}`,
    'log.dirs': join(options.folder, 'data'),
    // A topic that is made by itself hides a misspelt name.
    'auto.create.topics.enable': 'false',
    'default.replication.factor': count,
    'min.insync.replicas': inSync,
    'offsets.topic.num.partitions': 3,
    'offsets.topic.replication.factor': count,
    'transaction.state.log.num.partitions': 3,
    'transaction.state.log.replication.factor': count,
    'transaction.state.log.min.isr': inSync,
    'share.coordinator.state.topic.replication.factor': count,
    'share.coordinator.state.topic.min.isr': inSync,
    'group.initial.rebalance.delay.ms': 0,
    ...options.settings,
  }
  return Object.entries(all)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}
