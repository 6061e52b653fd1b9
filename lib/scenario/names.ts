// The one namespace of a scenario: what expressions may refer to. Sections may refer to each other in any order, so a name's type is
// found when somebody first asks for it. A name that is asked for while it is being found is part of a cycle; it is told of by
// cycles.ts, and has the type `error` here, so that nothing else is said about it.
import type { Declaration, Scope } from '../language/checked.ts'
import type { Range } from '../language/problem.ts'
import type { Report } from './report.ts'
import type { Located } from './syntax.ts'

export interface Names extends ReadonlyMap<string, Declaration> {
  readonly declare: (name: Located<string>, kind: NameKind, find: () => Declaration) => void
  readonly kindOf: (name: string) => NameKind | undefined
  readonly rangeOf: (name: string) => Range | undefined
  /** Whether some name was asked for while it was being found. */
  readonly metItself: () => boolean
}

export type NameKind = 'given' | 'variable' | 'filter' | 'enricher' | 'decision' | 'remember' | 'cap' | 'loop'

/** What sluice itself provides. */
export const givenNames = ['event', 'key', 'headers', 'now', 'scenario', 'record'] as const

// CEL's own words: its specification reserves them, or they are roots of its functions.
const languageWords = new Set(
  (
    'true false null in as break const continue else for function if import let loop package namespace return var void while ' +
    'int uint double bool string bytes list map type duration timestamp dyn math strings optional geo cel'
  ).split(' '),
)

export function createNames(report: Report): Names {
  return new NamesOnDemand(report)
}

/** These names and some more, as in a loop. Asks for no type. */
export function withNames(
  names: ReadonlyMap<string, Declaration>,
  more: ReadonlyMap<string, Declaration>,
): ReadonlyMap<string, Declaration> {
  return more.size === 0 ? names : new NamesWithMore(names, more)
}

export function withLoop(scope: Scope, element: string, declaration: Declaration): Scope {
  return { ...scope, names: withNames(scope.names, new Map([[element, declaration]])) }
}

/** Whether a name may be given in this file; reports it if not. */
export function isFreeName(name: Located<string>, kind: NameKind, names: Names, report: Report): boolean {
  const reason = reasonAgainst(name.value)
  if (reason !== undefined) {
    report.add('reserved-name', { name: name.value, reason }, name.range)
    return false
  }
  const earlier = names.kindOf(name.value)
  if (earlier === undefined) return true
  const earlierRange = names.rangeOf(name.value)
  const notes = earlierRange === undefined ? [] : [{ message: `The other "${name.value}":`, range: earlierRange }]
  report.add('duplicate-name', { name: name.value, first: words[earlier], second: words[kind] }, name.range, { notes })
  return false
}

const words: Record<NameKind, string> = {
  given: 'what sluice provides',
  variable: 'a variable',
  filter: 'a filter',
  enricher: 'an enricher',
  decision: 'a decision',
  remember: 'what is remembered',
  cap: 'a cap',
  loop: 'the element of a "forEach"',
}

function reasonAgainst(name: string): string | undefined {
  if ((givenNames as readonly string[]).includes(name)) return 'sluice provides a value of that name'
  if (languageWords.has(name)) return 'it is a word of the expression language'
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return 'expressions need letters, digits and "_", and no digit first'
  return undefined
}

interface Entry {
  readonly kind: NameKind
  readonly range: Range
  readonly find: () => Declaration
  state: 'open' | 'searching' | Declaration
}

const unknown: Declaration = { type: { kind: 'error' } }

/** A map of names, by the three things in which they differ. */
export abstract class NameMap implements ReadonlyMap<string, Declaration> {
  abstract get(name: string): Declaration | undefined
  abstract has(name: string): boolean
  abstract keys(): MapIterator<string>

  get size(): number {
    return [...this.keys()].length
  }

  values(): MapIterator<Declaration> {
    return new Map(this.entries()).values()
  }

  entries(): MapIterator<[string, Declaration]> {
    return new Map([...this.keys()].map(name => [name, this.get(name)!])).entries()
  }

  [Symbol.iterator](): MapIterator<[string, Declaration]> {
    return this.entries()
  }

  forEach(callback: (value: Declaration, key: string, map: ReadonlyMap<string, Declaration>) => void): void {
    for (const [name, declaration] of this.entries()) callback(declaration, name, this)
  }
}

// Looking at all entries would ask for all types in the middle of finding one; therefore only `keys` may be iterated.
class NamesOnDemand extends NameMap implements Names {
  readonly #entries = new Map<string, Entry>()
  readonly #report: Report
  /** Told of where they are declared; their uses are no news. */
  readonly #refused = new Set<string>()
  #metItself = false

  constructor(report: Report) {
    super()
    this.#report = report
  }

  declare = (name: Located<string>, kind: NameKind, find: () => Declaration): void => {
    if (kind !== 'given' && !isFreeName(name, kind, this, this.#report)) {
      // In an expression `is-new` reads as `is` minus `new`.
      for (const word of [name.value, ...name.value.split(/\W+/)]) this.#refused.add(word)
      return
    }
    this.#entries.set(name.value, { kind, range: name.range, find, state: 'open' })
  }

  kindOf = (name: string): NameKind | undefined => this.#entries.get(name)?.kind
  rangeOf = (name: string): Range | undefined => this.#entries.get(name)?.range

  metItself = (): boolean => this.#metItself

  get(name: string): Declaration | undefined {
    const entry = this.#entries.get(name)
    if (entry === undefined) return this.#refused.has(name) ? unknown : undefined
    if (entry.state === 'searching') {
      this.#metItself = true
      return unknown
    }
    if (entry.state === 'open') {
      entry.state = 'searching'
      entry.state = entry.find()
    }
    return entry.state
  }

  has(name: string): boolean {
    return this.#entries.has(name) || this.#refused.has(name)
  }

  keys(): MapIterator<string> {
    return this.#entries.keys()
  }
}

class NamesWithMore extends NameMap {
  readonly #names: ReadonlyMap<string, Declaration>
  readonly #more: ReadonlyMap<string, Declaration>

  constructor(names: ReadonlyMap<string, Declaration>, more: ReadonlyMap<string, Declaration>) {
    super()
    this.#names = names
    this.#more = more
  }

  get(name: string): Declaration | undefined {
    return this.#more.get(name) ?? this.#names.get(name)
  }

  has(name: string): boolean {
    return this.#more.has(name) || this.#names.has(name)
  }

  keys(): MapIterator<string> {
    return new Set([...this.#names.keys(), ...this.#more.keys()]).values()
  }
}
