// A small model of state beside the commit, before there is any of it: two values per remembered key and the offset that separates them, places
// of caps by coordinates, a lock per input partition. Two partitions of 14 records, three keys each, one cap of 4 that both ask and one of 3 for
// each, whose numbers must be as if every record had been decided once, in order. Some records fail in their sink when their place is known.
// Whoever calls the store or Kafka stops there, and anything may happen in between; look-ups answer differently at each attempt.
import { seededRandom } from '../cases/random.ts'

export interface StateVariant {
  /** Lock first, then each item by its token, in calls of their own. */
  readonly cluster?: boolean
  /** Default: claim, fence, position. */
  readonly order?: 'fence, claim, position' | 'fence, position, claim'
  readonly skipsUnchanged?: boolean
  readonly leavesLeftovers?: boolean
  readonly keepsAfterFailure?: boolean
  readonly withoutLock?: boolean
  readonly oneSlot?: 'counted before the commit' | 'offset remembered'
  /** Default: all of an attempt that did not commit is given back, and asked from scratch. */
  readonly places?: 'by coordinates' | 'from scratch, those behind the batch kept'
  readonly forgetsPlacesAhead?: boolean
  /** Where a sink fails after step 5, what the first write changed is not taken back by the second. */
  readonly leavesFirstWrite?: boolean
  /** … and nothing is written again. */
  readonly keepsDeadLetters?: boolean
  readonly neverGivesBack?: boolean
  readonly withoutCoordinates?: boolean
  /** "The store lost writes" is told before it is certain that nobody has overtaken the claim. */
  readonly alarmsAtOnce?: boolean
}

const recordCount = 14
const keyCount = 3
const capLimits = { all: 4, own: 3 }
const largestBatch = 4
const stepLimit = 5000
const likely = { late: 0.15, duplicate: 0.03, giveUp: 0.05, accepted: 0.5, unknownOutcome: 0.1, reuse: 0.7 }
const faultLimit = 8

/** What a record shows of the state: the offset that its key was set by before, whether it set it, its place. */
interface Output {
  readonly offset: number
  readonly key: number
  readonly previous: number
  readonly accepted: boolean
  /** In the cap that both partitions ask. */
  readonly place: number | undefined
  readonly ownPlace: number | undefined
  readonly isDead: boolean
}

interface Item {
  base: number
  head: number
  at: number
  token: number
}

interface Lock {
  token: number
  last: number
  keys: readonly number[]
  /** Highest offset of an attempt that asked the cap; −1: none. */
  capUntil: number
}

type Cap = keyof typeof capLimits

interface Place {
  readonly cap: Cap
  readonly partition: number
  readonly offset: number
  readonly number: number
}

class Failed extends Error {}

const noPlaces: Given = { all: new Map(), own: new Map() }

const nothing: Item = { base: -1, head: -1, at: -1, token: 0 }

/** Store and Kafka. Each method is one call, and atomic. */
class World {
  readonly outputs: Output[][] = [[], []]
  readonly positions = [0, 0]
  readonly locks: Lock[] = [0, 1].map(() => ({ token: 0, last: -1, keys: [], capUntil: -1 }))
  readonly items = [0, 1].map(() => Array.from({ length: keyCount }, () => ({ ...nothing })))
  places: Place[] = []
  readonly capTokens = { all: [0, 0], own: [0, 0] }
  readonly epochs = [0, 0]
  alarms = 0
}

interface Warm {
  token: number
  epoch: number
  position: number
  leftover: readonly number[]
  /** The lock lags behind the position: the store lost writes, or another has claimed since. */
  lags: boolean
}

interface Container {
  readonly warm: (Warm | undefined)[]
  busy: boolean
}

interface Attempt {
  readonly partition: number
  readonly position: number
  readonly token: number
  readonly last: number
  readonly leftover: readonly number[]
  /** Key → value at the position. */
  readonly values: ReadonlyMap<number, number>
  readonly changed: ReadonlyMap<number, number>
  readonly asking: readonly number[]
}

/** A partition's records: their keys, and which fail in their sink as soon as they have a place of their own cap. */
interface Content {
  readonly keys: readonly number[]
  readonly late: readonly boolean[]
}

type Given = Readonly<Record<Cap, ReadonlyMap<number, number>>>

/** One invocation. Throws Failed where the batch must come again. */
function* invoke(
  world: World,
  container: Container,
  partition: number,
  range: readonly number[],
  { keys, late }: Content,
  variant: StateVariant,
  random: () => number,
) {
  const kept = container.warm[partition]
  // Whatever fails from here on keeps nothing.
  if (!variant.keepsAfterFailure) container.warm[partition] = undefined
  const warm =
    kept === undefined
      ? yield* claim(world, partition, variant)
      : variant.keepsAfterFailure
        ? yield* fenceAgain(world, partition, kept)
        : kept
  container.warm[partition] = variant.keepsAfterFailure ? warm : undefined
  const { position, token, epoch, leftover, lags } = warm
  if (lags) {
    // Told by the fetch, which reads the lock's token once more.
    if (variant.alarmsAtOnce || world.locks[partition]!.token === token) world.alarms++
    throw new Failed('the lock lags')
  }
  const todo = range.filter(offset => offset >= position)
  if (todo.length === 0) {
    container.warm[partition] = warm
    return
  }
  const last = todo.at(-1)!
  const wanted = new Set([...todo.map(offset => keys[offset]!), ...leftover])
  const values = new Map([...wanted].map(key => [key, valueAt(world.items[partition]![key]!, position, variant)]))
  const remembered = new Map([...wanted].map(key => [key, world.items[partition]![key]!.at]))
  yield
  const answers = new Map(todo.map(offset => [offset, random() < likely.accepted]))
  const dead = new Set<number>()
  const touched = new Set(leftover)
  let outputs: readonly Output[] = []
  for (;;) {
    const changed = new Map<number, number>()
    const decided = todo.map(offset => {
      const key = keys[offset]!
      const previous = changed.get(key) ?? values.get(key)!
      const isDead = dead.has(offset)
      const accepted = answers.get(offset)! && !isDead
      const isCounted = variant.oneSlot === 'offset remembered' && offset <= remembered.get(key)!
      if (accepted && !isCounted) changed.set(key, offset)
      return { offset, key, previous, accepted, isDead }
    })
    const asking = decided.filter(({ accepted }) => accepted).map(({ offset }) => offset)
    const attempt: Attempt = { partition, position, token, last, leftover: [...touched], values, changed, asking }
    const unchanged = changed.size === 0 && touched.size === 0 && asking.length === 0
    const given = variant.skipsUnchanged && unchanged ? noPlaces : yield* write(world, attempt, variant)
    outputs = decided.map(one => ({ ...one, place: given.all.get(one.offset), ownPlace: given.own.get(one.offset) }))
    const failing = asking.find(offset => late[offset] && given.own.has(offset))
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
  // Produce and offsets: they would only tell a fenced writer earlier.
  yield
  if (world.epochs[partition] !== epoch) throw new Failed('fenced')
  const isUnknown = random() < likely.unknownOutcome
  if (!isUnknown || random() < 0.5) {
    world.outputs[partition]!.push(...outputs)
    world.positions[partition] = last + 1
  }
  if (isUnknown) throw new Failed('unknown outcome')
  container.warm[partition] = { token, epoch, position: last + 1, leftover: [], lags: false }
}

function* claim(world: World, partition: number, variant: StateVariant) {
  const { order, withoutLock } = variant
  const lock = world.locks[partition]!
  const warm: Warm = { token: 0, epoch: 0, position: 0, leftover: [], lags: false }
  let seen: Lock = lock
  const steps = {
    claim: () => {
      lock.token++
      seen = { ...lock }
    },
    fence: () => {
      warm.epoch = ++world.epochs[partition]!
    },
    position: () => {
      warm.position = world.positions[partition]!
    },
  }
  for (const step of (order ?? 'claim, fence, position').split(', ') as (keyof typeof steps)[]) {
    if (withoutLock && step === 'claim') continue
    steps[step]()
    yield
  }
  warm.token = seen.token
  warm.leftover = seen.last >= warm.position ? seen.keys : []
  // Variants that do not keep `last` with every batch have no such guard.
  const keepsLast = !withoutLock && variant.oneSlot === undefined && !variant.skipsUnchanged
  warm.lags = keepsLast && seen.last < warm.position - 1
  return warm
}

function* fenceAgain(world: World, partition: number, kept: Warm) {
  const epoch = ++world.epochs[partition]!
  yield
  return { ...kept, epoch }
}

/** Step 5: gives the places, by offset. */
function* write(world: World, attempt: Attempt, variant: StateVariant) {
  const { partition, token, last, leftover, changed } = attempt
  const lock = world.locks[partition]!
  const isLocked = !variant.withoutLock && variant.oneSlot === undefined
  if (isLocked && lock.token !== token) throw new Failed('stale token')
  const asksCap = attempt.asking.length > 0 || (isLocked && lock.capUntil >= attempt.position)
  const asked = attempt.asking.at(-1) ?? -1
  const areKept = variant.places !== undefined && !variant.forgetsPlacesAhead
  const ahead = lock.capUntil > last && areKept ? lock.capUntil : -1
  // In a cluster the items follow later, perhaps never: what is left over stays noted until they do.
  lock.capUntil = variant.cluster ? Math.max(lock.capUntil, asked) : Math.max(asked, ahead)
  lock.keys = variant.cluster ? [...new Set([...changed.keys(), ...leftover])] : [...changed.keys()]
  lock.last = last
  if (variant.cluster) yield
  const items = world.items[partition]!
  for (const [key, base] of attempt.values) {
    const head = changed.get(key)
    if (head === undefined && (!leftover.includes(key) || variant.leavesLeftovers)) continue
    if (variant.cluster && items[key]!.token > token) throw new Failed('stale token')
    items[key] = head === undefined ? { base, head: base, at: -1, token } : { base, head, at: last, token }
    if (variant.cluster) yield
  }
  const all = asksCap ? askCap(world, attempt, 'all', variant) : noPlaces.all
  if (variant.cluster) yield
  const own = asksCap ? askCap(world, attempt, 'own', variant) : noPlaces.own
  yield
  return { all, own }
}

function askCap(
  world: World,
  { partition, position, last, asking, token }: Attempt,
  cap: Cap,
  variant: StateVariant,
): ReadonlyMap<number, number> {
  const tokens = world.capTokens[cap]
  if (variant.cluster && tokens[partition]! > token) throw new Failed('stale token')
  tokens[partition] = token
  const isGivenBack = (offset: number) =>
    offset >= position &&
    (variant.places === undefined || (offset <= last && !(variant.places === 'by coordinates' && asking.includes(offset))))
  if (!variant.neverGivesBack && !variant.withoutCoordinates)
    world.places = world.places.filter(one => one.cap !== cap || one.partition !== partition || !isGivenBack(one.offset))
  const given = new Map<number, number>()
  for (const offset of asking) {
    const held = world.places.filter(place => place.cap === cap && (cap === 'all' || place.partition === partition))
    const same = held.find(place => place.partition === partition && place.offset === offset)
    if (same !== undefined && !variant.withoutCoordinates) given.set(offset, same.number)
    else if (held.length < capLimits[cap]) {
      const taken = new Set(held.map(({ number }) => number))
      const number = [1, 2, 3, 4].find(one => !taken.has(one))!
      world.places.push({ cap, partition, offset, number })
      given.set(offset, number)
    }
  }
  return given
}

function valueAt({ base, head, at }: Item, position: number, { oneSlot }: StateVariant): number {
  return oneSlot !== undefined || at < position ? head : base
}

/** One schedule; what is wrong with its outcome, or undefined. */
export function runStateSchedule(seed: number, variant: StateVariant): string | undefined {
  const random = seededRandom(seed)
  const below = (limit: number) => Math.floor(random() * limit)
  const world = new World()
  const keys = [0, 1].map(() => Array.from({ length: recordCount }, () => below(keyCount)))
  const late = [0, 1].map(() => Array.from({ length: recordCount }, () => random() < likely.late))
  const containers: Container[] = []
  let live: { run: Generator<undefined, void>; container: Container; partition: number; end: number; counts: boolean }[] = []
  const next = [0, 0]
  let faults = 0

  function start(partition: number, from: number, end: number, counts: boolean): void {
    const idle = containers.filter(({ busy }) => !busy)
    let container = idle[below(idle.length)]
    if (container === undefined || random() >= likely.reuse) {
      container = { warm: [undefined, undefined], busy: false }
      containers.push(container)
    }
    container.busy = true
    const range = Array.from({ length: end - from }, (_, i) => from + i)
    live.push({
      run: invoke(world, container, partition, range, { keys: keys[partition]!, late: late[partition]! }, variant, random),
      container,
      partition,
      end,
      counts,
    })
  }

  for (let step = 0; step < stepLimit; step++) {
    for (const partition of [0, 1]) {
      const from = next[partition]!
      const isBusy = live.some(one => one.counts && one.partition === partition)
      // Each delivery is cut anew.
      if (from < recordCount && !isBusy) start(partition, from, Math.min(recordCount, from + 1 + below(largestBatch)), true)
    }
    if (live.length === 0) return judge(world, late)
    const event = random()
    const one = live[below(live.length)]!
    if (event < likely.duplicate && faults < faultLimit) {
      const partition = below(2)
      if (next[partition]! === 0) continue
      faults++
      const from = below(next[partition]!)
      start(partition, from, Math.min(recordCount, from + 1 + below(largestBatch)), false)
    } else if (event < likely.duplicate + likely.giveUp && faults < faultLimit && one.counts) {
      faults++
      one.counts = false
      // Killed; otherwise it goes on as a zombie.
      if (random() < 0.5) live = live.filter(other => other !== one)
    } else {
      let done: boolean | undefined
      try {
        done = one.run.next().done
        if (done && one.counts) next[one.partition] = one.end
      } catch (error) {
        if (!(error instanceof Failed)) throw error
        done = true
      }
      if (!done) continue
      one.container.busy = false
      live = live.filter(other => other !== one)
    }
  }
  return 'stands still'
}

function judge(world: World, late: readonly (readonly boolean[])[]): string | undefined {
  const granted: string[] = []
  const grantedOwn: string[] = []
  for (const [partition, outputs] of world.outputs.entries()) {
    if (outputs.map(({ offset }) => offset).join() !== Array.from({ length: recordCount }, (_, i) => i).join())
      return 'lost or twice'
    const set = Array.from({ length: keyCount }, () => -1)
    let ownCount = 0
    for (const { offset, key, previous, accepted, place, ownPlace, isDead } of outputs) {
      const isLate = late[partition]![offset]! && ownCount < capLimits.own
      const isGranted = accepted && ownCount < capLimits.own
      if (isGranted) ownCount++
      if ((isDead || isGranted) && isDead !== isLate) return `a dead letter out of order at ${partition}@${offset}`
      if (ownPlace !== (isGranted ? ownCount : undefined)) return `a place out of order at ${partition}@${offset}`
      if (ownPlace !== undefined) grantedOwn.push(`${partition}@${offset} has ${ownPlace}`)
      if (previous !== set[key]) return `wrong previous value at ${partition}@${offset}`
      if (accepted) set[key] = offset
      if (place !== undefined) granted.push(`${partition}@${offset} has ${place}`)
    }
  }
  if (granted.length > capLimits.all) return 'more places than there are'
  if (new Set(granted.map(text => text.split(' ').at(-1))).size < granted.length) return 'a place twice'
  for (const [cap, wanted] of [
    ['all', granted],
    ['own', grantedOwn],
  ] as const) {
    const held = world.places
      .filter(one => one.cap === cap)
      .map(({ partition, offset, number }) => `${partition}@${offset} has ${number}`)
    if (held.sort().join() !== wanted.sort().join()) return 'a place leaked'
  }
  if (world.alarms > 0) return 'an alarm without reason'
  return undefined
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
export function firstSeedWith(finding: string, limit: number, variant: StateVariant): number | undefined {
  for (let seed = 1; seed <= limit; seed++) if (runStateSchedule(seed, variant)?.startsWith(finding)) return seed
  return undefined
}
