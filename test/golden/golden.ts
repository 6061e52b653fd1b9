// Golden files: a broken scenario `ID.yml` beside the exact output of `sluice check`, `ID.txt`. Those in good/ give hints at most.
// `node test/golden/update.ts` writes the outputs anew; the difference is then read like any other change.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { main } from '../../lib/cli/main.ts'
import { errorsPage } from '../../lib/scenario/errors-page.ts'
import { scenarioSchema, sharedSchema } from '../../lib/scenario/schema.ts'

const folder = 'test/golden'

/** Paths relative to the project, in order of their names. */
export function brokenScenarios(): readonly string[] {
  return scenariosIn(folder)
}

export function goodScenarios(): readonly string[] {
  return scenariosIn(`${folder}/good`)
}

function scenariosIn(path: string): readonly string[] {
  const names = readdirSync(path).filter(name => name.endsWith('.yml'))
  return names.sort().map(name => `${path}/${name}`)
}

export const outputPath = (scenarioPath: string): string => scenarioPath.replace(/\.yml$/, '.txt')

/** What is only wrong in a certain world. */
const worlds: Readonly<Record<string, Record<string, string>>> = {
  'caps-in-two-slots.yml': { SLUICE_REDIS_CLUSTER: 'true' },
}

export async function checkOutput(
  scenarioPath: string,
  environment: Record<string, string> = worlds[basename(scenarioPath)] ?? {},
): Promise<{ readonly text: string; readonly exitCode: number }> {
  let text = ''
  const write = (part: string): void => {
    text += part
  }
  const stop = new AbortController().signal
  const exitCode = await main(['check', scenarioPath], { out: write, error: write, colors: false, environment, stop })
  return { text, exitCode }
}

export const schemaText = (): string => `${JSON.stringify(scenarioSchema(), undefined, 2)}\n`

export const sharedSchemaText = (): string => `${JSON.stringify(sharedSchema(), undefined, 2)}\n`

/** Each id with the first message of its golden output. */
export function referencePage(): string {
  const examples = new Map<string, string>()
  for (const path of brokenScenarios()) {
    const id = basename(path, '.yml')
    const output = existsSync(outputPath(path)) ? readFileSync(outputPath(path), 'utf8') : ''
    const message = output.split(/\n\n/).find(part => part.includes(`[${id}]`))
    if (message !== undefined) examples.set(id, message)
  }
  return errorsPage(examples)
}
