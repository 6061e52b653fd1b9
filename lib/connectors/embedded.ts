// A function with its whole world in memory: for the first command, `sluice invoke`, `serverless invoke local` and the reference cases without
// a broker. Look-ups come from a file of sample data, outputs go to a file or to whoever asks.
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { identityOf } from '../plan/identity.ts'
import type { Plan } from '../plan/plan.ts'
import { createHandler, type Decided, type Log } from '../runtime/handler.ts'
import type { LookupPort, MetricsPort, OutputRecord, StatePort, TransactionPort } from '../runtime/ports.ts'
import { type MemoryLog, memoryLog, memoryStore, type StoreContent } from './memory.ts'
import { type MemoryState, memoryState } from './state-memory.ts'
import { deadLetterTopicOf, type Environment } from './world-settings.ts'

export interface EmbeddedOptions {
  readonly lookups: StoreContent
  /** Keys that give no answer. */
  readonly failing?: ReadonlySet<string>
  /** What every key of a remember entry holds at first: the JSON text of its fields, by the entry's name. */
  readonly held?: ReadonlyMap<string, string>
  readonly log: Log
  readonly deadLetterTopic?: string
  /** What other containers share; default: its own. */
  readonly kafka?: TransactionPort & Pick<MemoryLog, 'committed'>
  readonly state?: StatePort & Pick<MemoryState, 'lookups'>
  readonly observe?: (decided: Decided) => void
  readonly metrics?: MetricsPort
}

export function embed(plan: Plan, options: EmbeddedOptions) {
  const kafka = options.kafka ?? memoryLog()
  const store = memoryStore(options.lookups, options.failing)
  const state = plan.state && (options.state ?? memoryState())
  const deadLetterTopic = options.deadLetterTopic ?? deadLetterTopicOf(plan, {})
  const handler = createHandler(plan, {
    kafka,
    // A port each, as in the real world: what one does not answer concerns no other, and calls hold one kind.
    stores: {
      redis: store,
      dynamodb: { ...store },
      http: { ...store },
      ...(state && { state: holding(state.lookups, plan, options.held) }),
    },
    ...(state && { state }),
    log: options.log,
    deadLetterTopic,
    ...(options.observe && { observe: options.observe }),
    ...(options.metrics && { metrics: options.metrics }),
  })
  return { handler, kafka, store, state }
}

/** Where a key has never been written, there is what its entry holds at first, as if it had been left long ago. */
function holding(lookups: LookupPort, plan: Plan, held: EmbeddedOptions['held']): LookupPort {
  if (held === undefined || held.size === 0) return lookups
  const prefix = `sluice:${identityOf(plan)}:`
  return {
    ...lookups,
    lookupMany: async (requests, deadline) => {
      const answers = await lookups.lookupMany(requests, deadline)
      return requests.map(({ command, keys }, r) =>
        keys.map((key, k) => {
          const answer = answers[r]![k]!
          const text = held.get(key.slice(prefix.length).split('/', 1)[0]!)
          const isEmpty = Array.isArray(answer) && answer.every(part => part === null)
          if (command.kind !== 'hash' || text === undefined || !isEmpty) return answer
          const item: Record<string, string> = { base: text, head: text, at: '-1', tp: `${plan.source.topic}/0` }
          return command.fields.map(field => item[field] ?? null)
        }),
      )
    },
  }
}

/**
 * The embedded function as the environment says: SLUICE_LOOKUPS names the file of look-ups (default: events/SCENARIO.lookups.json), SLUICE_OUTPUT
 * a file that gets a JSON line per committed output.
 */
export function embedFromEnvironment(plan: Plan, env: Environment) {
  const lookupsFile = env['SLUICE_LOOKUPS'] ?? `events/${plan.scenario}.lookups.json`
  const lookups = existsSync(lookupsFile) ? (JSON.parse(readFileSync(lookupsFile, 'utf8')) as StoreContent) : {}
  const outputFile = env['SLUICE_OUTPUT']
  const write = (line: string) => (outputFile === undefined ? process.stderr.write(line) : appendFileSync(outputFile, line))
  const { handler, kafka } = embed(plan, { lookups, log: standardErrorLog, deadLetterTopic: deadLetterTopicOf(plan, env) })
  let written = 0
  return async (event: unknown, context: unknown) => {
    try {
      return await (handler as (event: unknown, context: unknown) => Promise<unknown>)(event, context)
    } finally {
      for (const record of kafka.committed.slice(written)) write(`${outputLine(record)}\n`)
      written = kafka.committed.length
    }
  }
}

/** One JSON object per output or dead letter, as `sluice invoke --format json` prints it. The value stays the exact JSON text. */
export function outputLine(record: OutputRecord): string {
  const headers = Object.fromEntries(
    record.headers.map(({ name, value }) => [name, value === null ? null : Buffer.from(value).toString()]),
  )
  const idempotencyKey = headers['sluice-idempotency-key']!
  const [, topic, partition, offset] = idempotencyKey.split('/')
  const reason = headers['sluice-reason']
  // The reason is also the id of the error (commands: Names on the wire); its sentence is the header sluice-message.
  const deadLetter =
    reason === undefined ? '' : `,"deadLetter":${JSON.stringify({ id: reason, reason, at: headers['sluice-at'] })}`
  const head = JSON.stringify({ topic: record.topic, key: text(record.key), headers }).slice(0, -1)
  // The output's own JSON text, since JSON.parse would round ints beyond 2^53.
  const value = record.value === null ? 'null' : reason === undefined ? text(record.value) : JSON.stringify(text(record.value))
  return `${head},"value":${value},"from":"${topic}-${partition}@${offset}","idempotencyKey":${JSON.stringify(idempotencyKey)}${deadLetter}}`
}

// Standard output belongs to the function's result (`serverless invoke local`).
const standardErrorLog: Log = {
  info: () => undefined,
  warn: message => void process.stderr.write(`${message}\n`),
  error: message => void process.stderr.write(`${message}\n`),
}

function text(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString()
}
