// A Plan whose functions walk the checked trees instead of running generated code: the second opinion of `sluice test` and of differential
// tests. Nothing here is clever, and nothing here reaches a bundle.
import { isDeepStrictEqual } from 'node:util'
import type { Checked } from '../language/checked.ts'
import { interpret } from '../language/interpreter.ts'
import * as std from '../language/standard/output.ts'
import { timestampOfMillis } from '../language/standard/time.ts'
import type { Type } from '../language/types.ts'
import {
  decisionMissing,
  decodeJsonKey,
  decodeJsonLookup,
  failureOf,
  invalidLookup,
  isFound,
  isRequired,
  judge,
  kindFound,
  lookupMissing,
  missingField,
  placeOf,
  read,
  recordOf,
  storedItem,
  textOfBytes,
  wrongType,
} from '../plan/columns.ts'
import { Failure } from '../plan/failure.ts'
import { findEach, itemKey, requestKey, tableKey } from '../plan/keys.ts'
import {
  type CapPlan,
  type Columns,
  type Header,
  type LookupAnswer,
  type LookupElements,
  type LookupPlan,
  type Plan,
  type SinkPlan,
  type StatePlan,
  type Step,
  unset,
} from '../plan/plan.ts'
import type { Cap, Decision, Enricher, Remember, Scenario, Sink, Template, Value } from '../scenario/scenario.ts'
import { interpretDecision } from './decision-interpreter.ts'
import { decodeJson, decodeText } from './interpreted-decoder.ts'
import {
  type Condition,
  commandOf,
  type Demand,
  entriesReadBy,
  entriesThatDoubt,
  fetchedEnrichers,
  neededFilters,
  type Planning,
  rememberEntries,
  type Stage,
  signatureOf,
  storeOf,
} from './planning.ts'

/** The same plan, interpreted. */
export function interpretedPlan(planning: Planning): Plan {
  const { scenario } = planning
  const { source } = scenario
  const world = new Interpreted(scenario)
  const decodeObject = (type: Type) => (json: unknown, path: string) =>
    decodeJson(type, json, path) as ReturnType<Plan['source']['decodeEvent']>
  return {
    scenario: scenario.name,
    file: scenario.file,
    generation: scenario.generation,
    delivery: scenario.delivery,
    stopAbove: scenario.stopAbove,
    ...(scenario.redact.length > 0 && { redact: scenario.redact }),
    source: {
      topic: source.topic,
      decodeEvent: json => decodeObject(source.event)(json, ''),
      ...(source.key && { decodeKey: (bytes: Uint8Array | null) => decodeKey(source.key!, bytes) }),
      ...(source.headers && { decodeHeaders: (headers: readonly Header[]) => decodeHeaders(source.headers!, headers) }),
    },
    lookups: [
      ...fetchedEnrichers(scenario).map(enricher => world.lookup(enricher, planning)),
      ...rememberEntries(scenario).map(entry => world.entryLookup(entry, planning)),
    ],
    steps: planning.stages.map((stage): Step => {
      switch (stage.kind) {
        case 'fetch': {
          const enrichers = fetchedEnrichers(scenario)
          const entries = rememberEntries(scenario)
          return {
            kind: 'fetch',
            lookups: [
              ...stage.lookups.map(({ enricher }) => enrichers.indexOf(enricher)),
              ...stage.entries.map(({ entry }) => enrichers.length + entries.indexOf(entry)),
            ],
          }
        }
        case 'settle':
          return {
            kind: 'settle',
            entries: stage.entries.map(entry => rememberEntries(scenario).indexOf(entry)),
            judge: (columns, i) => world.settle(columns, i, stage, planning),
          }
        case 'write':
          return { kind: 'write' }
        case 'filter':
          return {
            kind: 'filter',
            names: stage.conditions.map(({ name }) => name),
            run: columns => world.filter(columns, stage.conditions, planning),
          }
        case 'decide':
          return { kind: 'decide', names: stage.decisions.map(({ decision }) => decision.name), run: () => undefined }
      }
    }),
    sinks: scenario.sinks.map(
      (sink): SinkPlan => ({ name: sink.name, emit: (columns, i, outputs) => world.emit(sink, columns, i, outputs) }),
    ),
    conditions: planning.stages.flatMap(stage =>
      stage.kind === 'filter'
        ? stage.conditions.map(condition => ({
            name: condition.name,
            verdict: (columns: Columns, i: number) => world.verdict(condition, columns, i, planning),
            ...(entriesReadBy(condition.name, planning).length > 0 && { waits: true as const }),
          }))
        : [],
    ),
    valueCount: 0,
    ...(scenario.state.length > 0 && { state: world.state() }),
  }
}

/** Indexes of the rows that gave a decision its value for a record: what `invoke --why` and the coverage of examples show. */
export function interpretedRows(scenario: Scenario, decision: Decision, columns: Columns, i: number): readonly number[] {
  const world = new Interpreted(scenario)
  const decide = (rows: Decision['rows']): unknown => {
    try {
      return world.decide({ ...decision, rows }, columns, i)
    } catch (thrown) {
      failureOf(thrown, decision.name)
      return undefined
    }
  }
  const whole = decide(decision.rows)
  if (whole === undefined) return []
  const wanted = (Array.isArray(whole) ? whole : [whole]) as readonly unknown[]
  const single = (row: Decision['rows'][number]): readonly unknown[] => {
    const made = decide([row])
    return (Array.isArray(made) ? made : [made]) as readonly unknown[]
  }
  const rows = decision.rows.flatMap((row, index) =>
    single(row).some(made => wanted.some(value => isDeepStrictEqual(made, value))) ? [index] : [],
  )
  return decision.hitPolicy === 'collect' ? rows : rows.slice(0, 1)
}

type Elements = Readonly<Record<string, unknown>>

class Interpreted {
  readonly #scenario: Scenario

  constructor(scenario: Scenario) {
    this.#scenario = scenario
  }

  filter(columns: Columns, conditions: readonly Condition[], planning: Planning): void {
    for (let i = 0; i < columns.recordCount; i++) this.#judge(columns, i, conditions, planning)
  }

  #judge(columns: Columns, i: number, conditions: readonly Condition[], planning: Planning): void {
    for (const condition of conditions) {
      if ((columns.status[i]! & 1) !== 0) return
      const doubting = entriesThatDoubt(condition, planning)
      const waits = entriesReadBy(condition.name, planning).some(e => {
        const { before, when } = columns.remembered[e]!
        return doubting.includes(e) ? when[i] === undefined : before[i] === unset
      })
      if (!waits) judge(columns, i, condition.name, this.verdict(condition, columns, i, planning))
    }
  }

  settle(columns: Columns, i: number, { entries, conditions }: Stage & { kind: 'settle' }, planning: Planning): void {
    const all = rememberEntries(this.#scenario)
    const settled = entries.map(entry => ({ entry, column: columns.remembered[all.indexOf(entry)]! }))
    for (const { entry, column } of settled) {
      const { name, when } = entry
      if (when === undefined) continue
      const isFinal = columns.status[i] === 1 && neededFilters(entry, this.#scenario).includes(columns.droppedBy[i]!)
      column.when[i] = !isFinal && this.#guarded(`when of state ${name}`, () => this.#expression(when, columns, i, {}) as boolean)
    }
    this.#judge(columns, i, conditions, planning)
    for (const { entry, column } of settled) {
      if (entry.when === undefined) column.when[i] = columns.status[i] === 0
      const when = column.when[i]
      column.after[i] = when === true ? this.#left(entry, column.before[i], columns, i) : when === false ? undefined : when
    }
  }

  #left({ name, fields, set }: Remember, before: unknown, columns: Columns, i: number): object | Failure {
    return this.#guarded(`set of state ${name}`, () => {
      const kept = read(before) as Readonly<Record<string, unknown>>
      return objectOf(
        [...fields.keys()].map(field => {
          const member = set.find(entry => entry.name === field)
          return [field, member === undefined ? kept[field] : (this.#value(member.value, columns, i) ?? undefined)] as const
        }),
      )
    })
  }

  entryLookup({ name, key }: Remember, planning: Planning): LookupPlan {
    const planned = planning.stages
      .flatMap(stage => (stage.kind === 'fetch' ? stage.entries : []))
      .find(({ entry }) => entry.name === name)
    return {
      name,
      store: 'state',
      command: { kind: 'hash', fields: ['base', 'head', 'at', 'tp'] },
      key: (columns, i) => this.#guarded(`key of state ${name}`, () => this.#template(key, columns, i)),
      needed: (columns, i) => planned !== undefined && this.#isNeeded(planned, columns, i),
      decode: (answer, asked) => storedItem(name, answer, asked),
      missing: () => null,
      onError: 'retry',
      timeoutMs: undefined,
      cacheMs: 0,
    }
  }

  state(): StatePlan {
    const { state } = this.#scenario
    const remember = rememberEntries(this.#scenario)
    const firstLookup = fetchedEnrichers(this.#scenario).length
    return {
      remember: remember.map(({ name, fields, type }, e) => {
        const nothing = () => objectOf([...fields].map(([field, declared]) => [field, declared.default] as const))
        return {
          name,
          lookup: firstLookup + e,
          encode: value => jsonOf(type, value, true),
          decode: (text, key) =>
            text === null
              ? nothing()
              : (decodeJsonLookup(
                  name,
                  text,
                  key,
                  (json, path) => decodeJson(type, json, path) as ReturnType<Plan['source']['decodeEvent']>,
                  nothing,
                ) as object | Failure),
        }
      }),
      caps: state.flatMap(entry => (entry.kind === 'cap' ? [this.#cap(entry)] : [])),
      signature: signatureOf(this.#scenario),
    }
  }

  #cap({ name, key, limit, when, member, take, withinMs, sharedBy }: Cap): CapPlan {
    const part = <T>(word: string, compute: () => T) => this.#guarded(`${word} of state ${name}`, compute)
    const units = (word: string, checked: Checked, columns: Columns, i: number) =>
      part(word, () => BigInt(this.#expression(checked, columns, i, {}) as number | bigint))
    return {
      name,
      when: (columns, i) => when === undefined || part('when', () => this.#expression(when, columns, i, {}) as boolean),
      key: (columns, i) => part('key', () => this.#template(key, columns, i)),
      limit: (columns, i) => units('limit', limit, columns, i),
      ...(member && { member: (columns: Columns, i: number) => part('member', () => this.#template(member, columns, i)) }),
      ...(take && { take: (columns: Columns, i: number) => units('take', take, columns, i) }),
      place: placeOf,
      withinMs,
      sharedBy,
    }
  }

  lookup(enricher: Enricher, planning: Planning): LookupPlan {
    const { name, lookup, onError, timeoutMs, cacheMs, forEach, fields } = enricher
    const at = `look-up ${name}`
    const planned = planning.stages
      .flatMap(stage => (stage.kind === 'fetch' ? stage.lookups : []))
      .find(candidate => candidate.enricher === enricher)
    const missing = (key: string | undefined): unknown => missingOf(enricher, key)
    const elements = (element: unknown): Elements => (forEach === undefined ? {} : { [forEach.element]: element })
    return {
      name,
      store: storeOf(enricher)!,
      command: commandOf(enricher),
      key: (columns, i, element) => this.#guarded(at, () => this.#key(enricher, columns, i, elements(element))),
      ...(forEach && {
        each: { ...this.#each(enricher), list: (columns: Columns, i: number) => this.#list(enricher, columns, i) },
      }),
      ...(lookup.kind === 'member' && {
        member: (columns: Columns, i: number, element?: unknown) =>
          this.#guarded(at, () => this.#template(lookup.member, columns, i, elements(element))),
      }),
      needed: (columns, i) => planned !== undefined && this.#isNeeded(planned, columns, i),
      decode: (answer, key) => decodeAnswer(enricher, answer, key, missing, { kind: 'object', fields }),
      missing,
      onError,
      timeoutMs,
      cacheMs,
    }
  }

  #isNeeded({ onDroppedSinks, byFilters, gates, keptAlive }: Demand, columns: Columns, i: number): boolean {
    const status = columns.status[i]!
    if (onDroppedSinks.length > 0) return status !== 3
    if (keptAlive !== undefined && status === 1) return !keptAlive.includes(columns.droppedBy[i]!)
    if (byFilters) return (status & 1) === 0
    return status === 0 && (gates === undefined || gates.some(sink => this.#when(sink, columns, i) === true))
  }

  #key({ name, lookup }: Enricher, columns: Columns, i: number, elements: Elements): string | undefined | Failure {
    if (lookup.kind === 'item' || lookup.kind === 'table') {
      const texts: string[] = []
      for (const { value } of lookup.attributes) {
        const text = this.#template(value, columns, i, elements)
        if (text === undefined) return undefined
        texts.push(text)
      }
      if (lookup.kind === 'table') return tableKey(texts)
      return itemKey(
        name,
        lookup.attributes.map((attribute, a) => [attribute.name, attribute.type === 'number' ? 'N' : 'S', texts[a]!] as const),
      )
    }
    if (lookup.kind !== 'request') return this.#template(lookup.key, columns, i, elements)
    const body = lookup.body && this.#json(lookup.body, columns, i, elements)
    const parts: (string | readonly [string])[] = []
    for (const part of lookup.key.parts) {
      const text = typeof part === 'string' ? part : this.#template({ ...lookup.key, parts: [part] }, columns, i, elements)
      if (text === undefined) return undefined
      parts.push(typeof part === 'string' ? [text] : text)
    }
    return requestKey(name, parts, body)
  }

  #list({ name, forEach }: Enricher, columns: Columns, i: number): readonly unknown[] | Failure {
    return this.#guarded(`forEach of look-up ${name}`, () =>
      this.#expression(forEach!.list, columns, i, {}),
    ) as readonly unknown[]
  }

  #each({ forEach, lookup, leavesOut }: Enricher): LookupElements {
    return {
      join: (found, element) =>
        objectOf([
          ...(lookup.kind === 'member' ? [['value', found] as const] : Object.entries(found as object)),
          [forEach!.element, element] as const,
        ]),
      leavesOut: leavesOut === true,
    }
  }

  #table(enricher: Enricher, columns: Columns, i: number): unknown {
    const { name, lookup, forEach } = enricher
    if (lookup.kind !== 'table') throw new Error(`"${name}" is no table`)
    const find = (elements: Elements): unknown => {
      const key = this.#guarded(`look-up ${name}`, () => this.#key(enricher, columns, i, elements))
      if (key instanceof Failure) return key
      return (key === undefined ? undefined : lookup.rows.get(key)) ?? missingOf(enricher, key)
    }
    if (forEach === undefined) return find({})
    return findEach(name, this.#list(enricher, columns, i), this.#each(enricher), element => find({ [forEach.element]: element }))
  }

  emit(sink: Sink, columns: Columns, i: number, outputs: Parameters<SinkPlan['emit']>[2]): Failure | undefined {
    if (columns.status[i] !== (sink.onDropped ? 1 : 0)) return undefined
    const made = this.#guarded(`sink ${sink.name}`, () => {
      if (sink.forEach === undefined) return this.#output(sink, columns, i, {}, outputs)
      for (const element of this.#expression(sink.forEach.list, columns, i, {}) as readonly unknown[]) {
        const failure = this.#output(sink, columns, i, { [sink.forEach.element]: element }, outputs)
        if (failure !== undefined) return failure
      }
      return undefined
    })
    return made instanceof Failure ? made : undefined
  }

  #output(
    sink: Sink,
    columns: Columns,
    i: number,
    elements: Elements,
    outputs: Parameters<SinkPlan['emit']>[2],
  ): Failure | undefined {
    if (sink.when !== undefined && this.#expression(sink.when, columns, i, elements) !== true) return undefined
    const topic = this.#template(sink.topic, columns, i, elements) as string
    if (sink.among !== undefined && !sink.among.includes(topic)) {
      return new Failure(
        'topic-not-listed',
        `topic of sink ${sink.name}`,
        `the topic of sink "${sink.name}" is not among those listed`,
      )
    }
    outputs.push({
      topic,
      key: sink.key && (this.#text(sink.key, columns, i, elements) as string),
      headers: sink.headers.flatMap(({ name, value }) => {
        const text = this.#text(value, columns, i, elements)
        return text === undefined ? [] : [[name, text] as const]
      }),
      value:
        sink.value.kind === 'bytes'
          ? columns.record[i]!.value
          : sink.value.kind === 'null'
            ? null
            : this.#json(sink.value, columns, i, elements)!,
    })
    return undefined
  }

  verdict(condition: Condition, columns: Columns, i: number, planning: Planning): unknown {
    const doubt = entriesThatDoubt(condition, planning)
      .map(e => columns.remembered[e]!.when[i])
      .find(when => when instanceof Failure)
    if (doubt !== undefined) return doubt
    const value = this.#guarded(`filter ${condition.name}`, () => this.#valueOf(condition.name, columns, i))
    if (condition.kind === 'filter') return value
    return condition.kind === 'found' ? isFound(value, condition.name) : isRequired(value)
  }

  #when(sink: Sink, columns: Columns, i: number): unknown {
    return this.#guarded(`when of sink ${sink.name}`, () => this.#expression(sink.when!, columns, i, {}))
  }

  /** Throws ExpressionFailure. */
  #valueOf(name: string, columns: Columns, i: number): unknown {
    const { variables, filters, decisions } = this.#scenario
    switch (name) {
      case 'event':
        return columns.event[i]
      case 'key':
        return columns.key[i]
      case 'headers':
        return columns.headers[i]
      case 'now':
        return timestampOfMillis(columns.record[i]!.timestampMs)
      case 'scenario':
        return this.#scenario.name
      case 'record':
        return recordOf(columns, i)
    }
    const entry = rememberEntries(this.#scenario).findIndex(candidate => candidate.name === name)
    if (entry >= 0) return read(columns.remembered[entry]!.before[i])
    const cap = this.#scenario.state.filter(({ kind }) => kind === 'cap').findIndex(candidate => candidate.name === name)
    if (cap >= 0) return columns.places[cap]![i]
    const lookup = fetchedEnrichers(this.#scenario).findIndex(enricher => enricher.name === name)
    if (lookup >= 0) return read(columns.lookups[lookup]![i])
    const table = this.#scenario.enrichers.find(enricher => enricher.name === name)
    if (table !== undefined) return read(this.#table(table, columns, i))
    const variable = variables.find(candidate => candidate.name === name)
    if (variable !== undefined) return this.#value(variable.value, columns, i)
    const filter = filters.find(candidate => candidate.name === name)
    if (filter !== undefined) return this.#expression(filter.condition, columns, i, {})
    const decision = decisions.find(candidate => candidate.name === name)
    if (decision !== undefined) return read(this.decide(decision, columns, i) ?? absentDecision(decision))
    throw new Error(`"${name}" is no name of ${this.#scenario.file}`)
  }

  /** Undefined where no row holds. Throws ExpressionFailure. */
  decide(decision: Decision, columns: Columns, i: number): unknown {
    return interpretDecision(
      decision,
      name => this.#valueOf(name, columns, i),
      (checked, lookUp) => interpret(checked, lookUp),
    )
  }

  #expression(checked: Checked, columns: Columns, i: number, elements: Elements): unknown {
    return interpret(checked, name => (Object.hasOwn(elements, name) ? elements[name] : this.#valueOf(name, columns, i)))
  }

  #template(template: Template, columns: Columns, i: number, elements: Elements = {}): string | undefined {
    let text = ''
    for (const part of template.parts) {
      if (typeof part === 'string') text += part
      else {
        const value = this.#expression(part, columns, i, elements)
        if (value === undefined) return undefined
        text += textOf(part.type, value)
      }
    }
    return text
  }

  #text(value: Value & { kind: 'expression' | 'template' }, columns: Columns, i: number, elements: Elements): string | undefined {
    if (value.kind === 'template') return this.#template(value.template, columns, i, elements)
    const computed = this.#expression(value.checked, columns, i, elements)
    return computed === undefined ? undefined : textOf(value.checked.type, computed)
  }

  /** A value tree as run-time value, for variables. */
  #value(value: Value, columns: Columns, i: number): unknown {
    switch (value.kind) {
      case 'null':
        return null
      case 'expression':
        return this.#expression(value.checked, columns, i, {})
      case 'template':
        return this.#template(value.template, columns, i)
      case 'list':
        return value.items.map(item => this.#value(item, columns, i))
      case 'map':
        return objectOf([
          ...(value.spread === undefined ? [] : Object.entries(this.#expression(value.spread, columns, i, {}) as object)),
          ...value.entries.map(entry => [entry.name, this.#value(entry.value, columns, i)] as const),
        ])
    }
  }

  /** JSON text; undefined where the value is missing. */
  #json(value: Value, columns: Columns, i: number, elements: Elements): string | undefined {
    switch (value.kind) {
      case 'null':
        return 'null'
      case 'expression': {
        const computed = this.#expression(value.checked, columns, i, elements)
        const declared = value.checked.source.trim() === 'event'
        return computed === undefined ? undefined : jsonOf(value.checked.type, computed, declared)
      }
      case 'template': {
        const text = this.#template(value.template, columns, i, elements)
        return text === undefined ? undefined : std.jsonOfString(text)
      }
      case 'list':
        return `[${value.items.map(item => this.#json(item, columns, i, elements)).join(',')}]`
      case 'map': {
        const spread =
          value.spread === undefined
            ? ''
            : this.#json({ kind: 'expression', checked: value.spread }, columns, i, elements)!.slice(1, -1)
        const members = value.entries.flatMap(entry => {
          const json = this.#json(entry.value, columns, i, elements)
          return json === undefined ? [] : [`${JSON.stringify(entry.name)}:${json}`]
        })
        return `{${[...(spread === '' ? [] : [spread]), ...members].join(',')}}`
      }
    }
  }

  #guarded<T>(at: string, compute: () => T): T | Failure {
    try {
      return compute()
    } catch (thrown) {
      return failureOf(thrown, at)
    }
  }
}

function missingOf({ name, lookup, fields, onMissing, leavesOut }: Enricher, key: string | undefined): unknown {
  if (lookup.kind === 'member') return false
  return onMissing === 'empty' && !leavesOut
    ? objectOf(fields.entries().map(([field, { default: fallback }]) => [field, fallback]))
    : lookupMissing(name, key)
}

function absentDecision(decision: Decision): unknown {
  return decision.onMissing === 'empty'
    ? objectOf(decision.outputs.map(({ name }) => [name, undefined]))
    : decisionMissing(decision.name)
}

function decodeAnswer(
  { name, lookup, fields }: Enricher,
  answer: LookupAnswer,
  key: string,
  missing: (key: string | undefined) => unknown,
  type: Type,
): unknown {
  if (lookup.kind === 'json' || lookup.kind === 'item' || lookup.kind === 'request') {
    return decodeJsonLookup(
      name,
      answer,
      key,
      (json, path) => decodeJson(type, json, path) as ReturnType<Plan['source']['decodeEvent']>,
      missing,
    )
  }
  if (lookup.kind === 'member') return typeof answer === 'boolean' ? answer : invalidLookup(name, key, kindFound(answer))
  const texts = lookup.kind === 'string' ? [answer] : answer
  if (!Array.isArray(texts) || texts.some(text => text !== null && typeof text !== 'string'))
    return invalidLookup(name, key, kindFound(answer))
  if (texts.every(text => text === null)) return missing(key)
  const values: [string, unknown][] = []
  for (const [k, [field, declared]] of [...fields].entries()) {
    const text = texts[k] as string | null
    if (text === null) {
      if (declared.default === undefined && !declared.optional) return invalidLookup(name, key, `it has no "${field}"`)
      values.push([field, declared.default])
    } else {
      const value = decodeText(declared.type, text)
      if (value === undefined) return invalidLookup(name, key, `"${field}" has another type`)
      values.push([field, value])
    }
  }
  return objectOf(values)
}

function decodeKey(type: Type, bytes: Uint8Array | null): unknown {
  if (bytes === null) return missingField('key', type.kind, null)
  if (type.kind === 'object')
    return decodeJsonKey(bytes, (json, path) => decodeJson(type, json, path) as ReturnType<Plan['source']['decodeEvent']>)
  const text = textOfBytes(bytes)
  const key = text === undefined ? undefined : decodeText(type, text)
  return key === undefined ? wrongType('key', type.kind, '') : key
}

function decodeHeaders(type: Type & { kind: 'object' }, headers: readonly Header[]): object | Failure {
  const values: [string, unknown][] = []
  for (const [field, declared] of type.fields) {
    const header = headers.findLast(({ name, value }) => name === field && value !== null)
    if (header === undefined) {
      if (declared.default === undefined && !declared.optional)
        return missingField(`headers.${field}`, declared.type.kind, undefined)
      values.push([field, declared.default])
      continue
    }
    const text = textOfBytes(header.value!)
    const value = text === undefined ? undefined : decodeText(declared.type, text)
    if (value === undefined) return wrongType(`headers.${field}`, declared.type.kind, '')
    values.push([field, value])
  }
  return objectOf(values)
}

/** JSON of a run-time value by its type. */
function jsonOf(type: Type, value: unknown, declared: boolean): string {
  switch (type.kind) {
    case 'int':
      return std.jsonOfInt(value as number)
    case 'double':
      return std.jsonOfDouble(value as number)
    case 'decimal':
      return std.jsonOfDecimal(value as number, type.digits)
    case 'bool':
      return std.jsonOfBool(value as boolean)
    case 'null':
      return 'null'
    case 'timestamp': {
      const instant = value as Parameters<typeof std.jsonOfTimestamp>[0]
      if (!declared || type.unit === 'rfc3339') return std.jsonOfTimestamp(instant)
      return type.unit === 'millis' ? std.jsonOfTimestampMillis(instant) : std.jsonOfTimestampMicros(instant)
    }
    case 'list':
      return `[${(value as readonly unknown[]).map(element => jsonOf(type.element, element, declared)).join(',')}]`
    case 'map':
      return `{${[...(value as Map<unknown, unknown>)].map(([key, v]) => `${std.jsonOfString(textOf(type.key, key))}:${jsonOf(type.value, v, declared)}`).join(',')}}`
    case 'object': {
      const members = [...type.fields].flatMap(([name, field]) => {
        const member = (value as Record<string, unknown>)[name]
        return member === undefined ? [] : [`${JSON.stringify(name)}:${jsonOf(field.type, member, declared)}`]
      })
      return `{${members.join(',')}}`
    }
    default:
      return std.jsonOfString(value as string)
  }
}

/** Text of a run-time value by its type. */
function textOf(type: Type, value: unknown): string {
  switch (type.kind) {
    case 'int':
      return std.textOfInt(value as number)
    case 'double':
      return std.textOfDouble(value as number)
    case 'decimal':
      return std.textOfDecimal(value as number, type.digits)
    case 'bool':
      return std.textOfBool(value as boolean)
    case 'timestamp':
      return std.textOfTimestamp(value as Parameters<typeof std.textOfTimestamp>[0])
    default:
      return value as string
  }
}

function objectOf(entries: Iterable<readonly [string, unknown]>): object {
  const object = {}
  for (const [name, value] of entries)
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true })
  return object
}
