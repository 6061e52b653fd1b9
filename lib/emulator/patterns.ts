// Filter patterns as Lambda reads them for Kafka: EventBridge's syntax on the record's value. Only what is written in AWS' table of
// comparison operators; numbers as EventBridge compares them. docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html

/** Whether the record comes through: no patterns, one that matches, or a value that no JSON pattern can judge. */
export function passes(patterns: readonly unknown[], value: Uint8Array | null): boolean {
  if (patterns.length === 0) return true
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(value ?? new Uint8Array()))
  } catch {
    // Formats differ: Lambda would filter on metadata alone, which Kafka's records do not offer there (event-source-mapping.md 2.5).
    return true
  }
  return patterns.some(pattern => matches(pattern, { value: json }))
}

export function matches(pattern: unknown, json: unknown): boolean {
  return Object.entries(pattern as object).every(([name, wanted]) => {
    if (name === '$or') return (wanted as readonly unknown[]).some(one => matches(one, json))
    const member = isObject(json) && Object.hasOwn(json, name) ? json[name] : undefined
    if (!Array.isArray(wanted)) return isObject(member) ? matches(wanted, member) : matchesNothing(wanted)
    // A list in the record matches if one of its members does.
    const candidates = Array.isArray(member) ? member : [member]
    return wanted.some(matcher => candidates.some(candidate => fits(matcher, candidate)))
  })
}

/** Below a field that is not there only "exists: false" can hold. */
function matchesNothing(pattern: unknown): boolean {
  return Array.isArray(pattern)
    ? pattern.some(matcher => isObject(matcher) && matcher['exists'] === false)
    : Object.values(pattern as object).every(matchesNothing)
}

function fits(matcher: unknown, found: unknown): boolean {
  if (!isObject(matcher)) return found === matcher
  const [operator, operand] = Object.entries(matcher)[0]!
  switch (operator) {
    case 'exists':
      // Only leaves exist for a pattern.
      return operand === (found !== undefined && !isObject(found))
    case 'prefix':
      return typeof found === 'string' && found.startsWith(operand as string)
    case 'suffix':
      return typeof found === 'string' && found.endsWith(operand as string)
    case 'equals-ignore-case':
      return typeof found === 'string' && found.toLowerCase() === (operand as string).toLowerCase()
    case 'anything-but':
      return found !== undefined && !isObject(found) && ![operand].flat().includes(found)
    case 'numeric':
      return typeof found === 'number' && inRange(operand as readonly unknown[], found)
    default:
      throw new Error(`A filter pattern has the operator "${operator}", which Lambda does not have.`)
  }
}

function inRange(operand: readonly unknown[], found: number): boolean {
  if (Math.abs(found) > 5e9) return false
  const rounded = Math.round(found * 1e6)
  for (let i = 0; i < operand.length; i += 2) {
    const limit = Math.round((operand[i + 1] as number) * 1e6)
    const order = rounded - limit
    const holds = { '=': order === 0, '<': order < 0, '<=': order <= 0, '>': order > 0, '>=': order >= 0 }[operand[i] as string]
    if (holds !== true) return false
  }
  return true
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
