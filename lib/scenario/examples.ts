// Examples: literals, read as the types of the scenario. What is given becomes the bytes of a record and the texts of a store; what is
// expected becomes JSON as the sinks write it. So an example needs no quotes: `clientId: 2` is the text "2" where a string is declared.
import type { Range } from '../language/problem.ts'
import { describeType, type Field, type Type } from '../language/types.ts'
import { describeNode } from './declared-types.ts'
import { jsonOfLiteral, parseLiteral, textOfLiteral, untypedJson } from './literals.ts'
import type { Report } from './report.ts'
import type {
  Enricher,
  Example,
  ExampleStep,
  Expectation,
  ExpectedOutput,
  Given,
  GivenLookup,
  Scenario,
  Sink,
  Value,
} from './scenario.ts'
import { nearest } from './suggestion.ts'
import type { Entry, ExampleSyntax, Node } from './syntax.ts'

export type ExampleSubject = Pick<Scenario, 'source' | 'enrichers' | 'state' | 'filters' | 'decisions' | 'sinks'>

/** `clockReader`: words for what refers to `now`, if anything does. */
export function readExamples(
  syntaxes: readonly ExampleSyntax[],
  subject: ExampleSubject,
  options: {
    readonly report: Report
    readonly clockReader: string | undefined
    /** Names of the file's enrichers and decisions: one that could not be read has been reported, and its uses are no news. */
    readonly known?: ReadonlySet<string>
  },
): readonly Example[] {
  const { report, clockReader, known = new Set() } = options
  const context: Context = { subject, report, isBroken: name => known.has(name) && !isRead(name, subject) }
  const names = new Set<string>()
  let isClockTold = false
  return syntaxes.map((syntax, index) => {
    const name = syntax.name?.value ?? `example ${index + 1}`
    if (names.has(name)) report.add('example-name/twice', { name }, syntax.name?.range ?? syntax.range)
    names.add(name)
    const common = entriesOf(syntax.given, 'given', report)
    const steps = (syntax.steps ?? [syntax]).map((step, stepIndex) => {
      const own = step === syntax ? [] : entriesOf(step.given, 'given', report)
      if (stepIndex > 0) reportLateState(own, subject, report)
      return readStep(merge(common, own), step, context)
    })
    // Once a scenario is enough: who reads it looks at the other examples, too.
    if (clockReader !== undefined && !isClockTold && !steps.every(step => step.hasTimestamp)) {
      isClockTold = true
      report.add('example-clock', { reader: clockReader }, syntax.name?.range ?? syntax.range, {
        notes: ['Say when it happens: "record: { timestamp: 2026-11-20T10:00:00Z }".'],
      })
    }
    reportLoneRetries(
      syntax.steps ?? [],
      steps.map(({ step }) => step.expect.kind),
      report,
    )
    return { name, range: syntax.name?.range ?? syntax.range, steps: steps.map(({ step }) => step) }
  })
}

/** One that cannot be decided keeps the whole batch: then all steps are retried. */
function reportLoneRetries(syntaxes: NonNullable<ExampleSyntax['steps']>, kinds: readonly string[], report: Report): void {
  if (kinds.every(kind => kind === 'retry')) return
  for (const [index, { expect, range }] of syntaxes.entries()) {
    if (kinds[index] !== 'retry') continue
    report.add('example-type/retry', {}, expect?.range ?? range, { notes: ['Make it an example of its own, without "steps".'] })
  }
}

function reportLateState(given: readonly Entry[], subject: ExampleSubject, report: Report): void {
  for (const { name } of given) {
    if (!rememberEntries(subject).some(entry => entry.name === name.value)) continue
    const notes = ['Give it in the first step, or beside the steps: every key then holds it before its first record.']
    report.add('example-name/late', { name: name.value }, name.range, { notes })
  }
}

interface Context {
  readonly subject: ExampleSubject
  readonly report: Report
  /** An enricher, a decision: it is in the file, and not in the subject. */
  readonly isBroken: (name: string) => boolean
}

function isRead(name: string, { enrichers, state, decisions }: ExampleSubject): boolean {
  return [...enrichers, ...state, ...decisions].some(part => part.name === name)
}

// The default of `record.timestamp`: 2026-01-01T00:00:00Z.
const defaultTimestampMs = 1_767_225_600_000

function readStep(
  entries: readonly Entry[],
  { range, expect }: { readonly range: Range; readonly expect?: Node },
  context: Context,
): { readonly step: ExampleStep; readonly hasTimestamp: boolean } {
  const { given, hasTimestamp } = readGiven(entries, range, context)
  return { step: { range, given, expect: readExpectation(expect, range, context) }, hasTimestamp }
}

function entriesOf(node: Node | undefined, key: string, report: Report): readonly Entry[] {
  if (node === undefined || node.kind === 'map') return node?.entries ?? []
  report.add('wrong-shape', { key, needed: 'names with their values', found: describeNode(node) }, node.range)
  return []
}

// A step's own entries replace those common to all steps; of `record`, its parts do.
function merge(common: readonly Entry[], own: readonly Entry[]): readonly Entry[] {
  const merged = new Map(common.map(entry => [entry.name.value, entry]))
  for (const entry of own) {
    const earlier = merged.get(entry.name.value)?.value
    const value: Node =
      entry.name.value === 'record' && earlier?.kind === 'map' && entry.value.kind === 'map'
        ? { ...entry.value, entries: merge(earlier.entries, entry.value.entries) }
        : entry.value
    merged.set(entry.name.value, { name: entry.name, value })
  }
  // A record has one value: a step that gives its raw text does without the common event.
  const ownEvent = own.find(entry => entry.name.value === 'event')
  const ownRecord = own.find(entry => entry.name.value === 'record')?.value
  if (ownEvent === undefined && ownRecord?.kind === 'map' && ownRecord.entries.some(entry => entry.name.value === 'value')) {
    merged.delete('event')
  }
  return [...merged.values()]
}

function readGiven(
  entries: readonly Entry[],
  range: Range,
  context: Context,
): { readonly given: Given; readonly hasTimestamp: boolean } {
  const { subject, report } = context
  const lookups = new Map<string, GivenLookup>()
  const state = new Map<string, string>()
  let record: GivenRecord = {}
  let event: string | undefined
  let isEventMisspelt = false
  for (const { name, value } of entries) {
    const enricher = subject.enrichers.find(({ name: known, lookup }) => known === name.value && lookup.kind !== 'table')
    const remembered = rememberEntries(subject).find(entry => entry.name === name.value)
    if (name.value === 'event') event = jsonTextOf(value, subject.source.event, 'event', report) ?? '{}'
    else if (name.value === 'record') record = readRecord(value, report)
    else if (enricher !== undefined && enricher.lookup.kind !== 'table')
      lookups.set(name.value, readLookup(value, enricher, report))
    else if (remembered !== undefined) {
      const json = jsonOf(value, remembered.type, { path: name.value, report, form: 'declared', side: 'given' })
      if (json !== undefined) state.set(name.value, jsonText(json))
    } else if (!context.isBroken(name.value)) {
      const known = [...subject.enrichers, ...rememberEntries(subject)].map(part => part.name)
      const suggestion = nearest(name.value, ['event', 'record', ...known])
      isEventMisspelt ||= suggestion === 'event'
      if (subject.state.some(entry => entry.name === name.value)) {
        const notes = ['Write the records that have taken the places as "steps" before this one.']
        report.add('example-name/cap', { name: name.value }, name.range, { notes })
      } else report.add('example-name', { name: name.value }, name.range, { suggestion })
    }
  }
  if (event === undefined && record.valueText === undefined && !isEventMisspelt) {
    report.add('missing-key', { place: '"given" of the example', key: 'event' }, entries[0]?.name.range ?? range)
  } else if (event !== undefined && record.valueText !== undefined) {
    report.add('too-many-keys', { place: '"given" of the example', keys: '"event" and the "value" of "record"' }, range)
  }
  const given = {
    valueText: event ?? record.valueText ?? null,
    keyText: record.keyText ?? null,
    headers: record.headers ?? [],
    timestampMs: record.timestampMs ?? defaultTimestampMs,
    lookups,
    state,
  }
  return { given, hasTimestamp: record.timestampMs !== undefined }
}

const rememberEntries = ({ state }: ExampleSubject) => state.filter(entry => entry.kind === 'remember')

interface GivenRecord {
  timestampMs?: number
  keyText?: string | null
  headers?: readonly (readonly [string, string])[]
  /** Null: a tombstone. */
  valueText?: string | null
}

function readRecord(node: Node, report: Report): GivenRecord {
  const record: GivenRecord = {}
  for (const { name, value } of entriesOf(node, 'record', report)) {
    switch (name.value) {
      case 'timestamp': {
        const parsed =
          value.kind === 'scalar'
            ? Date.parse(textOfLiteral(value.scalar.text, { kind: 'timestamp', unit: 'rfc3339' }) ?? '')
            : NaN
        if (Number.isNaN(parsed)) reportType('record.timestamp', 'timestamp', value, report)
        else record.timestampMs = parsed
        break
      }
      case 'key':
      case 'value': {
        const text = value.kind === 'scalar' ? value.scalar.text : value.kind === 'null' ? null : undefined
        if (text === undefined) reportType(`record.${name.value}`, 'a text (the bytes of the record)', value, report)
        else if (name.value === 'key') record.keyText = text
        else record.valueText = text
        break
      }
      case 'headers':
        record.headers = entriesOf(value, 'headers', report).map(({ name: header, value: node }) => {
          if (node.kind !== 'scalar') reportType(`record.headers.${header.value}`, 'a text', node, report)
          return [header.value, node.kind === 'scalar' ? node.scalar.text : '']
        })
        break
      default: {
        const suggestion = nearest(name.value, ['timestamp', 'key', 'headers', 'value'])
        report.add('unknown-key', { place: '"record" of an example', key: name.value }, name.range, { suggestion })
      }
    }
  }
  return record
}

function readLookup(node: Node, enricher: Enricher, report: Report): GivenLookup {
  if (enricher.forEach !== undefined) {
    if (node.kind === 'list') return { kind: 'list', items: node.items.map(item => readOneLookup(item, enricher, report)) }
    if (node.kind === 'scalar' && ['missing', 'failing', 'broken'].includes(node.scalar.text))
      return readOneLookup(node, enricher, report)
    reportType(enricher.name, 'for each element of a list, so that the example lists what each of them finds', node, report)
    return { kind: 'missing' }
  }
  return readOneLookup(node, enricher, report)
}

function readOneLookup(node: Node, enricher: Enricher, report: Report): GivenLookup {
  const { name, fields, lookup } = enricher
  // A found text may be the word `missing`: it is meant if quoted.
  if (node.kind === 'scalar' && (!node.scalar.quoted || lookup.kind !== 'string')) {
    const { text } = node.scalar
    if (text === 'missing' || text === 'failing' || text === 'broken') return { kind: text }
  }
  switch (lookup.kind) {
    case 'member': {
      const value = node.kind === 'scalar' ? parseLiteral(node.scalar.text, { kind: 'bool' }) : undefined
      if (value === undefined) reportType(name, 'a set look-up, which finds true or false', node, report)
      return { kind: 'member', isMember: value?.value === true }
    }
    case 'string': {
      const [only, ...others] = node.kind === 'map' ? node.entries : []
      const valueNode = only?.name.value === 'value' && others.length === 0 ? only.value : node
      const field = fields.get('value')
      if (field === undefined) return { kind: 'missing' }
      const text = storeText(valueNode, field.type, name, report)
      return text === undefined ? { kind: 'missing' } : { kind: 'text', text }
    }
    case 'table':
      return { kind: 'missing' }
    case 'item':
    case 'request':
    case 'json': {
      const text = jsonTextOf(node, { kind: 'object', fields }, name, report)
      return text === undefined ? { kind: 'missing' } : { kind: 'text', text }
    }
    case 'hash': {
      if (node.kind !== 'map') {
        reportType(name, 'a hash, which has fields', node, report)
        return { kind: 'missing' }
      }
      const texts = new Map<string, string>()
      for (const { field, path, node: value } of fieldsOf(node, fields, name, report)) {
        if (value.kind === 'null') continue
        const text = storeText(value, field.type, path, report)
        if (text !== undefined) texts.set(path.slice(name.length + 1), text)
      }
      return texts.size === 0 ? { kind: 'missing' } : { kind: 'hash', fields: texts }
    }
  }
}

/** A text as a store holds it: as written, since that is what the look-up will read. */
function storeText(node: Node, type: Type, path: string, report: Report): string | undefined {
  if (type.kind === 'error') return undefined
  if (node.kind === 'scalar' && parseLiteral(node.scalar.text, type) !== undefined) return node.scalar.text
  reportText(path, type, node, report)
  return undefined
}

/** Compact JSON text, as a producer of the declared type would write it. */
function jsonTextOf(node: Node, type: Type, path: string, report: Report): string | undefined {
  const json = jsonOf(node, type, { path, report, form: 'declared', side: 'given' })
  return json === undefined ? undefined : jsonText(json)
}

/** JSON.stringify, but for ints beyond 2^53, which are bigints here. */
export function jsonText(json: unknown): string {
  if (typeof json === 'bigint') return String(json)
  if (Array.isArray(json)) return `[${json.map(jsonText).join(',')}]`
  if (typeof json === 'object' && json !== null) {
    return `{${Object.entries(json)
      .map(([name, value]) => `${JSON.stringify(name)}:${jsonText(value)}`)
      .join(',')}}`
  }
  return JSON.stringify(json)
}

interface Reading {
  readonly path: string
  readonly report: Report
  /** `declared`: as the source writes it (`timestamp-millis` is a number); `output`: as sinks do (RFC 3339). */
  readonly form: 'declared' | 'output'
  /** What is given has all that is needed; in what is expected, anything may be left out, and the test tells. */
  readonly side: 'given' | 'expected'
}

function jsonOf(node: Node, type: Type, reading: Reading): unknown {
  const { path, report, form, side } = reading
  switch (type.kind) {
    case 'error':
      return undefined
    case 'dyn':
      return untyped(node)
    case 'optional':
      return jsonOf(node, type.value, reading)
    case 'null':
      if (node.kind !== 'null') reportType(path, 'null', node, report)
      return null
    case 'object': {
      if (node.kind !== 'map') {
        reportType(path, 'an object', node, report)
        return undefined
      }
      return Object.fromEntries(
        fieldsOf(node, type.fields, path, report, side).map(({ name, field, path, node: value }) => [
          name,
          value.kind === 'null' && side === 'given' && field.optional ? null : jsonOf(value, field.type, { ...reading, path }),
        ]),
      )
    }
    case 'map':
      if (node.kind === 'map') {
        return Object.fromEntries(
          node.entries.map(({ name, value }) => [
            name.value,
            jsonOf(value, type.value, { ...reading, path: `${path}.${name.value}` }),
          ]),
        )
      }
      reportType(path, 'a map', node, report)
      return undefined
    case 'list':
      if (node.kind === 'list') {
        return node.items.map((item, i) => jsonOf(item, type.element, { ...reading, path: `${path}[${i}]` }))
      }
      reportType(path, 'a list', node, report)
      return undefined
    default: {
      const json = node.kind === 'scalar' ? jsonOfLiteral(node.scalar.text, type, form) : undefined
      if (json === undefined) reportText(path, type, node, report)
      return json
    }
  }
}

interface FieldNode {
  readonly name: string
  readonly field: Field
  readonly path: string
  readonly node: Node
}

function fieldsOf(
  node: Node & { kind: 'map' },
  fields: ReadonlyMap<string, Field>,
  path: string,
  report: Report,
  side: 'given' | 'expected' = 'given',
): readonly FieldNode[] {
  const meant = new Set<string | undefined>()
  const found = node.entries.flatMap(({ name, value }) => {
    const field = fields.get(name.value)
    if (field !== undefined) return [{ name: name.value, field, path: `${path}.${name.value}`, node: value }]
    const suggestion = nearest(name.value, fields.keys())
    meant.add(suggestion)
    report.add('unknown-field', { owner: path.replaceAll('"', ''), field: name.value }, name.range, { suggestion })
    return []
  })
  if (side === 'given') {
    for (const [name, field] of fields) {
      if (field.optional || 'default' in field || meant.has(name) || found.some(entry => entry.name === name)) continue
      const remedy =
        path.split(/[.[]/)[0] === 'event'
          ? 'A record without it is given as raw text: "record: { value: … }".'
          : 'An answer without it is given as "broken".'
      report.add(
        'example-type',
        { name: quotedPath(`${path}.${name}`), needed: describeType(field.type), found: 'nothing' },
        node.range,
        {
          notes: [remedy],
        },
      )
    }
  }
  return found
}

function untyped(node: Node): unknown {
  switch (node.kind) {
    case 'null':
      return null
    case 'list':
      return node.items.map(untyped)
    case 'map':
      return Object.fromEntries(node.entries.map(({ name, value }) => [name.value, untyped(value)]))
    case 'scalar':
      return node.scalar.quoted ? node.scalar.text : untypedJson(node.scalar.text)
  }
}

// ---- What is expected

// The format's list; plan/failure.ts has the same, and a test compares them.
export const deadLetterReasons = [
  'invalid-json',
  'wrong-type',
  'missing-field',
  'not-in-enum',
  'lookup-invalid',
  'lookup-missing',
  'decision-missing',
  'expression-failed',
  'topic-not-listed',
  'too-large',
] as const

const nothing: Expectation = { kind: 'nothing' }

function readExpectation(node: Node | undefined, range: Range, context: Context): Expectation {
  const { subject, report } = context
  if (node === undefined) {
    report.add('missing-key', { place: 'The example', key: 'expect' }, range)
    return nothing
  }
  const needed = '"nothing", "retry", "droppedBy", "deadLetter" or outputs by sink'
  if (node.kind === 'scalar') {
    if (node.scalar.text === 'nothing' || node.scalar.text === 'retry') return { kind: node.scalar.text }
    const suggestion = nearest(node.scalar.text, ['nothing', 'retry'])
    report.add('wrong-shape', { key: 'expect', needed, found: describeNode(node) }, node.range, { suggestion })
    return nothing
  }
  if (node.kind !== 'map') {
    report.add('wrong-shape', { key: 'expect', needed, found: describeNode(node) }, node.range)
    return nothing
  }
  let droppedBy: string | undefined
  let deadLetter: Expectation | undefined
  const outputs: ExpectedOutput[] = []
  for (const { name, value } of node.entries) {
    const sink = subject.sinks.find(candidate => candidate.name === name.value)
    if (name.value === 'droppedBy') droppedBy = readDroppedBy(value, context)
    else if (name.value === 'deadLetter') deadLetter = readDeadLetter(value, report)
    else if (sink !== undefined) outputs.push(...readOutputs(value, sink, report))
    else {
      const suggestion = nearest(name.value, ['droppedBy', 'deadLetter', ...subject.sinks.map(known => known.name)])
      report.add('example-name', { name: name.value }, name.range, { suggestion })
    }
  }
  if (deadLetter === undefined) return { kind: 'outputs', ...(droppedBy === undefined ? {} : { droppedBy }), outputs }
  if (node.entries.length > 1) {
    const found = 'something else beside it: a dead letter has no outputs'
    report.add('wrong-shape', { key: 'expect', needed: '"deadLetter" alone', found }, node.range)
  }
  return deadLetter
}

function readDroppedBy(node: Node, { subject, report, isBroken }: Context): string | undefined {
  const filters = [
    ...subject.filters.map(filter => filter.name),
    ...[...subject.enrichers, ...subject.decisions].filter(part => part.onMissing === 'drop').map(part => part.name),
    ...subject.state.filter(entry => entry.kind === 'cap').map(cap => cap.name),
  ]
  const name = node.kind === 'scalar' ? node.scalar.text : undefined
  if (name !== undefined && (filters.includes(name) || isBroken(name))) return name
  if (name === undefined) {
    report.add('wrong-shape', { key: 'droppedBy', needed: 'the name of a filter', found: describeNode(node) }, node.range)
    return undefined
  }
  const notes =
    filters.length === 0 ? ['Nothing in this scenario drops records.'] : [`Records are dropped by ${filters.join(', ')}.`]
  report.add('example-name', { name }, node.range, { suggestion: nearest(name, filters), notes })
  return name
}

function readDeadLetter(node: Node, report: Report): Expectation {
  const reason = node.kind === 'scalar' ? node.scalar.text : ''
  if (!(deadLetterReasons as readonly string[]).includes(reason)) {
    const suggestion = nearest(reason, deadLetterReasons)
    const notes = [`The reasons are ${deadLetterReasons.join(', ')}.`]
    report.add('example-type/reason', { found: describeNode(node) }, node.range, { suggestion, notes })
  }
  return { kind: 'deadLetter', reason, range: node.range }
}

function readOutputs(node: Node, sink: Sink, report: Report): readonly ExpectedOutput[] {
  if (node.kind !== 'list') {
    const needed = 'a list of outputs ("- value: …")'
    report.add('wrong-shape', { key: sink.name, needed, found: describeNode(node) }, node.range)
    return []
  }
  return node.items.map(item => readOutput(item, sink, report))
}

function readOutput(node: Node, sink: Sink, report: Report): ExpectedOutput {
  const output: { -readonly [Part in keyof ExpectedOutput]: ExpectedOutput[Part] } = { sink: sink.name, range: node.range }
  for (const { name, value } of entriesOf(node, sink.name, report)) {
    switch (name.value) {
      case 'key': {
        const text = expectedText(value, sink.key, `the key of "${sink.name}"`, report)
        if (text !== undefined) output.key = text
        break
      }
      case 'headers': {
        const headers = new Map<string, string>()
        for (const { name: header, value: node } of entriesOf(value, 'headers', report)) {
          const declared = sink.headers.find(candidate => candidate.name === header.value)
          if (declared === undefined) {
            const suggestion = nearest(
              header.value,
              sink.headers.map(known => known.name),
            )
            report.add('example-name', { name: header.value }, header.range, { suggestion })
            continue
          }
          const text = expectedText(node, declared.value, `header "${header.value}" of "${sink.name}"`, report)
          if (text !== undefined) headers.set(header.value, text)
        }
        output.headers = headers
        break
      }
      case 'topic': {
        const text = value.kind === 'scalar' ? value.scalar.text : ''
        const topics = sink.among ?? [sink.topic.source]
        if (!topics.includes(text))
          report.add('example-name', { name: text }, value.range, { notes: [`It writes to ${topics.join(', ')}.`] })
        output.topic = text
        break
      }
      case 'value':
        output.value = expectedValue(value, sink.value, { path: `the value of "${sink.name}"`, report })
        break
      default: {
        const suggestion = nearest(name.value, ['key', 'headers', 'topic', 'value'])
        report.add('unknown-key', { place: 'An expected output', key: name.value }, name.range, { suggestion })
      }
    }
  }
  return output
}

function expectedText(node: Node, value: Sink['key'], path: string, report: Report): string | undefined {
  const type: Type = value?.kind === 'expression' ? value.checked.type : { kind: 'string' }
  if (type.kind === 'error') return undefined
  const text = node.kind === 'scalar' ? textOfLiteral(node.scalar.text, type) : undefined
  if (text === undefined) reportText(path, type, node, report)
  return text
}

function expectedValue(
  node: Node,
  value: Value | { readonly kind: 'bytes' },
  at: { readonly path: string; readonly report: Report },
): unknown {
  const { path, report } = at
  const reading = (form: 'declared' | 'output'): Reading => ({ path, report, form, side: 'expected' })
  switch (value.kind) {
    case 'bytes':
      return untyped(node)
    case 'null':
      if (node.kind !== 'null') reportType(path, 'null', node, report)
      return null
    case 'template':
      return jsonOf(node, { kind: 'string' }, reading('output'))
    case 'expression':
      // `value: event` writes the declared form, with numbers for `timestamp-millis`.
      return jsonOf(node, value.checked.type, reading(value.checked.source.trim() === 'event' ? 'declared' : 'output'))
    case 'list':
      if (node.kind !== 'list') {
        reportType(path, 'a list', node, report)
        return undefined
      }
      return node.items.map((item, i) => {
        const element = value.items[i]
        return element === undefined ? untyped(item) : expectedValue(item, element, { path: `${path}[${i}]`, report })
      })
    case 'map': {
      if (node.kind !== 'map') {
        reportType(path, 'an object', node, report)
        return undefined
      }
      const { spread } = value
      const copied = spread?.type.kind === 'object' ? spread.type.fields : new Map<string, Field>()
      const form = spread?.source.trim() === 'event' ? 'declared' : 'output'
      return Object.fromEntries(
        node.entries.map(({ name, value: child }) => {
          const entryPath = path.startsWith('the value of') ? name.value : `${path}.${name.value}`
          const entry = value.entries.find(candidate => candidate.name === name.value)
          if (entry !== undefined) return [name.value, expectedValue(child, entry.value, { path: entryPath, report })]
          const field = copied.get(name.value)
          if (field !== undefined) return [name.value, jsonOf(child, field.type, { ...reading(form), path: entryPath })]
          if (spread?.type.kind === 'map')
            return [name.value, jsonOf(child, spread.type.value, { ...reading(form), path: entryPath })]
          const suggestion = nearest(name.value, [...value.entries.map(known => known.name), ...copied.keys()])
          report.add('unknown-field', { owner: path.replaceAll('"', ''), field: name.value }, name.range, { suggestion })
          return [name.value, untyped(child)]
        }),
      )
    }
  }
}

// `event.plan` is quoted; `the value of "offers"` holds quotes of its own.
const quotedPath = (path: string): string => (path.includes('"') ? path[0]!.toUpperCase() + path.slice(1) : `"${path}"`)

function reportText(path: string, type: Type, node: Node, report: Report): void {
  const suggestion = type.kind === 'enum' && node.kind === 'scalar' ? nearest(node.scalar.text, type.values) : undefined
  reportType(path, describeType(type), node, report, suggestion)
}

function reportType(name: string, needed: string, node: Node, report: Report, suggestion?: string): void {
  report.add('example-type', { name: quotedPath(name), needed, found: describeNode(node) }, node.range, { suggestion })
}
