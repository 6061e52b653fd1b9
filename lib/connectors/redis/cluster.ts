// Redis Cluster: a batch is split by the nodes that own its keys' slots and sent to all of them at once, so it still costs one round trip.
// Slots move while we read; the nodes say so themselves, and what was answered so is asked again where it lies now.
// redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec
import { backoffMs, TimeUp } from '../patience.ts'
import { addressText, type Target } from './address.ts'
import { type Commands, encode, picked, textsOf } from './commands.ts'
import { type Asking, createNode, type RedisNode } from './node.ts'
import { type Reply, ReplyError } from './replies.ts'
import { slotCount, slotOf } from './slots.ts'

export interface Cluster {
  exchange(commands: Commands, asking: Asking): Promise<readonly Reply[]>
  close(): void
}

/** A slot may move on while it is followed; a cluster that sends us around is given up. */
const maxRounds = 16
const firstPauseMs = 20
const asking = encode('ASKING')

interface Sending {
  readonly node: RedisNode
  /** Which of the commands, and before which of them ASKING stands. */
  readonly indexes: number[]
  readonly asks: boolean[]
}

/** The nodes of the cluster to which `seed` belongs. */
export function createCluster(target: Target, seed: RedisNode, clientName: string): Cluster {
  const nodes = new Map<string, RedisNode>([[seed.address, seed]])
  /** By slot. */
  let owners: (RedisNode | undefined)[] | undefined
  let refreshing: Promise<void> | undefined
  return {
    exchange,
    close() {
      for (const node of nodes.values()) node.close()
    },
  }

  async function exchange(commands: Commands, { timeoutMs, repeatable }: Asking): Promise<readonly Reply[]> {
    const endMs = performance.now() + timeoutMs
    const remainingMs = () => Math.max(1, endMs - performance.now())
    const replies: Reply[] = new Array(commands.count)
    let open: readonly number[] = Array.from({ length: commands.count }, (_, index) => index)
    const slots = open.map(index => {
      const key = commands.keyOf(index)
      return key === undefined ? undefined : slotOf(key)
    })
    /** Where a node sent us with ASK, for the next question alone. */
    const asked = new Map<number, RedisNode>()
    let hasLost = false
    for (let round = 0; ; round++) {
      if (owners === undefined) await refresh(remainingMs())
      const sendings = new Map<RedisNode, Sending>()
      for (const index of open) {
        const other = asked.get(index)
        const slot = slots[index]
        // A slot that nobody owns is asked anywhere: the answer is the cluster's own, CLUSTERDOWN.
        const node = other ?? (slot === undefined ? undefined : owners?.[slot]) ?? seed
        let sending = sendings.get(node)
        if (sending === undefined) {
          sending = { node, indexes: [], asks: [] }
          sendings.set(node, sending)
        }
        sending.indexes.push(index)
        sending.asks.push(other !== undefined)
      }
      asked.clear()
      const again: number[] = []
      let pause = false
      let isOutdated = false
      let losesNow = false
      // All settle: the first error must not leave another node's answers on their way.
      const outcomes = await Promise.allSettled(
        [...sendings.values()].map(sending => sent(sending, commands, { timeoutMs: remainingMs(), repeatable })),
      )
      for (const [s, sending] of [...sendings.values()].entries()) {
        const outcome = outcomes[s]!
        if (outcome.status === 'rejected') {
          // A node that died has a successor, which the others know; once, and only for what may be asked twice.
          if (!repeatable || outcome.reason instanceof TimeUp || hasLost) {
            // Another may own its slots by the time that the batch comes again.
            owners = undefined
            throw new NodeFailure(sending.node.address, outcome.reason)
          }
          again.push(...sending.indexes)
          losesNow = true
          continue
        }
        for (const [position, index] of sending.indexes.entries()) {
          const reply = outcome.value[position]!
          replies[index] = reply
          if (!(reply instanceof ReplyError)) continue
          switch (reply.code) {
            case 'MOVED':
              isOutdated = true
              again.push(index)
              break
            case 'ASK': {
              const node = nodeOf(reply.detail.split(' ')[1] ?? '', sending.node)
              if (node === undefined) break
              asked.set(index, node)
              again.push(index)
              break
            }
            case 'CLUSTERDOWN':
              isOutdated = true
              pause = true
              again.push(index)
              break
            case 'TRYAGAIN':
              pause = true
              again.push(index)
              break
          }
        }
      }
      if (again.length === 0) return replies
      if (losesNow) {
        hasLost = true
        isOutdated = true
        pause = true
      }
      const pauseMs = pause ? backoffMs(Math.min(round, 5), firstPauseMs) : 0
      if (round >= maxRounds || endMs - performance.now() <= pauseMs) return replies
      if (pause) await new Promise(resolve => setTimeout(resolve, pauseMs))
      if (isOutdated) await refresh(remainingMs())
      open = again
    }
  }

  async function sent({ node, indexes, asks }: Sending, commands: Commands, how: Asking): Promise<readonly Reply[]> {
    if (!asks.includes(true)) return node.exchange(picked(commands, indexes), how)
    const texts = indexes.flatMap((index, position) => (asks[position] ? [asking] : []).concat(commands.textOf(index)))
    const replies = await node.exchange(textsOf(texts), how)
    let next = 0
    return asks.map(isAsked => {
      // ASKING has an answer of its own.
      if (isAsked) next++
      return replies[next++]!
    })
  }

  /** Anybody who is still there is asked who owns what. Who finds the map out of date meanwhile waits for the same answer. */
  function refresh(timeoutMs: number): Promise<void> {
    refreshing ??= fetchSlots(timeoutMs).finally(() => {
      refreshing = undefined
    })
    return refreshing
  }

  async function fetchSlots(timeoutMs: number): Promise<void> {
    const endMs = performance.now() + timeoutMs
    const question = textsOf([encode('CLUSTER', 'SLOTS')])
    const known = [seed, ...[...nodes.values()].filter(node => node !== seed)]
    let failure: unknown
    for (const [n, node] of known.entries()) {
      // A node that does not answer must leave time for the others.
      const shareMs = (endMs - performance.now()) / Math.min(2, known.length - n)
      if (shareMs <= 0) break
      try {
        const [reply] = await node.exchange(question, { timeoutMs: shareMs, repeatable: true })
        if (Array.isArray(reply)) return adopt(reply, node)
        failure = reply instanceof ReplyError ? new ClusterError(reply) : new Error('CLUSTER SLOTS gave no list')
      } catch (error) {
        failure = new NodeFailure(node.address, error)
      }
    }
    throw failure ?? new TimeUp('no time to ask for the slots')
  }

  function adopt(ranges: readonly Reply[], teller: RedisNode): void {
    const next: (RedisNode | undefined)[] = new Array(slotCount)
    for (const range of ranges) {
      const [from, to, master] = range as readonly [number, number, readonly Reply[]]
      const [host, port, , metadata] = master as readonly [string | null, number, string, (readonly string[])?]
      // TLS wants names; where the preferred endpoint is a number, a name may stand beside it.
      const named = metadata === undefined ? -1 : metadata.indexOf('hostname')
      const name = target.tls !== undefined && named >= 0 && metadata![named + 1] ? metadata![named + 1]! : host
      const node = nodeOf(`${name === null || name === '?' ? '' : name}:${port}`, teller)
      for (let slot = from; slot <= to; slot++) next[slot] = node
    }
    owners = next
    const inUse = new Set(next)
    for (const [address, node] of nodes) {
      if (inUse.has(node) || node === seed) continue
      nodes.delete(address)
      node.close()
    }
  }

  /** `host:port` as the cluster writes it: without brackets, and without a host where it is the teller's own. */
  function nodeOf(address: string, teller: RedisNode): RedisNode | undefined {
    const colon = address.lastIndexOf(':')
    const port = Number(address.slice(colon + 1))
    if (colon < 0 || !Number.isInteger(port) || port < 1) return undefined
    const host = address.slice(0, colon) || teller.host
    const place = addressText({ host, port })
    let node = nodes.get(place)
    if (node === undefined) {
      node = createNode({ ...target, host, port }, clientName)
      nodes.set(place, node)
    }
    return node
  }
}

/** Which of the nodes it was. */
export class NodeFailure extends Error {
  override readonly name = 'NodeFailure'
  readonly address: string
  readonly error: unknown
  constructor(address: string, error: unknown) {
    super(`${address}: ${error instanceof Error ? error.message : String(error)}`)
    this.address = address
    this.error = error
  }
}

/** The cluster does not tell who owns what. */
export class ClusterError extends Error {
  override readonly name = 'ClusterError'
  readonly reply: ReplyError
  constructor(reply: ReplyError) {
    super(reply.code)
    this.reply = reply
  }
}
