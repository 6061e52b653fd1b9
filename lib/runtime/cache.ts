// What a container remembers of look-ups with `cache: 5m`, over batches: decoded values, those of "nothing there" too. Bounded by bytes, since
// keys come from data and never end: two generations, of which the older is forgotten when the younger is full, so that what is read again stays.
import type { LookupMemory } from './ports.ts'

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

/** Objects, map entries and strings beside the texts themselves. */
const overheadBytes = 200

export function createLookupMemory({ maxBytes, nowMs }: LookupMemoryOptions): LookupMemory & { readonly bytes: () => number } {
  // By look-up, then by key: equal keys of two look-ups are two things.
  let young = new Map<string, Map<string, Entry>>()
  let old = new Map<string, Map<string, Entry>>()
  let youngBytes = 0
  let oldBytes = 0
  const flights = new Map<string, Map<string, Promise<void>>>()
  return { recall, remember, flight, take, bytes: () => youngBytes + oldBytes }

  function recall(lookup: string, key: string): { readonly value: unknown } | undefined {
    const fresh = young.get(lookup)?.get(key)
    const entry = fresh ?? old.get(lookup)?.get(key)
    if (entry === undefined || entry.untilMs <= nowMs()) return undefined
    if (fresh === undefined) keep(lookup, key, entry)
    return entry
  }

  function remember(
    lookup: string,
    key: string,
    found: { readonly value: unknown; readonly bytes: number; readonly forMs: number },
  ): void {
    const bytes = found.bytes + 2 * key.length + overheadBytes
    // One that would push out a quarter of all others is not worth it.
    if (bytes <= maxBytes / 4) keep(lookup, key, { value: found.value, bytes, untilMs: nowMs() + found.forMs })
  }

  function keep(lookup: string, key: string, entry: Entry): void {
    if (youngBytes + entry.bytes > maxBytes / 2) {
      old = young
      oldBytes = youngBytes
      young = new Map()
      youngBytes = 0
    }
    const entries = young.get(lookup) ?? new Map<string, Entry>()
    young.set(lookup, entries)
    youngBytes += entry.bytes - (entries.get(key)?.bytes ?? 0)
    entries.set(key, entry)
  }

  function flight(lookup: string, key: string): Promise<void> | undefined {
    return flights.get(lookup)?.get(key)
  }

  function take(lookup: string, keys: readonly string[]): () => void {
    const { promise, resolve } = Promise.withResolvers<void>()
    const own = flights.get(lookup) ?? new Map<string, Promise<void>>()
    flights.set(lookup, own)
    for (const key of keys) own.set(key, promise)
    return () => {
      for (const key of keys) own.delete(key)
      resolve()
    }
  }
}
