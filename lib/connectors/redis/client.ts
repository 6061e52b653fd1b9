// Redis and Valkey, a single server or a cluster, found out from the server itself: commands go in one pipeline (per node), answers come in
// the order of the commands. An error of one command stands in its place; what is thrown concerns the connection.
import type { Target } from './address.ts'
import { type Cluster, createCluster } from './cluster.ts'
import { type Argument, type Command, type Script, scriptCall } from './commands.ts'
import { type Asking, createNode } from './node.ts'
import { type Reply, ReplyError } from './replies.ts'

export interface RedisClient {
  /** Where it connects: what messages may name. */
  readonly address: string
  exchange(commands: readonly Command[], asking: Asking): Promise<readonly Reply[]>
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
    exchange,
    async evaluate(script, keys, args, asking) {
      const [reply] = await exchange([scriptCall(script, keys, args)], asking)
      return reply!
    },
    close() {
      node.close()
      cluster?.close()
    },
  }

  async function exchange(commands: readonly Command[], asking: Asking): Promise<readonly Reply[]> {
    if (commands.length === 0) return []
    const endMs = performance.now() + asking.timeoutMs
    const replies = await exchangeOnce(commands, asking)
    // A server forgets its scripts when it restarts. Nothing of such a call was carried out.
    const isUnknown = (reply: Reply, i: number) =>
      reply instanceof ReplyError && reply.code === 'NOSCRIPT' && commands[i]!.whole !== undefined
    if (!replies.some(isUnknown)) return replies
    const unknown = replies.flatMap((reply, i) => (isUnknown(reply, i) ? [i] : []))
    const whole = unknown.map(i => ({ text: commands[i]!.whole!, key: commands[i]!.key }))
    const second = await exchangeOnce(whole, { repeatable: asking.repeatable, timeoutMs: Math.max(1, endMs - performance.now()) })
    const all = [...replies]
    for (const [position, i] of unknown.entries()) all[i] = second[position]!
    return all
  }

  async function exchangeOnce(commands: readonly Command[], asking: Asking): Promise<readonly Reply[]> {
    const endMs = performance.now() + asking.timeoutMs
    const rest = () => ({ ...asking, timeoutMs: Math.max(1, endMs - performance.now()) })
    if (cluster === undefined && node.mode === undefined) await node.connect(asking.timeoutMs)
    if (node.mode === 'cluster') cluster ??= createCluster(target, node, clientName)
    if (cluster !== undefined) return cluster.exchange(commands, rest())
    let text = ''
    for (const command of commands) text += command.text
    const replies = await node.exchange(text, commands.length, rest())
    // Who did not say what it is, or has become a cluster since, says so now. What was moved was not carried out, the rest was.
    if (!replies.some(reply => reply instanceof ReplyError && (reply.code === 'MOVED' || reply.code === 'ASK'))) return replies
    cluster = createCluster(target, node, clientName)
    const moved = replies.flatMap((reply, i) => (reply instanceof ReplyError && /^(MOVED|ASK)$/.test(reply.code) ? [i] : []))
    const found = await cluster.exchange(
      moved.map(i => commands[i]!),
      rest(),
    )
    const all = [...replies]
    for (const [position, i] of moved.entries()) all[i] = found[position]!
    return all
  }
}
