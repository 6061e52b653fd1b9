// A scenario file's text → its sections with the place of everything (ScenarioSyntax), or what is wrong with the text. What stands in
// the file is never passed over: a key is known, refused with a reason, or unknown.
import type { Range } from '../language/problem.ts'
import { type Diagnostic, diagnostic, sortDiagnostics } from './diagnostics.ts'
import { patternFault } from './filter-patterns.ts'
import { mappingSection, mappingSettingNames, type Section, type Shape, scenarioFile, sharedFile } from './sections.ts'
import { checkStructure, durationMs, quotedList, readScalar, type Structure } from './structure.ts'
import type {
  DecisionSyntax,
  EnricherSyntax,
  Entry,
  ExampleSyntax,
  Located,
  NamedExpression,
  Node,
  RuleSyntax,
  ScalarText,
  ScenarioSyntax,
  SharedSyntax,
  SinkSyntax,
  SourceSyntax,
  StateSyntax,
} from './syntax.ts'
import { type SharedText, shiftedDiagnostic, shiftedNode, shiftedRange } from './texts.ts'
import { readYaml } from './yaml.ts'

export interface ReadScenario {
  /** Absent where a part of the file cannot be used, so that the analysis would draw wrong conclusions. */
  readonly syntax?: ScenarioSyntax
  readonly diagnostics: readonly Diagnostic[]
  /** Text that YAML would misread: placeholders stand for it in `syntax`, and nothing more should be said of it. */
  readonly refused: readonly Range[]
}

/** `file` is the name for messages, relative to the working directory. */
export function readScenario(file: string, text: string): ReadScenario {
  const { root, diagnostics: traps, refused, isWhole } = readYaml(file, text)
  if (!root) return { diagnostics: sortDiagnostics(orEmpty(traps, file, scenarioBegins)), refused }
  const structure = checkStructure(root, scenarioFile, file, refused)
  const sections = new Sections(structure)
  const top = sections.of(root)
  const diagnostics = sortDiagnostics([...traps, ...structure.diagnostics, ...crossChecks(file, sections, top)])
  const syntax = isWhole && structure.isWhole ? scenarioSyntax(file, text, sections, top) : undefined
  return { ...(syntax ? { syntax } : {}), diagnostics, refused }
}

export interface ReadShared {
  /** Absent where a part of the file cannot be used. */
  readonly syntax?: Omit<SharedSyntax, 'usedAt'>
  readonly diagnostics: readonly Diagnostic[]
  readonly refused: readonly Range[]
}

/** A file that `use` names; all places are counted from where its text begins (texts.ts). */
export function readSharedFile(shared: SharedText): ReadShared {
  const { path, file, text, start } = shared
  const read = readYaml(file, text)
  const found = read.root ? read.diagnostics : orEmpty(read.diagnostics, file, sharedTakes)
  const traps = found.map(each => shiftedDiagnostic(each, start))
  const refused = read.refused.map(range => shiftedRange(range, start))
  if (!read.root) return { diagnostics: traps, refused }
  const { root, diagnostics: misplaced } = withoutForeignSections(shiftedNode(read.root, start), file)
  const structure = checkStructure(root, sharedFile, file, refused)
  const sections = new Sections(structure)
  const top = sections.of(root)
  const diagnostics = [...traps, ...misplaced, ...structure.diagnostics]
  if (!read.isWhole || !structure.isWhole) return { diagnostics, refused }
  const state = sections.entries(top, 'state').map(entry => ({ ...stateSyntax(sections, entry), from: path }))
  const syntax = { ...shared, ...present({ needs: top.get('needs')?.value }), ...partsSyntax(sections, top), state }
  return { syntax, diagnostics, refused }
}

export interface ReadMappingSettings {
  readonly settings: Readonly<Record<string, unknown>>
  /** Without their places none is worth more than its sentence. */
  readonly diagnostics: readonly Diagnostic[]
}

/** The mapping's settings of a scenario as they are with those of a stage (serverless.yml, `sluice.sources`), by the rules of "source". */
export function readMappingSettings(settings: object, delivery: string): ReadMappingSettings {
  const text = JSON.stringify(settings)
  const { root, diagnostics: traps, refused } = readYaml('serverless.yml', text)
  const structure = checkStructure(root!, mappingSection, 'serverless.yml', refused)
  const sections = new Sections(structure)
  const keys = sections.of(root)
  const diagnostics = [...traps, ...structure.diagnostics, ...sourceChecks('serverless.yml', sections, keys, delivery)]
  const values = [...mappingSettings(keys)].map(([name, { value }]) => [name, value])
  return { settings: Object.fromEntries(values), diagnostics }
}

const scenarioBegins = 'A scenario begins with "scenario: NAME", "source:" and "sinks:".'
const sharedTakes = `A shared file takes ${quotedList(Object.keys(sharedFile.keys))}.`

/** YAML finds nothing wrong with comments alone; nobody means such a file. */
function orEmpty(traps: readonly Diagnostic[], file: string, message: string): readonly Diagnostic[] {
  if (traps.length > 0) return traps
  return [diagnostic('yaml-syntax/empty', {}, { file, range: { start: 0, end: 0 }, notes: [{ message }] })]
}

/** Sections that a scenario has and a shared file has not. */
function withoutForeignSections(root: Node, file: string): { readonly root: Node; readonly diagnostics: readonly Diagnostic[] } {
  if (root.kind !== 'map') return { root, diagnostics: [] }
  const isForeign = ({ name }: Entry): boolean =>
    Object.hasOwn(scenarioFile.keys, name.value) && !Object.hasOwn(sharedFile.keys, name.value)
  const diagnostics = root.entries.filter(isForeign).map(({ name }) => {
    const notes = [
      {
        message:
          name.value === 'use'
            ? 'Shared files do not nest: name both under "use" of the scenario.'
            : `Write it in the scenarios that use the file. It takes ${quotedList(Object.keys(sharedFile.keys))}.`,
      },
    ]
    return diagnostic('shared-section', { section: name.value }, { file, range: name.range, notes })
  })
  return { root: { ...root, entries: root.entries.filter(entry => !isForeign(entry)) }, diagnostics }
}

type Keys = ReadonlyMap<string, Entry>

/** Typed access to entries that the structure check has found as described. */
class Sections {
  private readonly structure: Structure

  constructor(structure: Structure) {
    this.structure = structure
  }

  of(node: Node | undefined): Keys {
    return node ? this.structure.keysOf(node) : new Map()
  }

  scalar(keys: Keys, name: string): ScalarText | undefined {
    const value = keys.get(name)?.value
    return value?.kind === 'scalar' ? value.scalar : undefined
  }

  text(keys: Keys, name: string): Located<string> | undefined {
    const scalar = this.scalar(keys, name)
    return scalar && { value: scalar.text, range: scalar.range }
  }

  /** A literal within its bounds; those outside have been reported. */
  setting<T>(keys: Keys, name: string, section: Section): Located<T> | undefined {
    const scalar = this.scalar(keys, name)
    const value = scalar && readScalar(scalar.text, section.keys[name]!.shape)
    return value === undefined ? undefined : { value: value as T, range: scalar!.range }
  }

  list(keys: Keys, name: string): readonly Node[] {
    const value = keys.get(name)?.value
    return value?.kind === 'list' ? value.items : []
  }

  entries(keys: Keys, name: string): readonly Entry[] {
    const value = keys.get(name)?.value
    return value?.kind === 'map' ? value.entries : []
  }
}

function scenarioSyntax(file: string, text: string, sections: Sections, top: Keys): ScenarioSyntax | undefined {
  const name = sections.text(top, 'scenario')
  const source = sourceSyntax(sections, top.get('source')?.value)
  if (!name || !source) return undefined
  const description = sections.text(top, 'description')
  return {
    file,
    text,
    name,
    ...present({
      description: description && { ...description, value: description.value.trim() },
      generation: sections.setting<number>(top, 'generation', scenarioFile),
      delivery: sections.setting<'exactly-once'>(top, 'delivery', scenarioFile),
      stopAbove: sections.setting<number>(sections.of(top.get('deadLetters')?.value), 'stopAbove', sectionAt('deadLetters')),
      redact: redactSyntax(sections, sections.of(top.get('deadLetters')?.value)),
      functionSettings: top.get('function')?.value,
    }),
    source,
    use: texts(sections.list(top, 'use')),
    ...partsSyntax(sections, top),
    sinks: sections.entries(top, 'sinks').flatMap(entry => sinkSyntax(sections, entry) ?? []),
    examples: sections.list(top, 'examples').map(node => exampleSyntax(sections, node)),
  }
}

/** What a shared file may have, too. */
function partsSyntax(
  sections: Sections,
  top: Keys,
): Pick<SharedSyntax, 'enrich' | 'state' | 'variables' | 'filters' | 'decisions'> {
  return {
    state: sections.entries(top, 'state').map(entry => stateSyntax(sections, entry)),
    enrich: sections.entries(top, 'enrich').flatMap(entry => enricherSyntax(sections, entry) ?? []),
    variables: sections.entries(top, 'let').flatMap(named),
    filters: sections.entries(top, 'filter').flatMap(named),
    decisions: sections.entries(top, 'decide').map(entry => decisionSyntax(sections, entry)),
  }
}

function redactSyntax(sections: Sections, keys: Keys): ScenarioSyntax['redact'] {
  return texts(sections.list(keys, 'redact'))
}

function texts(nodes: readonly Node[]): readonly Located<string>[] {
  return nodes.flatMap(node => (node.kind === 'scalar' ? [{ value: node.scalar.text, range: node.range }] : []))
}

function sourceSyntax(sections: Sections, node: Node | undefined): SourceSyntax | undefined {
  const keys = sections.of(node)
  const topic = sections.text(keys, 'topic')
  if (!node || !topic) return undefined
  return {
    range: node.range,
    topic,
    ...present({
      event: keys.get('event')?.value,
      schema: sections.text(keys, 'schema'),
      key: keys.get('key')?.value,
      headers: keys.get('headers')?.value,
    }),
    settings: mappingSettings(keys),
  }
}

function mappingSettings(keys: Keys): ReadonlyMap<string, Located<unknown>> {
  const settings = new Map<string, Located<unknown>>()
  for (const name of mappingSettingNames) {
    const entry = keys.get(name)
    if (!entry) continue
    const value = settingValue(entry.value, mappingSection.keys[name]!.shape)
    if (value !== undefined) settings.set(name, { value, range: entry.value.range })
  }
  return settings
}

/** A setting as plain data: scalars by their shape, else as JSON would have them. */
function settingValue(node: Node, shape: Shape): unknown {
  switch (node.kind) {
    case 'null':
      return null
    case 'list':
      return node.items.map(item => settingValue(item, shape.kind === 'list' ? shape.element : { kind: 'literal' }))
    case 'map': {
      const keys = shape.kind === 'section' ? shape.keys : {}
      return Object.fromEntries(
        node.entries.map(({ name, value }) => [name.value, settingValue(value, keys[name.value]?.shape ?? { kind: 'literal' })]),
      )
    }
    case 'scalar':
      return shape.kind === 'literal' ? plainLiteral(node.scalar) : readScalar(node.scalar.text, shape)
  }
}

function plainLiteral({ text, quoted }: ScalarText): string | number | boolean {
  if (quoted) return text
  if (text === 'true' || text === 'false') return text === 'true'
  return /^-?(0|[1-9]\d{0,14})(\.\d+)?$/.test(text) ? Number(text) : text
}

function sectionAt(name: string): Section {
  const shape = scenarioFile.keys[name]!.shape
  const inner = shape.kind === 'names' || shape.kind === 'list' ? shape.element : shape
  if (inner.kind !== 'section') throw new Error(`"${name}" is no section`)
  return inner
}

function named({ name, value }: Entry): NamedExpression[] {
  return value.kind === 'scalar' ? [{ name, value: value.scalar }] : []
}

const enricherSection = sectionAt('enrich')
const storeNames = ['redis', 'dynamodb', 'http', 'table'] as const

function enricherSyntax(sections: Sections, { name, value: node }: Entry): EnricherSyntax | undefined {
  const keys = sections.of(node)
  const named = storeNames.find(candidate => keys.has(candidate))
  const store = named && keys.get(named)
  const line = named && sections.scalar(keys, named)
  if (!store || !line) return undefined
  const duration = (key: string): Located<number> | undefined => {
    const scalar = sections.scalar(keys, key)
    const value = scalar && durationMs(scalar.text)
    return value === undefined ? undefined : { value, range: scalar!.range }
  }
  return {
    name,
    store: { value: named!, range: store.name.range },
    line,
    ...present({
      fields: keys.get('fields')?.value,
      value: sections.scalar(keys, 'value'),
      body: keys.get('body')?.value,
      batch: sections.setting<'array'>(keys, 'batch', enricherSection),
      consistent: sections.setting<boolean>(keys, 'consistent', enricherSection),
      fieldsKey: keys.get('fields')?.name.range,
      valueKey: keys.get('value')?.name.range,
      forEach: sections.scalar(keys, 'forEach'),
      onMissing: sections.setting<'empty'>(keys, 'onMissing', enricherSection),
      onError: sections.setting<'retry'>(keys, 'onError', enricherSection),
      timeoutMs: duration('timeout'),
      cacheMs: duration('cache'),
    }),
    range: node.range,
  }
}

const stateSection = sectionAt('state')

function stateSyntax(sections: Sections, { name, value: node }: Entry): StateSyntax {
  const keys = sections.of(node)
  const within = sections.scalar(keys, 'within')
  const withinMs = within && durationMs(within.text)
  return {
    name,
    range: node.range,
    ...present({
      key: sections.scalar(keys, 'key'),
      fields: keys.get('fields')?.value,
      when: sections.scalar(keys, 'when'),
      set: keys.get('set')?.value,
      limit: sections.scalar(keys, 'limit'),
      withinMs: withinMs === undefined ? undefined : { value: withinMs, range: within!.range },
      member: sections.scalar(keys, 'member'),
      take: sections.scalar(keys, 'take'),
      shared: sections.setting<boolean>(keys, 'shared', stateSection),
    }),
  }
}

const decisionSection = sectionAt('decide')

function decisionSyntax(sections: Sections, { name, value: node }: Entry): DecisionSyntax {
  const keys = sections.of(node)
  const rules = keys.has('rules') ? sections.list(keys, 'rules').map(rule => ruleSyntax(sections, rule)) : undefined
  return {
    name,
    range: node.range,
    ...present({
      hitPolicy: sections.setting<'unique'>(keys, 'hitPolicy', decisionSection),
      rank: rankSyntax(sections.scalar(keys, 'rank')),
      limit: sections.setting<number>(keys, 'limit', decisionSection),
      onMissing: sections.setting<'empty'>(keys, 'onMissing', decisionSection),
      forEach: sections.scalar(keys, 'forEach'),
      table: sections.scalar(keys, 'table'),
      rules,
    }),
  }
}

function rankSyntax(scalar: ScalarText | undefined): DecisionSyntax['rank'] {
  const [, output, between, order] = /^(\S+)(\s+)(ascending|descending)$/.exec(scalar?.text ?? '') ?? []
  if (!scalar || output === undefined) return undefined
  const place = (start: number, length: number) => ({
    start: scalar.fileOffset(start),
    end: scalar.fileOffset(start + length - 1) + 1,
  })
  return {
    output: { value: output, range: place(0, output.length) },
    order: { value: order as 'ascending', range: place(output.length + between!.length, order!.length) },
  }
}

function ruleSyntax(sections: Sections, node: Node): RuleSyntax {
  const keys = sections.of(node)
  return {
    ...present({ when: sections.scalar(keys, 'when') }),
    then: sections.entries(keys, 'then').flatMap(named),
    range: node.range,
  }
}

function sinkSyntax(sections: Sections, { name, value: node }: Entry): SinkSyntax | undefined {
  const keys = sections.of(node)
  const topic = sections.scalar(keys, 'topic')
  if (!topic) return undefined
  const among = keys.has('among')
    ? sections
        .list(keys, 'among')
        .flatMap(item => (item.kind === 'scalar' ? [{ value: item.scalar.text, range: item.scalar.range }] : []))
    : undefined
  const on = keys.get('on')
  return {
    name,
    range: node.range,
    topic,
    ...present({
      among,
      amongKey: keys.get('among')?.name.range,
      onDropped: on && { start: on.name.range.start, end: on.value.range.end },
      when: sections.scalar(keys, 'when'),
      forEach: sections.scalar(keys, 'forEach'),
      key: sections.scalar(keys, 'key'),
      headers: keys.get('headers')?.value,
      value: keys.get('value')?.value,
    }),
  }
}

function exampleSyntax(sections: Sections, node: Node): ExampleSyntax {
  const keys = sections.of(node)
  const given = (step: Keys) => present({ given: step.get('given')?.value, expect: step.get('expect')?.value })
  const steps = keys.has('steps')
    ? sections.list(keys, 'steps').map(step => ({ ...given(sections.of(step)), range: step.range }))
    : undefined
  return { ...present({ name: sections.text(keys, 'name'), steps }), range: node.range, ...given(keys) }
}

// What no single key shows.

function crossChecks(file: string, sections: Sections, top: Keys): Diagnostic[] {
  const found: Diagnostic[] = []
  const name = sections.text(top, 'scenario')
  const fileName = /(?:^|[\\/])functions[\\/]([^\\/]+)\.yml$/.exec(file)?.[1]
  if (name && fileName !== undefined && fileName !== name.value) {
    const needed = `the name of its file, "${fileName}"`
    const notes = [{ message: 'Commands, function and metrics find a scenario by this name. Rename the file or the scenario.' }]
    found.push(
      diagnostic('setting-range', { key: 'scenario', needed, found: `"${name.value}"` }, { file, range: name.range, notes }),
    )
  }
  const source = sections.of(top.get('source')?.value)
  const delivery = sections.text(top, 'delivery')?.value ?? 'exactly-once'
  return [...found, ...sourceChecks(file, sections, source, delivery)]
}

function sourceChecks(file: string, sections: Sections, source: Keys, delivery: string): Diagnostic[] {
  const found: Diagnostic[] = []
  const refuse = (keys: Keys, key: string, reason: string, instead: string): void => {
    const range = keys.get(key)!.name.range
    found.push(diagnostic('setting-refused', { key, reason }, { file, range, notes: [{ message: instead }] }))
  }
  // Both let later records pass earlier ones, or drop them. Without pollers of its own AWS refuses them anyhow.
  for (const [key, only] of [
    ['maximumRetryAttempts', '-1'],
    ['maximumRecordAgeInSeconds', '-1'],
    ['bisectBatchOnFunctionError', 'false'],
  ] as const) {
    const text = sections.scalar(source, key)?.text
    if (text === undefined || text === only) continue
    if (delivery === 'exactly-once') {
      refuse(source, key, 'exactly-once needs every batch again until it succeeds', 'Remove the line.')
    } else if (!source.has('provisionedPollerConfig')) {
      refuse(source, key, 'AWS takes it only with provisioned pollers', 'Add "provisionedPollerConfig", or remove the line.')
    }
  }
  if (source.has('loggingConfig') && !source.has('provisionedPollerConfig')) {
    refuse(
      source,
      'loggingConfig',
      'AWS takes it only with provisioned pollers',
      'Add "provisionedPollerConfig", or remove the line.',
    )
  }
  const position = sections.scalar(source, 'startingPosition')?.text
  if (position === 'AT_TIMESTAMP' && !source.has('startingPositionTimestamp')) {
    const range = source.get('startingPosition')!.name.range
    found.push(
      diagnostic(
        'missing-key',
        { place: 'A source that starts "AT_TIMESTAMP"', key: 'startingPositionTimestamp' },
        { file, range },
      ),
    )
  } else if (position !== 'AT_TIMESTAMP' && source.has('startingPositionTimestamp')) {
    refuse(
      source,
      'startingPositionTimestamp',
      'AWS takes it only with "startingPosition: AT_TIMESTAMP"',
      'Add that line, or remove this one.',
    )
  }
  const pollers = sections.of(source.get('provisionedPollerConfig')?.value)
  const [minimum, maximum] = ['minimumPollers', 'maximumPollers'].map(key => sections.scalar(pollers, key))
  if (minimum && maximum && Number(minimum.text) > Number(maximum.text)) {
    const needed = `at most "maximumPollers" (${maximum.text})`
    found.push(
      diagnostic('setting-range', { key: 'minimumPollers', needed, found: `"${minimum.text}"` }, { file, range: minimum.range }),
    )
  }
  for (const node of sections.list(source, 'filterPatterns')) {
    const fault = patternFault(settingValue(node, { kind: 'literal' }))
    if (fault) found.push(diagnostic('setting-range', { key: 'filterPatterns', ...fault }, { file, range: node.range }))
  }
  return found
}

/** Leaves out what is undefined: an optional property is absent, not undefined. */
function present<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }
}
