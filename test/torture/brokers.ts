// The brokers of a torture: each behind a proxy that cuts, and what can be done to them.
import { setTimeout as delay } from 'node:timers/promises'
import { Producer } from '@platformatic/kafka'
import { type LocalBroker, type LocalKafka, startKafka } from '../../infra/local/kafka.ts'
import type { ConsumedRecord } from '../../lib/emulator/event.ts'
import { type LeaderMoves, openLeaderMoves } from './moves.ts'
import { type CuttingProxies, startCuttingProxies } from './proxy.ts'

export interface BrokerOptions {
  /** Of Kafka; default: the newest that survives the kill of a single broker. */
  readonly version?: string
  readonly transactionVersion?: 1 | 2
  /** With three, everything is kept on all, leaders and coordinators move, and one broker may be away. Default 1. */
  readonly brokerCount?: 1 | 3
}

export interface TorturedBrokers {
  readonly kafka: LocalKafka
  readonly proxies: CuttingProxies
  /** Absent with one broker. */
  readonly moves?: LeaderMoves
}

/** Shorter than connectors/kafka's default, so that many transactions outlive it; and how often the coordinator looks for those. */
export const transactionTimeoutMs = 3000
export const sweepMs = 1000
/** Of __transaction_state and __consumer_offsets (infra/local/kafka.ts). */
const coordinatorPartitions = 3

export async function openBrokers(options: BrokerOptions, closers: (() => Promise<unknown>)[]): Promise<TorturedBrokers> {
  const { version, transactionVersion, brokerCount = 1 } = options
  const proxies = await startCuttingProxies(brokerCount)
  closers.push(() => proxies.close())
  const kafka = await startKafka({
    ...(version !== undefined && { version }),
    ...(transactionVersion !== undefined && { transactionVersion }),
    brokerCount,
    listeners: { PROXIED: 'PLAINTEXT' },
    advertised: { PROXIED: proxies.addresses },
    settings: {
      'transaction.abort.timed.out.transaction.cleanup.interval.ms': sweepMs,
      // How soon a broker that is gone is missed, and its partitions get other leaders.
      'broker.session.timeout.ms': 2000,
      'broker.heartbeat.interval.ms': 300,
    },
  })
  closers.push(() => kafka.stop())
  proxies.lead(kafka.brokers.map(broker => broker.listeners['PROXIED']!))
  if (brokerCount === 1) return { kafka, proxies }
  const moves = openLeaderMoves(kafka.brokers.map(broker => broker.address))
  closers.push(() => moves.close())
  return { kafka, proxies, moves }
}

export async function restartBroker(kafka: LocalKafka, random: () => number): Promise<void> {
  const broker = anyBroker(kafka, random)
  await broker.kill()
  // Long enough, now and then, that others are elected.
  await delay(random() * 3000)
  await broker.restart()
}

/** With others beside it, it wakes as a leader that no longer is one. */
export async function freezeBroker(kafka: LocalKafka, random: () => number): Promise<void> {
  const broker = anyBroker(kafka, random)
  broker.freeze()
  await delay(random() * 4000)
  broker.thaw()
}

function anyBroker({ brokers }: LocalKafka, random: () => number): LocalBroker {
  return brokers[Math.floor(random() * brokers.length)]!
}

export function drawPlace(random: () => number, topics: readonly string[], partitions: number) {
  return { topic: topics[Math.floor(random() * topics.length)]!, partition: Math.floor(random() * partitions) }
}

export function drawCoordinator(random: () => number) {
  return drawPlace(random, ['__transaction_state', '__consumer_offsets'], coordinatorPartitions)
}

/** Acknowledged by all, without faults. */
export async function produce(bootstrapServers: string, records: readonly ConsumedRecord[]): Promise<void> {
  const producer = new Producer({ clientId: 'sluice-torture', bootstrapBrokers: bootstrapServers.split(','), idempotent: true })
  try {
    await producer.send({
      acks: -1,
      messages: records.map(({ topic, partition, timestampMs, key, value }) => ({
        topic,
        partition,
        timestamp: BigInt(timestampMs),
        key: key as Buffer,
        ...(value !== null && { value: value as Buffer }),
      })),
    })
  } finally {
    await producer.close()
  }
}
