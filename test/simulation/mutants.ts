// The simulation with production code that has one line wrong, to show that its checkers would see it. Mutants are made by replacing text, so
// that they are always mutants of the present code; a text that is not there any more is an error.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'

interface Mutant {
  readonly file: 'commit.ts' | 'handler.ts'
  readonly replace: readonly (readonly [right: string, wrong: string])[]
}

export const mutants = {
  'progress is read before the fence': {
    file: 'commit.ts',
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
    file: 'commit.ts',
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
    file: 'commit.ts',
    replace: [['    this.#forget(partition)\n    const { reusable }', '    const { reusable }']],
  },
  'a session that met a transport error goes on': {
    file: 'commit.ts',
    replace: [['if (reusable) this', 'this']],
  },
  'the last offset is committed instead of the next': {
    file: 'commit.ts',
    replace: [['progress: partition, nextOffset, records', 'progress: partition, nextOffset: nextOffset - 1n, records']],
  },
  'nothing is skipped': {
    file: 'handler.ts',
    replace: [['position === undefined || BigInt(record.offset) >= position', 'true']],
  },
  'a look-up without an answer counts as nothing found': {
    file: 'handler.ts',
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
export async function simulationOf(name: MutantName): Promise<typeof import('./simulate.ts')> {
  const mutant: Mutant = mutants[name]
  const folder = mkdtempSync(join(tmpdir(), 'sluice-mutant-'))
  try {
    const outfile = join(folder, 'simulate.mjs')
    await build({
      entryPoints: [join(import.meta.dirname, 'simulate.ts')],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      logLevel: 'error',
      plugins: [
        {
          name: 'mutant',
          setup: ({ onLoad }) =>
            onLoad({ filter: /\/lib\/runtime\/\w+\.ts$/ }, ({ path }) =>
              basename(path) === mutant.file ? { contents: mutate(path, name, mutant), loader: 'ts' } : undefined,
            ),
        },
      ],
    })
    return await import(pathToFileURL(outfile).href)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function mutate(path: string, name: string, { replace }: Mutant): string {
  return replace.reduce(
    (text, [right, wrong]) => {
      if (text.split(right).length !== 2)
        throw new Error(`Mutant "${name}": ${basename(path)} has no longer exactly one "${right}"`)
      return text.replace(right, () => wrong)
    },
    readFileSync(path, 'utf8'),
  )
}
