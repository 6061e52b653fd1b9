// What checking gives: a typed tree that the JavaScript translator and the reference interpreter both start from.
import type { Problem, Range } from './problem.ts'
import type { Expr } from './syntax.ts'
import type { Typed } from './typed.ts'
import type { Type } from './types.ts'

/** A name that an expression may use. */
export interface Declaration {
  readonly type: Type
  /** May the name itself have no value (`blocked.value` of a missing look-up is a field; a cap is a name)? */
  readonly optional?: boolean
}

/** The names in scope, and what is known to hold where the expression stands. */
export interface Scope {
  readonly names: ReadonlyMap<string, Declaration>
  /** Conditions known to be true here, for narrowing: filters (in sinks), the sink's `when`, `has(…)` of an enclosing row. */
  readonly facts?: readonly Checked[]
  /** All CEL (dynamic types, no presence rules, uint, bytes …) for the conformance suite; scenarios are never dynamic. */
  readonly dynamic?: boolean
  /** Names the places where sluice is more lenient than standard CEL (literal promotion): hints `not-standard`. */
  readonly strict?: boolean
  /** Time zones and patterns are checked against this; default: the running Node's Intl. */
}

export interface Checked {
  readonly source: string
  /** As written. */
  readonly tree: Expr
  /** With types and chosen operations: what is translated and interpreted. */
  readonly typed: Typed
  /** Without the optional wrapper if `mayBeMissing`. */
  readonly type: Type
  /** `event.?country`, or a name that may be missing: undefined at run time. Allowed only where the place says so (`allowMissing`). */
  readonly mayBeMissing: boolean
  /** Names of the scope that it refers to (references count, not evaluation), each with the paths read: `profile` → {`plan`}, `event` → {`geo.lat`}; the path '' means the whole value. */
  readonly references: ReadonlyMap<string, ReadonlySet<string>>
  /** False only if evaluation can never throw, given that all its references have values. */
  readonly canFail: boolean
  /** Its value where it is the same for every record (a literal, folded constants); absent otherwise. */
  readonly constant?: { readonly value: unknown }
  readonly problems: readonly Problem[]
}

export interface CheckOptions {
  /** The type that the place needs; literals are promoted to it. */
  readonly expected?: Type
  /** Whether the place takes a value that may be missing (entries of `value`, `headers`, `set`; table headings; look-up holes). */
  readonly allowMissing?: boolean
  /** Word for messages: "filter \"adult\"", "the key of sink \"alert\"". */
  readonly place?: string
}

/** How the generated JavaScript reaches a name of the scope. */
export interface JavaScriptTarget {
  /** JavaScript that gives the name's value, e.g. `customer` (a local that the caller declared) or `v_near(c, i)`. */
  readonly reference: (name: string) => string
  /** Whether that JavaScript may throw ExpressionFailure (a look-up that may be broken, a variable that may fail). */
  readonly mayFail: (name: string) => boolean
}

export interface JavaScript {
  /** One JavaScript expression. Uses `std.NAME` for exports of standard/index.ts, and constants by the names in `constants`. */
  readonly code: string
  readonly canFail: boolean
  /** Module-level constants that the code uses (compiled patterns, sets, time stamps): name → JavaScript. */
  readonly constants: ReadonlyMap<string, string>
}

export type { Range }
