// Discovery: each functions/NAME.yml is one function. What is wrong with a scenario is told here, before anything is built or deployed.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { checkScenario } from '../lib/scenario/check.ts'
import { renderDiagnostic } from '../lib/scenario/diagnostics.ts'
import { folderOf } from '../lib/scenario/folder.ts'
import type { Scenario } from '../lib/scenario/scenario.ts'

export interface ScenarioFile {
  /** Relative to the service's folder. */
  readonly file: string
  readonly scenario: Scenario
}

export interface Discovery {
  readonly scenarios: readonly ScenarioFile[]
  /** Rendered diagnostics of the files that cannot be built. */
  readonly errors: readonly string[]
  readonly warnings: readonly string[]
}

export interface DiscoveryOptions {
  readonly colors: boolean
  /** State is in a Redis Cluster. */
  readonly redisCluster?: boolean
}

export function discoverScenarios(serviceFolder: string, options: DiscoveryOptions): Discovery {
  const scenarios: ScenarioFile[] = []
  // Serverless takes both endings for its own files, and who uses the other one here would miss a function without a word.
  const errors = globSync('functions/*.yaml', { cwd: serviceFolder })
    .sort()
    .map(file => `${file} is no scenario, since their files end in ".yml": rename it, or move it elsewhere\n`)
  const warnings: string[] = []
  for (const file of globSync('functions/*.yml', { cwd: serviceFolder }).sort()) {
    const text = readFileSync(join(serviceFolder, file), 'utf8')
    const { scenario, diagnostics } = checkScenario(file, text, {
      ...folderOf(join(serviceFolder, file)),
      redisCluster: options.redisCluster === true,
    })
    for (const diagnostic of diagnostics) {
      if (diagnostic.severity === 'hint') continue
      const rendered = renderDiagnostic(diagnostic, text, options)
      if (diagnostic.severity === 'error') errors.push(rendered)
      else warnings.push(rendered)
    }
    if (scenario !== undefined) scenarios.push({ file, scenario })
  }
  return { scenarios, errors, warnings }
}
