// Redis and Valkey, a single server or a cluster, found out from the server itself: commands go in one pipeline (per node), answers come in
// the order of the commands. An error of one command stands in its place; what is thrown concerns the connection.
import type { Target } from './address.ts'
import { type Cluster, createCluster } from './cluster.ts'
import { type Argument, type Commands, listed, picked, type Script, scriptCall } from './commands.ts'
import { type Asking, createNode } from './node.ts'
import { type Reply, ReplyError } from './replies.ts'

export interface RedisClient {
  /** Where it connects: what messages may name. */
  readonly address: string
  /** `cluster`, `standalone`; undefined where the server does not say. Connects where nobody has yet. */
  mode(timeoutMs: number): Promise<string | undefined>
  exchange(commands: Commands, asking: Asking): Promise<readonly Reply[]>
  /**
   * One script in one round trip; two where the server does not know it yet. All keys must be in one slot of a cluster. `repeatable`: it
   * may run twice, since it looks itself whether it has run.
   */
  evaluate(script: Script, keys: readonly string[], args: readonly Argument[], asking: Asking): Promise<Reply>
  close(): void
}

export function createRedisClient(target: Target, clientName: string): RedisClient {
  const node = createNode(target, clientName)
  let cluster: Cluster | undefined
  return {
    address: node.address,
    async mode(timeoutMs) {
      if (cluster === undefined && node.mode === undefined) await node.connect(timeoutMs)
      return cluster === undefined ? node.mode : 'cluster'
    },
    exchange,
    async evaluate(script, keys, args, asking) {
      const [reply] = await exchange(listed([scriptCall(script, keys, args)]), asking)
      return reply!
    },
    close() {
      node.close()
      cluster?.close()
    },
  }

  async function exchange(commands: Commands, asking: Asking): Promise<readonly Reply[]> {
    if (commands.count === 0) return []
    const endMs = performance.now() + asking.timeoutMs
    const replies = await exchangeOnce(commands, asking)
    // A server forgets its scripts when it restarts. Nothing of such a call was carried out.
    const isUnknown = (reply: Reply, i: number) =>
      reply instanceof ReplyError && reply.code === 'NOSCRIPT' && commands.wholeOf(i) !== undefined
    if (!replies.some(isUnknown)) return replies
    const unknown = replies.flatMap((reply, i) => (isUnknown(reply, i) ? [i] : []))
    const whole = { ...picked(commands, unknown), textOf: (position: number) => commands.wholeOf(unknown[position]!)! }
    const second = await exchangeOnce(whole, { repeatable: asking.repeatable, timeoutMs: Math.max(1, endMs - performance.now()) })
    const all = [...replies]
    for (const [position, i] of unknown.entries()) all[i] = second[position]!
    return all
  }

  async function exchangeOnce(commands: Commands, asking: Asking): Promise<readonly Reply[]> {
    const endMs = performance.now() + asking.timeoutMs
    const rest = () => ({ ...asking, timeoutMs: Math.max(1, endMs - performance.now()) })
    if (cluster === undefined && node.mode === undefined) await node.connect(asking.timeoutMs)
    if (node.mode === 'cluster') cluster ??= createCluster(target, node, clientName)
    if (cluster !== undefined) return cluster.exchange(commands, rest())
    const replies = await node.exchange(commands, rest())
    // Who did not say what it is, or has become a cluster since, says so now. What was moved was not carried out, the rest was.
    if (!replies.some(reply => reply instanceof ReplyError && (reply.code === 'MOVED' || reply.code === 'ASK'))) return replies
    cluster = createCluster(target, node, clientName)
    const moved = replies.flatMap((reply, i) => (reply instanceof ReplyError && /^(MOVED|ASK)$/.test(reply.code) ? [i] : []))
    const found = await cluster.exchange(picked(commands, moved), rest())
    const all = [...replies]
    for (const [position, i] of moved.entries()) all[i] = found[position]!
    return all
  }
}
