// Runs a scenario's examples through the real handler, on stores that hold what `given` says. A plan comes in two forms, compiled and
// interpreted; both must give what `expect` says.
import { interpretedRows } from '../compiler/interpreted.ts'
import type { embed as embedPlan } from '../connectors/embedded.ts'
import type { StoreContent } from '../connectors/memory.ts'
import { maxElements } from '../plan/keys.ts'
import type { Columns, LookupPlan, Plan } from '../plan/plan.ts'
import type { KafkaEvent, KafkaEventRecord } from '../runtime/event.ts'
import type { Decided } from '../runtime/handler.ts'
import type { OutputRecord } from '../runtime/ports.ts'
import type {
  Decision,
  Enricher,
  Example,
  ExampleStep,
  ExpectedOutput,
  Given,
  GivenLookup,
  Scenario,
} from '../scenario/scenario.ts'
import { sameJson } from './json-compare.ts'

/** A plan and the function that gives it a world: both from one module, compiled or interpreted. */
export interface ExampleSubject {
  readonly form: 'compiled' | 'interpreted'
  readonly plan: Plan
  readonly embed: typeof embedPlan
}

export interface ExampleResult {
  readonly example: Example
  readonly form: 'compiled' | 'interpreted'
  /** Empty: passed. */
  readonly differences: readonly string[]
  readonly covered: readonly StepCoverage[]
}

export interface StepCoverage {
  readonly droppedBy?: string
  readonly sinks: readonly string[]
  /** `DECISION row N` (from 1) of the rows that decided; only the interpreted form knows them. */
  readonly rows: readonly string[]
}

/** How the records of `steps` come: all in one batch, one by one, and each batch delivered twice. */
const deliveries = ['one batch', 'one by one', 'every batch twice'] as const

export async function runExample(scenario: Scenario, example: Example, subject: ExampleSubject): Promise<ExampleResult> {
  const ways = example.steps.length === 1 ? (['one by one', 'every batch twice'] as const) : deliveries
  const differences: string[] = []
  let covered: readonly StepCoverage[] = []
  for (const way of ways) {
    const outcomes = await deliver(scenario, example, subject, way)
    covered = outcomes.map(({ droppedBy, outputs, rows }) => ({
      rows,
      ...(droppedBy !== undefined && { droppedBy }),
      sinks: outputs.map(sinkOf).filter(sink => sink !== 'dead-letter'),
    }))
    for (const [index, step] of example.steps.entries()) {
      const found = await compare(scenario, step, outcomes[index]!, index, example, subject)
      differences.push(...found.map(line => (ways.length > 2 ? `step ${index + 1}, ${way}: ${line}` : line)))
    }
    if (differences.length > 0) break
  }
  return { example, form: subject.form, differences, covered }
}

/** What one record led to. */
interface Outcome {
  readonly droppedBy: string | undefined
  readonly outputs: readonly OutputRecord[]
  readonly rows: readonly string[]
  /** Message of the error that the invocation threw. */
  readonly thrown?: string
}

async function deliver(
  scenario: Scenario,
  example: Example,
  subject: ExampleSubject,
  way: (typeof deliveries)[number],
): Promise<readonly Outcome[]> {
  const records = example.steps.map((step, offset) => kafkaRecord(scenario, step.given, offset))
  const batches = way === 'one by one' ? records.map(record => [record]) : [records]
  const dropped = new Map<number, string | undefined>()
  const rows = new Map<number, readonly string[]>()
  const { lookups, failing } = storeOf(scenario, example)
  const plan = { ...subject.plan, lookups: subject.plan.lookups.map(lookup => byExample(lookup)) }
  const { handler, kafka } = subject.embed(plan, {
    lookups,
    failing,
    held: heldOf(example),
    log: silent,
    observe: ({ columns, emissions }: Decided) => {
      for (const [i, { record, droppedBy, failure }] of emissions.entries()) {
        dropped.set(record.offset, droppedBy)
        const isDecided = subject.form === 'interpreted' && droppedBy === undefined && failure === undefined
        if (isDecided) rows.set(record.offset, decidingRows(scenario, columns, i))
      }
    },
  })
  const thrown = new Map<number, string>()
  for (const batch of batches) {
    for (let delivery = 0; delivery < (way === 'every batch twice' ? 2 : 1); delivery++) {
      try {
        await (handler as (event: KafkaEvent, context: unknown) => Promise<unknown>)(eventOf(scenario, batch), invocationContext)
      } catch (error) {
        for (const { offset } of batch) thrown.set(offset, (error as Error).message)
      }
    }
  }
  return records.map(({ offset }) => ({
    droppedBy: dropped.get(offset),
    outputs: kafka.committed.filter(record => offsetOf(record) === offset),
    rows: rows.get(offset) ?? [],
    ...(thrown.has(offset) && { thrown: thrown.get(offset)! }),
  }))
}

function decidingRows(scenario: Scenario, columns: Columns, i: number): readonly string[] {
  return scenario.decisions.flatMap(decision =>
    interpretedRows(scenario, decision, columns, i).map(row => rowName(decision, row)),
  )
}

/** As coverage names it. */
export function rowName({ name, form }: Decision, row: number): string {
  return `${name} ${form === 'table' ? 'row' : 'rule'} ${row + 1}`
}

/** Differences between what came out and what `expect` says, a line each. */
async function compare(
  scenario: Scenario,
  { expect }: ExampleStep,
  outcome: Outcome,
  index: number,
  example: Example,
  subject: ExampleSubject,
) {
  if (expect.kind === 'retry') return outcome.thrown === undefined ? ['expected a retry of the batch, it was decided'] : []
  if (outcome.thrown !== undefined) return [`the batch would be retried: ${outcome.thrown}`]
  const deadLetter = outcome.outputs.find(record => sinkOf(record) === 'dead-letter')
  if (expect.kind === 'deadLetter') {
    const found = deadLetter && headerOf(deadLetter, 'sluice-reason')
    return found === expect.reason ? [] : [`expected a dead letter ${expect.reason}, found ${found ?? describe(outcome)}`]
  }
  if (deadLetter !== undefined) {
    return [`found a dead letter ${headerOf(deadLetter, 'sluice-reason')}: ${headerOf(deadLetter, 'sluice-message')}`]
  }
  const droppedBy = expect.kind === 'outputs' ? expect.droppedBy : undefined
  const differences: string[] = []
  if (
    droppedBy !== undefined &&
    outcome.droppedBy !== droppedBy &&
    !(await isFalse(scenario, droppedBy, index, example, subject))
  ) {
    differences.push(`expected to be dropped by ${droppedBy}, found ${describe(outcome)}`)
  }
  if (droppedBy === undefined && outcome.droppedBy !== undefined && !(expect.kind === 'nothing' || expect.outputs.length > 0)) {
    differences.push(`found ${describe(outcome)}`)
  }
  const expected = expect.kind === 'outputs' ? expect.outputs : []
  for (const sink of scenario.sinks) {
    const wanted = expected.filter(output => output.sink === sink.name)
    const found = outcome.outputs.filter(record => sinkOf(record) === sink.name)
    for (let k = 0; k < Math.max(wanted.length, found.length); k++)
      differences.push(...outputDifferences(sink.name, wanted[k], found[k], outcome))
  }
  return differences
}

function outputDifferences(
  sink: string,
  wanted: ExpectedOutput | undefined,
  found: OutputRecord | undefined,
  outcome: Outcome,
): readonly string[] {
  if (wanted === undefined) return [`sink ${sink}: unexpected output ${text(found!.value)} with key ${text(found!.key)}`]
  if (found === undefined) return [`sink ${sink}: expected an output, found ${describe(outcome)}`]
  const differences: string[] = []
  const differs = (what: string, expected: unknown, actual: unknown) =>
    differences.push(`sink ${sink}: ${what}\n    - ${expected}\n    + ${actual}`)
  if (wanted.key !== undefined && wanted.key !== text(found.key)) differs('key', wanted.key, text(found.key))
  if (wanted.topic !== undefined && wanted.topic !== found.topic) differs('topic', wanted.topic, found.topic)
  for (const [name, value] of wanted.headers ?? []) {
    if (value !== headerOf(found, name)) differs(`header ${name}`, value, headerOf(found, name) ?? '(none)')
  }
  if ('value' in wanted && !sameJson(wanted.value, found.value === null ? null : text(found.value))) {
    differs('value', wanted.value === null ? 'null' : jsonText(wanted.value), text(found.value))
  }
  return differences
}

/** What state holds before the first record. */
function heldOf({ steps }: Example): ReadonlyMap<string, string> {
  return steps[0]!.given.state
}

/**
 * In examples any filter that is false has dropped the record: asked with everything looked up, and with what the steps before it left.
 */
async function isFalse(
  scenario: Scenario,
  name: string,
  index: number,
  example: Example,
  subject: ExampleSubject,
): Promise<boolean> {
  const condition = subject.plan.conditions.find(candidate => candidate.name === name)
  if (condition === undefined) return false
  const { lookups, failing } = storeOf(scenario, example)
  let verdict: unknown
  const all = (lookup: LookupPlan): LookupPlan => ({
    ...byExample(lookup),
    needed: (columns: Columns, i: number) =>
      columns.record[i]!.offset === index ? columns.status[i] !== 3 : lookup.needed(columns, i),
  })
  const plan = { ...subject.plan, lookups: subject.plan.lookups.map(all) }
  const { handler } = subject.embed(plan, {
    lookups,
    failing,
    held: heldOf(example),
    log: silent,
    observe: ({ columns }: Decided) => {
      verdict = condition.verdict(columns, 0)
    },
  })
  const first = scenario.state.length === 0 ? index : 0
  for (let offset = first; offset <= index; offset++) {
    const record = kafkaRecord(scenario, example.steps[offset]!.given, offset)
    verdict = undefined
    await (handler as (event: KafkaEvent, context: unknown) => Promise<unknown>)(
      eventOf(scenario, [record]),
      invocationContext,
    ).catch(() => undefined)
  }
  return verdict === false
}

/** Looks up by the name of the look-up and the step, since `given` says what look-ups find, not what keys hold. */
function byExample(lookup: LookupPlan): LookupPlan {
  if (lookup.store === 'state') return lookup
  return {
    ...lookup,
    key: (columns, i, element, index) => {
      const key = lookup.key(columns, i, element, index)
      const place = index === undefined ? '' : `/${index}`
      return typeof key === 'string' ? `${lookup.name}/${columns.record[i]!.offset}${place}` : key
    },
    ...(lookup.member && { member: () => 'member' }),
  }
}

function storeOf(scenario: Scenario, example: Example): { lookups: StoreContent; failing: ReadonlySet<string> } {
  const lookups: Record<string, StoreContent[string]> = {}
  const failing = new Set<string>()
  for (const [offset, { given }] of example.steps.entries()) {
    for (const [name, found] of given.lookups) {
      const { lookup, forEach } = scenario.enrichers.find(enricher => enricher.name === name)!
      const answers: readonly (readonly [string, GivenLookup])[] =
        found.kind === 'list'
          ? found.items.map((item, index) => [`/${index}`, item] as const)
          : forEach === undefined
            ? [['', found]]
            : Array.from({ length: maxElements }, (_, index) => [`/${index}`, found] as const)
      for (const [place, answer] of answers) {
        const key = `${name}/${offset}${place}`
        if (answer.kind === 'failing') failing.add(key)
        const entry = entryOf(answer, lookup.kind)
        if (entry !== undefined) lookups[key] = entry
      }
    }
  }
  return { lookups, failing }
}

function entryOf(found: GivenLookup, kind: Enricher['lookup']['kind']): StoreContent[string] | undefined {
  switch (found.kind) {
    case 'hash':
      return { type: 'hash', value: Object.fromEntries(found.fields) }
    case 'text':
      return { type: 'string', value: found.text }
    case 'member':
      return { type: 'set', value: found.isMember ? ['member'] : [] }
    case 'broken':
      // Another kind of data than the look-up expects.
      return kind === 'hash' ? { type: 'string', value: 'broken' } : { type: 'hash', value: { broken: 'broken' } }
    default:
      return undefined
  }
}

function kafkaRecord({ source }: Scenario, given: Given, offset: number): KafkaEventRecord {
  const base64 = (bytes: string) => Buffer.from(bytes).toString('base64')
  return {
    topic: source.topic,
    partition: 0,
    offset,
    timestamp: given.timestampMs,
    timestampType: 'CREATE_TIME',
    ...(given.keyText !== null && { key: base64(given.keyText) }),
    ...(given.valueText !== null && { value: base64(given.valueText) }),
    headers: given.headers.map(([name, value]) => ({ [name]: [...Buffer.from(value)] })),
  }
}

function eventOf({ source }: Scenario, records: readonly KafkaEventRecord[]): KafkaEvent {
  return { eventSource: 'aws:kafka', records: { [`${source.topic}-0`]: records } }
}

const invocationContext = { getRemainingTimeInMillis: () => 60_000 }
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }

function describe({ droppedBy, outputs }: Outcome): string {
  if (droppedBy !== undefined) return `it dropped by ${droppedBy}`
  return outputs.length === 0 ? 'nothing' : `outputs to ${[...new Set(outputs.map(sinkOf))].join(', ')}`
}

function headerOf(record: OutputRecord, name: string): string | undefined {
  const header = record.headers.findLast(candidate => candidate.name === name)
  return header === undefined ? undefined : (text(header.value) ?? undefined)
}

/** `…/TOPIC/PARTITION/OFFSET/SINK/INDEX` */
function sinkOf(record: OutputRecord): string {
  return headerOf(record, 'sluice-idempotency-key')!.split('/').at(-2)!
}

function offsetOf(record: OutputRecord): number {
  return Number(headerOf(record, 'sluice-idempotency-key')!.split('/').at(-3))
}

function text(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString()
}

function jsonText(value: unknown): string {
  if (typeof value === 'bigint') return String(value)
  if (Array.isArray(value)) return `[${value.map(jsonText).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  return `{${Object.entries(value)
    .map(([name, member]) => `${JSON.stringify(name)}:${jsonText(member)}`)
    .join(',')}}`
}
