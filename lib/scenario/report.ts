// Collects what the analysis finds wrong with one file, so that all of it is told at once.
import type { Problem, Range } from '../language/problem.ts'
import { type Diagnostic, type DiagnosticNote, diagnostic, fromProblem } from './diagnostics.ts'
import type { ErrorKey, Values } from './errors.ts'
import type { ScalarText } from './syntax.ts'

export interface Report {
  readonly file: string
  readonly diagnostics: readonly Diagnostic[]
  readonly add: <Key extends ErrorKey>(key: Key, values: Values<Key>, range: Range, remedy?: Remedy) => void
  readonly addAll: (diagnostics: readonly Diagnostic[]) => void
  /** Problems of an expression; `shift`: where it begins in the scalar's text (a hole of a text). */
  readonly addProblems: (problems: readonly Problem[], scalar: ScalarText, shift?: number) => void
}

export interface Remedy {
  readonly suggestion?: string | undefined
  readonly notes?: readonly (DiagnosticNote | string)[]
}

/** `declarationOf` tells where a name that a note of the language points at is declared (`enrich.profile`, `profile`). */
export function createReport(file: string, declarationOf: (declaration: string) => Range | undefined): Report {
  const diagnostics: Diagnostic[] = []
  return {
    file,
    diagnostics,
    add: (key, values, range, remedy = {}) => {
      const notes = (remedy.notes ?? []).map(note => (typeof note === 'string' ? { message: note } : note))
      diagnostics.push(diagnostic(key, values, { file, range, suggestion: remedy.suggestion, notes }))
    },
    addAll: found => void diagnostics.push(...found),
    addProblems: (problems, scalar, shift = 0) => {
      for (const problem of problems) {
        diagnostics.push(fromProblem(problem, scalar, file, { shift, declarations: declarationOf }))
      }
    },
  }
}
