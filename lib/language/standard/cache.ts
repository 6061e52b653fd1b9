// A bounded memory for what is dear to compute and asked for again: patterns, zones, offsets. Keys may come from records, and
// a Lambda container lives for hours, so none of them may grow without end.

export interface BoundedCache<Key, Value> {
  readonly get: (key: Key) => Value | undefined
  readonly set: (key: Key, value: Value) => void
}

/** Forgets everything when full: rare, and cheaper for all other calls than to keep an order. */
export function bounded<Key, Value>(limit: number): BoundedCache<Key, Value> {
  const values = new Map<Key, Value>()
  return {
    get: key => values.get(key),
    set: (key, value) => {
      if (values.size >= limit) values.clear()
      values.set(key, value)
    },
  }
}
