// The role of one function, which its mapping uses as well: the rights of its scenario (permissions.ts), those that its other settings in
// serverless.yml make necessary, and what serverless.yml says of all roles.

import type { Scenario } from '../lib/scenario/scenario.ts'
import { type PermissionOptions, statementsOf } from './permissions.ts'
import type { FunctionObject, ProviderSettings } from './serverless.ts'

/** `provider.iam.role` as a map; its statements are rights that all functions have. */
interface ForAllRoles {
  readonly path?: string
  readonly managedPolicies?: readonly unknown[]
  readonly permissionsBoundary?: unknown
  readonly permissionBoundary?: unknown
  readonly tags?: Readonly<Record<string, string>>
  readonly statements?: readonly unknown[]
}

/** Rights that follow from how the function is set up, not from its scenario. */
export function rightsOfSettings(
  lambda: FunctionObject,
  provider: ProviderSettings,
  ownLogGroup: string,
): Pick<PermissionOptions, 'logGroupName' | 'tracing' | 'environmentKey'> {
  const logs = lambda.logs ?? provider.logs?.lambda
  const environmentKey = lambda.kmsKeyArn ?? provider.kmsKeyArn
  return {
    logGroupName: logs?.logGroup ?? ownLogGroup,
    tracing: Boolean(lambda.tracing || provider.tracing?.lambda),
    ...(environmentKey !== undefined && { environmentKey }),
  }
}

/** A role that is there already: nothing can be added to it. */
export function existingRole({ iam, role }: ProviderSettings): unknown {
  const named = iam?.role
  const isNamed =
    typeof named === 'string' ||
    (typeof named === 'object' && named !== null && Object.keys(named).some(key => key.includes('::')))
  return isNamed ? named : role
}

export function roleResource(scenario: Scenario, options: PermissionOptions, provider: ProviderSettings): object {
  const forAll = forAllRoles(provider)
  const boundary = forAll.permissionsBoundary ?? forAll.permissionBoundary ?? provider.rolePermissionsBoundary
  const managedPolicies = forAll.managedPolicies ?? provider.iamManagedPolicies ?? []
  return {
    Type: 'AWS::IAM::Role',
    Properties: {
      ...(forAll.path !== undefined && { Path: forAll.path }),
      AssumeRolePolicyDocument: {
        Version: '2012-10-17',
        Statement: [{ Effect: 'Allow', Principal: { Service: ['lambda.amazonaws.com'] }, Action: ['sts:AssumeRole'] }],
      },
      ...(boundary !== undefined && { PermissionsBoundary: boundary }),
      ...(managedPolicies.length > 0 && { ManagedPolicyArns: managedPolicies }),
      ...(forAll.tags !== undefined && { Tags: tagList(forAll.tags) }),
      Policies: [
        {
          PolicyName: 'sluice',
          PolicyDocument: { Version: '2012-10-17', Statement: statements(scenario, options, provider) },
        },
      ],
    },
  }
}

/** Sentences with the cure. */
export function roleProblems(scenario: Scenario, options: PermissionOptions, provider: ProviderSettings): readonly string[] {
  const { length } = JSON.stringify(statements(scenario, options, provider))
  if (length <= longestPolicy) return []
  return [`its role's policy has ${length} characters, and IAM takes ${longestPolicy}: name fewer topics under "among"`]
}

/** All inline policies of a role together. */
const longestPolicy = 10_240

export function tagList(tags: Readonly<Record<string, string>>): readonly object[] {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }))
}

function statements(scenario: Scenario, options: PermissionOptions, provider: ProviderSettings): readonly unknown[] {
  return [...statementsOf(scenario, options), ...(forAllRoles(provider).statements ?? provider.iamRoleStatements ?? [])]
}

function forAllRoles({ iam }: ProviderSettings): ForAllRoles {
  const role = iam?.role
  return typeof role === 'object' && role !== null ? (role as ForAllRoles) : {}
}
