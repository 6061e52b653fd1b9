// The simulation with production code that has one line wrong, to show that its checkers would see it.
import { join } from 'node:path'
import { type Mutant, mutated } from './mutation.ts'

export const mutants = {
  'progress is read before the fence': {
    file: 'runtime/commit.ts',
    replace: [
      [
        'const session = await this.#kafka.fence(',
        'const position = await this.#kafka.readProgress(groupOf(this.#plan), partition, deadline)\n    const session = await this.#kafka.fence(',
      ],
      [
        '    const position = await this.#kafka.readProgress(groupOf(this.#plan), partition, deadline)\n    const claim',
        '    const claim',
      ],
    ],
  },
  'the position is kept after a fence': {
    file: 'runtime/commit.ts',
    replace: [
      [
        'const position = await this.#kafka.readProgress(',
        'const position = this.kept.has(idOf(partition)) ? this.kept.get(idOf(partition)) : await this.#kafka.readProgress(',
      ],
      ['  readonly #kafka: TransactionPort', '  kept = new Map<string, bigint>()\n  readonly #kafka: TransactionPort'],
      ['    if (reusable)', '    this.kept.set(idOf(partition), nextOffset)\n    if (reusable)'],
    ],
  },
  'an unknown outcome keeps the claim': {
    file: 'runtime/commit.ts',
    replace: [['    this.forget(partition)\n    const { reusable }', '    const { reusable }']],
  },
  'a session that met a transport error goes on': {
    file: 'runtime/commit.ts',
    replace: [['if (reusable) this', 'this']],
  },
  'the last offset is committed instead of the next': {
    file: 'runtime/commit.ts',
    replace: [['progress: partition, nextOffset, records', 'progress: partition, nextOffset: nextOffset - 1n, records']],
  },
  'nothing is skipped': {
    file: 'runtime/ownership.ts',
    replace: [['position === undefined || BigInt(record.offset) >= position', 'true']],
  },
  'a part of a batch commits the position of all of it': {
    file: 'runtime/cut.ts',
    replace: [['nextOffset: BigInt(todo[count - 1]!.offset) + 1n }', 'nextOffset: share.nextOffset }']],
  },
  'what comes after a part is forgotten': {
    file: 'runtime/handler.ts',
    replace: [
      [
        'return records.length === 0 ? [] : [{ batch: { ...batch, records }',
        'return records.length >= 0 ? [] : [{ batch: { ...batch, records }',
      ],
    ],
  },
  'a look-up without an answer counts as nothing found': {
    file: 'runtime/stages.ts',
    replace: [
      [
        'await enrich(columns, plan.lookups, step.lookups,',
        "await enrich(columns, plan.lookups.map(lookup => ({ ...lookup, onError: 'deadLetter' as const })), step.lookups,",
      ],
    ],
  },
} as const satisfies Record<string, Mutant>

export type MutantName = keyof typeof mutants

/** "The store has lost writes" would stop whoever has got its lock and its position in another order. */
const withoutGuard: Mutant = {
  file: 'runtime/state/claims.ts',
  replace: [
    ['if (position === undefined || position === 0n || (last', 'if (true || position === undefined || position === 0n || (last'],
  ],
}

/** Of state: the wrong variants of state.md, section 7. */
export const stateMutants = {
  'what an attempt touched that did not commit is left alone': {
    file: 'runtime/state/attempt.ts',
    replace: [['const leftovers = isUncommitted ?', 'const leftovers = !isUncommitted && isUncommitted ?']],
  },
  'the value before is the one that was written last': {
    file: 'runtime/state/attempt.ts',
    replace: [['return at < position ? head : base', 'return position < 0n ? base : head']],
  },
  'a failed attempt keeps what it knows': {
    file: 'runtime/ownership.ts',
    replace: [['    if (this.#locks === undefined) return\n', '    if (this.#locks !== undefined) return\n']],
  },
  'caps that only an earlier attempt asked are forgotten': {
    file: 'runtime/state/attempt.ts',
    replace: [['if (until >= position && !all.has(key) && c >= 0)', 'if (until < 0n && c >= 0)']],
  },
  'anybody may write': {
    file: 'connectors/state-memory.ts',
    replace: [["if (held?.token !== token) return { kind: 'stale' }", '']],
  },
  'the fence comes before the claim of the lock': {
    file: 'runtime/ownership.ts',
    replace: [
      [
        '        await locks.claim(partition, deadline)',
        '        await sessions.claim(partition, deadline)\n        await locks.claim(partition, deadline)',
      ],
    ],
    and: withoutGuard,
  },
  'a batch that changes nothing is not written': {
    file: 'runtime/state/attempt.ts',
    replace: [
      [
        'this.#writes = open.map(p => this.#writeOf(p, asks[p]!))',
        `const all = open.map(p => this.#writeOf(p, asks[p]!))
    const isIdle = (one: StateWrite) => one.items.length + one.caps.length === 0
    for (const [w, p] of open.entries()) if (isIdle(all[w]!)) byPartition[p] = { kind: 'written', answers: [] }
    for (let w = open.length - 1; w >= 0; w--) if (isIdle(all[w]!)) open.splice(w, 1)
    this.#writes = all.filter(one => !isIdle(one))`,
      ],
    ],
    and: withoutGuard,
  },
} as const satisfies Record<string, Mutant>

export type StateMutantName = keyof typeof stateMutants

/** Of keys that several partitions use. */
export const movesMutants = {
  'a key is taken over before it is committed': {
    file: 'runtime/state/attempt.ts',
    replace: [
      [
        "if (at >= this.#othersPositions.get(tp!)!) return { kind: 'moved', key }",
        "if (at < -1n) return { kind: 'moved', key: tp! + key }",
      ],
    ],
  },
  'a key is taken over without compare-and-set': {
    file: 'connectors/state-memory.ts',
    replace: [
      ['if (itemProblem(items.get(item.key), item, tp))', 'if (itemProblem(items.get(item.key), item, tp) && tp === undefined)'],
    ],
  },
  'what another partition wrote is judged by a position that is read after it': {
    file: 'runtime/state/attempt.ts',
    replace: [['if (open.length > 0) await others.readAgain(open.map(e => remember[e]!.lookup))', 'open = []']],
  },
  'what another partition wrote is judged by a position that a warm container knows': {
    file: 'runtime/state/attempt.ts',
    replace: [
      ['const position = this.#isOthers(chain) ?', 'const position = this.#isOthers(chain) && !this.#ids.includes(tp) ?'],
      ['this.#positions[chain.partition]!\n', 'this.#positions[this.#ids.indexOf(tp)]!\n'],
    ],
  },
} as const satisfies Record<string, Mutant>

export type MovesMutantName = keyof typeof movesMutants

/** The module simulate.ts over mutated production code. */
export function simulationOf(mutant: Mutant): Promise<typeof import('./simulate.ts')> {
  return mutated(join(import.meta.dirname, 'simulate.ts'), mutant)
}
