// The world of a deployed function: addresses come from the environment that serverless.yml sets, clients connect when they are first needed.
import { Logger } from '@aws-lambda-powertools/logger'
import type { Plan } from '../plan/plan.ts'
import { runtimeError } from '../runtime/errors.ts'
import type { Log, World } from '../runtime/handler.ts'
import type { LookupPort } from '../runtime/ports.ts'
import { createKafka } from './kafka/producer.ts'
import { deadLetterTopicOf, type Environment } from './world-settings.ts'

/** `connectStore` is absent where the scenario looks nothing up, so that its bundle holds no Redis client. */
export function realWorld(
  plan: Plan,
  env: Environment,
  connectStore?: (config: { url: string; scenario: string }) => LookupPort,
): World {
  return {
    kafka: createKafka({
      bootstrapServers: required(plan, env, 'SLUICE_KAFKA', "the brokers' addresses, host:port, comma-separated"),
      clientId: `sluice.${plan.scenario}`,
    }),
    redis: connectStore
      ? connectStore({ url: required(plan, env, 'SLUICE_REDIS', "the store's URL, redis://host:port"), scenario: plan.scenario })
      : noStore,
    log: powertoolsLog(plan),
    deadLetterTopic: deadLetterTopicOf(plan, env),
  }
}

export const noStore: LookupPort = {
  lookupMany: async () => [],
  close: async () => undefined,
}

function powertoolsLog(plan: Plan): Log {
  const logger = new Logger({ serviceName: `sluice.${plan.scenario}` })
  return {
    info: (message, fields) => logger.info(message, { ...fields }),
    warn: (message, fields) => logger.warn(message, { ...fields }),
    error: (message, fields) => logger.error(message, { ...fields }),
  }
}

function required(plan: Plan, env: Environment, variable: string, meaning: string): string {
  const value = env[variable]
  if (value === undefined || value === '') throw runtimeError('not-configured', { scenario: plan.scenario, variable, meaning })
  return value
}
