// The Serverless plugin: a file in functions/ is a function with its role, log group and event source mapping; no other file is touched.
// Measured with osls 4.3.1: functions come in by extendConfiguration in the constructor alone, `package` needs `individually` for a deploy to
// pass, and its own `msk` event lacks most controls, so that mapping and role are written here.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { inspect } from 'node:util'
import type { Bundle } from '../lib/compiler/bundle.ts'
import { type KeyValueScheme, keyValueSchemeOf, type StateScheme, stateTableOf } from '../lib/compiler/key-value.ts'
import { storesOf } from '../lib/compiler/planning.ts'
import type { EsmSettings } from '../lib/emulator/settings.ts'
import { deadLetterTopicOf as ownDeadLetterTopicOf } from '../lib/plan/identity.ts'
import type { Scenario } from '../lib/scenario/scenario.ts'
import {
  accessProblems,
  accessWarnings,
  clusterKind,
  kafkaEnvironment,
  mappingAccess,
  mappingSource,
  networkWarnings,
} from './access.ts'
import { bundleReport } from './bundle-report.ts'
import { derivedPatterns } from './filter-patterns.ts'
import { localInvocation, storesForInvocation } from './local-invocation.ts'
import {
  esmSettingsOf,
  functionDefaults,
  mappingProblems,
  mappingResource,
  mappingWarnings,
  pollerGroupProblems,
  progressGroupProblems,
  sharedGroups,
  tellsPartitionsApart,
} from './mapping.ts'
import { nestedStack, observabilityTemplate, templateKey } from './observability.ts'
import { outputTopics, statementsOf } from './permissions.ts'
import { discoverScenarios, type ScenarioFile } from './scenario-files.ts'
import { type SluiceSettings, settingsSchema } from './settings.ts'
import {
  hasState,
  stateProblems,
  stateScheme,
  stateSettingsProblems,
  stateTableId,
  stateTableOfFunction,
  stateTableResource,
} from './state-store.ts'
import { zip } from './zip.ts'

/** The part of Serverless that is used here; it has no types of its own. */
interface Serverless {
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
    readonly provider: {
      readonly compiledCloudFormationTemplate: { readonly Resources: Record<string, object> }
      readonly deploymentBucket?: string
      readonly shouldNotDeploy?: boolean
      readonly remoteFunctionData?: { readonly Configuration: { readonly Role: string } }
      readonly vpc?: unknown
      readonly iam?: { readonly role?: { readonly permissionsBoundary?: unknown; readonly statements?: readonly unknown[] } }
    }
    readonly service: string
    getFunction(name: string): FunctionObject
  }
  extendConfiguration(path: readonly string[], value: unknown): void
  getProvider(name: 'aws'): Provider
}

interface Provider {
  readonly naming: Naming
  getDeploymentPrefix(): string
  getStage(): string
  getServerlessDeploymentBucketName(): Promise<string>
  getAwsSdkV3Config(): Promise<object>
}

interface Naming {
  getNormalizedFunctionName(name: string): string
  getLambdaLogicalId(name: string): string
  getLogGroupName(functionName: string): string
  getDeploymentBucketLogicalId(): string
}

interface FunctionObject {
  name: string
  handler: string
  timeout?: unknown
  role?: unknown
  environment?: Record<string, unknown>
  vpc?: unknown
  tracing?: unknown
}

interface Utilities {
  readonly log: { warning(text: string): void; notice(text: string): void }
}

/** Commands about what is deployed already. */
const afterDeploy: ReadonlySet<string> = new Set(['info', 'logs', 'metrics', 'remove', 'rollback'])

export default class SluicePlugin {
  readonly hooks: Readonly<Record<string, () => void | Promise<void>>>
  readonly #serverless: Serverless
  readonly #options: { readonly function?: string }
  readonly #utilities: Utilities
  readonly #scenarios: readonly ScenarioFile[]
  /** Scenarios whose functions stand in a VPC. */
  readonly #inVpc = new Set<string>()

  constructor(serverless: Serverless, options: { readonly function?: string }, utilities: Utilities) {
    this.#serverless = serverless
    this.#options = options
    this.#utilities = utilities
    serverless.configSchemaHandler.defineTopLevelProperty('sluice', settingsSchema)
    this.#scenarios = this.#discover()
    for (const scenarioFile of this.#scenarios) this.#addFunction(scenarioFile)
    this.hooks = {
      initialize: () => this.#connect(),
      'before:package:createDeploymentArtifacts': () => this.#buildAll(),
      'before:package:function:package': () => this.#buildOne(this.#options.function),
      'package:compileEvents': () => this.#addResources(),
      'after:aws:deploy:deploy:uploadArtifacts': () => this.#uploadObservability(),
      'before:deploy:function:deploy': () => this.#keepRole(),
      'before:invoke:local:invoke': () => this.#prepareInvocation(),
      'after:invoke:local:invoke': () => leaveSoon(),
    }
  }

  #discover(): readonly ScenarioFile[] {
    const { scenarios, errors, warnings } = discoverScenarios(this.#serverless.serviceDir, { colors: isTerminal })
    for (const warning of warnings) this.#utilities.log.warning(warning)
    if (errors.length === 0) return scenarios
    const told = `Scenarios have errors:\n\n${errors.join('\n')}`
    // Who looks at what is deployed, or takes it down, is not kept from it by a file that is being edited.
    if (!afterDeploy.has(this.#serverless.processedInput.commands[0] ?? '')) throw this.#error(told, 'SLUICE_SCENARIO')
    this.#utilities.log.warning(told)
    return scenarios
  }

  #addFunction({ scenario }: ScenarioFile): void {
    const { name } = scenario
    if (this.#serverless.configurationInput.functions?.[name] !== undefined) {
      throw this.#error(
        `serverless.yml has a function "${name}", and functions/${name}.yml is one as well: rename one.`,
        'SLUICE_DUPLICATE_FUNCTION',
      )
    }
    this.#serverless.extendConfiguration(['functions', name], {
      ...this.#defaults(),
      runtime: 'nodejs24.x',
      description: scenario.description.slice(0, 256),
      role: roleIdOf(this.#naming, name),
      ...scenario.functionSettings,
      handler: 'index.handler',
      package: { individually: true, artifact: artifactOf(name) },
    })
  }

  /** What serverless.yml sets for all functions goes before ours. */
  #defaults(): object {
    const { provider } = this.#serverless.configurationInput
    return Object.fromEntries(Object.entries(functionDefaults).filter(([setting]) => provider?.[setting] === undefined))
  }

  /** Addresses come from the `sluice:` block, whose variables are resolved by now. A local invocation takes its own. */
  #connect(): void {
    if (this.#isLocalInvocation) return
    const settings = this.#serverless.configurationInput.sluice
    if (settings === undefined) return
    if (settings.redisCluster === true) this.#checkForCluster()
    for (const { scenario } of this.#scenarios) {
      const lambda = this.#serverless.service.getFunction(scenario.name)
      lambda.environment = {
        SLUICE_KAFKA: settings.bootstrapServers,
        ...kafkaEnvironment(settings),
        ...(needsRedis(scenario, settings) && settings.redis !== undefined && { SLUICE_REDIS: settings.redis }),
        ...(hasState(scenario) && settings.state !== undefined && { SLUICE_STATE: settings.state }),
        ...(hasState(scenario) &&
          settings.sourceRetention !== undefined && { SLUICE_SOURCE_RETENTION: settings.sourceRetention }),
        SLUICE_DEAD_LETTER_TOPIC: deadLetterTopicOf(scenario.name, settings),
        ...(settings.namespace && { SLUICE_NAMESPACE: settings.namespace }),
        ...(tellsPartitionsApart(scenario) && { SLUICE_PARTIAL_RESPONSE: 'on' }),
        ...tellingEnvironment(settings),
        ...lambda.environment,
      }
      if (settings.tracing) lambda.tracing ??= 'Active'
      if (settings.vpc !== undefined) lambda.vpc ??= structuredClone(settings.vpc)
    }
  }

  /** Once more, since a variable that says so is known only now. */
  #checkForCluster(): void {
    if (afterDeploy.has(this.#serverless.processedInput.commands[0] ?? '')) return
    const { errors } = discoverScenarios(this.#serverless.serviceDir, { colors: isTerminal, redisCluster: true })
    if (errors.length > 0) throw this.#error(`Scenarios have errors:\n\n${errors.join('\n')}`, 'SLUICE_SCENARIO')
  }

  async #buildAll(): Promise<void> {
    this.#refuseStores()
    this.#findNetworks()
    const built = await Promise.all(
      this.#scenarios.map(async scenarioFile => ({ scenarioFile, bundle: await this.#build(scenarioFile) })),
    )
    // One after the other: they are measured.
    for (const { scenarioFile, bundle } of built) {
      const report = await bundleReport(this.#serverless.serviceDir, bundle, this.#knownEnvironment(scenarioFile.scenario.name))
      const cost = await this.#costOf(scenarioFile.scenario.name, bundle)
      this.#utilities.log.notice(`${scenarioFile.scenario.name}: ${[report, ...cost].join('; ')}`)
    }
  }

  /** Before Serverless compiles the functions: it sets an empty `vpc` then, where there was none. */
  #findNetworks(): void {
    for (const { scenario } of this.#scenarios) {
      const { vpc = this.#serverless.service.provider.vpc } = this.#serverless.service.getFunction(scenario.name)
      if (vpc) this.#inVpc.add(scenario.name)
    }
  }

  /** All at once, and before anything is built, which takes its time. */
  #refuseStores(): void {
    const settings = this.#serverless.configurationInput.sluice
    if (settings === undefined) return
    const shared = [...accessProblems(settings), ...stateSettingsProblems(settings)]
    const own = this.#scenarios.flatMap(({ file, scenario }) => {
      const problems = stateProblems(scenario, this.#environmentOf(scenario), settings)
      return problems.map(problem => `${file}: ${problem}`)
    })
    const problems = [...shared, ...own]
    if (problems.length > 0) throw this.#error(`${problems.join('.\n')}.`, 'SLUICE_REFUSED')
  }

  /** Measured once for the same bundle. A figure is no reason to stop a deploy: what cannot be measured here is not told. */
  async #costOf(name: string, { code }: Bundle): Promise<readonly string[]> {
    const hash = createHash('sha256').update(code).digest('hex').slice(0, 16)
    const known = join(this.#serverless.serviceDir, '.sluice', 'load', `${hash}.cost.txt`)
    if (existsSync(known)) return [readFileSync(known, 'utf8')]
    const { costInShort } = await import('../lib/cli/cost.ts')
    const told = await costInShort(name).catch(() => undefined)
    if (told === undefined) return []
    writeFileSync(known, told)
    return [told]
  }

  /** Intrinsics have no value before the deploy; something of the same form stands for an address, to which nothing connects while it is loaded. */
  #knownEnvironment(name: string): Readonly<Record<string, string>> {
    const { environment = {} } = this.#serverless.service.getFunction(name)
    const { redisScheme = 'redis' } = this.#serverless.configurationInput.sluice ?? {}
    const addresses: Readonly<Record<string, string>> = {
      SLUICE_KAFKA: 'unknown:9092',
      SLUICE_REDIS: `${redisScheme}://:unknown@unknown:6379`,
      SLUICE_STATE: 'redis://unknown:6379',
    }
    // What Lambda sets by itself.
    const ofLambda = { AWS_REGION: 'eu-central-1', AWS_ACCESS_KEY_ID: 'unknown', AWS_SECRET_ACCESS_KEY: 'unknown' }
    return Object.fromEntries(
      Object.entries({ ...ofLambda, ...environment }).flatMap(([variable, value]): [string, string][] => {
        const known = typeof value === 'string' ? value : addresses[variable]
        return known === undefined ? [] : [[variable, known]]
      }),
    )
  }

  async #buildOne(name: string | undefined): Promise<void> {
    const scenarioFile = this.#scenarios.find(({ scenario }) => scenario.name === name)
    if (scenarioFile !== undefined) await this.#build(scenarioFile)
  }

  async #build(scenarioFile: ScenarioFile): Promise<Bundle> {
    const bundle = await this.#bundle(scenarioFile, 'real')
    const artifact = join(this.#serverless.serviceDir, artifactOf(scenarioFile.scenario.name))
    mkdirSync(join(artifact, '..'), { recursive: true })
    writeFileSync(artifact, archive(bundle.code))
    return bundle
  }

  async #bundle({ file, scenario }: ScenarioFile, stores: 'real' | 'embedded'): Promise<Bundle> {
    // esbuild and the compiler cost 50 ms, which `print` and `info` need not pay.
    const { bundleScenario } = await import('../lib/compiler/bundle.ts')
    try {
      return await bundleScenario(join(this.#serverless.serviceDir, file), {
        stores,
        ...this.#keyValueScheme(scenario),
        ...this.#stateScheme(scenario),
        tellsRows: this.#serverless.configurationInput.sluice?.logs?.rows === true,
      })
    } catch (error) {
      throw this.#error(
        `Cannot build "${scenario.name}": ${error instanceof Error ? error.message : inspect(error)}`,
        'SLUICE_BUILD',
      )
    }
  }

  /** Of the URL that the function will have. Where CloudFormation alone knows it (an intrinsic), it is Redis by TCP. */
  #keyValueScheme({ name }: Scenario): { readonly keyValueScheme?: KeyValueScheme } {
    const url = this.#isLocalInvocation
      ? process.env['SLUICE_REDIS']
      : this.#serverless.service.getFunction(name).environment?.['SLUICE_REDIS']
    const keyValueScheme =
      typeof url === 'string' ? keyValueSchemeOf(url) : this.#serverless.configurationInput.sluice?.redisScheme
    return keyValueScheme === undefined ? {} : { keyValueScheme }
  }

  #stateScheme(scenario: Scenario): { readonly stateScheme?: StateScheme } {
    if (!hasState(scenario)) return {}
    const scheme = stateScheme(this.#isLocalInvocation ? process.env : this.#environmentOf(scenario))
    return scheme === undefined ? {} : { stateScheme: scheme }
  }

  #environmentOf({ name }: Scenario): Readonly<Record<string, unknown>> {
    return this.#serverless.service.getFunction(name).environment ?? {}
  }

  #addResources(): void {
    const { Resources } = this.#serverless.service.provider.compiledCloudFormationTemplate
    const settings = this.#serverless.configurationInput.sluice
    if (settings === undefined && this.#scenarios.length > 0) {
      throw this.#error(
        'serverless.yml has no "sluice:" block: the functions need "cluster" and "bootstrapServers" there.',
        'SLUICE_SETTINGS',
      )
    }
    const namespace = namespaceOf(settings)
    const mappings = new Map(
      this.#scenarios.map(({ file, scenario }) => [file, { scenario, settings: esmSettingsOf(scenario, namespace) }]),
    )
    const groups = new Map([...mappings].map(([file, mapping]) => [file, mapping.settings]))
    const shared = [
      ...sharedGroups(groups),
      ...pollerGroupProblems([...groups.values()]),
      ...progressGroupProblems(mappings, namespace),
    ]
    if (shared.length > 0) throw this.#error(`${shared.join('.\n')}.`, 'SLUICE_REFUSED')
    this.#warnOfStages(settings)
    for (const warning of settings === undefined ? [] : accessWarnings(settings)) this.#utilities.log.warning(`${warning}.`)
    for (const scenarioFile of this.#scenarios) Object.assign(Resources, this.#resourcesOf(scenarioFile, settings!))
    if (settings !== undefined) Object.assign(Resources, this.#stateTable(settings), this.#observability(settings))
    const problems = templateProblems({ Resources })
    if (problems.length > 0) throw this.#error(problems.join('\n'), 'SLUICE_TEMPLATE')
  }

  /** The default stage was there first; who adds another reads this in time. */
  #warnOfStages(settings: SluiceSettings | undefined): void {
    const stage = this.#serverless.getProvider('aws').getStage()
    if (settings === undefined || settings.namespace !== undefined || stage === 'dev') return
    this.#utilities.log.warning(
      `"sluice" has no "namespace". Where another stage or service runs these scenarios on the same cluster, each skips the other's records as its own: set "namespace: \${sls:stage}" (a running deployment starts anew under it, as with a new generation), or "namespace: false" if the cluster is this stage's alone.`,
    )
  }

  #stateTable({ state, createStateTable }: SluiceSettings): Readonly<Record<string, object>> {
    const table = createStateTable && this.#scenarios.some(({ scenario }) => hasState(scenario)) && stateTableOf(state)
    return table ? { [stateTableId]: stateTableResource(table) } : {}
  }

  #observability(settings: SluiceSettings): Readonly<Record<string, object>> {
    const { alarms = {}, dashboards = true } = settings
    const naming = this.#naming
    const watched = this.#scenarios.map(({ scenario }) => ({
      scenario,
      functionName: this.#serverless.service.getFunction(scenario.name).name,
      logicalName: naming.getNormalizedFunctionName(scenario.name),
      deadLetterTopic: deadLetterTopicOf(scenario.name, settings),
    }))
    const template = observabilityTemplate(watched, { alarms, dashboards })
    if (template === undefined) return {}
    const problems = templateProblems(template)
    if (problems.length > 0) throw this.#error(problems.join('\n'), 'SLUICE_TEMPLATE')
    const text = JSON.stringify(template)
    writeFileSync(join(this.#serverless.serviceDir, observabilityFile), text)
    const bucket = this.#serverless.service.provider.deploymentBucket ?? { Ref: naming.getDeploymentBucketLogicalId() }
    const alarmTopic = alarms === false ? undefined : alarms.topic
    return { SluiceObservability: nestedStack(bucket, templateKey(this.#deploymentFolder, text), alarmTopic) }
  }

  /** The nested stack's template goes where the parent's goes, and is removed with it. */
  async #uploadObservability(): Promise<void> {
    const file = join(this.#serverless.serviceDir, observabilityFile)
    if (this.#serverless.service.provider.shouldNotDeploy || !existsSync(file)) return
    const text = readFileSync(file, 'utf8')
    const provider = this.#serverless.getProvider('aws')
    // Serverless' own client, found from where Serverless finds it.
    const require = createRequire(import.meta.url)
    const { S3Client, PutObjectCommand } = createRequire(require.resolve('osls/package.json'))('@aws-sdk/client-s3')
    const s3 = new S3Client(await provider.getAwsSdkV3Config())
    await s3.send(
      new PutObjectCommand({
        Bucket: await provider.getServerlessDeploymentBucketName(),
        Key: templateKey(this.#deploymentFolder, text),
        Body: text,
        ContentType: 'application/json',
      }),
    )
  }

  /** `deploy function` changes code and settings; the role is the stack's, and Serverless cannot find it by our logical id. */
  #keepRole(): void {
    const { remoteFunctionData } = this.#serverless.service.provider
    const name = this.#options.function
    if (remoteFunctionData === undefined || !this.#scenarios.some(({ scenario }) => scenario.name === name)) return
    this.#serverless.service.getFunction(name!).role = remoteFunctionData.Configuration.Role
  }

  get #deploymentFolder(): string {
    const provider = this.#serverless.getProvider('aws')
    return `${provider.getDeploymentPrefix()}/${this.#serverless.service.service}/${provider.getStage()}`
  }

  #resourcesOf({ file, scenario }: ScenarioFile, settings: SluiceSettings): Readonly<Record<string, object>> {
    const naming = this.#naming
    const lambda = this.#serverless.service.getFunction(scenario.name)
    this.#refuseWhatCannotRun(
      [
        ...functionProblems(storesOf(scenario).includes('redis'), lambda, settings),
        ...deadLetterProblems(scenario, deadLetterTopicOf(scenario.name, settings)),
      ],
      file,
    )
    const mapping = this.#mappingOf(scenario, settings)
    // By now Serverless knows the timeout, also where it is a variable or that of all functions.
    const settled = { ...mapping, functionTimeoutSeconds: Number(lambda.timeout) }
    this.#refuseWhatCannotRun(mappingProblems(settled, Date.now()), file)
    const inVpc = this.#inVpc.has(scenario.name)
    const looksUp = storesOf(scenario).includes('redis')
    for (const warning of [...mappingWarnings(settled), ...networkWarnings(settings, { inVpc, looksUp })]) {
      this.#utilities.log.warning(`${file}: ${warning}.`)
    }
    const isSelfManaged = clusterKind(settings) === 'self-managed'
    const stateTable = stateTableOfFunction(scenario, this.#environmentOf(scenario))
    const roleId = roleIdOf(naming, scenario.name)
    const ownRole = lambda.role === roleId
    const statements = statementsOf(scenario, {
      cluster: isSelfManaged ? undefined : settings.cluster,
      settings: mapping,
      deadLetterTopic: deadLetterTopicOf(scenario.name, settings),
      namespace: namespaceOf(settings),
      logGroupName: naming.getLogGroupName(lambda.name),
      secret: settings.kafka?.secret,
      secretKey: settings.kafka?.secretKey,
      authority: settings.kafka?.authority,
      ...(stateTable !== undefined && { stateTable }),
      tracing: settings.tracing === true,
    })
    this.#refuseWhatCannotRun(policyProblems(statements), file)
    const place = {
      source: mappingSource(settings),
      functionId: naming.getLambdaLogicalId(scenario.name),
      dependsOn: [
        ...(ownRole ? [roleId] : []),
        // Before the first batch.
        ...(settings.createStateTable && stateTable !== undefined && stateTable === stateTableOf(settings.state)
          ? [stateTableId]
          : []),
      ],
      access: mappingAccess(settings),
    }
    return {
      ...(ownRole && { [roleId]: this.#roleResource(statements) }),
      [mappingIdOf(naming, scenario.name, mapping.topic)]: mappingResource(mapping, place),
    }
  }

  #mappingOf(scenario: Scenario, settings: SluiceSettings): EsmSettings {
    const mapping = esmSettingsOf(scenario, namespaceOf(settings))
    if (settings.filterPatterns !== 'derived' || mapping.filterPatterns?.length) return mapping
    const filterPatterns = derivedPatterns(scenario)
    const told =
      filterPatterns.length > 0
        ? `AWS keeps away what does not match ${filterPatterns.map(pattern => JSON.stringify(pattern)).join(' or ')}`
        : 'its rules give no filter pattern, every record comes'
    this.#utilities.log.notice(`${scenario.name}: ${told}`)
    return { ...mapping, filterPatterns }
  }

  #roleResource(statements: readonly unknown[]): object {
    const forAll = this.#serverless.service.provider.iam?.role
    return {
      Type: 'AWS::IAM::Role',
      Properties: {
        AssumeRolePolicyDocument: {
          Version: '2012-10-17',
          Statement: [{ Effect: 'Allow', Principal: { Service: ['lambda.amazonaws.com'] }, Action: ['sts:AssumeRole'] }],
        },
        ...(forAll?.permissionsBoundary !== undefined && { PermissionsBoundary: forAll.permissionsBoundary }),
        Policies: [
          {
            PolicyName: 'sluice',
            PolicyDocument: { Version: '2012-10-17', Statement: [...statements, ...(forAll?.statements ?? [])] },
          },
        ],
      },
    }
  }

  async #prepareInvocation(): Promise<void> {
    const scenarioFile = this.#scenarios.find(({ scenario }) => scenario.name === this.#options.function)
    if (scenarioFile === undefined) return
    const { name } = scenarioFile.scenario
    const stores = storesForInvocation(process.env, {
      looksUp: storesOf(scenarioFile.scenario).includes('redis'),
      hasState: hasState(scenarioFile.scenario),
    })
    if (typeof stores === 'object') throw this.#error(stores.problem, 'SLUICE_STORES')
    const { serviceDir } = this.#serverless
    const lookups = join(serviceDir, 'events', `${name}.lookups.json`)
    if (stores === 'embedded' && existsSync(lookups)) process.env['SLUICE_LOOKUPS'] ??= lookups
    const { code } = await this.#bundle(scenarioFile, stores)
    this.#serverless.service.getFunction(name).handler = localInvocation(serviceDir, name, code)
  }

  #refuseWhatCannotRun(problems: readonly string[], file: string): void {
    if (problems.length > 0) throw this.#error(problems.map(problem => `${file}: ${problem}.`).join('\n'), 'SLUICE_REFUSED')
  }

  get #isLocalInvocation(): boolean {
    return this.#serverless.processedInput.commands.join(' ') === 'invoke local'
  }

  get #naming(): Naming {
    return this.#serverless.getProvider('aws').naming
  }

  #error(message: string, code: string): Error {
    return new this.#serverless.classes.Error(message, code)
  }
}

/** For look-ups, or for the state that has no store of its own. */
function needsRedis(scenario: Scenario, { state }: SluiceSettings): boolean {
  return storesOf(scenario).includes('redis') || (hasState(scenario) && state === undefined)
}

const isTerminal = process.stderr.isTTY === true

function functionProblems(looksUp: boolean, lambda: FunctionObject, settings: SluiceSettings): readonly string[] {
  const problems: string[] = []
  if (looksUp && (settings.redis ?? lambda.environment?.['SLUICE_REDIS']) === undefined) {
    problems.push('it has look-ups, and serverless.yml names no store: set "redis" under "sluice"')
  }
  if (lambda.name.length > 64) {
    problems.push(
      `the function is called "${lambda.name}", and Lambda takes 64 characters: shorten the name of service, stage or scenario`,
    )
  }
  return problems
}

function deadLetterProblems(scenario: Scenario, topic: string): readonly string[] {
  const cure = 'set another "deadLetterTopic" under "sluice"'
  if (topic === scenario.source.topic)
    return [
      `its dead letters would go to "${topic}", which it reads: each would be read again and set aside again, for ever; ${cure}`,
    ]
  if (outputTopics(scenario).includes(topic))
    return [`its dead letters would go to "${topic}", where a sink writes: who reads that would take them for outputs; ${cure}`]
  return []
}

/** What the function tells beside its metrics. */
function tellingEnvironment({ logs = {}, tracing }: SluiceSettings): Readonly<Record<string, unknown>> {
  return {
    ...(logs.level !== undefined && { POWERTOOLS_LOG_LEVEL: logs.level }),
    ...(logs.sample && { SLUICE_LOG_SAMPLE: String(logs.sample) }),
    ...(tracing && { SLUICE_TRACING: 'on' }),
  }
}

const observabilityFile = '.serverless/sluice-observability.json'

/** CloudFormation's limits for one template. docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html */
const mostResources = 500
const longestTemplate = 1_000_000

function templateProblems(template: { readonly Resources: object }): readonly string[] {
  const count = Object.keys(template.Resources).length
  const { length } = JSON.stringify(template)
  const cure = 'Split the service: move some files of functions/ to a second one.'
  return [
    ...(count > mostResources ? [`A template has ${count} resources, and CloudFormation takes ${mostResources}. ${cure}`] : []),
    ...(length > longestTemplate ? [`A template has ${length} characters, and CloudFormation takes 1 MB. ${cure}`] : []),
  ]
}

/** All inline policies of a role together. */
const longestPolicy = 10_240

function policyProblems(statements: readonly unknown[]): readonly string[] {
  const { length } = JSON.stringify(statements)
  if (length <= longestPolicy) return []
  return [`its role's policy has ${length} characters, and IAM takes ${longestPolicy}: name fewer topics under "among"`]
}

function deadLetterTopicOf(name: string, settings: SluiceSettings): string {
  const namespace = namespaceOf(settings)
  return settings.deadLetterTopic ?? ownDeadLetterTopicOf({ ...(namespace !== undefined && { namespace }), scenario: name })
}

function namespaceOf(settings: SluiceSettings | undefined): string | undefined {
  return settings?.namespace || undefined
}

function artifactOf(name: string): string {
  return `.serverless/${name}.zip`
}

function archive(code: Uint8Array): Uint8Array {
  return zip([
    { name: 'index.js', data: code },
    { name: 'package.json', data: Buffer.from('{"type":"module"}\n') },
  ])
}

function roleIdOf(naming: Naming, name: string): string {
  return `${naming.getNormalizedFunctionName(name)}Role`
}

// Logical ids are letters and digits: of topics "a.b" and "ab" osls makes one id, and the later wins silently.
function mappingIdOf(naming: Naming, name: string, topic: string): string {
  return `${naming.getNormalizedFunctionName(name)}Trigger${createHash('sha256').update(topic).digest('hex').slice(0, 8)}`
}

/** Connections of real stores stay open in a container, and would keep this process alive. */
function leaveSoon(): void {
  setTimeout(() => process.exit(), 500).unref()
}
