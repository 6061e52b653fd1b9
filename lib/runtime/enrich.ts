// Looks up what a batch needs. A look-up waits only for the look-ups that its key refers to; the compiler has sorted them into fetch
// stages, and each stage is one pipelined round trip, so a batch costs as many round trips as it has stages, whatever its size.
import { Failure } from '../plan/failure.ts'
import type { Columns, LookupAnswer, LookupPlan } from '../plan/plan.ts'
import { type Deadline, type LookupPort, type LookupRequest, type LookupStores, RetryableError } from './ports.ts'

/** Fills the columns of these look-ups. Throws RetryableError where a store gave no answer to a look-up with `onError: retry`. */
export async function enrich(
  columns: Columns,
  plan: readonly LookupPlan[],
  stage: readonly number[],
  stores: LookupStores,
  deadline: Deadline,
) {
  const fetches = stage
    .map(index => collect(columns, plan[index]!, columns.lookups[index]!))
    .filter(fetch => fetch.keys.length > 0)
  if (fetches.length === 0) return
  const byStore = Map.groupBy(fetches, fetch => fetch.lookup.store)
  // All stores are asked at once and all settle: the first error must not leave another store's answers on their way.
  const outcomes = await Promise.allSettled(
    [...byStore].map(async ([name, asked]) => {
      const store = stores[name]
      if (store === undefined) throw new Error(`the world has no store "${name}" for look-up "${asked[0]!.lookup.name}"`)
      const answers = await askStore(asked, store, deadline)
      asked.forEach((fetch, f) => {
        spread(fetch, answers[f])
      })
    }),
  )
  const failed = outcomes.find(outcome => outcome.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

/** What one look-up asks: distinct keys, and which of them each record waits for. */
interface Fetch {
  readonly lookup: LookupPlan
  readonly column: unknown[]
  readonly keys: string[]
  readonly members: string[] | undefined
  /** By record: the index of the key that it waits for, or −1. */
  readonly waiting: Int32Array
}

function collect(columns: Columns, lookup: LookupPlan, column: unknown[]): Fetch {
  const fetch: Fetch = {
    lookup,
    column,
    keys: [],
    members: lookup.member && [],
    waiting: new Int32Array(columns.recordCount).fill(-1),
  }
  const keyIndexes = new Map<string, number>()
  for (let i = 0; i < columns.recordCount; i++) {
    if (!lookup.needed(columns, i)) continue
    const key = lookup.key(columns, i)
    const member = lookup.member?.(columns, i)
    if (key instanceof Failure || member instanceof Failure) {
      column[i] = key instanceof Failure ? key : member
      continue
    }
    if (key === undefined || (lookup.member !== undefined && member === undefined)) {
      // A hole that may be missing is: no look-up is made, the answer is missing.
      column[i] = lookup.missing(undefined)
      continue
    }
    const identity = member === undefined ? key : `${key.length} ${key}${member}`
    let keyIndex = keyIndexes.get(identity)
    if (keyIndex === undefined) {
      keyIndex = fetch.keys.length
      keyIndexes.set(identity, keyIndex)
      fetch.keys.push(key)
      if (member !== undefined) fetch.members!.push(member)
    }
    fetch.waiting[i] = keyIndex
  }
  return fetch
}

async function askStore(fetches: readonly Fetch[], store: LookupPort, deadline: Deadline) {
  const requests: LookupRequest[] = fetches.map(({ lookup, keys, members }) => ({
    command: lookup.command,
    keys,
    ...(members && { members }),
  }))
  const timeoutMs = Math.min(...fetches.map(fetch => fetch.lookup.timeoutMs ?? Number.POSITIVE_INFINITY))
  const shortest: Deadline = { remainingMs: () => Math.min(deadline.remainingMs(), timeoutMs) }
  try {
    return await store.lookupMany(requests, shortest)
  } catch (error) {
    // One pipeline, one fate: nobody knows which of its answers would have come.
    if (!(error instanceof RetryableError) || fetches.some(fetch => fetch.lookup.onError === 'retry')) throw error
    return fetches.map(() => undefined)
  }
}

function spread({ lookup, column, keys, waiting }: Fetch, answers: readonly LookupAnswer[] | undefined): void {
  const values =
    answers === undefined
      ? keys.map(key => unanswered(lookup, key))
      : answers.map((answer, k) => {
          const value = lookup.decode(answer, keys[k]!)
          return value instanceof Failure && value.reason === 'lookup-invalid' && lookup.onError === 'missing'
            ? lookup.missing(keys[k])
            : value
        })
  for (let i = 0; i < waiting.length; i++) if (waiting[i]! >= 0) column[i] = values[waiting[i]!]
}

function unanswered(lookup: LookupPlan, key: string): unknown {
  if (lookup.onError === 'missing') return lookup.missing(key)
  // Not "missing": `onMissing: drop` must not drop what nobody has looked at.
  return new Failure('lookup-invalid', key, `look-up "${lookup.name}" got no answer from its store`)
}
