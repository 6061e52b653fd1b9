// What differs by stage of a scenario's mapping: `sources` in the `sluice:` block, where Serverless' variables work, by the names and the rules of
// the scenario's own "source". Variables give texts for numbers, and null for nothing: null takes a setting away.
import { readMappingSettings } from '../lib/scenario/reader.ts'
import type { ScenarioFile } from './scenario-files.ts'
import type { SluiceSettings } from './settings.ts'

export interface StageSources {
  readonly scenarios: readonly ScenarioFile[]
  /** Sentences with the cure. */
  readonly problems: readonly string[]
}

export function withStageSources(files: readonly ScenarioFile[], sources: SluiceSettings['sources'] = {}): StageSources {
  const names = files.map(({ scenario }) => scenario.name)
  const problems = Object.keys(sources)
    .filter(name => !names.includes(name))
    .map(name => `"sources" under "sluice" names "${name}", and there is no functions/${name}.yml`)
  const scenarios = files.map(scenarioFile => {
    const { scenario } = scenarioFile
    const own = Object.hasOwn(sources, scenario.name) ? sources[scenario.name] : undefined
    if (!own) return scenarioFile
    const merged = Object.entries({ ...scenario.source.settings, ...own }).filter(([, value]) => value !== null)
    const { settings, diagnostics } = readMappingSettings(Object.fromEntries(merged), scenario.delivery)
    for (const { message, severity, suggestion, notes } of diagnostics) {
      if (severity !== 'error') continue
      const more = [...(suggestion === undefined ? [] : [`write ${suggestion}`]), ...notes.map(note => note.message)]
      problems.push([`"sources" under "sluice", of ${scenario.name}: ${message}`, ...more].join('. ').replace(/\.$/, ''))
    }
    return { ...scenarioFile, scenario: { ...scenario, source: { ...scenario.source, settings } } }
  })
  return { scenarios, problems }
}
