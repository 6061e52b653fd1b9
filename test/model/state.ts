// A small model of state beside the commit, before there is any of it (state.md): two values per remembered key and the offset that separates
// them, places of caps by coordinates, a lock per input partition. Two partitions of 14 records, three keys each, caps that count. Some records
// fail in their sink when their place is known. Whoever calls the store or Kafka stops there, and anything may happen in between; look-ups
// answer differently at each attempt. Each form of the algorithm is a scene, each mistake a switch. The production code is not in here;
// test/simulation has it.
import { seededRandom } from '../cases/random.ts'
import { askCap } from './state-caps.ts'
import { judgeState } from './state-judge.ts'
import {
  type Item,
  keyCount,
  type Lock,
  type Output,
  type Owner,
  type Place,
  pagesOfSet,
  partitions,
  recordCount,
  type SourceRecord,
  type StateVariant,
  valueLeftAt,
  World,
} from './state-world.ts'

export type { StateVariant } from './state-world.ts'

const largestBatch = 4
const stepLimit = 10_000
const likely = {
  late: 0.15,
  duplicate: 0.03,
  giveUp: 0.05,
  accepted: 0.5,
  unknownOutcome: 0.1,
  reuse: 0.7,
  faraway: 0.04,
  freeze: 0.08,
}
const faultLimit = 16
const longestFreeze = 40
const memberCount = 5
const farawayTime = 100_000

class Failed extends Error {}

type Places = ReadonlyMap<number, Place>
interface Given {
  readonly all: Places
  readonly own: Places
}
const noPlaces: Given = { all: new Map(), own: new Map() }

interface Warm {
  token: number
  epoch: number
  position: number
  leftover: readonly number[]
  /** The lock lags behind the position: the store lost writes, or another has claimed since. */
  lags: boolean
}

interface Container {
  readonly fn: number
  readonly warm: (Warm | undefined)[]
  busy: boolean
}

interface Attempt {
  readonly owner: Owner
  readonly position: number
  readonly token: number
  readonly last: number
  readonly leftover: readonly number[]
  /** Key → item as it was read. */
  readonly read: ReadonlyMap<number, Item>
  /** Key → value that counts. */
  readonly values: ReadonlyMap<number, number>
  readonly changed: ReadonlyMap<number, number>
  readonly asking: readonly number[]
}

interface Invocation {
  readonly owner: Owner
  readonly container: Container
  readonly range: readonly number[]
}

type Decided = Omit<Output, 'commit'>

interface Live extends Invocation {
  readonly run: Generator<undefined, void>
  readonly end: number
  /** Its outcome decides what is delivered next. */
  counts: boolean
  frozenUntil: number
}

/** One invocation. Throws Failed where the batch must come again. */
function* invoke(world: World, { owner, container, range }: Invocation, variant: StateVariant, random: () => number) {
  const { id, partition } = owner
  const kept = container.warm[partition]
  // Whatever fails from here on keeps nothing.
  if (!variant.keepsAfterFailure) container.warm[partition] = undefined
  const warm =
    kept === undefined
      ? yield* claim(world, owner, variant)
      : variant.keepsAfterFailure
        ? yield* fenceAgain(world, owner, kept)
        : kept
  container.warm[partition] = variant.keepsAfterFailure ? warm : undefined
  const { position, token, epoch, leftover, lags } = warm
  if (lags) {
    // Told by the fetch, which reads the lock's token once more.
    if (variant.alarmsAtOnce || world.locks[id]!.token === token) world.alarms++
    throw new Failed('the lock lags')
  }
  const todo = range.filter(offset => offset >= position)
  if (todo.length === 0) {
    container.warm[partition] = warm
    return
  }
  const last = todo.at(-1)!
  const records = world.records[partition]!
  const { read, values, positions } = yield* look(world, { owner, container, range: todo }, warm, variant)
  const answers = new Map(
    todo.map(offset => [offset, variant.steadyAnswers ? records[offset]!.steadyAnswer : random() < likely.accepted]),
  )
  const dead = new Set<number>()
  const touched = new Set(leftover)
  let outputs: readonly Decided[] = []
  for (;;) {
    const changed = new Map<number, number>()
    const decided = todo.map(offset => {
      const { key, other } = records[offset]!
      const valueNow = (wanted: number) => changed.get(wanted) ?? values.get(wanted)!
      const previous = valueNow(key)
      const isDead = dead.has(offset)
      const accepted = answers.get(offset)! && !isDead
      const isCounted = variant.oneSlot === 'offset remembered' && offset <= read.get(key)!.at
      const shown = { offset, key, previous, accepted, isDead, other: variant.readsOthers ? valueNow(other) : undefined }
      if (accepted && !isCounted) changed.set(key, valueLeftAt(partition, offset))
      return shown
    })
    const asking = decided.filter(({ accepted }) => accepted).map(({ offset }) => offset)
    const attempt: Attempt = { owner, position, token, last, leftover: [...touched], read, values, changed, asking }
    const isUncommitted = ({ tp, at }: Item) => tp >= 0 && tp !== partition && at >= positions.get(tp)!
    if (!variant.takesUncommitted && [...changed.keys()].some(key => isUncommitted(read.get(key)!))) {
      // Two that hold what the other one waits for would wait for ever.
      if (touched.size > 0 && !variant.refusalLeavesLeftovers) yield* undo(world, attempt, variant)
      throw new Failed('another partition has not committed it')
    }
    const unchanged = changed.size === 0 && touched.size === 0 && asking.length === 0
    const given = variant.skipsUnchanged && unchanged ? noPlaces : yield* write(world, attempt, variant)
    outputs = decided.map(one => ({ ...one, place: given.all.get(one.offset), ownPlace: given.own.get(one.offset) }))
    const failing = asking.find(offset => records[offset]!.isLate && given.own.has(offset))
    if (failing === undefined) break
    if (variant.keepsDeadLetters) {
      outputs = outputs.map(one =>
        one.offset === failing ? { ...one, accepted: false, isDead: true, place: undefined, ownPlace: undefined } : one,
      )
      break
    }
    dead.add(failing)
    if (!variant.leavesFirstWrite) for (const key of changed.keys()) touched.add(key)
  }
  if (variant.atLeastOnce) yield* emitAndAcknowledge(world, { owner, token, outputs, next: last + 1 }, variant, random)
  else yield* commit(world, { owner, epoch, outputs, next: last + 1 }, random)
  container.warm[partition] = { token, epoch, position: last + 1, leftover: [], lags: false }
}

function* claim(world: World, owner: Owner, variant: StateVariant) {
  const { order, withoutLock } = variant
  const lock = world.locks[owner.id]!
  const warm: Warm = { token: 0, epoch: 0, position: 0, leftover: [], lags: false }
  let seen: Lock = lock
  let looked: Lock | undefined
  if (variant.looksBeforeClaim) {
    looked = { ...lock }
    yield
  }
  const steps = {
    claim: () => {
      lock.token++
      // On a single server the same script tells which are still this partition's.
      const keys = variant.cluster ? lock.keys : lock.keys.filter(key => world.items[owner.fn]![key]!.tp === owner.partition)
      seen = looked === undefined ? { ...lock, keys } : { ...looked, token: lock.token }
      if (variant.atLeastOnce) steps.position()
    },
    fence: () => {
      warm.epoch = ++world.epochs[owner.id]!
    },
    position: () => {
      warm.position = world.positions[owner.id]!
    },
  }
  const all = variant.atLeastOnce ? 'claim' : (order ?? 'claim, fence, position')
  for (const step of all.split(', ') as (keyof typeof steps)[]) {
    if (withoutLock && step === 'claim') continue
    steps[step]()
    yield
    if (step === 'claim' && variant.pages) seen = { ...seen, keys: yield* readPages(world, owner, seen) }
    if (step === 'claim' && variant.cluster) seen = { ...seen, keys: yield* markLate(world, owner, seen, variant) }
  }
  warm.token = seen.token
  warm.leftover = seen.last >= warm.position ? seen.keys : []
  // Variants that do not keep `last` with every batch have no such guard.
  const keepsLast = !withoutLock && variant.oneSlot === undefined && !variant.skipsUnchanged
  warm.lags = keepsLast && seen.last < warm.position - 1
  return warm
}

/**
 * Gives what is left over: this partition's items. What an older writer announced and is not there may be on its way, and must find the token of
 * this claim.
 */
function* markLate(world: World, { fn, partition }: Owner, { keys, token }: Lock, { leftovers }: StateVariant) {
  const items = world.items[fn]!
  const own: number[] = []
  for (const key of keys) {
    const found = items[key]!
    if (found.tp === partition) own.push(key)
    else if (leftovers === undefined || (leftovers === 'those that are there' && found.tp >= 0))
      items[key] = { ...found, tokens: found.tokens.with(partition, Math.max(token, found.tokens[partition]!)) }
    yield
  }
  return own
}

function* fenceAgain(world: World, owner: Owner, kept: Warm) {
  const epoch = ++world.epochs[owner.id]!
  yield
  return { ...kept, epoch }
}

/**
 * Step 3. What another partition wrote counts up to its position, which must be older than what is read: a head that was there when it was not
 * committed may have been replaced when its offset is. So items of other partitions are read again, once the position is known.
 */
function* look(world: World, { owner, container, range }: Invocation, warm: Warm, variant: StateVariant) {
  const { fn, partition } = owner
  const items = world.items[fn]!
  const records = world.records[partition]!
  const wanted = range.flatMap(offset => [records[offset]!.key, ...(variant.readsOthers ? [records[offset]!.other] : [])])
  const read = new Map<number, Item>()
  const positions = new Map([[partition, warm.position]])
  const readAll = function* (keys: Iterable<number>) {
    for (const key of keys) {
      read.set(key, items[key]!)
      if (variant.cluster) yield
    }
    yield
  }
  const foreign = () => [...read].filter(([, { tp }]) => tp >= 0 && tp !== partition)
  yield* readAll(new Set([...wanted, ...warm.leftover]))
  if (foreign().length > 0) {
    for (const [, { tp }] of foreign()) {
      const known = variant.keepsOthersPositions ? container.warm[tp]?.position : undefined
      positions.set(tp, known ?? world.positions[world.ownerOf(fn, tp).id]!)
    }
    yield
    if (!variant.readsPositionsLast) yield* readAll(foreign().map(([key]) => key))
  }
  const counts = ({ base, head, at, tp }: Item) =>
    variant.oneSlot !== undefined || (variant.seesUncommitted && tp !== partition) || tp < 0 || at < positions.get(tp)!
      ? head
      : base
  return { read, positions, values: new Map([...read].map(([key, item]) => [key, counts(item)])) }
}

/** Step 5: gives the places, by offset. */
function* write(world: World, attempt: Attempt, variant: StateVariant) {
  const { owner, token, last, leftover, changed, read } = attempt
  const lock = world.locks[owner.id]!
  const items = world.items[owner.fn]!
  const isLocked = !variant.withoutLock && variant.oneSlot === undefined
  const notes = variant.cluster ? [...new Set([...changed.keys(), ...leftover])] : [...changed.keys()]
  const set = variant.pages && variant.pagesGoWrong !== 'in place' && lock.set === 0 ? 1 : 0
  const writePages = () => writeNotes(world, attempt, { set, notes }, variant)
  if (variant.pages && variant.pagesGoWrong !== 'after the lock') yield* writePages()
  if (isLocked && lock.token !== token) throw new Failed('stale token')
  const isMoved = (key: number) => isOvertaken(items[key]!, read.get(key)!, owner, variant)
  const isTaken = (key: number) => !changed.has(key) && items[key]!.tp !== owner.partition
  if (!variant.cluster && ([...changed.keys()].some(isMoved) || leftover.some(isTaken))) throw new Failed('moved')
  const asksCap = attempt.asking.length > 0 || (isLocked && lock.capUntil >= attempt.position)
  const asked = attempt.asking.at(-1) ?? -1
  const areKept = (variant.places !== undefined || variant.atLeastOnce) && !variant.forgetsPlacesAhead
  const ahead = lock.capUntil > last && areKept ? lock.capUntil : -1
  // In a cluster the items follow later, perhaps never: what is left over stays noted until they do.
  lock.capUntil = variant.cluster ? Math.max(lock.capUntil, asked) : Math.max(asked, ahead)
  if (!variant.pages) lock.keys = notes
  lock.set = set
  lock.last = last
  if (variant.cluster) yield
  if (variant.pages && variant.pagesGoWrong === 'after the lock') yield* writePages()
  yield* writeItems(world, attempt, variant)
  const all = asksCap ? askOne(world, attempt, 'all', variant) : noPlaces.all
  if (variant.cluster) yield
  const own = asksCap ? askOne(world, attempt, 'own', variant) : noPlaces.own
  yield
  return { all, own }
}

function* readPages(world: World, { id }: Owner, { set }: Lock) {
  const keys: number[] = []
  for (const page of pagesOfSet) {
    keys.push(...world.pages[id]![set]![page]!.keys)
    yield
  }
  return keys
}

/** A page is refused to whoever is older than its writer. */
function* writeNotes(
  world: World,
  { owner, token }: Attempt,
  { set, notes }: { readonly set: 0 | 1; readonly notes: readonly number[] },
  { pagesGoWrong }: StateVariant,
) {
  const pages = world.pages[owner.id]![set]!
  for (const page of pagesOfSet) {
    if (pages[page]!.token > token && pagesGoWrong !== 'without tokens') throw new Failed('stale token')
    // As many as fit: a key may have stood on another page before.
    const half = Math.ceil(notes.length / 2)
    pages[page] = { token, keys: page === 0 ? notes.slice(0, half) : notes.slice(half) }
    yield
  }
}

/** Instead of step 5, where the attempt may not do it: what earlier ones touched is free again. */
function* undo(world: World, attempt: Attempt, variant: StateVariant) {
  const lock = world.locks[attempt.owner.id]!
  if (lock.token !== attempt.token) throw new Failed('stale token')
  // In a cluster the items follow later.
  if (variant.cluster) yield
  else if (attempt.leftover.some(key => world.items[attempt.owner.fn]![key]!.tp !== attempt.owner.partition))
    throw new Failed('moved')
  else lock.keys = []
  yield* writeItems(world, { ...attempt, changed: new Map() }, variant)
  yield
}

function* writeItems(
  world: World,
  { owner, position, token, last, leftover, read, values, changed }: Attempt,
  variant: StateVariant,
) {
  const items = world.items[owner.fn]!
  const { partition } = owner
  for (const key of new Set([...changed.keys(), ...(variant.leavesLeftovers ? [] : leftover)])) {
    const found = items[key]!
    const head = changed.get(key)
    if (variant.cluster && found.tokens[partition]! > token) throw new Failed('stale token')
    if (variant.cluster && head !== undefined && isOvertaken(found, read.get(key)!, owner, variant)) throw new Failed('moved')
    const tokens = found.tokens.with(partition, token)
    if (head !== undefined) items[key] = { base: values.get(key)!, head, at: last, tp: partition, tokens }
    else if (found.tp !== partition) throw new Failed('moved')
    else items[key] = found.at < position ? { ...found, tokens } : { ...found, head: found.base, at: -1, tokens }
    if (variant.cluster) yield
  }
}

/** Its own partition's items only change under the lock; another's must be what was read. */
function isOvertaken(found: Item, read: Item, { partition }: Owner, variant: StateVariant): boolean {
  if (found.tp === partition || variant.takesWithoutComparing) return false
  if (read.tp === partition) return found.tp >= 0
  return found.tp !== read.tp || found.at !== read.at || (found.head !== read.head && !variant.comparesOffsetsAlone)
}

function askOne(world: World, attempt: Attempt, cap: 'all' | 'own', variant: StateVariant): Places {
  const { id } = attempt.owner
  const tokens = world.capTokens[cap]
  if (variant.cluster && tokens[id]! > attempt.token) throw new Failed('stale token')
  tokens[id] = attempt.token
  return askCap(world, attempt, cap, variant)
}

interface Outcome {
  readonly owner: Owner
  readonly outputs: readonly Decided[]
  readonly next: number
}

/** Produce and offsets are no steps: they would only tell a fenced writer earlier. */
function* commit(world: World, { owner, outputs, next, epoch }: Outcome & { epoch: number }, random: () => number) {
  yield
  if (world.epochs[owner.id] !== epoch) throw new Failed('fenced')
  const isUnknown = random() < likely.unknownOutcome
  if (!isUnknown || random() < 0.5) world.commit(owner, outputs, next)
  if (isUnknown) throw new Failed('unknown outcome')
}

function* emitAndAcknowledge(
  world: World,
  { owner, outputs, next, token }: Outcome & { token: number },
  variant: StateVariant,
  random: () => number,
) {
  const acknowledge = function* () {
    yield
    if (world.locks[owner.id]!.token !== token && !variant.acknowledgesWithoutToken) throw new Failed('stale token')
    const isUnknown = random() < likely.unknownOutcome
    if (!isUnknown || random() < 0.5) world.commit(owner, outputs, next)
    if (isUnknown) throw new Failed('unknown outcome')
  }
  if (variant.acknowledgesFirst) yield* acknowledge()
  for (const output of outputs) {
    yield
    world.emitted[owner.id]!.push({ ...output, commit: world.commits })
  }
  if (!variant.acknowledgesFirst) yield* acknowledge()
}

/** One schedule; what is wrong with its outcome, or undefined. */
export function runStateSchedule(seed: number, variant: StateVariant): string | undefined {
  const random = seededRandom(seed)
  const below = (limit: number) => Math.floor(random() * limit)
  const world = new World(
    partitions.map(partition => Array.from({ length: recordCount }, (_, offset) => drawRecord({ partition, offset }))),
    variant,
  )
  const containers: Container[] = []
  let live: Live[] = []
  const next = world.owners.map(() => 0)
  /** Each delivery is cut anew; or a batch that failed comes again as it was. */
  const cutsAnew = random() < 0.5
  const againTo = world.owners.map((): number | undefined => undefined)
  let faults = 0

  function drawRecord({ partition, offset }: { partition: number; offset: number }): SourceRecord {
    const drawKey = (of: number) => (variant.keysMove ? 0 : of * keyCount) + below(keyCount)
    return {
      key: drawKey(partition),
      other: variant.readsOthers ? drawKey(below(partitions.length)) : 0,
      // At least once a place may be told that was asked for beside a record that is found dead only later.
      isLate: !variant.atLeastOnce && random() < likely.late,
      time: variant.windows ? (random() < likely.faraway ? farawayTime : offset * 10 + below(20)) : 0,
      units: variant.windows ? 1 + below(2) : 1,
      member: variant.windows ? below(memberCount) : 0,
      steadyAnswer: variant.steadyAnswers === true && random() < likely.accepted,
    }
  }

  function start(owner: Owner, from: number, end: number, counts: boolean): void {
    const idle = containers.filter(({ busy, fn }) => !busy && fn === owner.fn)
    let container = idle[below(idle.length)]
    if (container === undefined || random() >= likely.reuse) {
      container = { fn: owner.fn, warm: [undefined, undefined], busy: false }
      containers.push(container)
    }
    container.busy = true
    const invocation = { owner, container, range: Array.from({ length: end - from }, (_, i) => from + i) }
    live.push({ ...invocation, run: invoke(world, invocation, variant, random), end, counts, frozenUntil: 0 })
  }

  for (let step = 0; step < stepLimit; step++) {
    world.clock = step
    for (const owner of world.owners) {
      const from = next[owner.id]!
      const isBusy = live.some(one => one.counts && one.owner === owner)
      if (from === recordCount || isBusy) continue
      start(owner, from, againTo[owner.id] ?? Math.min(recordCount, from + 1 + below(largestBatch)), true)
      againTo[owner.id] = undefined
    }
    if (live.length === 0) return judgeState(world, variant)
    const event = random()
    const awake = live.filter(({ frozenUntil }) => frozenUntil <= step)
    const one = awake[below(awake.length)]
    if (one === undefined) continue
    if (event < likely.duplicate && faults < faultLimit) {
      const owner = world.owners[below(world.owners.length)]!
      if (next[owner.id]! === 0) continue
      faults++
      const from = below(next[owner.id]!)
      start(owner, from, Math.min(recordCount, from + 1 + below(largestBatch)), false)
    } else if (event < likely.duplicate + likely.giveUp && faults < faultLimit && one.counts) {
      faults++
      one.counts = false
      // Killed; otherwise it goes on as a zombie.
      if (random() < 0.5) live = live.filter(other => other !== one)
    } else if (event < likely.duplicate + likely.giveUp + likely.freeze && faults < faultLimit) {
      faults++
      one.frozenUntil = step + below(longestFreeze)
    } else {
      let done: boolean | undefined
      try {
        done = one.run.next().done
        if (done && one.counts) next[one.owner.id] = one.end
      } catch (error) {
        if (!(error instanceof Failed)) throw error
        done = true
        if (one.counts && !cutsAnew) againTo[one.owner.id] = one.end
      }
      if (!done) continue
      one.container.busy = false
      live = live.filter(other => other !== one)
    }
  }
  return 'stands still'
}

/** How many schedules of a variant went wrong. */
export function runStateSchedules(count: number, variant: StateVariant) {
  const kinds = new Map<string, number>()
  let bad = 0
  for (let seed = 1; seed <= count; seed++) {
    const finding = runStateSchedule(seed, variant)
    if (finding === undefined) continue
    bad++
    const kind = finding.replace(/ at .*/, '')
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
  }
  return { bad, kinds }
}

/** The first schedule with this finding, as quickly as it comes. */
export function firstSeedWith(
  finding: string,
  { from, limit }: { from: number; limit: number },
  variant: StateVariant,
): number | undefined {
  for (let seed = from; seed < from + limit; seed++) if (runStateSchedule(seed, variant)?.startsWith(finding)) return seed
  return undefined
}
