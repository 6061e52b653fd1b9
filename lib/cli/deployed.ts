// A deployed scenario as commands reach it: its name and its brokers by the environment of the function. What is wrong there is wrong use, told in a
// sentence.
import type { KafkaConfig } from '../connectors/kafka/producer.ts'
import { securityFrom } from '../connectors/kafka/security.ts'
import { parseAddresses } from '../connectors/kafka/socket.ts'
import { deployedPlan } from '../connectors/world-settings.ts'
import type { Plan } from '../plan/plan.ts'
import { RetryableError } from '../runtime/ports.ts'
import { type Terminal, UsageError } from './command.ts'
import { namespaceIn } from './service-settings.ts'

/** Under the name that the function has: namespace and generation. */
export function planAsDeployed(plan: Plan, { environment }: Terminal): Plan {
  return asUse(() => deployedPlan(plan, { ...environment, SLUICE_NAMESPACE: namespaceIn(environment) }))
}

export function kafkaConfigFrom({ environment }: Terminal, clientId: string): KafkaConfig {
  const bootstrapServers = environment['SLUICE_KAFKA']
  if (bootstrapServers === undefined || bootstrapServers === '')
    throw new UsageError(
      'SLUICE_KAFKA is not set: it holds the brokers, host:port, several separated by commas, as the function has it.',
    )
  asUse(() => parseAddresses(bootstrapServers), 'SLUICE_KAFKA: ')
  return { bootstrapServers, clientId, security: asUse(() => securityFrom(environment)) }
}

/** What reads a setting throws where it is wrong, in words. */
export function asUse<Value>(read: () => Value, before = ''): Value {
  try {
    return read()
  } catch (error) {
    if (error instanceof RetryableError || !(error instanceof Error) || error.constructor !== Error) throw error
    throw new UsageError(`${before}${error.message}`)
  }
}
