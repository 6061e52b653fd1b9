// Under which name a deployed scenario stands in Kafka and in its store of state. Who has the name skips what was committed under it, and fences
// whoever had it before: two deployments on one cluster (stages, services) must differ in it, or each skips the other's records as its own
// (event-source-mapping.md 4.5). That is what the namespace is for.

export interface Named {
  /** Absent: a deployment that has its cluster to itself, or was there before namespaces were. */
  readonly namespace?: string
  readonly scenario: string
  readonly generation: number
}

/** `[NAMESPACE.]SCENARIO.GENERATION`. A scenario's name has no dot, so that none is read in two ways. */
export function identityOf(named: Named): string {
  return `${familyOf(named)}.${named.generation}`
}

/** Our group and the prefix of our transactional ids (commands.md, Names on the wire); never the mapping's group. */
export function groupOf(named: Named): string {
  return `sluice.${identityOf(named)}`
}

/** Of all generations, unless a setting names another topic. */
export function deadLetterTopicOf(named: Omit<Named, 'generation'>): string {
  return `sluice.${familyOf(named)}.dead-letters`
}

/** Whether an identity is of the same scenario and deployment, of whatever generation. */
export function isOfFamily(identity: string, named: Omit<Named, 'generation'>): boolean {
  const family = familyOf(named)
  return identity.startsWith(`${family}.`) && /^\d+$/.test(identity.slice(family.length + 1))
}

function familyOf({ namespace, scenario }: Omit<Named, 'generation'>): string {
  return namespace === undefined ? scenario : `${namespace}.${scenario}`
}

/** No dot, which separates; nothing that a topic's name or a consumer group's may not have. */
export const namespacePattern = /^[A-Za-z0-9][A-Za-z0-9_-]{0,49}$/
