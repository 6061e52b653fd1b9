// Look-ups' answers while one batch is decided more than once.
import type { LookupPort } from '../ports.ts'

/** Answers once per key: where a batch is judged again, only what is new is asked. */
export function answeringOnce(store: LookupPort): LookupPort {
  const known = new Map<string, Awaited<ReturnType<LookupPort['lookupMany']>>[number][number]>()
  return {
    close: () => store.close(),
    async lookupMany(requests, deadline) {
      const ids = requests.map(({ command, keys, members }) => {
        const asked = JSON.stringify(command)
        return keys.map((key, k) => JSON.stringify([asked, key, members?.[k]]))
      })
      const open = requests.flatMap((request, r) => {
        const left = request.keys.flatMap((_, k) => (known.has(ids[r]![k]!) ? [] : [k]))
        return left.length === 0 ? [] : [{ request, r, left }]
      })
      if (open.length > 0) {
        const asked = open.map(({ request, left }) => ({
          ...request,
          keys: left.map(k => request.keys[k]!),
          ...(request.members && { members: left.map(k => request.members![k]!) }),
        }))
        const answers = await store.lookupMany(asked, deadline)
        for (const [o, { r, left }] of open.entries())
          for (const [n, k] of left.entries()) known.set(ids[r]![k]!, answers[o]![n]!)
      }
      return ids.map(keys => keys.map(id => known.get(id)!))
    },
  }
}
