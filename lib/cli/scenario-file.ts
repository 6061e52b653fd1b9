// Which file a SCENARIO argument means: a name (`functions/NAME.yml`) or the path of a file, in `functions/` or not.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, isAbsolute, join, relative, sep } from 'node:path'
import { nearest } from '../scenario/suggestion.ts'
import { UsageError } from './command.ts'

const folder = 'functions'

export interface ScenarioFile {
  /** Relative to the working directory where it lies below: the name for messages. */
  readonly file: string
  readonly text: string
  /** Reads a file that the scenario names, relative to it. */
  readonly readFile: (path: string) => string
}

export function openScenario(argument: string): ScenarioFile {
  const isPath = argument.includes('/') || argument.includes(sep) || /\.ya?ml$/.test(argument)
  const file = isPath ? argument : join(folder, `${argument}.yml`)
  if (!existsSync(file)) {
    const meant = isPath ? undefined : nearest(argument, scenarioNames())
    throw new UsageError(`There is no file ${file}${meant === undefined ? '' : `. Did you mean "${meant}"?`}`)
  }
  if (statSync(file).isDirectory()) throw new UsageError(`${file} is a folder. Name its files: ${join(file, '*.yml')}`)
  return readScenarioFile(file)
}

/** All of `functions/*.yml`. */
export function allScenarios(): readonly ScenarioFile[] {
  return scenarioNames().map(name => readScenarioFile(join(folder, `${name}.yml`)))
}

function readScenarioFile(path: string): ScenarioFile {
  const below = relative(process.cwd(), path)
  const file = below === '' || below.startsWith('..') || isAbsolute(below) ? path : below.replaceAll(sep, '/')
  const readFile = (named: string): string => readFileSync(join(dirname(path), named), 'utf8')
  return { file, text: readFileSync(path, 'utf8'), readFile }
}

function scenarioNames(): readonly string[] {
  if (!existsSync(folder)) return []
  const files = readdirSync(folder).filter(name => name.endsWith('.yml'))
  return files.map(name => name.replace(/\.yml$/, '')).sort()
}
