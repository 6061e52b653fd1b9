// Looks up what a batch needs. A look-up waits only for the look-ups that its key refers to; the compiler has sorted them into fetch
// stages, and each stage is one pipelined round trip per store, all stores at once, so a batch costs as many round trips as it has stages,
// whatever its size.
import { Failure } from '../plan/failure.ts'
import { foundList, keyProblem, maxElements, tooManyElements } from '../plan/keys.ts'
import type { Columns, LookupAnswer, LookupPlan } from '../plan/plan.ts'
import {
  type Deadline,
  type LookupMemory,
  type LookupPort,
  type LookupRequest,
  type LookupStores,
  type MetricsPort,
  RetryableError,
  type TellAnswer,
  Unanswered,
  usualTimeoutMs,
} from './ports.ts'

/** Fills the columns of these look-ups. Throws RetryableError where a store gave no answer to a look-up with `onError: retry`. */
export async function enrich(
  columns: Columns,
  plan: readonly LookupPlan[],
  stage: readonly number[],
  stores: LookupStores,
  deadline: Deadline,
  memory?: LookupMemory,
  metrics?: MetricsPort,
) {
  const fetches = stage.map(index => collect(columns, plan[index]!, columns.lookups[index]!))
  // By what answers, not by name: remembered values are usually in the Redis of the look-ups, and travel with them.
  const byStore = Map.groupBy(fetches, ({ lookup }) => {
    const store = stores[lookup.store]
    if (store === undefined) throw new Error(`the world has no store "${lookup.store}" for look-up "${lookup.name}"`)
    return store
  })
  // All stores are asked at once and all settle: the first error must not leave another store's answers on their way.
  const outcomes = await Promise.allSettled(
    [...byStore].map(async ([store, asked]) => {
      const open = asked.filter(fetch => fetch.keys.length > 0)
      // Usually once. Again only for keys for which another invocation of this container asked in vain.
      for (;;) {
        const flights = open.flatMap(fetch => recall(fetch, memory))
        const needed = open.filter(fetch => fetch.unknown.length > 0)
        if (needed.length === 0 && flights.length === 0) return
        if (needed.length > 0) await takingOff(needed, memory, () => answerAll(needed, store, deadline, memory))
        await Promise.all(flights)
      }
    }),
  )
  const failed = outcomes.find(outcome => outcome.status === 'rejected')
  const cacheHits = fetches.reduce((sum, fetch) => sum + fetch.recalledCount, 0)
  if (cacheHits > 0) metrics?.count('cacheHits', cacheHits)
  if (failed !== undefined) throw failed.reason
  for (const fetch of fetches) spread(fetch)
}

/** What one look-up asks: distinct keys, and which of them each record waits for. */
interface Fetch {
  readonly lookup: LookupPlan
  readonly column: unknown[]
  /** What tells keys apart: the key, or key and member. */
  readonly identities: string[]
  readonly keys: string[]
  readonly members: string[] | undefined
  /** By identity: the key index, or what is known without asking. */
  readonly keyIndexes: Map<string, number | Known>
  /** By key index: the decoded value. */
  readonly values: unknown[]
  /** By key index: whether the value is there. */
  readonly isKnown: boolean[]
  /** Key indexes that no memory knew and nobody asks for. */
  unknown: readonly number[]
  /** How many keys the container's memory knew; also those that another invocation has asked for meanwhile. */
  recalledCount: number
  /** Pairs of record index and key index. */
  readonly waiting: number[]
  /** With `forEach`: records with their elements, each of which waits for a key index or has its value already. */
  readonly lists: { readonly record: number; readonly elements: readonly unknown[]; readonly found: (number | Known)[] }[]
}

interface Known {
  readonly value: unknown
}

function collect(columns: Columns, lookup: LookupPlan, column: unknown[]): Fetch {
  const fetch: Fetch = {
    lookup,
    column,
    identities: [],
    keys: [],
    members: lookup.member && [],
    keyIndexes: new Map(),
    values: [],
    isKnown: [],
    unknown: [],
    recalledCount: 0,
    waiting: [],
    lists: [],
  }
  for (let i = 0; i < columns.recordCount; i++) {
    if (!lookup.needed(columns, i)) continue
    if (lookup.each === undefined) {
      const asked = ask(fetch, lookup.key(columns, i), lookup.member?.(columns, i))
      if (typeof asked === 'number') fetch.waiting.push(i, asked)
      else column[i] = asked.value
      continue
    }
    const elements = lookup.each.list(columns, i)
    if (elements instanceof Failure) column[i] = elements
    else if (elements.length > maxElements) column[i] = tooManyElements(lookup.name, elements.length)
    else {
      const found = elements.map((element, index) =>
        ask(fetch, lookup.key(columns, i, element, index), lookup.member?.(columns, i, element, index)),
      )
      fetch.lists.push({ record: i, elements, found })
    }
  }
  return fetch
}

/** The index of the key, or what is known without asking. */
function ask(fetch: Fetch, key: string | undefined | Failure, member: string | undefined | Failure): number | Known {
  const { lookup, keyIndexes } = fetch
  if (key instanceof Failure) return { value: key }
  if (member instanceof Failure) return { value: member }
  // A hole that may be missing is: no look-up is made, the answer is missing.
  if (key === undefined || (lookup.member !== undefined && member === undefined)) return { value: lookup.missing(undefined) }
  const identity = member === undefined ? key : `${key.length} ${key}${member}`
  const known = keyIndexes.get(identity)
  if (known !== undefined) return known
  const problem = keyProblem(lookup.name, lookup.store, identity)
  const asked = problem === undefined ? fetch.keys.length : { value: problem }
  keyIndexes.set(identity, asked)
  if (problem === undefined) {
    fetch.identities.push(identity)
    fetch.keys.push(key)
    if (member !== undefined) fetch.members!.push(member)
  }
  return asked
}

/** Takes from the container's memory what is there; the rest is `unknown`, or in flight for another invocation. */
function recall(fetch: Fetch, memory: LookupMemory | undefined): readonly Promise<void>[] {
  const { lookup, identities, values, isKnown } = fetch
  const shelf = lookup.cacheMs > 0 ? memory?.shelf(lookup.name) : undefined
  const atMs = memory?.nowMs() ?? 0
  const unknown: number[] = []
  const flights = new Set<Promise<void>>()
  for (let k = 0; k < identities.length; k++) {
    if (isKnown[k]) continue
    const known = shelf?.recall(identities[k]!, atMs)
    if (known !== undefined) {
      values[k] = known.value
      isKnown[k] = true
      fetch.recalledCount++
      continue
    }
    const flight = shelf?.flight(identities[k]!)
    if (flight === undefined) unknown.push(k)
    else flights.add(flight)
  }
  fetch.unknown = unknown
  return [...flights]
}

/** One flight per key: who comes meanwhile waits for these. */
async function takingOff(fetches: readonly Fetch[], memory: LookupMemory | undefined, ask: () => Promise<void>): Promise<void> {
  const landings = fetches.flatMap(({ lookup, unknown, identities }) =>
    memory === undefined || lookup.cacheMs === 0 ? [] : [memory.shelf(lookup.name).take(unknown.map(k => identities[k]!))],
  )
  try {
    await ask()
  } finally {
    for (const land of landings) land()
  }
}

async function answerAll(fetches: readonly Fetch[], store: LookupPort, deadline: Deadline, memory: LookupMemory | undefined) {
  const loans = loansOf(fetches)
  const patience = patienceOf(fetches, loans)
  const requests = fetches.map((fetch, f) => requestOf(fetch, loans[f], patience[f]!))
  // What a store tells early is decoded while the rest is on its way, and used where it is what the result says.
  const early = fetches.map(({ unknown }): Told => ({ answers: new Array(unknown.length), values: new Array(unknown.length) }))
  const tell: TellAnswer = (f, asked, answer) => {
    const { lookup, keys, unknown } = fetches[f]!
    const position = loans[f]?.own[asked] ?? asked
    early[f]!.answers[position] = answer
    early[f]!.values[position] = lookup.decode(answer, keys[unknown[position]!]!)
  }
  let answers: Answers[] | undefined
  try {
    const told = await store.lookupMany(requests, deadline, tell)
    answers = []
    for (const [f, own] of told.entries()) answers.push(withLoans(own, fetches[f]!, loans[f], answers))
  } catch (error) {
    // One pipeline, one fate: nobody knows which of its answers would have come.
    if (!(error instanceof RetryableError) || fetches.some(fetch => fetch.lookup.onError === 'retry')) throw error
  }
  fetches.forEach(({ lookup: { onError } }, f) => {
    const without = onError === 'retry' ? answers?.[f]?.find(answer => answer instanceof Unanswered) : undefined
    if (without !== undefined) throw without.error
  })
  fetches.forEach((fetch, f) => {
    take(fetch, answers?.[f], early[f]!, memory)
  })
}

type Answers = readonly (LookupAnswer | Unanswered)[]

/** What one look-up need not ask, since an earlier one of this round trip asks the same. Positions are those in `unknown`. */
interface Loans {
  /** What it asks itself. */
  readonly own: readonly number[]
  /** By position: who asks it, and where. */
  readonly lent: ReadonlyMap<number, { readonly lender: number; readonly position: number }>
}

/** Equal look-ups are made once, and each reads the answer by its own types. Undefined: asks all itself, as usual. */
function loansOf(fetches: readonly Fetch[]): readonly (Loans | undefined)[] {
  if (fetches.length === 1) return [undefined]
  // Equal keys of state are different things: each entry has a place of its own in the store.
  const commands = fetches.map(({ lookup }) => (lookup.store === 'state' ? undefined : JSON.stringify(lookup.command)))
  return fetches.map(({ unknown, identities }, f) => {
    const lenders = commands.flatMap((command, l) => (l < f && command !== undefined && command === commands[f] ? [l] : []))
    if (lenders.length === 0) return undefined
    const positions = lenders.map(lender => positionsIn(fetches[lender]!))
    const own: number[] = []
    const lent = new Map<number, { lender: number; position: number }>()
    for (const [position, k] of unknown.entries()) {
      let isLent = false
      for (let l = 0; l < lenders.length && !isLent; l++) {
        const there = positions[l]!(identities[k]!)
        if (there === undefined) continue
        lent.set(position, { lender: lenders[l]!, position: there })
        isLent = true
      }
      if (!isLent) own.push(position)
    }
    return lent.size === 0 ? undefined : { own, lent }
  })
}

/** Where a look-up asks for this; undefined: it does not, or knows it already. */
function positionsIn({ keyIndexes, keys, unknown }: Fetch): (identity: string) => number | undefined {
  const positions = unknown.length === keys.length ? undefined : new Map(unknown.map((k, position) => [k, position]))
  return identity => {
    const k = keyIndexes.get(identity)
    if (typeof k !== 'number') return undefined
    return positions === undefined ? k : positions.get(k)
  }
}

/** Each waits as long as its look-up says, for what it asks for others as long as they do. */
function patienceOf(fetches: readonly Fetch[], loans: readonly (Loans | undefined)[]): readonly number[] {
  const own = fetches.map(({ lookup }) => lookup.timeoutMs ?? usualTimeoutMs)
  const longest = [...own]
  for (const [f, ofFetch] of loans.entries())
    for (const { lender } of ofFetch?.lent.values() ?? []) longest[lender] = Math.max(longest[lender]!, own[f]!)
  return longest
}

function requestOf({ lookup, keys, members, unknown }: Fetch, loans: Loans | undefined, timeoutMs: number): LookupRequest {
  const asked = loans === undefined ? unknown : loans.own.map(position => unknown[position]!)
  // Usually nothing is known before.
  const isAll = asked.length === keys.length
  return {
    command: lookup.command,
    keys: isAll ? keys : asked.map(k => keys[k]!),
    ...(members && { members: isAll ? members : asked.map(k => members[k]!) }),
    timeoutMs,
  }
}

function withLoans(own: Answers, { unknown }: Fetch, loans: Loans | undefined, before: readonly Answers[]): Answers {
  if (loans === undefined) return own
  let next = 0
  return unknown.map((_, position) => {
    const loan = loans.lent.get(position)
    return loan === undefined ? own[next++]! : before[loan.lender]![loan.position]!
  })
}

/** What the store told while others were on their way, and decoded, by the position of a key in `unknown`. */
interface Told {
  readonly answers: (LookupAnswer | undefined)[]
  readonly values: unknown[]
}

/** Decodes what was answered, by the position of a key in `unknown`, and remembers it. */
function take(
  { lookup, keys, identities, unknown, values, isKnown }: Fetch,
  answers: readonly (LookupAnswer | Unanswered)[] | undefined,
  early: Told,
  memory: LookupMemory | undefined,
): void {
  const shelf = lookup.cacheMs > 0 ? memory?.shelf(lookup.name) : undefined
  unknown.forEach((k, position) => {
    const key = keys[k]!
    const answer = answers?.[position]
    isKnown[k] = true
    if (answer === undefined || answer instanceof Unanswered) {
      values[k] = unanswered(lookup, key)
      return
    }
    const value = early.answers[position] === answer ? early.values[position] : lookup.decode(answer, key)
    const isBroken = value instanceof Failure && value.reason === 'lookup-invalid'
    values[k] = isBroken && lookup.onError === 'missing' ? lookup.missing(key) : value
    // What is missing is remembered, too; what is broken may be repaired any time.
    if (!isBroken) shelf?.remember(identities[k]!, { value, bytes: bytesOf(answer), forMs: lookup.cacheMs })
  })
}

function bytesOf(answer: LookupAnswer): number {
  if (typeof answer === 'string') return 2 * answer.length
  return Array.isArray(answer) ? answer.reduce((sum: number, text: string | null) => sum + 16 + 2 * (text?.length ?? 0), 0) : 16
}

function spread({ lookup, column, values, waiting, lists }: Fetch): void {
  for (let w = 0; w < waiting.length; w += 2) column[waiting[w]!] = values[waiting[w + 1]!]
  for (const { record, elements, found } of lists) {
    const all = found.map(one => (typeof one === 'number' ? values[one] : one.value))
    column[record] = foundList(lookup.name, elements, all, lookup.each!)
  }
}

function unanswered(lookup: LookupPlan, key: string): unknown {
  if (lookup.onError === 'missing') return lookup.missing(key)
  // Not "missing": `onMissing: drop` must not drop what nobody has looked at.
  return new Failure('lookup-invalid', key, `look-up "${lookup.name}" got no answer from its store`)
}
