// What the store may hold of a scenario's state: types of remembered fields, units of caps. Each partition's lock keeps it, and keeps what was
// dropped since, whose values are still there: a field that comes back is compared with what it was. Compatible is what reads every stored value
// as it was meant: an enumeration with more texts or in another order, a string in its place, fields that are new or gone (state.md 6.6). A new
// type or unit is not, even where the stored bytes could be read.

/**
 * As `int`, `decimal(2)`, `basic | gold` (no text of an enumeration holds a `|`); `?` stands behind the name of a field that may be missing. A list
 * is an object with the one field `<list>`, a map one with `<map>`.
 */
export type KeptType = string | { readonly [field: string]: KeptType }

/** By entry: the types of what is remembered, or the unit that a cap counts. */
export type Signature = Readonly<Record<string, string | Readonly<Record<string, KeptType>>>>

/** What a cap counts that has no `take`. */
export const recordsUnit = 'records'

export type Comparison =
  /** What the lock shall say from now on. */
  | { readonly kind: 'compatible'; readonly signature: string }
  /** Without `field`: a cap's unit, or an entry of the other kind. */
  | {
      readonly kind: 'different'
      readonly entry: string
      readonly field: string | undefined
      readonly stored: string
      readonly declared: string
    }

export function compareSignatures(storedText: string | undefined, declaredText: string): Comparison {
  if (storedText === undefined || storedText === declaredText) return { kind: 'compatible', signature: declaredText }
  const stored = JSON.parse(storedText) as Signature
  const declared = JSON.parse(declaredText) as Signature
  const merged: Record<string, Signature[string]> = { ...stored }
  for (const [entry, now] of Object.entries(declared)) {
    const before = stored[entry]
    if (before === undefined) merged[entry] = now
    else if (typeof now === 'string' || typeof before === 'string') {
      if (now !== before)
        return { kind: 'different', entry, field: undefined, stored: describeEntry(before), declared: describeEntry(now) }
    } else {
      const fields = { ...before }
      for (const [field, type] of Object.entries(now)) {
        const known = before[field]
        const both = known === undefined ? type : merge(known, type)
        if (both === undefined) return { kind: 'different', entry, field, stored: describe(known!), declared: describe(type) }
        fields[field] = both
      }
      merged[entry] = fields
    }
  }
  return { kind: 'compatible', signature: JSON.stringify(merged) }
}

/** Holds all values of both; undefined: a stored value could not be read as declared. */
function merge(stored: KeptType, declared: KeptType): KeptType | undefined {
  if (typeof stored === 'string' || typeof declared === 'string') return holds(declared, stored) ? declared : undefined
  const fields: Record<string, KeptType> = {}
  // Of what was dropped nobody knows which values have it.
  for (const [name, type] of Object.entries(stored)) {
    if (name.startsWith('<') && declared[name] === undefined) return undefined
    fields[optional(name)] = type
  }
  for (const [name, type] of Object.entries(declared)) {
    const maybe = optional(name)
    if (name !== maybe && stored[name] === undefined) return undefined
    const known = fields[maybe]
    const both = known === undefined ? type : merge(known, type)
    if (both === undefined) return undefined
    delete fields[maybe]
    fields[name] = both
  }
  return fields
}

function holds(declared: KeptType, stored: KeptType): boolean {
  if (declared === stored) return true
  if (typeof declared !== 'string' || typeof stored !== 'string') return false
  if (stored === 'timezone') return declared === 'string'
  const texts = declared.split(' | ')
  return stored.includes(' | ') && (declared === 'string' || stored.split(' | ').every(text => texts.includes(text)))
}

const optional = (name: string): string => (name.endsWith('?') ? name : `${name}?`)

function describeEntry(entry: Signature[string]): string {
  return typeof entry === 'string' ? `a cap of ${entry}` : 'remembered fields'
}

function describe(type: KeptType): string {
  if (typeof type === 'string') return type
  return `{ ${Object.entries(type)
    .map(([name, field]) => `${name}: ${describe(field)}`)
    .join(', ')} }`
}
