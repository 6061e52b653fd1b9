// What the model of state plays in: a store of items, places and locks, and Kafka's positions and epochs. A call to it is one step of the
// schedule; whoever writes one keeps to that.

/** What is played, and with which of the right algorithm's forms. */
export interface StateScene {
  /** Lock first, then each item by its token, in calls of their own. */
  readonly cluster?: boolean
  /** … and what the lock notes stands on pages, two sets in turn, each page written in a call of its own before the lock names its set. */
  readonly pages?: boolean
  /** Both partitions use the same keys. */
  readonly keysMove?: boolean
  /** Each record also shows what stands under another key, which any partition may write. */
  readonly readsOthers?: boolean
  /** Caps count units of the last so much time, each member once. */
  readonly windows?: boolean
  /** Two functions with state of their own read the topic, and ask one cap together. */
  readonly twoFunctions?: boolean
  /** No transactions: the position stands in the lock, and is written after the outputs are acknowledged. */
  readonly atLeastOnce?: boolean
  /** Look-ups answer the same at each attempt; default: each time anew. */
  readonly steadyAnswers?: boolean
}

/** One mistake, to show that the model would see it. */
export interface StateMistake {
  /** Default: claim, fence, position. */
  readonly order?: 'fence, claim, position' | 'fence, position, claim'
  readonly skipsUnchanged?: boolean
  readonly leavesLeftovers?: boolean
  readonly keepsAfterFailure?: boolean
  readonly withoutLock?: boolean
  readonly oneSlot?: 'counted before the commit' | 'offset remembered'
  /** Default: all of an attempt that did not commit is given back, and asked from scratch; at least once by coordinates. */
  readonly places?: 'from scratch' | 'by coordinates' | 'from scratch, those behind the batch kept'
  readonly forgetsPlacesAhead?: boolean
  /** Where a sink fails after step 5, what the first write changed is not taken back by the second. */
  readonly leavesFirstWrite?: boolean
  /** … and nothing is written again. */
  readonly keepsDeadLetters?: boolean
  readonly neverGivesBack?: boolean
  readonly withoutCoordinates?: boolean
  /** "The store lost writes" is told before it is certain that nobody has overtaken the claim. */
  readonly alarmsAtOnce?: boolean
  /** In a cluster: left over is what the claim finds as the partition's own, though an item may still be on its way. */
  readonly leftovers?: 'those that are there' | 'those of this partition'
  /** Pages of the set that counts are written over; after the lock; whoever wrote them last. */
  readonly pagesGoWrong?: 'in place' | 'after the lock' | 'without tokens'
  /** What the lock notes is read in a call before the claim. */
  readonly looksBeforeClaim?: boolean
  readonly takesUncommitted?: boolean
  readonly takesWithoutComparing?: boolean
  /** A leftover's offset is −1 each time. */
  readonly comparesOffsetsAlone?: boolean
  /** What another partition wrote is judged by a position that is read after it. */
  readonly readsPositionsLast?: boolean
  /** … or by one that a warm container knows from before. */
  readonly keepsOthersPositions?: boolean
  /** An attempt that may not take a key over leaves what earlier ones wrote. */
  readonly refusalLeavesLeftovers?: boolean
  readonly seesUncommitted?: boolean
  readonly withinByClock?: boolean
  readonly forgetsAfterWithin?: boolean
  /** A record from the year 2100 tells what is old. */
  readonly forgetsByRecordTime?: boolean
  readonly countsRecords?: boolean
  readonly asksBeforeGivingBack?: boolean
  readonly membersForEver?: boolean
  /** Coordinates in a shared cap do not tell whose they are. */
  readonly sharesCoordinates?: boolean
  readonly acknowledgesFirst?: boolean
  readonly acknowledgesWithoutToken?: boolean
}

export type StateVariant = StateScene & StateMistake

export const recordCount = 14
export const partitions = [0, 1] as const
export const keyCount = 3

/** A partition as one function sees it. */
export interface Owner {
  readonly id: number
  readonly fn: number
  readonly partition: number
}

export const ownersOf = ({ twoFunctions }: StateScene): readonly Owner[] =>
  (twoFunctions ? [0, 1] : [0]).flatMap(fn =>
    partitions.map(partition => ({ id: fn * partitions.length + partition, fn, partition })),
  )

/** A value names the record that left it; −1: nothing is there. */
export const valueLeftAt = (partition: number, offset: number): number => partition * 100 + offset

/** One record of the topic. */
export interface SourceRecord {
  readonly key: number
  /** The key that it only reads. */
  readonly other: number
  /** It fails in its sink as soon as it has a place of its own cap. */
  readonly isLate: boolean
  readonly time: number
  readonly units: number
  readonly member: number
  readonly steadyAnswer: boolean
}

/** What a record shows of the state. */
export interface Output {
  readonly offset: number
  readonly key: number
  readonly previous: number
  readonly accepted: boolean
  readonly other: number | undefined
  /** In the cap that all ask. */
  readonly place: Place | undefined
  readonly ownPlace: Place | undefined
  readonly isDead: boolean
  /** The how manieth commit of all. */
  readonly commit: number
}

export interface Item {
  readonly base: number
  readonly head: number
  readonly at: number
  /** Partition; −1: nobody has written it. */
  readonly tp: number
  /** In a cluster, by partition. */
  readonly tokens: readonly number[]
}

export interface Lock {
  token: number
  last: number
  keys: readonly number[]
  /** Highest offset of an attempt that asked the caps; −1: none. */
  capUntil: number
  /** Where the keys stand on pages: those that count. */
  set: 0 | 1
}

export interface Page {
  readonly token: number
  readonly keys: readonly number[]
}

export const pagesOfSet = [0, 1] as const

export type Cap = 'all' | 'own'

export interface Place {
  readonly cap: Cap
  readonly owner: Owner
  readonly offset: number
  /** From 1; the lowest that was free. */
  readonly number: number
  /** Units with its own. */
  readonly used: number
  readonly time: number
  readonly units: number
  readonly member: number
}

const nothing: Item = { base: -1, head: -1, at: -1, tp: -1, tokens: [0, 0] }

export class World {
  readonly records: readonly (readonly SourceRecord[])[]
  readonly owners: readonly Owner[]
  /** By owner: what is committed, or acknowledged. */
  readonly outputs: Output[][]
  /** At least once: all that anybody may have seen. */
  readonly emitted: Output[][]
  readonly positions: number[]
  readonly locks: Lock[]
  /** By owner, set and page. */
  readonly pages: Page[][][]
  readonly epochs: number[]
  /** By function. */
  readonly items: Item[][]
  places: Place[] = []
  /** In a cluster: by cap and owner. */
  readonly capTokens: Record<Cap, number[]>
  commits = 0
  alarms = 0
  clock = 0

  constructor(records: readonly (readonly SourceRecord[])[], scene: StateScene) {
    this.records = records
    this.owners = ownersOf(scene)
    const each = <Value>(value: () => Value) => this.owners.map(value)
    this.outputs = each(() => [])
    this.emitted = each(() => [])
    this.positions = each(() => 0)
    this.locks = each(() => ({ token: 0, last: -1, keys: [], capUntil: -1, set: 0 }))
    this.pages = each(() => [0, 1].map(() => pagesOfSet.map(() => ({ token: 0, keys: [] }))))
    this.epochs = each(() => 0)
    this.items = each(() => Array.from({ length: keyCount * partitions.length }, () => nothing))
    this.capTokens = { all: each(() => 0), own: each(() => 0) }
  }

  ownerOf(fn: number, partition: number): Owner {
    return this.owners.find(one => one.fn === fn && one.partition === partition)!
  }

  commit(owner: Owner, outputs: readonly Omit<Output, 'commit'>[], next: number): void {
    const commit = ++this.commits
    this.outputs[owner.id]!.push(...outputs.map(one => ({ ...one, commit })))
    this.positions[owner.id] = next
  }
}
