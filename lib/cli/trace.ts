// What happened to each record of a batch, for people: what was looked up, which filter or row decided, what is emitted where.

import { interpretedRows } from '../compiler/interpreted.ts'
import { fetchedEnrichers } from '../compiler/planning.ts'
import type { outputLine as outputLineOf } from '../connectors/embedded.ts'
import { textOfDecimal, textOfTimestamp } from '../language/standard/output.ts'
import { type Int, Timestamp } from '../language/standard/values.ts'
import type { Type } from '../language/types.ts'
import { Failure } from '../plan/failure.ts'
import { unset } from '../plan/plan.ts'
import type { KafkaEvent } from '../runtime/event.ts'
import type { Decided } from '../runtime/handler.ts'
import type { OutputRecord } from '../runtime/ports.ts'
import type { Scenario } from '../scenario/scenario.ts'
import { lineOf } from '../scenario/texts.ts'
import type { ScenarioFile } from './scenario-file.ts'

export interface Trace {
  readonly scenario: Scenario
  readonly file: ScenarioFile
  readonly event: KafkaEvent
  readonly decided: Decided | undefined
  readonly outputs: readonly OutputRecord[]
  readonly outputLine: typeof outputLineOf
  /** Also what was looked up and what decided. */
  readonly why: boolean
  readonly colors: boolean
}

export function decisionLines(trace: Trace): readonly string[] {
  const paint = painter(trace.colors)
  const lines: string[] = []
  for (const records of Object.values(trace.event.records)) {
    for (const { topic, partition, offset } of records) {
      const coordinates = `${topic}-${partition}@${offset}`
      lines.push(`  ${paint.bold(coordinates)}`)
      const index =
        trace.decided?.columns.record.findIndex(
          record => record.topic === topic && record.partition === partition && record.offset === offset,
        ) ?? -1
      if (index < 0) lines.push(`    ${paint.dim('tombstone: passed over, counts as progress')}`)
      else lines.push(...recordLines(trace, index, coordinates, paint))
      lines.push('')
    }
  }
  return lines
}

type Painter = ReturnType<typeof painter>

function recordLines(trace: Trace, index: number, coordinates: string, paint: Painter): readonly string[] {
  const lines: string[] = []
  const { decided } = trace
  const emission = decided!.emissions[index]!
  if (trace.why) lines.push(...lookupLines(trace, index, paint), ...stateLines(trace, index, paint))
  if (emission.droppedBy !== undefined)
    lines.push(`    ${paint.yellow('dropped')} by ${emission.droppedBy}${placeOf(trace, emission.droppedBy, paint)}`)
  else if (trace.why && emission.failure === undefined) lines.push(...decidedLines(trace, index, paint))
  if (emission.failure !== undefined) {
    const { reason, message } = emission.failure
    lines.push(`    ${paint.red('dead letter')} ${reason}: ${message}`)
  }
  const outputs = trace.outputs.filter(record => fromOf(trace, record) === coordinates)
  for (const output of outputs) {
    const { key, headers, value, idempotencyKey } = JSON.parse(trace.outputLine(output)) as Record<string, string> & {
      headers: Record<string, string>
    }
    const own = Object.entries(headers).filter(([name]) => !name.startsWith('sluice-'))
    lines.push(
      `    ${paint.green('→')} ${output.topic}  key ${key === null ? '(none)' : key}${own.map(([name, text]) => `  ${name}: ${text}`).join('')}`,
    )
    if (emission.failure === undefined)
      lines.push(`      ${output.value === null ? 'tombstone' : Buffer.from(output.value).toString()}`)
    else lines.push(`      ${paint.dim(`key, value (${value?.length ?? 0} characters) and headers as received`)}`)
    lines.push(`      ${paint.dim(`idempotency key ${idempotencyKey}`)}`)
  }
  if (outputs.length === 0 && emission.droppedBy === undefined) lines.push(`    ${paint.dim('no sink wants it')}`)
  return lines
}

function lookupLines({ scenario, decided }: Trace, index: number, paint: Painter): readonly string[] {
  return fetchedEnrichers(scenario).flatMap((enricher, l) => {
    const found = decided!.columns.lookups[l]![index]
    if (found === undefined) return []
    return [
      `    ${paint.dim('looked up')} ${enricher.name}  ${found instanceof Failure ? failureText(found, enricher.name) : valueText(found, enricher.type)}`,
    ]
  })
}

/** What the record saw of state, and which places it got. */
function stateLines({ scenario, decided }: Trace, index: number, paint: Painter): readonly string[] {
  const { remembered, places } = decided!.columns
  const entries = scenario.state.filter(entry => entry.kind === 'remember')
  const caps = scenario.state.filter(entry => entry.kind === 'cap')
  return [
    ...entries.flatMap(({ name, type }, e) => {
      const before = remembered[e]!.before[index]
      if (before === unset || before === undefined) return []
      return [
        `    ${paint.dim('state')}     ${name}  ${before instanceof Failure ? failureText(before, name) : valueText(before, type)}`,
      ]
    }),
    ...caps.flatMap(({ name, type }, c) => {
      const place = places[c]![index]
      return place === undefined ? [] : [`    ${paint.dim('place')}     ${name}  ${valueText(place, type)}`]
    }),
  ]
}

function failureText({ reason, at, message }: Failure, name: string): string {
  if (reason === 'lookup-missing') return `nothing (${at})`
  // A key that needs a broken look-up is not asked for.
  return message.includes(`look-up "${name}"`) ? `broken (${at})` : 'not asked for, since its key cannot be built'
}

function decidedLines({ scenario, decided }: Trace, index: number, paint: Painter): readonly string[] {
  const names = scenario.filters.map(({ name }) => name)
  const lines = names.length === 0 ? [] : [`    ${paint.dim('passed')}    ${names.join(', ')}`]
  for (const decision of scenario.decisions) {
    const rows = interpretedRows(scenario, decision, decided!.columns, index)
    const noun = decision.form === 'table' ? 'row' : 'rule'
    const chosen =
      rows.length === 0 ? `no ${noun} holds` : `${noun} ${rows.map(row => row + 1).join(', ')} of ${decision.rows.length}`
    lines.push(`    ${paint.dim('decided')}   ${decision.name}  ${chosen}`)
  }
  return lines
}

function placeOf({ scenario, file }: Trace, name: string, paint: Painter): string {
  const filter = scenario.filters.find(candidate => candidate.name === name)
  const cap = scenario.state.find(candidate => candidate.kind === 'cap' && candidate.name === name)
  const declared = filter ?? cap ?? [...scenario.enrichers, ...scenario.decisions].find(candidate => candidate.name === name)
  if (declared === undefined) return ''
  const place = lineOf(declared.range, file, scenario.shared)
  const missing = cap === undefined ? 'missing, onMissing: drop' : 'no place left, or not for this member again'
  const what = filter === undefined ? missing : filter.condition.source.trim().replace(/\s+/g, ' ')
  return `  ${paint.dim(`${what}  ${place}`)}`
}

function fromOf(trace: Trace, record: OutputRecord): string {
  return (JSON.parse(trace.outputLine(record)) as { from: string }).from
}

function valueText(value: unknown, type: Type): string {
  if (typeof value !== 'object' || value === null) return String(value)
  const fields = type.kind === 'object' ? type.fields : undefined
  const members = Object.entries(value).filter(([, member]) => member !== undefined)
  if (members.length === 0) return 'nothing'
  return members.map(([name, member]) => `${name} ${short(member, fields?.get(name)?.type)}`).join(', ')
}

function short(value: unknown, type: Type | undefined): string {
  if (type?.kind === 'decimal') return textOfDecimal(value as Int, type.digits)
  if (value instanceof Timestamp) return textOfTimestamp(value)
  const text =
    typeof value === 'bigint'
      ? String(value)
      : typeof value === 'object'
        ? JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? String(v) : v))
        : String(value)
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}

function painter(colors: boolean) {
  const paint = (code: number) => (text: string) => (colors ? `\u001b[${code}m${text}\u001b[0m` : text)
  return { bold: paint(1), dim: paint(2), red: paint(31), green: paint(32), yellow: paint(33) }
}
