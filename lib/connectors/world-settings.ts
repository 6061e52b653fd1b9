// What the environment of a function says; serverless.yml sets it from the `sluice:` block.
import type { Plan } from '../plan/plan.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** The plan with what the environment may say differently: tests decide the same records again under another generation. */
export function deployedPlan(plan: Plan, env: Environment): Plan {
  const generation = env['SLUICE_GENERATION']
  return generation === undefined ? plan : { ...plan, generation: Number(generation) }
}

/** One topic per scenario, or one for all by setting. */
export function deadLetterTopicOf(plan: Plan, env: Environment): string {
  return env['SLUICE_DEAD_LETTER_TOPIC'] ?? `sluice.${plan.scenario}.dead-letters`
}
