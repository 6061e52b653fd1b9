// JSON that keeps every digit. JSON.parse rounds beyond 2^53, which is what the reference cases look for.

/** A number as it stands in the text. JSON.stringify writes it back as it was. */
interface RawNumber {
  readonly rawJSON: string
}

// Part of the language since ES2025, not yet of TypeScript's es2024 library.
const exact = JSON as unknown as {
  rawJSON(text: string): RawNumber
  isRawJSON(value: unknown): value is RawNumber
  parse(text: string, reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown): unknown
}

/** Parsed, with numbers as RawNumber; JSON.stringify gives compact text with the same digits. */
export function parseExact(text: string): unknown {
  return exact.parse(text, (_, value, { source }) => (typeof value === 'number' ? exact.rawJSON(source!) : value))
}

/** One text for all JSON values that are equal: members sorted, `14.50` as `14.5`, `6e1` as `60.0`. */
export function canonical(value: unknown): string {
  if (exact.isRawJSON(value)) return canonicalNumber(value.rawJSON)
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
    return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(',')}}`
  }
  return JSON.stringify(value)
}

/** All digits without zeros around, and the power of ten: `14.50` is `145e-1`. */
function canonicalNumber(text: string): string {
  const [, sign, whole, fraction = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text)!
  const digits = `${whole}${fraction}`.replace(/^0+/, '')
  const significant = digits.replace(/0+$/, '')
  if (significant === '') return '0'
  return `${sign}${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`
}
