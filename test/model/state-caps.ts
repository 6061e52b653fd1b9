// Caps as the model of state has them: one that all partitions ask, of all functions, and one of each partition, whose answers must be as if every
// record had been decided once, in order.
import type { Cap, Owner, Place, SourceRecord, StateVariant, World } from './state-world.ts'

export interface CapRules {
  readonly limit: number
  /** Infinite: for ever. */
  readonly within: number
  readonly hasUnits: boolean
  readonly hasMembers: boolean
}

/** Far longer than records of the model are apart. */
const slack = 20_000

export function capRules(cap: Cap, { windows }: StateVariant): CapRules {
  if (!windows) return { limit: cap === 'all' ? 4 : 3, within: Number.POSITIVE_INFINITY, hasUnits: false, hasMembers: false }
  return { limit: cap === 'all' ? 6 : 4, within: 45, hasUnits: true, hasMembers: true }
}

export interface Asking {
  readonly owner: Owner
  readonly position: number
  readonly last: number
  /** Offsets, in order. */
  readonly asking: readonly number[]
}

/** Gives back, then asks: one step of the store. Places by offset. */
export function askCap(
  world: World,
  { owner, position, last, asking }: Asking,
  cap: Cap,
  variant: StateVariant,
): ReadonlyMap<number, Place> {
  const records = world.records[owner.partition]!
  const rule = variant.places ?? (variant.atLeastOnce ? 'by coordinates' : 'from scratch')
  const isOfKey = (place: Place) => place.cap === cap && (cap === 'all' || place.owner.id === owner.id)
  const isMine = ({ owner: of }: Place) => (variant.sharesCoordinates ? of.partition === owner.partition : of.id === owner.id)
  const isGivenBack = ({ offset }: Place) =>
    offset >= position && (rule === 'from scratch' || (offset <= last && !(rule === 'by coordinates' && asking.includes(offset))))
  const giveBack = () => {
    if (variant.neverGivesBack || variant.withoutCoordinates) return
    world.places = world.places.filter(place => !(isOfKey(place) && isMine(place) && isGivenBack(place)))
  }
  if (!variant.asksBeforeGivingBack) giveBack()
  forget(
    world,
    asking.map(offset => records[offset]!.time),
    isOfKey,
    capRules(cap, variant),
    variant,
  )
  const given = new Map<number, Place>()
  for (const offset of asking) {
    const held = world.places.filter(isOfKey)
    const same = held.find(place => isMine(place) && place.offset === offset)
    if (same !== undefined && !variant.withoutCoordinates && !variant.asksBeforeGivingBack) {
      given.set(offset, same)
      continue
    }
    const answer = judgeOne(held, records[offset]!, capRules(cap, variant), variant, world.clock)
    if (answer === undefined) continue
    const { time, units, member } = records[offset]!
    const place = { cap, owner, offset, time, units, member, ...answer }
    world.places.push(place)
    given.set(offset, place)
  }
  if (variant.asksBeforeGivingBack)
    world.places = world.places.filter(
      place => !(isOfKey(place) && isMine(place) && isGivenBack(place)) || given.get(place.offset) === place,
    )
  return given
}

/** Number and units of the place that a record gets among those that are held; undefined: none. */
function judgeOne(
  held: readonly Place[],
  { time, units, member }: SourceRecord,
  { limit, within, hasUnits, hasMembers }: CapRules,
  { withinByClock, countsRecords, membersForEver }: StateVariant,
  clock: number,
): Pick<Place, 'number' | 'used'> | undefined {
  const counting = held.filter(place => place.time > (withinByClock ? clock : time) - within)
  const unitsOf = (place: { readonly units: number }) => (hasUnits && !countsRecords ? place.units : 1)
  const used = counting.reduce((sum, place) => sum + unitsOf(place), unitsOf({ units }))
  const isMember = (place: Place) => place.member === member
  if (used > limit || (hasMembers && (membersForEver ? held : counting).some(isMember))) return undefined
  const taken = new Set(counting.map(({ number }) => number))
  let number = 1
  while (taken.has(number)) number++
  return { number, used }
}

/** Garbage collection, at the latest of what is asked, or of what is now if that is earlier. */
function forget(
  world: World,
  times: readonly number[],
  isOfKey: (place: Place) => boolean,
  { within }: CapRules,
  { forgetsAfterWithin, forgetsByRecordTime }: StateVariant,
): void {
  if (within === Number.POSITIVE_INFINITY || times.length === 0) return
  const newest = Math.max(...times)
  const horizon = (forgetsByRecordTime ? newest : Math.min(newest, world.clock)) - within - (forgetsAfterWithin ? 0 : slack)
  world.places = world.places.filter(place => !isOfKey(place) || place.time > horizon)
}
