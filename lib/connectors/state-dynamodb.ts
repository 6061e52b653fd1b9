// State in DynamoDB: one table whose partition key is the string `id`. As in a Redis Cluster the lock is written first, then what it announces,
// each item under a condition of its own. No transactions: those cost twice the write units, take 100 actions at most, and would only spare the
// next attempt what it does anyway. A cap key is one item that is read, judged here and written if it has kept its version; else once more. It has
// room for some thousands of places: beyond, whoever asks is told that it is full.
import { randomUUID } from 'node:crypto'
import {
  type AttributeValue,
  DynamoDBClient,
  type DynamoDBClientConfig,
  GetItemCommand,
  PutItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb'
import type { LookupAnswer } from '../plan/plan.ts'
import type {
  Deadline,
  LookupPort,
  StateAnswer,
  StateItem,
  StateLock,
  StateOutcome,
  StatePort,
  StateWrite,
} from '../runtime/ports.ts'
import { usualTimeoutMs } from '../runtime/ports.ts'
import { connectDynamoDb, type DynamoDbConfig, patiently, reasonOf } from './dynamodb.ts'
import { backoffMs, inTurn, TimeUp, timeoutOf, unanswered, within } from './patience.ts'
import {
  attributesOf,
  notesOf,
  otherSet,
  type PageSet,
  pageName,
  pageNames,
  pagesAttribute,
  pagesOf,
} from './state-dynamodb-notes.ts'
import { capGroups, counterOf, lateMs, lockName, lockNotes, type StateStore, tpOf } from './state-keys.ts'
import { coordinatePrefix, judgeAsks, type Place, type Places } from './state-places.ts'
import { rehearsalOf } from './state-rehearsal.ts'

export interface DynamoDbStateConfig extends Omit<DynamoDbConfig, 'credentials'> {
  readonly table: string
  readonly credentials?: DynamoDBClientConfig['credentials']
  readonly nowMs?: () => number
}

type Attributes = Record<string, AttributeValue>

const callLimit = 32
/** Of a cap's item, which has 400 KB: the rest is for its key, and for a token of each partition that asks. */
const mostPlaceBytes = 330_000
const firstPauseMs = 10
/** Beyond the first `callLimit`, many at a time. */
const msPerCall = 10
const advice =
  'If calls fail from the start, check the table\'s name and region, that its partition key is the string "id", and that the function\'s role allows dynamodb:GetItem, BatchGetItem, PutItem and UpdateItem on it.'

/** With the look-ups that read it. */
export function connectDynamoDbStateStore(config: DynamoDbStateConfig): StateStore {
  return { state: connectDynamoDbState(config), lookups: hashesOf(config.table, connectDynamoDb(config)) }
}

/** By the URL of SLUICE_STATE, `dynamodb://TABLE`; region and login are the function's. */
export function connectDynamoDbStateByUrl(config: {
  readonly url: string
  readonly scenario: string
  readonly endpoint?: string
}): StateStore {
  const { url, ...others } = config
  return connectDynamoDbStateStore({ ...others, table: new URL(url).host })
}

export function connectDynamoDbState({ table, scenario, nowMs = Date.now, ...config }: DynamoDbStateConfig): StatePort {
  // Its own pauses for a throttled table are longer than a batch may wait, and hide the cause behind a time-out.
  const client = new DynamoDBClient({ ...config, maxAttempts: 1 })
  const address = config.endpoint === undefined ? 'DynamoDB' : new URL(config.endpoint).host
  return {
    async claim(lock, deadline) {
      const { token, held } = await timed(deadline, 1, signal => claimed(lock, signal))
      const names = pageNames(lock, held['pages']?.S)
      const pages = await timed(deadline, names.length, signal =>
        inTurn(
          names.map(name => () => get(name, signal)),
          callLimit,
        ),
      )
      if (pages.includes(undefined)) throw new Error(`a page of the notes of ${lockName(lock)} is gone`)
      const notes = [held, ...pages].map(notesOf)
      const keys = notes.flatMap(page => page.keys)
      const found = await timed(deadline, keys.length, signal =>
        inTurn(
          keys.map(key => () => getMarking(lock, token, key, signal)),
          callLimit,
        ),
      )
      const leftovers = keys.flatMap((key, k) => {
        const item = itemOf(found[k])
        return item === undefined || item.tp !== tpOf(lock) ? [] : [[key, item] as const]
      })
      const last = held['last']?.N
      return {
        token,
        last: last === undefined ? undefined : BigInt(last),
        position: positionOf(held),
        signature: held['signature']?.S,
        leftovers: new Map(leftovers),
        caps: new Map(notes.flatMap(({ caps }) => caps.map(([key, until]) => [key, BigInt(until)] as const))),
      }
    },
    holds: (lock, token, deadline) => timed(deadline, 1, async signal => (await get(lockName(lock), signal))?.['v']?.S === token),
    acknowledge: (acknowledgements, deadline) =>
      timed(deadline, acknowledgements.length, signal =>
        inTurn(
          acknowledgements.map(({ lock, token, position }) => () => {
            const update = new UpdateItemCommand({
              TableName: table,
              Key: { id: { S: lockName(lock) } },
              UpdateExpression: 'SET pos = :pos',
              ConditionExpression: 'v = :token',
              ExpressionAttributeValues: { ':pos': { N: `${position}` }, ':token': { S: token } },
            })
            return when(update, signal)
          }),
          callLimit,
        ),
      ),
    rehearseCaps: (locks, keepsPlaces) =>
      rehearsalOf(locks, keepsPlaces, {
        places: (keys, deadline) =>
          timed(deadline, keys.length, signal =>
            inTurn(
              keys.map(key => async () => placesOf(await get(key, signal))),
              callLimit,
            ),
          ),
        nowMs,
        mostBytes: mostPlaceBytes,
      }),
    position: (lock, deadline) => timed(deadline, 1, async signal => positionOf(await get(lockName(lock), signal))),
    write: (writes, deadline) =>
      timed(deadline, callsOf(writes), signal =>
        inTurn(
          writes.map(write => () => writeOne(write, signal)),
          callLimit,
        ),
      ),
    close: async () => client.destroy(),
  }

  /** With the lock as it is from then on: what its last owner wrote between a look and the claim must be known. */
  async function claimed(lock: StateLock, signal: AbortSignal): Promise<{ readonly token: string; readonly held: Attributes }> {
    const name = lockName(lock)
    for (let attempt = 0; ; attempt++) {
      const before = (await get(name, signal))?.['v']?.S
      // Higher than all before, also where the table was emptied.
      const counter = Math.max(nowMs(), before === undefined ? 0 : Number(counterOf(before)) + 1)
      const token = `${counter}.${randomUUID().slice(0, 8)}`
      const held = await changed(
        new UpdateItemCommand({
          TableName: table,
          Key: { id: { S: name } },
          UpdateExpression: 'SET v = :new',
          ConditionExpression: before === undefined ? 'attribute_not_exists(v)' : 'v = :old',
          ExpressionAttributeValues: { ':new': { S: token }, ...(before !== undefined && { ':old': { S: before } }) },
          ReturnValues: 'ALL_NEW',
        }),
        signal,
      )
      if (held !== undefined) return { token, held }
      await pause(attempt, signal)
    }
  }

  async function writeOne(write: StateWrite, signal: AbortSignal): Promise<StateOutcome> {
    const { lock, token, signature, last, lastBefore } = write
    const pages = pagesOf(lockNotes(write))
    const set = pages.length === 1 ? undefined : await writePages(write, pages, signal)
    if (set === 'stale') return { kind: 'stale' }
    const { keys, caps } = attributesOf(set === undefined ? pages[0]! : { keys: [], caps: [] })
    const isOurs = await when(
      new UpdateItemCommand({
        TableName: table,
        Key: { id: { S: lockName(lock) } },
        UpdateExpression: 'SET #last = :last, #signature = :signature, #keys = :keys, #caps = :caps, #pages = :pages',
        ConditionExpression: `v = :token${lastBefore === undefined ? '' : ' AND #last >= :known'}`,
        ExpressionAttributeNames: {
          '#last': 'last',
          '#signature': 'signature',
          '#keys': 'keys',
          '#caps': 'caps',
          '#pages': 'pages',
        },
        ExpressionAttributeValues: {
          ':last': { N: `${last}` },
          ':signature': { S: signature },
          ':keys': keys,
          ':caps': caps,
          ':pages': { S: set === undefined ? '' : pagesAttribute(set, pages.length) },
          ':token': { S: token },
          ...(lastBefore !== undefined && { ':known': { N: `${lastBefore}` } }),
        },
      }),
      signal,
    )
    if (!isOurs) return { kind: 'stale' }
    const answers: StateAnswer[] = new Array(write.asks.length)
    const kinds = await inTurn(
      [
        ...write.items.map(item => () => writeItem(write, item, signal)),
        ...capGroups(write).map(group => async () => {
          const ofGroup = await writeCaps(partOf(write, group), signal)
          if (ofGroup === undefined) return 'stale'
          for (const [a, ask] of group.asks.entries()) answers[ask] = ofGroup[a]!
          return 'written'
        }),
      ],
      callLimit,
    )
    if (kinds.includes('stale')) return { kind: 'stale' }
    const moved = kinds.indexOf('moved')
    return moved >= 0 ? { kind: 'moved', key: write.items[moved]!.key } : { kind: 'written', answers }
  }

  /** Before the lock, which then names them: the set that does not count. A zombie's come too late for those that a newer owner has written. */
  async function writePages(
    { lock, token }: StateWrite,
    pages: ReturnType<typeof pagesOf>,
    signal: AbortSignal,
  ): Promise<PageSet | 'stale'> {
    const held = await get(lockName(lock), signal)
    if (held?.['v']?.S !== token) return 'stale'
    const set = otherSet(held['pages']?.S)
    const counter = counterOf(token)
    const areWritten = await inTurn(
      pages.map((page, index) => () => {
        const put = new PutItemCommand({
          TableName: table,
          Item: { id: { S: pageName(lock, set, index) }, v: { N: counter }, ...attributesOf(page) },
          ConditionExpression: 'attribute_not_exists(id) OR v <= :counter',
          ExpressionAttributeValues: { ':counter': { N: counter } },
        })
        return when(put, signal)
      }),
      callLimit,
    )
    return areWritten.includes(false) ? 'stale' : set
  }

  async function writeItem(
    { lock, token }: StateWrite,
    { key, base, head, at, expected }: StateWrite['items'][number],
    signal: AbortSignal,
  ): Promise<'written' | 'stale' | 'moved'> {
    const counter = counterOf(token)
    const there = Object.entries({ base, head }).filter(([, value]) => value !== null)
    const gone = Object.entries({ base, head }).filter(([, value]) => value === null)
    const sets = [...there.map(([name]) => `#${name} = :${name}`), '#at = :at', 'tp = :ours', 'v = :counter']
    const removes = [...gone.map(([name]) => `#${name}`), 'expiresAt']
    const known = expected?.head === null ? 'attribute_not_exists(#head)' : '#head = :known'
    const wanted = expected === undefined ? 'attribute_not_exists(tp)' : `(tp = :theirs AND #at = :expected AND ${known})`
    // Fields of others stay: they mark who may not write any more.
    const isWritten = await when(
      new UpdateItemCommand({
        TableName: table,
        Key: { id: { S: key } },
        UpdateExpression: `SET ${sets.join(', ')} REMOVE ${removes.join(', ')}`,
        ConditionExpression: `(${wanted} OR (tp = :ours AND v <= :counter)) AND (attribute_not_exists(#mark) OR #mark <= :counter)`,
        ExpressionAttributeNames: { '#base': 'base', '#head': 'head', '#at': 'at', '#mark': markOf(lock) },
        ExpressionAttributeValues: {
          ':ours': { S: tpOf(lock) },
          ':counter': { N: counter },
          ':at': { N: `${at}` },
          ...Object.fromEntries(there.map(([name, value]) => [`:${name}`, { S: value! }])),
          ...(expected && { ':theirs': { S: expected.tp }, ':expected': { N: `${expected.at}` } }),
          ...(expected && expected.head !== null && { ':known': { S: expected.head } }),
        },
      }),
      signal,
    )
    if (isWritten) return 'written'
    const found = await get(key, signal)
    const mark = Number(found?.[markOf(lock)]?.N ?? 0)
    return found?.['tp']?.S === tpOf(lock) || mark > Number(counter) ? 'stale' : 'moved'
  }

  /** What is not this partition's may become so by a write that is late: that one has to find this claim. */
  async function getMarking(lock: StateLock, token: string, key: string, signal: AbortSignal): Promise<Attributes | undefined> {
    const found = await get(key, signal)
    if (found?.['tp']?.S === tpOf(lock)) return found
    const isNew = found?.['tp'] === undefined
    const isMarked = await when(
      new UpdateItemCommand({
        TableName: table,
        Key: { id: { S: key } },
        UpdateExpression: `SET #mark = :counter${isNew ? ', expiresAt = :expires' : ''}`,
        ConditionExpression: `${isNew ? 'attribute_not_exists(tp)' : 'tp <> :ours'} AND (attribute_not_exists(#mark) OR #mark < :counter)`,
        ExpressionAttributeNames: { '#mark': markOf(lock) },
        ExpressionAttributeValues: {
          ':counter': { N: counterOf(token) },
          ...(isNew ? { ':expires': { N: `${Math.ceil((nowMs() + lateMs) / 1000)}` } } : { ':ours': { S: tpOf(lock) } }),
        },
      }),
      signal,
    )
    // It has come meanwhile; or a newer claim has marked it, and this one is told so by the lock.
    return isMarked ? found : get(key, signal)
  }

  /**
   * All or none of several caps: places are reserved one after the other, and whoever finds a cap changed judges all of them again, which gives
   * back what is not wanted. Nobody sees a place before the commit; another partition may be refused meanwhile.
   */
  async function writeCaps(write: StateWrite, signal: AbortSignal): Promise<readonly StateAnswer[] | undefined> {
    for (let attempt = 0; ; attempt++) {
      const found = await Promise.all(write.caps.map(({ key }) => get(key, signal)))
      const counter = counterOf(write.token)
      const isStale = found.some((item, c) => {
        const stored = item?.['tokens']?.M?.[coordinatePrefix(write.lock, write.caps[c]!.isShared)]?.N
        return stored !== undefined && Number(stored) > Number(counter)
      })
      if (isStale) return undefined
      const { answers, places } = judgeAsks(write, found.map(placesOf), nowMs(), mostPlaceBytes)
      let areWritten = true
      for (const [c, { key, expiresMs, isShared }] of write.caps.entries()) {
        const version = Number(found[c]?.['version']?.N ?? 0)
        areWritten = await when(
          new PutItemCommand({
            TableName: table,
            Item: {
              id: { S: key },
              version: { N: `${version + 1}` },
              places: { S: textOf(places[c]!) },
              tokens: { M: { ...found[c]?.['tokens']?.M, [coordinatePrefix(write.lock, isShared)]: { N: counter } } },
              ...(expiresMs !== undefined && { expiresAt: { N: `${Math.ceil((nowMs() + expiresMs) / 1000)}` } }),
            },
            ConditionExpression: version === 0 ? 'attribute_not_exists(id)' : 'version = :version',
            ...(version > 0 && { ExpressionAttributeValues: { ':version': { N: `${version}` } } }),
          }),
          signal,
        )
        if (!areWritten) break
      }
      if (areWritten) return answers
      await pause(attempt, signal)
    }
  }

  async function get(id: string, abortSignal: AbortSignal): Promise<Attributes | undefined> {
    const call = new GetItemCommand({ TableName: table, Key: { id: { S: id } }, ConsistentRead: true })
    return (await patiently(() => client.send(call, { abortSignal }), abortSignal)).Item
  }

  /** False where the condition does not hold. */
  async function when(command: PutItemCommand | UpdateItemCommand, abortSignal: AbortSignal): Promise<boolean> {
    return (await changed(command, abortSignal)) !== undefined
  }

  /** The attributes that the command asks for; undefined where the condition does not hold. */
  async function changed(command: PutItemCommand | UpdateItemCommand, abortSignal: AbortSignal): Promise<Attributes | undefined> {
    try {
      return (await patiently(() => client.send(command as PutItemCommand, { abortSignal }), abortSignal)).Attributes ?? {}
    } catch (error) {
      if (error instanceof Error && error.name === 'ConditionalCheckFailedException') return undefined
      throw error
    }
  }

  /** What comes after the time is up would be late: it is called off, and its condition guards what was sent already. */
  async function timed<T>(deadline: Deadline, callCount: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    // Items are written one by one: what changes thousands takes longer than one answer may.
    const timeoutMs = timeoutOf(deadline, [{ timeoutMs: usualTimeoutMs + Math.max(0, callCount - callLimit) * msPerCall }])
    const abort = new AbortController()
    try {
      return await within(timeoutMs, work(abort.signal))
    } catch (error) {
      const what = {
        store: 'dynamodb',
        scenario,
        keyCount: callCount,
        things: 'reads or writes of state',
        address,
        timeoutMs,
        advice,
      } as const
      throw unanswered(error, { ...what, ...reasonOf(error) })
    } finally {
      abort.abort()
    }
  }
}

function callsOf(writes: readonly StateWrite[]): number {
  return writes.reduce((sum, { items, caps }) => sum + 1 + items.length + 2 * caps.length, 0)
}

async function pause(attempt: number, signal: AbortSignal): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, backoffMs(Math.min(attempt, 5), firstPauseMs)))
  if (signal.aborted) throw new TimeUp('others change the same key all the time')
}

function partOf(write: StateWrite, { caps, asks }: ReturnType<typeof capGroups>[number]): StateWrite {
  const indexes = new Map(caps.map((c, index) => [c, index]))
  return {
    ...write,
    caps: caps.map(c => write.caps[c]!),
    asks: asks.map(a => {
      const ask = write.asks[a]!
      return { ...ask, caps: ask.caps.map(one => ({ ...one, cap: indexes.get(one.cap)! })) }
    }),
  }
}

/** The attribute by which a claim of this partition refuses writes that are older. */
const markOf = (lock: StateLock): string => `v@${tpOf(lock)}`

function itemOf(found: Attributes | undefined): StateItem | undefined {
  const [at, tp] = [found?.['at']?.N, found?.['tp']?.S]
  if (at === undefined || tp === undefined) return undefined
  return { base: found?.['base']?.S ?? null, head: found?.['head']?.S ?? null, at: BigInt(at), tp }
}

function positionOf(lock: Attributes | undefined): bigint | undefined {
  const position = lock?.['pos']?.N
  return position === undefined ? undefined : BigInt(position)
}

type StoredPlace = readonly [number: string, timeMs: number, units: string, used: string, member: string | null]

function placesOf(found: Attributes | undefined): Places {
  const stored = JSON.parse(found?.['places']?.S ?? '{}') as Readonly<Record<string, StoredPlace>>
  return new Map(
    Object.entries(stored).map(([coordinates, [number, timeMs, units, used, member]]): [string, Place] => [
      coordinates,
      { number: BigInt(number), timeMs, units: BigInt(units), used: BigInt(used), member: member ?? undefined },
    ]),
  )
}

function textOf(places: Places): string {
  const stored = [...places].map(([coordinates, { number, timeMs, units, used, member }]): [string, StoredPlace] => [
    coordinates,
    [`${number}`, timeMs, `${units}`, `${used}`, member ?? null],
  ])
  return JSON.stringify(Object.fromEntries(stored))
}

/** Hashes, as the look-ups of state ask for them, from items. */
function hashesOf(table: string, items: LookupPort): LookupPort {
  return {
    async lookupMany(requests, deadline) {
      const fieldsOf = requests.map(({ command }) => {
        if (command.kind !== 'hash') throw new Error(`state has no look-ups of the kind "${command.kind}"`)
        return command.fields
      })
      const answers = await items.lookupMany(
        requests.map(({ keys, timeoutMs }, r) => ({
          ...(timeoutMs !== undefined && { timeoutMs }),
          command: { kind: 'item', table, keyNames: ['id'], fields: fieldsOf[r]!, consistent: true },
          keys: keys.map(key => JSON.stringify({ id: { S: key } })),
        })),
        deadline,
      )
      return answers.map((ofKeys, r) => ofKeys.map(answer => hashOf(answer as LookupAnswer, fieldsOf[r]!)))
    },
    close: () => items.close(),
  }
}

function hashOf(answer: LookupAnswer, fields: readonly string[]): LookupAnswer {
  if (answer === null) return fields.map(() => null)
  if (typeof answer !== 'string') return answer
  const item = JSON.parse(answer) as Readonly<Record<string, string | number>>
  return fields.map(field => (item[field] === undefined ? null : `${item[field]}`))
}
