// The stores of the benchmark of sources, in a process of their own: what they cost is not the client's. Prints their addresses as one line of JSON.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { BatchWriteItemCommand, CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { Redis } from 'ioredis'
import { startDynamoDb } from '../../infra/local/dynamodb.ts'
import { startRedis } from '../../infra/local/redis.ts'
import { startUpstash } from '../../infra/local/upstash.ts'

const [count, text] = [Number(process.argv[2]), process.argv[3]!]
const redis = await startRedis()
const upstash = await startUpstash({ redis: redis.url })
const dynamo = await startDynamoDb()
const seed = new Redis(redis.url)
await seed.mset(Array.from({ length: count }, (_, k) => [`customer:c-${k}`, text]).flat())
seed.disconnect()

const client = new DynamoDBClient({
  endpoint: dynamo.endpoint,
  region: 'eu-central-1',
  credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
})
await client.send(
  new CreateTableCommand({
    TableName: 'customers',
    KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
    BillingMode: 'PAY_PER_REQUEST',
  }),
)
for (let start = 0; start < count; start += 25) {
  const items = Array.from({ length: Math.min(25, count - start) }, (_, k) => ({
    PutRequest: { Item: { id: { S: `c-${start + k}` }, note: { S: text } } },
  }))
  await client.send(new BatchWriteItemCommand({ RequestItems: { customers: items } }))
}
client.destroy()

const http = createServer((_, response) => response.setHeader('content-type', 'application/json').end(text))
await new Promise<void>(resolve => http.listen(0, '127.0.0.1', resolve))
const addresses = {
  upstash: upstash.url,
  dynamodb: dynamo.endpoint,
  http: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
}
console.log(JSON.stringify(addresses))

// Ends with whoever started it.
process.stdin.resume().once('end', async () => {
  await upstash.stop()
  await redis.stop()
  process.exit(0)
})
