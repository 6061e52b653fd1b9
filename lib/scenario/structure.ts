// Checks a scenario file's tree against the description of sections, and gives each place's value where it is as described. A misspelt
// key whose meaning is sure counts as the key that was meant, so that one slip gives one message.
import type { Range } from '../language/problem.ts'
import { type Diagnostic, type DiagnosticNote, diagnostic } from './diagnostics.ts'
import type { ErrorKey, Values } from './errors.ts'
import type { Key, Section, Shape } from './sections.ts'
import { nearest } from './suggestion.ts'
import type { Entry, Node } from './syntax.ts'
import { overlaps } from './yaml.ts'

export interface Structure {
  readonly diagnostics: readonly Diagnostic[]
  /** Whether all that stands in the file can be used; else saying more about it could be wrong. */
  readonly isWhole: boolean
  /** Entries of the sections, by the keys that were meant. */
  readonly keysOf: (node: Node) => ReadonlyMap<string, Entry>
}

export function checkStructure(root: Node, section: Section, file: string, refused: readonly Range[]): Structure {
  const checking = new Checking(file, refused)
  checking.shape(root, section, { what: 'The file', key: 'the file', range: root.range, isVariablePlace: false })
  return { diagnostics: checking.diagnostics, isWhole: checking.isWhole, keysOf: node => checking.meant.get(node) ?? new Map() }
}

interface Place {
  /** At the beginning of a sentence: `Enricher "profile"`. */
  readonly what: string
  readonly key: string
  /** Where the key stands. */
  readonly range: Range
  /** `${…}` works under `function` alone. */
  readonly isVariablePlace: boolean
}

class Checking {
  readonly diagnostics: Diagnostic[] = []
  readonly meant = new Map<Node, ReadonlyMap<string, Entry>>()
  isWhole = true
  private readonly file: string
  private readonly refused: readonly Range[]

  constructor(file: string, refused: readonly Range[]) {
    this.file = file
    this.refused = refused
  }

  shape(node: Node, shape: Shape, place: Place): void {
    if (this.isPlaceholder(node)) {
      // An expression's placeholder has a type that agrees with everything; without a section its names would be unknown.
      if (shape.kind !== 'expression' && shape.kind !== 'value') this.isWhole = false
      return
    }
    if (place.isVariablePlace && node.kind === 'scalar' && isVariable(node.scalar.text)) return
    switch (shape.kind) {
      case 'section':
        return this.section(node, shape, place)
      case 'names':
        return this.names(node, shape, place)
      case 'list':
        return this.list(node, shape, place)
      case 'fields':
        return this.fields(node, place)
      case 'type':
        if (this.holdsPlaceholder(node)) this.isWhole = false
        if (node.kind === 'list' || node.kind === 'null')
          this.wrongShape(node, place, 'a type, or a map of fields and their types')
        return
      case 'value':
        this.variables(node, place)
        return
      case 'literal':
        if (this.holdsPlaceholder(node)) this.isWhole = false
        return
      case 'text':
      case 'expression':
      case 'choice':
      case 'number':
      case 'bool':
      case 'duration':
        return this.scalar(node, shape, place)
      default:
        return shape satisfies never
    }
  }

  private isPlaceholder(node: Node): boolean {
    return node.kind === 'scalar' && overlaps(this.refused, node.range)
  }

  private section(node: Node, section: Section, place: Place): void {
    if (node.kind !== 'map') return this.wrongShape(node, place, needsOf(section))
    const entries = new Map<string, Entry>()
    // Exact keys first: a misspelt one is not taken for a key that is there, too.
    const written = new Set(node.entries.map(entry => entry.name.value))
    for (const entry of node.entries) {
      const name = entry.name.value
      const key = Object.hasOwn(section.keys, name) ? section.keys[name] : undefined
      if (key) {
        entries.set(name, entry)
        continue
      }
      // What Serverless takes beside is not known here; a known key in another case is a slip.
      if (section.open && !Object.keys(section.keys).some(known => known.toLowerCase() === name.toLowerCase())) continue
      const candidates = Object.keys(section.keys).filter(
        candidate => !written.has(candidate) && !isUnavailable(section.keys[candidate]!),
      )
      const suggestion = nearest(name, candidates)
      const notes =
        suggestion === undefined
          ? [
              {
                message: `It takes ${quotedList(Object.keys(section.keys).filter(each => !isUnavailable(section.keys[each]!)))}.`,
              },
            ]
          : []
      this.report('unknown-key', { place: place.what, key: name }, entry.name.range, { suggestion, notes })
      if (suggestion !== undefined) entries.set(suggestion, entry)
    }
    this.meant.set(node, entries)
    for (const [name, entry] of entries) this.key(name, section.keys[name]!, entry, place)
    this.requiredKeys(node, section, entries, place)
  }

  private key(name: string, key: Key, entry: Entry, place: Place): void {
    if (key.notBuilt) {
      this.isWhole = false
      return this.report('not-built-yet', { what: key.notBuilt.what }, entry.name.range, {
        notes: [{ message: key.notBuilt.instead }],
      })
    }
    if (key.refused) {
      return this.report('setting-refused', { key: name, reason: key.refused.reason }, entry.name.range, {
        notes: [{ message: key.refused.instead }],
      })
    }
    const isVariablePlace = place.isVariablePlace || (place.key === 'the file' && name === 'function')
    const what = key.shape.kind === 'section' ? capitalized(`"${name}"`) : place.what
    this.shape(entry.value, key.shape, { what, key: name, range: entry.name.range, isVariablePlace })
  }

  private requiredKeys(node: Node, section: Section, entries: ReadonlyMap<string, Entry>, place: Place): void {
    const where = place.key === 'the file' ? { start: node.range.start, end: firstLineEnd(node) } : place.range
    for (const [name, key] of Object.entries(section.keys)) {
      if (key.required && !entries.has(name)) this.missing('missing-key', { place: place.what, key: name }, where)
    }
    for (const group of section.oneOf ?? []) {
      const present = group.filter(name => entries.has(name))
      const known = group.filter(name => !isUnavailable(section.keys[name]!))
      if (present.length === 0 && known.length === 1) this.missing('missing-key', { place: place.what, key: known[0]! }, where)
      else if (present.length === 0)
        this.missing('missing-key/one-of', { place: place.what, keys: quotedList(known, 'or') }, where)
      else if (present.length > 1) {
        const [first, second] = present.map(name => entries.get(name)!)
        this.missing('too-many-keys', { place: place.what, keys: quotedList(present) }, second!.name.range, [
          { message: 'The first one:', range: first!.name.range },
        ])
      }
    }
  }

  private missing<Key extends ErrorKey>(
    key: Key,
    values: Values<Key>,
    range: Range,
    notes: readonly DiagnosticNote[] = [],
  ): void {
    this.isWhole = false
    this.report(key, values, range, { notes })
  }

  private names(node: Node, shape: Shape & { kind: 'names' }, place: Place): void {
    if (node.kind !== 'map') return this.wrongShape(node, place, `a map with a name for each entry`)
    const word = capitalized(shape.word.replace(/^an? /, ''))
    for (const { name, value } of node.entries) {
      if (shape.word === 'a variable' && (value.kind === 'map' || value.kind === 'list')) {
        this.isWhole = false
        const notes = [{ message: 'Write the map or list where it is used, or as an expression after ">-".' }]
        this.report('not-built-yet', { what: 'A variable that is a map or list' }, value.range, { notes })
        continue
      }
      this.shape(value, shape.element, {
        what: `${word} "${name.value}"`,
        key: name.value,
        range: name.range,
        isVariablePlace: false,
      })
    }
  }

  private list(node: Node, shape: Shape & { kind: 'list' }, place: Place): void {
    if (node.kind !== 'list') return this.wrongShape(node, place, 'a list', listOf(node, shape))
    if (shape.maximum !== undefined && node.items.length > shape.maximum) {
      this.report(
        'setting-range',
        { key: place.key, needed: `at most ${shape.maximum} elements`, found: node.items.length },
        node.range,
      )
    }
    const word = { examples: 'An example', steps: 'A step', rules: 'A rule' }[place.key] ?? `An element of "${place.key}"`
    for (const item of node.items) {
      const range = item.kind === 'map' && item.entries[0] ? item.entries[0].name.range : item.range
      this.shape(item, shape.element, { what: word, key: place.key, range, isVariablePlace: place.isVariablePlace })
    }
  }

  /** Types are the analysis' matter; here only that it is a map, with values that were not refused. */
  private fields(node: Node, place: Place): void {
    if (node.kind !== 'map') return this.wrongShape(node, place, 'a map of fields and their types')
    if (this.holdsPlaceholder(node)) this.isWhole = false
    this.variables(node, place)
  }

  private holdsPlaceholder(node: Node): boolean {
    if (node.kind === 'map') return node.entries.some(({ value }) => this.holdsPlaceholder(value))
    return node.kind === 'list' ? node.items.some(item => this.holdsPlaceholder(item)) : this.isPlaceholder(node)
  }

  private scalar(node: Node, shape: Shape, place: Place): void {
    if (node.kind !== 'scalar') return this.wrongShape(node, place, neededBy(shape))
    if (this.variables(node, place)) return
    const found = node.scalar.text
    const value = readScalar(found, shape)
    if (value === undefined) {
      this.report('setting-range', { key: place.key, needed: neededBy(shape), found: shownValue(found) }, node.range, {
        suggestion: shape.kind === 'choice' ? nearest(found, shape.values) : undefined,
      })
      // Which rows count, or what a look-up's absence does, decides what else is right.
      if (shape.kind === 'choice' || place.key === 'rank') this.isWhole = false
    }
  }

  private wrongShape(node: Node, place: Place, needed: string, suggestion?: string): void {
    this.isWhole = false
    const found = {
      map: 'a map',
      list: 'a list',
      null: 'null',
      scalar: node.kind === 'scalar' ? shownValue(node.scalar.text) : '',
    }[node.kind]
    this.report('wrong-shape', { key: place.key, needed, found }, node.range, { suggestion })
  }

  /** Looks for `${…}` in all of a tree. */
  private variables(node: Node, place: Place): boolean {
    if (this.isPlaceholder(node)) return false
    if (node.kind === 'map')
      return node.entries.map(entry => this.variables(entry.value, { ...place, key: entry.name.value })).some(Boolean)
    if (node.kind === 'list') return node.items.map(item => this.variables(item, place)).some(Boolean)
    if (node.kind !== 'scalar' || (place.key === 'description' && place.what === 'The file')) return false
    const at = node.scalar.text.indexOf('${')
    if (at === -1) return false
    this.isWhole = false
    const close = node.scalar.text.indexOf('}', at)
    const range = { start: node.scalar.fileOffset(at), end: node.scalar.fileOffset(close === -1 ? at + 1 : close) + 1 }
    const notes = [
      {
        message:
          'What differs between stages stands in serverless.yml (cluster, addresses, and under "sources" what differs of "source") or under "function". For a dollar sign before a hole write {"$"}.',
      },
    ]
    this.report('misplaced-variable', { place: `"${place.key}"` }, range, { notes })
    return true
  }

  private report<Key extends ErrorKey>(
    key: Key,
    values: Values<Key>,
    range: Range,
    more: { readonly suggestion?: string | undefined; readonly notes?: readonly DiagnosticNote[] } = {},
  ): void {
    this.diagnostics.push(diagnostic(key, values, { file: this.file, range, ...more }))
  }
}

/** One text, or several between commas, where a list of them belongs. */
function listOf(node: Node, { element }: Shape & { kind: 'list' }): string | undefined {
  if (node.kind !== 'scalar' || element.kind !== 'text') return undefined
  return /^[\w./-]+(, *[\w./-]+)*$/.test(node.scalar.text) ? `[${node.scalar.text}]` : undefined
}

/** A literal by its shape; undefined: it is none of that shape. */
export function readScalar(text: string, shape: Shape): string | number | boolean | undefined {
  switch (shape.kind) {
    case 'text':
      return shape.pattern && !shape.pattern.test(text) ? undefined : text
    case 'choice':
      return shape.values.includes(text) ? text : undefined
    case 'bool':
      return text === 'true' ? true : text === 'false' ? false : undefined
    case 'number': {
      const form = shape.integer ? /^-?\d{1,15}$/ : /^-?\d{1,15}(\.\d+)?$/
      const value = form.test(text) ? Number(text) : Number.NaN
      return value >= shape.minimum && value <= shape.maximum ? value : undefined
    }
    case 'duration': {
      const value = durationMs(text)
      return value !== undefined && value >= shape.minimumMs && value <= shape.maximumMs ? value : undefined
    }
    default:
      return text
  }
}

/** `800ms`, `5m`, `12h`, `7d` */
export function durationMs(text: string): number | undefined {
  const [, count, unit] = /^(\d{1,12})(ms|s|m|h|d)$/.exec(text) ?? []
  if (count === undefined) return undefined
  return Number(count) * { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit as 'ms' | 's' | 'm' | 'h' | 'd']
}

function neededBy(shape: Shape): string {
  switch (shape.kind) {
    case 'text':
      return shape.needed ?? 'a text'
    case 'expression':
      return 'an expression'
    case 'choice':
      return quotedList(shape.values, 'or')
    case 'bool':
      return '"true" or "false"'
    case 'number': {
      const unit = shape.unit === undefined ? '' : ` ${shape.unit}`
      return `${shape.integer ? 'a whole number' : 'a number'} from ${grouped(shape.minimum)} to ${grouped(shape.maximum)}${unit}`
    }
    case 'duration':
      return `a duration from ${shape.range} ("800ms", "5m", "12h", "7d")`
    default:
      return 'a value'
  }
}

const grouped = (value: number): string => value.toLocaleString('en-US')

function shownValue(text: string): string {
  const line = text.split('\n')[0]!
  const shown = line.length > 60 ? `${line.slice(0, 60)}…` : line
  return shown.includes('"') ? shown : `"${shown}"`
}

/** What a section cannot do without. */
function needsOf(section: Section): string {
  const required = Object.keys(section.keys).filter(name => section.keys[name]!.required)
  const groups = (section.oneOf ?? []).map(group =>
    quotedList(
      group.filter(name => !isUnavailable(section.keys[name]!)),
      'or',
    ),
  )
  const needs = [...required.map(name => `"${name}"`), ...groups]
  return needs.length > 0 ? `a map with ${needs.join(' and ')}` : 'a map'
}

const isUnavailable = (key: Key): boolean => key.refused !== undefined || key.notBuilt !== undefined

const isVariable = (text: string): boolean => text.includes('${')

function firstLineEnd(node: Node): number {
  return node.kind === 'map' && node.entries[0] ? node.entries[0].name.range.end : node.range.end
}

const capitalized = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

/** `"a", "b" and "c"` */
export function quotedList(names: readonly string[], conjunction: 'and' | 'or' = 'and'): string {
  const quoted = names.map(name => `"${name}"`)
  return quoted.length < 2 ? quoted.join('') : `${quoted.slice(0, -1).join(', ')} ${conjunction} ${quoted.at(-1)}`
}
