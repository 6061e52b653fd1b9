// Step 5 as Redis runs it: the rules of state-places.ts and state-keys.ts once more, in Lua, since only a script is one step there. The contract
// suite and random histories hold both together. Redis' Lua knows doubles alone: units are two numbers, above and below 10^9, so that 64 bits
// add up exactly; offsets and times are below 2^53.
import { createHash } from 'node:crypto'
import type { Script } from './redis/commands.ts'

/** KEYS: lock. ARGV: nonce, now in ms, whether the keys' items are in reach. Gives token, last, signature, keys, caps, items, position. */
export const claimScript = scriptOf(`
local found = redis.call('HMGET', KEYS[1], 'v', 'last', 'signature', 'keys', 'caps', 'pos')
-- The clock makes a token that is higher than all before, also where the store has lost them.
local counter = tonumber(ARGV[2])
local before = found[1] and tonumber(string.match(found[1], '^%d+'))
if before and before >= counter then counter = before + 1 end
local token = string.format('%.0f', counter) .. '.' .. ARGV[1]
redis.call('HSET', KEYS[1], 'v', token)
local items = {}
if ARGV[3] == '1' and found[4] then
  for i, key in ipairs(cjson.decode(found[4])) do
    items[i] = redis.call('HMGET', key, 'base', 'head', 'at', 'tp')
  end
end
return { token, found[2], found[3], found[4], found[5], items, found[6] }
`)

const lock = `
-- The token may still hold where a fail-over or a restore has taken back what was written under it.
local function isStale(key, token, known)
  local found = redis.call('HMGET', key, 'v', 'last')
  local last = tonumber(known)
  return found[1] ~= token or (last and (not found[2] or tonumber(found[2]) < last))
end
`

const items = `
local function isMoved(at, tp, head, own, expected)
  if tp == own then return false end
  if expected == '' then return tp ~= false end
  return tp == false or at .. ' ' .. tp .. ' ' .. (head or '-') ~= expected
end

-- "-" stands for no value: it is no JSON.
local function put(key, base, head, at, ...)
  if base ~= '-' and head ~= '-' then
    redis.call('HSET', key, 'base', base, 'head', head, 'at', at, ...)
  elseif head ~= '-' then
    redis.call('HSET', key, 'head', head, 'at', at, ...)
    redis.call('HDEL', key, 'base')
  elseif base ~= '-' then
    redis.call('HSET', key, 'base', base, 'at', at, ...)
    redis.call('HDEL', key, 'head')
  else
    redis.call('HSET', key, 'at', at, ...)
    redis.call('HDEL', key, 'base', 'head')
  end
end
`

const places = `
local function big(text)
  -- A limit may be computed, and come out below 0: then nothing fits, whatever it is.
  if string.sub(text, 1, 1) == '-' then return -1, 0 end
  local n = #text
  if n <= 9 then return 0, tonumber(text) end
  return tonumber(string.sub(text, 1, n - 9)), tonumber(string.sub(text, n - 8))
end

local function bigText(hi, lo)
  if hi == 0 then return string.format('%.0f', lo) end
  return string.format('%.0f%09.0f', hi, lo)
end

local function sum(hi, lo, hi2, lo2)
  hi, lo = hi + hi2, lo + lo2
  if lo >= 1e9 then return hi + 1, lo - 1e9 end
  return hi, lo
end

-- One cap key while a batch asks it. asked: offset -> { units, member or false, time }
local function open(key, prefix, within, expires, position, last, keeps, asked, now)
  local ledger = { key = key, prefix = prefix, within = within, expires = expires, places = {}, gone = {}, put = {}, invalid = true }
  local horizon = -math.huge
  if expires and next(asked) then
    local newest = -math.huge
    for _, one in pairs(asked) do newest = math.max(newest, one.time) end
    horizon = math.min(newest, now) - expires
  end
  local flat = redis.call('HGETALL', key)
  for i = 1, #flat, 2 do
    local coordinates, text = flat[i], flat[i + 1]
    if string.sub(coordinates, 1, 1) == '#' then
      if coordinates == '#' .. prefix then ledger.token = tonumber(text) end
    else
      local number, time, units, used, rest = string.match(text, '^(%S+) (%S+) (%S+) (%S+)(.*)$')
      local hi, lo = big(units)
      local member = false
      if rest ~= '' then member = string.sub(rest, 2) end
      local place = { number = tonumber(number), time = tonumber(time), units = units, hi = hi, lo = lo, used = used, member = member }
      local keep = place.time > horizon
      if string.sub(coordinates, 1, #prefix) == prefix then
        local offset = string.sub(coordinates, #prefix + 1)
        local at = tonumber(offset)
        if at >= position and not (keeps and at > last) then
          local wanted = asked[offset]
          keep = keeps and wanted and wanted.units == units and wanted.member == member
        end
      end
      if keep then ledger.places[coordinates] = place else ledger.gone[coordinates] = true end
    end
  end
  return ledger
end

local function include(ledger, place)
  ledger.hi, ledger.lo = sum(ledger.hi, ledger.lo, place.hi, place.lo)
  ledger.numbers[place.number] = true
  while ledger.numbers[ledger.free] do ledger.free = ledger.free + 1 end
  if place.member then ledger.members[place.member] = true end
  if place.time < ledger.inside then ledger.inside = place.time end
end

-- Sums hold for every window that begins at or after the latest place outside and before the earliest inside.
local function takes(ledger, time, limitHi, limitLo, hi, lo, member)
  local since = -math.huge
  if ledger.within then since = time - ledger.within end
  if ledger.invalid or ledger.outside > since or since >= ledger.inside then
    ledger.hi, ledger.lo, ledger.free, ledger.numbers, ledger.members = 0, 0, 1, {}, {}
    ledger.outside, ledger.inside, ledger.invalid = -math.huge, math.huge, false
    for _, place in pairs(ledger.places) do
      if place.time > since then include(ledger, place) elseif place.time > ledger.outside then ledger.outside = place.time end
    end
  end
  if member and ledger.members[member] then return false end
  local sumHi, sumLo = sum(ledger.hi, ledger.lo, hi, lo)
  return sumHi < limitHi or (sumHi == limitHi and sumLo <= limitLo)
end

local function grant(ledger, coordinates, time, units, hi, lo, member)
  local place = { number = ledger.free, time = tonumber(time), units = units, hi = hi, lo = lo, member = member }
  place.used = bigText(sum(ledger.hi, ledger.lo, hi, lo))
  ledger.places[coordinates] = place
  ledger.put[coordinates] = string.format('%.0f', place.number) .. ' ' .. time .. ' ' .. units .. ' ' .. place.used
  if member then ledger.put[coordinates] = ledger.put[coordinates] .. ' ' .. member end
  include(ledger, place)
  return place
end

-- ARGV from "from": per cap prefix, within, expires; then per ask offset, time, count and per cap its index, limit, units, member.
local function openAll(keys, capCount, askCount, from, position, last, keeps, now)
  local asked, asks, ledgers = {}, {}, {}
  for c = 1, capCount do asked[c] = {} end
  local next = from + 3 * capCount
  for a = 1, askCount do
    local ask = { offset = ARGV[next], time = ARGV[next + 1], caps = {} }
    local count = tonumber(ARGV[next + 2])
    next = next + 3
    for n = 1, count do
      local cap, limit, units, member = tonumber(ARGV[next]), ARGV[next + 1], ARGV[next + 2], false
      if ARGV[next + 3] ~= '' then member = string.sub(ARGV[next + 3], 2) end
      asked[cap][ask.offset] = { units = units, member = member, time = tonumber(ask.time) }
      ask.caps[n] = { cap = cap, limit = limit, units = units, member = member }
      next = next + 4
    end
    asks[a] = ask
  end
  for c = 1, capCount do
    local at = from + 3 * (c - 1)
    ledgers[c] = open(keys[c], ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), position, last, keeps, asked[c], now)
  end
  return ledgers, asks
end

-- All caps of an ask or none. An answer is "number used number used ..." or "!index of the cap that refused".
local function judge(ledgers, asks)
  local answers = {}
  for a, ask in ipairs(asks) do
    local time = tonumber(ask.time)
    local refusedBy
    for n, one in ipairs(ask.caps) do
      local ledger = ledgers[one.cap]
      one.coordinates = ledger.prefix .. ask.offset
      one.held = ledger.places[one.coordinates]
      one.hi, one.lo = big(one.units)
      local limitHi, limitLo = big(one.limit)
      if not refusedBy and not one.held and not takes(ledger, time, limitHi, limitLo, one.hi, one.lo, one.member) then refusedBy = n end
    end
    if refusedBy then
      for _, one in ipairs(ask.caps) do
        if one.held then
          local ledger = ledgers[one.cap]
          ledger.places[one.coordinates] = nil
          ledger.gone[one.coordinates] = true
          ledger.invalid = true
        end
      end
      answers[a] = '!' .. string.format('%.0f', refusedBy - 1)
    else
      local texts = {}
      for n, one in ipairs(ask.caps) do
        local place = one.held or grant(ledgers[one.cap], one.coordinates, ask.time, one.units, one.hi, one.lo, one.member)
        texts[n] = string.format('%.0f', place.number) .. ' ' .. place.used
      end
      answers[a] = table.concat(texts, ' ')
    end
  end
  return answers
end

local function chunks(command, key, words)
  for i = 1, #words, 4000 do
    redis.call(command, key, unpack(words, i, math.min(i + 3999, #words)))
  end
end

local function save(ledger)
  local added, gone = {}, {}
  for coordinates, text in pairs(ledger.put) do
    added[#added + 1] = coordinates
    added[#added + 1] = text
  end
  for coordinates in pairs(ledger.gone) do
    if not ledger.put[coordinates] then gone[#gone + 1] = coordinates end
  end
  chunks('HSET', ledger.key, added)
  chunks('HDEL', ledger.key, gone)
  if ledger.expires then redis.call('PEXPIRE', ledger.key, string.format('%.0f', ledger.expires)) else redis.call('PERSIST', ledger.key) end
end
`

/**
 * A single server. KEYS: lock, plain items, other items, caps. ARGV: token, signature, position, last, tp, counts of plain items, other items,
 * caps and asks, now, the lock's keys and caps as JSON, whether places are kept; per plain item, whose `at` is `last` and which is this
 * partition's or new, base and head; per other item base, head, at, expected ("" or "AT TP HEAD"); then as openAll reads it; at the end the lock's
 * last as the writer knows it, "-" where there was none.
 */
export const writeScript = scriptOf(`${lock}${items}${places}
local token, signature, last, tp, now = ARGV[1], ARGV[2], ARGV[4], ARGV[5], tonumber(ARGV[10])
local plainCount, otherCount, capCount, askCount = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
if isStale(KEYS[1], token, ARGV[#ARGV]) then return { 'stale' } end
local isNew = {}
for i = 2, 1 + plainCount do
  local found = redis.call('HGET', KEYS[i], 'tp')
  if found ~= tp then
    if found then return { 'moved', KEYS[i] } end
    isNew[i] = true
  end
end
local firstOther = 14 + 2 * plainCount
for i = 0, otherCount - 1 do
  local key = KEYS[2 + plainCount + i]
  local found = redis.call('HMGET', key, 'at', 'tp', 'head')
  if isMoved(found[1], found[2], found[3], tp, ARGV[firstOther + 4 * i + 3]) then return { 'moved', key } end
end
local capKeys = {}
for c = 1, capCount do capKeys[c] = KEYS[1 + plainCount + otherCount + c] end
local ledgers, asks = openAll(capKeys, capCount, askCount, firstOther + 4 * otherCount, tonumber(ARGV[3]), tonumber(last), ARGV[13] == '1', now)
local answers = judge(ledgers, asks)
-- Up to here all has been read. The first command that writes is the one that a full store refuses.
redis.call('HSET', KEYS[1], 'last', last, 'signature', signature, 'keys', ARGV[11], 'caps', ARGV[12])
for i = 2, 1 + plainCount do
  local base, head = ARGV[10 + 2 * i], ARGV[11 + 2 * i]
  if isNew[i] then put(KEYS[i], base, head, last, 'tp', tp) else put(KEYS[i], base, head, last) end
end
for i = 0, otherCount - 1 do
  local at = firstOther + 4 * i
  put(KEYS[2 + plainCount + i], ARGV[at], ARGV[at + 1], ARGV[at + 2], 'tp', tp)
end
for c = 1, capCount do save(ledgers[c]) end
return { 'written', answers }
`)

/** In a cluster first. KEYS: lock. ARGV: token, last, signature, what the lock then says of keys and caps, as JSON, its last as the writer knows it. */
export const lockScript = scriptOf(`${lock}
if isStale(KEYS[1], ARGV[1], ARGV[6]) then return 0 end
redis.call('HSET', KEYS[1], 'last', ARGV[2], 'signature', ARGV[3], 'keys', ARGV[4], 'caps', ARGV[5])
return 1
`)

/** At-least-once. KEYS: lock. ARGV: token, position. */
export const acknowledgeScript = scriptOf(`
if redis.call('HGET', KEYS[1], 'v') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'pos', ARGV[2])
return 1
`)

/**
 * In a cluster, at the claim: what an older writer of this partition announced, and is not there, may be on its way. It finds this token. KEYS:
 * item. ARGV: the token's counter, tp, how long an empty one stays. Gives the item.
 */
export const markScript = scriptOf(`
local mark = 'v@' .. ARGV[2]
local found = redis.call('HMGET', KEYS[1], 'base', 'head', 'at', 'tp', mark)
if found[4] ~= ARGV[2] and not (found[5] and tonumber(found[5]) > tonumber(ARGV[1])) then
  redis.call('HSET', KEYS[1], mark, ARGV[1])
  if not found[4] then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
end
return { found[1], found[2], found[3], found[4] }
`)

/** One item, after the lock. KEYS: item, on a single server its lock. ARGV: the token's counter, tp, base, head, at, expected, token. */
export const itemScript = scriptOf(`${items}
if KEYS[2] and redis.call('HGET', KEYS[2], 'v') ~= ARGV[7] then return 'stale' end
local found = redis.call('HMGET', KEYS[1], 'at', 'tp', 'head', 'v', 'v@' .. ARGV[2])
if found[2] == ARGV[2] and found[4] and tonumber(found[4]) > tonumber(ARGV[1]) then return 'stale' end
if found[5] and tonumber(found[5]) > tonumber(ARGV[1]) then return 'stale' end
if isMoved(found[1], found[2], found[3], ARGV[2], ARGV[6]) then return 'moved' end
put(KEYS[1], ARGV[3], ARGV[4], ARGV[5], 'tp', ARGV[2], 'v', ARGV[1])
-- One that "sluice state --delete" has emptied would have expired, and so would one that was only marked.
redis.call('PERSIST', KEYS[1])
return 'written'
`)

/**
 * Caps that hang together by the records that ask them, after the lock. KEYS: caps, on a single server their lock. ARGV: the token's counter,
 * position, last, counts of asks and caps, now, whether places are kept, token; then as openAll reads it.
 */
export const capsScript = scriptOf(`${places}
local counter = tonumber(ARGV[1])
local capCount = tonumber(ARGV[5])
local lock = KEYS[capCount + 1]
if lock and redis.call('HGET', lock, 'v') ~= ARGV[8] then return { 'stale' } end
local ledgers, asks = openAll(KEYS, capCount, tonumber(ARGV[4]), 9, tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[7] == '1', tonumber(ARGV[6]))
for _, ledger in ipairs(ledgers) do
  if ledger.token and ledger.token > counter then return { 'stale' } end
end
local answers = judge(ledgers, asks)
for _, ledger in ipairs(ledgers) do
  ledger.put['#' .. ledger.prefix] = ARGV[1]
  save(ledger)
end
return { 'written', answers }
`)

export function scriptOf(text: string): Script {
  return { text, sha: createHash('sha1').update(text).digest('hex') }
}
