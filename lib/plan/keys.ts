// Keys of look-ups that are more than a text, and lists that `forEach` finds: generated code, the interpreted plan and the enrich stage agree here.
// What comes from data stays one part of a key: it cannot add an attribute, a part of a path or a parameter.
import { Failure } from './failure.ts'
import type { LookupElements } from './plan.ts'

/** A refusal, not an answer: at the look-up's name, since the key may be what is wrong. */
function refused(lookup: string, why: string, reason: 'lookup-invalid' | 'too-large' = 'lookup-invalid'): Failure {
  return new Failure(reason, lookup, `look-up "${lookup}" was not made: ${why}`)
}

/** DynamoDB's own limits of a partition and a sort key; it refuses a whole request for one empty or larger key. */
const maxAttributeBytes = [2048, 1024] as const

export function itemKey(
  lookup: string,
  attributes: readonly (readonly [name: string, type: 'S' | 'N', text: string])[],
): string | Failure {
  for (const [position, [name, , text]] of attributes.entries()) {
    if (text === '') return refused(lookup, `its key attribute "${name}" is the empty text, which no item has`)
    const most = maxAttributeBytes[position] ?? 1024
    if (text.length > most / 3 && Buffer.byteLength(text) > most)
      return refused(lookup, `its key attribute "${name}" has more than ${most} bytes`, 'too-large')
  }
  const members = attributes
    .map(([name, type, text]) => [name, `${JSON.stringify(name)}:{"${type}":${JSON.stringify(text)}}`] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([, member]) => member).join(',')}}`
}

/** Literals are wrapped, holes are bare. A hole that is empty or made of dots would name another resource. */
export function requestKey(
  lookup: string,
  parts: readonly (string | readonly [literal: string])[],
  body?: string,
): string | Failure {
  let url = ''
  for (const part of parts) {
    if (typeof part !== 'string') url += part[0]
    else if (part === '') return refused(lookup, 'a hole of its URL is the empty text')
    else if (!part.isWellFormed()) return refused(lookup, 'a hole of its URL is not well-formed Unicode')
    else url += encodeURIComponent(part)
  }
  if (/\/\.{1,2}(?=[/?]|$)/.test(url)) return refused(lookup, 'a part of its path is "." or ".."')
  return body === undefined ? url : `${url}\n${body}`
}

/** As the rows of a compiled table are filed. */
export function tableKey(texts: readonly string[]): string {
  return JSON.stringify(texts)
}

const maxKeyBytes = { redis: 8192, dynamodb: 8192, http: 262_144, state: 2048 } as const

/** Why a key cannot be sent; undefined if it can. */
export function keyProblem(lookup: string, store: keyof typeof maxKeyBytes, key: string): Failure | undefined {
  const problem = textProblem(key, maxKeyBytes[store])
  return problem && refused(lookup, `its key ${problem.why}`, problem.reason)
}

/** Why a cap cannot be asked with this key (as it is stored) or member; undefined if it can. */
export function capProblem(cap: string, part: 'key' | 'member', text: string): Failure | undefined {
  const problem = textProblem(text, maxKeyBytes.state)
  return (
    problem && new Failure(problem.reason, `${part} of state ${cap}`, `cap "${cap}" was not asked: its ${part} ${problem.why}`)
  )
}

function textProblem(
  text: string,
  mostBytes: number,
): { readonly reason: 'lookup-invalid' | 'too-large'; readonly why: string } | undefined {
  // Half a surrogate pair has no UTF-8: two such keys would be one.
  if (!text.isWellFormed()) return { reason: 'lookup-invalid', why: 'is not well-formed Unicode' }
  if (text.length > mostBytes / 3 && Buffer.byteLength(text) > mostBytes)
    return { reason: 'too-large', why: `has more than ${mostBytes} bytes` }
  return undefined
}

export const maxElements = 100

export function tooManyElements(lookup: string, count: number): Failure {
  return refused(lookup, `its list has ${count} elements, and ${maxElements} are looked up at most`, 'too-large')
}

/** What `forEach` gives: the list of what was found, or the first Failure that is not left out. */
export function foundList(
  lookup: string,
  elements: readonly unknown[],
  found: readonly unknown[],
  { join, leavesOut }: LookupElements,
): unknown {
  const list: unknown[] = []
  for (const [e, value] of found.entries()) {
    if (!(value instanceof Failure)) list.push(join(value, elements[e]))
    else if (!leavesOut || value.missing !== lookup) return value
  }
  return list
}

/** `forEach` of a compiled table, which waits for nobody. */
export function findEach(lookup: string, elements: unknown, each: LookupElements, find: (element: unknown) => unknown): unknown {
  if (!Array.isArray(elements)) return elements
  if (elements.length > maxElements) return tooManyElements(lookup, elements.length)
  return foundList(lookup, elements, elements.map(find), each)
}
