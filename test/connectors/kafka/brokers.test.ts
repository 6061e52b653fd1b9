// What only happens to brokers of our own: kills and freezes, the old group coordinator, transactions that time out.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AclOperations, AclPermissionTypes, Admin, ResourcePatternTypes, ResourceTypes } from '@platformatic/kafka'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { type LocalKafka, startKafka } from '../../../infra/local/kafka.ts'
import { createTopics } from '../../../infra/local/topics.ts'
import { createKafka, type KafkaConfig } from '../../../lib/connectors/kafka/producer.ts'
import { Fenced, RetryableError, type TransactionPort } from '../../../lib/runtime/ports.ts'
import { type Frame, startFaultProxy } from './fault-proxy.ts'
import { claim, committedValues, deadline, freshPlace, within, write } from './outputs.ts'

const open: TransactionPort[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map(one => one.close()))
})

function producer(broker: LocalKafka, config: Partial<KafkaConfig> = {}): TransactionPort {
  const one = createKafka({ bootstrapServers: broker.bootstrapServers, clientId: 'test', ...config })
  open.push(one)
  return one
}

/** Takes all rights to it from everybody. */
async function deny(broker: LocalKafka, kind: 'topic' | 'group' | 'transactional id', name: string): Promise<void> {
  const admin = new Admin({ clientId: 'test', bootstrapBrokers: [broker.bootstrapServers] })
  const resourceType = {
    topic: ResourceTypes.TOPIC,
    group: ResourceTypes.GROUP,
    'transactional id': ResourceTypes.TRANSACTIONAL_ID,
  }[kind]
  const target = { resourceType, resourceName: name, resourcePatternType: ResourcePatternTypes.LITERAL }
  const rule = { principal: 'User:*', host: '*', operation: AclOperations.ALL, permissionType: AclPermissionTypes.DENY }
  try {
    await admin.createAcls({ creations: [{ ...target, ...rule }] })
    // The controller has it; the broker hears of it a little later.
    const any = { principal: null, host: null, operation: AclOperations.ANY, permissionType: AclPermissionTypes.ANY }
    await vi.waitFor(async () => expect(await admin.describeAcls({ filter: { ...target, ...any } })).not.toEqual([]), 30_000)
  } finally {
    await admin.close()
  }
}

/** Holds the first request of this kind until it is let go. */
function hold(api: string) {
  const reached = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  let held = false
  return {
    reached: reached.promise,
    release: released.resolve,
    decide(frame: Frame) {
      if (frame.api !== api || held) return 'pass' as const
      held = true
      reached.resolve()
      return released.promise
    },
  }
}

describe('a broker that dies, freezes and comes back', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-kafka-'))
  let broker: LocalKafka
  beforeAll(async () => {
    broker = await startKafka({
      folder,
      // A killed broker comes back only when the controller has missed it for this long.
      settings: { 'broker.session.timeout.ms': 2000, 'broker.heartbeat.interval.ms': 300 },
      // The storage tool takes such an id for a flag, unless told otherwise.
      clusterId: '-OoupLiOSh6dl12LmrhQzQ',
    })
  })
  afterAll(async () => {
    await broker?.kill()
    rmSync(folder, { recursive: true, force: true })
  })

  test('killed between transactions: the session goes on when it is back', async () => {
    const place = await freshPlace(broker.bootstrapServers)
    const kafka = producer(broker, { patienceMs: 20_000 })
    const { session } = await claim(kafka, place)
    await write(kafka, place, session, 0, ['before'])
    await broker.kill()
    const waiting = write(kafka, place, session, 1, ['during'], within(30_000))
    await broker.restart()
    await waiting
    expect(await committedValues(broker.bootstrapServers, place.target)).toEqual(['before', 'during'])
    expect((await claim(kafka, place)).position).toBe(2n)
  })

  test.each(['Produce', 'EndTxn'])('killed as it gets %s: the batch comes again, once', async api => {
    const place = await freshPlace(broker.bootstrapServers)
    const gate = hold(api)
    const proxy = await startFaultProxy(broker.bootstrapServers, gate.decide)
    const kafka = producer(broker, { openSocket: proxy.openSocket, patienceMs: 500 })
    const first = await claim(kafka, place)
    const outcome = write(kafka, place, first.session, 0, ['a', 'b'], within(3000)).catch(error => error)
    await gate.reached
    await broker.kill()
    gate.release()
    const error = await outcome
    expect(error).toBeInstanceOf(RetryableError)
    expect(error.id).toMatch(/^kafka-(unreachable|commit-unknown)$/)
    await broker.restart()
    await proxy.close()

    const again = producer(broker, { patienceMs: 20_000 })
    const { session, position } = await claim(again, place)
    expect(position).toBeUndefined()
    await write(again, place, session, 0, ['a', 'b'])
    expect(await committedValues(broker.bootstrapServers, place.target)).toEqual(['a', 'b'])
  })

  test('frozen: the call ends within the invocation, and says who did not answer', async () => {
    const place = await freshPlace(broker.bootstrapServers)
    const kafka = producer(broker, { requestTimeoutMs: 1000, patienceMs: 2000 })
    const { session } = await claim(kafka, place)
    await write(kafka, place, session, 0, ['before'])
    broker.freeze()
    // Long before the invocation's end: else the test's own time would be up.
    const error = await write(kafka, place, session, 1, ['during'], within(300_000)).catch(error => error)
    broker.thaw()
    expect(error).toMatchObject({ id: 'kafka-unreachable', message: expect.stringContaining(broker.bootstrapServers) })
    const patient = producer(broker)
    const again = await claim(patient, place)
    expect(again.position).toBe(1n)
    await write(patient, place, again.session, 1, ['after'])
    expect(await committedValues(broker.bootstrapServers, place.target)).toEqual(['before', 'after'])
  })

  test('a transaction that outlives its timeout is ended by the coordinator; its owner gives up and claims anew', async () => {
    const place = await freshPlace(broker.bootstrapServers)
    const gate = hold('EndTxn')
    const proxy = await startFaultProxy(broker.bootstrapServers, gate.decide)
    const kafka = producer(broker, { openSocket: proxy.openSocket, transactionTimeoutMs: 1000, requestTimeoutMs: 30_000 })
    const { session } = await claim(kafka, place)
    const outcome = write(kafka, place, session, 0, ['late'], deadline).catch(error => error)
    await gate.reached
    // Its timeout and the coordinator's next sweep, every 10 s.
    expect(await committedValues(broker.bootstrapServers, place.target)).toEqual([])
    gate.release()
    // We give up when the transaction's time is over; whether the commit arrived before cannot be known here.
    expect(await outcome).toMatchObject({ id: 'kafka-commit-unknown' })
    expect((await claim(producer(broker), place)).position).toBeUndefined()
    await proxy.close()
  })
})

describe('a cluster with access control', () => {
  let broker: LocalKafka
  beforeAll(async () => {
    const settings = {
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'allow.everyone.if.no.acl.found': 'true',
    }
    broker = await startKafka({ settings })
    await createTopics(broker.bootstrapServers, [{ name: 'sluice-progress', partitions: 32 }])
    await deny(broker, 'topic', 'sluice-progress')
  })
  afterAll(() => broker.stop())

  test('a function without rights to the old form of progress works where it is not needed', async () => {
    const place = await freshPlace(broker.bootstrapServers)
    const kafka = producer(broker)
    const { session, position } = await claim(kafka, place)
    expect(position).toBeUndefined()
    await write(kafka, place, session, 0, ['a'])
    expect((await claim(kafka, place)).position).toBe(1n)
  })

  test.each(['transactional id', 'group'] as const)('a %s that the function may not use is named', async kind => {
    const place = await freshPlace(broker.bootstrapServers)
    const subject = kind === 'group' ? place.group : place.transactionalId
    await deny(broker, kind, subject)
    await expect(claim(producer(broker), place)).rejects.toMatchObject({
      id: 'kafka-unauthorized',
      message: expect.stringContaining(subject),
    })
  })

  test('an output topic that the function may not write is named, and nothing is written', async () => {
    const place = await freshPlace(broker.bootstrapServers, { partitions: 1 })
    const kafka = producer(broker)
    const { session } = await claim(kafka, place)
    await deny(broker, 'topic', place.target)
    await expect(write(kafka, place, session, 0, ['a'])).rejects.toMatchObject({
      id: 'kafka-unauthorized',
      message: expect.stringContaining(place.target),
    })
    expect((await claim(kafka, place)).position).toBeUndefined()
  })
})

describe('the old group coordinator (Kafka 3.9)', () => {
  let broker: LocalKafka
  beforeAll(async () => {
    broker = await startKafka({ version: '3.9.2' })
  })
  afterAll(() => broker.stop())

  test('without the topic for progress nothing is written, and the cure is named', async () => {
    const place = await freshPlace(broker.bootstrapServers)
    const kafka = producer(broker, { patienceMs: 300, progressTopic: 'missing' })
    const { session } = await claim(kafka, place)
    await expect(write(kafka, place, session, 0, ['a'])).rejects.toMatchObject({
      id: 'kafka-no-progress-topic',
      message: expect.stringContaining('npx sluice progress --init'),
    })
    expect(await committedValues(broker.bootstrapServers, place.target)).toEqual([])
  })

  // The coordinator keeps pending offsets per producer id, without epoch. Z freezes before TxnOffsetCommit; O fences it and commits its
  // offsets, but not yet the transaction; Z's commit overwrites O's pending entry, fails, and takes it along; O commits.
  test('a zombie that commits offsets between the offsets and the commit of its successor destroys nothing', async () => {
    await createTopics(broker.bootstrapServers, [{ name: 'sluice-progress', partitions: 32 }])
    const place = await freshPlace(broker.bootstrapServers)
    const zombieGate = hold('TxnOffsetCommit')
    const zombieProxy = await startFaultProxy(broker.bootstrapServers, zombieGate.decide)
    const zombie = producer(broker, { openSocket: zombieProxy.openSocket })
    const frozen = await claim(zombie, place)
    const fenced = write(zombie, place, frozen.session, 0, ['zombie']).catch(error => error)
    await zombieGate.reached

    const ownerGate = hold('EndTxn')
    const ownerProxy = await startFaultProxy(broker.bootstrapServers, ownerGate.decide)
    const owner = producer(broker, { openSocket: ownerProxy.openSocket })
    const owned = await claim(owner, place)
    const committed = write(owner, place, owned.session, 0, ['owner 0', 'owner 1'])
    await ownerGate.reached

    zombieGate.release()
    expect(await fenced).toBeInstanceOf(Fenced)
    ownerGate.release()
    await committed

    expect((await claim(producer(broker), place)).position).toBe(2n)
    expect(await committedValues(broker.bootstrapServers, place.target)).toEqual(['owner 0', 'owner 1'])
    await Promise.all([zombieProxy.close(), ownerProxy.close()])
  })

  test('positions under all epochs are read, and the largest one counts', async () => {
    await createTopics(broker.bootstrapServers, [{ name: 'sluice-progress', partitions: 32 }])
    const place = await freshPlace(broker.bootstrapServers)
    const kafka = producer(broker)
    for (let i = 0; i < 5; i++) {
      const { session, position } = await claim(kafka, place)
      expect(position).toBe(i === 0 ? undefined : BigInt(i))
      await write(kafka, place, session, i, [`v${i}`])
    }
    expect(await committedValues(broker.bootstrapServers, place.target)).toEqual(['v0', 'v1', 'v2', 'v3', 'v4'])
  })
})
