// From a scenario as written to a scenario that is known to be sound: every name resolved, every expression typed, every example read.
// Sections may refer to each other in any order. Types are found on demand (names.ts); then each part is checked once, in file order.
import assert from 'node:assert/strict'
import { posix } from 'node:path'
import type { Declaration, Scope } from '../language/checked.ts'
import type { Range } from '../language/problem.ts'
import { describeType, type Field, type Type } from '../language/types.ts'
import { reportManyPlaces } from './cap-places.ts'
import { reportCapSlots } from './cap-slots.ts'
import { reportCycles } from './cycles.ts'
import { analyseDecision } from './decision/analyse.ts'
import { describeNode, readFields, readType } from './declared-types.ts'
import { type Diagnostic, sortDiagnostics } from './diagnostics.ts'
import { declareEnricher, enricherDeclaration, readEnricher, readEnricherLoop } from './enrichers.ts'
import { readExamples } from './examples.ts'
import { readJsonSchema } from './json-schema.ts'
import { untypedJson } from './literals.ts'
import { createNames, givenNames } from './names.ts'
import { createReport, type Report } from './report.ts'
import type { Cap, Decision, Example, Filter, ForEach, Scenario, Sink, Source, StateEntry, Variable } from './scenario.ts'
import { namesOfShared, readNeeds } from './shared.ts'
import { isTopicName, readSink, topicNeeds } from './sinks.ts'
import { capDeclaration, declareState, readCap, readRemember, rememberDeclaration, type StateContext } from './state.ts'
import { reportCapReads, reportRoundsOfState } from './state-order.ts'
import { nearest } from './suggestion.ts'
import type { NamedExpression, Node, ScenarioSyntax, SourceSyntax } from './syntax.ts'
import { holds, isShared } from './texts.ts'
import { neededNames, reportUsage } from './usage.ts'
import { readCondition, readScalarValue, type TextValue, type Use } from './values.ts'

export interface AnalyseOptions {
  /** State is kept in a Redis Cluster. */
  readonly redisCluster?: boolean
  /** Names the places where sluice is more lenient than standard CEL. */
  readonly strict?: boolean
  /** Reads a file that the scenario names, by its path as written (relative to the scenario's file). */
  readonly readFile?: (path: string) => string
}

export interface Analysis {
  /** Only if there are no errors. */
  readonly scenario?: Scenario
  readonly diagnostics: readonly Diagnostic[]
}

export function analyse(syntax: ScenarioSyntax, options: AnalyseOptions = {}): Analysis {
  const declarationOf = (declaration: string): Range | undefined => names.rangeOf(declaration.replace(/^\w+\./, ''))
  const report: Report = createReport(syntax.file, declarationOf)
  const names = createNames(report)
  const uses: Use[] = []
  const scope: Scope = { names, ...(options.strict === undefined ? {} : { strict: options.strict }) }
  const own = { scope, names, report, uses, readFile: options.readFile }

  const source = readSource(syntax.source, report, options.readFile)
  for (const [name, declaration] of givenDeclarations(source)) {
    names.declare({ value: name, range: { start: 0, end: 0 } }, 'given', () => declaration)
  }

  const { shared = [] } = syntax
  const ofShared = shared.map(file => {
    const fields = readNeeds(file, source.event, syntax.name.value, report)
    const readFile = options.readFile && ((path: string) => options.readFile!(posix.join(posix.dirname(file.path), path)))
    return { file, context: { ...own, scope: { ...scope, names: namesOfShared(file, fields, names) }, readFile } }
  })
  /** What expressions and paths at a place mean: a shared file sees only itself. */
  const contextAt = (range: Range): typeof own => ofShared.find(({ file }) => holds(file, range))?.context ?? own

  const enrichers = syntax.enrich.map(enricher => declareEnricher(enricher, contextAt(enricher.name.range)))
  const loops = new Map<string, ForEach | undefined>()
  for (const enricher of enrichers) {
    const { name } = enricher.syntax
    names.declare(name, 'enricher', () => {
      loops.set(name.value, readEnricherLoop(enricher, contextAt(name.range)))
      return enricherDeclaration(enricher, loops.get(name.value))
    })
  }
  const variables = new Map<string, Variable>()
  for (const { name, value } of syntax.variables) {
    names.declare(name, 'variable', () => {
      const read = readScalarValue(value, { ...contextAt(name.range), owner: name.value, place: `variable "${name.value}"` })
      variables.set(name.value, { name: name.value, range: name.range, value: read, type: typeOfValue(read) })
      return { type: typeOfValue(read) }
    })
  }
  for (const { name } of syntax.filters) names.declare(name, 'filter', () => ({ type: { kind: 'bool' } }))
  const decisions = new Map<string, Decision>()
  for (const decisionSyntax of syntax.decisions) {
    const { name } = decisionSyntax
    names.declare(name, 'decision', () => {
      const found = analyseDecision(decisionSyntax, { ...contextAt(name.range), file: syntax.file, declarationOf })
      report.addAll(found.diagnostics)
      uses.push(...found.expressions.map(checked => ({ owner: name.value, place: `decision "${name.value}"`, checked })))
      if (found.decision === undefined) return { type: { kind: 'error' } }
      decisions.set(name.value, found.decision)
      return { type: found.decision.type }
    })
  }
  const filters = readFilters(syntax.filters, contextAt)
  const states = syntax.state.map(entry => declareState(entry, report))
  const caps = new Map<string, Cap>()
  const stateContextAt = (range: Range): StateContext => {
    const shared = ofShared.find(({ file }) => holds(file, range))
    if (shared === undefined) return { ...own, filters }
    return { ...shared.context, filters: () => filters().filter(filter => holds(shared.file, filter.range)) }
  }
  for (const declared of states) {
    const { name } = declared.syntax
    if (declared.kind !== 'cap') names.declare(name, 'remember', () => rememberDeclaration(declared))
    else {
      names.declare(name, 'cap', () => {
        const cap = readCap(declared, stateContextAt(name.range))
        if (cap === undefined) return { type: { kind: 'error' } }
        caps.set(name.value, cap)
        return capDeclaration(cap)
      })
    }
  }
  // Asking for a name finds its type and checks what it stands for.
  for (const name of [...names.keys()]) names.get(name)

  const readEnrichers = enrichers.flatMap(
    enricher => readEnricher(enricher, loops.get(enricher.syntax.name.value), contextAt(enricher.syntax.name.range)) ?? [],
  )
  const redact = readRedacted(syntax, source, report)
  const state = states.flatMap(
    declared => caps.get(declared.syntax.name.value) ?? readRemember(declared, stateContextAt(declared.syntax.name.range)) ?? [],
  )
  const sinks: Sink[] = syntax.sinks.map(sink =>
    readSink(sink, { ...own, sourceTopic: source.topic, filters: filters().map(filter => filter.condition) }),
  )
  // A name of two things would seem to need itself.
  const doubled = doubledNames(syntax)
  // A round through a cap is told of by `reads-cap`.
  const ordered = uses.filter(use => !doubled.has(use.owner) && names.kindOf(use.owner) !== 'cap')
  const hasCycles = reportCycles([...names.keys()], ordered, names, report)

  const parts = {
    source,
    enrichers: readEnrichers,
    state,
    variables: [...variables.values()],
    filters: filters(),
    decisions: syntax.decisions.flatMap(({ name }) => decisions.get(name.value) ?? []),
    sinks,
  }
  const orderedParts = { ...parts, state: syntax.state }
  if (options.redisCluster === true) reportCapSlots([...caps.values()], report)
  reportManyPlaces([...caps.values()], report)
  reportCapReads(orderedParts, uses, names, report)
  if (!hasCycles) reportRoundsOfState(orderedParts, ordered, names, report)
  // Such a name has no type; a scenario with it must not leave here as sound.
  assert(hasErrors(report.diagnostics) || !names.metItself(), 'a name that needs itself has not been told')
  const examples = readExamples(syntax.examples, parts, {
    report,
    clockReader: clockReader(uses),
    known: new Set([...syntax.enrich, ...syntax.state, ...syntax.decisions].map(({ name }) => name.value)),
  })
  if (!hasErrors(report.diagnostics)) {
    reportUsage(parts, uses, names, report)
    reportCoverage({ ...parts, examples }, syntax, report)
  }

  const diagnostics = sortDiagnostics(withoutRepetitions(report.diagnostics))
  if (hasErrors(diagnostics)) return { diagnostics }
  const needed = shared.length === 0 ? undefined : neededNames(parts, uses)
  const isNeeded = ({ name }: { readonly name: string }): boolean => needed?.has(name) ?? true
  const scenario: Scenario = {
    file: syntax.file,
    text: syntax.text,
    name: syntax.name.value,
    description: syntax.description?.value ?? '',
    generation: syntax.generation?.value ?? 1,
    delivery: syntax.delivery?.value ?? 'exactly-once',
    stopAbove: syntax.stopAbove?.value ?? 0.5,
    redact,
    shared: shared.map(({ path, file, text, start }) => ({ path, file, text, start })),
    ...parts,
    enrichers: parts.enrichers.filter(isNeeded),
    state: parts.state.filter(isNeeded),
    variables: syntax.variables.flatMap(({ name }) => variables.get(name.value) ?? []).filter(isNeeded),
    decisions: parts.decisions.filter(isNeeded),
    examples: needed === undefined ? examples : examples.map(example => onlyGiven(example, needed)),
    functionSettings: readSettings(syntax.functionSettings),
  }
  return { scenario, diagnostics }
}

/** Any field may be named, since a record that is not as declared may have it; one that is not declared may also be a slip. */
function readRedacted({ redact = [] }: ScenarioSyntax, source: Source, report: Report): readonly string[] {
  for (const { value: path, range } of redact) {
    const [root, ...names] = path.split('.')
    if (root === 'key') continue
    let fields = root === 'event' ? source.event.fields : (source.headers?.fields ?? new Map<string, Field>())
    for (const [n, name] of names.entries()) {
      const type = fields.get(name)?.type
      if (type === undefined) {
        const meant = nearest(name, [...fields.keys()])
        const suggestion = meant && [root, ...names.slice(0, n), meant, ...names.slice(n + 1)].join('.')
        report.add('redact-undeclared', { path }, range, { ...(suggestion !== undefined && { suggestion }) })
        break
      }
      const element = type.kind === 'list' ? type.element : type
      if (element.kind !== 'object') break
      fields = element.fields
    }
  }
  return redact.map(({ value }) => value)
}

function doubledNames({ enrich, variables, filters, decisions, state }: ScenarioSyntax): ReadonlySet<string> {
  const all = [...enrich, ...variables, ...filters, ...decisions, ...state].map(({ name }) => name.value)
  return new Set(all.filter((name, i) => all.indexOf(name) !== i))
}

const hasErrors = (diagnostics: readonly Diagnostic[]): boolean => diagnostics.some(({ severity }) => severity === 'error')

function readSource(
  { topic, event, schema, key, headers, settings, range }: SourceSyntax,
  report: Report,
  readFile: AnalyseOptions['readFile'],
): Source {
  if (event === undefined && schema === undefined) {
    report.add('missing-key/one-of', { place: '"source"', keys: '"event" and "schema"' }, range)
  }
  const fields = event === undefined ? readSchemaFile(schema, report, readFile) : readFields(event, 'event', report).fields
  if (!isTopicName(topic.value) && !topic.value.includes('${'))
    report.add('setting-range', { key: 'topic', needed: topicNeeds, found: `"${topic.value}"` }, topic.range)
  const keyType = key && readType(key, 'key', report)
  if (key !== undefined && (keyType?.kind === 'list' || keyType?.kind === 'map')) {
    const needed = 'a type that a text can hold, or the fields of a JSON object'
    report.add('type-mismatch', { place: '"key" of "source"', needed, found: describeType(keyType) }, key.range)
  }
  return {
    topic: topic.value,
    event: { kind: 'object', fields },
    ...(keyType === undefined ? {} : { key: keyType }),
    ...(headers === undefined ? {} : { headers: { kind: 'object', fields: readHeaderFields(headers, report) } }),
    settings: Object.fromEntries([...settings].map(([name, setting]) => [name, setting.value])),
  }
}

function readSchemaFile(
  schema: SourceSyntax['schema'],
  report: Report,
  readFile: AnalyseOptions['readFile'],
): ReadonlyMap<string, Field> {
  if (schema === undefined) return new Map()
  const { value: path, range } = schema
  const refuse = (found: string): ReadonlyMap<string, Field> => {
    report.add('wrong-shape', { key: 'schema', needed: 'the path of a JSON Schema', found }, range)
    return new Map()
  }
  if (!path.endsWith('.json')) {
    report.add('not-built-yet', { what: 'A schema of Avro or Protobuf' }, range, {
      notes: ['Declare the fields of the value under "event".'],
    })
    return new Map()
  }
  let text: string
  try {
    if (readFile === undefined) throw new Error('files cannot be read here')
    text = readFile(path)
  } catch {
    return refuse(`"${path}", which cannot be read`)
  }
  const reading = readJsonSchema(text)
  return reading.kind === 'fields' ? reading.fields : refuse(`"${path}", which ${reading.reason}`)
}

// Headers are texts: nothing but what a text can hold.
function readHeaderFields(node: Node, report: Report): ReadonlyMap<string, Field> {
  const { fields, ranges } = readFields(node, 'headers', report)
  for (const [name, { type }] of fields) {
    if (type.kind !== 'object' && type.kind !== 'list' && type.kind !== 'map') continue
    const found = describeNode(node.kind === 'map' ? node.entries.find(entry => entry.name.value.startsWith(name))!.value : node)
    report.add('type-mismatch', { place: `Header "${name}"`, needed: 'a type that a text can hold', found }, ranges.get(name)!)
  }
  return fields
}

function givenDeclarations({ event, key, headers }: Source): readonly (readonly [string, Declaration])[] {
  const required = (type: Type): Field => ({ type, optional: false })
  const string: Type = { kind: 'string' }
  const int: Type = { kind: 'int' }
  const record: Type = {
    kind: 'object',
    fields: new Map([
      ['topic', required(string)],
      ['partition', required(int)],
      ['offset', required(int)],
      ['value', required({ kind: 'bytes' })],
    ]),
  }
  const types: Record<(typeof givenNames)[number], Type | undefined> = {
    event,
    key,
    headers,
    now: { kind: 'timestamp', unit: 'rfc3339' },
    scenario: string,
    record,
  }
  return givenNames.flatMap(name => {
    const type = types[name]
    return type === undefined ? [] : [[name, { type }] as const]
  })
}

interface FilterContext {
  readonly scope: Scope
  readonly report: Report
  readonly uses: Use[]
}

/**
 * A cap sees what the filters say, and is read when somebody first asks for its type: so the filters are read when they are first needed.
 * While they are being read there are none; a filter that leads to a cap is told of by `reads-cap`.
 */
function readFilters(syntaxes: readonly NamedExpression[], contextAt: (range: Range) => FilterContext): () => readonly Filter[] {
  let filters: readonly Filter[] | undefined
  return () => {
    if (filters === undefined) {
      filters = []
      filters = syntaxes.map(filter => readFilter(filter, contextAt(filter.name.range)))
    }
    return filters
  }
}

function readFilter({ name, value }: NamedExpression, context: FilterContext): Filter {
  const condition = readCondition(value, { ...context, owner: name.value, place: `filter "${name.value}"` })
  return { name: name.value, range: name.range, condition }
}

const typeOfValue = (value: TextValue): Type => (value.kind === 'template' ? { kind: 'string' } : value.checked.type)

/** Words for the first that refers to `now`. */
function clockReader(uses: readonly Use[]): string | undefined {
  return uses.find(use => use.checked.references.has('now'))?.place
}

// A step of an example has the common part, too: its defects are found once per step, and told once.
function withoutRepetitions(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  const seen = new Set<string>()
  return diagnostics.filter(({ id, message, range }) => {
    const key = `${id} ${range.start} ${range.end} ${message}`
    if (seen.has(key)) return false
    seen.add(key)
    return true
  })
}

// Which rows the examples reach is known to `sluice test` alone, since they must run for it.
function reportCoverage(
  { examples, filters, state, sinks }: Pick<Scenario, 'examples' | 'filters' | 'state' | 'sinks'>,
  syntax: ScenarioSyntax,
  report: Report,
): void {
  if (examples.length === 0) {
    report.add('not-covered', { what: 'shows what the scenario does' }, syntax.name.range)
    return
  }
  const outputs = examples.flatMap(example => example.steps.flatMap(({ expect }) => (expect.kind === 'outputs' ? [expect] : [])))
  const dropping = new Set(outputs.map(expect => expect.droppedBy))
  const reached = new Set(outputs.flatMap(expect => expect.outputs.map(output => output.sink)))
  const isLeft = (part: Filter | StateEntry): boolean => !isShared(part) && !dropping.has(part.name)
  const filtersLeft = filters.filter(isLeft)
  const capsLeft = state.filter(entry => entry.kind === 'cap' && isLeft(entry))
  const left = [...filtersLeft, ...capsLeft]
  const sinksLeft = sinks.filter(({ name }) => !reached.has(name))
  if (left.length > 0) {
    const names = [listed('filter', filtersLeft), listed('cap', capsLeft)].filter(words => words !== '')
    report.add('not-covered', { what: `is dropped by ${names.join(' or ')}` }, left[0]!.range)
  }
  if (sinksLeft.length > 0) report.add('not-covered', { what: `reaches ${listed('sink', sinksLeft)}` }, sinksLeft[0]!.range)
}

/** Without what shared parts would find that nothing reads. */
function onlyGiven(example: Example, needed: ReadonlySet<string>): Example {
  const kept = <T>(given: ReadonlyMap<string, T>): ReadonlyMap<string, T> =>
    new Map([...given].filter(([name]) => needed.has(name)))
  const steps = example.steps.map(step => {
    const { lookups, state } = step.given
    return { ...step, given: { ...step.given, lookups: kept(lookups), state: kept(state) } }
  })
  return { ...example, steps }
}

function listed(kind: string, parts: readonly { readonly name: string }[]): string {
  const names = parts.map(({ name }) => `"${name}"`)
  if (names.length === 0) return ''
  return names.length === 1 ? `${kind} ${names[0]}` : `${kind}s ${names.slice(0, -1).join(', ')} or ${names.at(-1)}`
}

function readSettings(node: Node | undefined): Readonly<Record<string, unknown>> {
  return node?.kind === 'map' ? (plainJson(node) as Readonly<Record<string, unknown>>) : {}
}

function plainJson(node: Node): unknown {
  switch (node.kind) {
    case 'null':
      return null
    case 'list':
      return node.items.map(plainJson)
    case 'map':
      return Object.fromEntries(node.entries.map(({ name, value }) => [name.value, plainJson(value)]))
    case 'scalar':
      return node.scalar.quoted ? node.scalar.text : untypedJson(node.scalar.text)
  }
}
