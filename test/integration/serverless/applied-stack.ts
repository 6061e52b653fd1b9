// What a stack means, run here: the deployed zip with the deployed environment in child processes, fed by the local event source mapping with
// the settings that stand in the template, on the real broker.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inflateRawSync } from 'node:zlib'
import { plainDelivery } from '../../../lib/emulator/deliveries.ts'
import { EventSourceMapping } from '../../../lib/emulator/mapping.ts'
import { ContainerPool } from '../../../lib/emulator/pool.ts'
import type { EsmSettings } from '../../../lib/emulator/settings.ts'
import type { DeployedFunction, FakeAws } from './fake-aws.ts'

export interface AppliedFunction {
  readonly mapping: EventSourceMapping
  /** What the function has written. */
  readonly log: () => string
  stop(): Promise<void>
}

/** Runs one function of the stack as it stands. */
export async function applyFunction(aws: FakeAws, functionName: string, bootstrapServers: string): Promise<AppliedFunction> {
  const deployed = aws.functions.get(functionName)!
  const folder = mkdtempSync(join(tmpdir(), 'sluice-applied-'))
  for (const [name, data] of unzip(deployed.code)) writeFileSync(join(folder, name), data)
  const [file, exported] = String(deployed.properties['Handler']).split('.')
  if (exported !== 'handler') throw new Error(`the container calls "handler", not "${exported}"`)
  const settings = settingsOf(aws, deployed, functionName)
  const environment = (deployed.properties['Environment'] as { Variables: Record<string, string> }).Variables
  let log = ''
  const pool = new ContainerPool(
    {
      handlerFile: join(folder, `${file}.js`),
      name: functionName,
      // Lambda sets the name by itself.
      environment: { ...environment, AWS_LAMBDA_FUNCTION_NAME: functionName },
      memoryMb: settings.functionMemoryMb,
      timeoutMs: settings.functionTimeoutSeconds * 1000,
      log: text => {
        log += text
      },
    },
    { random: () => 0 },
  )
  const mapping = new EventSourceMapping({
    settings,
    bootstrapServers,
    invoke: plainDelivery(pool),
    log: (level, message) => {
      log += `${level}: ${message}\n`
    },
  })
  await mapping.start()
  return {
    mapping,
    log: () => log,
    stop: async () => {
      await mapping.stop()
      await pool.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** The settings of its mapping, read back from CloudFormation's names. */
function settingsOf(aws: FakeAws, { properties }: DeployedFunction, functionName: string): EsmSettings {
  const resources = aws.stack()!.Resources
  const functionId = Object.keys(resources).find(id => resources[id]!.Properties?.['FunctionName'] === functionName)!
  const mappings = Object.values(resources).filter(
    ({ Type, Properties }) =>
      Type === 'AWS::Lambda::EventSourceMapping' &&
      JSON.stringify(Properties['FunctionName']) === `{"Fn::GetAtt":["${functionId}","Arn"]}`,
  )
  if (mappings.length !== 1) throw new Error(`${functionName} has ${mappings.length} mappings`)
  const mapping = mappings[0]!.Properties
  const filters = mapping['FilterCriteria'] as { Filters: readonly { Pattern: string }[] } | undefined
  return {
    topic: (mapping['Topics'] as readonly string[])[0]!,
    consumerGroupId: (mapping['AmazonManagedKafkaEventSourceConfig'] as { ConsumerGroupId: string }).ConsumerGroupId,
    batchSize: mapping['BatchSize'] as number,
    maximumBatchingWindowInSeconds: mapping['MaximumBatchingWindowInSeconds'] as number | undefined,
    startingPosition: mapping['StartingPosition'] as 'TRIM_HORIZON',
    functionResponseTypes: (mapping['FunctionResponseTypes'] ?? []) as [],
    maximumRetryAttempts: (mapping['MaximumRetryAttempts'] ?? -1) as number,
    filterPatterns: (filters?.Filters ?? []).map(({ Pattern }) => JSON.parse(Pattern)),
    functionTimeoutSeconds: properties['Timeout'] as number,
    functionMemoryMb: properties['MemorySize'] as number,
  }
}

/** Archives as infra/zip.ts makes them: sizes stand in the local headers. */
export function unzip(zip: Buffer): ReadonlyMap<string, Buffer> {
  const files = new Map<string, Buffer>()
  for (let at = 0; zip.readUInt32LE(at) === 0x04034b50; ) {
    const size = zip.readUInt32LE(at + 18)
    const nameEnd = at + 30 + zip.readUInt16LE(at + 26)
    const start = nameEnd + zip.readUInt16LE(at + 28)
    files.set(zip.toString('utf8', at + 30, nameEnd), inflateRawSync(zip.subarray(start, start + size)))
    at = start + size
  }
  return files
}
