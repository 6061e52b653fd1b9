// `npm run cases`: reference cases from any folder, through the scenario of the same name, with or without faults. Exit code 0: all equal,
// 1: something differs or broke, 2: wrong use.
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { startServices } from '../../infra/local/services.ts'
import { describe, isEqual } from './compare.ts'
import { type CommandLine, readCommandLine, usage, WrongUse } from './options.ts'
import { readCase } from './reference.ts'
import { type Outcome, runCase } from './runner.ts'

const root = resolve(import.meta.dirname, '../..')

// Containers end with this process, and it must come to its end for that.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

process.exitCode = await main(process.argv.slice(2))

async function main(words: readonly string[]): Promise<number> {
  let commandLine: CommandLine | undefined
  try {
    commandLine = readCommandLine(words)
    if (commandLine === undefined) {
      console.log(usage)
      return 0
    }
    return await runAll(commandLine, casesOf(commandLine))
  } catch (error) {
    if (!(error instanceof WrongUse)) throw error
    console.error(`${error.message}\n\n${usage}`)
    return 2
  }
}

function casesOf({ folder, cases, replay }: CommandLine): readonly string[] {
  if (!existsSync(folder)) throw new WrongUse(`There is no folder "${folder}".`)
  const isCase = (name: string): boolean =>
    statSync(join(folder, name)).isDirectory() &&
    existsSync(join(folder, name, 'events.jsonl')) &&
    existsSync(join(folder, name, 'expected.jsonl')) &&
    // Only cases with state have a history.
    (!replay || cases.length > 0 || existsSync(join(folder, name, 'replay.jsonl')))
  const present = readdirSync(folder).filter(isCase)
  for (const name of cases) {
    if (!present.includes(name)) throw new WrongUse(`"${folder}" has no case "${name}"; it has ${present.join(', ') || 'none'}.`)
  }
  if (present.length === 0) throw new WrongUse(`"${folder}" has no cases: folders with events.jsonl and expected.jsonl.`)
  return cases.length > 0 ? cases : present
}

async function runAll(commandLine: CommandLine, cases: readonly string[]): Promise<number> {
  const services = commandLine.broker === 'kafka' ? await startServices({ kafka: true, redis: true }) : undefined
  const addresses = services && { kafka: services.kafka!, redis: services.redis! }
  let exitCode = 0
  try {
    for (const name of cases) {
      if (!existsSync(join(root, 'functions', `${name}.yml`))) {
        console.error(`${name}: there is no functions/${name}.yml to run it with`)
        exitCode = 1
        continue
      }
      try {
        const outcome = await runCase(readCase(resolve(commandLine.folder), name), commandLine, { root, addresses })
        print(name, outcome, commandLine)
        if (!isEqual(outcome.comparison)) exitCode = 1
      } catch (error) {
        console.error(`${name}: ${error instanceof Error ? error.message : error}`)
        exitCode = 1
      }
    }
  } finally {
    await services?.stop()
  }
  return exitCode
}

function print(name: string, { comparison, strikes }: Outcome, { kill }: CommandLine): void {
  const { expectedCount, missing, unexpected, outOfOrder } = comparison
  for (const line of missing) console.log(`- missing       ${describe(line)}`)
  for (const line of unexpected) console.log(`+ unexpected    ${describe(line)}`)
  for (const line of outOfOrder) console.log(`~ out of order  ${describe(line)}`)
  if (strikes.size > 0) {
    const total = [...strikes.values()].reduce((sum, times) => sum + times, 0)
    const points = [...strikes].sort(([a], [b]) => (a < b ? -1 : 1)).map(([point, times]) => `${point} ${times}`)
    console.log(`${name}: ${kill ? 'killed' : 'zombies stopped'} ${total} times: ${points.join(', ')}`)
  }
  console.log(
    `${name}: ${expectedCount} expected, ${missing.length} missing, ${unexpected.length} unexpected, ${outOfOrder.length} out of order`,
  )
}
