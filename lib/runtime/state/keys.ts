// Under which keys state is stored: sluice:SCENARIO.GENERATION:ENTRY/KEY, those of shared caps sluice:shared/FILE:CAP/KEY (state.md, section 2).
import type { CapPlan, Plan } from '../../plan/plan.ts'
import type { TopicPartition } from '../ports.ts'

/** The plan whose look-ups of state ask for the keys under which values are stored. */
export function withStateKeys(plan: Plan): Plan {
  if (plan.state === undefined) return plan
  const entries = new Map(plan.state.remember.map(({ name, lookup }) => [lookup, name]))
  return {
    ...plan,
    lookups: plan.lookups.map((lookup, index) => {
      const entry = entries.get(index)
      if (entry === undefined) return lookup
      const prefix = rememberKey(plan, entry, '')
      return {
        ...lookup,
        key: (columns, i) => {
          const key = lookup.key(columns, i)
          return typeof key === 'string' ? prefix + key : key
        },
      }
    }),
  }
}

/** What is stored under an entry's own key: for those who look from outside, too. */
export const rememberKey = (plan: Plan, entry: string, key: string): string => `${prefixOf(plan)}${entry}/${key}`
export const capKey = (plan: Plan, { name, sharedBy }: Pick<CapPlan, 'name' | 'sharedBy'>, key: string): string =>
  `${sharedBy === undefined ? prefixOf(plan) : `sluice:shared/${sharedBy}:`}${name}/${key}`

/** Whose state it is. */
export const scopeOf = ({ scenario, generation }: Plan): string => `${scenario}.${generation}`
const prefixOf = (plan: Plan): string => `sluice:${scopeOf(plan)}:`
/** A partition as stored items name it. */
export const idOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`

/** Keys are customers' data: what is logged names their entry alone. */
export function entryOf(key: string): string {
  return /^sluice:[^:]*:([^/]*)/.exec(key)?.[1] ?? key
}
