// The CPU path of a batch: bytes of a Lambda event → outputs, by the compiled bundle with stores in memory, beside its floor: what any
// function must do with the same data (parse the event, base64 and parse each value, write each output).
import { loadCompiled } from '../../lib/cli/compiled.ts'
import { openScenario } from '../../lib/cli/scenario-file.ts'
import type { StoreContent } from '../../lib/connectors/memory.ts'
import type { KafkaEvent } from '../../lib/runtime/event.ts'
import { assertSame, type Figure, measure } from './measure.ts'
import { type Workload, workloads } from './workloads.ts'

const recordCount = 1000

export async function cpu(): Promise<readonly Figure[]> {
  const figures: Figure[] = []
  for (const workload of workloads) figures.push(...(await measureWorkload(workload)))
  return figures
}

async function measureWorkload({ scenario, topic, eventOf, lookupsOf, expectedOutputs }: Workload): Promise<readonly Figure[]> {
  const { embed, plan } = await loadCompiled(openScenario(scenario))
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined }
  const context = { getRemainingTimeInMillis: () => 60_000 } as never
  const values = Array.from({ length: recordCount }, (_, n) => JSON.stringify(eventOf(n)))
  const lookups: StoreContent = Object.assign({}, ...values.map((_, n) => lookupsOf(n)))
  const text = JSON.stringify({
    eventSource: 'aws:kafka',
    records: {
      [`${topic}-0`]: values.map((value, offset) => ({
        topic,
        partition: 0,
        offset,
        timestamp: 1_795_165_200_000,
        timestampType: 'CREATE_TIME',
        key: Buffer.from(String(offset)).toString('base64'),
        value: Buffer.from(value).toString('base64'),
        headers: [],
      })),
    },
  })

  // One function for all runs, as a warm Lambda. Progress skips what is committed, so each run has the next offsets; what the stores in memory
  // keep for tests is dropped, both outside of the time.
  const { handler, kafka, store } = embed(plan, { lookups, log })
  let batches = 0
  const nextBatch = (): string => {
    ;(kafka.committed as unknown[]).length = 0
    ;(store.calls as unknown[]).length = 0
    const first = batches++ * recordCount
    return text.replace(/"offset":(\d+)/g, (_, offset) => `"offset":${first + Number(offset)}`)
  }
  const decide = async (batch: string) => {
    await handler(JSON.parse(batch) as KafkaEvent, context)
    return kafka.committed
  }
  // Checked first: the outputs are those that the rules, written by hand in the workload, give.
  const outputs = (await decide(nextBatch())).map(record => JSON.parse(Buffer.from(record.value!).toString()) as unknown)
  assertSame(scenario, outputs, expectedOutputs(recordCount))

  const floor = () => {
    const event = JSON.parse(text) as KafkaEvent
    const kept: unknown[] = []
    for (const records of Object.values(event.records)) {
      for (const record of records) kept.push(JSON.parse(Buffer.from(record.value!, 'base64').toString()))
    }
    for (const output of outputs) kept.push(Buffer.from(JSON.stringify(output)))
    return kept
  }
  return measure(
    [
      { name: `cpu/${scenario}`, prepare: nextBatch, run: batch => decide(batch as string) },
      { name: `cpu/${scenario} floor: JSON.parse + base64 + JSON.stringify`, run: floor },
    ],
    { unit: 'ms CPU per 1,000 records', value: cpuMs => cpuMs },
  )
}
