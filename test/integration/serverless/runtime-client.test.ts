// The archive that is uploaded, in Lambda's own runtime client: loaded, invoked, failing, as it will be in the cloud.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Producer } from '@platformatic/kafka'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { createTopics } from '../../../infra/local/topics.ts'
import { type RuntimeClient, startRuntimeClient, whyMissing } from '../../../infra/runtime-client.ts'
import { readCommitted, writtenEnds } from '../../../lib/emulator/committed.ts'
import { unzip } from './applied-stack.ts'
import { copyService } from './service.ts'

const missing = whyMissing()

describe.skipIf(missing !== undefined)(`in Lambda's runtime client${missing === undefined ? '' : ` (${missing})`}`, () => {
  const kafka = inject('kafka')
  const id = `runtime-${Date.now()}`
  const folders: string[] = []
  const clients: RuntimeClient[] = []
  let taskFolder: string

  beforeAll(async () => {
    const service = copyService()
    try {
      writeFileSync(
        service.path(`functions/${id}.yml`),
        `scenario: ${id}\ndescription: Large orders.\nsource:\n  topic: ${id}-in\n  event: { amount: int }\nfilter:\n  large: event.amount > 100\nsinks:\n  out: { topic: ${id}-out, value: event }\n`,
      )
      const { code, output } = await service.serverless(['package'])
      if (code !== 0) throw new Error(output)
      taskFolder = newFolder()
      for (const [name, data] of unzip(readFileSync(service.path(`.serverless/${id}.zip`))))
        writeFileSync(join(taskFolder, name), data)
    } finally {
      service.remove()
    }
    const topics = [`${id}-in`, `${id}-out`, `sluice.${id}.dead-letters`]
    await createTopics(
      kafka,
      topics.map(name => ({ name })),
    )
    await writtenEnds(kafka, topics)
    const producer = new Producer<Buffer, Buffer, Buffer, Buffer>({
      clientId: 'runtime-test',
      bootstrapBrokers: kafka.split(','),
    })
    await producer.send({
      messages: [150, 50].map(amount => ({ topic: `${id}-in`, partition: 0, value: Buffer.from(`{"amount":${amount}}`) })),
    })
    await producer.close()
  })

  afterAll(async () => {
    for (const client of clients) await client.stop()
    for (const folder of folders) rmSync(folder, { recursive: true, force: true })
  })

  test('it loads, decides a batch, commits it and answers; loading costs little more than an empty function', async () => {
    const empty = newFolder()
    writeFileSync(join(empty, 'index.js'), 'export const handler = async () => ({})\n')
    writeFileSync(join(empty, 'package.json'), '{"type":"module"}\n')
    const floor = await start(empty)
    const client = await start(taskFolder)
    const loadMs = client.loadedAfterCpuMs - floor.loadedAfterCpuMs
    console.log(`init in Lambda's runtime client: ${loadMs} ms CPU above an empty function (${floor.loadedAfterCpuMs} ms)`)
    // Machines of tests are slow and shared; the figure that counts is printed.
    expect(loadMs).toBeLessThan(500)

    expect(await client.invoke(batch())).toEqual({ outcome: 'response', body: { batchItemFailures: [] } })
    const outputs = await readCommitted(kafka, [`${id}-out`], { from: new Map([[`${id}-out`, [0n]]]), timeoutMs: 30_000 })
    expect(outputs.map(({ value }) => value!.toString())).toEqual(['{"amount":150}'])
    // The line of metrics stands alone: CloudWatch would not read one with a time stamp before it.
    const line = client
      .log()
      .split('\n')
      .find(text => text.startsWith('{"_aws"'))
    expect(JSON.parse(line!)).toMatchObject({ records: 2, emitted: 1, 'dropped.large': 1 })
  })

  test('the same batch again emits nothing', async () => {
    expect(await clients.at(-1)!.invoke(batch())).toEqual({ outcome: 'response', body: { batchItemFailures: [] } })
    const outputs = await readCommitted(kafka, [`${id}-out`], { from: new Map([[`${id}-out`, [0n]]]), timeoutMs: 30_000 })
    expect(outputs).toHaveLength(1)
  })

  test('what it cannot take is an error of the invocation, with our words', async () => {
    const answer = await clients.at(-1)!.invoke({ Records: [] })
    expect(answer).toMatchObject({
      outcome: 'error',
      body: { errorType: 'RetryableError', errorMessage: expect.stringContaining('[unknown-event-source]') },
    })
  })

  function newFolder(): string {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-runtime-'))
    folders.push(folder)
    return folder
  }

  async function start(folder: string): Promise<RuntimeClient> {
    const client = await startRuntimeClient(folder, { SLUICE_KAFKA: kafka, AWS_LAMBDA_FUNCTION_NAME: `sluice-dev-${id}` })
    clients.push(client)
    return client
  }

  function batch(): object {
    const record = { topic: `${id}-in`, partition: 0, timestamp: 1_795_165_200_000, timestampType: 'CREATE_TIME', headers: [] }
    const values = ['{"amount":150}', '{"amount":50}'].map((text, offset) => ({
      ...record,
      offset,
      value: Buffer.from(text).toString('base64'),
    }))
    return { eventSource: 'aws:kafka', bootstrapServers: kafka, records: { [`${id}-in-0`]: values } }
  }
})
