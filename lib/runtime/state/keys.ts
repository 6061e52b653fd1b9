// Under which keys state is stored: sluice:SCENARIO.GENERATION:ENTRY/KEY, those of shared caps sluice:shared/FILE:CAP/KEY (state.md, section 2);
// after sluice: the deployment's namespace, where it has one.
import { identityOf } from '../../plan/identity.ts'
import { keyProblem } from '../../plan/keys.ts'
import type { CapPlan, LookupCommand, LookupPlan, Plan } from '../../plan/plan.ts'
import type { LookupPort, LookupRequest, TopicPartition } from '../ports.ts'

/** A plan's look-ups of state, and the ports that answer them. */
export interface StateKeys {
  readonly plan: Plan
  readonly storeOf: (port: LookupPort) => LookupPort
}

/**
 * Look-ups of state ask for the keys under which values are stored, once per distinct key: the enrich stage tells keys apart by the entry's own,
 * of which most records have one that was met before.
 */
export function stateKeys(plan: Plan): StateKeys {
  if (plan.state === undefined) return { plan, storeOf: port => port }
  const entries = new Map(plan.state.remember.map(({ name, lookup }) => [lookup, rememberKey(plan, name, '')]))
  const prefixes = new Map<LookupCommand, string>()
  const lookups = plan.lookups.map((lookup, index): LookupPlan => {
    const prefix = entries.get(index)
    if (prefix === undefined) return lookup
    // An object of its own, by which its requests are known.
    const command = { ...lookup.command }
    prefixes.set(command, prefix)
    return {
      ...lookup,
      command,
      key: (columns, i) => {
        const key = lookup.key(columns, i)
        if (typeof key !== 'string' || prefix.length + key.length < surelyFits) return key
        return keyProblem(lookup.name, lookup.store, prefix + key) ?? key
      },
      decode: (answer, key) => lookup.decode(answer, prefix + key),
    }
  })
  return { plan: { ...plan, lookups }, storeOf: port => prefixing(port, prefixes) }
}

/** Characters that no store refuses, in whatever writing. */
const surelyFits = 500

function prefixing(port: LookupPort, prefixes: ReadonlyMap<LookupCommand, string>): LookupPort {
  return {
    close: () => port.close(),
    lookupMany: (requests, deadline, tell) => port.lookupMany(requests.map(stored), deadline, tell),
  }

  function stored(request: LookupRequest): LookupRequest {
    const prefix = prefixes.get(request.command)
    return prefix === undefined ? request : { ...request, keys: request.keys.map(key => prefix + key) }
  }
}

/** What is stored under an entry's own key: for those who look from outside, too. */
export const rememberKey = (plan: Plan, entry: string, key: string): string => `${prefixOf(plan)}${entry}/${key}`
export const capKey = (plan: Plan, { name, sharedBy }: Pick<CapPlan, 'name' | 'sharedBy'>, key: string): string =>
  `${sharedBy === undefined ? prefixOf(plan) : sharedPrefixOf(plan, sharedBy)}${name}/${key}`

/** Whose state it is. */
export const scopeOf = (plan: Plan): string => identityOf(plan)
const prefixOf = (plan: Plan): string => `sluice:${scopeOf(plan)}:`
/** Shared by the scenarios of one deployment: a test must not use up the real caps. */
const sharedPrefixOf = ({ namespace }: Plan, file: string): string =>
  `sluice:${namespace === undefined ? '' : `${namespace}.`}shared/${file}:`
/** A partition as stored items name it. */
export const idOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`

/** Keys are customers' data: what is logged names their entry alone. */
export function entryOf(key: string): string {
  return /^sluice:[^:]*:([^/]*)/.exec(key)?.[1] ?? key
}
