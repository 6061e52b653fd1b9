// What DynamoDB alone has: attributes of many types, numbers beyond JavaScript's, unprocessed keys, keys that no item can have.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { BatchWriteItemCommand, CreateTableCommand, DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type LocalDynamoDb, startDynamoDb } from '../../../infra/local/dynamodb.ts'
import { connectDynamoDb } from '../../../lib/connectors/dynamodb.ts'
import { WrongKind } from '../../../lib/plan/plan.ts'
import { type LookupPort, Unanswered } from '../../../lib/runtime/ports.ts'

const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }
const region = 'eu-central-1'
/** Time that none of these tests is about. */
const patienceMs = 30_000
const deadline = () => ({ remainingMs: () => patienceMs })
let local: LocalDynamoDb
let client: DynamoDBClient
let port: LookupPort

beforeAll(async () => {
  local = await startDynamoDb()
  client = new DynamoDBClient({ endpoint: local.endpoint, region, credentials })
  port = connectDynamoDb({ endpoint: local.endpoint, scenario: 'visits', region, credentials })
  for (const [TableName, hash, range] of [
    ['numbers', 'N', undefined],
    ['visits', 'S', 'N'],
    ['large', 'S', undefined],
  ] as const) {
    await client.send(
      new CreateTableCommand({
        TableName,
        KeySchema: [
          { AttributeName: 'id', KeyType: 'HASH' },
          ...(range ? [{ AttributeName: 'day', KeyType: 'RANGE' } as const] : []),
        ],
        AttributeDefinitions: [
          { AttributeName: 'id', AttributeType: hash },
          ...(range ? [{ AttributeName: 'day', AttributeType: range } as const] : []),
        ],
        BillingMode: 'PAY_PER_REQUEST',
      }),
    )
  }
})
afterAll(async () => {
  client.destroy()
  await port.close()
  await local.stop()
})

test('attributes of all types as JSON; numbers keep their digits, sets have one order; reserved words and dots are names', async () => {
  await client.send(
    new PutItemCommand({
      TableName: 'numbers',
      Item: {
        id: { N: '7' },
        status: { S: 'gold "1"' },
        'a.b': { BOOL: true },
        exact: { N: '12345678901234567890123456789012345678' },
        list: { L: [{ S: 'x' }, { NULL: true }, { M: { deep: { N: '0.10' } } }] },
        tags: { SS: ['b', 'a', 'c'] },
        sizes: { NS: ['10', '9', '-1'] },
        bytes: { B: new Uint8Array([1, 2, 3]) },
        unread: { S: 'never fetched' },
      },
    }),
  )
  const command = {
    kind: 'item',
    table: 'numbers',
    keyNames: ['id'],
    fields: ['status', 'a.b', 'exact', 'list', 'tags', 'sizes', 'bytes', 'none'],
  } as const
  expect(await port.lookupMany([{ timeoutMs: patienceMs, command, keys: ['{"id":{"N":"7"}}'] }], deadline())).toEqual([
    [
      '{"status":"gold \\"1\\"","a.b":true,"exact":12345678901234567890123456789012345678,"list":["x",null,{"deep":0.1}],"tags":["a","b","c"],"sizes":[-1,9,10],"bytes":"AQID"}',
    ],
  ])
})

test('numbers that are one key, written differently, are asked for once and answered all', async () => {
  const command = { kind: 'item', table: 'numbers', keyNames: ['id'], fields: ['status'], consistent: true } as const
  const keys = ['7', '7.0', '70e-1', '+7', '8'].map(N => JSON.stringify({ id: { N } }))
  const found = '{"status":"gold \\"1\\""}'
  expect(await port.lookupMany([{ timeoutMs: patienceMs, command, keys }], deadline())).toEqual([
    [found, found, found, found, null],
  ])
})

test('a key of two attributes', async () => {
  const put = (id: string, day: string, v: string) =>
    client.send(new PutItemCommand({ TableName: 'visits', Item: { id: { S: id }, day: { N: day }, v: { S: v } } }))
  await put('c-1', '1', 'first')
  await put('c-1', '2', 'second')
  const command = { kind: 'item', table: 'visits', keyNames: ['day', 'id'], fields: ['v', 'day'] } as const
  const keys = ['{"day":{"N":"2"},"id":{"S":"c-1"}}', '{"day":{"N":"3"},"id":{"S":"c-1"}}', '{"day":{"N":"1"},"id":{"S":"c-1"}}']
  expect(await port.lookupMany([{ timeoutMs: patienceMs, command, keys }], deadline())).toEqual([
    ['{"v":"second","day":2}', null, '{"v":"first","day":1}'],
  ])
})

test('keys that no item can have spoil no call', async () => {
  const command = { kind: 'item', table: 'large', keyNames: ['id'], fields: ['v'] } as const
  const keys = ['', 'k'.repeat(2049), 'nobody'].map(S => JSON.stringify({ id: { S } }))
  expect(await port.lookupMany([{ timeoutMs: patienceMs, command, keys }], deadline())).toEqual([
    [null, expect.any(WrongKind), null],
  ])
})

test('what comes back unprocessed is asked for again, with the fields of the request', async () => {
  const text = 'x'.repeat(100_000)
  for (let i = 0; i < 60; i += 20)
    await client.send(
      new BatchWriteItemCommand({
        RequestItems: {
          large: Array.from({ length: 20 }, (_, n) => ({
            PutRequest: { Item: { id: { S: `l${i + n}` }, v: { S: `${i + n} ${text}` }, unread: { S: 'u' } } },
          })),
        },
      }),
    )
  const command = { kind: 'item', table: 'large', keyNames: ['id'], fields: ['v'] } as const
  const keys = Array.from({ length: 60 }, (_, n) => JSON.stringify({ id: { S: `l${n}` } }))
  const [answers] = await port.lookupMany([{ timeoutMs: patienceMs, command, keys }], deadline())
  expect(answers).toEqual(keys.map((_, n) => `{"v":"${n} ${text}"}`))
})

test('throttled: asked again after growing pauses', async () => {
  const calls: { at: number; asked: string }[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const { RequestItems } = JSON.parse(Buffer.concat(chunks).toString())
    const { ProjectionExpression, ConsistentRead } = RequestItems.large
    calls.push({ at: performance.now(), asked: `${ProjectionExpression} ${ConsistentRead}` })
    const answer =
      calls.length < 4
        ? { Responses: {}, UnprocessedKeys: { large: { Keys: RequestItems.large.Keys } } }
        : { Responses: { large: [{ id: { S: 'a' }, v: { S: 'at last' } }] }, UnprocessedKeys: {} }
    response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(answer))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const throttled = connectDynamoDb({ endpoint, scenario: 'visits', region, credentials })
  const request = {
    command: { kind: 'item', table: 'large', keyNames: ['id'], fields: ['v'], consistent: true },
    keys: ['{"id":{"S":"a"}}'],
    timeoutMs: patienceMs,
  } as const
  expect(await throttled.lookupMany([request], deadline())).toEqual([['{"v":"at last"}']])
  expect(calls.map(({ asked }) => asked)).toEqual(Array.from({ length: 4 }, () => '#0,#1 true'))
  expect(calls[3]!.at - calls[0]!.at).toBeGreaterThan(30)
  await throttled.close()
  server.closeAllConnections()
  server.close()
})

const itemOf = (table: string, id: string, timeoutMs = patienceMs) =>
  ({
    command: { kind: 'item', table, keyNames: ['id'], fields: ['v'] },
    keys: [JSON.stringify({ id: { S: id } })],
    timeoutMs,
  }) as const
const messageOf = (answer: unknown) => (answer as Unanswered).error.message

test('a table that is not there is told by the name of the exception', async () => {
  const [[answer]] = (await port.lookupMany([itemOf('nowhere', 'secret-customer')], deadline())) as [[unknown]]
  expect(messageOf(answer)).toMatch(
    /^\[dynamodb-unreachable\] visits: 1 look-ups got no answer from 127\.0\.0\.1:\d+ \(ResourceNotFoundException\)\. Nothing was emitted, the batch comes again\. If calls fail from the start, check the table's name \(nowhere\) and region/,
  )
})

test('each table has its own fate: one that is not there spoils no other, and is left alone after three times', async () => {
  await client.send(new PutItemCommand({ TableName: 'large', Item: { id: { S: 'own' }, v: { S: 'here' } } }))
  const own = connectDynamoDb({ endpoint: local.endpoint, scenario: 'visits', region, credentials })
  const ids: string[] = []
  for (let n = 0; n < 4; n++) {
    const [found, nobody, nowhere] = await own.lookupMany(
      [itemOf('large', 'own'), itemOf('large', 'nobody'), itemOf('nowhere', 'own')],
      deadline(),
    )
    expect([found![0], nobody]).toEqual(['{"v":"here"}', [null]])
    ids.push((nowhere![0] as Unanswered).error.id)
  }
  expect(ids).toEqual(['dynamodb-unreachable', 'dynamodb-unreachable', 'dynamodb-unreachable', 'store-paused'])
  await own.close()
})

test('each look-up has its own time, and what is left unprocessed is unanswered alone', async () => {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const [[table, { Keys }]] = Object.entries(JSON.parse(Buffer.concat(chunks).toString()).RequestItems) as [
      [string, { Keys: { id: { S: string } }[] }],
    ]
    if (table === 'silent') return
    const left = Keys.filter(({ id }) => id.S === 'left')
    const Responses = { [table]: Keys.filter(({ id }) => id.S !== 'left').map(key => ({ ...key, v: { S: 'here' } })) }
    const UnprocessedKeys = left.length === 0 ? {} : { [table]: { Keys: left } }
    const answer = () => response.writeHead(200).end(JSON.stringify({ Responses, UnprocessedKeys }))
    setTimeout(answer, table === 'slow' ? 400 : 0)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const own = connectDynamoDb({ endpoint, scenario: 'visits', region, credentials })
  const throttled = { ...itemOf('throttled', 'a', 4000), keys: ['a', 'left', 'b'].map(S => JSON.stringify({ id: { S } })) }
  const [silent, slow, part] = await own.lookupMany([itemOf('silent', 'a', 100), itemOf('slow', 'a'), throttled], deadline())
  expect(messageOf(silent![0])).toContain('1 look-ups got no answer from ' + new URL(endpoint).host + ' within 100 ms.')
  expect(slow).toEqual(['{"v":"here"}'])
  expect(part).toEqual(['{"v":"here"}', expect.any(Unanswered), '{"v":"here"}'])
  expect(messageOf(part![1])).toContain('1 look-ups got no answer from ' + new URL(endpoint).host + ' (throttled: ')
  await own.close()
  server.closeAllConnections()
  server.close()
})
