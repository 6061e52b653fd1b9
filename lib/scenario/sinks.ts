// Sinks: where outputs go, when, and what is in them. The filters hold here, and so does the sink's own `when`.
import type { Checked, Scope } from '../language/checked.ts'
import { describeType } from '../language/types.ts'
import { describeNode } from './declared-types.ts'
import { readForEach, scopeOfLoop } from './for-each.ts'
import type { Names } from './names.ts'
import type { Report } from './report.ts'
import type { Sink, Template, Value } from './scenario.ts'
import type { Node, ScalarText, SinkSyntax } from './syntax.ts'
import {
  capitalized,
  isKeyType,
  isPrintable,
  type Place,
  readCondition,
  readScalarValue,
  readTemplate,
  readValue,
  type TextValue,
  type Use,
} from './values.ts'

export interface SinkContext {
  readonly scope: Scope
  readonly names: Names
  readonly report: Report
  readonly uses: Use[]
  readonly sourceTopic: string
  /** The filters' conditions, which hold for every record that a sink sees (unless it is one for dropped records). */
  readonly filters: readonly Checked[]
}

export function readSink(syntax: SinkSyntax, context: SinkContext): Sink {
  const { report, uses, names, filters } = context
  const name = syntax.name.value
  const onDropped = syntax.onDropped !== undefined
  const owner = `sinks.${name}`
  const outerScope: Scope = onDropped ? context.scope : { ...context.scope, facts: filters }
  const loop =
    syntax.forEach === undefined
      ? undefined
      : readForEach(syntax.forEach, { scope: outerScope, names, report, uses, owner, place: `"forEach" of sink "${name}"` })
  const loopScope = syntax.forEach === undefined ? outerScope : scopeOfLoop(syntax.forEach, loop, outerScope)
  const placeOf = (part: string, scope: Scope): Place => ({ owner, place: `${part} of sink "${name}"`, scope, report, uses })

  const when = syntax.when === undefined ? undefined : readCondition(syntax.when, placeOf('"when"', loopScope))
  const scope = when === undefined ? loopScope : { ...loopScope, facts: [...(loopScope.facts ?? []), when] }
  const topic = readTopic(syntax, placeOf('the topic', scope), context)
  const key = syntax.key === undefined ? undefined : readKey(syntax.key, placeOf('the key', scope))
  const headers = syntax.headers === undefined ? [] : readHeaders(syntax.headers, name, placeOf('the headers', scope))
  const value = readSinkValue(syntax, placeOf('the value', scope))
  return {
    name,
    range: syntax.name.range,
    topic,
    ...(syntax.among === undefined ? {} : { among: syntax.among.map(allowed => allowed.value) }),
    onDropped,
    ...(when === undefined ? {} : { when }),
    ...(loop === undefined ? {} : { forEach: loop }),
    ...(key === undefined ? {} : { key }),
    headers,
    value,
  }
}

function readTopic({ name, topic, among, amongKey }: SinkSyntax, place: Place, { sourceTopic, report }: SinkContext): Template {
  const template = readTemplate(topic, place)
  const hasHoles = template.parts.some(part => typeof part !== 'string')
  if (hasHoles && among === undefined) {
    const notes = ['"among: [topic-a, topic-b]" lists them; a record with any other becomes a dead letter.']
    report.add('topic-without-among', { sink: name.value }, topic.range, { notes })
  } else if (!hasHoles && among !== undefined) {
    const place = `Sink "${name.value}", whose topic has no holes,`
    report.add('unknown-key', { place, key: 'among' }, amongKey ?? topic.range)
  }
  reportTopicNames([topic, template], among ?? [], report)
  const notes = ['Each output would come in again, for ever. Write to another topic.']
  if (!hasHoles && template.parts.join('') === sourceTopic) {
    report.add('sink-is-source', { sink: name.value, topic: sourceTopic }, topic.range, { notes })
  }
  for (const allowed of among ?? []) {
    if (allowed.value === sourceTopic)
      report.add('sink-is-source', { sink: name.value, topic: sourceTopic }, allowed.range, { notes })
  }
  return template
}

// What Kafka takes: docs of `org.apache.kafka.common.internals.Topic`.
export const topicNeeds = 'letters, digits, ".", "_" or "-", 249 at most'
export const isTopicName = (name: string): boolean => /^[A-Za-z0-9._-]{1,249}$/.test(name) && !/^\.\.?$/.test(name)

function reportTopicNames(
  [scalar, { parts }]: readonly [ScalarText, Template],
  among: NonNullable<SinkSyntax['among']>,
  report: Report,
): void {
  const texts = parts.filter(part => typeof part === 'string')
  const isFine = texts.length < parts.length ? texts.every(text => /^[A-Za-z0-9._-]*$/.test(text)) : isTopicName(texts.join(''))
  // A variable of Serverless has been told of.
  if (!isFine && !scalar.text.includes('${'))
    report.add('setting-range', { key: 'topic', needed: topicNeeds, found: `"${scalar.text}"` }, scalar.range)
  for (const { value, range } of among) {
    if (!isTopicName(value) && !value.includes('${'))
      report.add('setting-range', { key: 'among', needed: topicNeeds, found: `"${value}"` }, range)
  }
}

function readKey(scalar: ScalarText, place: Place): TextValue {
  return ofKeyType(readScalarValue(scalar, place), scalar, place)
}

function readHeaders(node: Node, sink: string, place: Place): Sink['headers'] {
  if (node.kind !== 'map') {
    place.report.add('wrong-shape', { key: 'headers', needed: 'names with their values', found: describeNode(node) }, node.range)
    return []
  }
  return node.entries.flatMap(({ name, value }) => {
    if (name.value.toLowerCase().startsWith('sluice-')) place.report.add('reserved-header', { header: name.value }, name.range)
    if (value.kind !== 'scalar') {
      const needed = 'an expression or a text'
      place.report.add('wrong-shape', { key: name.value, needed, found: describeNode(value) }, value.range)
      return []
    }
    const headerPlace = { ...place, place: `header "${name.value}" of sink "${sink}"`, allowMissing: true }
    const header = readScalarValue(value.scalar, headerPlace)
    return [{ name: name.value, value: ofKeyType(header, value.scalar, headerPlace) }]
  })
}

/** The value; with an unknown type if it has one that keys cannot have, which is reported. */
function ofKeyType(value: TextValue, scalar: ScalarText, { place, report }: Place): TextValue {
  if (value.kind === 'template' || isKeyType(value.checked.type)) return value
  const { type } = value.checked
  const suggestion = isPrintable(type) && !/["{}]/.test(scalar.text) ? `"{${scalar.text}}"` : undefined
  const values = { place: capitalized(place), needed: 'a string, an int or a bool', found: describeType(type) }
  report.add('type-mismatch', values, scalar.range, { suggestion })
  return { kind: 'expression', checked: { ...value.checked, type: { kind: 'error' } } }
}

function readSinkValue({ name, value, range }: SinkSyntax, place: Place): Sink['value'] {
  if (value === undefined) {
    place.report.add('missing-key', { place: `Sink "${name.value}"`, key: 'value' }, range.end > range.start ? name.range : range)
    return { kind: 'null' }
  }
  if (value.kind === 'scalar' && !value.scalar.quoted && value.scalar.text.trim() === 'record.value') return { kind: 'bytes' }
  const tree: Value = readValue(value, place)
  return tree
}
