// What a function reads from its environment, from the `sluice:` block. Addresses may be set otherwise for one function; what the role, the
// mapping and the names in Kafka are made from may not: the function would act on something else than they.

import { storesOf } from '../lib/compiler/planning.ts'
import type { Scenario } from '../lib/scenario/scenario.ts'
import { kafkaEnvironment } from './access.ts'
import { deadLetterTopicOf } from './dead-letters.ts'
import { tellsPartitionsApart } from './mapping.ts'
import type { SluiceSettings } from './settings.ts'
import { hasState } from './state-store.ts'

export type Environment = Readonly<Record<string, unknown>>

export function environmentFrom(settings: SluiceSettings, scenario: Scenario): Environment {
  return {
    SLUICE_KAFKA: settings.bootstrapServers,
    ...kafkaEnvironment(settings),
    ...(needsRedis(scenario, settings) && settings.redis !== undefined && { SLUICE_REDIS: settings.redis }),
    ...(hasState(scenario) && settings.state !== undefined && { SLUICE_STATE: settings.state }),
    ...(hasState(scenario) && settings.sourceRetention !== undefined && { SLUICE_SOURCE_RETENTION: settings.sourceRetention }),
    SLUICE_DEAD_LETTER_TOPIC: deadLetterTopicOf(scenario.name, settings),
    ...(settings.namespace && { SLUICE_NAMESPACE: settings.namespace }),
    ...(tellsPartitionsApart(scenario) && { SLUICE_PARTIAL_RESPONSE: 'on' }),
    ...tellingEnvironment(settings),
  }
}

/** `environment`: what the function will have, with that of all functions. Sentences with the cure. */
export function environmentProblems(environment: Environment, settings: SluiceSettings, scenario: Scenario): readonly string[] {
  const made = environmentFrom(settings, scenario)
  return Object.entries(instead)
    .filter(([variable]) => JSON.stringify(environment[variable]) !== JSON.stringify(made[variable]))
    .map(([variable, cure]) => `"environment" sets ${variable}, from which role and mapping would differ: remove it, and ${cure}`)
}

const instead: Readonly<Record<string, string>> = {
  SLUICE_DEAD_LETTER_TOPIC: 'set "deadLetterTopic" under "sluice"',
  SLUICE_NAMESPACE: 'set "namespace" under "sluice"',
  SLUICE_GENERATION: 'set "generation" in the scenario',
  SLUICE_PARTIAL_RESPONSE: 'set "delivery" and "provisionedPollerConfig" in the scenario',
  SLUICE_KAFKA_SECRET: 'set "kafka" under "sluice"',
}

/** For look-ups, or for the state that has no store of its own. */
function needsRedis(scenario: Scenario, { state }: SluiceSettings): boolean {
  return storesOf(scenario).includes('redis') || (hasState(scenario) && state === undefined)
}

/** What the function tells beside its metrics. */
function tellingEnvironment({ logs = {}, tracing }: SluiceSettings): Environment {
  return {
    ...(logs.level !== undefined && { POWERTOOLS_LOG_LEVEL: logs.level }),
    ...(logs.sample && { SLUICE_LOG_SAMPLE: String(logs.sample) }),
    ...(tracing && { SLUICE_TRACING: 'on' }),
  }
}
