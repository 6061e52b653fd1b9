// State in Redis, looked at and erased by hand. On a single server one script under the locks' tokens; in a cluster the locks' notes first, then
// the key, which stays for an hour as an empty one with the new tokens.
import type { Deadline, StateItem } from '../runtime/ports.ts'
import { timeoutOf } from './patience.ts'
import { targetOf } from './redis/address.ts'
import { createRedisClient } from './redis/client.ts'
import { type Command, encode, listed, scriptCall } from './redis/commands.ts'
import { redisFailure } from './redis/failure.ts'
import { type Reply, ReplyError } from './redis/replies.ts'
import { emptiedMs, type StateAdministration, type StateToken, type StoredPlace } from './state-administration.ts'
import { counterOf, lockName } from './state-keys.ts'
import { coordinatePrefix } from './state-places.ts'
import { scriptOf } from './state-redis-scripts.ts'

const notes = `
-- The names of keys are customers' data, too.
local function without(text, key, nameOf)
  local kept = {}
  for _, one in ipairs(cjson.decode(text or '[]')) do
    if nameOf(one) ~= key then kept[#kept + 1] = one end
  end
  if #kept == 0 then return '[]' end
  return cjson.encode(kept)
end

local function forget(lock, key)
  local found = redis.call('HMGET', lock, 'keys', 'caps')
  if not found[1] then return end
  local keys = without(found[1], key, function(one) return one end)
  local caps = without(found[2], key, function(one) return one[1] end)
  redis.call('HSET', lock, 'keys', keys, 'caps', caps)
end
`

/** A single server. KEYS: key, locks. ARGV: owner or "", a token per lock. */
const eraseScript = scriptOf(`${notes}
for i = 2, #KEYS do
  if redis.call('HGET', KEYS[i], 'v') ~= ARGV[i] then return 'stale' end
end
if ARGV[1] ~= '' then
  local tp = redis.call('HGET', KEYS[1], 'tp')
  if tp and tp ~= ARGV[1] then return 'moved' end
end
for i = 2, #KEYS do forget(KEYS[i], KEYS[1]) end
redis.call('DEL', KEYS[1])
return 'erased'
`)

/** In a cluster first. KEYS: lock. ARGV: token, key. */
const forgetScript = scriptOf(`${notes}
if redis.call('HGET', KEYS[1], 'v') ~= ARGV[1] then return 'stale' end
forget(KEYS[1], ARGV[2])
return 'erased'
`)

/** In a cluster, a value. KEYS: key. ARGV: owner, the token's counter, how long the emptied one stays. */
const emptyItemScript = scriptOf(`
local found = redis.call('HMGET', KEYS[1], 'tp', 'v')
if not found[1] then return 'erased' end
if found[1] ~= ARGV[1] then return 'moved' end
if found[2] and tonumber(found[2]) > tonumber(ARGV[2]) then return 'stale' end
redis.call('HDEL', KEYS[1], 'base', 'head')
redis.call('HSET', KEYS[1], 'at', '-1', 'v', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 'erased'
`)

/** In a cluster, a cap. KEYS: key. ARGV: how long the emptied one stays; prefix and counter per claim. */
const emptyCapScript = scriptOf(`
if redis.call('EXISTS', KEYS[1]) == 0 then return 'erased' end
for i = 2, #ARGV, 2 do
  local stored = redis.call('HGET', KEYS[1], '#' .. ARGV[i])
  if stored and tonumber(stored) > tonumber(ARGV[i + 1]) then return 'stale' end
end
for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
  if string.sub(name, 1, 1) ~= '#' then redis.call('HDEL', KEYS[1], name) end
end
for i = 2, #ARGV, 2 do redis.call('HSET', KEYS[1], '#' .. ARGV[i], ARGV[i + 1]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 'erased'
`)

export function openRedisStateAdministration({
  url,
  scenario,
}: {
  readonly url: string
  readonly scenario: string
}): StateAdministration {
  const client = createRedisClient(targetOf(url), `sluice.${scenario}.state`)
  let isCluster: boolean | undefined
  return {
    async item(key, deadline) {
      const [base, head, at, tp] = (await ask(
        { text: encode('HMGET', key, 'base', 'head', 'at', 'tp'), key },
        deadline,
      )) as Text[]
      return itemOf({ base: base!, head: head!, at: at!, tp: tp! })
    },
    async places(key, deadline) {
      const flat = (await ask({ text: encode('HGETALL', key), key }, deadline)) as readonly string[]
      const places = new Map<string, StoredPlace>()
      for (let i = 0; i < flat.length; i += 2) if (!flat[i]!.startsWith('#')) places.set(flat[i]!, placeOf(flat[i + 1]!))
      return places
    },
    async lock(lock, deadline) {
      const key = lockName(lock)
      const [v, last, position] = (await ask({ text: encode('HMGET', key, 'v', 'last', 'pos'), key }, deadline)) as Text[]
      return v === null
        ? undefined
        : { last: last === null ? undefined : BigInt(last!), position: position === null ? undefined : BigInt(position!) }
    },
    async erase(key, claims, what, deadline) {
      isCluster ??= await asksCluster(deadline)
      const owner = what.kind === 'remember' ? what.owner : ''
      if (!isCluster) {
        const keys = [key, ...claims.map(({ lock }) => lockName(lock))]
        return outcomeOf(await ask(scriptCall(eraseScript, keys, [owner, ...claims.map(({ token }) => token)]), deadline))
      }
      for (const { lock, token } of claims) {
        const forgotten = await ask(scriptCall(forgetScript, [lockName(lock)], [token, key]), deadline)
        if (forgotten === 'stale') return 'stale'
      }
      if (what.kind === 'remember')
        return outcomeOf(await ask(scriptCall(emptyItemScript, [key], [owner, counterOf(claims[0]!.token), emptiedMs]), deadline))
      const tokens = claims.flatMap(({ lock, token }: StateToken) => [coordinatePrefix(lock, what.isShared), counterOf(token)])
      return outcomeOf(await ask(scriptCall(emptyCapScript, [key], [emptiedMs, ...tokens]), deadline))
    },
    close: async () => client.close(),
  }

  /** A single server refuses with ERR; another refusal says nothing. */
  async function asksCluster(deadline: Deadline): Promise<boolean> {
    const reply = await answer({ text: encode('CLUSTER', 'SLOTS') }, deadline)
    if (reply instanceof ReplyError && reply.code !== 'ERR') throw failure(reply, timeoutOf(deadline))
    return Array.isArray(reply)
  }

  async function ask(command: Command, deadline: Deadline): Promise<Reply> {
    const reply = await answer(command, deadline)
    if (reply instanceof ReplyError) throw failure(reply, timeoutOf(deadline))
    return reply
  }

  async function answer(command: Command, deadline: Deadline): Promise<Reply> {
    const timeoutMs = timeoutOf(deadline)
    try {
      return (await client.exchange(listed([command]), { timeoutMs, repeatable: true }))[0]!
    } catch (error) {
      throw failure(error, timeoutMs)
    }
  }

  function failure(error: unknown, timeoutMs: number): unknown {
    return redisFailure(error, {
      scenario,
      keyCount: 1,
      things: 'reads or writes of state',
      address: client.address,
      timeoutMs,
      advice,
    })
  }
}

const advice = {
  NOPERM:
    'The user may not do this: this command needs EVALSHA, EVAL, HGET, HMGET, HGETALL, HKEYS, HSET, HDEL, EXISTS, DEL and PEXPIRE on keys that begin with "sluice:", and CLUSTER SLOTS.',
}

type Text = string | null

function itemOf({ base, head, at, tp }: Readonly<Record<'base' | 'head' | 'at' | 'tp', Text>>): StateItem | undefined {
  if (at === null || tp === null || (base === null && head === null)) return undefined
  return { base, head, at: BigInt(at), tp }
}

/** "NUMBER TIME UNITS USED[ MEMBER]", as state-redis-scripts.ts writes it. */
function placeOf(text: string): StoredPlace {
  const [, number, timeMs, units, rest] = /^(\S+) (\S+) (\S+) \S+(?: (.*))?$/s.exec(text)!
  return { number: BigInt(number!), timeMs: Number(timeMs), units: BigInt(units!), member: rest }
}

const outcomeOf = (reply: Reply) => reply as 'erased' | 'stale' | 'moved'
