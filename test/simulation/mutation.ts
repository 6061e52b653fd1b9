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
}

/** A module as it is with the mutant below it. */
export async function mutated<Module>(entryPoint: string, mutant: Mutant): Promise<Module> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-mutant-'))
  try {
    const outfile = join(folder, 'mutant.mjs')
    let hitCount = 0
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
              if (!path.endsWith(`/lib/${mutant.file}`)) return undefined
              hitCount++
              return { contents: mutate(path, mutant), loader: 'ts' }
            }),
        },
      ],
    })
    if (hitCount === 0) throw new Error(`${entryPoint} does not use lib/${mutant.file}`)
    return await import(pathToFileURL(outfile).href)
  } finally {
    rmSync(folder, { recursive: true })
  }
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
