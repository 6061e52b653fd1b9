// The real build: scenario file → checked scenario → plan → JavaScript → one file for Lambda, by esbuild. The plugin compiles `*.yml` imports;
// what is wrong with a scenario becomes esbuild messages with place, suggestion and notes. Build time ends here: the bundle holds no YAML
// reader, no parser and no eval (test/bundle.test.ts looks).
import { readFileSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Message, type PartialMessage, type Plugin } from 'esbuild'
import type { LookupStore } from '../plan/plan.ts'
import { type CheckedScenario, checkScenario } from '../scenario/check.ts'
import type { Diagnostic } from '../scenario/diagnostics.ts'
import { folderOf } from '../scenario/folder.ts'
import type { Scenario } from '../scenario/scenario.ts'
import { smallAwsClient } from './aws-client.ts'
import { type KeyValueScheme, keyValueClients, type StateScheme, stateStores } from './key-value.ts'
import { generateModule, type ModuleOptions, type RunTimePaths } from './module.ts'
import { plan, storesOf } from './planning.ts'

export interface BundleOptions {
  /** `real`: Kafka and Redis by the function's environment. `embedded`: everything in memory, with samples from events/. */
  readonly stores: 'real' | 'embedded'
  /** How `real` speaks to the store that scenarios name by `redis:`; the scheme of its URL. Default: redis. */
  readonly keyValueScheme?: KeyValueScheme
  /** The same for the store of state. */
  readonly stateScheme?: StateScheme
  /** The function counts which rows decide. */
  readonly tellsRows?: boolean
  readonly outfile?: string
  /** Default: for `real`, since Lambda loads the bundle at each cold start. */
  readonly minify?: boolean
}

export interface Bundle {
  readonly code: Uint8Array
  readonly scenario: Scenario
  /** Which input files ended up in it, with their bytes. */
  readonly contents: ReadonlyMap<string, number>
}

/** A scenario with errors is not built. */
export class ScenarioErrors extends Error {
  override readonly name = 'ScenarioErrors'
  readonly file: string
  readonly text: string
  readonly diagnostics: readonly Diagnostic[]
  /** The shared files that the scenario names. */
  readonly shared: readonly string[]
  constructor(file: string, text: string, { diagnostics, shared }: Pick<CheckedScenario, 'diagnostics' | 'shared'>) {
    super(`${file} has ${diagnostics.filter(({ severity }) => severity === 'error').length} errors`)
    this.file = file
    this.text = text
    this.diagnostics = diagnostics
    this.shared = shared
  }
}

const lib = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const runTimePaths: RunTimePaths = {
  standard: resolve(lib, 'language/standard/index.ts'),
  plan: resolve(lib, 'plan/plan.ts'),
  failure: resolve(lib, 'plan/failure.ts'),
  columns: resolve(lib, 'plan/columns.ts'),
}

/** Bundles one scenario as an ES module that exports `handler`. Throws ScenarioErrors. */
export async function bundleScenario(file: string, options: BundleOptions): Promise<Bundle> {
  const text = readFileSync(file, 'utf8')
  const scenario = readCheckedScenario(file, text)
  const result = await build({
    stdin: {
      contents: entryModule(scenario, resolve(file), options),
      resolveDir: lib,
      sourcefile: `${scenario.name}.entry.ts`,
      loader: 'ts',
    },
    bundle: true,
    platform: 'node',
    target: 'node22',
    format: 'esm',
    minify: options.minify ?? options.stores === 'real',
    // A few dependencies are CommonJS and call require for Node's own modules.
    banner: {
      js: "import { createRequire as sluiceRequire } from 'node:module'; const require = sluiceRequire(import.meta.url);",
    },
    mainFields: ['module', 'main'],
    // Packages' own modules for bundlers first: of CommonJS nothing can be left out.
    conditions: ['module', 'node', 'import'],
    legalComments: 'none',
    metafile: true,
    write: false,
    logLevel: 'silent',
    plugins: [scenarioPlugin(options), smallAwsClient, ...(scenario.state.length === 0 ? [withoutState] : [])],
    ...(options.outfile !== undefined && { outfile: options.outfile }),
  })
  const [output] = result.outputFiles
  const [meta] = Object.values(result.metafile.outputs)
  return {
    code: output!.contents,
    scenario,
    contents: new Map(Object.entries(meta!.inputs).map(([input, { bytesInOutput }]) => [input, bytesInOutput])),
  }
}

/** esbuild plugin: `import plan from './functions/NAME.yml'` gives the compiled scenario. */
export function scenarioPlugin(options: ModuleOptions = {}): Plugin {
  return {
    name: 'sluice',
    setup(esbuild) {
      esbuild.onLoad({ filter: /\.yml$/ }, ({ path }) => {
        const file = relative(process.cwd(), path)
        try {
          const scenario = readCheckedScenario(file, readFileSync(path, 'utf8'))
          return {
            contents: generateModule(plan(scenario), runTimePaths, options),
            loader: 'js',
            resolveDir: dirname(path),
            // What the scenario is made of beside its own file: esbuild builds again when it changes.
            watchFiles: scenario.shared.map(shared => resolve(shared.file)),
          }
        } catch (error) {
          if (error instanceof ScenarioErrors)
            return {
              errors: error.diagnostics.filter(({ severity }) => severity === 'error').map(d => messageOf(d, error)),
              watchFiles: error.shared.map(shared => resolve(shared)),
            }
          throw error
        }
      })
    },
  }
}

/** 13 KB of the run time that a scenario without state never enters: the handler makes none of these where the plan has no state. */
const withoutState: Plugin = {
  name: 'without-state',
  setup(esbuild) {
    esbuild.onLoad({ filter: /\/lib\/runtime\/state\/(answers|attempt|claims|rehearsal)\.ts$/ }, () => ({
      contents: ['answeringOnce', 'Rehearsal', 'StateAttempt', 'StateClaims'].map(name => `export class ${name} {}\n`).join(''),
      loader: 'js',
    }))
  },
}

function readCheckedScenario(file: string, text: string): Scenario {
  const checked = checkScenario(file, text, folderOf(file))
  if (checked.scenario === undefined) throw new ScenarioErrors(file, text, checked)
  return checked.scenario
}

// The host of the function: where the same compiled scenario may run elsewhere (a container), only this text differs.
function entryModule(
  scenario: Scenario,
  file: string,
  { stores, keyValueScheme = 'redis', stateScheme = 'redis' }: BundleOptions,
): string {
  const head = `import scenarioPlan from ${JSON.stringify(file)}
import { deployedPlan } from './connectors/world-settings.ts'
export const plan = deployedPlan(scenarioPlan, process.env)
`
  if (stores === 'embedded') {
    return `${head}
import { embed, embedFromEnvironment, outputLine } from './connectors/embedded.ts'
export { embed, outputLine }
export const handler = embedFromEnvironment(plan, process.env)
`
  }
  const connectors = storesOf(scenario).map(store => connectorOf(store, keyValueScheme))
  if (scenario.state.length > 0) {
    const { module, connect } = stateStores[stateScheme]
    connectors.push({ imported: `import { ${connect} } from './connectors/${module}.ts'`, entry: `state: ${connect}` })
  }
  return `${head}
import { createHandler } from './runtime/handler.ts'
import { realWorld } from './connectors/world.ts'
${connectors.map(({ imported }) => imported).join('\n')}
export const handler = createHandler(plan, realWorld(plan, process.env, { ${connectors.map(({ entry }) => entry).join(', ')} }))
`
}

function connectorOf(
  store: Exclude<LookupStore, 'state'>,
  scheme: KeyValueScheme,
): { readonly imported: string; readonly entry: string } {
  const { module, connect } = {
    redis: keyValueClients[scheme],
    dynamodb: { module: 'dynamodb', connect: 'connectDynamoDb' },
    http: { module: 'http', connect: 'connectHttp' },
  }[store]
  return { imported: `import { ${connect} } from './connectors/${module}.ts'`, entry: `${store}: ${connect}` }
}

/** esbuild counts columns and lengths in UTF-8 bytes from 0 and drops a plugin's own message ids, so the id stands in the text. */
function messageOf(diagnostic: Diagnostic, { text }: ScenarioErrors): PartialMessage {
  const own = { file: diagnostic.file, text: diagnostic.text ?? text }
  return {
    text: `${diagnostic.message} [${diagnostic.id}]`,
    location: locationOf(diagnostic.range, own.file, own.text, diagnostic.suggestion),
    notes: diagnostic.notes.map(note => ({
      text: note.message,
      ...(note.range && {
        location: locationOf(note.range, note.source?.file ?? own.file, note.source?.text ?? own.text),
      }),
    })),
  }
}

function locationOf(
  range: { start: number; end: number },
  file: string,
  text: string,
  suggestion?: string,
): Partial<Message['location'] & object> {
  const lineStart = text.lastIndexOf('\n', range.start - 1) + 1
  const lineEnd = text.indexOf('\n', range.start)
  const lineText = text.slice(lineStart, lineEnd < 0 ? undefined : lineEnd)
  const end = Math.min(range.end, lineStart + lineText.length)
  return {
    file,
    line: text.slice(0, range.start).split('\n').length,
    column: Buffer.byteLength(text.slice(lineStart, range.start)),
    length: Buffer.byteLength(text.slice(range.start, end)),
    lineText,
    ...(suggestion !== undefined && { suggestion }),
  }
}
