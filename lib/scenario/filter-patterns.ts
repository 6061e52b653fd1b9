// What a filter pattern of the mapping may look like: AWS' table of operators, on the record's value alone. A slip would otherwise show when
// the mapping is made, minutes into a deploy, or never: a pattern that matches nothing loses every record.
// docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html

export interface PatternFault {
  readonly needed: string
  readonly found: string
}

/** Undefined: it is one. */
export function patternFault(pattern: unknown): PatternFault | undefined {
  if (!isMap(pattern) || Object.keys(pattern).length === 0)
    return { needed: '{ value: … }, a pattern for the value of a record', found: shown(pattern) }
  for (const [name, member] of Object.entries(pattern)) {
    if (name === '$or') {
      const fault = alternativesFault(member, patternFault)
      if (fault !== undefined) return fault
    } else if (name === 'value') {
      const fault = memberFault(member, 'value')
      if (fault !== undefined) return fault
    } else return { needed: '"value" in a pattern, since AWS sees nothing else of a record', found: `"${name}"` }
  }
  return undefined
}

function memberFault(pattern: unknown, path: string): PatternFault | undefined {
  if (Array.isArray(pattern)) {
    if (pattern.length === 0) return { needed: `at least one matcher for "${path}"`, found: '[]' }
    return firstFault(pattern, matcher => matcherFault(matcher, path))
  }
  if (!isMap(pattern) || Object.keys(pattern).length === 0)
    return { needed: `a list of matchers for "${path}", or a map of its fields`, found: shown(pattern) }
  return firstFault(Object.entries(pattern), ([name, member]) =>
    name === '$or'
      ? alternativesFault(member, one =>
          isMap(one) ? memberFault(one, path) : { needed: 'maps under "$or"', found: shown(one) },
        )
      : memberFault(member, `${path}.${name}`),
  )
}

function alternativesFault(alternatives: unknown, faultOf: (one: unknown) => PatternFault | undefined): PatternFault | undefined {
  if (!Array.isArray(alternatives) || alternatives.length < 2)
    return { needed: 'two patterns or more under "$or"', found: shown(alternatives) }
  return firstFault(alternatives, faultOf)
}

function matcherFault(matcher: unknown, path: string): PatternFault | undefined {
  if (isScalar(matcher)) return undefined
  const operators = isMap(matcher) ? Object.keys(matcher) : []
  const [operator] = operators
  const check = operator !== undefined && Object.hasOwn(operands, operator) ? operands[operator] : undefined
  if (operators.length !== 1 || check === undefined)
    return {
      needed: `a value or one of ${Object.keys(operands).join(', ')} for "${path}"`,
      found: operators.length === 1 ? `"${operator}"` : shown(matcher),
    }
  const operand = (matcher as Readonly<Record<string, unknown>>)[operator!]
  return check.fits(operand) ? undefined : { needed: `${check.needed} after "${operator}" for "${path}"`, found: shown(operand) }
}

const text = { needed: 'a text', fits: (operand: unknown) => typeof operand === 'string' && operand !== '' }

const operands: Readonly<Record<string, { readonly needed: string; readonly fits: (operand: unknown) => boolean }>> = {
  exists: { needed: 'true or false', fits: operand => typeof operand === 'boolean' },
  prefix: text,
  suffix: text,
  'equals-ignore-case': text,
  'anything-but': {
    needed: 'a value or a list of values',
    fits: operand => isScalar(operand) || (Array.isArray(operand) && operand.length > 0 && operand.every(isScalar)),
  },
  numeric: {
    needed: '["=", NUMBER], or one or two of < <= > >= each with a number,',
    fits: operand => Array.isArray(operand) && isNumeric(operand),
  },
}

function isNumeric(operand: readonly unknown[]): boolean {
  const signs = operand.filter((_, i) => i % 2 === 0)
  const numbers = operand.filter((_, i) => i % 2 === 1)
  if (signs.length !== numbers.length || !numbers.every(number => typeof number === 'number')) return false
  if (signs.length === 1) return ['=', '<', '<=', '>', '>='].includes(signs[0] as string)
  return signs.length === 2 && isLower(signs[0]) !== isLower(signs[1]) && signs.every(sign => isLower(sign) || isUpper(sign))
}

function isLower(sign: unknown): boolean {
  return sign === '>' || sign === '>='
}

function isUpper(sign: unknown): boolean {
  return sign === '<' || sign === '<='
}

function firstFault<T>(elements: readonly T[], faultOf: (element: T) => PatternFault | undefined): PatternFault | undefined {
  for (const element of elements) {
    const fault = faultOf(element)
    if (fault !== undefined) return fault
  }
  return undefined
}

function isScalar(value: unknown): boolean {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value)
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function shown(value: unknown): string {
  const json = JSON.stringify(value) ?? 'nothing'
  return json.length <= 40 ? json : `${json.slice(0, 39)}…`
}
