// State in Redis or Valkey. A single server takes each partition's step 5 as one script, those of all partitions in one pipeline. In a cluster a
// key lives in another slot than its lock: the lock is written first, with all keys that are about to change, then each item and each cap, which
// refuses a token that is older than the one that wrote it last (state.md, section 5). Large writes of a single server go the same way, since a
// script keeps everybody else waiting; there each part looks at the lock itself, since whole writes leave no token behind.
import { randomUUID } from 'node:crypto'
import { runtimeError } from '../runtime/errors.ts'
import type {
  Deadline,
  StateAnswer,
  StateClaim,
  StateItem,
  StateLock,
  StateOutcome,
  StatePort,
  StateWrite,
} from '../runtime/ports.ts'
import { timeoutOf } from './patience.ts'
import { targetOf } from './redis/address.ts'
import { createRedisClient, type RedisClient } from './redis/client.ts'
import { type Argument, type Command, encode, listed, scriptCall } from './redis/commands.ts'
import { redisFailure } from './redis/failure.ts'
import { type Reply, ReplyError } from './redis/replies.ts'
import { slotOf } from './redis/slots.ts'
import { connectRedis } from './redis.ts'
import { type CapGroup, capGroups, counterOf, lateMs, lockName, lockNotes, type StateStore, tpOf } from './state-keys.ts'
import { coordinatePrefix, type Place, type Places, untilAfter } from './state-places.ts'
import {
  acknowledgeScript,
  capsScript,
  claimScript,
  itemScript,
  lockScript,
  markScript,
  writeScript,
} from './state-redis-scripts.ts'
import { placeOf, rehearsalOf } from './state-rehearsal.ts'

export interface RedisStateConfig {
  /** redis://[[user]:password@]host[:port][/database] or rediss://…; a cluster's is that of any of its nodes. */
  readonly url: string
  readonly scenario: string
  /** Authorities to trust beside Node's, in PEM. */
  readonly ca?: string
  /** Told once where nobody can see whether the server evicts. */
  readonly warn?: (message: string) => void
  readonly nowMs?: () => number
}

/** Changed keys and asks: some 5 to 30 ms of the server. */
const largestScript = 1000

const again = { repeatable: true }
/**
 * A first copy that a proxy delivers after the second, or after the next batch's write, would ask for places anew behind the back of whoever was
 * told the others, or move `last` back. Unknown outcome: the batch comes again, under another token.
 */
const once = { repeatable: false }

const advice = {
  OOM: 'Its memory is full: raise maxmemory. It must not evict: state that is evicted is lost.',
  NOPERM:
    'The user may not do this: state needs EVALSHA, EVAL, HGET, HMGET, HGETALL, HSET, HDEL, PEXPIRE and PERSIST on keys that begin with "sluice:", in a cluster also CLUSTER SLOTS.',
  WRONGTYPE: 'Something else is stored under a key of state: keys that begin with "sluice:" are sluice\'s own.',
}

/** With the look-ups that read it; they connect when they are first used. */
export function connectRedisStateStore(config: RedisStateConfig): StateStore {
  return { state: connectRedisState(config), lookups: connectRedis(config) }
}

export function connectRedisState({ url, scenario, ca, warn = () => undefined, nowMs = Date.now }: RedisStateConfig): StatePort {
  const client = createRedisClient(targetOf(url, ca), `sluice.${scenario}.state`)
  let isCluster: boolean | undefined
  return {
    async claim(lock, deadline) {
      isCluster ??= await examine(deadline)
      const call = scriptCall(claimScript, [lockName(lock)], [randomUUID().slice(0, 8), nowMs(), isCluster ? '0' : '1'])
      const [reply] = await ask([call], deadline)
      const [token, last, signature, keysText, capsText, found, position] = reply as readonly [
        string,
        Text,
        Text,
        Text,
        Text,
        readonly Fields[],
        Text,
      ]
      const keys = keysText === null ? [] : (JSON.parse(keysText) as readonly string[])
      const fields = isCluster ? await readMarking(lock, token, keys, deadline) : found
      return {
        token,
        last: last === null ? undefined : BigInt(last),
        position: position === null ? undefined : BigInt(position),
        signature: signature ?? undefined,
        leftovers: leftoversOf(lock, keys, fields as readonly Fields[]),
        caps: capsText === null ? new Map() : untilsOf(capsText),
      }
    },
    async holds(lock, token, deadline) {
      const [held] = await ask([{ text: encode('HGET', lockName(lock), 'v'), key: lockName(lock) }], deadline)
      return held === token
    },
    async acknowledge(acknowledgements, deadline) {
      const calls = acknowledgements.map(({ lock, token, position }) =>
        scriptCall(acknowledgeScript, [lockName(lock)], [token, position]),
      )
      return (await ask(calls, deadline, once)).map(reply => reply === 1)
    },
    rehearseCaps: (locks, keepsPlaces) => rehearsalOf(locks, keepsPlaces, { places: readPlaces, nowMs }),
    async position(lock, deadline) {
      const [found] = await ask([{ text: encode('HGET', lockName(lock), 'pos'), key: lockName(lock) }], deadline)
      return typeof found === 'string' ? BigInt(found) : undefined
    },
    // Without braces it is the scenario that is wrong, not the record: then the write refuses.
    areApart: capKeys => isCluster === true && new Set(capKeys.map(slotOf)).size > 1 && capKeys.every(key => /\{.*\}/s.test(key)),
    async write(writes, deadline) {
      isCluster ??= await examine(deadline)
      if (isCluster || writes.some(({ items, asks }) => items.length + asks.length > largestScript))
        return writeInParts(writes, deadline)
      const replies = await ask(
        writes.map(write => wholeWrite(write, nowMs())),
        deadline,
        once,
      )
      return replies.map(reply => {
        const [kind, rest] = reply as readonly [StateOutcome['kind'], string & readonly string[]]
        return kind === 'written' ? { kind, answers: rest.map(answerOf) } : kind === 'moved' ? { kind, key: rest } : { kind }
      })
    },
    close: async () => client.close(),
  }

  /** What is not this partition's may become so by a write that is late: that one has to find this claim. */
  async function readMarking(lock: StateLock, token: string, keys: readonly string[], deadline: Deadline) {
    const fields = [...((await ask(keys.map(readItem), deadline)) as readonly Fields[])]
    const others = [...keys.keys()].filter(k => fields[k]![3] !== tpOf(lock))
    const marks = others.map(k => scriptCall(markScript, [keys[k]!], [counterOf(token), tpOf(lock), lateMs]))
    const marked = (await ask(marks, deadline)) as readonly Fields[]
    for (const [o, k] of others.entries()) fields[k] = marked[o]!
    return fields
  }

  async function readPlaces(keys: readonly string[], deadline: Deadline): Promise<readonly Places[]> {
    const found = await ask(
      keys.map(key => ({ text: encode('HGETALL', key), key })),
      deadline,
    )
    return (found as readonly (readonly string[])[]).map(flat => {
      const places = new Map<string, Place>()
      for (let i = 0; i < flat.length; i += 2) if (!flat[i]!.startsWith('#')) places.set(flat[i]!, placeOf(flat[i + 1]!))
      return places
    })
  }

  async function ask(commands: readonly Command[], deadline: Deadline, how = again): Promise<readonly Reply[]> {
    return askOf(client, commands, deadline, { scenario, ...how })
  }

  /** Once per container: a cluster or not, and that nothing is evicted. */
  async function examine(deadline: Deadline): Promise<boolean> {
    const timeoutMs = timeoutOf(deadline)
    let reply: Reply
    try {
      ;[reply] = (await client.exchange(listed([{ text: encode('INFO') }]), { timeoutMs, repeatable: true })) as [Reply]
    } catch (error) {
      throw redisFailure(error, { scenario, keyCount: 1, things: 'reads of state', address: client.address, timeoutMs, advice })
    }
    const info = typeof reply === 'string' ? reply : ''
    const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1]
    if (policy !== undefined && policy !== 'noeviction')
      throw runtimeError('state-evicts', { scenario, address: client.address, policy })
    if (policy === undefined)
      warn(
        `${scenario}: ${client.address} does not tell its maxmemory-policy (INFO). Anything but "noeviction" loses state when the memory is full.`,
      )
    const mode = /^redis_mode:(\S+)/m.exec(info)?.[1]
    if (mode !== undefined) return mode === 'cluster'
    // Whoever may not say INFO is told by the first refusal, which a cluster alone gives.
    const probe = await client.exchange(listed([{ text: encode('CLUSTER', 'SLOTS') }]), { timeoutMs, repeatable: true })
    return Array.isArray(probe[0])
  }

  async function writeInParts(writes: readonly StateWrite[], deadline: Deadline): Promise<readonly StateOutcome[]> {
    const groups = writes.map(write => {
      const all = capGroups(write)
      if (isCluster) assertOneSlot(write, all, scenario)
      return all
    })
    const locked = await ask(writes.map(lockWrite), deadline, once)
    const open = writes.flatMap((write, w) => (locked[w] === 1 ? [{ write, w }] : []))
    const parts = open.map(({ write, w }) => ({
      items: write.items.map(item => itemWrite(write, item, isCluster === true)),
      caps: groups[w]!.map(group => capsWrite(write, group, { nowMs: nowMs(), inCluster: isCluster === true })),
    }))
    const replies = await ask(
      parts.flatMap(({ items, caps }) => [...items, ...caps]),
      deadline,
      once,
    )
    const outcomes: StateOutcome[] = writes.map(() => ({ kind: 'stale' }))
    let next = 0
    for (const [o, { write, w }] of open.entries()) {
      const { items, caps } = parts[o]!
      const ofItems = replies.slice(next, next + items.length)
      const ofCaps = replies.slice(next + items.length, next + items.length + caps.length) as (readonly [
        string,
        readonly string[],
      ])[]
      next += items.length + caps.length
      const moved = ofItems.indexOf('moved')
      if (ofItems.includes('stale') || ofCaps.some(([kind]) => kind === 'stale')) continue
      if (moved >= 0) outcomes[w] = { kind: 'moved', key: write.items[moved]!.key }
      else {
        const answers: StateAnswer[] = new Array(write.asks.length)
        for (const [g, { asks }] of groups[w]!.entries())
          for (const [a, ask] of asks.entries()) answers[ask] = answerOf(ofCaps[g]![1][a]!)
        outcomes[w] = { kind: 'written', answers }
      }
    }
    return outcomes
  }
}

/** The server's refusal of one command is one of the whole call: the batch comes again. */
async function askOf(
  client: RedisClient,
  commands: readonly Command[],
  deadline: Deadline,
  { scenario, repeatable }: { readonly scenario: string; readonly repeatable: boolean },
): Promise<readonly Reply[]> {
  const timeoutMs = timeoutOf(deadline)
  try {
    const replies = await client.exchange(listed(commands), { timeoutMs, repeatable })
    for (const reply of replies) if (reply instanceof ReplyError) throw reply
    return replies
  } catch (error) {
    const about = {
      scenario,
      keyCount: commands.length,
      things: 'reads and writes of state',
      address: client.address,
      timeoutMs,
      advice,
    }
    throw redisFailure(error, about)
  }
}

type Text = string | null
/** base, head, at, tp. */
type Fields = readonly [Text, Text, Text, Text]

const readItem = (key: string): Command => ({ text: encode('HMGET', key, 'base', 'head', 'at', 'tp'), key })

function leftoversOf(lock: StateLock, keys: readonly string[], fields: readonly Fields[]): ReadonlyMap<string, StateItem> {
  const leftovers = new Map<string, StateItem>()
  for (const [k, key] of keys.entries()) {
    const [base, head, at, tp] = fields[k]!
    // What has gone (erased), or belongs to another partition since, is no more this one's to restore.
    if (at !== null && tp === tpOf(lock)) leftovers.set(key, { base, head, at: BigInt(at), tp })
  }
  return leftovers
}

function untilsOf(text: string): StateClaim['caps'] {
  return new Map((JSON.parse(text) as readonly (readonly [string, string])[]).map(([key, until]) => [key, BigInt(until)]))
}

function wholeWrite(write: StateWrite, nowMs: number): Command {
  const { lock, token, signature, position, last, lastBefore, items, changed, caps, asks, keepsPlaces } = write
  const untils = caps.flatMap(({ key }, c) => {
    const until = untilAfter(write, c)
    return until === undefined ? [] : [[key, `${until}`] as const]
  })
  // Nearly always all are plain: two words each.
  const isPlain = items.every(({ at, expected }) => at === last && expected === undefined)
  const [plain, others] = isPlain ? [items, []] : [[], items]
  const counts = [plain.length, others.length, caps.length, asks.length]
  const args: Argument[] = [token, signature, position, last, tpOf(lock), ...counts, nowMs]
  args.push(JSON.stringify(changed), JSON.stringify(untils), keepsPlaces ? 1 : 0)
  for (const { base, head } of plain) args.push(base ?? none, head ?? none)
  for (const { base, head, at, expected } of others) args.push(base ?? none, head ?? none, at, expectedArg(expected))
  pushCaps(args, write, { caps: caps.map((_, c) => c), asks: asks.map((_, a) => a) })
  args.push(lastBefore ?? none)
  const keys = [lockName(lock)]
  for (const part of [plain, others, caps]) for (const { key } of part) keys.push(key)
  return scriptCall(writeScript, keys, args)
}

function lockWrite(write: StateWrite): Command {
  const { lock, token, signature, last, lastBefore } = write
  const { keys, caps } = lockNotes(write)
  const args = [token, last, signature, JSON.stringify(keys), JSON.stringify(caps), lastBefore ?? none]
  return scriptCall(lockScript, [lockName(lock)], args)
}

function itemWrite(
  { lock, token }: StateWrite,
  { key, base, head, at, expected }: StateWrite['items'][number],
  inCluster: boolean,
): Command {
  const args = [counterOf(token), tpOf(lock), base ?? none, head ?? none, at, expectedArg(expected), token]
  return scriptCall(itemScript, inCluster ? [key] : [key, lockName(lock)], args)
}

/** All or none of several caps is one step only in one slot. */
function assertOneSlot({ caps }: StateWrite, groups: readonly CapGroup[], scenario: string): void {
  for (const group of groups)
    if (new Set(group.caps.map(c => slotOf(caps[c]!.key))).size > 1) throw runtimeError('caps-in-two-slots', { scenario })
}

function capsWrite(
  write: StateWrite,
  group: CapGroup,
  { nowMs, inCluster }: { readonly nowMs: number; readonly inCluster: boolean },
): Command {
  const { lock, token, position, last, keepsPlaces } = write
  const keys = group.caps.map(c => write.caps[c]!.key)
  const counts = [group.asks.length, keys.length]
  const args: Argument[] = [counterOf(token), position, last, ...counts, nowMs, keepsPlaces ? 1 : 0, token]
  pushCaps(args, write, group)
  return scriptCall(capsScript, inCluster ? keys : [...keys, lockName(lock)], args)
}

function pushCaps(args: Argument[], { lock, caps, asks }: StateWrite, group: CapGroup): void {
  for (const c of group.caps) {
    const { isShared, withinMs, expiresMs } = caps[c]!
    args.push(coordinatePrefix(lock, isShared), withinMs ?? '', expiresMs ?? '')
  }
  const indexes = new Map(group.caps.map((c, index) => [c, index + 1]))
  for (const a of group.asks) {
    const { offset, timeMs, caps: ones } = asks[a]!
    args.push(offset, timeMs, ones.length)
    for (const { cap, limit, units, member } of ones)
      args.push(indexes.get(cap)!, limit, units, member === undefined ? '' : `=${member}`)
  }
}

/** As the scripts read it. */
const none = '-'
const expectedArg = (expected: StateWrite['items'][number]['expected']) =>
  expected === undefined ? '' : `${expected.at} ${expected.tp} ${expected.head ?? none}`

function answerOf(text: string): StateAnswer {
  if (text.startsWith('!')) return { kind: 'refused', cap: Number(text.slice(1)) }
  const words = text.split(' ')
  const places = Array.from({ length: words.length / 2 }, (_, p) => ({
    number: BigInt(words[2 * p]!),
    used: BigInt(words[2 * p + 1]!),
  }))
  return { kind: 'granted', places }
}
