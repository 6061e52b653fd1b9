// What a container remembers of look-ups with `cache: 5m`, over batches: decoded values, those of "nothing there" too. Bounded by bytes, since
// keys come from data and never end: two generations, of which the older is forgotten when the younger is full, so that what is read again stays.
import type { LookupMemory, LookupShelf } from './ports.ts'

export interface LookupMemoryOptions {
  readonly maxBytes: number
  /** Milliseconds of any origin; they only count on. */
  readonly nowMs: () => number
}

/** A 32nd of the smallest function of 1 GB; values as JavaScript holds them take more than their texts, hence the factor below. */
export const defaultMemoryBytes = 32 * 1024 * 1024

interface Entry {
  readonly value: unknown
  readonly bytes: number
  readonly untilMs: number
}

/** Equal keys of two look-ups are two things. */
interface Generations {
  young: Map<string, Entry>
  old: Map<string, Entry>
}

/** Objects, map entries and strings beside the texts themselves. */
const overheadBytes = 200

export function createLookupMemory({ maxBytes, nowMs }: LookupMemoryOptions): LookupMemory & { readonly bytes: () => number } {
  const shelves = new Map<string, LookupShelf>()
  const generations: Generations[] = []
  let youngBytes = 0
  let oldBytes = 0
  return {
    nowMs,
    shelf(lookup) {
      const shelf = shelves.get(lookup) ?? createShelf()
      shelves.set(lookup, shelf)
      return shelf
    },
    bytes: () => youngBytes + oldBytes,
  }

  function createShelf(): LookupShelf {
    const own: Generations = { young: new Map(), old: new Map() }
    generations.push(own)
    const flights = new Map<string, Promise<void>>()
    return {
      recall(key, atMs) {
        const fresh = own.young.get(key)
        const entry = fresh ?? own.old.get(key)
        if (entry === undefined || entry.untilMs <= atMs) return undefined
        if (fresh === undefined) keep(own, key, entry)
        return entry
      },
      remember(key, found) {
        const bytes = found.bytes + 2 * key.length + overheadBytes
        // One that would push out a quarter of all others is not worth it.
        if (bytes <= maxBytes / 4) keep(own, key, { value: found.value, bytes, untilMs: nowMs() + found.forMs })
      },
      flight: key => flights.get(key),
      take(keys) {
        const { promise, resolve } = Promise.withResolvers<void>()
        for (const key of keys) flights.set(key, promise)
        return () => {
          for (const key of keys) flights.delete(key)
          resolve()
        }
      },
    }
  }

  function keep(own: Generations, key: string, entry: Entry): void {
    if (youngBytes + entry.bytes > maxBytes / 2) {
      for (const one of generations) {
        one.old = one.young
        one.young = new Map()
      }
      oldBytes = youngBytes
      youngBytes = 0
    }
    youngBytes += entry.bytes - (own.young.get(key)?.bytes ?? 0)
    own.young.set(key, entry)
  }
}
