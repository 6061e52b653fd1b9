// Look-ups from DynamoDB: BatchGetItem in parallel chunks of 100 keys, of the declared fields alone. What DynamoDB leaves unprocessed is asked
// again with the request's own projection (an answer's UnprocessedKeys need not repeat it) after a growing pause, until time is up. Each table
// has its own fate: one that is throttled, or not there, spoils no look-up in another.
import {
  type AttributeValue,
  BatchGetItemCommand,
  type BatchGetItemCommandOutput,
  DynamoDBClient,
  type DynamoDBClientConfig,
} from '@aws-sdk/client-dynamodb'
import { type LookupAnswer, type LookupCommand, WrongKind } from '../plan/plan.ts'
import { type Breaker, createBreaker } from '../runtime/breaker.ts'
import { type Deadline, type LookupPort, type LookupRequest, RetryableError, Unanswered } from '../runtime/ports.ts'
import { backoffMs, inTurn, timeoutOf, unanswered, within } from './patience.ts'

export interface DynamoDbConfig {
  /** Another than the region's: a local one, or a VPC endpoint. */
  readonly endpoint?: string
  readonly scenario: string
  /** Default: the function's role. */
  readonly credentials?: DynamoDBClientConfig['credentials']
  readonly region?: string
}

type ItemCommand = Extract<LookupCommand, { readonly kind: 'item' }>

/** BatchGetItem's own limit. */
const keysPerCall = 100
const callLimit = 16
const firstPauseMs = 10
const attempts = 4
const firstPauseAfterErrorMs = 25
const adviceOf = (table: string) =>
  `If calls fail from the start, check the table's name (${table}) and region, that the function's role allows dynamodb:BatchGetItem on it, and in a VPC that there is an endpoint for DynamoDB.`

interface Chunk {
  readonly command: ItemCommand
  /** By identity: the key as DynamoDB takes it, and where its answer goes. */
  readonly wanted: ReadonlyMap<string, Wanted>
  readonly time: Time
}

interface Wanted {
  readonly key: Record<string, AttributeValue>
  readonly answer: (answer: LookupAnswer | Unanswered) => void
}

/** How long the calls of one look-up may take, from the beginning of the round trip. */
interface Time extends Deadline {
  readonly timeoutMs: number
}

/** Keys that a table did not answer. */
interface Failed {
  readonly error: unknown
  readonly time: Time
  readonly wanted: readonly Wanted[]
}

export function connectDynamoDb({ endpoint, scenario, credentials, region }: DynamoDbConfig): LookupPort {
  const client = new DynamoDBClient({
    ...(endpoint !== undefined && { endpoint }),
    ...(credentials !== undefined && { credentials }),
    ...(region !== undefined && { region }),
    // Its own pauses for a throttled table are longer than a round trip may take, and hide the cause behind a time-out.
    maxAttempts: 1,
  })
  const address = endpoint === undefined ? 'DynamoDB' : new URL(endpoint).host
  // Few: a table stands in the scenario without holes.
  const breakers = new Map<string, Breaker>()
  return { lookupMany, close: async () => client.destroy() }

  function breakerOf(table: string): Breaker {
    const store = `DynamoDB's table ${table}`
    const breaker = breakers.get(table) ?? createBreaker({ scenario, store, nowMs: () => performance.now() })
    breakers.set(table, breaker)
    return breaker
  }

  async function lookupMany(
    requests: readonly LookupRequest[],
    deadline: Deadline,
  ): Promise<readonly (readonly (LookupAnswer | Unanswered)[])[]> {
    const answers = requests.map(({ keys }): (LookupAnswer | Unanswered)[] => new Array(keys.length).fill(null))
    const chunks = requests.flatMap((request, r) => {
      const { command, keys } = request
      if (command.kind !== 'item') throw new Error(`DynamoDB has no look-ups of the kind "${command.kind}"`)
      return chunksOf(command, keys, answers[r]!, timeOf(timeoutOf(deadline, [request])))
    })
    const byTable = Map.groupBy(chunks, ({ command }) => command.table)
    await Promise.all([...byTable].map(([table, ofTable]) => answerTable(table, ofTable)))
    return answers
  }

  async function answerTable(table: string, chunks: readonly Chunk[]): Promise<void> {
    let isAsked = false
    try {
      await breakerOf(table).call(() => {
        isAsked = true
        return askTable(table, chunks)
      })
    } catch (error) {
      if (!(error instanceof RetryableError)) throw error
      if (!isAsked)
        leaveOpen(
          chunks.flatMap(({ wanted }) => [...wanted.values()]),
          error,
        )
    }
  }

  /** Throws where it answered nothing. */
  async function askTable(table: string, chunks: readonly Chunk[]): Promise<void> {
    const failed: Failed[] = []
    const tasks = chunks.map(chunk => async () => {
      const failure = await failureOf(client, chunk)
      if (failure !== undefined) failed.push(failure)
    })
    await inTurn(tasks, callLimit)
    if (failed.length === 0) return
    const keyCount = failed.reduce((count, { wanted }) => count + wanted.length, 0)
    const failures = failed.map(({ error, time: { timeoutMs }, wanted }) => {
      const what = { store: 'dynamodb', scenario, keyCount, address, timeoutMs, advice: adviceOf(table) } as const
      const failure = unanswered(error, { ...what, ...reasonOf(error) })
      leaveOpen(wanted, failure)
      return failure
    })
    if (keyCount === chunks.reduce((count, { wanted }) => count + wanted.size, 0)) throw failures[0]!
  }
}

function leaveOpen(wanted: readonly Wanted[], failure: RetryableError): void {
  for (const { answer } of wanted) answer(new Unanswered(failure))
}

function timeOf(timeoutMs: number): Time {
  const endMs = performance.now() + timeoutMs
  return { timeoutMs, remainingMs: () => endMs - performance.now() }
}

function chunksOf(
  command: ItemCommand,
  keys: readonly string[],
  answers: (LookupAnswer | Unanswered)[],
  time: Time,
): readonly Chunk[] {
  const places = new Map<string, { key: Record<string, AttributeValue>; indexes: number[] }>()
  keys.forEach((text, index) => {
    const key = JSON.parse(text) as Record<string, AttributeValue>
    // DynamoDB would refuse the whole call because of a key that no item can have.
    const impossible = impossibleKey(command, key)
    if (impossible !== undefined) {
      answers[index] = impossible
      return
    }
    // DynamoDB takes 1 and 1.0 for one key, and a call that names a key twice for an error.
    const identity = identityOf(command, key)
    const place = places.get(identity)
    if (place === undefined) places.set(identity, { key, indexes: [index] })
    else place.indexes.push(index)
  })
  const all = [...places].map(([identity, { key, indexes }]): [string, Wanted] => [
    identity,
    {
      key,
      answer: answer => {
        for (const index of indexes) answers[index] = answer
      },
    },
  ])
  return Array.from({ length: Math.ceil(all.length / keysPerCall) }, (_, c) => ({
    command,
    wanted: new Map(all.slice(c * keysPerCall, (c + 1) * keysPerCall)),
    time,
  }))
}

/** Undefined: all of its keys are answered. */
async function failureOf(client: DynamoDBClient, chunk: Chunk): Promise<Failed | undefined> {
  const { wanted, time } = chunk
  const open = new Map(wanted)
  const abort = new AbortController()
  try {
    await within(Math.max(1, Math.floor(time.remainingMs())), ask(client, chunk, open, abort.signal))
    return undefined
  } catch (error) {
    return { error, time, wanted: [...open.values()] }
  } finally {
    abort.abort()
  }
}

/** Takes from `open` what is answered, or known not to be there. */
async function ask(
  client: DynamoDBClient,
  { command, wanted, time: deadline }: Chunk,
  open: Map<string, Wanted>,
  abort: AbortSignal,
): Promise<void> {
  const { table, keyNames, fields, consistent = false } = command
  const names = [...new Set([...keyNames, ...fields])]
  const projection = {
    // By placeholders: a field may have the name of one of DynamoDB's 573 reserved words, or a dot.
    ProjectionExpression: names.map((_, n) => `#${n}`).join(','),
    ExpressionAttributeNames: Object.fromEntries(names.map((name, n) => [`#${n}`, name])),
    ConsistentRead: consistent,
  }
  let keys: Record<string, AttributeValue>[] = [...wanted.values()].map(({ key }) => key)
  for (let attempt = 0; ; attempt++) {
    const call = new BatchGetItemCommand({ RequestItems: { [table]: { ...projection, Keys: keys } } })
    const { Responses, UnprocessedKeys } = await send(client, call, { abort, deadline })
    const items = Responses?.[table] ?? []
    if (abort.aborted) return
    for (const item of items) wanted.get(identityOf(command, item))?.answer(jsonOfItem(item, fields))
    keys = UnprocessedKeys?.[table]?.Keys ?? []
    const left = new Set(keys.map(key => identityOf(command, key)))
    for (const identity of open.keys()) if (!left.has(identity)) open.delete(identity)
    if (keys.length === 0) return
    // Throttled or above 16 MB: with progress the rest is asked at once.
    const pauseMs = items.length > 0 ? 0 : backoffMs(attempt, firstPauseMs)
    if (pauseMs >= deadline.remainingMs()) throw new Throttled()
    if (pauseMs > 0) await new Promise(resolve => setTimeout(resolve, pauseMs))
    if (abort.aborted) return
  }
}

/** DynamoDB has no capacity for the rest, and time is up. */
class Throttled extends Error {
  override readonly name = 'Throttled'
}

async function send(
  client: DynamoDBClient,
  call: BatchGetItemCommand,
  { abort, deadline }: { readonly abort: AbortSignal; readonly deadline: Deadline },
): Promise<BatchGetItemCommandOutput> {
  return patiently(() => client.send(call, { abortSignal: abort }), abort, deadline)
}

/** As often as a batch bears it where the table is throttled, the service is not well or the connection broke. */
export async function patiently<T>(call: () => Promise<T>, abort: AbortSignal, deadline?: Deadline): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call()
    } catch (error) {
      const pauseMs = backoffMs(attempt - 1, firstPauseAfterErrorMs)
      const isOver = abort.aborted || pauseMs >= (deadline?.remainingMs() ?? Number.POSITIVE_INFINITY)
      if (attempt === attempts || isOver || !mayPass(error)) throw error
      await new Promise(resolve => setTimeout(resolve, pauseMs))
      if (abort.aborted) throw error
    }
  }
}

const throttledNames = ['ProvisionedThroughputExceededException', 'ThrottlingException', 'RequestLimitExceeded']

function mayPass(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { httpStatusCode: status } = (error as { $metadata?: { httpStatusCode?: number } }).$metadata ?? {}
  return status === undefined || status >= 500 || throttledNames.includes(error.name)
}

/** What stands for the answer where no item can have this key. */
function impossibleKey({ keyNames }: ItemCommand, key: Record<string, AttributeValue>): LookupAnswer | undefined {
  // A partition key may have twice that; which of two names it is only the table knows.
  const longestBytes = keyNames.length === 1 ? 2048 : 1024
  for (const name of keyNames) {
    const { S, N } = key[name] ?? {}
    if (S === '') return null
    if (S !== undefined && Buffer.byteLength(S) > longestBytes)
      return new WrongKind(`no items with keys of more than ${longestBytes} bytes`)
    if (N !== undefined && significantDigits(N) > 38) return new WrongKind('no items with keys of more than 38 digits')
  }
  return undefined
}

function identityOf({ keyNames }: ItemCommand, attributes: Record<string, AttributeValue>): string {
  return JSON.stringify(
    keyNames.map(name => {
      const { S, N, B } = attributes[name] ?? {}
      return S !== undefined ? ['S', S] : N !== undefined ? ['N', plainNumber(N)] : ['B', B && Buffer.from(B).toString('base64')]
    }),
  )
}

const significantDigits = (number: string) => plainNumber(number).replace(/e.*|-/g, '').replace(/^0+/, '').length

/** One text for all writings of a number: digits without zeros at the ends, and the power of ten. */
function plainNumber(text: string): string {
  const match = /^([+-]?)(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?$/.exec(text)
  if (match === null) return text
  const [, sign, whole = '', fraction = '', exponent = '0'] = match
  const digits = `${whole}${fraction}`.replace(/^0+/, '')
  const short = digits.replace(/0+$/, '')
  if (short === '') return '0'
  return `${sign === '-' ? '-' : ''}${short}e${Number(exponent) - fraction.length + digits.length - short.length}`
}

/** As JSON text and not through JavaScript's numbers: DynamoDB's have up to 38 digits, and the declared type decides how they are read. */
function jsonOfItem(item: Record<string, AttributeValue>, fields: readonly string[]): string {
  return `{${fields.flatMap(name => (item[name] === undefined ? [] : [`${JSON.stringify(name)}:${jsonOf(item[name])}`])).join(',')}}`
}

function jsonOf(value: AttributeValue): string {
  if (value.S !== undefined) return JSON.stringify(value.S)
  if (value.N !== undefined) return value.N
  if (value.BOOL !== undefined) return String(value.BOOL)
  if (value.NULL !== undefined) return 'null'
  if (value.L !== undefined) return `[${value.L.map(jsonOf).join(',')}]`
  if (value.M !== undefined)
    return `{${Object.entries(value.M)
      .map(([name, one]) => `${JSON.stringify(name)}:${jsonOf(one)}`)
      .join(',')}}`
  // DynamoDB gives a set's members in no order; a replay must see the same list.
  if (value.SS !== undefined) return JSON.stringify([...value.SS].sort())
  if (value.NS !== undefined) return `[${[...value.NS].sort((a, b) => Number(a) - Number(b) || (a < b ? -1 : 1)).join(',')}]`
  if (value.B !== undefined) return JSON.stringify(base64(value.B))
  if (value.BS !== undefined) return JSON.stringify(value.BS.map(base64).sort())
  return 'null'
}

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')

const throttleAdvice =
  'It takes no more at the moment: this passes. If it goes on, let the table scale on demand or give it more capacity, and look for a key that all records share.'

/** The name of AWS's exception, whose message may quote keys, and what to do where it is one of load. */
export function reasonOf(error: unknown): { readonly reason?: string; readonly advice?: string } {
  if (error instanceof Throttled)
    return { reason: 'throttled: keys came back unprocessed until the time was up', advice: throttleAdvice }
  if (!(error instanceof Error) || !/(Exception|Error|Exceeded)$/.test(error.name)) return {}
  if (error.name === 'Error' || error.name === 'TypeError') return {}
  return { reason: error.name, ...(throttledNames.includes(error.name) && { advice: throttleAdvice }) }
}
