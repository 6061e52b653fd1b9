// A scenario on topics of its own, with dead letters that its own function made on the real broker.
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTopics } from '../../../infra/local/topics.ts'
import { main } from '../../../lib/cli/main.ts'
import { interpretedPlan } from '../../../lib/compiler/interpreted.ts'
import { plan } from '../../../lib/compiler/planning.ts'
import { createKafka } from '../../../lib/connectors/kafka/producer.ts'
import { readCommitted } from '../../../lib/emulator/committed.ts'
import { buildEvent, type ConsumedRecord } from '../../../lib/emulator/event.ts'
import { createHandler } from '../../../lib/runtime/handler.ts'
import { checkScenario } from '../../../lib/scenario/check.ts'

export interface Rules {
  /** Type of the field `n`; records with another become dead letters. */
  readonly type?: string
  /** Lines of the scenario. */
  readonly more?: string
  /** Expression of the output's field `n`. */
  readonly value?: string
}

export interface ReplayPlace {
  readonly name: string
  readonly source: string
  readonly target: string
  readonly deadLetters: string
  readonly file: string
  /** Rewrites the scenario. */
  rules(rules: Rules): void
  /** The function as deployed, over these records. */
  decide(records: readonly ConsumedRecord[]): Promise<void>
  /** The same records once more. */
  decideAgain(): Promise<void>
  sluice(...words: readonly string[]): Promise<{ readonly code: number; readonly out: string; readonly error: string }>
  /** What a read_committed consumer finds in the target: idempotency key without its prefix, and value. */
  outputs(): Promise<readonly string[]>
  read(topic: string): Promise<readonly ConsumedRecord[]>
  remove(): void
}

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }

export async function replayPlace(
  broker: string,
  options: {
    readonly deadLetters?: { readonly name?: string; readonly settings?: Readonly<Record<string, string>> }
    readonly partitions?: number
    readonly environment?: Readonly<Record<string, string>>
    readonly target?: Readonly<Record<string, string>>
  } = {},
): Promise<ReplayPlace> {
  const name = `replay-${randomUUID().slice(0, 8)}`
  const [source, target] = [`in.${name}`, `out.${name}`]
  const deadLetters = options.deadLetters?.name ?? `sluice.${name}.dead-letters`
  const partitions = options.partitions ?? 1
  const topics = [
    { name: source, partitions },
    { name: target, ...(options.target && { settings: options.target }) },
    { name: deadLetters, partitions, ...(options.deadLetters?.settings && { settings: options.deadLetters.settings }) },
  ]
  await createTopics(broker, topics)
  const folder = mkdtempSync(join(tmpdir(), 'sluice-replay-'))
  const file = join(folder, `${name}.yml`)
  const rules = ({ type = 'int', more = '', value = 'event.n' }: Rules) => {
    const head = `scenario: ${name}\ndescription: Counts\nsource: { topic: ${source}, event: { n: ${type} } }\n`
    writeFileSync(file, `${head}${more}sinks:\n  counted: { topic: ${target}, value: { n: ${value}, at: now } }\n`)
  }
  rules({})
  let before: readonly ConsumedRecord[] = []
  const environment = { SLUICE_KAFKA: broker, ...options.environment }
  return {
    ...{ name, source, target, deadLetters, file, rules },
    decide,
    decideAgain: () => decide(before),
    async sluice(...words) {
      let out = ''
      let error = ''
      const code = await main(['replay', file, ...words], {
        out: text => {
          out += text
        },
        error: text => {
          error += text
        },
        colors: false,
        environment,
        stop: new AbortController().signal,
      })
      return { code, out, error }
    },
    async outputs() {
      const records = await readCommitted(broker, [target], { timeoutMs: 20_000 })
      return records.map(({ headers, value }) => {
        const key = headers.find(header => header.name === 'sluice-idempotency-key')!.value!
        return `${Buffer.from(key).toString().replace(`${name}.1/${source}/`, '')} ${Buffer.from(value!).toString()}`
      })
    },
    read: topic => readCommitted(broker, [topic], { timeoutMs: 20_000 }),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }

  async function decide(records: readonly ConsumedRecord[]): Promise<void> {
    before = records
    const { scenario } = checkScenario(file, readFileSync(file, 'utf8'))
    const kafka = createKafka({ bootstrapServers: broker, clientId: 'test', delivery: scenario!.delivery })
    const handler = createHandler(
      { ...interpretedPlan(plan(scenario!)), stopAbove: 1 },
      { kafka, stores: {}, log: silent, deadLetterTopic: deadLetters },
    )
    const event = buildEvent(records, { kind: 'self-managed', bootstrapServers: broker })
    await handler(event, { getRemainingTimeInMillis: () => 30_000 } as never)
    await kafka.close()
  }
}

export const noonMs = Date.UTC(2026, 0, 1, 12)

/** One a minute from noon on. */
export function record(topic: string, offset: number, value: string, fields: Partial<ConsumedRecord> = {}): ConsumedRecord {
  return {
    ...{ topic, partition: 0, offset, timestampMs: noonMs + offset * 60_000, timestampType: 'CREATE_TIME' },
    ...{ key: Buffer.from(`k${offset}`), value: Buffer.from(value), headers: [] },
    ...fields,
  }
}
