// What the tests of the analysis share: a scenario in a few lines, and diagnostics as lines.
import { type AnalyseOptions, analyse } from '../../../lib/scenario/analyse.ts'
import type { Diagnostic } from '../../../lib/scenario/diagnostics.ts'
import { readScenario } from '../../../lib/scenario/reader.ts'
import type { Scenario } from '../../../lib/scenario/scenario.ts'

const file = 'functions/orders.yml'

/** Sections in YAML; those left out are sound and need no look-ups. */
export interface Sections {
  readonly source?: string
  readonly event?: string
  readonly enrich?: string
  readonly let?: string
  readonly filter?: string
  readonly decide?: string
  readonly state?: string
  readonly sinks?: string
  readonly examples?: string
}

export function scenarioText(sections: Sections): string {
  const { event = '{ id: string, n: int, country?: string, at: timestamp, kind: basic | gold }' } = sections
  const source = sections.source ?? `  topic: orders\n  event: ${event}\n`
  const sinks = sections.sinks ?? '  out: { topic: results, key: event.id, value: event }'
  const optional = (['enrich', 'let', 'filter', 'decide', 'state', 'examples'] as const)
    .filter(name => sections[name] !== undefined)
    .map(name => `${name}:\n${indented(sections[name]!)}\n`)
  return `scenario: orders\ndescription: Orders.\nsource:\n${source}\n${optional.join('')}sinks:\n${indented(sinks)}\n`
}

const indented = (text: string): string =>
  text
    .replace(/^\n+|\s+$/g, '')
    .split('\n')
    .map(line => (line.startsWith('  ') ? line : `  ${line}`))
    .join('\n')

export interface Told {
  readonly scenario: Scenario | undefined
  /** `id: sentence` and the marked text, with the suggestion if there is one. */
  readonly lines: readonly string[]
  readonly diagnostics: readonly Diagnostic[]
}

export function analysed(sections: Sections | string, options: AnalyseOptions = {}): Told {
  const text = typeof sections === 'string' ? sections : scenarioText(sections)
  const read = readScenario(file, text)
  const found = read.syntax === undefined ? { diagnostics: [] } : analyse(read.syntax, options)
  const diagnostics = [...read.diagnostics, ...found.diagnostics]
  const lines = diagnostics.map(({ id, message, range, suggestion }) => {
    const marked = text.slice(range.start, range.end)
    return `${id}: ${message} | ${marked}${suggestion === undefined ? '' : ` | ${suggestion}`}`
  })
  return { scenario: 'scenario' in found ? found.scenario : undefined, lines, diagnostics }
}

/** Errors and warnings; hints are about what else could be tested or said. */
export function problems(sections: Sections | string, options: AnalyseOptions = {}): readonly string[] {
  const { lines, diagnostics } = analysed(sections, options)
  return lines.filter((_, i) => diagnostics[i]!.severity !== 'hint')
}

export function hints(sections: Sections | string, id: string): readonly string[] {
  return analysed(sections).lines.filter(line => line.startsWith(`${id}:`))
}

/** The scenario of sections that must be sound. */
export function sound(sections: Sections | string): Scenario {
  const { scenario, lines } = analysed(sections)
  if (scenario === undefined) throw new Error(`expected a sound scenario:\n${lines.join('\n')}`)
  return scenario
}
