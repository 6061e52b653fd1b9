// The part of Serverless that is used here; it has no types of its own.
import type { SluiceSettings } from './settings.ts'

export interface Serverless {
  readonly serviceDir: string
  readonly configurationInput: {
    readonly sluice?: SluiceSettings
    readonly functions?: Readonly<Record<string, unknown>>
    readonly provider?: Readonly<Record<string, unknown>>
  }
  readonly classes: { readonly Error: new (message: string, code: string) => Error }
  readonly configSchemaHandler: { defineTopLevelProperty(name: string, schema: object): void }
  readonly processedInput: { readonly commands: readonly string[] }
  readonly service: {
    readonly provider: ProviderSettings & {
      readonly compiledCloudFormationTemplate: { readonly Resources: Record<string, object> }
      readonly deploymentBucket?: string
      readonly shouldNotDeploy?: boolean
      readonly remoteFunctionData?: { readonly Configuration: { readonly Role: string } }
    }
    readonly service: string
    getFunction(name: string): FunctionObject
  }
  extendConfiguration(path: readonly string[], value: unknown): void
  getProvider(name: 'aws'): Provider
}

/** What serverless.yml says of all functions. */
export interface ProviderSettings {
  readonly architecture?: string
  readonly environment?: Readonly<Record<string, unknown>>
  /** An existing role, or what all roles have. */
  readonly iam?: { readonly role?: unknown }
  readonly iamManagedPolicies?: readonly unknown[]
  readonly iamRoleStatements?: readonly unknown[]
  readonly kmsKeyArn?: unknown
  readonly logs?: { readonly lambda?: { readonly logGroup?: string } }
  readonly memorySize?: unknown
  readonly role?: unknown
  readonly rolePermissionsBoundary?: unknown
  readonly tags?: Readonly<Record<string, string>>
  readonly tracing?: { readonly lambda?: unknown }
  readonly vpc?: unknown
}

export interface Provider {
  readonly naming: Naming
  getDeploymentPrefix(): string
  getStage(): string
  getServerlessDeploymentBucketName(): Promise<string>
  getAwsSdkV3Config(): Promise<object>
}

export interface Naming {
  getNormalizedFunctionName(name: string): string
  getLambdaLogicalId(name: string): string
  getLogGroupName(functionName: string): string
  getDeploymentBucketLogicalId(): string
}

export interface FunctionObject {
  name: string
  handler: string
  architecture?: string
  environment?: Record<string, unknown>
  kmsKeyArn?: unknown
  logs?: { readonly logGroup?: string }
  memorySize?: unknown
  role?: unknown
  tags?: Readonly<Record<string, string>>
  timeout?: unknown
  tracing?: unknown
  vpc?: unknown
}

export interface Utilities {
  readonly log: { warning(text: string): void; notice(text: string): void }
}
