// Shared parts: the YAML files that a scenario names under `use`. Their parts become parts of the scenario, before its own, in one
// namespace; yet the expressions of a shared file see only what stands in that file and the fields of `event` that it `needs`, so that it
// means the same in each scenario. Sections are read as a scenario's (reader.ts); an offset tells which file a part stands in (texts.ts).
import { posix } from 'node:path'
import type { Declaration } from '../language/checked.ts'
import type { Range } from '../language/problem.ts'
import { describeType, type Field, isAssignable } from '../language/types.ts'
import { readFields } from './declared-types.ts'
import { type Diagnostic, diagnostic } from './diagnostics.ts'
import type { Folder } from './folder.ts'
import { NameMap, type Names } from './names.ts'
import { readSharedFile } from './reader.ts'
import type { Report } from './report.ts'
import type { Source } from './scenario.ts'
import { nearest } from './suggestion.ts'
import type { Located, ScenarioSyntax, SharedSyntax } from './syntax.ts'
import { holds, isShared, placedBefore, type SharedText } from './texts.ts'

export interface WithShared {
  /** With the parts of the shared files before its own. Absent where a shared file alone cannot be used. */
  readonly syntax?: ScenarioSyntax
  readonly texts: readonly SharedText[]
  readonly diagnostics: readonly Diagnostic[]
  readonly refused: readonly Range[]
  /** Parts are lacking, since a file cannot be found or read. */
  readonly usesUnknown: boolean
}

export function withShared(syntax: ScenarioSyntax, folder: Partial<Folder>): WithShared {
  const { use = [], file } = syntax
  if (use.length === 0) return { syntax, texts: [], diagnostics: [], refused: [], usesUnknown: false }
  const diagnostics: Diagnostic[] = []
  let isRefused = false
  const found: (Omit<SharedText, 'start'> & { readonly usedAt: Range })[] = []
  for (const { value: path, range } of use) {
    const shared = textOf({ value: path, range }, syntax, folder)
    const earlier = found.find(each => 'path' in shared && each.file === shared.file)
    if (!('path' in shared)) {
      diagnostics.push(shared)
      isRefused = true
    } else if (earlier === undefined) found.push({ ...shared, usedAt: range })
    else {
      const notes = [{ message: 'It is used already:', range: earlier.usedAt }, { message: 'Remove one of the two.' }]
      diagnostics.push(diagnostic('yaml-duplicate', { key: path }, { file, range, notes }))
    }
  }
  const texts = placedBefore(found)
  const read = texts.map(readSharedFile)
  diagnostics.push(...read.flatMap(each => each.diagnostics))
  const shared = read.flatMap((each, index): SharedSyntax[] =>
    each.syntax === undefined ? [] : [{ ...each.syntax, usedAt: found[index]!.usedAt }],
  )
  return {
    syntax: merged(syntax, shared),
    texts,
    diagnostics,
    refused: read.flatMap(each => each.refused),
    usesUnknown: isRefused || shared.length < read.length,
  }
}

/** A shared file alone, as in a scenario whose event has just what the file needs. */
export function aloneScenario(file: string, text: string): WithShared {
  const texts = placedBefore([{ path: file, file, text }])
  const { syntax: shared, diagnostics, refused } = readSharedFile(texts[0]!)
  const usesUnknown = false
  if (shared === undefined) return { texts, diagnostics, refused, usesUnknown }
  const nowhere = { start: 0, end: 0 }
  const syntax: ScenarioSyntax = {
    file,
    text: '',
    name: { value: 'shared', range: nowhere },
    source: {
      range: nowhere,
      topic: { value: 'shared', range: nowhere },
      event: shared.needs ?? { kind: 'map', entries: [], range: nowhere },
      settings: new Map(),
    },
    enrich: [],
    state: [],
    variables: [],
    filters: [],
    decisions: [],
    sinks: [],
    examples: [],
  }
  return { syntax: merged(syntax, [{ ...shared, usedAt: nowhere }]), texts, diagnostics, refused, usesUnknown }
}

/** The names that expressions of a shared file see: its own, what sluice provides, and of `event` what it needs. Not `key` and `headers`. */
export function namesOfShared(
  shared: SharedSyntax,
  fields: ReadonlyMap<string, Field>,
  names: Names,
): ReadonlyMap<string, Declaration> {
  return new NamesOfShared(shared, { type: { kind: 'object', fields } }, names)
}

/** The fields that a shared file needs; reports those that the event does not have so. */
export function readNeeds(
  shared: SharedSyntax,
  event: Source['event'],
  scenario: string,
  report: Report,
): ReadonlyMap<string, Field> {
  if (shared.needs === undefined) return new Map()
  const { fields, ranges } = readFields(shared.needs, 'needs', report)
  for (const [field, needed] of fields) {
    if (needed.type.kind === 'error') continue
    if ('default' in needed) {
      const notes = [`Write "${field}: ${describeType(needed.type)}" or "${field}?: ${describeType(needed.type)}".`]
      report.add('shared-needs/default', { field }, ranges.get(field)!, { notes })
      continue
    }
    const found = lackOf(event.fields.get(field), needed, scenario)
    if (found === undefined) continue
    const values = { file: shared.path, field, needed: describeType(needed.type), found }
    const notes = [{ message: 'It is needed here:', range: ranges.get(field)! }]
    report.add('shared-needs', values, shared.usedAt, { notes })
  }
  return fields
}

function lackOf(field: Field | undefined, needed: Field, scenario: string): string | undefined {
  if (field === undefined) return `which the event of scenario "${scenario}" does not have`
  // An enumeration is a string with a promise: it may be more than what is needed.
  if (!isAssignable(field.type, needed.type)) return `which is ${describeType(field.type)} in scenario "${scenario}"`
  return field.optional && !needed.optional ? `which may be missing in scenario "${scenario}"` : undefined
}

/** In a shared file a name may be unknown though the scenario has it: what is to be done about that. */
export function withCureOfShared(found: Diagnostic): Diagnostic {
  if (!isShared(found) || found.suggestion !== undefined) return found
  const isEventField = found.id === 'unknown-field' && found.message.startsWith('"event"')
  if (!isEventField && found.id !== 'unknown-name') return found
  const message = isEventField
    ? 'A shared file sees the fields of the event that stand under its "needs". Add it there.'
    : 'A shared file sees its own names, "event", "now", "scenario" and "record", and nothing of the scenario that uses it.'
  return { ...found, notes: [...found.notes, { message }] }
}

function textOf(
  { value: path, range }: Located<string>,
  { file: scenarioFile, use = [] }: ScenarioSyntax,
  { readFile, fileNames }: Partial<Folder>,
): Omit<SharedText, 'start'> | Diagnostic {
  if (path.endsWith('.ts')) {
    const notes = [{ message: 'Write what it computes as a variable under "let", here or in a shared file (.yml).' }]
    return diagnostic('not-built-yet', { what: 'Calling TypeScript from a scenario' }, { file: scenarioFile, range, notes })
  }
  const refuse = (found: string, message?: string): Diagnostic => {
    const others = use.flatMap(other => (other.value === path ? [] : [posix.normalize(other.value)]))
    const suggestion = fileNames && meantPath(path, fileNames, others)
    const notes = suggestion === undefined && message !== undefined ? [{ message }] : []
    const needed = 'paths of shared files (.yml)'
    return diagnostic('wrong-shape', { key: 'use', needed, found }, { file: scenarioFile, range, suggestion, notes })
  }
  if (!isYaml(path)) return refuse(`"${path}"`)
  try {
    if (readFile === undefined) throw new Error('files cannot be read here')
    // The path is part of the keys of caps that are shared: "./shared/a.yml" and "shared/a.yml" count together.
    const file = posix.join(posix.dirname(scenarioFile.replaceAll('\\', '/')), path)
    return { path: posix.normalize(path), file, text: readFile(path) }
  } catch {
    return refuse(`"${path}", which cannot be read`, `Paths are relative to the scenario's file.`)
  }
}

const isYaml = (path: string): boolean => /\.ya?ml$/.test(path)

/** A shared file whose name is near, where the path looks for it, else where shared files usually are; whatever the ending. */
function meantPath(path: string, fileNames: Folder['fileNames'], others: readonly string[]): string | undefined {
  const written = posix.parse(posix.normalize(path))
  // Beside the scenario stand other scenarios.
  const folders = [written.dir, 'shared'].filter(folder => folder !== '')
  for (const folder of folders) {
    const files = fileNames(folder).filter(name => isYaml(name) && !others.includes(posix.join(folder, name)))
    const meant = nearest(
      written.name,
      files.map(name => posix.parse(name).name),
    )
    const file = files.find(name => posix.parse(name).name === meant)
    if (file !== undefined) return posix.join(folder, file)
  }
  return undefined
}

function merged(syntax: ScenarioSyntax, shared: readonly SharedSyntax[]): ScenarioSyntax {
  return {
    ...syntax,
    shared,
    enrich: [...shared.flatMap(({ enrich }) => enrich), ...syntax.enrich],
    state: [...shared.flatMap(({ state }) => state), ...syntax.state],
    variables: [...shared.flatMap(({ variables }) => variables), ...syntax.variables],
    filters: [...shared.flatMap(({ filters }) => filters), ...syntax.filters],
    decisions: [...shared.flatMap(({ decisions }) => decisions), ...syntax.decisions],
  }
}

const seenEverywhere: ReadonlySet<string> = new Set(['now', 'scenario', 'record'])

class NamesOfShared extends NameMap {
  readonly #shared: SharedSyntax
  readonly #event: Declaration
  readonly #names: Names

  constructor(shared: SharedSyntax, event: Declaration, names: Names) {
    super()
    this.#shared = shared
    this.#event = event
    this.#names = names
  }

  get(name: string): Declaration | undefined {
    if (name === 'event') return this.#event
    return this.#isSeen(name) ? this.#names.get(name) : undefined
  }

  has(name: string): boolean {
    return name === 'event' || (this.#isSeen(name) && this.#names.has(name))
  }

  #isSeen(name: string): boolean {
    const range = this.#names.rangeOf(name)
    // A name without a place was refused where it is declared.
    return seenEverywhere.has(name) || range === undefined || holds(this.#shared, range)
  }

  keys(): MapIterator<string> {
    return [...this.#names.keys()].filter(name => this.has(name)).values()
  }
}
