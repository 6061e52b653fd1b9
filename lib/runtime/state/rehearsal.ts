// Decides a batch's records one by one, where those after a dead letter have seen what it left: each as if it were a batch of its own, and all
// before it committed. What it writes stays here; the store is read as it was before the batch, and its caps once. It finds out which records
// leave nothing, and the batch is then decided with that known: so the number of attempts does not grow with the number of dead letters, and
// what is committed is still what an attempt at the whole batch has found sound.
import type { LookupAnswer, LookupCommand } from '../../plan/plan.ts'
import type { CapRehearsal, Deadline, LookupPort, StateItem, StatePort, StateWrite, TopicPartition } from '../ports.ts'
import type { StatePartition } from './attempt.ts'
import { StateClaims } from './claims.ts'
import { idOf, rememberKey, scopeOf } from './keys.ts'

export class Rehearsal {
  /** Locks of the rehearsal: nobody else claims them. */
  readonly claims: StateClaims
  readonly #partitions: readonly StatePartition[]
  readonly #caps: CapRehearsal
  /** By the command that reads them: how items of an entry are stored. */
  readonly #keyOf = new Map<LookupCommand, (key: string) => string>()
  /** What its records have left, by partition: a key belongs in one, and where two use it, each goes by its own. */
  readonly #left: readonly Map<string, StateItem>[]
  #current = 0

  private constructor(claims: StateClaims, partitions: readonly StatePartition[]) {
    const { plan, port } = claims
    this.#partitions = partitions
    this.#left = partitions.map(() => new Map())
    for (const { name, lookup } of plan.state.remember)
      this.#keyOf.set(plan.lookups[lookup]!.command, key => rememberKey(plan, name, key))
    const locks = partitions.map(one => ({
      lock: { scope: scopeOf(plan), partition: one.partition },
      position: one.position ?? one.firstOffset,
    }))
    this.#caps = port.rehearseCaps(locks, plan.delivery === 'at-least-once')
    const positions = new Map<string, Promise<bigint | undefined>>()
    const local: StatePort = {
      ...port,
      claim: async ({ partition }) => ({
        token: '',
        last: undefined,
        position: undefined,
        signature: undefined,
        leftovers: new Map(),
        // At least once a record that comes again keeps its place, and one that asks no more gives it back.
        caps: plan.delivery === 'at-least-once' ? claims.held(partition).caps : new Map(),
      }),
      write: (writes, deadline) => Promise.all(writes.map(write => this.#write(write, deadline))),
      position: (lock, deadline) => {
        const id = idOf(lock.partition)
        const known = positions.get(id) ?? port.position(lock, deadline)
        positions.set(id, known)
        return known
      },
    }
    this.claims = new StateClaims(plan, local)
  }

  /** `caps`: those that the batch is known to ask. */
  static async open(
    claims: StateClaims,
    partitions: readonly StatePartition[],
    caps: readonly StateWrite['caps'][number][],
    deadline: Deadline,
  ): Promise<Rehearsal> {
    const rehearsal = new Rehearsal(claims, partitions)
    for (const { partition } of partitions) await rehearsal.claims.claim(partition, deadline)
    if (caps.length > 0) await rehearsal.#caps.read(caps, deadline)
    return rehearsal
  }

  /** Each record in order, alone; `decide` ends when its part in the state is settled. */
  async run(decide: (partition: number, record: StatePartition) => Promise<void>): Promise<void> {
    for (const [p, { partition, todo }] of this.#partitions.entries()) {
      this.#current = p
      for (const record of todo) {
        const offset = BigInt(record.offset)
        await decide(p, { partition, position: offset, firstOffset: offset, nextOffset: offset + 1n, todo: [record] })
        this.claims.committed(partition, offset + 1n)
      }
    }
  }

  /** Look-ups, over what its records have left. */
  over(store: LookupPort): LookupPort {
    return {
      close: () => store.close(),
      lookupMany: async (requests, deadline) => {
        const answers = await store.lookupMany(requests, deadline)
        return answers.map((ofKeys, r) => {
          const { command, keys } = requests[r]!
          const keyOf = this.#keyOf.get(command)
          if (keyOf === undefined) return ofKeys
          return ofKeys.map((answer, k) => this.#itemOf(keyOf(keys[k]!), answer as LookupAnswer))
        })
      },
    }
  }

  #itemOf(key: string, answer: LookupAnswer): LookupAnswer {
    const { partition, position, firstOffset } = this.#partitions[this.#current]!
    const left = this.#left[this.#current]!.get(key)
    if (left !== undefined) return [left.base, left.head, `${left.at}`, left.tp]
    if (!Array.isArray(answer)) return answer
    const [base, head, at, tp] = answer as readonly (string | null)[]
    if (tp !== idOf(partition)) return answer
    // What counts before the batch: its own records' positions would let an attempt count that was not committed.
    const value = BigInt(at!) < (position ?? firstOffset) ? head! : base!
    return [value, value, '-1', tp]
  }

  async #write(write: StateWrite, deadline: Deadline) {
    const { partition } = write.lock
    const p = this.#indexOf(partition)
    for (const { key, base, head, at } of write.items) this.#left[p]!.set(key, { base, head, at, tp: idOf(partition) })
    return { kind: 'written', answers: await this.#caps.judge(write, deadline) } as const
  }

  #indexOf(partition: TopicPartition): number {
    return this.#partitions.findIndex(one => idOf(one.partition) === idOf(partition))
  }
}
