// Where the functions keep state, by the `sluice:` block: in the Redis of the look-ups, in another one, or in a table of DynamoDB. What cannot keep
// it is told before a deploy.
import { type StateScheme, stateSchemeOf, stateStores, stateTableOf } from '../lib/compiler/key-value.ts'
import type { Scenario } from '../lib/scenario/scenario.ts'
import type { SluiceSettings } from './settings.ts'

type Environment = Readonly<Record<string, unknown>>

export function hasState({ state }: Scenario): boolean {
  return state.length > 0
}

/** The store for which a function is built. Where CloudFormation alone knows the URL (an intrinsic), it is Redis by TCP. */
export function stateScheme(environment: Environment): StateScheme | undefined {
  const url = stateUrl(environment)
  return typeof url === 'string' ? stateSchemeOf(url) : 'redis'
}

/** The table of one function, if its state is in one. */
export function stateTableOfFunction(scenario: Scenario, environment: Environment): string | undefined {
  return hasState(scenario) ? stateTableOf(stateUrl(environment)) : undefined
}

/** Sentences with the cure, for one scenario. */
export function stateProblems(scenario: Scenario, environment: Environment, settings: SluiceSettings): readonly string[] {
  if (!hasState(scenario)) return []
  const url = stateUrl(environment)
  if (url === undefined) return [`it has state, and serverless.yml names no store: set "redis" or "state" under "sluice"`]
  const isOwn = environment['SLUICE_STATE'] !== undefined
  const scheme = typeof url === 'string' ? /^[^:]*/.exec(url)![0] : isOwn ? undefined : settings.redisScheme
  if (scheme === undefined || Object.hasOwn(stateStores, scheme)) return []
  return [
    `it has state, and the store of look-ups, ${scheme}, does not keep it: set "state" under "sluice" to redis://…, rediss://… or dynamodb://TABLE`,
  ]
}

/** Sentences with the cure, once for the service. */
export function stateSettingsProblems({ state, createStateTable, redisCluster }: SluiceSettings): readonly string[] {
  const table = stateTableOf(state)
  return [
    ...(createStateTable && table === undefined
      ? ['"createStateTable" under "sluice" needs the name of the table: set "state" to dynamodb://TABLE']
      : []),
    ...(redisCluster && table !== undefined
      ? ['"redisCluster" under "sluice" is about state, which is in DynamoDB: remove one of "redisCluster" and "state"']
      : []),
  ]
}

export const stateTableId = 'SluiceStateTable'

/**
 * State outlives the stack: without it a scenario could not go on where it was. A table of a deploy that failed at once is empty and goes with it,
 * or the next deploy would find its name taken.
 */
export function stateTableResource(table: string): object {
  return {
    Type: 'AWS::DynamoDB::Table',
    DeletionPolicy: 'RetainExceptOnCreate',
    UpdateReplacePolicy: 'Retain',
    Properties: {
      TableName: table,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      // Of caps whose time has passed.
      TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: true },
      SSESpecification: { SSEEnabled: true },
    },
  }
}

function stateUrl(environment: Environment): unknown {
  return environment['SLUICE_STATE'] ?? environment['SLUICE_REDIS']
}
