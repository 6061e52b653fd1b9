// The world of a deployed function: addresses come from the environment that serverless.yml sets, clients connect when they are first needed.
import { Logger } from '@aws-lambda-powertools/logger'
import type { Plan } from '../plan/plan.ts'
import { runtimeError } from '../runtime/errors.ts'
import type { Log, World } from '../runtime/handler.ts'
import type { LookupPort, MetricsPort } from '../runtime/ports.ts'
import { createKafka, type Deployment } from './kafka/producer.ts'
import { compressionFrom, securityFrom } from './kafka/security.ts'
import { counted, countedState, createMetrics } from './metrics.ts'
import { createSamples, traceHeaders } from './samples.ts'
import type { StateStore } from './state-keys.ts'
import { deadLetterTopicOf, type Environment } from './world-settings.ts'

/** How each store is reached; absent what the scenario does not look up, so that its bundle holds no client for it. */
export interface Connectors {
  readonly redis?: (config: { readonly url: string; readonly scenario: string }) => LookupPort
  readonly dynamodb?: (config: { readonly endpoint?: string; readonly scenario: string }) => LookupPort
  readonly http?: (config: { readonly scenario: string }) => LookupPort
  readonly state?: (config: {
    readonly url: string
    /** Of DynamoDB. */
    readonly endpoint?: string
    readonly scenario: string
    readonly warn: (message: string) => void
  }) => StateStore
}

export function realWorld(plan: Plan, env: Environment, connect: Connectors = {}): World {
  const { scenario } = plan
  const metrics = env['SLUICE_METRICS'] === 'off' ? undefined : metricsOf(plan, env)
  const log = powertoolsLog(plan)
  const every = Number(env['SLUICE_LOG_SAMPLE'] ?? 0)
  const counting = (store: LookupPort) => (metrics === undefined ? store : counted(store, metrics))
  const redis =
    connect.redis &&
    counting(connect.redis({ url: required(plan, env, 'SLUICE_REDIS', "the store's URL, redis://host:port"), scenario }))
  const state = connect.state?.({
    url: stateUrl(plan, env),
    ...endpointOf(env),
    scenario,
    warn: message => log.warn(message, { scenario }),
  })
  return {
    kafka: createKafka({
      bootstrapServers: required(plan, env, 'SLUICE_KAFKA', "the brokers' addresses, host:port, comma-separated"),
      clientId: `sluice.${plan.scenario}`,
      security: securityFrom(env),
      compression: compressionFrom(env),
      delivery: plan.delivery,
      deployment: deploymentOf(plan, env, { log, metrics }),
    }),
    stores: {
      ...(redis && { redis }),
      // One store under two names is asked once: values are read in the pipeline of the look-ups.
      ...(state && { state: redis && stateUrl(plan, env) === env['SLUICE_REDIS'] ? redis : counting(state.lookups) }),
      ...(connect.dynamodb && { dynamodb: counting(connect.dynamodb({ ...endpointOf(env), scenario })) }),
      ...(connect.http && { http: counting(connect.http({ scenario })) }),
    },
    ...(state && { state: metrics === undefined ? state.state : countedState(state.state, metrics) }),
    log,
    deadLetterTopic: deadLetterTopicOf(plan, env),
    partialResponse: env['SLUICE_PARTIAL_RESPONSE'] === 'on',
    ...(metrics !== undefined && { metrics }),
    ...(every > 0 && { observe: createSamples({ scenario, every, log }) }),
    ...(env['SLUICE_TRACING'] === 'on' && { carriedHeaders: traceHeaders }),
  }
}

/** Two functions under one name lose data silently (lib/plan/identity.ts); one that was renamed looks alike, so it is told and not refused. */
function deploymentOf(
  { scenario }: Plan,
  { AWS_LAMBDA_FUNCTION_NAME: ours }: Environment,
  { log, metrics }: { readonly log: Log; readonly metrics: MetricsPort | undefined },
): Deployment | undefined {
  if (ours === undefined) return undefined
  return {
    name: ours,
    foreign({ topic, partition }, theirs) {
      const error = runtimeError('two-deployments', { scenario, partition: `${topic}-${partition}`, theirs, ours })
      metrics?.count('positionGuard', 1)
      log.error(error.message, { id: error.id, scenario, topic, partition, retry: 'never' })
    },
  }
}

// Lambda sets the function's name; elsewhere (tests, a container) the scenario's stands for it.
function metricsOf(plan: Plan, env: Environment): MetricsPort {
  return createMetrics({
    functionName: env['AWS_LAMBDA_FUNCTION_NAME'] ?? plan.scenario,
    scenario: plan.scenario,
    generation: plan.generation,
    write: line => void process.stdout.write(line),
    nowMs: Date.now,
  })
}

/** Where state is: with the look-ups, unless it has a store of its own. */
function stateUrl(plan: Plan, env: Environment): string {
  return env['SLUICE_STATE'] || required(plan, env, 'SLUICE_REDIS', "the store's URL, redis://host:port, of look-ups and state")
}

/** Another DynamoDB than the region's: a local one, or a VPC endpoint. */
function endpointOf(env: Environment): { endpoint?: string } {
  const endpoint = env['SLUICE_DYNAMODB']
  return endpoint === undefined || endpoint === '' ? {} : { endpoint }
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
