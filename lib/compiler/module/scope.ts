// What the parts of a generated module share while it is written: its text, and how its code reaches each name of the scenario.
import type { Scenario, Sink } from '../../scenario/scenario.ts'
import type { GeneratedFunction, NameTable } from '../expressions.ts'
import type { ModuleText } from '../module-text.ts'
import type { Planning } from '../planning.ts'

export interface Scope {
  readonly module: ModuleText
  readonly planning: Planning
  readonly scenario: Scenario
  readonly names: NameTable
  /** How many places read a name: what is read more than once is kept. */
  readonly useCounts: ReadonlyMap<string, number>
  /** Whether decisions keep which row decided. */
  readonly tellsRows: boolean
  /** A sink's `when` is asked by its look-ups, too. */
  readonly whens: Map<Sink, GeneratedFunction>
}

export function isKept({ useCounts }: Scope, name: string): boolean {
  return (useCounts.get(name) ?? 0) >= 2
}
