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
    file: 'runtime/handler.ts',
    replace: [['position === undefined || BigInt(record.offset) >= position', 'true']],
  },
  'a look-up without an answer counts as nothing found': {
    file: 'runtime/handler.ts',
    replace: [
      [
        'await enrich(columns, plan.lookups, step.lookups,',
        "await enrich(columns, plan.lookups.map(lookup => ({ ...lookup, onError: 'deadLetter' as const })), step.lookups,",
      ],
    ],
  },
} as const satisfies Record<string, Mutant>

export type MutantName = keyof typeof mutants

/** The module simulate.ts over mutated production code. */
export function simulationOf(name: MutantName): Promise<typeof import('./simulate.ts')> {
  return mutated(join(import.meta.dirname, 'simulate.ts'), mutants[name])
}
