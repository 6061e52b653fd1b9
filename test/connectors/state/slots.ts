// Redis by its own command line; a slot of a cluster moves to another node, in the steps that administrators take.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { LocalRedisCluster } from '../../../infra/local/redis.ts'
import { slotOf } from '../../../lib/connectors/redis/slots.ts'

const run = promisify(execFile)

export async function cli(port: number, ...words: readonly string[]): Promise<string> {
  return (await run('redis-cli', ['-p', String(port), ...words])).stdout.trim()
}

export interface SlotMove {
  readonly targetPort: number
  /** Both nodes know that it is under way. */
  begin(): Promise<void>
  /** The key itself, the only one in its slot. */
  migrate(): Promise<void>
  /** All nodes know its new place. */
  end(): Promise<void>
}

export async function slotMove(cluster: LocalRedisCluster, key: string): Promise<SlotMove> {
  const slot = slotOf(key)
  const ids = await Promise.all(cluster.nodes.map(({ port }) => cli(port, 'CLUSTER', 'MYID')))
  const owner = await ownerOf(cluster, slot)
  const target = (owner + 1) % cluster.nodes.length
  const [from, to] = [cluster.nodes[owner]!.port, cluster.nodes[target]!.port]
  return {
    targetPort: to,
    async begin() {
      await cli(to, 'CLUSTER', 'SETSLOT', String(slot), 'IMPORTING', ids[owner]!)
      await cli(from, 'CLUSTER', 'SETSLOT', String(slot), 'MIGRATING', ids[target]!)
    },
    async migrate() {
      await cli(from, 'MIGRATE', '127.0.0.1', String(to), key, '0', '5000')
    },
    async end() {
      for (const { port } of cluster.nodes) await cli(port, 'CLUSTER', 'SETSLOT', String(slot), 'NODE', ids[target]!)
    },
  }
}

/** Index of the node that says the slot is its own. */
export async function ownerOf(cluster: LocalRedisCluster, slot: number): Promise<number> {
  const texts = await Promise.all(cluster.nodes.map(({ port }) => cli(port, 'CLUSTER', 'NODES')))
  return texts.findIndex(text => {
    const line = text.split('\n').find(one => one.includes('myself'))!
    return line
      .split(' ')
      .slice(8)
      .some(range => {
        const [first, last = first] = range.split('-').map(Number)
        return slot >= first! && slot <= last!
      })
  })
}
