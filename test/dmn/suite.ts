// The DMN test kit's decision tables, each imported as a scenario, built for real, and asked as a Lambda would be. Answers are JSON.
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { bundleScenario } from '../../lib/compiler/bundle.ts'
import { interpretedPlan } from '../../lib/compiler/interpreted.ts'
import { plan } from '../../lib/compiler/planning.ts'
import { embed } from '../../lib/connectors/embedded.ts'
import { importTable } from './import.ts'
import { childOf, childrenOf, type Element, need, parseXml } from './xml.ts'

export type Mode = 'compiled' | 'interpreted'

export interface CaseResult {
  /** `0004-simpletable-U/001` */
  readonly name: string
  readonly expected: unknown
  readonly found: unknown
}

const context = { getRemainingTimeInMillis: () => 60_000 }

const kit = join(dirname(fileURLToPath(import.meta.url)), 'tck')

/** Folders of the kit that are left out, with the reason. */
export const skips: ReadonlyMap<string, string> = new Map()

export const folders: readonly string[] = globSync('*/*.dmn', { cwd: kit }).map(dirname).sort()

/** Runs all cases of one folder in one batch. */
export async function runFolder(folder: string, mode: Mode): Promise<readonly CaseResult[]> {
  const imported = importTable(modelOf(folder))
  const cases = testCasesOf(folder, imported.decision)
  const world = await worldOf(imported.yaml, mode)
  const records = cases.map(({ event }, offset) => ({
    topic: 'dmn.inputs',
    partition: 0,
    offset,
    timestamp: 1_767_225_600_000,
    timestampType: 'CREATE_TIME',
    value: Buffer.from(JSON.stringify(event)).toString('base64'),
    headers: [],
  }))
  await world.handler({ eventSource: 'aws:kafka', bootstrapServers: 'none:9092', records: { 'dmn.inputs-0': records } }, context)
  const answers = new Map(world.answers().map(({ offset, answer }) => [offset, answer]))
  return cases.map(({ id, expected }, offset) => ({
    name: `${folder}/${id}`,
    expected,
    found: inDmnNames(answers.get(offset), imported.outputNames),
  }))
}

const modelOf = (folder: string): string =>
  readFileSync(join(kit, need(globSync(`${folder}/*.dmn`, { cwd: kit })[0], 'model')), 'utf8')

// ---- Test cases

interface TestCase {
  readonly id: string
  readonly event: Readonly<Record<string, unknown>>
  readonly expected: unknown
}

function testCasesOf(folder: string, decision: string): readonly TestCase[] {
  return globSync(`${folder}/*-test-*.xml`, { cwd: kit }).flatMap(file =>
    childrenOf(parseXml(readFileSync(join(kit, file), 'utf8')), 'testCase').map(element => {
      const inputs = childrenOf(element, 'inputNode').map(node => [
        need(node.attributes.get('name'), 'name').replace(/[^A-Za-z0-9_]/g, '_'),
        valueOfNode(node),
      ])
      const result = need(
        childrenOf(element, 'resultNode').find(node => node.attributes.get('name') === decision),
        `result of ${decision}`,
      )
      return {
        id: need(element.attributes.get('id'), 'id'),
        event: Object.fromEntries(inputs),
        expected: valueOfNode(need(childOf(result, 'expected'), 'expectation')),
      }
    }),
  )
}

function valueOfNode(node: Element): unknown {
  const list = childOf(node, 'list')
  if (list !== undefined) return childrenOf(list, 'item').map(valueOfNode)
  const components = childrenOf(node, 'component')
  if (components.length > 0)
    return Object.fromEntries(components.map(component => [component.attributes.get('name'), valueOfNode(component)]))
  const value = need(childOf(node, 'value'), `value of ${node.name}`)
  const type = value.attributes.get('type')?.replace(/^.*:/, '')
  if (value.attributes.get('nil') === 'true') return null
  if (type === 'decimal' || type === 'double' || type === 'integer') return Number(value.text)
  return type === 'boolean' ? value.text === 'true' : value.text
}

// ---- Our side

interface World {
  readonly handler: (event: unknown, context: unknown) => Promise<unknown>
  readonly answers: () => readonly { readonly offset: number; readonly answer: unknown }[]
}

async function worldOf(yaml: string, mode: Mode): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-dmn-'))
  try {
    const file = join(folder, 'dmn.yml')
    writeFileSync(file, yaml)
    const { code, scenario } = await bundleScenario(file, { stores: 'embedded' })
    const bundle = join(folder, `${basename(folder)}.mjs`)
    writeFileSync(bundle, code)
    const compiled = await import(/* @vite-ignore */ pathToFileURL(bundle).href)
    const log = { info: () => undefined, warn: () => undefined, error: () => undefined }
    const { handler, kafka } =
      mode === 'compiled'
        ? compiled.embed(compiled.plan, { lookups: {}, log })
        : embed(interpretedPlan(plan(scenario)), { lookups: {}, log })
    return { handler: handler as World['handler'], answers: () => kafka.committed.map(answerOf) }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function answerOf({
  value,
  headers,
}: {
  readonly value: Uint8Array | null
  readonly headers: readonly { readonly name: string; readonly value: Uint8Array | null }[]
}) {
  const key = Buffer.from(
    need(headers.find(({ name }) => name === 'sluice-idempotency-key')?.value ?? undefined, 'idempotency key'),
  ).toString()
  return { offset: Number(key.split('/')[3]), answer: JSON.parse(Buffer.from(value!).toString()).answer }
}

/** Our rows carry what DMN names otherwise: an only output has no name there, and `place` is ours. */
function inDmnNames(answer: unknown, names: ReadonlyMap<string, string> | undefined): unknown {
  if (Array.isArray(answer)) return answer.map(element => inDmnNames(element, names))
  if (typeof answer !== 'object' || answer === null) return answer
  if (names === undefined) return (answer as { value: unknown }).value
  return Object.fromEntries([...names].map(([ours, theirs]) => [theirs, (answer as Record<string, unknown>)[ours]]))
}
