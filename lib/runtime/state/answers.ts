// Look-ups' answers while one batch is decided more than once.
import type { LookupCommand } from '../../plan/plan.ts'
import type { LookupPort, LookupRequest } from '../ports.ts'

type Answers = Awaited<ReturnType<LookupPort['lookupMany']>>[number]

/** Answers once per key: where a batch is judged again, only what is new is asked. */
export function answeringOnce(store: LookupPort): LookupPort {
  // Two entries of state may have the same key: look-ups are told apart by their command's object.
  const histories = new Map<LookupCommand, History>()
  return {
    close: () => store.close(),
    async lookupMany(requests, deadline, tell) {
      const asked = requests.map(({ command }) => historyOf(histories, command))
      if (asked.every(history => history.isEmpty)) {
        const answers = await store.lookupMany(requests, deadline, tell)
        for (const [r, request] of requests.entries()) asked[r]!.keep(request, answers[r]!)
        return answers
      }
      const known = requests.map((request, r) => asked[r]!.answersTo(request))
      const open = requests.flatMap((request, r) => {
        const left = request.keys.flatMap((_, k) => (known[r]![k] === undefined ? [k] : []))
        return left.length === 0 ? [] : [{ r, left, request: part(request, left) }]
      })
      const answers =
        open.length === 0
          ? []
          : await store.lookupMany(
              open.map(({ request }) => request),
              deadline,
            )
      for (const [o, { r, left, request }] of open.entries()) {
        asked[r]!.keep(request, answers[o]!)
        for (const [n, k] of left.entries()) known[r]![k] = answers[o]![n]!
      }
      return known as Answers[]
    },
  }
}

function part(request: LookupRequest, indexes: readonly number[]): LookupRequest {
  const { keys, members } = request
  return { ...request, keys: indexes.map(k => keys[k]!), ...(members && { members: indexes.map(k => members[k]!) }) }
}

function historyOf(histories: Map<LookupCommand, History>, command: LookupCommand): History {
  let history = histories.get(command)
  if (history === undefined) {
    history = new History()
    histories.set(command, history)
  }
  return history
}

/** What one command has been answered. Most batches are judged once, so it is put in order when somebody asks a second time. */
class History {
  readonly #unsorted: { readonly request: LookupRequest; readonly answers: Answers }[] = []
  readonly #byKey = new Map<string, Answers[number]>()
  isEmpty = true

  keep(request: LookupRequest, answers: Answers): void {
    this.#unsorted.push({ request, answers })
    this.isEmpty = false
  }

  answersTo(request: LookupRequest): (Answers[number] | undefined)[] {
    for (const { request: before, answers } of this.#unsorted.splice(0))
      for (let k = 0; k < answers.length; k++) this.#byKey.set(identityOf(before, k), answers[k]!)
    return request.keys.map((_, k) => this.#byKey.get(identityOf(request, k)))
  }
}

function identityOf({ keys, members }: LookupRequest, k: number): string {
  return members === undefined ? keys[k]! : `${keys[k]!.length} ${keys[k]}${members[k]}`
}
