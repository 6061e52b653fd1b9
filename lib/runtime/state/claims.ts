// Locks of partitions: who may write their state, and whether the store still knows all that is committed.
import type { Plan, StatePlan } from '../../plan/plan.ts'
import { compareSignatures } from '../../plan/signature.ts'
import { runtimeError } from '../errors.ts'
import type { Deadline, StateClaim, StateItem, StatePort, StateWrite, TopicPartition } from '../ports.ts'
import { idOf, scopeOf } from './keys.ts'

/** What the container knows of a partition's lock while its claim is valid; forgotten together with epoch and position. */
export interface Held {
  readonly token: string
  readonly last: bigint | undefined
  readonly position: bigint | undefined
  /** What this partition's writes leave in it. */
  readonly signature: string
  /** Items that the last written attempt changed. Usually nobody asks before it is committed. */
  readonly leftovers: () => ReadonlyMap<string, StateItem>
  readonly caps: ReadonlyMap<string, bigint>
}

/** Claims locks. Lives as long as the container. */
export class StateClaims {
  readonly plan: Plan & { readonly state: StatePlan }
  readonly port: StatePort
  readonly #held = new Map<string, Held>()

  constructor(plan: Plan & { readonly state: StatePlan }, port: StatePort) {
    this.plan = plan
    this.port = port
  }

  isHeld(partition: TopicPartition): boolean {
    return this.#held.has(idOf(partition))
  }

  held(partition: TopicPartition): Held {
    return this.#held.get(idOf(partition))!
  }

  /** Step 0. Before the fence: a writer whose token is valid then knows that nobody can commit behind its back. */
  async claim(partition: TopicPartition, deadline: Deadline): Promise<void> {
    const claim: StateClaim = await this.port.claim({ scope: scopeOf(this.plan), partition }, deadline)
    const signature = keptSignature(claim.signature, this.plan)
    this.#held.set(idOf(partition), { ...claim, signature, leftovers: () => claim.leftovers })
  }

  /**
   * Step 2's guard: the store must know of every attempt that is committed. Gives false where another invocation has claimed since, whose
   * commit explains the difference (then claim again); throws where the store has lost writes.
   */
  async isComplete(partition: TopicPartition, position: bigint | undefined, deadline: Deadline): Promise<boolean> {
    const { last, token } = this.held(partition)
    if (position === undefined || position === 0n || (last !== undefined && last >= position - 1n)) return true
    if (!(await this.port.holds({ scope: scopeOf(this.plan), partition }, token, deadline))) return false
    const where = { scenario: this.plan.scenario, partition: `${partition.topic}-${partition.partition}`, position }
    if (last === undefined) throw runtimeError('state-missing', where)
    throw runtimeError('state-lost', { ...where, last })
  }

  /** After a write, which may not be the last one before the commit: what the next one must take back is left over. */
  written({ lock: { partition }, last, items, changed, caps, asks }: StateWrite): void {
    const tp = idOf(partition)
    const leftovers = once(() => {
      const known = new Set(changed)
      return new Map(items.flatMap(({ key, base, head, at }) => (known.has(key) ? [[key, { base, head, at, tp }] as const] : [])))
    })
    const asked = new Map<string, bigint>()
    for (const { key, until } of caps) if (until !== undefined && until > last) asked.set(key, until)
    for (const { offset, caps: ones } of asks) {
      for (const { cap } of ones) {
        const { key } = caps[cap]!
        if ((asked.get(key) ?? -1n) < offset) asked.set(key, offset)
      }
    }
    this.#held.set(tp, { ...this.held(partition), last, leftovers, caps: asked })
  }

  /** After the commit: what was written is what counts. */
  committed(partition: TopicPartition, position: bigint): void {
    const held = this.held(partition)
    const ahead = [...held.caps].filter(([, until]) => held.last !== undefined && until > held.last)
    this.#held.set(idOf(partition), { ...held, position, leftovers: none, caps: new Map(ahead) })
  }

  /** At-least-once, after the outputs are acknowledged: false where another invocation has claimed since. */
  acknowledge(
    done: readonly { readonly partition: TopicPartition; readonly nextOffset: bigint }[],
    deadline: Deadline,
  ): Promise<readonly boolean[]> {
    const scope = scopeOf(this.plan)
    return this.port.acknowledge(
      done.map(({ partition, nextOffset }) => ({
        lock: { scope, partition },
        token: this.held(partition).token,
        position: nextOffset,
      })),
      deadline,
    )
  }

  /** At-least-once: how far a partition of another is acknowledged. */
  readPosition(partition: TopicPartition, deadline: Deadline): Promise<bigint | undefined> {
    return this.port.position({ scope: scopeOf(this.plan), partition }, deadline)
  }

  forget(partition: TopicPartition): void {
    this.#held.delete(idOf(partition))
  }
}

function once<Value>(make: () => Value): () => Value {
  let made: Value | undefined
  return () => {
    made ??= make()
    return made
  }
}

const none = (): ReadonlyMap<string, StateItem> => new Map()

/** What the lock shall say from now on. Throws where the store holds what the plan would read as something else. */
export function keptSignature(stored: string | undefined, { scenario, state }: Plan & { readonly state: StatePlan }): string {
  const comparison = compareSignatures(stored, state.signature)
  if (comparison.kind === 'compatible') return comparison.signature
  const { entry, field, ...types } = comparison
  const isShared = state.caps.some(({ name, sharedBy }) => name === entry && sharedBy !== undefined)
  throw runtimeError('generation-needed', {
    scenario,
    what: field === undefined ? `state "${entry}"` : `"${field}" of state "${entry}"`,
    stored: types.stored,
    declared: types.declared,
    // Places of a shared cap outlive every generation of one scenario.
    cure: isShared ? '' : ', or raise `generation`: all state starts empty, and the topic is decided again from its start',
  })
}
