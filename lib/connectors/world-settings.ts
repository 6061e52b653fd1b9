// What the environment of a function says; serverless.yml sets it from the `sluice:` block.
import { namespacePattern, deadLetterTopicOf as ownDeadLetterTopicOf } from '../plan/identity.ts'
import type { Plan } from '../plan/plan.ts'
import { retentionMs } from './retention.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/**
 * The plan with what the deployment says: its namespace, so that stages on one cluster do not skip each other's records, and for tests that decide
 * the same records again another generation. Throws where nobody could have meant it: an empty position would be read, and all decided.
 */
export function deployedPlan(plan: Plan, env: Environment): Plan {
  const namespace = env['SLUICE_NAMESPACE'] || undefined
  const generation = env['SLUICE_GENERATION']
  if (namespace !== undefined && !namespacePattern.test(namespace))
    throw new Error(
      `SLUICE_NAMESPACE is "${namespace}", and takes letters, digits, "-" and "_", a letter or digit first, 50 at most`,
    )
  if (generation !== undefined && !/^[1-9]\d{0,8}$/.test(generation))
    throw new Error(`SLUICE_GENERATION is "${generation}", and takes a number, 1 or higher`)
  const retention = env['SLUICE_SOURCE_RETENTION'] || undefined
  return {
    ...plan,
    ...(retention !== undefined && { sourceRetentionMs: retentionMs(retention) }),
    ...(namespace !== undefined && { namespace }),
    ...(generation !== undefined && { generation: Number(generation) }),
  }
}

/** One topic per scenario and namespace, or one for all by setting. */
export function deadLetterTopicOf(plan: Plan, env: Environment): string {
  return env['SLUICE_DEAD_LETTER_TOPIC'] ?? ownDeadLetterTopicOf(plan)
}
