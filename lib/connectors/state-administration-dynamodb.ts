// State in a table of DynamoDB, looked at and erased by hand: the locks' notes first, then the key, which stays as an empty one with the new
// tokens until the table's TTL takes it.
import { type AttributeValue, DynamoDBClient, GetItemCommand, PutItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb'
import type { Deadline } from '../runtime/ports.ts'
import { reasonOf } from './dynamodb.ts'
import { timeoutOf, unanswered, within } from './patience.ts'
import { emptiedMs, type StateAdministration, type StateToken, type StoredPlace } from './state-administration.ts'
import type { DynamoDbStateConfig } from './state-dynamodb.ts'
import { attributesOf, notesOf, pageName } from './state-dynamodb-notes.ts'
import { counterOf, lockName } from './state-keys.ts'
import { coordinatePrefix } from './state-places.ts'

type Attributes = Readonly<Record<string, AttributeValue>>
type StoredText = readonly [number: string, timeMs: number, units: string, used: string, member: string | null]

const advice =
  "Check the table's name and region, and that this user's rights allow dynamodb:GetItem, PutItem and UpdateItem on it."

export function openDynamoDbStateAdministration({
  table,
  scenario,
  nowMs = Date.now,
  ...config
}: DynamoDbStateConfig): StateAdministration {
  const client = new DynamoDBClient({ ...config, maxAttempts: 3 })
  return {
    item: (key, deadline) =>
      timed(deadline, async () => {
        const found = await get(key)
        const [base, head, at, tp] = [found?.['base']?.S, found?.['head']?.S, found?.['at']?.N, found?.['tp']?.S]
        if (at === undefined || tp === undefined || (base === undefined && head === undefined)) return undefined
        return { base: base ?? null, head: head ?? null, at: BigInt(at), tp }
      }),
    places: (key, deadline) =>
      timed(deadline, async () => {
        const stored = JSON.parse((await get(key))?.['places']?.S ?? '{}') as Readonly<Record<string, StoredText>>
        return new Map(
          Object.entries(stored).map(([coordinates, [number, timeMs, units, , member]]): [string, StoredPlace] => [
            coordinates,
            { number: BigInt(number), timeMs, units: BigInt(units), member: member ?? undefined },
          ]),
        )
      }),
    lock: (lock, deadline) =>
      timed(deadline, async () => {
        const found = await get(lockName(lock))
        if (found === undefined) return undefined
        const [last, position] = [found['last']?.N, found['pos']?.N]
        return {
          last: last === undefined ? undefined : BigInt(last),
          position: position === undefined ? undefined : BigInt(position),
        }
      }),
    erase: (key, claims, what, deadline) =>
      timed(deadline, async () => {
        for (const claim of claims) if (!(await forget(claim, key))) return 'stale'
        return what.kind === 'remember' ? emptyItem(key, what.owner, claims[0]!) : emptyCap(key, what.isShared, claims)
      }),
    close: async () => client.destroy(),
  }

  /** The names of keys are customers' data, too: also on pages that do not count any more. */
  async function forget({ lock, token }: StateToken, key: string): Promise<boolean> {
    const found = await get(lockName(lock))
    if (found?.['v']?.S !== token) return false
    for (const set of ['a', 'b'] as const) {
      for (let index = 0; ; index++) {
        const name = pageName(lock, set, index)
        const page = await get(name)
        if (page === undefined) break
        if (!(await rewrite(name, page, key, 'v <= :v', { N: counterOf(token) }))) return false
      }
    }
    return found['keys'] === undefined || rewrite(lockName(lock), found, key, 'v = :v', { S: token })
  }

  function rewrite(id: string, found: Attributes, key: string, condition: string, v: AttributeValue): Promise<boolean> {
    const { keys, caps } = notesOf(found)
    if (!keys.includes(key) && !caps.some(([one]) => one === key)) return Promise.resolve(true)
    const left = attributesOf({ keys: keys.filter(one => one !== key), caps: caps.filter(([one]) => one !== key) })
    return isDone(
      new UpdateItemCommand({
        TableName: table,
        Key: { id: { S: id } },
        UpdateExpression: 'SET #keys = :keys, #caps = :caps',
        ConditionExpression: condition,
        ExpressionAttributeNames: { '#keys': 'keys', '#caps': 'caps' },
        ExpressionAttributeValues: { ':keys': left.keys, ':caps': left.caps, ':v': v },
      }),
    )
  }

  async function emptyItem(key: string, owner: string, { token }: StateToken): Promise<'erased' | 'stale' | 'moved'> {
    const counter = counterOf(token)
    const erased = await isDone(
      new PutItemCommand({
        TableName: table,
        Item: { id: { S: key }, at: { N: '-1' }, tp: { S: owner }, v: { N: counter }, expiresAt: { N: expiresAt() } },
        ConditionExpression: 'tp = :owner AND v <= :counter',
        ExpressionAttributeValues: { ':owner': { S: owner }, ':counter': { N: counter } },
      }),
    )
    if (erased) return 'erased'
    const found = await get(key)
    if (found === undefined) return 'erased'
    return found['tp']?.S === owner ? 'stale' : 'moved'
  }

  async function emptyCap(key: string, isShared: boolean, claims: readonly StateToken[]): Promise<'erased' | 'stale'> {
    const found = await get(key)
    if (found === undefined) return 'erased'
    const tokens: Record<string, AttributeValue> = { ...found['tokens']?.M }
    for (const { lock, token } of claims) {
      const prefix = coordinatePrefix(lock, isShared)
      const stored = tokens[prefix]?.N
      if (stored !== undefined && Number(stored) > Number(counterOf(token))) return 'stale'
      tokens[prefix] = { N: counterOf(token) }
    }
    const version = found['version']!.N!
    const erased = await isDone(
      new PutItemCommand({
        TableName: table,
        Item: {
          id: { S: key },
          version: { N: `${Number(version) + 1}` },
          places: { S: '{}' },
          tokens: { M: tokens },
          expiresAt: { N: expiresAt() },
        },
        ConditionExpression: 'version = :version',
        ExpressionAttributeValues: { ':version': { N: version } },
      }),
    )
    return erased ? 'erased' : 'stale'
  }

  function expiresAt(): string {
    return `${Math.ceil((nowMs() + emptiedMs) / 1000)}`
  }

  async function get(id: string): Promise<Attributes | undefined> {
    return (await client.send(new GetItemCommand({ TableName: table, Key: { id: { S: id } }, ConsistentRead: true }))).Item
  }

  /** False where the condition does not hold. */
  async function isDone(command: PutItemCommand | UpdateItemCommand): Promise<boolean> {
    try {
      await client.send(command as PutItemCommand)
      return true
    } catch (error) {
      if (error instanceof Error && error.name === 'ConditionalCheckFailedException') return false
      throw error
    }
  }

  async function timed<T>(deadline: Deadline, work: () => Promise<T>): Promise<T> {
    const timeoutMs = timeoutOf(deadline)
    try {
      return await within(timeoutMs, work())
    } catch (error) {
      const what = { store: 'dynamodb', scenario, keyCount: 1, things: 'reads or writes of state', timeoutMs, advice } as const
      const address = config.endpoint === undefined ? 'DynamoDB' : new URL(config.endpoint).host
      throw unanswered(error, { ...what, address, ...reasonOf(error) })
    }
  }
}
