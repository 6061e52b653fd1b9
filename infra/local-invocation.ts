// What `serverless invoke local` runs: the real build, with stores in memory unless real ones are named. stdout holds the function's result
// alone, so that scripts can read it; what the function logs goes to stderr.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export function storesForInvocation(
  env: Readonly<Record<string, string | undefined>>,
  { looksUp, hasState }: { readonly looksUp: boolean; readonly hasState: boolean },
): 'real' | 'embedded' | { readonly problem: string } {
  const { SLUICE_KAFKA: kafka, SLUICE_REDIS: redis, SLUICE_STATE: state } = env
  if (!kafka && !redis && !state) return 'embedded'
  if (!kafka) {
    const named = redis ? 'SLUICE_REDIS' : 'SLUICE_STATE'
    return { problem: `${named} is set, and SLUICE_KAFKA is not: set both, or none for stores in memory.` }
  }
  if (looksUp && !redis)
    return { problem: 'SLUICE_KAFKA is set, and the look-ups need SLUICE_REDIS as well: set both, or none for stores in memory.' }
  if (hasState && !redis && !state)
    return {
      problem:
        'SLUICE_KAFKA is set, and state needs SLUICE_REDIS or SLUICE_STATE as well: set one of them, or none for stores in memory.',
    }
  return 'real'
}

/** Writes the function below `.sluice/` and gives its handler, as serverless.yml would name it. */
export function localInvocation(serviceFolder: string, name: string, code: Uint8Array): string {
  const folder = `.sluice/invoke/${name}`
  mkdirSync(join(serviceFolder, folder), { recursive: true })
  writeFileSync(join(serviceFolder, folder, 'package.json'), '{"type":"module"}\n')
  writeFileSync(join(serviceFolder, folder, 'function.js'), code)
  writeFileSync(join(serviceFolder, folder, 'index.js'), quietly)
  return `${folder}/index.handler`
}

const quietly = `export async function handler(event, context) {
  const write = process.stdout.write
  process.stdout.write = process.stderr.write.bind(process.stderr)
  try {
    const { handler } = await import('./function.js')
    return await handler(event, context)
  } finally {
    process.stdout.write = write
  }
}
`
