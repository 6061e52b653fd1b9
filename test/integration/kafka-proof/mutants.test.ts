// Four mistakes that exactly-once does not forgive, each played to the letter on a real broker: the production code passes, and with the one line
// wrong the same sequence doubles outputs.
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, inject, test, vi } from 'vitest'
import { type LocalKafka, startKafka } from '../../../infra/local/kafka.ts'
import { createTopics } from '../../../infra/local/topics.ts'
import { readCommitted, writtenEnds } from '../../../lib/emulator/committed.ts'
import { mutants } from '../../simulation/mutants.ts'
import { type Mutant, mutated } from '../../simulation/mutation.ts'
import * as production from './container.ts'
import { type GateProxy, startGateProxy } from './gate-proxy.ts'

interface Stage {
  readonly open: (proxy?: GateProxy) => production.Container
  readonly gate: () => Promise<GateProxy>
  readonly target: string
  readonly bootstrapServers: string
}

const ends: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

/** Containers of the production code, or of a mutant, on topics of their own; gives the outputs that a read_committed consumer finds. */
async function outputsOf(
  bootstrapServers: string,
  mutant: Mutant | undefined,
  play: (stage: Stage) => Promise<void>,
): Promise<string> {
  const { openContainer } =
    mutant === undefined ? production : await mutated<typeof production>(join(import.meta.dirname, 'container.ts'), mutant)
  const id = randomUUID().slice(0, 8)
  const [source, target] = [`in-${id}`, `out-${id}`]
  await createTopics(bootstrapServers, [{ name: source }, { name: target }, { name: 'sluice-progress', partitions: 32 }])
  await play({
    bootstrapServers,
    target,
    open(proxy) {
      const one = openContainer({ bootstrapServers, source, target, ...(proxy && { openSocket: proxy.openSocket }) })
      ends.push(() => one.close())
      return one
    },
    async gate() {
      const proxy = await startGateProxy(bootstrapServers)
      ends.push(() => proxy.close())
      return proxy
    },
  })
  const found = await readCommitted(bootstrapServers, [target], { timeoutMs: 20_000 })
  return found.map(({ value }) => value!.toString()).join(' ')
}

describe('progress is read after the fence', () => {
  const mutant = mutants['progress is read before the fence']

  // B is about to fence while A goes on.
  async function play({ open, gate }: Stage): Promise<void> {
    const a = open()
    expect(await a.deliver(0, 2)).toBe('done')
    const proxy = await gate()
    const fence = proxy.keep({ api: 'InitProducerId' })
    const b = open(proxy).deliver(0, 4)
    await fence.reached
    expect(await a.deliver(2, 4)).toBe('done')
    fence.release()
    expect(await b).toBe('done')
  }

  test.each([
    { code: 'as it is', wrong: undefined, outputs: '0 1 2 3' },
    { code: 'read before', wrong: mutant, outputs: '0 1 2 3 2 3' },
  ])('$code: $outputs', async ({ wrong, outputs }) => {
    expect(await outputsOf(inject('kafka'), wrong, play)).toBe(outputs)
  })
})

describe('a fence takes the position along', () => {
  const mutant = mutants['the position is kept after a fence']

  // The partition hops from A to B, and the last batch comes to A again.
  async function play({ open }: Stage): Promise<void> {
    const [a, b] = [open(), open()]
    expect(await a.deliver(0, 2)).toBe('done')
    expect(await b.deliver(2, 4)).toBe('done')
    expect(await a.deliver(2, 4)).toBe('done')
  }

  test.each([
    { code: 'as it is', wrong: undefined, outputs: '0 1 2 3' },
    { code: 'position kept', wrong: mutant, outputs: '0 1 2 3 2 3' },
  ])('$code: $outputs', async ({ wrong, outputs }) => {
    expect(await outputsOf(inject('kafka'), wrong, play)).toBe(outputs)
  })
})

describe('the protocol of Kafka 3', () => {
  let broker: LocalKafka
  beforeAll(async () => {
    broker = await startKafka({ version: '3.9.2' })
  })
  afterAll(() => broker.stop())

  describe('a session that met a transport error is not used again', () => {
    const mutant: Mutant = {
      file: 'connectors/kafka/producer.ts',
      replace: [["session.protocol !== 'TV1' || !scope.transportFailed", 'true']],
    }

    // The connection breaks as the first commit is sent; it is repeated and succeeds. The first copy arrives while the next transaction,
    // which has the same epoch, holds outputs and no progress yet.
    async function play({ open, gate, target, bootstrapServers }: Stage): Promise<void> {
      const proxy = await gate()
      const container = open(proxy)
      const copy = proxy.keep({ api: 'EndTxn', cutsClient: true })
      expect(await container.deliver(0, 2)).toBe('done')
      const offsets = proxy.keep({ api: 'TxnOffsetCommit' })
      const second = container.deliver(2, 4)
      await offsets.reached
      // Two outputs, a marker, two outputs.
      await vi.waitFor(async () => expect((await writtenEnds(bootstrapServers, [target])).get(target)).toEqual([5n]), 30_000)
      copy.release()
      await copy.answered
      offsets.release()
      if ((await second) !== 'done') expect(await container.deliver(2, 4)).toBe('done')
    }

    test.each([
      { code: 'as it is', wrong: undefined, outputs: '0 1 2 3' },
      { code: 'healed error ignored', wrong: mutant, outputs: '0 1 2 3 2 3' },
    ])('$code: $outputs', async ({ wrong, outputs }) => {
      expect(await outputsOf(broker.bootstrapServers, wrong, play)).toBe(outputs)
    })
  })

  describe('progress has a key per epoch', () => {
    const mutant: Mutant = {
      file: 'connectors/kafka/producer.ts',
      replace: [["feature('group.version') >= 1) return { group", 'alive) return { group']],
    }

    // The zombie's offsets arrive between the owner's offsets and its commit: the old group coordinator has them replace the owner's, and drops them.
    async function play({ open, gate }: Stage): Promise<void> {
      const [zombieProxy, ownerProxy] = [await gate(), await gate()]
      const late = zombieProxy.keep({ api: 'TxnOffsetCommit' })
      const zombie = open(zombieProxy).deliver(0, 1, { rounds: 1 })
      await late.reached
      const end = ownerProxy.keep({ api: 'EndTxn' })
      const owner = open(ownerProxy).deliver(0, 2)
      await end.reached
      late.release()
      expect(await zombie).toBe('fenced')
      end.release()
      expect(await owner).toBe('done')
      expect(await open().deliver(0, 2)).toBe('done')
    }

    test.each([
      { code: 'as it is', wrong: undefined, outputs: '0 1' },
      { code: 'one key for all', wrong: mutant, outputs: '0 1 0 1' },
    ])('$code: $outputs', async ({ wrong, outputs }) => {
      expect(await outputsOf(broker.bootstrapServers, wrong, play)).toBe(outputs)
    })
  })
})
