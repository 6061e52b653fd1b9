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
import type { Scenario } from '../lib/scenario/scenario.ts'
import {
  accessProblems,
  accessWarnings,
  clusterKind,
  mappingAccess,
  mappingSource,
  type Network,
  networkOf,
  networkProblems,
  networkWarnings,
} from './access.ts'
import { bundleReport } from './bundle-report.ts'
import { costReport } from './cost-report.ts'
import { deadLetterProblems, deadLetterTopicOf } from './dead-letters.ts'
import { derivedPatterns } from './filter-patterns.ts'
import { type Environment, environmentFrom, environmentProblems } from './function-environment.ts'
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
} from './mapping.ts'
import { nestedStack, observabilityTemplate, templateKey } from './observability.ts'
import { existingRole, rightsOfSettings, roleProblems, roleResource, tagList } from './roles.ts'
import { discoverScenarios, type ScenarioFile } from './scenario-files.ts'
import type { FunctionObject, Naming, Serverless, Utilities } from './serverless.ts'
import { namespaceOf, type SluiceSettings, settingsSchema } from './settings.ts'
import { withStageSources } from './stage-sources.ts'
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

/** Commands about what is deployed already. */
const afterDeploy: ReadonlySet<string> = new Set(['info', 'logs', 'metrics', 'remove', 'rollback'])

export default class SluicePlugin {
  readonly hooks: Readonly<Record<string, () => void | Promise<void>>>
  readonly #serverless: Serverless
  readonly #options: { readonly function?: string }
  readonly #utilities: Utilities
  #scenarios: readonly ScenarioFile[]
  /** By scenario, where its function stands in a VPC. */
  readonly #networks = new Map<string, Network>()

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
    const isAboutDeployed = afterDeploy.has(this.#serverless.processedInput.commands[0] ?? '')
    if (settings.redisCluster === true && !isAboutDeployed) this.#checkForCluster()
    const { scenarios, problems } = withStageSources(this.#scenarios, settings.sources)
    if (!isAboutDeployed) this.#refuse(problems)
    this.#scenarios = scenarios
    const { provider } = this.#serverless.service
    for (const { scenario } of scenarios) {
      const lambda = this.#serverless.service.getFunction(scenario.name)
      lambda.environment = { ...environmentFrom(settings, scenario), ...lambda.environment }
      if (lambda.role === roleIdOf(this.#naming, scenario.name) && existingRole(provider) !== undefined) delete lambda.role
      if (settings.tracing) lambda.tracing ??= 'Active'
      if (settings.vpc !== undefined) lambda.vpc ??= structuredClone(settings.vpc)
    }
  }

  /** Once more, since a variable that says so is known only now. */
  #checkForCluster(): void {
    const { errors } = discoverScenarios(this.#serverless.serviceDir, { colors: isTerminal, redisCluster: true })
    if (errors.length > 0) throw this.#error(`Scenarios have errors:\n\n${errors.join('\n')}`, 'SLUICE_SCENARIO')
  }

  async #buildAll(): Promise<void> {
    this.#refuseSettings()
    this.#findNetworks()
    const built = await Promise.all(
      this.#scenarios.map(async scenarioFile => ({ scenarioFile, bundle: await this.#build(scenarioFile) })),
    )
    // One after the other: they are measured.
    for (const { scenarioFile, bundle } of built) {
      const { scenario } = scenarioFile
      const report = await bundleReport(this.#serverless.serviceDir, bundle, this.#knownEnvironment(scenario.name))
      const cost = await costReport(this.#serverless.serviceDir, scenario, { code: bundle.code, ...this.#machineOf(scenario) })
      this.#utilities.log.notice(`${scenario.name}: ${[report, ...(cost === undefined ? [] : [cost])].join('; ')}`)
      // Who deploys has mostly no way to store and brokers, so that only the function would find out.
      if (hasState(scenario))
        this.#utilities.log.notice(
          `${scenario.name}: it keeps state. Where it runs without already, it stops with [state-missing] until "npx sluice state ${scenario.name} --init" has started state at the present position`,
        )
    }
  }

  /** Where serverless.yml says nothing for all functions either, ours or AWS' own default. */
  #machineOf({ name }: Scenario): { readonly memoryMb: number; readonly architecture: 'arm64' | 'x86_64' } {
    const { provider } = this.#serverless.service
    const { memorySize, architecture } = this.#serverless.service.getFunction(name)
    return {
      memoryMb: Number(memorySize ?? provider.memorySize ?? functionDefaults.memorySize),
      architecture: (architecture ?? provider.architecture) === 'arm64' ? 'arm64' : 'x86_64',
    }
  }

  /** Before Serverless compiles the functions: it sets an empty `vpc` then, where there was none. */
  #findNetworks(): void {
    for (const { scenario } of this.#scenarios) {
      const network = networkOf(this.#serverless.service.getFunction(scenario.name).vpc, this.#serverless.service.provider.vpc)
      if (network !== undefined) this.#networks.set(scenario.name, network)
    }
  }

  /** All at once, and before anything is built, which takes its time. */
  #refuseSettings(): void {
    const settings = this.#serverless.configurationInput.sluice
    if (settings === undefined) return
    const shared = [...accessProblems(settings), ...stateSettingsProblems(settings)]
    const own = this.#scenarios.flatMap(({ file, scenario }) => {
      const environment = { ...this.#serverless.service.provider.environment, ...this.#environmentOf(scenario) }
      const problems = [
        ...environmentProblems(environment, settings, scenario),
        ...stateProblems(scenario, this.#environmentOf(scenario), settings),
      ]
      return problems.map(problem => `${file}: ${problem}`)
    })
    this.#refuse([...shared, ...own])
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

  #environmentOf({ name }: Scenario): Environment {
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
    this.#refuse(shared)
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
    const { dashboards = true } = settings
    const alarms = typeof settings.alarms === 'object' ? settings.alarms : settings.alarms === false ? false : {}
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
    const network = this.#networks.get(scenario.name)
    const looksUp = storesOf(scenario).includes('redis')
    this.#refuseWhatCannotRun(networkProblems(settings, network), file)
    const ownRole = lambda.role === roleIdOf(naming, scenario.name)
    for (const warning of [
      ...mappingWarnings(settled),
      ...networkWarnings(settings, { inVpc: network !== undefined, looksUp }),
      ...(ownRole ? [] : [`Nothing is added to its role, which is made elsewhere: it needs the rights of infra/permissions.ts`]),
    ]) {
      this.#utilities.log.warning(`${file}: ${warning}.`)
    }
    const stateTable = stateTableOfFunction(scenario, this.#environmentOf(scenario))
    const roleId = roleIdOf(naming, scenario.name)
    const { provider } = this.#serverless.service
    const rights = {
      cluster: clusterKind(settings) === 'self-managed' ? undefined : settings.cluster,
      settings: mapping,
      deadLetterTopic: deadLetterTopicOf(scenario.name, settings),
      namespace: namespaceOf(settings),
      secret: settings.kafka?.secret,
      secretKey: settings.kafka?.secretKey,
      authority: settings.kafka?.authority,
      ...(stateTable !== undefined && { stateTable }),
      ...rightsOfSettings(lambda, provider, naming.getLogGroupName(lambda.name)),
    }
    if (ownRole) this.#refuseWhatCannotRun(roleProblems(scenario, rights, provider), file)
    const tags = { ...provider.tags, ...lambda.tags }
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
      access: mappingAccess(settings, network),
      tags: tagList(tags),
    }
    return {
      ...(ownRole && { [roleId]: roleResource(scenario, rights, provider) }),
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
    this.#refuse(problems.map(problem => `${file}: ${problem}`))
  }

  #refuse(problems: readonly string[]): void {
    if (problems.length > 0) throw this.#error(`${problems.join('.\n')}.`, 'SLUICE_REFUSED')
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
