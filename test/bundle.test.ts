// What reaches Lambda: the compiled scenario and the run time. Reading, checking and compiling ended at build time.
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { bundleScenario } from '../lib/compiler/bundle.ts'
import { storesOf } from '../lib/compiler/planning.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const functions = readdirSync(`${root}/functions`).filter(file => file.endsWith('.yml'))

/** A cold start reads, parses and compiles every byte. The real build is minified; a fifth of it is Powertools' logger, logins at Kafka are 18 KB. */
const limitBytes = { real: 178_000, embedded: 150_000 } as const
/** What a function needs of AWS' own client for DynamoDB (lib/compiler/aws-client.ts), where a scenario looks items up or keeps state there. */
const dynamoDbBytes = 120_000
/** Where a scenario has state: its store's client and scripts (20 KB) or its store in memory, and the algorithm around it, which the others go without. */
const stateBytes = 46_000

const ofBuildTime =
  /(^|\/)lib\/(scenario|compiler|cli|emulator)\/|(^|\/)lib\/language\/(?!standard\/)|node_modules\/(yaml|esbuild|osls|@bufbuild\/cel)\//
const evaluates = /\beval\s*\(|\bnew\s+Function\b|\bFunction\s*\(\s*['"`]|\bvm\s*\.\s*(runIn|Script)/

test('there are functions to look into', () => {
  expect(functions).toContain('telecom-campaign.yml')
})

describe.each(functions)('%s', file => {
  test.each(['real', 'embedded'] as const)('as %s build holds no reader, no parser and no eval, and is small', async stores => {
    const { code, contents, scenario } = await bundleScenario(`${root}/functions/${file}`, { stores })
    // The scenario itself is there as compiled code; its YAML is gone.
    const inputs = [...contents.entries()].filter(([, bytes]) => bytes > 0).map(([input]) => input)
    expect(inputs.filter(input => ofBuildTime.test(input))).toEqual([])
    const text = Buffer.from(code).toString('utf8')
    expect(text.split('\n').filter(line => evaluates.test(line))).toEqual([])
    console.log(`${file} (${stores}): ${(code.length / 1000).toFixed(0)} KB`)
    const isReal = stores === 'real'
    expect(code.length).toBeLessThan(
      limitBytes[stores] +
        (isReal && storesOf(scenario).includes('dynamodb') ? dynamoDbBytes : 0) +
        (scenario.state.length > 0 ? stateBytes : 0),
    )
  })

  test('with its state in DynamoDB it is small, too', async () => {
    const { code, scenario } = await bundleScenario(`${root}/functions/${file}`, { stores: 'real', stateScheme: 'dynamodb' })
    // Kafka, Redis for look-ups and DynamoDB for state: three clients in one function.
    expect(code.length).toBeLessThan(scenario.state.length > 0 ? 350_000 : 305_000)
    expect(scenario.name).toBe(file.replace('.yml', ''))
  })

  test('is the same in each build', async () => {
    const [first, second] = await Promise.all([1, 2].map(() => bundleScenario(`${root}/functions/${file}`, { stores: 'real' })))
    expect(Buffer.from(first!.code).equals(second!.code)).toBe(true)
  })
})

test.each([
  ['const f = new Function("a", "return a")', true],
  ['eval("1")', true],
  ['vm.runInThisContext(code)', true],
  ['const evaluate = retrieval(1)', false],
  ['typeof f === "function"', false],
])('the search for eval judges %s', (line, found) => {
  expect(evaluates.test(line)).toBe(found)
})

test.each([
  ['lib/language/parser.ts', true],
  ['lib/scenario/yaml.ts', true],
  ['node_modules/yaml/dist/index.js', true],
  ['lib/language/standard/list.ts', false],
  ['lib/runtime/handler.ts', false],
  ['node_modules/@bufbuild/re2/dist/index.js', false],
])('the search for build-time code judges %s', (input, found) => {
  expect(ofBuildTime.test(input)).toBe(found)
})
