// Which file a SCENARIO argument means: a name (`functions/NAME.yml`) or the path of a file, in `functions/` or not.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { isAbsolute, join, relative, sep } from 'node:path'
import { type Folder, folderOf } from '../scenario/folder.ts'
import { nearest } from '../scenario/suggestion.ts'
import { UsageError } from './command.ts'

const folder = 'functions'

export interface ScenarioFile {
  /** Relative to the working directory where it lies below: the name for messages. */
  readonly file: string
  readonly text: string
  readonly folder: Folder
  /** It has no `scenario:` and says what it needs of one, or stands where shared files do. */
  readonly isShared: boolean
}

/** A scenario, or for `check` a shared file alone. */
export function openScenario(argument: string, options: { readonly mayBeShared?: boolean } = {}): ScenarioFile {
  const isPath = argument.includes('/') || argument.includes(sep) || /\.ya?ml$/.test(argument)
  const file = isPath ? argument : join(folder, `${argument}.yml`)
  if (!existsSync(file)) {
    const meant = isPath ? undefined : nearest(argument, scenarioNames())
    throw new UsageError(`There is no file ${file}${meant === undefined ? '' : `. Did you mean "${meant}"?`}`)
  }
  if (statSync(file).isDirectory()) throw new UsageError(`${file} is a folder. Name its files: ${join(file, '*.yml')}`)
  const opened = readScenarioFile(file)
  if (!opened.isShared || options.mayBeShared === true) return opened
  throw new UsageError(`${file} is a shared file and no scenario. Name a scenario that has it under "use".`)
}

/** Shared files where they are looked for: `functions/shared/*.yml`. */
export function allSharedFiles(): readonly ScenarioFile[] {
  const path = join(folder, 'shared')
  if (!existsSync(path)) return []
  const names = readdirSync(path).filter(name => name.endsWith('.yml'))
  return names.sort().map(name => ({ ...readScenarioFile(join(path, name)), isShared: true }))
}

/** All of `functions/*.yml`. */
export function allScenarios(): readonly ScenarioFile[] {
  return scenarioNames().map(name => readScenarioFile(join(folder, `${name}.yml`)))
}

function readScenarioFile(path: string): ScenarioFile {
  const below = relative(process.cwd(), path)
  const file = below === '' || below.startsWith('..') || isAbsolute(below) ? path : below.replaceAll(sep, '/')
  const text = readFileSync(path, 'utf8')
  const isShared = !/^scenario\s*:/m.test(text) && (/^needs\s*:/m.test(text) || /(^|\/)shared\/[^/]+$/.test(file))
  return { file, text, folder: folderOf(path), isShared }
}

function scenarioNames(): readonly string[] {
  if (!existsSync(folder)) return []
  const files = readdirSync(folder).filter(name => name.endsWith('.yml'))
  return files.map(name => name.replace(/\.yml$/, '')).sort()
}
