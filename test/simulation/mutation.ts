// Production code with one line wrong, made by replacing text, so that a mutant is always one of the present code; a text that is not there any
// more is an error.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'

export interface Mutant {
  /** Below lib/. */
  readonly file: string
  readonly replace: readonly (readonly [right: string, wrong: string])[]
  /** Where a guard elsewhere would notice the mistake before anything is wrong. */
  readonly and?: Mutant
}

/** A module as it is with the mutant below it. */
export async function mutated<Module>(entryPoint: string, mutant: Mutant): Promise<Module> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-mutant-'))
  try {
    const outfile = join(folder, 'mutant.mjs')
    const all = allOf(mutant)
    const hit = new Set<Mutant>()
    await build({
      entryPoints: [entryPoint],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      logLevel: 'error',
      // Some package in there is no ES module.
      banner: { js: "import { createRequire } from 'node:module'\nconst require = createRequire(import.meta.url)" },
      plugins: [
        {
          name: 'mutant',
          setup: ({ onLoad }) =>
            onLoad({ filter: /\/lib\/.*\.ts$/ }, ({ path }) => {
              const one = all.find(({ file }) => path.endsWith(`/lib/${file}`))
              if (one === undefined) return undefined
              hit.add(one)
              return { contents: mutate(path, one), loader: 'ts' }
            }),
        },
      ],
    })
    for (const one of all) if (!hit.has(one)) throw new Error(`${entryPoint} does not use lib/${one.file}`)
    return await import(pathToFileURL(outfile).href)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function allOf(mutant: Mutant): readonly Mutant[] {
  return mutant.and === undefined ? [mutant] : [mutant, ...allOf(mutant.and)]
}

function mutate(path: string, { file, replace }: Mutant): string {
  return replace.reduce(
    (text, [right, wrong]) => {
      if (text.split(right).length !== 2) throw new Error(`lib/${file} has no longer exactly one "${right}"`)
      return text.replace(right, () => wrong)
    },
    readFileSync(path, 'utf8'),
  )
}
