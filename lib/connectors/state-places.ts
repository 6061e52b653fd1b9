// The places of caps, apart from any store: which are given back, which record gets one, and what it is told. The store in memory and DynamoDB
// run this; Redis runs the same as a script (state-redis-scripts.ts), and the contract suite holds them together.
//
// What an attempt that did not commit was granted, nobody has seen: all of it goes back, and the records ask again in their order, so that what
// was told to a record that is a dead letter by now, or to a longer batch, leaves no trace. Only where outputs may be out before their position
// is (at-least-once, `keepsPlaces`) does a record that comes again keep its place.
import type { StateAnswer, StateLock, StateWrite } from '../runtime/ports.ts'

export interface Place {
  /** From 1; the lowest that was free. */
  readonly number: bigint
  readonly timeMs: number
  readonly units: bigint
  /** Units that were held when it was given, with its own: a record that keeps its place is told the same. */
  readonly used: bigint
  readonly member: string | undefined
}

/** By coordinates: `TOPIC-PARTITION@OFFSET`, in a shared cap with `SCENARIO.GENERATION/` before, so that each scenario gives back only its own. */
export type Places = ReadonlyMap<string, Place>

type CapRequest = StateWrite['caps'][number]

export interface Judged {
  readonly answers: readonly StateAnswer[]
  /** In the order of `StateWrite.caps`. */
  readonly places: readonly Places[]
}

/**
 * `before`: in the order of `write.caps`. `nowMs` only limits what may be forgotten. `mostBytes`: what the places of one key may take as JSON, where the
 * store sets a limit.
 */
export function judgeAsks(
  write: StateWrite,
  before: readonly Places[],
  nowMs: number,
  mostBytes = Number.POSITIVE_INFINITY,
): Judged {
  const { lock, asks } = write
  const asked = askedByCap(write)
  const ledgers = write.caps.map((cap, c) => openLedger(write, cap, { before: before[c]!, asked: asked[c]!, nowMs, mostBytes }))
  const prefixes = write.caps.map(cap => coordinatePrefix(lock, cap.isShared))
  const answers = asks.map((ask): StateAnswer => {
    const held = ask.caps.map(({ cap }) => ledgers[cap]!.places.get(`${prefixes[cap]}${ask.offset}`))
    const refusedBy = ask.caps.findIndex(
      ({ cap, limit, units, member }, c) => held[c] === undefined && !ledgers[cap]!.takes(ask.timeMs, { limit, units, member }),
    )
    const fullBy =
      refusedBy >= 0
        ? -1
        : ask.caps.findIndex(
            ({ cap, units, member }, c) =>
              held[c] === undefined &&
              !ledgers[cap]!.hasRoom(`${prefixes[cap]}${ask.offset}`, { timeMs: ask.timeMs, units, member }),
          )
    if (refusedBy >= 0 || fullBy >= 0) {
      // All or none: what it kept of the others goes back.
      for (const [c, { cap }] of ask.caps.entries())
        if (held[c] !== undefined) ledgers[cap]!.giveBack(`${prefixes[cap]}${ask.offset}`)
      return refusedBy >= 0 ? { kind: 'refused', cap: refusedBy } : { kind: 'full', cap: fullBy }
    }
    const places = ask.caps.map(({ cap, units, member }, c) => {
      const same = held[c]
      return same ?? ledgers[cap]!.grant(`${prefixes[cap]}${ask.offset}`, { timeMs: ask.timeMs, units, member })
    })
    return { kind: 'granted', places: places.map(({ number, used }) => ({ number, used })) }
  })
  return { answers, places: ledgers.map(({ places }) => places) }
}

/** The highest offset for which the lock must remember that this cap was asked; undefined: it need not. */
export function untilAfter(write: StateWrite, cap: number): bigint | undefined {
  const { until } = write.caps[cap]!
  // Places that this write leaves alone are there only where they are kept: behind the batch, or before its position.
  const isLeft = write.keepsPlaces && until !== undefined && (until > write.last || until < write.position)
  let highest = isLeft ? until : undefined
  for (const { offset, caps } of write.asks)
    if ((highest === undefined || offset > highest) && caps.some(one => one.cap === cap)) highest = offset
  return highest
}

export function coordinatePrefix({ scope, partition: { topic, partition } }: StateLock, isShared: boolean): string {
  return `${isShared ? `${scope}/` : ''}${topic}-${partition}@`
}

interface Wanted {
  readonly timeMs: number
  readonly units: bigint
  readonly member: string | undefined
}

function askedByCap({ caps, asks }: StateWrite): readonly ReadonlyMap<bigint, Wanted>[] {
  const asked = caps.map(() => new Map<bigint, Wanted>())
  for (const { offset, timeMs, caps: ones } of asks)
    for (const { cap, units, member } of ones) asked[cap]!.set(offset, { timeMs, units, member })
  return asked
}

interface Ledger {
  readonly places: Places
  takes(timeMs: number, wanted: { readonly limit: bigint; readonly units: bigint; readonly member: string | undefined }): boolean
  /** After `takes`, at the same time. */
  hasRoom(coordinates: string, wanted: Wanted): boolean
  grant(coordinates: string, wanted: Wanted): Place
  giveBack(coordinates: string): void
}

/** One cap key while a batch asks it. Sums are kept for the window that was asked last, since records mostly come in the order of their time. */
function openLedger(
  { lock, position, last, keepsPlaces }: StateWrite,
  { isShared, withinMs, expiresMs }: CapRequest,
  given: {
    readonly before: Places
    readonly asked: ReadonlyMap<bigint, Wanted>
    readonly nowMs: number
    readonly mostBytes: number
  },
): Ledger {
  const { asked, nowMs, mostBytes } = given
  const prefix = coordinatePrefix(lock, isShared)
  const horizonMs = forgetBefore(expiresMs, asked, nowMs)
  const places = new Map<string, Place>()
  for (const [coordinates, place] of given.before) {
    if (coordinates.startsWith(prefix)) {
      const offset = BigInt(coordinates.slice(prefix.length))
      if (offset >= position && !(keepsPlaces && offset > last)) {
        const wanted = asked.get(offset)
        // Look-ups may answer differently at each attempt: a place for other units or another member is asked for anew.
        if (keepsPlaces && wanted?.units === place.units && wanted.member === place.member) places.set(coordinates, place)
        continue
      }
    }
    if (place.timeMs > horizonMs) places.set(coordinates, place)
  }

  let bytes = 0
  if (mostBytes < Number.POSITIVE_INFINITY) for (const [coordinates, place] of places) bytes += bytesOf(coordinates, place)
  let used = 0n
  let lowestFree = 1n
  const numbers = new Set<bigint>()
  const members = new Set<string>()
  /** The sums hold for every window that begins at or after the first and before the second. */
  let [latestOutsideMs, earliestInsideMs] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]

  return {
    places,
    takes(timeMs, { limit, units, member }) {
      seeWindow(timeMs)
      return used + units <= limit && !(member !== undefined && members.has(member))
    },
    hasRoom(coordinates, wanted) {
      const isFull = () => mostBytes < Number.POSITIVE_INFINITY && bytes + bytesOf(coordinates, next(wanted)) > mostBytes
      if (isFull()) forgetOutside(wanted.timeMs)
      return !isFull()
    },
    grant(coordinates, wanted) {
      const place = next(wanted)
      places.set(coordinates, place)
      if (mostBytes < Number.POSITIVE_INFINITY) bytes += bytesOf(coordinates, place)
      // Its own time always lies within its own window.
      include(place)
      return place
    },
    giveBack(coordinates) {
      const place = places.get(coordinates)
      if (place !== undefined && mostBytes < Number.POSITIVE_INFINITY) bytes -= bytesOf(coordinates, place)
      places.delete(coordinates)
      latestOutsideMs = Number.POSITIVE_INFINITY
    },
  }

  /** Where there is no room, what counts goes before what may still count for a record from before: the oldest go, a quarter at once. */
  function forgetOutside(timeMs: number): void {
    if (withinMs === undefined) return
    const outside = [...places].filter(([, place]) => place.timeMs <= Math.min(timeMs, nowMs) - withinMs)
    for (const [coordinates, place] of outside.sort(([, a], [, b]) => a.timeMs - b.timeMs)) {
      if (bytes <= 0.75 * mostBytes) return
      bytes -= bytesOf(coordinates, place)
      places.delete(coordinates)
    }
  }

  function next({ timeMs, units, member }: Wanted): Place {
    return { number: lowestFree, timeMs, units, used: used + units, member }
  }

  function seeWindow(timeMs: number): void {
    const sinceMs = withinMs === undefined ? Number.NEGATIVE_INFINITY : timeMs - withinMs
    if (latestOutsideMs <= sinceMs && sinceMs < earliestInsideMs) return
    used = 0n
    lowestFree = 1n
    numbers.clear()
    members.clear()
    latestOutsideMs = Number.NEGATIVE_INFINITY
    earliestInsideMs = Number.POSITIVE_INFINITY
    for (const place of places.values()) {
      if (place.timeMs > sinceMs) include(place)
      else latestOutsideMs = Math.max(latestOutsideMs, place.timeMs)
    }
  }

  function include({ number, timeMs, units, member }: Place): void {
    used += units
    numbers.add(number)
    while (numbers.has(lowestFree)) lowestFree++
    if (member !== undefined) members.add(member)
    earliestInsideMs = Math.min(earliestInsideMs, timeMs)
  }
}

/** As a member of a JSON object: `"COORDINATES":["NUMBER",TIME,"UNITS","USED",MEMBER],`. */
function bytesOf(coordinates: string, { number, timeMs, units, used, member }: Place): number {
  const digits = `${number}${timeMs}${units}${used}`.length
  return coordinates.length + digits + 16 + Buffer.byteLength(JSON.stringify(member ?? null))
}

/**
 * Places up to then are garbage. Record time alone would let one record from the year 2100 wipe a cap, the clock alone would forget what an old
 * topic, read again, still needs.
 */
function forgetBefore(expiresMs: number | undefined, asked: ReadonlyMap<bigint, Wanted>, nowMs: number): number {
  if (expiresMs === undefined || asked.size === 0) return Number.NEGATIVE_INFINITY
  let newestMs = Number.NEGATIVE_INFINITY
  for (const { timeMs } of asked.values()) newestMs = Math.max(newestMs, timeMs)
  return Math.min(newestMs, nowMs) - expiresMs
}
