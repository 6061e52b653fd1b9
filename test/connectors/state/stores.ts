// The stores that the contract is run on, each the real thing.
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { startDynamoDb } from '../../../infra/local/dynamodb.ts'
import { startRedis, startRedisCluster } from '../../../infra/local/redis.ts'
import { connectRedis } from '../../../lib/connectors/redis.ts'
import type { DynamoDbStateConfig } from '../../../lib/connectors/state-dynamodb.ts'
import { memoryState } from '../../../lib/connectors/state-memory.ts'
import { connectRedisState } from '../../../lib/connectors/state-redis.ts'
import type { LookupPort, StatePort } from '../../../lib/runtime/ports.ts'
import { bundledDynamoDb } from '../bundled.ts'

export interface RunningState {
  readonly state: StatePort
  /** Another function's, on the same content. */
  readonly other: StatePort
  readonly lookups: LookupPort
  /** Of Redis. */
  readonly url?: string
  readonly dynamoDb?: DynamoDbStateConfig
  stop(): Promise<void>
}

export interface StateStore {
  readonly name: string
  /** A write is one step. Else the lock is written first, and what follows may be a part: the next attempt sets it right. */
  readonly isOneStep: boolean
  /** Partitions of one call ask caps in their order; else all at once. */
  readonly isInOrder: boolean
  /** Keys that one batch changes: the store in the test takes some milliseconds for each where they are written one by one. */
  readonly manyKeys: number
  start(): Promise<RunningState>
}

export const stores: readonly StateStore[] = [
  {
    name: 'memory',
    isOneStep: true,
    isInOrder: true,
    manyKeys: 1000,
    async start() {
      const state = memoryState(() => 0)
      return { state, other: state, lookups: state.lookups, stop: async () => undefined }
    },
  },
  { name: 'Redis', isOneStep: true, isInOrder: true, manyKeys: 3000, start: async () => onRedis(await startRedis()) },
  { name: 'DynamoDB', isOneStep: false, isInOrder: false, manyKeys: 200, start: onDynamoDb },
  {
    name: 'Redis Cluster',
    isOneStep: false,
    isInOrder: true,
    manyKeys: 1000,
    start: async () => onRedis(await startRedisCluster()),
  },
]

function onRedis(server: { readonly url: string; stop(): Promise<void> }): RunningState {
  const config = { url: server.url, scenario: 'win-back' }
  const [state, other] = [connectRedisState(config), connectRedisState(config)]
  const lookups = connectRedis(config)
  return {
    state,
    other,
    lookups,
    url: server.url,
    async stop() {
      await Promise.all([state.close(), other.close(), lookups.close()])
      await server.stop()
    },
  }
}

async function onDynamoDb(): Promise<RunningState> {
  const local = await startDynamoDb()
  const { connectDynamoDbStateStore } = await bundledDynamoDb()
  const aws = {
    endpoint: local.endpoint,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  }
  const client = new DynamoDBClient(aws)
  await client.send(
    new CreateTableCommand({
      TableName: 'sluice-state',
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
      BillingMode: 'PAY_PER_REQUEST',
    }),
  )
  client.destroy()
  const config = { ...aws, table: 'sluice-state', scenario: 'win-back' }
  const [{ state, lookups }, other] = [connectDynamoDbStateStore(config), connectDynamoDbStateStore(config)]
  return {
    state,
    other: other.state,
    lookups,
    dynamoDb: config,
    async stop() {
      await Promise.all([state.close(), lookups.close(), other.state.close(), other.lookups.close()])
      await local.stop()
    },
  }
}
