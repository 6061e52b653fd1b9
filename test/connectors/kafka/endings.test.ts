// How a transaction may end other than by its owner: a function frozen longer than its timeout, somebody else's EndTxn, an id that the broker
// has forgotten, epochs that are used up.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type LocalKafka, startKafka } from '../../../infra/local/kafka.ts'
import { openConnection } from '../../../lib/connectors/kafka/connection.ts'
import { endTxn, type Owner } from '../../../lib/connectors/kafka/messages.ts'
import { createKafka, type KafkaConfig } from '../../../lib/connectors/kafka/producer.ts'
import { writtenEnds } from '../../../lib/emulator/committed.ts'
import type { ProducerSession, TransactionPort } from '../../../lib/runtime/ports.ts'
import { startFaultProxy } from './fault-proxy.ts'
import { claim, committedValues, deadline, freshPlace, write } from './outputs.ts'

const open: TransactionPort[] = []

describe.each([1, 2] as const)('transaction protocol TV%i', transactionVersion => {
  let broker: LocalKafka
  beforeAll(async () => {
    const settings = {
      // Ids that nobody used for this long are forgotten. As long as a transaction is open, they are not.
      'transactional.id.expiration.ms': 2000,
      'transaction.remove.expired.transaction.cleanup.interval.ms': 300,
      'transaction.abort.timed.out.transaction.cleanup.interval.ms': 300,
    }
    broker = await startKafka({ transactionVersion, settings })
  })
  afterAll(async () => {
    await Promise.all(open.splice(0).map(one => one.close()))
    await broker?.stop()
  })

  function producer(config: Partial<KafkaConfig> = {}): TransactionPort {
    const one = createKafka({ bootstrapServers: broker.bootstrapServers, clientId: 'test', ...config })
    open.push(one)
    return one
  }

  test('a function frozen before its commit for longer than the transaction lasts has written nothing, and the batch comes again', async () => {
    const place = await freshPlace(broker.bootstrapServers)
    const script = fileURLToPath(new URL('frozen-writer.ts', import.meta.url))
    const child = spawn(process.execPath, [script, broker.bootstrapServers, JSON.stringify(place), '1500'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let said = ''
    child.stdout.on('data', chunk => {
      said += chunk
    })
    const ended = once(child, 'exit')
    try {
      await vi.waitFor(() => expect(said).toBe('freezing\n'), 20_000)
      // The transaction's time is up, and the coordinator has looked: behind the output stands the marker of its end.
      const ends = async () => (await writtenEnds(broker.bootstrapServers, [place.target])).get(place.target)
      await vi.waitFor(async () => expect(await ends()).toEqual([2n]), 30_000)
      expect(await committedValues(broker.bootstrapServers, place.target)).toEqual([])
    } finally {
      child.kill('SIGCONT')
    }
    await ended
    expect(said).toMatch(/^freezing\n(Fenced|kafka-commit-unknown)\n$/)
    const kafka = producer()
    const { session, position } = await claim(kafka, place)
    expect(position).toBeUndefined()
    await write(kafka, place, session, 0, ['again'])
    expect(await committedValues(broker.bootstrapServers, place.target)).toEqual(['again'])
  })

  test('where somebody else has ended the transaction, the commit says so, and nothing is lost', async () => {
    const place = await freshPlace(broker.bootstrapServers)
    let owner: Owner | undefined
    const codes: number[] = []
    const proxy = await startFaultProxy(broker.bootstrapServers, frame => {
      if (frame.api !== 'EndTxn' || owner === undefined) return 'pass'
      const ending = owner
      owner = undefined
      return abortAs(ending).then(code => void codes.push(code))
    })
    const kafka = producer({ openSocket: proxy.openSocket })
    const { session } = await claim(kafka, place)
    owner = ownerOf(session)
    const outcome = await write(kafka, place, session, 0, ['a', 'b']).catch(error => error)
    expect(codes).toEqual([0])
    // 48, INVALID_TXN_STATE.
    expect(outcome).toMatchObject({ name: 'Fenced', message: expect.stringContaining('was ended by the coordinator') })
    expect(await committedValues(broker.bootstrapServers, place.target)).toEqual([])
    const again = await claim(kafka, place)
    expect(again.position).toBeUndefined()
    await write(kafka, place, again.session, 0, ['a', 'b'])
    expect(await committedValues(broker.bootstrapServers, place.target)).toEqual(['a', 'b'])
    await proxy.close()
  })

  test('a transactional id that the broker has forgotten: the session ends, the position stays', async () => {
    const place = await freshPlace(broker.bootstrapServers)
    const kafka = producer()
    const { session } = await claim(kafka, place)
    await write(kafka, place, session, 0, ['a'])
    const before = ownerOf(session)
    await sleep(4000)
    // 49, INVALID_PRODUCER_ID_MAPPING: to us the same as a newer owner.
    await expect(write(kafka, place, session, 1, ['lost'])).rejects.toMatchObject({
      name: 'Fenced',
      message: expect.stringContaining('INVALID_PRODUCER_ID_MAPPING (49)'),
    })
    const again = await claim(kafka, place)
    expect(again.position).toBe(1n)
    expect(ownerOf(again.session).producerId).not.toBe(before.producerId)
    await write(kafka, place, again.session, 1, ['b'])
    expect(await committedValues(broker.bootstrapServers, place.target)).toEqual(['a', 'b'])
  })

  // Epochs have 16 bits, and each fence takes one: 10 s.
  test('epochs that are used up: a new producer id, and records go on in order', async () => {
    const place = await freshPlace(broker.bootstrapServers)
    const kafka = producer()
    let { session } = await claim(kafka, place)
    const first = ownerOf(session).producerId
    while (session.epoch < 32_758) session = await kafka.fence(place.transactionalId, deadline)
    const ids = new Set([ownerOf(session).producerId])
    expect(ids).toEqual(new Set([first]))
    const values = Array.from({ length: 30 }, (_, n) => `${n}`)
    for (let n = 0; n < values.length; n++) {
      // TV1 takes a new epoch with a fence alone.
      if (transactionVersion === 1) session = (await claim(kafka, place)).session
      expect(await write(kafka, place, session, n, [values[n]!])).toEqual({ reusable: true })
      ids.add(ownerOf(session).producerId)
    }
    expect(ids.size).toBe(2)
    expect(await committedValues(broker.bootstrapServers, place.target)).toEqual(values)
    expect((await claim(kafka, place)).position).toBe(30n)
  }, 300_000)

  async function abortAs(owner: Owner): Promise<number> {
    const [host, port] = broker.bootstrapServers.split(':') as [string, string]
    const options = { clientId: 'other', connectTimeoutMs: 3000 }
    const connection = await openConnection({ host, port: Number(port) }, options, 3000)
    const newest = transactionVersion === 1 ? 4 : 5
    const { code } = await connection.send(endTxn, { owner, commit: false }, { timeoutMs: 3000, newest })
    connection.close()
    // Until the markers are written.
    await sleep(300)
    return code
  }
})

/** What only the producer knows of its session. */
function ownerOf(session: ProducerSession): Owner {
  return (session as unknown as { owner(): Owner }).owner()
}
