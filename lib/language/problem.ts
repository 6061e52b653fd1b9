// What the language finds wrong with an expression. Ranges are offsets into the expression's own text; the scenario reader, which
// knows where that text stands in the file, turns them into file positions.

/** Half open: `text.slice(start, end)`, in UTF-16 code units. */
export interface Range {
  readonly start: number
  readonly end: number
}

export interface Problem {
  /** An id of the table of errors: `type-mismatch`, `unknown-field`, … */
  readonly id: string
  readonly severity: 'error' | 'warning' | 'hint'
  /** One sentence in the user's words, without id and place. */
  readonly message: string
  readonly range: Range
  /** What to write instead of the text at `range`; only when sure. */
  readonly suggestion?: string
  /** Other places, or the remedy. A note without a range is printed without a place. */
  readonly notes?: readonly ProblemNote[]
}

export interface ProblemNote {
  readonly message: string
  /** Where the note points: into the same text, or at the declaration of a name of the scenario (`enrich.profile`). */
  readonly range?: Range
  readonly declaration?: string
}
