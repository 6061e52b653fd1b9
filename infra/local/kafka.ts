// A real Kafka broker for tests, from Maven's jars: no Docker, no archive to download, a few seconds the first time.
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { freePorts, type Service, sluiceFolder, startService, untilReady } from './process.ts'

export interface KafkaOptions {
  /** Default 4.2.2: 4.3 and 4.4 skip transaction markers when a single broker is killed (KAFKA-20734). */
  readonly version?: string
  /** The transaction protocol; 2 (Kafka ≥ 4.0) by default, 1 is that of Kafka 3. */
  readonly transactionVersion?: 1 | 2
  /** Keeps the data here, and starts with what is there; by default they go when the broker stops. */
  readonly folder?: string
  /** Names further settings of server.properties. */
  readonly settings?: Readonly<Record<string, string | number>>
}

export interface LocalKafka {
  readonly bootstrapServers: string
  readonly pid: number
  stop(): Promise<void>
  /** SIGKILL: as a machine that loses power. */
  kill(): Promise<void>
  /** After `stop` or `kill` of a broker with its own `folder`: the same data at the same address. */
  restart(): Promise<void>
  /** SIGSTOP and SIGCONT. */
  freeze(): void
  thaw(): void
}

const here = dirname(fileURLToPath(import.meta.url))
const run = promisify(execFile)
const defaultVersion = '4.2.2'
const startAttempts = 3

export async function startKafka(options: KafkaOptions = {}): Promise<LocalKafka> {
  const version = options.version ?? defaultVersion
  const jars = await classPath(version)
  const name = randomUUID().slice(0, 8)
  const folder = options.folder ?? join(sluiceFolder, 'run', `kafka-${name}`)
  const logFile = join(sluiceFolder, 'log', `kafka-${name}.log`)
  const propertiesFile = join(folder, 'server.properties')
  let port = 0
  let service: Service

  async function start(): Promise<void> {
    service = startService({
      command: 'java',
      arguments: [...javaFlags, '-cp', jars, 'kafka.Kafka', propertiesFile],
      logFile,
      temporaryFolder: options.folder === undefined ? folder : undefined,
    })
    await untilReady('Kafka', service, { logFile, timeoutMs: 60_000, ready: log => log.includes('Kafka Server started') })
  }

  for (let attempt = 1; ; attempt++) {
    const fresh = !existsSync(propertiesFile)
    if (fresh) {
      mkdirSync(folder, { recursive: true })
      const [broker, controller] = (await freePorts(2)) as [number, number]
      writeFileSync(propertiesFile, properties({ broker, controller, folder, settings: options.settings ?? {} }))
      await format({ version, jars, propertiesFile, transactionVersion: options.transactionVersion ?? 2 })
    }
    port = Number(/^listeners=PLAINTEXT:\/\/127\.0\.0\.1:(\d+)/m.exec(readFileSync(propertiesFile, 'utf8'))![1])
    try {
      await start()
      break
    } catch (error) {
      // Somebody else may have taken the port since we saw it free.
      if (attempt === startAttempts || options.folder !== undefined) throw error
    }
  }

  return {
    bootstrapServers: `127.0.0.1:${port}`,
    get pid() {
      return service.pid
    },
    // Data that nobody will read again need no orderly shutdown.
    stop: () => (options.folder === undefined ? service.kill() : service.stop(10_000)),
    kill: () => service.kill(),
    restart: start,
    freeze: () => process.kill(service.pid, 'SIGSTOP'),
    thaw: () => process.kill(service.pid, 'SIGCONT'),
  }
}

/** Maven resolves it once; the jars stay in Maven's own cache. */
async function classPath(version: string): Promise<string> {
  const file = join(sluiceFolder, 'kafka', `classpath-${version}.txt`)
  if (existsSync(file)) {
    const known = readFileSync(file, 'utf8').trim()
    if (known.split(':').every(jar => existsSync(jar))) return known
  }
  mkdirSync(dirname(file), { recursive: true })
  const own = `${file}.${randomUUID()}`
  const goal = ['-B', '-q', '-f', join(here, 'kafka.xml'), `-Dkafka.version=${version}`, 'dependency:build-classpath']
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

async function format(options: {
  readonly version: string
  readonly jars: string
  readonly propertiesFile: string
  readonly transactionVersion: 1 | 2
}): Promise<void> {
  // Kafka 3 knows transaction.version only as 0, which speaks the same protocol to clients as 1.
  const feature = options.version.startsWith('3.') ? [] : ['--feature', `transaction.version=${options.transactionVersion}`]
  const clusterId = Buffer.from(randomUUID().replaceAll('-', ''), 'hex').toString('base64url')
  await run('java', [
    ...javaFlags,
    ...['-cp', options.jars, 'kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', options.propertiesFile],
    ...feature,
  ])
}

// CPU until the first produce: 3.4 s with Java's defaults, 1.9 s with these.
const javaFlags = [
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
  readonly broker: number
  readonly controller: number
  readonly folder: string
  readonly settings: Readonly<Record<string, string | number>>
}): string {
  const all = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${options.controller}`,
    listeners: `PLAINTEXT://127.0.0.1:${options.broker},CONTROLLER://127.0.0.1:${options.controller}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${options.broker}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': join(options.folder, 'data'),
    // A topic that is made by itself hides a misspelt name.
    'auto.create.topics.enable': 'false',
    'offsets.topic.num.partitions': 3,
    'offsets.topic.replication.factor': 1,
    'transaction.state.log.num.partitions': 3,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    ...options.settings,
  }
  return Object.entries(all)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}
